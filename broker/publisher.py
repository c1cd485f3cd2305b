"""The station's voice: publishes committed rows until each has its receipt.

One connection per bench, since a connection has one last will (and later one certificate). Knows
the outbox and the topics; knows no instrument, decides nothing, and a broker that is away is no
error: rows wait on disk.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from broker.address import BrokerAddress, Topics
from broker.backlog import Backlog
from broker.connection import Client, Connector, Message, MqttError, Will, batches, first, pauses
from broker.failure import BadRecord, BrokerAway, BrokerError
from broker.live import LiveBuffer
from broker.outbox import Order, Outbox, Row, read_order, wait_at_most
from broker.record import decode, encode, timestamp, validate

log = logging.getLogger(__name__)

_WINDOW = 64
"""Most rows of a bench that are out without a receipt."""
_LIVE_EVERY = 0.25
"""Pause [s] between two live blocks of an instrument."""
_LOOK_EVERY = 0.5
"""Pause [s] between two looks for rows that another program has committed."""


async def reach(address: BrokerAddress, *, within: float = 3.0) -> str:
    """Return the MQTT version a broker answers with; BrokerAway after ``within`` [s]."""
    connector = Connector(address)
    try:
        async with asyncio.timeout(within), connector.connect(_client_id(address, "reach")):
            return connector.version
    except TimeoutError:
        raise BrokerAway(
            "the MQTT broker at {host}:{port} did not answer within {seconds} s",
            host=address.host,
            port=address.port,
            seconds=within,
        ) from None


class Publisher:
    """Publishes the rows, states and live blocks of a station's benches, for ever."""

    def __init__(
        self,
        outbox: Outbox,
        address: BrokerAddress,
        office: str,
        benches: Mapping[str, bool],
        software: Mapping[str, str],
        *,
        on_order: Callable[[Order], None] | None = None,
        publish_again: float = 2.0,
        longest_pause: float = 60.0,
        live_depth: int = 256,
    ) -> None:
        """Take ``benches`` as name to whether it is a trial; pauses are in seconds.

        ``live_depth`` is how many indications of an instrument wait for their block at most.
        """
        self.outbox = outbox
        self.office = office
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        self._on_order = on_order or self._orders.put_nowait
        self._live_depth = live_depth
        self._benches = {
            name: _Bench(self, name, trial, address, software, publish_again, longest_pause)
            for name, trial in benches.items()
        }
        self.connected = asyncio.Event()
        """Set while every bench is connected."""
        self.refused = 0
        """Receipts and orders that were no such thing, or for something else."""

    async def run(self) -> None:
        """Publish until cancelled; then every bench says that it is offline."""
        async with asyncio.TaskGroup() as group:
            for bench in self._benches.values():
                group.create_task(bench.run(), name=f"publisher {bench.name}")

    async def orders(self) -> AsyncIterator[Order]:
        """Yield the open orders nobody has begun, then each new one, once."""
        seen = await self.outbox.orders(begun=False)
        for order in seen:
            yield order
        while True:
            order = await self._orders.get()
            if order not in seen:
                yield order

    def offer_live(self, bench: str, instrument: str, payload: Mapping[str, Any]) -> None:
        """Hand over an indication for the next live block; never waits."""
        live = self._benches[bench].live
        if instrument not in live:
            live[instrument] = LiveBuffer(self.office, bench, instrument, self._live_depth)
        live[instrument].offer(payload)

    def set_faults(self, bench: str, faults: Iterable[Mapping[str, str]]) -> None:
        """Say what is wrong at a bench; an empty list when nothing is."""
        self._benches[bench].faults = [dict(fault) for fault in faults]
        self._benches[bench].news.set()

    def note_connection(self) -> None:
        """Set or clear ``connected`` after a bench's connection came or went."""
        if all(bench.online for bench in self._benches.values()):
            self.connected.set()
        else:
            self.connected.clear()

    async def take_order(self, message: Message) -> None:
        """Keep an order and pass it on when it is new; an empty one closes it."""
        body = bytes(message.payload)
        if not body:  # a retained order that was cleared is finished
            await self.outbox.close_order(str(message.topic).rpartition("/")[2])
            return
        order = decode(body)
        validate(order, kind="order")
        if await self.outbox.put_order(order):
            self._on_order(read_order(order))


