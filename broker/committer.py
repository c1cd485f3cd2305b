"""One SQLite file, one thread that writes it, one that reads it; neither is the event loop.

Knows durability: a write is answered only after its COMMIT has reached the disk (WAL,
synchronous=FULL), and writes that wait together share one transaction. Refuses to know what the
tables mean.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from broker.failure import BrokerError

T = TypeVar("T")

_TOGETHER = 256
"""Most writes in one transaction."""


class _Write:
    """Something to do inside a transaction, and who waits for it."""

    __slots__ = ("error", "future", "loop", "result", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], Any]) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def answer(self) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self.loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if self.future.done():  # cancelled while it was being committed
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Committer:
    """A durable SQLite file; ``failure`` is what its troubles are raised as."""

    def __init__(
        self, path: Path, tables: str, failure: type[BrokerError], busy_timeout: float
    ) -> None:
        self.path = path
        self._tables = tables
        self._failure = failure
        self._busy_timeout = busy_timeout
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._work, name=f"commit {path.name}", daemon=True)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix=f"read {path.name}")
        self._reading: sqlite3.Connection | None = None
        self._closed = False

    @classmethod
    async def open(
        cls, path: Path, tables: str, failure: type[BrokerError], busy_timeout: float = 5.0
    ) -> Self:
        """Open or make the file; ``busy_timeout`` [s] is the longest wait for another program."""
        committer = cls(path, tables, failure, busy_timeout)
        committer._writer.start()
        try:
            await committer.write(lambda _: None)  # the first answer tells whether it opened
        except BaseException:
            await committer.close()
            raise
        return committer

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do ``work`` in a transaction and return its result once that is committed."""
        if self._closed:
            raise self._failure("{file} is closed", file=self.path)
        item = _Write(work)
        self._queue.put(item)
        answer: T = await item.future
        return answer

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do ``work`` on a connection that cannot write."""
        if self._closed:
            raise self._failure("{file} is closed", file=self.path)
        return await asyncio.get_running_loop().run_in_executor(self._reader, self._read, work)

    async def close(self) -> None:
        """Commit what waits and close; closing twice is harmless."""
        self._closed = True
        self._queue.put(None)
        loop = asyncio.get_running_loop()
        with suppress(RuntimeError):  # closed before
            await loop.run_in_executor(self._reader, self._close_reading)
        await asyncio.to_thread(self._writer.join)
        self._reader.shutdown()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=self._busy_timeout, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._reading is None:
                self._reading = self._connect()
                self._reading.execute("PRAGMA query_only = ON")
            return work(self._reading)
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def _close_reading(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _work(self) -> None:
        connection: sqlite3.Connection | None = None
        trouble: BrokerError | None = None
        try:
            connection = self._connect()
            connection.executescript("BEGIN IMMEDIATE;" + self._tables + "COMMIT;")
        except sqlite3.Error as error:
            trouble = self._explain(error)
        last = False
        while not last:
            batch, last = self._next_batch()
            if connection is None or trouble is not None:
                for item in batch:
                    item.error = trouble
            elif batch:
                self._commit(connection, batch)
            for item in batch:
                item.answer()
        if connection is not None:
            connection.close()

    def _next_batch(self) -> tuple[list[_Write], bool]:
        """Wait for one write and take those that wait with it; True when it is time to close."""
        batch: list[_Write] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == _TOGETHER:
                return batch, False
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(self, connection: sqlite3.Connection, batch: list[_Write]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            for item in batch:
                self._do(connection, item)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                connection.execute("ROLLBACK")
            for item in batch:
                item.error = self._explain(error)

    def _do(self, connection: sqlite3.Connection, item: _Write) -> None:
        """Do one write; when it fails alone the others of its transaction go on."""
        connection.execute("SAVEPOINT one")
        try:
            item.result = item.work(connection)
        except sqlite3.Error as error:
            if not connection.in_transaction:  # SQLite gave up all of it, as when the disk is full
                raise
            connection.execute("ROLLBACK TO one")
            item.error = self._explain(error)
        except Exception as error:  # noqa: BLE001 - it is raised where the write was asked for
            connection.execute("ROLLBACK TO one")
            item.error = error
        connection.execute("RELEASE one")

    def _explain(self, error: sqlite3.Error) -> BrokerError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            text = "the disk or {file} is full: make room; what is committed stays"
        elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            text = "another program holds {file} locked: end it; what is committed stays"
        elif code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            text = "{file} is damaged or no such database: keep it and call for help ({why})"
        elif code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            text = "cannot open or write {file}: check the folder and its permissions"
        else:
            text = "{file} failed: {why}"
        return self._failure(text, file=self.path, why=error)
