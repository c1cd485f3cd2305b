"""Certificates between their points: linear, exact, and nothing outside."""

import doctest
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration import calibration_curve
from calibration.calibration_curve import calibrated_at, rounded_exactly
from calibration.refusal import Refused
from calibration.standard import CalibrationPoint, Standard
from calibration.units import Quantity, parse_quantity


def certificate(*rows: tuple[str, str, str | None], whole: str | None = None) -> Standard:
    points = tuple(
        CalibrationPoint(
            parse_quantity(nominal),
            parse_quantity(correction),
            None if u is None else parse_quantity(u),
        )
        for nominal, correction, u in rows
    )
    stated = None if whole is None else parse_quantity(whole)
    return Standard("S", points=points, expanded_uncertainty=stated)


METER = certificate(("10 L/min", "0.1 %", "0.05 %"), ("40 L/min", "0.4 %", "0.08 %"))


def test_the_examples_in_the_docstrings_hold() -> None:
    results = doctest.testmod(calibration_curve)
    assert results.attempted and not results.failed


@pytest.mark.parametrize(
    ("rate", "correction", "u"),
    [
        ("10 L/min", Fraction(1, 10), Fraction(5, 100)),  # a point has its own U
        ("40 L/min", Fraction(4, 10), Fraction(8, 100)),
        ("0.0006 m³/min", None, None),
        ("1.2 m³/h", Fraction(2, 10), Fraction(8, 100)),  # 20 L/min: the larger U of both
        ("39.999 L/min", Fraction(39999, 100_000), Fraction(8, 100)),
        ("9.999 L/min", None, None),
        ("40.001 L/min", None, None),
    ],
)
def test_between_the_points_it_is_linear_and_outside_it_is_nothing(
    rate: str, correction: Fraction | None, u: Fraction | None
) -> None:
    if correction is None:
        with pytest.raises(Refused, match="outside the calibration of standard S"):
            calibrated_at(METER, parse_quantity(rate), relative=True)
        return
    found = calibrated_at(METER, parse_quantity(rate), relative=True)
    assert (found.correction, found.expanded_uncertainty) == (correction, u)


def test_absolute_and_relative_become_one_another() -> None:
    scale = certificate(("50 kg", "0.01 %", "5 g"), ("100 kg", "-20 g", None), whole="0.01 %")
    found = calibrated_at(scale, parse_quantity("75000 g"), relative=False)
    assert found.correction == Fraction(-15, 2)  # (5 g - 20 g)/2
    assert found.expanded_uncertainty == 10  # of the whole standard: 0.01 % of 100 kg
    assert calibrated_at(scale, parse_quantity("100 kg"), relative=True).correction == Fraction(
        -2, 100
    )


def test_without_an_uncertainty_none_is_made_up() -> None:
    bare = certificate(("1 kg", "1 g", None), ("2 kg", "1 g", "1 g"))
    assert (
        calibrated_at(bare, parse_quantity("1.5 kg"), relative=False).expanded_uncertainty is None
    )


def test_what_has_no_points_or_no_percent_is_refused() -> None:
    with pytest.raises(Refused, match="states no points"):
        calibrated_at(Standard("S"), parse_quantity("1 kg"), relative=False)
    with pytest.raises(Refused, match="relative to 0"):
        calibrated_at(certificate(("0 kg", "1 g", None)), parse_quantity("0 kg"), relative=True)
    with pytest.raises(Refused):
        calibrated_at(METER, parse_quantity("20 kg"), relative=True)


@given(
    st.integers(-(10**9), 10**9), st.integers(1, 10**6), st.integers(-9, 3), st.integers(-12, 12)
)
def test_rounding_is_exact_and_within_half_a_digit(
    above: int, below: int, exponent: int, shift: int
) -> None:
    value = Fraction(above, below) * Fraction(10) ** shift
    rounded = rounded_exactly(value, exponent)
    assert abs(Fraction(rounded) - value) <= Fraction(10) ** exponent / 2
    assert rounded.as_tuple().exponent == exponent


@given(st.integers(10, 40), st.sampled_from(["L/min", "L/h", "m³/h"]))
def test_units_never_change_a_correction(rate: int, unit: str) -> None:
    quantity = Quantity(Decimal(rate * 60), "L/h").to(unit)
    found = calibrated_at(METER, quantity, relative=True)
    assert found.correction == Fraction(rate, 100)
