"""A records system, or its database, that dies at any instant stores every verdict once."""

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker.outbox import Outbox
from broker.private_file import write_private
from broker.publisher import Publisher
from broker.store import RecordStore
from tests.mosquitto import MISSING, PROGRAM, Mosquitto
from tests.postgres import MISSING as NO_POSTGRES
from tests.postgres import PROGRAMS, Postgres
from tests.records import KEY, SOFTWARE, TRUST, verify_once

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=MISSING)
ROOT = Path(__file__).parents[1]

_RECORDS = """
import asyncio, sys
from pathlib import Path
from broker.address import BrokerAddress
from broker.private_file import read_private
from broker.seal import SigningKey
from broker.store import RecordStore
from broker.subscriber import Subscriber
async def main():
    where, port, pem = sys.argv[1:]
    key = SigningKey.from_pem(read_private(Path(pem)))
    store = await RecordStore.open(where, busy_timeout=1.0)
    subscriber = Subscriber(store, BrokerAddress("127.0.0.1", int(port)), "3516", lambda: key)
    task = asyncio.create_task(subscriber.run())
    await subscriber.ready.wait()
    print("ready", flush=True)
    await task
asyncio.run(main())
"""


@asynccontextmanager
async def records_system(where: Path | str, port: int, pem: Path) -> AsyncIterator[None]:
    """Run a records system and kill it at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _RECORDS, str(where), str(port), str(pem)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def station(folder: Path, broker: Mosquitto) -> AsyncIterator[Outbox]:
    outbox = await Outbox.open(folder / "outbox.sqlite")
    publisher = Publisher(
        outbox,
        broker.address(),
        "3516",
        {"meja": False, "tiruan": True},
        SOFTWARE,
        TRUST,
        publish_again=0.3,
        longest_pause=2.0,
    )
    task = asyncio.create_task(publisher.run())
    try:
        yield outbox
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbox.close()


async def verify_until(outbox: Outbox, made: list[str], enough: asyncio.Event) -> None:
    while not enough.is_set():
        for bench, trial in (("meja", False), ("tiruan", True)):
            made.append((await verify_once(outbox, bench, trial=trial))["id"])


async def assert_stored_once(where: Path | str, outbox: Outbox, made: list[str]) -> None:
    store = await RecordStore.open(where)
    try:
        stored = await store.list()
        assert sorted(r.id for r in stored if r.kind == "verdict") == sorted(made)
        assert [r.stored for r in stored] == list(range(1, 2 * len(made) + 1))
        assert await store.gaps() == ()
        assert await store.conflicts() == ()
        for record in stored:
            if record.kind == "verdict":
                assert await outbox.stored_number(record.id) == record.stored
    finally:
        await store.close()


async def test_a_records_system_that_is_killed_again_and_again_stores_every_verdict_once(
    tmp_path: Path, where: Path | str
) -> None:
    dice = random.Random(5)
    pem = tmp_path / "key.pem"
    write_private(pem, KEY.to_pem())
    broker = Mosquitto(tmp_path, careful=False)
    await broker.start()
    made: list[str] = []
    try:
        async with station(tmp_path, broker) as outbox, asyncio.timeout(100):
            enough = asyncio.Event()
            working = asyncio.create_task(verify_until(outbox, made, enough))
            for _ in range(12):
                async with records_system(where, broker.port, pem):
                    await asyncio.sleep(dice.uniform(0.0, 0.25))  # the instant is the test
            enough.set()
            await working
            async with records_system(where, broker.port, pem):
                await outbox.wait_until_receipted()
            await assert_stored_once(where, outbox, made)
    finally:
        broker.kill()


@pytest.mark.skipif(PROGRAMS is None, reason=NO_POSTGRES)
async def test_a_database_that_is_killed_under_load_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    dice = random.Random(7)
    pem = tmp_path / "key.pem"
    write_private(pem, KEY.to_pem())
    broker, server = Mosquitto(tmp_path, careful=False), Postgres()
    await broker.start()
    try:
        await asyncio.to_thread(server.start)
        where = server.database()
        made: list[str] = []
        async with station(tmp_path, broker) as outbox, asyncio.timeout(100):
            async with records_system(where, broker.port, pem):
                enough = asyncio.Event()
                working = asyncio.create_task(verify_until(outbox, made, enough))
                for _ in range(4):
                    await asyncio.sleep(dice.uniform(0.1, 0.4))  # the instant is the test
                    await asyncio.to_thread(server.kill)
                    await asyncio.to_thread(server.start)
                enough.set()
                await working
                await outbox.wait_until_receipted()
            await assert_stored_once(where, outbox, made)
    finally:
        broker.kill()
        server.remove()
