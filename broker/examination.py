"""Looks whether an outbox is what was committed, before anything is written to it.

Knows three witnesses: SQLite, which looks at its pages; the digests of the records; and the
counterfoil, which tells what must be there. Changes nothing.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from broker.counterfoil import counterfoil_of, read_lines
from broker.disk_trouble import disk_error
from broker.failure import OutboxFailed
from broker.migration import migrations
from broker.outbox_hold import Hold
from broker.record import digest
from broker.sqlite_file import explain

_OURS_TO_SAY = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_FULL,
    }
)
"""Troubles that are no damage."""
_SINCE = 2
"""The migration that made the table ``content``."""


def examine(outbox: Path) -> OutboxFailed | None:
    """Return what is wrong with an outbox; None when nothing is, or when there is none yet."""
    if not outbox.exists() or outbox.stat().st_size == 0:
        left = any(read_lines(counterfoil_of(outbox))) or size_of(beside(outbox, "-wal"))
        return OutboxFailed("the file is missing or empty") if left else None
    try:
        address = f"{outbox.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as db:
            if not _tables_of_today(db, outbox):
                return None
            wrong = (x for look in (_pages, _records, _lines) for x in look(db, outbox))
            return next(wrong, None)
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        full = code == sqlite3.SQLITE_IOERR and disk_error(outbox) is not None
        if full or code in _OURS_TO_SAY:
            raise explain(error, outbox, OutboxFailed) from error
        return OutboxFailed("SQLite finds: {why}", why=error)


def roll_back(outbox: Path) -> None:
    """Undo what was half done when a program died while it made the file; hold it alone for that."""
    if size_of(beside(outbox, "-journal")) and not size_of(beside(outbox, "-wal")):
        with suppress(sqlite3.Error), closing(sqlite3.connect(outbox)) as db:
            db.execute("SELECT count(*) FROM sqlite_master")


def hold(outbox: Path, *, within: float) -> Hold:
    """Hold an outbox that is to be opened; OutboxFailed when it is damaged.

    What a program left behind that did not end by itself is looked at first: SQLite would keep what
    fits together of it, and delete the rest.
    """
    alone = Hold.alone(outbox, within=0.0)
    if alone is not None:
        try:
            roll_back(outbox)
            why = examine(outbox) if size_of(beside(outbox, "-wal")) else None
        except OSError as error:
            why = OutboxFailed("SQLite finds: {why}", why=error)
        finally:
            alone.release()
        if why is not None:
            raise OutboxFailed(
                "{file} is damaged ({why}): start the station, which recovers what can be read",
                file=outbox,
                why=why,
            )
    return Hold.of(outbox, within=within)


def _tables_of_today(db: sqlite3.Connection, outbox: Path) -> bool:
    """Say whether the tables are those that we know; others are migrated, or refused, elsewhere."""
    names = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    if "content" not in names or "migration" not in names:
        if any(read_lines(counterfoil_of(outbox))):  # there is none without our tables
            raise sqlite3.DatabaseError("tables are missing")
        return False
    (last,) = db.execute("SELECT max(number) FROM migration").fetchone()
    if last is None or last < _SINCE:
        raise sqlite3.DatabaseError("the note of its tables is gone")
    return bool(last == len(migrations("outbox")))


def _pages(db: sqlite3.Connection, outbox: Path) -> Iterator[OutboxFailed]:
    for (found,) in db.execute("PRAGMA integrity_check(1)"):
        if found != "ok":
            yield OutboxFailed("SQLite finds: {why}", why=str(found).splitlines()[-1])


def _records(db: sqlite3.Connection, outbox: Path) -> Iterator[OutboxFailed]:
    """Compare every record with its digest."""
    for bench, number, kind, own, stamps, body in db.execute(
        "SELECT r.bench, number, kind, digest, d.seq, body FROM record AS r"
        " LEFT JOIN delivery AS d USING (seq) LEFT JOIN content USING (seq)"
    ):
        named: dict[str, Any] = {"bench": bench, "number": number, "kind": kind}
        if stamps is None:
            yield OutboxFailed(
                "bench {bench}: the stamps of the {kind} of number {number} are gone", **named
            )
        if body is not None and digest(body) != own:
            yield OutboxFailed(
                "bench {bench}: the bytes of the {kind} of number {number} are altered", **named
            )


def _lines(db: sqlite3.Connection, outbox: Path) -> Iterator[OutboxFailed]:
    """Compare the counterfoil with the records: what was committed must be there."""
    for line in read_lines(counterfoil_of(outbox)):
        if line is None:
            continue
        found = db.execute("SELECT digest, number FROM record WHERE seq = ?", (line.seq,))
        if found.fetchone() != (line.digest, line.number):
            yield OutboxFailed(
                "bench {bench}: the {kind} of number {number} is gone",
                bench=line.bench,
                number=line.number,
                kind=line.kind,
            )


def beside(file: Path, suffix: str) -> Path:
    """Return a file that SQLite keeps beside another."""
    return Path(f"{file}{suffix}")


def size_of(file: Path) -> int:
    """Return the length of a file [byte], 0 when there is none."""
    with suppress(OSError):
        return file.stat().st_size
    return 0
