"""The whole way: outbox, publisher, a real Mosquitto, subscriber, store, receipt."""

import asyncio
import itertools
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from broker.address import BrokerAddress, Protocol, Topics
from broker.connection import Connector
from broker.outbox import Outbox
from broker.publisher import Publisher
from broker.record import decode, digest, encode
from broker.rows import acknowledged
from broker.seal import SigningKey, sign
from broker.store import RecordStore
from broker.subscriber import Subscriber
from tests.mosquitto import MISSING, PROGRAM, Mosquitto
from tests.records import (
    KEY,
    SOFTWARE,
    TIME,
    TRUST,
    receipt,
    start,
    the_key,
    until,
    verdict,
    verify_once,
)

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=MISSING)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    yield broker
    broker.kill()


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    opened = await Outbox.open(tmp_path / "outbox.sqlite")
    yield opened
    await opened.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RecordStore]:
    opened = await RecordStore.open(tmp_path / "records.sqlite")
    yield opened
    await opened.close()


@asynccontextmanager
async def at_work(*services: Publisher | Subscriber) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(service.run()) for service in services]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(error, asyncio.CancelledError) for error in ended), ended


def publisher(
    outbox: Outbox, address: BrokerAddress, again: float = 0.3, **benches: bool
) -> Publisher:
    return Publisher(
        outbox, address, "3516", benches, SOFTWARE, TRUST, publish_again=again, longest_pause=2.0
    )


async def assert_everything_is_stored_once(
    outbox: Outbox, store: RecordStore, verdicts: list[dict[str, object]]
) -> None:
    counts = await outbox.counts()
    stored = await store.verdicts()
    assert counts.waiting == 0
    assert sorted(record.id for record in stored) == sorted(str(v["id"]) for v in verdicts)
    assert await store.count() == counts.starts + counts.verdicts + counts.abandonments
    assert await store.gaps() == ()
    assert await store.conflicts() == ()
    for record in stored:
        assert await outbox.stored_number(record.id) == record.stored


@pytest.mark.parametrize("protocol", ["auto", "5", "3.1.1"])
async def test_a_verdict_is_stored_and_receipted_over_each_mqtt_version(
    protocol: Protocol, mosquitto: Mosquitto, outbox: Outbox, store: RecordStore
) -> None:
    await mosquitto.start()
    address = mosquitto.address(protocol)
    async with at_work(
        publisher(outbox, address, meja=False, tiruan=True),
        Subscriber(store, address, "3516", the_key),
    ):
        made = [await verify_once(outbox, "meja"), await verify_once(outbox, "tiruan", trial=True)]
        async with asyncio.timeout(20):
            await outbox.wait_until_receipted()
    await assert_everything_is_stored_once(outbox, store, made)
    assert {(r.bench, r.trial) for r in await store.verdicts()} == {
        ("meja", False),
        ("tiruan", True),
    }
    assert {r.body for r in await store.verdicts()} == {encode(record) for record in made}


async def test_every_verdict_is_stored_once_when_the_broker_is_killed_in_the_middle_of_a_run(
    mosquitto: Mosquitto, outbox: Outbox, store: RecordStore
) -> None:
    await mosquitto.start()
    made: list[dict[str, object]] = []
    halfway = asyncio.Event()
    back = asyncio.Event()

    async def work(bench: str, trial: bool) -> None:
        for count in range(150):
            made.append(await verify_once(outbox, bench, trial=trial))
            if count == 75:
                halfway.set()
            if count == 120:
                await back.wait()

    publishing = publisher(outbox, mosquitto.address(), meja=False, tiruan=True)
    subscriber = Subscriber(store, mosquitto.address(), "3516", the_key)
    async with at_work(publishing, subscriber), asyncio.TaskGroup() as group:
        group.create_task(work("meja", False))
        group.create_task(work("tiruan", True))
        async with asyncio.timeout(60):
            await halfway.wait()
            await until(lambda: subscriber.accepted > 0)
            mosquitto.kill()
            await until(lambda: not publishing.connected.is_set())
            await mosquitto.start()
            back.set()
            await until(lambda: len(made) == 300)
            await outbox.wait_until_receipted()
    await assert_everything_is_stored_once(outbox, store, made)
    for bench in ("meja", "tiruan"):
        numbers = sorted(r.number for r in await store.verdicts(bench=bench))
        assert numbers == list(range(1, 151))


