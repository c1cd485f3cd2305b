"""The station's voice, heard by an independent peer: mosquitto_sub and a plain client."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.address import Topics
from broker.connection import Client, Connector, MqttError
from broker.failure import BrokerAway
from broker.live import LiveBuffer
from broker.outbox import Outbox
from broker.publisher import Publisher, reach
from broker.record import decode, digest, encode, validate
from broker.seal import SigningKey
from tests.mosquitto import MISSING, PROGRAM, PUBLISH, SUBSCRIBE, Mosquitto, free_port
from tests.records import SOFTWARE, TIME, TRUST, receipt, start, until, verify_once

pytestmark = pytest.mark.skipif(None in (PROGRAM, SUBSCRIBE, PUBLISH), reason=MISSING)
ROOT = Path(__file__).parents[1]
TOPICS = Topics("3516")
INDICATION = {
    "time": TIME,
    "instrument": "timbangan-1",
    "quantity": "weight",
    "text": "100.00",
    "value": None,
    "unit": "g",
    "condition": "stable",
    "detail": None,
    "origin": "wire",
}


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    await broker.start()
    yield broker
    broker.stop()


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    opened = await Outbox.open(tmp_path / "outbox.sqlite")
    yield opened
    await opened.close()


def make(outbox: Outbox, mosquitto: Mosquitto, **settings: Any) -> Publisher:
    return Publisher(
        outbox,
        mosquitto.address(),
        "3516",
        settings.pop("benches", {"meja": False}),
        SOFTWARE,
        TRUST,
        **{"publish_again": 0.2, "longest_pause": 1.0, **settings},
    )


@asynccontextmanager
async def at_work(publisher: Publisher) -> AsyncIterator[None]:
    task = asyncio.create_task(publisher.run())
    try:
        async with asyncio.timeout(20):
            await publisher.connected.wait()
        yield
    finally:
        task.cancel()
        [ended] = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError), ended


@asynccontextmanager
async def listening(mosquitto: Mosquitto, *topics: str) -> AsyncIterator[Client]:
    async with Connector(mosquitto.address()).connect("listener") as client:
        for topic in topics:
            await client.subscribe(topic, qos=1)
        yield client


async def next_json(client: Client) -> tuple[str, dict[str, Any]]:
    async with asyncio.timeout(20):
        message = await anext(client.messages)
    record = decode(bytes(message.payload))
    validate(record)
    return str(message.topic), record


async def test_an_independent_subscriber_sees_valid_messages_in_the_order_of_commitment(
    outbox: Outbox, mosquitto: Mosquitto
) -> None:
    made = [await verify_once(outbox, "meja") for _ in range(10)]
    peer = await asyncio.create_subprocess_exec(
        str(SUBSCRIBE),
        *("-h", "127.0.0.1", "-p", str(mosquitto.port), "-q", "1", "-V", "mqttv311"),
        *("-t", "tera/v1/3516/starts/+", "-t", "tera/v1/3516/verdicts/+"),
        *("-C", "20", "-W", "20", "-F", "%t %q %r %p"),
        stdout=subprocess.PIPE,
    )
    # It is subscribed when Mosquitto's log says so: nothing else tells from outside.
    await until(lambda: "SUBACK" in mosquitto.log.read_text(encoding="utf-8"))
    async with at_work(make(outbox, mosquitto, publish_again=30.0)):
        out, _ = await peer.communicate()
    lines = [line.split(" ", 3) for line in out.decode().splitlines()]
    assert [decode(body.encode())["number"] for *_, body in lines] == [
        n for n in range(1, 11) for _ in range(2)
    ]
    for (topic, qos, retain, body), kind in zip(lines, ["start", "verdict"] * 10, strict=True):
        record = decode(body.encode())
        assert validate(record) == kind
        assert (topic, qos, retain) == (TOPICS.record(kind, record["id"]), "1", "0")
    assert [body.encode() for *_, body in lines[1::2]] == [encode(record) for record in made]
    assert all('"indication":2500.0' in body for *_, body in lines[1::2])


async def test_without_a_receipt_a_row_is_published_again_and_with_it_never_more(
    outbox: Outbox, mosquitto: Mosquitto
) -> None:
    publisher = make(outbox, mosquitto)
    record = await verify_once(outbox, "meja")
    async with listening(mosquitto, TOPICS.verdict("+")) as client, at_work(publisher):
        bodies = [(await next_json(client))[1] for _ in range(3)]
        assert [body["id"] for body in bodies] == [record["id"]] * 3
        for row in await outbox.pending(9):
            answer = receipt(decode(row.body), row.digest)
            await client.publish(TOPICS.receipts("meja"), encode(answer), qos=1)
        async with asyncio.timeout(20):
            await outbox.wait_until_receipted()
        second = await verify_once(outbox, "meja")
        last = ""
        while last != second["id"]:  # one that was on its way may still arrive before it
            last = (await next_json(client))[1]["id"]
        assert [(await next_json(client))[1]["id"] for _ in range(3)] == [second["id"]] * 3


async def test_starts_are_published_before_outcomes_whenever_the_station_restarts(
    outbox: Outbox, mosquitto: Mosquitto
) -> None:
    """A witness hears of each run before he hears how it ended, and of a bench in its order."""
    total, heard = 120, asyncio.Event()
    seen: list[tuple[str, str, int]] = []

    async def witness(client: Client) -> None:
        async for message in client.messages:
            record = decode(bytes(message.payload))
            seen.append((validate(record), record["id"], record["number"]))
            if len({name for kind, name, _ in seen if kind == "verdict"}) == total:
                heard.set()

    async def work() -> None:
        for _ in range(total):
            await verify_once(outbox, "meja")

    async with (
        listening(mosquitto, TOPICS.start("+"), TOPICS.verdict("+")) as client,
        asyncio.timeout(60),
        asyncio.TaskGroup() as group,
    ):
        listener = group.create_task(witness(client))
        working = group.create_task(work())
        for life in range(8):
            async with at_work(make(outbox, mosquitto)):
                before = len(seen)
                await until(lambda: len(seen) >= before + 3 * life)  # noqa: B023
        async with at_work(make(outbox, mosquitto)):
            await asyncio.gather(working, heard.wait())
        listener.cancel()
    first: dict[tuple[str, str], int] = {}
    for place, (kind, name, _) in enumerate(seen):
        first.setdefault((kind, name), place)
    assert all(first["start", name] < at for (kind, name), at in first.items() if kind == "verdict")
    in_order = sorted((at, kind, name) for (kind, name), at in first.items())
    numbers = {name: number for _, name, number in seen}
    verdicts = [numbers[name] for _, kind, name in in_order if kind == "verdict"]
    assert verdicts == list(range(1, total + 1))


async def test_a_forged_receipt_is_refused_counted_and_never_stamps(
    outbox: Outbox, mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = make(outbox, mosquitto)
    record = await verify_once(outbox, "meja")
    own = digest(record)
    good = receipt(record, own)
    unsigned = {name: value for name, value in good.items() if name not in ("key", "signature")}
    forged = [
        b"",
        b"no json",
        encode(unsigned),
        encode({**good, "stored": 2}),  # altered after it was signed
        encode({**good, "signature": "A" * 86 + "=="}),
        encode({**good, "signature": "no base64"}),
        encode({**good, "signature": None}),
        encode({**good, "key": "k-0123456789abcdef"}),
        encode(receipt(record, own, key=SigningKey.generate())),
        encode(receipt(record, own, received="2025-12-31T23:59:59.999Z")),
        encode(receipt(record, own, received="2100-01-01T00:00:00.000Z")),
        encode(receipt(record, own, received="yesterday")),
        encode(receipt(record, "sha256:" + "0" * 64)),
        encode(receipt({**record, "id": "unknown"}, own)),
        encode(receipt({**record, "bench": "other"}, own)),
        encode(receipt(record, own, office="9999")),
        encode(receipt(record, own, stored=-1)),
        encode(receipt(record, own, kind="abandonment")),
        encode(record),
    ]
    async with at_work(publisher), listening(mosquitto) as client:
        for _ in range(3):
            for body in forged:
                await client.publish(TOPICS.receipts("meja"), body, qos=1)
        await until(lambda: publisher.refused == 3 * len(forged))
        assert (await outbox.counts()).waiting == 2
        await client.publish(Topics("3516", trial=True).receipts("meja"), encode(good), qos=1)
        await client.publish(TOPICS.receipts("meja"), encode(good), qos=1)
        async with asyncio.timeout(20):
            while await outbox.stored_number(record["id"]) is None:
                await asyncio.sleep(0.01)
    assert publisher.refused == 3 * len(forged)
    said = [r.message for r in caplog.records if "refused on" in r.message]
    assert len(said) == len(set(said))  # each is named once
    assert 12 <= len(said) < len(forged)  # some say the same
    for sentence in (
        "has no signature",
        "k-0123456789abcdef, which is not trusted here",
        "does not fit",
        "counts from 2026-01-01 to 2099-12-31 only",
        "for other bytes",
        "which is not here",
        "for another bench",
    ):
        assert any(sentence in line for line in said), sentence


async def test_a_bench_says_online_its_faults_and_offline_when_it_is_stopped(
    outbox: Outbox, mosquitto: Mosquitto
) -> None:
    publisher = make(outbox, mosquitto, benches={"meja": False, "tiruan": True})
    fault = {"instrument": "timbangan-1", "detail": "no answer"}
    trial = Topics("3516", trial=True).state("tiruan")
    async with listening(mosquitto, TOPICS.state("meja")) as client:
        async with at_work(publisher):
            publisher.set_faults("meja", [fault])
            seen = [(await next_json(client))[1] for _ in range(2)]
            publisher.set_faults("meja", [])
            seen.append((await next_json(client))[1])
        seen.append((await next_json(client))[1])
    assert [s["state"] for s in seen] == ["online", "online", "online", "offline"]
    assert [s["faults"] for s in seen] == [[], [fault], [], []]
    assert seen[0]["software"] == SOFTWARE
    async with listening(mosquitto, trial) as client:  # retained
        assert (await next_json(client))[1]["state"] == "offline"


_PUBLISHES_FOR_EVER = """
import asyncio, sys
from broker.address import BrokerAddress
from broker.outbox import Outbox
from broker.publisher import Publisher
from broker.seal import Trust
async def main():
    outbox = await Outbox.open(sys.argv[1])
    address = BrokerAddress("127.0.0.1", int(sys.argv[2]))
    benches = {"meja": False, "meja-2": False}
    await Publisher(outbox, address, "3516", benches, {"name": "t", "version": "1"}, Trust()).run()
