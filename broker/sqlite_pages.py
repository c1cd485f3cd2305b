"""What lies in the pages of a SQLite database and its WAL, however damaged they are.

Knows the file format (https://www.sqlite.org/fileformat2.html: 1.5 b-tree pages, 1.6 overflow
pages, 2.1 records, 4 the write-ahead log) and reads it without SQLite, page by page, so that a
damaged page costs only what lay on it. Believes nothing: a row that comes from here may be stale or
altered, and whoever takes it must know by itself that it is right.
"""

import os
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Row = tuple[int, tuple[Any, ...]]
"""Row id and the values of a table's row; the column that is the row id is None."""

_USUAL = 4096
_LARGEST = 8 * 1024 * 1024
"""No row of ours is larger [byte]."""
_NO_LEAF = (0, 2, 5, 10)
"""First byte of pages that hold no rows: overflow, interior and index pages."""
_NUMBERS = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8, 8: 0, 9: 0}
"""Serial type -> length [byte]."""

_Lookup = Callable[[int], bytes]


class Pages:
    """The page images of a database file and of the WAL beside it; either may be missing."""

    def __init__(self, database: Path, wal: Path) -> None:
        self._files = [_opened(database), _opened(wal)]
        head = self._read(0, 0, 100)
        told = int.from_bytes(head[16:18], "big")
        if told not in (512, 1024, 2048, 8192, 16384, 32768, 1) or head[:6] != b"SQLite":
            told = _USUAL  # of a file that is ours and whose head is damaged
        self.size = 65536 if told == 1 else told
        self._count = (self._length(0) + self.size - 1) // self.size
        self._frames = max(0, self._length(1) - 32) // (self.size + 24)
        self._committed = self._last_commit()
        self._where: dict[int, list[int]] = defaultdict(list)
        for frame in range(self._frames):
            number = int.from_bytes(self._read(1, self._place(frame), 4), "big")
            self._where[number].append(frame)

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            if file is not None:
                os.close(file)
        self._files = [None, None]

    def rows(self, *, committed: bool) -> Iterator[Row]:
        """Yield rows, those written last first; the same row may come several times.

        With ``committed`` of the WAL only what belongs to a whole transaction, otherwise all of it.
        """
        last = self._committed if committed else self._frames
        for frame in reversed(range(last)):
            number = int.from_bytes(self._read(1, self._place(frame), 4), "big")
            yield from self._leaf(number, self._image(frame), self._lookups(frame))
        for number in range(1, self._count + 1):
            yield from self._leaf(number, self._main(number), self._lookups(None))

    def _lookups(self, frame: int | None) -> tuple[_Lookup, ...]:
        """Return where the overflow pages of a row may be found, the likeliest first."""

        def newest(number: int) -> bytes:
            known = self._where.get(number)
            return self._image(known[-1]) if known else self._main(number)

        def then(number: int) -> bytes:
            before = [f for f in self._where.get(number, ()) if frame is not None and f <= frame]
            return self._image(before[-1]) if before else self._main(number)

        return (self._main, newest) if frame is None else (newest, then, self._main)

    def _leaf(self, number: int, page: bytes, lookups: tuple[_Lookup, ...]) -> Iterator[Row]:
        """Yield the rows of a page, if it is a leaf of a table or may have been one."""
        head = 100 if number == 1 else 0
        if len(page) < head + 8 or page[head] in _NO_LEAF:
            return
        at, lowest = head + 8, len(page)
        while at + 2 <= lowest:  # whatever the page says of how many cells it has
            cell = int.from_bytes(page[at : at + 2], "big")
            at += 2
            if not at <= cell < len(page):
                continue
            lowest = min(lowest, cell)
            yield from self._cell(page, cell, lookups)

    def _cell(self, page: bytes, at: int, lookups: tuple[_Lookup, ...]) -> Iterator[Row]:
        length, at = _varint(page, at)
        row, at = _varint(page, at)
        if not 0 < length <= _LARGEST or not 0 < row < 1 << 53:
            return
        usable = self.size
        local = length
        if length > usable - 35:
            least = (usable - 12) * 32 // 255 - 23
            local = least + (length - least) % (usable - 4)
            if local > usable - 35:
                local = least
        begin = page[at : at + local]
        if len(begin) < local:
            return
        if local == length:
            values = _values(begin)
            if values is not None:
                yield row, values
            return
        first = int.from_bytes(page[at + local : at + local + 4], "big")
        seen: set[bytes] = set()
        for lookup in lookups:
            payload = _follow(begin, first, length, lookup)
            if payload is None or payload in seen:
                continue
            seen.add(payload)
            values = _values(payload)
            if values is not None:
                yield row, values

    def _main(self, number: int) -> bytes:
        if not 0 < number <= self._count:
            return b""
        return self._read(0, (number - 1) * self.size, self.size)

    def _place(self, frame: int) -> int:
        return 32 + frame * (self.size + 24)

    def _image(self, frame: int) -> bytes:
        return self._read(1, self._place(frame) + 24, self.size)

    def _last_commit(self) -> int:
        """Return how many frames of the WAL belong to whole transactions, as SQLite finds them."""
        head = self._read(1, 0, 32)
        if len(head) < 32 or int.from_bytes(head[8:12], "big") != self.size:
            return 0
        magic = int.from_bytes(head[:4], "big")
        if magic not in (0x377F0682, 0x377F0683):
            return 0
        order = ">" if magic & 1 else "<"
        sums = _checksum(order, head[:24], (0, 0))
        if sums != struct.unpack(">II", head[24:32]):
            return 0
        whole = 0
        for frame in range(self._frames):
            begin = self._read(1, self._place(frame), 24)
            sums = _checksum(order, begin[:8] + self._image(frame), sums)
            if begin[8:16] != head[16:24] or sums != struct.unpack(">II", begin[16:24]):
                break
            if begin[4:8] != b"\0\0\0\0":
                whole = frame + 1
        return whole

    def _length(self, which: int) -> int:
        file = self._files[which]
        return 0 if file is None else os.fstat(file).st_size

    def _read(self, which: int, at: int, size: int) -> bytes:
        file = self._files[which]
        if file is None:
            return b""
        try:
            return os.pread(file, size, at)
        except OSError:  # a sector that the disk gives no more
            return b""


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None


