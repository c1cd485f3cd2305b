"""One bench's connection, and what goes over it in both directions.

Out go committed rows until each has its receipt, the bench's state, and live blocks. In come
receipts, questions for what is missing, and orders. Nothing that comes in is believed because of
the topic it came on: receipts and questions are signed, and what is refused is counted and named.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from broker.address import BrokerAddress, Topics
from broker.claim import Holder, claim
from broker.comeback import Comeback
from broker.connection import (
    Client,
    Connector,
    Message,
    MqttError,
    Will,
    batches,
    client_id,
)
from broker.failure import BadRecord, BrokerError, Cloned, NotPermitted
from broker.live import LiveBuffer
from broker.numbering import Numbers
from broker.outbox import Outbox
from broker.record import decode, encode, kind_of, timestamp, validate
from broker.refusals import Refusals
from broker.seal import Trust
from broker.sending import Sending

log = logging.getLogger(__name__)

_ANSWER_WITHIN = 2.0
"""So long [s] after a connection a records system has told the numbers that it knows, or is away."""
_FARTHEST = 1_000_000
"""No bench gives so many numbers that its outbox knows nothing of; whoever says so invents."""
_COUNT_EVERY = 5.0
"""Least pause [s] between two statements of a bench's numbers."""
_SIGNED_AT = {"receipt": "received", "receipts": "received", "missing": "asked", "latest": "said"}
"""What a records system says, and where each message has the time of its signature."""
_LIVE_EVERY = 0.25
"""Pause [s] between two live blocks of an instrument."""


