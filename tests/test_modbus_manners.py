"""Meters that sleep: the request that wakes them is no fault, and silence still is one in time."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import pytest
from pymodbus.framer import FramerRTU

from acquisition.config import Instrument, instrument_settings
from acquisition.faults import BadInput
from acquisition.instruments import Lines
from drivers.errors import NoAnswer
from drivers.indication import Condition
from drivers.modbus import RegisterBus
from drivers.modbus_manners import Sleep, UnitManners
from drivers.register_map import load_map
from drivers.simulated_meter import SimulatedMeter
from drivers.transmitter import Transmitter

SLEEP = Sleep(after=1.0, wait=0.1, within=0.9)
"""A busy machine may send the second request half a second late, and the device still hears it."""
SLEEPY = replace(load_map("abb-aquamaster3"), manners=UnitManners(unit=1, timeout=0.4, sleep=SLEEP))


def rtu(unit: int, function: int, *registers: int) -> bytes:
    body = struct.pack(f">BBB{len(registers)}H", unit, function, 2 * len(registers), *registers)
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


class SleepingDevice:
    """An RTU device of its own making: asleep after a while, it loses the request that wakes it.

    A second request must come soon after. Register N holds N. ``late`` [s] delays every answer.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[float, int, int]] = []
        self.last = -1.0
        self.waking = False
        self.dead = False
        self.late = 0.0
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        self.writers.append(writer)
        try:
            while True:
                unit, function, address, count, _ = struct.unpack(
                    ">BBHHH", await reader.readexactly(8)
                )
                now, before = loop.time(), self.last
                self.asked.append((now, address, count))
                self.last = now
                if now - before >= SLEEP.after or self.waking:
                    awake = self.waking and now - before <= SLEEP.within
                    self.waking = not awake
                    if not awake:
                        continue
                if self.dead:
                    continue
                frame = rtu(unit, function, *range(address, address + count))
                loop.call_later(self.late, writer.write, frame)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def sleeping_device() -> AsyncIterator[tuple[SleepingDevice, str]]:
    device = SleepingDevice()
    server = await asyncio.start_server(device.serve, "127.0.0.1", 0)
    try:
        yield device, f"rtu+tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in device.writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)


async def test_the_request_that_wakes_a_sleeping_unit_is_no_fault() -> None:
    async with sleeping_device() as (device, url):  # noqa: SIM117 - the bus ends before it
        async with RegisterBus(url, timeout=0.2, max_device_delay=0.2) as bus:
            bus.introduce(1, SLEEPY.manners)
            answer = await bus.request(1, "input", 10, 2)
            assert answer.registers == (10, 11)
            assert len(device.asked) == 2
            assert device.asked[1][0] - device.asked[0][0] <= SLEEP.within
            # It may be the answer to the first request: fresh only since that was sent.
            assert answer.sent_ns <= device.asked[0][0] * 1e9
            assert (await bus.request(1, "input", 20, 2)).registers == (20, 21)
            assert len(device.asked) == 3  # awake: asked once
            assert bus.counters.silences == 0
            assert bus.counters.wakings == 1


async def test_a_sleeping_unit_that_is_dead_is_a_fault_after_the_second_request() -> None:
    async with sleeping_device() as (device, url):
        device.dead = True
        async with RegisterBus(url, timeout=0.2, max_device_delay=0.2) as bus:
            bus.introduce(1, SLEEPY.manners)
            with pytest.raises(NoAnswer, match=r"did not answer within 0\.4 s"):
                await bus.request(1, "input", 10, 2)
            assert len(device.asked) == 2
            assert bus.counters.silences == 1


async def test_a_late_answer_to_the_waking_request_is_never_taken_for_another() -> None:
    """Both requests are answered late: one answer too many is on its way."""
    async with sleeping_device() as (device, url):
        device.last = asyncio.get_running_loop().time() + 100  # it is awake, and slow
        device.late = 0.25
        async with RegisterBus(url, timeout=0.3, max_device_delay=0.3) as bus:
            bus.introduce(1, SLEEPY.manners)
            assert (await bus.request(1, "input", 10, 2)).registers == (10, 11)
            assert len(device.asked) == 2
            device.late = 0.0
            assert (await bus.request(1, "input", 500, 2)).registers == (500, 501)


async def test_without_its_manners_the_same_meter_flaps() -> None:
    """The control: a driver that takes the first silence for a fault shows one at every poll."""
    async with sleeping_device() as (_, url), RegisterBus(url, timeout=0.15) as bus:
        with pytest.raises(NoAnswer):
            await bus.request(1, "input", 10, 2)


