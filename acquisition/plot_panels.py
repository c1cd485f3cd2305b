"""Which picture suits a test: a curve, positions, a strip of repeated weighings, shares of limits.

Knows the shapes of results and no routine: a new routine is drawn by the shape of its points.
"""

from collections.abc import Sequence

from acquisition.error_curves import curve_panel, places_of, relative_panel
from acquisition.language import t
from acquisition.limit_line import Line
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
from calibration.units import PERCENT, parse_quantity
from calibration.verification import SIMPLE_ACCEPTANCE


def panels_of(drawn: Drawn) -> tuple[Panel, ...]:
    """Choose a panel for every test that has a number; like tests share one."""
    tests = [
        test
        for test in drawn.body["tests"]
        if any(point["error"] is not None for point in test["points"])
    ]
    found: list[Panel] = []
    done: set[str] = set()
    for test in tests:
        key = _together(test)
        if key and key in done:
            continue
        done.add(key)
        like = [other for other in tests if key and _together(other) == key] or [test]
        found.append(_panel(drawn, like))
    return tuple(found)


def _together(test: Test) -> str:
    """Name what tests have in common that are drawn in one panel; empty: a panel of its own."""
    if _all_at_least(test):
        return f"{test['name']} at least {test.get('range', '')}"
    for condition in ("flow_rate", "nominal"):
        if condition in test:
            kind = "range" if all(map(_is_range, test["points"])) else ""
            return f"{test['name']} by {condition} {kind}"
    return ""


def _panel(drawn: Drawn, tests: Sequence[Test]) -> Panel:
    test = tests[0]
    points = [point for point in test["points"] if point["error"] is not None]
    if _all_at_least(test):
        return _at_least(tests)
    if all(_is_range(p) for one in tests for p in one["points"] if p["error"] is not None):
        return _ranges(tests)
    if all(_share_of(p) for one in tests for p in one["points"]) and all(map(places_of, tests)):
        return relative_panel(drawn, tests)
    if "nominal" in test:
        return _shares(drawn, tests)
    if any(map(_is_range, points)):
        return _strip(test, points)
    if test["name"] == "eccentricity":
        return _along(test, points, Kind.POSITIONS, t("position"))
    if len({value_of(point) for point in points}) > 1:
        return curve_panel(drawn, test, points)
    return _along(test, points, Kind.POSITIONS, t("observation"))


def _all_at_least(test: Test) -> bool:
    """Tell whether every point must reach a limit and none stay below one."""
    points = [point for point in test["points"] if point["error"] is not None]
    return all(point["lower"] is not None and point["upper"] is None for point in points)


def _is_range(point: Point) -> bool:
    """Tell whether the error is a largest less a smallest one."""
    no_value = point["reference"] is None and point["indication"] is None
    return no_value and point["lower"] is None and point["upper"] is not None


def _share_of(point: Point) -> bool:
    return point["error"] is None or point["unit"] == PERCENT or bool(point["reference"])


def _along(test: Test, points: Sequence[Point], kind: Kind, x_label: str) -> Panel:
    unit = points[0]["unit"]
    marks = tuple(mark_of(i, point, name_of(test, i)) for i, point in enumerate(points, 1))
    nominal = points[0]["nominal"]
    value = value_of(points[0]) if nominal is None else nominal
    at = "" if value is None else f" · {value:f} {unit}"
    return Panel(
        kind,
        title_of(test),
        test["verdict"],
        x_label + at,
        f"{t('error')} [{unit}]",
        unit,
        marks,
        ticks=tuple((mark.x, str(int(mark.x))) for mark in marks),
    )


def _strip(test: Test, points: Sequence[Point]) -> Panel:
    """Draw repeated observations in their order, and how far they differ."""
    runs = [point for point in points if not _is_range(point)]
    panel = _along(test, runs, Kind.POSITIONS, t("weighing number"))
    ranges = [point for point in points if _is_range(point)]
    last = mark_of(len(runs) + 1, ranges[0], name_of(test, len(points)))
    return Panel(
        Kind.STRIP,
        panel.title,
        test["verdict"],
        panel.x_label,
        panel.y_label,
        panel.unit,
        panel.marks,
        ticks=(*panel.ticks, (last.x, t("range"))),
        range=last,
    )


def _ranges(tests: Sequence[Test]) -> Panel:
    """Draw the range at every condition as a bar up to its limit."""
    entries = [
        (test, point) for test in tests for point in test["points"] if point["error"] is not None
    ]
    if "flow_rate" in tests[0]:
        entries.sort(key=lambda entry: parse_quantity(str(entry[0]["flow_rate"])).exactly("L/h"))
    marks = tuple(mark_of(i, p, name_of(test, 1)) for i, (test, p) in enumerate(entries, 1))
    unit = entries[0][1]["unit"]
    names = (
        str(test.get("flow_rate") or test.get("nominal") or _at(point)) for test, point in entries
    )
    return Panel(
        Kind.RANGES,
        t(tests[0]["name"]),
        worst_of(test["verdict"] for test in tests),
        t("flow rate") if "flow_rate" in tests[0] else "",
        f"{t('range')} [{unit}]",
        unit,
        marks,
        ticks=tuple(zip((mark.x for mark in marks), names, strict=True)),
    )


def _at(point: Point) -> str:
    return "" if point["nominal"] is None else f"{point['nominal']:f} {point['unit']}"


def _shares(drawn: Drawn, tests: Sequence[Test]) -> Panel:
    """Draw errors in % of their limits, one place for each thing that was tested."""
    marks: list[Mark] = []
    ticks: list[tuple[float, str]] = []
    for test in tests:
        names = str(test.get("identification", "")).split(", ")
        points = [point for point in test["points"] if point["error"] is not None]
        for number, point in enumerate(points, 1):
            largest = max(abs(point[side] or 0) for side in ("lower", "upper"))
            x = len(marks) + 1.0
            marks.append(mark_of(x, point, name_of(test, number), 100 / float(largest or 1)))
            own = names[number - 1] if len(names) == len(points) and names != [""] else ""
            ticks.append((x, "\n".join(filter(None, (str(test["nominal"]), own)))))
    band: Line | None = Line((0.4, len(marks) + 0.6), (-100.0,) * 2, (100.0,) * 2)
    if any(mark.lower is None or mark.upper is None for mark in marks):
        band = None
    return Panel(
        Kind.SHARES,
        t(tests[0]["name"]),
        worst_of(test["verdict"] for test in tests),
        t("nominal"),
        t("error [% of limit]"),
        PERCENT,
        tuple(marks),
        band,
        tuple(ticks),
        guarded=drawn.body["decision_rule"] != SIMPLE_ACCEPTANCE,
    )


def _at_least(tests: Sequence[Test]) -> Panel:
    """Draw changes that must reach a limit."""
    entries = [
        (test, number, point)
        for test in tests
        for number, point in enumerate(test["points"], 1)
        if point["error"] is not None
    ]
    marks = tuple(
        mark_of(x, point, name_of(test, number))
        for x, (test, number, point) in enumerate(entries, 1)
    )
    unit = entries[0][2]["unit"]
    places = [_at(point) for _, _, point in entries]
    ticks = tuple((mark.x, at or str(int(mark.x))) for mark, at in zip(marks, places, strict=True))
    return Panel(
        Kind.AT_LEAST,
        title_of(tests[0]),
        worst_of(test["verdict"] for test in tests),
        t("load") if any(places) else t("observation"),
        f"{t('change')} [{unit}]",
        unit,
        marks,
        ticks=ticks,
    )
