"""A station at work: what fails stays where it failed, and nothing that was begun is forgotten."""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from acquisition.config import Station, load_station
from acquisition.faults import Abandoned, BadInput
from acquisition.feed import Feed
from acquisition.station import Running, running
from broker.outbox import Outbox
from broker.record import decode, validate
from broker.store import RecordStore
from broker.subscriber import Subscriber
from drivers.capture import read_capture
from drivers.indication import Condition, Indication
from drivers.register_map import load_map
from drivers.simulated_meter import SimulatedMeter
from tests.mosquitto import MISSING, PROGRAM, Mosquitto
from tests.records import the_key
from tests.stations import (
    METER_BENCH,
    hand_on,
    job_of,
    line_with,
    scale_at,
    scale_bench,
    settings_of,
    tera,
    tera_at_work,
    verdict_of,
    write_station,
)


def meter_bench(port: str) -> str:
    """Return the bench of meters with the meter under test at a port."""
    old = 'name = "meter-uji"\ndriver = "modbus"\nport = "simulated"'
    assert old in METER_BENCH
    return METER_BENCH.replace(old, old.replace("simulated", port))


async def seen(
    station: Running, name: str, wanted: Callable[[Indication], bool], within: float = 20
) -> Indication:
    """Wait until an instrument shows what is wanted, if it does not already."""
    feed = station.feeds[name]
    with feed.listening() as listener:
        indication, deadline = feed.latest, time.monotonic() + within
        while indication is None or not wanted(indication):
            indication = await listener.next_before(deadline)
            assert time.monotonic() < deadline, f"{name} did not show it within {within} s"
    return indication


def is_fault(indication: Indication) -> bool:
    return indication.condition is Condition.FAULT


def is_well(indication: Indication) -> bool:
    return indication.value is not None


class Exploding(Feed):
    """A feed with a mistake that nobody foresaw."""

    def publish(self, indication: Indication) -> None:
        raise ZeroDivisionError("a mistake in the program")


async def _pull_the_cable(station: Running) -> None:
    await station.workshop.scales["timbangan-1"].stop()


async def _noise(station: Running) -> None:
    station.workshop.scales["timbangan-1"].fail("noise")


async def _silence(station: Running) -> None:
    station.workshop.scales["timbangan-1"].fail("silence")


async def _explode(station: Running) -> None:
    station.feeds["timbangan-1"] = Exploding("timbangan-1")


async def _nothing(station: Running) -> None:
    pass


@pytest.mark.parametrize(
    ("changed", "fail", "named"),
    [
        ({"port": "/dev/ttyNOWHERE"}, _nothing, "There is no port /dev/ttyNOWHERE"),
        ({"port": "socket://127.0.0.1:1"}, _nothing, "socket://127.0.0.1:1 cannot be opened"),
        ({}, _pull_the_cable, "/dev/pts/"),
        ({}, _noise, "Only unreadable bytes"),
        ({}, _silence, "did not answer within 0.3 s"),
        ({}, _explode, "ZeroDivisionError: a mistake in the program"),
    ],
    ids=["no port", "no server", "cable pulled", "noise", "silence", "program fault"],
)
async def test_one_failing_instrument_never_stops_another_bench(
    tmp_path: Path,
    changed: dict[str, str],
    fail: Callable[[Running], Any],
    named: str,
) -> None:
    async with running(settings_of(tmp_path, scale_bench(1, **changed), scale_bench(2))) as station:
        if fail is not _nothing:
            await seen(station, "timbangan-1", is_well)
        await fail(station)
        record = await verdict_of(job_of(station, "timbangan-2"))
        async with asyncio.timeout(10):
            while named not in station.faults.get("timbangan-1", ""):
                await asyncio.sleep(0.01)
        again = await verdict_of(job_of(station, "timbangan-2"))
        assert set(station.faults) == {"timbangan-1"}
    assert (record["verdict"], again["verdict"]) == ("conforming", "conforming")
    assert (record["number"], again["number"]) == (1, 2)


