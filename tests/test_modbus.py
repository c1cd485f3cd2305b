"""A bus that never takes a late or foreign reply for the answer, and never starves the healthy."""

import asyncio
import contextlib
import os
import shutil
import struct
import sys
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.framer import FramerRTU, FramerType

from drivers.errors import (
    BadDriverSettings,
    Garbled,
    InstrumentRefused,
    LinkLost,
    NoAnswer,
)
from drivers.modbus import RegisterBus
from drivers.modbus_address import parse_url

Reply = Callable[[int, int, int, int], list[tuple[float, bytes]]]
SERVER = Path(__file__).parent / "libmodbus_server.py"


def rtu(unit: int, function: int, *registers: int) -> bytes:
    body = struct.pack(f">BBB{len(registers)}H", unit, function, 2 * len(registers), *registers)
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


class RtuDevice:
    """Answers RTU requests over TCP with register N holding N, as late and as wrong as told."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int, int]] = []
        self.arrived: list[float] = []
        self.answer: Reply = lambda unit, function, address, count: [
            (0.0, rtu(unit, function, *range(address, address + count)))
        ]
        self.connections = 0
        self.heard = asyncio.Event()
        self.writers: set[asyncio.StreamWriter] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.add(writer)
        try:
            while True:
                request = await reader.readexactly(8)
                unit, function, address, count = struct.unpack(">BBHH", request[:6])
                self.asked.append((unit, function, address, count))
                self.arrived.append(asyncio.get_running_loop().time())
                self.heard.set()
                for delay, data in self.answer(unit, function, address, count):
                    task = asyncio.create_task(self.later(writer, delay, data))
                    self.tasks.add(task)
                    task.add_done_callback(self.tasks.discard)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    def hang_up(self) -> None:
        for writer in self.writers:
            writer.transport.abort()

    async def later(self, writer: asyncio.StreamWriter, delay: float, data: bytes) -> None:
        await asyncio.sleep(delay)
        if not writer.is_closing():
            writer.write(data)


@asynccontextmanager
async def device_on_tcp() -> AsyncIterator[tuple[RtuDevice, int]]:
    device = RtuDevice()
    server = await asyncio.start_server(device.serve, "127.0.0.1", 0)
    try:
        yield device, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(device.tasks):
            task.cancel()
        await asyncio.gather(*device.tasks, return_exceptions=True)


def slow_once(delay: float) -> Reply:
    """Answer the first request late and every other one at once."""
    first = [True]

    def answer(unit: int, function: int, address: int, count: int) -> list[tuple[float, bytes]]:
        late, first[0] = first[0], False
        return [(delay if late else 0.2, rtu(unit, function, *range(address, address + count)))]

    return answer


Read = Callable[[int, int], Awaitable[tuple[int, ...] | None]]


async def timed_out_then_next(read: Read) -> tuple[int, ...] | None:
    """Ask for 100 of a device that is late, then for 500 as soon as one may."""
    assert await read(100, 2) is None
    return await read(500, 2)


async def cancelled_then_next(read: Read) -> tuple[int, ...] | None:
    """Give up asking for 100 before the answer, then ask for 500."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await read(100, 2)
    return await read(500, 2)


