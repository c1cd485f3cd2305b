"""Counters that roll over: exact totals across the end, and a restart that is never a volume."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition.faults import Abandoned
from acquisition.station import running
from drivers.modbus import RegisterBus
from drivers.pulse_count import PulseCount
from drivers.register_map import load_map
from drivers.registers import Register
from drivers.simulated_meter import SimulatedMeter
from drivers.transmitter import Transmitter
from tests.stations import METER_BENCH, events_of, job_of, settings_of, verdict_of

LITRES = load_map("advantech-adam6050").with_factors({"count_1": (Decimal(1000), True, "L")})
COUNTER = LITRES.register("count_1")
SECOND = 1_000_000_000


def count(*numbers: int, register: Register = COUNTER, every: int = SECOND) -> list[str]:
    """Return what is shown for numbers that arrive one after the other, text or fault."""
    counter = PulseCount(register)
    shown = [counter.add(raw, i * every, i * every + 1) for i, raw in enumerate(numbers)]
    return [decoded.fault or decoded.text for decoded in shown]


def test_the_total_counts_from_the_first_look_and_across_the_end() -> None:
    assert count(5, 7, 7, 1007) == ["0", "0.002", "0.002", "1.002"]
    assert count(2**32 - 2, 2**32 - 1, 0, 3) == ["0", "0.001", "0.002", "0.005"]


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 2**28 - 1), max_size=20))
def test_any_steps_add_up_wherever_the_counter_begins(begin: int, steps: list[int]) -> None:
    numbers = [begin]
    for step in steps:
        numbers.append((numbers[-1] + step) % 2**32)
    last = count(*numbers)[-1]
    assert Decimal(last) == Decimal(sum(steps)) / 1000


def test_a_restart_is_a_fault_once_and_the_total_begins_again() -> None:
    counter = PulseCount(COUNTER)
    shown = [counter.add(raw, i * SECOND, i * SECOND) for i, raw in enumerate((90000, 0, 40))]
    assert shown[1].fault == "the counter went from 90000 to 0: it was restarted"
    assert (shown[1].value, shown[1].unit, shown[1].text) == (None, None, "")
    assert (shown[2].fault, shown[2].text) == (None, "0.04")
    assert counter.stretch == 1


def test_a_preset_counter_is_no_volume_either() -> None:
    assert "restarted" in count(10, 2_000_000_000)[1]


def test_a_known_rate_tells_a_restart_that_would_pass_for_a_rollover() -> None:
    small = replace(COUNTER, modulus=65536, max_rate=Decimal(1000))
    assert count(64000, 500, register=small) == [
        "0",
        "the counter went from 64000 to 500: it was restarted",
    ]  # 2036 pulses in a second at an input that follows 1000
    assert count(64000, 500, register=small, every=3 * SECOND)[1] == "2.036"


def test_a_number_beyond_the_modulus_is_a_fault() -> None:
    hundred = replace(COUNTER, modulus=100)
    assert "more than the counter can show" in count(5, 100, 6, 7, register=hundred)[1]
    assert count(5, 100, 6, 7, register=hundred)[2:] == ["0", "0.001"]


def test_only_a_register_with_a_modulus_is_a_counter() -> None:
    with pytest.raises(ValueError, match="no modulus"):
        PulseCount(load_map("xylem-magflux").register("totalizer_1"))


async def test_a_counter_on_a_real_line_rolls_over_and_shows_a_power_cut() -> None:
    simulated = SimulatedMeter(LITRES)
    simulated.set_counter(2**32 - 5000)
    url = await simulated.start("rtu+tcp://127.0.0.1:0")
    async with RegisterBus(url, timeout=5) as bus:
        counter = Transmitter("pulsa", bus, 1, LITRES, interval=0, quantities=["count_1"])
        stream = counter.indications()
        assert (await anext(stream)).text == "0"
        await simulated.pipe.deliver(20, 6, within=0.01)
        shown = await anext(stream)
        assert (shown.text, shown.unit, shown.stretch) == ("20", "L", 0)
        simulated.power_cycle()
        fault = await anext(stream)
        assert "restarted" in (fault.detail or "")
        assert fault.value is None
        after = await anext(stream)
        assert (after.text, after.stretch) == ("0", 1)
        await stream.aclose()
    await simulated.stop()


PULSES = METER_BENCH.replace(
    """role = "reference"
map = "endress-hauser-promass"
units = { totalizer_1 = "L" }
""",
    """role = "reference"
map = "advantech-adam6050"
factors = { count_1 = "1000 per L" }
total = "count_1"
""",
)


async def test_a_bench_verifies_against_pulses_and_gives_up_when_the_counter_restarts(
    tmp_path: Path,
) -> None:
    assert PULSES != METER_BENCH
    settings = settings_of(tmp_path, PULSES)
    async with running(settings) as station:
        reference = station.workshop.meters["meter-acuan"]
        reference.set_counter(2**32 - 1000)
        record = await verdict_of(job_of(station, "meter-uji"))
        assert record["verdict"] == "conforming"
        hand = station.simulated_hand(settings.bench[0], settings.bench[0].instrument[1])

        class Clumsy:
            """Switches the counter off for a moment in the middle of a delivery."""

            async def do(self, instruction: object) -> None:
                reference.power_cycle()
                await hand.do(instruction)  # type: ignore[arg-type]

        with pytest.raises(Abandoned, match="counter of meter-acuan was restarted"):
            await events_of(job_of(station, "meter-uji", Clumsy()))
