"""Rounding, each kind with its rule: for certificates, onto a grid, and upwards for a guard band.

Knows how a float64 becomes digits and what that costs. Refuses digits that float64 does not hold.
Nothing here decides: what is compared stays unrounded or is rounded against the benefit of the
instrument.
"""

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal

import numpy as np
from numpy.typing import ArrayLike

from calibration.component import Component, Values, limited
from calibration.distributions import Floats
from calibration.grid import LARGEST_COUNT, Counts, off_grid, plain
from calibration.refusal import Refused

GUARD_DIGITS = 3
"""Significant digits of an expanded uncertainty that guards a limit: rounded up by at most 1 %."""

_LARGEST_EXACT = 2**53
"""Counts beyond it are not told apart by float64."""
_LARGEST_LOSS = Decimal("0.05")
"""Rounding may lower an expanded uncertainty by this share and no more (EA-4/02 M:2022 6.3)."""
_PRINTED = Context(prec=60, rounding=ROUND_HALF_EVEN)


def reported(expanded_uncertainty: float, digits: int = 2) -> Decimal:
    """Round an expanded uncertainty for the certificate: to ``digits`` significant digits.

    ``expanded_uncertainty`` U [unit], not negative; ``digits`` 1 or more. Halves go up; where that
    would lower U by more than 5 %, which can happen to 1 digit only, it is rounded up instead.
    EA-4/02 M:2022 6.3; JCGM 100:2008 7.2.6.

    >>> reported(58.523499), reported(0.0010499), reported(1.04, digits=1)
    (Decimal('59'), Decimal('0.0010'), Decimal('1'))
    """
    rounded = _rounded(expanded_uncertainty, digits)
    return _whole(rounded) if _exponent(rounded) > 0 else rounded


def reported_value(value: Decimal, expanded_uncertainty: float, digits: int = 2) -> Decimal:
    """Round an estimate to the last digit of its uncertainty as `reported`, halves to even.

    ``value`` and ``expanded_uncertainty`` [unit]. JCGM 100:2008 7.2.6.

    >>> reported_value(Decimal("10000.0253"), 0.058523)
    Decimal('10000.025')
    """
    place = _rounded(expanded_uncertainty, digits)
    rounded = value.quantize(place, rounding=ROUND_HALF_EVEN, context=_PRINTED)
    return _whole(rounded) if _exponent(rounded) > 0 else rounded


def significant(value: float, digits: int = 6) -> Decimal:
    """Write a float64 with ``digits`` significant digits, halves to even, without trailing zeros.

    ``value`` [any unit]: for tables that people read and that two machines must print alike.

    >>> significant(8.660254037844387), significant(-1.5), significant(123456789.0)
    (Decimal('8.66025'), Decimal('-1.5'), Decimal('123457000'))
    """
    if not math.isfinite(value):
        raise Refused("{value} is not a number.", value=value)
    exact = Decimal(repr(float(value)))
    place = Decimal(1).scaleb(exact.adjusted() - digits + 1) if exact else Decimal(1)
    return plain(exact.quantize(place, context=_PRINTED))


def rounded_up(expanded_uncertainty: Values, digits: int = GUARD_DIGITS) -> tuple[Counts, int]:
    """Round uncertainties up to ``digits`` significant digits: never less than U.

    ``expanded_uncertainty`` U [unit], not negative, one or shape (points,); ``digits`` from 1 to
    9. Returns counts of shape (points,) and the exponent of their grid. Digits past the 12th are
    the noise of float64 and no uncertainty: 0.30000000000000004 is 0.3. Refused where the
    magnitudes of U differ so much that no int64 grid holds them. JCGM 100:2008 7.2.6 lets
    uncertainties be rounded up.

    >>> counts, exponent = rounded_up(np.array([0.12341, 0.3]))
    >>> off_grid(counts, exponent)
    (Decimal('0.124'), Decimal('0.300'))
    """
    u = np.atleast_1d(np.asarray(expanded_uncertainty, dtype=np.float64))
    if not bool((np.isfinite(u) & (u >= 0)).all()) or not 1 <= digits <= 9:
        raise Refused("{value} is no uncertainty to report.", value=expanded_uncertainty)
    some = u > 0
    if not bool(some.any()):
        return np.zeros(u.shape, dtype=np.int64), 0
    place = np.zeros(u.shape, dtype=np.int64)
    place[some] = np.floor(np.log10(u[some])).astype(np.int64) - (digits - 1)
    # log10 may be one off beside a power of ten: what then lies outside is moved one place.
    mantissa = _mantissa(u, place, digits)
    place = place + (mantissa >= 10**digits) - (some & (mantissa < 10 ** (digits - 1)))
    counts = np.ceil(_mantissa(u, place, digits)).astype(np.int64)
    exponent = int(place[some].min())
    raised = np.where(some, place - exponent, 0)
    if int(raised.max()) > 18 - digits:
        raise Refused(
            "uncertainties from {least} to {largest} do not fit one 64-bit grid.",
            least=u[some].min(),
            largest=u.max(),
        )
    counts = counts * 10**raised
    if int(counts.max()) > LARGEST_COUNT:
        raise Refused("{value} does not fit a 64-bit grid.", value=int(counts.max()))
    return counts, exponent


