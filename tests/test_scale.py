"""A scale on a real line: fresh indications, named faults, and never an old value as new."""

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import drivers.scale
import drivers.scale_line
from drivers.codecs import codec_named
from drivers.codecs.codec import Answer, Requests
from drivers.codecs.mt_sics import MtSics
from drivers.errors import (
    BadDriverSettings,
    DriverError,
    Garbled,
    InstrumentRefused,
    LinkLost,
    NoAnswer,
)
from drivers.indication import Condition, Indication, Origin
from drivers.link import open_link
from drivers.physics import ScalePhysics
from drivers.scale import Scale
from drivers.simulated_scale import SimulatedScale
from tests.wire import Wire, at_wrong_speed

pytestmark = pytest.mark.timeout(30)
MT_SICS = codec_named("mt-sics")
PATIENT = 10.0
"""A timeout [s] for tests in which no answer fails to come."""


def line(value: object, status: str = "S") -> bytes:
    return f"S {status} {value!s:>10} g\r\n".encode()


OLD, NEW = line("111.11"), line("222.22")


def simulated(**physics: Any) -> SimulatedScale:
    """Return a scale that shows a load at once and is stable at once."""
    still: dict[str, Any] = {"settling_time": 0.0, "motion_window": 0.0}
    return SimulatedScale(
        ScalePhysics(max=Decimal(1000), d=Decimal("0.01"), **(still | physics)), display_cycle=0.01
    )


def scale_at(port: str, **settings: Any) -> Scale:
    return Scale(
        "scale", open_link(port), MT_SICS, **({"interval": 0.01, "timeout": PATIENT} | settings)
    )


@asynccontextmanager
async def weighing(
    where: str = "pty", *, physics: dict[str, Any] | None = None, **settings: Any
) -> AsyncIterator[tuple[SimulatedScale, Scale, AsyncIterator[Indication]]]:
    far = simulated(**(physics or {}))
    scale = scale_at(await far.start(where), **settings)
    async with aclosing(scale.indications()) as stream:
        yield far, scale, stream
    await far.stop()


async def until(
    stream: AsyncIterator[Indication], wanted: Callable[[Indication], bool]
) -> Indication:
    async for indication in stream:
        if wanted(indication):
            return indication
    raise AssertionError("the stream ended")


def fault(indication: Indication) -> bool:
    return indication.condition is Condition.FAULT


def has_value(indication: Indication) -> bool:
    return indication.value is not None


async def so(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.002)


def pty_and_tcp(function: Any) -> Any:
    return pytest.mark.parametrize("where", ["pty", "tcp://127.0.0.1:0"])(function)


