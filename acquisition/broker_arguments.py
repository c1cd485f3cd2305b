"""The arguments of ``tera broker``. Imports nothing heavy."""

import argparse
from collections.abc import Callable
from pathlib import Path

from acquisition.language import t
from acquisition.records_arguments import Actions

Command = Callable[[str, str, str, str], argparse.ArgumentParser]
Configured = Callable[[argparse.ArgumentParser], argparse.ArgumentParser]


def add_broker_command(command: Command, configured: Configured) -> None:
    """Add the command to the program's parser."""
    broker = configured(
        command(
            "broker",
            "broker",
            t("who may what at the broker: certificates and the files of Mosquitto"),
            "tera broker make --host broker.upt.local\n"
            "  tera broker issue\n"
            "  tera broker issue meja-timbangan\n"
            "  tera broker acl --with bengkel/config.toml\n"
            "  tera broker revoke meja-timbangan",
        )
    )
    actions = Actions(broker)
    made = actions.add(
        "make", t("an authority of your own, every certificate, and the files of Mosquitto")
    )
    _add_hosts(made)
    _add_days(made, t("how long certificates count (730)"))
    issued = actions.add("issue", t("a new key and certificate for a name"))
    issued.add_argument(
        "names",
        nargs="*",
        metavar=t("NAME"),
        help=t(
            "a bench, a dashboard, records or broker; without one: what is missing or ends soon"
        ),
    )
    _add_hosts(issued)
    _add_days(issued, t("how long certificates count (730)"))
    listed = actions.add("acl", t("write the files of Mosquitto: who may what, and the listener"))
    for action in (made, issued, listed):
        action.add_argument(
            "--with",
            dest="more",
            action="append",
            type=Path,
            default=[],
            metavar=t("FILE"),
            help=t("configuration of another station that uses the same broker"),
        )
    for action in (made, listed):
        action.add_argument(
            "--port", type=int, metavar="N", help=t("port of the broker (as before, or 8883)")
        )
        action.add_argument(
            "--listen",
            metavar=t("ADDRESS"),
            help=t("address at which the broker listens (as before, or all of its computer)"),
        )
        action.add_argument(
            "--at",
            metavar=t("FOLDER"),
            help=t("where the files lie at the broker (as before, or /etc/mosquitto/tera)"),
        )
    shown = actions.add("show", t("every certificate that was given, and until when it counts"))
    revoked = actions.add(
        "revoke", t("take certificates back for good, because a key may be known")
    )
    revoked.add_argument(
        "which", metavar=t("NAME"), help=t("a name, or the serial number of one certificate")
    )
    for action in (made, issued, listed, shown, revoked):
        action.add_argument(
            "--folder",
            type=Path,
            metavar=t("FOLDER"),
            help=t("folder of the authority (default: data/authority beside the configuration)"),
        )


def _add_hosts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        dest="hosts",
        action="append",
        default=[],
        metavar=t("NAME"),
        help=t("name or address of the broker's computer (as before, or [broker] host)"),
    )


def _add_days(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--days", type=int, default=730, metavar="N", help=text)
