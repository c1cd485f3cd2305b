"""Components of an uncertainty budget: one input quantity each, for all points at once.

Knows how a standard uncertainty and its degrees of freedom follow from what is known of a
quantity: repeated observations, a certificate, limits, a scale interval. Refuses to know how
components combine.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.distributions import Floats
from calibration.refusal import Refused

Values = float | Floats
"""One value for all points, or one per point, shape (points,)."""


class Evaluation(StrEnum):
    """How a standard uncertainty was found (JCGM 100:2008 2.3.2, 2.3.3)."""

    A = "A"
    """From the statistics of observations."""
    B = "B"
    """From other knowledge."""


class Distribution(StrEnum):
    """What is assumed of the values that the quantity may have (JCGM 100:2008 4.3)."""

    NORMAL = "normal"
    STUDENT = "t"
    RECTANGULAR = "rectangular"
    TRIANGULAR = "triangular"
    ARCSINE = "arcsine"


DIVISOR = {
    Distribution.RECTANGULAR: math.sqrt(3),
    Distribution.TRIANGULAR: math.sqrt(6),
    Distribution.ARCSINE: math.sqrt(2),
}
"""Half-width / standard uncertainty where there are limits (JCGM 100:2008 4.3.7, 4.3.9, H.1.3.4)."""


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """An input quantity with its standard uncertainty and its weight in the result."""

    name: str
    """What it is, in the words of the measurement, for example ``drift of the standard``."""
    value: Values
    """Estimate x [unit], one or shape (points,)."""
    unit: str
    """Unit symbol of the value and its standard uncertainty."""
    standard_uncertainty: Values
    """u(x) [unit], at least 0, one or shape (points,)."""
    sensitivity: Values = 1.0
    """Sensitivity coefficient c = ∂y/∂x [result unit/unit], one or shape (points,)."""
    dof: Values = math.inf
    """Degrees of freedom of u(x) [1], at least 1, one or shape (points,)."""
    distribution: Distribution = Distribution.NORMAL
    evaluation: Evaluation = Evaluation.B
    ensemble: str = ""
    """Same word: observed together in the same ν + 1 repetitions, hence possibly correlated."""

    def __post_init__(self) -> None:
        """Refuse what is no number, a negative uncertainty and less than 1 degree of freedom."""
        for values, good in (
            (self.value, np.isfinite),
            (self.standard_uncertainty, _not_negative),
            (self.sensitivity, np.isfinite),
            (self.dof, _at_least_one),
        ):
            array = np.asarray(values, dtype=np.float64)
            if array.ndim > 1 or not bool(np.all(good(array))):
                raise Refused(
                    "{component}: {values} cannot stand in an uncertainty budget: value and "
                    "sensitivity are numbers, the standard uncertainty is at least 0 and degrees of "
                    "freedom are at least 1.",
                    component=self.name,
                    values=values,
                )


def observed(
    name: str, unit: str, observations: ArrayLike, *, sensitivity: Values = 1.0, ensemble: str = ""
) -> Component:
    """Evaluate repeated observations: x = mean, u = s/√n, ν = n - 1.

    ``observations`` [unit], shape (n,) or (points, n), n at least 2; ``sensitivity`` [result
    unit/unit]. JCGM 100:2008 4.2.3.

    >>> float(observed("indication", "mg", [10.1, 10.3, 10.2]).standard_uncertainty.round(6))
    0.057735
    """
    values = np.asarray(observations, dtype=np.float64)
    if values.ndim not in {1, 2} or values.shape[-1] < 2:
        raise Refused("{component}: a standard deviation needs 2 observations.", component=name)
    mean, deviation = values.mean(axis=-1), values.std(axis=-1, ddof=1)
    return repeatability(
        name,
        unit,
        deviation,
        observations=values.shape[-1],
        value=mean,
        sensitivity=sensitivity,
        ensemble=ensemble,
    )


def repeatability(
    name: str,
    unit: str,
    standard_deviation: Values,
    *,
    observations: int,
    dof: Values | None = None,
    value: Values = 0.0,
    sensitivity: Values = 1.0,
    ensemble: str = "",
) -> Component:
    """Make the component of a mean whose standard deviation is known: u = s/√n.

    ``standard_deviation`` s [unit] of one observation; ``observations`` n [1], at least 1;
    ``dof`` ν of s [1], n - 1 unless s is pooled from elsewhere; ``value`` [unit]; ``sensitivity``
    [result unit/unit]; one or shape (points,). JCGM 100:2008 4.2.3, 4.2.4; EA-4/02 M:2022 S2.

    >>> round(repeatability("Δm", "mg", 25.0, observations=3, dof=9.0).standard_uncertainty, 3)
    14.434
    """
    if observations < 1 or (dof is None and observations < 2):
        raise Refused("{component}: a standard deviation needs 2 observations.", component=name)
    return Component(
        name,
        value,
        unit,
        standard_deviation / math.sqrt(observations),
        sensitivity,
        observations - 1.0 if dof is None else dof,
        Distribution.STUDENT,
        Evaluation.A,
        ensemble,
    )


def certified(
    name: str,
    unit: str,
    value: Values,
    expanded_uncertainty: Values,
    *,
    coverage_factor: float = 2.0,
    dof: Values = math.inf,
    sensitivity: Values = 1.0,
) -> Component:
    """Make the component of a calibrated standard: u = U/k.

    ``value`` and ``expanded_uncertainty`` U [unit], one or shape (points,); ``coverage_factor`` k
    [1]; ``dof`` [1]; ``sensitivity`` [result unit/unit]. JCGM 100:2008 4.3.3.

    >>> certified("mass of the standard", "mg", 0.0, 45.0).standard_uncertainty
    22.5
    """
    if not coverage_factor > 0:
        raise Refused(
            "{component}: a coverage factor of {k} is not more than 0.",
            component=name,
            k=coverage_factor,
        )
    return Component(name, value, unit, expanded_uncertainty / coverage_factor, sensitivity, dof)


def limited(
    name: str,
    unit: str,
    half_width: Values,
    *,
    distribution: Distribution = Distribution.RECTANGULAR,
    value: Values = 0.0,
    dof: Values = math.inf,
    sensitivity: Values = 1.0,
) -> Component:
    """Make the component of a quantity that lies within limits: u = a/√3, a/√6 or a/√2.

    ``half_width`` a [unit], at least 0: limits are value ± a; rectangular, triangular, arcsine in
    this order; ``value`` [unit]; ``dof`` [1]; ``sensitivity`` [result unit/unit]. Resolution has
    a = d/2, a drift its largest amount, a maximum permissible error itself. JCGM 100:2008 4.3.7,
    4.3.9, F.2.2.1.

    >>> round(limited("drift of the standard", "mg", 15.0).standard_uncertainty, 4)
    8.6603
    """
    if distribution not in DIVISOR:
        raise Refused(
            "{component}: a {distribution} distribution has no limits.",
            component=name,
            distribution=str(distribution),
        )
    uncertainty = half_width / DIVISOR[distribution]
    return Component(name, value, unit, uncertainty, sensitivity, dof, distribution)


def resolution(name: str, unit: str, interval: Values, *, sensitivity: Values = 1.0) -> Component:
    """Make the component of a displayed digit: u = d/√12.

    ``interval`` d [unit], at least 0, of one indication; a difference of two has it twice.
    ``sensitivity`` [result unit/unit]. JCGM 100:2008 F.2.2.1.

    >>> round(resolution("indication", "g", 1.0).standard_uncertainty, 6)
    0.288675
    """
    return limited(name, unit, interval / 2, sensitivity=sensitivity)


def pooled_standard_deviation(deviations: ArrayLike, dof: ArrayLike) -> tuple[Floats, Floats]:
    """Pool standard deviations of equal populations: s_p = √(Σ ν_i s_i²/Σ ν_i), ν = Σ ν_i.

    ``deviations`` s [unit] and ``dof`` ν [1], shape (groups,) or (groups, points); returns both of
    shape () or (points,). JCGM 100:2008 4.2.4.

    >>> [float(x) for x in pooled_standard_deviation([3.0, 4.0], [4, 4])]
    [3.5355339059327378, 8.0]
    """
    s, nu = np.broadcast_arrays(
        np.asarray(deviations, dtype=np.float64), np.asarray(dof, dtype=np.float64)
    )
    if s.size == 0 or not bool((nu >= 1).all() and np.isfinite(nu).all() and (s >= 0).all()):
        raise Refused("pooling needs standard deviations with at least 1 degree of freedom each.")
    total = nu.sum(axis=0)
    return np.asarray(np.sqrt((nu * s * s).sum(axis=0) / total)), np.asarray(total)


def dof_of_uncertainty(relative_uncertainty: Values) -> Values:
    """Turn how well an uncertainty is known into degrees of freedom: ν = ½ (Δu/u)^-2.

    ``relative_uncertainty`` Δu/u [1], more than 0 and at most √½. JCGM 100:2008 G.4.2: known to
    25 % is worth ν = 8.

    >>> dof_of_uncertainty(0.25)
    8.0
    """
    share = np.asarray(relative_uncertainty, dtype=np.float64)
    if not bool(((share > 0) & (2 * share * share <= 1)).all()):
        raise Refused("an uncertainty known to {share} has no degree of freedom.", share=share)
    return 0.5 / (relative_uncertainty * relative_uncertainty)


def _not_negative(values: Floats) -> NDArray[np.bool_]:
    return np.isfinite(values) & (values >= 0)


def _at_least_one(values: Floats) -> NDArray[np.bool_]:
    return np.asarray(values >= 1)
