"""A verdict as people read it: every point against its limit, uncertainty and risk beside it.

Knows columns and widths; digits are never cut. Refuses to know files, laws and decisions.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from acquisition.language import t
from acquisition.output import console, limits, number, word

Point = Mapping[str, Any]
_DIGITS = 5
"""A limit with more digits is shown shorter."""
_MARKS = {"conforming": "✓", "nonconforming": "✗", "indeterminate": "?"}
"""What stands for the verdict on a point where there is no room for its word."""


@dataclass(frozen=True, slots=True)
class _Column:
    heading: str
    cells: Mapping[int, str]
    """By the identity of a point."""

    @property
    def width(self) -> int:
        parts = (*self.heading.split("\n"), *self.cells.values())
        return max(len(part) for part in parts)


class VerificationTable:
    """The points of a verdict, test by test; draws itself as wide as the terminal allows."""

    def __init__(self, body: Mapping[str, Any], name: str) -> None:
        self._tests = body["tests"]
        self._name = name

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        """Yield a heading, then each test with its points."""
        columns, gap, worded = self._fitting(options.max_width)
        heads = max((column.heading.count("\n") for column in columns), default=0)
        yield Text(self._name, style="bold")
        for line in range(heads + 1):
            yield _line(
                (_part(column.heading, line, heads).rjust(column.width) for column in columns),
                Text(t("verdict") if line == heads and worded else ""),
                gap,
                style="bold",
                lead=0 if worded else 1,
            )
        yield Rule(style="dim")
        for test in self._tests:
            title = Text(self._title(test), style="bold")
            if not test["points"]:
                title.append(" · ").append_text(word(test["verdict"]))
            yield title
            for point in test["points"]:
                cells = (column.cells[id(point)].rjust(column.width) for column in columns)
                said = word(point["verdict"])
                if worded:
                    yield _line(cells, said, gap)
                else:
                    mark = Text(_MARKS[point["verdict"]], style=said.style)
                    yield mark.append_text(_line(cells, Text(), gap))

    def _fitting(self, width: int) -> tuple[list[_Column], int, bool]:
        """Choose the columns that fit, the space between them, and whether verdicts are words.

        The risk goes first; where even U had to go, a verdict is a mark at the begin of the line.
        """
        verdicts = [t(p["verdict"]) for test in self._tests for p in test["points"]]
        last = max(map(len, (*verdicts, t("verdict"))))
        columns = list(self._columns())
        for gap, without in ((2, ""), (1, ""), (1, t("risk")), (1, f"{t('error')}\n%"), (1, "U")):
            columns = [column for column in columns if column.heading != without]
            if sum(column.width + gap for column in columns) + 2 + last <= width:
                return columns, gap, True
        for without in (t("indication"), t("reference")):
            if sum(column.width + 1 for column in columns) + 1 > width:
                columns = [column for column in columns if column.heading != without]
        return columns, 1, False

    def _columns(self) -> Iterator[_Column]:
        points: list[Point] = [point for test in self._tests for point in test["points"]]
        apart = {id(p) for test in self._tests if _nominals_differ(test) for p in test["points"]}
        if apart:
            shown = {id(p): number(p["nominal"]) if id(p) in apart else "" for p in points}
            yield _Column(t("nominal"), shown)
        yield _Column(t("reference"), {id(p): number(p["reference"]) for p in points})
        yield _Column(t("indication"), {id(p): number(p["indication"]) for p in points})
        errors = {key: value for test in self._tests for key, value in _even(test["points"])}
        yield _Column(t("error"), {key: number(e, signed=True) for key, e in errors.items()})
        if any(_is_relative(p) for p in points):
            yield _Column(f"{t('error')}\n%", {id(p): _percent(p) for p in points})
        if any(p.get("expanded_uncertainty") is not None for p in points):
            yield _Column("U", {id(p): number(p.get("expanded_uncertainty")) for p in points})
        yield _Column(t("limit").replace(" ", "\n"), {id(p): limit_of(p) for p in points})
        if any(_risk(p) is not None for p in points):
            yield _Column(t("risk"), {id(p): risk(_risk(p)) for p in points})

    def _title(self, test: Mapping[str, Any]) -> str:
        nominals = {p["nominal"] for p in test["points"] if _nominal_tells(p)}
        one = len(nominals) == 1 and "nominal" not in test
        place = f"{number(next(iter(nominals)))} {test['points'][0]['unit']}" if one else ""
        return " · ".join(filter(None, (test_title(test), place)))


def _even(points: Sequence[Point]) -> Iterator[tuple[int, Decimal | None]]:
    """Give the errors of one test with as many decimals each as the longest of its unit has."""
    decimals: dict[str, int] = {}
    for point in points:
        if point["error"] is not None:
            places = max(0, -int(point["error"].as_tuple().exponent))
            decimals[point["unit"]] = max(places, decimals.get(point["unit"], 0))
    for point in points:
        error = point["error"]
        if error is not None:
            error = error.quantize(Decimal(1).scaleb(-decimals[point["unit"]]))
        yield id(point), error


def show_verification(body: Mapping[str, Any], name: str, reasons: Iterable[str]) -> None:
    """Print a verdict for people: its points, then the verdict and its reasons."""
    out = console()
    out.print(VerificationTable(body, name))
    out.print(Rule(style="dim"))
    points = [point for test in body["tests"] for point in test["points"]]
    if any(point.get("expanded_uncertainty") is not None for point in points):
        what = t(
            "U: expanded uncertainty of the error; risk: that the decision on the point is wrong"
        )
        out.print(Text(what, style="dim"))
    out.print(
        t("Verdict:"), word(body["verdict"]), f"· {t('legal') if body['legal'] else t('not legal')}"
    )
    for reason in reasons:
        out.print(Padding(Text(f"- {reason}"), (0, 0, 0, 2)))


def show_budgets(body: Mapping[str, Any], wanted: Sequence[tuple[str, int]] = ()) -> int:
    """Print the uncertainty budget of every point that has one, or of those that are wanted.

    Returns how many were printed. A point is (test, number from 1).
    """
    out = console()
    shown = 0
    for test in body["tests"]:
        for place, point in enumerate(test["points"], 1):
            if not point.get("budget") or (wanted and (test["name"], place) not in wanted):
                continue
            shown += 1
            out.print()
            _show_budget(out, test, place, point)
    return shown


def _show_budget(out: Console, test: Mapping[str, Any], place: int, point: Point) -> None:
    """Print the rows of one budget; a row takes two lines where one is too long."""
    where = "" if point["nominal"] is None else f" · {number(point['nominal'])} {point['unit']}"
    out.print(Text(f"{t('uncertainty budget')}: {test_title(test)} {place}{where}", "bold"))
    heads = (t("value"), "u", t("distribution"), "ν", "c", f"|c|·u [{point['unit']}]", "%")
    rows = [(t(str(row["quantity"])), _budget_cells(row)) for row in point["budget"]]
    widths = [max(len(cells[i]) for cells in (heads, *(c for _, c in rows))) for i in range(7)]
    name = max(len(quantity) for quantity, _ in rows)
    broken = name + sum(widths) + 2 * len(widths) > out.width
    lead = 0 if broken else name
    out.print(_line((h.rjust(w) for h, w in zip(heads, widths, strict=True)), Text(), 2, lead=lead))
    out.print(Rule(style="dim"))
    for quantity, cells in rows:
        numbers = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        if broken:
            out.print(Text(quantity))
        out.print(_line(numbers, Text(), 2, lead=lead, name="" if broken else quantity))
    out.print(Rule(style="dim"))
    k = number(point["k"])
    out.print(f"U = {number(point['expanded_uncertainty'])} {point['unit']} (k = {k})")


def _budget_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    unit = "" if row["unit"] == "1" else f" {row['unit']}"
    share, dof = row["share"], row["degrees_of_freedom"]
    return (
        f"{compact(row['value'])}{unit}",
        compact(row["standard_uncertainty"]),
        t(str(row["distribution"])),
        "∞" if dof is None else compact(dof),
        compact(row["sensitivity"]),
        compact(abs(row["contribution"])),
        "<0.01" if 0 < share < Decimal("0.01") else compact(share, 3),
    )


def compact(value: Decimal, digits: int = 4) -> str:
    """Write a number with few digits; very small and very large ones with a power of ten."""
    if not value:
        return "0"
    rounded = Decimal(f"{value:.{digits - 1}e}").normalize()
    if -5 <= rounded.adjusted() < 7:
        return f"{rounded:f}"
    mantissa, _, power = f"{rounded:e}".partition("e")
    return f"{mantissa}·10^{int(power)}"


def test_title(test: Mapping[str, Any]) -> str:
    """Name a test with what it was done at."""
    stated = (test.get(name) for name in ("flow_rate", "nominal", "identification"))
    return " ".join([t(test["name"]), *filter(None, stated)])


def limit_of(point: Point) -> str:
    """Write the limits with their unit; long digits are cut to the finest of what was observed.

    An error has no finer digits, so that one within the exact limit is within what is shown.
    """
    names = ("reference", "indication", "error")
    ends = [point[name].as_tuple().exponent for name in names if point[name] is not None]
    finest = Decimal(1).scaleb(min(ends, default=0))
    sides: list[Decimal | None] = [point["lower"], point["upper"]]
    for place, side in enumerate(sides):
        if side is not None and ends and len(side.as_tuple().digits) > _DIGITS:
            sides[place] = side.quantize(finest, ROUND_DOWN) or side
    return "" if sides == [None, None] else f"{limits(sides[0], sides[1])} {point['unit']}"


def risk(probability: Decimal | None) -> str:
    """Write a probability in % for people: two digits, and no more than is worth knowing."""
    if probability is None:
        return ""
    percent = probability * 100
    if percent < Decimal("0.01"):
        return "<0.01 %"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"


def _risk(point: Point) -> Decimal | None:
    accepted: Decimal | None = point.get("false_acceptance")
    return accepted if accepted is not None else point.get("false_rejection")


def _nominal_tells(point: Point) -> bool:
    """Say whether the nominal value is more than the reference value once again."""
    return point["reference"] is not None and point["nominal"] != point["reference"]


def _nominals_differ(test: Mapping[str, Any]) -> bool:
    if "nominal" in test or not any(_nominal_tells(point) for point in test["points"]):
        return False
    return len({point["nominal"] for point in test["points"]}) > 1


def _is_relative(point: Point) -> bool:
    return point.get("relative_error") is not None and point["unit"] != "%"


def _percent(point: Point) -> str:
    return number(point["relative_error"], signed=True) if _is_relative(point) else ""


def _part(heading: str, line: int, last: int) -> str:
    """Give one line of a heading that stands at the bottom."""
    parts = heading.split("\n")
    return ([""] * (last + 1 - len(parts)) + parts)[line]


def _line(
    cells: Iterable[str], verdict: Text, gap: int, style: str = "", *, lead: int = 0, name: str = ""
) -> Text:
    text = Text(name.ljust(lead), style=style, no_wrap=True, overflow="ignore", end="\n")
    for cell in cells:
        text.append(" " * gap + cell)
    return text.append("  ").append_text(verdict) if verdict else text
