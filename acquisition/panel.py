"""The parts of an error plot: panels with marks, as numbers and words.

Knows what there is to draw and how high a panel must be. Draws nothing and chooses nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from acquisition.language import t
from acquisition.limit_line import Line
from calibration.legal_table import LegalTable
from calibration.sheet import Sheet

Point = Mapping[str, Any]
Test = Mapping[str, Any]
_MANY = 4
"""So many marks and more take the whole width."""
_DWARFED = 2
"""An uncertainty is shown up to so many times what errors and limits take."""


class Kind(Enum):
    """How a panel is drawn."""

    CURVE = "curve"
    """Errors over the values that were tested."""
    POSITIONS = "positions"
    """One error for each position on the receptor."""
    STRIP = "strip"
    """Repeated observations of one value, with their range."""
    RANGES = "ranges"
    """The range of repeated observations at each of some conditions."""
    SHARES = "shares"
    """Errors in % of their limits, of things that are not alike in size."""
    AT_LEAST = "at least"
    """Changes that must reach a limit."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One verdict with what it takes to draw it."""

    body: Mapping[str, Any]
    """The result as `tera evaluate --json` prints it."""
    sheet: Sheet
    law: LegalTable
    """The table that decided, national settings over it."""
    stage: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One point."""

    x: float
    y: float
    verdict: str
    u: float | None = None
    """Expanded uncertainty [unit of y]."""
    lower: float | None = None
    upper: float | None = None
    apart: bool = False
    """Its limits are its own: the band of the panel does not show them."""
    name: str = ""
    """Test and number of the point, for whoever looks into the file."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture of one or more tests."""

    kind: Kind
    title: str
    verdict: str
    x_label: str
    y_label: str
    unit: str
    marks: tuple[Mark, ...]
    band: Line | None = None
    ticks: tuple[tuple[float, str], ...] = ()
    """Names of places along x; empty: numbers."""
    by_decades: bool = False
    range: Mark | None = None
    """The range of a strip, with its limit."""
    in_order: bool = False
    """The marks are one walk up and down: a line shows their order."""
    guarded: bool = False
    """The uncertainty of each mark is taken off its limits."""

    @property
    def wide(self) -> bool:
        """Tell whether it takes the whole width."""
        few = self.in_order and len(self.marks) < _MANY
        return self.kind is Kind.SHARES or (self.kind is Kind.CURVE and not few)

    def heights(self) -> tuple[float, float]:
        """Give the lowest and the highest value to show; U only as far as it dwarfs nothing."""
        marks = (*self.marks, *([self.range] if self.range is not None else []))
        shown = [0.0, *(mark.y for mark in marks)]
        shown += [side for mark in marks for side in (mark.lower, mark.upper) if side is not None]
        if self.range is not None and self.range.upper is not None:
            shown.append(min(mark.y for mark in self.marks) + self.range.upper)
        if self.band is not None:
            shown += [*(self.band.lower or ()), *self.band.upper]
        if self.kind is Kind.AT_LEAST:
            shown.append(1.25 * max(shown))
        most = _DWARFED * max(map(abs, shown))
        ends = [end for mark in marks for end in (mark.y - (mark.u or 0), mark.y + (mark.u or 0))]
        shown += [max(-most, min(most, end)) for end in ends]
        return min(shown), max(shown)


def value_of(point: Point) -> Decimal | None:
    """Give the value at which the law was asked: the reference, else what was aimed at."""
    value: Decimal | None = point["reference"]
    return point["nominal"] if value is None else value


def mark_of(x: float, point: Point, name: str, scale: float = 1.0, *, apart: bool = False) -> Mark:
    """Take a point as a mark, its numbers scaled."""

    def scaled(value: Decimal | None) -> float | None:
        return None if value is None else float(value) * scale

    return Mark(
        x,
        float(point["error"]) * scale,
        point["verdict"],
        scaled(point.get("expanded_uncertainty")),
        scaled(point["lower"]),
        scaled(point["upper"]),
        apart,
        name,
    )


def title_of(test: Test) -> str:
    """Name a test, and its range where the instrument has several."""
    within = f" · {t('range')} {test['range']}" if "range" in test else ""
    return f"{t(test['name'])}{within}"


def name_of(test: Test, number: int) -> str:
    """Name a point for whoever looks into the file."""
    where = test.get("flow_rate") or test.get("nominal") or test.get("range") or ""
    return "-".join(
        "".join(c if c.isalnum() else "-" for c in part)
        for part in (test["name"], str(where), str(number))
        if part
    )


def worst_of(verdicts: Iterable[str]) -> str:
    """Let one nonconforming test decide for all, then one that is open."""
    seen = set(verdicts)
    for verdict in ("nonconforming", "indeterminate"):
        if verdict in seen:
            return verdict
    return "conforming"
