"""What is known of a quantity before it is measured: the population it comes from.

Knows the two populations of JCGM 106:2012. Refuses to know where their parameters come from: past
verifications of the same kind of instrument, which a caller has counted.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from calibration.distributions import (
    Floats,
    gamma_cdf,
    gamma_pdf,
    gamma_quantile,
    normal_cdf,
    normal_pdf,
    normal_quantile,
)
from calibration.refusal import Refused


class Prior(Protocol):
    """What is known of the quantity before it is measured: the population it comes from."""

    def pdf(self, value: Floats) -> Floats:
        """Give the density at a value [1/unit]."""
        ...

    def quantile(self, probability: Floats, *, upper: bool = False) -> Floats:
        """Give the value below (``upper``: above) which that share of the population lies."""
        ...

    def outside(self, lower: Floats, upper: Floats) -> Floats:
        """Give the share of the population below ``lower`` or above ``upper``."""
        ...


@dataclass(frozen=True, slots=True)
class NormalPrior:
    """A normal population (JCGM 106:2012 Annex A)."""

    mean: float
    """[unit]"""
    standard_deviation: float
    """[unit], more than 0"""

    def __post_init__(self) -> None:
        """Refuse a population without width."""
        if not is_positive(self.standard_deviation):
            raise Refused("a population of width {width} has none.", width=self.standard_deviation)

    def pdf(self, value: Floats) -> Floats:
        """Give the density at a value [1/unit]."""
        z = (value - self.mean) / self.standard_deviation
        return np.asarray(normal_pdf(z) / self.standard_deviation)

    def quantile(self, probability: Floats, *, upper: bool = False) -> Floats:
        """Give the value below (``upper``: above) which that share of the population lies."""
        z = normal_quantile(probability)
        return np.asarray(self.mean + (-z if upper else z) * self.standard_deviation)

    def outside(self, lower: Floats, upper: Floats) -> Floats:
        """Give the share of the population below ``lower`` or above ``upper``."""
        low, high = ((limit - self.mean) / self.standard_deviation for limit in (lower, upper))
        return np.asarray(normal_cdf(low) + normal_cdf(-high))


@dataclass(frozen=True, slots=True)
class GammaPrior:
    """A population of quantities that are never negative (JCGM 106:2012 Annex A, 9.5.4)."""

    shape: float
    """α [1], at least 1"""
    rate: float
    """β [1/unit], more than 0"""

    def __post_init__(self) -> None:
        """Refuse a density without end at 0, and one without width."""
        if not is_positive(self.rate):
            raise Refused("a population of rate {rate} has no width.", rate=self.rate)
        if not self.shape >= 1:
            raise Refused("a gamma prior of shape {shape} is below 1.", shape=self.shape)

    def pdf(self, value: Floats) -> Floats:
        """Give the density at a value [1/unit]."""
        return gamma_pdf(value, self.shape, self.rate)

    def quantile(self, probability: Floats, *, upper: bool = False) -> Floats:
        """Give the value below (``upper``: above) which that share of the population lies."""
        return gamma_quantile(probability, self.shape, self.rate, upper=upper)

    def outside(self, lower: Floats, upper: Floats) -> Floats:
        """Give the share of the population below ``lower`` or above ``upper``."""
        below = gamma_cdf(lower, self.shape, self.rate)
        return np.asarray(below + gamma_cdf(upper, self.shape, self.rate, upper=True))


def is_positive(values: ArrayLike) -> bool:
    """Tell whether every value is finite and more than 0."""
    array = np.asarray(values, dtype=np.float64)
    return bool(((array > 0) & np.isfinite(array)).all())
