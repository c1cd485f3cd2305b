"""The seam between what is written and where: rows of SQLite or of PostgreSQL, by one SQL.

Both understand the statements of outbox and store with ``?`` for each value; what they say
differently is each database's own affair.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from broker.failure import BrokerError

Script = Callable[[str], object]
"""Runs several statements in the transaction that is open."""


class Found(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """Return how many rows were changed."""

    def fetchone(self) -> Any:
        """Return the next row, None when there is none."""

    def fetchall(self) -> list[Any]:
        """Return the remaining rows."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the remaining rows."""


class Rows(Protocol):
    """An open connection, inside a transaction of its committer."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Found:
        """Run one statement."""

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> object:
        """Run one statement for each row of parameters."""

    def close(self) -> None:
        """Close the connection."""


C = TypeVar("C", bound=Rows)


class Database(Protocol[C]):
    """Where rows are kept. Its connections belong to the thread that opened them."""

    @property
    def name(self) -> str:
        """Return what people call it: a file, or a server without its password."""

    @property
    def errors(self) -> type[Exception]:
        """Return what its failures are raised as."""

    def connect(self, *, reading: bool) -> C:
        """Open a connection; one for reading cannot write."""

    def prepare(self, rows: C) -> None:
        """Bring the tables up to date, in a transaction of their own."""

    def begin(self, rows: C) -> None:
        """Begin a transaction and wait for the one writer's place in it."""

    def in_transaction(self, rows: C) -> bool:
        """Say whether the transaction is still open after an error inside it."""

    def usable(self, rows: C) -> bool:
        """Say whether the connection can go on after an error."""

    def explain(self, error: Exception, failure: type[BrokerError]) -> BrokerError:
        """Return what an error means to people, as a failure of that kind."""