async def cancelled_then_other_count(read: Read) -> tuple[int, ...] | None:
    """Give up asking for two registers, then ask for four."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await read(100, 2)
    return await read(500, 4)


STALE = [
    pytest.param(timed_out_then_next, 0.35, (500, 501), id="50 ms after a timeout"),
    pytest.param(timed_out_then_next, 0.47, (500, 501), id="170 ms after a timeout"),
    pytest.param(cancelled_then_next, 0.13, (500, 501), id="after a cancelled read"),
    pytest.param(cancelled_then_other_count, 0.13, (500, 501, 502, 503), id="with another count"),
]


@pytest.mark.parametrize(("body", "delay", "right"), STALE)
async def test_bare_pymodbus_takes_a_late_reply_for_the_answer(
    body: Callable[[Read], Awaitable[tuple[int, ...] | None]], delay: float, right: tuple[int, ...]
) -> None:
    async with device_on_tcp() as (device, port):
        device.answer = slow_once(delay)
        client = AsyncModbusTcpClient(
            "127.0.0.1", port=port, framer=FramerType.RTU, timeout=0.3, retries=0
        )
        await client.connect()

        async def read(address: int, count: int) -> tuple[int, ...] | None:
            try:
                response = await client.read_holding_registers(address, count=count, device_id=1)
            except Exception:  # noqa: BLE001 - whatever pymodbus raises for a timeout
                return None
            return tuple(response.registers)

        try:
            got = await body(read)
        finally:
            client.close()
        assert got == (100, 101)
        assert got != right


@pytest.mark.parametrize(("body", "delay", "right"), STALE)
async def test_a_bus_never_takes_a_late_reply_for_the_answer(
    body: Callable[[Read], Awaitable[tuple[int, ...] | None]], delay: float, right: tuple[int, ...]
) -> None:
    async with device_on_tcp() as (device, port):
        device.answer = slow_once(delay)
        async with RegisterBus(
            f"rtu+tcp://127.0.0.1:{port}", timeout=0.3, max_device_delay=0.6
        ) as bus:

            async def read(address: int, count: int) -> tuple[int, ...] | None:
                for _ in range(40):
                    try:
                        return await bus.read(1, "holding", address, count)
                    except NoAnswer as exc:
                        if "asked again" not in exc.template:
                            return None
                        await asyncio.sleep(0.05)  # the unit rests: ask again as a meter would
                raise AssertionError("the unit never woke up")

            assert await body(read) == right


async def test_a_late_reply_on_a_serial_line_is_not_taken_for_the_answer() -> None:
    """The same on a pty, where closing and reopening would not help."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    loop = asyncio.get_running_loop()
    delays = [0.47]

    def arrived() -> None:
        unit, function, address, count = struct.unpack(">BBHH", os.read(master, 256)[:6])
        frame = rtu(unit, function, *range(address, address + count))
        loop.call_later(delays.pop() if delays else 0.2, os.write, master, frame)

    loop.add_reader(master, arrived)
    bus = RegisterBus(f"rtu://{os.ttyname(slave)}", timeout=0.3, max_device_delay=0.6)
    try:
        assert bus.local
        with pytest.raises(NoAnswer):
            await bus.read(1, "holding", 100, 2)
        await asyncio.sleep(0.1)
        assert await bus.read(1, "holding", 500, 2) == (500, 501)
    finally:
        await bus.aclose()
        loop.remove_reader(master)
        os.close(master)
        os.close(slave)


WRONG = [
    pytest.param(lambda u, f, a, n: rtu(u, f, *range(a, a + n - 1)), id="too few registers"),
    pytest.param(lambda u, f, a, n: rtu(u, f, *range(a, a + n + 1)), id="too many registers"),
    pytest.param(lambda u, f, a, n: rtu(u, 4, *range(a, a + n)), id="another function"),
    pytest.param(lambda u, f, a, n: rtu(u + 1, f, *range(a, a + n)), id="another unit"),
    pytest.param(lambda u, f, a, n: rtu(u, f, a, a)[:-1] + b"\x00", id="a wrong CRC"),
    pytest.param(lambda u, f, a, n: b"\x00\xff\x80 noise \xfe", id="noise"),
    pytest.param(lambda u, f, a, n: rtu(u, f, a, a)[:5], id="half a frame"),
]


@pytest.mark.parametrize("frame", WRONG)
async def test_a_foreign_or_garbled_frame_is_never_an_answer(
    frame: Callable[[int, int, int, int], bytes],
) -> None:
    async with device_on_tcp() as (device, port):
        healthy = device.answer
        device.answer = lambda *request: [(0.0, frame(*request))]
        async with RegisterBus(
            f"rtu+tcp://127.0.0.1:{port}", timeout=0.2, max_device_delay=0.2
        ) as bus:
            with pytest.raises(Garbled):
                await bus.read(1, "holding", 10, 2)
            assert bus.counters.garbled + bus.counters.foreign == 1
            device.answer = healthy
            assert await bus.read(2, "holding", 30, 3) == (30, 31, 32)


