"""What a records system keeps: every record once, and what contradicts kept aside.

Knows identity: the same bytes again get the same number, other bytes under the same identity
become a conflict that a person must look at. Knows no network and gives no receipt itself, and
does not care whether SQLite or PostgreSQL holds the rows.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from broker.committer import Committer
from broker.failure import BadRecord, ConflictingRecord, StoreFailed
from broker.record import KINDS, decode, timestamp, validate
from broker.rows_seam import Database, Rows
from broker.sqlite_file import SqliteFile
from broker.stored import (
    NOTHING,
    Arrival,
    Conflict,
    Delivered,
    Gap,
    Missing,
    StoredRecord,
    gap,
    missing_in,
    stored_record,
)

__all__ = ["Arrival", "Conflict", "Gap", "Missing", "RecordStore", "StoredRecord", "Totals"]

_COLUMNS = "stored, kind, id, office, bench, number, trial, verdict, digest, received_at, body"
_PLACES = f"({', '.join('?' * (_COLUMNS.count(',') + 1))})"
_ROWS = (64, 8, 1)
"""Rows of one statement: while it runs the interpreter is free for whoever reads the next records."""
_PAGE = 16384
"""Bytes of a page of SQLite: a verdict of 20 kB costs a third less in two of them than in five."""
_MANY = 1000
"""So many conflicts are counted, and no more: there are few, or somebody makes them."""
_FAR = 100
"""Numbers of a bench that follow one another are not so far apart, whatever is still on its way."""
_STRETCHES = 100
"""Most stretches of missing numbers that are named at once."""


@dataclass(frozen=True, slots=True)
class Totals:
    """How much a store holds."""

    records: int
    """Records; also the highest number that was given to one."""
    conflicts: int
    """What was kept aside, up to a thousand."""


class RecordStore:
    """The open store of a records system; several programs may have the same one open."""

    def __init__(self, committer: Committer[Any]) -> None:
        self._committer = committer
        self.taken: Counter[str] = Counter()
        """What was committed since it was opened: new records by kind, ``again``, ``conflict``."""

    @classmethod
    async def open(
        cls, where: Path | str, *, password: str | None = None, busy_timeout: float = 5.0
    ) -> Self:
        """Open or make the store: a file, or a database by its postgresql:// URL.

        ``busy_timeout`` [s] is the longest wait for another program.
        """
        return cls(await Committer.open(_database(where, password, busy_timeout), StoreFailed))

    @property
    def name(self) -> str:
        """Return what people call this store: its file, or its URL without a password."""
        return self._committer.name

    async def accept(self, body: bytes) -> int:
        """Commit a record and return its number; the same bytes again return the same number."""
        record = decode(body)
        if validate(record) not in KINDS:
            raise BadRecord("a {schema} message is no record", schema=record["schema"])
        [stored] = await self.keep_all([Arrival.of(record, body)])
        if isinstance(stored, ConflictingRecord):
            raise stored
        return stored

    async def keep_all(self, items: Sequence[Arrival]) -> tuple[int | ConflictingRecord, ...]:
        """Commit records together, each as the bytes it came in; return the number of each.

        What comes from another store keeps its number and the time of its arrival where that is free.
        What contradicts a stored record is kept aside and answered with the conflict.
        """
        now = timestamp()
        numbers, taken = await self._committer.write(lambda db: _keep(db, items, now))
        self.taken.update(taken)
        return numbers

    async def list(
        self,
        *,
        kind: str | None = None,
        office: str | None = None,
        bench: str | None = None,
        verdict: str | None = None,
        trial: bool | None = None,
        since: str | None = None,
        before: str | None = None,
        after: int | None = None,
        limit: int | None = None,
        newest: bool = False,
    ) -> tuple[StoredRecord, ...]:
        """Return records in the order of their numbers; times are those of their arrival, UTC.

        With ``newest`` a limit leaves out the oldest ones, otherwise the newest.
        """
        wanted: dict[str, object | None] = {
            "kind = ?": kind,
            "office = ?": office,
            "bench = ?": bench,
            "verdict = ?": verdict,
            "trial = ?": None if trial is None else int(trial),
            "received_at >= ?": since,
            "received_at < ?": before,
            "stored > ?": after,
        }
        asked = {clause: value for clause, value in wanted.items() if value is not None}
        sql = f"SELECT {_COLUMNS} FROM stored" + _where(asked)  # noqa: S608 - our own words
        sql += " ORDER BY stored" + " DESC" * newest + " LIMIT ?" * (limit is not None)
        values = [*asked.values(), *([] if limit is None else [limit])]

        def work(db: Rows) -> tuple[StoredRecord, ...]:
            found = [stored_record(row) for row in db.execute(sql, values)]
            return tuple(reversed(found) if newest else found)

        return await self._committer.read(work)

    async def verdicts(self, *, bench: str | None = None) -> tuple[StoredRecord, ...]:
        """Return the verdicts in the order of their numbers."""
        return await self.list(kind="verdict", bench=bench)

    async def verdicts_holding(self, text: bytes) -> tuple[StoredRecord, ...]:
        """Return the verdicts whose bytes hold a text, in the order of their numbers."""

        def work(db: Rows) -> tuple[StoredRecord, ...]:
            found = db.execute(
                f"SELECT {_COLUMNS} FROM stored WHERE kind = ? ORDER BY stored",  # noqa: S608 - our own column names
                ("verdict",),
            )
            rows = (stored_record(row) for row in found)
            return tuple(row for row in rows if text in row.body)

        return await self._committer.read(work)

    async def show(self, which: str | int) -> tuple[StoredRecord, ...]:
        """Return what is stored of one verification: its start and its outcome.

        It is named by its identity, or by the number of one of its records in this store.
        """
        wanted = "= ?" if isinstance(which, str) else "IN (SELECT id FROM stored WHERE stored = ?)"
        sql = f"SELECT {_COLUMNS} FROM stored WHERE id {wanted} ORDER BY kind = 'start' DESC"  # noqa: S608 - our own words

        def work(db: Rows) -> tuple[StoredRecord, ...]:
            return tuple(stored_record(row) for row in db.execute(sql, (which,)))

        return await self._committer.read(work)

    async def count(self, *, kind: str | None = None) -> int:
        """Count the records, or those of one kind."""
        asked = {} if kind is None else {"kind = ?": kind}

        def work(db: Rows) -> int:
            sql = "SELECT count(*) FROM stored" + _where(asked)  # noqa: S608 - our own words
            return int(db.execute(sql, [*asked.values()]).fetchone()[0])

        return await self._committer.read(work)

    async def conflicts(self) -> tuple[Conflict, ...]:
        """Return what was kept aside."""

        def work(db: Rows) -> tuple[Conflict, ...]:
            found = db.execute(
                "SELECT kind, id, digest, received_at, body FROM conflict ORDER BY received_at"
            )
            return tuple(Conflict(*row) for row in found)

        return await self._committer.read(work)

    async def probe(self) -> Totals:
        """Commit nothing, and return what the store holds; both cost little however large it is."""
        await self._committer.write(lambda _: None)

        def work(db: Rows) -> Totals:
            [(last, aside)] = db.execute(
                "SELECT (SELECT max(stored) FROM stored),"
                " (SELECT count(*) FROM (SELECT 1 FROM conflict LIMIT ?) AS few)",
                (_MANY,),
            ).fetchall()
            return Totals(last or 0, aside)

        return await self._committer.read(work)

    async def benches(self, office: str) -> tuple[tuple[str, bool, str], ...]:
        """Return the benches of an office that were heard of.

        With each comes whether it was last a trial, and when the record with its highest number came.
        """

        def work(db: Rows) -> tuple[tuple[str, bool, str], ...]:
            names = db.execute("SELECT DISTINCT bench FROM stored WHERE office = ?", (office,))
            last = (
                "SELECT trial, received_at FROM stored WHERE office = ? AND bench = ?"
                " ORDER BY number DESC LIMIT 1"
            )
            found = [
                (name, *db.execute(last, (office, name)).fetchone()) for (name,) in names.fetchall()
            ]
            return tuple((name, bool(trial), came) for name, trial, came in found)

        return await self._committer.read(work)

    async def claimed_twice(
        self, office: str, claims: Collection[tuple[str, int]]
    ) -> tuple[tuple[str, int], ...]:
        """Return which of these benches and numbers more than one verification bears."""
        if not claims:
            return ()
        places = ", ".join(["(?, ?)"] * len(claims))
        sql = (  # so written that each claim is looked up, whatever the database thinks of its tables
            f"WITH claim (bench, number) AS (VALUES {places})"  # noqa: S608 - only places
            " SELECT bench, number FROM claim WHERE 1 < (SELECT count(DISTINCT id) FROM stored AS s"
            " WHERE s.office = ? AND s.bench = claim.bench AND s.number = claim.number)"
        )
        values = [*(value for claim in sorted(claims) for value in claim), office]

        def work(db: Rows) -> tuple[tuple[str, int], ...]:
            return tuple((bench, int(number)) for bench, number in db.execute(sql, values))

        return await self._committer.read(work)

    async def latest(self, office: str, bench: str, given: int) -> int:
        """Return how far the numbers of a bench go on here behind one that it knows to be given.

        A number far behind the others does not count: somebody invented it.
        """

        def work(db: Rows) -> int:
            last = given
            for (number,) in db.execute(
                "SELECT number FROM stored WHERE office = ? AND bench = ? AND number > ?"
                " ORDER BY number",
                (office, bench, given),
            ):
                if number > last + _FAR:
                    break
                last = int(number)
            return last

        return await self._committer.read(work)

    async def missing(
        self, office: str, bench: str, *, complete: int = 0, delivered: Delivered = NOTHING
    ) -> Missing:
        """Return what should have come from a bench by now; ``complete`` is known to be here."""

        def work(db: Rows) -> Missing:
            found = db.execute(
                "SELECT number, kind FROM stored WHERE office = ? AND bench = ? AND number > ?"
                " ORDER BY number",
                (office, bench, complete),
            )
            return missing_in(found, complete, _STRETCHES, delivered)

        return await self._committer.read(work)

    async def gaps(self) -> tuple[Gap, ...]:
        """Return the benches whose numbers are not 1, 2, 3, ... each started and ended once."""

        def work(db: Rows) -> tuple[Gap, ...]:
            benches: dict[tuple[str, str], dict[str, dict[int, set[str]]]] = {}
            for office, bench, number, kind, name in db.execute(
                "SELECT office, bench, number, kind, id FROM stored"
            ):
                numbers = benches.setdefault((office, bench), {"start": {}, "outcome": {}})
                which = "start" if kind == "start" else "outcome"
                numbers[which].setdefault(number, set()).add(name)
            found = (
                gap(*name, numbers["start"], numbers["outcome"])
                for name, numbers in sorted(benches.items())
            )
            return tuple(gap for gap in found if gap.missing or gap.unfinished or gap.double)

        return await self._committer.read(work)

    async def close(self) -> None:
        """Commit what waits and close the store."""
        await self._committer.close()


def _database(where: Path | str, password: str | None, busy_timeout: float) -> Database[Any]:
    if isinstance(where, str) and "://" in where:
        from broker.postgresql import PostgresServer  # loaded only where it is used

        return PostgresServer(where, "store_postgresql", password=password, timeout=busy_timeout)
    return SqliteFile(Path(where), "store_sqlite", busy_timeout=busy_timeout, page_size=_PAGE)


def _where(asked: Mapping[str, object]) -> str:
    return " WHERE " + " AND ".join(asked) if asked else ""


def _keep(
    db: Rows, items: Sequence[Arrival], now: str
) -> tuple[tuple[int | ConflictingRecord, ...], Counter[str]]:
    there = _stored_before(db, {item.id for item in items})
    [(highest,)] = db.execute("SELECT max(stored) FROM stored").fetchall()
    kept = _numbers_kept(db, items)
    last = max(highest or 0, *kept, 0)
    fresh: list[tuple[Any, ...]] = []
    aside: list[tuple[Any, ...]] = []
    numbers: list[int | ConflictingRecord] = []
    for item in items:
        place = (item.id, item.kind == "start")  # one start, and one outcome of either kind
        own = (item.kind, item.digest)
        if place not in there:
            if isinstance(item, StoredRecord) and item.stored in kept:
                there[place] = (*own, item.stored)
                kept.discard(item.stored)
            else:
                last += 1
                there[place] = (*own, last)
            fresh.append(_row(there[place][2], item, now))
        if there[place][:2] == own:
            numbers.append(there[place][2])
            continue
        aside.append((item.kind, item.id, item.digest, now, item.body))
        numbers.append(
            ConflictingRecord(
                "the {kind} {id} of bench {bench} contradicts what is stored; it was kept aside",
                kind=item.kind,
                id=item.id,
                bench=item.bench,
            )
        )
    at = 0
    while at < len(fresh):
        count = next(count for count in _ROWS if count <= len(fresh) - at)
        places = ", ".join([_PLACES] * count)
        db.execute(
            f"INSERT INTO stored ({_COLUMNS}) VALUES {places}",  # noqa: S608 - our own column names
            [value for row in fresh[at : at + count] for value in row],
        )
        at += count
    for values in aside:
        db.execute(
            "INSERT INTO conflict (kind, id, digest, received_at, body) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            values,
        )
    taken = Counter(item[1] for item in fresh)
    taken["conflict"] = len(aside)
    taken["again"] = len(items) - len(fresh) - len(aside)
    return tuple(numbers), taken


def _numbers_kept(db: Rows, items: Sequence[Arrival]) -> set[int]:
    """Return the numbers that records of another store had there and may keep here."""
    wanted = sorted({item.stored for item in items if isinstance(item, StoredRecord)} - {0})
    if not wanted:
        return set()
    places = ", ".join("?" * len(wanted))
    found = db.execute(f"SELECT stored FROM stored WHERE stored IN ({places})", wanted)  # noqa: S608 - only places
    return set(wanted) - {number for (number,) in found}


def _stored_before(db: Rows, names: set[str]) -> dict[tuple[str, bool], tuple[str, str, int]]:
    if not names:
        return {}
    places = ", ".join("?" * len(names))
    found = db.execute(
        f"SELECT id, kind, digest, stored FROM stored WHERE id IN ({places})",  # noqa: S608 - only places
        sorted(names),
    )
    return {(name, kind == "start"): (kind, own, stored) for name, kind, own, stored in found}


def _row(stored: int, item: Arrival, now: str) -> tuple[Any, ...]:
    return (
        stored,
        item.kind,
        item.id,
        item.office,
        item.bench,
        item.number,
        int(item.trial),
        item.verdict,
        item.digest,
        (item.received_at if isinstance(item, StoredRecord) else "") or now,
        item.body,
    )