asyncio.run(main())
"""


async def test_each_bench_of_a_killed_station_is_said_to_be_offline_by_its_last_will(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _PUBLISHES_FOR_EVER, str(tmp_path / "o"), str(mosquitto.port)],
        cwd=ROOT,
    )
    try:
        async with listening(mosquitto, "tera/v1/3516/state/+") as client:
            online = [await next_json(client) for _ in range(2)]
            assert {record["state"] for _, record in online} == {"online"}
            process.send_signal(signal.SIGKILL)
            offline = [await next_json(client) for _ in range(2)]
            assert {record["state"] for _, record in offline} == {"offline"}
            assert {topic for topic, _ in offline} == {topic for topic, _ in online}
    finally:
        process.kill()
        process.wait(10)


async def test_live_blocks_are_bounded_and_say_what_was_dropped(
    outbox: Outbox, mosquitto: Mosquitto
) -> None:
    publisher = make(outbox, mosquitto, live_depth=10)
    for count in range(25):
        publisher.offer_live("meja", "timbangan-1", {**INDICATION, "detail": str(count)})
    async with (
        listening(mosquitto, TOPICS.live("meja", "timbangan-1")) as client,
        at_work(publisher),
    ):
        _, block = await next_json(client)
        assert (block["dropped"], block["block"]) == (15, 1)
        assert [i["detail"] for i in block["indications"]] == [str(n) for n in range(15, 25)]
        publisher.offer_live("meja", "timbangan-1", INDICATION)
        _, block = await next_json(client)
        assert (block["dropped"], block["block"], block["indications"]) == (0, 2, [INDICATION])


def test_a_live_buffer_without_indications_makes_no_block() -> None:
    assert LiveBuffer("3516", "meja", "timbangan-1", 3).take_block() is None


async def test_a_retained_order_reaches_the_station_once_and_is_closed_when_it_is_cleared(
    outbox: Outbox, mosquitto: Mosquitto
) -> None:
    order = {
        "schema": "tera/order/1",
        "order": "P-7",
        "instruments": ["timbangan-1"],
        "owner": "pasar 12",
        "received": TIME,
    }

    async def publish(body: str, *options: str) -> None:
        peer = await asyncio.create_subprocess_exec(
            str(PUBLISH),
            *("-h", "127.0.0.1", "-p", str(mosquitto.port), "-q", "1", "-r"),
            *("-t", TOPICS.order("P-7"), *(options or ("-m", body))),
        )
        assert await peer.wait() == 0

    await publish(json.dumps(order))
    publisher = make(outbox, mosquitto, benches={"meja": False, "meja-2": False, "tiruan": True})
    async with at_work(publisher):
        orders = publisher.orders()
        async with asyncio.timeout(20):
            first = await anext(orders)
            await publish(json.dumps({**order, "instruments": ["timbangan-2"]}))
            second = await anext(orders)
        assert (first.order, first.instruments, first.owner) == (
            "P-7",
            ("timbangan-1",),
            "pasar 12",
        )
        assert second.instruments == ("timbangan-2",)
        await publish("{}")
        await until(lambda: publisher.refused == 3)
        await publish("", "-n")
        async with asyncio.timeout(20):
            while await outbox.orders():
                await asyncio.sleep(0.01)


async def test_an_order_is_yielded_again_when_it_is_published_again_and_by_every_program(
    outbox: Outbox, mosquitto: Mosquitto
) -> None:
    """Known fault: one that was open at the start was not yielded after its withdrawal."""
    body = {
        "schema": "tera/order/1",
        "order": "P-7",
        "instruments": ["timbangan-1", "timbangan-2"],
        "received": TIME,
    }
    await outbox.put_order(body)
    first, second = make(outbox, mosquitto), make(outbox, mosquitto)
    async with at_work(first), at_work(second), listening(mosquitto) as client:
        streams = [first.orders(), second.orders()]
        async with asyncio.timeout(20):
            assert [(await anext(s)).opening for s in streams] == [1, 1]
            await client.publish(TOPICS.order("P-7"), encode(body), qos=1, retain=True)
            await client.publish(TOPICS.order("P-7"), b"", qos=1, retain=True)
            while await outbox.orders():
                await asyncio.sleep(0.01)
            await client.publish(TOPICS.order("P-7"), encode(body), qos=1, retain=True)
            assert [(await anext(s)).opening for s in streams] == [2, 2]
            wrong = {**body, "order": "P-8"}
            await client.publish(TOPICS.order("P-7"), encode(wrong), qos=1)
            await until(lambda: first.refused == second.refused == 1)


async def test_an_order_that_was_half_done_when_the_power_failed_is_finished(
    outbox: Outbox, mosquitto: Mosquitto
) -> None:
    """Known fault: after a restart an order of several instruments counted as begun."""
    body = {
        "schema": "tera/order/1",
        "order": "P-7",
        "instruments": ["timbangan-1", "timbangan-2", "timbangan-3"],
        "received": TIME,
    }
    await outbox.put_order(body)
    await verify_once(outbox, "meja", order="P-7", subject="timbangan-2")
    left = start("meja", order="P-7", subject="timbangan-1")
    await outbox.begin("meja", left["id"], left)
    await outbox.abandon_unfinished("meja", "power cut")
    found = await anext(make(outbox, mosquitto).orders())
    assert found.remaining == ("timbangan-1", "timbangan-3")


async def test_a_broker_is_reached_or_said_to_be_away(mosquitto: Mosquitto) -> None:
    assert await reach(mosquitto.address()) == "5"
    assert await reach(mosquitto.address("3.1.1")) == "3.1.1"
    nobody = replace(mosquitto.address(), port=free_port())
    with pytest.raises(BrokerAway, match=f"127.0.0.1:{nobody.port} did not accept"):
        await reach(nobody)


@pytest.fixture
def silent_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


async def test_a_line_that_breaks_while_something_is_to_be_written_leaves_no_trace_of_an_error(
    mosquitto: Mosquitto,
) -> None:
    """The crash harness showed it: the loop was given the number of a socket that was closed."""
    troubles: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: troubles.append(told))
    with pytest.raises(MqttError):
        async with Connector(mosquitto.address()).connect("peer") as client:
            broken = client._client.socket()
            client._client._call_socket_register_write()
            broken.shutdown(socket.SHUT_RDWR)
            client._client.loop_read()  # finds the end and closes the socket
            await asyncio.sleep(0)
            await client.publish("nowhere", b"", qos=1)
    assert broken.fileno() == -1
    assert troubles == []


async def test_a_port_that_takes_connections_and_says_nothing_is_away_in_time(
    mosquitto: Mosquitto, silent_port: int
) -> None:
    with pytest.raises(BrokerAway, match=r"did not answer within 0\.3 s"):
        await reach(replace(mosquitto.address(), port=silent_port), within=0.3)


@pytest.mark.parametrize("turns", range(5))
async def test_a_cancellation_that_meets_an_acknowledgement_is_not_lost(turns: int) -> None:
    """Before Python 3.12, asyncio.wait_for loses it, and a publisher went on for ever."""
    acknowledged = asyncio.Event()

    async def publish_for_ever() -> None:
        client = Client("127.0.0.1")
        while True:
            await client._wait_for(acknowledged.wait(), 5)
            acknowledged.clear()

    publishing = asyncio.create_task(publish_for_ever())
    for _ in range(3):
        await asyncio.sleep(0)
    acknowledged.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    publishing.cancel()
    await asyncio.wait({publishing}, timeout=1)
    assert publishing.cancelled()
