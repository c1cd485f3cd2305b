"""Modbus TCP to MQTT: the station beside a naive script, on the same meters and broker in one run.

Both run in a process of their own, alone on one CPU; meters, broker and subscriber share another.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.mosquitto import PROGRAM, Mosquitto

METERS, RATE = 8, 10
"""At the fixed rate: meters, and polls of each per second."""
FLAT_OUT_METERS = 24
"""As fast as possible: so many that no meter has more indications than its live blocks carry."""
SETTLE, SECONDS, LISTEN = 0.4, 1.6, 0.8
"""Before the window, in the window, and listening after it [s]."""
SUBJECTS = {"naive": "naive_modbus_to_mqtt", "station": "station_modbus_to_mqtt"}


@dataclass(slots=True)
class Result:
    """What one process did in its window."""

    rate: float
    """Samples taken per second."""
    cpu: float
    """CPU time per sample [µs]."""
    arrived: float
    """Share of the samples that reached the subscriber."""
    to_subscriber: list[float]
    """Ages of the samples at the subscriber [ms]."""
    to_listener: list[float] = field(default_factory=list)
    """Ages of the indications in a listener's hands inside the station [ms]."""


Results = dict[str, list[Result]]


class Subscriber:
    """Notes what arrives and when; looks into it only afterwards."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[int, int, bytes]] = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("#")
        self._client.on_message = self._note
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _note(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.heard.append((time.monotonic_ns(), time.time_ns(), message.payload))

    def ages(self, began_ns: int, ended_ns: int) -> list[float]:
        """Give the age at arrival [ms] of every sample taken in a window, and forget all."""
        heard, self.heard = self.heard, []
        to_monotonic = time.monotonic_ns() - time.time_ns()
        found = []
        for monotonic_ns, wall_ns, payload in heard:
            message = json.loads(payload)
            if "arrived_ns" in message:
                moments = [(message["arrived_ns"], monotonic_ns)]
            else:
                moments = [
                    (_nanoseconds(each["time"]) + to_monotonic, wall_ns + to_monotonic)
                    for each in message.get("indications", ())
                ]
            found += [(here - then) / 1e6 for then, here in moments if began_ns <= then < ended_ns]
        return found

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def _nanoseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000) * 1_000_000


@contextmanager
def peer(*arguments: str) -> Iterator[tuple[str, list[int]]]:
    """Run `benchmarks.peers`; give its name and ports."""
    command = [sys.executable, "-m", "benchmarks.peers", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        word, name, *ports = process.stdout.readline().split() or ["", ""]
        if word != "ready":
            raise SystemExit(f"{' '.join(command)} did not start")
        try:
            yield name, [int(port) for port in ports]
        finally:
            process.stdin.close()


@contextmanager
def a_broker(folder: Path) -> Iterator[tuple[str, int]]:
    """Run Mosquitto, or the embedded broker where it is missing; give name and port."""
    if PROGRAM is None:
        with peer("broker") as (name, ports):
            yield f"{name} (Mosquitto is not installed)", ports[0]
        return
    mosquitto = Mosquitto(folder)
    settings = folder / "mosquitto.conf"
    quiet = settings.read_text(encoding="utf-8").replace("log_type all", "log_type error")
    settings.write_text(f"{quiet}set_tcp_nodelay true\n", encoding="utf-8")
    asyncio.run(mosquitto.start())
    try:
        yield "Mosquitto", mosquitto.port
    finally:
        mosquitto.stop()


@contextmanager
def cpus() -> Iterator[int | None]:
    """Keep this process and its peers off one CPU and give it; None where there is no second."""
    if not hasattr(os, "sched_setaffinity") or len(allowed := os.sched_getaffinity(0)) < 2:
        yield None
        return
    kept = min(allowed)
    os.sched_setaffinity(0, allowed - {kept})
    try:
        yield kept
    finally:
        os.sched_setaffinity(0, allowed)


def measure(subject: str, wanted: dict[str, Any], subscriber: Subscriber) -> Result:
    """Let one process work through one window."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", f"benchmarks.{SUBJECTS[subject]}"]
        done = subprocess.run(
            [*command, json.dumps(wanted | {"folder": folder})],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        )
    report, *listened = map(json.loads, done.stdout.splitlines())
    if report.get("faults"):
        raise SystemExit(f"{subject}: {report['faults'][0]}")
    began_ns, ended_ns, samples = report["began_ns"], report["ended_ns"], report["samples"]
    ages = subscriber.ages(began_ns, ended_ns)
    return Result(
        rate=samples / (ended_ns - began_ns) * 1e9,
        cpu=report["cpu"] / samples * 1e6,
        arrived=len(ages) / samples,
        to_subscriber=ages,
        to_listener=listened[0] if listened else [],
    )


