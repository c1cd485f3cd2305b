"""Where one frame ends and the next begins, in bytes that arrive in any pieces.

Knows terminators. Refuses to know what a frame means: that is the codec's.
"""

from typing import Protocol


class Framer(Protocol):
    """Collects chunks and gives back whole frames."""

    @property
    def pending(self) -> bytes:
        """Bytes that are not yet a whole frame."""

    dropped: int
    """Bytes thrown away because no frame can be that long."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes; return the frames that are now whole, without terminators."""

    def reset(self) -> None:
        """Forget the bytes that are not yet a frame."""


class LineFramer:
    """Frames that end with a terminator; a longer run than ``limit`` bytes is no frame."""

    def __init__(self, terminator: bytes = b"\r\n", limit: int = 256) -> None:
        self._terminator = terminator
        self._limit = limit
        self._rest = b""
        self.dropped = 0

    @property
    def pending(self) -> bytes:
        """Bytes that are not yet a whole frame."""
        return self._rest

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes; return the lines that are now whole."""
        *lines, rest = (self._rest + chunk).split(self._terminator)
        if len(rest) > self._limit:  # keep only what may still be a terminator begun
            keep = len(self._terminator) - 1
            self.dropped += len(rest) - keep
            rest = rest[-keep:] if keep else b""
        self._rest = rest
        whole = [line for line in lines if len(line) <= self._limit]
        self.dropped += sum(map(len, lines)) - sum(map(len, whole))
        return whole

    def reset(self) -> None:
        """Forget the line begun."""
        self._rest = b""
