"""One verification on real lines: what enters a verdict, what is committed, and what is shown."""

import asyncio
import itertools
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import simplejson

from acquisition.clock import ClockState, clock_state
from acquisition.config import load_station
from acquisition.faults import Abandoned, BadInput
from acquisition.feed import Feed
from acquisition.hands import Hand
from acquisition.job import Job
from acquisition.routine import Instruction
from acquisition.session import (
    IndicationSeen,
    PointObserved,
    Recorded,
    Started,
    StepAsked,
    Verified,
    run,
)
from acquisition.station import Running, running
from broker.failure import OutboxFailed
from broker.outbox import Outbox
from broker.record import decode, encode, validate
from calibration.mpe import legal_table
from drivers.codecs import CODECS, codec_named
from drivers.indication import Condition, Indication, Origin
from drivers.link import open_link
from drivers.scale import Scale
from tests.stations import (
    METER_BENCH,
    events_of,
    hand_on,
    job_of,
    scale_at,
    scale_bench,
    settings_of,
    tera,
    under_test,
    verdict_of,
    write_station,
)


class Watching:
    """Hands that note when each step was done."""

    def __init__(self, hand: Hand) -> None:
        self._hand = hand
        self.done: list[tuple[Instruction, int]] = []

    async def do(self, instruction: Instruction) -> None:
        await self._hand.do(instruction)
        self.done.append((instruction, time.monotonic_ns()))


