"""The arguments of the commands that keep a station running: run, backup, restore."""

import argparse
from collections.abc import Callable
from pathlib import Path

from acquisition.language import t

Command = Callable[[str, str, str, str], argparse.ArgumentParser]
Configured = Callable[[argparse.ArgumentParser], argparse.ArgumentParser]


def add_service_commands(command: Command, configured: Configured) -> None:
    """Add the commands to the parser that ``command`` adds to."""
    run = configured(
        command(
            "run",
            "serve",
            t("the service: benches stream, verdicts go out, until SIGTERM"),
            "tera run --config config.toml",
        )
    )
    run.add_argument(
        "--take-over",
        action="store_true",
        help=t("the outbox was made on another computer, which is out of service"),
    )
    run.add_argument(
        "--go-on",
        action="store_true",
        help=t(
            "where an outbox is older than what went out of it, go on behind the highest number known"
        ),
    )
    backup = configured(
        command(
            "backup",
            "backup",
            t("the station in one file, while it works"),
            "tera backup /media/usb/tante-sari.backup",
        )
    )
    backup.add_argument(
        "file", type=Path, metavar=t("FILE"), help=t("a new file, or a folder that keeps backups")
    )
    backup.add_argument(
        "--captures", action="store_true", help=t("with the bytes of every line, which may be many")
    )
    backup.add_argument(
        "--keep",
        type=int,
        metavar="N",
        help=t("in a folder, remove all but the newest N backups"),
    )
    restore = command(
        "restore",
        "backup",
        t("check a backup and lay it into a new folder"),
        "tera restore tante-sari.backup --to /var/lib/tante-sari-new",
    )
    restore.add_argument("file", type=Path, metavar=t("FILE"), help=t("a backup"))
    restore.add_argument(
        "--to", type=Path, required=True, metavar=t("FOLDER"), help=t("a new or empty folder")
    )
