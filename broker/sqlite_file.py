"""A database that is one SQLite file: how it is opened, and what its errors mean to people.

Knows durability: WAL, and synchronous=FULL, so that a COMMIT has reached the disk when it returns.
"""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from broker.disk_trouble import disk_error, explain_disk
from broker.failure import BrokerError
from broker.migration import NewerTables, migrate

log = logging.getLogger(__name__)

_OF_THE_DISK = (
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
)
"""What SQLite says when the disk under the file is full or read-only, among other things."""

_AGAIN = 0.01
"""Pause [s] before a new file is asked again to write ahead."""


class SqliteFile:
    """One file; ``family`` names the tables that belong in it."""

    errors: type[Exception] = sqlite3.Error

    def __init__(
        self, path: Path, family: str, *, busy_timeout: float = 5.0, page_size: int = 4096
    ) -> None:
        """Take the file; ``busy_timeout`` [s] is the longest wait for another program.

        ``page_size`` [byte] is that of a new file; an old one keeps its own.
        """
        self.path = path
        self.name = str(path)
        self._family = family
        self._busy_timeout = busy_timeout
        self._page_size = page_size

    def connect(self, *, reading: bool) -> sqlite3.Connection:
        """Open or make the file."""
        connection = sqlite3.connect(self.path, timeout=self._busy_timeout, isolation_level=None)
        try:
            connection.execute(f"PRAGMA page_size = {self._page_size:d}")
            self._write_ahead(connection)
            connection.execute("PRAGMA synchronous = FULL")
            if reading:
                connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    def _write_ahead(self, connection: sqlite3.Connection) -> None:
        # SQLite itself does not wait here when two programs make a new file at the same moment.
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(_AGAIN)

    def prepare(self, rows: sqlite3.Connection) -> None:
        """Bring the tables up to date; nothing is changed where one step fails."""
        self.begin(rows)
        try:
            for step in migrate(rows, lambda script: run_script(rows, script), self._family):
                log.debug("%s: applied %s", self.path, step.name)
            rows.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                rows.execute("ROLLBACK")
            raise

    def begin(self, rows: sqlite3.Connection) -> None:
        """Begin as the one writer."""
        rows.execute("BEGIN IMMEDIATE")

    def in_transaction(self, rows: sqlite3.Connection) -> bool:
        """Say whether SQLite has not given up all of it, as when the disk is full."""
        return rows.in_transaction

    def usable(self, rows: sqlite3.Connection) -> bool:
        """Say that a file stays open."""
        return True

    def explain(self, error: Exception, failure: type[BrokerError]) -> BrokerError:
        """Return the sentence for what SQLite reports."""
        return explain(error, self.path, failure)


def explain(error: Exception, path: Path, failure: type[BrokerError]) -> BrokerError:
    """Return the sentence for what SQLite reports of a file."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _OF_THE_DISK and (disk := disk_error(path)) is not None:
        return explain_disk(disk, path, failure)
    if isinstance(error, NewerTables):
        text = "{file} was written by a newer version of this program: use that one"
    elif code == sqlite3.SQLITE_FULL:
        text = "the disk or {file} is full: make room; what is committed stays"
    elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        text = "another program holds {file} locked: end it; what is committed stays"
    elif code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        text = "{file} is damaged or no such database: keep it and call for help ({why})"
    elif code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        text = "cannot open or write {file}: check the folder and its permissions"
    elif code == sqlite3.SQLITE_IOERR:
        text = "the disk with {file} reports errors: save what is on it and replace it ({why})"
    else:
        text = "{file} failed: {why}"
    return failure(text, file=path, why=error)


def run_script(connection: sqlite3.Connection, script: str) -> None:
    """Run several statements in the transaction that is open; ``executescript`` would commit it."""
    for statement in _statements(script):
        connection.execute(statement)


def _statements(script: str) -> Iterator[str]:
    """Cut a script at the semicolons that end a statement: those of a trigger's body do not."""
    statement = ""
    for part in script.split(";")[:-1]:
        statement += f"{part};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
