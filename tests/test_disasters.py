"""What befalls offices: stores, outboxes and brokers that are restored, replaced or wiped."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.mosquitto import MISSING, PROGRAM, PUBLISH, Mosquitto
from tests.offices import Office, copy_of, put_back
from tests.stations import line_with, order, publish_order, scale_bench, tera
from tests.test_clock_watch import LIBRARY

pytestmark = pytest.mark.skipif(None in (PROGRAM, PUBLISH), reason=MISSING)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    broker = Mosquitto(tmp_path)
    await broker.start()
    yield Office(tmp_path, broker)
    broker.kill()


async def test_a_store_restored_from_a_backup_gets_its_last_records_again_also_from_archives(
    tmp_path: Path, office: Office
) -> None:
    """No later number comes, all have receipts, and a part of the bytes lies in an archive."""
    async with office.working() as station:
        async with office.receiving():
            await office.verify(station)
            await office.stored(2)
        copy = copy_of(Path(office.store), "yesterday")
        async with office.receiving():
            await office.verify(station)
            await office.verify(station)
            lost = await office.stored(6)
            await office.receipted()
            archive = ("records", "archive", "--before", "2099-01-01", "--to", tmp_path / "old")
            moved = await asyncio.to_thread(tera, *archive, "--config", office.station)
            assert b"6 records are now in" in moved.stdout
        put_back(copy, Path(office.store))
        async with office.receiving() as records:
            await line_with(records.stderr, "bench meja-1: asked again for the numbers ")
            assert await office.stored(6) == lost
            await line_with(station.stderr, "bench meja-1: the records system asked again for ")


async def test_an_empty_store_with_a_new_key_gets_everything_once_the_station_knows_the_key(
    office: Office,
) -> None:
    async with office.working() as station:
        async with office.receiving():
            await office.verify(station)
            lost = await office.stored(2)
            await office.receipted()
        shutil.rmtree(Path(office.store).parent)
        shutil.rmtree(office.office / "data")
        fresh = office.new_key()
        async with office.receiving():
            said = await line_with(station.stderr, "which is not trusted here")
            assert "bench meja-1: refused on tera/v1/3516/trial/receipts/meja-1" in said
    office.write(office.key + fresh)
    async with office.receiving(), office.working() as station:
        assert await office.stored(2) == lost
        await office.verify(station)
        await office.stored(4)
        await office.receipted()


async def test_an_outbox_that_is_older_than_what_went_out_of_it_gives_no_number_twice(
    office: Office,
) -> None:
    """A disk that lost what it had confirmed: outbox and counterfoil are those of an earlier moment."""
    async with office.receiving():
        async with office.working() as station:
            await office.verify(station)
        copy = copy_of(office.outbox, "before")
        async with office.working() as station:
            await office.verify(station)
            await office.verify(station)
            known = await office.stored(6)
            await office.receipted()
            station.kill()  # its last will knows only what was when it came
            await station.wait()
        put_back(copy, office.outbox)
        older = "bench meja-1: numbers up to 3 were given before, and this outbox ends at 1"
        async with office.working() as station:
            assert older in await office.verify(station)
        verify = ("verify", "timbangan-1", "--unattended", "--config", office.station)
        refused = await asyncio.to_thread(tera, *verify)
        assert refused.returncode == 3
        assert refused.stderr.decode().splitlines()[-1].startswith(f"tera: {older}")
        async with office.working("--go-on") as station:
            await line_with(station.stderr, "bench meja-1: numbers go on with 4")
            await office.verify(station)
            after = await office.stored(8)
    assert {key: after[key] for key in known} == known
    assert after.keys() - known.keys() == {("meja-1", 4, "start"), ("meja-1", 4, "verdict")}


async def test_a_broker_that_is_wiped_in_the_middle_of_runs_loses_nothing(
    tmp_path: Path, office: Office
) -> None:
    """Sessions, retained states and orders, and what was in flight are gone, as with another broker."""
    async with office.receiving(), office.working() as station:
        for number in range(1, 3):
            await publish_order(office.broker, order(f"W-{number}", "timbangan-1"))
            await line_with(station.stderr, f"is verified as number {number} of bench meja-1")
            office.broker.kill()
            (tmp_path / "mosquitto.db").unlink(missing_ok=True)
            await office.broker.start()
            await office.stored(2 * number)
        await office.receipted()


async def test_what_waits_is_named_when_the_office_changes_and_goes_out_when_the_bench_does(
    office: Office,
) -> None:
    async with office.working() as station:
        await office.verify(station)
    text = office.station.read_text(encoding="utf-8")
    office.station.write_text(text.replace('code = "3516"', 'code = "9999"'), encoding="utf-8")
    refused = await asyncio.to_thread(tera, "run", "--config", office.station)
    assert refused.returncode == 2
    said = refused.stderr.decode().splitlines()[-1]
    assert "belongs to office 3516, and 2 of its records wait" in said
    office.write(office.key, scale_bench().replace('"meja-1"', '"meja-baru"'))
    async with office.receiving(), office.working():
        stored = await office.stored(2)
        await office.receipted()
    assert stored.keys() == {("meja-1", 1, "start"), ("meja-1", 1, "verdict")}


@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (Debian: faketime)")
def test_a_computer_that_begins_in_another_century_says_so_and_verifies_nothing(
    office: Office,
) -> None:
    for when, command, code, said in (
        ("1970-01-02", ("verify", "timbangan-1", "--unattended"), 2, "is in force on 1970-01-0"),
        ("2000-01-01", ("records", "serve"), 2, "valid today, which is 2000-01-0"),
    ):
        config = office.records if command[0] == "records" else office.station
        clock = {"LD_PRELOAD": LIBRARY or "", "FAKETIME": f"@{when} 12:00:00"}
        clock["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
        done = tera(*command, "--config", config, environment=clock)
        assert done.returncode == code, done.stderr.decode()
        assert said in done.stderr.decode().splitlines()[-1]
