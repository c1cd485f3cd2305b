"""The limits of many instruments as one table of integers: looked up without a step per curve.

Knows how `LimitCurve`s of one unit become rows of counts. Refuses the shapes that a table cannot
hold (rounded values, rounded limits, reciprocals, limits in % of another quantity) and values
outside a curve: those are asked one by one, of the curve itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from calibration.grid import LARGEST_COUNT, Counts, finest_exponent, largest, on_grid, plain
from calibration.limit_curve import LimitCurve, Sides
from calibration.refusal import Refused


@dataclass(frozen=True, slots=True, eq=False)
class LimitGrid:
    """Limits over values on a grid; a row for each curve, a column for each band."""

    exponent: int
    """Values are counts of 10^exponent [unit]."""
    fine: int
    """Limits are counts of 10^fine [unit]."""
    first: Counts
    """Smallest value with a limit [count of values], shape (curves,)."""
    last: Counts
    """Last value of each band [count of values], shape (curves, bands)."""
    constant: Counts
    """Constant part of the limit [count of limits], shape (curves, bands)."""
    slope: Counts
    """Part of the limit for each count of the value [count of limits], shape (curves, bands)."""
    floor: Counts
    """No limit is smaller [count of limits], shape (curves,)."""
    lower: Counts
    """Factor of the lower limit: -1 symmetric, 0 one-sided, shape (curves,)."""

    @classmethod
    def of(cls, curves: Sequence[LimitCurve], exponent: int) -> "LimitGrid":
        """Put curves of one unit onto the grid 10^exponent of the values."""
        if len({curve.unit for curve in curves}) != 1:
            raise Refused("limits of one batch are in one unit.")
        for curve in curves:
            if (
                curve.relative
                or curve.nominal
                or any(curve.lacking)
                or any(curve.reciprocals)
                or curve.value_step is not None
                or curve.limit_step is not None
                or curve.sides is Sides.SPREAD
            ):
                raise Refused("a limit of this shape is asked of its curve, not of a batch.")
        numbers = [plain(c) for curve in curves for c in (*curve.constants, curve.floor)]
        slopes = [plain(slope) for curve in curves for slope in curve.slopes]
        fine = finest_exponent(numbers)
        if any(slopes):
            fine = min(fine, finest_exponent(slopes) + exponent)
        bands = max(len(curve.constants) for curve in curves)
        shape = (len(curves), bands)
        last = np.full(shape, LARGEST_COUNT, dtype=np.int64)
        constant, slope = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, curve in enumerate(curves):
            ends = _ends(curve, exponent)
            last[row, : len(ends)] = ends
            # Beyond the last bound nothing is defined: the missing bands end before they begin.
            last[row, len(ends) :] = (
                ends[-1] if len(ends) == len(curve.constants) else LARGEST_COUNT
            )
            count = len(curve.constants)
            constant[row, :count] = on_grid([plain(c) for c in curve.constants], fine)
            slope[row, :count] = on_grid([plain(s) for s in curve.slopes], fine - exponent)
        return cls(
            exponent=exponent,
            fine=fine,
            first=np.array([_first(curve, exponent) for curve in curves], dtype=np.int64),
            last=last,
            constant=constant,
            slope=slope,
            floor=on_grid([plain(curve.floor) for curve in curves], fine),
            lower=np.array(
                [0 if curve.sides is Sides.UPWARD else -1 for curve in curves], dtype=np.int64
            ),
        )

    def limits(self, values: Counts, curve: NDArray[np.intp]) -> tuple[Counts, Counts]:
        """Give lower and upper limit [count of 10^fine] at every value of every curve.

        ``values`` [count of 10^exponent], ``curve`` the row of each, shape (points,).
        """
        band = np.zeros(values.shape, dtype=np.intp)
        for column in range(self.last.shape[1] - 1):
            band += values > self.last[:, column][curve]
        if bool((values < self.first[curve]).any()) or bool(
            (values > self.last[curve, band]).any()
        ):
            raise Refused("a value of the batch lies outside the limits of its instrument.")
        limit = self.constant[curve, band]
        if self.slope.any():
            if largest(self.slope) * largest(values) > LARGEST_COUNT:
                raise Refused("{value} does not fit a 64-bit grid.", value=largest(values))
            limit += self.slope[curve, band] * values
        limit = np.maximum(limit, self.floor[curve])
        return self.lower[curve] * limit, limit


def _ends(curve: LimitCurve, exponent: int) -> list[int]:
    """Give the last count of each band that has an end."""
    each = curve.inclusive
    inclusive = (each,) * len(curve.bounds) if isinstance(each, bool) else each
    scale = Fraction(10) ** exponent
    return [
        min(floor(Fraction(b) / scale) if within else ceil(Fraction(b) / scale) - 1, LARGEST_COUNT)
        for b, within in zip(curve.bounds, inclusive, strict=True)
    ]


def _first(curve: LimitCurve, exponent: int) -> int:
    edge = Fraction(curve.least) / Fraction(10) ** exponent
    return floor(edge) + 1 if curve.above else ceil(edge)
