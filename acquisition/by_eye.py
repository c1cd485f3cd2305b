"""One step of an instrument that is read by eye: asked, typed, and taken or asked for again.

Knows what can be read there, and what is so far from the load that it is rather a typing mistake.
Refuses to correct anything: what is typed twice is taken, and everything typed is kept.
"""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Final

from acquisition.events import Event, IndicationSeen, NotTaken, StepAsked
from acquisition.faults import Abandoned
from acquisition.job import Job
from acquisition.notes import Notes
from acquisition.routine import Action, Asks, Instruction, NawiCharacteristics, Point
from calibration.refusal import Refused
from calibration.routines.weighing_sheet import Indicating
from calibration.units import Quantity
from drivers.indication import Condition, Indication

_DOUBTED_FROM: Final = 10
"""An error of so many times the MPE is rather a typing mistake: ours."""
_PATIENCE: Final = 86400.0
"""Whoever types has all day; a replay whose typed texts are over does not wait for ever [s]."""


class Look:
    """Judge what was typed after one step, one line after the other."""

    def __init__(
        self, scale: NawiCharacteristics, asks: Asks, expected: Decimal, limit: Decimal | None
    ) -> None:
        """Expect an indication near a load, both in the unit of e; ``limit`` is the MPE there."""
        self._scale, self._asks, self._expected = scale, asks, expected
        self._within = None if limit is None else _DOUBTED_FROM * limit
        self._doubted: Decimal | None = None

    def refusal(self, seen: Indication) -> Refused | None:
        """Say why a line that makes sense is not taken; None when it is."""
        if seen.quantity != self._asks:
            return _other_answer(self._asks)
        if self._asks is not Asks.INDICATION:
            return None
        shown, said = mass_of(seen, self._scale.unit), f"{seen.text} {seen.unit}"
        return self._unreadable(shown, said) or self._doubtful(shown, said, seen.unit or "")

    def _unreadable(self, shown: Decimal, said: str) -> Refused | None:
        scale, instrument = self._scale, self._scale.instrument
        if instrument.indicating is Indicating.DIGITAL:
            if instrument.ranges or not shown % scale.d:
                return None
            return Refused(
                "{indication} cannot be displayed with d = {d}: a typing error?",
                indication=said,
                d=f"{scale.d:f} {scale.unit}",
            )
        reading = instrument.reading
        if reading is None or not shown % reading.to(scale.unit).magnitude:
            return None
        return Refused(
            "{indication} cannot be read where {reading} is the smallest part that is read: a "
            "typing error?",
            indication=said,
            reading=reading,
        )

    def _doubtful(self, shown: Decimal, said: str, unit: str) -> Refused | None:
        far = abs(shown - self._expected)
        if self._within is None or far <= self._within or shown == self._doubted:
            return None
        self._doubted = shown
        own = self._scale.unit
        return Refused(
            "{indication} is {far} away from {load}: if the instrument shows that, type it again",
            indication=said,
            far=Quantity(far, own).to(unit),
            load=Quantity(self._expected, own).to(unit),
        )


async def read_by_eye(
    job: Job,
    notes: Notes,
    place: str,
    step: Instruction,
    look: Look,
    taken: list[Indication],
) -> AsyncIterator[Event]:
    """Have one step done and take what the technician reads and types after it."""
    while True:
        yield StepAsked(step)
        after_ns = await job.moment()
        with job.feed.listening() as listener:  # it is typed while the hand is at work
            await job.hand.do(step)
            deadline = asyncio.get_running_loop().time() + _PATIENCE
            seen = await listener.next_before(deadline)
        if seen is None or seen.since_ns < after_ns:
            raise Abandoned("nothing was typed of {instrument}", instrument=job.subject.name)
        fault = seen.condition is Condition.FAULT
        refusal = None if fault else look.refusal(seen)
        if not fault and refusal is None:
            yield IndicationSeen(seen)
            taken.append(seen)
            return
        notes.keep(f"{place} not taken", seen)
        yield NotTaken(seen, refusal)
        step = Instruction(Action.READ, step.quantity, asks=step.asks)


async def see_it_move(
    job: Job,
    notes: Notes,
    place: str,
    point: Point,
    more: Instruction,
    taken: list[Indication],
    row: dict[str, str | bool],
) -> AsyncIterator[Event]:
    """Add a little and write down whether, or how far, the indicating element moves."""
    scale = NawiCharacteristics.of(job.subject.characteristics)
    before = mass_of(taken[0], scale.unit) if taken else Decimal(0)
    look = Look(scale, more.asks, before + more.quantity.magnitude, point.limit)
    async for event in read_by_eye(job, notes, place, more, look, taken):
        yield event
    seen = taken[-1]
    notes.keep(f"{place} + {more.quantity}", seen)
    row["extra_load"] = str(more.quantity)
    if more.asks is Asks.MOVED:
        row["visible"] = bool(seen.value)
    else:
        name = "displacement" if more.asks is Asks.HOW_FAR else "indication_after"
        row[name] = f"{seen.text} {seen.unit}"


def mass_of(seen: Indication, unit: str) -> Decimal:
    """Return the value of an indication in a unit."""
    if seen.value is None:
        raise Abandoned("an indication without a value cannot be taken")
    if seen.unit is None:
        raise Abandoned(
            "{instrument} sends no unit: write in its settings which unit its display shows",
            instrument=seen.instrument,
        )
    return Quantity(seen.value, seen.unit).to(unit).magnitude


def _other_answer(asks: Asks) -> Refused:
    if asks is Asks.MOVED:
        return Refused("type yes or no")
    if asks is Asks.HOW_FAR:
        return Refused("type a length, as in 6 mm")
    return Refused("type the indication itself")