def both_modes(function: Any) -> Any:
    return pytest.mark.parametrize("mode", ["poll", "listen"])(function)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a listener lose patience as soon as its timeout says, and attempts follow quickly."""
    monkeypatch.setattr(drivers.scale_line, "_PATIENCE_LISTENING", 0.0)
    monkeypatch.setattr(drivers.scale, "_FIRST_PAUSE", 0.02)


# ---- indications


@pty_and_tcp
@both_modes
async def test_a_scale_shows_its_load_digit_by_digit(where: str, mode: str) -> None:
    before = time.monotonic_ns()
    async with weighing(where, mode=mode) as (far, scale, stream):
        far.place(Decimal("129.07"))
        shown = [await anext(stream) for _ in range(5)]
    after = time.monotonic_ns()
    for one in shown:
        assert (one.instrument, one.quantity, one.origin) == ("scale", "weight", Origin.SIMULATED)
        assert (one.text, one.value, one.unit) == ("129.07", Decimal("129.07"), "g")
        assert (one.condition, one.detail, one.raw) == ("stable", None, b"S S     129.07 g")
        assert before < one.since_ns < one.arrived_ns < after
    assert [one.sequence for one in shown] == list(range(5))
    arrivals = [one.arrived_ns for one in shown]
    assert arrivals == sorted(arrivals)
    assert scale.last_error is None
    assert (scale.counters.opened, scale.counters.faults, scale.counters.garbled) == (1, 0, 0)
    assert scale.counters.frames >= 5


@both_modes
async def test_a_signal_that_moves_is_dynamic_until_it_stands(mode: str) -> None:
    physics = {"settling_time": 0.05, "motion_window": 0.05}
    async with weighing(mode=mode, physics=physics) as (far, _, stream):
        assert (await anext(stream)).condition is Condition.STABLE
        far.place(Decimal(100))
        moving = await until(stream, lambda i: i.condition is Condition.DYNAMIC)
        assert moving.raw.startswith(b"S D")
        still = await until(stream, lambda i: i.condition is Condition.STABLE)
        assert still.text == "100.00"


@pty_and_tcp
@both_modes
@pytest.mark.parametrize(
    ("load", "condition"), [(Decimal("1000.10"), "overload"), (Decimal("-0.21"), "underload")]
)
async def test_beyond_the_weighing_range_is_a_condition_and_no_number(
    where: str, mode: str, load: Decimal, condition: str
) -> None:
    async with weighing(where, mode=mode) as (far, scale, stream):
        far.place(load)
        one = await until(stream, lambda i: i.condition.value != "stable")
        assert (one.condition, one.detail) == (condition, condition)
        assert (one.text, one.value, one.unit) == ("", None, None)
        assert scale.last_error is None
        far.place(Decimal(5))
        assert (await until(stream, has_value)).text == "5.00"


async def test_two_frames_in_one_chunk_are_two_indications() -> None:
    async with Wire() as wire:
        scale = scale_at(wire.port, mode="listen")
        async with aclosing(scale.indications()) as stream:
            first = asyncio.ensure_future(anext(stream))
            assert await wire.read(5) == b"SIR\r\n"
            wire.send(line("1.00") + line("2.00") + b"S +\r\n" + line("3.00")[:9])
            assert (await first).text == "1.00"
            assert (await anext(stream)).text == "2.00"
            assert (await anext(stream)).condition is Condition.OVERLOAD
            wire.send(line("3.00")[9:])
            assert (await anext(stream)).text == "3.00"
    assert (scale.counters.frames, scale.counters.garbled) == (4, 0)


@both_modes
async def test_a_garbled_frame_is_dropped_and_counted_and_the_stream_goes_on(mode: str) -> None:
    answers = itertools.cycle([b"S S     1x9.07 g\r\n" + NEW])
    async with Wire(lambda _: [(0, next(answers))]) as wire:
        scale = scale_at(wire.port, mode=mode)
        async with aclosing(scale.indications()) as stream:
            assert (await anext(stream)).text == "222.22"
    assert (scale.counters.garbled, scale.counters.faults) == (1, 0)


async def test_a_frame_cut_short_does_not_spoil_the_next_answer() -> None:
    answers = iter([OLD[:9]])
    async with Wire(lambda _: [(0, next(answers, NEW))]) as wire:
        scale = scale_at(wire.port, timeout=0.1)
        async with aclosing(scale.indications()) as stream:
            assert fault(await anext(stream))
            assert (await anext(stream)).text == "222.22"
    assert (scale.counters.faults, scale.counters.garbled) == (1, 0)


@both_modes
async def test_what_a_scale_says_at_power_up_is_no_indication(mode: str) -> None:
    async with Wire(lambda _: [(0, b'I4 A "1234567"\r\n'), (0, NEW)]) as wire:
        scale = scale_at(wire.port, mode=mode)
        async with aclosing(scale.indications()) as stream:
            assert (await anext(stream)).text == "222.22"
    assert (scale.counters.frames, scale.counters.faults) == (2, 0)


async def test_polls_keep_their_period() -> None:
    async with Wire(lambda _: [(0, NEW)]) as wire:
        scale = scale_at(wire.port, interval=0.05)
        before = time.monotonic_ns()
        async with aclosing(scale.indications()) as stream:
            shown = [await anext(stream) for _ in range(5)]
    assert all(one.since_ns - before >= n * 0.05e9 for n, one in enumerate(shown))
    assert wire.heard == [b"SI"] * 5


# ---- freshness


async def test_a_polled_indication_was_asked_for_after_the_event() -> None:
    async with weighing() as (far, _, stream):
        for load in (Decimal(1), Decimal(2), Decimal(3)):
            far.place(load)
            placed = time.monotonic_ns()
            fresh = await anext(stream)
            assert fresh.since_ns >= placed
            assert fresh.value == load


@pty_and_tcp
async def test_a_streamed_indication_that_counts_as_fresh_shows_the_new_load(where: str) -> None:
    async with weighing(where, mode="listen") as (far, _, stream):
        await anext(stream)
        for load in (Decimal(1), Decimal(2), Decimal(3)):
            far.place(load)
            placed = time.monotonic_ns()
            fresh = await until(stream, lambda i, t=placed: i.since_ns >= t)  # type: ignore[misc]
            assert fresh.value == load


async def test_bytes_left_in_the_line_are_never_the_answer_to_a_poll() -> None:
    async with Wire(lambda _: [(0, NEW)]) as wire:
        scale = scale_at(wire.port)
        async with aclosing(scale.indications()) as stream:
            for left in (NEW, OLD[:-2], OLD[:7], NEW * 20, b"\r\n", OLD):
                assert (await anext(stream)).text == "222.22"
                wire.send(left)
                await wire.until_waiting(len(left))
            assert (await until(stream, has_value)).text == "222.22"


async def test_a_backlog_that_nobody_read_does_not_count_as_fresh() -> None:
    """A tty hands out 4095 bytes at once: what comes with the next read may be as old."""
    async with Wire() as wire:
        scale = scale_at(wire.port, mode="listen")
        async with aclosing(scale.indications()) as stream:
            first = asyncio.ensure_future(anext(stream))
            await wire.read(5)
            wire.send(OLD * 3)
            await first
            wire.send(OLD * 500)
            await wire.until_waiting(4095)
            placed = time.monotonic_ns()
            for _ in range(502):
                old = await anext(stream)
                assert (old.text, old.since_ns < placed) == ("111.11", True)
            following = asyncio.ensure_future(anext(stream))
            for _ in range(3):
                wire.send(NEW)
                new = await following
                following = asyncio.ensure_future(anext(stream))
                await asyncio.sleep(0)  # it waits for the line
            assert (new.text, new.since_ns > placed) == ("222.22", True)
            following.cancel()
            with pytest.raises(asyncio.CancelledError):
                await following


async def test_an_answer_that_comes_too_late_is_never_taken_for_the_next_one() -> None:
    delays = iter([(0.25, OLD)])

    def answer(_: bytes) -> Sequence[tuple[float, bytes]]:
        return [next(delays, (0.15, NEW))]

    async with Wire(answer) as wire:
        scale = scale_at(wire.port, timeout=0.2)
        async with aclosing(scale.indications()) as stream:
            assert fault(await anext(stream))
            shown = [await until(stream, has_value) for _ in range(2)]
    assert [one.text for one in shown] == ["222.22", "222.22"]


async def test_the_answer_to_a_request_that_was_given_up_is_not_taken_for_the_next_one() -> None:
    delays = iter([(0.15, OLD)])
    async with Wire(lambda _: [next(delays, (0.15, NEW))]) as wire:
        scale = scale_at(wire.port, timeout=0.3)
        async with aclosing(scale.indications()) as stream:
            given_up = asyncio.ensure_future(anext(stream))
            await so(lambda: wire.heard)
            given_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await given_up
        async with aclosing(scale.indications()) as stream:
            assert (await until(stream, has_value)).text == "222.22"


async def test_the_late_answer_to_a_command_is_not_taken_for_the_next_one() -> None:
    answers = iter([(0.25, b"Z A\r\n"), (0.15, b"Z I\r\n")])
    async with Wire(lambda _: [next(answers)]) as wire:
        scale = scale_at(wire.port, timeout=0.2)
        with pytest.raises(NoAnswer):
            await scale.zero()
        assert await scale.zero() is False
        await scale.aclose()


# ---- faults


@pty_and_tcp
@both_modes
async def test_silence_is_named_once_and_goes_away(where: str, mode: str) -> None:
    async with weighing(where, mode=mode, timeout=0.05) as (far, scale, stream):
        await until(stream, has_value)
        failed = time.monotonic_ns()
        far.fail("silence")
        silent = await until(stream, fault)
        assert failed < silent.since_ns <= silent.arrived_ns
        assert (silent.text, silent.value, silent.unit, silent.raw) == ("", None, None, b"")
        assert silent.detail == (
            f"scale at {scale._link.address} did not answer within 0.05 s: check its power, cable and settings."
        )
        assert isinstance(scale.last_error, NoAnswer)
        following = asyncio.ensure_future(anext(stream))
        await so(lambda: scale.counters.faults >= 3)
        assert not following.done()
        far.place(Decimal(7))
        far.recover()
        back = await following
        assert (back.text, back.sequence) == ("7.00", silent.sequence + 1)
        assert scale.last_error is None


@pty_and_tcp
@both_modes
async def test_noise_is_named_and_gives_no_indication(where: str, mode: str) -> None:
    async with weighing(where, mode=mode, timeout=0.1) as (far, scale, stream):
        await until(stream, has_value)
        far.fail("noise")
        noise = await until(stream, fault)
        assert noise.detail == (
            f"Only unreadable bytes come from {scale._link.address}: "
            "check speed, framing and protocol."
        )
        assert isinstance(scale.last_error, Garbled)
        far.place(Decimal(8))
        far.recover()
        assert (await until(stream, has_value)).text == "8.00"


@both_modes
@pytest.mark.parametrize("ratio", [0.5, 2, 4])
async def test_a_wrong_speed_is_named(mode: str, ratio: float) -> None:
    garbage = at_wrong_speed(NEW * 3, ratio)
    assert garbage
    async with Wire(lambda _: [(0, garbage)]) as wire:
        scale = scale_at(wire.port, mode=mode, timeout=0.05)
        async with aclosing(scale.indications()) as stream:
            first = await anext(stream)
    assert fault(first)
    assert first.detail is not None
    assert first.detail.startswith(f"Only unreadable bytes come from {wire.port}: check speed")


async def test_a_line_that_takes_no_bytes_is_a_silent_instrument() -> None:
    async with Wire() as wire:
        scale = scale_at(wire.port, timeout=0.05)
        assert wire.fill() > 0
        async with aclosing(scale.indications()) as stream:
            first = await anext(stream)
            assert fault(first)
            assert isinstance(scale.last_error, NoAnswer)


FLOOD = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    line, _ = server.accept()
    try:
        while True:
            line.sendall(b"\\xff" * 1_000_000)
    except OSError:
        pass
"""