async def test_a_port_that_is_missing_is_tried_again_and_the_instrument_comes_back(
    tmp_path: Path,
) -> None:
    port = tmp_path / "ttyLATER"
    async with running(settings_of(tmp_path, scale_bench(port=port, patience=20))) as station:
        assert str(port) in ((await seen(station, "timbangan-1", is_fault)).detail or "")
        assert str(port) in station.faults["timbangan-1"]
        async with scale_at(f"pty:{port}") as (_, scale):
            well = await seen(station, "timbangan-1", is_well)
            assert "timbangan-1" not in station.faults
            record = await verdict_of(job_of(station, "timbangan-1", hand_on(scale)))
        gone = await seen(station, "timbangan-1", is_fault)
        assert (gone.value, gone.text) == (None, "")
        async with scale_at(f"pty:{port}"):
            await seen(station, "timbangan-1", is_well)
    assert well.origin == "simulated"  # although nobody could know that at the start
    assert (record["verdict"], record["trial"], record["legal"]) == ("conforming", True, False)


async def test_a_meter_server_that_goes_and_returns_shows_no_old_value(tmp_path: Path) -> None:
    meter = SimulatedMeter(load_map("endress-hauser-promass").with_units({"totalizer_1": "L"}))
    port = await meter.start()
    try:
        async with running(settings_of(tmp_path, meter_bench(port))) as station:
            await seen(station, "meter-uji", is_well)
            await meter.stop()
            gone = await seen(station, "meter-uji", is_fault)
            assert (gone.value, gone.text) == (None, "")
            assert set(station.faults) == {"meter-uji"}
            assert await meter.start(port) == port
            await seen(station, "meter-uji", is_well)
    finally:
        await meter.stop()


async def test_one_quantity_at_fault_is_said_once_and_not_at_every_poll(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "acquisition.pump")
    async with running(settings_of(tmp_path, METER_BENCH)) as station:
        meter = station.workshop.meters["meter-uji"]
        await seen(station, "meter-uji", is_well)
        meter.fail("sensor")  # its values are NaN while its status register is in order
        polls = 0

        def ten_polls(indication: Indication) -> bool:
            nonlocal polls
            polls += indication.condition is Condition.FAULT
            return polls > 40

        await seen(station, "meter-uji", ten_polls)
        assert station.faults["meter-uji"]
        assert len([r for r in caplog.records if "meter-uji" in r.message]) == 1
        meter.recover()
        async with asyncio.timeout(10):
            while station.faults:
                await asyncio.sleep(0.01)
    assert [r.levelname for r in caplog.records if "meter-uji" in r.message] == ["WARNING", "INFO"]


async def test_a_second_program_on_the_same_bench_is_refused_and_on_another_one_is_not(
    tmp_path: Path,
) -> None:
    config = write_station(tmp_path, scale_bench(1), scale_bench(2))
    async with running(only(load_station(config), "meja-1")) as station:
        refused = tera("verify", "timbangan-1", "--unattended", "--config", config)
        assert refused.returncode == 3
        assert refused.stderr.decode().splitlines() == [
            "tera: bench meja-1 is at work in another program of this station: end that first"
        ]
        allowed = tera("verify", "timbangan-2", "--unattended", "--config", config, "--json")
        assert allowed.returncode == 0, allowed.stderr.decode()
        record = await verdict_of(job_of(station, "timbangan-1"))
        assert record["number"] == 1  # the refused program has not even started a run
    async with running(only(load_station(config), "meja-1")):
        pass  # a bench is free again once its program has ended


def only(settings: Station, bench: str) -> Station:
    """Return the settings of a program that works on one bench of a station."""
    return settings.model_copy(
        update={"bench": tuple(b for b in settings.bench if b.name == bench)}
    )


async def records_of(outbox: Outbox) -> list[dict[str, Any]]:
    rows = await outbox.pending(1000)
    records = [decode(row.body) for row in rows]
    for record in records:
        validate(record)
    return records


