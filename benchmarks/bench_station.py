"""A station under load: 16 scales at 100 indications/s and 16 Modbus meters at 10 Hz.

Nothing may be missed. The scales, the meters and the broker run in processes of their own; CPU is
that of the station's process alone, by the system's accounting.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.bench_modbus_to_mqtt import a_broker, peer

SCALES, RATE = 16, 100
METERS, POLLS = 16, 10
QUANTITIES = 4
"""Indications of one poll of the Endress+Hauser map."""


def main(rounds: int, *, seconds: float = 10.0, profile: str = "") -> None:
    """Measure for so long; ``rounds`` is for the other benchmarks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with a_broker(folder) as (broker, mqtt), peer("meters", str(METERS)) as (kind, meters):
            print(f"{SCALES} scales at {RATE}/s, {METERS} meters ({kind}) at {POLLS}/s, {broker}")
            report = _measure(folder, mqtt, meters, seconds, profile)
    _show(report, seconds)


def _measure(
    folder: Path, mqtt: int, meters: list[int], seconds: float, profile: str
) -> dict[str, Any]:
    scales = [sys.executable, "-m", "benchmarks.scale_peers", str(SCALES), str(RATE)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(scales, **pipes) as far:
        _, *ports = far.stdout.readline().split()
        wanted = {
            "scales": ports, "meters": meters, "mqtt": mqtt, "folder": str(folder),
            "seconds": seconds, "profile": profile,
        }  # fmt: skip
        command = [sys.executable, "-m", "benchmarks.station_under_load", json.dumps(wanted)]
        with subprocess.Popen(command, **pipes) as station:
            if station.stdout.readline() != "listening\n":
                raise SystemExit("the station did not start")
            frames = int(RATE * (seconds + 1))
            far.stdin.write(f"{frames}\n")
            far.stdin.flush()
            _go_on(station)
            if far.stdout.readline() != f"sent {frames}\n":
                raise SystemExit("the scales stopped")
            _go_on(station)
            report: dict[str, Any] = json.loads(station.stdout.readline())
        far.stdin.close()
    report["frames"] = frames
    return report


def _go_on(station: Any) -> None:
    station.stdin.write("\n")
    station.stdin.flush()


def _show(report: dict[str, Any], seconds: float) -> None:
    counts = report["counts"]
    missed = [report["frames"] - counts[f"scale-{n}"] for n in range(1, SCALES + 1)]
    polls = [report["in_window"][f"meter-{n}"] / QUANTITIES for n in range(1, METERS + 1)]
    due = report["took"] * POLLS
    held = report["memory"]
    settled = held[len(held) // 5]
    rows = [
        ("indications of scales sent", f"{SCALES * report['frames']:,}"),
        ("of these missed, by count", f"{sum(missed)}"),
        ("the same, by their numbers", f"{counts['missing']}"),
        ("polls of a meter, of those due", f"{min(polls) / due:.3f} .. {max(polls) / due:.3f}"),
        ("indications that a listener lost", f"{counts['lost']}"),
        ("CPU of the station, of one core", f"{100 * report['cpu']:.1f} %"),
        ("all cores of the machine were busy", f"{100 * report['machine']:.0f} %"),
        ("sent until in a listener's hands, p50", f"{report['p50']:.2f} ms"),
        ("the same, p99", f"{report['p99']:.2f} ms"),
        ("the same, largest", f"{report['largest']:.2f} ms"),
        ("memory after a fifth of the time", f"{settled:.1f} MB"),
        ("memory at the end", f"{held[-1]:.1f} MB ({held[-1] - settled:+.2f})"),
        ("faults", ", ".join(report["faults"]) or "none"),
    ]
    print(f"over {seconds:g} s:")
    for what, value in rows:
        print(f"  {what:<40}{value:>18}")
    print("  memory at each twentieth [MB]:", *(f"{one:.1f}" for one in held))
