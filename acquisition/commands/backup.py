"""``tera backup`` and ``tera restore``: the station in one file, while it works, and back again."""

import argparse
import asyncio
import os
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acquisition.backup_file import copied, parts_of, read_backup, rest, write_backup
from acquisition.config import Premises, load_records_system
from acquisition.faults import Abandoned, BadInput
from acquisition.feed import timestamp
from acquisition.language import choose, t
from acquisition.output import print_json
from acquisition.premises import benches_at_work
from acquisition.station import software
from broker.outbox import Outbox
from broker.private_file import sync_folder


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    try:
        if arguments.command == "backup":
            return _back_up(arguments)
        return _restore(arguments)
    except OSError as error:
        raise Abandoned(
            "cannot write {file}: {why}", file=error.filename or arguments.file, why=error.strerror
        ) from None


def _back_up(arguments: argparse.Namespace) -> int:
    settings = load_records_system(arguments.config)
    choose(settings.console.language)
    target: Path = arguments.file
    if arguments.keep is not None and arguments.keep < 1:
        raise BadInput("--keep is how many backups stay: a number from 1 on")
    if arguments.keep is not None and not target.is_dir():
        raise BadInput("--keep belongs to a folder of backups, and {file} is none", file=target)
    if not target.is_dir() and not target.parent.is_dir():
        raise BadInput("there is no folder {file}", file=target.parent)
    now = datetime.now(UTC)
    office = settings.office.code
    if target.is_dir():
        target = target / f"tante-sari-{office}-{now:%Y%m%dT%H%M%SZ}.backup"
    parts = parts_of(arguments.config, settings, captures=arguments.captures)
    with copied(parts, target.parent) as ready:
        outbox = next(
            (p.source for p in ready if p.database and _is_outbox(settings, p.name)), None
        )
        about: dict[str, Any] = {
            "made": timestamp(now),
            "office": office,
            "software": software(),
            "outbox": None if outbox is None else asyncio.run(_counted(outbox)),
        }
        made = write_backup(target, ready, about)
    if arguments.keep is not None:
        _forget_old(target.parent, office, arguments.keep)
    if arguments.json:
        print_json([{"file": str(target), **about, "files": [p.to_dict() for p in made.parts]}])
        return 0
    print(
        t(
            "{file}: {count} files, {size} bytes",
            file=target,
            count=len(made.parts),
            size=target.stat().st_size,
        )
    )
    print(t("keys and passwords are not in it: keep copies of them elsewhere"))
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    file: Path = arguments.file
    folder: Path = arguments.to.absolute()
    _must_be_free(folder)
    try:
        with file.open("rb"):
            pass
    except FileNotFoundError:
        raise BadInput("there is no file {file}", file=file) from None
    except OSError as error:
        raise BadInput("cannot read {file}: {why}", file=file, why=error.strerror) from None
    if not folder.parent.is_dir():
        raise BadInput("there is no folder {file}", file=folder.parent)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as beside:
        fresh = Path(beside) / "restored"
        fresh.mkdir(mode=0o700)
        found = read_backup(file, fresh)
        for inside in [fresh, *(p for p in fresh.rglob("*") if p.is_dir())]:
            sync_folder(inside)
        _must_be_free(folder)
        fresh.rename(folder)  # onto an empty folder too
        sync_folder(folder.parent)
    if arguments.json:
        files = [p.to_dict() for p in found.parts]
        print_json([{"folder": str(folder), **found.about, "files": files}])
        return 0
    print(
        t(
            "{folder}: {count} files as of {made}",
            folder=folder,
            count=len(found.parts),
            made=found.about["made"],
        )
    )
    print(
        t(
            "what was committed after that is not in it: no run begins before the records system has said"
            " which numbers were given since"
        )
    )
    return 0


def _is_outbox(settings: Premises, name: str) -> bool:
    return Path(name).name == settings.store.outbox.name or name == "outbox.sqlite"


async def _counted(file: Path) -> dict[str, int]:
    """Count what the copy of an outbox holds, which from now on knows that it is one."""
    outbox = await Outbox.open(file)
    try:
        await outbox.note_copied()
        counts = await outbox.counts()
    finally:
        await outbox.close()
    rest(file)
    return {
        "starts": counts.starts,
        "verdicts": counts.verdicts,
        "abandonments": counts.abandonments,
        "waiting": counts.waiting,
    }


def _must_be_free(folder: Path) -> None:
    """Refuse a folder in which something lies, and say it when a station works there."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BadInput("{file} is a file: name a folder", file=folder)
    for lock in folder.rglob("*.lock"):
        outbox = lock.with_name(re.sub(r"\.[^.]+\.lock$", "", lock.name))
        if benches_at_work(outbox):
            raise Abandoned(
                "a station is at work in {folder}: stop it first, and restore to another folder",
                folder=folder,
            )
    if os.listdir(folder):  # noqa: PTH208 - is there anything
        raise BadInput(
            "{folder} is not empty: a restore never overwrites; name a new folder", folder=folder
        )


def _forget_old(folder: Path, office: str, keep: int) -> None:
    """Remove the oldest backups of this office that ``--keep`` does not want."""
    made = sorted(folder.glob(f"tante-sari-{office}-*Z.backup"))
    for file in made[: max(0, len(made) - keep)]:
        file.unlink()
