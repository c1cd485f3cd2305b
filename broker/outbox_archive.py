"""Moves what is receipted and old out of an outbox, on request, into a file of its own.

Copy, verify, then mark: the bytes of a record leave the outbox only in the transaction that notes
in which archive they lie, and only after that archive was read again from the disk and found whole.
The record itself with its number, digest and receipt stays in the outbox for ever, so numbers go on
without gaps and nothing can be committed twice. Whenever the power fails, the bytes are in the
outbox, or in the archive, or in both; calling again goes on where it was.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from broker.examination import hold
from broker.failure import BrokerError, OutboxFailed
from broker.private_file import sync_folder
from broker.record import decode, digest, timestamp
from broker.rows import ROW, Row, row_of
from broker.sqlite_file import SqliteFile, explain
from broker.stored import StoredRecord

log = logging.getLogger(__name__)

_TOGETHER = 500
"""Most records that are marked in one transaction: a station at work must not wait for long."""
_PATIENCE = 30.0
"""Longest wait for another program [s]."""

_OLD = """
SELECT r.seq, r.digest FROM record AS r JOIN delivery AS d USING (seq)
WHERE d.archive IS NULL AND EXISTS (SELECT 1 FROM record WHERE id = r.id AND kind <> 'start')
  AND NOT EXISTS (
    SELECT 1 FROM record AS o JOIN delivery AS e USING (seq)
    WHERE o.id = r.id AND (e.receipt IS NULL OR e.receipted_at >= ?1 OR o.committed_at >= ?1))
ORDER BY r.seq
"""
"""Records of verifications that have ended, and were receipted whole, before a moment."""

_COPIED = {
    "record": "seq, kind, id, bench, number, trial, order_id, subject, digest, owner, committed_at",
    "content": "seq, body",
    "delivery": "seq, bench, published_at, stored_number, receipted_at, receipt",
}
"""What is copied of each record; which archive the outbox notes is its own affair."""


@dataclass(frozen=True, slots=True)
class Archive:
    """What one request moved."""

    file: Path
    """Where the records lie now."""
    records: int
    """How many were moved by this request."""


def archive(outbox: Path, before: str, folder: Path) -> list[Archive]:
    """Move what was receipted before a moment (UTC) into a new file of the folder.

    What an earlier request has copied and not finished is finished first.
    """
    source = SqliteFile(outbox, "outbox", busy_timeout=_PATIENCE)
    held = hold(outbox, within=_PATIENCE)
    try:
        with closing(source.connect(reading=False)) as db:
            source.prepare(db)
            moved = [_go_on(db, *left) for left in _unfinished(db)]
            wanted = dict(db.execute(_OLD, (before,)).fetchall())
            if wanted:
                file = _copy(outbox, wanted, folder)
                moved.append(Archive(file, _mark(db, file, wanted)))
    except sqlite3.Error as error:
        raise explain(error, outbox, OutboxFailed) from error
    except OSError as error:
        raise OutboxFailed("cannot write {file}: {why}", file=folder, why=error.strerror) from error
    finally:
        held.release()
    return [entry for entry in moved if entry.records]


def read_archive(path: Path) -> Iterator[StoredRecord]:
    """Yield the records of an archive, or of an outbox, in order; the file is not written."""
    try:
        with closing(_reading(path)) as db:
            found = db.execute(
                "SELECT stored_number, kind, id, number, trial, digest, receipted_at, body"
                " FROM record JOIN delivery USING (seq) JOIN content USING (seq) ORDER BY seq"
            )
            for stored, kind, name, number, trial, own, received, body in found:
                record = _understood(body)
                yield StoredRecord(
                    kind,
                    name,
                    str(record.get("office", "")),
                    str(record.get("bench", "")),
                    number,
                    bool(trial),
                    record.get("verdict"),
                    own,
                    body,
                    stored or 0,
                    received or "",
                )
    except sqlite3.Error as error:
        raise explain(error, path, OutboxFailed) from error


def rows_in_archive(path: Path, wanted: Mapping[int, str]) -> list[Row]:
    """Return the rows of an archive whose place and digest are wanted; none when it is not there."""
    try:
        with closing(_reading(path)) as db:
            found = [
                db.execute(f"SELECT {ROW} WHERE r.seq = ?", (seq,)).fetchone() for seq in wanted
            ]
    except sqlite3.Error:
        return []
    rows = [row_of(row) for row in found if row is not None]
    return [row for row in rows if wanted[row.seq] == row.digest == digest(row.body)]


def _understood(body: bytes) -> Mapping[str, str]:
    try:
        return decode(body)
    except BrokerError:
        return {}  # its digest tells that it is damaged


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path.resolve()}?mode=ro", uri=True, isolation_level=None)


def _copy(outbox: Path, wanted: Mapping[int, str], folder: Path) -> Path:
    """Copy records into a file that has its name only once it is whole and on the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"outbox-{min(wanted):09}-{max(wanted):09}.sqlite"
    if file.exists() and _holds(file, wanted):
        return file  # the power failed before anything was marked
    while file.exists():
        file = file.with_stem(f"{file.stem}-more")
    part = file.with_name(f".{file.name}.part")
    for left in (part, part.with_name(f"{part.name}-journal")):
        left.unlink(missing_ok=True)
    target = SqliteFile(part, "outbox")
    with closing(target.connect(reading=False)) as db:
        target.prepare(db)
        db.execute("PRAGMA journal_mode = DELETE")  # readable from a disk that cannot be written
        db.execute("ATTACH ? AS source", (str(outbox),))
        db.execute("BEGIN IMMEDIATE")
        db.execute("CREATE TEMP TABLE wanted (seq INTEGER PRIMARY KEY)")
        db.executemany("INSERT INTO wanted VALUES (?)", [(seq,) for seq in wanted])
        db.execute(
            "INSERT INTO receipt SELECT receipt, body FROM source.receipt WHERE receipt IN"
            " (SELECT receipt FROM source.delivery WHERE seq IN (SELECT seq FROM wanted))"
        )
        for table, columns in _COPIED.items():
            db.execute(
                f"INSERT INTO {table} ({columns}) SELECT {columns} FROM source.{table}"  # noqa: S608 - our own names
                " WHERE seq IN (SELECT seq FROM wanted)"
            )
        db.execute("COMMIT")
    _sync(part)
    if not _holds(part, wanted):
        raise OutboxFailed(
            "the copy in {file} is not the same as the outbox: nothing was removed", file=part
        )
    part.rename(file)
    sync_folder(folder)
    return file


