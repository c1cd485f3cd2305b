"""Decimal digits as counts, and back."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.grid import (
    LARGEST_COUNT,
    checked,
    finest_exponent,
    off_grid,
    on_grid,
    plain,
    regrid,
    times,
)
from calibration.refusal import Refused

displayed = st.decimals(-1_000_000, 1_000_000, allow_nan=False, allow_infinity=False, places=6)


@given(st.lists(displayed, max_size=20))
def test_digits_come_back_from_the_grid_unchanged(values: list[Decimal]) -> None:
    exponent = finest_exponent(values)
    assert off_grid(on_grid(values, exponent), exponent) == tuple(values)


@given(st.lists(displayed, max_size=20), st.integers(0, 4))
def test_a_finer_grid_holds_the_same_values(values: list[Decimal], finer: int) -> None:
    counts = regrid(on_grid(values, -6), -6, -6 - finer)
    assert off_grid(counts, -6 - finer) == tuple(values)


@pytest.mark.parametrize(
    ("columns", "exponent"),
    [
        ([["20.3"], ["15.0075", "2"]], -4),
        ([["1.0"], []], -1),
        ([["5E+1"]], 1),
        ([[]], 0),
    ],
)
def test_the_grid_is_the_finest_digit_displayed(columns: list[list[str]], exponent: int) -> None:
    assert finest_exponent(*([Decimal(text) for text in column] for column in columns)) == exponent


@pytest.mark.parametrize(
    ("value", "exponent", "sentence"),
    [
        ("0.05", -1, "between two counts"),
        ("NaN", 0, "64-bit"),
        ("Infinity", 0, "64-bit"),
        ("1E+999999", 0, "64-bit"),
        (str(LARGEST_COUNT + 1), 0, "64-bit"),
        (str(-LARGEST_COUNT - 1), 0, "64-bit"),
        ("9223372036854775808", 0, "64-bit"),
        ("0.123456789012345678901", -21, "64-bit"),
    ],
)
def test_what_is_no_count_is_refused(value: str, exponent: int, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        on_grid([Decimal(value)], exponent)


def test_the_largest_count_is_on_the_grid() -> None:
    assert on_grid([Decimal(LARGEST_COUNT), Decimal(-LARGEST_COUNT)], 0).tolist() == [
        LARGEST_COUNT,
        -LARGEST_COUNT,
    ]


def test_not_a_number_has_no_finest_digit() -> None:
    with pytest.raises(Refused, match="not a number"):
        finest_exponent([Decimal("NaN")])


@pytest.mark.parametrize("count", [LARGEST_COUNT, -LARGEST_COUNT])
def test_a_product_that_leaves_int64_is_refused(count: int) -> None:
    with pytest.raises(Refused, match="64-bit"):
        times(np.array([count]), 2)
    with pytest.raises(Refused, match="64-bit"):
        regrid(np.array([count]), 0, -1)
    with pytest.raises(Refused, match="64-bit"):
        checked(np.array([2 * count]))


def test_the_smallest_int64_is_refused_and_not_taken_for_small() -> None:
    with pytest.raises(Refused, match="64-bit"):
        checked(np.array([np.iinfo(np.int64).min]))


def test_floats_are_no_counts() -> None:
    with pytest.raises(Refused, match="float64"):
        checked(np.array([0.5]))  # type: ignore[arg-type]


def test_a_coarser_grid_is_refused() -> None:
    with pytest.raises(Refused, match="not finer"):
        regrid(np.array([1]), -1, 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [("7.50", "7.5"), ("50.0", "50"), ("5E+1", "50"), ("0.00", "0"), ("-2.5", "-2.5")],
)
def test_trailing_zeros_go_and_exponents_never_come(value: str, text: str) -> None:
    assert str(plain(Decimal(value))) == text
