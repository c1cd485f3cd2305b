"""Air density: published examples, an independent equation of state, and ranges."""

import doctest
import math
from itertools import product
from typing import Any

import GTC
import numpy as np
import pytest

from calibration import air
from calibration.air import (
    EXTENDED,
    RANGES,
    AirFormula,
    air_density,
    air_density_budget,
    unmeasured_air_density,
)
from calibration.component import Component
from calibration.refusal import Refused

CIPM, R111, NIST = AirFormula.CIPM_2007, AirFormula.R111, AirFormula.NIST
MERCURY = 1.33322387415
"""mmHg [hPa]"""


def density(t: float, p: float, h: float, formula: AirFormula = CIPM) -> float:
    return float(air_density(t, p, h, formula=formula).density[0])


def test_nist_sop_2_option_b() -> None:
    found = density(22.3, 748.1 * MERCURY, 37, NIST)
    assert found == pytest.approx(1.17194, abs=1e-5)
    assert found == pytest.approx(1.1719394409482373, rel=1e-9)


def test_r_111_e_3_1() -> None:
    assert density(25, 1013.25, 40, R111) == pytest.approx(1.1787, abs=1e-4)
    assert density(25, 1013.25, 40, R111) == pytest.approx(1.1787459611438862, rel=1e-9)
    assert density(28, 1005, 80, R111) == pytest.approx(1.1498, abs=5e-5)


@pytest.mark.parametrize(
    ("t", "p", "h", "pinned", "humid_air"),
    [
        # The last column: ASHRAE RP-1485 humid air by CoolProp 8.0.0; its dry air is 3.5e-5 denser.
        (20, 1013.25, 50, 1.1993138954744935, 1.1993593),
        (27, 900, 80, 1.0323884875049592, 1.0324255),
        (28, 1005, 80, 1.149735177081294, 1.1497792),
        (33, 1005, 85, 1.1255480383285417, 1.1255922),
        (15, 1013.25, 0, None, 1.2255675),
        (40, 1010, 95, None, 1.0945225),
        (5, 1100, 30, None, 1.3773097),
        (22.3, 997.38478, 37, None, 1.1720424),
    ],
)
def test_cipm_2007_agrees_with_an_independent_equation_of_state(
    t: float, p: float, h: float, pinned: float | None, humid_air: float
) -> None:
    found = density(t, p, h)
    assert found == pytest.approx(humid_air * (1 - 3.6e-5), rel=1.5e-5)
    if pinned is not None:
        assert found == pytest.approx(pinned, rel=1e-9)


@pytest.mark.parametrize("formula", [R111, NIST])
def test_an_approximation_keeps_within_its_uncertainty(formula: AirFormula) -> None:
    t, p, h = np.meshgrid(np.linspace(10, 30, 21), np.linspace(900, 1100, 9), np.linspace(0, 80, 9))
    rows = t.ravel(), p.ravel(), h.ravel()
    difference = air_density(*rows, formula=formula).density / air_density(*rows).density - 1
    assert np.abs(difference).max() < 1.5 * RANGES[formula].relative_uncertainty


def test_carbon_dioxide_makes_air_heavier() -> None:
    # Picard 2008: 1e-4 more CO2 makes air heavier by 4e-5.
    more = air_density(20, 1013.25, 50, carbon_dioxide=0.0005).density[0]
    assert more / density(20, 1013.25, 50) - 1 == pytest.approx(4.1e-5, abs=2e-6)
    with pytest.raises(Refused, match="400 ppm"):
        air_density(20, 1013.25, 50, carbon_dioxide=400)


def bounds(formula: AirFormula) -> Any:
    usable = EXTENDED if formula is CIPM else RANGES[formula]
    return usable.temperature, usable.pressure, usable.humidity


@pytest.mark.parametrize(("formula", "axis", "side"), list(product(AirFormula, range(3), range(2))))
def test_both_sides_of_every_bound_of_every_formula(
    formula: AirFormula, axis: int, side: int
) -> None:
    point = [20.0, 1000.0, 50.0]
    point[axis] = float(bounds(formula)[axis][side])
    assert math.isfinite(density(*point, formula))
    point[axis] += 1e-9 * (1 if side else -1)
    with pytest.raises(Refused, match=f"{formula} holds from"):
        density(*point, formula)


def test_a_pressure_in_pascal_and_what_is_no_number_are_refused() -> None:
    for wrong in (101_325.0, math.nan):
        with pytest.raises(Refused, match="hPa"):
            density(20, wrong, 50)


def test_a_hot_and_humid_room_is_answered_by_cipm_2007_only_and_says_so() -> None:
    for formula in (R111, NIST):
        with pytest.raises(Refused):
            density(33, 1005, 85, formula)
    found = air_density([20.0, 27.0, 27.1, 33.0], 1005.0, 85.0)
    assert found.beyond.tolist() == [False, False, True, True]
    relative = found.formula_uncertainty / found.density
    assert relative == pytest.approx([2.2e-5, 2.2e-5, 1e-4, 1e-4])


@pytest.mark.parametrize("formula", AirFormula)
def test_the_density_of_many_points_is_that_of_each(formula: AirFormula) -> None:
    random = np.random.default_rng(5)
    t, p, h = random.uniform(15, 30, 33), random.uniform(900, 1100, 33), random.uniform(0, 80, 33)
    batch = air_density(t, p, h, formula=formula).density
    each = [density(*point, formula) for point in zip(t, p, h, strict=True)]
    assert batch == pytest.approx(each, rel=1e-15)


def inputs(t: float = 20.0, p: float = 1005.0, h: float = 50.0) -> tuple[Component, ...]:
    return (
        Component("temperature", t, "°C", 0.3),
        Component("pressure", p, "hPa", 1.0),
        Component("humidity", h, "%", 5.0),
    )


def test_sensitivities_are_those_published_for_cipm_2007() -> None:
    budget = air_density_budget(*inputs(20.0, 1013.25, 50.0))
    relative = [float(np.asarray(row.sensitivity).flat[0]) / 1.1993 for row in budget.components]
    assert relative[0] == pytest.approx(-4e-3, rel=0.1)  # per K
    assert relative[1] == pytest.approx(1e-3, rel=0.02)  # per hPa
    assert relative[2] == pytest.approx(-9e-5, rel=0.05)  # per %RH


def test_the_budget_of_e_3_1_agrees_with_gtc() -> None:
    t, p, h = (GTC.ureal(row.value, row.standard_uncertainty) for row in inputs(28.0, 1005.0, 75.0))
    rho = (0.34848 * p - 0.009 * h * GTC.exp(0.061 * t)) / (273.15 + t)
    rho += GTC.ureal(0.0, 2e-4 * rho.x)
    found = air_density_budget(*inputs(28.0, 1005.0, 75.0), formula=R111)
    assert found.expanded_uncertainty().combined[0] == pytest.approx(rho.u, rel=1e-9)


def test_a_density_that_was_not_measured_is_within_ten_percent() -> None:
    found = unmeasured_air_density()
    assert (found.value, found.standard_uncertainty) == (1.2, pytest.approx(0.12 / 3**0.5))


def test_the_examples_in_the_docstrings_hold() -> None:
    results = doctest.testmod(air)
    assert results.attempted > 0
    assert results.failed == 0
