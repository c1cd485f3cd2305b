"""A whole office of real processes: ``tera run``, ``tera records serve`` and Mosquitto."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from acquisition.config import load_station
from broker.keyring import as_toml, make_key
from broker.outbox import Outbox
from broker.store import RecordStore
from tests.mosquitto import Mosquitto
from tests.stations import (
    line_with,
    order,
    publish_order,
    scale_bench,
    tera_at_work,
    write_station,
)

OFFICE = """
[office]
code = "3516"
[console]
language = "en"
[broker]
port = {port}
[store]
records = "{where}"
"""


class Office:
    """One bench with a simulated scale, and a records system, each with a folder of its own."""

    def __init__(self, folder: Path, broker: Mosquitto, where: Path | str | None = None) -> None:
        self.broker = broker
        self.bench, self.office = folder / "bench", folder / "office"
        self.bench.mkdir()
        self.office.mkdir()
        self.store = where or self.office / "store" / "records.sqlite"
        self.records = self.office / "config.toml"
        self.records.write_text(OFFICE.format(port=broker.port, where=self.store), encoding="utf-8")
        self.key = self.new_key()
        """What the station enters of the first key of the records system."""
        self.write(self.key)
        self._orders = 0

    @property
    def station(self) -> Path:
        """Return the configuration of the station."""
        return self.bench / "config.toml"

    @property
    def outbox(self) -> Path:
        """Return the outbox of the station."""
        return load_station(self.station).store.outbox

    def new_key(self, first: int = -1, last: int = 365) -> str:
        """Make a key for the records system that counts from one day to another, today being 0.

        Return what a station enters of it.
        """
        today = datetime.now(UTC).date()
        days = (today + timedelta(days=first), today + timedelta(days=last))
        return as_toml(make_key(self.office / "data" / "keys", *days), "[[records.trusted]]")

    def write(self, trusted: str, *benches: str) -> None:
        """Write the configuration of the station; ``trusted`` are keys of receipts."""
        benches = benches or (scale_bench(),)
        write_station(self.bench, *benches, broker=self.broker.port, more=trusted)

    @asynccontextmanager
    async def receiving(
        self, **more: Mapping[str, str]
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run the records system; it is stopped as its administrator does."""
        command = ("records", "serve", "--config", self.records)
        async with tera_at_work(*command, **more) as serving:  # type: ignore[arg-type]
            await line_with(serving.stderr, "the records system of office 3516 runs")
            yield serving
            await stop(serving)

    @asynccontextmanager
    async def working(
        self, *options: str, **more: Mapping[str, str]
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run the station until it is switched off in the evening."""
        command = ("run", "--config", self.station, *options)
        async with tera_at_work(*command, **more) as service:  # type: ignore[arg-type]
            yield service
            await stop(service)

    async def verify(self, service: asyncio.subprocess.Process) -> str:
        """Order a verification, and withdraw it when it is done; return what the log says of it."""
        self._orders += 1
        name = f"P-{self._orders}"
        await publish_order(self.broker, order(name, "timbangan-1"))
        while True:
            said = await line_with(service.stderr, f"order {name}: timbangan-1")
            if "is verified as number" not in said:
                break
        await publish_order(self.broker, order(name, "timbangan-1"), withdrawn=True)
        return said

    async def stored(self, records: int) -> dict[tuple[str, int, str], str]:
        """Wait until so many records are stored, and return the digest of each."""
        store = await RecordStore.open(self.store)
        try:
            async with asyncio.timeout(30):
                while await store.count() < records:
                    await asyncio.sleep(0.05)
            assert await store.gaps() == ()
            assert await store.conflicts() == ()
            return {(r.bench, r.number, r.kind): r.digest for r in await store.list()}
        finally:
            await store.close()

    async def receipted(self) -> None:
        """Wait until the station has the receipt of everything that it committed."""
        outbox = await Outbox.open(self.outbox)
        try:
            async with asyncio.timeout(30):
                await outbox.wait_until_receipted()
        finally:
            await outbox.close()


async def stop(process: asyncio.subprocess.Process) -> None:
    """End a program as the service manager does, and have it end well."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await process.wait() == 0


def copy_of(file: Path, beside: str) -> Path:
    """Copy the folder in which a database lies, as a backup program does while nobody is at work."""
    return Path(shutil.copytree(file.parent, file.parent.with_name(beside)))


def put_back(copy: Path, file: Path) -> None:
    """Put such a copy in the place of what there is now."""
    shutil.rmtree(file.parent)
    shutil.copytree(copy, file.parent)
