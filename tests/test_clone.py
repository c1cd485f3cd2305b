"""A station that was copied to a second computer: one of the two speaks for the bench, not both."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from acquisition.config import load_station
from broker.bench_line import BenchLine
from broker.claim import Holder
from broker.connection import first
from broker.failure import Cloned
from broker.outbox import Counts, Outbox
from broker.publisher import Publisher
from broker.record import decode, encode, validate
from broker.seal import Trust
from tests.mosquitto import MISSING, PROGRAM, PUBLISH, SUBSCRIBE, Mosquitto
from tests.records import SOFTWARE, TIME, until
from tests.stations import line_with, scale_bench, tera, tera_at_work, write_station
from tests.test_commands import listening
from tests.test_service import retained
from tests.test_station import records_system

pytestmark = pytest.mark.skipif(None in (PROGRAM, PUBLISH, SUBSCRIBE), reason=MISSING)
STATE = "tera/v1/3516/trial/state/meja-1"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    await broker.start()
    yield broker
    broker.kill()


async def counts_of(folder: Path) -> Counts:
    outbox = await Outbox.open(folder / "data" / "outbox.sqlite")
    try:
        return await outbox.counts()
    finally:
        await outbox.close()


async def test_a_copy_of_a_station_stops_says_why_and_loses_nothing(
    tmp_path: Path, broker: Mosquitto
) -> None:
    first_one, copy = tmp_path / "first", tmp_path / "copy"
    first_one.mkdir()
    config = write_station(first_one, scale_bench(), broker=broker.port)
    settings = load_station(config)
    async with (
        listening(broker, STATE) as states,
        tera_at_work("run", "--config", config) as original,
    ):
        await line_with(original.stderr, "connected")
        ours = decode(await states.readline())
        assert validate(ours) == "state"
        # the file of the heartbeat is there for an instant only while it is written anew
        shutil.copytree(first_one, copy, ignore=shutil.ignore_patterns("*.alive*"))
        refused = await asyncio.to_thread(tera, "run", "--config", copy / "config.toml")
        assert refused.returncode == 3
        said = refused.stderr.decode().splitlines()[-1]
        assert said.startswith("tera: bench meja-1 is served by another computer or copy")
        assert f"({ours['station']}, since " in said
        assert "nothing is lost here" in said
        assert "Traceback" not in refused.stderr.decode()
        warned = await line_with(original.stderr, "spoke for it too")
        assert "bench meja-1: another computer, s-" in warned
        kept = await retained(broker, STATE)
        assert (kept["state"], kept["station"]) == ("online", ours["station"])
        verify = ("verify", "timbangan-1", "--unattended", "--config", copy / "config.toml")
        # A technician at the copy may have finished a run before the broker was heard.
        await asyncio.to_thread(tera, *verify)
        left = await counts_of(copy)
        assert left.unfinished == 0
        assert left.waiting == left.starts + left.verdicts + left.abandonments
        original.send_signal(signal.SIGTERM)
        assert await original.wait() == 0
    settings.store.records.parent.mkdir(exist_ok=True)
    async with (  # the first one is off: now the copy may
        records_system(settings, broker) as store,
        tera_at_work("run", "--config", copy / "config.toml") as second,
    ):
        await line_with(second.stderr, "connected")
        async with asyncio.timeout(20):
            while await store.count() < left.waiting:
                await asyncio.sleep(0.05)
        second.send_signal(signal.SIGTERM)
        await line_with(second.stderr, "stopped; 0 records wait")


async def test_a_station_that_is_started_again_is_no_copy_of_itself(
    tmp_path: Path, broker: Mosquitto
) -> None:
    config = write_station(tmp_path, scale_bench(), broker=broker.port)
    for end in (signal.SIGKILL, signal.SIGTERM):
        async with tera_at_work("run", "--config", config) as service:
            await line_with(service.stderr, "connected")
            service.send_signal(end)
            assert await service.wait() == (0 if end == signal.SIGTERM else -9)


@asynccontextmanager
async def speaking(
    folder: Path, broker: Mosquitto, station: str
) -> AsyncIterator[tuple[asyncio.Task[None], BenchLine]]:
    """Run the publisher of a station with one bench."""
    outbox = await Outbox.open(folder / f"{station}.sqlite")
    publisher = Publisher(
        outbox, broker.address(), "3516", {"meja-1": True}, SOFTWARE, Trust(()), station=station
    )
    task = asyncio.create_task(publisher.run())
    try:
        yield task, publisher.benches["meja-1"]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbox.close()


async def test_of_two_that_start_at_the_same_moment_exactly_one_stays(
    tmp_path: Path, broker: Mosquitto
) -> None:
    one, other = "s-" + "1" * 16, "s-" + "2" * 16
    for _ in range(5):
        async with (
            speaking(tmp_path, broker, one) as (task, line),
            speaking(tmp_path, broker, other) as (task_2, line_2),
        ):
            ended, working = await asyncio.wait(
                {task, task_2}, timeout=20, return_when=asyncio.FIRST_COMPLETED
            )
            assert (len(ended), len(working)) == (1, 1)
            assert isinstance(first(ended.pop().exception() or ValueError()), Cloned)
            stays = line if task in working else line_2
            await until(lambda stays=stays: stays.online)  # type: ignore[misc]
        assert (await retained(broker, STATE))["state"] == "offline"


async def test_the_place_of_a_station_that_was_switched_off_without_a_word_is_free(
    tmp_path: Path, broker: Mosquitto
) -> None:
    old = {
        "schema": "tera/state/1",
        "office": "3516",
        "bench": "meja-1",
        "state": "online",
        "station": "s-" + "0" * 16,
        "connected": TIME,
        "faults": [],
        "software": SOFTWARE,
    }
    for left in (json.dumps(old), "no state at all", '{"state": 7, "station": [1]}'):
        peer = await asyncio.create_subprocess_exec(
            *(str(PUBLISH), "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-r"),
            *("-t", STATE, "-m", left),
        )
        assert await peer.wait() == 0
        async with speaking(tmp_path, broker, "s-" + "1" * 16) as (task, line):
            await until(lambda line=line: line.online)  # type: ignore[misc]
            assert not task.done()
            assert (await retained(broker, STATE))["station"] == "s-" + "1" * 16


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a program another machine-id")
async def test_an_outbox_from_another_computer_is_refused_until_somebody_takes_it_over(
    tmp_path: Path,
) -> None:
    config = write_station(tmp_path, scale_bench())
    verify = ("verify", "timbangan-1", "--unattended", "--config", config, "--json")
    here = tera(*verify)
    assert here.returncode == 0, here.stderr.decode()
    other = tmp_path / "machine-id"
    other.write_text("0123456789abcdef0123456789abcdef\n", encoding="ascii")
    script = f'mount --bind {other} /etc/machine-id && exec "$@"'
    elsewhere = ("unshare", "--mount", "sh", "-c", script, "sh")
    if subprocess.run([*elsewhere, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let root bind a file over another")
    if not Path("/etc/machine-id").read_text(encoding="ascii").strip():
        pytest.skip("this computer has no machine-id")
    refused = tera(*verify, under=elsewhere)
    assert refused.returncode == 3
    [said] = refused.stderr.decode().splitlines()
    assert "outbox.sqlite was copied from another computer" in said
    assert "`tera run --take-over`" in said
    examined = tera("doctor", "--config", config, "--json", under=elsewhere)
    rows = {row["check"]: row for row in map(json.loads, examined.stdout.splitlines())}
    assert rows["computer"]["state"] == "fault"
    assert "--take-over" in rows["computer"]["advice"]
    run = ("run", "--config", config)
    async with tera_at_work(*run, "--take-over", under=elsewhere) as service:
        await line_with(service.stderr, "the station runs")
        service.send_signal(signal.SIGTERM)
        assert await service.wait() == 0
    again = tera(*verify, under=elsewhere)
    assert again.returncode == 0, again.stderr.decode()
    assert json.loads(again.stdout)["number"] == 2
    assert tera(*verify).returncode == 3  # now it is the first computer that has a copy


def test_of_two_that_both_came_to_hold_a_bench_the_later_one_goes() -> None:
    """As when an answer took longer than it may: they would answer one another for ever."""
    stations = [("s-" + "2" * 16, "2026-11-24T08:00:00.000Z"), ("s-" + "1" * 16, TIME + "1")]

    def said(of: int) -> bytes:
        station, since = stations[of]
        return encode({"schema": "x", "state": "online", "station": station, "connected": since})

    holders = [Holder("meja-1", station) for station, _ in stations]
    gone = []
    for _ in range(10):
        for own, other in ((0, 1), (1, 0)):
            try:
                assert holders[own].hear(said(other), stations[own][1])
            except Cloned:
                gone.append(own)
        assert not holders[0].hear(said(0), stations[0][1])
    assert set(gone) == {1}
