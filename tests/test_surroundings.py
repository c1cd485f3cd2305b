"""The air at each point: taken from transmitters then, never filled in, and in the verdict."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from acquisition.config import Instrument, load_station
from acquisition.faults import Abandoned, BadInput
from acquisition.feed import Feed
from acquisition.session import PointObserved
from acquisition.station import running
from acquisition.surroundings import Surrounding, looked_at, mean
from calibration.units import Quantity
from drivers.indication import Condition, Indication, Origin
from tests.stations import events_of, job_of, scale_bench, settings_of, verdict_of, write_station
from tests.test_session import job_on_a_wire

ROOM = """
[[bench.instrument]]
name = "ruang"
driver = "modbus"
port = "simulated"
map = "comet-t7410"
role = "environment"
interval = 0.02
[bench.instrument.room]
temperature = "27.4 °C"
humidity = "61 %"
"""


def indication(quantity: str) -> Indication:
    """Return an indication of now."""
    return Indication(
        instrument="ruang",
        quantity=quantity,
        text="27.4",
        value=Decimal("27.4"),
        unit="°C",
        condition=Condition.DYNAMIC,
        detail=None,
        origin=Origin.SIMULATED,
        time=datetime.now(UTC),
        since_ns=time.monotonic_ns(),
        arrived_ns=time.monotonic_ns(),
        sequence=0,
        raw=b"",
    )


async def test_a_verdict_takes_the_air_at_the_time_of_each_point(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, scale_bench() + ROOM)
    async with running(settings) as station:
        job = job_of(station, "timbangan-1")
        events = await events_of(job)
        record = await verdict_of(job)
    points = sum(isinstance(event, PointObserved) for event in events)
    environment = record["environment"]
    assert environment["temperature"] == "27.4 °C"
    assert environment["humidity"] == "61.0 %"
    assert environment["pressure"].startswith("1009.")
    assert record["cerapan"]["environment"] == environment
    for name in ("temperature", "humidity", "pressure"):
        kept = [raw for raw in record["raw"] if raw["point"].endswith(f" {name}")]
        assert len(kept) == points
        assert {raw["instrument"] for raw in kept} == {"ruang"}
        assert all(raw["hex"] for raw in kept)
    times = [raw["time"] for raw in record["raw"] if raw["point"].endswith(" temperature")]
    assert times == sorted(times)


async def test_a_provisional_map_that_nobody_compared_makes_no_verdict_legal(
    tmp_path: Path,
) -> None:
    for checked, said in (("", True), ('map_checked = "Sari, 2026-11-24"', False)):
        folder = tmp_path / str(said)
        folder.mkdir()
        room = ROOM.replace("interval = 0.02", f"interval = 0.02\n{checked}")
        settings = settings_of(folder, scale_bench() + room)
        assert settings.bench[0].instrument[1].unchecked_map() == ("comet-t7410" if said else None)
        assert settings.bench[0].instrument[0].unchecked_map() is None
        async with running(settings) as station:
            record = await verdict_of(job_of(station, "timbangan-1"))
        told = [reason for reason in record["reasons"] if "comet-t7410" in reason]
        assert bool(told) is said
        assert not record["legal"]


async def test_it_is_what_keeps_a_verdict_from_being_legal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same run is legal in tests/test_session.py."""
    monkeypatch.setattr(Instrument, "unchecked_map", lambda self: "comet-t7410")
    async with job_on_a_wire(tmp_path, Origin.WIRE) as job:
        record = await verdict_of(job)
    assert (record["verdict"], record["trial"], record["legal"]) == ("conforming", False, False)
    assert any("comet-t7410 of timbangan-1 is provisional" in said for said in record["reasons"])


async def test_a_point_without_a_value_of_the_air_ends_the_run(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, scale_bench(patience=0.3) + ROOM)
    async with running(settings) as station:
        station.workshop.meters["ruang"].fail("sensor")
        await station.workshop.meters["ruang"].stop()
        async with asyncio.timeout(20):
            while station.feeds["ruang"].latest is None or not station.faults.get("ruang"):
                await asyncio.sleep(0.01)
        with pytest.raises(Abandoned, match="no temperature from ruang within"):
            await events_of(job_of(station, "timbangan-1"))