async def test_a_tcp_answer_without_the_transaction_number_is_foreign() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.read(260)
        body = rtu(request[6], 3, 7, 8)[:-2]
        writer.write(b"\x00\x00\x00\x00" + len(body).to_bytes(2, "big") + body)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with RegisterBus(f"tcp://127.0.0.1:{port}", timeout=0.5) as bus:
        with pytest.raises(Garbled, match="transaction 0"):
            await bus.read(1, "holding", 7, 2)
    server.close()


async def test_a_refusal_carries_the_exception_code_and_its_name() -> None:
    async with device_on_tcp() as (device, port):

        def refuse(unit: int, function: int, address: int, count: int) -> list[tuple[float, bytes]]:
            body = bytes((unit, function | 0x80, 2 if unit == 1 else 11))
            return [(0.0, body + FramerRTU.compute_CRC(body).to_bytes(2, "big"))]

        device.answer = refuse
        async with RegisterBus(f"rtu+tcp://127.0.0.1:{port}", timeout=1) as bus:
            with pytest.raises(
                InstrumentRefused, match="exception 2, illegal data address"
            ) as info:
                await bus.read(1, "input", 10, 2)
            assert info.value.evidence["code"] == 2
            with pytest.raises(InstrumentRefused):  # a refusal is an answer: no pause follows
                await bus.read(1, "input", 10, 2)
            with pytest.raises(NoAnswer, match="gateway target failed to respond"):
                await bus.read(3, "input", 10, 2)


async def test_a_dead_unit_rests_and_never_starves_a_healthy_one() -> None:
    async with device_on_tcp() as (device, port):
        healthy = device.answer
        device.answer = lambda u, f, a, n: [] if u == 9 else healthy(u, f, a, n)
        async with RegisterBus(
            f"rtu+tcp://127.0.0.1:{port}", timeout=0.1, max_device_delay=0.1, reopen_after=1000
        ) as bus:
            dead = [asyncio.create_task(bus.read(9, "holding", i, 1)) for i in range(50)]
            alive = [asyncio.create_task(bus.read(1, "holding", i, 1)) for i in range(20)]
            assert await asyncio.gather(*alive) == [(i,) for i in range(20)]
            results = await asyncio.gather(*dead, return_exceptions=True)
            assert all(isinstance(result, NoAnswer) for result in results)
            # One timeout for the fifty: the others hear of the pause at once.
            assert sum(unit == 9 for unit, *_ in device.asked) == 1
            rests = sum("asked again in" in str(result) for result in results)
            assert rests == 49
            pauses = []
            while len(pauses) < 4:
                try:
                    await bus.read(9, "holding", 0, 1)
                except NoAnswer as exc:
                    if "pause" in exc.evidence:
                        await asyncio.sleep(float(str(exc.evidence["pause"])))
                    else:
                        with pytest.raises(NoAnswer, match="asked again") as info:
                            await bus.read(9, "holding", 0, 1)
                        pauses.append(float(str(info.value.evidence["pause"])))
                assert await bus.read(1, "holding", 5, 1) == (5,)
            assert pauses == sorted(pauses)
            assert pauses[-1] > pauses[0]


async def test_units_take_turns() -> None:
    async with device_on_tcp() as (device, port):
        async with RegisterBus(f"rtu+tcp://127.0.0.1:{port}", timeout=1) as bus:
            await asyncio.gather(
                *(bus.read(1, "holding", i, 1) for i in range(10)), bus.read(2, "holding", 0, 1)
            )
        assert [unit for unit, *_ in device.asked].index(2) <= 1


