"""One verification from the first zero to the committed verdict. Read this first.

``run(job)`` asks a hand for each step, takes only fresh and steady indications, writes them down
as an observation sheet (cerapan), has the core evaluate it, and commits the record. It yields
every step as a frozen event: command line, console and tests are viewers of the same stream.
It holds no tolerance and touches no wire.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from acquisition.clock import ClockState, clock_state
from acquisition.config import Bench, Instrument
from acquisition.faults import Abandoned, sentence
from acquisition.feed import Feed, timestamp
from acquisition.hands import Hand
from acquisition.routine import (
    Action,
    Instruction,
    NawiCharacteristics,
    Point,
    nawi_plan,
    volume_plan,
)
from acquisition.steady import Steady
from broker.outbox import Outbox
from calibration.evaluation import Standard, evaluate
from calibration.sheet import ONE_LOAD_TESTS, parse_sheet
from calibration.units import Quantity, parse_quantity
from calibration.verification import Verification
from drivers.indication import Indication, Origin


@dataclass(frozen=True, slots=True)
class Started:
    """The run is committed: from here it ends in a verdict or is visibly abandoned."""

    verification: str
    number: int
    points: int


@dataclass(frozen=True, slots=True)
class StepAsked:
    """The hand is asked to do this."""

    instruction: Instruction


@dataclass(frozen=True, slots=True)
class IndicationSeen:
    """An indication that was looked at, taken or not."""

    indication: Indication


@dataclass(frozen=True, slots=True)
class PointObserved:
    """A point is complete."""

    index: int
    point: Point
    indication: Indication
    added_load: Decimal | None
    """ΔL in the unit of *e*; None when the indication itself is taken."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The core has decided."""

    verification: Verification


@dataclass(frozen=True, slots=True)
class Recorded:
    """The verdict is committed to disk: now it exists."""

    record: Mapping[str, Any]


Event = Started | StepAsked | IndicationSeen | PointObserved | Verified | Recorded


@dataclass(frozen=True, slots=True)
class Job:
    """Everything one run needs, and nothing it could choose itself."""

    office: str
    bench: Bench
    subject: Instrument
    """The instrument under test."""
    feed: Feed
    hand: Hand
    outbox: Outbox
    standards: Mapping[str, Standard]
    approved: Collection[str]
    """Digests of the legal tables that the office approved."""
    software: Mapping[str, str]
    reference: Instrument | None = None
    reference_feed: Feed | None = None
    order: str | None = None
    trial: bool = True
    """Whether any instrument of the bench is simulated or replayed: known before the start."""
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


_NOT_REAL = {Origin.SIMULATED, Origin.REPLAY}


@dataclass(slots=True)
class _Notes:
    """What a run writes down: the columns of the sheet and the evidence behind each."""

    tests: dict[str, dict[str, Any]] = field(default_factory=dict)
    raw: list[dict[str, Any]] = field(default_factory=list)
    origins: set[Origin] = field(default_factory=set)

    def keep(self, place: str, seen: Indication) -> None:
        self.origins.add(seen.origin)
        self.raw.append(
            {
                "point": place,
                "instrument": seen.instrument,
                "quantity": seen.quantity,
                "text": seen.text,
                "time": timestamp(seen.time),
                "hex": seen.raw.hex(),
            }
        )


async def run(job: Job) -> AsyncIterator[Event]:
    """Verify one instrument; the last event is Recorded, or Abandoned is raised."""
    verification = str(uuid.uuid4())
    started = job.now()
    routine = _weigh if job.bench.routine == "nawi" else _meter
    plan = _plan(job)
    number = await job.outbox.begin(
        job.bench.name, verification, _start_record(job, verification, started)
    )
    yield Started(verification, number, len(plan))
    notes = _Notes()
    try:
        async for event in routine(job, plan, notes):
            yield event
        if not job.trial and notes.origins & _NOT_REAL:
            raise Abandoned("an indication was simulated or replayed in a run that was to be legal")
        cerapan = _cerapan(job, notes, started)
        result = evaluate(parse_sheet(cerapan), standards=job.standards, approved=job.approved)
    except asyncio.CancelledError:
        await job.outbox.abandon(verification, "the run was interrupted")
        raise
    except Exception as error:
        await job.outbox.abandon(verification, sentence(error))
        raise
    yield Verified(result)
    record = to_record(job, verification, number, started, cerapan, notes, result)
    await job.outbox.put(record)
    yield Recorded(record)


