"""Faults of simulated meters on command, on every kind of line, as the real bus sees them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers.errors import (
    BadDriverSettings,
    DriverError,
    Garbled,
    InstrumentRefused,
    LinkLost,
    NoAnswer,
)
from drivers.flow_physics import Wear
from drivers.modbus import RegisterBus
from drivers.register_map import load_map
from drivers.registers import decode
from drivers.simulated_faults import OF_METERS, Fault
from drivers.simulated_meter import SimulatedMeter

pytestmark = pytest.mark.timeout(30)
PROMASS = load_map("endress-hauser-promass").with_units({"totalizer_1": "L"})
TOTAL, STATUS = PROMASS.register("totalizer_1"), 6858


@asynccontextmanager
async def on_line(
    port: str, **other: Any
) -> AsyncIterator[tuple[SimulatedMeter, RegisterBus, str]]:
    meter = SimulatedMeter(PROMASS, **other)
    await meter.pipe.deliver(20, 6, within=0.01)
    url = await meter.start(port)
    try:
        async with RegisterBus(url, timeout=0.1, max_device_delay=0.2) as bus:
            yield meter, bus, url
    finally:
        await meter.stop()


async def total(bus: RegisterBus) -> Decimal | None:
    return decode(TOTAL, await bus.read(1, "holding", TOTAL.address, TOTAL.count)).value


async def back(bus: RegisterBus) -> Decimal | None:
    """Return the first total that is read again."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await total(bus)
            except DriverError:
                await asyncio.sleep(0.02)  # the bus lets a unit in trouble rest


SEEN = [
    ("rtu+tcp://127.0.0.1:0", "silence", NoAnswer),
    ("rtu+tcp://127.0.0.1:0", "noise", Garbled),
    ("rtu+tcp://127.0.0.1:0", "late", NoAnswer),
    ("rtu+tcp://127.0.0.1:0", "half", Garbled),
    ("rtu+tcp://127.0.0.1:0", "checksum", Garbled),
    ("rtu+tcp://127.0.0.1:0", "cable", NoAnswer),
    ("rtu+tcp://127.0.0.1:0", "adapter", LinkLost),
    ("rtu+tcp://127.0.0.1:0", "exception", InstrumentRefused),
    ("tcp://127.0.0.1:0", "silence", NoAnswer),
    ("tcp://127.0.0.1:0", "noise", DriverError),
    ("tcp://127.0.0.1:0", "half", Garbled),
    ("tcp://127.0.0.1:0", "adapter", LinkLost),
    ("pty:{folder}/meter", "checksum", Garbled),
    ("pty:{folder}/meter", "half", Garbled),
    ("pty:{folder}/meter", "cable", NoAnswer),
    ("pty:{folder}/meter", "adapter", LinkLost),
]


@pytest.mark.parametrize(("port", "kind", "error"), SEEN)
async def test_each_fault_is_the_error_of_its_kind_and_goes_away_with_a_fresh_value(
    port: str, kind: str, error: type[DriverError], tmp_path: Path
) -> None:
    async with on_line(port.format(folder=tmp_path)) as (meter, bus, _):
        assert await total(bus) == 20
        meter.fail(kind, delay=0.3)
        with pytest.raises(error):
            for _ in range(3):  # the line may have to be found gone first
                await total(bus)
        await meter.pipe.deliver(10, 6, within=0.01)
        meter.recover()
        assert await back(bus) == 30


async def test_a_stale_meter_answers_with_its_total_of_before() -> None:
    async with on_line("tcp://127.0.0.1:0") as (meter, bus, _):
        meter.fail(Fault.STALE)
        await meter.pipe.deliver(10, 6, within=0.01)
        assert await total(bus) == 20
        meter.recover()
        assert await total(bus) == 30


async def test_of_two_meters_on_one_address_no_value_is_taken_that_the_meter_does_not_have() -> (
    None
):
    async with on_line("rtu+tcp://127.0.0.1:0") as (meter, bus, _):
        meter.fail("collision")
        for _ in range(12):
            try:
                assert await total(bus) == 20
            except DriverError:
                await asyncio.sleep(0.02)  # the bus lets a unit in trouble rest
        meter.recover()
        assert await back(bus) == 20


async def test_what_passes_during_a_power_cut_is_missing_from_the_total() -> None:
    async with on_line("tcp://127.0.0.1:0", boot_time=0.4) as (meter, bus, _):
        meter.fail("power")
        with pytest.raises(NoAnswer):
            await total(bus)
        await meter.pipe.deliver(10, 6, within=0.001)
        assert await back(bus) == 20
        assert meter.fault is None
        await meter.pipe.deliver(10, 6, within=0.001)
        assert await total(bus) == 30


async def test_too_much_flow_is_said_by_the_status() -> None:
    async with on_line("tcp://127.0.0.1:0", wear=Wear(max_flow=10.0)) as (meter, bus, _):
        assert await bus.read(1, "holding", STATUS, 1) == (1,)
        meter.fail("overload")
        assert await bus.read(1, "holding", STATUS, 1) == (2,)
        assert meter.physics.flow == 10.0
        meter.recover()
        assert await bus.read(1, "holding", STATUS, 1) == (1,)
        meter.set_flow(12)
        meter.pipe.change(settling_time=0.0)
        assert await bus.read(1, "holding", STATUS, 1) == (2,)


async def test_what_a_line_cannot_suffer_is_refused() -> None:
    async with on_line("tcp://127.0.0.1:0") as (meter, _, _):
        for kind in ("checksum", "collision"):
            with pytest.raises(BadDriverSettings, match="simulate RTU"):
                meter.fail(kind)
        with pytest.raises(BadDriverSettings, match="no fault flood: choose from silence"):
            meter.fail("flood")
    async with on_line("pty") as (meter, _, _):
        with pytest.raises(BadDriverSettings, match="without a name of its own"):
            meter.fail("adapter")
    assert set(OF_METERS) == set(Fault)
