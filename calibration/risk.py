"""Probabilities of wrong decisions (JCGM 106:2012), for many points at once.

Knows how likely a measured value belongs to a conforming quantity, and how often a decision rule
errs over a whole population. Refuses to decide: acceptance limits come from
calibration.decision_rule, and nothing here moves a verdict. Measured values are taken as normal
with their standard uncertainty; a side without a limit is None.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.distributions import Floats, normal_cdf, normal_quantile
from calibration.prior import Prior, is_positive
from calibration.refusal import Refused

Limit = ArrayLike | None
"""A limit [unit], one or shape (points,); None: that side has none."""

_TAILS = np.array([1e-18, 1e-13, 1e-9, 1e-6, 1e-4, 3e-3, 0.03, 0.15, 0.5])
"""Tail probabilities of the prior where an integral is split; past the first there is nothing."""
_SPLITS = np.array([-9.0, -6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0, 9.0])
"""Standard uncertainties from an acceptance limit where an integral is split."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


@dataclass(frozen=True, slots=True, eq=False)
class GlobalRisk:
    """How often a decision rule errs over a population, shape (points,)."""

    consumer: Floats
    """Share of all items that are accepted and do not conform [1]."""
    producer: Floats
    """Share of all items that are rejected and do conform [1]."""


def probability_of_conformity(
    value: ArrayLike,
    standard_uncertainty: ArrayLike,
    lower: Limit = None,
    upper: Limit = None,
) -> Floats:
    """Give the probability that the quantity conforms: p_c = Φ((T_U - y)/u) - Φ((T_L - y)/u).

    ``value`` y, ``standard_uncertainty`` u more than 0, ``lower`` T_L and ``upper`` T_U [unit], one
    or shape (points,), for a measured value with no other knowledge. JCGM 106:2012 7.2.2 to 7.4.

    >>> probability_of_conformity([2.0, 1.5], 0.25, upper=2.0).round(6)
    array([0.5    , 0.97725])
    """
    low, high = _standardised(value, standard_uncertainty, lower, upper)
    return _between(low, high)


def probability_of_nonconformity(
    value: ArrayLike,
    standard_uncertainty: ArrayLike,
    lower: Limit = None,
    upper: Limit = None,
) -> Floats:
    """Give the probability that it does not: Φ((T_L - y)/u) + Φ((y - T_U)/u), small ones in full.

    Parameters as of `probability_of_conformity`. JCGM 106:2012 7.2.2 to 7.4.

    >>> float(probability_of_nonconformity(0.0, 0.1, -1.0, 1.0))
    1.523970604832094e-23
    """
    low, high = _standardised(value, standard_uncertainty, lower, upper)
    return np.asarray(normal_cdf(low) + normal_cdf(-high))


def specific_risk(
    value: ArrayLike,
    standard_uncertainty: ArrayLike,
    accepted: ArrayLike,
    lower: Limit = None,
    upper: Limit = None,
) -> Floats:
    """Give the probability that this very decision is wrong: 1 - p_c if accepted, p_c if rejected.

    ``accepted``: what was decided, one or shape (points,); other parameters as of
    `probability_of_conformity`. JCGM 106:2012 3.3.13, 3.3.14: specific consumer's and producer's
    risk.

    >>> specific_risk([1.5, 2.5], 0.25, [True, False], upper=2.0).round(6)
    array([0.02275, 0.02275])
    """
    accept = np.asarray(accepted, dtype=np.bool_)
    wrong = probability_of_nonconformity(value, standard_uncertainty, lower, upper)
    right = probability_of_conformity(value, standard_uncertainty, lower, upper)
    return np.asarray(np.where(accept, wrong, right))


def global_risk(
    prior: Prior,
    standard_uncertainty: ArrayLike,
    *,
    lower: Limit = None,
    upper: Limit = None,
    guard_band: ArrayLike = 0.0,
) -> GlobalRisk:
    """Give both global risks: R_C = ∫_outside g P dη, R_P = ∫_inside g (1 - P) dη.

    ``prior`` g: the population; P(η) is the probability that η is measured within the acceptance
    interval [T_L + w, T_U - w]; ``standard_uncertainty`` u more than 0, limits T and
    ``guard_band`` w [unit], negative to accept more, one or shape (points,). Gauss-Legendre rule on
    intervals split at both curves' bends; absolute error below 1e-12. JCGM 106:2012 9.5.1, 9.5.2;
    example 9.5.4:

    >>> from calibration.prior import GammaPrior
    >>> float(global_risk(GammaPrior(4, 4), 0.25, upper=2.0).consumer[0].round(8))
    0.00801911
    """
    u, low, high, w = _columns(standard_uncertainty, lower, upper, guard_band)
    accepted = low + w, high - w
    least = np.broadcast_to(prior.quantile(_TAILS[:1]), u.shape)
    most = np.broadcast_to(prior.quantile(_TAILS[:1], upper=True), u.shape)
    inner = np.clip(low, least, most), np.clip(high, least, most)
    below = _integral(prior, u, accepted, least, inner[0], accept=True)
    above = _integral(prior, u, accepted, inner[1], most, accept=True)
    producer = _integral(prior, u, accepted, *inner, accept=False)
    return GlobalRisk(np.asarray(below + above), producer)