class _Bench:
    """One bench's connection and what goes over it."""

    def __init__(
        self,
        publisher: Publisher,
        name: str,
        trial: bool,
        address: BrokerAddress,
        software: Mapping[str, str],
        publish_again: float,
        longest_pause: float,
    ) -> None:
        self.name = name
        self.online = False
        self.faults: list[dict[str, str]] = []
        self.live: dict[str, LiveBuffer] = {}
        self.news = asyncio.Event()
        self._publisher = publisher
        self._outbox = publisher.outbox
        self._office = publisher.office
        self._topics = Topics(self._office, trial)
        self._receipts = {Topics(self._office, t).receipts(name) for t in (False, True)}
        self._connector = Connector(address)
        self._client_id = _client_id(address, name)
        self._software = dict(software)
        self._pauses = (publish_again, longest_pause)
        self._backlog = Backlog(_WINDOW, *self._pauses)
        self._connected_at = timestamp()

    async def run(self) -> None:
        tries = 0
        while True:
            try:
                self._connected_at = timestamp()
                will = Will(self._topics.state(self.name), self._state("offline"), 1, True)
                async with self._connector.connect(self._client_id, will=will) as client:
                    log.info("bench %s: connected, MQTT %s", self.name, self._connector.version)
                    tries = 0
                    await self._serve(client)
            except* (MqttError, BrokerError) as group:
                level = logging.WARNING if tries == 0 else logging.DEBUG
                log.log(level, "bench %s: %s; verdicts wait on disk", self.name, first(group))
            finally:
                self.online = False
                self._publisher.note_connection()
            await asyncio.sleep(pauses(tries))
            tries += 1

    async def _serve(self, client: Client) -> None:
        for topic in (*self._receipts, *self._order_filters()):
            await client.subscribe(topic, qos=1)
        await self._say(client, "online")
        self.online = True
        self._publisher.note_connection()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(client))
                group.create_task(self._drain(client))
                group.create_task(self._report(client))
                group.create_task(self._show(client))
        finally:
            with suppress(MqttError):  # a broken connection speaks its last will instead
                await self._say(client, "offline", within=2.0)

    def _order_filters(self) -> tuple[str, str]:
        return Topics(self._office).order("+"), Topics(self._office, trial=True).order("+")

    async def _listen(self, client: Client) -> None:
        async for batch in batches(client, 256):
            await asyncio.gather(*(self._hear(message) for message in batch))

    async def _hear(self, message: Message) -> None:
        topic = str(message.topic)
        try:
            if topic in self._receipts:
                await self._take_receipt(bytes(message.payload))
            else:
                await self._publisher.take_order(message)
        except BrokerError as error:
            self._publisher.refused += 1
            log.warning("bench %s: refused on %s: %s", self.name, topic, error)

    async def _take_receipt(self, body: bytes) -> None:
        receipt = decode(body)
        validate(receipt, kind="receipt")
        if receipt["office"] != self._office or receipt["bench"] != self.name:
            raise BadRecord("a receipt for another bench, {bench}", bench=receipt["bench"])
        self._backlog.receipted(await self._outbox.stamp_receipt(receipt))

    async def _drain(self, client: Client) -> None:
        """Publish what is pending in order; again, with growing pauses, what has no receipt."""
        backlog = self._backlog = Backlog(_WINDOW, *self._pauses)
        while True:
            change = self._outbox.change
            rows = await self._again(backlog)
            if backlog.room:
                rows += await self._outbox.pending(
                    backlog.room, bench=self.name, after=backlog.last
                )
            if rows:
                await self._publish(client, backlog, rows)
            else:
                pause = max(0.0, backlog.next_due(time.monotonic()))
                await wait_at_most(change, min(pause, _LOOK_EVERY))

    async def _again(self, backlog: Backlog) -> list[Row]:
        """Return the rows that are due again; forget those another program saw receipted."""
        due = backlog.due(time.monotonic())
        if not due:
            return []
        here = await self._outbox.pending(
            len(due) + _WINDOW, bench=self.name, after=due[0] - 1, through=due[-1]
        )
        rows = [row for row in here if row.seq in due]
        for seq in set(due) - {row.seq for row in rows}:
            backlog.forget(seq)
        return rows

    async def _publish(self, client: Client, backlog: Backlog, rows: list[Row]) -> None:
        now = time.monotonic()
        for row in rows:  # before the receipt can come
            backlog.sent(row.seq, now)
        async with asyncio.TaskGroup() as group:  # tasks begin in order, and so do the messages
            for row in rows:
                topic = Topics(self._office, row.trial).record(row.kind, row.id)
                group.create_task(client.publish(topic, row.body, qos=1))
        await self._outbox.stamp_published(rows)

    async def _report(self, client: Client) -> None:
        while True:
            await self.news.wait()
            self.news.clear()
            await self._say(client, "online")

    async def _show(self, client: Client) -> None:
        while True:
            await asyncio.sleep(_LIVE_EVERY)
            for instrument, buffer in list(self.live.items()):
                block = buffer.take_block()
                if block is not None:
                    await client.publish(self._topics.live(self.name, instrument), block, qos=0)

    async def _say(self, client: Client, state: str, *, within: float = 10.0) -> None:
        topic = self._topics.state(self.name)
        await client.publish(topic, self._state(state), qos=1, retain=True, timeout=within)

    def _state(self, state: str) -> bytes:
        return encode(
            {
                "schema": "tera/state/1",
                "office": self._office,
                "bench": self.name,
                "state": state,
                "connected": self._connected_at,
                "faults": self.faults,
                "software": self._software,
            }
        )


def _client_id(address: BrokerAddress, name: str) -> str:
    """Return a fresh client identifier: two programs of a station never push each other out."""
    return f"{address.client_id}-{name}-{uuid.uuid4().hex[:8]}"
