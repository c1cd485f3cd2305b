"""Measurement errors on int64 counts.

Knows how an error is found from what was displayed: directly, or through the indication prior to
rounding found with added loads. Refuses to know limits. Divides only to print: a relative error is
compared as p * V against the absolute error, on a grid where both are integers.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact

from calibration.grid import Counts, checked, finest_exponent, on_grid, plain, times
from calibration.refusal import Refused

_EXACT = Context(prec=80, traps=[Inexact])
_PRINTED = Context(prec=28, rounding=ROUND_HALF_EVEN)


def weighing_exponent(e: Decimal, *columns: Iterable[Decimal]) -> int:
    """Give the grid on which e, e/2 and every digit of the columns are counts."""
    return finest_exponent([_EXACT.divide(e, Decimal(2)), e], *columns)


def indication_before_rounding(indication: Counts, added_load: Counts, e: int) -> Counts:
    """Find the indication prior to rounding: P = I + e/2 - ΔL.

    ``indication`` I and ``added_load`` ΔL [count], shape (points,); ``e`` [count], even. ΔL is the
    load added in steps of e/10 until the display changes by one e. OIML R 76-1:2006 A.4.4.3, there
    e = 5 g, I = 1000 g, ΔL = 1.5 g give P = 1001 g; below on a grid of 0.1 g:

    >>> import numpy as np
    >>> indication_before_rounding(np.array([10000]), np.array([15]), 50)
    array([10010])
    """
    half, odd = divmod(e, 2)
    if odd:
        raise Refused("e = {e} counts has no half on this grid: choose a finer one.", e=e)
    return checked(checked(indication) + half - checked(added_load))


def measurement_error(indication: Counts, reference: Counts) -> Counts:
    """Find the measurement error: E = I - R, or E = P - L [count], shape (points,) (VIM 2.16).

    OIML R 76-1:2006 A.4.4.3, P = 1001 g at L = 1000 g: E = +1 g.

    >>> import numpy as np
    >>> measurement_error(np.array([10010]), np.array([10000]))
    array([10])
    """
    return checked(checked(indication) - checked(reference))


def corrected_error(error: Counts, error_at_zero: Counts) -> Counts:
    """Correct for the error at or near zero: Ec = E - E0 [count].

    Shape (points,), E0 of shape (points,) or (1,).
    OIML R 76-1:2006 A.4.4.3, E = +1 g and E0 = +0.5 g: Ec = +0.5 g.

    >>> import numpy as np
    >>> corrected_error(np.array([10]), np.array([5]))
    array([5])
    """
    return checked(checked(error) - checked(error_at_zero))


def relative_limit(percent: Decimal, reference: Counts, exponent: int) -> tuple[Counts, int]:
    """Turn a limit in % into an absolute one: p * V / 100, as counts of a finer grid.

    ``reference`` V [count of 10^exponent], shape (points,). Returns counts and their exponent: the
    digits of p move it, and /100 moves it by 2, so nothing is divided.

    >>> import numpy as np
    >>> relative_limit(Decimal("0.5"), np.array([1001]), -2)
    (array([5005]), -5)
    """
    factor = plain(percent)
    finer = finest_exponent([factor])
    (count,) = on_grid([factor], finer).tolist()
    return times(reference, count), exponent + finer - 2


def relative_error_percent(error: Decimal, reference: Decimal, places: int = 3) -> Decimal:
    """Print an error in % of the reference, rounded half to even: for people, never to decide.

    >>> relative_error_percent(Decimal("0.0505"), Decimal("10.01"))
    Decimal('0.504')
    """
    if not reference:
        raise Refused("an error relative to 0 is not defined.")
    percent = _PRINTED.divide(error.scaleb(2, _EXACT), reference)
    return percent.quantize(Decimal(1).scaleb(-places), context=_PRINTED)
