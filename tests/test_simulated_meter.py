"""Simulated meters: the physics is deterministic, the line real, an independent client agrees."""

import asyncio
import re
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.errors import BadDriverSettings, InstrumentRefused, LinkLost, NoAnswer
from drivers.modbus import RegisterBus
from drivers.register_map import load_map
from drivers.registers import decode
from drivers.simulated_faults import Fault
from drivers.simulated_meter import SimulatedBus, SimulatedMeter, SimulatedPipe

PROMASS = load_map("endress-hauser-promass").with_units({"totalizer_1": "L"})


class Clock:
    """Time [s] that moves when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def value(meter: SimulatedMeter, quantity: str) -> Decimal:
    register = meter.register_map.register(quantity)
    decoded = decode(register, meter.registers(register.address, register.count))
    assert decoded.value is not None
    return decoded.value


def test_the_flow_settles_exponentially_and_the_volume_is_its_integral() -> None:
    clock = Clock()
    pipe = SimulatedPipe(settling_time=2.0, clock=clock)
    pipe.set_flow(3.6)  # 1 L/s
    clock.now = 2.0
    assert pipe.flow == pytest.approx(3.6 * (1 - 0.36787944))
    assert pipe.volume == pytest.approx(2.0 * 0.36787944)
    clock.now = 102.0
    assert pipe.flow == pytest.approx(3.6)
    assert pipe.volume == pytest.approx(100.0)
    pipe.set_flow(0)
    clock.now = 200.0
    assert pipe.flow == pytest.approx(0.0)
    assert pipe.volume == pytest.approx(102.0)


def test_a_meter_counts_true_volume_times_one_plus_its_error_at_that_flow() -> None:
    clock = Clock()
    pipe = SimulatedPipe(settling_time=0.0, clock=clock)
    meter = SimulatedMeter(PROMASS, pipe=pipe, error_curve=[(0.0, -2.0), (3.6, 0.0), (7.2, 1.0)])
    errors = [meter.physics.error(q) for q in (0, 1.8, 3.6, 5.4, 9)]
    assert errors == pytest.approx([-2.0, -1.0, 0.0, 0.5, 1.0])
    pipe.set_flow(7.2)
    clock.now = 50.0
    assert value(meter, "totalizer_1") == Decimal(101)
    assert value(meter, "volume_flow") == Decimal("7.272")


async def test_a_delivery_is_exact_whatever_is_read_during_it() -> None:
    totals = []
    for reads in (0, 7):
        pipe = SimulatedPipe()
        reference = SimulatedMeter(PROMASS, pipe=pipe, repeatability=0.02, seed=1)
        under_test = SimulatedMeter(
            PROMASS, pipe=pipe, error_curve=[(0, 0.4)], repeatability=0.02, seed=2
        )
        for _ in range(3):
            run = asyncio.create_task(pipe.deliver(Decimal(20), Decimal("1.2"), within=0.05))
            for _ in range(reads):
                await asyncio.sleep(0.005)
                value(under_test, "totalizer_1")
            assert await run > 60.0
        assert pipe.volume == pytest.approx(60.0, abs=1e-9)
        assert pipe.flow == 0.0
        totals.append((value(reference, "totalizer_1"), value(under_test, "totalizer_1")))
    assert totals[0] == totals[1]
    reference_total, total = totals[0]
    assert abs(reference_total - 60) < Decimal("0.06")
    assert abs(total / reference_total - Decimal("1.004")) < Decimal("0.001")


def test_equal_seeds_give_equal_meters_and_temperature_moves_the_error() -> None:
    def run(seed: int, temperature: float) -> Decimal:
        clock = Clock()
        pipe = SimulatedPipe(temperature=temperature, clock=clock)
        meter = SimulatedMeter(
            PROMASS, pipe=pipe, repeatability=0.1, temperature_coefficient=0.05, seed=seed
        )
        pipe.set_flow(36)
        clock.now = 100.0
        return value(meter, "totalizer_1")

    assert run(1, 20) == run(1, 20)
    assert run(1, 20) != run(2, 20)
    assert float(run(1, 30) / run(1, 20)) == pytest.approx(1.005, abs=2e-4)


@pytest.mark.parametrize("port", ["tcp://127.0.0.1:0", "rtu+tcp://127.0.0.1:0", "pty"])
async def test_the_driver_reads_the_simulated_meter_on_every_kind_of_line(port: str) -> None:
    pipe = SimulatedPipe(temperature=28.5)
    meter = SimulatedMeter(PROMASS, pipe=pipe, unit=5)
    await pipe.deliver(20, 6, within=0.01)
    url = await meter.start(port)
    async with RegisterBus(url, timeout=5) as bus:
        assert bus.local
        register = PROMASS.register("totalizer_1")
        assert decode(register, await bus.read(5, "holding", 2609, 4)).text == "20"
        register = PROMASS.register("temperature")
        assert decode(register, await bus.read(5, "input", 2016, 2)).text == "28.5"
        assert await bus.read(5, "holding", 6858, 1) == (1,)
        with pytest.raises(InstrumentRefused, match="illegal data address"):
            await bus.read(5, "holding", 2010, 1)
    await meter.stop()


async def test_several_meters_share_one_pipe_and_one_line() -> None:
    pipe = SimulatedPipe()
    first = SimulatedMeter(PROMASS, pipe=pipe, unit=1)
    second = SimulatedMeter("siemens-mag6000", pipe=pipe, unit=2, error_curve=[(0, 0.5)])
    await pipe.deliver(20, 6, within=0.01)
    line = SimulatedBus(first, second)
    async with RegisterBus(await line.start("pty"), timeout=0.3) as bus:
        total = decode(PROMASS.register("totalizer_1"), await bus.read(1, "holding", 2609, 4))
        assert total.text == "20"
        mag = load_map("siemens-mag6000").register("totalizer_1")
        assert decode(mag, await bus.read(2, "holding", 3014, 4)).text == "0.0201"
        with pytest.raises(NoAnswer):
            await bus.read(3, "holding", 2609, 2)
    await line.stop()


async def test_faults_on_command_reach_the_line_and_go_away_again() -> None:
    meter = SimulatedMeter(PROMASS)
    async with RegisterBus(
        await meter.start("rtu+tcp://127.0.0.1:0"), timeout=0.2, max_device_delay=0.4
    ) as bus:
        meter.fail("exception")
        with pytest.raises(InstrumentRefused, match="device failure"):
            await bus.read(1, "holding", 2609, 2)
        meter.fail(Fault.SENSOR)
        words = await bus.read(1, "holding", 2609, 4)
        assert decode(PROMASS.register("totalizer_1"), words).fault == "not a number"
        meter.fail("alarm")
        assert await bus.read(1, "holding", 6858, 1) == (2,)
        meter.fail("late", delay=0.3)
        with pytest.raises(NoAnswer, match="did not answer"):
            await bus.read(1, "holding", 6858, 1)
        meter.recover()
        await asyncio.sleep(0.15)  # the unit rests 0.1 s
        assert len(await bus.read(1, "holding", 2609, 2)) == 2
        meter.fail("silence")
        with pytest.raises(NoAnswer, match="did not answer"):
            await bus.read(1, "holding", 6858, 1)
    await meter.stop()
    with pytest.raises(BadDriverSettings, match="silence"):
        meter.fail("flood")


async def test_a_wrong_port_or_unit_is_named() -> None:
    with pytest.raises(BadDriverSettings, match="simulated meter: write"):
        await SimulatedMeter(PROMASS).start("udp://127.0.0.1:1")
    with pytest.raises(BadDriverSettings, match="furlong"):
        SimulatedMeter(PROMASS.with_units({"totalizer_1": "furlong"}))
    first, second = SimulatedMeter(PROMASS), SimulatedMeter(PROMASS)
    url = await first.start()
    with pytest.raises(LinkLost, match="in use"):
        await second.start(url)
    await first.stop()
    with pytest.raises(BadDriverSettings, match="above 0"):
        await first.pipe.deliver(0, 1)


async def test_a_pty_can_have_a_name_of_its_own(tmp_path: Path) -> None:
    meter = SimulatedMeter(PROMASS)
    link = tmp_path / "meter"
    assert await meter.start(f"pty:{link}") == f"rtu://{link}"
    async with RegisterBus(f"rtu://{link}", timeout=5) as bus:
        assert await bus.read(1, "holding", 6858, 1) == (1,)
    await meter.stop()
    assert not link.exists()


async def mbpoll(*arguments: str) -> str:
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec("mbpoll", *arguments, stdout=pipe, stderr=pipe)
    out, err = await asyncio.wait_for(child.communicate(), 20)
    assert child.returncode == 0, (out, err)
    return out.decode()


NEEDS_MBPOLL = pytest.mark.skipif(shutil.which("mbpoll") is None, reason="mbpoll is not installed")


async def meter_after_twenty_litres() -> SimulatedMeter:
    meter = SimulatedMeter(PROMASS, pipe=SimulatedPipe(temperature=28.5), error_curve=[(0, 0.5)])
    await meter.pipe.deliver(20, 6, within=0.01)
    return meter


@NEEDS_MBPOLL
async def test_mbpoll_reads_the_same_values_over_tcp() -> None:
    meter = await meter_after_twenty_litres()
    url = await meter.start()
    arguments = ("-m", "tcp", "-p", url.rpartition(":")[2], "-a", "1", "-1", "-o", "5")
    # mbpoll counts from 1, as the manual does, and reads floats low word first, as the meter sends.
    out = await mbpoll(*arguments, "-t", "4:float", "-r", "2610", "127.0.0.1")
    assert re.search(r"\[2610\]:\s+20\.1\b", out)
    out = await mbpoll(*arguments, "-t", "3:float", "-r", "2017", "127.0.0.1")
    assert re.search(r"\[2017\]:\s+28\.5\b", out)
    out = await mbpoll(*arguments, "-t", "4", "-r", "6859", "127.0.0.1")
    assert re.search(r"\[6859\]:\s+1\b", out)
    await meter.stop()


@NEEDS_MBPOLL
async def test_mbpoll_reads_the_same_values_over_rtu() -> None:
    meter = await meter_after_twenty_litres()
    device = (await meter.start("pty")).removeprefix("rtu://")
    arguments = ("-m", "rtu", "-b", "19200", "-P", "none", "-a", "1", "-1", "-o", "5")
    out = await mbpoll(*arguments, "-t", "4:float", "-r", "2610", device)
    assert re.search(r"\[2610\]:\s+20\.1\b", out)
    await meter.stop()