@pytest.mark.parametrize("port", ["tcp://127.0.0.1:0", "rtu+tcp://127.0.0.1:0", "pty"])
async def test_a_sleeping_meter_that_is_polled_seldom_never_shows_a_fault(port: str) -> None:
    simulated = SimulatedMeter(SLEEPY)
    url = await simulated.start(port)
    async with RegisterBus(url, timeout=0.2, max_device_delay=0.2) as bus:
        meter = Transmitter("meter", bus, 1, SLEEPY, interval=1.9)
        async with asyncio.timeout(20), aclosing(meter.indications()) as stream:
            shown = [await anext(stream) for _ in range(2 * len(meter.quantities))]
            assert {s.condition for s in shown} == {Condition.DYNAMIC}
            assert bus.counters.wakings == 2
            simulated.fail("silence")
            polls = meter.counters.polls
            fault = await anext(stream)
            while fault.condition is not Condition.FAULT:
                fault = await anext(stream)
            assert meter.counters.polls <= polls + 2
    await simulated.stop()


async def test_a_meter_that_does_not_sleep_shows_its_silence_within_two_polls() -> None:
    promass = load_map("endress-hauser-promass")
    simulated = SimulatedMeter(promass)
    url = await simulated.start("rtu+tcp://127.0.0.1:0")
    async with RegisterBus(url, timeout=0.1, max_device_delay=0.1) as bus:
        meter = Transmitter("meter", bus, 1, promass, interval=0.5)
        async with asyncio.timeout(10), aclosing(meter.indications()) as stream:
            await anext(stream)
            simulated.fail("silence")
            begun, polls = time.monotonic(), meter.counters.polls
            while (await anext(stream)).condition is not Condition.FAULT:
                pass
            assert meter.counters.polls <= polls + 2
            assert time.monotonic() - begun < 2 * 0.5  # usually 0.6 s after the last poll
    await simulated.stop()


async def test_a_unit_that_needs_a_pause_gets_it_before_the_next_request() -> None:
    async with sleeping_device() as (device, url):
        device.last = asyncio.get_running_loop().time() + 100
        async with RegisterBus(url, timeout=0.5) as bus:
            bus.introduce(1, UnitManners(turnaround=0.1))
            for _ in range(3):
                await bus.request(1, "input", 1, 1)
            gaps = [b[0] - a[0] for a, b in zip(device.asked, device.asked[1:], strict=False)]
            assert min(gaps) >= 0.099


async def test_the_patience_with_a_unit_is_its_own() -> None:
    async with sleeping_device() as (device, url):
        device.last = asyncio.get_running_loop().time() + 100
        device.late = 0.2
        async with RegisterBus(url, timeout=0.05, max_device_delay=0.05) as bus:
            bus.introduce(1, UnitManners(timeout=1.0))
            assert (await bus.request(1, "input", 7, 1)).registers == (7,)
            with pytest.raises(NoAnswer, match=r"within 0\.05 s"):
                await bus.request(2, "input", 7, 1)


def settings(port: str, name: str = "comet-t7410", **more: object) -> Instrument:
    return instrument_settings(name="one", driver="modbus", port=port, map=name, **more)


@pytest.mark.parametrize(
    ("port", "more", "baudrate", "framing"),
    [
        ("rtu+tcp://127.0.0.1:4001", {}, 9600, "8N2"),  # as the map's manual has it
        ("rtu+tcp://127.0.0.1:4001", {"baudrate": 19200, "framing": "8E1"}, 19200, "8E1"),
        ("tcp://127.0.0.1:502", {}, 19200, "8E1"),  # no serial line, no speed
    ],
)
def test_a_line_is_as_the_instrument_is_delivered_unless_the_office_says_otherwise(
    port: str, more: dict[str, object], baudrate: int, framing: str
) -> None:
    line = Lines().bus(settings(port, **more), port)._settings
    assert (line.baudrate, line.framing) == (baudrate, framing)


def test_instruments_delivered_for_different_speeds_cannot_share_a_line_untold() -> None:
    port, lines = "rtu+tcp://127.0.0.1:4001", Lines()
    lines.bus(settings(port), port)
    with pytest.raises(BadInput, match="disagree on baudrate"):
        lines.bus(settings(port, "novus-digirail-2a"), port)
    lines.bus(settings(port, "novus-digirail-2a", baudrate=9600, framing="8N2"), port)


def test_the_unit_number_is_the_factorys_where_nobody_gave_one() -> None:
    digirail = settings("tcp://127.0.0.1:502", "novus-digirail-2a")
    assert digirail.unit_of(digirail.register_map()) == 247
    given = settings("tcp://127.0.0.1:502", "novus-digirail-2a", unit=5)
    assert given.unit_of(given.register_map()) == 5
    plain = settings("tcp://127.0.0.1:502", "xylem-magflux")
    assert plain.unit_of(plain.register_map()) == 1


async def test_a_slow_line_does_not_let_the_second_request_come_too_late() -> None:
    """At 300 Bd two registers take 0.6 s: after them the whole first patience would be too long."""
    sleep = Sleep(after=1.0, wait=1.2, within=1.5)
    async with sleeping_device() as (device, url):  # noqa: SIM117 - the bus ends before it
        async with RegisterBus(url, timeout=0.5, baudrate=300) as bus:
            bus.introduce(1, UnitManners(sleep=sleep))
            with pytest.raises(NoAnswer):  # this device wants the second within 0.9 s
                await bus.request(1, "input", 10, 2)
            assert device.asked[1][0] - device.asked[0][0] < sleep.within
