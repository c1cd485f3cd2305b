"""What several files of tests share: a PostgreSQL server, both kinds of store, and a disk."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import MISSING, PROGRAMS, Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run one server for all tests that want a database of their own on it."""
    if PROGRAMS is None:
        pytest.skip(MISSING)
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Return where an empty store may be: a file, and a database of a server."""
    if request.param == "sqlite":
        return tmp_path / "records.sqlite"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder with a file system of its own, which can be frozen and can fail."""
    if os.geteuid() != 0:
        pytest.skip("a file system is mounted only by root")
    if None in (shutil.which("mkfs.ext4"), shutil.which("fsfreeze")):
        pytest.skip("mkfs.ext4 or fsfreeze is not installed")
    image, folder = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(32_000_000)
    folder.mkdir()
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    mount = ["mount", "-o", "loop", str(image), str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a file system from a file")
    try:
        yield folder
    finally:
        subprocess.run(["fsfreeze", "-u", str(folder)], check=False, capture_output=True)
        subprocess.run(["umount", str(folder)], check=True)