async def test_rtu_telegrams_keep_the_silent_interval() -> None:
    """3.5 characters of 11 bits at 1200 Bd are 32 ms; the device sees no request earlier."""
    async with device_on_tcp() as (device, port):
        async with RegisterBus(f"rtu+tcp://127.0.0.1:{port}", timeout=1, baudrate=1200) as bus:
            for _ in range(3):
                await bus.read(1, "holding", 0, 1)
        gaps = [b - a for a, b in zip(device.arrived, device.arrived[1:], strict=False)]
        assert min(gaps) > 3.5 * 11 / 1200 - 0.002


async def test_a_gateway_that_is_alive_on_tcp_but_dead_on_modbus_is_opened_anew() -> None:
    async with device_on_tcp() as (device, port):
        healthy = device.answer
        device.answer = lambda u, f, a, n: healthy(u, f, a, n) if device.connections > 1 else []
        async with RegisterBus(
            f"rtu+tcp://127.0.0.1:{port}", timeout=0.05, max_device_delay=0.05, reopen_after=3
        ) as bus:
            for unit in (1, 2, 3):
                with pytest.raises(NoAnswer):
                    await bus.read(unit, "holding", 0, 1)
            assert await bus.read(4, "holding", 7, 1) == (7,)
            assert device.connections == 2


async def test_a_lost_line_is_named_at_once_and_comes_back_by_itself() -> None:
    device = RtuDevice()
    server = await asyncio.start_server(device.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with RegisterBus(f"rtu+tcp://127.0.0.1:{port}", timeout=2.5) as bus:
        assert await bus.read(1, "holding", 1, 1) == (1,)
        device.answer = lambda *_: []
        device.heard.clear()
        waiting = asyncio.create_task(bus.read(1, "holding", 2, 1))
        await device.heard.wait()
        server.close()
        device.hang_up()
        async with asyncio.timeout(2):  # long before the timeout of the request
            with pytest.raises(LinkLost):
                await waiting
        with pytest.raises(LinkLost):
            await bus.read(1, "holding", 2, 1)
        again = RtuDevice()
        server = await asyncio.start_server(again.serve, "127.0.0.1", port)
        async with asyncio.timeout(10):
            while True:
                try:
                    assert await bus.read(1, "holding", 3, 1) == (3,)
                    break
                except LinkLost:
                    await asyncio.sleep(0.05)
    server.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("tcp://127.0.0.1:1", "refused|Connect call failed"),
        ("rtu+tcp://127.0.0.1:1", "refused|Connect call failed"),
        ("rtu:///dev/no-such-port", "No such file"),
    ],
)
async def test_a_port_that_is_not_there_is_named_with_the_reason(url: str, reason: str) -> None:
    async with RegisterBus(url, timeout=1) as bus:
        with pytest.raises(LinkLost, match=reason):
            await bus.read(1, "holding", 0, 1)


async def test_a_serial_port_in_use_is_not_shared() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    url = f"rtu://{os.ttyname(slave)}"
    first, second = RegisterBus(url, timeout=0.1), RegisterBus(url, timeout=0.1)
    with pytest.raises(NoAnswer):
        await first.read(1, "holding", 0, 1)
    with pytest.raises(LinkLost, match="lock"):
        await second.read(1, "holding", 0, 1)
    await second.aclose()
    await first.aclose()
    os.close(master)
    os.close(slave)


async def test_closing_a_bus_fails_whoever_waits() -> None:
    async with device_on_tcp() as (device, port):
        device.answer = lambda *_: []
        bus = RegisterBus(f"rtu+tcp://127.0.0.1:{port}", timeout=30)
        waiting = [asyncio.create_task(bus.read(u, "holding", 0, 1)) for u in (1, 1, 2)]
        await device.heard.wait()
        await bus.aclose()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [LinkLost] * 3
        with pytest.raises(LinkLost, match="closed"):
            await bus.read(1, "holding", 0, 1)


