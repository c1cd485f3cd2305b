"""The station's verdicts on disk: the committed row is the verdict.

Starts, verdicts and abandonments are rows of one sequence, numbered per bench without gaps. Rows
are never changed or deleted, only stamped: published, received. Knows no broker and no network,
and takes whoever hands it a receipt at his word: signatures are checked before.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeVar

from broker.committer import Committer
from broker.counterfoil import Counterfoil
from broker.examination import hold
from broker.failure import BadRecord, ConflictingRecord, OlderOutbox, OutboxFailed
from broker.numbering import (
    Numbers,
    go_on,
    held_up_benches,
    next_number,
    note_copied,
    note_given,
    numbers_of,
    what_holds_up,
)
from broker.ordered import Order, close_order, keep_order, open_orders
from broker.outbox_archive import rows_in_archive
from broker.outbox_hold import Hold
from broker.owner import in_other_hands, this_program
from broker.record import decode, digest, encode, timestamp, validate
from broker.rows import (
    ROW,
    Counts,
    Row,
    Stamped,
    abandonment,
    archives_of,
    count,
    end,
    insert,
    oldest_waiting,
    row_of,
    stamp,
    without_bytes,
)
from broker.sqlite_file import SqliteFile

log = logging.getLogger(__name__)

T = TypeVar("T")

_LOOK_AGAIN = 0.5
"""Pause [s] between two looks for what another program has committed."""

__all__ = ["Counts", "Order", "Outbox", "Row", "Stamped", "wait_at_most"]


class Outbox:
    """The open outbox of a station; several programs may have the same file open."""

    def __init__(
        self, committer: Committer[sqlite3.Connection], held: Hold, counterfoil: Counterfoil
    ) -> None:
        self._committer = committer
        self._held = held
        self._counterfoil = counterfoil
        self._changes: dict[str | None, asyncio.Event] = {}
        self._altered: set[int] = set()

    @classmethod
    async def open(cls, path: Path | str, *, busy_timeout: float = 5.0) -> Self:
        """Open or make the file; ``busy_timeout`` [s] is the longest wait for another program."""
        path = Path(path)
        file = SqliteFile(path, "outbox", busy_timeout=busy_timeout)
        held = await asyncio.to_thread(hold, path, within=busy_timeout)
        counterfoil = Counterfoil(path)
        try:
            committer = await Committer.open(file, OutboxFailed, counterfoil.catch_up)
        except BaseException:
            counterfoil.close()
            held.release()
            raise
        return cls(committer, held, counterfoil)

    async def begin(self, bench: str, verification: str, record: Mapping[str, Any]) -> int:
        """Commit the start of a run and return its number, the bench's next one."""
        validate({**record, "number": 1}, kind="start")
        if record["bench"] != bench or record["id"] != verification:
            raise BadRecord("the start record names another bench or verification")

        def work(db: sqlite3.Connection) -> int:
            number = next_number(db, bench)
            if db.execute("SELECT 1 FROM record WHERE id = ?", (verification,)).fetchone():
                raise ConflictingRecord("verification {id} was started before", id=verification)
            insert(db, "start", {**record, "number": number}, owner=this_program())
            return number

        return await self._changing(bench, work)

    async def put(self, record: Mapping[str, Any]) -> None:
        """Commit a verdict; the same bytes again change nothing, other bytes are an error."""
        validate(record, kind="verdict")
        body = encode(record)

        def work(db: sqlite3.Connection) -> None:
            end(db, "verdict", record, body)

        await self._changing(str(record["bench"]), work)

    async def abandon(self, verification: str, reason: str) -> None:
        """Commit that a run ended without a verdict, and why; the first reason stays."""

        def work(db: sqlite3.Connection) -> str:
            found = db.execute(
                "SELECT body FROM record JOIN content USING (seq) WHERE id = ? AND kind = 'start'",
                (verification,),
            ).fetchone()
            if found is None:
                raise BadRecord("verification {id} was never started", id=verification)
            if not db.execute(
                "SELECT 1 FROM record WHERE id = ? AND kind = 'abandonment'", (verification,)
            ).fetchone():
                record = abandonment(decode(found[0]), reason)
                end(db, "abandonment", record, encode(record))
            return str(decode(found[0])["bench"])

        self._announce(await self._committer.write(work))

    async def abandon_unfinished(self, bench: str, reason: str) -> list[str]:
        """Abandon the runs that ended with their program and return their ids.

        A run that another living program has in hand is left alone.
        """

        def work(db: sqlite3.Connection) -> list[str]:
            found = db.execute(
                "SELECT id, body, owner FROM record AS s JOIN content USING (seq)"
                " WHERE bench = ? AND kind = 'start'"
                " AND NOT EXISTS"
                " (SELECT 1 FROM record AS o WHERE o.id = s.id AND o.kind <> 'start') ORDER BY seq",
                (bench,),
            ).fetchall()
            left = [(name, body) for name, body, owner in found if not in_other_hands(owner)]
            for _, body in left:
                record = abandonment(decode(body), reason)
                end(db, "abandonment", record, encode(record))
            return [name for name, _ in left]

        return await self._changing(bench, work)

    async def pending(
        self, limit: int, *, bench: str | None = None, after: int = 0, through: int | None = None
    ) -> list[Row]:
        """Return rows without a receipt, oldest first, of the given stretch of the sequence."""
        where = "WHERE d.receipt IS NULL" + " AND d.bench = ?" * (bench is not None)
        where += " AND d.seq > ? AND (? IS NULL OR d.seq <= ?) ORDER BY d.seq"
        values = (*([] if bench is None else [bench]), after, through, through)
        return await self._rows(where, values, limit)

    async def still_pending(self, seqs: Sequence[int]) -> list[Row]:
        """Return those of some rows that have no receipt yet, oldest first."""
        places = ", ".join("?" * len(seqs))
        where = f"WHERE d.receipt IS NULL AND d.seq IN ({places}) ORDER BY d.seq"
        return await self._rows(where, seqs)

    async def numbered(
        self, bench: str, stretches: Sequence[tuple[int, int]], limit: int
    ) -> list[Row]:
        """Return the rows of some numbers of a bench, first to last, whether receipted or not."""
        rows: list[Row] = []
        for first, last in stretches:
            where = "WHERE r.bench = ? AND r.number BETWEEN ? AND ? ORDER BY d.seq"
            rows += await self._rows(where, (bench, first, last), limit - len(rows))
        return rows

    async def archived(
        self, bench: str, stretches: Sequence[tuple[int, int]], limit: int
    ) -> tuple[list[Row], list[str]]:
        """Return the rows of some numbers that lie in archives, and the archives that are away."""

        def work(db: sqlite3.Connection) -> tuple[list[Row], list[str]]:
            rows: list[Row] = []
            away: list[str] = []
            for file, wanted in archives_of(db, bench, stretches).items():
                if room := limit - len(rows):
                    found = rows_in_archive(Path(file), dict(wanted[:room]))
                    rows += found
                    away += [file] * (not found)
            return rows, away

        return await self._committer.read(work)

    async def numbers(self, bench: str) -> Numbers:
        """Return what is known of the numbers of a bench."""
        return await self._committer.read(lambda db: numbers_of(db, bench))

    async def note_given(self, bench: str, number: int, *, stored: bool) -> OlderOutbox | None:
        """Note that a number of a bench was given before; return why it gives none, if so.

        ``stored``: the records system says it, and has no higher one.
        """

        def work(db: sqlite3.Connection) -> OlderOutbox | None:
            note_given(db, bench, number, stored=stored)
            return what_holds_up(db, bench)

        return await self._committer.write(work)

    async def note_copied(self) -> None:
        """Note that this is the copy of an outbox, which may give further numbers itself."""
        await self._committer.write(note_copied)

    async def go_on(self) -> list[tuple[str, int]]:
        """Have numbers go on behind those known; return bench and next number where that is news."""
        return await self._committer.write(go_on)

    async def held_up_benches(self) -> list[OlderOutbox]:
        """Return what keeps benches from giving numbers."""
        return await self._committer.read(held_up_benches)

    async def office(self) -> str | None:
        """Return the office of the last record whose bytes are here; None when there is none."""

        def work(db: sqlite3.Connection) -> str | None:
            found = db.execute("SELECT body FROM content ORDER BY seq DESC LIMIT 1").fetchone()
            return None if found is None else str(decode(found[0])["office"])

        return await self._committer.read(work)

    async def benches_waiting(self) -> set[str]:
        """Return the benches that have a row without a receipt."""

        def work(db: sqlite3.Connection) -> set[str]:
            found = db.execute(  # from bench to bench in the index: many rows may wait
                "WITH RECURSIVE next (bench) AS"
                " (SELECT min(bench) FROM delivery WHERE receipt IS NULL UNION ALL"
                " SELECT (SELECT min(bench) FROM delivery WHERE receipt IS NULL AND bench > next.bench)"
                " FROM next WHERE next.bench IS NOT NULL)"
                " SELECT bench FROM next WHERE bench IS NOT NULL"
            )
            return {bench for (bench,) in found}

        return await self._committer.read(work)

    async def oldest_waiting(self) -> str | None:
        """Return when the oldest row without a receipt was committed, UTC; None when none waits."""
        return await self._committer.read(oldest_waiting)

    async def stamp_published(self, rows: Iterable[Row]) -> None:
        """Note when rows were first handed to a broker."""
        marks = [(timestamp(), row.seq) for row in rows]

        def work(db: sqlite3.Connection) -> None:
            db.executemany(
                "UPDATE delivery SET published_at = ? WHERE seq = ? AND published_at IS NULL", marks
            )

        await self._committer.write(work)

    async def stamp_receipt(self, receipt: Mapping[str, Any]) -> Stamped:
        """Stamp the rows that a valid receipt is for; say what it names and is not so."""
        body = encode(receipt)
        return await self._changing(str(receipt["bench"]), lambda db: stamp(db, receipt, body))

    async def stored_number(self, verification: str) -> int | None:
        """Return the records system's number of a verdict, None while there is no receipt."""

        def work(db: sqlite3.Connection) -> int | None:
            found = db.execute(
                "SELECT stored_number FROM record JOIN delivery USING (seq)"
                " WHERE id = ? AND kind = 'verdict'",
                (verification,),
            ).fetchone()
            return None if found is None else found[0]

        return await self._committer.read(work)

    async def counts(self) -> Counts:
        """Count what is here."""
        return await self._committer.read(count)

    def change(self, bench: str | None = None) -> asyncio.Event:
        """Return what is set at this program's next commit, for a bench or for any.

        Take it before looking.
        """
        return self._changes.setdefault(bench, asyncio.Event())

    async def wait_for_pending(self) -> None:
        """Wait until a row is without a receipt, whichever program committed it."""
        while True:
            change = self.change()
            if await self.benches_waiting():
                return
            await wait_at_most(change, _LOOK_AGAIN)

    async def wait_until_receipted(self) -> None:
        """Wait until every row has its receipt."""
        while True:
            change = self.change()
            if not await self.benches_waiting():
                return
            await wait_at_most(change, _LOOK_AGAIN)

    async def put_order(self, order: Mapping[str, Any]) -> bool:
        """Keep an order; False when it is open already, with the same contents."""
        validate(order, kind="order")
        body = encode(order)
        return await self._committer.write(lambda db: keep_order(db, order, body))

    async def close_order(self, order: str) -> None:
        """Note that the records system has withdrawn an order as finished."""
        await self._committer.write(lambda db: close_order(db, order))

    async def orders(self) -> list[Order]:
        """Return the open orders, oldest first, and what remains to be done of each."""
        return await self._committer.read(open_orders)

    async def close(self) -> None:
        """Commit what waits and close the file."""
        await self._committer.close()
        self._counterfoil.close()
        self._held.release()

    async def lost(self) -> list[tuple[str, int, str]]:
        """Return bench, number and kind of the records whose bytes a damage has destroyed."""
        return await self._committer.read(without_bytes)

    async def verdicts_holding(self, text: bytes) -> list[Row]:
        """Return the verdicts here whose bytes hold a text, in the order of the sequence."""

        def work(db: sqlite3.Connection) -> list[Row]:
            found = db.execute(f"SELECT {ROW} WHERE r.kind = 'verdict' ORDER BY r.seq")
            return [row for row in map(row_of, found) if text in row.body]

        return await self._committer.read(work)

    async def archives(self) -> list[Path]:
        """Return the files into which receipted records were moved, oldest first."""

        def work(db: sqlite3.Connection) -> list[Path]:
            found = db.execute("SELECT DISTINCT file FROM archive ORDER BY archive")
            return [Path(file) for (file,) in found]

        return await self._committer.read(work)

    async def _rows(self, where: str, values: Sequence[Any], limit: int | None = None) -> list[Row]:
        def work(db: sqlite3.Connection) -> list[Row]:
            found = map(row_of, db.execute(f"SELECT {ROW} {where}", values))
            return list(islice(filter(self._whole, found), limit))

        return await self._committer.read(work)

    def _whole(self, row: Row) -> bool:
        """Say whether a row is what was committed; one that the disk has altered never goes out."""
        if digest(row.body) == row.digest:
            return True
        if row.seq not in self._altered:
            log.error(
                "bench %s: the %s of number %s is damaged on the disk and is not published",
                row.bench,
                row.kind,
                row.number,
            )
        self._altered.add(row.seq)
        return False

    async def _changing(self, bench: str, work: Callable[[sqlite3.Connection], T]) -> T:
        result = await self._committer.write(work)
        self._announce(bench)
        return result

    def _announce(self, bench: str) -> None:
        for whose in (bench, None):
            if (event := self._changes.pop(whose, None)) is not None:
                event.set()


async def wait_at_most(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, or until the time is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