async def test_a_run_of_a_program_that_was_killed_becomes_an_abandonment_at_the_next_start(
    tmp_path: Path,
) -> None:
    config = write_station(tmp_path, scale_bench(1), scale_bench(2))
    settings = load_station(config)
    verify = ("verify", "--unattended", "--config", config)
    async with tera_at_work(*verify, "timbangan-1") as process:
        await line_with(process.stderr, "2/18")
        process.send_signal(signal.SIGKILL)
        await process.wait()
    outbox = await Outbox.open(settings.store.outbox)
    try:
        assert (await outbox.counts()).unfinished == 1
    finally:
        await outbox.close()
    async with tera_at_work(*verify, "timbangan-2", "--json") as living:
        await line_with(living.stderr, "2/18")
        living.send_signal(signal.SIGSTOP)  # it is in the middle of a run for as long as we look
        async with running(only(settings, "meja-1")) as station:
            record = await verdict_of(job_of(station, "timbangan-1"))
            records = await records_of(station.outbox)
        living.send_signal(signal.SIGCONT)
        assert await living.wait() == 0
    killed = [r for r in records if r["bench"] == "meja-1"]
    assert [r["schema"].split("/")[1] for r in killed] == [
        "start",
        "abandonment",
        "start",
        "verdict",
    ]
    assert killed[0]["id"] == killed[1]["id"]
    assert killed[1]["reason"] == "the station stopped before the run was finished"
    assert (killed[1]["number"], record["number"]) == (1, 2)
    assert [r["schema"] for r in records if r["bench"] == "meja-2"] == ["tera/start/1"]


@asynccontextmanager
async def records_system(settings: Station, broker: Mosquitto) -> AsyncIterator[RecordStore]:
    store = await RecordStore.open(settings.store.records)
    subscriber = Subscriber(store, broker.address(), settings.office.code, the_key)
    task = asyncio.create_task(subscriber.run())
    try:
        yield store
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
async def test_a_station_without_its_broker_works_on_and_drains_when_it_is_there(
    tmp_path: Path,
) -> None:
    broker = Mosquitto(tmp_path)
    settings = settings_of(tmp_path, scale_bench(1), scale_bench(2), broker=broker.port)
    made: list[dict[str, Any]] = []
    try:
        async with running(settings) as station:
            made += [await verdict_of(job_of(station, f"timbangan-{n}")) for n in (1, 2, 1)]
            assert (await station.outbox.counts()).waiting == 6
        async with running(settings) as station:  # not even a new start needs the broker
            made.append(await verdict_of(job_of(station, "timbangan-2")))
            await broker.start()
            async with records_system(settings, broker) as store, asyncio.timeout(30):
                await station.outbox.wait_until_receipted()
                stored = await store.verdicts()
                assert await store.gaps() == ()
    finally:
        broker.kill()
    assert sorted(r.id for r in stored) == sorted(r["id"] for r in made)
    assert [r.number for r in stored if r.bench == "meja-1"] == [1, 2]


async def test_every_byte_of_a_line_is_written_down_where_captures_are_wanted(
    tmp_path: Path,
) -> None:
    settings = settings_of(tmp_path, scale_bench(), more='[store]\ncaptures = "captures"\n')
    async with running(settings) as station:
        record = await verdict_of(job_of(station, "timbangan-1"))
    [file] = (tmp_path / "captures").iterdir()
    received = b"".join(c.data for c in read_capture(file) if c.direction == "received")
    at = 0
    for raw in record["raw"]:  # every indication that was taken, in its order
        at = received.index(bytes.fromhex(raw["hex"]), at) + 1


SHARED = METER_BENCH.replace('port = "simulated"', 'port = "tcp://127.0.0.1:9"')


@pytest.mark.parametrize(
    ("benches", "more", "named"),
    [
        (
            SHARED.replace('role = "reference"', 'role = "reference"\ntimeout = 2'),
            "",
            "instruments on tcp://127.0.0.1:9 disagree",
        ),
        (scale_bench(), '[store]\noutbox = "config.toml/outbox.sqlite"\n', "store.outbox"),
        (scale_bench(), '[store]\ncaptures = "config.toml/x"\n', "store.captures"),
    ],
    ids=["one line, two timeouts", "no folder for the outbox", "no folder for captures"],
)
async def test_settings_that_cannot_work_are_named_before_anything_starts(
    tmp_path: Path, benches: str, more: str, named: str
) -> None:
    settings = settings_of(tmp_path, benches, more=more)
    with pytest.raises((BadInput, Abandoned), match=named):
        async with running(settings):
            pytest.fail("the station runs")
