"""One legal table or settings file as a page for people: limits, names, requirements, sources.

Knows how the parts are laid out in a terminal. Refuses to know any number: they are in the files.
"""

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from rich.padding import Padding
from rich.text import Text

from acquisition.config import Station
from acquisition.language import current, t
from acquisition.office_law import LawFile, approval_of, earlier_approval_of
from acquisition.output import console, table
from calibration.edition import PROVISIONAL
from calibration.legal_table import LegalTable
from calibration.limit_rules import characteristics_of
from calibration.national import NationalSettings, overridable
from calibration.rules.characteristics import Characteristic
from calibration.rules.question import FACTOR
from calibration.rules.spelling import Spelled, spelled


def show_page(entry: LawFile, station: Station | None) -> None:
    """Print everything that a file says."""
    _head(entry, station)
    if isinstance(entry, LegalTable):
        _show_known(known_names(entry))
        _show_lines(entry, spelled(entry))
        _show_requirements(entry.rules["requirement"])
    else:
        _show_settings(entry)
        _show_requirements(entry.stated.get("requirement", {}))
    _show_texts(t("Notes"), [f"- {_of_law(note)}" for note in entry.notes])
    paragraphs = entry.transcription.split("\n\n")
    _show_texts(t("Source"), [paragraph.replace("\n", " ") for paragraph in paragraphs])


def title(entry: LawFile) -> str:
    """Say what a file is about, in the language in force."""
    return entry.title_id if current() == "id" and entry.title_id else entry.title


def validity(entry: LawFile) -> str:
    """Say since when a file is valid, and until when."""
    began, ended = entry.valid_from or "?", entry.valid_to
    if ended is None:
        return t("valid from {date}", date=began)
    return t("valid from {date} to {end}", date=began, end=ended)


def approval_line(entry: LawFile, station: Station | None) -> Text:
    """Say whether the office approved exactly this file."""
    made = approval_of(station, entry)
    if made is not None:
        return Text(t("approved by {by} on {on}", by=made.by, on=made.on), style="green")
    earlier = earlier_approval_of(station, entry)
    if earlier is not None:
        said = t("changed since it was approved on {on}: not approved", on=earlier.on)
        return Text(said, style="bold red")
    return Text(t("not approved"), style="yellow")


@cache
def law_texts() -> dict[str, str]:
    """Return texts of the legal files with their Indonesian."""
    text = resources.files("acquisition").joinpath("bahasa_law.toml").read_text("utf-8")
    found: dict[str, str] = tomllib.loads(text)
    return found


def _of_law(text: str) -> str:
    return law_texts().get(text, text) if current() == "id" else text


def known_names(entry: LegalTable) -> dict[str, Characteristic]:
    """List what --with takes for any class of a table."""
    found: dict[str, Characteristic] = {}
    for key in entry.classes:
        found |= characteristics_of(entry, key.replace(FACTOR, "(1)"))
    return found


def _head(entry: LawFile, station: Station | None) -> None:
    out = console()
    out.print(Text(f"{entry.name}  {entry.document}", style="bold"))
    out.print(title(entry))
    out.print(
        Text(f"{validity(entry)} · {t('confidence')} {entry.confidence} · ").append_text(
            approval_line(entry, station)
        )
    )
    out.print(entry.digest)


def _show_known(known: Mapping[str, Characteristic]) -> None:
    if not known:
        return
    drawn = table("--with", [(t("name"), "left"), (t("example"), "left"), (t("meaning"), "left")])
    for name, one in known.items():
        example = " | ".join(one.choices) if one.choices else one.example
        about = one.about_id if current() == "id" else one.about
        drawn.add_row(name, f"{name}={example}", about)
    console().print(drawn)


