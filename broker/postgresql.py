"""A database on a PostgreSQL server: ``psycopg``'s only door.

Writers wait for one another at the beginning of a transaction, as they do in SQLite: numbers then
have no gaps, and whoever has seen record N has seen all before it. A server that goes away and
comes back is connected to again; what was being committed meanwhile is answered as failed, and
comes again.
"""

import logging
from collections.abc import Sequence
from functools import cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.pq import TransactionStatus

from broker.failure import BadSecret, BrokerError
from broker.migration import NewerTables, migrate

log = logging.getLogger(__name__)

_PLACE = 0x7E7A_5A21
"""The advisory lock that stands for the one writer's place."""

_OPTIONS = "-c synchronous_commit=on -c enable_seqscan=off"
"""Every question of ours has its index. Of a table that grows fast, as after a long time without a
broker, the server knows too little yet, and would rather read the whole of it for each."""


class PostgresRows:
    """A connection that takes the SQL of outbox and store."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self.connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> "psycopg.Cursor[Any]":
        """Run one statement."""
        return self.connection.execute(_with_places(sql), parameters)

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> None:
        """Run one statement for each row of parameters, without waiting for each answer."""
        with self.connection.cursor() as cursor:
            cursor.executemany(_with_places(sql), parameters)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class PostgresServer:
    """One database of a server, named by its URL; the password comes apart."""

    errors: type[Exception] = psycopg.Error

    def __init__(
        self, url: str, family: str, *, password: str | None = None, timeout: float = 5.0
    ) -> None:
        """Take the URL; ``timeout`` [s] is the longest wait for a connection or a lock."""
        if urlsplit(url).password is not None:
            raise BadSecret(
                "a password does not belong into the URL of the store: put it into a file of its own"
            )
        self.name = without_password(url)
        self._family = family
        self._password = password
        self._timeout = timeout

    def connect(self, *, reading: bool) -> PostgresRows:
        """Connect to the server."""
        connection = psycopg.connect(
            self.name,
            password=self._password,
            connect_timeout=max(2, round(self._timeout)),
            autocommit=True,
            application_name="tante-sari",
            options=f"{_OPTIONS} -c lock_timeout={round(self._timeout * 1000)}"
            + " -c default_transaction_read_only=on" * reading,
        )
        return PostgresRows(connection)

    def prepare(self, rows: PostgresRows) -> None:
        """Bring the tables up to date; nothing is changed where one step fails."""
        self.begin(rows)
        try:
            for step in migrate(rows, rows.connection.execute, self._family):
                log.debug("%s: applied %s", self.name, step.name)
            rows.execute("COMMIT")
        except BaseException:
            if self.usable(rows):
                rows.execute("ROLLBACK")
            raise

    def begin(self, rows: PostgresRows) -> None:
        """Begin as the one writer."""
        rows.execute("BEGIN")
        rows.execute("SELECT pg_advisory_xact_lock(?)", (_PLACE,))

    def in_transaction(self, rows: PostgresRows) -> bool:
        """Say whether the server still holds the transaction open."""
        status = rows.connection.info.transaction_status
        return status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)

    def usable(self, rows: PostgresRows) -> bool:
        """Say whether the connection still leads to the server."""
        return not rows.connection.closed

    def explain(self, error: Exception, failure: type[BrokerError]) -> BrokerError:
        """Return the sentence for what the server reports."""
        state = getattr(error, "sqlstate", None) or ""
        if isinstance(error, NewerTables):
            text = "{file} was written by a newer version of this program: use that one"
        elif state.startswith("53"):  # disk full, out of memory, too many connections
            text = "the server of {file} has no room: make room; what is committed stays ({why})"
        elif state in ("55P03", "57014"):
            text = "another program holds {file} locked: end it; what is committed stays"
        elif isinstance(error, psycopg.OperationalError):
            text = "the database {file} does not answer: look at its server and the network ({why})"
        else:
            text = "{file} failed: {why}"
        return failure(text, file=self.name, why=str(error).strip().partition("\n")[0])


def without_password(url: str) -> str:
    """Return a URL as it may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}@{host}"))


@cache
def _with_places(sql: str) -> str:
    return sql.replace("?", "%s")
