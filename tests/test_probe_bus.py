"""The probe on Modbus buses: simulated instruments, an independent server, gateways and silence."""

import asyncio
import os
import struct
import subprocess
import sys
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pymodbus.framer import FramerRTU

from acquisition.config import instrument_settings
from acquisition.simulated_workshop import SimulatedWorkshop
from drivers.probe_bus import BusSearch
from drivers.probe_plan import PROBED, Ask, BusTry, Patience, bus_plan
from drivers.probe_search import Search
from drivers.register_map import map_ids
from drivers.simulated_bus import SimulatedBus
from tests.test_probe_port import searched

pytestmark = pytest.mark.timeout(60)
SERVER = Path(__file__).parent / "libmodbus_server.py"
Answer = Callable[[int, int, int, int], bytes]


def libmodbus_missing() -> bool:
    try:
        __import__("ctypes").CDLL("libmodbus.so.5")
    except OSError:
        return True
    return False


with_libmodbus = pytest.mark.skipif(
    libmodbus_missing(), reason="libmodbus (libmodbus5) is not installed"
)


def rtu(unit: int, function: int, *words: int) -> bytes:
    body = bytes((unit, function, 2 * len(words))) + struct.pack(f">{len(words)}H", *words)
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


def refusal(unit: int, function: int, code: int) -> bytes:
    body = bytes((unit, function | 0x80, code))
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


async def quickly(port: str, wanted: Callable[[Search], bool]) -> Search:
    """Probe in a quick world; on a machine that is busy just then, once more in a slower one."""
    for pace, budget in ((20.0, 0.5), (5.0, 3.0)):
        search = await searched(port, pace, budget)
        if wanted(search):
            return search
    return await searched(port)


def units(search: Search) -> list[int]:
    return [unit.unit for unit in search.bus.found]


