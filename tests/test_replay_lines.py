"""Captured lines in place of real ones: the times, losses and answers of then, and nothing else."""

import asyncio
import struct
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest
from pymodbus.framer import FramerRTU

from drivers.capture import Chunk
from drivers.captured_time import CapturedTime, ReplayEnded, until
from drivers.codecs import codec_named
from drivers.errors import Garbled, InstrumentRefused, LinkLost, NoAnswer
from drivers.indication import Origin
from drivers.modbus_address import parse_url
from drivers.modbus_manners import Sleep, UnitManners
from drivers.replay_bus import ReplayBus
from drivers.replay_link import ReplayLink
from drivers.scale import Scale

MS = 1_000_000
BEGIN = 5_000_000 * MS


def in_captured_time(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=lambda: CapturedTime(BEGIN)) as runner:
        return runner.run(work)


def chunk(at_ms: float, direction: str, data: bytes = b"", since_ms: float | None = None) -> Chunk:
    at = BEGIN + int(at_ms * MS)
    since = at if since_ms is None else BEGIN + int(since_ms * MS)
    return Chunk(direction, at, since, 0, data)


# ---- time


def test_an_hour_takes_no_time_and_keeps_its_order() -> None:
    async def work() -> list[str]:
        done: list[str] = []

        async def note(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            done.append(name)

        await asyncio.gather(note("late", 3600), note("early", 0.001), note("middle", 60))
        assert asyncio.get_running_loop().time() == pytest.approx(BEGIN / 1e9 + 3600)
        return done

    began = time.monotonic()
    assert in_captured_time(work()) == ["early", "middle", "late"]
    assert time.monotonic() - began < 1


def test_a_timeout_means_captured_time() -> None:
    async def work() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await until(BEGIN + 11_000 * MS)
        async with asyncio.timeout(10):
            await until(BEGIN + 19_000 * MS)

    in_captured_time(work())


def test_when_nobody_waits_for_a_moment_any_more_the_replay_is_over() -> None:
    async def work() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(ReplayEnded, match="ends before"):
        in_captured_time(work())


# ---- a scale's line

ANSWER = b"S S     100.00 g\r\n"
OTHER = b"S S     200.00 g\r\n"


def shown(chunks: Iterable[Chunk], count: int, **settings: Any) -> list[Any]:
    """Read a captured scale; return (text or fault, since, arrived) of its first indications."""

    async def work() -> list[Any]:
        link = ReplayLink("here", chunks, silence=0.03)
        scale = Scale(
            "s", link, codec_named("mt-sics"), interval=0, origin=Origin.REPLAY, **settings
        )
        found = []
        async for one in scale.indications():
            times = (one.since_ns - BEGIN) / MS, (one.arrived_ns - BEGIN) / MS
            found.append((one.text or one.detail, *times))
            if len(found) == count:
                return found
        raise AssertionError

    result: list[Any] = in_captured_time(work())
    return result


POLLED = [
    chunk(0, "opened", since_ms=-1),
    chunk(30, "sent", b"SI\r\n"),
    chunk(35, "received", ANSWER[:7], 30.1),
    chunk(36, "received", ANSWER[7:], 35.1),
    chunk(130, "received", b"SOMETHING\r\n", 90),  # and was thrown away before the next poll
    chunk(131, "sent", b"SI\r\n"),
    chunk(140, "received", OTHER, 131.2),
]


def test_polls_get_their_answers_with_the_times_of_then() -> None:
    assert shown(POLLED, 2) == [("100.00", 30, 36), ("200.00", 131, 140)]


def test_a_silence_of_then_is_a_silence_now() -> None:
    silent = [
        *POLLED[:2],
        chunk(1040, "closed"),
        chunk(1150, "opened", since_ms=1149),
        chunk(2200, "sent", b"SI\r\n"),
        chunk(2204, "received", ANSWER, 2200.5),
    ]
    fault, back = shown(silent, 2)
    assert "did not answer within 1.0 s" in fault[0]
    assert back == ("100.00", 2200, 2204)


def test_a_line_that_was_lost_is_lost_with_its_reason() -> None:
    lost = [
        *POLLED[:4],
        chunk(50, "lost", b"The line to here is gone (hung up)"),
        chunk(51, "closed"),
        chunk(152, "lost", b"There is no port here"),
        chunk(360, "opened", since_ms=359),
        chunk(390, "sent", b"SI\r\n"),
        chunk(395, "received", OTHER, 391),
    ]
    found = shown(lost, 4)
    assert [one[0] for one in found] == [
        "100.00",
        "The line to here is gone (hung up)",
        "There is no port here",
        "200.00",
    ]


def test_a_capture_from_the_middle_of_a_stream_is_joined_without_its_request() -> None:
    stream = [chunk(n * 10, "received", ANSWER if n < 20 else OTHER, n * 10 - 9) for n in range(40)]

    async def work() -> list[str]:
        link = ReplayLink("here", stream, silence=0.03, asked_before=b"SIR\r\n")
        scale = Scale("s", link, codec_named("mt-sics"), mode="listen")
        found = []
        async for one in scale.indications():
            found.append(one.text)
            if one.text == "200.00":
                return found
        raise AssertionError

    found = in_captured_time(work())
    assert len(found) > 8  # what came in the first moment is thrown away, as on the bench
    assert set(found[:-1]) == {"100.00"}


def test_a_driver_that_acts_otherwise_than_then_is_stopped() -> None:
    with pytest.raises(ReplayEnded, match=r"sends b'SI\\r\\n', and there it reads: sent b'Q"):
        shown([POLLED[0], chunk(30, "sent", b"Q\r\n")], 1)
    with pytest.raises(ReplayEnded, match="opens the line, and there it reads: sent"):
        shown([*POLLED[:2], chunk(1100, "sent", b"SI\r\n")], 2)


# ---- a bus


def rtu(*body: int) -> bytes:
    data = bytes(body)
    return data + FramerRTU.compute_CRC(data).to_bytes(2, "big")


def asked(unit: int, address: int, count: int = 1, function: int = 3) -> bytes:
    return rtu(unit, function, *struct.pack(">HH", address, count))


def registers(unit: int, *values: int, function: int = 3) -> bytes:
    return rtu(unit, function, 2 * len(values), *struct.pack(f">{len(values)}H", *values))


async def outcome(bus: ReplayBus, unit: int, address: int, count: int = 1) -> Any:
    try:
        answer = await bus.request(unit, "holding", address, count)
    except (NoAnswer, Garbled, InstrumentRefused, LinkLost) as error:
        return type(error).__name__
    times = (answer.sent_ns - BEGIN) / MS, (answer.arrived_ns - BEGIN) / MS
    return (answer.registers, *times)


def outcomes(
    chunks: list[Chunk], work: Callable[[ReplayBus], Any], url: str = "rtu:///dev/x"
) -> Any:
    async def run() -> Any:
        bus = ReplayBus(parse_url(url, baudrate=9600), chunks, timeout=1.0)
        return await work(bus)

    return in_captured_time(run())


def test_each_request_gets_its_own_answer_in_whatever_order_it_is_asked() -> None:
    chunks = [
        chunk(0, "sent", asked(1, 10)),
        chunk(9, "received", registers(1, 111)[:3]),
        chunk(10, "received", registers(1, 111)[3:]),
        chunk(20, "sent", asked(2, 10)),
        chunk(30, "received", registers(2, 222)),
        chunk(40, "sent", asked(1, 10)),
        chunk(50, "received", registers(1, 333)),
    ]

    async def work(bus: ReplayBus) -> Any:
        second = await outcome(bus, 2, 10)
        return second, await outcome(bus, 1, 10), await outcome(bus, 1, 10)

    assert outcomes(chunks, work) == (
        ((222,), 20, 30),
        ((111,), 0, 10),
        ((333,), 40, 50),
    )


@pytest.mark.parametrize(
    ("received", "wanted"),
    [
        ([], "NoAnswer"),
        ([chunk(1100, "received", registers(1, 5))], "NoAnswer"),  # too late then, too late now
        ([chunk(20, "received", rtu(1, 0x83, 2))], "InstrumentRefused"),
        ([chunk(20, "received", rtu(1, 0x83, 11))], "NoAnswer"),
        ([chunk(20, "received", registers(2, 5))], "Garbled"),
        ([chunk(20, "received", registers(1, 5, 6))], "Garbled"),
        ([chunk(20, "lost", b"hung up")], "LinkLost"),
        ([chunk(20, "received", registers(1, 5)[:-1] + b"\0")], "NoAnswer"),
    ],
)
def test_what_was_no_answer_then_is_none_now(received: list[Chunk], wanted: str) -> None:
    chunks = [chunk(0, "sent", asked(1, 10)), *received, chunk(1300, "sent", asked(1, 99))]
    assert outcomes(chunks, lambda bus: outcome(bus, 1, 10)) == wanted


def test_an_answer_that_the_capture_no_longer_has_is_waited_for() -> None:
    with pytest.raises(ReplayEnded):
        outcomes([chunk(0, "sent", asked(1, 10))], lambda bus: outcome(bus, 1, 10))
    with pytest.raises(ReplayEnded):
        outcomes([], lambda bus: outcome(bus, 1, 10))


def test_a_unit_that_slept_through_the_first_request_answered_the_second() -> None:
    chunks = [
        chunk(0, "sent", asked(1, 10)),
        chunk(800, "sent", asked(1, 10)),
        chunk(850, "received", registers(1, 7)),
        chunk(2000, "sent", asked(1, 10)),
        chunk(2010, "received", registers(1, 8)),
    ]

    async def work(bus: ReplayBus) -> Any:
        bus.introduce(1, UnitManners(sleep=Sleep(after=10, wait=0.8, within=1)))
        return await outcome(bus, 1, 10), await outcome(bus, 1, 10)

    assert outcomes(chunks, work) == (((7,), 0, 850), ((8,), 2000, 2010))


def test_a_tcp_answer_belongs_to_its_transaction() -> None:
    def mbap(transaction: int, pdu: bytes) -> bytes:
        return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, 1) + pdu

    ask = struct.pack(">BHH", 3, 10, 1)
    chunks = [
        chunk(0, "sent", mbap(7, ask)),
        chunk(5, "received", mbap(7, b"\x03\x02\x00\x2a")),
        chunk(10, "sent", mbap(8, ask)),
        chunk(15, "received", mbap(7, b"\x03\x02\x00\x2b")),
        chunk(20, "sent", mbap(9, ask)),
    ]

    async def work(bus: ReplayBus) -> Any:
        return await outcome(bus, 1, 10), await outcome(bus, 1, 10)

    assert outcomes(chunks, work, "tcp://192.0.2.1") == (((42,), 0, 5), "Garbled")