def _holds(file: Path, wanted: Mapping[int, str]) -> bool:
    """Say whether an archive is whole and holds just these records, each with its bytes."""
    try:
        with closing(_reading(file)) as db:
            if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                return False
            found = db.execute("SELECT seq, digest, body FROM record JOIN content USING (seq)")
            seen = {seq: own for seq, own, body in found if digest(body) == own}
            (rows,) = db.execute("SELECT count(*) FROM record").fetchone()
    except sqlite3.Error:
        return False
    return seen == dict(wanted) and rows == len(wanted)


def _mark(db: sqlite3.Connection, file: Path, wanted: Mapping[int, str]) -> int:
    """Note where the records lie, and let their bytes go, in transactions that do both."""
    seqs = sorted(wanted)
    db.execute("BEGIN IMMEDIATE")
    place = db.execute(
        "INSERT INTO archive (file, made_at, records) VALUES (?, ?, ?)",
        (str(file.resolve()), timestamp(), len(seqs)),
    ).lastrowid
    db.execute("COMMIT")
    for at in range(0, len(seqs), _TOGETHER):
        _let_go(db, int(place or 0), seqs[at : at + _TOGETHER])
    return len(seqs)


def _let_go(db: sqlite3.Connection, place: int, seqs: list[int]) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        rows = [(seq,) for seq in seqs]
        db.executemany(f"UPDATE delivery SET archive = {place} WHERE seq = ?", rows)  # noqa: S608 - a number
        db.executemany("DELETE FROM content WHERE seq = ?", rows)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _unfinished(db: sqlite3.Connection) -> list[tuple[int, Path]]:
    """Return the archives of which not every record is marked: the power failed in between."""
    found = db.execute(
        "SELECT archive, file FROM archive AS a WHERE records >"
        " (SELECT count(*) FROM delivery WHERE archive = a.archive)"
    )
    return [(place, Path(file)) for place, file in found.fetchall()]


def _go_on(db: sqlite3.Connection, place: int, file: Path) -> Archive:
    """Mark the rest of an archive that is still where it was and whole; leave it otherwise."""
    try:
        with closing(_reading(file)) as there:
            copied = dict(there.execute("SELECT seq, digest FROM record").fetchall())
    except sqlite3.Error:
        copied = {}
    if not copied or not _holds(file, copied):
        log.error("the archive %s is missing or damaged: its records stay in the outbox", file)
        return Archive(file, 0)
    here = dict(
        db.execute(
            "SELECT seq, digest FROM record JOIN delivery USING (seq)"
            " WHERE archive IS NULL AND receipt IS NOT NULL"
        ).fetchall()
    )
    rest = sorted(seq for seq, own in copied.items() if here.get(seq) == own)
    for at in range(0, len(rest), _TOGETHER):
        _let_go(db, place, rest[at : at + _TOGETHER])
    return Archive(file, len(rest))


def _sync(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
