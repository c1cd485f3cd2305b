"""The arguments of ``tera records`` and ``tera keys``. Imports nothing heavy."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from acquisition.language import t

Command = Callable[[str, str, str, str], argparse.ArgumentParser]
Configured = Callable[[argparse.ArgumentParser], argparse.ArgumentParser]


def add_records_commands(command: Command, configured: Configured) -> None:
    """Add the commands to the program's parser."""
    _add_records(command, configured)
    _add_keys(command, configured)


class Actions:
    """The actions of one command; each takes the options that all of them have."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._like = parser
        self._actions = parser.add_subparsers(
            dest="action", metavar=t("ACTION"), required=True, title=t("actions")
        )

    def add(self, name: str, summary: str) -> argparse.ArgumentParser:
        """Add one."""
        made: argparse.ArgumentParser = self._actions.add_parser(
            name, help=summary, description=summary
        )
        never: Any = argparse.SUPPRESS  # what stands before the action is not set back
        made.add_argument(
            "--json", action="store_true", default=never, help=t("one JSON value per line")
        )
        made.add_argument(
            "--config",
            type=Path,
            default=never,
            metavar=t("FILE"),
            help=t("configuration of the station (default: config.toml here)"),
        )
        return made


def _add_records(command: Command, configured: Configured) -> None:
    records = configured(
        command(
            "records",
            "records",
            t("the records system: stores what stations deliver and acknowledges it"),
            "tera records serve\n"
            "  tera records list --bench meja-timbangan --verdict nonconforming\n"
            "  tera records show 41\n"
            "  tera records order P-118 timbangan-1 timbangan-2 --owner 'Toko Maju'\n"
            "  tera records archive --before 2026-01-01 --to /media/usb/arsip",
        )
    )
    actions = Actions(records)
    serve = actions.add("serve", t("store and acknowledge until SIGTERM"))
    serve.add_argument(
        "--name",
        default="",
        metavar=t("NAME"),
        help=t("tells apart records systems that share one store; each keeps its own name"),
    )
    listed = actions.add("list", t("what is stored, the newest at the end"))
    listed.add_argument(
        "--from",
        dest="file",
        type=Path,
        metavar=t("FILE"),
        help=t("a store, an archive or an outbox instead of the configured store"),
    )
    listed.add_argument("--kind", choices=["start", "verdict", "abandonment"], help=t("only these"))
    listed.add_argument(
        "--serial",
        metavar=t("NUMBER"),
        help=t("only verdicts on the instrument with this serial number"),
    )
    listed.add_argument("--bench", metavar=t("NAME"), help=t("only of this bench"))
    listed.add_argument(
        "--verdict",
        choices=["conforming", "nonconforming", "indeterminate"],
        help=t("only with this verdict"),
    )
    listed.add_argument("--since", metavar=t("DATE"), help=t("received on this day or later (UTC)"))
    listed.add_argument("--before", metavar=t("DATE"), help=t("received before this day (UTC)"))
    listed.add_argument("--trials", action="store_true", help=t("only trials"))
    listed.add_argument("--no-trials", action="store_true", help=t("no trials"))
    listed.add_argument(
        "--limit", type=int, default=100, metavar="N", help=t("the newest N; 0 for all (100)")
    )
    shown = actions.add("show", t("one verification with its start and its outcome"))
    shown.add_argument(
        "which", metavar=t("NUMBER_OR_ID"), help=t("number in the store, or identity")
    )
    shown.add_argument(
        "--from",
        dest="file",
        type=Path,
        metavar=t("FILE"),
        help=t("a store, an archive or an outbox instead of the configured store"),
    )
    ordered = actions.add("order", t("have instruments verified, or withdraw such an order"))
    ordered.add_argument("order", metavar=t("ORDER"), help=t("name of the order"))
    ordered.add_argument(
        "instruments",
        nargs="*",
        metavar=t("INSTRUMENT"),
        help=t("names of instruments as the configurations of the stations have them"),
    )
    ordered.add_argument("--owner", metavar=t("TEXT"), help=t("whose instruments they are"))
    ordered.add_argument("--trial", action="store_true", help=t("an order for trials"))
    ordered.add_argument(
        "--withdraw", action="store_true", help=t("withdraw the order: it is finished")
    )
    actions.add("conflicts", t("what contradicts a stored record, for a person to look at"))
    copied = actions.add(
        "copy", t("take the records of another store, an archive or an outbox into this store")
    )
    copied.add_argument(
        "--from",
        dest="file",
        type=Path,
        required=True,
        metavar=t("FILE"),
        help=t("a store, an archive or an outbox; it stays as it is"),
    )
    archive = actions.add(
        "archive", t("move from the outbox of this station what is receipted and old")
    )
    archive.add_argument(
        "--before", required=True, metavar=t("DATE"), help=t("receipted before this day (UTC)")
    )
    archive.add_argument(
        "--to", type=Path, required=True, metavar=t("FOLDER"), help=t("folder of the archives")
    )
    certificate = actions.add("certificate", t("the certificate of a verification; not made yet"))
    certificate.add_argument(
        "which", nargs="?", metavar=t("NUMBER_OR_ID"), help=t("number in the store, or identity")
    )


def _add_keys(command: Command, configured: Configured) -> None:
    keys = configured(
        command(
            "keys",
            "keys",
            t("keys with which the records system signs its receipts"),
            "tera keys make\n  tera keys show\n  tera keys rotate --lead 7\n"
            "  tera keys revoke k-0123456789abcdef",
        )
    )
    actions = Actions(keys)
    for name, summary in (
        ("make", t("make the first key")),
        ("rotate", t("make the next key, which signs some days from now")),
    ):
        made = actions.add(name, summary)
        made.add_argument(
            "--days", type=int, default=730, metavar="N", help=t("how long it counts (730)")
        )
        if name == "rotate":
            made.add_argument(
                "--lead",
                type=int,
                default=7,
                metavar="N",
                help=t("days until it signs, in which every station must come to know it (7)"),
            )
    actions.add("show", t("every key and its days, and what stations enter of it"))
    revoked = actions.add("revoke", t("withdraw a key for good, because its secret may be known"))
    revoked.add_argument("key", metavar=t("KEY"), help=t("id of the key, as in k-0123456789abcdef"))
