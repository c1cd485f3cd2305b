"""Water density: the table of Tanaka, IAPWS-95 beside it, and ranges."""

import doctest
import math

import GTC
import numpy as np
import pytest

from calibration import water
from calibration.component import Component
from calibration.refusal import Refused
from calibration.water import FORMULA_UNCERTAINTY, water_density, water_density_budget


@pytest.mark.parametrize(
    ("t", "published", "pinned"),
    [
        (4, 999.9749, 999.9749477037103),
        (20, 998.2067, 998.2067455596167),
        (25, 997.0470, 997.047021671824),
        (30, 995.6488, 995.6487971840886),
    ],
)
def test_table_of_tanaka(t: float, published: float, pinned: float) -> None:
    found = float(water_density(t))
    assert found == pytest.approx(published, abs=1e-4)
    assert found == pytest.approx(pinned, rel=1e-9)


@pytest.mark.parametrize(
    ("t", "iapws"),
    [
        # iapws 1.5.5, IAPWS-95 at 0.101325 MPa
        (0, 999.843086),
        (4, 999.974869),
        (10, 999.70247),
        (15, 999.102621),
        (20, 998.20715),
        (25, 997.047637),
        (28, 996.235952),
        (30, 995.649454),
        (35, 994.033315),
        (40, 992.216353),
    ],
)
def test_the_table_agrees_with_iapws_95(t: float, iapws: float) -> None:
    assert float(water_density(t)) == pytest.approx(iapws, rel=1.2e-6)


@pytest.mark.parametrize(
    ("t", "bar", "ratio"), [(20, 5, 1.0001828797926362), (30, 10, 1.0004019454888189)]
)
def test_pressure_compresses_as_in_iapws_95(t: float, bar: float, ratio: float) -> None:
    found = float(water_density(t, pressure=bar * 1000) / water_density(t))
    assert found == pytest.approx(ratio, abs=1.5e-6)


def test_air_makes_water_lighter() -> None:
    change = water_density([0.0, 20.0, 25.0], air_saturated=True) - water_density([0.0, 20.0, 25.0])
    assert change == pytest.approx([-0.004612, -0.002492, -0.001962], abs=1e-9)


@pytest.mark.parametrize(
    ("t", "air_saturated"),
    [(-1e-9, False), (40.000001, False), (25.000001, True), (math.nan, False)],
)
def test_outside_the_table_there_is_no_density(t: float, air_saturated: bool) -> None:
    with pytest.raises(Refused, match="density of water is known"):
        water_density([20.0, t], air_saturated=air_saturated)


@pytest.mark.parametrize("pressure", [-1.0, 101_325.0, math.nan])
def test_a_pressure_that_no_pipe_has_is_refused(pressure: float) -> None:
    with pytest.raises(Refused, match="hPa"):
        water_density(20.0, pressure=pressure)


def test_the_density_of_many_points_is_that_of_each() -> None:
    t = np.linspace(0, 40, 57)
    assert water_density(t).tolist() == [float(water_density(one)) for one in t]


@pytest.mark.parametrize("pressure", [1013.25, 5000.0])
def test_the_budget_agrees_with_gtc(pressure: float) -> None:
    t = GTC.ureal(28.0, 0.1)
    rho = (
        999.974950
        * (1 - (t - 3.983035) ** 2 * (t + 301.797) / (522528.9 * (t + 69.34881)))
        * (1 + (50.74 - 0.326 * t + 0.00416 * t * t) * 1e-11 * (pressure - 1013.25) * 100)
    )
    rho += GTC.ureal(0.0, FORMULA_UNCERTAINTY)
    budget = water_density_budget(Component("water", 28.0, "°C", 0.1), pressure=pressure)
    assert np.asarray(budget.value)[0] == pytest.approx(rho.x, rel=1e-12)
    assert budget.expanded_uncertainty().combined[0] == pytest.approx(rho.u, rel=1e-9)


def test_the_examples_in_the_docstrings_hold() -> None:
    results = doctest.testmod(water)
    assert results.attempted > 0
    assert results.failed == 0
