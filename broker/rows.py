"""The rows of an outbox and the rules by which one is added.

A start comes first, an outcome once, and both belong to the same number of the same bench.
Knows SQL; opens no file and commits nothing.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.failure import BadRecord, BrokerError, ConflictingRecord
from broker.record import digest, encode, timestamp

ROW = (
    "r.seq, r.kind, r.id, r.bench, r.number, r.trial, r.digest, c.body"
    " FROM delivery AS d JOIN record AS r USING (seq) JOIN content AS c USING (seq)"
)
"""What a SELECT needs for ``row_of``; a record whose bytes lie in an archive is left out."""


@dataclass(frozen=True, slots=True)
class Row:
    """A committed record on its way."""

    seq: int
    """Place in the sequence of this outbox."""
    kind: str
    """start, verdict or abandonment."""
    id: str
    """Identity of the verification."""
    bench: str
    """Name of the bench."""
    number: int
    """Number of the verification on its bench, from 1, without gaps."""
    trial: bool
    """Whether it is simulated or replayed."""
    digest: str
    """``sha256:`` of the body."""
    body: bytes
    """The record as it is published."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How much an outbox holds [records]."""

    starts: int
    verdicts: int
    abandonments: int
    waiting: int
    """Committed and without a receipt."""
    unfinished: int
    """Starts without an outcome."""


@dataclass(frozen=True, slots=True)
class Stamped:
    """What became of a receipt."""

    seqs: tuple[int, ...]
    """Places in the sequence whose receipt is in, now or before."""
    troubles: tuple[BrokerError, ...]
    """BadRecord for what is not here, ConflictingRecord for other bytes or another number."""


def row_of(row: tuple[Any, ...]) -> Row:
    """Return a database row as a value."""
    seq, kind, name, bench, number, trial, own, body = row
    return Row(seq, kind, name, bench, number, bool(trial), own, body)


def insert(
    db: sqlite3.Connection,
    kind: str,
    record: Mapping[str, Any],
    body: bytes | None = None,
    owner: str | None = None,
) -> None:
    """Add a record; ``owner`` is the program that has a started run in hand."""
    body = encode(record) if body is None else body
    added = db.execute(
        "INSERT INTO record"
        " (kind, id, bench, number, trial, order_id, subject, digest, owner, committed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            kind,
            record["id"],
            record["bench"],
            int(record["number"]),
            bool(record["trial"]),
            record["order"],
            record.get("subject"),
            digest(body),
            owner,
            timestamp(),
        ),
    )
    db.execute("INSERT INTO content (seq, body) VALUES (?, ?)", (added.lastrowid, body))
    db.execute(
        "INSERT INTO delivery (seq, bench) VALUES (?, ?)", (added.lastrowid, record["bench"])
    )


def end(db: sqlite3.Connection, kind: str, record: Mapping[str, Any], body: bytes) -> None:
    """Insert the one outcome that a started run may have."""
    start = db.execute(
        "SELECT bench, number FROM record WHERE id = ? AND kind = 'start'", (record["id"],)
    ).fetchone()
    if start is None:
        raise BadRecord("verification {id} was never started", id=record["id"])
    if start != (record["bench"], record["number"]):
        raise BadRecord(
            "verification {id} was started as number {number} of bench {bench}",
            id=record["id"],
            number=start[1],
            bench=start[0],
        )
    there = db.execute(
        "SELECT kind, digest FROM record WHERE id = ? AND kind <> 'start'", (record["id"],)
    ).fetchone()
    if there is None:
        insert(db, kind, record, body)
    elif there != (kind, digest(body)):
        raise ConflictingRecord(
            "verification {id} has ended before, with another {kind}",
            id=record["id"],
            kind=there[0],
        )


