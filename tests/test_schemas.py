"""Every real message fits its JSON Schema and its channel of the AsyncAPI document."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from broker.address import Topics
from broker.connection import Connector
from broker.outbox import Outbox
from broker.publisher import Publisher
from broker.record import decode, encode, schema_names, validate
from broker.rows import acknowledged
from broker.store import RecordStore
from broker.subscriber import Subscriber
from tests.mosquitto import MISSING, PROGRAM, Mosquitto
from tests.records import SOFTWARE, TIME, TRUST, start, the_key, until, verify_once
from tests.test_publisher import INDICATION

ASYNCAPI = Path(__file__).parents[1] / "docs" / "asyncapi.yaml"
DOCUMENT: dict[str, Any] = yaml.safe_load(ASYNCAPI.read_text(encoding="utf-8"))
SECTION_4 = (
    "live/{bench}/{instrument}",
    "state/{bench}",
    "orders/{order}",
    "starts/{verification}",
    "verdicts/{verification}",
    "receipts/{bench}",
)


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """Follow one reference, inside the document or to a schema file beside it."""
    if "$ref" not in node:
        return node
    file, _, inside = node["$ref"].partition("#")
    if file:
        found: dict[str, Any] = json.loads((ASYNCAPI.parent / file).read_text(encoding="utf-8"))
        return found
    target = DOCUMENT
    for step in inside.strip("/").split("/"):
        target = target[step]
    return target


def channel_of(topic: str) -> str:
    """Return the one channel whose address this topic fits."""
    found = [
        name
        for name, channel in DOCUMENT["channels"].items()
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", channel["address"]), topic)
    ]
    assert len(found) == 1, (topic, found)
    return str(found[0])


def fits_channel(topic: str, record: dict[str, Any]) -> bool:
    """Say whether a message is one of those its channel carries."""
    for reference in DOCUMENT["channels"][channel_of(topic)]["messages"].values():
        payload = resolve(reference)["payload"]
        schema = resolve(payload.get("schema", payload))
        if jsonschema_rs.validator_for(schema, validate_formats=True).is_valid(record):
            return True
    return False


def test_every_topic_of_the_contract_has_a_channel_and_a_trial_channel() -> None:
    addresses = {channel["address"] for channel in DOCUMENT["channels"].values()}
    assert addresses == {"tera/v1/{office}/log/checkpoint"} | {
        f"tera/v1/{{office}}/{trial}{topic}" for topic in SECTION_4 for trial in ("", "trial/")
    }


def test_every_reference_of_the_document_leads_somewhere() -> None:
    def walk(node: Any) -> int:
        if isinstance(node, dict):
            here = int("$ref" in node and bool(resolve(node)))
            return here + sum(walk(inner) for inner in node.values())
        return sum(walk(inner) for inner in node) if isinstance(node, list) else 0

    assert walk(DOCUMENT) > 50
    for channel in DOCUMENT["channels"].values():
        assert set(channel["parameters"]) == set(re.findall(r"\{(\w+)\}", channel["address"]))


@pytest.mark.parametrize("kind", schema_names())
def test_every_schema_is_a_valid_schema_that_names_its_message(kind: str) -> None:
    file = ASYNCAPI.parents[1] / "broker" / "schema" / f"{kind}.json"
    schema = json.loads(file.read_text(encoding="utf-8"))
    jsonschema_rs.meta.validate(schema)
    assert schema["properties"]["schema"] == {"const": f"tera/{kind}/1"}
    assert schema["required"][0] == "schema"
    assert set(schema["required"]) <= set(schema["properties"])


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
async def test_every_message_of_a_real_run_fits_both(tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path)
    await mosquitto.start()
    outbox = await Outbox.open(tmp_path / "outbox.sqlite")
    store = await RecordStore.open(tmp_path / "records.sqlite")
    publisher = Publisher(
        outbox, mosquitto.address(), "3516", {"meja": False, "tiruan": True}, SOFTWARE, TRUST
    )
    subscriber = Subscriber(store, mosquitto.address(), "3516", the_key, ask_after=0.2)
    heard: list[tuple[str, bytes]] = []

    async def listen(ready: asyncio.Event) -> None:
        async with Connector(mosquitto.address()).connect("witness") as client:
            await client.subscribe("#", qos=1)
            ready.set()
            async for message in client.messages:
                heard.append((str(message.topic), bytes(message.payload)))  # noqa: PERF401 - endless

    subscribed = asyncio.Event()
    tasks = [asyncio.create_task(listen(subscribed))]
    try:
        async with asyncio.timeout(30):
            await subscribed.wait()
            for trial in (False, True):  # what waits together is receipted together
                for _ in range(8):
                    await verify_once(outbox, "tiruan" if trial else "meja", trial=trial)
            tasks += [asyncio.create_task(publisher.run()), asyncio.create_task(subscriber.run())]
            await publisher.connected.wait()
            await outbox.wait_until_receipted()
            for trial in (False, True):
                bench = "tiruan" if trial else "meja"
                await verify_once(outbox, bench, trial=trial)
                left = start(bench, trial=trial)
                await outbox.begin(bench, left["id"], left)
                await outbox.abandon(left["id"], "the cable was pulled")
                publisher.offer_live(bench, "timbangan-1", INDICATION)
                publisher.set_faults(bench, [{"instrument": "timbangan-1", "detail": "no answer"}])
            order = {
                "schema": "tera/order/1",
                "order": "P-7",
                "instruments": ["timbangan-1"],
                "received": TIME,
            }
            async with Connector(mosquitto.address()).connect("records") as client:
                for trial in (False, True):
                    topic = Topics("3516", trial).order("P-7")
                    await client.publish(topic, encode(order), qos=1, retain=True)
                second = {**start("lain"), "number": 2}  # a bench whose first number is missing
                await client.publish(Topics("3516").start(second["id"]), encode(second), qos=1)
            await outbox.wait_until_receipted()
            expected = {name for name in DOCUMENT["channels"] if name != "checkpoint"}
            await until(lambda: {channel_of(topic) for topic, _ in heard} == expected)
            await until(lambda: any(b'"tera/missing/1"' in body for _, body in heard))
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks[1:], return_exceptions=True)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await outbox.close()
        await store.close()
        mosquitto.stop()
    kinds = set()
    for topic, body in heard:
        record = decode(body)
        kinds.add(validate(record))
        assert body.startswith(b'{"schema":"tera/')
        assert fits_channel(topic, record), (topic, record)
    assert kinds == set(schema_names())
    assert receipts_follow_their_records(heard)


def receipts_follow_their_records(heard: list[tuple[str, bytes]]) -> bool:
    """Say whether every receipt names a record that was heard before it."""
    known: set[tuple[str, str]] = set()
    for _, body in heard:
        record = decode(body)
        kind = record["schema"].split("/")[1]
        if kind in ("receipt", "receipts"):
            if not {(entry["kind"], entry["id"]) for entry in acknowledged(record)} <= known:
                return False
        elif "id" in record:
            known.add((kind, record["id"]))
    return True


def test_a_message_on_the_wrong_channel_is_noticed() -> None:
    begun = {**start("meja"), "number": 1}
    assert fits_channel("tera/v1/3516/starts/a", begun)
    assert not fits_channel("tera/v1/3516/verdicts/a", begun)
