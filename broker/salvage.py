"""Brings what was committed out of a damaged outbox, before a station begins.

Nothing is believed because it is there: a record comes back only with bytes that fit the digest by
which it was committed. One whose bytes are gone keeps its number, so that no other gets it, and is
named. The damaged files are kept aside as they were. Knows no instrument and no network.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from broker.counterfoil import counterfoil_of, read_lines, rewrite
from broker.examination import beside, examine, roll_back, size_of
from broker.failure import OutboxFailed
from broker.outbox_hold import Hold
from broker.private_file import sync_folder
from broker.salvaged import Salvaged
from broker.sqlite_file import SqliteFile, explain
from broker.sqlite_pages import Pages

_ALONE_WITHIN = 1.0
"""So long [s] a station waits at its start for whoever looks into the outbox."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A record whose bytes could not be found."""

    bench: str
    number: int
    kind: str
    stored: int | None
    """Its number at the records system, which has it; None when no receipt is known."""


@dataclass(frozen=True, slots=True)
class Mended:
    """What became of a damaged outbox."""

    aside: Path
    """The folder in which the damaged files are kept."""
    why: OutboxFailed
    """What was found wrong."""
    kept: int
    """Records that are whole again [records]."""
    lost: tuple[Lost, ...]


def kept_aside(outbox: Path) -> list[Path]:
    """Return the folders with damaged files of an outbox, the newest first."""
    return sorted(outbox.parent.glob(f"{outbox.name}.damaged-*"), reverse=True)


def mend(outbox: Path) -> Mended | None:
    """Put a mended outbox in the place of a damaged one; None when nothing had to be done.

    When another program has it open that one has looked, and nothing is done either.
    """
    alone = Hold.alone(outbox, within=_ALONE_WITHIN)
    if alone is None:
        return None
    try:
        roll_back(outbox)
        why = examine(outbox)
        if why is None:
            _tidy(outbox)
            return None
        return _mend(outbox, why)
    except sqlite3.Error as error:
        raise explain(error, outbox, OutboxFailed) from error
    except OSError as error:
        raise OutboxFailed(
            "{file} is damaged and cannot be mended: {why}", file=outbox, why=error.strerror
        ) from error
    finally:
        alone.release()


def _tidy(outbox: Path) -> None:
    """Have all of an outbox that is whole in its one file, and every line of its counterfoil good."""
    damaged = any(line is None for line in read_lines(counterfoil_of(outbox)))
    if outbox.exists() and (damaged or size_of(beside(outbox, "-wal"))):
        with closing(sqlite3.connect(outbox, isolation_level=None)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if damaged:
                rewrite(outbox, db)


def _mend(outbox: Path, why: OutboxFailed) -> Mended:
    fresh = outbox.with_name(f".{outbox.name}.mending")
    for left in (fresh, beside(fresh, "-journal"), beside(fresh, "-wal"), beside(fresh, "-shm")):
        left.unlink(missing_ok=True)
    target = SqliteFile(fresh, "outbox")
    with closing(target.connect(reading=False)) as db:
        target.prepare(db)
        db.execute("PRAGMA journal_mode = DELETE")
        salvaged = Salvaged(db)
        places = [outbox, *(aside / outbox.name for aside in kept_aside(outbox))]
        for place in places:
            for line in read_lines(counterfoil_of(place)):
                if line is not None:
                    salvaged.know(line)
        for committed in (True, False):
            for place in places:
                with closing(Pages(place, beside(place, "-wal"))) as pages:
                    take = salvaged.take_row if committed else salvaged.take_bytes
                    for row in pages.rows(committed=committed):
                        take(row)
        if size_of(outbox) and not salvaged.anything():
            raise OutboxFailed(
                "{file} is damaged or no such database: keep it and call for help ({why})",
                file=outbox,
                why=why,
            )
        db.execute("BEGIN IMMEDIATE")
        salvaged.write()
        db.execute("COMMIT")
        lost = tuple(Lost(*row) for row in salvaged.lost())
        (kept,) = db.execute("SELECT count(*) FROM content").fetchone()
        aside = _set_aside(outbox)
        if outbox.exists():
            fresh.chmod(outbox.stat().st_mode & 0o777)
    _take_its_place(fresh, outbox)
    return Mended(aside, why, int(kept), lost)


def _set_aside(outbox: Path) -> Path:
    """Give the damaged files second names in a folder of their own; not a byte is touched."""
    folder = outbox.with_name(f"{outbox.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    folder.mkdir()
    for file in (outbox, beside(outbox, "-wal"), counterfoil_of(outbox)):
        if not size_of(file):
            continue
        try:
            (folder / file.name).hardlink_to(file)
        except OSError:  # a file system without such links
            shutil.copy2(file, folder / file.name)
    sync_folder(folder)
    sync_folder(outbox.parent)
    return folder


def _take_its_place(fresh: Path, outbox: Path) -> None:
    """Swap so that a power cut in between leaves nothing that fits together wrongly.

    A WAL that outlives its database would be played into the next one: it goes first.
    """
    with closing(sqlite3.connect(fresh, isolation_level=None)) as db:
        rewrite(outbox, db)  # before the swap it only says more than the damaged outbox can
    for suffix in ("-wal", "-shm"):
        beside(outbox, suffix).unlink(missing_ok=True)
    handle = os.open(fresh, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_folder(outbox.parent)
    fresh.replace(outbox)
    sync_folder(outbox.parent)
