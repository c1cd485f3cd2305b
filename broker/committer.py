"""One database, one thread that writes it, one that reads it; neither is the event loop.

Knows durability: a write is answered only after its COMMIT has returned, and writes that wait
together share one transaction. Refuses to know what the tables mean, and which database it is.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Generic, Self, TypeVar

from broker.failure import BrokerError
from broker.migration import NewerTables
from broker.rows_seam import C, Database

T = TypeVar("T")

_TOGETHER = 256
"""Most writes in one transaction."""


class _Write:
    """Something to do inside a transaction, and who waits for it."""

    __slots__ = ("error", "future", "loop", "result", "work")

    def __init__(self, work: Callable[[Any], Any]) -> None:
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


class Committer(Generic[C]):
    """A durable database; ``failure`` is what its troubles are raised as.

    ``then`` is done after each COMMIT and before anybody is answered; it must not fail.
    """

    def __init__(
        self,
        database: Database[C],
        failure: type[BrokerError],
        then: Callable[[C], None] | None = None,
    ) -> None:
        self._database = database
        self._failure = failure
        self._then = then
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        name = database.name.rpartition("/")[2]
        self._writer = threading.Thread(target=self._work, name=f"commit {name}", daemon=True)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix=f"read {name}")
        self._reading: C | None = None
        self._closed = False

    @classmethod
    async def open(
        cls,
        database: Database[C],
        failure: type[BrokerError],
        then: Callable[[C], None] | None = None,
    ) -> Self:
        """Open the database, or make it, with its tables as they are today."""
        committer = cls(database, failure, then)
        committer._writer.start()
        try:
            await committer.write(lambda _: None)  # the first answer tells whether it opened
        except BaseException:
            await committer.close()
            raise
        return committer

    @property
    def name(self) -> str:
        """Return what people call the database."""
        return self._database.name

    async def write(self, work: Callable[[C], T]) -> T:
        """Do ``work`` in a transaction and return its result once that is committed."""
        if self._closed:
            raise self._failure("{file} is closed", file=self.name)
        item = _Write(work)
        self._queue.put(item)
        answer: T = await item.future
        return answer

    async def read(self, work: Callable[[C], T]) -> T:
        """Do ``work`` on a connection that cannot write."""
        if self._closed:
            raise self._failure("{file} is closed", file=self.name)
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

    def _read(self, work: Callable[[C], T]) -> T:
        database = self._database
        try:
            if self._reading is None:
                self._reading = database.connect(reading=True)
            return work(self._reading)
        except database.errors as error:
            if self._reading is not None and not database.usable(self._reading):
                self._close_reading()
            raise self._explain(error) from error

    def _close_reading(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _work(self) -> None:
        connection: C | None = None
        trouble: BrokerError | None = None
        last = begun = False
        while not last:
            batch, last = self._next_batch()
            if connection is None and trouble is None and (batch or not begun):
                connection, trouble = self._open()
                begun = begun or connection is not None
            if connection is None:
                for item in batch:
                    item.error = trouble
            elif batch:
                self._commit(connection, batch)
                if not self._database.usable(connection):
                    connection.close()
                    connection = None
            if begun:  # what could be opened once is opened again; what never could be stays shut
                trouble = None
            for item in batch:
                item.answer()
        if connection is not None:
            connection.close()

    def _open(self) -> tuple[C | None, BrokerError | None]:
        connection: C | None = None
        try:
            connection = self._database.connect(reading=False)
            self._database.prepare(connection)
        except (self._database.errors, NewerTables) as error:
            if connection is not None:
                connection.close()
            return None, self._explain(error)
        return connection, None

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

    def _commit(self, connection: C, batch: list[_Write]) -> None:
        try:
            self._database.begin(connection)
            for item in batch:
                self._do(connection, item)
            connection.execute("COMMIT")
        except self._database.errors as error:
            with suppress(self._database.errors):  # it may have rolled back by itself
                connection.execute("ROLLBACK")
            for item in batch:
                item.error = self._explain(error)
        else:
            if self._then is not None:
                self._then(connection)

    def _do(self, connection: C, item: _Write) -> None:
        """Do one write; when it fails alone the others of its transaction go on."""
        connection.execute("SAVEPOINT one")
        try:
            item.result = item.work(connection)
        except self._database.errors as error:
            if not self._database.in_transaction(connection):  # all of it was given up
                raise
            connection.execute("ROLLBACK TO SAVEPOINT one")
            item.error = self._explain(error)
        except Exception as error:  # noqa: BLE001 - it is raised where the write was asked for
            connection.execute("ROLLBACK TO SAVEPOINT one")
            item.error = error
        connection.execute("RELEASE SAVEPOINT one")

    def _explain(self, error: Exception) -> BrokerError:
        return self._database.explain(error, self._failure)