class Waiting:
    """A technician who has gone for coffee."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def do(self, instruction: Instruction) -> None:
        self.asked.set()
        await asyncio.Event().wait()


async def outcomes(outbox: Outbox) -> list[dict[str, Any]]:
    """Return every record of an outbox, each valid, in the order of commitment."""
    rows = await outbox.pending(1000)
    records = [decode(row.body) for row in rows]
    assert [validate(record) for record in records] == [row.kind for row in rows]
    return records


async def test_a_run_is_one_stream_from_the_start_to_the_committed_verdict(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, scale_bench())) as station:
        seen: list[Any] = []
        async with aclosing(run(job_of(station, "timbangan-1"))) as events:
            async for event in events:
                seen.append(event)
                counts = await station.outbox.counts()
                assert counts.starts == 1  # before the first load is asked for
                assert counts.verdicts == isinstance(event, Verified | Recorded)
    started, *steps, verified, recorded = seen
    assert isinstance(started, Started)
    assert isinstance(verified, Verified)
    assert isinstance(recorded, Recorded)
    points = [event for event in steps if isinstance(event, PointObserved)]
    assert [point.index for point in points] == list(range(started.points))
    assert isinstance(steps[0], StepAsked)
    for before, event in itertools.pairwise(steps):
        if isinstance(event, PointObserved):
            assert before == IndicationSeen(event.indication)
    asked = [event.instruction for event in steps if isinstance(event, StepAsked)]
    assert asked == [point.point.instruction for point in points]
    assert {type(event) for event in steps} == {StepAsked, IndicationSeen, PointObserved}
    assert (recorded.record["id"], recorded.record["number"]) == (started.verification, 1)


@pytest.mark.parametrize(
    ("name", "bench", "verdict"),
    [
        ("timbangan-1", scale_bench(), "conforming"),
        ("timbangan-1", scale_bench(d="5 g"), "conforming"),
        ("timbangan-1", scale_bench(span=700), "nonconforming"),
        ("meter-uji", METER_BENCH, "conforming"),
    ],
    ids=["scale", "scale by added loads", "worn scale", "meter"],
)
async def test_the_cerapan_of_a_record_gives_the_same_verdict_again(
    tmp_path: Path, name: str, bench: str, verdict: str
) -> None:
    config = write_station(tmp_path, bench)
    async with running(settings_of(tmp_path, bench)) as station:
        record = await verdict_of(job_of(station, name))
        *_, committed = await outcomes(station.outbox)
    assert encode(record) == encode(committed)
    assert record["verdict"] == verdict
    sheet = tmp_path / "cerapan.json"
    sheet.write_text(simplejson.dumps(record["cerapan"], use_decimal=True))
    done = tera("evaluate", sheet, "--config", config, "--json")
    again = json.loads(done.stdout, parse_float=Decimal)
    for key in ("verdict", "routine", "stage", "table", "tests"):
        assert again[key] == committed[key], key
    assert done.returncode == (verdict != "conforming")


async def test_a_record_keeps_the_bytes_behind_every_indication(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, scale_bench())) as station:
        record = await verdict_of(job_of(station, "timbangan-1"))
    shown = [text for test in record["cerapan"]["test"] for text in test["indication"]]
    assert len(record["raw"]) == len(shown) == 18
    for raw, text in zip(record["raw"], shown, strict=True):
        digits = raw["text"]
        assert text == f"{digits} g"
        assert bytes.fromhex(raw["hex"]).split() == [b"S", b"S", digits.encode(), b"g"]


class SlowLine:
    """A serial server at the end of a long wire: an answer takes ``delay`` seconds to arrive."""

    def __init__(self, port: str, delay: float) -> None:
        self._scale = port.removeprefix("socket://").rpartition(":")
        self._delay = delay
        self._tasks: set[asyncio.Task[None]] = set()
        self.answer_left = asyncio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._connected, "127.0.0.1")
        try:
            yield f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, number = self._scale
        answers, requests = await asyncio.open_connection(host, int(number))
        try:
            await asyncio.gather(
                self._carry(reader, requests.write), self._carry(answers, self._later(writer))
            )
        finally:
            requests.transport.abort()
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, write: Callable[[bytes], object]) -> None:
        while data := await reader.read(4096):
            write(data)

    def _later(self, writer: asyncio.StreamWriter) -> Callable[[bytes], object]:
        def send(data: bytes) -> None:
            asyncio.get_running_loop().call_later(self._delay, writer.write, data)
            self.answer_left.set()

        return send


class Hasty:
    """Hands that change the load while an answer is on its way."""

    def __init__(self, hand: Hand, line: SlowLine) -> None:
        self._hand, self._line = hand, line

    async def do(self, instruction: Instruction) -> None:
        self._line.answer_left.clear()
        await self._line.answer_left.wait()
        await self._hand.do(instruction)


async def test_an_answer_on_its_way_while_the_load_changes_never_enters_a_verdict(
    tmp_path: Path,
) -> None:
    """The scale shows a new load at once, and the first indication is taken: only age can tell."""
    async with scale_at("tcp://127.0.0.1:0", settling_time=0) as (port, scale):
        line = SlowLine(port, 0.03)
        async with line.open() as slow:
            settings = settings_of(tmp_path, scale_bench(port=slow, settle=1e-10))
            async with running(settings) as station:
                hand = Hasty(hand_on(scale), line)
                events = await events_of(job_of(station, "timbangan-1", hand))
    points = [event for event in events if isinstance(event, PointObserved)]
    assert len(points) == 18
    for observed in points:
        load = observed.point.instruction.quantity.magnitude
        assert abs(Decimal(observed.indication.text) - load) <= 2, observed
    stale = [
        event.indication
        for event, after in itertools.pairwise(events)
        if isinstance(event, IndicationSeen) and not isinstance(after, PointObserved)
    ]
    assert len(stale) >= 10, "no answer was on its way: this test has shown nothing"


@pytest.mark.parametrize("mode", ["poll", "listen"])
async def test_what_is_taken_was_asked_for_or_begun_after_the_step_was_done(
    tmp_path: Path, mode: str
) -> None:
    async with running(settings_of(tmp_path, scale_bench(mode=mode))) as station:
        bench, subject = under_test(station.settings, "timbangan-1")
        hand = Watching(station.simulated_hand(bench, subject))
        events = await events_of(job_of(station, "timbangan-1", hand))
    points = [event for event in events if isinstance(event, PointObserved)]
    assert [instruction for instruction, _ in hand.done] == [p.point.instruction for p in points]
    for observed, (_, done_ns) in zip(points, hand.done, strict=True):
        assert observed.indication.since_ns >= done_ns - 1_000_000  # noted a little later
        assert observed.indication.condition is Condition.STABLE


@pytest.mark.parametrize(
    ("fault", "noise", "last"),
    [
        (None, "40 g", r"the last was: -?\d+"),
        ("overload", "0 g", "the last was: overload"),
        ("silence", "0 g", "did not answer within 0.3 s"),
        ("noise", "0 g", "unreadable bytes"),
    ],
)
async def test_a_point_that_never_gets_steady_abandons_the_run_with_what_was_seen_last(
    tmp_path: Path, fault: str | None, noise: str, last: str
) -> None:
    bench = scale_bench(noise=noise, patience=0.6)
    async with running(settings_of(tmp_path, bench)) as station:
        if fault:
            station.workshop.scales["timbangan-1"].fail(fault)
        with pytest.raises(Abandoned, match=f"no steady indication from timbangan-1.*{last}"):
            await events_of(job_of(station, "timbangan-1"))
        start, abandonment = await outcomes(station.outbox)
    assert start["schema"] == "tera/start/1"
    assert abandonment["schema"] == "tera/abandonment/1"
    assert abandonment["id"] == start["id"]
    assert "no steady indication" in abandonment["reason"]


async def test_a_scale_that_falls_silent_for_a_moment_does_not_end_the_run(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, scale_bench())) as station:
        scale = station.workshop.scales["timbangan-1"]
        faults: list[Indication] = []
        async with aclosing(run(job_of(station, "timbangan-1"))) as events:
            async for event in events:
                if isinstance(event, PointObserved) and event.index == 4:
                    scale.fail("silence")
                if isinstance(event, IndicationSeen) and event.indication.value is None:
                    faults.append(event.indication)
                    scale.recover()
        counts = await station.outbox.counts()
    assert [fault.condition for fault in faults] == [Condition.FAULT]
    assert (counts.starts, counts.verdicts, counts.abandonments) == (1, 1, 0)


async def cancel(running_job: asyncio.Task[Any]) -> None:
    running_job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running_job


async def test_a_cancelled_run_is_visibly_abandoned(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, scale_bench())) as station:
        hand = Waiting()
        task = asyncio.create_task(events_of(job_of(station, "timbangan-1", hand)))
        await hand.asked.wait()
        await cancel(task)
        start, abandonment = await outcomes(station.outbox)
    assert (abandonment["id"], abandonment["reason"]) == (start["id"], "the run was interrupted")


async def test_a_viewer_that_leaves_or_fails_ends_the_run_visibly(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, scale_bench())) as station:
        async with aclosing(run(job_of(station, "timbangan-1"))) as events:
            async for event in events:
                if isinstance(event, PointObserved):
                    break
        with pytest.raises(BrokenPipeError):
            async with aclosing(run(job_of(station, "timbangan-1"))) as events:
                async for _ in events:
                    raise BrokenPipeError
        records = await outcomes(station.outbox)
    assert [r["schema"].split("/")[1] for r in records] == ["start", "abandonment"] * 2
    assert [r["number"] for r in records] == [1, 1, 2, 2]


@contextmanager
def locked(outbox: Outbox) -> Iterator[None]:
    """Hold an outbox as a backup program would."""
    other = sqlite3.connect(outbox._committer.name, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_a_run_cancelled_while_its_start_is_being_committed_leaves_no_open_end(
    tmp_path: Path,
) -> None:
    async with running(settings_of(tmp_path, scale_bench())) as station:
        job = job_of(station, "timbangan-1", Waiting())
        with locked(station.outbox):
            task = asyncio.create_task(events_of(job))
            await asyncio.sleep(0)  # its first step ends where it waits for the commit
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        counts = await station.outbox.counts()
    assert counts.unfinished == 0
    assert counts.starts == counts.abandonments


async def reopened(station: Running) -> Outbox:
    """Open a station's outbox for a second program that has little patience with locks."""
    return await Outbox.open(station.outbox._committer.name, busy_timeout=0.1)


