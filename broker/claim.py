"""Which of two programs may speak for a bench, when a station was copied to a second computer.

Whoever connects states on the bench's state topic that it is online, as which station, and listens
there. The broker gives everybody the same order: who finds the statement of another station before
his own must wait whether that one is alive and answers; the one who was there first answers at
once. A station that was switched off without a word does not answer, and its place is free.
"""

import asyncio
from typing import Any

from broker.connection import Client
from broker.failure import BadRecord, Cloned
from broker.record import decode

_ANSWER_WITHIN = 2.0
"""How long another station has time to answer that it is alive [s]."""


async def claim(client: Client, topic: str, statement: bytes, bench: str, station: str) -> None:
    """State that this station is online at a bench; Cloned when another one is already."""
    await client.subscribe(topic, qos=1)
    await client.publish(topic, statement, qos=1, retain=True)
    stated, rival = False, ""
    try:
        async with asyncio.timeout(_ANSWER_WITHIN):
            async for message in client.messages:
                if str(message.topic) != topic:  # amqtt hands over what nobody subscribed to
                    continue
                said = state_in(bytes(message.payload))
                other = str(said.get("station") or "")
                if other == station:
                    stated = True
                    if not rival:
                        return
                elif not other or said.get("state") != "online":
                    rival = "" if other == rival else rival  # it has left
                    if stated and not rival:
                        return
                elif stated and rival:
                    raise Cloned(
                        "bench {bench} is served by another computer or copy of this station ({other},"
                        " since {since}): only one may; nothing is lost here, but this one stops until"
                        " the other one is off, or until it has its own bench names and outbox",
                        bench=bench,
                        other=other,
                        since=str(said.get("connected", ""))[:30],
                    )
                else:
                    rival = other
    except TimeoutError:
        return  # nobody answers


def state_in(body: bytes) -> dict[str, Any]:
    """Return a state message; empty when it is none, or was cleared."""
    try:
        return decode(body)
    except BadRecord:
        return {}
