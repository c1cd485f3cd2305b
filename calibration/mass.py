"""Conventional mass: what a weight is said to weigh, and how two weights are compared in air.

Knows conventional mass, the buoyancy correction of a comparison with its uncertainty, and the
weighing cycles that free a difference from drift. Refuses to know a maximum permissible error and
how many cycles a class wants. Displayed differences stay exact counts; buoyancy is float64.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.air import REFERENCE_AIR_DENSITY
from calibration.component import Component
from calibration.distributions import Floats
from calibration.grid import LARGEST_COUNT, Counts, largest
from calibration.refusal import Refused
from calibration.uncertainty import Budget, propagate

REFERENCE_DENSITY = 8000.0
"""Density of the weight that a conventional mass refers to [kg/m³] (OIML D 28:2004)."""
REFERENCE_TEMPERATURE = 20.0
"""[°C] of the conventional mass (OIML D 28:2004)."""
_CONVENTION = 1 - REFERENCE_AIR_DENSITY / REFERENCE_DENSITY


def conventional_mass(mass: ArrayLike, density: ArrayLike) -> Floats:
    """Turn mass into conventional mass: m_c = m (1 - 1.2/ρ)/(1 - 1.2/8000).

    ``mass`` m [any unit of mass], ``density`` ρ of the weight at 20 °C [kg/m³], from 500 to 25 000;
    shapes broadcast. Returns m_c [unit of m]. OIML D 28:2004; R 111-1:2004.

    >>> conventional_mass(1.0, [7950.0, 2700.0, 21500.0]).round(11)
    array([0.99999906, 0.99970551, 1.0000942 ])
    """
    m, rho = np.asarray(mass, dtype=np.float64), _density(density)
    return np.asarray(m * ((1 - REFERENCE_AIR_DENSITY / rho) / _CONVENTION))


def mass_of_conventional(conventional: ArrayLike, density: ArrayLike) -> Floats:
    """Turn conventional mass into mass: m = m_c (1 - 1.2/8000)/(1 - 1.2/ρ).

    Parameters as of `conventional_mass`. OIML D 28:2004.

    >>> float(mass_of_conventional(0.99970551138, 2700.0).round(10))
    1.0
    """
    mc, rho = np.asarray(conventional, dtype=np.float64), _density(density)
    return np.asarray(mc * (_CONVENTION / (1 - REFERENCE_AIR_DENSITY / rho)))


def buoyancy_correction(
    reference_mass: ArrayLike,
    air_density: ArrayLike,
    test_density: ArrayLike,
    reference_density: ArrayLike,
) -> Floats:
    """Correct a comparison for buoyancy: C = (ρ_a - 1.2)(1/ρ_t - 1/ρ_r) m_cr.

    ``reference_mass`` m_cr [any unit of mass]: conventional mass of the reference weight;
    ``air_density`` ρ_a [kg/m³], 0.5 to 1.5; ``test_density`` ρ_t and ``reference_density`` ρ_r
    [kg/m³]; shapes broadcast. Returns C [unit of m_cr], to be added to the weighed difference. First
    order: what is left out is below 0.3 % of C, and 0.03 % for steel. OIML R 111-1:2004 C.6.3, 10.2.1.

    >>> float(buoyancy_correction(1e6, 1.15, 7950.0, 8000.0).round(5))
    -0.03931
    """
    _air(air_density)
    m = np.asarray(reference_mass, dtype=np.float64)
    rho_a = np.asarray(air_density, dtype=np.float64)
    rho_t, rho_r = _density(test_density), _density(reference_density)
    return np.asarray((rho_a - REFERENCE_AIR_DENSITY) * (1 / rho_t - 1 / rho_r) * m)


def comparison_budget(
    reference: Component,
    difference: Component,
    air_density: Component,
    test_density: Component,
    reference_density: Component,
    *,
    further: tuple[Component, ...] = (),
) -> Budget:
    """Make the budget of m_ct = m_cr (1 + (ρ_a - 1.2)(1/ρ_t - 1/ρ_r)) + Δm_c.

    ``reference`` m_cr and ``difference`` Δm_c (test minus reference, as weighed) [one unit of
    mass]; ``air_density`` ρ_a, ``test_density`` ρ_t and ``reference_density`` ρ_r [kg/m³];
    ``further`` components of m_ct [unit of mass]: drift, eccentricity, resolution, rounding. The
    density of the reference is taken as independent of its calibration. OIML R 111-1:2004 C.5.1,
    C.6; EA-4/02 M:2022 S2.

    >>> mg, kg = "mg", "kg/m³"
    >>> rows = [("mcr", 1e6, mg, 0.25), ("Δm", 1.2, mg, 0.1), ("ρa", 1.15, kg, 0.01)]
    >>> rows += [("ρt", 7950.0, kg, 70.0), ("ρr", 8000.0, kg, 15.0)]
    >>> budget = comparison_budget(*(Component(*row) for row in rows))
    >>> float(np.asarray(budget.value)[0].round(5)), budget.components[2].sensitivity.round(3)
    (1000001.16069, array([0.786]))
    """
    _air(air_density.value)
    _density(test_density.value)
    _density(reference_density.value)

    def model(
        mcr: NDArray[Any],
        delta: NDArray[Any],
        rho_a: NDArray[Any],
        rho_t: NDArray[Any],
        rho_r: NDArray[Any],
    ) -> NDArray[Any]:
        correction = (rho_a - REFERENCE_AIR_DENSITY) * (1 / rho_t - 1 / rho_r)
        return np.asarray(mcr * (1 + correction) + delta)

    return propagate(
        "conventional mass",
        reference.unit,
        model,
        (reference, difference, air_density, test_density, reference_density),
        further=further,
    )


def buoyancy_variance(
    reference_mass: ArrayLike,
    air_density: ArrayLike,
    air_density_uncertainty: ArrayLike,
    test_density: ArrayLike,
    test_density_uncertainty: ArrayLike,
    reference_density: ArrayLike,
    reference_density_uncertainty: ArrayLike,
    *,
    calibration_air_density: ArrayLike = REFERENCE_AIR_DENSITY,
) -> Floats:
    """Give the variance of the buoyancy correction as R 111 has it.

    u_b² = (m_cr (ρ_r - ρ_t)/(ρ_r ρ_t) u(ρ_a))² + (m_cr (ρ_a - 1.2) u(ρ_t)/ρ_t²)²
    + m_cr² (ρ_a - 1.2)((ρ_a - 1.2) - 2 (ρ_al - 1.2)) u(ρ_r)²/ρ_r⁴.

    ``calibration_air_density`` ρ_al [kg/m³]: in which the reference was calibrated with the same
    ρ_r; masses [any unit], densities and standard uncertainties [kg/m³]; shapes broadcast. Where
    the last term is negative it is taken as 0: what is known of ρ_al never makes a budget smaller
    than without ρ_r. OIML R 111-1:2004 C.6.3.1.

    >>> terms = (1e6, 1.15, 0.01, 7950.0, 70.0, 8000.0, 15.0)
    >>> float(np.sqrt(buoyancy_variance(*terms)).round(5))
    0.05715
    """
    _air(air_density)
    _air(calibration_air_density)
    m = np.asarray(reference_mass, dtype=np.float64)
    a = np.asarray(air_density, dtype=np.float64) - REFERENCE_AIR_DENSITY
    al = np.asarray(calibration_air_density, dtype=np.float64) - REFERENCE_AIR_DENSITY
    rho_t, rho_r = _density(test_density), _density(reference_density)
    u_a, u_t, u_r = (
        np.asarray(u, dtype=np.float64)
        for u in (air_density_uncertainty, test_density_uncertainty, reference_density_uncertainty)
    )
    of_air = ((rho_r - rho_t) / (rho_r * rho_t) * u_a) ** 2
    of_test = (a * u_t / rho_t**2) ** 2
    of_reference = np.maximum(a * (a - 2 * al), 0) * (u_r / rho_r**2) ** 2
    return np.asarray(m * m * (of_air + of_test + of_reference))


@dataclass(frozen=True, slots=True, eq=False)
class CycleDifferences:
    """Differences test minus reference of weighing cycles, exactly: counts / divisor."""

    counts: Counts
    """Numerators [count], shape (cycles,) or (cycles, weights)."""
    divisor: int
    """[1]"""

    def mean(self) -> tuple[Fraction, ...]:
        """Give the exact mean over the cycles [count], one per test weight."""
        total = self.counts.reshape(self.counts.shape[0], -1).sum(axis=0)
        cycles = self.divisor * self.counts.shape[0]
        return tuple(Fraction(int(sum_), cycles) for sum_ in total)

    def values(self, exponent: int) -> Floats:
        """Give the differences in the unit of the grid 10^exponent, as float64 for a budget."""
        return np.asarray(self.counts / self.divisor * 10.0**exponent)


def abba_differences(indications: Counts) -> CycleDifferences:
    """Free a difference from linear drift: Δ = (B1 + B2 - A1 - A2)/2 of A1 B1 B2 A2.

    ``indications`` [count], shape (cycles, 4), equally spaced in time; A is the reference, B the
    test weight. OIML R 111-1:2004 C.4.1, C.5.1.

    >>> found = abba_differences(np.array([[100, 115, 117, 106]]))
    >>> found.counts, found.divisor
    (array([26]), 2)
    """
    i = _cycles(indications, 4)
    return CycleDifferences(i[:, 1] + i[:, 2] - i[:, 0] - i[:, 3], 2)


def aba_differences(indications: Counts) -> CycleDifferences:
    """Free a difference from linear drift: Δ = B - (A1 + A2)/2 of A1 B A2.

    ``indications`` [count], shape (cycles, 3), equally spaced in time. OIML R 111-1:2004 C.4.1,
    C.5.1.

    >>> aba_differences(np.array([[100, 115, 104]])).counts
    array([26])
    """
    i = _cycles(indications, 3)
    return CycleDifferences(2 * i[:, 1] - i[:, 0] - i[:, 2], 2)


def series_differences(indications: Counts) -> CycleDifferences:
    """Free each of n differences from linear drift: Δ_j = B_j - A1 - (A2 - A1) j/(n + 1).

    ``indications`` A1 B1 ... Bn A2 [count], shape (cycles, n + 2), equally spaced in time; result
    of shape (cycles, n). R 111-1:2004 C.5.1 takes (A1 + A2)/2 for every j, which is the same for
    n = 1 and leaves drift in the others: this is its interpolation in time (C.4.2).

    >>> found = series_differences(np.array([[100, 112, 114, 106]]))
    >>> found.counts, found.divisor
    (array([[30, 30]]), 3)
    """
    if indications.ndim != 2 or indications.shape[1] < 3:
        raise Refused("a cycle of A B1 ... Bn A has 3 indications or more.")
    i = _cycles(indications, indications.shape[1])
    steps = i.shape[1] - 1
    places = np.arange(1, steps, dtype=np.int64)
    first, last = i[:, :1], i[:, -1:]
    return CycleDifferences(steps * (i[:, 1:-1] - first) - (last - first) * places, steps)


def _cycles(indications: Counts, length: int) -> Counts:
    if indications.dtype != np.int64 or indications.ndim != 2 or indications.shape[1] != length:
        raise Refused(
            "these weighing cycles have {length} int64 counts each, not the shape {shape}.",
            length=length,
            shape=indications.shape,
        )
    if not indications.size:
        raise Refused("a weighing needs a cycle.")
    if largest(indications) > LARGEST_COUNT // (4 * length):
        raise Refused("{value} does not fit a 64-bit grid.", value=largest(indications))
    return indications


def _density(density: ArrayLike) -> Floats:
    rho = np.asarray(density, dtype=np.float64)
    if not bool(((rho >= 500) & (rho <= 25_000)).all()):
        raise Refused("{density} kg/m³ is no density of a weight.", density=density)
    return rho


def _air(air_density: ArrayLike) -> None:
    rho = np.asarray(air_density, dtype=np.float64)
    if not bool(((rho >= 0.5) & (rho <= 1.5)).all()):
        raise Refused("{density} kg/m³ is no density of air in a room.", density=air_density)