async def test_without_a_committed_start_nothing_is_asked_of_anyone(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, scale_bench())) as station:
        outbox, hand = await reopened(station), Waiting()
        job = replace(job_of(station, "timbangan-1", hand), outbox=outbox)
        try:
            with locked(outbox), pytest.raises(OutboxFailed, match="locked"):
                await events_of(job)
            assert not hand.asked.is_set()
            assert (await outbox.counts()).starts == 0
        finally:
            await outbox.close()


@pytest.mark.parametrize("trouble", ["locked", "full"])
async def test_a_verdict_that_cannot_be_committed_is_shown_to_nobody(
    tmp_path: Path, trouble: str
) -> None:
    settings = settings_of(tmp_path, scale_bench())
    async with running(settings) as station:
        outbox = await reopened(station)
        seen: list[Any] = []
        hold = locked(outbox)
        try:
            with pytest.raises(OutboxFailed, match=trouble):
                async with aclosing(
                    run(replace(job_of(station, "timbangan-1"), outbox=outbox))
                ) as e:
                    async for event in e:
                        seen.append(event)
                        if isinstance(event, PointObserved) and event.index == 17:
                            if trouble == "locked":
                                hold.__enter__()
                            else:
                                await outbox._committer.write(_no_more_pages)
        finally:
            if trouble == "locked":
                hold.__exit__(None, None, None)
            await outbox.close()
        assert isinstance(seen[-1], PointObserved)
        counts = await station.outbox.counts()
        assert (counts.starts, counts.verdicts) == (1, 0)
    async with running(settings) as station:  # what could not be said then is said now
        start, abandonment = await outcomes(station.outbox)
    assert abandonment["id"] == start["id"]


