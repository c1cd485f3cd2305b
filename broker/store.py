"""What a records system keeps: every record once, and what contradicts kept aside.

Knows identity: the same bytes again get the same number, other bytes under the same identity
become a conflict that a person must look at. Knows no network and gives no receipt itself.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from broker.committer import Committer
from broker.failure import BadRecord, ConflictingRecord, StoreFailed
from broker.record import KINDS, decode, digest, timestamp, validate

_TABLES = """
CREATE TABLE IF NOT EXISTS stored (
  stored INTEGER PRIMARY KEY,
  kind TEXT NOT NULL, id TEXT NOT NULL, office TEXT NOT NULL, bench TEXT NOT NULL,
  number INTEGER NOT NULL, trial INTEGER NOT NULL, verdict TEXT, digest TEXT NOT NULL,
  received_at TEXT NOT NULL, body BLOB NOT NULL,
  UNIQUE (id, kind)
) STRICT;
CREATE INDEX IF NOT EXISTS by_bench ON stored (office, bench, number);
CREATE UNIQUE INDEX IF NOT EXISTS one_outcome ON stored (id) WHERE kind <> 'start';
CREATE TRIGGER IF NOT EXISTS never_deleted BEFORE DELETE ON stored
  BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;
CREATE TRIGGER IF NOT EXISTS never_changed BEFORE UPDATE ON stored
  BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
CREATE TABLE IF NOT EXISTS conflict (
  kind TEXT NOT NULL, id TEXT NOT NULL, digest TEXT NOT NULL, received_at TEXT NOT NULL,
  body BLOB NOT NULL, PRIMARY KEY (kind, id, digest)
) STRICT;
"""

_COLUMNS = "stored, kind, id, office, bench, number, trial, verdict, digest, received_at, body"


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as it was received."""

    stored: int
    """Number of the record in this store, from 1."""
    kind: str
    """start, verdict or abandonment."""
    id: str
    """Identity of the verification."""
    office: str
    """Code of the unit."""
    bench: str
    """Name of the bench."""
    number: int
    """Number of the verification on its bench."""
    trial: bool
    """Whether it is simulated or replayed."""
    verdict: str | None
    """conforming, nonconforming or indeterminate; None unless a verdict."""
    digest: str
    """``sha256:`` of the body."""
    received_at: str
    """When it was first received, UTC."""
    body: bytes
    """The bytes as they were received."""

    @property
    def record(self) -> dict[str, Any]:
        """Return the record itself."""
        return decode(self.body)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A record that contradicts one that is stored."""

    kind: str
    """start, verdict or abandonment."""
    id: str
    """Identity that both claim."""
    digest: str
    """``sha256:`` of the body that was kept aside."""
    received_at: str
    """When it was first received, UTC."""
    body: bytes
    """The bytes as they were received."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is missing or double in the numbers of one bench."""

    office: str
    """Code of the unit."""
    bench: str
    """Name of the bench."""
    missing: tuple[int, ...]
    """Numbers below the highest one that have no start."""
    unfinished: tuple[int, ...]
    """Numbers with a start and no outcome."""
    double: tuple[int, ...]
    """Numbers that more than one verification claims."""


