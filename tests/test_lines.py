"""Lines as they are: what cables, adapters, gateways and instruments do to them, on real ptys and
sockets. Noise and half frames are in test_scale and test_simulated_meter_faults, sleep in
test_modbus_manners; docs/reliability.md has the whole table."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.indication import Condition, Indication, Origin
from drivers.modbus import RegisterBus
from drivers.modbus_manners import UnitManners
from drivers.register_map import parse_map
from drivers.transmitter import Transmitter
from tests.far_ends import MeterSpeech, PulledPty, PulledServer, ScaleSpeech, Send
from tests.pull_lines import KINDS, MAP, Far, Kind, Seen, driven, pull_and_return

pytestmark = pytest.mark.timeout(60)
PULLS = 5

both_lines = pytest.mark.parametrize("pty", [True, False], ids=["pty", "socket"])


@asynccontextmanager
async def plugged(
    folder: Path, *, pty: bool
) -> AsyncIterator[tuple[PulledPty | PulledServer, str]]:
    """Give a line that is there, and its place."""
    line = PulledPty(folder / "adapter") if pty else PulledServer()
    await line.plug(b"")
    try:
        yield line, str(folder / "adapter") if pty else f"127.0.0.1:{getattr(line, 'port', 0)}"
    finally:
        await line.close()


async def until(stream: AsyncIterator[Indication], condition: Condition) -> Indication:
    async for shown in stream:
        if shown.condition is condition:
            return shown
    raise AssertionError("the stream ended")


# ---- lines that vanish and come back under the same name


async def test_every_kind_of_line_that_is_pulled_comes_back_with_a_mark_and_no_old_value() -> None:
    """The short form of ``python -m tests.pull_lines --times 100``."""
    results = await asyncio.gather(*(pull_and_return(k, PULLS, 3) for k in KINDS.values()))
    for name, (seen, took) in zip(KINDS, results, strict=True):
        assert (name, seen.stale, seen.unmarked, seen.out_of_order) == (name, 0, 0, 0)
        assert (name, seen.far.pulls, seen.recovered, len(took)) == (name, PULLS, PULLS, PULLS)
        assert len(seen.noticed) == PULLS
        assert all(any(said in d for said in NAMED) for d in seen.named), seen.named


NAMED = ("is gone", "There is no port", "cannot be opened", "cannot be reached", "is no answer of")
"""What the faults of a pulled line say; the last one of half an answer that a server still held."""


def indication(value: int | None, sequence: int) -> Indication:
    now = time.monotonic_ns()
    return Indication(
        *("it", "weight", "", None if value is None else Decimal(value), "g"),
        Condition.FAULT if value is None else Condition.STABLE,
        *(None, Origin.SIMULATED, None, now, now, sequence, b""),  # type: ignore[arg-type]
    )


async def test_the_search_for_old_values_finds_each_of_them() -> None:
    """The control: 5 was said before the pull, nothing after the return is below 6."""
    for values, stale, unmarked in (
        ((None, 6), 0, 0),
        ((5, None, 6), 0, 0),  # on its way when the line was pulled
        ((None, 5), 1, 0),  # never shown before, and too late now
        ((None, 4), 1, 0),  # shown once
        ((6,), 0, 1),
    ):
        far = Far(PulledServer(), ScaleSpeech())
        seen = Seen(far)
        seen.add(indication(4, 0))
        far.speech.number = far.floor = 5
        far.pulls = 1
        for number, value in enumerate(values, 1):
            seen.add(indication(value, number))
        assert (seen.stale > 0, seen.unmarked) == (stale > 0, unmarked), values
        assert seen.recovered == (values[-1] == 6)


async def test_a_server_that_closes_an_idle_connection_is_connected_again_before_the_next_poll(
    tmp_path: Path,
) -> None:
    """Many do after some seconds: no poll is missed, so there is no fault."""
    async with plugged(tmp_path, pty=False) as (line, place):
        Far(line, MeterSpeech(rtu=False))
        async with RegisterBus(f"tcp://{place}", timeout=5) as bus:
            for number in (1, 2):
                assert await bus.read(1, "holding", 0, 2) == (0, number)
                line.pull()
                await line.plug(b"")
            assert (bus.counters.connects, bus.counters.faults) == (2, 0)


# ---- RS-485


@both_lines
@pytest.mark.parametrize("turnaround", [0.0, 0.05])
async def test_a_pause_of_three_and_a_half_characters_and_the_turnaround_precede_each_request(
    pty: bool, turnaround: float, tmp_path: Path
) -> None:
    """Modbus over Serial Line V1.02, 2.5.1.1; at 1200 Bd and 11 bits a character it is 32 ms."""
    speech, asked, answered = MeterSpeech(rtu=True), [], []
    async with plugged(tmp_path, pty=pty) as (line, place):

        def arrived(data: bytes, send: Send) -> None:
            asked.append(time.monotonic())
            for answer in speech.hear(data):
                answered.append(time.monotonic())
                send(answer)

        line.arrived = arrived
        url = f"rtu://{place}" if pty else f"rtu+tcp://{place}"
        bits = 10 if pty else 11  # a pty has no parity
        async with RegisterBus(url, timeout=5, baudrate=1200, turnaround=turnaround) as bus:
            for _ in range(4):
                await bus.read(1, "holding", 0, 2)
    pauses = [ask - before for before, ask in zip(answered, asked[1:], strict=False)]
    assert len(pauses) == 3
    assert min(pauses) >= 3.5 * bits / 1200 + turnaround


async def test_a_slow_unit_is_given_its_turnaround_and_its_neighbour_is_not(tmp_path: Path) -> None:
    speech, asked = MeterSpeech(rtu=True), []
    async with plugged(tmp_path, pty=True) as (line, place):

        def arrived(data: bytes, send: Send) -> None:
            asked.append((data[0], time.monotonic()))
            for answer in speech.hear(data):
                send(answer)

        line.arrived = arrived
        async with RegisterBus(f"rtu://{place}", timeout=5) as bus:
            bus.introduce(2, UnitManners(turnaround=0.2))
            for unit in (2, 1, 2):
                await bus.read(unit, "holding", 0, 2)
    (_, first), (_, neighbour), (_, again) = asked
    assert again - first >= 0.2
    assert neighbour < again


# ---- gateways that stay connected while Modbus is dead


@pytest.mark.parametrize("mode", ["tcp", "rtu+tcp"])
async def test_a_gateway_that_stays_connected_while_modbus_is_dead_is_a_fault_and_opened_anew(
    mode: str, tmp_path: Path
) -> None:
    speech, connections = MeterSpeech(rtu=mode != "tcp"), list[Send]()
    register_map = replace(parse_map(MAP, "counts.toml"), manners=UnitManners(timeout=0.05))
    async with plugged(tmp_path, pty=False) as (line, place):

        def arrived(data: bytes, send: Send) -> None:
            if send not in connections:
                connections.append(send)
            for answer in speech.hear(data):
                if not dead or len(connections) > 1:
                    send(answer)

        line.arrived, dead = arrived, False
        async with RegisterBus(
            f"{mode}://{place}", timeout=0.05, max_device_delay=0.05, reopen_after=3
        ) as bus:
            meter = Transmitter("meter", bus, 1, register_map, interval=0.01)
            async with aclosing(meter.indications()) as stream:
                await until(stream, Condition.DYNAMIC)
                dead, polls = True, meter.counters.polls
                fault = await until(stream, Condition.FAULT)
                assert "did not answer within 0.05 s" in (fault.detail or "")
                assert meter.counters.polls <= polls + 2
                died = speech.number
                back = await until(stream, Condition.DYNAMIC)
                assert back.value is not None
                assert back.value > died
                assert bus.counters.connects == 2


# ---- instruments that answer together, or stream unasked


@both_lines
@pytest.mark.parametrize("delay", [0.0, 0.004])
async def test_of_two_scales_that_answer_one_request_neither_is_chosen(
    pty: bool, delay: float, tmp_path: Path
) -> None:
    speech, other = ScaleSpeech(), True
    async with plugged(tmp_path, pty=pty) as (line, place):

        def arrived(data: bytes, send: Send) -> None:
            for answer in speech.hear(data):
                send(answer)
                if other:
                    wrong = answer[:4] + answer[5:].replace(b" g", b"9 g")  # with a digit more
                    asyncio.get_running_loop().call_later(delay, send, wrong)

        line.arrived = arrived
        kind = Kind(pty=pty, mode="poll")
        async with driven(kind, line, place if pty else f"socket://{place}") as stream:
            fault = await until(stream, Condition.FAULT)
            assert "Two answers come from" in (fault.detail or "")
            other, alone = False, speech.number
            back = await until(stream, Condition.STABLE)
            assert back.value is not None
            assert back.value > alone


@both_lines
async def test_a_scale_that_also_streams_unasked_is_polled_for_fresh_values(
    pty: bool, tmp_path: Path
) -> None:
    """Only the answer to a poll was begun after it: what the scale said before is not taken."""
    speech = ScaleSpeech()
    async with plugged(tmp_path, pty=pty) as (line, place):

        def arrived(data: bytes, send: Send) -> None:
            for answer in speech.hear(data):
                send(answer)  # and, unasked, once more and the begin of another
                send(answer + b"S S    ")

        line.arrived = arrived
        kind = Kind(pty=pty, mode="poll")
        async with driven(kind, line, place if pty else f"socket://{place}") as stream:
            for _ in range(10):
                said = speech.number
                shown = await anext(stream)
                assert shown.condition is Condition.STABLE, shown.detail
                assert shown.value is not None
                assert shown.value > said


async def test_a_frame_that_nobody_asked_a_meter_for_is_not_the_answer(tmp_path: Path) -> None:
    """Another unit talks on the same pair of wires, before the answer and after it."""
    speech, foreign = MeterSpeech(rtu=True), MeterSpeech(rtu=True)
    foreign.number = 1000
    async with plugged(tmp_path, pty=True) as (line, place):

        def arrived(data: bytes, send: Send) -> None:
            for answer in speech.hear(data):
                for unasked in foreign.hear(bytes((7, 3, 0, 0, 0, 2, 0, 0))):
                    send(unasked)
                    asyncio.get_running_loop().call_later(0.01, send, answer + unasked)

        line.arrived = arrived
        async with RegisterBus(f"rtu://{place}", timeout=5) as bus:
            for number in range(1, 6):
                assert await bus.read(1, "holding", 0, 2) == (0, number)
