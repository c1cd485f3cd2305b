"""What bad input gets (contract, section 6): what no test of one module alone can show."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from acquisition.config import instrument_settings, load_station
from acquisition.faults import BadInput, exit_code
from acquisition.instruments import Lines, make_driver
from calibration.units import parse_quantity
from drivers.indication import Condition
from drivers.register_map import load_map
from drivers.simulated_meter import SimulatedMeter
from tests.stations import (
    METER_BENCH,
    scale_at,
    scale_bench,
    tera,
    write_station,
)

# ---- configuration: the key, the file and the line


@pytest.mark.parametrize(
    ("bench", "old", "new", "key"),
    [
        ("scale", 'max = "15 kg"\nd', 'max = "15 kilo"\nd', "scale.max"),
        ("scale", "noise = ", "noise = 3 #", "scale.noise"),
        ("scale", 'noise = "0 g"', 'noise = "0 L"', "scale.noise"),
        ("scale", 'd = "1 g"\ne = "5 g"\nsettling', 'd = "0 g"\ne = "5 g"\nsettling', "scale.d"),
        ("scale", 'port = "simulated"', 'port = "tcp://host:1"', "port"),
        ("scale", 'port = "simulated"', 'port = "/dev/x"\nbaudrate = 9601', "baudrate"),
        ("scale", 'mode = "poll"', 'mode = "ask"', "mode"),
        ("scale", "interval = 0.002", "interval = 0", "interval"),
        ("scale", "[bench.instrument.scale]", "[bench.instrument.skale]", "skale"),
        ("meter", 'rate = "50 L/min"', 'rate = "50 L"', "rate"),
        ("meter", 'volume = "50 L"', 'volume = "0 L"', "volume"),
        ("meter", 'map = "endress-hauser-promass"', 'map = "endress"', "map"),
        ("meter", 'units = { totalizer_1 = "L" }', 'units = { totalizer_1 = "Lt" }', "totalizer_1"),
        ("meter", 'units = { totalizer_1 = "L" }', 'units = { totalizer_9 = "L" }', "units"),
        ("meter", '"50 L/min" = 0.1', '"50 furlong" = 0.1', "50 furlong"),
        ("head", 'mpe = "0.75 g"', 'mpe = "0.75 kilo"', "mpe"),
        ("head", 'certificate = "K-2"', 'certifikate = "K-2"', "certifikate"),
        ("head", 'language = "en"', 'language = "fr"', "language"),
    ],
)
def test_each_wrong_setting_is_named_by_file_line_and_key(
    tmp_path: Path, bench: str, old: str, new: str, key: str
) -> None:
    file = write_station(tmp_path, METER_BENCH if bench == "meter" else scale_bench())
    text = file.read_text(encoding="utf-8")
    assert old in text
    load_station(file)
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        load_station(file)
    lines = file.read_text(encoding="utf-8").splitlines()
    path, _, rest = refused.value.place.partition(":")
    number, _, named = rest.partition(": ")
    assert path == str(file)
    assert named.endswith(key)
    written = key.rpartition(".")[2]
    assert written in lines[int(number) - 1]
    assert int(number) >= text[: text.index(old)].count("\n") + 1
    assert exit_code(refused.value) == 2


# ---- cable pulled, port gone, server down


@asynccontextmanager
async def scale_on(port: str) -> AsyncIterator[tuple[str, Callable[[], Awaitable[None]]]]:
    async with scale_at(port) as (address, scale):
        yield address, scale.stop


@asynccontextmanager
async def meter_on(port: str) -> AsyncIterator[tuple[str, Callable[[], Awaitable[None]]]]:
    meter = SimulatedMeter(load_map("endress-hauser-promass").with_units({"totalizer_1": "L"}))
    yield await meter.start(port), meter.stop
    await meter.stop()


INTERVAL = 1.0
"""The next poll finds the line gone; the second period is for a machine that is busy [s]."""


@pytest.mark.parametrize(
    ("at", "port"),
    [
        (scale_on, "pty"),
        (scale_on, "tcp://127.0.0.1:0"),
        (meter_on, "pty"),
        (meter_on, "tcp://127.0.0.1:0"),
    ],
)
async def test_a_line_that_goes_away_is_a_fault_within_two_poll_periods(
    at: Callable[[str], object], port: str
) -> None:
    async with at(port) as (address, pull):  # type: ignore[attr-defined]
        kind = {"driver": "modbus", "map": "endress-hauser-promass", "units": {"totalizer_1": "L"}}
        settings = instrument_settings(
            name="it",
            port=address,
            interval=INTERVAL,
            timeout=INTERVAL,
            **(kind if at is meter_on else {"driver": "mt-sics"}),
        )
        lines = Lines()
        try:
            async with aclosing(make_driver(settings, address, lines).indications()) as shown:
                async with asyncio.timeout(20):
                    assert (await anext(shown)).value is not None
                    await pull()
                    pulled = time.monotonic_ns()
                    async for indication in shown:
                        if indication.since_ns < pulled and indication.value is not None:
                            continue  # it was on its way
                        break
        finally:
            await lines.aclose()
    assert indication.condition is Condition.FAULT
    assert (indication.value, indication.text, indication.unit) == (None, "", None)
    assert indication.arrived_ns - pulled <= 2 * INTERVAL * 1e9


# ---- overload and underload


@pytest.mark.parametrize(("load", "condition"), [("20 kg", "overload"), ("-5 kg", "underload")])
async def test_a_load_that_the_scale_cannot_show_is_a_condition_and_never_a_number(
    load: str, condition: str
) -> None:
    async with scale_at("tcp://127.0.0.1:0") as (port, scale):
        scale.place(parse_quantity(load).to("g").magnitude)
        read = ("read", "--driver", "mt-sics", "--port", port, "--count", "1", "--json")
        done = await asyncio.to_thread(tera, *read)
    [row] = [json.loads(line) for line in done.stdout.splitlines()]
    assert (row["condition"], row["value"], row["unit"], row["text"]) == (condition, None, None, "")


# ---- broker away for days, and the disk full


def test_what_waits_for_the_broker_is_counted_where_people_look(tmp_path: Path) -> None:
    config = write_station(tmp_path, scale_bench())
    done = tera("verify", "timbangan-1", "--unattended", "--config", config, "--json")
    assert done.returncode == 0, done.stderr.decode()
    doctor = tera("doctor", "--config", config, "--json")
    found = {row["check"]: row for row in map(json.loads, doctor.stdout.splitlines())}
    assert found["outbox"]["text"].startswith("2 records wait for their receipt, the oldest for ")
    assert found["broker"]["state"] == "fault"
    assert "verdicts wait on disk" in found["broker"]["advice"]


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system is mounted only by root")
def test_on_a_full_disk_no_run_starts_and_what_is_committed_stays(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(small)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a file system")
    try:
        more = f'[store]\noutbox = "{small}/outbox.sqlite"\n'
        config = write_station(tmp_path, scale_bench(), more=more)
        verify = ("verify", "timbangan-1", "--unattended", "--config", config, "--json")
        first = tera(*verify)
        assert first.returncode == 0, first.stderr.decode()
        filler = small / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(b"\0" * 4096)
        full = tera(*verify)
        assert full.returncode == 3, full.stderr.decode()
        assert len(full.stderr.splitlines()) == 1, full.stderr.decode()
        assert "is full: make room; what is committed stays" in full.stderr.decode()
        assert not full.stdout
        filler.unlink()
        again = tera(*verify)
        assert again.returncode == 0, again.stderr.decode()
        numbers = [json.loads(done.stdout)["number"] for done in (first, again)]
        assert numbers == [1, 2]
    finally:
        subprocess.run(["umount", str(small)], check=True)
