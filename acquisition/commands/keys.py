"""``tera keys``: make, show, rotate and revoke the keys that sign receipts.

Secret halves stay in the folder of ``[records] keys``, readable by their owner only, and are
printed nowhere. Public halves are what stations enter under ``[[records.trusted]]``.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from acquisition.config import load_records_system
from acquisition.faults import BadInput
from acquisition.language import choose, t
from acquisition.output import console, print_json, table
from broker.keyring import (
    KeyPair,
    as_setting,
    as_toml,
    in_charge,
    make_key,
    read_keys,
    revoke_key,
    today,
)

_TABLE = "[[records.trusted]]"


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    settings = load_records_system(arguments.config)
    choose(settings.console.language)
    folder = settings.records.keys
    signs_from = today()
    match arguments.action:
        case "make":
            _make(folder, _positive(arguments.days, "--days"))
        case "rotate":
            lead = _positive(arguments.lead, "--lead", least=0)
            signs_from = _rotate(folder, _positive(arguments.days, "--days"), lead)
        case "revoke":
            revoke_key(folder, arguments.key, today())
    keys = read_keys(folder)
    if arguments.json:
        print_json(_listed(pair, keys) for pair in keys)
        return 0
    _show(keys, folder)
    _advise(arguments.action, keys, signs_from)
    return 0


def _positive(number: int, place: str, *, least: int = 1) -> int:
    if not least <= number <= 36_500:
        raise BadInput(
            "{number} is not between {least} and 36500", place=place, number=number, least=least
        )
    return number


def _make(folder: Path, days: int) -> None:
    if folder.is_dir() and any(pair.known.signs_on(today()) for pair in read_keys(folder)):
        raise BadInput(
            "{file} has a key that signs today: `tera keys rotate` makes the next one", file=folder
        )
    make_key(folder, today(), today() + timedelta(days=days))


def _rotate(folder: Path, days: int, lead: int) -> date:
    """Make the next key and return its first day; the one in charge stays trusted after it."""
    keys = read_keys(folder)
    begin = today() + timedelta(days=lead)
    later = [
        pair.known for pair in keys if not pair.known.revoked and pair.known.valid_from > today()
    ]
    if in_charge(keys, today()) is None:
        begin = today()  # nothing signs meanwhile: every day counts, also where a later one waits
    elif later:
        raise BadInput(
            "the next key is made already, {id}: it signs from {first}",
            place="tera keys rotate",
            id=later[0].id,
            first=later[0].valid_from,
        )
    make_key(folder, begin, begin + timedelta(days=days))
    return begin


def _state(pair: KeyPair, keys: Sequence[KeyPair]) -> str:
    key, day = pair.known, today()
    if key.revoked is not None:
        return "revoked"
    if day > key.valid_until:
        return "ended"
    if day < key.valid_from:
        return "waits"
    return "signs" if in_charge(tuple(keys), day) is pair else "is trusted"


def _listed(pair: KeyPair, keys: Sequence[KeyPair]) -> Mapping[str, Any]:
    return {**as_setting(pair.known), "state": _state(pair, keys)}


def _show(keys: Sequence[KeyPair], folder: Path) -> None:
    drawn = table(
        t("Keys in {file}", file=folder),
        [(t("key"), "left"), (t("from"), "left"), (t("until"), "left"), (t("status"), "left")],
    )
    for pair in keys:
        known = pair.known
        status = t(_state(pair, keys))
        drawn.add_row(known.id, _day(known.valid_from), _day(known.valid_until), status)
    out = console()
    out.print(drawn)
    trusted = [pair.known for pair in keys if today() <= pair.known.valid_until]
    if trusted:
        out.print(t("What every station enters in its config.toml:"))
        for known in trusted:
            print(as_toml(known, f"\n{_TABLE}"), end="")


def _day(day: date) -> str:
    return day.isoformat()


def _advise(action: str, keys: Sequence[KeyPair], signs_from: date) -> None:
    """Say what is to be done now, on standard error."""
    if action == "rotate":
        text = (
            t(
                "Enter the new key at every station before {day}; the old one stays until it has"
                " ended.",
                day=signs_from,
            )
            if signs_from > today()
            else t("Enter the new key at every station now: until then its receipts are refused.")
        )
    elif action == "revoke":
        text = t(
            "Enter the revocation at every station now: until then they believe that key. What has no"
            " receipt goes out again and gets one by another key."
        )
        if in_charge(tuple(keys), today()) is None:
            text += " " + t("No key signs now: `tera keys rotate` makes one.")
    else:
        return
    print(text, file=sys.stderr)
