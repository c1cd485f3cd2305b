"""The laws that every simulated meter and its pipe keep: wear, air, leak, pulsation, counting."""

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.flow_physics import Counter, FlowPhysics, Wear
from drivers.simulated_pipe import SimulatedPipe


class Clock:
    """Time [s] that moves when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def meter(clock: Clock, *, pipe: dict[str, Any] | None = None, **other: Any) -> FlowPhysics:
    """Return a meter in a pipe in which the flow is there at once."""
    made = SimulatedPipe(settling_time=0.0, clock=clock)
    if pipe:
        made.change(**pipe)
    return FlowPhysics(made, **other)


flows = st.floats(0.1, 50)
litres = st.floats(1, 1e5)
days = st.lists(st.tuples(st.floats(0, 50), st.floats(0.1, 500)), min_size=1, max_size=6)
wears = st.builds(
    Wear,
    slip=st.floats(0, 0.5),
    start_flow=st.floats(0, 2),
    air=st.floats(0, 0.3),
    max_flow=st.floats(1, 100),
)
pipes = st.fixed_dictionaries(
    {},
    optional={
        "settling_time": st.floats(0, 2),
        "leak": st.floats(0, 0.1),
        "pulsation": st.floats(0, 1),
        "temperature": st.floats(0, 60),
    },
)


@given(days, wears, pipes, st.integers(0, 99), st.lists(st.floats(0, 1), max_size=4))
def test_what_is_counted_depends_on_seed_and_time_and_not_on_who_looks(
    day: list[tuple[float, float]],
    wear: Wear,
    pipe: dict[str, float],
    seed: int,
    looks: list[float],
) -> None:
    def lived(*, looking: bool) -> list[float]:
        clock, seen = Clock(), []
        physics = meter(clock, pipe=pipe, wear=wear, repeatability=0.1, seed=seed)
        for flow, lasts in day:
            physics.pipe.set_flow(flow)
            begun = clock.now
            for share in sorted(looks) if looking else ():
                clock.now = begun + share * lasts
                assert physics.total >= 0
            clock.now = begun + lasts
            seen.append(physics.total)
        return seen

    assert lived(looking=True) == lived(looking=False)


@given(flows, st.floats(1, 1000), wears, pipes)
def test_a_counter_never_runs_backwards(
    flow: float, lasts: float, wear: Wear, pipe: dict[str, float]
) -> None:
    clock = Clock()
    physics = meter(clock, pipe=pipe, wear=wear)
    seen = []
    for step in range(20):
        clock.now = step * lasts
        physics.pipe.set_flow(flow if step % 3 else 0)
        seen.append(physics.total)
    assert all(after >= before - 1e-9 for before, after in pairwise(seen))


@given(flows, st.floats(0, 0.09))
def test_slip_takes_the_same_flow_from_every_flow_and_so_most_from_the_smallest(
    flow: float, slip: float
) -> None:
    clock = Clock()
    physics = meter(clock, wear=Wear(slip=slip))
    physics.pipe.set_flow(flow)
    clock.now = 3600.0
    assert physics.total == pytest.approx((flow - slip) * 1000)
    assert physics.error(flow) == pytest.approx(-100 * slip / flow)


def test_below_its_starting_flow_a_meter_stands() -> None:
    clock = Clock()
    physics = meter(clock, wear=Wear(start_flow=0.5))
    physics.pipe.set_flow(0.49)
    clock.now = 3600.0
    assert (physics.total, physics.flow) == (0, 0)
    physics.pipe.set_flow(0.51)
    clock.now = 7200.0
    assert physics.total == pytest.approx(510)


@given(st.floats(0.001, 0.3), st.integers(0, 1000))
def test_air_is_counted_as_liquid_and_each_run_has_its_own(air: float, seed: int) -> None:
    clock = Clock()
    physics = meter(clock, wear=Wear(air=air), seed=seed)
    shares = []
    for run in range(6):
        physics.pipe.set_flow(10)
        clock.now = run * 360.0 + 360.0
        shares.append(physics.air)
        counted = physics.total
        physics.pipe.set_flow(0)
        before, clock.now = counted, clock.now
        assert physics.total == before
    assert all(0.5 * air <= share <= 1.5 * air for share in shares)
    assert len(set(shares)) == 6
    assert physics.total == pytest.approx(sum(1000 / (1 - share) for share in shares))


@given(st.floats(0, 0.1), st.floats(1, 1e4))
def test_a_leaking_valve_lets_its_flow_pass_while_it_is_closed(leak: float, lasts: float) -> None:
    clock = Clock()
    physics = meter(clock, pipe={"leak": leak})
    clock.now = lasts
    assert physics.total == pytest.approx(leak / 3.6 * lasts)
    physics.pipe.set_flow(5)
    physics.pipe.set_flow(0)
    assert physics.pipe.flow == leak


async def test_a_delivery_through_a_leaking_valve_is_exact_and_then_it_leaks_on() -> None:
    pipe = SimulatedPipe()
    pipe.change(leak=0.36)  # 0.1 L/s
    before = pipe.volume
    await pipe.deliver(20, 6, within=0.01)
    assert 20 <= pipe.volume - before < 20.2
    assert pipe.flow == 0.36


@given(st.floats(0.01, 1), st.floats(1, 40))
def test_pulsation_moves_the_flow_and_leaves_the_volume_of_a_straight_meter_alone(
    swing: float, flow: float
) -> None:
    clock = Clock()
    pulsation = {"pulsation": swing, "pulsation_frequency": 1.0}
    physics = meter(clock, pipe=pulsation, error_curve=[(0.0, 0.3)])
    physics.pipe.set_flow(flow)
    seen = []
    for n in range(100):
        clock.now = n / 100
        seen.append(physics.flow)
    assert max(seen) == pytest.approx(flow * 1.003 * (1 + swing), rel=1e-3)
    assert min(seen) == pytest.approx(flow * 1.003 * (1 - swing), rel=1e-3, abs=1e-3)
    clock.now = 3600.0
    assert physics.total == pytest.approx(flow * 1003)


@given(st.floats(0.05, 1))
def test_a_bent_error_curve_feels_the_pulsation(swing: float) -> None:
    clock = Clock()
    pulsation = {"pulsation": swing}
    curve = [(q / 10, -0.5 * (q / 100 - 1) ** 2) for q in range(250)]  # a parabola about 10 m³/h
    physics = meter(clock, pipe=pulsation, error_curve=curve)
    physics.pipe.set_flow(10)
    clock.now = 3600.0
    error = (physics.total / 10000 - 1) * 100
    assert error == pytest.approx(-0.5 * swing**2 / 2, abs=2e-4)  # the mean of a (sin)²


@given(litres, litres, st.floats(1, 1e5))
def test_a_totalizer_begins_where_it_is_told_and_at_zero_again(
    start: float, passed: float, rollover: float
) -> None:
    clock = Clock()
    physics = meter(clock, counter=Counter(start=start, rollover=rollover))
    physics.pipe.set_flow(3.6)  # 1 L/s
    clock.now = passed
    away = abs(physics.total - (start + passed) % rollover)
    assert min(away, rollover - away) < 1e-6
    assert 0 <= physics.total < rollover


def test_what_passes_without_power_is_not_counted() -> None:
    clock = Clock()
    physics = meter(clock)
    physics.pipe.set_flow(3.6)
    for on, now in ((False, 10.0), (True, 30.0), (False, 40.0), (True, 50.0)):
        clock.now = now
        physics.switch(on=on)
    physics.pipe.set_flow(7.2)
    clock.now = 60.0
    assert physics.total == pytest.approx(10 + 10 + 20)
    assert physics.pipe.volume == pytest.approx(50 + 20)


def test_above_its_largest_flow_the_indicated_rate_stays_and_the_meter_says_so() -> None:
    clock = Clock()
    physics = meter(clock, wear=Wear(max_flow=20.0))
    for flow, shown, beyond in ((19.0, 19.0, False), (25.0, 20.0, True)):
        physics.pipe.set_flow(flow)
        assert (physics.flow, physics.beyond) == (shown, beyond)
    clock.now = 3600.0
    assert physics.total == pytest.approx(25000)
    assert not math.isinf(physics.flow)


def test_a_pipe_changes_its_ways_while_it_flows() -> None:
    clock = Clock()
    physics = meter(clock, temperature_coefficient=0.1)
    physics.pipe.set_flow(3.6)
    clock.now = 100.0
    physics.pipe.change(temperature=30.0)
    clock.now = 200.0
    assert physics.total == pytest.approx(100 + 101)
    physics.pipe.change(leak=1.8)
    assert physics.pipe.flow == 3.6
    physics.pipe.set_flow(0)
    assert physics.pipe.flow == 1.8