async def test_an_endless_flood_holds_nobody_up() -> None:
    pipe = asyncio.subprocess.PIPE
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", FLOOD, stdout=pipe)
    assert other.stdout is not None
    number = int(await other.stdout.readline())
    scale = scale_at(f"socket://127.0.0.1:{number}", timeout=0.3)
    async with aclosing(scale.indications()) as stream:
        first = asyncio.ensure_future(anext(stream))
        turns = {False: 0, True: 0}
        while not first.done():
            await asyncio.sleep(0)
            if scale._line.open:  # it is emptied first, then an answer is looked for in the flood
                turns[scale._line.answer_pending] += 1
        assert fault(await first)
        assert isinstance(scale.last_error, Garbled)
    await other.wait()
    assert min(turns.values()) > 20


@both_modes
async def test_what_the_scale_did_not_understand_is_named(mode: str) -> None:
    async with Wire(lambda _: [(0, b"ES\r\n")]) as wire:
        scale = scale_at(wire.port, mode=mode, timeout=0.1)
        async with aclosing(scale.indications()) as stream:
            first = await anext(stream)
        request = "SI" if mode == "poll" else "SIR"
        assert first.detail == (
            f"scale did not accept {request} (ES, syntax error): check the protocol."
        )
        assert isinstance(scale.last_error, InstrumentRefused)


