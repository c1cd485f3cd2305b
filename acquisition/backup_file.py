"""A backup: one tar file with databases, configuration and a manifest, closed by its own digest.

Databases are copied by SQLite's online backup, each as it stood at one moment between two commits,
while the station goes on. The last line of the file is the SHA-256 of all bytes before it, so that
a cut or altered backup is known before anything of it is believed; tar itself does not mind it.
Keys and passwords are not in it.
"""

import hashlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from acquisition.config import Premises
from acquisition.faults import Abandoned, BadInput

_MANIFEST = "manifest.json"
_SCHEMA = "tera/backup/1"
_SEAL = len(b"\nsha256:") + 64 + 1
_CHUNK = 1 << 20


@dataclass(slots=True)
class Part:
    """One file in a backup."""

    name: str
    """Where it lies below the folder of the configuration, or what it is."""
    source: Path
    database: bool = False
    size: int = 0
    sha256: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Write it for the manifest."""
        return {
            "name": self.name,
            "database": self.database,
            "size": self.size,
            "sha256": self.sha256,
        }


@dataclass(slots=True)
class Backup:
    """What lies in a backup file."""

    about: dict[str, Any]
    """Office, version, time, and how much the outbox held."""
    parts: list[Part] = field(default_factory=list)


def parts_of(config: Path, settings: Premises, *, captures: bool) -> list[Part]:
    """Return what belongs into a backup of a station or a records system, as far as it is there."""
    base = config.resolve().parent
    store = settings.store

    def named(file: Path, otherwise: str) -> str:
        return str(file.relative_to(base)) if file.is_relative_to(base) else otherwise

    parts = [Part(config.name, config)]
    parts.append(Part(named(store.outbox, "outbox.sqlite"), store.outbox, database=True))
    if isinstance(store.records, Path):
        parts.append(Part(named(store.records, "records.sqlite"), store.records, database=True))
    if captures and store.captures is not None and store.captures.is_dir():
        for file in sorted(p for p in store.captures.rglob("*") if p.is_file()):
            inside = file.relative_to(store.captures)
            parts.append(Part(str(Path(named(store.captures, "captures")) / inside), file))
    found = [part for part in parts if part.source.is_file()]
    if not any(part.database for part in found):
        raise BadInput("there is nothing to back up yet: {file} does not exist", file=store.outbox)
    return found


@contextmanager
def copied(parts: list[Part], beside: Path) -> Iterator[list[Part]]:
    """Copy the databases as they stand, into a folder beside the backup that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=".tera-backup-", dir=beside) as folder:
        ready = []
        for index, part in enumerate(parts):
            if not part.database:
                ready.append(part)
                continue
            copy = Path(folder) / f"{index}.sqlite"
            _copy_database(part.source, copy)
            ready.append(Part(part.name, copy, database=True))
        yield ready


