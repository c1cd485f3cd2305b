"""Decision rules by name: what an expanded uncertainty does to the limits of the law.

Knows simple acceptance, the guard band w = U and the rule of OIML R 111. Refuses to let a binary
float decide: a limit is guarded by U rounded up to three significant digits, all else is exact,
and a decision that hangs on that rounding says so. Which rule the law wants is not known here.
"""

from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from calibration import verification
from calibration.distributions import Floats
from calibration.grid import Counts, checked, off_grid, regrid, times
from calibration.refusal import Refused
from calibration.rounding import rounded_up
from calibration.verification import NO_LOWER, NO_UPPER, Verdict

R111_SHARE = 3
"""R 111-1:2004 5.2: the expanded uncertainty, times this, is at most the MPE (the larger limit)."""
_EXACT = Context(prec=80, traps=[Inexact])


class DecisionRule(StrEnum):
    """How measurement uncertainty enters a decision (JCGM 106:2012 3.3.12)."""

    SIMPLE_ACCEPTANCE = verification.SIMPLE_ACCEPTANCE
    """Acceptance limits are the limits of the law (JCGM 106:2012 8.2; R 76, R 117, R 49)."""
    GUARD_BAND_U = "guard band w = U"
    """Acceptance limits lie inside by U (JCGM 106:2012 8.3.2)."""
    R111 = "R 111"
    """Inside by U, and U at most a third of the limit (OIML R 111-1:2004 5.2, 5.3)."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided of one error, and how near U was to deciding otherwise."""

    verdict: Verdict
    """Indeterminate: the uncertainty is too large for the rule, and the error does not settle it."""
    lower: Decimal | None
    """Smallest error that is accepted [unit]; None when that side has no limit."""
    upper: Decimal | None
    """Largest error that is accepted [unit]; None when that side has no limit."""
    guard_band: Decimal
    """w by which the limits were moved inwards [unit]."""
    uncertainty_decides: bool
    """One unit less or more in the third digit of U would have decided otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class AcceptanceLimits:
    """Acceptance limits of many points as counts of one grid, shape (points,)."""

    lower: Counts
    """[count]; NO_LOWER where that side has no limit; above ``upper`` where nothing is accepted."""
    upper: Counts
    """[count]; NO_UPPER where that side has no limit."""
    guard_band: Counts
    """w [count]."""
    exponent: int
    """The grid: value = count * 10^exponent [unit]."""
    adequate: NDArray[np.bool_]
    """The uncertainty is small enough for the rule."""


def decide(
    rule: DecisionRule,
    error: Decimal,
    lower: Decimal | None,
    upper: Decimal | None,
    expanded_uncertainty: float,
) -> Decision:
    """Decide one error by a named rule: T_L + w <= E <= T_U - w, exactly.

    ``error`` E and limits T [unit], exact digits; ``expanded_uncertainty`` U [unit], k = 2. w is 0
    for simple acceptance, else U rounded up to three significant digits. Where U is too large (R
    111: 3 U > MPE; any guard band: nothing is left to accept) an error outside the limits by more
    than U is nonconforming, any other indeterminate. JCGM 106:2012 8.2, 8.3.2; OIML R 111-1:2004
    5.2, 5.3; there 1 kg of class F1 has a limit of 5 mg:

    >>> limit = Decimal("5.0")
    >>> decision = decide(DecisionRule.R111, Decimal("3.4"), -limit, limit, 1.5)
    >>> str(decision.verdict), decision.upper, decision.uncertainty_decides
    ('conforming', Decimal('3.50'), False)
    """
    _check_limits(lower, upper)
    counts, exponent = rounded_up(expanded_uncertainty)
    less, u, more = off_grid(np.concatenate((counts - (counts > 0), counts, counts + 1)), exponent)
    verdict, low, high, w = _decided(rule, error, lower, upper, u)
    near = {_decided(rule, error, lower, upper, other)[0] for other in (less, more)}
    return Decision(verdict, low, high, w, near != {verdict})


def acceptance_limits(
    rule: DecisionRule, lower: Counts, upper: Counts, exponent: int, expanded_uncertainty: Floats
) -> AcceptanceLimits:
    """Move the limits of many points inwards by the rule: A_L = T_L + w, A_U = T_U - w.

    ``lower`` and ``upper`` T [count of 10^exponent], NO_LOWER and NO_UPPER where there is none,
    ``expanded_uncertainty`` U [unit], shape (points,). The grid of the result holds three
    significant digits of every U and every limit. JCGM 106:2012 8.2, 8.3.2; OIML R 111-1:2004 5.3.

    >>> limit = np.array([50], dtype=np.int64)
    >>> found = acceptance_limits(DecisionRule.R111, -limit, limit, -1, np.array([1.5]))
    >>> found.lower, found.upper, found.exponent, found.adequate
    (array([-350]), array([350]), -2, array([ True]))
    """
    u, finer = rounded_up(expanded_uncertainty)
    grid = min(finer, exponent)
    u = times(u, 10 ** (finer - grid))
    w = np.zeros_like(u) if rule is DecisionRule.SIMPLE_ACCEPTANCE else u
    no_lower, no_upper = lower == NO_LOWER, upper == NO_UPPER
    low = regrid(np.where(no_lower, 0, lower), exponent, grid)
    high = regrid(np.where(no_upper, 0, upper), exponent, grid)
    if bool((~no_lower & ~no_upper & (low > high)).any()):
        raise Refused("a lower limit lies above its upper limit.")
    if rule is DecisionRule.R111:
        mpe = np.maximum(np.abs(low), np.abs(high))
        adequate = times(u, R111_SHARE) <= np.where(no_lower & no_upper, u, mpe)
    else:
        adequate = np.ones(u.shape, dtype=np.bool_)
    low, high = checked(low + w), checked(high - w)
    adequate &= no_lower | no_upper | (low <= high)
    return AcceptanceLimits(
        np.where(no_lower, NO_LOWER, low),
        np.where(no_upper, NO_UPPER, high),
        w,
        grid,
        adequate,
    )


def _decided(
    rule: DecisionRule,
    error: Decimal,
    lower: Decimal | None,
    upper: Decimal | None,
    u: Decimal,
) -> tuple[Verdict, Decimal | None, Decimal | None, Decimal]:
    """Decide with an expanded uncertainty that is exact digits."""
    w = Decimal(0) if rule is DecisionRule.SIMPLE_ACCEPTANCE else u
    low = None if lower is None else _EXACT.add(lower, w)
    high = None if upper is None else _EXACT.subtract(upper, w)
    adequate = low is None or high is None or low <= high
    if rule is DecisionRule.R111:
        mpe = max((abs(limit) for limit in (lower, upper) if limit is not None), default=u)
        adequate = adequate and R111_SHARE * u <= mpe
    if adequate:
        conforms = (low is None or low <= error) and (high is None or error <= high)
        return (Verdict.CONFORMING if conforms else Verdict.NONCONFORMING), low, high, w
    beyond = (lower is not None and error < _EXACT.subtract(lower, u)) or (
        upper is not None and error > _EXACT.add(upper, u)
    )
    return (Verdict.NONCONFORMING if beyond else Verdict.INDETERMINATE), low, high, w


def _check_limits(lower: Decimal | None, upper: Decimal | None) -> None:
    if lower is not None and upper is not None and lower > upper:
        raise Refused("a lower limit lies above its upper limit.")
