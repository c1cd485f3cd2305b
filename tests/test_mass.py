"""Conventional mass, buoyancy and weighing cycles."""

import doctest
import math
from fractions import Fraction

import GTC
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration import mass
from calibration.component import Component
from calibration.mass import (
    aba_differences,
    abba_differences,
    buoyancy_correction,
    buoyancy_variance,
    comparison_budget,
    conventional_mass,
    mass_of_conventional,
    series_differences,
)
from calibration.refusal import Refused


@pytest.mark.parametrize(
    ("density", "published", "pinned"),
    [
        (7950, 0.99999905646, 0.9999990564622429),
        (2700, 0.99970551138, 0.9997055113822628),
        (21500, 1.00009420018, 1.000094200176538),
        (8000, 1.0, 1.0),
    ],
)
def test_conventional_mass_of_a_kilogram(density: float, published: float, pinned: float) -> None:
    found = float(conventional_mass(1.0, density))
    assert found == pytest.approx(published, abs=1e-10)
    assert found == pytest.approx(pinned, rel=1e-9)
    assert float(mass_of_conventional(found, density)) == pytest.approx(1, rel=1e-15)


@pytest.mark.parametrize("density", [499.9, 25_001, 7.95, math.nan])
def test_a_density_that_no_weight_has_is_refused(density: float) -> None:
    for convert in (conventional_mass, mass_of_conventional):
        with pytest.raises(Refused, match="no density of a weight"):
            convert(1.0, [8000.0, density])


@given(st.floats(1.0, 1.3), st.floats(2000, 22_000), st.floats(7000, 9000))
def test_the_correction_is_what_an_exact_weighing_in_air_needs(
    air: float, test: float, reference: float
) -> None:
    """Two weights of equal conventional mass differ on the balance by minus the correction."""
    m_t = float(mass_of_conventional(1.0, test))
    m_r = float(mass_of_conventional(1.0, reference))
    weighed = (m_t * (1 - air / test) - m_r * (1 - air / reference)) / (1 - 1.2 / 8000)
    correction = float(buoyancy_correction(1.0, air, test, reference))
    assert correction == pytest.approx(-weighed, rel=2e-3, abs=1e-15)


def test_in_conventional_air_nothing_is_corrected() -> None:
    assert buoyancy_correction([1.0, 20.0], 1.2, 2700.0, 8000.0).tolist() == [0, 0]
    assert buoyancy_correction(1.0, 1.1, 8000.0, 8000.0) == 0
    for wrong in (0.0, 12.0, math.nan):
        with pytest.raises(Refused, match="no density of air"):
            buoyancy_correction(1.0, wrong, 8000.0, 8000.0)


MG, DENSITY = "mg", "kg/m³"
ROWS = (
    Component("reference", 1e6, MG, 0.25),
    Component("difference", 1.2, MG, 0.1, dof=5.0),
    Component("air density", 1.15, DENSITY, 0.01),
    Component("density of the test weight", 7950.0, DENSITY, 70.0),
    Component("density of the reference", 8010.0, DENSITY, 15.0),
)


def test_the_budget_of_a_comparison_agrees_with_gtc_and_with_r_111() -> None:
    budget = comparison_budget(*ROWS, further=(Component("drift", 0.0, MG, 0.05),))
    mcr, delta, air, test, reference, drift = (
        GTC.ureal(row.value, row.standard_uncertainty, row.dof)
        for row in (*ROWS, Component("drift", 0.0, MG, 0.05))
    )
    wanted = mcr * (1 + (air - 1.2) * (1 / test - 1 / reference)) + delta + drift
    found = budget.expanded_uncertainty()
    assert np.asarray(budget.value)[0] == pytest.approx(wanted.x, rel=1e-15)
    assert found.combined[0] == pytest.approx(wanted.u, rel=1e-9)
    assert found.dof[0] == pytest.approx(wanted.df, rel=1e-9)
    variance = float(buoyancy_variance(1e6, 1.15, 0.01, 7950.0, 70.0, 8010.0, 15.0))
    of_buoyancy = sum(
        float(np.asarray(row.sensitivity).flat[0] * row.standard_uncertainty) ** 2
        for row in budget.components[2:5]
    )
    assert variance == pytest.approx(of_buoyancy, rel=1e-9)


def test_the_air_of_the_reference_s_own_calibration_never_makes_a_budget_smaller() -> None:
    terms = (1e6, 1.15, 0.01, 7950.0, 70.0, 8010.0, 15.0)
    without = buoyancy_variance(*terms[:-1], 0.0)
    assert buoyancy_variance(*terms, calibration_air_density=1.15) == without
    opposite = buoyancy_variance(*terms, calibration_air_density=1.25)
    assert opposite > buoyancy_variance(*terms) > without


def test_a_comparison_in_no_air_is_refused() -> None:
    for place, wrong in ((2, 1150.0), (3, 8.0), (4, 8.0)):
        rows = list(ROWS)
        rows[place] = Component("wrong", wrong, DENSITY, 1.0)
        with pytest.raises(Refused, match="no density"):
            comparison_budget(*rows)


counts = st.integers(-(10**9), 10**9)


@given(st.lists(st.tuples(counts, counts, counts), min_size=1, max_size=8), st.integers(1, 5))
def test_linear_drift_leaves_no_trace_in_any_cycle(
    rows: list[tuple[int, int, int]], weights: int
) -> None:
    """Reference r, difference d, drift per weighing s: only d is left."""
    r, d, s = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    for kind, pattern in (
        (abba_differences, "ABBA"),
        (aba_differences, "ABA"),
        (series_differences, "A" + "B" * weights + "A"),
    ):
        shown = np.stack([r + i * s + d * (weight == "B") for i, weight in enumerate(pattern)], 1)
        found = kind(shown)
        of_each = found.counts.reshape(len(rows), -1)
        assert (of_each == found.divisor * d[:, None]).all()
        assert found.mean() == (Fraction(int(d.sum()), len(rows)),) * of_each.shape[1]
        assert found.values(-3) == pytest.approx(
            np.broadcast_to(d[:, None] * 1e-3, of_each.shape).reshape(found.counts.shape)
        )
        for i in range(len(rows)):
            assert (kind(shown[i : i + 1]).counts == found.counts[i : i + 1]).all()


def test_differences_of_displayed_digits_are_exact() -> None:
    cycles = np.array([[100000, 100015, 100016, 100001], [100001, 100016, 100017, 100003]])
    found = abba_differences(cycles)
    assert (found.counts.tolist(), found.divisor) == ([30, 29], 2)
    assert found.mean() == (Fraction(59, 4),)


def test_what_is_no_cycle_is_refused() -> None:
    for kind in (abba_differences, aba_differences, series_differences):
        for wrong in (np.zeros((2, 2), dtype=np.int64), np.zeros(4, dtype=np.int64)):
            with pytest.raises(Refused, match="cycle"):
                kind(wrong)
    with pytest.raises(Refused, match="cycles"):
        abba_differences(np.zeros((2, 4)))  # type: ignore[arg-type]
    with pytest.raises(Refused, match="needs a cycle"):
        aba_differences(np.zeros((0, 3), dtype=np.int64))
    with pytest.raises(Refused, match="64-bit"):
        aba_differences(np.full((1, 3), 2**59))


def test_the_examples_in_the_docstrings_hold() -> None:
    results = doctest.testmod(mass)
    assert results.attempted > 0
    assert results.failed == 0
