"""The broker of the demonstration: loopback only, quiet, gone afterwards."""

import asyncio
import logging
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from broker.connection import Connector
from broker.embedded import embedded_broker
from broker.failure import BrokerAway
from broker.outbox import Outbox
from broker.publisher import Publisher, reach
from broker.store import RecordStore
from broker.subscriber import Subscriber
from tests.records import SOFTWARE, TRUST, the_key, verify_once


async def test_the_main_job_runs_over_it_and_nothing_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = await Outbox.open(tmp_path / "outbox.sqlite")
    store = await RecordStore.open(tmp_path / "records.sqlite")
    try:
        async with embedded_broker() as address:
            publisher = Publisher(outbox, address, "3516", {"a": True, "b": True}, SOFTWARE, TRUST)
            subscriber = Subscriber(store, address, "3516", the_key)
            tasks = [asyncio.create_task(s.run()) for s in (subscriber, publisher)]
            async with asyncio.timeout(30):
                made = [
                    await verify_once(outbox, bench, trial=True) for bench in "ab" for _ in range(5)
                ]
                await outbox.wait_until_receipted()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert sorted(r.id for r in await store.verdicts()) == sorted(m["id"] for m in made)
        assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
    finally:
        await outbox.close()
        await store.close()
    with pytest.raises(BrokerAway, match="did not accept a connection"):
        await reach(address)


async def test_what_it_hands_over_unasked_is_no_refusal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """amqtt hands every retained message to every subscriber, whatever was subscribed to."""
    outbox = await Outbox.open(tmp_path / "outbox.sqlite")
    try:
        async with embedded_broker() as address:
            for _ in range(2):  # the second one finds the first one's retained states
                publisher = Publisher(
                    outbox, address, "3516", {"a": True, "b": True}, SOFTWARE, TRUST
                )
                task = asyncio.create_task(publisher.run())
                async with asyncio.timeout(30):
                    await publisher.connected.wait()
                    publisher.set_faults("a", [{"instrument": "x", "detail": "no answer"}])
                    async with Connector(address).connect("listener") as client:
                        await client.subscribe("tera/v1/3516/trial/state/a", qos=1)
                        await anext(client.messages)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                assert publisher.refused == 0
    finally:
        await outbox.close()
    assert [r.message for r in caplog.records if "refused" in r.message] == []


async def test_it_listens_on_the_loopback_and_names_its_version() -> None:
    async with embedded_broker() as address:
        assert address.host == "127.0.0.1"
        assert await reach(address) == "3.1.1"


async def test_a_broker_that_refuses_mqtt_5_is_spoken_to_in_3_1_1() -> None:
    async with embedded_broker() as address:
        connector = Connector(replace(address, protocol="auto"))
        async with connector.connect("either"):
            assert connector.version == "3.1.1"
        with pytest.raises(BrokerAway, match="did not accept"):
            async with Connector(replace(address, protocol="5")).connect("only 5"):
                pass


async def test_a_taken_port_is_said_in_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BrokerAway, match=f"cannot listen on port {port}"):
            async with embedded_broker(port):
                pass