def abandonment(start: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """Return the record that ends a started run without a verdict."""
    return {
        **start,
        "schema": "tera/abandonment/1",
        "abandoned": timestamp(),
        "reason": reason or "no reason was given",
    }


def acknowledged(receipt: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield kind, id, digest and stored number of each record that a receipt is for."""
    yield from receipt.get("records", (receipt,))


def stamp(db: sqlite3.Connection, receipt: Mapping[str, Any], body: bytes) -> Stamped:
    """Stamp the rows that a receipt is for; the receipt itself is kept once, as evidence."""
    seqs: list[int] = []
    troubles: list[BrokerError] = []
    kept: int | None = None
    for entry in acknowledged(receipt):
        try:
            seq, stamped = _row_for(db, receipt["bench"], entry)
        except BrokerError as error:
            troubles.append(error)
            continue
        seqs.append(seq)
        if stamped:
            continue
        if kept is None:
            kept = db.execute("INSERT INTO receipt (body) VALUES (?)", (body,)).lastrowid
        db.execute(
            "UPDATE delivery SET stored_number = ?, receipt = ?, receipted_at = ? WHERE seq = ?",
            (int(entry["stored"]), kept, timestamp(), seq),
        )
    return Stamped(tuple(seqs), tuple(troubles))


def _row_for(db: sqlite3.Connection, bench: str, entry: Mapping[str, Any]) -> tuple[int, bool]:
    """Return the row that an acknowledgement is for, and whether it was stamped before."""
    found = db.execute(
        "SELECT seq, digest, stored_number FROM record JOIN delivery USING (seq)"
        " WHERE id = ? AND kind = ? AND record.bench = ?",
        (entry["id"], entry["kind"], bench),
    ).fetchone()
    if found is None:
        raise BadRecord("a receipt for {id}, which is not here", id=entry["id"])
    seq, own, stored = found
    if entry["digest"] != own:
        raise ConflictingRecord(
            "the receipt for {id} is for other bytes than are committed here", id=entry["id"]
        )
    if stored is not None and stored != entry["stored"]:
        raise ConflictingRecord(
            "{id} was stored as number {first}, and now as number {second}: the records system has an"
            " older or another store",
            id=entry["id"],
            first=stored,
            second=entry["stored"],
        )
    return int(seq), stored is not None


def count(db: sqlite3.Connection) -> Counts:
    """Count what an outbox holds."""
    kinds = dict(db.execute("SELECT kind, count(*) FROM record GROUP BY kind").fetchall())
    (waiting,) = db.execute("SELECT count(*) FROM delivery WHERE receipt IS NULL").fetchone()
    starts, verdicts, left = (
        int(kinds.get(kind, 0)) for kind in ("start", "verdict", "abandonment")
    )
    return Counts(starts, verdicts, left, int(waiting), starts - verdicts - left)


def oldest_waiting(db: sqlite3.Connection) -> str | None:
    """Return when the oldest row without a receipt was committed, UTC; None when none waits."""
    found: tuple[str | None] = db.execute(
        "SELECT min(committed_at) FROM record WHERE seq IN"
        " (SELECT min(seq) FROM delivery WHERE receipt IS NULL GROUP BY bench)"
    ).fetchone()
    return found[0]


def archives_of(
    db: sqlite3.Connection, bench: str, stretches: Sequence[tuple[int, int]]
) -> dict[str, list[tuple[int, str]]]:
    """Return the archives of records of some numbers, with place and digest of each record."""
    archives: dict[str, list[tuple[int, str]]] = {}
    for first, last in stretches:
        for file, seq, own in db.execute(
            "SELECT file, seq, digest FROM record JOIN delivery USING (seq) JOIN archive"
            " USING (archive) WHERE record.bench = ? AND number BETWEEN ? AND ? ORDER BY seq",
            (bench, first, last),
        ):
            archives.setdefault(file, []).append((seq, own))
    return archives


def without_bytes(db: sqlite3.Connection) -> list[tuple[str, int, str]]:
    """Return bench, number and kind of records that nobody is known to have any more."""
    return db.execute(
        "SELECT r.bench, number, kind FROM record AS r JOIN delivery AS d USING (seq)"
        " LEFT JOIN content AS c USING (seq)"
        " WHERE c.seq IS NULL AND d.archive IS NULL AND d.receipt IS NULL ORDER BY r.seq"
    ).fetchall()
