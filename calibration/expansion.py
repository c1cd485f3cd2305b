"""Thermal expansion of measures and lengths, and volume from a weighing.

Knows how a measure, a length or a liquid changes with temperature, and how a mass of water becomes
a volume. Refuses to know any coefficient or reference temperature: both belong to the standard
(20 °C in one certificate, 28 °C or 15 °C in another) and are always given.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.component import Component
from calibration.distributions import Floats
from calibration.refusal import Refused
from calibration.uncertainty import Budget, propagate
from calibration.water import (
    FORMULA_UNCERTAINTY,
    NORMAL_PRESSURE,
    water_density,
    water_density_model,
)

_LARGEST = 0.05
"""Relative expansions beyond it are a mistake of unit: petrol by 40 °C makes 0.05."""


def at_temperature(
    reference_value: ArrayLike,
    coefficient: ArrayLike,
    temperature: ArrayLike,
    *,
    reference_temperature: ArrayLike,
) -> Floats:
    """Give a volume or length at a temperature: V_t = V_ref (1 + γ (t - t_ref)).

    ``reference_value`` V_ref [any unit]; ``coefficient`` γ [1/°C], of the volume for volumes and of
    the length for lengths; ``temperature`` t and ``reference_temperature`` t_ref [°C], 0 to 60;
    shapes broadcast. Returns V_t [unit of V_ref]. OIML R 120:2010; R 35-1:2007.

    >>> float(at_temperature(20.0, 4.77e-5, 31.0, reference_temperature=28.0).round(6))
    20.002862
    """
    return np.asarray(
        np.asarray(reference_value, dtype=np.float64)
        * _factor(coefficient, temperature, reference_temperature)
    )


def at_reference_temperature(
    value: ArrayLike,
    coefficient: ArrayLike,
    temperature: ArrayLike,
    *,
    reference_temperature: ArrayLike,
) -> Floats:
    """Give a volume or length at its reference temperature: V_ref = V_t/(1 + γ (t - t_ref)).

    Parameters as of `at_temperature`, of which it is the inverse. ISO 4787:2021 multiplies by
    1 - γ (t - t_ref), which differs by (γ (t - t_ref))²: 2.1e-7 for 4.77e-5 /°C and 10 °C.

    >>> float(at_reference_temperature(20.002862, 4.77e-5, 31.0, reference_temperature=28.0).round(6))
    20.0
    """
    return np.asarray(
        np.asarray(value, dtype=np.float64)
        / _factor(coefficient, temperature, reference_temperature)
    )


def volume_at_meter(
    measure_volume: ArrayLike,
    measure_coefficient: ArrayLike,
    measure_temperature: ArrayLike,
    liquid_coefficient: ArrayLike,
    meter_temperature: ArrayLike,
    *,
    reference_temperature: ArrayLike,
) -> Floats:
    """Carry what a test measure holds to the meter: V = V_ref (1 + γ (t_s - t_ref))(1 + β (t_m - t_s)).

    ``measure_volume`` V_ref: content of the measure as read, at its reference temperature [any unit];
    ``measure_coefficient`` γ and ``liquid_coefficient`` β of the volume [1/°C];
    ``measure_temperature`` t_s of measure and liquid in it, ``meter_temperature`` t_m of the liquid
    at the meter, ``reference_temperature`` t_ref of the measure [°C]; shapes broadcast. Returns V
    [unit of V_ref]. OIML R 117-1:2007; R 120:2010.

    >>> volume = volume_at_meter(20.0, 4.77e-5, 30.0, 1.2e-3, 29.5, reference_temperature=28.0)
    >>> float(volume.round(5))
    19.98991
    """
    content = at_temperature(
        measure_volume,
        measure_coefficient,
        measure_temperature,
        reference_temperature=reference_temperature,
    )
    return at_temperature(
        content, liquid_coefficient, meter_temperature, reference_temperature=measure_temperature
    )


def weighed_volume(
    balance_difference: ArrayLike,
    density: ArrayLike,
    air_density: ArrayLike,
    weights_density: ArrayLike,
) -> Floats:
    """Give the volume of a weighed liquid at its own temperature: V = m (1 - ρ_a/ρ_b)/(ρ - ρ_a).

    ``balance_difference`` m: indication full minus empty [kg]; ``density`` ρ of the liquid, 400 to
    2000, ``air_density`` ρ_a and ``weights_density`` ρ_b, 8000 for a balance adjusted by
    conventional mass [kg/m³]; shapes broadcast. Returns V [m³]. ISO 4787:2021 9.

    >>> float(weighed_volume(16.58, 830.0, 1.15, 8000.0).round(8))
    0.02000074
    """
    m, rho, rho_a, rho_b = (
        np.asarray(values, dtype=np.float64)
        for values in (balance_difference, density, air_density, weights_density)
    )
    ranges = ((rho, 400, 2000), (rho_a, 0.5, 1.5), (rho_b, 500, 25_000))
    if not all(bool(((values >= low) & (values <= high)).all()) for values, low, high in ranges):
        raise Refused(
            "a liquid of {liquid}, air of {air} and weights of {weights} kg/m³: one of these "
            "densities cannot be.",
            liquid=rho,
            air=rho_a,
            weights=rho_b,
        )
    return np.asarray(m * (1 - rho_a / rho_b) / (rho - rho_a))


def gravimetric_volume(
    balance_difference: ArrayLike,
    density_of_water: ArrayLike,
    air_density: ArrayLike,
    weights_density: ArrayLike,
    coefficient: ArrayLike,
    temperature: ArrayLike,
    *,
    reference_temperature: ArrayLike,
) -> Floats:
    """Give the volume from weighed water: V = m (1 - ρ_a/ρ_b)/(ρ_w - ρ_a) (1 - γ (t - t_ref)).

    ``balance_difference`` m: indication full minus empty [kg]; ``density_of_water`` ρ_w at t,
    ``air_density`` ρ_a and ``weights_density`` ρ_b, 8000 for a balance adjusted by conventional
    mass [kg/m³]; ``coefficient`` γ of the measure's volume [1/°C]; ``temperature`` t of measure and
    water and ``reference_temperature`` t_ref [°C]; shapes broadcast. Returns V at t_ref [m³].
    ISO 4787:2021 9; ISO 8655-6:2022 Annex A.

    >>> volume = gravimetric_volume(
    ...     9.9653, 997.0470, 1.1787, 8000.0, 9.9e-6, 25.0, reference_temperature=20.0)
    >>> float(volume.round(9))
    0.010004675
    """
    rows = [
        np.asarray(values, dtype=np.float64)
        for values in (
            balance_difference,
            density_of_water,
            air_density,
            weights_density,
            coefficient,
            temperature,
        )
    ]
    reference = np.asarray(reference_temperature, dtype=np.float64)
    _check_gravimetric(rows, reference)
    return np.asarray(_gravimetric(rows, reference), dtype=np.float64)


def gravimetric_volume_budget(
    balance_difference: Component,
    temperature: Component,
    water_correction: Component,
    air_density: Component,
    weights_density: Component,
    coefficient: Component,
    *,
    reference_temperature: ArrayLike,
    further: tuple[Component, ...] = (),
) -> Budget:
    """Make the budget of `gravimetric_volume` with ρ_w = ρ_Tanaka(t) + δρ.

    ``balance_difference`` m [kg]; ``temperature`` t of measure and water [°C], which enters by
    expansion and by the density of water at once; ``water_correction`` δρ [kg/m³]: dissolved air
    and solids, often 0 with its u; ``air_density``, ``weights_density`` [kg/m³]; ``coefficient`` γ
    [1/°C]; ``further`` components of V [m³]: evaporation, meniscus, repeatability. The table's own
    uncertainty is added. EURAMET cg-19 version 3.0; ISO 4787:2021.

    >>> rows = [("m", 9.9653, "kg", 1e-4), ("t", 25.0, "°C", 0.1), ("δρ", 0.0, "kg/m³", 0.01),
    ...         ("ρa", 1.1787, "kg/m³", 0.002), ("ρb", 8000.0, "kg/m³", 30.0),
    ...         ("γ", 4.77e-5, "1/°C", 5e-6)]
    >>> budget = gravimetric_volume_budget(*(Component(*row) for row in rows),
    ...                                    reference_temperature=20.0)
    >>> float(budget.expanded_uncertainty().combined[0].round(9))
    3.57e-07
    """
    inputs = (
        balance_difference,
        temperature,
        water_correction,
        air_density,
        weights_density,
        coefficient,
        Component("table of Tanaka 2001", 0.0, "kg/m³", FORMULA_UNCERTAINTY),
    )
    reference = np.asarray(reference_temperature, dtype=np.float64)
    density = water_density(temperature.value) + water_correction.value
    of_weighing = (air_density.value, weights_density.value, coefficient.value, temperature.value)
    rows = [np.asarray(v, dtype=np.float64) for v in (balance_difference.value, density)]
    _check_gravimetric([*rows, *(np.asarray(v, dtype=np.float64) for v in of_weighing)], reference)
    tanaka = water_density_model(air_saturated=False)

    def model(*x: NDArray[Any]) -> NDArray[Any]:
        m, t, correction, rho_a, rho_b, gamma, table = x
        rho_w = tanaka(t, np.asarray(NORMAL_PRESSURE)) + correction + table
        return _gravimetric((m, rho_w, rho_a, rho_b, gamma, t), reference)

    return propagate("volume", "m³", model, inputs, further=further)


def _gravimetric(rows: Sequence[NDArray[Any]], reference: Floats) -> NDArray[Any]:
    m, rho_w, rho_a, rho_b, gamma, t = rows
    return np.asarray(m * (1 - rho_a / rho_b) / (rho_w - rho_a) * (1 - gamma * (t - reference)))


def _check_gravimetric(rows: Sequence[Floats], reference: Floats) -> None:
    _, rho_w, rho_a, rho_b, gamma, t = rows
    ranges = ((rho_w, 900, 1100), (rho_a, 0.5, 1.5), (rho_b, 500, 25_000))
    if not all(bool(((rho >= low) & (rho <= high)).all()) for rho, low, high in ranges):
        raise Refused(
            "water of {water}, air of {air} and weights of {weights} kg/m³: one of these densities "
            "cannot be.",
            water=rho_w,
            air=rho_a,
            weights=rho_b,
        )
    _factor(gamma, t, reference)


def _factor(coefficient: ArrayLike, temperature: ArrayLike, reference: ArrayLike) -> Floats:
    gamma, t, t_ref = (
        np.asarray(v, dtype=np.float64) for v in (coefficient, temperature, reference)
    )
    for values in (t, t_ref):
        if not bool(((values >= 0) & (values <= 60)).all()):
            raise Refused("{value} °C is no temperature of a measure in use.", value=values)
    change = np.asarray(gamma * (t - t_ref))
    if not bool((np.abs(change) <= _LARGEST).all()):
        raise Refused(
            "an expansion by {change} is none: give the coefficient per °C, for example 0.0000477.",
            change=change,
        )
    return np.asarray(1 + change)
