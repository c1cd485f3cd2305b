"""Every byte of a line with its direction and time, in a file that survives a power cut.

Format, one record after another, all integers big-endian:

    file header   8 bytes   b"TERACAP2"
    record        1 byte    what happened, see MARKS
                  8 bytes   monotonic time [ns]: when it happened, of "sent" just before
                  8 bytes   monotonic time [ns]: of "received" when the line was last seen empty
                            before, of "opened" when opening began; otherwise the same time again
                  8 bytes   UTC since 1970 [ns]
                  4 bytes   length n of the data
                  n bytes   data
                  4 bytes   CRC-32 of all of the above

A record that is cut or damaged ends the file: what stands before it is readable. A full file gets
a number (``line.000001.capture``) and a new one is begun; the oldest are deleted beyond a limit. A
file that is opened again loses a tail that was cut; one in which whole records stand behind a damaged
place gets its number as it is, since those bytes are evidence.
"""

import contextlib
import os
import re
import struct
import time
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drivers.errors import BadDriverSettings, DriverError

MAGIC: Final = b"TERACAP2"
MARKS: Final = {
    "received": b"<",
    "sent": b">",
    "session": b"#",  # the file is opened; data: name of the boot, whose monotonic times these are
    "opened": b"o",
    "lost": b"x",  # the line went away, or could not be opened; data: why
    "closed": b"c",  # by the driver: at its end, or to begin anew after a fault
}
_HEAD: Final = struct.Struct(">cqqqI")
_DIRECTIONS: Final = {mark: name for name, mark in MARKS.items()}
_ANY_MARK: Final = re.compile(b"[" + b"".join(MARKS.values()) + b"]")
_BETWEEN_PLACES: Final = 500_000_000
"""How far apart the places are that a capture remembers [ns]."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What happened on a line at one moment."""

    direction: str
    """One of MARKS: ``received``, ``sent`` and so on."""
    monotonic_ns: int
    """Monotonic clock [ns]; comparable within one boot of the machine."""
    since_ns: int
    """Monotonic clock [ns]: no byte of it had arrived before this."""
    utc_ns: int
    """UTC since 1970 [ns]."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """A place between two records of a capture."""

    file: int
    """Number that its file has, or will get."""
    offset: int


class Capture:
    """Appends to a capture file; each chunk is handed to the system at once."""

    def __init__(self, path: Path, *, limit: int = 8_000_000, keep: int = 128) -> None:
        """Open or continue a file; a tail that was cut is taken off first.

        A file of ``limit`` bytes is full; ``keep`` full files are kept.
        """
        self._path, self._limit, self._keep = path, limit, keep
        self._number = max(_numbers(path), default=0) + 1
        self.damaged: Path | None = None
        """Where the file is now that was found damaged in its middle."""
        self.cut = 0
        """How much of a record that a power cut had left was taken off [byte]."""
        self._whole = self._look() if path.exists() else 0
        self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        self._cut()
        self._places: deque[tuple[int, Place]] = deque(maxlen=16)
        self._begin_file()

    def _look(self) -> int:
        """Return how much of the file is whole; put one aside that is damaged in its middle."""
        data = self._path.read_bytes()
        whole = _whole_length(data, self._path)
        if _holds_a_record(data, whole):
            self.damaged = _numbered(self._path, self._number)
            self._path.rename(self.damaged)
            self._number += 1
            return 0
        self.cut = len(data) - whole
        return whole

    def _begin_file(self) -> None:
        if self._whole == 0:
            self._append(MAGIC)
        boot = Path("/proc/sys/kernel/random/boot_id")
        self.record("session", boot.read_bytes().strip() if boot.exists() else b"")

    def record(
        self, direction: str, data: bytes, at_ns: int | None = None, since_ns: int | None = None
    ) -> None:
        """Keep what happened, with the time now unless another is given."""
        now_ns = time.monotonic_ns() if at_ns is None else at_ns
        since = now_ns if since_ns is None else since_ns
        if not self._places or now_ns - self._places[-1][0] >= _BETWEEN_PLACES:
            self._places.append((now_ns, Place(self._number, self._whole)))
        head = _HEAD.pack(MARKS[direction], now_ns, since, time.time_ns(), len(data))
        body = head + data
        self._append(body + zlib.crc32(body).to_bytes(4, "big"))
        if self._whole >= self._limit and direction != "session":
            self._next_file()

    def _append(self, data: bytes) -> None:
        """Write all of it or nothing: half a record would hide all that follow."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                self._cut()
            raise self._failed(error) from error
        self._whole += len(data)

    def _failed(self, error: OSError) -> DriverError:
        return DriverError(
            "The capture {file} cannot be written ({reason}): make room on the disk.",
            file=self._path,
            reason=error.strerror,
        )

    def _next_file(self) -> None:
        """Give the full file its number and begin a new one."""
        try:
            self._path.rename(_numbered(self._path, self._number))
            file = self._path.open("x+b", buffering=0)
            for number in sorted(_numbers(self._path))[: -self._keep]:
                _numbered(self._path, number).unlink()
        except OSError as error:
            raise self._failed(error) from error
        self._file.close()
        self._file, self._whole, self._number = file, 0, self._number + 1
        self._begin_file()

    def _cut(self) -> None:
        """Cut off what is no whole record."""
        self._file.truncate(self._whole)
        self._file.seek(self._whole)

    def place(self, seconds: float) -> Place:
        """Return where the file stood at least so many seconds ago, as far as is known."""
        then = time.monotonic_ns() - int(seconds * 1e9)
        before = [place for at_ns, place in self._places if at_ns <= then]
        return before[-1] if before else self._places[0][1]

    def since(self, place: Place) -> bytes:
        """Return the records from a place on, as a capture of their own."""
        data = MAGIC
        for number in range(place.file, self._number + 1):
            file = self._path if number == self._number else _numbered(self._path, number)
            try:
                data += file.read_bytes()[place.offset if number == place.file else len(MAGIC) :]
            except OSError as error:
                raise DriverError(
                    "The capture {file} cannot be read ({reason}): look at the disk.",
                    file=file,
                    reason=error.strerror,
                ) from error
        return data

    def close(self) -> None:
        """Hand the file to the disk and close it; closing it again is nothing."""
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()