async def test_a_broker_that_is_away_at_the_start_does_not_stop_the_bench(
    mosquitto: Mosquitto, outbox: Outbox, store: RecordStore
) -> None:
    address = mosquitto.address()
    async with at_work(
        publisher(outbox, address, meja=False), Subscriber(store, address, "3516", the_key)
    ):
        made = [await verify_once(outbox, "meja") for _ in range(20)]
        assert (await outbox.counts()).waiting == 40
        await mosquitto.start()
        async with asyncio.timeout(30):
            await outbox.wait_until_receipted()
    await assert_everything_is_stored_once(outbox, store, made)
    assert [r.number for r in await store.verdicts()] == list(range(1, 21))


_STORE_THAT_NEVER_COMMITS = """
import asyncio, sys
from broker.address import BrokerAddress
from broker.store import RecordStore
from broker.subscriber import Subscriber
class Stuck(RecordStore):
    async def keep_all(self, items):
        for item in items:
            print(item.id, flush=True)
        await asyncio.Event().wait()
async def main():
    store = await Stuck.open(sys.argv[1])
    subscriber = Subscriber(store, BrokerAddress("127.0.0.1", int(sys.argv[2])), "3516", lambda: None)
    await subscriber.run()
asyncio.run(main())
"""


async def test_a_records_system_killed_between_arrival_and_commit_still_gets_every_verdict_once(
    tmp_path: Path, mosquitto: Mosquitto, outbox: Outbox
) -> None:
    await mosquitto.start()
    path = tmp_path / "records.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-c", _STORE_THAT_NEVER_COMMITS, str(path), str(mosquitto.port)],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with at_work(publisher(outbox, mosquitto.address(), meja=False)):
            made = [await verify_once(outbox, "meja")]
            arrived = await asyncio.to_thread(process.stdout.readline)
            assert arrived.decode().strip() == made[0]["id"]
            made += [await verify_once(outbox, "meja") for _ in range(5)]
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            assert (await outbox.counts()).waiting == 12
            store = await RecordStore.open(path)
            try:
                assert await store.count() == 0
                async with at_work(Subscriber(store, mosquitto.address(), "3516", the_key)):
                    async with asyncio.timeout(30):
                        await outbox.wait_until_receipted()
                await assert_everything_is_stored_once(outbox, store, made)
            finally:
                await store.close()
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


async def test_malformed_foreign_and_oversized_messages_are_refused_and_counted(
    mosquitto: Mosquitto, outbox: Outbox, store: RecordStore, caplog: pytest.LogCaptureFixture
) -> None:
    await mosquitto.start()
    begun = start("meja")
    good = verdict(begun, 1)
    topics = Topics("3516")
    bad = {
        "no JSON": b"\xff\xfe{",
        "nested without end": b"[" * 100_000,
        "no object": b"17",
        "another schema": b'{"schema":"tera/verdict/2"}',
        "a key is missing": encode({k: v for k, v in good.items() if k != "table"}),
        "a trial that calls itself legal": encode({**good, "trial": True}),
        "another verification's topic": encode({**good, "id": "another"}),
        "another office": encode({**good, "office": "9999"}),
        "a receipt": encode(receipt(good, digest(good))),
        "too large": b" " * (4 * 1024 * 1024 + 1),
    }
    subscriber = Subscriber(store, mosquitto.address(), "3516", the_key)
    async with at_work(subscriber), Connector(mosquitto.address()).connect("vandal") as client:
        async with asyncio.timeout(30):
            await subscriber.ready.wait()
            for _ in range(3):  # whoever floods a records system does not flood its log
                for body in bad.values():
                    await client.publish(topics.verdict(good["id"]), body, qos=1)
            await client.publish(topics.verdict(good["id"]), encode(good), qos=1)
            await until(lambda: subscriber.accepted > 0)
    assert subscriber.refused == 3 * len(bad)
    assert caplog.text.count("refused on") == len(bad)
    assert [record.body for record in await store.list()] == [encode(good)]


