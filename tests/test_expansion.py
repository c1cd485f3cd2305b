"""Thermal expansion and gravimetric volume."""

import doctest
import math
from dataclasses import replace

import GTC
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration import expansion
from calibration.component import Component
from calibration.expansion import (
    at_reference_temperature,
    at_temperature,
    gravimetric_volume,
    gravimetric_volume_budget,
    volume_at_meter,
)
from calibration.refusal import Refused
from calibration.water import FORMULA_UNCERTAINTY, water_density


def test_a_test_measure_is_larger_when_warm() -> None:
    # 20 L of steel, 4.77e-5 /°C, 3 °C above its reference temperature: 2.862 mL more.
    found = float(at_temperature(20_000.0, 4.77e-5, 31.0, reference_temperature=28.0))
    assert found == pytest.approx(20_002.862, rel=1e-12)


def test_the_reference_temperature_is_that_of_the_standard() -> None:
    at = [15.0, 20.0, 28.0]
    found = at_temperature(20_000.0, 4.77e-5, 28.0, reference_temperature=at)
    assert found == pytest.approx([20_012.402, 20_007.632, 20_000.0], rel=1e-12)
    with pytest.raises(TypeError):
        at_temperature(20_000.0, 4.77e-5, 28.0)  # type: ignore[call-arg]


def test_a_steel_tape_of_ten_metres() -> None:
    found = float(at_reference_temperature(10.001150, 11.5e-6, 30.0, reference_temperature=20.0))
    assert found == pytest.approx(10.0, rel=1e-12)


@given(st.floats(0.001, 1e4), st.floats(0, 1.2e-3), st.floats(0, 40), st.floats(0, 40))
def test_there_and_back_is_where_it_was(v: float, gamma: float, t: float, ref: float) -> None:
    warm = at_temperature(v, gamma, t, reference_temperature=ref)
    back = at_reference_temperature(warm, gamma, t, reference_temperature=ref)
    assert float(back) == pytest.approx(v, rel=1e-15)


def test_petrol_that_cools_on_its_way_from_the_measure_to_the_meter() -> None:
    found = volume_at_meter(20.0, 4.77e-5, 30.0, 1.2e-3, 29.5, reference_temperature=28.0)
    assert float(found) == pytest.approx(20 * (1 + 4.77e-5 * 2) * (1 - 1.2e-3 * 0.5), rel=1e-15)
    same = volume_at_meter(20.0, 4.77e-5, 30.0, 1.2e-3, 30.0, reference_temperature=28.0)
    assert same == at_temperature(20.0, 4.77e-5, 30.0, reference_temperature=28.0)


@pytest.mark.parametrize(
    ("coefficient", "t", "reference", "sentence"),
    [
        (4.77e-5, -0.1, 20.0, "no temperature of a measure"),
        (4.77e-5, 60.1, 20.0, "no temperature of a measure"),
        (4.77e-5, 28.0, 293.15, "no temperature of a measure"),
        (4.77e-5, math.nan, 20.0, "no temperature of a measure"),
        (0.0477, 28.0, 20.0, "per °C"),
        (math.nan, 28.0, 20.0, "per °C"),
    ],
)
def test_a_mistake_of_unit_is_refused(
    coefficient: float, t: float, reference: float, sentence: str
) -> None:
    for move in (at_temperature, at_reference_temperature):
        with pytest.raises(Refused, match=sentence):
            move(20.0, coefficient, t, reference_temperature=reference)


def test_the_volume_of_weighed_water() -> None:
    """ISO 4787 gives factors Z: at 20 °C and 1013 hPa 1 g of balance reading is 1.0029 mL."""
    z = gravimetric_volume(
        1e-3, float(water_density(20.0)), 1.1993, 8000.0, 9.9e-6, 20.0, reference_temperature=20.0
    )
    assert float(z) * 1e6 == pytest.approx(1.0029, abs=5e-5)
    z = gravimetric_volume(
        1e-3, float(water_density(25.0)), 1.1787, 8000.0, 9.9e-6, 25.0, reference_temperature=20.0
    )
    assert float(z) * 1e6 == pytest.approx(1.0039, abs=6e-5)


def test_the_volumes_of_many_are_those_of_each() -> None:
    t = np.linspace(15, 32, 19)
    fixed = (1.18, 8000.0, 4.77e-5)
    batch = gravimetric_volume(
        np.linspace(1, 20, 19), water_density(t), *fixed, t, reference_temperature=28.0
    )
    for i in range(19):
        one = gravimetric_volume(
            np.linspace(1, 20, 19)[i], water_density(t[i]), *fixed, t[i], reference_temperature=28.0
        )
        assert one == batch[i]


ROWS = (
    Component("balance difference", 19.9, "kg", 2e-4, dof=9.0),
    Component("temperature", 29.0, "°C", 0.1),
    Component("water", 0.05, "kg/m³", 0.01),
    Component("air density", 1.15, "kg/m³", 0.002),
    Component("density of the weights", 8000.0, "kg/m³", 30.0),
    Component("expansion", 4.77e-5, "1/°C", 2.5e-6),
)


def test_the_gravimetric_budget_agrees_with_gtc() -> None:
    """The temperature enters twice, by the water and by the measure, and is counted once."""
    m, t, delta, air, weights, gamma = (
        GTC.ureal(row.value, row.standard_uncertainty, row.dof) for row in ROWS
    )
    water = 999.974950 * (1 - (t - 3.983035) ** 2 * (t + 301.797) / (522528.9 * (t + 69.34881)))
    water += delta + GTC.ureal(0.0, FORMULA_UNCERTAINTY)
    wanted = m * (1 - air / weights) / (water - air) * (1 - gamma * (t - 28.0))
    wanted += GTC.ureal(0.0, 1e-7)
    budget = gravimetric_volume_budget(
        *ROWS, reference_temperature=28.0, further=(Component("meniscus", 0.0, "m³", 1e-7),)
    )
    found = budget.expanded_uncertainty()
    assert np.asarray(budget.value)[0] == pytest.approx(wanted.x, rel=1e-12)
    assert found.combined[0] == pytest.approx(wanted.u, rel=1e-9)
    assert found.dof[0] == pytest.approx(wanted.df, rel=1e-9)


@pytest.mark.parametrize(
    ("place", "wrong", "sentence"),
    [
        (1, 41.0, "density of water is known"),
        (2, -200.0, "one of these densities"),
        (3, 1150.0, "one of these densities"),
        (4, 8.0, "one of these densities"),
        (5, 0.05, "per °C"),
    ],
)
def test_a_weighing_that_cannot_be_is_refused(place: int, wrong: float, sentence: str) -> None:
    rows = list(ROWS)
    rows[place] = replace(rows[place], value=wrong)
    with pytest.raises(Refused, match=sentence):
        gravimetric_volume_budget(*rows, reference_temperature=20.0)


def test_the_examples_in_the_docstrings_hold() -> None:
    results = doctest.testmod(expansion)
    assert results.attempted > 0
    assert results.failed == 0
