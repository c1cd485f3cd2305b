"""A small MQTT broker inside this process, for demonstrations: amqtt's only door.

Listens on the loopback only and speaks MQTT 3.1.1. Not for service: it keeps nothing on disk.
"""

import logging
import socket
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from broker.address import BrokerAddress
from broker.failure import BrokerAway

_HOST = "127.0.0.1"


@asynccontextmanager
async def embedded_broker(port: int = 0) -> AsyncIterator[BrokerAddress]:
    """Run a broker until the block ends; port 0 takes a free one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of amqtt's own imports
        from amqtt.broker import Broker
        from amqtt.errors import BrokerError as AmqttError
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    chosen = port or _free_port()
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{_HOST}:{chosen}"}},
            "plugins": {
                "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
            },
        }
    )
    try:
        await broker.start()
    except AmqttError as error:
        raise BrokerAway(
            "the embedded broker cannot listen on port {port}: {why}", port=chosen, why=error
        ) from error
    try:
        yield BrokerAddress(_HOST, chosen, protocol="3.1.1")
    finally:
        await broker.shutdown()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