def _no_more_pages(db: sqlite3.Connection) -> None:
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")


APPROVED = f"""
[[approval]]
table = "r76@2006"
digest = "{legal_table("r76").digest}"
by = "Kepala UPT"
on = 2026-11-24
"""


@asynccontextmanager
async def job_on_a_wire(
    folder: Path, origin: Origin, *, old: str = "", new: str = "", **changed: Any
) -> AsyncIterator[Job]:
    """Give a job whose scale's indications have an origin, everything else being in order.

    What is not in order is ``new`` in the configuration, in place of ``old``.
    """
    file = write_station(folder, scale_bench(), more=APPROVED)
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    settings = load_station(file)
    async with running(settings) as station, scale_at("pty") as (port, simulated):
        link = open_link(port)
        scale = Scale("s", link, codec_named("mt-sics"), interval=0.002, origin=origin)
        feed = Feed("s")

        async def pump() -> None:
            async with aclosing(scale.indications()) as indications:
                async for indication in indications:
                    feed.publish(indication)

        task = asyncio.create_task(pump())
        try:
            yield replace(
                job_of(station, "timbangan-1", hand_on(simulated)),
                feed=feed,
                **{"trial": False, **changed},
            )
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_run_from_a_wire_with_everything_in_order_is_legal(tmp_path: Path) -> None:
    """The other side of the tests below: nothing but the origin keeps them from being legal."""
    async with job_on_a_wire(tmp_path, Origin.WIRE) as job:
        record = await verdict_of(job)
    assert (record["trial"], record["legal"], record["origin"]) == (False, True, "wire")
    assert record["verdict"] == "conforming"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("due = 2099-12-31", "due = 2020-12-31", "2020-12-31"),
        ('mpe = "0.75 g"', 'mpe = "0.9 g"', "too coarse at 100 g"),
        ('standards = ["W-07"]', "standards = []", "standard"),
        (legal_table("r76").digest, "sha256:" + "0" * 64, "the office has not approved"),
    ],
    ids=["expired standard", "inadequate standard", "no standard", "table not approved"],
)
async def test_a_verdict_without_its_foundation_is_not_legal_and_says_why(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    async with job_on_a_wire(tmp_path, Origin.WIRE, old=old, new=new) as job:
        record = await verdict_of(job)
    assert (record["verdict"], record["trial"], record["legal"]) == ("conforming", False, False)
    assert any(reason in said for said in record["reasons"]), record["reasons"]


@pytest.mark.parametrize("origin", [Origin.SIMULATED, Origin.REPLAY])
async def test_an_indication_that_is_not_real_ends_a_run_that_was_to_be_legal(
    tmp_path: Path, origin: Origin
) -> None:
    async with job_on_a_wire(tmp_path, origin) as job:
        with pytest.raises(Abandoned, match="simulated or replayed"):
            await events_of(job)
        start, abandonment = await outcomes(job.outbox)
    assert (start["trial"], abandonment["trial"]) == (False, False)


@pytest.mark.parametrize("origin", [Origin.WIRE, Origin.SIMULATED, Origin.REPLAY])
async def test_nothing_on_a_trial_bench_is_ever_legal(tmp_path: Path, origin: Origin) -> None:
    async with job_on_a_wire(tmp_path, origin, trial=True) as job:
        record = await verdict_of(job)
    assert (record["trial"], record["legal"], record["origin"]) == (True, False, origin)
    assert any(reason.startswith("trial:") for reason in record["reasons"])


@pytest.mark.parametrize("port", ["simulated", "pty", "tcp://127.0.0.1:0"])
async def test_wherever_the_line_ends_in_this_machine_the_verdict_is_a_trial(
    tmp_path: Path, port: str
) -> None:
    async with scale_at("pty" if port == "simulated" else port) as (address, scale):
        bench = scale_bench(port="simulated" if port == "simulated" else address)
        settings = settings_of(tmp_path, bench, more=APPROVED)
        async with running(settings) as station:
            hand = None if port == "simulated" else hand_on(scale)
            record = await verdict_of(job_of(station, "timbangan-1", hand))
            start, _ = await outcomes(station.outbox)
    assert start["trial"] is True
    assert (record["trial"], record["legal"], record["origin"]) == (True, False, "simulated")


async def test_the_verdict_says_what_the_clock_was(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, scale_bench())) as station:
        record = await verdict_of(job_of(station, "timbangan-1"))
    assert record["clock"] == clock_state()
    said = [reason for reason in record["reasons"] if "clock" in reason]
    assert len(said) == (clock_state() is not ClockState.SYNCHRONISED)