async def test_an_old_value_or_a_fault_is_no_value_of_now() -> None:
    feed = Feed("ruang")
    one = Surrounding("temperature", "temperature_1", feed)
    old = replace(indication(quantity="temperature_1"), arrived_ns=1)
    feed.publish(old)
    with pytest.raises(Abandoned, match="the last was"):
        await looked_at(one, time.monotonic_ns(), 0.05)
    waiting = asyncio.create_task(looked_at(one, time.monotonic_ns(), 5))
    await asyncio.sleep(0)
    fresh = indication(quantity="temperature_1")
    feed.publish(indication(quantity="humidity"))
    feed.publish(fresh)
    assert await waiting is fresh
    assert await looked_at(one, time.monotonic_ns(), 0) is fresh
    feed.publish(replace(fresh, value=None, unit=None, detail="sensor break"))
    with pytest.raises(Abandoned, match="sensor break"):
        await looked_at(one, time.monotonic_ns(), 0.05)


def test_the_mean_of_the_points_has_one_digit_more_than_they_had() -> None:
    def celsius(*texts: str) -> list[Quantity]:
        return [Quantity(Decimal(text), "°C") for text in texts]

    assert str(mean(celsius("27.4", "27.4"))) == "27.4 °C"
    assert str(mean(celsius("27.4", "27.5", "27.5"))) == "27.47 °C"
    assert str(mean([Quantity(Decimal(27), "°C"), Quantity(Decimal("301.15"), "K")])) == "27.5 °C"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('map = "comet-t7410"', 'map = "siemens-mag6000"', "no temperature, humidity or pressure"),
        (
            "interval = 0.02",
            'interval = 0.02\nenvironment = { pressure = "humidity" }',
            "cannot be",
        ),
        ("interval = 0.02", 'interval = 0.02\nenvironment = { pressure = "p" }', "no quantity p"),
        ("interval = 0.02", 'interval = 0.02\nenvironment = { wind = "p" }', "wind"),
        (
            'role = "environment"',
            'role = "reference"\nenvironment = { humidity = "humidity" }',
            "ro",
        ),
        ('driver = "modbus"', 'driver = "mt-sics"', "modbus"),
    ],
)
def test_what_cannot_be_the_air_is_refused_with_its_key(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in ROOM
    file = write_station(tmp_path, scale_bench() + ROOM.replace(old, new))
    with pytest.raises(BadInput) as caught:
        load_station(file)
    assert said in str(caught.value)
    assert str(file) in caught.value.place


def test_the_air_of_a_bench_is_stated_or_measured_and_not_both(tmp_path: Path) -> None:
    stated = scale_bench().replace(
        "[[bench.instrument]]",
        '[bench.environment]\ntemperature = "28 °C"\n[[bench.instrument]]',
        1,
    )
    with pytest.raises(BadInput, match="'temperature' is given twice"):
        load_station(write_station(tmp_path, stated + ROOM))
    only = ROOM.replace(
        "interval = 0.02", 'interval = 0.02\nenvironment = { humidity = "humidity" }'
    )
    settings = load_station(write_station(tmp_path, stated + only))
    assert settings.bench[0].instrument[1].surroundings() == {"humidity": "humidity"}


def test_a_map_of_ones_own_is_a_file_beside_the_configuration(tmp_path: Path) -> None:
    own = tmp_path / "ruang.toml"
    own.write_text(
        """
id = "ruang"
title = "A thermometer of our own"
measures = "temperature"
address_base = 0
function = "input"
word_order = "ABCD"
[sources]
own = "measured here on 2026-11-24"
[[register]]
quantity = "temperature"
address = 5
type = "int16"
scale = "0.1"
unit = "°C"
document = "own"
page = "-"
""",
        encoding="utf-8",
    )
    bench = scale_bench() + ROOM.replace('map = "comet-t7410"', 'map = "ruang.toml"')
    settings = load_station(write_station(tmp_path, bench))
    assert settings.bench[0].instrument[1].register_map().id == "ruang"
    own.write_text(own.read_text(encoding="utf-8").replace("int16", "int61"), encoding="utf-8")
    with pytest.raises(BadInput, match=r"register\[0\].type must be one of") as caught:
        load_station(write_station(tmp_path, bench))
    assert caught.value.place.endswith("bench[0].instrument[1].map")
    own.unlink()
    with pytest.raises(BadInput, match="cannot be read"):
        load_station(write_station(tmp_path, bench))
