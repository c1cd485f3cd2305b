"""What of one bench's rows goes out, in which order, and when again.

Knows the outbox and what is out without a receipt. What comes back is told to it by the bench's
connection; it decides nothing about signatures, and a broken line is its caller's affair.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from broker.address import Topics
from broker.backlog import Backlog
from broker.connection import Client
from broker.outbox import Outbox, Row, wait_at_most

log = logging.getLogger(__name__)

_TOGETHER = 64
"""Most rows that are handed to the broker at once."""
_ANSWER = 1000
"""Most rows that are published again for one question; what is still missing is asked again."""
_LOOK_EVERY = 0.5
"""Pause [s] between two looks for rows that another program has committed."""

Stretches = Sequence[tuple[int, int]]
"""First and last number of each stretch of a bench's numbers."""


class Sending:
    """The way out of one bench's rows."""

    def __init__(
        self, outbox: Outbox, office: str, bench: str, window: int, pauses: tuple[float, float]
    ) -> None:
        """Take the most rows that are out, and the first and longest pause [s] before a row goes again."""
        self._outbox = outbox
        self._office = office
        self._bench = bench
        self._window = window
        self._pauses = pauses
        self._backlog = Backlog(window, *pauses)
        self._questions: asyncio.Queue[Stretches] = asyncio.Queue(maxsize=4)

    def receipted(self, seqs: Iterable[int]) -> None:
        """Note the receipts of some rows."""
        now = time.monotonic()
        for seq in seqs:
            self._backlog.receipted(seq, now)

    def hurry(self) -> None:
        """Note that the records system has come: what has no receipt does not wait for long."""
        self._backlog.hurry(time.monotonic())

    def asked(self, stretches: Stretches) -> None:
        """Note that the records system lacks numbers; what finds no room here is asked again."""
        with suppress(asyncio.QueueFull):
            self._questions.put_nowait(stretches)

    async def drain(self, client: Client, group: asyncio.TaskGroup) -> None:
        """Publish what is pending in order; again, with growing pauses, what has no receipt."""
        backlog = self._backlog = Backlog(self._window, *self._pauses)
        publishing: asyncio.Task[None] | None = None
        while True:
            change = self._outbox.change(self._bench)
            rows = await self._again(backlog)
            room = min(backlog.room, _TOGETHER)
            if room:
                rows += await self._outbox.pending(room, bench=self._bench, after=backlog.last)
            if publishing is not None:  # the rows before these were on their way meanwhile
                await publishing
                publishing = None
            if rows:
                now = time.monotonic()
                for row in rows:  # before the receipt can come
                    backlog.sent(row.seq, now)
                publishing = group.create_task(self._publish(client, rows))
            else:
                pause = max(0.0, backlog.next_due(time.monotonic()))
                await wait_at_most(change, min(pause, _LOOK_EVERY))

    async def answer(self, client: Client) -> None:
        """Publish again what the records system lacks, receipted or not, as far as it is here."""
        while True:
            asked = await self._questions.get()
            rows = await self._outbox.numbered(self._bench, asked, _ANSWER)
            more, away = await self._outbox.archived(self._bench, asked, _ANSWER - len(rows))
            rows = sorted([*rows, *more], key=lambda row: row.seq)
            for at in range(0, len(rows), _TOGETHER):
                await client.publish_all(self._messages(rows[at : at + _TOGETHER]))
            if rows:
                log.warning(
                    "bench %s: the records system asked again for %s; %d records went out",
                    self._bench,
                    asked[:10],
                    len(rows),
                )
            if away:
                log.error(
                    "bench %s: the records system lacks %s; put the archives back where they were: %s",
                    self._bench,
                    asked[:10],
                    ", ".join(away),
                )
            elif not rows:
                log.error(
                    "bench %s: the records system lacks %s, which is not here",
                    self._bench,
                    asked[:10],
                )

    async def _again(self, backlog: Backlog) -> list[Row]:
        """Return the rows that are due again; forget those another program saw receipted."""
        due = backlog.due(time.monotonic())[:_TOGETHER]
        if not due:
            return []
        rows = await self._outbox.still_pending(due)
        for seq in set(due) - {row.seq for row in rows}:
            backlog.forget(seq)
        return rows

    async def _publish(self, client: Client, rows: list[Row]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(client.publish_all(self._messages(rows)))
            group.create_task(self._outbox.stamp_published(rows))

    def _messages(self, rows: Iterable[Row]) -> list[tuple[str, bytes]]:
        return [
            (Topics(self._office, row.trial).record(row.kind, row.id), row.body) for row in rows
        ]
