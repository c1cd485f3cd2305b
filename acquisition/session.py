"""One verification from the first zero to the committed verdict. Read this first.

``run(job)`` asks a hand for each step, takes only fresh and steady indications, writes them down
as an observation sheet (cerapan), has the core evaluate it, and commits the record. It yields
every step as a frozen event: command line, console and tests are viewers of the same stream.
It holds no tolerance and touches no wire.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import ExitStack, suppress
from decimal import Decimal

from acquisition.by_eye import Look, mass_of, read_by_eye, see_it_move
from acquisition.events import (
    Event,
    IndicationSeen,
    NotTaken,
    PointObserved,
    Recorded,
    Started,
    StepAsked,
    Verified,
)
from acquisition.faults import Abandoned, english
from acquisition.feed import Feed, Listener
from acquisition.hands import TakenBack
from acquisition.instruments import is_read_by_eye, tells_stability
from acquisition.job import Job
from acquisition.notes import (
    NOT_REAL,
    Notes,
    to_cerapan,
    to_record,
    to_start,
    write_air,
    write_delivery,
    write_weighing,
)
from acquisition.rehearsal import rehearsed_plan
from acquisition.routine import Action, Asks, Instruction, NawiCharacteristics, Point
from acquisition.steady import Steady
from acquisition.surroundings import looked_at
from broker.failure import BrokerError
from broker.record import new_id
from calibration.evaluation import evaluate
from calibration.sheet import parse_sheet
from calibration.units import Quantity
from drivers.indication import Indication

__all__ = [
    "Event",
    "IndicationSeen",
    "NotTaken",
    "PointObserved",
    "Recorded",
    "Started",
    "StepAsked",
    "Verified",
    "run",
]


async def run(job: Job) -> AsyncGenerator[Event]:
    """Verify one instrument; the last event is Recorded, or the reason why not is raised.

    A caller that may stop listening early closes the stream (``aclosing``): that ends the run.
    """
    plan = rehearsed_plan(job)
    routine = _weigh if job.bench.routine == "nawi" else _meter
    verification = new_id()
    started = job.now()
    notes = Notes(by={job.subject.name: job.technician} if job.technician else {})
    try:
        number = await job.outbox.begin(
            job.bench.name, verification, to_start(job, verification, started)
        )
        yield Started(verification, number, len(plan))
        async for event in routine(job, plan, notes):
            yield event
        if not job.trial and notes.origins & NOT_REAL:
            raise Abandoned("an indication was simulated or replayed in a run that was to be legal")
        cerapan = to_cerapan(job, notes, started)
        result = evaluate(
            parse_sheet(cerapan),
            standards=job.standards,
            approved=job.approved,
            settings=job.settings,
        )
        record = to_record(job, verification, number, started, cerapan, notes, result)
        await job.outbox.put(record)  # before anyone sees it: what was seen cannot be taken back
    except BaseException as error:
        reason = english(error) if isinstance(error, Exception) else "the run was interrupted"
        with suppress(BrokerError):  # the first error is the news; the next start looks again
            await job.outbox.abandon(verification, reason)
        raise
    if job.witness is not None:
        await job.witness.keep(record)
    yield Verified(result)
    yield Recorded(record)


async def _points(
    plan: tuple[Point, ...], notes: Notes, observe: Callable[[int, Point], AsyncIterator[Event]]
) -> AsyncIterator[Event]:
    """Observe point after point; what a hand takes back is observed again, and stays visible."""
    while len(notes.rows) < len(plan):
        index, steps = len(notes.rows), 0
        try:
            async for event in observe(index, plan[index]):
                steps += isinstance(event, StepAsked)
                yield event
        except TakenBack:
            index -= steps == 1 and index > 0  # nothing is observed here yet: the point before
            notes.take_back(index, _place(index, plan[index]))


def _place(index: int, point: Point) -> str:
    return f"{point.test}[{index}]"


def _weigh(job: Job, plan: tuple[Point, ...], notes: Notes) -> AsyncIterator[Event]:
    scale = NawiCharacteristics.of(job.subject.characteristics)
    by_eye = is_read_by_eye(job.subject)

    async def observe(index: int, point: Point) -> AsyncIterator[Event]:
        place = _place(index, point)
        taken: list[Indication] = []
        row: dict[str, str | bool] = {}
        added: Decimal | None = None
        shown = Decimal(0)
        if point.instruction.asks is Asks.NOTHING:
            yield StepAsked(point.instruction)
            await job.hand.do(point.instruction)
        else:
            async for event in _show(job, notes, place, point, point.instruction, taken):
                yield event
            notes.keep(place, taken[0])
            shown = mass_of(taken[0], scale.unit)
            row["indication"] = f"{taken[0].text} {taken[0].unit}"
        if point.by_added_load:
            for tenths in range(1, 11):
                added = tenths * scale.e / 10
                step = Instruction(Action.ADD, Quantity(added, scale.unit))
                async for event in _show(job, notes, place, point, step, taken):
                    yield event
                changed = mass_of(taken[-1], scale.unit) > shown
                if changed or by_eye:  # of what was typed everything is kept
                    notes.keep(f"{place} + {added:f} {scale.unit}", taken[-1])
                if changed:
                    row["added_load"] = str(step.quantity)
                    break
            else:
                raise Abandoned(
                    "the indication did not change although one e was added at {load} {unit}",
                    load=point.instruction.quantity.magnitude,
                    unit=scale.unit,
                )
        if point.more is not None:
            async for event in see_it_move(job, notes, place, point, point.more, taken, row):
                yield event
        await _look_around(job, notes, place)
        write_weighing(notes, point, row)
        yield PointObserved(index, point, taken[0 if point.more is None else -1], added)

    return _points(plan, notes, observe)


def _meter(job: Job, plan: tuple[Point, ...], notes: Notes) -> AsyncIterator[Event]:
    reference = job.reference
    if reference is None or job.reference_feed is None:
        raise Abandoned("this routine needs a reference flow meter")

    async def observe(index: int, point: Point) -> AsyncIterator[Event]:
        place = _place(index, point)
        before: dict[str, Indication] = {}
        async for event in _totals(job, before):
            yield event
        yield StepAsked(point.instruction)
        await job.hand.do(point.instruction)
        after: dict[str, Indication] = {}
        async for event in _totals(job, after):
            yield event
        await _look_around(job, notes, place)
        passed = {}
        for name, last in after.items():
            if last.stretch != before[name].stretch:
                raise Abandoned(
                    "the counter of {instrument} was restarted during the delivery", instrument=name
                )
            notes.keep(f"{place} before", before[name])
            notes.keep(f"{place} after", last)
            passed[name] = _volume(last) - _volume(before[name])
        write_delivery(
            notes, point, f"{passed[reference.name]:f} L", f"{passed[job.subject.name]:f} L"
        )
        yield PointObserved(index, point, after[job.subject.name], None)

    return _points(plan, notes, observe)


async def _look_around(job: Job, notes: Notes, place: str) -> None:
    """Write down the air of the moment, where the bench has transmitters for it."""
    for one in job.surroundings:
        seen = await looked_at(one, await job.moment(), job.bench.patience)
        write_air(notes, one.name, place, seen)


async def _totals(job: Job, into: dict[str, Indication]) -> AsyncIterator[Event]:
    """Take the standing totalizers of both meters: start-stop, with the flow at rest.

    Both are listened to from the same moment on, so that what is taken depends on their times only.
    """
    after_ns = await job.moment()
    with ExitStack() as stack:
        heard = [
            (meter, feed, stack.enter_context(feed.listening()))
            for meter, feed in ((job.subject, job.feed), (job.reference, job.reference_feed))
            if meter is not None and feed is not None
        ]
        for meter, feed, listener in heard:
            steady = Steady(after_ns=after_ns, window_s=job.bench.settle, tells=False)
            async for event in _until_steady(job, feed, listener, steady, meter.total):
                yield event
                into[feed.name] = event.indication


def _show(
    job: Job,
    notes: Notes,
    place: str,
    point: Point,
    step: Instruction,
    taken: list[Indication],
) -> AsyncIterator[Event]:
    """Have one step done and take what the instrument shows after it."""
    if not is_read_by_eye(job.subject):
        return _observe(job, job.feed, step, taken)
    more = step.quantity.magnitude if step.action is Action.ADD else 0
    expected = point.instruction.quantity.magnitude + more
    scale = NawiCharacteristics.of(job.subject.characteristics)
    look = Look(scale, step.asks, expected, point.limit)
    return read_by_eye(job, notes, place, step, look, taken)


async def _observe(
    job: Job, feed: Feed, instruction: Instruction, taken: list[Indication]
) -> AsyncIterator[Event]:
    """Have one step done and take the first fresh and steady indication after it."""
    yield StepAsked(instruction)
    await job.hand.do(instruction)
    steady = Steady(
        after_ns=await job.moment(),
        window_s=job.bench.settle,
        tells=tells_stability(job.subject),
    )
    last = None
    with feed.listening() as listener:
        async for event in _until_steady(job, feed, listener, steady, "weight"):
            yield event
            last = event.indication
    if last is not None:
        taken.append(last)


async def _until_steady(
    job: Job, feed: Feed, listener: Listener, steady: Steady, quantity: str
) -> AsyncIterator[IndicationSeen]:
    """Yield indications up to and with the one that may be taken."""
    deadline = asyncio.get_running_loop().time() + job.bench.patience
    while True:
        seen = await listener.next_before(deadline)
        if seen is None:
            latest = feed.latest
            raise Abandoned(
                "no steady indication from {instrument} within {seconds} s; the last was: {last}",
                instrument=feed.name,
                seconds=job.bench.patience,
                last="-" if latest is None else latest.detail or latest.text or "-",
            )
        if seen.quantity != quantity:
            continue
        yield IndicationSeen(seen)
        if steady.add(seen):
            return


def _volume(seen: Indication) -> Decimal:
    return mass_of(seen, "L")
