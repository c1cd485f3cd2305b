"""Where one frame ends and the next begins, in bytes that arrive in any pieces.

Knows terminators. Refuses to know what a frame means: that is the codec's.
"""

from typing import Protocol


class Framer(Protocol):
    """Collects chunks and gives back whole frames."""

    @property
    def pending(self) -> bytes:
        """Bytes that are not yet a whole frame."""

    @property
    def may_be_whole(self) -> bool:
        """Whether what is pending may be a whole frame, so that only silence can tell."""

    dropped: int
    """Bytes thrown away because no frame can be that long."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes; return the frames that are now whole, without terminators."""

    def finish(self) -> list[bytes]:
        """The bytes have ended: return the frame that only waited to see whether more belonged to it.

        What is no whole frame stays pending.
        """

    def reset(self) -> None:
        """Forget the bytes that are not yet a frame."""


class LineFramer:
    """Frames that end with a terminator; a longer run than ``limit`` bytes is no frame.

    Such a run is thrown away up to its terminator, so the frames never depend on how the bytes
    were cut into chunks.
    """

    def __init__(self, terminator: bytes = b"\r\n", limit: int = 256) -> None:
        self._terminator = terminator
        self._limit = limit
        self._rest = b""
        self._overlong = False
        self.dropped = 0

    @property
    def pending(self) -> bytes:
        """Bytes that are not yet a whole frame."""
        return self._rest

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes; return the lines that are now whole."""
        *lines, rest = (self._rest + chunk).split(self._terminator)
        if lines and self._overlong:
            self.dropped += len(lines.pop(0))
            self._overlong = False
        whole = [line for line in lines if len(line) <= self._limit]
        self.dropped += sum(map(len, lines)) - sum(map(len, whole))
        begun = self._terminator_begun(rest)
        if self._overlong or len(rest) - begun > self._limit:
            self._overlong = True
            self.dropped += len(rest) - begun
            rest = rest[len(rest) - begun :]
        self._rest = rest
        return whole

    @property
    def may_be_whole(self) -> bool:
        """Say no: the terminator tells."""
        return False

    def _terminator_begun(self, rest: bytes) -> int:
        """Return how many bytes at the end may be the begin of a terminator."""
        most = min(len(self._terminator) - 1, len(rest))
        return next(
            (n for n in range(most, 0, -1) if rest.endswith(self._terminator[:n])),
            0,
        )

    def finish(self) -> list[bytes]:
        """Return nothing: a line without its terminator is none."""
        return []

    def reset(self) -> None:
        """Forget the line begun."""
        self._rest = b""
        self._overlong = False


class RecordFramer:
    """Frames between a start byte and an end that no other byte of a frame can be.

    What stands before a start byte, and a frame begun that another start byte or too many bytes
    cut short, is thrown away and counted.
    """

    def __init__(self, start: bytes, end: bytes, limit: int = 64) -> None:
        self._start, self._end, self._limit = start, end, limit
        self._rest = b""
        self.dropped = 0

    @property
    def pending(self) -> bytes:
        """Bytes that are not yet a whole frame."""
        return self._rest

    @property
    def may_be_whole(self) -> bool:
        """Say no: the end tells."""
        return False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes; return what stands between start and end."""
        frames = []
        data = self._rest + chunk
        while (end := data.find(self._end)) >= 0:
            start = data.rfind(self._start, 0, end)
            whole = data[start + 1 : end] if start >= 0 else None
            if whole is None or len(whole) > self._limit:
                self.dropped += end + len(self._end)
            else:
                self.dropped += start
                frames.append(whole)
            data = data[end + len(self._end) :]
        start = data.rfind(self._start)
        rest = data[start:] if start >= 0 and len(data) - start <= self._limit + 2 else b""
        self.dropped += len(data) - len(rest)
        self._rest = rest
        return frames

    def finish(self) -> list[bytes]:
        """Return nothing: a frame without its end is none."""
        return []

    def reset(self) -> None:
        """Forget the frame begun."""
        self._rest = b""


class CountedFramer:
    """Frames of a start byte and a fixed number of bytes, of which none is a start byte.

    A frame counts when the next one begins where it ends, or when the bytes end there: bytes that
    were lost or added show as a start byte in the wrong place.
    """

    def __init__(self, start: bytes, length: int) -> None:
        self._start, self._length = start, length
        self._rest = b""
        self.dropped = 0

    @property
    def pending(self) -> bytes:
        """Bytes that are not yet a whole frame."""
        return self._rest

    @property
    def may_be_whole(self) -> bool:
        """Whether all its bytes are here."""
        return len(self._rest) == self._length + 1

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes; return the frames that are followed by another, without their start."""
        before, *begun = (self._rest + chunk).split(self._start)
        self.dropped += len(before)
        *done, last = begun or [b""]
        frames = [frame for frame in done if len(frame) == self._length]
        self.dropped += sum(len(frame) + 1 for frame in done if len(frame) != self._length)
        if len(last) > self._length:
            self.dropped += len(last) + 1
            begun = []
        self._rest = self._start + last if begun else b""
        return frames

    def finish(self) -> list[bytes]:
        """Return the last frame, which no other follows."""
        if not self.may_be_whole:
            return []
        last, self._rest = self._rest[1:], b""
        return [last]

    def reset(self) -> None:
        """Forget the frame begun."""
        self._rest = b""