@dataclass(frozen=True, slots=True, eq=False)
class RoundedCorrection:
    """A computed correction as digits of a grid, and what the rounding adds to the budget."""

    counts: Counts
    """Correction [count of 10^exponent], shape (points,)."""
    exponent: int
    component: Component
    """The rounding: rectangular within ± half a count."""

    def digits(self) -> tuple[Decimal, ...]:
        """Give the digits that the counts stand for [unit]."""
        return off_grid(self.counts, self.exponent)


def rounded_correction(
    name: str, unit: str, correction: ArrayLike, exponent: int, *, sensitivity: Values = 1.0
) -> RoundedCorrection:
    """Turn a float64 correction into digits of a stated grid: n = round(C/10^e), half to even.

    ``correction`` C [unit], one or shape (points,); ``exponent`` e: the last digit is worth 10^e
    [unit]; ``sensitivity`` [result unit/unit] of the rounding, u = 10^e/√12, which belongs into the
    budget. Refused where float64 does not reach that digit. JCGM 100:2008 F.2.2.1, 7.2.6.

    >>> rounded = rounded_correction("buoyancy", "mg", [-0.123456, 0.0005], -3)
    >>> rounded.digits(), round(rounded.component.standard_uncertainty, 9)
    ((Decimal('-0.123'), Decimal('0.000')), 0.000288675)
    """
    values = np.atleast_1d(np.asarray(correction, dtype=np.float64))
    # 10.0**-3 is not 0.001: multiplying by 1000 keeps the half of a count where it is.
    scaled = values * 10.0**-exponent if exponent < 0 else values / 10.0**exponent
    if not bool((np.abs(scaled) < _LARGEST_EXACT).all()):
        raise Refused(
            "{component}: float64 does not reach the digit 10^{exponent} {unit}.",
            component=name,
            exponent=exponent,
            unit=unit,
        )
    counts = np.rint(scaled).astype(np.int64)
    rounding = limited(name, unit, 10.0**exponent / 2, sensitivity=sensitivity)
    return RoundedCorrection(counts, exponent, rounding)


def _whole(value: Decimal) -> Decimal:
    """Write 1.2E+25 with all its digits."""
    if value.adjusted() >= _PRINTED.prec:
        raise Refused("{value} is no uncertainty to report.", value=value)
    return value.quantize(Decimal(1), context=_PRINTED)


def _rounded(expanded_uncertainty: float, digits: int) -> Decimal:
    """Round to significant digits; the exponent of the result is that of its last digit."""
    if not (expanded_uncertainty >= 0 and math.isfinite(expanded_uncertainty)) or digits < 1:
        raise Refused("{value} is no uncertainty to report.", value=expanded_uncertainty)
    # The shortest digits of the float are those that a reader would type.
    exact = Decimal(repr(float(expanded_uncertainty)))
    if not exact:
        return Decimal(0)
    place = Decimal(1).scaleb(exact.adjusted() - digits + 1)
    rounded = exact.quantize(place, rounding=ROUND_HALF_UP, context=_PRINTED)
    if exact - rounded > _LARGEST_LOSS * exact:
        rounded = exact.quantize(place, rounding=ROUND_CEILING, context=_PRINTED)
    # 9.96 becomes 10.0 at this place: its two digits are 10.
    if rounded.adjusted() > exact.adjusted():
        rounded = rounded.quantize(place.scaleb(1), context=_PRINTED)
    return rounded


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _mantissa(u: Floats, place: Counts, digits: int) -> Floats:
    """Give U in units of its last digit, without the digits past the 12th."""
    noise = 10.0 ** (12 - digits)
    return np.asarray(np.rint(u / 10.0**place * noise) / noise)
