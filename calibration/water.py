"""Density of water from its temperature.

Knows the table of Tanaka for pure, air-free water, with air and pressure as corrections. Refuses
temperatures outside the table, and to know the water itself: a tap's dissolved solids and isotopes
are the caller's component (100 g/m³ and more).
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.component import Component
from calibration.distributions import Floats
from calibration.refusal import Refused
from calibration.uncertainty import Budget, Model, propagate

NORMAL_PRESSURE = 1013.25
"""[hPa] to which the table belongs."""
FORMULA_UNCERTAINTY = 4.5e-4
"""Standard uncertainty of the table [kg/m³]: 0.9 g/m³ with k = 2 (Tanaka 2001; EURAMET cg-19)."""
RANGE = (0.0, 40.0)
"""[°C] of the table."""
AIR_SATURATED_RANGE = (0.0, 25.0)
"""[°C] of the correction for dissolved air."""


def water_density(
    temperature: ArrayLike,
    *,
    air_saturated: bool = False,
    pressure: ArrayLike = NORMAL_PRESSURE,
) -> Floats:
    """Find the density of water: ρ = a5 (1 - (t + a1)² (t + a2)/(a3 (t + a4))).

    ``temperature`` t [°C] (ITS-90), 0 to 40; ``air_saturated``: add s0 + s1 t for water in contact
    with air, 0 to 25 °C (above it, count 0 to -2 g/m³ as a component); ``pressure`` p [hPa], 0 to
    20 000: times 1 + (k0 + k1 t + k2 t²)(p - 1013.25 hPa), within 4e-6 of IAPWS-95 at 20 bar;
    shapes broadcast. Returns ρ [kg/m³].
    M. Tanaka et al., Metrologia 38 (2001) 301, eq. 1, section 4 and 5.

    >>> water_density([4.0, 20.0, 25.0, 30.0]).round(4)
    array([999.9749, 998.2067, 997.047 , 995.6488])
    """
    t = np.asarray(temperature, dtype=np.float64)
    p = np.asarray(pressure, dtype=np.float64)
    low, high = AIR_SATURATED_RANGE if air_saturated else RANGE
    if not bool(((t >= low) & (t <= high)).all()):
        raise Refused(
            "the density of water is known from {low} to {high} °C here, not at {value} °C.",
            low=low,
            high=high,
            value=temperature,
        )
    if not bool(((p >= 0) & (p <= 20_000)).all()):
        raise Refused("{value} hPa is no pressure of water in a pipe.", value=pressure)
    return np.asarray(water_density_model(air_saturated)(t, p), dtype=np.float64)


def water_density_budget(
    temperature: Component, *, air_saturated: bool = False, pressure: float = NORMAL_PRESSURE
) -> Budget:
    """Make the budget of a water density: u² = (∂ρ/∂t u(t))² + u_F².

    ``temperature`` [°C] with its standard uncertainty, ``pressure`` [hPa] exact, u_F the table's
    own; range as of `water_density`. Tanaka 2001.

    >>> budget = water_density_budget(Component("water", 28.0, "°C", 0.1))
    >>> float(budget.expanded_uncertainty().combined[0].round(4))
    0.0284
    """
    water_density(temperature.value, air_saturated=air_saturated, pressure=pressure)
    density = water_density_model(air_saturated)
    own = Component("table of Tanaka 2001", 0.0, "kg/m³", FORMULA_UNCERTAINTY)
    return propagate(
        "water density",
        "kg/m³",
        lambda t: density(t, np.asarray(pressure)),
        (temperature,),
        further=(own,),
    )


def water_density_model(air_saturated: bool) -> Model:
    """Give ρ(t [°C], p [hPa]) without its checks, for a model that is differentiated."""

    def model(t: NDArray[Any], p: NDArray[Any]) -> NDArray[Any]:
        density = 999.974950 * (
            1 - (t - 3.983035) * (t - 3.983035) * (t + 301.797) / (522528.9 * (t + 69.34881))
        )
        if air_saturated:
            density = density - 4.612e-3 + 0.106e-3 * t
        compressibility = (50.74 - 0.326 * t + 0.00416 * t * t) * 1e-11
        return np.asarray(density * (1 + compressibility * (p - NORMAL_PRESSURE) * 100))

    return model
