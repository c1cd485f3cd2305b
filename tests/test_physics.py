"""How a simulated scale answers to a load: the laws stated at the top of drivers/physics.py."""

import math
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.physics import ScalePhysics

D = Decimal("0.01")


def scale(**other: Any) -> ScalePhysics:
    return ScalePhysics(**({"max": Decimal(1000), "d": D, "settling_time": 1.0} | other))


def value(physics: ScalePhysics, now: float) -> Decimal:
    return physics.shown(now).value


@pytest.mark.parametrize("clock", [0.0, 5e6])
def test_the_signal_goes_from_the_old_load_to_the_new_one_exponentially(clock: float) -> None:
    physics = scale()
    assert value(physics, clock) == 0
    physics.place(Decimal(100), 0, clock)
    physics_at = {t: value(physics, clock + t) for t in (0.0, 1.0, 2.0, 30.0)}
    assert physics_at == {
        0.0: Decimal("0.00"),
        1.0: Decimal("63.21"),  # 100 (1 - 1/e)
        2.0: Decimal("86.47"),  # 100 (1 - 1/e²)
        30.0: Decimal("100.00"),
    }
    physics.place(Decimal(0), 0, clock + 30)
    assert value(physics, clock + 31) == Decimal("36.79")


def test_a_load_put_on_while_the_signal_moves_starts_where_the_signal_is() -> None:
    physics = scale()
    physics.place(Decimal(100), 0, 0.0)
    physics.place(Decimal(0), 0, 1.0)
    assert value(physics, 1.0) == Decimal("63.21")
    assert value(physics, 2.0) == Decimal("23.25")  # 100 (1 - 1/e)/e


def test_without_settling_time_the_display_jumps() -> None:
    physics = scale(settling_time=0.0)
    physics.place(Decimal(100), 0, 5.0)
    assert value(physics, 5.0) == 100


@pytest.mark.parametrize(
    ("errors", "load", "position", "shown"),
    [
        ({}, "500", 0, "500.00"),
        ({"span_error_ppm": Decimal(100)}, "500", 0, "500.05"),
        ({"span_error_ppm": Decimal(-100)}, "500", 0, "499.95"),
        ({"zero_error": Decimal("0.03")}, "500", 0, "500.03"),
        ({"eccentricity_ppm": [Decimal(0), Decimal(60)]}, "500", 0, "500.00"),
        ({"eccentricity_ppm": [Decimal(0), Decimal(60)]}, "500", 1, "500.03"),
        ({"eccentricity_ppm": [Decimal(0), Decimal(60)]}, "500", 2, "500.00"),
        ({"span_error_ppm": Decimal(100)}, "0", 0, "0.00"),
        ({"d": Decimal(5)}, "502", 0, "500"),
        ({"d": Decimal(5)}, "503", 0, "505"),
        ({"d": Decimal(2)}, "500.999", 0, "500"),
        ({"d": Decimal(2)}, "501.001", 0, "502"),
    ],
)
def test_errors_are_relative_to_the_load_and_zero_is_added(
    errors: dict[str, Any], load: str, position: int, shown: str
) -> None:
    physics = scale(**errors)
    physics.place(Decimal(load), position, 0.0)
    assert str(value(physics, 60.0)) == shown


@pytest.mark.parametrize("load", ["-0.004", "0.004", "0"])
def test_zero_has_no_sign(load: str) -> None:
    physics = scale()
    physics.place(Decimal(load), 0, 0.0)
    assert str(value(physics, 60.0)) == "0.00"


def test_half_an_interval_goes_to_the_even_side() -> None:
    physics = scale(d=Decimal(2))
    for load, shown in ((1, 0), (3, 4), (5, 4), (-1, 0), (-3, -4)):
        physics.place(Decimal(load), 0, 0.0)
        assert value(physics, 60.0) == shown


def test_zero_takes_the_load_away_and_leaves_the_scales_own_error() -> None:
    physics = scale(zero_error=Decimal("0.02"), settling_time=0.0)
    physics.place(Decimal(5), 0, 0.0)
    physics.zero(1.0)
    assert value(physics, 1.0) == Decimal("0.02")
    assert physics.from_first_zero(1.0) == pytest.approx(Decimal("5.02"))
    physics.place(Decimal(15), 0, 2.0)
    assert value(physics, 2.0) == Decimal("10.02")


def test_tare_is_taken_off_the_display_and_off_nothing_else() -> None:
    physics = scale(settling_time=0.0)
    physics.place(Decimal("250.004"), 0, 0.0)
    assert str(physics.tare(1.0)) == str(physics.tared) == "250.00"
    assert (value(physics, 1.0), physics.gross(1.0)) == (0, 250)
    physics.place(Decimal(300), 0, 2.0)
    assert (value(physics, 2.0), physics.gross(2.0)) == (50, 300)
    physics.place(Decimal(0), 0, 3.0)
    assert (value(physics, 3.0), physics.gross(3.0)) == (-250, 0)
    physics.untare()
    assert (value(physics, 3.0), physics.tared) == (0, 0)
    physics.tare(3.0)
    physics.zero(4.0)
    assert physics.tared == 0


