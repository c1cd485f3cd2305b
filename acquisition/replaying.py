"""A verification once more from its bundle: the same code, the same bytes, at the same times.

Framers, codecs, drivers, steadiness, sheet and evaluation run as they did on the bench; only lines
and hands are captured ones, and time is theirs (docs/decisions/0010). Commits nothing, and what
comes of it is of origin ``replay``, so it is never a legal verdict.
"""

import asyncio
import tempfile
from collections import deque
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from acquisition.bundle import Bundle
from acquisition.config import Bench, Instrument, Station, load_station
from acquisition.faults import Abandoned, BadInput
from acquisition.feed import Feed
from acquisition.hands import TakenBack
from acquisition.instruments import make_driver
from acquisition.job import Job
from acquisition.register import approved_digests, standards_register
from acquisition.routine import Instruction
from acquisition.session import Recorded, Verified, run
from acquisition.surroundings import surroundings_of
from acquisition.witness import written
from drivers.capture import MAGIC, Chunk, chunks_in
from drivers.captured_time import CapturedTime, ReplayEnded, until
from drivers.codecs import kind_named
from drivers.indication import Origin
from drivers.link import open_link
from drivers.modbus_address import parse_url
from drivers.replay_bus import ReplayBus
from drivers.replay_link import ReplayLink


@dataclass(frozen=True, slots=True)
class Derived:
    """What came of a replay."""

    record: Mapping[str, Any]
    legal: bool
    """What the core said before the origin made it a trial."""
    received: int
    """Bytes that the lines gave."""


class ReplayWiring:
    """The captured lines of a bundle in place of ports."""

    origin: Origin | None = Origin.REPLAY
    paced = False

    def __init__(self, bundle: Bundle) -> None:
        """Read every capture; one that is cut is refused, although a station would go on with it."""
        self._chunks: dict[str, list[Chunk]] = {}
        self._ports: dict[str, str] = {}
        self._buses: dict[str, ReplayBus] = {}
        self.received = 0
        for line in bundle.lines:
            chunks = _whole(line.capture)
            self.received += sum(len(c.data) for c in chunks if c.direction == "received")
            for name in line.instruments:
                self._chunks[name], self._ports[name] = chunks, line.port

    @property
    def begin_ns(self) -> int:
        """When the first of the lines begins [ns]."""
        return min((c[0].monotonic_ns for c in self._chunks.values() if c), default=0)

    def link(self, settings: Instrument, port: str) -> ReplayLink:
        """Return the captured line to a scale."""
        kind = kind_named(settings.driver)
        listens = (settings.mode or kind.mode) == "listen"
        stream = kind.codec(settings.settings).requests.stream if listens else None
        there = self._port(settings)
        manners = {"baudrate": settings.baudrate, "framing": settings.framing}
        given = {key: value for key, value in manners.items() if value is not None}
        return ReplayLink(
            there,
            self._chunks[settings.name],
            silence=open_link(there, **given).silence,  # type: ignore[arg-type]
            asked_before=stream or b"",
        )

    def bus(self, settings: Instrument, port: str) -> ReplayBus:
        """Return the captured bus of a Modbus instrument."""
        there = self._port(settings)
        if there not in self._buses:
            factory = settings.register_map().manners
            line = parse_url(
                there,
                baudrate=settings.baudrate or factory.baudrate or 19200,
                framing=settings.framing or factory.framing or "8E1",
            )
            chunks = self._chunks[settings.name]
            self._buses[there] = ReplayBus(line, chunks, timeout=settings.timeout or 1.0)
        return self._buses[there]

    def typed(self, settings: Instrument, port: str) -> ReplayLink:
        """Return what was typed of an instrument that is read by eye."""
        return ReplayLink(self._port(settings), self._chunks[settings.name], silence=0)

    def _port(self, settings: Instrument) -> str:
        if settings.name not in self._ports:
            raise BadInput("the bundle has no line of {instrument}", instrument=settings.name)
        return self._ports[settings.name]


def _whole(capture: bytes) -> list[Chunk]:
    found = list(chunks_in(capture)) if capture.startswith(MAGIC) else []
    if not found or found[-1][1] != len(capture):
        raise BadInput("a line of the bundle is cut or damaged")
    return [chunk for chunk, _ in found if chunk.direction != "session"]


