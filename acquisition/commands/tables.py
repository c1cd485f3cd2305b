"""``tera tables``: the law as this program has it, and the office's approval of it."""

import argparse
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from rich.padding import Padding
from rich.text import Text

from acquisition.commands.law import day
from acquisition.config import Station, station_if_there
from acquisition.faults import CONFORMING, BadInput
from acquisition.language import choose, current, t
from acquisition.office_law import (
    LawFile,
    approval_of,
    approve,
    earlier_approval_of,
    law_file,
    law_files,
)
from acquisition.output import console, print_json, table
from calibration.legal_table import PROVISIONAL, LegalTable
from calibration.limit_rules import characteristics_of
from calibration.national import NationalSettings, overridable
from calibration.rules.characteristics import Characteristic
from calibration.rules.question import FACTOR
from calibration.rules.spelling import Spelled, spelled

APPROVE = "approve"
"""The word before a table's name that approves it."""


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    words = arguments.words
    if words[:1] == [APPROVE]:
        if len(words) != 2 or arguments.by is None:
            raise BadInput("write: tera tables approve TABLE --by NAME", place="tera tables")
        return _approve(arguments, words[1])
    if len(words) > 1:
        raise BadInput("write one table, or: approve TABLE --by NAME", place="tera tables")
    for option in ("by", "on"):
        if getattr(arguments, option) is not None:
            raise BadInput("this belongs to: tera tables approve TABLE", place=f"--{option}")
    station = station_if_there(arguments.config)
    if station is not None:
        choose(station.console.language)
    if words:
        _show_one(arguments, law_file(words[0]), station)
    elif arguments.json:
        print_json(_listed(entry, station) for entry in law_files())
    else:
        _show_all(station)
    return CONFORMING


def _approve(arguments: argparse.Namespace, name: str) -> int:
    on = date.today() if arguments.on is None else day(arguments.on)  # noqa: DTZ011 - the office's day
    made = approve(arguments.config, name, by=arguments.by, on=on)
    if arguments.json:
        print_json([{**made.model_dump(), "config": str(arguments.config)}])
        return CONFORMING
    entry = law_file(name)
    out = console()
    out.print(t("{name} is approved by {by} on {on}", name=made.table, by=made.by, on=made.on))
    out.print(f"  {entry.document} · {_title(entry)}")
    out.print(f"  {made.digest}")
    out.print(t("written at the end of {file}", file=arguments.config))
    if entry.provisional:
        out.print(
            t(
                "parts of it are not confirmed from the law itself: see tera tables {name}",
                name=entry.name,
            )
        )
    return CONFORMING


def _title(entry: LawFile) -> str:
    return entry.title_id if current() == "id" and entry.title_id else entry.title


def _listed(entry: LawFile, station: Station | None) -> dict[str, Any]:
    made = approval_of(station, entry)
    own: dict[str, Any]
    if isinstance(entry, LegalTable):
        own = {"clause": entry.clause, "for": None}
    else:
        own = {"clause": entry.decree, "for": entry.table}
    return {
        "kind": "table" if isinstance(entry, LegalTable) else "setting",
        "table": entry.id,
        "edition": entry.edition,
        "document": entry.document,
        "title": entry.title,
        **own,
        "valid_from": entry.valid_from,
        "valid_to": entry.valid_to,
        "confidence": entry.confidence,
        "provisional": entry.provisional,
        "digest": entry.digest,
        "approved": made is not None,
        "approved_by": None if made is None else made.by,
        "approved_on": None if made is None else made.on,
    }


def _show_all(station: Station | None) -> None:
    out = console()
    for heading, kind in (
        (t("Legal tables"), LegalTable),
        (t("National settings"), NationalSettings),
    ):
        drawn = table(heading, [(t("name"), "left"), (t("document, validity, digest"), "left")])
        for entry in law_files():
            if isinstance(entry, kind):
                drawn.add_row(entry.name, Text("\n").join(_lines(entry, station)))
        out.print(drawn)
    out.print(
        t("a table or setting yields legal verdicts only when the office approved its digest")
    )
    out.print("tera tables r76 · tera tables approve r76 --by ...")


