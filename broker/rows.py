"""The rows of an outbox: their tables, and the rules by which one is added.

A start comes first, an outcome once, and both belong to the same number of the same bench.
Knows SQL; opens no file and commits nothing.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.failure import BadRecord, ConflictingRecord
from broker.record import digest, encode, timestamp

TABLES = """
CREATE TABLE IF NOT EXISTS record (
  seq INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('start', 'verdict', 'abandonment')),
  id TEXT NOT NULL, bench TEXT NOT NULL, number INTEGER NOT NULL, trial INTEGER NOT NULL,
  order_id TEXT, digest TEXT NOT NULL, body BLOB NOT NULL, owner TEXT, committed_at TEXT NOT NULL,
  published_at TEXT, stored_number INTEGER, receipted_at TEXT, receipt BLOB,
  UNIQUE (id, kind)
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS one_number ON record (bench, number) WHERE kind = 'start';
CREATE UNIQUE INDEX IF NOT EXISTS one_outcome ON record (id) WHERE kind <> 'start';
CREATE INDEX IF NOT EXISTS waiting ON record (bench, seq) WHERE receipt IS NULL;
CREATE TRIGGER IF NOT EXISTS never_deleted BEFORE DELETE ON record
  BEGIN SELECT RAISE(ABORT, 'rows are never deleted'); END;
CREATE TRIGGER IF NOT EXISTS never_changed BEFORE UPDATE OF
  seq, kind, id, bench, number, trial, order_id, digest, body, owner, committed_at ON record
  BEGIN SELECT RAISE(ABORT, 'rows are only stamped'); END;
CREATE TABLE IF NOT EXISTS ordered (
  order_id TEXT PRIMARY KEY, body BLOB NOT NULL, received_at TEXT NOT NULL, closed_at TEXT
) STRICT;
"""


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
class Order:
    """What a records system asks for."""

    order: str
    """Identity of the order."""
    instruments: tuple[str, ...]
    """Names of the instruments to verify."""
    owner: str
    """The records system's reference to the owner."""
    received: str
    """When the office received the instruments, UTC."""


def row_of(row: tuple[Any, ...]) -> Row:
    """Return a database row as a value."""
    seq, kind, name, bench, number, trial, own, body = row
    return Row(seq, kind, name, bench, number, bool(trial), own, body)


def read_order(order: Mapping[str, Any]) -> Order:
    """Return a valid order message as a value."""
    return Order(
        order["order"], tuple(order["instruments"]), order.get("owner") or "", order["received"]
    )


def insert(
    db: sqlite3.Connection,
    kind: str,
    record: Mapping[str, Any],
    body: bytes | None = None,
    owner: str | None = None,
) -> None:
    """Add a record; ``owner`` is the program that has a started run in hand."""
    body = encode(record) if body is None else body
    db.execute(
        "INSERT INTO record"
        " (kind, id, bench, number, trial, order_id, digest, body, owner, committed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            kind,
            record["id"],
            record["bench"],
            int(record["number"]),
            bool(record["trial"]),
            record["order"],
            digest(body),
            body,
            owner,
            timestamp(),
        ),
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
        "SELECT kind, body FROM record WHERE id = ? AND kind <> 'start'", (record["id"],)
    ).fetchone()
    if there is None:
        insert(db, kind, record, body)
    elif there != (kind, body):
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
