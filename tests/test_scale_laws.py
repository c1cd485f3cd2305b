"""The laws that every simulated scale keeps: what creep, hysteresis, warmth, ranges and zero do."""

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.physics import ScalePhysics

D = Decimal("0.001")
MAX = 1000
LATER = 60.0
HALF_HOUR = 1800.0


def scale(**other: Any) -> ScalePhysics:
    """Return a scale of 1000 g that shows every milligram at once."""
    return ScalePhysics(**({"max": Decimal(MAX), "d": D, "settling_time": 0.0} | other))


def shows(physics: ScalePhysics, load: float, now: float, position: int = 0) -> float:
    """Place a load and return what is shown at the same moment, noise apart."""
    physics.place(Decimal(load), position, now)
    return float(physics.net(now))


def signal(physics: ScalePhysics, now: float) -> float:
    return float(physics.from_first_zero(now))


loads = st.floats(0, MAX)
ppms = st.floats(-2000, 2000)
TRAITS: dict[str, Any] = {
    "span_error_ppm": ppms,
    "nonlinearity_ppm": ppms,
    "hysteresis_ppm": st.floats(0, 2000),
    "slack": st.floats(0, 20),
    "friction": st.floats(0, 5),
    "zero_error": st.floats(-1, 1),
    "creep_ppm": ppms,
    "zero_return_ppm": ppms,
    "eccentricity_ppm": st.lists(ppms, max_size=4).map(lambda ppm: [0.0, *ppm]),
    "overshoot": st.floats(0, 0.6),
    "settling_time": st.floats(0, 2),
    "temperature": st.floats(0, 40),
    "temperature_drift": st.floats(-5, 5),
    "warm_up": st.floats(0, 15),
    "zero_per_kelvin": st.floats(-0.1, 0.1),
    "span_per_kelvin_ppm": st.floats(-50, 50),
    "drift_per_hour": st.floats(-1, 1),
    "zero_tracking": st.sampled_from([0, 0.5]),
    "vibration": st.floats(0, 5),
    "vibration_every": st.floats(1, 100),
    "noise": st.floats(0, 1),
    "seed": st.integers(0, 2**32),
}
any_traits = st.fixed_dictionaries({}, optional=TRAITS)
days = st.lists(st.tuples(st.floats(0.01, 500), loads, st.integers(0, 4)), min_size=1, max_size=6)


@settings(deadline=None)
@given(any_traits, days)
def test_the_same_day_on_the_same_scale_is_the_same_to_the_last_digit(
    traits: dict[str, Any], day: list[tuple[float, float, int]]
) -> None:
    def lived() -> list[Any]:
        physics, now, seen = scale(**traits), 0.0, []
        for pause, load, position in day:
            now += pause
            physics.place(Decimal(load), position, now)
            seen += [physics.shown(now + pause * part) for part in (0, 0.3, 0.9)]
        return seen

    assert lived() == lived()


@settings(deadline=None)
@given(any_traits, days, st.lists(st.floats(0, 1), max_size=5))
def test_all_but_noise_depends_on_time_and_not_on_who_looks(
    traits: dict[str, Any], day: list[tuple[float, float, int]], looks: list[float]
) -> None:
    def lived(*, looking: bool) -> list[Any]:
        physics, now, seen = scale(**traits), 0.0, []
        physics.net(now)
        for pause, load, position in day:
            for part in sorted(looks) if looking else ():
                physics.shown(now + pause * part)
            now += pause
            physics.place(Decimal(load), position, now)
            seen.append((physics.net(now), physics.stable(now)))
        return seen

    assert lived(looking=False) == lived(looking=True)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            k: v for k, v in TRAITS.items() if k not in ("noise", "eccentricity_ppm", "vibration")
        },
    ),
    st.lists(loads, min_size=2, max_size=8).map(sorted),
)
def test_more_load_never_shows_less_once_it_has_settled(
    traits: dict[str, Any], rising: list[float]
) -> None:
    """Each pair on equal scales, so that time tells nothing."""
    seen = []
    for number in range(len(rising)):
        physics = scale(**traits)
        physics.net(0.0)
        for step, load in enumerate(rising[: number + 1]):
            physics.place(Decimal(load), 0, 1 + step * 1e-6)
        seen.append(physics.net(LATER))
    assert seen == sorted(seen)