class ReplayHands:
    """Hands that did each step then, and the moments that followed."""

    def __init__(self, bundle: Bundle) -> None:
        self._steps = deque(bundle.steps)

    def _next(self, what: str, said: object) -> Any:
        kind, data = self._steps.popleft() if self._steps else ("end", None)
        if kind != what:
            raise ReplayEnded(
                "The replay departs from the steps: now {now}, and then {then}.",
                now=f"{what} {said}".strip(),
                then=kind,
            )
        return data

    async def do(self, instruction: Instruction) -> None:
        """Do what was done then, or end the replay."""
        asked = written(instruction)
        then = self._next("do", asked)
        if then != asked:
            raise ReplayEnded(
                "The replay departs from the steps: now {now}, and then {then}.",
                now=asked,
                then=then,
            )
        if self._steps and self._steps[0][0] == "back":
            self._steps.popleft()
            raise TakenBack

    async def moment(self) -> int:
        """Wait until the moment of then, and return it [ns]."""
        then = int(self._next("moment", ""))
        await until(then)
        return then


class ReplayLedger:
    """Commits nothing: gives the number that the run had."""

    def __init__(self, number: int) -> None:
        self._number = number

    async def begin(self, bench: str, verification: str, record: Mapping[str, Any], /) -> int:
        """Return the number of then."""
        return self._number

    async def put(self, record: Mapping[str, Any], /) -> None:
        """Keep nothing."""

    async def abandon(self, verification: str, reason: str, /) -> None:
        """Keep nothing."""


def derive(bundle: Bundle, software: Mapping[str, str]) -> Derived:
    """Derive the verdict of a bundle again; ReplayEnded or Abandoned says why there is none."""
    with tempfile.TemporaryDirectory(prefix="tera-replay-") as name:
        folder = Path(name)
        for map_name, data in bundle.maps.items():
            (folder / "maps").mkdir(exist_ok=True)
            (folder / "maps" / Path(map_name).name).write_bytes(data)
        file = folder / "config.toml"
        file.write_text(bundle.config, encoding="utf-8")
        settings = load_station(file)
        bench, subject = _subject(settings, bundle)
        wiring = ReplayWiring(bundle)
        with asyncio.Runner(loop_factory=lambda: CapturedTime(wiring.begin_ns)) as runner:
            return runner.run(_derived(bundle, settings, bench, subject, wiring, software))


def _subject(settings: Station, bundle: Bundle) -> tuple[Bench, Instrument]:
    for bench in settings.bench:
        for instrument in bench.instrument:
            if (bench.name, instrument.name) == (bundle.bench, bundle.subject):
                return bench, instrument
    raise BadInput(
        "the configuration of the bundle has no instrument {instrument} on bench {bench}",
        instrument=bundle.subject,
        bench=bundle.bench,
    )


async def _derived(
    bundle: Bundle,
    settings: Station,
    bench: Bench,
    subject: Instrument,
    wiring: ReplayWiring,
    software: Mapping[str, str],
) -> Derived:
    wanted = [i for i in bench.instrument if i is subject or i.role in ("reference", "environment")]
    feeds = {instrument.name: Feed(instrument.name) for instrument in wanted}
    reference = next((i for i in wanted if i.role == "reference"), None)
    hands = ReplayHands(bundle)
    zone = timezone(timedelta(seconds=bundle.utc_offset))
    started = datetime.fromisoformat(str(bundle.record["started"])).astimezone(zone)
    used = bench.model_copy(update={"instrument": tuple(wanted)})
    job = Job(
        office=settings.office.code,
        bench=used,
        subject=subject,
        feed=feeds[subject.name],
        hand=hands,
        outbox=ReplayLedger(bundle.number),
        standards=standards_register(settings),
        approved=approved_digests(settings),
        software=software,
        settings=settings.law.in_force(),
        reference=reference,
        reference_feed=None if reference is None else feeds[reference.name],
        surroundings=surroundings_of(used, feeds),
        order=bundle.record["order"],
        technician=bundle.record.get("technician", ""),
        trial=True,
        now=lambda: started,
        moment=hands.moment,
    )
    try:
        async with asyncio.TaskGroup() as group:
            pumps = [group.create_task(_pump(i, feeds[i.name], wiring)) for i in wanted]
            legal, record = await _run(job)
            for pump in pumps:
                pump.cancel()
    except* (ReplayEnded, Abandoned, BadInput) as errors:
        raise errors.exceptions[0] from None
    return Derived(record, legal, wiring.received)


async def _pump(settings: Instrument, feed: Feed, wiring: ReplayWiring) -> None:
    async with aclosing(make_driver(settings, "", wiring).indications()) as indications:
        async for indication in indications:
            feed.publish(indication)


async def _run(job: Job) -> tuple[bool, Mapping[str, Any]]:
    legal = False
    async with aclosing(run(job)) as events:
        async for event in events:
            if isinstance(event, Verified):
                legal = event.verification.legal
            elif isinstance(event, Recorded):
                return legal, event.record
    raise ReplayEnded("The capture ends before the verification does.")