async def test_a_scale_that_prints_by_itself_need_not_know_the_request() -> None:
    async with Wire(lambda _: [(0, b"ES\r\n"), (0.02, NEW)]) as wire:
        scale = scale_at(wire.port, mode="listen", timeout=1.0)
        async with aclosing(scale.indications()) as stream:
            assert (await anext(stream)).text == "222.22"


async def test_a_device_that_cannot_weigh_now_is_at_fault_and_its_line_is_not() -> None:
    async with Wire(lambda _: [(0, b"S I\r\n")]) as wire:
        scale = scale_at(wire.port)
        async with aclosing(scale.indications()) as stream:
            first = await anext(stream)
        assert (first.condition, first.raw) == ("fault", b"S I")
        assert first.detail == "not executable now, or not stable in time"
        assert scale.last_error is None


@both_modes
async def test_a_port_that_is_not_there_is_a_fault_until_it_comes(
    mode: str, tmp_path: Path
) -> None:
    port = tmp_path / "scale"
    scale = scale_at(str(port), mode=mode)
    async with aclosing(scale.indications()) as stream:
        first = await anext(stream)
        assert first.detail == f"There is no port {port}: check the cable and the name."
        assert isinstance(scale.last_error, LinkLost)
        far = simulated()
        far.place(Decimal(9))
        await far.start(f"pty:{port}")
        back = await until(stream, has_value)
        assert (back.text, back.origin) == ("9.00", Origin.SIMULATED)
    await far.stop()