def _follow(begin: bytes, number: int, length: int, lookup: _Lookup) -> bytes | None:
    """Gather a payload that goes on in overflow pages; None when the chain is broken."""
    parts, gathered = [begin], len(begin)
    while gathered < length:
        page = lookup(number)
        if len(page) <= 4:
            return None
        number = int.from_bytes(page[:4], "big")
        parts.append(page[4 : 4 + length - gathered])
        gathered += len(parts[-1])
    return b"".join(parts)


def _values(payload: bytes) -> tuple[Any, ...] | None:
    """Return the values of a record, None when it is none."""
    size, at = _varint(payload, 0)
    body, values = size, []
    while at < size <= len(payload):
        kind, at = _varint(payload, at)
        length = _NUMBERS.get(kind, (kind - 12) // 2 if kind >= 12 else -1)
        part = payload[body : body + length] if length >= 0 else b""
        if length < 0 or len(part) < length:
            return None
        body += length
        try:
            values.append(_value(kind, part))
        except (UnicodeDecodeError, struct.error):
            return None
    return tuple(values) if at == size and body == len(payload) else None


def _value(kind: int, part: bytes) -> Any:
    if kind == 0:
        return None
    if kind == 7:
        return struct.unpack(">d", part)[0]
    if kind in (8, 9):
        return kind - 8
    if kind < 7:
        return int.from_bytes(part, "big", signed=True)
    return part.decode() if kind % 2 else part


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number and the place after it; what is cut gives 0."""
    value = 0
    for count in range(9):
        if at >= len(data):
            return 0, at + 1
        byte = data[at]
        at += 1
        if count == 8:
            return (value << 8) | byte, at
        value = (value << 7) | (byte & 0x7F)
        if byte < 0x80:
            break
    return value, at


def _checksum(order: str, data: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    one, two = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data[: len(data) // 4 * 4])
    for at in range(0, len(words) - 1, 2):
        one = (one + words[at] + two) & 0xFFFFFFFF
        two = (two + words[at + 1] + one) & 0xFFFFFFFF
    return one, two
