"""The whole way with a real Mosquitto that dies again and again: each verdict arrives once."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from acquisition.config import load_station
from acquisition.session import PointObserved, Recorded, Started, run
from acquisition.station import Running, running
from broker.address import Protocol
from broker.record import encode, validate
from broker.store import RecordStore
from broker.subscriber import Subscriber
from tests.mosquitto import MISSING, PROGRAM, PUBLISH, SUBSCRIBE, Mosquitto
from tests.records import the_key, until
from tests.stations import (
    job_of,
    line_with,
    order,
    publish_order,
    scale_bench,
    settings_of,
    tera_at_work,
    write_station,
)

pytestmark = pytest.mark.skipif(None in (PROGRAM, PUBLISH, SUBSCRIBE), reason=MISSING)

RUNS = 5
"""Runs of each of the two benches."""
DEATHS = 3


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path)
    yield mosquitto
    mosquitto.kill()


class Bench:
    """One bench that verifies its scale again and again."""

    def __init__(self, station: Running, number: int) -> None:
        self._station = station
        self.name, self._subject = f"meja-{number}", f"timbangan-{number}"
        self.bodies: dict[str, bytes] = {}
        self.middle = asyncio.Event()
        """Set in the middle of a run."""
        self.committed = asyncio.Condition()

    async def work(self) -> None:
        for _ in range(RUNS):
            async with aclosing(run(job_of(self._station, self._subject))) as events:
                async for event in events:
                    match event:
                        case Started():
                            self.middle.clear()
                        case PointObserved(index=9):
                            self.middle.set()
                        case Recorded(record):
                            self.bodies[record["id"]] = encode(record)
            async with self.committed:
                self.committed.notify_all()
        self.middle.set()  # nobody shall wait for a middle that does not come


@asynccontextmanager
async def peer(broker: Mosquitto, version: str, output: Path) -> AsyncIterator[None]:
    """Run mosquitto_sub as somebody else's records system, with a session that outlives deaths."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            [
                str(SUBSCRIBE),
                *("-h", "127.0.0.1", "-p", str(broker.port), "-V", version, "-i", "peer", "-c"),
                *("-q", "1", "-t", "tera/v1/3516/trial/verdicts/+", "-F", "%t"),
            ],
            stdout=file,
        )
    try:
        # Nothing but the broker's own log tells from outside that it has subscribed.
        await until(lambda: "Sending SUBACK to peer" in broker.log.read_text(encoding="utf-8"))
        yield
    finally:
        process.kill()
        process.wait(10)


@asynccontextmanager
async def records_system(store: RecordStore, subscriber: Subscriber) -> AsyncIterator[None]:
    task = asyncio.create_task(subscriber.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()


async def die_and_return(broker: Mosquitto, station: Running, benches: list[Bench]) -> None:
    """Kill the broker in the middle of a run; start it again once more verdicts are waiting."""
    await benches[0].middle.wait()
    broker.kill()
    await until(lambda: not station.publisher.connected.is_set())
    before = sum(len(bench.bodies) for bench in benches)
    async with benches[0].committed:
        await benches[0].committed.wait_for(
            lambda: sum(len(bench.bodies) for bench in benches) > before
        )
    await broker.start()
    await station.publisher.connected.wait()


@pytest.mark.parametrize(("protocol", "version"), [("5", "5"), ("3.1.1", "mqttv311")])
async def test_each_verdict_is_stored_once_although_the_broker_dies_in_the_middle_of_runs(
    tmp_path: Path, broker: Mosquitto, protocol: Protocol, version: str
) -> None:
    await broker.start()
    settings = settings_of(tmp_path, scale_bench(1), scale_bench(2), broker=broker.port)
    store = await RecordStore.open(tmp_path / "records.sqlite")
    subscriber = Subscriber(store, broker.address(protocol), settings.office.code, the_key)
    heard = tmp_path / "heard"
    async with (
        records_system(store, subscriber),
        peer(broker, version, heard),
        running(settings, broker.address(protocol)) as station,
        asyncio.timeout(60),
    ):
        await station.publisher.connected.wait()
        await subscriber.ready.wait()
        benches = [Bench(station, 1), Bench(station, 2)]
        async with asyncio.TaskGroup() as group:
            for bench in benches:
                group.create_task(bench.work())
            for _ in range(DEATHS):
                await die_and_return(broker, station, benches)
        await station.outbox.wait_until_receipted()
        made = {name: body for bench in benches for name, body in bench.bodies.items()}
        stored = await store.verdicts()
        counts = await station.outbox.counts()
        assert await store.gaps() == ()
        assert await store.conflicts() == ()
        assert await store.count() == 2 * len(made)
        for record in stored:
            assert await station.outbox.stored_number(record.id) == record.stored
            assert validate(record.record) == "verdict"
        assert (counts.starts, counts.waiting, counts.unfinished) == (len(made), 0, 0)
        assert sorted(r.id for r in stored) == sorted(made)
        assert {r.id: r.body for r in stored} == made
        for bench in benches:
            mine = [r.number for r in stored if r.bench == bench.name]
            assert sorted(mine) == list(range(1, RUNS + 1))

        def ids_heard() -> set[str]:
            return {line.rpartition("/")[2] for line in heard.read_text().splitlines()}

        await until(lambda: ids_heard() >= set(made))
        assert ids_heard() == set(made)
    assert broker.log.read_text(encoding="utf-8").count(" starting") == DEATHS + 1


async def test_a_service_killed_in_the_middle_of_runs_loses_and_doubles_nothing(
    tmp_path: Path, broker: Mosquitto
) -> None:
    """``tera run`` is killed with SIGKILL; what it had committed arrives once, the rest is named."""
    await broker.start()
    config = write_station(tmp_path, scale_bench(1), broker=broker.port)
    settings = load_station(config)
    store = await RecordStore.open(tmp_path / "records.sqlite")
    subscriber = Subscriber(store, broker.address(), settings.office.code, the_key)
    async with records_system(store, subscriber), asyncio.timeout(60):
        await subscriber.ready.wait()
        for life in range(DEATHS):
            async with tera_at_work("run", "--config", config) as service:
                await line_with(service.stderr, "the station runs")
                for number in range(2):
                    await publish_order(broker, order(f"P-{life}-{number}", "timbangan-1"))
                while await store.count(kind="verdict") <= life:  # and on with the second one
                    await asyncio.sleep(0.01)
                service.kill()
                await service.wait()
        async with running(settings) as station:
            await station.outbox.wait_until_receipted()
            committed = await station.outbox.counts()
            assert await store.gaps() == ()
            assert await store.conflicts() == ()
            assert committed.unfinished == 0
            assert committed.verdicts == await store.count(kind="verdict") >= DEATHS
            assert committed.abandonments == await store.count(kind="abandonment")
            assert committed.starts == await store.count(kind="start")
