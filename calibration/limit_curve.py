"""A legal limit as a function of the value: one shape for every table, on exact integers.

Knows bands: in each, limit = constant + slope * value (or constant + reciprocal / value), and no
limit lies below the floor. A bound may be a fraction without finite digits (Q3 / 315); values are
integers on a grid, so it becomes the last count that lies below it, and nothing is rounded.
Refuses to answer outside its bands: there a limit is not defined, and zero or the last band would
be a guess.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor

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
from calibration.units import finite

Bound = Decimal | Fraction
"""An end of a band [unit]; a fraction only where its digits have no end."""
CUT = -9
"""A limit of reciprocal / value is cut after this digit, never rounded up: it may only be too
small, by less than 10^-9 of the unit of the limit."""
NOT_STATED = "-"
"""The law states no limit in this band for what was asked."""


class Sides(StrEnum):
    """Which errors a limit bounds."""

    BOTH = "both"
    """From -limit to +limit."""
    UPWARD = "upward"
    """From 0 to +limit: a measure that may hold more, never less."""
    SPREAD = "spread"
    """At most limit; the quantity is never negative (a standard deviation, a range)."""


@dataclass(frozen=True, slots=True)
class LimitsOnGrid:
    """What `LimitCurve.limits` gives for a column of values."""

    counts: Counts
    """Magnitude of the limit [count], shape of the values."""
    exponent: int
    """The counts are of 10^exponent [unit of the limit]."""
    band: NDArray[np.intp]
    """Which band each value lies in, from 0."""
    at_floor: NDArray[np.bool_]
    """The floor gave the limit, not the band."""


@dataclass(frozen=True, slots=True)
class LimitCurve:
    """A limit over a quantity; columns with one entry per band."""

    unit: str
    """Unit symbol of the values."""
    bounds: tuple[Bound, ...]
    """Upper ends of the bands, ascending [unit]; one fewer than bands when the last is open."""
    inclusive: bool | tuple[bool, ...]
    """True: a bound belongs to the band below it; False: to the band above. One for all, or each."""
    constants: tuple[Decimal, ...]
    """Constant part of the limit in each band [unit of the limit]."""
    slopes: tuple[Decimal, ...]
    """Part of the limit proportional to the value, in each band [1]."""
    clauses: tuple[str, ...]
    """Clause that gives each band."""
    least: Bound = Decimal(0)
    """Smallest value that has a limit [unit]."""
    floor: Decimal = Decimal(0)
    """No limit is smaller than this [unit of the limit]."""
    floor_clause: str = ""
    """Clause that gives the floor."""
    relative: bool = False
    """True: limits are in % of another quantity than the value (of the volume at a flow rate)."""
    sides: Sides = Sides.BOTH
    confidences: tuple[str, ...] = ()
    """How sure each band is, as in `calibration.legal_table`."""
    floor_confidence: str = ""
    above: bool = False
    """True: ``least`` itself has no limit, what is above it has."""
    reciprocals: tuple[Decimal, ...] = ()
    """Part of the limit that is divided by the value, in each band [unit * unit of the limit]."""
    value_step: Decimal | None = None
    """The value is rounded up to a multiple of this before the slope applies [unit]."""
    limit_step: Decimal | None = None
    """The limit is rounded to the nearest multiple of this, a tie upwards [unit of the limit]."""
    nominal: bool = False
    """True: only the bounds themselves have limits, each that of the band below it."""
    lacking: tuple[str, ...] = ()
    """Characteristic without which a band has no limit, or NOT_STATED; empty where it has one."""

    @property
    def limit_unit(self) -> str:
        """Give the unit symbol of the limits."""
        return "%" if self.relative else self.unit

    def limits(self, values: Counts, exponent: int) -> LimitsOnGrid:
        """Give the limit at every value, at least the floor.

        ``values`` are int64 counts of 10^exponent [unit], any one shape; refused where a value
        has no limit or a limit would leave int64.
        """
        grid = min(exponent, self._grid())
        counts = regrid(checked(values), exponent, grid)
        band = self._bands(counts, grid)
        if self.value_step is not None:
            (step,) = on_grid([plain(self.value_step)], grid).tolist()
            counts = -(-counts // step) * step

        slopes = tuple(plain(slope) for slope in self.slopes)
        constants = tuple(plain(constant) for constant in (*self.constants, self.floor))
        fine = finest_exponent(constants, () if self.limit_step is None else (self.limit_step,))
        if any(slopes):
            fine = min(fine, finest_exponent(slopes) + grid)
        if any(self.reciprocals):
            fine = min(fine, CUT)
        *constant, least = on_grid(constants, fine).tolist()
        limit = np.array(constant, dtype=np.int64)[band]
        if any(slopes):
            slope = on_grid(slopes, fine - grid)
            if largest(slope) * largest(counts) > LARGEST_COUNT:
                raise Refused("{value} does not fit a 64-bit grid.", value=largest(counts))
            limit += slope[band] * counts
        for index, reciprocal in enumerate(self.reciprocals):
            if reciprocal:
                here = band == index
                share = floor(Fraction(reciprocal) / Fraction(10) ** (fine + grid))
                if share > LARGEST_COUNT:
                    raise Refused("{value} does not fit a 64-bit grid.", value=share)
                limit[here] += share // counts[here]
        if self.limit_step is not None:
            (step,) = on_grid([plain(self.limit_step)], fine).tolist()
            limit = (2 * limit + step) // (2 * step) * step
        return LimitsOnGrid(np.maximum(limit, np.int64(least)), fine, band, limit < least)

    def lower(self, found: LimitsOnGrid) -> Counts | None:
        """Give the smallest errors that conform [count]; None where that side has no limit."""
        if self.sides is Sides.SPREAD:
            return None
        return np.zeros_like(found.counts) if self.sides is Sides.UPWARD else -found.counts

    def confidence(self, band: int, *, at_floor: bool = False) -> str:
        """Tell how sure the number is that gave a limit; empty when nobody said."""
        if at_floor:
            return self.floor_confidence
        return self.confidences[band] if self.confidences else ""

    def _grid(self) -> int:
        """Give the coarsest grid on which every value can be looked up."""
        steps = () if self.value_step is None else (plain(self.value_step),)
        ends = [bound for bound in self.bounds if isinstance(bound, Decimal)]
        return finest_exponent([plain(end) for end in ends] if self.nominal else (), steps)

    def _bands(self, counts: Counts, grid: int) -> NDArray[np.intp]:
        """Find the band of every value, or refuse one that has no limit."""
        scale = Fraction(10) ** grid
        edge = Fraction(self.least) / scale
        first = floor(edge) + 1 if self.above else ceil(edge)
        if counts.size and int(counts.min()) < first:
            self._refuse_below(counts.min(), grid)
        each = self.inclusive
        inclusive = (each,) * len(self.bounds) if isinstance(each, bool) else each
        # The last count of each band: an integer whatever the digits of the bound.
        tops = [
            floor(Fraction(bound) / scale) if within else ceil(Fraction(bound) / scale) - 1
            for bound, within in zip(self.bounds, inclusive, strict=True)
        ]
        last = np.array([min(top, LARGEST_COUNT) for top in tops], dtype=np.int64)
        band = np.searchsorted(last, counts, "left")
        if counts.size and int(band.max()) >= len(self.constants):
            self._refuse(counts.max(), grid, "beyond", self.bounds[-1])
        if self.nominal and not (known := last[band] == counts).all():
            self._refuse_nominal(counts[~known].flat[0], grid)
        for index, name in enumerate(self.lacking):
            if name and (here := band == index).any():
                self._refuse_lacking(name, counts[here].flat[0], grid)
        return band

    def _said(self, count: np.int64, exponent: int) -> str:
        (value,) = off_grid(np.array([count]), exponent)
        return f"{plain(value):f} {self.unit}"

    def _refuse(self, count: np.int64, exponent: int, where: str, edge: Bound) -> None:
        raise Refused(
            "no limit is defined at {value}: it lies {where} {edge}.",
            value=self._said(count, exponent),
            where=where,
            edge=f"{said(edge)} {self.unit}",
        )

    def _refuse_below(self, count: np.int64, exponent: int) -> None:
        if not self.above:
            self._refuse(count, exponent, "below", self.least)
        raise Refused(
            "no limit is defined at {value}: limits begin above {edge}.",
            value=self._said(count, exponent),
            edge=f"{said(self.least)} {self.unit}",
        )

    def _refuse_nominal(self, count: np.int64, exponent: int) -> None:
        (value,) = off_grid(np.array([count]), exponent)
        smaller = [bound for bound in self.bounds if bound < value]
        larger = [bound for bound in self.bounds if bound > value]
        near = [f"{said(bound)} {self.unit}" for bound in (*smaller[-1:], *larger[:1])]
        raise Refused(
            "no limit is defined at {value}: it is no nominal value of this class; nearest: {near}.",
            value=self._said(count, exponent),
            near=", ".join(near),
        )

    def _refuse_lacking(self, name: str, count: np.int64, exponent: int) -> None:
        value = self._said(count, exponent)
        if name == NOT_STATED:
            raise Refused(
                "no limit is defined at {value}: the table states none for this case.", value=value
            )
        raise Refused(
            "the limit at {value} depends on {name}: give it with --with {name}=...",
            value=value,
            name=name,
        )


def said(bound: Bound) -> str:
    """Write a bound without an exponent; digits without an end are shortened and marked.

    >>> said(Decimal("50.0")), said(Fraction(1, 63))
    ('50', '≈0.015873')
    """
    exact = finite(Fraction(bound))
    return f"≈{float(bound):.6g}".replace("e", "·10^") if exact is None else f"{plain(exact):f}"
