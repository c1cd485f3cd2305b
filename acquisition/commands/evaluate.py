"""``tera evaluate``: a verdict from an observation sheet, without instruments."""

import argparse
import json
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.padding import Padding

from acquisition.config import station_if_there
from acquisition.faults import CONFORMING, NONCONFORMING, BadInput
from acquisition.language import t
from acquisition.output import console, print_json, verification_table, word
from acquisition.register import approved_digests, standards_register
from calibration.evaluation import evaluate
from calibration.sheet import parse_sheet
from calibration.verification import Verdict


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    station = station_if_there(arguments.config)
    sheet = parse_sheet(_load_sheet(arguments.sheet))
    result = evaluate(
        sheet,
        standards={} if station is None else standards_register(station),
        approved=frozenset() if station is None else approved_digests(station),
        settings=() if station is None else station.law.in_force(),
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
