"""The station's voice: publishes committed rows until each has its receipt.

One connection per bench, since a connection has one last will and one certificate. Knows
the outbox and the topics; knows no instrument, decides nothing, and a broker that is away is no
error: rows wait on disk.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from broker.address import BrokerAddress, Tls
from broker.bench_line import BenchLine, Shared
from broker.connection import Connector, client_id
from broker.failure import BrokerAway
from broker.outbox import Order, Outbox, wait_at_most
from broker.seal import Trust

_COMPARED_WITHIN = 3.0
"""Longest wait [s] before a bench's first run for what broker and records system know of it."""
_ALL_OUT = 2048
"""Most rows of a station that are out without a receipt."""
_WINDOW = (16, 256)
"""Fewest and most of them that one bench may have."""


async def reach(address: BrokerAddress, *, within: float = 3.0) -> str:
    """Return the MQTT version a broker answers with; BrokerAway after ``within`` [s]."""
    connector = Connector(address)
    try:
        async with asyncio.timeout(within), connector.connect(client_id(address, "reach")):
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
        trust: Trust,
        *,
        left_behind: Iterable[str] = (),
        certificates: Mapping[str, Tls] = MappingProxyType({}),
        station: str = "",
        publish_again: float = 2.0,
        longest_pause: float = 600.0,
        live_depth: int = 256,
    ) -> None:
        """Take ``benches`` as name to whether it is a trial; pauses are in seconds.

        ``trust`` are the keys whose receipts are taken. ``left_behind`` are benches that are no
        more, whose rows still wait: they are published, and nothing else is said for them.
        ``certificates`` are what benches show of themselves where connections are secured.
        ``station`` tells this station from a copy of it on another computer; with it a bench is
        claimed before anything is said for it, and Cloned is raised when it has another speaker.
        ``live_depth`` is how many indications of an instrument wait for their block at most.
        """
        self.outbox = outbox
        self.office = office
        every = (*benches, *left_behind)
        fewest, most = _WINDOW
        self._shared = Shared(
            outbox=outbox,
            office=office,
            software=dict(software),
            trust=trust,
            pauses=(publish_again, longest_pause),
            window=max(fewest, min(most, _ALL_OUT // max(1, len(every)))),
            live_depth=live_depth,
            station=station,
            moved=self.note_connection,
        )
        self._benches = {
            name: BenchLine(
                self._shared,
                name,
                replace(address, tls=certificates.get(name, address.tls)),
                trial=benches.get(name),
            )
            for name in dict.fromkeys(every)
        }
        self.connected = asyncio.Event()
        """Set while every bench is connected."""

    @property
    def benches(self) -> Mapping[str, BenchLine]:
        """Give the connection of each bench, to look at."""
        return self._benches

    @property
    def refused(self) -> int:
        """Count the receipts, questions and orders that were no such thing, or not for us."""
        return self._shared.refusals.count

    @property
    def denied(self) -> int:
        """Count the messages that the broker did not let us publish, as far as it says so."""
        return self._shared.denials.count

    @property
    def dropped(self) -> int:
        """Count the indications that no live block had room for."""
        return sum(bench.dropped for bench in self._benches.values())

    async def run(self) -> None:
        """Publish until cancelled; then every bench says that it is offline."""
        async with asyncio.TaskGroup() as group:
            for bench in self._benches.values():
                group.create_task(bench.run(), name=f"publisher {bench.name}")

    async def orders(self) -> AsyncIterator[Order]:
        """Yield each open order of which something remains; again when it is published anew.

        The outbox is what counts: an order that another program of the station has kept, or that
        was open at the start, is yielded all the same.
        """
        yielded: dict[str, int] = {}
        while True:
            news = self._shared.ordered
            for order in await self.outbox.orders():
                if order.remaining and yielded.get(order.order) != order.opening:
                    yielded[order.order] = order.opening
                    yield order
            await news.wait()

    async def compare_numbers(self, bench: str) -> None:
        """Wait a moment before a run until others were asked which numbers of a bench were given."""
        line = self._benches[bench]
        await wait_at_most(line.compared, _COMPARED_WITHIN)
        line.compared.set()  # a broker that does not even refuse is not waited for again

    def offer_live(self, bench: str, instrument: str, payload: Mapping[str, Any]) -> None:
        """Hand over an indication for the next live block; never waits."""
        self._benches[bench].offer_live(instrument, payload)

    def set_faults(self, bench: str, faults: Iterable[Mapping[str, str]]) -> None:
        """Say what is wrong at a bench; an empty list when nothing is."""
        self._benches[bench].set_faults(faults)

    def note_connection(self) -> None:
        """Set or clear ``connected`` after a bench's connection came or went."""
        if all(bench.online for bench in self._benches.values()):
            self.connected.set()
        else:
            self.connected.clear()
