"""``tera mpe``, ``tera tables`` and ``tera evaluate``: the law and a verdict, without instruments."""

import argparse
import json
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.padding import Padding

from acquisition.config import Station, load_station
from acquisition.faults import CONFORMING, NONCONFORMING, BadInput
from acquisition.language import t
from acquisition.output import console, limits, number, print_json, table, verification_table, word
from acquisition.register import approved_digests, standards_register
from calibration.evaluation import evaluate
from calibration.mpe import legal_table, maximum_permissible_error, tables
from calibration.sheet import parse_sheet
from calibration.units import parse_quantity
from calibration.verification import Verdict


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    return {"mpe": _mpe, "tables": _tables, "evaluate": _evaluate}[arguments.command](arguments)


def _mpe(arguments: argparse.Namespace) -> int:
    on = None if arguments.on is None else _day(arguments.on)
    chosen = legal_table(arguments.table, on=on)
    characteristics = {}
    for pair in arguments.characteristics:
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadInput("{pair} is not NAME=VALUE", place="--with", pair=pair)
        characteristics[name] = value
    values = [parse_quantity(value) for value in arguments.values]
    found = maximum_permissible_error(
        chosen,
        accuracy_class=arguments.accuracy_class,
        stage=arguments.stage,
        values=values,
        characteristics=characteristics,
    )
    rows = [
        {
            "table": chosen.id,
            "edition": chosen.edition,
            "clause": clause,
            "class": arguments.accuracy_class,
            "stage": arguments.stage,
            "value": value.magnitude,
            "unit": value.unit,
            "lower": lower,
            "upper": upper,
            "limit_unit": found.unit,
            "provisional": found.provisional,
        }
        for value, lower, upper, clause in zip(
            values, found.lower, found.upper, found.clause, strict=True
        )
    ]
    if arguments.json:
        print_json(rows)
        return CONFORMING
    note = t("provisional: not confirmed from the law itself") if found.provisional else None
    drawn = table(
        f"{chosen.document} · {t('class')} {arguments.accuracy_class} · {t(arguments.stage)}",
        [(t("value"), "right"), (t("limit"), "right"), (t("unit"), "left"), (t("clause"), "left")],
        caption=note,
    )
    for row in rows:
        drawn.add_row(
            f"{number(row['value'])} {row['unit']}",
            limits(row["lower"], row["upper"]),
            found.unit,
            str(row["clause"]),
        )
    console().print(drawn)
    return CONFORMING


def _tables(arguments: argparse.Namespace) -> int:
    station = _station_if_there(arguments.config)
    approved = frozenset() if station is None else approved_digests(station)
    rows = [
        {
            "table": entry.id,
            "edition": entry.edition,
            "document": entry.document,
            "title": entry.title,
            "clause": entry.clause,
            "valid_from": entry.valid_from,
            "valid_to": entry.valid_to,
            "confidence": entry.confidence,
            "provisional": entry.provisional,
            "digest": entry.digest,
            "approved": entry.digest in approved,
        }
        for entry in tables()
    ]
    if arguments.json:
        print_json(rows)
        return CONFORMING
    drawn = table(
        t("Legal tables"),
        [
            (t("table"), "left"),
            (t("document"), "left"),
            (t("clause"), "left"),
            (t("valid from"), "left"),
            (t("confidence"), "left"),
            (t("digest"), "left"),
            (t("approved"), "left"),
        ],
        caption=t("a table yields legal verdicts only when its digest stands under [[approval]]"),
    )
    for row in rows:
        drawn.add_row(
            f"{row['table']}@{row['edition']}",
            str(row["document"]),
            str(row["clause"]),
            str(row["valid_from"] or "–"),
            str(row["confidence"]),
            str(row["digest"]),
            t("yes") if row["approved"] else t("no"),
        )
    console().print(drawn)
    return CONFORMING


def _evaluate(arguments: argparse.Namespace) -> int:
    station = _station_if_there(arguments.config)
    sheet = parse_sheet(_load_sheet(arguments.sheet))
    result = evaluate(
        sheet,
        standards={} if station is None else standards_register(station),
        approved=frozenset() if station is None else approved_digests(station),
    )
    body = result.to_dict()
    if arguments.plot is not None:
        from acquisition.plot import draw

        draw(body, arguments.plot)
    if arguments.json:
        print_json([body])
    else:
        show_verification(
            body, arguments.sheet.stem, [t(r.template, **r.values) for r in result.reasons]
        )
    return CONFORMING if result.verdict is Verdict.CONFORMING else NONCONFORMING


def show_verification(body: Mapping[str, Any], name: str, reasons: Iterable[str]) -> None:
    """Print a verdict for people: tables of points, then the verdict and its reasons."""
    out = console()
    out.print(verification_table(body, name))
    out.print(
        t("Verdict:"), word(body["verdict"]), f"· {t('legal') if body['legal'] else t('not legal')}"
    )
    for reason in reasons:
        out.print(Padding.indent(f"- {reason}", 2))


def _load_sheet(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput("no such observation sheet: {file}", file=path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("cannot read {file}: {why}", file=path, why=error) from None
    try:
        if path.suffix == ".json":
            data = json.loads(text, parse_float=Decimal)
        else:
            data = tomllib.loads(text, parse_float=Decimal)
    except ValueError as error:
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise BadInput("this is not {kind}: {why}", place=str(path), kind=kind, why=error) from None
    if not isinstance(data, dict):
        raise BadInput("an observation sheet is one table", place=str(path))
    return data


def _station_if_there(path: Path) -> Station | None:
    return load_station(path) if path.exists() or path != Path("config.toml") else None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput("{text} is not a date like 2026-11-24", place="--on", text=text) from None