def _lines(entry: LawFile, station: Station | None) -> Iterable[Text]:
    yield Text(_title(entry), style="bold")
    what = entry.clause if isinstance(entry, LegalTable) else t("for {table}", table=entry.table)
    yield Text(f"{entry.document} · {what}")
    yield Text(f"{_validity(entry)} · {t('confidence')} {entry.confidence} · ").append_text(
        _approved(entry, station)
    )
    yield Text(entry.digest, style="dim")


def _validity(entry: LawFile) -> str:
    began, ended = entry.valid_from or "?", entry.valid_to
    if ended is None:
        return t("valid from {date}", date=began)
    return t("valid from {date} to {end}", date=began, end=ended)


def _approved(entry: LawFile, station: Station | None) -> Text:
    made = approval_of(station, entry)
    if made is not None:
        return Text(t("approved by {by} on {on}", by=made.by, on=made.on), style="green")
    earlier = earlier_approval_of(station, entry)
    if earlier is not None:
        said = t("changed since it was approved on {on}: not approved", on=earlier.on)
        return Text(said, style="bold red")
    return Text(t("not approved"), style="yellow")


def _show_one(arguments: argparse.Namespace, entry: LawFile, station: Station | None) -> None:
    if isinstance(entry, LegalTable):
        known = _known(entry)
        lines = spelled(entry)
        if arguments.json:
            print_json([{**_listed(entry, station), **_table_body(entry, known, lines)}])
            return
        _head(entry, station)
        _show_known(known)
        _show_lines(entry, lines)
        _show_requirements(entry.rules["requirement"])
    else:
        if arguments.json:
            print_json([{**_listed(entry, station), **_settings_body(entry)}])
            return
        _head(entry, station)
        _show_settings(entry)
        _show_requirements(entry.stated.get("requirement", {}))
    _show_texts(t("Notes"), [f"- {_of_law(note)}" for note in entry.notes])
    paragraphs = entry.transcription.split("\n\n")
    _show_texts(t("Source"), [paragraph.replace("\n", " ") for paragraph in paragraphs])


@cache
def law_texts() -> dict[str, str]:
    """Return texts of the legal files with their Indonesian."""
    text = resources.files("acquisition").joinpath("bahasa_law.toml").read_text("utf-8")
    found: dict[str, str] = tomllib.loads(text)
    return found


def _of_law(text: str) -> str:
    return law_texts().get(text, text) if current() == "id" else text


def _known(entry: LegalTable) -> dict[str, Characteristic]:
    found: dict[str, Characteristic] = {}
    for key in entry.classes:
        found |= characteristics_of(entry, key.replace(FACTOR, "(1)"))
    return found


def _table_body(
    entry: LegalTable, known: Mapping[str, Characteristic], lines: Iterable[Spelled]
) -> dict[str, Any]:
    return {
        "classes": entry.classes,
        "stages": entry.stages,
        "with": {name: {"about": one.about, "example": one.example} for name, one in known.items()},
        "limits": [
            {"class": line.accuracy_class, "case": line.case, "values": line.values, **line.limits}
            for line in lines
        ],
        "requirements": entry.rules["requirement"],
        "notes": entry.notes,
        "source": entry.transcription,
    }


def _settings_body(entry: NationalSettings) -> dict[str, Any]:
    return {
        "kinds": entry.kinds,
        "regulation": entry.regulation,
        "decree": entry.decree,
        "stated": dict(entry.stated),
        "overridable": overridable(entry),
        "notes": entry.notes,
        "source": entry.transcription,
    }


def _head(entry: LawFile, station: Station | None) -> None:
    out = console()
    out.print(Text(f"{entry.name}  {entry.document}", style="bold"))
    out.print(_title(entry))
    out.print(
        Text(f"{_validity(entry)} · {t('confidence')} {entry.confidence} · ").append_text(
            _approved(entry, station)
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
