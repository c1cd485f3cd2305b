"""What one instrument says, handed to everyone who listens at that moment.

A driver's stream has one reader, the station; sessions, live blocks and consoles listen here. A
listener that falls behind loses its oldest indications and is told how many.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from drivers.indication import Indication


class Listener:
    """The indications since listening began, oldest first."""

    def __init__(self, depth: int) -> None:
        self._waiting: deque[Indication] = deque(maxlen=depth)
        self._news: asyncio.Future[None] | None = None
        self.lost = 0
        """Indications dropped because the listener fell behind."""

    def offer(self, indication: Indication) -> None:
        """Add an indication, dropping the oldest one when full."""
        self.lost += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(indication)
        if self._news is not None:
            _wake(self._news)

    async def next_before(self, deadline: float) -> Indication | None:
        """Wait for the next indication; None when the loop's clock passes the deadline [s] first."""
        if not self._waiting:
            loop = asyncio.get_running_loop()
            self._news = loop.create_future()
            alarm = loop.call_at(deadline, _wake, self._news)
            try:
                await self._news
            finally:
                alarm.cancel()
                self._news = None
        return self._waiting.popleft() if self._waiting else None


def _wake(news: "asyncio.Future[None]") -> None:
    if not news.done():
        news.set_result(None)


class Feed:
    """One instrument's indications, for any number of listeners."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.latest: Indication | None = None
        self.newest: dict[str, Indication] = {}
        """The latest indication of each quantity."""
        self._listeners: set[Listener] = set()

    def publish(self, indication: Indication) -> None:
        """Hand an indication to all who listen."""
        self.latest = self.newest[indication.quantity] = indication
        for listener in self._listeners:
            listener.offer(indication)

    @contextmanager
    def listening(self, depth: int = 4096) -> Iterator[Listener]:
        """Listen from now on, until the block ends."""
        listener = Listener(depth)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)


def timestamp(moment: datetime) -> str:
    """Write a UTC time as the records do."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_wire(indication: Indication) -> dict[str, Any]:
    """Write an indication as ``tera read`` prints it and live blocks carry it."""
    return {
        "time": timestamp(indication.time),
        "instrument": indication.instrument,
        "quantity": indication.quantity,
        "text": indication.text,
        "value": indication.value,
        "unit": indication.unit,
        "condition": indication.condition.value,
        "detail": indication.detail,
        "origin": indication.origin.value,
    }
