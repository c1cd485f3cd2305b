"""Places an order at the broker, and withdraws it, as a records system does.

An order is a retained message: stations that are away find it when they come back. Knows no
instrument and waits for no verdict.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from broker.address import BrokerAddress, Topics
from broker.connection import Connector, MqttError, client_id
from broker.failure import BrokerAway, NotPermitted
from broker.record import encode, validate


async def place_order(
    address: BrokerAddress, topics: Topics, order: Mapping[str, Any], *, within: float = 5.0
) -> None:
    """Have the broker keep an order; BadRecord when it is none, BrokerAway after ``within`` [s]."""
    validate(order, kind="order")
    await _retain(address, topics.order(order["order"]), encode(order), within)


async def withdraw_order(
    address: BrokerAddress, topics: Topics, name: str, *, within: float = 5.0
) -> None:
    """Have the broker forget an order, so that stations close it; whether there is one or not."""
    await _retain(address, topics.order(name), b"", within)


async def _retain(address: BrokerAddress, topic: str, body: bytes, within: float) -> None:
    denied: list[NotPermitted] = []
    connector = Connector(address)
    try:
        async with (
            asyncio.timeout(within),
            connector.connect(
                client_id(address, "order"), refused=lambda _, why: denied.append(why)
            ) as client,
        ):
            await client.publish(topic, body, qos=1, retain=True)
    except (TimeoutError, MqttError) as error:
        raise BrokerAway(
            "the MQTT broker at {host}:{port} did not take the order: {why}",
            host=address.host,
            port=address.port,
            why=str(error) or "Operation timed out",
        ) from None
    if denied:
        raise denied[0]