def _plan(job: Job) -> tuple[Point, ...]:
    if job.bench.routine == "nawi":
        return nawi_plan(NawiCharacteristics.of(job.subject.characteristics))
    return volume_plan(
        [(parse_quantity(f.rate), parse_quantity(f.volume), f.runs) for f in job.bench.flow]
    )


async def _weigh(job: Job, plan: tuple[Point, ...], notes: _Notes) -> AsyncIterator[Event]:
    scale = NawiCharacteristics.of(job.subject.characteristics)
    for index, point in enumerate(plan):
        taken: list[Indication] = []
        async for event in _observe(job, job.feed, point.instruction, taken):
            yield event
        first = taken[0]
        notes.keep(f"{point.test}[{index}]", first)
        added: Decimal | None = None
        if point.by_added_load:
            shown = _mass(first, scale.unit)
            for tenths in range(1, 11):
                added = tenths * scale.e / 10
                step = Instruction(Action.ADD, Quantity(added, scale.unit))
                async for event in _observe(job, job.feed, step, taken):
                    yield event
                if _mass(taken[-1], scale.unit) > shown:
                    notes.keep(f"{point.test}[{index}] + {added:f} {scale.unit}", taken[-1])
                    break
            else:
                raise Abandoned(
                    "the indication did not change although one e was added at {load} {unit}",
                    load=point.instruction.quantity.magnitude,
                    unit=scale.unit,
                )
        _write_down(notes, point, first, added)
        yield PointObserved(index, point, first, added)


def _write_down(notes: _Notes, point: Point, seen: Indication, added: Decimal | None) -> None:
    """Add one point to its test's columns; tests at one load state it once."""
    load = str(point.instruction.quantity)
    if point.test in ONE_LOAD_TESTS:
        columns = notes.tests.setdefault(point.test, {"name": point.test, "load": load})
    else:
        columns = notes.tests.setdefault(point.test, {"name": point.test, "load": []})
        columns["load"].append(load)
    columns.setdefault("indication", []).append(f"{seen.text} {seen.unit}")
    if added is not None:
        columns.setdefault("added_load", []).append(
            str(Quantity(added, point.instruction.quantity.unit))
        )


async def _meter(job: Job, plan: tuple[Point, ...], notes: _Notes) -> AsyncIterator[Event]:
    if job.reference is None or job.reference_feed is None:
        raise Abandoned("this routine needs a reference flow meter")
    for index, point in enumerate(plan):
        before: dict[str, Indication] = {}
        async for event in _totals(job, time.monotonic_ns(), before):
            yield event
        yield StepAsked(point.instruction)
        await job.hand.do(point.instruction)
        after: dict[str, Indication] = {}
        async for event in _totals(job, time.monotonic_ns(), after):
            yield event
        passed = {}
        for name, last in after.items():
            notes.keep(f"{point.test}[{index}] before", before[name])
            notes.keep(f"{point.test}[{index}] after", last)
            passed[name] = _volume(last) - _volume(before[name])
        flow = point.instruction.flow_rate
        rate = f"{flow.magnitude:f} {flow.unit}" if flow else ""
        columns = notes.tests.setdefault(
            point.test,
            {"name": "accuracy", "flow_rate": rate, "reference": [], "indication": []},
        )
        columns["reference"].append(f"{passed[job.reference.name]:f} L")
        columns["indication"].append(f"{passed[job.subject.name]:f} L")
        yield PointObserved(index, point, after[job.subject.name], None)


