"""Probability distributions behind coverage factors and risks: the only door to scipy.

Knows quantiles and probabilities for arrays of points at once. Refuses to know what they describe.
scipy is loaded at the first call, never at import: a limit or a simple acceptance needs none of it.
"""

import math
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.refusal import Refused

Floats = NDArray[np.float64]
"""float64 values, one per point."""

_TABLE = 1000
"""Whole degrees of freedom below it are looked up, the others computed."""


def student_t_coverage_factor(probability: float, dof: ArrayLike) -> Floats:
    """Give the coverage factor of a t-distribution: P(-k <= t_ν <= k) = p.

    ``probability`` p [1], 0 < p < 1; ``dof`` ν [1], at least 1, whole or not, infinite allowed, any
    shape. Returns k [1] of that shape: t_p(ν) of JCGM 100:2008 G.3.2, Table G.2.

    >>> student_t_coverage_factor(0.99, [16, 50, np.inf]).round(2)
    array([2.92, 2.68, 2.58])
    """
    _check_probability(probability)
    nu = np.asarray(dof, dtype=np.float64)
    if not bool((nu >= 1).all()):
        raise Refused("a t-distribution needs at least 1 degree of freedom.")
    listed = nu < _TABLE
    listed &= nu == np.floor(nu)
    factor = np.full_like(nu, _normal_factor(probability))
    factor[listed] = _table(probability)[nu[listed].astype(np.intp)]
    other = np.isfinite(nu) & ~listed
    factor[other] = -_special().stdtrit(nu[other], (1 - probability) / 2)
    return factor


def normal_cdf(z: ArrayLike) -> Floats:
    """Give the standard normal distribution function: Φ(z) = ½ erfc(-z/√2).

    ``z`` [1], any shape, infinite allowed. Accurate in the lower tail: the upper one is Φ(-z)
    (JCGM 106:2012 7.2.2).

    >>> normal_cdf([-np.inf, -10, 0])
    array([0.00000000e+00, 7.61985302e-24, 5.00000000e-01])
    """
    return _floats(_special().ndtr(np.asarray(z, dtype=np.float64)))


def normal_pdf(z: ArrayLike) -> Floats:
    """Give the standard normal density: φ(z) = exp(-z²/2)/√(2π) (JCGM 106:2012 7.2.2).

    ``z`` [1], any shape.

    >>> float(normal_pdf(0))
    0.3989422804014327
    """
    value = np.asarray(z, dtype=np.float64)
    return _floats(np.exp(-0.5 * value * value) / math.sqrt(2 * math.pi))


def normal_quantile(probability: ArrayLike) -> Floats:
    """Give z with Φ(z) = p; infinite at p = 0 and p = 1 (JCGM 106:2012 7.2.2).

    ``probability`` p [1], any shape.

    >>> float(normal_quantile(0.95).round(6))
    1.644854
    """
    return _floats(_special().ndtri(np.asarray(probability, dtype=np.float64)))


def gamma_pdf(x: ArrayLike, shape: ArrayLike, rate: ArrayLike) -> Floats:
    """Give the gamma density: g(x) = β^α x^(α-1) exp(-β x)/Γ(α), 0 below x = 0.

    ``x`` [unit]; ``shape`` α [1], at least 1; ``rate`` β [1/unit], more than 0; shapes broadcast
    (JCGM 106:2012 9.5.4).

    >>> float(gamma_pdf(1.0, 4, 4).round(6))
    0.781467
    """
    value, alpha, beta = (np.asarray(v, dtype=np.float64) for v in (x, shape, rate))
    scaled = np.maximum(value * beta, 0)
    special = _special()
    logarithm = special.xlogy(alpha - 1, scaled) - scaled - special.gammaln(alpha)
    return _floats(np.where(value >= 0, beta * np.exp(logarithm), 0))


def gamma_cdf(x: ArrayLike, shape: ArrayLike, rate: ArrayLike, *, upper: bool = False) -> Floats:
    """Give the gamma distribution function P(X <= x), or with ``upper`` P(X > x).

    ``x`` [unit], ``shape`` [1] and ``rate`` [1/unit] as in `gamma_pdf`; each tail keeps its digits
    (JCGM 106:2012 9.5.4: 4.2 % lie above 2 µm).

    >>> float(gamma_cdf(2.0, 4, 4, upper=True).round(8))
    0.04238011
    """
    value, alpha, beta = (np.asarray(v, dtype=np.float64) for v in (x, shape, rate))
    scaled = np.maximum(value * beta, 0)
    special = _special()
    return _floats((special.gammaincc if upper else special.gammainc)(alpha, scaled))


def gamma_quantile(
    probability: ArrayLike, shape: ArrayLike, rate: ArrayLike, *, upper: bool = False
) -> Floats:
    """Give x with P(X <= x) = p, or with ``upper`` P(X > x) = p [unit].

    ``probability`` p [1], ``shape`` [1] and ``rate`` [1/unit] as in `gamma_pdf`; shapes broadcast
    (JCGM 106:2012 9.5.4).

    >>> float(gamma_quantile(0.04238011, 4, 4, upper=True).round(6))
    2.0
    """
    special = _special()
    invert = special.gammainccinv if upper else special.gammaincinv
    return _floats(invert(shape, probability) / np.asarray(rate, dtype=np.float64))


def fisher_quantile(probability: float, dof: float, other_dof: float) -> float:
    """Give F with P(s1²/s2² <= F) = p for two standard deviations of one population.

    ``probability`` p [1]; ``dof`` of s1 and ``other_dof`` of s2 [1], at least 1, finite. Tables of
    the F distribution: F_0.95(2, 10) = 4.10.

    >>> round(fisher_quantile(0.95, 2, 10), 2)
    4.1
    """
    _check_probability(probability)
    return float(_special().fdtri(dof, other_dof, probability))


@cache
def _special() -> Any:
    from scipy import special

    return special


def _floats(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _check_probability(probability: float) -> None:
    if not 0 < probability < 1:
        raise Refused("{probability} is no probability between 0 and 1.", probability=probability)


@lru_cache(maxsize=16)
def _table(probability: float) -> Floats:
    """Give k for ν = 0 (not a number), 1, 2, ..., so that whole numbers cost one look-up."""
    dof = np.arange(1, _TABLE, dtype=np.float64)
    return np.concatenate(([np.nan], -_special().stdtrit(dof, (1 - probability) / 2)))


@lru_cache(maxsize=16)
def _normal_factor(probability: float) -> float:
    """Give k for infinitely many degrees of freedom, to the 15 digits that float64 knows of it.

    The 16th is noise: the k of ±2σ is 2 and not 2.0000000000000004.
    """
    return float(f"{-float(_special().ndtri((1 - probability) / 2)):.15g}")
