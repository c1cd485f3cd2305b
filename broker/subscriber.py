"""The records system's ear: what arrives is stored, and then receipted.

Knows the order of things: a record is committed before its receipt is published. The broker is
told of the arrival earlier than that (paho acknowledges by itself), so a crash in between is
covered by the station, which publishes until the receipt is in. Knows no law and no instrument.
"""

import asyncio
import logging
from typing import Any

from broker.address import BrokerAddress, Topics
from broker.connection import Client, Connector, Message, MqttError, batches, first, pauses
from broker.failure import BadRecord, BrokerAway, BrokerError, ConflictingRecord
from broker.record import decode, digest, encode, kind_of, timestamp, validate
from broker.store import RecordStore

log = logging.getLogger(__name__)

_TOGETHER = 256
"""Most messages that are committed together."""


class Subscriber:
    """Takes records of one office from a broker into a store, for ever."""

    def __init__(self, store: RecordStore, address: BrokerAddress, office: str) -> None:
        self._store = store
        self._connector = Connector(address)
        self._client_id = f"{address.client_id}-records-{office}"
        self._office = office
        self._topics = (Topics(office), Topics(office, trial=True))
        self.ready = asyncio.Event()
        """Set while records are subscribed to."""
        self.accepted = 0
        """Records that were stored or were there already, each with its receipt."""
        self.refused = 0
        """Messages that are no record of this office, or contradict one."""
        self.failed = 0
        """Records the store could not commit; they come again."""

    async def run(self) -> None:
        """Store and receipt until cancelled; a broker that is away is tried again for ever."""
        tries = 0
        while True:
            try:
                async with self._connector.connect(self._client_id, keep_session=True) as client:
                    tries = 0
                    await self._listen(client)
            except* (BrokerAway, MqttError) as group:
                level = logging.WARNING if tries == 0 else logging.DEBUG
                log.log(level, "records of office %s: %s", self._office, first(group))
            finally:
                self.ready.clear()
            await asyncio.sleep(pauses(tries))
            tries += 1

    async def _listen(self, client: Client) -> None:
        for topics in self._topics:
            for filter_ in (topics.start("+"), topics.verdict("+")):
                await client.subscribe(filter_, qos=1)
        self.ready.set()
        async with asyncio.TaskGroup() as sending:  # a broken line ends what is being sent over it
            async for batch in batches(client, _TOGETHER):
                for answer in await asyncio.gather(*(self._take(message) for message in batch)):
                    if answer is not None:
                        sending.create_task(client.publish(*answer, qos=1))

    async def _take(self, message: Message) -> tuple[str, bytes] | None:
        """Store one message; return topic and body of its receipt."""
        topic, body = str(message.topic), bytes(message.payload)
        try:
            record = self._read(topic, body)
            stored = await self._store.keep(record, body)
        except ConflictingRecord as error:
            self.refused += 1
            log.error("CONFLICT on %s: %s", topic, error)
        except BadRecord as error:
            self.refused += 1
            log.warning("refused on %s: %s", topic, error)
        except BrokerError as error:
            self.failed += 1
            log.error("not stored, no receipt given: %s", error)
        else:
            self.accepted += 1
            return self._receipt(record, body, stored)
        return None

    def _read(self, topic: str, body: bytes) -> dict[str, Any]:
        """Read a record; it must be what its topic says it is."""
        record = decode(body)
        kind = validate(record)
        if kind not in ("start", "verdict", "abandonment"):
            raise BadRecord("a {kind} message is no record", kind=kind)
        topics = self._topics[1] if record["trial"] else self._topics[0]
        if record["office"] != self._office or topic != topics.record(kind, record["id"]):
            raise BadRecord(
                "the {kind} {id} of office {office} does not belong on this topic",
                kind=kind,
                id=record["id"],
                office=record["office"],
            )
        return record

    def _receipt(self, record: dict[str, Any], body: bytes, stored: int) -> tuple[str, bytes]:
        receipt = {
            "schema": "tera/receipt/1",
            "office": self._office,
            "bench": record["bench"],
            "kind": kind_of(record),
            "id": record["id"],
            "digest": digest(body),
            "stored": stored,
            "received": timestamp(),
        }
        topics = self._topics[1] if record["trial"] else self._topics[0]
        return topics.receipts(record["bench"]), encode(receipt)
