"""Every map on a real server, read by an independent program and on every kind of line."""

import asyncio
import json
import re
import shutil
import struct
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.indication import Condition, Indication, Origin
from drivers.modbus import RegisterBus
from drivers.register_map import RegisterMap, load_map, map_ids
from drivers.registers import Register, WordOrder, decode
from drivers.simulated_meter import RoomPhysics, SimulatedMeter, SimulatedPipe, SimulatedRoom
from drivers.transmitter import Transmitter
from tests.mosquitto import free_port
from tests.stations import line_with, tera, tera_at_work

NEEDS_MBPOLL = pytest.mark.skipif(shutil.which("mbpoll") is None, reason="mbpoll is not installed")
MOVING = {"energy", "energy_import"}
"""Quantities that change while they are read."""


def worth_something(known: RegisterMap) -> RegisterMap:
    """Say what one count is worth, where a map leaves it open."""
    litre, degree = (Decimal("0.01"), False, "L"), (Decimal("0.1"), False, "°C")
    return known.with_factors(
        {
            r.quantity: degree if r.quantity.startswith("channel") else litre
            for r in known.registers
            if r.factor_from_meter
        }
    )


@asynccontextmanager
async def served(known: RegisterMap, port: str) -> AsyncIterator[str]:
    """Serve a map after twenty litres, in a room in which nothing moves."""
    room = SimulatedRoom(temperature=26.5, humidity=61.0, clock=lambda: 0.0)
    meter = SimulatedMeter(
        known,
        pipe=SimulatedPipe(temperature=28.5),
        error_curve=[(0, 0.5)],
        room=RoomPhysics(room),
        unit=3,
    )
    await meter.pipe.deliver(20, 6, within=0.01)
    try:
        yield await meter.start(port)
    finally:
        await meter.stop()


@pytest.mark.parametrize("name", map_ids())
@pytest.mark.parametrize("port", ["tcp://127.0.0.1:0", "rtu+tcp://127.0.0.1:0", "pty"])
async def test_the_driver_reads_every_map_on_every_kind_of_line(port: str, name: str) -> None:
    known = worth_something(load_map(name))
    async with served(known, port) as url, RegisterBus(url, timeout=5) as bus:
        instrument = Transmitter("one", bus, 3, known, interval=0)
        async with asyncio.timeout(20), aclosing(instrument.indications()) as stream:
            shown = {s.quantity: s async for s in first(stream, len(known.measurands))}
    assert list(shown) == list(known.measurands)
    assert {s.condition for s in shown.values()} == {Condition.DYNAMIC}, shown
    assert {s.origin for s in shown.values()} == {Origin.SIMULATED}
    for quantity, seen in shown.items():
        assert seen.value is not None
        room = known.measures not in ("flow meter", "pulse counter", "electricity meter")
        if quantity.startswith(("temperature", "channel")):
            assert abs(seen.value - (Decimal("26.5") if room else Decimal("28.5"))) < Decimal(
                "0.01"
            )
        elif quantity == "humidity":
            assert seen.value == 61
        elif quantity.startswith("totalizer") and seen.unit == "m³":
            assert abs(seen.value - Decimal("0.0201")) < Decimal("0.00001")
        elif quantity.startswith("count"):
            assert seen.value == 0  # it counts from the first look


async def first(stream: AsyncIterator[Indication], count: int) -> AsyncIterator[Indication]:
    for _ in range(count):
        yield await anext(stream)


# ---------------------------------------------------------------- mbpoll


async def mbpoll(url: str, kind: str, address: int, count: int, *more: str) -> list[str]:
    """Have mbpoll read registers by their wire address; return what it prints of each."""
    arguments = ["-0", "-1", "-o", "5", "-a", "3", "-t", kind, "-r", str(address), "-c", str(count)]
    if url.startswith("tcp://"):
        host, _, port = url.removeprefix("tcp://").rpartition(":")
        arguments += ["-m", "tcp", "-p", port, *more, host]
    else:
        arguments += ["-m", "rtu", "-b", "19200", "-P", "none", *more, url.removeprefix("rtu://")]
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec("mbpoll", *arguments, stdout=pipe, stderr=pipe)
    out, err = await asyncio.wait_for(child.communicate(), 20)
    assert child.returncode == 0, (out, err)
    return re.findall(r"^\[\d+\]:\s+(\S+)", out.decode(), re.MULTILINE)


TABLES = {"holding": "4", "input": "3"}
ORDERS = {WordOrder.ABCD: ["-B"], WordOrder.CDAB: []}
"""What mbpoll can put into order by itself."""


