"""Every byte of a line with its direction and time, in a file that survives a power cut.

Format, one record after another, all integers big-endian:

    file header   8 bytes   b"TERACAP1"
    record        1 byte    b"<" received, b">" sent, b"#" begin of a session
                  8 bytes   monotonic time [ns]
                  8 bytes   UTC since 1970 [ns]
                  4 bytes   length n of the data
                  n bytes   data ("#": name of the boot, so that monotonic times can be told apart)
                  4 bytes   CRC-32 of all of the above

A record that is cut or damaged ends the file: what stands before it is readable.
"""

import contextlib
import os
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drivers.errors import BadDriverSettings, DriverError

_MAGIC: Final = b"TERACAP1"
_HEAD: Final = struct.Struct(">cqqI")
_DIRECTIONS: Final = {b"<": "received", b">": "sent", b"#": "session"}
_MARKS: Final = {name: mark for mark, name in _DIRECTIONS.items()}


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that passed a line at one moment."""

    direction: str
    """``received``, ``sent`` or ``session``."""
    monotonic_ns: int
    """Monotonic clock [ns]; comparable within one session only."""
    utc_ns: int
    """UTC since 1970 [ns]."""
    data: bytes


class Capture:
    """Appends to a capture file; each chunk is handed to the system at once."""

    def __init__(self, path: Path) -> None:
        """Open or continue a file; a damaged tail is cut off first."""
        self._path = path
        self._whole = _whole_length(path) if path.exists() else 0
        self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        self._cut()
        if self._whole == 0:
            self._append(_MAGIC)
        boot = Path("/proc/sys/kernel/random/boot_id")
        self.record("session", boot.read_bytes().strip() if boot.exists() else b"")

    def record(self, direction: str, data: bytes) -> None:
        """Keep bytes with their direction and the time now."""
        head = _HEAD.pack(_MARKS[direction], time.monotonic_ns(), time.time_ns(), len(data))
        body = head + data
        self._append(body + zlib.crc32(body).to_bytes(4, "big"))

    def _append(self, data: bytes) -> None:
        """Write all of it or nothing: half a record would hide all that follow."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                self._cut()
            raise DriverError(
                "The capture {file} cannot be written ({reason}): make room on the disk.",
                file=self._path,
                reason=error.strerror,
            ) from error
        self._whole += len(data)

    def _cut(self) -> None:
        """Cut off what is no whole record."""
        self._file.truncate(self._whole)
        self._file.seek(self._whole)

    def close(self) -> None:
        """Hand the file to the disk and close it; closing it again is nothing."""
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()


def read_capture(path: Path) -> Iterator[Chunk]:
    """Give the chunks of a capture file in order, up to the first cut or damaged one."""
    data = path.read_bytes()
    if not data.startswith(_MAGIC):
        raise BadDriverSettings("{file} is no capture of tante-sari.", file=path)
    for chunk, _ in _chunks(data):
        yield chunk


def _chunks(data: bytes) -> Iterator[tuple[Chunk, int]]:
    at = len(_MAGIC)
    while at + _HEAD.size <= len(data):
        mark, monotonic_ns, utc_ns, length = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + length
        if mark not in _DIRECTIONS or end + 4 > len(data):
            return
        if zlib.crc32(data[at:end]) != int.from_bytes(data[end : end + 4], "big"):
            return
        body = data[at + _HEAD.size : end]
        at = end + 4
        yield Chunk(_DIRECTIONS[mark], monotonic_ns, utc_ns, body), at


def _whole_length(path: Path) -> int:
    data = path.read_bytes()
    if data and not data.startswith(_MAGIC[: len(data)]):
        raise BadDriverSettings("{file} is no capture of tante-sari.", file=path)
    begun = len(_MAGIC) if len(data) >= len(_MAGIC) else 0
    return max((end for _, end in _chunks(data)), default=begun)