async def _totals(job: Job, after_ns: int, into: dict[str, Indication]) -> AsyncIterator[Event]:
    """Take the standing totalizers of both meters: start-stop, with the flow at rest."""
    for feed in (job.feed, job.reference_feed):
        if feed is None:
            continue
        steady = Steady(after_ns=after_ns, window_s=job.bench.settle, tells=False)
        async for event in _until_steady(job, feed, steady, "totalizer_1"):
            yield event
            into[feed.name] = event.indication


async def _observe(
    job: Job, feed: Feed, instruction: Instruction, taken: list[Indication]
) -> AsyncIterator[Event]:
    """Have one step done and take the first fresh and steady indication after it."""
    yield StepAsked(instruction)
    await job.hand.do(instruction)
    steady = Steady(after_ns=time.monotonic_ns(), window_s=job.bench.settle)
    last = None
    async for event in _until_steady(job, feed, steady, None):
        yield event
        last = event.indication
    if last is not None:
        taken.append(last)


async def _until_steady(
    job: Job, feed: Feed, steady: Steady, quantity: str | None
) -> AsyncIterator[IndicationSeen]:
    """Yield indications up to and with the one that may be taken."""
    deadline = time.monotonic() + job.bench.patience
    with feed.listening() as listener:
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
            if quantity is not None and seen.quantity != quantity:
                continue
            yield IndicationSeen(seen)
            if steady.add(seen):
                return


def _mass(seen: Indication, unit: str) -> Decimal:
    if seen.value is None or seen.unit is None:
        raise Abandoned("an indication without a value cannot be taken")
    return Quantity(seen.value, seen.unit).to(unit).magnitude


def _volume(seen: Indication) -> Decimal:
    return _mass(seen, "L")


def _cerapan(job: Job, notes: _Notes, started: datetime) -> dict[str, Any]:
    return {
        "routine": job.bench.routine,
        "stage": job.bench.stage,
        "date": started.astimezone().date().isoformat(),
        "instrument": dict(job.subject.characteristics),
        "standards": [{"id": name} for name in job.bench.standards],
        "environment": dict(job.bench.environment),
        "test": list(notes.tests.values()),
    }


def _start_record(job: Job, verification: str, started: datetime) -> dict[str, Any]:
    return {
        "schema": "tera/start/1",
        "id": verification,
        "office": job.office,
        "bench": job.bench.name,
        "order": job.order,
        "routine": job.bench.routine,
        "stage": job.bench.stage,
        "started": timestamp(started),
        "trial": job.trial,
        "instrument": dict(job.subject.characteristics),
        "software": dict(job.software),
    }


def to_record(
    job: Job,
    verification: str,
    number: int,
    started: datetime,
    cerapan: Mapping[str, Any],
    notes: _Notes,
    result: Verification,
) -> dict[str, Any]:
    """Write the verdict record: a simulated or replayed indication anywhere makes it a trial."""
    body = result.to_dict()
    trial = job.trial or bool(notes.origins & _NOT_REAL)
    state = clock_state()
    reasons = list(body.pop("reasons"))
    if trial:
        reasons.append("trial: simulated or replayed indications never give a legal verdict")
    if state is not ClockState.SYNCHRONISED:
        reasons.append(f"the clock of the station was {state.value}")
    return {
        "schema": "tera/verdict/1",
        "id": verification,
        "office": job.office,
        "bench": job.bench.name,
        "number": number,
        "order": job.order,
        "started": timestamp(started),
        "decided": timestamp(job.now()),
        "clock": state.value,
        "origin": min(notes.origins, key=_weight, default=Origin.SIMULATED).value,
        "trial": trial,
        **body,
        "legal": bool(body["legal"]) and not trial,
        "instrument": dict(job.subject.characteristics),
        "standards": [{"id": name} for name in job.bench.standards],
        "environment": dict(job.bench.environment),
        "reasons": reasons,
        "cerapan": cerapan,
        "raw": notes.raw,
        "software": dict(job.software),
    }


def _weight(origin: Origin) -> int:
    """Order origins from the least trustworthy: the record names the weakest."""
    return [Origin.SIMULATED, Origin.REPLAY, Origin.MANUAL, Origin.WIRE].index(origin)
