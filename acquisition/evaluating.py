"""Sheets under a law: their own, or another table, edition, setting, stage or day that is asked.

Knows what a station vouches for and what is asked instead of a sheet's own law, and compares two
verdicts point by point. Refuses to know files and terminals.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from acquisition.config import Station
from acquisition.register import approved_digests, standards_register
from calibration.evaluation import evaluate, law_of
from calibration.legal_table import LegalTable
from calibration.national import NationalSettings
from calibration.refusal import Refused
from calibration.sheet import Sheet
from calibration.standard import Standard
from calibration.verification import PointResult, Reason, Verification

_TENTH = Decimal("0.1")
_OTHER_LAW = Reason(
    "other-law",
    "evaluated under another table, setting, stage or day than the sheet's own: for comparison only.",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked instead of the sheet's own law; None leaves it to the sheet."""

    table: str | None = None
    setting: str | None = None
    stage: str | None = None
    on: datetime.date | None = None

    @property
    def nothing(self) -> bool:
        """Tell whether every sheet stays under its own law."""
        return self == Asked()

    def applied(self, sheet: Sheet) -> Sheet:
        """Give the sheet as it is read under what is asked."""
        return replace(
            sheet, stage=self.stage or sheet.stage, setting=self.setting or sheet.setting
        )


@dataclass(frozen=True, slots=True)
class Office:
    """What the station vouches for: standards, approvals, national settings."""

    standards: Mapping[str, Standard] = field(default_factory=dict)
    approved: frozenset[str] = frozenset()
    settings: tuple[NationalSettings, ...] = ()

    @classmethod
    def of(cls, station: Station | None) -> "Office":
        """Take them from the configuration; without one there are none."""
        if station is None:
            return cls()
        return cls(standards_register(station), approved_digests(station), station.law.in_force())

    def evaluate(self, sheet: Sheet, asked: Asked) -> Verification:
        """Decide a sheet; under another law than its own the verdict is never legal."""
        result = evaluate(
            asked.applied(sheet),
            standards=self.standards,
            approved=self.approved,
            settings=self.settings,
            table=asked.table,
            on=asked.on,
        )
        if asked.nothing or self._own_law(sheet, asked):
            return result
        return replace(result, founded=False, reasons=(*result.reasons, _OTHER_LAW))

    def _own_law(self, sheet: Sheet, asked: Asked) -> bool:
        """Tell whether what is asked is what the sheet says anyway."""
        if asked.stage not in (None, sheet.stage) or asked.on not in (None, sheet.date):
            return False
        try:
            own = self.law(sheet, Asked())
        except Refused:
            return False
        return self.law(sheet, asked) == own

    def law(self, sheet: Sheet, asked: Asked) -> LegalTable:
        """Find the table by which `evaluate` decides a sheet."""
        return law_of(asked.applied(sheet), settings=self.settings, table=asked.table, on=asked.on)

    def concerns(self, sheet: Sheet, asked: Asked) -> bool:
        """Tell whether what is asked is another edition of the sheet's own table.

        Of many sheets those of other kinds stay under their own law.
        """
        if asked.table is None:
            return True
        return self.law(sheet, Asked()).id == asked.table.partition("@")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class PointChange:
    """One point that two laws decide differently."""

    test: str
    number: int
    """Of the point in its test, from 1."""
    own: PointResult
    other: PointResult | None
    """None: the other law judges no such point."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A sheet under its own law and under another."""

    own: Verification
    own_law: str
    other: Verification
    other_law: str
    points: tuple[PointChange, ...]

    @property
    def changed(self) -> bool:
        """Tell whether the verdict on the instrument changes."""
        return self.own.verdict is not self.other.verdict

    def to_dict(self) -> dict[str, Any]:
        """Give it as ``tera evaluate --compare --json`` prints it."""
        return {
            "changed": self.changed,
            "own": _side(self.own_law, self.own),
            "other": _side(self.other_law, self.other),
            "points": [
                {
                    "test": change.test,
                    "point": change.number,
                    "nominal": change.own.nominal,
                    "error": change.own.error,
                    "unit": change.own.unit,
                    "own": _decided(change.own),
                    "other": None if change.other is None else _decided(change.other),
                }
                for change in self.points
            ],
        }


def compared(office: Office, sheet: Sheet, own: Verification, asked: Asked) -> Comparison:
    """Evaluate a sheet under what is asked too, and find the points that differ."""
    other = office.evaluate(sheet, asked)
    laws = [law_name(office.law(sheet, one), sheet, one) for one in (Asked(), asked)]
    return Comparison(own, laws[0], other, laws[1], tuple(_changes(own, other)))


def law_name(table: LegalTable, sheet: Sheet, asked: Asked) -> str:
    """Name a law: table and edition, settings, and the stage where it was asked for."""
    settings = "" if table.settings is None else f" + {table.settings.name}"
    stage = f" {asked.stage}" if asked.stage not in (None, sheet.stage) else ""
    return f"{table.name}{settings}{stage}"


def worst_share(result: Verification) -> Decimal | None:
    """Give the largest error in % of its limit, rounded away from 100; None where none has both."""
    shares = [
        share
        for test in result.tests
        for point in test.points
        if (share := _share(point)) is not None
    ]
    if not shares:
        return None
    worst = max(shares)
    return worst.quantize(_TENTH, "ROUND_UP" if worst > 100 else "ROUND_DOWN")


def _share(point: PointResult) -> Decimal | None:
    error = point.error
    if error is None:
        return None
    limit = point.upper if error >= 0 else point.lower
    if limit is None or not limit or (limit > 0) != (error >= 0):
        return None
    return 100 * error / limit


def _changes(own: Verification, other: Verification) -> list[PointChange]:
    changes = []
    for index, test in enumerate(own.tests):
        beside = other.tests[index] if index < len(other.tests) else None
        same = beside is not None and beside.name == test.name
        points: Sequence[PointResult] = beside.points if same and beside is not None else ()
        for number, point in enumerate(test.points):
            there = points[number] if number < len(points) else None
            if there is None or there.verdict is not point.verdict:
                changes.append(PointChange(test.name, number + 1, point, there))
    return changes


def _side(law: str, result: Verification) -> dict[str, Any]:
    return {
        "law": law,
        "table": result.table.to_dict(),
        "stage": result.stage,
        "verdict": str(result.verdict),
    }


def _decided(point: PointResult) -> dict[str, Any]:
    return {"lower": point.lower, "upper": point.upper, "verdict": str(point.verdict)}