@pytest.mark.parametrize("clock", [0.0, 9e6])
def test_drift_counts_from_the_last_zero_and_not_from_the_computers_start(clock: float) -> None:
    physics = scale(drift_per_hour=3.6)
    assert value(physics, clock) == 0
    assert value(physics, clock + 100) == Decimal("0.10")
    assert physics.gross(clock + 100) == Decimal("0.10")
    physics.zero(clock + 100)
    assert value(physics, clock + 100) == 0
    assert value(physics, clock + 150) == Decimal("0.05")
    physics.tare(clock + 150)
    assert value(physics, clock + 150) == 0
    assert value(physics, clock + 160) == Decimal("0.01")


def test_it_is_stable_when_the_signal_moved_less_than_a_quarter_interval_in_the_window() -> None:
    physics = scale(motion_window=0.5)
    physics.place(Decimal(100), 0, 0.0)
    # 100 exp(-t) (e^0.5 - 1) < 0.0025 from t = 10.164 s on
    moved = [physics.stable(t) for t in (0.01, 1.0, 10.16, 10.17, 60.0)]
    assert moved == [False, False, False, True, True]
    assert physics.shown(10.16).stable is False
    assert physics.shown(10.17).stable is True


def test_a_second_load_right_after_a_first_is_not_stable_at_its_begin() -> None:
    """As hands do it: the signal still moves when the next weight is put on."""
    physics = scale(motion_window=0.5)
    physics.place(Decimal(100), 0, 0.0)
    physics.place(Decimal(101), 0, 1.0)
    assert not physics.stable(1.0)
    assert not physics.stable(1.001)


def test_a_load_put_on_and_taken_off_within_the_window_has_moved_the_scale() -> None:
    physics = scale(d=Decimal(1), motion_window=1.0, settling_time=0.1)
    physics.place(Decimal(10), 0, 0.0)
    physics.place(Decimal(0), 0, 0.3)
    assert value(physics, 0.9) == 0
    assert not physics.stable(0.9)
    assert not physics.stable(1.2)
    assert physics.stable(1.7)


changes = st.lists(
    st.tuples(st.floats(0.0, 0.7), st.sampled_from(["0", "0.2", "1", "10"]).map(Decimal)),
    min_size=1,
    max_size=6,
)


@settings(deadline=None)
@given(changes, st.sampled_from([0.0, 0.1, 0.5]), st.floats(0.0, 3.0))
def test_stable_means_that_no_look_into_the_window_would_differ(
    placed: list[tuple[float, Decimal]], settling_time: float, wait: float
) -> None:
    window, d = 1.0, Decimal(1)
    physics = scale(d=d, motion_window=window, settling_time=settling_time)
    now, history = 0.0, [(-math.inf, 0.0, 0.0)]

    def signal(t: float) -> float:
        at, begin, target = next(h for h in reversed(history) if h[0] <= t)
        decay = math.exp(-(t - at) / settling_time) if settling_time and at > -math.inf else 0.0
        return target + (begin - target) * decay

    for pause, load in placed:
        now += pause
        history.append((now, signal(now), float(load)))
        physics.place(load, 0, now)
    now += wait
    looks = [signal(now - window * n / 500) for n in range(501)]
    looks += [begin for at, begin, _ in history if now - window < at <= now]
    moved = max(looks) - min(looks)
    if not math.isclose(moved, 0.25, rel_tol=1e-9):
        assert physics.stable(now) == (moved < 0.25)


@pytest.mark.parametrize("seed", [1, 2])
def test_equal_seeds_give_equal_displays(seed: int) -> None:
    def run(own_seed: int) -> list[Decimal]:
        physics = scale(noise=0.05, seed=own_seed)
        physics.place(Decimal(100), 0, 0.0)
        return [value(physics, n / 10) for n in range(50)]

    assert run(seed) == run(seed)
    assert run(seed) != run(seed + 1)


def test_noise_has_its_standard_deviation_and_looks_at_nothing_else() -> None:
    physics = scale(noise=0.05, seed=3)
    shown = [float(value(physics, float(n))) for n, _ in zip(count(), range(2000), strict=False)]
    mean = sum(shown) / len(shown)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in shown) / (len(shown) - 1))
    assert abs(mean) < 0.005  # 4.5 standard deviations of the mean
    assert deviation == pytest.approx(0.05, rel=0.08)
    assert physics.gross(9.0) == 0


@settings(deadline=None)
@given(
    st.decimals(-1000, 1000, places=4),
    st.sampled_from(["0.001", "0.005", "0.2", "1", "5", "20"]),
)
def test_the_display_shows_the_nearest_multiple_of_d(load: Decimal, interval: str) -> None:
    d = Decimal(interval)
    physics = scale(d=d)
    physics.place(load, 0, 0.0)
    shown = value(physics, 100.0)
    assert shown % d == 0
    assert abs(shown - load) <= d / 2 + Decimal("1e-9")
    assert shown.as_tuple().exponent == d.as_tuple().exponent
