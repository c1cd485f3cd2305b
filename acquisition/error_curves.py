"""Error curves: errors over the load or the flow rate, the limits between the points as a band.

Knows when the legal table gives the band and when all points merely have the same limits. Claims
nothing between points that have limits of their own.
"""

from collections.abc import Sequence

from acquisition.language import t
from acquisition.limit_line import Line, curves_of, fits, line_of
from acquisition.panel import (
    Drawn,
    Kind,
    Mark,
    Panel,
    Point,
    Test,
    mark_of,
    name_of,
    title_of,
    value_of,
    worst_of,
)
from calibration.units import PERCENT, parse_quantity, same_kind

_DECADES = 8
"""From so many times the smallest on, the scale is logarithmic."""
_BESIDE = 0.02
"""Distance of two runs of one flow rate, as a part of the width."""


def curve_panel(drawn: Drawn, test: Test, points: Sequence[Point]) -> Panel:
    """Draw errors over the values, the limits as the legal table has them between."""
    unit = points[0]["unit"]
    values = [value for point in points if (value := value_of(point)) is not None]
    limits = [(point["lower"], point["upper"]) for point in points]
    shown: Line | None = None
    fitting = [True] * len(points)
    if len(values) == len(points):
        low, high = float(min(values)), float(max(values))
        for curve in curves_of(drawn.law, drawn.sheet, drawn.stage, unit, test):
            fit = fits(curve, values, limits)
            if 2 * sum(fit) > len(fit) and (line := line_of(curve, low, high)) is not None:
                shown, fitting = line, fit
                break
    marks = tuple(
        mark_of(float(value), point, name_of(test, number), apart=not fit)
        for number, (value, point, fit) in enumerate(zip(values, points, fitting, strict=True), 1)
    )
    load = t("load") if drawn.body["routine"] == "nawi" else t("reference")
    return Panel(
        Kind.CURVE,
        title_of(test),
        test["verdict"],
        f"{load} [{unit}]",
        f"{t('error')} [{unit}]",
        unit,
        marks,
        shown or _same(marks),
        in_order=True,
    )


def places_of(test: Test) -> tuple[str, ...]:
    """Give where each point of a test was taken, where that is not its value: a flow rate."""
    if "flow_rate" in test:
        return (str(test["flow_rate"]),) * len(test["points"])
    places = tuple(str(test.get("at", "")).split(", "))
    return places if "at" in test and len(places) == len(test["points"]) else ()


def relative_panel(drawn: Drawn, tests: Sequence[Test]) -> Panel:
    """Draw relative errors over the flow rate, all runs of all flow rates."""
    found = [
        (parse_quantity(place), point, name_of(test, number))
        for test in tests
        for number, (place, point) in enumerate(
            zip(places_of(test), test["points"], strict=True), 1
        )
        if point["error"] is not None
    ]
    unit = found[0][0].unit
    along = [float(place.exactly(unit)) for place, _, _ in found]
    decades = min(along) > 0 and max(along) / min(along) >= _DECADES
    marks: list[Mark] = []
    for number, (x, (_, point, name)) in enumerate(zip(along, found, strict=True)):
        runs = along.count(x)
        shift = _BESIDE * (along[:number].count(x) - (runs - 1) / 2)  # side by side, not hidden
        beside = x * (1 + 2 * shift) if decades else x + shift * (max(along) - min(along) or x)
        scale = 1.0 if point["unit"] == PERCENT else 100 / float(point["reference"])
        marks.append(mark_of(beside, point, name, scale))
    room = 1.05 if decades else 1.0
    ends = (min(m.x for m in marks) / room, max(m.x for m in marks) * room)
    shown = None
    for curve in curves_of(drawn.law, drawn.sheet, drawn.stage, unit, tests[0]):
        line = line_of(curve, *ends, by_decades=decades) if curve.relative else None
        if line is not None and all(_near(_of(line, m.x), m) for m in marks):
            shown = line
            break
    what = t("flow rate") if same_kind(unit, "m³/h") else t("value")
    return Panel(
        Kind.CURVE,
        t(tests[0]["name"]),
        worst_of(test["verdict"] for test in tests),
        f"{what} [{unit}]",
        f"{t('error')} [%]",
        PERCENT,
        tuple(marks),
        shown or _same(marks),
        by_decades=decades,
    )


def _near(found: tuple[float | None, float], mark: Mark) -> bool:
    """Tell whether a band shows the limits of a mark."""
    pairs = zip(found, (mark.lower, mark.upper), strict=True)
    return all(
        (one is None) == (other is None)
        and (one is None or other is None or abs(one - other) <= 1e-6 * max(abs(one), 1e-9))
        for one, other in pairs
    )


def _of(line: Line, x: float) -> tuple[float | None, float]:
    """Look a band up at a value."""
    for i in range(1, len(line.x)):
        if x <= line.x[i] and line.x[i - 1] < line.x[i]:
            share = max(0.0, (x - line.x[i - 1]) / (line.x[i] - line.x[i - 1]))
            lower, upper = (
                None if side is None else side[i - 1] + share * (side[i] - side[i - 1])
                for side in (line.lower, line.upper)
            )
            return lower, upper or 0.0
    return (None if line.lower is None else line.lower[-1]), line.upper[-1]


def _same(marks: Sequence[Mark]) -> Line | None:
    """Give a band where every mark has the same limits."""
    sides = {(_rounded(mark.lower), _rounded(mark.upper)) for mark in marks}
    if len(sides) != 1 or marks[0].upper is None or len(marks) < 2:
        return None
    low, high = min(mark.x for mark in marks), max(mark.x for mark in marks)
    lower = None if marks[0].lower is None else (marks[0].lower,) * 2
    return Line((low, high), lower, (marks[0].upper,) * 2)


def _rounded(value: float | None) -> float | None:
    """Forget the last bits, which a ratio of floats has of its own."""
    return None if value is None else float(f"{value:.9g}")
