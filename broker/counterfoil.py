"""The counterfoil of an outbox: one line for each record, in a file of its own beside it.

A line is written and on the disk after the record's COMMIT and before anybody is answered. When the
outbox is damaged, the counterfoil tells which records there were, by number and digest: none is
given up without its name, no number is given twice, and bytes that are found are known to be right.

    [seq,kind,id,bench,number,trial,order,subject,digest,committed_at] CRC-32 of that in 8 digits

Lines that are cut or altered are passed over; the file only grows.
"""

import json
import logging
import os
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from broker.private_file import sync_folder
from broker.record import KINDS

log = logging.getLogger(__name__)

_TAIL = 65_536
"""So much of the end of a counterfoil [byte] holds a whole line."""
_SELECT = (
    "SELECT seq, kind, id, bench, number, trial, order_id, subject, digest, committed_at"
    " FROM record WHERE seq > ? ORDER BY seq"
)


@dataclass(frozen=True, slots=True)
class Line:
    """What a counterfoil keeps of a record."""

    seq: int
    kind: str
    id: str
    bench: str
    number: int
    trial: int
    order: str | None
    subject: str | None
    digest: str
    committed_at: str

    def to_bytes(self) -> bytes:
        """Write it."""
        text = json.dumps(astuple(self), ensure_ascii=False, separators=(",", ":")).encode()
        return b"%s %08x\n" % (text, zlib.crc32(text))


def counterfoil_of(outbox: Path) -> Path:
    """Return the file that is the counterfoil of an outbox."""
    return Path(f"{outbox}.counterfoil")


class Counterfoil:
    """Appends to the counterfoil of an open outbox; used in the thread that writes the outbox."""

    def __init__(self, outbox: Path) -> None:
        self._path = counterfoil_of(outbox)
        self._handle: int | None = None
        self._last = 0
        self._cut = False
        self._failing = False

    def catch_up(self, db: sqlite3.Connection) -> None:
        """Write what was committed since; a trouble is said and does not undo what is committed."""
        try:
            handle = self._open() if self._handle is None else self._handle
            rows = db.execute(_SELECT, (self._last,)).fetchall()
            if rows:
                self._append(handle, [Line(*row) for row in rows])
        except (OSError, sqlite3.Error) as error:
            if not self._failing:
                log.error("the counterfoil %s cannot be written: %s", self._path, error)
            self._failing = True
        else:
            self._failing = False

    def close(self) -> None:
        """Close the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _open(self) -> int:
        fresh = not self._path.exists()
        handle = self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        if fresh:
            sync_folder(self._path.parent)
        size = os.fstat(handle).st_size
        tail = os.pread(handle, _TAIL, max(0, size - _TAIL))
        self._cut = bool(tail) and not tail.endswith(b"\n")
        good = [line.seq for line in map(_line, tail.split(b"\n")) if line is not None]
        if not good and size > _TAIL:
            good = [line.seq for line in read_lines(self._path) if line is not None]
        self._last = max(good, default=0)
        return handle

    def _append(self, handle: int, lines: list[Line]) -> None:
        data = b"\n" * self._cut + b"".join(line.to_bytes() for line in lines)
        self._cut = True
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        self._cut = False
        os.fdatasync(handle)
        self._last = lines[-1].seq


def read_lines(counterfoil: Path) -> Iterator[Line | None]:
    """Yield the lines of a counterfoil, None for one that is cut or altered."""
    try:
        with counterfoil.open("rb") as file:
            for text in file:
                if text != b"\n":
                    yield _line(text.removesuffix(b"\n"))
    except FileNotFoundError:
        return


def rewrite(outbox: Path, db: sqlite3.Connection) -> None:
    """Write the counterfoil anew from an outbox that is whole; it takes its place at once."""
    path = counterfoil_of(outbox)
    fresh = path.with_name(f".{path.name}.mending")
    with fresh.open("wb") as file:
        for row in db.execute(_SELECT, (0,)):
            file.write(Line(*row).to_bytes())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def _line(text: bytes) -> Line | None:
    body, _, check = text.rpartition(b" ")
    if check != b"%08x" % zlib.crc32(body):
        return None
    try:
        values: list[Any] = json.loads(body)
        line = Line(*values)
    except (ValueError, TypeError):
        return None
    return line if line.kind in KINDS else None