def guard_band_for_consumer_risk(
    prior: Prior,
    standard_uncertainty: ArrayLike,
    risk: float,
    *,
    lower: Limit = None,
    upper: Limit = None,
) -> Floats:
    """Find the guard band w >= 0 with which the global consumer's risk is ``risk``; 0 if it is less.

    ``prior``, ``standard_uncertainty`` and limits as of `global_risk`; ``risk`` R_C [1], more than
    0 and less than 1. Returns w [unit], shape (points,), by bisection to the last digits. JCGM
    106:2012 8.3.2, 9.5; example 9.5.4:

    >>> from calibration.prior import GammaPrior
    >>> float(guard_band_for_consumer_risk(GammaPrior(4, 4), 0.25, 0.001, upper=2.0)[0].round(8))
    0.32817123
    """
    if not 0 < risk < 1:
        raise Refused("{probability} is no probability between 0 and 1.", probability=risk)
    u, low, high, _ = _columns(standard_uncertainty, lower, upper, 0.0)

    def exceeds(w: Floats) -> NDArray[np.bool_]:
        found = global_risk(prior, u, lower=low, upper=high, guard_band=w)
        return np.asarray(found.consumer > risk)

    small = np.zeros_like(u)
    large = 8 * u
    while bool((more := exceeds(large)).any()):
        large = np.where(more, 2 * large, large)
    needed = exceeds(small)
    for _ in range(70):
        middle = (small + large) / 2
        more = exceeds(middle)
        small, large = np.where(more, middle, small), np.where(more, large, middle)
    return np.asarray(np.where(needed, large, 0.0))


def guard_band_for_specific_risk(standard_uncertainty: ArrayLike, risk: float) -> Floats:
    """Find the guard band of one limit that keeps each accepted item's risk: w = -Φ⁻¹(R) u.

    ``standard_uncertainty`` u [unit], one or shape (points,); ``risk`` R [1], more than 0 and at
    most ½. w = U = 2 u belongs to R = 2.3 %. JCGM 106:2012 8.3.2.

    >>> float(guard_band_for_specific_risk(0.25, 0.05).round(6))
    0.411213
    """
    if not 0 < risk <= 0.5:
        raise Refused("a risk of {risk} is not between 0 and ½.", risk=risk)
    return np.asarray(-normal_quantile(risk) * np.asarray(standard_uncertainty, dtype=np.float64))


def _integral(
    prior: Prior,
    u: Floats,
    accepted: tuple[Floats, Floats],
    begin: Floats,
    end: Floats,
    *,
    accept: bool,
) -> Floats:
    """Integrate g(η) times the probability of acceptance (or of rejection), shape (points,)."""
    bends = [
        np.broadcast_to(prior.quantile(_TAILS), (u.size, _TAILS.size)),
        np.broadcast_to(prior.quantile(_TAILS[:-1], upper=True), (u.size, _TAILS.size - 1)),
        *(edge[:, None] + u[:, None] * _SPLITS for edge in accepted),
    ]
    edges = np.clip(np.concatenate(bends, axis=1), begin[:, None], end[:, None])
    edges = np.sort(np.concatenate((edges, begin[:, None], end[:, None]), axis=1), axis=1)
    half = np.diff(edges, axis=1) / 2
    middle = edges[:, :-1] + half
    eta = middle[:, :, None] + half[:, :, None] * _NODES
    low, high = ((edge[:, None, None] - eta) / u[:, None, None] for edge in accepted)
    density = prior.pdf(eta)
    empty = (accepted[0] > accepted[1])[:, None, None]
    if accept:
        density = density * np.where(empty, 0.0, _between(low, high))
    else:
        density = density * np.where(empty, 1.0, normal_cdf(low) + normal_cdf(-high))
    return np.asarray(((density @ _WEIGHTS) * half).sum(axis=1))


def _between(low: Floats, high: Floats) -> Floats:
    """Give Φ(high) - Φ(low) from the tail that keeps the digits."""
    mirrored = low > 0
    a, b = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
    return np.asarray(normal_cdf(b) - normal_cdf(a))


def _standardised(
    value: ArrayLike, standard_uncertainty: ArrayLike, lower: Limit, upper: Limit
) -> tuple[Floats, Floats]:
    y, u = np.asarray(value, dtype=np.float64), np.asarray(standard_uncertainty, dtype=np.float64)
    _check_uncertainty(u)
    low, high = _interval(lower, upper)
    return np.asarray((low - y) / u), np.asarray((high - y) / u)


def _columns(
    standard_uncertainty: ArrayLike, lower: Limit, upper: Limit, guard_band: ArrayLike
) -> tuple[Floats, Floats, Floats, Floats]:
    _check_uncertainty(standard_uncertainty)
    low, high = _interval(lower, upper)
    columns = np.broadcast_arrays(
        np.atleast_1d(np.asarray(standard_uncertainty, dtype=np.float64)),
        low,
        high,
        np.asarray(guard_band, dtype=np.float64),
    )
    return columns[0], columns[1], columns[2], columns[3]


def _interval(lower: Limit, upper: Limit) -> tuple[Floats, Floats]:
    low = np.asarray(-np.inf if lower is None else lower, dtype=np.float64)
    high = np.asarray(np.inf if upper is None else upper, dtype=np.float64)
    if not bool((low <= high).all()):
        raise Refused("a lower limit lies above its upper limit.")
    return low, high


def _check_uncertainty(standard_uncertainty: ArrayLike) -> None:
    if not is_positive(standard_uncertainty):
        raise Refused("a standard uncertainty of {u} is not more than 0.", u=standard_uncertainty)