class RecordStore:
    """The open store of a records system."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer

    @classmethod
    async def open(cls, path: Path | str, *, busy_timeout: float = 5.0) -> Self:
        """Open or make the file; ``busy_timeout`` [s] is the longest wait for another program."""
        return cls(await Committer.open(Path(path), _TABLES, StoreFailed, busy_timeout))

    async def accept(self, body: bytes) -> int:
        """Commit a record and return its number; the same bytes again return the same number."""
        record = decode(body)
        if validate(record) not in KINDS:
            raise BadRecord("a {schema} message is no record", schema=record["schema"])
        return await self.keep(record, body)

    async def keep(self, record: Mapping[str, Any], body: bytes) -> int:
        """Commit a record that was validated before, as the bytes it came in."""
        kind, own, now = str(record["schema"]).split("/")[1], digest(body), timestamp()

        def work(db: sqlite3.Connection) -> int | None:
            there = db.execute(
                "SELECT stored, kind, digest FROM stored WHERE id = ?1 AND"
                " (kind = ?2 OR (?2 <> 'start' AND kind <> 'start'))",
                (record["id"], kind),
            ).fetchone()
            if there is not None and there[1:] == (kind, own):
                return int(there[0])
            if there is not None:
                db.execute(
                    "INSERT OR IGNORE INTO conflict VALUES (?, ?, ?, ?, ?)",
                    (kind, record["id"], own, now, body),
                )
                return None
            row = db.execute(
                "INSERT INTO stored (kind, id, office, bench, number, trial, verdict, digest,"
                " received_at, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    kind,
                    record["id"],
                    record["office"],
                    record["bench"],
                    int(record["number"]),
                    bool(record["trial"]),
                    record.get("verdict"),
                    own,
                    now,
                    body,
                ),
            )
            return row.lastrowid

        stored = await self._committer.write(work)
        if stored is None:
            raise ConflictingRecord(
                "the {kind} {id} of bench {bench} contradicts what is stored; it was kept aside",
                kind=kind,
                id=record["id"],
                bench=record["bench"],
            )
        return stored

    async def list(
        self, *, kind: str | None = None, bench: str | None = None, limit: int = -1
    ) -> tuple[StoredRecord, ...]:
        """Return records in the order of their numbers."""

        def work(db: sqlite3.Connection) -> tuple[StoredRecord, ...]:
            found = db.execute(
                f"SELECT {_COLUMNS} FROM stored WHERE (?1 IS NULL OR kind = ?1)"  # noqa: S608 - our own column names
                " AND (?2 IS NULL OR bench = ?2) ORDER BY stored LIMIT ?3",
                (kind, bench, limit),
            )
            return tuple(_stored(row) for row in found)

        return await self._committer.read(work)

    async def verdicts(self, *, bench: str | None = None) -> tuple[StoredRecord, ...]:
        """Return the verdicts in the order of their numbers."""
        return await self.list(kind="verdict", bench=bench)

    async def show(self, verification: str) -> tuple[StoredRecord, ...]:
        """Return what is stored of one verification: its start and its outcome."""

        def work(db: sqlite3.Connection) -> tuple[StoredRecord, ...]:
            found = db.execute(
                f"SELECT {_COLUMNS} FROM stored WHERE id = ? ORDER BY kind = 'start' DESC",  # noqa: S608 - our own column names
                (verification,),
            )
            return tuple(_stored(row) for row in found)

        return await self._committer.read(work)

    async def count(self, *, kind: str | None = None) -> int:
        """Count the records, or those of one kind."""

        def work(db: sqlite3.Connection) -> int:
            (found,) = db.execute(
                "SELECT count(*) FROM stored WHERE ?1 IS NULL OR kind = ?1", (kind,)
            ).fetchone()
            return int(found)

        return await self._committer.read(work)

    async def conflicts(self) -> tuple[Conflict, ...]:
        """Return what was kept aside."""

        def work(db: sqlite3.Connection) -> tuple[Conflict, ...]:
            found = db.execute(
                "SELECT kind, id, digest, received_at, body FROM conflict ORDER BY received_at"
            )
            return tuple(Conflict(*row) for row in found)

        return await self._committer.read(work)

    async def gaps(self) -> tuple[Gap, ...]:
        """Return the benches whose numbers are not 1, 2, 3, ... each started and ended once."""

        def work(db: sqlite3.Connection) -> tuple[Gap, ...]:
            benches: dict[tuple[str, str], dict[str, dict[int, set[str]]]] = {}
            for office, bench, number, kind, name in db.execute(
                "SELECT office, bench, number, kind, id FROM stored"
            ):
                numbers = benches.setdefault((office, bench), {"start": {}, "outcome": {}})
                which = "start" if kind == "start" else "outcome"
                numbers[which].setdefault(number, set()).add(name)
            found = (
                _gap(*name, numbers["start"], numbers["outcome"])
                for name, numbers in sorted(benches.items())
            )
            return tuple(gap for gap in found if gap.missing or gap.unfinished or gap.double)

        return await self._committer.read(work)

    async def close(self) -> None:
        """Commit what waits and close the file."""
        await self._committer.close()


def _stored(row: tuple[Any, ...]) -> StoredRecord:
    stored, kind, name, office, bench, number, trial, *rest = row
    return StoredRecord(stored, kind, name, office, bench, number, bool(trial), *rest)


def _gap(
    office: str, bench: str, start: Mapping[int, set[str]], outcome: Mapping[int, set[str]]
) -> Gap:
    numbers = set(start) | set(outcome)
    return Gap(
        office,
        bench,
        missing=tuple(n for n in range(1, max(numbers) + 1) if n not in start),
        unfinished=tuple(sorted(set(start) - set(outcome))),
        double=tuple(
            sorted(n for n in numbers if len(start.get(n, set()) | outcome.get(n, set())) > 1)
        ),
    )
