"""A legal limit as a function of the value: one shape for every table, on exact integers.

Knows bands: in each, limit = constant + slope * value, and no limit lies below the floor. Refuses
to answer outside its bands: there a limit is not defined, and zero or the last band would be a
guess.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibration.grid import (
    LARGEST_COUNT,
    Counts,
    checked,
    finest_exponent,
    largest,
    off_grid,
    on_grid,
    plain,
    regrid,
)
from calibration.refusal import Refused


@dataclass(frozen=True, slots=True)
class LimitsOnGrid:
    """What `LimitCurve.limits` gives for a column of values."""

    counts: Counts
    """Magnitude of the symmetric limit [count], shape of the values."""
    exponent: int
    """The counts are of 10^exponent [unit of the curve]."""
    band: NDArray[np.intp]
    """Which band each value lies in, from 0."""
    at_floor: NDArray[np.bool_]
    """The floor gave the limit, not the band."""


@dataclass(frozen=True, slots=True)
class LimitCurve:
    """A symmetric limit over a quantity, value and limit in the same unit."""

    unit: str
    """Unit symbol of values and limits."""
    bounds: tuple[Decimal, ...]
    """Upper ends of the bands, ascending [unit]; one fewer than bands when the last is open."""
    inclusive: bool
    """True: a bound belongs to the band below it; False: to the band above."""
    constants: tuple[Decimal, ...]
    """Constant part of the limit in each band [unit]."""
    slopes: tuple[Decimal, ...]
    """Part of the limit proportional to the value, in each band [1]."""
    clauses: tuple[str, ...]
    """Clause that gives each band."""
    least: Decimal = Decimal(0)
    """Smallest value that has a limit [unit]."""
    floor: Decimal = Decimal(0)
    """No limit is smaller than this [unit]."""
    floor_clause: str = ""
    """Clause that gives the floor."""

    def limits(self, values: Counts, exponent: int) -> LimitsOnGrid:
        """Give the limit at every value: constant + slope * value, at least the floor.

        ``values`` are int64 counts of 10^exponent [unit], any one shape; refused where a value
        has no limit or a limit would leave int64.
        """
        bounds = tuple(plain(bound) for bound in (*self.bounds, self.least))
        grid = min(exponent, finest_exponent(bounds))
        counts = regrid(checked(values), exponent, grid)
        *ends, least = on_grid(bounds, grid).tolist()
        if counts.size and int(counts.min()) < least:
            self._refuse(counts.min(), grid, "below", self.least)
        side: Literal["left", "right"] = "left" if self.inclusive else "right"
        band = np.searchsorted(np.array(ends, dtype=np.int64), counts, side)
        if counts.size and int(band.max()) >= len(self.constants):
            self._refuse(counts.max(), grid, "beyond", self.bounds[-1])

        slopes = tuple(plain(slope) for slope in self.slopes)
        constants = tuple(plain(constant) for constant in (*self.constants, self.floor))
        fine = finest_exponent(constants)
        if any(slopes):
            fine = min(fine, finest_exponent(slopes) + grid)
        *constant, floor = on_grid(constants, fine).tolist()
        limit = np.array(constant, dtype=np.int64)[band]
        if any(slopes):
            slope = on_grid(slopes, fine - grid)
            if largest(slope) * largest(counts) > LARGEST_COUNT:
                raise Refused("{value} does not fit a 64-bit grid.", value=largest(counts))
            limit += slope[band] * counts
        at_floor = limit < floor
        return LimitsOnGrid(np.maximum(limit, np.int64(floor)), fine, band, at_floor)

    def _refuse(self, count: np.int64, exponent: int, where: str, edge: Decimal) -> None:
        (value,) = off_grid(np.array([count]), exponent)
        raise Refused(
            "no limit is defined at {value} {unit}: it lies {where} {edge} {unit}.",
            value=f"{plain(value):f}",
            unit=self.unit,
            where=where,
            edge=f"{plain(edge):f}",
        )
