"""A flow meter on a bus: fresh indications, faults in time, never an old value as new."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal

import pytest

from drivers.errors import BadDriverSettings
from drivers.indication import Condition, Indication, Origin
from drivers.modbus import RegisterBus
from drivers.register_map import load_map
from drivers.simulated_meter import SimulatedMeter, SimulatedPipe
from drivers.transmitter import Transmitter

PROMASS = load_map("endress-hauser-promass").with_units({"totalizer_1": "L"})


@asynccontextmanager
async def metering(
    port: str = "tcp://127.0.0.1:0", *, interval: float = 0.05, timeout: float = 0.2
) -> AsyncIterator[tuple[SimulatedMeter, Transmitter, AsyncIterator[Indication], str]]:
    simulated = SimulatedMeter(PROMASS, pipe=SimulatedPipe(temperature=28.5))
    await simulated.pipe.deliver(20, 6, within=0.01)
    url = await simulated.start(port)
    async with RegisterBus(url, timeout=timeout, max_device_delay=timeout) as bus:
        meter = Transmitter("meter", bus, 1, PROMASS, interval=interval)
        async with asyncio.timeout(30), aclosing(meter.indications()) as stream:
            yield simulated, meter, stream, url
    await simulated.stop()


async def until(stream: AsyncIterator[Indication], condition: Condition) -> Indication:
    async for indication in stream:
        if indication.condition is condition:
            return indication
    raise AssertionError("the stream ended")


@pytest.mark.parametrize("port", ["tcp://127.0.0.1:0", "rtu+tcp://127.0.0.1:0", "pty"])
async def test_a_meter_gives_one_indication_per_quantity_and_poll(port: str) -> None:
    async with metering(port, timeout=5) as (_, meter, stream, _):
        before = time.monotonic_ns()
        shown = [await anext(stream) for _ in range(8)]
    assert [s.quantity for s in shown] == list(meter.quantities) * 2
    assert [s.sequence for s in shown] == list(range(8))
    assert {s.condition for s in shown} == {Condition.DYNAMIC}
    assert {s.origin for s in shown} == {Origin.SIMULATED}
    total = shown[3]
    assert (total.quantity, total.text, total.value, total.unit) == (
        "totalizer_1",
        "20",
        Decimal(20),
        "L",
    )
    assert total.raw == bytes.fromhex("000041a000000000")
    assert before <= shown[0].since_ns < shown[0].arrived_ns
    assert shown[3].arrived_ns <= shown[4].since_ns


async def test_an_indication_was_not_asked_for_before_its_request_was_sent() -> None:
    """While a bus is busy a request waits; its freshness counts from when it is really sent."""
    async with metering() as (simulated, _, stream, url):
        await anext(stream)
        simulated.fail("late", delay=0.1)
        async with RegisterBus(url, timeout=5) as bus:
            first = asyncio.create_task(bus.request(1, "holding", 2609, 2))
            second = asyncio.create_task(bus.request(1, "holding", 2609, 2))
            one, two = await asyncio.gather(first, second)
    assert two.sent_ns >= one.arrived_ns


@pytest.mark.parametrize("kind", ["silence", "late", "exception"])
async def test_a_meter_that_stops_answering_is_a_fault_and_comes_back(kind: str) -> None:
    async with metering("rtu+tcp://127.0.0.1:0") as (simulated, meter, stream, _):
        assert (await anext(stream)).condition is Condition.DYNAMIC
        simulated.fail(kind, delay=0.3)
        fault = await until(stream, Condition.FAULT)
        assert (fault.value, fault.unit, fault.text) == (None, None, "")
        assert fault.detail
        assert meter.counters.polls <= 3  # within two poll periods
        quantities = [fault.quantity] + [
            (await until(stream, Condition.FAULT)).quantity for _ in range(3)
        ]
        assert sorted(quantities) == sorted(meter.quantities)
        # Once per fault: the stream is quiet until the meter is back, whatever the pauses say.
        recovered = asyncio.ensure_future(anext(stream))
        simulated.recover()
        assert (await recovered).condition is Condition.DYNAMIC


@pytest.mark.parametrize(("kind", "detail"), [("sensor", "number"), ("alarm", "condition = 2")])
async def test_a_fault_the_meter_reports_is_a_condition_of_every_poll(
    kind: str, detail: str
) -> None:
    async with metering() as (simulated, meter, stream, _):
        await anext(stream)
        simulated.fail(kind)
        faults = [await until(stream, Condition.FAULT) for _ in range(12)]
        assert all(detail in (f.detail or "") and f.value is None for f in faults)
        assert {f.quantity for f in faults} == set(meter.quantities)
        simulated.recover()
        assert (await until(stream, Condition.DYNAMIC)).value is not None


async def test_a_server_that_goes_and_returns_shows_no_old_value() -> None:
    async with metering() as (simulated, meter, stream, url):
        assert (await anext(stream)).condition is Condition.DYNAMIC
        await simulated.stop()
        fault = await until(stream, Condition.FAULT)
        assert "cannot be reached" in (fault.detail or "")
        assert meter.counters.polls <= 3
        for _ in range(3):
            assert (await anext(stream)).condition is Condition.FAULT
        waiting = asyncio.ensure_future(anext(stream))
        await simulated.pipe.deliver(10, 6, within=0.01)
        back = time.monotonic_ns()
        await simulated.start(url)
        shown = [await waiting] + [await anext(stream) for _ in range(3)]
        assert all(s.condition is Condition.DYNAMIC and s.since_ns >= back for s in shown)
        assert shown[3].text == "30"


async def test_one_quantity_can_be_asked_for_alone() -> None:
    simulated = SimulatedMeter(PROMASS)
    async with RegisterBus(await simulated.start(), timeout=5) as bus:
        meter = Transmitter(
            "m", bus, 1, PROMASS, interval=0, quantities=["totalizer_1"], origin=Origin.REPLAY
        )
        async with aclosing(meter.indications()) as stream:
            shown = [await anext(stream) for _ in range(3)]
        with pytest.raises(BadDriverSettings, match="no quantity pressure"):
            Transmitter("m", bus, 1, PROMASS, quantities=["pressure"])
        with pytest.raises(BadDriverSettings, match="below 0"):
            Transmitter("m", bus, 1, PROMASS, interval=-1)
    assert {(s.quantity, s.origin) for s in shown} == {("totalizer_1", Origin.REPLAY)}
    await simulated.stop()


async def test_a_quantity_the_meter_does_not_have_is_a_fault_of_that_quantity_only() -> None:
    """A map may know more registers than the instrument; the others stay good."""
    smaller = SimulatedMeter("siemens-mag6000")
    asked = load_map("siemens-mag6000")
    odd = PROMASS.register("temperature")
    wider = type(asked)(
        id="wider",
        title="",
        provisional=False,
        note="",
        max_registers=125,
        max_gap=0,
        registers=(*asked.registers, odd),
    )
    async with RegisterBus(await smaller.start(), timeout=5) as bus:
        meter = Transmitter("m", bus, 1, wider, interval=0)
        async with aclosing(meter.indications()) as stream:
            shown = [await anext(stream) for _ in range(4)]
    assert [s.condition for s in shown] == [Condition.DYNAMIC] * 3 + [Condition.FAULT]
    assert "illegal data address" in (shown[3].detail or "")
    await smaller.stop()
