"""A captured line in place of a real one, for the same driver: bytes, times and losses as they were.

Strict: what the driver sends must be what was sent, in the same order, or the replay ends. Knows no
protocol.
"""

import asyncio
from collections.abc import Iterable
from typing import NoReturn

from drivers.capture import Chunk
from drivers.captured_time import ReplayEnded, for_ever, until
from drivers.errors import LinkLost


class ReplayLink:
    """The captured line of one scale; obeys the protocol of a link."""

    local = False

    def __init__(
        self, address: str, chunks: Iterable[Chunk], *, silence: float, asked_before: bytes = b""
    ) -> None:
        """Begin with the first chunk.

        A capture that begins in the middle of a line that was open has no ``opened`` first; what
        the driver then sends as it opens (``asked_before``) was sent before the capture began.
        """
        self.address = address
        self.silence = silence
        self.since_ns = self.arrived_ns = self.sent_ns = 0
        self._chunks = [chunk for chunk in chunks if chunk.direction != "session"]
        self._at = 0
        self._then = _what_then(self._chunks)
        self._asked_before = asked_before
        first = self._chunks[0] if self._chunks else None
        self._joined_ns = first.monotonic_ns if first and first.direction != "opened" else None

    @property
    def _next(self) -> Chunk | None:
        return self._chunks[self._at] if self._at < len(self._chunks) else None

    async def open(self) -> None:
        """Open the line when it was opened; LinkLost when it could not be."""
        if self._joined_ns is not None:
            self.since_ns, self._joined_ns = self._joined_ns, None
            return
        self._asked_before = b""
        self._pass_over("received", "closed")
        chunk = self._next
        if chunk is None:
            await for_ever()
        elif chunk.direction == "lost":
            await self._lost(chunk)
        elif chunk.direction == "opened":
            await until(chunk.monotonic_ns)
            self.since_ns = chunk.since_ns
            self._at += 1
        else:
            raise self._departed("opens the line")

    async def receive(self) -> bytes:
        """Wait until bytes came; for ever when the driver was the next to act."""
        chunk = self._next
        if chunk is not None and chunk.direction == "lost":
            await self._lost(chunk)
        if chunk is None or chunk.direction != "received":
            await for_ever()
        await until(chunk.monotonic_ns)
        return self._received(chunk)

    def take(self) -> bytes:
        """Take what was there: what has come by now, or what was taken before the next was sent."""
        chunk = self._next
        if chunk is None or chunk.direction != "received":
            return b""
        come = chunk.monotonic_ns <= asyncio.get_running_loop().time() * 1e9
        return self._received(chunk) if come or self._then[self._at] == "sent" else b""

    def _received(self, chunk: Chunk) -> bytes:
        self._at += 1
        self.since_ns, self.arrived_ns = chunk.since_ns, chunk.monotonic_ns
        return chunk.data

    async def send(self, data: bytes) -> None:
        """Send what was sent, when it was sent."""
        if self._asked_before and data == self._asked_before:
            self._asked_before = b""
            return
        rest = data
        while rest:
            self._pass_over("received")
            chunk = self._next
            if chunk is None:
                await for_ever()
            elif chunk.direction == "lost":
                await self._lost(chunk)
            elif chunk.direction != "sent" or not rest.startswith(chunk.data):
                raise self._departed(f"sends {data!a}")
            else:
                await until(chunk.monotonic_ns)
                if rest is data:
                    self.sent_ns = chunk.monotonic_ns
                self._at += 1
                rest = rest[len(chunk.data) :]

    async def close(self) -> None:
        """Close the line; what was written down of that is passed over."""

    def _pass_over(self, *directions: str) -> None:
        while (chunk := self._next) is not None and chunk.direction in directions:
            self._at += 1

    async def _lost(self, chunk: Chunk) -> NoReturn:
        await until(chunk.monotonic_ns)
        self._at += 1
        raise LinkLost("{reason}", reason=chunk.data.decode("utf-8", "replace"))

    def _departed(self, doing: str) -> ReplayEnded:
        chunk = self._next
        there = "nothing" if chunk is None else f"{chunk.direction} {chunk.data!a}"
        return ReplayEnded(
            "The replay departs from the capture of {port}: the driver {doing}, and there it "
            "reads: {there}.",
            port=self.address,
            doing=doing,
            there=there[:80],
        )


def _what_then(chunks: list[Chunk]) -> list[str]:
    """Return for each place what comes next that is not ``received``."""
    then = [""] * len(chunks)
    following = ""
    for at in reversed(range(len(chunks))):
        if chunks[at].direction != "received":
            following = chunks[at].direction
        then[at] = following
    return then
