"""The records system's ear: what arrives is stored, then receipted; what is missing is asked for.

Knows the order of things: records are committed before their receipt is published and before the
broker may forget them. A crash at any instant is covered twice, by the broker's session and by the
station, which publishes until the receipt is in. Knows no law and no instrument.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from broker.address import BrokerAddress, Topics
from broker.asking import Asking, Bench
from broker.bench_states import BenchStates
from broker.comeback import Comeback
from broker.connection import (
    Client,
    Connector,
    Message,
    MqttError,
    batches,
)
from broker.failure import BadRecord, BrokerError, ConflictingRecord, NotPermitted
from broker.record import KINDS, decode, encode, timestamp, validate
from broker.refusals import Refusals
from broker.seal import SigningKey, sign
from broker.store import Arrival, RecordStore

log = logging.getLogger(__name__)

_TOGETHER = 256
"""Most messages that are committed together."""


class Subscriber:
    """Takes records of one office from a broker into a store, for ever."""

    def __init__(
        self,
        store: RecordStore,
        address: BrokerAddress,
        office: str,
        key: Callable[[], SigningKey | None],
        *,
        name: str = "",
        ask_after: float = 2.0,
        ask_at_most_every: float = 3600.0,
    ) -> None:
        """Take ``key`` as what signs at the moment; pauses are in seconds.

        Subscribers that share a store have a ``name`` each, which stays the same from one start to
        the next: under it the broker keeps what arrives while this one is away.
        """
        self._store = store
        self._connector = Connector(address)
        self._client_id = f"{address.client_id}-records-{office}" + f"-{name}" * bool(name)
        self._office = office
        self._key = key
        self._keyless = False
        self._topics = (Topics(office), Topics(office, trial=True))
        self._asking = Asking(ask_after, ask_at_most_every)
        self._states = BenchStates(office)
        self._came: dict[tuple[str, bool], int] = {}
        self._heard = asyncio.Event()
        self._refusals = Refusals()
        self.ready = asyncio.Event()
        """Set while records are subscribed to."""
        self.accepted = 0
        """Records that were stored or were there already."""
        self.refused = 0
        """Messages that are no record of this office, or contradict one."""
        self.failed = 0
        """Records the store could not commit; they come again."""
        self.asked = 0
        """Questions for numbers that are missing."""
        self.connections = 0
        """Times it was connected."""
        self.denied = 0
        """Receipts and questions that the broker did not let us publish."""
        self.receipted = 0
        """Records whose receipt was published."""
        self.doubled = 0
        """Times that a number came which another verification of its bench bears."""

    @property
    def benches(self) -> Mapping[str, Bench]:
        """Return what is known of each bench since the first connection."""
        return self._asking.benches

    async def run(self) -> None:
        """Store and receipt until cancelled; a broker that is away is tried again for ever."""
        comeback = Comeback()
        while True:
            try:
                async with self._connector.connect(
                    self._client_id, keep_session=True, refused=self._note_denied
                ) as client:
                    version = self._connector.version
                    level = logging.DEBUG if comeback.short else logging.INFO  # no storm of them
                    log.log(
                        level, "records of office %s: connected, MQTT %s", self._office, version
                    )
                    comeback.made()
                    self.connections += 1
                    await self._serve(client)
            except* (BrokerError, MqttError) as group:
                level, why = comeback.broke(group)
                log.log(level, "records of office %s: %s", self._office, why)
            finally:
                self.ready.clear()
            await asyncio.sleep(comeback.pause())

    def _note_denied(self, topic: str, error: NotPermitted) -> None:
        self.denied += 1
        if self._refusals.is_news(topic, error):
            log.error("not published on %s: %s", topic, error)

    async def _serve(self, client: Client) -> None:
        for topics in self._topics:
            for filter_ in (topics.start("+"), topics.verdict("+")):
                await client.subscribe(filter_, qos=1)
        for bench, trial, came in await self._known_benches():
            self._asking.heard(bench, trial, time.monotonic(), came)
        self._states.forget()
        for filter_ in self._states.filters:
            await client.subscribe(filter_, qos=1)
        self.ready.set()
        async with asyncio.TaskGroup() as group:  # a broken line ends what is being sent over it
            group.create_task(self._ask(client))
            storing: asyncio.Task[None] | None = None
            async for batch in batches(client, _TOGETHER):
                items = self._read_all(batch)  # while those before are being committed
                if storing is not None:
                    await storing
                storing = group.create_task(self._take(client, group, batch, items))

    async def _known_benches(self) -> Sequence[tuple[str, bool, str]]:
        try:
            return await self._store.benches(self._office)
        except BrokerError as error:
            log.error("not looked at what is missing: %s", error)
            return ()

    async def _take(
        self,
        client: Client,
        group: asyncio.TaskGroup,
        batch: Sequence[Message],
        items: Sequence[Arrival],
    ) -> None:
        """Store what came together; then the broker may forget it, and the receipts go out."""
        answers = await self._keep(items) if items else {}
        client.acknowledge(batch)
        if answers:
            group.create_task(self._answer(client, answers))

    async def _answer(self, client: Client, answers: Mapping[tuple[str, bytes], int]) -> None:
        await client.publish_all(answers)
        self.receipted += sum(answers.values())

    async def _keep(self, items: Sequence[Arrival]) -> Mapping[tuple[str, bytes], int]:
        """Store records; return topic and body of each receipt, and for how many records it is."""
        try:
            numbers = await self._store.keep_all(items)
        except BrokerError as error:
            self.failed += len(items)
            self._asking.forget(time.monotonic())
            log.error("not stored, no receipt given: %s", error)
            return {}
        now, came = time.monotonic(), timestamp()
        stored: dict[tuple[str, bool], list[dict[str, Any]]] = {}
        claims = set[tuple[str, int]]()
        for item, number in zip(items, numbers, strict=True):
            if isinstance(number, ConflictingRecord):
                self.refused += 1
                log.error("CONFLICT: %s", number)
                continue
            self.accepted += 1
            claims.add((item.bench, item.number))
            self._asking.heard(item.bench, item.trial, now, came)
            stored.setdefault((item.bench, item.trial), []).append(
                {"kind": item.kind, "id": item.id, "digest": item.digest, "stored": number}
            )
        self._heard.set()
        await self._look_for_doubles(claims)
        return {
            answer: len(entries)
            for (bench, trial), entries in stored.items()
            if (answer := self._signed(bench, trial, _receipt(entries))) is not None
        }

    async def _look_for_doubles(self, claims: Collection[tuple[str, int]]) -> None:
        """Name a number that two verifications claim: one bench counts, somebody else spoke for it."""
        try:
            doubles = await self._store.claimed_twice(self._office, claims)
        except BrokerError as error:
            log.error("not looked at what is missing: %s", error)
            return
        self.doubled += len(doubles)
        for bench, number in doubles:
            conflict = ConflictingRecord(
                "two verifications claim the number {number} of bench {bench}: somebody else spoke for"
                " it, or it was copied; both are kept",
                number=number,
                bench=bench,
            )
            if self._refusals.is_news(bench, conflict):
                log.error("CONFLICT: %s", conflict)

    def _read_all(self, batch: Sequence[Message]) -> list[Arrival]:
        return [item for message in batch if (item := self._read(message)) is not None]

    def _read(self, message: Message) -> Arrival | None:
        """Read a record; it must be what its topic says it is."""
        topic, body = str(message.topic), bytes(message.payload)
        try:
            if self._states.is_one(topic):
                self._hear(topic, body)
                return None
            record = decode(body)
            kind = validate(record)
            if kind not in KINDS:
                raise BadRecord("a {kind} message is no record", kind=kind)
            topics = self._topics[1] if record["trial"] else self._topics[0]
            if record["office"] != self._office or topic != topics.record(kind, record["id"]):
                raise BadRecord(
                    "the {kind} {id} of office {office} does not belong on this topic",
                    kind=kind,
                    id=record["id"],
                    office=record["office"],
                )
        except BadRecord as error:
            self.refused += 1
            if self._refusals.is_news(topic, error):
                log.warning("refused on %s: %s", topic, error)
            return None
        return Arrival.of(record, body)

    def _hear(self, topic: str, body: bytes) -> None:
        """Note what a bench says of itself; an empty message clears what was retained."""
        if body:
            said = self._states.read(topic, body)
            self._asking.stated(said.bench, said.trial, said.delivered, time.monotonic())
            if said.came:
                self._came[said.bench, said.trial] = said.given
            self._heard.set()

    async def _tell(self, client: Client) -> None:
        """Tell each bench that came online how far its numbers go here."""
        while self._came:
            (bench, trial), given = self._came.popitem()
            try:
                number = await self._store.latest(self._office, bench, given)
            except BrokerError:
                self._came.setdefault((bench, trial), given)  # unless it has come again meanwhile
                raise
            latest = {"schema": "tera/latest/1", "number": number, "said": timestamp()}
            message = self._signed(bench, trial, latest)
            if message is not None:
                await client.publish(*message, qos=1)

    async def _ask(self, client: Client) -> None:
        """Ask each bench again for the numbers that are missing, after growing pauses."""
        while True:
            self._heard.clear()
            try:
                await self._tell(client)
                await self._look(client)
            except BrokerError as error:
                log.error("not looked at what is missing: %s", error)
                self._asking.forget(time.monotonic())
                await asyncio.sleep(1)
            try:
                async with asyncio.timeout(max(0.05, self._asking.next_due(time.monotonic()))):
                    await self._heard.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(0.05)  # a burst is looked at once

    async def _look(self, client: Client) -> None:
        for bench, trial, complete, delivered in self._asking.due(time.monotonic()):
            found = await self._store.missing(
                self._office, bench, complete=complete, delivered=delivered
            )
            self._asking.looked(bench, found, time.monotonic())
            if found.stretches:
                await self._ask_for(client, bench, trial, found.stretches)

    async def _ask_for(
        self, client: Client, bench: str, trial: bool, stretches: Iterable[tuple[int, int]]
    ) -> None:
        numbers = [list(stretch) for stretch in stretches]
        question = self._signed(
            bench, trial, {"schema": "tera/missing/1", "numbers": numbers, "asked": timestamp()}
        )
        if question is None:
            return
        self.asked += 1
        log.warning("bench %s: asked again for the numbers %s", bench, _said(numbers))
        await client.publish(*question, qos=1)

    def _signed(
        self, bench: str, trial: bool, message: Mapping[str, Any]
    ) -> tuple[str, bytes] | None:
        """Return topic and body of what is said to a bench; None when no key may sign today."""
        key = self._key()
        if key is None:
            if not self._keyless:
                log.error("no key may sign today: records are stored, and no receipt is given")
            self._keyless = True
            return None
        self._keyless = False
        topics = self._topics[1] if trial else self._topics[0]
        signed = sign({**message, "office": self._office, "bench": bench}, key)
        return topics.receipts(bench), encode(signed)


def _receipt(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the receipt for records of one bench; one alone is a message of its own kind."""
    now = timestamp()
    if len(entries) == 1:
        return {"schema": "tera/receipt/1", **entries[0], "received": now}
    return {"schema": "tera/receipts/1", "records": list(entries), "received": now}


def _said(numbers: Sequence[Sequence[int]]) -> str:
    stretches = [str(a) if a == b else f"{a}-{b}" for a, b in numbers[:10]]
    return ", ".join(stretches) + " ..." * (len(numbers) > 10)