@settings(deadline=None)
@given(loads, st.sampled_from([0.001, 0.5, 2.0, 1000.0]), any_traits)
def test_a_scale_twice_as_large_shows_twice_the_load(
    load: float, factor: float, traits: dict[str, Any]
) -> None:
    """Masses scale; relative errors, times and temperatures do not."""
    masses = ("zero_error", "slack", "friction", "zero_per_kelvin", "drift_per_hour", "vibration")
    larger = {k: v * factor if k in masses else v for k, v in traits.items() if k != "noise"}
    one = scale(**{k: v for k, v in traits.items() if k != "noise"})
    other = scale(max=Decimal(str(MAX * factor)), d=D * Decimal(str(factor)), **larger)
    for physics, on in ((one, load), (other, load * factor)):
        physics.net(0.0)
        physics.place(Decimal(on), 1, 1.0)
    at = 3.0
    if not one.zero_tracking:  # which acts or not at half an interval
        assert signal(other, at) == pytest.approx(factor * signal(one, at), rel=1e-9, abs=1e-6)


# ---- settling


@given(st.floats(0.01, 0.8), st.floats(0.05, 3), st.floats(1, MAX))
def test_the_first_swing_goes_too_far_by_the_overshoot_and_no_later_one_further(
    overshoot: float, time: float, load: float
) -> None:
    physics = scale(settling_time=time, overshoot=overshoot)
    physics.net(0.0)
    physics.place(Decimal(load), 0, 0.0)
    half_period = -time * math.log(overshoot)
    top = signal(physics, half_period)
    assert top == pytest.approx(load * (1 + overshoot), rel=1e-6)
    later = [signal(physics, half_period * n / 40) for n in range(1, 400)]
    assert max(later) <= top * (1 + 1e-9)
    assert min(later[40:]) >= load * (1 - overshoot**2) * (1 - 1e-6)
    assert signal(physics, 50 * time) == pytest.approx(load)


@settings(deadline=None)
@given(
    st.floats(0, 0.8),
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.0, 1.0, 10.0])), max_size=5),
    st.floats(0, 3),
)
def test_stable_means_that_no_look_into_the_window_would_differ_swinging_or_not(
    overshoot: float, day: list[tuple[float, float]], wait: float
) -> None:
    physics = scale(
        d=Decimal(1), motion_window=1.0, settling_time=0.3, overshoot=overshoot, creep_ppm=2000
    )
    physics.net(0.0)
    now, cuts = 1.0, [1.0]
    for pause, load in day:
        now += pause
        cuts.append(now)
        physics.place(Decimal(load), 0, now)
    now += wait
    looks = [signal(physics, now - n / 500) for n in range(501)]
    looks += [signal(physics, cut) for cut in cuts if now - 1 < cut <= now]
    moved = max(looks) - min(looks)
    if not math.isclose(moved, 0.25, rel_tol=0.01):
        assert physics.stable(now) == (moved < 0.25)


# ---- creep and zero return (R 76-1:2006, 3.9.4)


@given(loads, st.floats(0, 1000), st.floats(60, 3000))
def test_creep_in_half_an_hour_is_what_is_stated_and_most_of_it_comes_early(
    load: float, creep: float, time: float
) -> None:
    physics = scale(creep_ppm=creep, creep_time=time)
    physics.net(0.0)
    physics.place(Decimal(load), 0, 0.0)
    grown = [signal(physics, minutes * 60.0) - load for minutes in (0, 5, 15, 30)]
    assert grown[0] == pytest.approx(0, abs=1e-9)
    assert grown[3] == pytest.approx(load * creep * 1e-6, abs=1e-6)
    assert grown == sorted(grown)
    assert grown[3] - grown[2] <= grown[3] / 2 + 1e-9


@given(loads, st.floats(0, 1000), st.floats(0, 1000), st.floats(60, 3000))
def test_after_half_an_hour_zero_comes_back_but_for_creep_and_zero_return_and_then_whole(
    load: float, creep: float, residue: float, time: float
) -> None:
    physics = scale(creep_ppm=creep, zero_return_ppm=residue, creep_time=time)
    physics.net(0.0)
    physics.place(Decimal(load), 0, 0.0)
    physics.place(Decimal(0), 0, HALF_HOUR)
    left = signal(physics, HALF_HOUR)
    assert left == pytest.approx(load * (creep + residue) * 1e-6, abs=1e-6)
    fading = [signal(physics, HALF_HOUR + n * time) for n in range(30)]
    assert fading == sorted(fading, reverse=True)
    assert fading[-1] == pytest.approx(0, abs=1e-6)


def test_at_max_the_zero_return_is_not_felt() -> None:
    physics = scale(zero_return_ppm=500)
    assert shows(physics, MAX, 0.0) == float(physics.net(HALF_HOUR)) == MAX