@both_modes
async def test_a_cable_pulled_again_and_again_never_shows_an_old_value(
    mode: str, tmp_path: Path
) -> None:
    far = simulated()
    port = await far.start(f"pty:{tmp_path / 'scale'}")
    scale = scale_at(port, mode=mode)
    shown: list[Indication] = []
    async with aclosing(scale.indications()) as stream:
        for load in range(1, 8):
            far.place(Decimal(load))
            if load > 1:
                await far.start(f"pty:{tmp_path / 'scale'}")
            shown.append(await until(stream, has_value))
            assert shown[-1].value == load
            for _ in range(3):
                shown.append(await anext(stream))
                assert shown[-1].value == load
            await far.stop()
            pulled = time.monotonic_ns()
            lost = await until(stream, fault)
            assert lost.arrived_ns - pulled < 1e9
            assert lost.detail is not None
            assert port in lost.detail
    assert scale.counters.opened == 7
    assert scale.counters.faults >= 7


async def test_a_server_that_goes_away_is_found_again() -> None:
    far = simulated()
    address = await far.start("tcp://127.0.0.1:0")
    number = address.rpartition(":")[2]
    scale = scale_at(address)
    async with aclosing(scale.indications()) as stream:
        for load in range(1, 4):
            far.place(Decimal(load))
            assert (await until(stream, has_value)).value == load
            await far.stop()
            assert fault(await until(stream, fault))
            await far.start(f"tcp://127.0.0.1:{number}")
    await far.stop()


