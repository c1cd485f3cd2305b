"""The limits of the law as a line between the points that were tested.

Knows how to ask a legal table about the instrument of a sheet, and to follow its limit curve with
every step and slope. Shows a line only where it gives exactly the limits that decided the points.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor, log10

import numpy as np

from calibration.grid import finest_exponent, off_grid, on_grid, plain
from calibration.legal_table import LegalTable
from calibration.limit_curve import LimitCurve, LimitsOnGrid
from calibration.limit_rules import characteristics_of
from calibration.mpe import limit_curve
from calibration.refusal import Refused
from calibration.rules.question import NO_CLASS
from calibration.sheet import Sheet

_FINE = 7
"""Decimals below the largest value on which a curve is looked up."""
SAMPLES = 240
"""Values at which a curve is looked up beside its steps."""

Limits = tuple[Decimal | None, Decimal | None]
"""Lower and upper limit of one point."""


@dataclass(frozen=True, slots=True)
class Line:
    """Limits over a stretch of values, in the order of the values; steps have two equal values."""

    x: tuple[float, ...]
    lower: tuple[float, ...] | None
    """None where that side has no limit."""
    upper: tuple[float, ...]


def curves_of(
    table: LegalTable, sheet: Sheet, stage: str, unit: str, conditions: Mapping[str, object]
) -> Iterable[LimitCurve]:
    """Give the limit curves that the law may mean for a test of this instrument.

    The whole instrument first, then each of its ranges, which may be an instrument of its own.
    """
    accuracy_class = str(sheet.instrument.get("class", NO_CLASS))
    try:
        names = characteristics_of(table, accuracy_class)
    except Refused:
        return
    own = sheet.instrument.get("characteristics")
    known = {**conditions, **sheet.instrument, **(own if isinstance(own, Mapping) else {})}
    given = {name: str(known[name]) for name in names if name in known}
    parts = [part.partition(":")[2] for part in given.get("ranges", "").split(",") if ":" in part]
    without = {name: value for name, value in given.items() if name != "ranges"}
    for characteristics in (given, *({**without, "e": e} for e in parts)):
        try:
            yield limit_curve(
                table,
                accuracy_class=accuracy_class,
                stage=stage,
                unit=unit,
                characteristics=characteristics,
            )
        except Refused:
            continue


def fits(curve: LimitCurve, values: Sequence[Decimal], limits: Sequence[Limits]) -> list[bool]:
    """Tell for each point whether the curve gives the very limits that decided it."""
    found = [_at(curve, value) for value in values]
    return [own is not None and own == other for own, other in zip(found, limits, strict=True)]


def _at(curve: LimitCurve, value: Decimal) -> Limits | None:
    exponent = finest_exponent([plain(value)])
    try:
        limits = curve.limits(on_grid([plain(value)], exponent), exponent)
    except Refused:
        return None
    lower, upper = _sides(curve, limits)
    return (None if lower is None else plain(lower[0])), plain(upper[0])


def _sides(
    curve: LimitCurve, limits: LimitsOnGrid
) -> tuple[tuple[Decimal, ...] | None, tuple[Decimal, ...]]:
    below = curve.lower(limits)
    upper = off_grid(limits.counts, limits.exponent)
    return (None if below is None else off_grid(below, limits.exponent)), upper


def line_of(curve: LimitCurve, low: float, high: float, *, by_decades: bool = False) -> Line | None:
    """Follow a curve from one value to another as far as it has limits; None where it has none."""
    if curve.nominal or not low < high:
        return None
    exponent = floor(log10(high)) - _FINE
    grid = Fraction(10) ** exponent
    least = ceil(Fraction(curve.least) / grid) + int(curve.above)
    first, last = max(round(low / float(grid)), least), round(high / float(grid))
    if len(curve.bounds) == len(curve.constants):
        last = min(last, floor(Fraction(curve.bounds[-1]) / grid))
    if first >= last:
        return None
    space = (
        np.geomspace(max(first, 1), last, SAMPLES)
        if by_decades
        else np.linspace(first, last, SAMPLES)
    )
    counts = {first, last, *(int(count) for count in space)}
    for bound in curve.bounds:
        edge = floor(Fraction(bound) / grid)
        counts |= {count for count in (edge - 1, edge, edge + 1) if first <= count <= last}
    stepped = curve.value_step is not None or curve.limit_step is not None
    try:
        if stepped:
            counts |= _steps(curve, sorted(counts), exponent)
        ordered = sorted(counts)
        found = curve.limits(np.array(ordered, dtype=np.int64), exponent)
    except Refused:
        return None
    lower, upper = _sides(curve, found)
    return _thinned(ordered, float(grid), lower, upper, None if stepped else found.band.tolist())


def _steps(curve: LimitCurve, ordered: Sequence[int], exponent: int) -> set[int]:
    """Find the last count before each step between two counts, and the first after it."""
    low, high = (np.array(ends, dtype=np.int64) for ends in (ordered[:-1], ordered[1:]))
    while bool((high - low > 1).any()):
        middle = (low + high) // 2
        below, within = (curve.limits(at, exponent).counts for at in (low, middle))
        higher = below == within
        low, high = np.where(higher, middle, low), np.where(higher, high, middle)
    return {*low.tolist(), *high.tolist()}


def _thinned(
    counts: Sequence[int],
    grid: float,
    lower: Sequence[Decimal] | None,
    upper: Sequence[Decimal],
    band: Sequence[int] | None,
) -> Line:
    """Leave out what lies on a straight line; two counts without one between them are a step.

    ``band`` tells a step at its edge from a slope; None: the curve is flat between its steps.
    """
    last = len(counts) - 1
    steps = [
        i > 0
        and counts[i] - counts[i - 1] == 1
        and upper[i] != upper[i - 1]
        and (band is None or band[i] != band[i - 1])
        for i in range(last + 1)
    ]
    x = [(count - step) * grid for count, step in zip(counts, steps, strict=True)]
    keep = [
        i
        for i in range(last + 1)
        if i in (0, last)
        or steps[i]
        or steps[i + 1]
        or abs(_turn(x, upper, i)) > 1e-5 * float(abs(upper[i]) or 1)
    ]
    return Line(
        tuple(x[i] for i in keep),
        None if lower is None else tuple(float(lower[i]) for i in keep),
        tuple(float(upper[i]) for i in keep),
    )


def _turn(x: Sequence[float], y: Sequence[Decimal], i: int) -> float:
    """Give how far a value lies from the straight line between its neighbours."""
    width = x[i + 1] - x[i - 1]
    share = (x[i] - x[i - 1]) / width if width else 0.5
    straight = float(y[i - 1]) + share * float(y[i + 1] - y[i - 1])
    return float(y[i]) - straight
