"""Which of two programs may speak for a bench, when a station was copied to a second computer.

Whoever connects states on the bench's state topic that it is online, as which station, and listens
there. The broker gives everybody the same order: who finds the statement of another station before
his own must wait whether that one is alive and answers; the one who was there first answers at
once. A station that was switched off without a word does not answer, and its place is free. Should
both have come to hold a bench, because an answer took too long, the one that connected last goes.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from broker.connection import Client
from broker.failure import BadRecord, Cloned
from broker.record import decode

log = logging.getLogger(__name__)

_ANSWER_WITHIN = 5.0
"""How long another station has time to answer that it is alive [s]."""
_CONTRADICTIONS = 3
"""So many statements of another station that come although it was answered show that it holds too."""


_LARGEST = 2**53
"""No number is larger: JSON readers everywhere have them exact below it."""


async def claim(client: Client, topic: str, statement: bytes, bench: str, station: str) -> int:
    """State that this station is online at a bench; Cloned when another one is already.

    Returns the highest number of the bench that was given, as it was stated before; 0 for none.
    """
    await client.subscribe(topic, qos=1)
    await client.publish(topic, statement, qos=1, retain=True)
    stated, rival, given = False, "", 0
    try:
        async with asyncio.timeout(_ANSWER_WITHIN):
            async for message in client.messages:
                if str(message.topic) != topic:  # amqtt hands over what nobody subscribed to
                    continue
                said = state_in(bytes(message.payload))
                given = max(given, _given_in(said))
                other = str(said.get("station") or "")
                if other == station:
                    stated = True
                    if not rival:
                        return given
                elif not other or said.get("state") != "online":
                    rival = "" if other == rival else rival  # it has left
                    if stated and not rival:
                        return given
                elif stated and rival:
                    raise _cloned(bench, said)
                else:
                    rival = other
    except TimeoutError:
        pass  # nobody answers
    return given


class Holder:
    """One who holds a bench and hears what else is said of it."""

    def __init__(self, bench: str, station: str) -> None:
        self._bench = bench
        self._station = station
        self._contradictions = 0

    def hear(self, body: bytes, connected: str) -> bool:
        """Return whether we must say again that we are here; Cloned when it is we who must go.

        ``connected`` is since when we are.
        """
        said = state_in(body)
        other, online = str(said.get("station") or ""), said.get("state") == "online"
        if other == self._station:
            return not online  # a last will of ours that came late
        if online and other:
            log.warning("bench %s: another computer, %s, spoke for it too", self._bench, other[:40])
            self._contradictions += 1
            since = str(said.get("connected", ""))
            if self._contradictions > _CONTRADICTIONS and (since, other) < (
                connected,
                self._station,
            ):
                raise _cloned(self._bench, said)
        return True


def _cloned(bench: str, said: Mapping[str, Any]) -> Cloned:
    return Cloned(
        "bench {bench} is served by another computer or copy of this station ({other}, since"
        " {since}): only one may; nothing is lost here, but this one stops until the other one is"
        " off, or until it has its own bench names and outbox",
        bench=bench,
        other=str(said.get("station"))[:40],
        since=str(said.get("connected", ""))[:30],
    )


def _given_in(said: Mapping[str, Any]) -> int:
    numbers = said.get("numbers")
    given = numbers.get("given") if isinstance(numbers, Mapping) else 0
    return given if isinstance(given, int) and 0 < given < _LARGEST else 0


def state_in(body: bytes) -> dict[str, Any]:
    """Return a state message; empty when it is none, or was cleared."""
    try:
        return decode(body)
    except BadRecord:
        return {}
