"""Errors of indication, exactly."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.error import (
    corrected_error,
    indication_before_rounding,
    measurement_error,
    relative_error_percent,
    relative_limit,
    weighing_exponent,
)
from calibration.grid import LARGEST_COUNT, off_grid, on_grid
from calibration.refusal import Refused


def test_worked_example_of_r76_a_4_4_3() -> None:
    e, load, indication, added, zero = (Decimal(x) for x in ("5", "1000", "1000", "1.5", "0.5"))
    exponent = weighing_exponent(e, [load, indication, added, zero])
    (interval,) = on_grid([e], exponent).tolist()
    before = indication_before_rounding(
        on_grid([indication], exponent), on_grid([added], exponent), interval
    )
    error = measurement_error(before, on_grid([load], exponent))
    corrected = corrected_error(error, on_grid([zero], exponent))
    assert off_grid(before, exponent) == (Decimal(1001),)
    assert off_grid(error, exponent) == (Decimal(1),)
    assert off_grid(corrected, exponent) == (Decimal("0.5"),)


@pytest.mark.parametrize(("e", "exponent"), [("5", -1), ("2", 0), ("1", -1), ("0.05", -3)])
def test_the_grid_of_a_weighing_holds_half_an_interval(e: str, exponent: int) -> None:
    assert weighing_exponent(Decimal(e)) == exponent
    (count,) = on_grid([Decimal(e)], exponent).tolist()
    assert count % 2 == 0


def test_an_interval_without_a_half_on_the_grid_is_refused() -> None:
    with pytest.raises(Refused, match="finer"):
        indication_before_rounding(np.array([10]), np.array([1]), 5)


@pytest.mark.parametrize("side", [LARGEST_COUNT, -LARGEST_COUNT])
def test_a_difference_past_the_grid_is_refused(side: int) -> None:
    with pytest.raises(Refused, match="64-bit"):
        measurement_error(np.array([side]), np.array([-side]))


displayed = st.decimals(0, 10_000, allow_nan=False, places=3)


@given(st.lists(st.tuples(displayed, displayed), min_size=1, max_size=10))
def test_an_error_added_to_its_reference_is_the_indication(
    pairs: list[tuple[Decimal, Decimal]],
) -> None:
    indications, references = zip(*pairs, strict=True)
    error = off_grid(measurement_error(on_grid(indications, -3), on_grid(references, -3)), -3)
    assert [r + x for r, x in zip(references, error, strict=True)] == list(indications)


@given(displayed, st.sampled_from(["0.3", "0.5", "1.0", "2.5", "0.12", "1"]))
def test_a_limit_in_percent_is_exact_on_a_finer_grid(volume: Decimal, percent: str) -> None:
    counts, exponent = relative_limit(Decimal(percent), on_grid([volume], -3), -3)
    assert off_grid(counts, exponent) == (Decimal(percent) * volume / 100,)


def test_a_relative_error_is_rounded_for_print_only() -> None:
    assert relative_error_percent(Decimal("0.05"), Decimal(10), 2) == Decimal("0.50")
    assert relative_error_percent(Decimal(1), Decimal(3)) == Decimal("33.333")
    with pytest.raises(Refused, match="relative to 0"):
        relative_error_percent(Decimal(1), Decimal(0))