def _show_lines(entry: LegalTable, lines: tuple[Spelled, ...]) -> None:
    """Print the limits; stages that agree everywhere share a column."""
    if entry.rules["rule"]["kind"] == "nominal values":
        _show_cells(entry, lines)
        return
    groups: list[list[str]] = []
    for stage in entry.stages:
        same = [g for g in groups if all(_cell(x, g[0]) == _cell(x, stage) for x in lines)]
        if same:
            same[0].append(stage)
        else:
            groups.append([stage])
    cases, ranges = any(x.case for x in lines), any(x.values for x in lines)
    drawn = table(
        t("limits"),
        [
            (t("class"), "left"),
            *([(t("case"), "left")] if cases else []),
            *([(t("values"), "left")] if ranges else []),
            *((", ".join(t(stage) for stage in group), "left") for group in groups),
        ],
        caption=_unsure_note(any(line.unsure for line in lines)),
    )
    before: tuple[str, str] | None = None
    for line in lines:
        here = (line.accuracy_class, line.case)
        if before is not None and here[0] != before[0]:
            drawn.add_section()
        drawn.add_row(
            line.accuracy_class if before is None or here[0] != before[0] else "",
            *([line.case if here != before else ""] if cases else []),
            *([line.values] if ranges else []),
            *(_cell(line, group[0]) for group in groups),
        )
        before = here
    console().print(drawn)


def _cell(line: Spelled, stage: str) -> str:
    return f"{line.limits[stage]}{' *' * (stage in line.unsure)}"


def _unsure_note(unsure: bool) -> str | None:
    return f"* {t('provisional: not confirmed from the law itself')}" if unsure else None


def _show_cells(entry: LegalTable, lines: tuple[Spelled, ...]) -> None:
    """Print a table of nominal values as the law does: a column for each class."""
    rule, stage = entry.rules["rule"], entry.stages[0]
    cells = {(line.values, line.accuracy_class): line.limits[stage] for line in lines}
    unsure = {stage for line in lines for stage in line.unsure}
    named = ", ".join(f"{t(stage)}{' *' * (stage in unsure)}" for stage in entry.stages)
    drawn = table(
        f"± [{rule['limit_in']}] · {named}",
        [(t("nominal"), "right"), *((name, "right") for name in entry.classes)],
        caption=_unsure_note(bool(unsure)),
    )
    for row in rule["rows"]:
        limits = [cells.get((row[0], name), "") for name in entry.classes]
        drawn.add_row(row[0], *(text.removeprefix("±").partition(" ")[0] for text in limits))
    console().print(drawn)


def _show_settings(entry: NationalSettings) -> None:
    drawn = table(
        t("Settings"),
        [
            (t("key"), "left"),
            (t("value"), "left"),
            (t("confidence"), "left"),
            (t("source"), "left"),
        ],
    )
    drawn.add_row(t("legal table"), entry.table, "", "")
    drawn.add_row(t("kinds"), ", ".join(entry.kinds), "", "")
    for part in ("regulation", "decree", "interval", "method"):
        stated = entry.stated.get(part)
        if stated is not None:
            says = stated.get("cites", stated.get("years", stated.get("names")))
            unit = t("years") if part == "interval" else ""
            drawn.add_row(t(part), _said(says, unit), _sure(stated), stated["source"])
    for stage, stated in entry.stated.get("stage", {}).items():
        key = f"{t(stage)}: {t('factor')}"
        drawn.add_row(key, str(stated["factor"]), _sure(stated), stated["source"])
    if "repeatability" in entry.stated:
        stated = entry.stated["repeatability"]
        says = f"{stated['percent']} %" if "percent" in stated else _said(stated["intervals"], "e")
        drawn.add_row(t("repeatability"), says, _sure(stated), stated["source"])
    console().print(drawn)
    keys = ", ".join(overridable(entry))
    console().print(t("the office overrides under [[law.override]]: {keys}", keys=keys))


def _sure(stated: Mapping[str, Any]) -> str:
    mark = " *" if stated["confidence"] in PROVISIONAL else ""
    return f"{stated['confidence']}{mark}"


def _said(value: Any, unit: str = "") -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{t(key)} {_said(one, unit)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value} {unit}".strip()


def _show_requirements(requirements: Mapping[str, Mapping[str, Any]]) -> None:
    if not requirements:
        return
    drawn = table(
        t("Further requirements"),
        [(t("requirement"), "left"), (t("clause"), "left"), (t("confidence"), "left")],
    )
    for stated in requirements.values():
        drawn.add_row(_of_law(stated["text"]), stated["clause"], _sure(stated))
    console().print(drawn)


def _show_texts(heading: str, lines: Iterable[str]) -> None:
    out = console()
    out.print(Text(heading, style="bold"))
    for line in lines:
        out.print(Padding.indent(line, 2))
