"""``tera sheet``: an empty observation sheet, ready to be filled in and evaluated."""

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from acquisition.blank_sheet import commented, proposed_sheet
from acquisition.faults import CONFORMING, BadInput
from acquisition.language import choose_from, t
from acquisition.output import print_json
from acquisition.sheet_csv import FLAGS
from acquisition.sheet_writer import to_csv
from calibration.sheet_keys import Keys

_TOP = ("stage", "date", "table", "setting")
"""Keys that are the sheet's own and not the instrument's."""
_OF_TESTS = ("method", "nominal", "cycle", "volume")
"""Keys that say how tests are to be done; every other one is the instrument's."""
_WHOLE = ("displays",)
"""Keys whose value is a whole number."""


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    choose_from(Path("config.toml"))
    given = _given(arguments.settings)
    today = date.today()  # noqa: DTZ011 - the day at the office
    sheet, words = proposed_sheet(arguments.routine, given, today)
    if arguments.json:
        print_json([sheet])
    elif arguments.to == "csv":
        sys.stdout.write(to_csv([("", sheet)], blank=True))
    else:
        head = t(
            "observation sheet of routine {routine}: fill in what is empty",
            routine=arguments.routine,
        )
        then = t("then: tera evaluate FILE")
        sys.stdout.write(f"# {head}; {then}\n\n{commented(sheet, words)}")
    return CONFORMING


def _given(pairs: Sequence[str]) -> dict[str, Any]:
    """Read KEY=VALUE: a key of the instrument, of the sheet, or with its table before a point."""
    given: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = (part.strip() for part in pair.partition("="))
        if not equals or not key or not text:
            raise BadInput("{pair} is not KEY=VALUE", place="--set", pair=pair)
        value: Any = FLAGS.get(text.lower(), text)
        if key in _TOP:
            given[key] = Keys({"date": text}, "").date("date") if key == "date" else text
            continue
        table, _, name = key.rpartition(".")
        if key in _OF_TESTS:
            table = "test"
        if name in _WHOLE and text.isdecimal():
            value = int(text)
        given.setdefault(table or "instrument", {})[name] = value
    return given
