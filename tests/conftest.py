"""What several files of tests share: a PostgreSQL server, and both kinds of store."""

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