@asynccontextmanager
async def rtu_over_tcp(answer: Answer) -> AsyncIterator[str]:
    """Serve RTU frames over TCP as ``answer`` says."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while len(request := await reader.read(8)) == 8:
            writer.write(answer(*struct.unpack(">BBHH", request[:6])))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"rtu+tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@pytest.mark.parametrize("name", map_ids())
async def test_every_simulated_instrument_is_found_and_its_map_is_among_the_named(
    name: str,
) -> None:
    workshop = SimulatedWorkshop()
    try:
        url = await workshop.start(
            instrument_settings(name="m", driver="modbus", port="simulated", map=name, meter={})
        )
        search = await searched(url)
    finally:
        await workshop.stop()
    (unit,) = search.bus.found
    assert unit.maps is not None
    assert name in [fit.known.id for fit in unit.maps]
    assert search.bus.gateway  # what the server says of units that are not there
    assert len(search.bus.asked) == 247


async def test_values_that_its_instrument_can_show_name_one_map_alone() -> None:
    workshop = SimulatedWorkshop()
    try:
        url = await workshop.start(
            instrument_settings(
                name="m",
                driver="modbus",
                port="simulated",
                map="campbell-metsens300",
                meter={},
            )
        )
        search = await searched(url)
    finally:
        await workshop.stop()
    ((fit,),) = [unit.maps for unit in search.bus.found if unit.maps]
    assert {value.quantity for value in fit.values} == {"pressure", "humidity", "temperature"}


@with_libmodbus
@pytest.mark.parametrize("mode", ["tcp", "rtu"])
async def test_libmodbus_is_found(mode: str) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    bridge, theirs = os.openpty()
    tty.setraw(theirs)
    place = os.ttyname(theirs) if mode == "rtu" else "127.0.0.1"
    arguments = [sys.executable, str(SERVER), mode, place]
    server = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    loop = asyncio.get_running_loop()
    for one, other in ((master, bridge), (bridge, master)):
        loop.add_reader(one, lambda one=one, other=other: os.write(other, os.read(one, 512)))
    try:
        assert server.stdout is not None
        ready, number = (await asyncio.to_thread(server.stdout.readline)).split()
        assert ready == "ready"
        if mode == "tcp":
            search = await searched(f"tcp://127.0.0.1:{number}", budget=2.0)
        else:
            search = await searched(f"rtu://{os.ttyname(slave)}", budget=1.5)
        assert search.bus.found[0].unit == 1
        assert search.bus.found[0].code == 0
        # 200 registers that count upwards: no instrument shows such floats
        fits = search.bus.found[0].maps or ()
        floats = [r for fit in fits for r in fit.known.registers if r.type == "float32"]
        assert not floats
    finally:
        loop.remove_reader(master)
        loop.remove_reader(bridge)
        server.kill()
        server.communicate()
        for descriptor in (master, slave, bridge, theirs):
            os.close(descriptor)


async def test_a_meter_on_a_line_of_which_nothing_is_known_is_found() -> None:
    workshop = SimulatedWorkshop()
    try:
        url = await workshop.start(
            instrument_settings(
                name="m", driver="modbus", port="simulated", map="tuf-2000", meter={}
            ),
            "pty",
        )
        port = url.removeprefix("rtu://")
        search = await quickly(port, lambda s: bool(s.bus.found and s.bus.found[0].maps))
    finally:
        await workshop.stop()
    assert search.scales is not None
    assert not search.scales.best
    assert [unit.unit for unit in search.bus.found] == [1]
    assert "tuf-2000" in [fit.known.id for fit in search.bus.found[0].maps or ()]


async def test_two_units_on_one_bus_are_both_found() -> None:
    workshop = SimulatedWorkshop()
    meters = []
    for name, unit in (("krohne-mfc400", 3), ("xy-md02", 17)):
        settings = instrument_settings(
            name=name, driver="modbus", port="simulated", map=name, unit=unit, meter={}
        )
        await workshop.start(settings)
        meters.append(workshop.meters[name])
    bus = SimulatedBus(*meters)
    try:
        search = await searched(await bus.start("tcp://127.0.0.1:0"))
    finally:
        await bus.stop()
        await workshop.stop()
    named = {u.unit: [fit.known.id for fit in u.maps or ()] for u in search.bus.found}
    assert named.keys() == {3, 17}
    assert named[3][0] == "krohne-mfc400"
    assert "xy-md02" in named[17]


async def test_a_refusal_is_an_answer() -> None:
    def answer(unit: int, function: int, address: int, count: int) -> bytes:
        return refusal(unit, function, 2) if unit == 5 else b""

    async with rtu_over_tcp(answer) as url:
        search = await quickly(url, lambda s: units(s) == [5])
    assert [(u.unit, u.code, u.maps) for u in search.bus.found] == [(5, 2, ())]


async def test_a_gateway_without_units_is_told_from_silence() -> None:
    async with rtu_over_tcp(lambda unit, function, *_: refusal(unit, function, 11)) as url:
        search = await searched(url, pace=20.0)
    assert (search.bus.found, search.bus.gateway) == ([], True)
    async with rtu_over_tcp(lambda *_: b"") as url:
        search = await searched(url, pace=100.0, budget=1.0)
    assert (search.found, search.bus.gateway) == (False, False)


async def test_one_instrument_that_answers_to_every_number_is_one() -> None:
    def answer(unit: int, function: int, address: int, count: int) -> bytes:
        return rtu(unit, function, *range(count)) if address < 10 else refusal(unit, function, 2)

    async with rtu_over_tcp(answer) as url:
        search = await searched(url)
    assert search.bus.everybody
    assert [unit.unit for unit in search.bus.found] == [1]


async def test_two_units_of_one_number_are_named_as_damage() -> None:
    both = rtu(2, 3, 7, 8)
    garbled = bytes(a & b for a, b in zip(both, rtu(2, 3, 700, 800), strict=True))

    async with rtu_over_tcp(lambda unit, *_: garbled if unit == 2 else b"") as url:
        search = await quickly(url, lambda s: bool(s.bus.garbled))
    assert search.bus.garbled == [(9600, "8N1", 2)]


async def test_an_answer_that_comes_late_is_given_to_the_unit_that_sent_it() -> None:
    held: list[bytes] = []
    asked: list[int] = []

    def answer(unit: int, function: int, address: int, count: int) -> bytes:
        asked.append(unit)
        right = rtu(3, function, *range(count))
        if unit == 3 and asked.count(3) == 1:
            held.append(right)  # it comes when the next unit is asked
            return b""
        return right if unit == 3 else held.pop() if held else b""

    async with rtu_over_tcp(answer) as url:
        search = await quickly(url, lambda s: units(s) == [3])
    assert units(search) == [3]


async def test_a_meter_that_sleeps_is_asked_twice() -> None:
    asleep = [True]

    def answer(unit: int, function: int, address: int, count: int) -> bytes:
        if unit != 1:
            return b""
        if asleep:
            asleep.clear()
            return b""
        return refusal(unit, function, 2)

    async with rtu_over_tcp(answer) as url:
        search = await quickly(url, lambda s: units(s) == [1])
    assert units(search) == [1]


def test_only_registers_are_read_and_every_unit_of_the_bus_is_asked() -> None:
    plan = bus_plan(speeds=True)
    by_line: dict[tuple[int, str], list[int]] = {}
    for one in plan:
        by_line.setdefault((one.baudrate, one.framing), []).extend(one.units)
    for line in ((9600, "8N1"), (19200, "8E1")):
        assert sorted(by_line[line]) == list(range(1, 248))
    search = BusSearch(Patience(), serial=True, left=lambda: 30.0)
    action = next(search.scan(BusTry(9600, "8N1", (1,))))
    assert isinstance(action, Ask)
    assert (action.kind, action.address, action.count) == ("holding", *PROBED)


def test_a_slow_line_is_given_the_time_of_its_characters() -> None:
    waits = []
    for baudrate in (1200, 19200):
        search = BusSearch(Patience(), serial=True, left=lambda: 30.0)
        action = next(search.scan(BusTry(baudrate, "8E1", (1,))))
        assert isinstance(action, Ask)
        waits.append(action.wait - Patience().unit)
    assert waits == pytest.approx([17 * 11 / 1200, 17 * 11 / 19200])  # request 8, answer 9
