"""Small stations of simulated instruments on real lines: a run of 18 points takes half a second."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from acquisition.config import Bench, Instrument, Station, load_station
from acquisition.hands import Hand, SimulatedHand
from acquisition.job import Job
from acquisition.session import Event, Recorded, run
from acquisition.station import Running
from broker.keyring import as_toml
from drivers.physics import ScalePhysics
from drivers.simulated_scale import SimulatedScale
from tests.mosquitto import PUBLISH, Mosquitto
from tests.records import KNOWN, TIME

ROOT = Path(__file__).parent.parent

HEAD = """
[office]
code = "3516"
[console]
language = "en"
[broker]
port = {broker}
[[standards]]
id = "W-07"
kind = "weights"
certificate = "K-1"
due = 2099-12-31
mpe = "0.75 g"
[[standards]]
id = "FM-01"
kind = "reference flow meter"
certificate = "K-2"
due = 2099-12-31
expanded_uncertainty = "0.05 %"
"""

SCALE_BENCH = """
[[bench]]
name = "meja-{n}"
routine = "nawi"
standards = ["W-07"]
settle = {settle}
patience = {patience}
[[bench.instrument]]
name = "timbangan-{n}"
driver = "mt-sics"
port = "{port}"
mode = "{mode}"
interval = 0.002
timeout = 0.3
[bench.instrument.characteristics]
kind = "timbangan elektronik"
serial = "A-{n}"
class = "III"
max = "15 kg"
e = "5 g"
d = "{d}"
[bench.instrument.scale]
max = "15 kg"
d = "{d}"
e = "5 g"
settling_time = 0.002
display_cycle = 0.002
span_error_ppm = {span}
noise = "{noise}"
"""

METER_BENCH = """
[[bench]]
name = "meja-meter"
routine = "volume-meter"
standards = ["FM-01"]
settle = 0.02
patience = 5
[[bench.flow]]
rate = "50 L/min"
volume = "100 L"
runs = 3
[[bench.flow]]
rate = "30 L/min"
volume = "100 L"
runs = 3
[[bench.flow]]
rate = "10 L/min"
volume = "50 L"
runs = 3
[[bench.instrument]]
name = "meter-acuan"
driver = "modbus"
port = "simulated"
role = "reference"
map = "endress-hauser-promass"
units = { totalizer_1 = "L" }
interval = 0.01
[bench.instrument.meter]
[[bench.instrument]]
name = "meter-uji"
driver = "modbus"
port = "simulated"
map = "endress-hauser-promass"
units = { totalizer_1 = "L" }
interval = 0.01
[bench.instrument.characteristics]
kind = "meter arus volumetrik"
serial = "M-1"
class = "0.5"
mmq = "10 L"
[bench.instrument.meter]
errors = { "10 L/min" = 0.1, "50 L/min" = 0.1 }
"""

NOBODY = 1
"""A TCP port at which no broker listens."""


def scale_bench(n: int = 1, **changed: Any) -> str:
    """Return a bench with one scale; ``d`` of 0.2 e or less needs no added loads."""
    usual = {"port": "simulated", "mode": "poll", "settle": 0.005, "patience": 5, "d": "1 g"}
    return SCALE_BENCH.format(n=n, **{**usual, "span": 100, "noise": "0 g", **changed})


def write_station(folder: Path, *benches: str, broker: int = NOBODY, more: str = "") -> Path:
    """Write a configuration and return its path; ``more`` goes before the benches."""
    file = folder / "config.toml"
    trusted = as_toml(KNOWN, "[[records.trusted]]")
    text = HEAD.format(broker=broker) + trusted + more + "".join(benches)
    file.write_text(text, encoding="utf-8")
    return file


def settings_of(folder: Path, *benches: str, broker: int = NOBODY, more: str = "") -> Station:
    """Return the settings of a station whose files lie in a folder."""
    return load_station(write_station(folder, *benches, broker=broker, more=more))


def under_test(settings: Station, name: str) -> tuple[Bench, Instrument]:
    """Return an instrument and its bench."""
    return next((b, i) for b in settings.bench for i in b.instrument if i.name == name)


def job_of(station: Running, name: str, hand: Hand | None = None, **more: Any) -> Job:
    """Return the job of verifying an instrument, with simulated hands unless others are given."""
    bench, subject = under_test(station.settings, name)
    return station.job(bench, subject, hand or station.simulated_hand(bench, subject), **more)


async def verdict_of(job: Job) -> dict[str, Any]:
    """Run a job to its end and return the record."""
    async with aclosing(run(job)) as events:
        async for event in events:
            if isinstance(event, Recorded):
                return dict(event.record)
    raise AssertionError("the run ended without a record")


async def events_of(job: Job) -> list[Event]:
    """Run a job to its end and return all events."""
    async with aclosing(run(job)) as events:
        return [event async for event in events]


@asynccontextmanager
async def scale_at(
    port: str, *, settling_time: float = 0.002
) -> AsyncIterator[tuple[str, SimulatedScale]]:
    """Run somebody else's simulated scale of 15 kg at a port; give the port for the driver."""
    physics = ScalePhysics(
        max=Decimal(15000),
        d=Decimal(1),
        e=Decimal(5),
        span_error_ppm=Decimal(100),
        settling_time=settling_time,
        motion_window=0.004,
    )
    scale = SimulatedScale(physics, display_cycle=0.002)
    address = await scale.start(port)
    try:
        yield address, scale
    finally:
        await scale.stop()


def hand_on(scale: SimulatedScale) -> SimulatedHand:
    """Return hands that load a scale."""
    return SimulatedHand(scale=scale)


ENVIRONMENT = {"TERA_LANG": "en", "PYTHONPATH": str(ROOT), "COLUMNS": "100"}


def tera(
    *arguments: str | Path,
    stdin: bytes = b"",
    timeout: float = 60,
    under: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    **more: Any,
) -> subprocess.CompletedProcess[bytes]:
    """Run the command line as its user does, in English, and wait for its end.

    ``under`` is a command that runs it, such as ``prlimit --nofile=20``.
    """
    return subprocess.run(
        [*under, sys.executable, "-m", "acquisition", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=os.environ | ENVIRONMENT | dict(environment or {}),
        timeout=timeout,
        check=False,
        **more,
    )


@asynccontextmanager
async def tera_at_work(
    *arguments: str | Path,
    under: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    **more: Any,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the command line beside the test; it is killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *under,
        sys.executable,
        "-m",
        "acquisition",
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | ENVIRONMENT | dict(environment or {}),
        **more,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_with(stream: asyncio.StreamReader | None, text: str, within: float = 30) -> str:
    """Read lines until one has a text in it."""
    assert stream is not None
    async with asyncio.timeout(within):
        async for line in stream:
            if text in line.decode():
                return line.decode()
    raise AssertionError(f"the output ended without {text!r}")


def order(name: str, *instruments: str) -> dict[str, Any]:
    """Return an order for some instruments."""
    return {
        "schema": "tera/order/1",
        "order": name,
        "instruments": list(instruments),
        "owner": "pasar 12",
        "received": TIME,
    }


async def publish_order(
    broker: Mosquitto, given: dict[str, Any], *, withdrawn: bool = False
) -> None:
    """Publish an order as a records system does, or withdraw it, with mosquitto_pub."""
    body = ("-n",) if withdrawn else ("-m", json.dumps(given))
    peer = await asyncio.create_subprocess_exec(
        *(str(PUBLISH), "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-r"),
        *("-t", f"tera/v1/3516/orders/{given['order']}", *body),
    )
    assert await peer.wait() == 0
