"""Files that only their owner may read: keys and passwords.

Knows modes and atomic replacement. Refuses to read a secret that others can read too, since then
it is none.
"""

import os
import stat
from pathlib import Path

from broker.failure import BadSecret


def read_private(path: Path) -> bytes:
    """Read a secret; BadSecret when it is missing or when its mode lets others read it."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise BadSecret(
                    "{file} can be read or written by others (mode {mode}): chmod 600 {file}",
                    file=path,
                    mode=f"{mode:04o}",
                )
            return file.read()
    except OSError as error:
        raise BadSecret("cannot read {file}: {why}", file=path, why=error.strerror) from None


def write_private(path: Path, content: bytes) -> None:
    """Write a secret that only its owner may read; after a power cut it is there whole or not."""
    write_whole(path, content, mode=0o600)


def write_whole(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Put a file in its place at once: the old content or the new one, never a part."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise BadSecret("cannot write {file}: {why}", file=path, why=error.strerror) from None


def sync_folder(folder: Path) -> None:
    """Have the names in a folder reach the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