def read_capture(path: Path) -> Iterator[Chunk]:
    """Give the chunks of a capture file in order, up to the first cut or damaged one."""
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        raise BadDriverSettings("{file} is no capture of tante-sari.", file=path)
    for chunk, _ in chunks_in(data):
        yield chunk


def chunks_in(data: bytes) -> Iterator[tuple[Chunk, int]]:
    """Give the whole chunks of a capture, each with the place where it ends."""
    at = len(MAGIC)
    while at + _HEAD.size <= len(data):
        mark, monotonic_ns, since_ns, utc_ns, length = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + length
        if mark not in _DIRECTIONS or end + 4 > len(data):
            return
        if zlib.crc32(data[at:end]) != int.from_bytes(data[end : end + 4], "big"):
            return
        body = data[at + _HEAD.size : end]
        at = end + 4
        yield Chunk(_DIRECTIONS[mark], monotonic_ns, since_ns, utc_ns, body), at


def _whole_length(data: bytes, path: Path) -> int:
    if data and not data.startswith(MAGIC[: len(data)]):
        raise BadDriverSettings("{file} is no capture of tante-sari.", file=path)
    begun = len(MAGIC) if len(data) >= len(MAGIC) else 0
    return max((end for _, end in chunks_in(data)), default=begun)


def _holds_a_record(data: bytes, start: int) -> bool:
    """Say whether a whole record stands anywhere from a place on."""
    for found in _ANY_MARK.finditer(data, start):
        at = found.start()
        if at + _HEAD.size > len(data):
            return False
        end = at + _HEAD.size + int.from_bytes(data[at + _HEAD.size - 4 : at + _HEAD.size], "big")
        if end + 4 > len(data):
            continue
        if zlib.crc32(data[at:end]) == int.from_bytes(data[end : end + 4], "big"):
            return True
    return False


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.{number:06}{path.suffix}")


def _numbers(path: Path) -> list[int]:
    """Return the numbers of the full files."""
    shape = re.compile(rf"{re.escape(path.stem)}\.(\d{{6,}}){re.escape(path.suffix)}")
    return [int(m[1]) for f in path.parent.iterdir() if (m := shape.fullmatch(f.name))]