async def test_a_contradicting_verdict_is_kept_aside_loudly_and_gets_no_receipt(
    mosquitto: Mosquitto, store: RecordStore, caplog: pytest.LogCaptureFixture
) -> None:
    await mosquitto.start()
    first = verdict(start("meja"), 1)
    second = {**first, "verdict": "nonconforming"}
    topics = Topics("3516")
    subscriber = Subscriber(store, mosquitto.address(), "3516", the_key)
    async with at_work(subscriber), Connector(mosquitto.address()).connect("bench") as client:
        async with asyncio.timeout(30):
            await subscriber.ready.wait()
            await client.subscribe(topics.receipts("meja"), qos=1)
            for record in (first, second, first):
                await client.publish(topics.verdict(first["id"]), encode(record), qos=1)
            said: list[dict[str, Any]] = []
            while len(said) < 2:
                said += acknowledged(decode(bytes((await anext(client.messages)).payload)))
    assert [entry["digest"] for entry in said] == [digest(first)] * 2
    assert (subscriber.accepted, subscriber.refused) == (2, 1)
    assert store.taken == {"verdict": 1, "again": 1, "conflict": 1}
    assert "CONFLICT" in caplog.text
    assert [conflict.body for conflict in await store.conflicts()] == [encode(second)]


async def test_a_store_that_lost_records_asks_for_them_and_gets_them_although_they_were_receipted(
    tmp_path: Path, mosquitto: Mosquitto, outbox: Outbox, store: RecordStore
) -> None:
    """A records system that was restored from yesterday's copy: the station has what it lacks."""
    await mosquitto.start()
    address = mosquitto.address()
    made = [await verify_once(outbox, "meja") for _ in range(70)]
    left = start("meja")
    await outbox.begin("meja", left["id"], left)
    await outbox.abandon(left["id"], "the cable was pulled")
    async with at_work(publisher(outbox, address, 30.0, meja=False)):  # only when asked
        async with asyncio.timeout(60):
            async with at_work(Subscriber(store, address, "3516", the_key)):
                await outbox.wait_until_receipted()
            restored = await RecordStore.open(tmp_path / "restored.sqlite")
            try:
                for record in await store.list(limit=21):
                    await restored.accept(record.body)
                asking = Subscriber(restored, address, "3516", the_key, ask_after=0.1)
                async with at_work(asking):
                    await asking.ready.wait()
                    made.append(await verify_once(outbox, "meja"))
                    while await restored.count() < await store.count() + 2:
                        await asyncio.sleep(0.01)
                assert await restored.gaps() == ()
                assert await restored.conflicts() == ()
                verdicts = {record.body for record in await restored.verdicts()}
                assert verdicts == {encode(record) for record in made}
                assert asking.asked
            finally:
                await restored.close()
    assert (await outbox.counts()).waiting == 0


async def test_numbers_that_nobody_has_are_asked_for_ever_more_seldom_and_named(
    mosquitto: Mosquitto, outbox: Outbox, store: RecordStore, caplog: pytest.LogCaptureFixture
) -> None:
    await mosquitto.start()
    address = mosquitto.address()
    lost = [{**start("meja"), "number": number} for number in (3, 7)]  # from another disk
    subscriber = Subscriber(store, address, "3516", the_key, ask_after=0.05, ask_at_most_every=60.0)
    async with (
        at_work(publisher(outbox, address, meja=False), subscriber),
        Connector(address).connect("other disk") as client,
        asyncio.timeout(30),
    ):
        await client.subscribe(Topics("3516").receipts("meja"), qos=1)
        await subscriber.ready.wait()
        for record in lost:
            await client.publish(Topics("3516").start(record["id"]), encode(record), qos=1)
        asked: list[float] = []
        while len(asked) < 4:
            said = decode(bytes((await anext(client.messages)).payload))
            if said["schema"] == "tera/missing/1" and said["numbers"] == [[1, 6]]:
                asked.append(asyncio.get_running_loop().time())
        await until(lambda: caplog.text.count("which is not here") >= 4)
    pauses = [after - before for before, after in itertools.pairwise(asked)]
    assert pauses[-1] > pauses[0]