async def test_a_clock_that_jumps_back_in_the_middle_changes_neither_points_nor_their_order(
    tmp_path: Path,
) -> None:
    times = itertools.chain(
        [datetime(2031, 1, 1, tzinfo=UTC)] * 3, itertools.repeat(datetime(2026, 1, 1, tzinfo=UTC))
    )
    async with running(settings_of(tmp_path, scale_bench())) as station:
        job = replace(job_of(station, "timbangan-1"), now=lambda: next(times))
        events = await events_of(job)
        again = await verdict_of(job_of(station, "timbangan-1"))
    seen = [event.indication for event in events if isinstance(event, IndicationSeen)]
    assert seen == sorted(seen, key=lambda one: one.since_ns)
    *_, recorded = events
    assert isinstance(recorded, Recorded)
    assert recorded.record["started"] > recorded.record["decided"]
    assert recorded.record["verdict"] == "conforming"
    assert (recorded.record["number"], again["number"]) == (1, 2)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('serial = "A-1"', 'seriel = "A-1"', "characteristics.serial"),
        ('class = "III"', 'class = "V"', "'V'"),
        ('e = "5 g"\nd =', 'e = "0 g"\nd =', "characteristics.e"),
        ('e = "5 g"\nd =', "e = 5\nd =", "characteristics.e"),
        ('e = "5 g"\nd =', "d =", "characteristics.e"),
        (
            'max = "15 kg"\ne = "5 g"\nd = "1 g"\n[',
            'max = "15 L"\ne = "5 g"\n[',
            "characteristics.max",
        ),
        ('kind = "timbangan elektronik"', "", "characteristics.kind"),
    ],
)
async def test_what_the_core_would_refuse_at_the_end_is_refused_before_the_start(
    tmp_path: Path, old: str, new: str, named: str
) -> None:
    text = scale_bench()
    assert old in text
    async with running(settings_of(tmp_path, text.replace(old, new, 1))) as station:
        hand = Waiting()
        with pytest.raises(BadInput) as refused:
            await events_of(job_of(station, "timbangan-1", hand))
        assert not hand.asked.is_set()
        assert (await station.outbox.counts()).starts == 0
    assert named in str(refused.value)
    assert "timbangan-1" in str(refused.value)