def percentile(ages: list[float], percent: int) -> float:
    """Give a percentile; linear between the ages."""
    return statistics.quantiles(ages, n=100, method="inclusive")[percent - 1]


def main(rounds: int) -> None:
    """Alternate both subjects at both rates and print medians over the rounds."""
    fixed: Results = {subject: [] for subject in SUBJECTS}
    fast: Results = {subject: [] for subject in SUBJECTS}
    with (
        tempfile.TemporaryDirectory() as folder,
        cpus() as cpu,
        a_broker(Path(folder)) as (broker, mqtt),
        peer("meters", str(FLAT_OUT_METERS)) as (server, ports),
    ):
        subscriber = Subscriber(mqtt)
        meters = {f"meter-{number}": port for number, port in enumerate(ports, 1)}
        few = dict(list(meters.items())[:METERS])
        common = {"cpu": cpu, "mqtt": mqtt, "settle": SETTLE, "seconds": SECONDS}
        at_rate = common | {"meters": few, "interval": 1 / RATE, "listen": LISTEN}
        # Listening on here only waits for the last live block, which is due within 0.25 s.
        flat_out = common | {"meters": meters, "interval": 0, "listen": 0.3}
        for _ in range(rounds):
            for subject in SUBJECTS:
                fixed[subject].append(measure(subject, at_rate, subscriber))
                fast[subject].append(measure(subject, flat_out, subscriber))
        subscriber.close()
    where = "not pinned" if cpu is None else f"each alone on CPU {cpu}, its peers on another"
    print(f"meters: {server}; broker: {broker}; {where}; medians of {rounds} rounds A B A B")
    report(fixed, fast)


def report(fixed: Results, fast: Results) -> None:
    """Print medians over the rounds, and what to think of them."""

    def row(what: str, of: Results, figure: Callable[[Result], float], digits: int = 0) -> None:
        a, b = (statistics.median(map(figure, of[subject])) for subject in SUBJECTS)
        print(f"{what:<44}{a:>10,.{digits}f}{b:>10,.{digits}f}{b / a:>9.2f}")

    def heading(what: str) -> None:
        print(f"{what:<44}{'naive':>10}{'station':>10}{'ratio':>9}")

    heading(f"as fast as possible, {FLAT_OUT_METERS} meters")
    row("  samples/s", fast, lambda r: r.rate)
    row("  CPU per sample [µs]", fast, lambda r: r.cpu)
    row("  CPU in use [%]", fast, lambda r: r.cpu * r.rate / 1e4)
    row("  share of samples at the subscriber", fast, lambda r: r.arrived, 3)
    heading(f"{RATE} Hz, {METERS} meters")
    row("  samples/s", fixed, lambda r: r.rate)
    row("  CPU per sample [µs]", fixed, lambda r: r.cpu)
    row("  share of samples at the subscriber", fixed, lambda r: r.arrived, 3)
    row(
        "  answer to MQTT subscriber, p50 [ms]", fixed, lambda r: percentile(r.to_subscriber, 50), 2
    )
    row(
        "  answer to MQTT subscriber, p99 [ms]", fixed, lambda r: percentile(r.to_subscriber, 99), 2
    )
    for percent in (50, 99):
        ages = [percentile(r.to_listener, percent) for r in fixed["station"]]
        what = f"  answer to listener in the station, p{percent} [ms]"
        print(f"{what:<44}{'-':>10}{statistics.median(ages):>10.2f}{'-':>9}")
    print(
        "The station sends a live block per instrument every 0.25 s, by design: that pause is its\n"
        "latency to MQTT, where dashboards look. Sessions, which decide, are listeners inside the\n"
        "station; there an indication counts from its own answer, and waits for the meter's status."
    )
