"""Where a Toledo continuous frame ends: it says so itself only by what comes next.

A checksum may have any value, STX and CR too. With ``auto`` a frame without one is known by the
STX and the status word of the next frame, or by the end of the bytes.
"""

from collections.abc import Mapping
from typing import Final

_STX: Final = 0x02
_CR: Final = 0x0D
_LENGTHS: Final = (11, 17)
"""With STX and CR, without and with tare."""

CHECKED: Final[Mapping[str, tuple[str, ...]]] = {
    "auto": ("toledo",),
    "none": (),
    "toledo": ("toledo",),
    "fairbanks": ("fairbanks",),
}
"""Setting -> the checksums that a frame may carry."""


def masked(data: bytes) -> bytes:
    """Return bytes without their parity bit."""
    return bytes(byte & 0x7F for byte in data)


def checksum(kind: str, frame: bytes, *, bits: int = 7) -> int:
    """Return the check of a frame from STX to CR.

    >>> chr(checksum("toledo", b"\\x02,9   1000   234\\r"))
    'r'
    """
    total = sum(frame)
    return (-total) & 0x7F if kind == "toledo" else total & ((1 << bits) - 1)


class ToledoFramer:
    """Frames from STX to CR or checksum, with parity as it came."""

    def __init__(self, setting: str) -> None:
        self._setting = setting
        self._rest = b""
        self.dropped = 0
        self.may_be_whole = False
        """Whether what is pending is a frame, unless its checksum is still to come."""

    @property
    def pending(self) -> bytes:
        """Bytes that are not yet a whole frame."""
        return self._rest

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes; return the frames that are now whole."""
        return self._cut(self._rest + chunk, ended=False)

    def finish(self) -> list[bytes]:
        """The bytes have ended: a frame that waited for its checksum has none."""
        return self._cut(self._rest, ended=True)

    def _cut(self, data: bytes, *, ended: bool) -> list[bytes]:
        frames = []
        seen = masked(data)
        at = 0
        self.may_be_whole = False
        while (start := seen.find(_STX, at)) >= 0:
            self.dropped += start - at
            at = start
            end = self._end(seen, start)
            if end is None:
                break
            whole = end and self._checked(seen, start, end, ended=ended)
            if whole is None:
                self.may_be_whole = self._setting == "auto"
                break
            if whole:
                frames.append(data[start:whole])
                at = whole
            else:
                self.dropped += 1
                at = start + 1
        else:
            self.dropped += len(data) - at
            at = len(data)
        self._rest = data[at:]
        return frames

    def _end(self, seen: bytes, start: int) -> int | None:
        """Return where CR has been; 0 when this is no frame, None when that is not known yet."""
        for length in _LENGTHS:
            if _STX in seen[start + 1 : start + length]:
                return 0
            if len(seen) < start + length:
                return None
            if seen[start + length - 1] == _CR:
                return start + length
        return 0

    def _checked(self, seen: bytes, start: int, end: int, *, ended: bool) -> int | None:
        """Return where the frame has been with its checksum, if any; None when not known yet."""
        more = seen[end : end + 2]
        if self._setting == "none":
            return end
        if self._setting != "auto":
            return end + 1 if more else 0 if ended else None
        if more[:1] == b"\x02" and len(more) == 1:  # the check, or the next frame's begin
            ours = checksum("toledo", seen[start:end]) == _STX
            return (end + ours) if ended else None
        if not more:
            return end if ended else None
        return end if more[0] == _STX and more[1] & 0x20 else end + 1

    def reset(self) -> None:
        """Forget the frame begun."""
        self._rest = b""
        self.may_be_whole = False