@dataclass(slots=True)
class Shared:
    """What the benches of a station have in common."""

    outbox: Outbox
    office: str
    software: dict[str, str]
    trust: Trust
    """Keys whose receipts and questions are taken."""
    pauses: tuple[float, float]
    """First and longest pause [s] before a row goes out again."""
    window: int
    """Most rows of a bench that are out without a receipt."""
    live_depth: int
    station: str
    """Tells this station from its copies; empty where nobody cares."""
    moved: Callable[[], None]
    """Called when a connection came or went."""
    refusals: Refusals = field(default_factory=Refusals)
    """What the benches were sent and did not take."""
    denials: Refusals = field(default_factory=Refusals)
    """What the broker did not let the benches publish."""
    ordered: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and replaced, when orders should be looked at."""

    def note_order(self) -> None:
        """Have whoever works off orders look at them again."""
        self.ordered.set()
        self.ordered = asyncio.Event()


class BenchLine:
    """One bench's connection; with ``trial`` None it is a bench that is no more."""

    def __init__(
        self, shared: Shared, name: str, address: BrokerAddress, *, trial: bool | None
    ) -> None:
        self.name = name
        self.online = False
        self.connections = 0
        """Times that the broker has accepted a connection."""
        self._faults: list[dict[str, str]] = []
        self._live: dict[str, LiveBuffer] = {}
        self._news = asyncio.Event()
        self._shared = shared
        self._gone = trial is None
        self._topics = Topics(shared.office, bool(trial))
        self._receipts = {Topics(shared.office, t).receipts(name) for t in (False, True)}
        self._orders = {Topics(shared.office, t).order("+")[:-1] for t in (False, True)}
        self._connector = Connector(address)
        self._address = address
        self._client_id = client_id(address, name)
        self._sending = Sending(shared.outbox, shared.office, name, shared.window, shared.pauses)
        self._connected_at = timestamp()
        self._holder = Holder(name, shared.station)
        self._lost: Cloned | None = None
        self._numbers = Numbers()
        self._older = ""
        self.compared = asyncio.Event()
        """Set once others were asked which numbers were given, or nobody can be asked."""

    @property
    def dropped(self) -> int:
        """Count the indications that no live block had room for."""
        return sum(buffer.dropped for buffer in self._live.values())

    def offer_live(self, instrument: str, payload: Mapping[str, Any]) -> None:
        """Hand over an indication for the next live block; never waits."""
        if instrument not in self._live:
            shared = self._shared
            self._live[instrument] = LiveBuffer(
                shared.office, self.name, instrument, shared.live_depth
            )
        self._live[instrument].offer(payload)

    def set_faults(self, faults: Iterable[Mapping[str, str]]) -> None:
        """Say what is wrong; an empty list when nothing is."""
        self._faults = [dict(fault) for fault in faults]
        self._news.set()

    async def run(self) -> None:
        """Serve the bench until cancelled; a broker that is away is tried again for ever."""
        comeback = Comeback()
        while True:
            try:
                self._connected_at = timestamp()
                self._numbers = await self._shared.outbox.numbers(self.name)
                async with self._connector.connect(
                    self._client_id, will=self._will(), refused=self._note_denied
                ) as client:
                    log.info("bench %s: connected, MQTT %s", self.name, self._connector.version)
                    comeback.made()
                    self.connections += 1
                    await self._serve(client)
            except* Cloned:
                raise
            except* (MqttError, BrokerError) as group:
                level, why = comeback.broke(group)
                log.log(level, "bench %s: %s; verdicts wait on disk", self.name, why)
                if comeback.short:  # who knows our identifier pushes us out: not a second time
                    self._client_id = client_id(self._address, self.name)
            finally:
                self.online = False
                self._shared.moved()
            self.compared.set()  # runs do not wait for a broker that is away
            await asyncio.sleep(comeback.pause())

    def _will(self) -> Will | None:
        if self._gone:
            return None
        return Will(
            self._topics.state(self.name), self._state("offline", numbers=self._numbers), 1, True
        )

    async def _serve(self, client: Client) -> None:
        given = 0
        if self._shared.station and not self._gone:
            state = self._topics.state(self.name)
            statement = self._state(
                "online", numbers=None
            )  # what is said to it now is not heard yet
            given = await claim(client, state, statement, self.name, self._shared.station)
            self._holder = Holder(self.name, self._shared.station)
        for topic in self._receipts:
            await client.subscribe(topic, qos=1)
        if not self._gone:
            for prefix in self._orders:
                await client.subscribe(f"{prefix}+", qos=1)
            try:
                await self._compare(given, stored=False)
            except BadRecord as error:
                self._refuse(self._topics.state(self.name), error)
            await self._say(client, "online")
        self.online = True
        self._shared.moved()
        wait = _ANSWER_WITHIN if self._shared.trust.keys else 0.0  # nobody else's answer counts
        asyncio.get_running_loop().call_later(wait, self.compared.set)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(client))
                group.create_task(self._sending.drain(client, group))
                group.create_task(self._sending.answer(client))
                if not self._gone:
                    group.create_task(self._report(client))
                    group.create_task(self._count())
                    group.create_task(self._show(client))
        finally:
            if not self._gone:
                with suppress(MqttError, BrokerError):  # a broken connection speaks its last will
                    self._numbers = await self._shared.outbox.numbers(self.name)
                    await self._say(client, "offline", within=2.0)

    async def _listen(self, client: Client) -> None:
        async for batch in batches(client, 256):
            await asyncio.gather(*(self._hear(message) for message in batch))

    async def _hear(self, message: Message) -> None:
        topic = str(message.topic)
        try:
            if topic in self._receipts:
                await self._take_receipt(topic, bytes(message.payload))
            elif topic == self._topics.state(self.name):
                self._hear_state(bytes(message.payload))
            elif topic.rpartition("/")[0] + "/" in self._orders:
                await self._take_order(topic, bytes(message.payload))
            else:  # amqtt hands over every retained message, whatever was subscribed to
                log.debug("bench %s: not asked for: %s", self.name, topic)
        except BrokerError as error:
            self._refuse(topic, error)

    def _hear_state(self, body: bytes) -> None:
        """Say again that we are here when somebody denies it."""
        if self._gone or not self._shared.station:
            return
        try:
            again = self._holder.hear(body, self._connected_at)
        except Cloned as error:
            self._lost, again = error, True
        if again:
            self._news.set()

    async def _take_receipt(self, topic: str, body: bytes) -> None:
        """Take what the records system says to this bench, once its signature is found good."""
        said = decode(body)
        kind = kind_of(said)
        if kind not in _SIGNED_AT:
            raise BadRecord("a {kind} was expected here, not a {found}", kind="receipt", found=kind)
        if said.get("office") != self._shared.office or said.get("bench") != self.name:
            raise BadRecord(
                "a receipt for another bench, {bench}", bench=repr(said.get("bench"))[:80]
            )
        signed = said.get(_SIGNED_AT[kind])
        self._shared.trust.check(said, signed=signed if isinstance(signed, str) else "")
        validate(said)
        if kind == "missing":
            self._sending.asked([(begin, end) for begin, end in said["numbers"]])
            return
        if kind == "latest":
            await self._compare(int(said["number"]), stored=True)
            self.compared.set()
            self._sending.hurry()
            return
        stamped = await self._shared.outbox.stamp_receipt(said)
        self._sending.receipted(stamped.seqs)
        for trouble in stamped.troubles:
            self._refuse(topic, trouble)

    async def _compare(self, given: int, *, stored: bool) -> None:
        """Say it when a number was given that is not here: then no number is given any more.

        BadRecord when it cannot be: a bench that took it would soon have no number left.
        """
        if given > self._numbers.given + _FARTHEST:
            raise BadRecord(
                "number {number} was not given here, where {last} is the last",
                number=given,
                last=self._numbers.given,
            )
        older = await self._shared.outbox.note_given(self.name, given, stored=stored)
        if older is not None and str(older) != self._older:
            log.error("%s", older)
        self._older = str(older or "")
        await self._look_at_numbers()

    async def _count(self) -> None:
        """Say which numbers are given and delivered, now and then while they change."""
        while True:
            change = self._shared.outbox.change(self.name)
            if await self._look_at_numbers():
                await asyncio.sleep(_COUNT_EVERY)
            else:
                await change.wait()

    async def _look_at_numbers(self) -> bool:
        """Have the numbers of the bench said if they have changed; return whether they have."""
        before, self._numbers = self._numbers, await self._shared.outbox.numbers(self.name)
        if self._numbers != before:
            self._news.set()
        return self._numbers != before

    def _refuse(self, topic: str, error: BrokerError) -> None:
        if self._shared.refusals.is_news(topic, error):
            log.warning("bench %s: refused on %s: %s", self.name, topic, error)

    def _note_denied(self, topic: str, error: NotPermitted) -> None:
        if self._shared.denials.is_news(topic, error):
            log.error("bench %s: not published on %s: %s", self.name, topic, error)

    async def _take_order(self, topic: str, body: bytes) -> None:
        """Keep an order; an empty one closes it."""
        name = topic.rpartition("/")[2]
        if not body:  # a retained order that was cleared is finished
            await self._shared.outbox.close_order(name)
            return
        order = decode(body)
        validate(order, kind="order")
        if order["order"] != name:
            raise BadRecord(
                "the order {order} came on the topic of another one", order=order["order"]
            )
        await self._shared.outbox.put_order(order)
        self._shared.note_order()  # also where another program has kept it a moment before

    async def _report(self, client: Client) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if self._lost is not None:
                raise self._lost
            await self._say(client, "online")

    async def _show(self, client: Client) -> None:
        while True:
            await asyncio.sleep(_LIVE_EVERY)
            for instrument, buffer in list(self._live.items()):
                block = buffer.take_block()
                if block is not None:
                    await client.publish(self._topics.live(self.name, instrument), block, qos=0)
                    await asyncio.sleep(0)  # the lines have their turn: many blocks take long

    async def _say(self, client: Client, state: str, *, within: float = 10.0) -> None:
        topic = self._topics.state(self.name)
        body = self._state(state, numbers=self._numbers)
        await client.publish(topic, body, qos=1, retain=True, timeout=within)

    def _state(self, state: str, *, numbers: Numbers | None) -> bytes:
        return encode(
            {
                "schema": "tera/state/1",
                "office": self._shared.office,
                "bench": self.name,
                "state": state,
                **({"station": self._shared.station} if self._shared.station else {}),
                "connected": self._connected_at,
                **({} if numbers is None else {"numbers": numbers.to_message()}),
                "faults": self._faults,
                "software": self._shared.software,
            }
        )