def write_backup(target: Path, parts: list[Part], about: dict[str, Any]) -> Backup:
    """Write a backup whole or not at all; a file that is there stays."""
    if target.exists():
        raise BadInput("{file} is there already: a backup never overwrites", file=target)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # mode 0600
    fresh = Path(name)
    try:
        with os.fdopen(handle, "w+b") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for part in parts:
                    _add(tar, part)
                body = json.dumps(
                    {"schema": _SCHEMA, **about, "files": [part.to_dict() for part in parts]},
                    ensure_ascii=False,
                    indent=1,
                ).encode()
                info = tarfile.TarInfo(_MANIFEST)
                info.size = len(body)
                tar.addfile(info, io.BytesIO(body))
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.write(f"\nsha256:{digest}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, target)  # refuses what is there, as a rename would not
        _sync(target.parent)
    finally:
        fresh.unlink(missing_ok=True)
    return Backup(about, parts)


def read_backup(file: Path, folder: Path) -> Backup:
    """Check a backup and unpack it into an empty folder; BadInput when a byte of it is not right."""
    try:
        with file.open("rb") as source:
            length = _sealed(source, file)
            source.seek(0)
            whole = _Window(source, length)
            with tarfile.open(fileobj=whole, mode="r:") as tar:
                return _unpack(tar, file, folder)
    except tarfile.TarError as error:
        raise _damaged(file, error) from None


def check_database(file: Path, named: Path) -> None:
    """Have SQLite look at every page; BadInput when it finds a fault."""
    try:
        with closing(sqlite3.connect(file)) as database:
            found = [str(row[0]) for row in database.execute("PRAGMA integrity_check(3)")]
    except sqlite3.Error as error:
        found = [str(error)]
    if found != ["ok"]:
        raise BadInput(
            "the database {file} is damaged: keep it and call for help ({why})",
            file=named,
            why="; ".join(found),
        )


def rest(database: Path) -> None:
    """Have all of a database in its one file, with no journal beside it."""
    try:
        with closing(sqlite3.connect(database)) as file:
            file.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise Abandoned("{file} cannot be copied: {why}", file=database, why=error) from None


def _copy_database(source: Path, copy: Path) -> None:
    try:
        address = f"{source.absolute().as_uri()}?mode=ro"
        with (
            closing(sqlite3.connect(address, uri=True, timeout=10)) as here,
            closing(sqlite3.connect(copy)) as there,
        ):
            there.execute("PRAGMA synchronous = OFF")  # the tar file is what reaches the disk
            here.backup(there)  # in one step: writers of the source go on beside it
    except sqlite3.Error as error:
        raise Abandoned("{file} cannot be copied: {why}", file=source, why=error) from None
    rest(copy)
    check_database(copy, source)


def _add(tar: tarfile.TarFile, part: Part) -> None:
    """Add a file as long as it is now: one that grows meanwhile, as captures do, is cut there."""
    with part.source.open("rb") as file:
        status = os.fstat(file.fileno())
        info = tarfile.TarInfo(part.name)
        info.size = part.size = status.st_size
        info.mtime, info.mode = int(status.st_mtime), 0o600
        counted = _Hashing(file)
        tar.addfile(info, counted)  # type: ignore[arg-type]  # it only reads
        part.sha256 = counted.hash.hexdigest()


class _Hashing:
    """Reads a file and notes the digest of what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def read(self, size: int) -> bytes:
        block = self._file.read(size)
        self.hash.update(block)
        return block


class _Window(io.RawIOBase):
    """The first bytes of a file, as if it ended there."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file, self._length = file, length

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        begin = {0: 0, 1: self._file.tell(), 2: self._length}[whence]
        return self._file.seek(max(0, begin + offset))

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._length - self._file.tell())
        return self._file.read(left if size is None or size < 0 else min(size, left))


def _sealed(source: IO[bytes], file: Path) -> int:
    """Return how many bytes the digest at the end vouches for, once it is found right."""
    length = source.seek(0, os.SEEK_END) - _SEAL
    if length < 0:
        raise _damaged(file, "its end is missing")
    digest, left = hashlib.sha256(), length
    source.seek(0)
    while left and (block := source.read(min(_CHUNK, left))):
        digest.update(block)
        left -= len(block)
    if source.read() != f"\nsha256:{digest.hexdigest()}\n".encode():
        raise _damaged(file, "its digest is another one")
    return length


def _unpack(tar: tarfile.TarFile, file: Path, folder: Path) -> Backup:
    members = tar.getmembers()
    manifest = tar.extractfile(members[-1]) if members else None
    if manifest is None or members[-1].name != _MANIFEST:
        raise _damaged(file, "it has no manifest")
    about = json.loads(manifest.read())
    if about.get("schema") != _SCHEMA:
        raise BadInput("{file} is a backup of another version of this program", file=file)
    parts = []
    for member, told in zip(members[:-1], about.pop("files"), strict=True):
        place = folder / member.name
        if not member.isreg() or not place.resolve().is_relative_to(folder.resolve()):
            raise _damaged(file, "a name in it leads elsewhere")
        part = Part(member.name, place, bool(told["database"]), member.size)
        _extract(tar, member, place, part)
        if part.to_dict() != told:
            raise _damaged(file, "the manifest tells of other files")
        if part.database:
            check_database(place, place)
        parts.append(part)
    return Backup(about, parts)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path, part: Part) -> None:
    packed = tar.extractfile(member)
    if packed is None:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        while block := packed.read(_CHUNK):
            digest.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    part.sha256 = digest.hexdigest()


def _damaged(file: Path, why: object) -> BadInput:
    return BadInput("{file} is no whole backup: {why}; nothing was restored", file=file, why=why)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