async def test_closing_a_bus_at_the_moment_an_answer_arrives_ends() -> None:
    """Before Python 3.12, asyncio.wait_for loses a cancellation that meets the result."""
    closing: list[asyncio.Task[None]] = []

    def close_on_answer(direction: str, _: bytes, __: int) -> None:
        if direction == "received":
            closing.append(asyncio.create_task(bus.aclose()))

    async with device_on_tcp() as (_, port):
        bus = RegisterBus(f"rtu+tcp://127.0.0.1:{port}", capture=close_on_answer)
        with contextlib.suppress(LinkLost):
            assert await bus.read(1, "holding", 7, 1) == (7,)
        _, hanging = await asyncio.wait(closing, timeout=2)
        assert not hanging


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("tcp://127.0.0.1:502", True),
        ("tcp://localhost", True),
        ("tcp://[::1]:502", True),
        ("tcp://192.0.2.1:502", False),
        ("rtu:///dev/ttyUSB0", False),
        ("rtu:///dev/pts/0", True),
    ],
)
def test_a_line_that_ends_in_this_machine_is_known(url: str, local: bool) -> None:
    assert RegisterBus(url).local is local


@pytest.mark.parametrize(
    "url", ["", "tcp://", "udp://h:1", "tcp://h:99999", "rtu://ttyUSB0", "rtu+tcp://host", "tcp:h"]
)
def test_a_wrong_url_is_refused_with_the_right_ones(url: str) -> None:
    with pytest.raises(BadDriverSettings, match="tcp://host:502"):
        parse_url(url)


@pytest.mark.parametrize("framing", ["", "8E", "9N1", "8X1", "8N3"])
def test_a_wrong_framing_is_refused(framing: str) -> None:
    with pytest.raises(BadDriverSettings, match="8E1"):
        parse_url("rtu:///dev/ttyS0", framing=framing)


@pytest.mark.parametrize(
    ("unit", "address", "count"),
    [(0, 0, 1), (248, 0, 1), (1, -1, 1), (1, 0, 0), (1, 0, 126), (1, 65535, 2)],
)
async def test_a_request_outside_the_protocol_never_reaches_the_line(
    unit: int, address: int, count: int
) -> None:
    bus = RegisterBus("rtu+tcp://127.0.0.1:1")
    with pytest.raises(BadDriverSettings):
        await bus.read(unit, "holding", address, count)
    assert bus.counters.faults == 0


def libmodbus_missing() -> bool:
    try:
        __import__("ctypes").CDLL("libmodbus.so.5")
    except OSError:
        return True
    return False


@asynccontextmanager
async def process(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def read_both_tables(bus: RegisterBus) -> None:
    assert await bus.read(1, "holding", 0, 3) == (1000, 1001, 1002)
    assert await bus.read(1, "input", 75, 125) == tuple(range(2075, 2200))
    with pytest.raises(InstrumentRefused, match="illegal data address"):
        await bus.read(1, "holding", 199, 2)
    assert await bus.read(1, "holding", 199, 1) == (1199,)


@pytest.mark.skipif(libmodbus_missing(), reason="libmodbus (libmodbus5) is not installed")
async def test_libmodbus_is_read_over_tcp() -> None:
    async with process(sys.executable, str(SERVER), "tcp", "127.0.0.1") as server:
        assert server.stdout is not None
        port = int((await server.stdout.readline()).split()[1])
        async with RegisterBus(f"tcp://127.0.0.1:{port}", timeout=5) as bus:
            await read_both_tables(bus)


@pytest.mark.skipif(libmodbus_missing(), reason="libmodbus (libmodbus5) is not installed")
@pytest.mark.skipif(shutil.which("socat") is None, reason="socat is not installed")
async def test_libmodbus_is_read_over_rtu(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    pair = [f"pty,rawer,link={end}" for end in (ours, theirs)]
    async with asyncio.timeout(20), process("socat", "-d", "-d", *pair) as socat:
        assert socat.stderr is not None
        while b"starting data transfer loop" not in await socat.stderr.readline():
            pass
        async with process(sys.executable, str(SERVER), "rtu", str(theirs)) as server:
            assert server.stdout is not None
            assert await server.stdout.readline() == b"ready 0\n"
            async with RegisterBus(f"rtu://{ours}", timeout=5) as bus:
                assert bus.local
                await read_both_tables(bus)
