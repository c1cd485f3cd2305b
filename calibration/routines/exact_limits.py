"""The limits of a table at values that are fractions: a mean of three runs has no finite digits.

Knows how to ask a table for one class, stage and instrument, and how a limit comes out exactly.
Refuses what `LimitCurve` refuses: a value outside the bands has no limit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Any, NoReturn

import numpy as np

from calibration.edition import PROVISIONAL
from calibration.grid import LARGEST_COUNT, finest_exponent, plain
from calibration.legal_table import LegalTable
from calibration.limit_curve import CUT, LimitCurve, Sides
from calibration.limit_rules import characteristics_of, kind_of, shape_of
from calibration.mpe import limit_curve
from calibration.refusal import Refused
from calibration.rules.question import ask, find_class
from calibration.rules.wagons import nearest
from calibration.units import Quantity

_FINEST = -9
"""A value that has no limit is named with digits down to this one."""


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
        """Find the band of a value, or refuse one that has no limit."""
        curve = self.curve
        least, each = Fraction(curve.least), curve.inclusive
        inclusive = (each,) * len(curve.bounds) if isinstance(each, bool) else each
        band = sum(
            value > bound or (value == bound and not within)
            for bound, within in zip(curve.bounds, inclusive, strict=True)
        )
        if (
            value < least
            or (curve.above and value == least)
            or band >= len(curve.constants)
            or (curve.lacking and curve.lacking[band])
            or (curve.nominal and value != Fraction(curve.bounds[band]))
        ):
            self._refuse(value, upwards=band > 0)
        return band

    def _refuse(self, value: Fraction, *, upwards: bool) -> NoReturn:
        """Refuse as the curve itself does, at the count beyond which the value lies."""
        count = value / Fraction(10) ** _FINEST
        whole = min(ceil(count), LARGEST_COUNT) if upwards else floor(count)
        self.curve.limits(np.array([whole], dtype=np.int64), _FINEST)
        raise Refused(
            "no limit is defined at {value}: the table states none for this case.",
            value=f"{float(value)!r} {self.curve.unit}",
        )

    def _magnitude(self, value: Fraction, band: int) -> tuple[Fraction, bool]:
        """Give the limit and whether it is the least that the law has."""
        curve = self.curve
        if curve.value_step is not None:
            step = Fraction(curve.value_step)
            value = ceil(value / step) * step
        limit = Fraction(curve.constants[band]) + Fraction(curve.slopes[band]) * value
        if curve.reciprocals and curve.reciprocals[band]:
            last = Fraction(10) ** min(CUT, finest_exponent(map(plain, curve.constants)))
            limit += floor(Fraction(curve.reciprocals[band]) / value / last) * last
        if curve.limit_step is not None:
            limit = nearest(limit, Fraction(curve.limit_step))
        least = Fraction(curve.floor)
        return max(limit, least), limit < least

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