async def test_the_pauses_between_attempts_grow_and_start_anew_after_an_indication(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drivers.scale, "_FIRST_PAUSE", 0.05)
    attempts: list[float] = []
    answering = False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        attempts.append(time.monotonic())
        if answering and await reader.read(4):
            writer.write(NEW)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    scale = scale_at(f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with aclosing(scale.indications()) as stream:
        following = asyncio.ensure_future(until(stream, has_value))
        await so(lambda: len(attempts) == 4)
        pauses = [b - a for a, b in itertools.pairwise(attempts)]
        assert all(pause >= least for pause, least in zip(pauses, (0.05, 0.1, 0.2), strict=True))
        answering = True
        await following
        answering = False
        following = asyncio.ensure_future(anext(stream))  # the server hung up after its answer
        assert fault(await following)
        count = len(attempts)
        again = asyncio.ensure_future(anext(stream))
        began = time.monotonic()
        await so(lambda: len(attempts) > count)
        assert time.monotonic() - began < 0.7  # without the indication 0.8 s at least
        again.cancel()
        with pytest.raises(asyncio.CancelledError):
            await again
    server.close()


# ---- commands


async def test_zero_and_tare_act_between_the_polls() -> None:
    async with weighing() as (far, scale, stream):
        far.place(Decimal("3.00"))
        assert (await anext(stream)).text == "3.00"
        assert await scale.zero() is True
        assert (await anext(stream)).text == "0.00"
        far.place(Decimal("250.00"))
        assert await scale.tare() is True
        assert (await anext(stream)).text == "0.00"
        far.place(Decimal("300.00"))
        assert (await anext(stream)).text == "50.00"
        assert await scale.zero() is False  # more than 2 % of Max
        assert scale.counters.opened == 1


@pty_and_tcp
async def test_commands_and_polls_at_once_do_not_take_one_anothers_answers(where: str) -> None:
    async with weighing(where) as (far, scale, stream):
        far.place(Decimal("129.07"))

        async def poll() -> list[str]:
            return [(await anext(stream)).text for _ in range(20)]

        polled, *said = await asyncio.gather(poll(), *(scale.identity() for _ in range(5)))
        assert polled == ["129.07"] * 20
        assert said == [("01", "SIMULATED 1000 g", "tante-sari simulation", "SIM-1")] * 5
        # the first to come opened the line, and nobody a second time
        assert (scale.counters.opened, scale.counters.faults) == (1, 0)


async def test_an_answer_of_many_lines_is_one_answer() -> None:
    lines = b'I0 B 0 "I0"\r\nI0 B 0 "SI"\r\nI0 A 1 "T"\r\n'
    async with Wire(lambda _: [(0, lines[:20]), (0.01, lines[20:])]) as wire:
        scale = scale_at(wire.port)
        assert await scale.command(b"I0\r\n") == (
            Answer("I0", "B", '0 "I0"'),
            Answer("I0", "B", '0 "SI"'),
            Answer("I0", "A", '1 "T"'),
        )
        await scale.aclose()


async def test_foreign_frames_are_not_the_answer_to_a_command() -> None:
    async with Wire(lambda _: [(0, OLD + b"T I\r\n"), (0.01, b"S +\r\nZ A\r\n")]) as wire:
        scale = scale_at(wire.port)
        assert await scale.command(b"Z\r\n") == (Answer("Z", "A"),)
        await scale.aclose()


@pytest.mark.parametrize("status", ["I", "+", "-"])
async def test_a_scale_that_did_not_zero_is_believed(status: str) -> None:
    async with Wire(lambda _: [(0, f"Z {status}\r\n".encode())]) as wire:
        scale = scale_at(wire.port)
        assert await scale.zero() is False
        await scale.aclose()


async def test_a_request_that_the_scale_does_not_know_is_left_out_of_its_identity() -> None:
    known = {b"I2": b'I2 A "XS204"\r\n', b"I4": b'I4 A "1234567"\r\n'}
    async with Wire(lambda asked: [(0, known.get(asked, b"ES\r\n"))]) as wire:
        scale = scale_at(wire.port)
        assert await scale.identity() == ("XS204", "1234567")
        with pytest.raises(InstrumentRefused, match=r"scale did not accept Z \(ES, syntax error\)"):
            await scale.zero()
        await scale.aclose()
        assert scale.counters.opened == 1


async def test_a_command_finds_a_line_that_went_away_again(tmp_path: Path) -> None:
    far = simulated()
    name = f"pty:{tmp_path / 'scale'}"
    scale = scale_at(await far.start(name), timeout=1.0)
    assert await scale.zero()
    await far.stop()
    with pytest.raises(LinkLost):
        await scale.zero()
    with pytest.raises(LinkLost, match="There is no port"):
        await scale.zero()
    await far.start(name)
    assert await scale.zero()
    await scale.aclose()
    await far.stop()


async def test_a_command_that_is_silent_does_not_end_the_stream() -> None:
    async with Wire(lambda asked: [(0, NEW)] if asked == b"SI" else []) as wire:
        scale = scale_at(wire.port, timeout=0.1)
        async with aclosing(scale.indications()) as stream:
            assert (await anext(stream)).text == "222.22"
            with pytest.raises(NoAnswer, match=r"did not answer within 0\.1 s"):
                await scale.zero()
            assert (await anext(stream)).text == "222.22"
            assert scale.counters.faults == 0


async def test_a_scale_that_is_listened_to_takes_no_commands() -> None:
    async with weighing(mode="listen") as (_, scale, stream):
        await anext(stream)
        with pytest.raises(BadDriverSettings, match="scale is listened to: commands need mode"):
            await scale.zero()


async def test_a_protocol_without_a_request_is_refused_what_needs_one() -> None:
    mute = replace(MtSics(), requests=Requests(poll=None))
    with pytest.raises(BadDriverSettings, match="mt-sics has no request for an indication"):
        Scale("scale", open_link("/dev/ttyUSB0"), mute)
    scale = Scale(
        "scale", open_link("/dev/ttyUSB0"), replace(MtSics(), requests=Requests(b"SI\r\n"))
    )
    with pytest.raises(BadDriverSettings, match="mt-sics has no such command"):
        await scale.tare()
    async with Wire() as wire:  # listening without asking
        scale = Scale("scale", open_link(wire.port), mute, mode="listen")
        async with aclosing(scale.indications()) as stream:
            first = asyncio.ensure_future(anext(stream))
            await so(lambda: scale.counters.opened and scale._link._waiting)  # type: ignore[attr-defined]
            await asyncio.sleep(0.06)  # what came before is thrown away for 0.02 s
            wire.send(NEW)
            assert (await first).text == "222.22"


async def test_ending_the_stream_closes_the_line() -> None:
    async with Wire(lambda _: [(0, NEW)]) as wire:
        scale = scale_at(wire.port)
        async with aclosing(scale.indications()) as stream:
            await anext(stream)
            with pytest.raises(DriverError, match="in use"):
                await open_link(wire.port).open()
        other = open_link(wire.port)
        await other.open()
        await other.close()
        async with aclosing(scale.indications()) as stream:
            assert (await anext(stream)).sequence == 1


def test_where_indications_come_from_is_told_from_the_line_unless_it_is_a_replay() -> None:
    assert scale_at("/dev/ttyUSB0").origin is Origin.WIRE
    assert scale_at("/dev/pts/7").origin is Origin.SIMULATED
    assert scale_at("/dev/ttyUSB0", origin=Origin.REPLAY).origin is Origin.REPLAY
