"""The limits of a table at values that are fractions: a mean of three runs has no finite digits.

Knows how to ask a table for one class, stage and instrument, and how a limit comes out exactly.
Refuses what `LimitCurve` refuses: a value outside the bands has no limit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

from calibration.calibration_curve import rounded_exactly
from calibration.grid import finest_exponent, off_grid, on_grid
from calibration.legal_table import PROVISIONAL, LegalTable
from calibration.limit_curve import LimitCurve, Sides
from calibration.limit_rules import characteristics_of, kind_of, shape_of
from calibration.mpe import limit_curve
from calibration.rules.question import ask, find_class
from calibration.units import Quantity, finite

_DIGITS = 15
"""Digits of a value that is looked up where its own have no end."""


@dataclass(frozen=True, slots=True)
class ExactLimit:
    """The limit at one value."""

    magnitude: Fraction
    """[unit of the curve, or % of another quantity]"""
    clause: str
    confidence: str
    band: int
    """Which band the value lies in, from 0."""


@dataclass(frozen=True, slots=True)
class AskedTable:
    """One class and stage of a table, for one instrument."""

    table: LegalTable
    curve: LimitCurve
    entry: Mapping[str, Any]
    """What the file states of the class, with what was chosen."""
    kind: str
    """Kind of rule, as the file names it."""

    @classmethod
    def of(
        cls,
        table: LegalTable,
        accuracy_class: str,
        stage: str,
        unit: str,
        characteristics: Mapping[str, str],
    ) -> "AskedTable":
        """Ask a table; ``unit`` is that of the values that will be looked up."""
        known = characteristics_of(table, accuracy_class)
        question = ask(table, accuracy_class, stage, unit, characteristics, known)
        key = find_class(table, accuracy_class).key
        own = shape_of(table, key).value_unit(question, unit)
        curve = limit_curve(
            table,
            accuracy_class=accuracy_class,
            stage=stage,
            unit=own,
            characteristics=characteristics,
        )
        return cls(table, curve, question.entry, kind_of(table, key))

    @property
    def measured(self) -> str:
        """Tell what of the indications is judged: the error of each where the file is silent."""
        return str(self.entry.get("measured", "error"))

    def at(self, value: Fraction, unit: str) -> ExactLimit:
        """Give the limit at a value [unit]; a Refused where the law defines none."""
        place = value * scale(unit, self.curve.unit)
        band = self._band(place)
        limit, at_floor = self._magnitude(place, band)
        clause = self.curve.floor_clause if at_floor else self.curve.clauses[band]
        return ExactLimit(
            limit,
            cited(self.table, clause),
            self.curve.confidence(band, at_floor=at_floor),
            band,
        )

    def _band(self, value: Fraction) -> int:
        self._counted(value)  # refuses what has no limit
        curve = self.curve
        each = curve.inclusive
        inclusive = (each,) * len(curve.bounds) if isinstance(each, bool) else each
        return sum(
            value > bound or (value == bound and not within)
            for bound, within in zip(curve.bounds, inclusive, strict=True)
        )

    def _counted(self, value: Fraction) -> Decimal:
        """Look a value up on the grid of its digits, cut where they have no end."""
        digits = finite(value)
        if digits is None:
            first = Decimal(repr(float(value))).adjusted()
            digits = rounded_exactly(value, first - _DIGITS + 1)
        exponent = finest_exponent([digits])
        found = self.curve.limits(on_grid([digits], exponent), exponent)
        (limit,) = off_grid(found.counts, found.exponent)
        return limit

    def _magnitude(self, value: Fraction, band: int) -> tuple[Fraction, bool]:
        """Give the limit and whether it is the least that the law has."""
        curve = self.curve
        if curve.limit_step is not None or (curve.reciprocals and curve.reciprocals[band]):
            limit = Fraction(self._counted(value))  # the table's own rounding
        else:
            if curve.value_step is not None:
                step = Fraction(curve.value_step)
                value = ceil(value / step) * step
            limit = Fraction(curve.constants[band]) + Fraction(curve.slopes[band]) * value
        least = Fraction(curve.floor)
        return max(limit, least), limit < least or (curve.limit_step is not None and limit == least)

    def sides(self, limit: Fraction) -> tuple[Fraction | None, Fraction]:
        """Give the smallest and the largest error that conform."""
        lowest = {Sides.BOTH: -limit, Sides.UPWARD: Fraction(0), Sides.SPREAD: None}
        return lowest[self.curve.sides], limit

    def provisional(self, limit: ExactLimit) -> bool:
        """Tell whether the limit is little sure."""
        return self.table.provisional or limit.confidence in PROVISIONAL


def scale(unit: str, other: str) -> Fraction:
    """Give how many of another unit one unit is, exactly."""
    return Quantity(Decimal(1), unit).exactly(other)


def cited(table: LegalTable, clause: str) -> str:
    """Name the document before a clause, unless the clause already does.

    >>> from calibration.legal_table import legal_table
    >>> cited(legal_table("r137@2012"), "5.3 Table")
    'R 137-1 5.3 Table'
    """
    if table.settings is not None and clause.startswith(table.settings.name):
        return clause
    return f"{table.document.removeprefix('OIML ').partition(':')[0]} {clause}"


def stated(table: LegalTable, requirement: str) -> Mapping[str, Any]:
    """Give a requirement of the table; empty where it has none of that name."""
    found: Mapping[str, Any] = table.rules["requirement"].get(requirement, {})
    return found


def requirement_clause(table: LegalTable, requirement: str) -> str:
    """Name the clause of a requirement, with the document or the settings that state it."""
    settings = table.settings
    clause = str(stated(table, requirement).get("clause", "-"))
    if settings is not None and requirement in settings.stated.get("requirement", {}):
        return f"{settings.name}: {clause}"
    return cited(table, clause)
