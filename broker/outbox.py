"""The station's verdicts on disk: the committed row is the verdict.

Starts, verdicts and abandonments are rows of one sequence, numbered per bench without gaps. Rows
are never changed or deleted, only stamped: published, received. Knows no broker and no network.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from broker.committer import Committer
from broker.failure import BadRecord, ConflictingRecord, OutboxFailed
from broker.owner import in_other_hands, this_program
from broker.record import decode, encode, timestamp, validate
from broker.rows import TABLES, Counts, Order, Row, abandonment, end, insert, read_order, row_of

T = TypeVar("T")

_LOOK_AGAIN = 0.5
"""Pause [s] between two looks for what another program has committed."""

__all__ = ["Counts", "Order", "Outbox", "Row", "read_order", "wait_at_most"]


class Outbox:
    """The open outbox of a station; several programs may have the same file open."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer
        self._change = asyncio.Event()

    @classmethod
    async def open(cls, path: Path | str, *, busy_timeout: float = 5.0) -> Self:
        """Open or make the file; ``busy_timeout`` [s] is the longest wait for another program."""
        return cls(await Committer.open(Path(path), TABLES, OutboxFailed, busy_timeout))

    async def begin(self, bench: str, verification: str, record: Mapping[str, Any]) -> int:
        """Commit the start of a run and return its number, the bench's next one."""
        validate({**record, "number": 1}, kind="start")
        if record["bench"] != bench or record["id"] != verification:
            raise BadRecord("the start record names another bench or verification")

        def work(db: sqlite3.Connection) -> int:
            (last,) = db.execute(
                "SELECT max(number) FROM record WHERE bench = ? AND kind = 'start'", (bench,)
            ).fetchone()
            number = int(last or 0) + 1
            if db.execute("SELECT 1 FROM record WHERE id = ?", (verification,)).fetchone():
                raise ConflictingRecord("verification {id} was started before", id=verification)
            insert(db, "start", {**record, "number": number}, owner=this_program())
            return number

        return await self._changing(work)

    async def put(self, record: Mapping[str, Any]) -> None:
        """Commit a verdict; the same bytes again change nothing, other bytes are an error."""
        validate(record, kind="verdict")
        body = encode(record)

        def work(db: sqlite3.Connection) -> None:
            end(db, "verdict", record, body)

        await self._changing(work)

    async def abandon(self, verification: str, reason: str) -> None:
        """Commit that a run ended without a verdict, and why; the first reason stays."""

        def work(db: sqlite3.Connection) -> None:
            found = db.execute(
                "SELECT body FROM record WHERE id = ? AND kind = 'start'", (verification,)
            ).fetchone()
            if found is None:
                raise BadRecord("verification {id} was never started", id=verification)
            if not db.execute(
                "SELECT 1 FROM record WHERE id = ? AND kind = 'abandonment'", (verification,)
            ).fetchone():
                record = abandonment(decode(found[0]), reason)
                end(db, "abandonment", record, encode(record))

        await self._changing(work)

    async def abandon_unfinished(self, bench: str, reason: str) -> list[str]:
        """Abandon the runs that ended with their program and return their ids.

        A run that another living program has in hand is left alone.
        """

        def work(db: sqlite3.Connection) -> list[str]:
            found = db.execute(
                "SELECT id, body, owner FROM record AS s WHERE bench = ? AND kind = 'start'"
                " AND NOT EXISTS"
                " (SELECT 1 FROM record AS o WHERE o.id = s.id AND o.kind <> 'start') ORDER BY seq",
                (bench,),
            ).fetchall()
            left = [(name, body) for name, body, owner in found if not in_other_hands(owner)]
            for _, body in left:
                record = abandonment(decode(body), reason)
                end(db, "abandonment", record, encode(record))
            return [name for name, _ in left]

        return await self._changing(work)

    async def pending(
        self, limit: int, *, bench: str | None = None, after: int = 0, through: int | None = None
    ) -> list[Row]:
        """Return rows without a receipt, oldest first, of the given stretch of the sequence."""

        def work(db: sqlite3.Connection) -> list[Row]:
            found = db.execute(
                "SELECT seq, kind, id, bench, number, trial, digest, body FROM record"
                " WHERE receipt IS NULL AND (?1 IS NULL OR bench = ?1) AND seq > ?2"
                " AND (?3 IS NULL OR seq <= ?3) ORDER BY seq LIMIT ?4",
                (bench, after, through, limit),
            )
            return [row_of(row) for row in found]

        return await self._committer.read(work)

    async def stamp_published(self, rows: Iterable[Row]) -> None:
        """Note when rows were first handed to a broker."""
        marks = [(timestamp(), row.seq) for row in rows]

        def work(db: sqlite3.Connection) -> None:
            db.executemany(
                "UPDATE record SET published_at = ? WHERE seq = ? AND published_at IS NULL", marks
            )

        await self._committer.write(work)

    async def stamp_receipt(self, receipt: Mapping[str, Any]) -> int:
        """Stamp the row a receipt is for and return its place in the sequence.

        BadRecord for a receipt of nothing that is here, ConflictingRecord for another digest or
        a second, different stored number.
        """
        validate(receipt, kind="receipt")
        body = encode(receipt)

        def work(db: sqlite3.Connection) -> int:
            found = db.execute(
                "SELECT seq, digest, stored_number FROM record"
                " WHERE id = ? AND kind = ? AND bench = ?",
                (receipt["id"], receipt["kind"], receipt["bench"]),
            ).fetchone()
            if found is None:
                raise BadRecord("a receipt for {id}, which is not here", id=receipt["id"])
            seq, own, stored = found
            if receipt["digest"] != own:
                raise ConflictingRecord(
                    "the receipt for {id} is for other bytes than are committed here",
                    id=receipt["id"],
                )
            if stored is None:
                db.execute(
                    "UPDATE record SET stored_number = ?, receipt = ?, receipted_at = ?"
                    " WHERE seq = ?",
                    (int(receipt["stored"]), body, timestamp(), seq),
                )
            elif stored != receipt["stored"]:
                raise ConflictingRecord(
                    "{id} was stored as number {first}, and now as number {second}",
                    id=receipt["id"],
                    first=stored,
                    second=receipt["stored"],
                )
            return int(seq)

        return await self._changing(work)

    async def stored_number(self, verification: str) -> int | None:
        """Return the records system's number of a verdict, None while there is no receipt."""

        def work(db: sqlite3.Connection) -> int | None:
            found = db.execute(
                "SELECT stored_number FROM record WHERE id = ? AND kind = 'verdict'",
                (verification,),
            ).fetchone()
            return None if found is None else found[0]

        return await self._committer.read(work)

    async def counts(self) -> Counts:
        """Count what is here."""

        def work(db: sqlite3.Connection) -> Counts:
            return Counts(
                *db.execute(
                    "SELECT total(kind = 'start'), total(kind = 'verdict'),"
                    " total(kind = 'abandonment'), total(receipt IS NULL),"
                    " total(kind = 'start') - total(kind <> 'start') FROM record"
                ).fetchone()
            )

        found = await self._committer.read(work)
        return Counts(
            int(found.starts),
            int(found.verdicts),
            int(found.abandonments),
            int(found.waiting),
            int(found.unfinished),
        )

    @property
    def change(self) -> asyncio.Event:
        """Return what is set at this program's next commit; take it before looking."""
        return self._change

    async def wait_for_pending(self) -> None:
        """Wait until a row is without a receipt, whichever program committed it."""
        while True:
            change = self._change
            if await self.pending(1):
                return
            await wait_at_most(change, _LOOK_AGAIN)

    async def wait_until_receipted(self) -> None:
        """Wait until every row has its receipt."""
        while True:
            change = self._change
            if not await self.pending(1):
                return
            await wait_at_most(change, _LOOK_AGAIN)

    async def put_order(self, order: Mapping[str, Any]) -> bool:
        """Keep an order; False when it is known already, with the same contents."""
        validate(order, kind="order")
        body = encode(order)

        def work(db: sqlite3.Connection) -> bool:
            changed = db.execute(
                "INSERT INTO ordered (order_id, body, received_at) VALUES (?, ?, ?)"
                " ON CONFLICT (order_id) DO UPDATE SET body = excluded.body,"
                " received_at = excluded.received_at, closed_at = NULL"
                " WHERE body <> excluded.body OR closed_at IS NOT NULL",
                (order["order"], body, timestamp()),
            )
            return changed.rowcount > 0

        return await self._committer.write(work)

    async def close_order(self, order: str) -> None:
        """Note that the records system has withdrawn an order as finished."""

        def work(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE ordered SET closed_at = ? WHERE order_id = ? AND closed_at IS NULL",
                (timestamp(), order),
            )

        await self._committer.write(work)

    async def orders(self, *, begun: bool = True) -> list[Order]:
        """Return the open orders, oldest first; ``begun=False`` leaves out those with a start."""

        def work(db: sqlite3.Connection) -> list[Order]:
            found = db.execute(
                "SELECT body FROM ordered WHERE closed_at IS NULL AND (? OR NOT EXISTS"
                " (SELECT 1 FROM record WHERE record.order_id = ordered.order_id))"
                " ORDER BY received_at, order_id",
                (begun,),
            )
            return [read_order(decode(body)) for (body,) in found]

        return await self._committer.read(work)

    async def close(self) -> None:
        """Commit what waits and close the file."""
        await self._committer.close()

    async def _changing(self, work: Callable[[sqlite3.Connection], T]) -> T:
        result = await self._committer.write(work)
        self._change.set()
        self._change = asyncio.Event()
        return result


async def wait_at_most(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, or until the time is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