# ---- hysteresis, spring, pointer


@given(st.lists(loads, min_size=1, max_size=12), st.floats(1, 5000))
def test_hysteresis_loops_close_at_their_top_and_at_zero(path: list[float], ppm: float) -> None:
    physics = scale(hysteresis_ppm=ppm)
    top = max(path)
    for load in (top, *path, top):
        shown = shows(physics, load, 0.0)
        assert shown >= float(Decimal(load).quantize(D)) - 0.0011
        assert shown - load <= 3 * ppm * 1e-6 * top + 0.001
    assert shows(physics, top, 0.0) == pytest.approx(top, abs=0.001)
    assert shows(physics, 0, 0.0) == 0


def test_hysteresis_at_half_of_the_top_is_what_is_stated() -> None:
    physics = scale(hysteresis_ppm=100)
    up = shows(physics, 400, 0.0)
    shows(physics, 800, 0.0)
    assert shows(physics, 400, 0.0) - up == pytest.approx(100e-6 * 800)


def test_a_worn_spring_loses_the_first_grams_and_its_pointer_sticks() -> None:
    physics = scale(slack=4, friction=1)
    assert [shows(physics, load, 0.0) for load in (3, 5, 100)] == [0, 0, 95]
    assert shows(physics, 99, 0.0) == 95  # sticks
    assert shows(physics, 50, 0.0) == 47
    assert shows(physics, 0, 0.0) == 1


@given(st.floats(1, MAX - 1), st.floats(-3000, 3000))
def test_a_bent_characteristic_is_right_at_zero_and_max_and_most_wrong_between(
    load: float, ppm: float
) -> None:
    physics = scale(nonlinearity_ppm=ppm)
    assert shows(physics, MAX, 0.0) == MAX
    assert shows(physics, MAX / 2, 0.0) - MAX / 2 == pytest.approx(ppm * 1e-6 * MAX, abs=0.001)
    assert abs(shows(physics, load, 0.0) - load) <= abs(ppm) * 1e-6 * MAX + 0.001


@given(loads, st.lists(ppms, min_size=1, max_size=4))
def test_eccentricity_is_nothing_at_the_centre_and_proportional_elsewhere(
    load: float, ppm: list[float]
) -> None:
    physics = scale(eccentricity_ppm=[0.0, *ppm])
    centre = scale()
    assert shows(physics, load, 0.0) == shows(centre, load, 0.0)
    for position, error in enumerate(ppm, 1):
        shown = shows(physics, load, 0.0, position)
        assert shown == pytest.approx(load * (1 + error * 1e-6), abs=0.001)


def test_a_reader_interpolates_and_errs_once_for_each_load() -> None:
    dial = {"d": Decimal(10), "pointer_step": Decimal("0.2"), "reading_error": Decimal("0.3")}
    physics, again, other = scale(**dial), scale(**dial), scale(**dial, seed=2)
    read = [shows(physics, 500, 0.0) for _ in range(40)]
    assert all(value % 2 == 0 for value in read)
    assert len(set(read)) > 3
    assert {float(physics.net(t)) for t in (1.0, 2.0, 3.0)} == {read[-1]}
    assert read == [shows(again, 500, 0.0) for _ in range(40)]
    assert read != [shows(other, 500, 0.0) for _ in range(40)]
    mean = sum(read) / len(read)
    assert abs(mean - 500) < 3 * 3 / math.sqrt(40) + 0.5


# ---- ranges


RANGES = {"ranges": [(Decimal(200), Decimal("0.5")), (Decimal(MAX), Decimal(2))], "d": Decimal("0.5")}  # fmt: skip


@pytest.mark.parametrize(
    ("multiple", "path"),
    [
        (False, [("100.3", "100.5"), ("201.2", "202.0"), ("100.3", "100.5"), ("0", "0.0")]),
        (True, [("100.3", "100.5"), ("201.2", "202.0"), ("100.3", "100.0"), ("0", "0.0"), ("100.3", "100.5")]),
    ],
)  # fmt: skip
def test_an_interval_follows_the_load_and_a_range_stays_until_the_receptor_is_empty(
    multiple: bool, path: list[tuple[str, str]]
) -> None:
    physics = scale(**RANGES, multiple_range=multiple)
    for load, shown in path:
        physics.place(Decimal(load), 0, 0.0)
        assert str(physics.net(0.0)) == shown


def test_a_multi_interval_scale_follows_the_net_load() -> None:
    physics = scale(**RANGES)
    physics.place(Decimal(500), 0, 0.0)
    physics.tare(0.0)
    physics.place(Decimal("600.3"), 0, 0.0)
    assert str(physics.net(0.0)) == "100.5"
    assert str(physics.gross(0.0)) == "600.0"