async def test_only_a_trusted_records_system_can_make_a_bench_publish_again(
    mosquitto: Mosquitto, outbox: Outbox, store: RecordStore
) -> None:
    await mosquitto.start()
    address = mosquitto.address()
    made = [await verify_once(outbox, "meja") for _ in range(3)]
    topics = Topics("3516")
    question = {
        "schema": "tera/missing/1",
        "office": "3516",
        "bench": "meja",
        "numbers": [[2, 2], [9, 9007199254740991]],
        "asked": TIME,
    }
    bench = publisher(outbox, address, meja=False)
    async with (
        at_work(bench),
        Connector(address).connect("listener") as client,
        asyncio.timeout(30),
    ):
        async with at_work(Subscriber(store, address, "3516", the_key)):
            await outbox.wait_until_receipted()
        await client.subscribe(topics.start("+"), qos=1)
        await client.subscribe(topics.verdict("+"), qos=1)
        signed = sign(question, KEY)
        forged = [
            question,
            sign(question, SigningKey.generate()),
            {**signed, "numbers": [[1, 3]]},
            sign({**question, "numbers": []}, KEY),
            sign({**question, "bench": "other"}, KEY),
        ]
        for message in forged:
            await client.publish(topics.receipts("meja"), encode(message), qos=1)
        await until(lambda: bench.refused == len(forged))
        await client.publish(topics.receipts("meja"), encode(signed), qos=1)
        heard = [await anext(client.messages) for _ in range(2)]
    assert [bytes(m.payload) for m in heard][1:] == [encode(made[1])]
    assert [str(m.topic) for m in heard] == [
        topics.start(made[1]["id"]),
        topics.verdict(made[1]["id"]),
    ]


async def test_without_a_key_records_are_stored_and_no_receipt_is_given_until_there_is_one(
    mosquitto: Mosquitto, outbox: Outbox, store: RecordStore, caplog: pytest.LogCaptureFixture
) -> None:
    await mosquitto.start()
    address = mosquitto.address()
    keys: list[SigningKey] = []
    subscriber = Subscriber(store, address, "3516", lambda: keys[0] if keys else None)
    async with at_work(publisher(outbox, address, meja=False), subscriber):
        made = [await verify_once(outbox, "meja")]
        await until(lambda: subscriber.accepted >= 4)  # they came again, since no receipt did
        assert (await outbox.counts()).waiting == 2
        assert caplog.text.count("no key may sign today") == 1
        keys.append(KEY)
        async with asyncio.timeout(30):
            await outbox.wait_until_receipted()
    await assert_everything_is_stored_once(outbox, store, made)


async def test_several_subscribers_share_one_store(
    where: Path | str, mosquitto: Mosquitto, outbox: Outbox
) -> None:
    await mosquitto.start()
    address = mosquitto.address()
    stores = [await RecordStore.open(where) for _ in range(3)]
    try:
        services = [
            Subscriber(each, address, "3516", the_key, name=f"number-{n}", ask_after=0.1)
            for n, each in enumerate(stores)
        ]
        async with at_work(publisher(outbox, address, meja=False), *services):
            async with asyncio.timeout(60):
                await asyncio.gather(*(service.ready.wait() for service in services))
                made = [await verify_once(outbox, "meja") for _ in range(100)]
                await outbox.wait_until_receipted()
                await until(lambda: all(service.accepted >= 200 for service in services))
        await assert_everything_is_stored_once(outbox, stores[0], made)
        assert sorted(r.stored for r in await stores[1].list()) == list(range(1, 201))
    finally:
        for each in stores:
            await each.close()


async def test_rows_of_a_bench_that_is_no_more_still_arrive(
    mosquitto: Mosquitto, outbox: Outbox, store: RecordStore
) -> None:
    await mosquitto.start()
    address = mosquitto.address()
    made = [await verify_once(outbox, bench) for bench in ("meja", "dibongkar", "meja")]
    assert await outbox.benches_waiting() == {"meja", "dibongkar"}
    publishing = Publisher(
        outbox, address, "3516", {"meja": False}, SOFTWARE, TRUST, left_behind=["dibongkar"]
    )
    async with (
        Connector(address).connect("listener") as client,
        at_work(publishing, Subscriber(store, address, "3516", the_key)),
        asyncio.timeout(30),
    ):
        await client.subscribe("tera/v1/3516/state/+", qos=1)
        await outbox.wait_until_receipted()
        await publishing.connected.wait()
        assert str((await anext(client.messages)).topic) == "tera/v1/3516/state/meja"
    await assert_everything_is_stored_once(outbox, store, made)
