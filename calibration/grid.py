"""Decimal digits as int64 counts of one power of ten, and back.

Knows exactness: a value is on the grid or it is refused, and a count that could overflow int64 is
refused before it is used. Refuses to know what the counts mean. A grid of exponent -3 counts
thousandths of the unit.
"""

from collections.abc import Iterable
from decimal import Context, Decimal, Inexact

import numpy as np
from numpy.typing import NDArray

from calibration.refusal import Refused

Counts = NDArray[np.int64]
"""Integers on a grid: value = count * 10^exponent [unit]."""

LARGEST_COUNT = 2**60
"""Largest count let onto a grid: a sum of any seven of them still fits int64."""
_EXACT = Context(prec=80, traps=[Inexact])
_APART = (
    "{value} does not fit a 64-bit grid of 10^{exponent}, the finest digit beside it: is one of "
    "the numbers mistyped?"
)


def finest_exponent(*columns: Iterable[Decimal]) -> int:
    """Give the exponent of the finest digit present in any column; 0 when there is none.

    >>> finest_exponent([Decimal("20.3"), Decimal("15.0075")], [Decimal("2.50")])
    -4
    """
    finest: int | None = None
    for column in columns:
        for value in column:
            exponent = value.as_tuple().exponent
            if not isinstance(exponent, int):
                raise Refused("{value} is not a number.", value=value)
            finest = exponent if finest is None else min(finest, exponent)
    return 0 if finest is None else finest


def on_grid(values: Iterable[Decimal], exponent: int) -> Counts:
    """Count every value in units of 10^exponent, exactly or not at all.

    >>> on_grid([Decimal("20.3"), Decimal("-0.05")], -2)
    array([2030,   -5])
    """
    counts: list[int] = []
    for value in values:
        try:
            # 10^19 is past int64, and int() of a huge exponent would fill the memory.
            if value and value.adjusted() - exponent > 18:
                raise OverflowError
            count = int(scaled := value.scaleb(-exponent, _EXACT))
        except (ArithmeticError, ValueError):
            raise Refused(_APART, value=value, exponent=exponent) from None
        if count != scaled:
            raise Refused(
                "{value} lies between two counts of 10^{exponent}.", value=value, exponent=exponent
            )
        if not -LARGEST_COUNT <= count <= LARGEST_COUNT:
            raise Refused(_APART, value=value, exponent=exponent)
        counts.append(count)
    return np.array(counts, dtype=np.int64)


def off_grid(counts: Counts, exponent: int) -> tuple[Decimal, ...]:
    """Turn counts of 10^exponent back into the digits they stand for.

    >>> off_grid(np.array([2030, -5]), -2)
    (Decimal('20.30'), Decimal('-0.05'))
    """
    return tuple(Decimal(count).scaleb(exponent, _EXACT) for count in counts.tolist())


def regrid(counts: Counts, exponent: int, finer: int) -> Counts:
    """Move counts of 10^exponent onto the finer grid 10^finer (count * 10^(exponent - finer))."""
    if finer > exponent:
        raise Refused(
            "a grid of 10^{finer} is not finer than 10^{exponent}.", finer=finer, exponent=exponent
        )
    return times(counts, 10 ** (exponent - finer))


def times(counts: Counts, factor: int) -> Counts:
    """Multiply counts by an integer, refusing what could leave int64."""
    if factor == 0 or counts.size == 0:
        return np.zeros_like(counts)
    if largest(counts) > LARGEST_COUNT // abs(factor):
        raise Refused("{value} does not fit a 64-bit grid.", value=largest(counts) * abs(factor))
    return counts * np.int64(factor)


def checked(counts: Counts) -> Counts:
    """Pass counts on when sums of them cannot leave int64."""
    if counts.dtype != np.int64:
        raise Refused("counts are int64, not {dtype}.", dtype=counts.dtype)
    if (size := largest(counts)) > LARGEST_COUNT:
        raise Refused("{value} does not fit a 64-bit grid.", value=size)
    return counts


def largest(counts: Counts) -> int:
    """Give the largest magnitude among counts; 0 when there is none."""
    if counts.size == 0:
        return 0
    return max(int(counts.max()), -int(counts.min()))


def plain(value: Decimal) -> Decimal:
    """Drop trailing zeros behind the point: 7.50 is 7.5 and 50.0 is 50, never 5E+1."""
    whole = value.to_integral_value()
    return whole.quantize(Decimal(1), context=_EXACT) if whole == value else value.normalize(_EXACT)