# ---- zero


def test_zero_tracking_follows_slow_drift_and_leaves_a_load_alone() -> None:
    tracking = scale(d=Decimal("0.1"), drift_per_hour=1, zero_tracking=0.5)
    plain = scale(d=Decimal("0.1"), drift_per_hour=1)
    for physics in (tracking, plain):
        physics.net(0.0)
    assert (tracking.net(3600.0), plain.net(3600.0)) == (0, 1)
    assert shows(tracking, 100, 3600.0) == 100
    assert tracking.net(7200.0) == 101  # a load on it: what drifts is seen
    assert shows(tracking, 0.04, 7200.0) == pytest.approx(1.0)


def test_zero_tracking_takes_a_load_away_that_grows_slower_than_half_an_interval_a_second() -> None:
    """Which is why R 76 limits it."""
    physics = scale(d=Decimal(1), zero_tracking=0.5)
    physics.net(0.0)
    for step in range(1, 40):
        physics.place(Decimal(step * 0.3), 0, step * 1.0)
    assert physics.net(41.0) == 0
    assert signal(physics, 41.0) == pytest.approx(11.7)
    for step in range(40, 100):
        physics.place(Decimal(step * 0.3), 0, step * 1.0)
    assert physics.net(101.0) > 8  # no more than 2 % of Max away from the first zero


@pytest.mark.parametrize(
    ("load", "shown", "done"), [(99, 0, True), (-99, 0, True), (101, 101, False), (0, 0, True)]
)
def test_at_power_on_a_zero_within_ten_percent_of_max_is_set_and_no_other(
    load: int, shown: int, done: bool
) -> None:
    physics = scale()
    physics.place(Decimal(3), 0, 0.0)
    physics.zero(1.0)
    physics.tare(2.0)
    physics.place(Decimal(load), 0, 3.0)
    assert physics.power_on(4.0) is done
    assert physics.net(4.0) == shown
    assert physics.tared == 0


# ---- temperature


def test_a_cold_scale_drifts_while_it_warms_up_and_then_stands() -> None:
    physics = scale(warm_up=8, warm_up_time=600, zero_per_kelvin=Decimal("0.01"))
    seen = [float(physics.net(minutes * 60.0)) for minutes in (0, 10, 60, 600, 601)]
    assert seen == [0, 0.051, 0.08, 0.08, 0.08]
    physics.power_on(36060.0)
    assert float(physics.net(36060.0)) == 0
    assert float(physics.net(36660.0)) == 0.051


def test_span_follows_the_room_slowly() -> None:
    physics = scale(span_per_kelvin_ppm=10, warm_up_time=600)
    assert shows(physics, MAX, 0.0) == MAX
    physics.change_room(30.0, 100.0)
    assert float(physics.net(100.0)) == MAX
    assert float(physics.net(700.0)) == pytest.approx(1000.063)
    assert float(physics.net(20000.0)) == pytest.approx(1000.1)


def test_a_room_that_drifts_moves_the_zero() -> None:
    physics = scale(temperature=25, temperature_drift=2, zero_per_kelvin=1)
    assert [float(physics.net(hours * 3600.0)) for hours in (0, 1, 2)] == [0, 2, 4]
    physics.change_room(25.0, 7200.0)
    assert float(physics.net(7200.0)) == 4


# ---- vibration


def test_one_truck_in_each_stretch_of_time_shakes_the_scale_and_it_says_so() -> None:
    physics = scale(d=Decimal("0.1"), vibration=2, vibration_every=20, vibration_lasts=4)
    physics.net(0.0)
    stable = [physics.stable(n / 10) for n in range(20, 2000)]
    assert 10 / 200 < 1 - sum(stable) / len(stable) < 50 / 200
    moved = [abs(signal(physics, n / 100)) for n in range(200, 20000)]
    assert 1.5 < max(moved) <= 2
    seconds = {n // 2000 for n, m in enumerate(moved) if m > 1}
    assert seconds >= set(range(9))


def test_a_truck_that_is_sent_shakes_the_scale_for_its_time() -> None:
    physics = scale(d=Decimal("0.1"))
    physics.shake(Decimal(5), 2.0, 10.0)
    assert [physics.stable(t) for t in (9.9, 10.5, 11.9, 12.2)] == [True, False, False, True]
    assert max(abs(signal(physics, 10 + n / 100)) for n in range(200)) > 4
    assert signal(physics, 12.0) == 0
