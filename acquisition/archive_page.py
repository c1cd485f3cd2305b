"""Many verdicts as people read them: a line for each sheet, counts, and what another law changes.

Knows widths. Refuses to cut a name or a digit: where a line is too long, the sheet gets its own.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.rule import Rule
from rich.text import Text

from acquisition.archive import Outcome
from acquisition.language import t
from acquisition.output import STYLES, console, limits, number

VERDICTS = ("conforming", "nonconforming", "indeterminate")


def show_archive(outcomes: Sequence[Outcome]) -> None:
    """Print a line for each sheet, then how many there are of each verdict."""
    out = console()
    heads = (t("sheet"), t("instrument"), t("verdict"), t("legal?"), t("worst %"))
    rows = [(outcome, _cells(outcome)) for outcome in outcomes]
    widths = [max(len(heads[i]), *(len(cells[i]) for _, cells in rows)) for i in range(len(heads))]
    broken = sum(widths) + 2 * (len(widths) - 1) > out.width
    rule = out.width if broken else sum(widths) + 2 * (len(widths) - 1)
    for line in _line(heads, widths, "bold", broken=broken):
        out.print(line)
    out.print(Rule(style="dim"), width=rule)
    for outcome, cells in rows:
        for line in _line(cells, widths, STYLES.get(outcome.verdict, "red"), broken=broken):
            out.print(line)
    out.print(Rule(style="dim"), width=rule)
    out.print(Text(_counts(outcomes)))
    _show_kept(outcomes)


def _show_kept(outcomes: Sequence[Outcome]) -> None:
    kept = sum(outcome.apart for outcome in outcomes)
    if kept:
        said = t("{count} sheets of another kind stay under their own law", count=kept)
        console().print(Text(said))


def _cells(outcome: Outcome) -> tuple[str, str, str, str, str]:
    if outcome.bad:
        return outcome.sheet, "", t("bad sheet"), "", ""
    return (
        outcome.sheet,
        outcome.instrument,
        t(outcome.verdict),
        t("yes") if outcome.legal else t("no"),
        number(outcome.worst),
    )


def _line(
    cells: Sequence[str], widths: Sequence[int], style: str, *, broken: bool
) -> Iterator[Text]:
    """Lay out one sheet; its verdict has the colour."""
    sheet, instrument, verdict, legal, worst = cells
    if broken:
        yield Text(sheet, overflow="fold")
        sheet = "  "
    text = Text(sheet if broken else sheet.ljust(widths[0]), no_wrap=True, overflow="ignore")
    text.append(("" if broken else "  ") + instrument.ljust(widths[1]))
    text.append("  ").append(verdict.ljust(widths[2]), style=style)
    text.append(f"  {legal.ljust(widths[3])}  {worst.rjust(widths[4])}")
    yield text


def _counts(outcomes: Sequence[Outcome]) -> str:
    """Say how many there are of each verdict."""
    found = Counter("bad" if outcome.bad else outcome.verdict for outcome in outcomes)
    parts = [f"{found[verdict]} {t(verdict)}" for verdict in VERDICTS if found[verdict]]
    if found["bad"]:
        parts.append(f"{found['bad']} {t('bad sheet')}")
    return f"{t('{count} sheets', count=len(outcomes))}: {', '.join(parts)}"


def show_comparisons(outcomes: Sequence[Outcome]) -> None:
    """Print what changes: the verdicts, and every point that is decided otherwise."""
    out = console()
    compared = changed = 0
    for outcome in outcomes:
        for one in outcome.comparisons:
            compared += 1
            changed += one["changed"]
            if not one["changed"] and not one["points"]:
                continue
            out.print(Text(f"{outcome.sheet} · {outcome.instrument}", style="bold"))
            own, other = one["own"], one["other"]
            line = Text(f"  {own['law']} ").append(t(own["verdict"]), STYLES[own["verdict"]])
            line.append(f" → {other['law']} ").append(t(other["verdict"]), STYLES[other["verdict"]])
            out.print(line)
            for point in one["points"]:
                out.print(_point_line(point))
    if not compared:
        out.print(t("no sheet is of the kind of what is asked: nothing was compared"))
        return
    out.print(
        t("{count} verdicts compared, {changed} of them change", count=compared, changed=changed)
    )
    _show_kept(outcomes)


def _point_line(point: Mapping[str, Any]) -> Text:
    where = "" if point["nominal"] is None else f" · {number(point['nominal'])} {point['unit']}"
    error = f"{number(point['error'], signed=True)} {point['unit']}"
    text = Text(f"    {t(point['test'])} {point['point']}{where}: {t('error')} {error}")
    text.append(f"; {_side(point['own'], point['unit'])} → ")
    other = point["other"]
    return text.append(t("no such point") if other is None else _side(other, point["unit"]))


def _side(side: Mapping[str, Any], unit: str) -> str:
    lower: Decimal | None = side["lower"]
    upper: Decimal | None = side["upper"]
    said = "" if lower is None and upper is None else f"{limits(lower, upper)} {unit} "
    return f"{said}{t(side['verdict'])}"
