"""Hands on a running instrument: each command moves what it says, and the same day is the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from acquisition.config import Instrument, instrument_settings
from acquisition.day_script import Command, day, understood
from acquisition.faults import BadInput
from acquisition.simulated_controls import Controls, MeterControls, ScaleControls, live
from acquisition.simulated_workshop import SimulatedWorkshop
from calibration.refusal import Refused
from drivers.simulated_faults import Fault
from drivers.simulated_meter import SimulatedMeter
from drivers.simulated_scale import SimulatedScale

pytestmark = pytest.mark.timeout(30)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERA_LANG", "en")


def a_scale(driver: str = "mt-sics", **physics: Any) -> Instrument:
    return instrument_settings(
        name="it",
        port="simulated",
        driver=driver,
        scale={"max": "15 kg", "d": "1 g", "settling_time": 0, **physics},
    )


def a_meter(**physics: Any) -> Instrument:
    return instrument_settings(
        name="it", port="simulated", driver="modbus", map="endress-hauser-promass", meter=physics
    )


@asynccontextmanager
async def working(settings: Instrument) -> AsyncIterator[tuple[Any, Controls]]:
    workshop = SimulatedWorkshop()
    try:
        await workshop.start(settings)
        yield (workshop.scales | workshop.meters)["it"], workshop.controls["it"]
    finally:
        await workshop.stop()


async def tell(controls: Controls, *lines: str) -> None:
    for line in lines:
        await controls.do(understood(line, controls.words), controls.clock())


async def test_a_scale_does_what_it_is_told() -> None:
    async with working(a_scale(eccentricity="0, 200, -200")) as (scale, controls):

        def shown() -> str:
            return str(scale.physics.net(scale.clock()))

        await tell(controls, "load 5 kg")
        assert shown() == "5000"
        await tell(controls, "position 2")
        assert shown() == "4999"
        await tell(controls, "load 10 kg at 1")
        assert shown() == "10002"
        await tell(controls, "add -10 kg")
        assert shown() == "0"
        await tell(controls, "load 100 g", "zero", "load 1.1 kg")
        assert shown() == "1000"
        await tell(controls, "tare", "skip 1 s")
        assert shown() == "0"
        assert controls.state() == "= 0 g · 1100 g"
        await tell(controls, "load 99 kg", "skip 1 s")
        assert controls.state() == "= overload · 99000 g"
        await tell(controls, "load 1.1 kg", "skip 1 s")
        await tell(controls, "fault silence")
        assert controls.state().endswith(" · silence")
        await tell(controls, "recover", "shake 50 g for 3 s")
        assert scale.fault is None
        with scale.clock.at(scale.clock() + 1.5):
            assert not scale.physics.stable(scale.clock())


async def test_time_is_skipped_and_the_room_becomes_warm() -> None:
    async with working(a_scale(creep_ppm=1000, zero_per_kelvin="1 g")) as (scale, controls):
        await tell(controls, "load 10 kg", "skip 30 min")
        assert scale.physics.net(scale.clock()) == 10010
        await tell(controls, "temperature 30 °C", "skip 5 h")
        assert 10019 <= scale.physics.net(scale.clock()) <= 10021


async def test_a_fault_ends_after_its_time_unless_another_has_come() -> None:
    async with working(a_scale(pace=1000)) as (scale, controls):
        await tell(controls, "fault noise for 30 s")
        assert scale.fault is Fault.NOISE
        await asyncio.gather(*controls._tasks)  # type: ignore[attr-defined]
        assert scale.fault is None
        await tell(controls, "fault noise for 30 s", "fault late")
        await asyncio.gather(*controls._tasks)  # type: ignore[attr-defined]
        assert scale.fault is Fault.LATE


async def test_a_meter_does_what_it_is_told() -> None:
    async with working(a_meter(pace=1000, flow_settling_time=0)) as (meter, controls):
        await tell(controls, "flow 30 L/min", "skip 1 min")
        assert meter.physics.total > 30
        await tell(controls, "flow 0 L/min")
        before = meter.physics.total
        await tell(controls, "deliver 20 L at 60 L/min")
        await asyncio.gather(*controls._tasks)  # type: ignore[attr-defined]
        assert meter.physics.total == pytest.approx(before + 20)
        await tell(controls, "deliver 5 L")
        await asyncio.gather(*controls._tasks)  # type: ignore[attr-defined]
        assert meter.physics.total == pytest.approx(before + 25)
        assert controls.state() == f"0.0 L/min · {before + 25:.3f} L"
        await tell(controls, "leak 1 L/min", "temperature 25 °C")
        assert meter.pipe.flow == pytest.approx(0.06)
        assert meter.pipe.temperature == 25
        await tell(controls, "fault sensor")
        assert controls.state().endswith(" · sensor")


async def test_what_cannot_be_done_now_is_refused_in_one_sentence() -> None:
    async with working(a_scale()) as (_, controls):
        with pytest.raises(Refused, match="mt-sics has no checksum"):
            await tell(controls, "fault checksum")
    async with working(a_meter()) as (_, controls):
        with pytest.raises(Refused, match="needs a flow rate"):
            await tell(controls, "deliver 20 L")


DAY = """
0      load 2 kg
+2     load 7 kg at 2
+2     zero
+3     add 0.5 kg
+0.5   shake 5 g for 1 s
+3     load 0 kg
"""


async def test_the_same_day_is_the_same_however_late_the_machine_is() -> None:
    async def lived() -> list[Any]:
        settings = a_scale(
            d="0.1 g",
            pace=200,
            settling_time=1.0,
            overshoot_percent=20,
            creep_ppm=900,
            hysteresis_ppm=300,
            zero_range_percent=100,
            eccentricity="0, 100, 200",
        )
        async with working(settings) as (scale, controls):
            begun = controls.clock()
            await live(controls, day(DAY, controls.words), begun)
            seen = [scale.physics.shown(begun + at / 10) for at in range(250, 600)]
            return [(one.value, one.stable) for one in seen]

    assert await lived() == await lived()


async def test_the_same_day_of_a_meter_is_the_same() -> None:
    text = "0 flow 30 L/min\n+10 flow 12 L/min\n+7.5 flow 0 L/min"

    async def lived() -> float:
        async with working(a_meter(pace=100, repeatability_percent=0.3)) as (meter, controls):
            begun = controls.clock()
            await live(controls, day(text, controls.words), begun)
            with controls.clock.at(begun + 60):
                return float(meter.physics.total)

    assert await lived() == pytest.approx(await lived(), abs=1e-9)


async def test_a_day_ends_with_stop_and_what_comes_later_does_not_happen() -> None:
    async with working(a_scale(pace=1000)) as (scale, controls):
        assert await live(controls, day("0 load 1 kg\n1 stop\n2 load 2 kg", controls.words))
        assert scale.physics.net(scale.clock()) == 1000
        assert not await live(controls, day("0 load 3 kg", controls.words))


async def test_a_station_lets_the_day_of_its_configuration_happen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = a_scale(pace=1000, day="1 load 4 kg\n2 fault noise\n3 fault checksum\n4 recover")
    async with working(settings) as (scale, controls):
        await controls.clock.until(controls.clock() + 100)
        async with asyncio.timeout(5):
            while not caplog.records:
                await asyncio.sleep(0)
        assert scale.fault is Fault.NOISE
        assert "the day of instrument it ended: The protocol mt-sics has no" in caplog.text


@pytest.mark.parametrize(
    ("make", "physics", "place", "said"),
    [
        (a_scale, {"day": "5 lode"}, "scale.day", "line 1: lode is no command"),
        (a_meter, {"day": "5 load 5 kg"}, "meter.day", "load is no command here: flow"),
        (a_scale, {"settling": 1}, "scale.settling", "not known"),
        (a_scale, {"overshoot_percent": 100}, "scale.overshoot_percent", "less than 100"),
        (a_scale, {"noise": "-1 g"}, "scale.noise", "must not be less than 0"),
        (a_scale, {"creep_ppm": "nan"}, "scale.creep_ppm", "finite"),
        (a_scale, {"eccentricity": "0, x"}, "scale.eccentricity", "valid decimal"),
        (a_scale, {"ranges": "15kg:5g,2kg:1g"}, "scale.ranges", "ranges grow"),
        (a_scale, {"ranges": "2kg:5g,15kg:10g"}, "scale.ranges", "d is 1 g and the ranges say 5g"),
        (a_scale, {"ranges": "2kg:1g,10kg:5g"}, "scale.ranges", "max is 15 kg"),
        (a_scale, {"ranges": "2kg"}, "scale.ranges", "no quantity"),
        (a_scale, {"temperature": "300 K/h"}, "scale.temperature", "another kind"),
        (a_meter, {"slip": "1 L"}, "meter.slip", "another kind"),
        (a_meter, {"air_percent": 60}, "meter.air_percent", "less than 60"),
        (a_meter, {"errors": "10 L/min 0.1"}, "meter.errors", "not a unit"),
        (a_meter, {"pulsation": 3}, "meter.pulsation", "not known"),
    ],
)
def test_keys_of_a_simulation_are_checked_and_named(
    make: Any, physics: dict[str, Any], place: str, said: str
) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        make(**physics)
    assert str(caught.value).startswith(place)


async def test_all_that_is_said_of_a_scale_reaches_its_physics() -> None:
    given = {
        "zero_error": "2 g",
        "span_error_ppm": "100",
        "nonlinearity_ppm": "50",
        "slack": "3 g",
        "friction": "1 g",
        "temperature": "30 °C",
        "drift_per_hour": "5 g",
        "vibration": "7 g",
        "overshoot_percent": "25",
        "reading_error": "0.1",
        "pointer_step": "0.2",
        "multiple_range": "true",
        "ranges": "2kg:1g, 15kg:5g",
        "motion_window": "0.7",
    }
    async with working(a_scale(**given)) as (scale, _):
        physics = scale.physics
    assert isinstance(scale, SimulatedScale)
    assert (physics.zero_error, physics.slack, physics.friction, physics.vibration) == (2, 3, 1, 7)
    assert (physics.span_error_ppm, physics.nonlinearity_ppm, physics.drift_per_hour) == (
        100,
        50,
        5,
    )
    assert (physics.temperature, physics.overshoot, physics.motion_window) == (30, Decimal("0.25"), 0.7)  # fmt: skip
    assert physics.ranges == [(2000, 1), (15000, 5)]
    assert physics.multiple_range


async def test_meters_of_one_pipe_share_what_one_says_and_must_not_disagree() -> None:
    workshop = SimulatedWorkshop()
    meters = [
        a_meter().model_copy(update={"name": "a"}),
        a_meter(leak="0.6 L/min", pace=10, temperature="25 °C").model_copy(update={"name": "b"}),
        a_meter(leak="0.6 L/min").model_copy(update={"name": "c"}),
    ]
    try:
        for one in meters:
            await workshop.start(one)
        pipes = {id(meter.pipe) for meter in workshop.meters.values()}
        assert len(pipes) == 1
        pipe = workshop.meters["a"].pipe
        assert (pipe.traits.leak, pipe.temperature, pipe.clock.pace) == (0.036, 25.0, 10.0)
        assert workshop.controls["a"].clock is pipe.clock
        with pytest.raises(BadInput, match=r"pipe pipe disagree on leak: 0.6 L/min and 1 L/min"):
            await workshop.start(a_meter(leak="1 L/min"))
    finally:
        await workshop.stop()


def test_controls_know_their_commands() -> None:
    meter, scale = MeterControls(SimulatedMeter()), a_scale()
    assert scale.scale is not None
    physics = scale.scale.physics()
    of_scale = ScaleControls(SimulatedScale(physics))
    assert "deliver" in meter.words
    assert "load" in of_scale.words
    assert Command("zero") == understood("zero", of_scale.words)
