"""Density of moist air from temperature, pressure and humidity.

Knows CIPM-2007 and two approximations, each with its range and its own uncertainty. Refuses to
answer outside a range where nobody checked the formula. East-Java rooms exceed 30 °C and 80 %RH,
where R 111 E.3-1 ends, and 27 °C, where the published range of CIPM-2007 ends: there CIPM-2007
goes on to 40 °C, says that it is beyond its range, and states five times the uncertainty.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.component import Component, Distribution, limited
from calibration.distributions import Floats
from calibration.refusal import Refused
from calibration.uncertainty import Budget, propagate

REFERENCE_AIR_DENSITY = 1.2
"""[kg/m³] of the conventional mass (OIML D 28:2004)."""
CARBON_DIOXIDE = 0.0004
"""Amount fraction of CO2 in CIPM-2007 where it is not measured [1]."""
_KELVIN = 273.15
_PASCAL = 100.0
"""Pa in a hPa."""
_MERCURY = 133.322387415 / _PASCAL
"""Conventional millimetre of mercury [hPa]."""


class AirFormula(StrEnum):
    """Which formula a density comes from, as records name it."""

    CIPM_2007 = "CIPM-2007"
    """A. Picard et al., Metrologia 45 (2008) 149."""
    R111 = "R 111-1 E.3-1"
    """Approximation of OIML R 111-1:2004 Annex E."""
    NIST = "NIST SOP 2 option B"
    """Approximation of NISTIR 6969, SOP 2."""


@dataclass(frozen=True, slots=True)
class FormulaRange:
    """Where a formula holds."""

    temperature: tuple[float, float]
    """[°C]"""
    pressure: tuple[float, float]
    """[hPa]"""
    humidity: tuple[float, float]
    """[%RH]"""
    relative_uncertainty: float
    """Standard uncertainty of the formula / density [1]."""


RANGES = {
    AirFormula.CIPM_2007: FormulaRange((15, 27), (600, 1100), (0, 100), 2.2e-5),
    AirFormula.R111: FormulaRange((10, 30), (900, 1100), (0, 80), 2e-4),
    # NIST states no range; within this one it stays within 2.5e-4 of CIPM-2007 (tests/test_air.py).
    AirFormula.NIST: FormulaRange((10, 30), (900, 1100), (0, 80), 2.5e-4),
}
"""Published ranges: Picard 2008 section 5 and Table 2; R 111-1:2004 E.3."""
EXTENDED = FormulaRange((0, 40), (600, 1100), (0, 100), 1e-4)
"""CIPM-2007 beyond its range: up to 40 °C it keeps within 1.5e-5 of its distance to the humid-air
equation of ASHRAE RP-1485 (CoolProp 8.0.0), hence the 1e-4 with room to spare."""


@dataclass(frozen=True, slots=True, eq=False)
class AirDensity:
    """The density of air and how far the formula can be trusted, shape (points,)."""

    density: Floats
    """ρ_a [kg/m³]."""
    formula_uncertainty: Floats
    """Standard uncertainty of the formula itself, without that of its inputs [kg/m³]."""
    beyond: NDArray[np.bool_]
    """Outside the published range of the formula."""
    formula: AirFormula


def air_density(
    temperature: ArrayLike,
    pressure: ArrayLike,
    humidity: ArrayLike,
    *,
    formula: AirFormula = AirFormula.CIPM_2007,
    carbon_dioxide: float = CARBON_DIOXIDE,
) -> AirDensity:
    """Find the density of moist air: ρ_a = p M_a/(Z R T) (1 - x_v (1 - M_v/M_a)).

    ``temperature`` t [°C], ``pressure`` p [hPa], ``humidity`` h [%RH], shapes broadcast to
    (points,); ``carbon_dioxide`` x_CO2 [1] for CIPM-2007 only. Published ranges are in `RANGES`:
    CIPM-2007 goes on to `EXTENDED` and says so, the others are refused beyond. A. Picard et al.,
    Metrologia 45 (2008) 149, eq. 1; OIML R 111-1:2004 E.3-1; NISTIR 6969 SOP 2 option B.

    >>> air_density([20.0, 33.0], 1005.0, [50.0, 85.0]).density.round(4)
    array([1.1895, 1.1255])
    >>> air_density([20.0, 33.0], 1005.0, [50.0, 85.0]).beyond
    array([False,  True])
    """
    t, p, h = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (temperature, pressure, humidity))
    )
    published = RANGES[formula]
    beyond = ~_within(published, t, p, h)
    usable = EXTENDED if formula is AirFormula.CIPM_2007 else published
    if not bool(_within(usable, t, p, h).all()):
        raise Refused(
            "{formula} holds from {low} to {high} °C, {least} to {most} hPa and up to {humidity} "
            "%RH: outside it no air density is given.",
            formula=str(formula),
            low=usable.temperature[0],
            high=usable.temperature[1],
            least=usable.pressure[0],
            most=usable.pressure[1],
            humidity=usable.humidity[1],
        )
    density = np.asarray(_model(formula, carbon_dioxide)(t, p, h), dtype=np.float64)
    relative = np.where(beyond, usable.relative_uncertainty, published.relative_uncertainty)
    return AirDensity(density, relative * density, beyond, formula)


def air_density_budget(
    temperature: Component,
    pressure: Component,
    humidity: Component,
    *,
    formula: AirFormula = AirFormula.CIPM_2007,
    carbon_dioxide: float = CARBON_DIOXIDE,
) -> Budget:
    """Make the budget of an air density: u² = Σ (∂ρ/∂x u(x))² + u_F².

    ``temperature`` [°C], ``pressure`` [hPa] and ``humidity`` [%RH] with their standard
    uncertainties; u_F is the formula's own; range as of `air_density`. OIML R 111-1:2004 C.6.3;
    Picard 2008.

    >>> inputs = (("t", 20.0, "°C", 0.3), ("p", 1005.0, "hPa", 1.0), ("h", 50.0, "%", 5.0))
    >>> budget = air_density_budget(*(Component(*quantity) for quantity in inputs))
    >>> float(budget.expanded_uncertainty().combined[0].round(5))
    0.00185
    """
    found = air_density(
        temperature.value,
        pressure.value,
        humidity.value,
        formula=formula,
        carbon_dioxide=carbon_dioxide,
    )
    own = Component(f"formula {formula}", 0.0, "kg/m³", found.formula_uncertainty)
    model = _model(formula, carbon_dioxide)
    return propagate(
        "air density", "kg/m³", model, (temperature, pressure, humidity), further=(own,)
    )


def unmeasured_air_density() -> Component:
    """Stand in for an air density that was not measured: 1.2 kg/m³ ± 10 %, u = 0.12/√3 kg/m³.

    For class M and volumes. At 28 °C and 80 %RH air is that dense up to some 600 m above sea level;
    higher, measure it. OIML R 111-1:2004 C.6.3, 10.2.1.

    >>> round(unmeasured_air_density().standard_uncertainty, 6)
    0.069282
    """
    return limited(
        "air density, not measured",
        "kg/m³",
        0.1 * REFERENCE_AIR_DENSITY,
        distribution=Distribution.RECTANGULAR,
        value=REFERENCE_AIR_DENSITY,
    )


def _within(limits: FormulaRange, t: Floats, p: Floats, h: Floats) -> NDArray[np.bool_]:
    inside = np.ones(t.shape, dtype=np.bool_)
    pairs = ((t, limits.temperature), (p, limits.pressure), (h, limits.humidity))
    for values, (low, high) in pairs:
        inside &= (values >= low) & (values <= high)
    return inside


def _model(formula: AirFormula, carbon_dioxide: float) -> Callable[..., NDArray[Any]]:
    if formula is AirFormula.R111:
        return _r111
    if formula is AirFormula.NIST:
        return _nist
    if not 0 <= carbon_dioxide <= 0.01:
        raise Refused(
            "an amount fraction of carbon dioxide of {fraction} is no room's: 400 ppm is 0.0004.",
            fraction=carbon_dioxide,
        )
    return lambda t, p, h: _cipm2007(t, p, h, carbon_dioxide)


def _cipm2007(
    t: NDArray[Any], p: NDArray[Any], h: NDArray[Any], carbon_dioxide: float
) -> NDArray[Any]:
    """Evaluate CIPM-2007: t [°C], p [hPa], h [%RH] to kg/m³ (Picard 2008, eq. 1, Appendix A.1).

    R is the CODATA 2006 value that the equation was fitted with, not that of the SI of 2019.
    """
    kelvin = t + _KELVIN
    pascal = p * _PASCAL
    saturation = np.exp(
        1.2378847e-5 * kelvin * kelvin - 1.9121316e-2 * kelvin + 33.93711047 - 6.3431645e3 / kelvin
    )
    enhancement = 1.00062 + 3.14e-8 * pascal + 5.6e-7 * t * t
    vapour = h / 100 * enhancement * saturation / pascal
    ratio = pascal / kelvin
    compressibility = (
        1
        - ratio
        * (
            (1.58123e-6 - 2.9331e-8 * t + 1.1043e-10 * t * t)
            + (5.707e-6 - 2.051e-8 * t) * vapour
            + (1.9898e-4 - 2.376e-6 * t) * vapour * vapour
        )
        + ratio * ratio * (1.83e-11 - 0.765e-8 * vapour * vapour)
    )
    dry = (28.96546 + 12.011 * (carbon_dioxide - 0.0004)) * 1e-3
    moist = 1 - vapour * (1 - 18.01528e-3 / dry)
    return np.asarray(ratio * dry / (compressibility * 8.314472) * moist)


def _r111(t: NDArray[Any], p: NDArray[Any], h: NDArray[Any]) -> NDArray[Any]:
    """Evaluate ρ = (0.34848 p - 0.009 h exp(0.061 t))/(273.15 + t) [kg/m³] (R 111-1:2004 E.3-1)."""
    return np.asarray((0.34848 * p - 0.009 * h * np.exp(0.061 * t)) / (_KELVIN + t))


def _nist(t: NDArray[Any], p: NDArray[Any], h: NDArray[Any]) -> NDArray[Any]:
    """Evaluate ρ = 0.46460 (P - 0.0037960 h e_s)/(273.15 + t) [kg/m³], P and e_s in mmHg.

    e_s = 1.3146e9 exp(-5315.56/(t + 273.15)). NISTIR 6969 SOP 2 option B.
    """
    kelvin = t + _KELVIN
    saturation = 1.3146e9 * np.exp(-5315.56 / kelvin)
    return np.asarray(0.46460 * (p / _MERCURY - 0.0037960 * h * saturation) / kelvin)
