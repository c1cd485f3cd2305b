"""The records system at work: builds every part once, and runs what goes on beside the receiving."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from acquisition.clock_watch import ClockWatch
from acquisition.config import Premises
from acquisition.heartbeat import Beat
from acquisition.journal import Journal
from acquisition.progress import Progress
from acquisition.records_system import open_store
from acquisition.station import broker_address
from broker.access import RECORDS
from broker.failure import BrokerError
from broker.keyring import Signer
from broker.store import RecordStore, Totals
from broker.subscriber import Subscriber

log = Journal(__name__)


@dataclass(slots=True)
class StoreHeartbeat(Beat[RecordStore]):
    """The beat of a records system."""

    what = "store"
    holds: Totals | None = None
    """What the store held when it last answered."""

    async def _ask(self) -> None:
        self.holds = await self.keeper.probe()

    def _say(self, trouble: BrokerError | None) -> None:
        if trouble is None:
            log.info("the store can be written again", event="store_well")
        else:
            log.error(
                "the store cannot be written: {why}; no receipt is given until it can",
                event="store_failed",
                why=trouble,
            )


@dataclass(frozen=True, slots=True)
class Receiving:
    """A records system at work."""

    settings: Premises
    store: RecordStore
    subscriber: Subscriber
    signer: Signer
    clock: ClockWatch
    heart: StoreHeartbeat


@asynccontextmanager
async def receiving(settings: Premises, signer: Signer, name: str) -> AsyncIterator[Receiving]:
    """Store what stations deliver until the block ends; ``name`` tells apart who shares a store."""
    address = broker_address(settings, RECORDS)
    store = await open_store(settings)
    where = settings.store.records
    file = (
        where.with_name(f"{where.name}{f'-{name}' * bool(name)}")
        if isinstance(where, Path)
        else None
    )
    try:
        records = Receiving(
            settings,
            store,
            Subscriber(store, address, settings.office.code, signer.key, name=name),
            signer,
            ClockWatch(),
            StoreHeartbeat(store, file, Progress()),
        )
        async with asyncio.TaskGroup() as group:  # a fault that nobody foresaw ends the program
            tasks = [
                group.create_task(records.subscriber.run(), name="records system"),
                group.create_task(records.clock.run(), name="clock"),
                group.create_task(records.heart.run(), name="heart"),
            ]
            try:
                yield records
            finally:
                for task in tasks:
                    task.cancel()
    finally:
        await store.close()
