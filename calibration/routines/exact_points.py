"""Points whose error or limit is a fraction: decided exactly, printed so that print does not lie.

Knows that a mean of three runs has no finite digits, and an interpolated correction too many for a
64-bit grid. Refuses to round before the decision: such a point is decided here, as a fraction, and
its print is rounded to as many digits as it takes to say the same.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from calibration.calibration_curve import rounded_exactly
from calibration.draft import DraftPoint, Judged
from calibration.grid import plain
from calibration.units import finite
from calibration.verification import Reason

_MOST = 24
"""A digit further than this below the first is the noise of a fraction."""
_PLACES = (5, 9, 12, 18, 24)
_FINEST, _LARGEST = -9, 8
"""Digits from 10^-9 to 10^8 fit the grid of `calibration.judgement` together."""


def mean(values: Sequence[Fraction]) -> Fraction:
    """Give the arithmetic mean, exactly."""
    return sum(values, Fraction(0)) / len(values)


def exact_point(
    *,
    error: Fraction,
    lower: Fraction | None,
    upper: Fraction | None,
    unit: str,
    clause: str,
    nominal: Fraction | None = None,
    reference: Fraction | None = None,
    indication: Fraction | None = None,
    row: int | None = None,
    judged: Judged = Judged.ERROR,
    failure: Reason | None = None,
) -> DraftPoint:
    """Draft a point from fractions [unit]; it is decided here where digits have no end or are many."""
    conforms = (lower is None or lower <= error) and (upper is None or error <= upper)
    sides = [None if side is None else _digits(side) for side in (lower, upper)]
    shown = _digits(error)
    decided_here = not all(
        value is None or _fits(digits)
        for value, digits in zip((error, lower, upper), (shown, *sides), strict=True)
    )
    if shown is None or decided_here:
        sides = [_shortened(side, inwards=inwards) for side, inwards in ((lower, 1), (upper, -1))]
        shown = _agreeing(error, sides[0], sides[1], conforms)
    point = DraftPoint(
        nominal=_printed(nominal),
        reference=_printed(reference),
        indication=_printed(indication),
        error=shown,
        lower=sides[0],
        upper=sides[1],
        unit=unit,
        clause=clause,
        judged=judged,
        conforms=conforms if decided_here else None,
        row=row,
        failure=failure,
    )
    if not reference or judged is not Judged.ERROR:
        return point
    return replace(point, relative_error=rounded_exactly(100 * error / reference, -3))


def printed(value: Fraction) -> Decimal:
    """Write a number for people: its digits, or eight of them where they have no end.

    >>> printed(Fraction(1, 8)), printed(Fraction(2, 3))
    (Decimal('0.125'), Decimal('0.66666667'))
    """
    digits = _digits(value)
    return rounded_exactly(value, _first(value) - 7) if digits is None else digits


def _printed(value: Fraction | None) -> Decimal | None:
    return None if value is None else printed(value)


def _digits(value: Fraction) -> Decimal | None:
    """Give the digits of a number; None where they have no end or go on for too long."""
    digits = finite(value)
    if digits is None or len(digits.as_tuple().digits) > _MOST:
        return None
    return plain(digits)


def _fits(digits: Decimal | None) -> bool:
    """Tell whether digits may go onto one grid with those of other points."""
    if digits is None:
        return False
    exponent = digits.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= _FINEST and digits.adjusted() <= _LARGEST


def _first(value: Fraction) -> int:
    """Give the exponent of the first digit."""
    return Decimal(repr(float(value))).adjusted() if value else 0


def _shortened(side: Fraction | None, *, inwards: int) -> Decimal | None:
    """Write a limit; one without an end is cut inwards, never rounded to the benefit of anyone."""
    if side is None:
        return None
    digits = _digits(side)
    if digits is not None:
        return digits
    exponent = _first(side) - 11
    cut = rounded_exactly(side, exponent)
    if inwards * (Fraction(cut) - side) < 0:
        cut += inwards * Decimal(1).scaleb(exponent)
    return plain(cut)


def _agreeing(
    error: Fraction, lower: Decimal | None, upper: Decimal | None, conforms: bool
) -> Decimal:
    """Round an error to as few digits as say what was decided."""
    for places in _PLACES:
        shown = rounded_exactly(error, _first(error) - places)
        inside = (lower is None or lower <= shown) and (upper is None or shown <= upper)
        if inside == conforms:
            return plain(shown)
    return plain(rounded_exactly(error, _first(error) - _PLACES[-1]))
