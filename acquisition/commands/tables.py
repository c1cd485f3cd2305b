"""``tera tables``: the law as this program has it, and the office's approval of it."""

import argparse
from collections.abc import Iterable
from datetime import date
from typing import Any

from rich.text import Text

from acquisition.commands.law import day
from acquisition.config import Station, station_if_there
from acquisition.faults import CONFORMING, BadInput
from acquisition.language import choose, t
from acquisition.law_page import approval_line, known_names, show_page, title, validity
from acquisition.office_law import LawFile, approval_of, approve, law_file, law_files
from acquisition.output import console, print_json, table
from calibration.legal_table import LegalTable
from calibration.national import NationalSettings, overridable
from calibration.rules.spelling import spelled

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
    if words and arguments.json:
        entry = law_file(words[0])
        print_json([{**_listed(entry, station), **_body(entry)}])
    elif words:
        show_page(law_file(words[0]), station)
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
    out.print(f"  {entry.document} · {title(entry)}")
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
    yield Text(title(entry), style="bold")
    what = entry.clause if isinstance(entry, LegalTable) else t("for {table}", table=entry.table)
    yield Text(f"{entry.document} · {what}")
    yield Text(f"{validity(entry)} · {t('confidence')} {entry.confidence} · ").append_text(
        approval_line(entry, station)
    )
    yield Text(entry.digest, style="dim")


def _body(entry: LawFile) -> dict[str, Any]:
    return _table_body(entry) if isinstance(entry, LegalTable) else _settings_body(entry)


def _table_body(entry: LegalTable) -> dict[str, Any]:
    known = known_names(entry)
    return {
        "classes": entry.classes,
        "stages": entry.stages,
        "with": {name: {"about": one.about, "example": one.example} for name, one in known.items()},
        "limits": [
            {"class": line.accuracy_class, "case": line.case, "values": line.values, **line.limits}
            for line in spelled(entry)
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