@NEEDS_MBPOLL
@pytest.mark.parametrize("name", map_ids())
async def test_mbpoll_reads_the_same_registers_of_every_map(name: str) -> None:
    known = worth_something(load_map(name))
    async with served(known, "tcp://127.0.0.1:0") as url, RegisterBus(url, timeout=5) as bus:
        bus.introduce(3, known.manners)
        for telegram in known.plan():
            ours = await bus.read(3, telegram.kind, telegram.address, telegram.count)
            kind = f"{TABLES[telegram.kind]}:hex"
            theirs = await mbpoll(url, kind, telegram.address, telegram.count)
            assert len(theirs) == telegram.count
            if not MOVING & {member.quantity for member in telegram.members}:
                assert [int(word, 16) for word in theirs] == list(ours)


@NEEDS_MBPOLL
@pytest.mark.parametrize("name", map_ids())
async def test_mbpoll_puts_one_value_of_every_map_into_the_same_order(name: str) -> None:
    known = worth_something(load_map(name))
    simple = [r for r in known.registers if not r.plus and r.quantity not in MOVING]
    for register in sorted(simple, key=lambda r: -r.own):
        if register.own <= 2:
            break
    else:
        pytest.skip("mbpoll knows no type of this map")
    async with served(known, "tcp://127.0.0.1:0") as url, RegisterBus(url, timeout=5) as bus:
        bus.introduce(3, known.manners)
        words = await bus.read(3, register.kind, register.address, register.count)
        kind = TABLES[register.kind]
        if register.own == 1:
            shown = await mbpoll(url, kind, register.address, 1)
        else:
            kind += ":float" if register.type == "float32" else ":int"
            shown = await mbpoll(url, kind, register.address, 1, *ORDERS[register.word_order])
    check(register, words, shown[0])


def check(register: Register, words: tuple[int, ...], shown: str) -> None:
    decoded = decode(register, words)
    if register.status or register.per_unit or register.range:
        assert int(shown) == words[0]
        return
    assert decoded.value is not None
    raw = (decoded.value - register.offset) / register.scale
    assert float(raw) == pytest.approx(float(shown), rel=1e-4)


@NEEDS_MBPOLL
@pytest.mark.parametrize("port", ["tcp://127.0.0.1:0", "pty"])
@pytest.mark.parametrize("order", WordOrder)
async def test_mbpoll_reads_one_float_of_each_word_order(order: WordOrder, port: str) -> None:
    """BADC and DCBA are not mbpoll's: there it gives the words, and struct the value."""
    known = load_map("endress-hauser-promass").with_word_order(order)
    register = known.register("temperature")
    async with served(known, port) as url:
        if order in ORDERS:
            shown = await mbpoll(url, "4:float", register.address, 1, *ORDERS[order])
            assert shown == ["28.5"]
        words = [int(word, 16) for word in await mbpoll(url, "4:hex", register.address, 2)]
    high, low = words if order in (WordOrder.ABCD, WordOrder.BADC) else words[::-1]
    data = struct.pack(">HH" if order in ORDERS else "<HH", high, low)
    assert struct.unpack(">f", data) == (28.5,)
    assert decode(register, words).text == "28.5"


# ---------------------------------------------------------------- the commands


@pytest.mark.parametrize(
    ("name", "port", "settings", "shown"),
    [
        ("comet-t7410", "rtu+tcp://127.0.0.1:{free}", ["humidity=58 %"], ("humidity", "58.0", "%")),
        ("xy-md02", "pty:{folder}/room", ["temperature=31 °C"], ("temperature", "31.0", "°C")),
        ("advantech-adam4015", "tcp://127.0.0.1:{free}", ["temperature_1.range=0x20"], ("temperature_1", "27.000", "°C")),
        ("abb-aquamaster3", "rtu+tcp://127.0.0.1:{free}", ["totalizer_1.factor=0.01 m³", "flow=12 L/min"], ("totalizer_1", "0", "m³")),
    ],
)  # fmt: skip
async def test_what_tera_simulates_tera_reads(
    tmp_path: Path, name: str, port: str, settings: list[str], shown: tuple[str, str, str]
) -> None:
    place = port.format(free=free_port(), folder=tmp_path)
    given = [word for setting in settings for word in ("--set", setting)]
    same = [
        word
        for setting in settings
        if "." in setting.partition("=")[0]
        for word in ("--set", setting)
    ]
    async with tera_at_work("simulate", name, "--port", place, *given) as simulator:
        said = await line_with(simulator.stdout, "answers at")
        address = said.split("answers at ")[1].partition(";")[0]
        count = len(load_map(name).measurands)
        reading = asyncio.to_thread(
            tera, "read", "--driver", "modbus", "--port", address, "--set", f"map={name}", *same,
            "--count", str(count), "--json",
        )  # fmt: skip
        done = await reading
    assert done.returncode == 0, done.stderr
    rows = {row["quantity"]: row for row in map(json.loads, done.stdout.decode().splitlines())}
    quantity, text, unit = shown
    assert (rows[quantity]["unit"], rows[quantity]["origin"]) == (unit, "simulated")
    assert abs(Decimal(rows[quantity]["text"]) - Decimal(text)) < Decimal(
        "0.01"
    ) or name.startswith("abb")
    assert ("is provisional" in done.stderr.decode()) == load_map(name).provisional