# ---- protocols that say less than MT-SICS


def bench_of(driver: str, more: str = "", **changed: Any) -> str:
    """Return a bench whose scale speaks another protocol, streaming where it is usual."""
    text = scale_bench(**changed).replace('driver = "mt-sics"', f'driver = "{driver}"')
    mode = CODECS[driver].mode if driver != "yaohua-xk3190" or "command" not in more else "poll"
    return text.replace('mode = "poll"', f'mode = "{mode}"').replace(
        "[bench.instrument.characteristics]", f"{more}[bench.instrument.characteristics]", 1
    )


UNTOLD = [
    ("yaohua-xk3190", '[bench.instrument.settings]\nformat = "tf0"\nunit = "g"\n'),
    ("yaohua-xk3190", '[bench.instrument.settings]\nformat = "reversed"\nunit = "g"\n'),
    ("cas10", '[bench.instrument.settings]\nunit = "g"\n'),
]


@pytest.mark.parametrize(("driver", "more"), UNTOLD)
async def test_a_scale_that_never_says_that_it_is_stable_is_verified_by_its_standing_still(
    tmp_path: Path, driver: str, more: str
) -> None:
    assert not codec_named(driver, {"unit": "g"}).tells_stability
    async with running(settings_of(tmp_path, bench_of(driver, more, settle=0.02))) as station:
        events = await events_of(job_of(station, "timbangan-1"))
    *_, recorded = events
    assert isinstance(recorded, Recorded)
    assert recorded.record["verdict"] == "conforming"
    points = [event for event in events if isinstance(event, PointObserved)]
    assert {p.indication.condition for p in points} == {Condition.DYNAMIC}


async def test_a_scale_that_sends_no_unit_is_not_verified_by_guessing_one(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, bench_of("cas10", settle=0.02))) as station:
        with pytest.raises(Abandoned, match="timbangan-1 sends no unit: write in its settings"):
            await events_of(job_of(station, "timbangan-1"))


async def test_the_tare_that_a_scale_sends_beside_the_weight_is_never_taken(
    tmp_path: Path,
) -> None:
    """Each weight is followed by the tare, as from printers: as steady, and of another quantity."""
    async with running(settings_of(tmp_path, scale_bench())) as station:
        job = job_of(station, "timbangan-1")
        real = job.feed

        def with_tare(indication: Indication) -> None:
            Feed.publish(real, indication)
            tare = {"quantity": "tare", "text": "0.0", "value": Decimal("0.0")}
            Feed.publish(real, replace(indication, **tare))

        real.publish = with_tare  # type: ignore[method-assign]
        events = await events_of(job)
    seen = [event.indication for event in events if isinstance(event, IndicationSeen)]
    assert {one.quantity for one in seen} == {"weight"}
