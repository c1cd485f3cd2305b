"""CPU of sixteen simulated scales that send 100 indications a second each, on real ptys.

They run in a process of their own; this one reads their lines and counts. Beside them: sixteen tasks
that put one and the same frame on sixteen ptys at the same rate and think of nothing.
"""

import asyncio
import json
import os
import resource
import statistics
import sys
import tty
from decimal import Decimal
from pathlib import Path
from typing import Any

from acquisition.config import instrument_settings
from acquisition.simulated_workshop import SimulatedWorkshop
from drivers.simulated_line import PtyLine

SCALES, RATE, SECONDS = 16, 100, 4.0
FRAME = b"S S     100.00 g\r\n"
PLAIN = {"max": "15 kg", "d": "1 g", "display_cycle": 1 / RATE}
WORN = {
    "noise": "1 g",
    "creep_ppm": 300,
    "hysteresis_ppm": 300,
    "overshoot_percent": 20,
    "warm_up": 5,
    "zero_per_kelvin": "0.1 g",
    "vibration": "5 g",
    "vibration_every": 5,
    "zero_tracking": "0.5",
}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "one frame, sixteen tasks": ("", {}),
    "MT-SICS, loads that stand": ("mt-sics", {}),
    "MT-SICS, all physics at once": ("mt-sics", WORN),
    "Toledo with checksum, all physics": ("toledo-cont", WORN),
}


async def _bare(ports: list[str]) -> list[Any]:
    """Put one frame on each line at the rate."""
    lines, tasks = [], []
    for _ in range(SCALES):
        sends: list[Any] = []
        lines.append(
            PtyLine(lambda send, sends=sends: sends.append(send) or (lambda _: None), None)
        )
        ports.append(lines[-1].path)

        async def repeat(send: Any) -> None:
            loop = asyncio.get_running_loop()
            due = loop.time()
            while True:
                send(FRAME)
                due += 1 / RATE
                await asyncio.sleep(due - loop.time())

        tasks.append(asyncio.create_task(repeat(sends[0])))
    return [lines, tasks]


async def _simulate(kind: str) -> None:
    """Serve until standard input ends; then say what CPU it took from the first line on."""
    driver, traits = KINDS[kind]
    ports: list[str] = []
    workshop = SimulatedWorkshop()
    kept = await _bare(ports) if not driver else []
    for number in range(SCALES if driver else 0):
        scale = {**PLAIN, **traits, "seed": number}
        settings = instrument_settings(
            name=f"s{number}", port="simulated", driver=driver, mode="listen", scale=scale
        )
        ports.append(await workshop.start(settings))
        workshop.scales[f"s{number}"].place(Decimal(5000 + number))
    print(json.dumps(ports), flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.readline)
    begun = resource.getrusage(resource.RUSAGE_SELF)
    await loop.run_in_executor(None, sys.stdin.readline)
    ended = resource.getrusage(resource.RUSAGE_SELF)
    print(ended.ru_utime - begun.ru_utime + ended.ru_stime - begun.ru_stime, flush=True)
    await workshop.stop()
    for task in kept[1] if kept else ():
        task.cancel()


async def _measure(kind: str) -> tuple[float, float]:
    """Return CPU as a share of one core, and frames a second."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.bench_simulation", kind),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
    )
    if process.stdin is None or process.stdout is None:
        raise SystemExit("no pipes")
    ports = json.loads(await process.stdout.readline())
    loop, seen = asyncio.get_running_loop(), 0
    descriptors = [os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK) for port in ports]

    def arrived(descriptor: int) -> None:
        nonlocal seen
        seen += os.read(descriptor, 65536).count(b"\r")

    for descriptor in descriptors:
        tty.setraw(descriptor)
        if KINDS[kind][0] == "mt-sics":
            os.write(descriptor, b"SIR\r\n")
        loop.add_reader(descriptor, arrived, descriptor)
    await asyncio.sleep(1.0)
    seen, begun = 0, loop.time()
    process.stdin.write(b"begin\n")
    await asyncio.sleep(SECONDS)
    process.stdin.write(b"end\n")
    counted, passed = seen, loop.time() - begun
    cpu = float(await process.stdout.readline())
    for descriptor in descriptors:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    await process.communicate()
    return cpu / passed, counted / passed


def main(rounds: int) -> None:
    """Measure each kind in turn."""
    print(f"{'what':<36}{'frames/s':>10}{'one core':>10}{'ratio':>8}")
    base = 0.0
    for kind in KINDS:
        found = [asyncio.run(_measure(kind)) for _ in range(rounds)]
        share, rate = (statistics.median(column) for column in zip(*found, strict=True))
        base = base or share
        print(f"{kind:<36}{rate:>10,.0f}{share:>10.1%}{share / base:>8.2f}")
        if rate < 0.95 * SCALES * RATE:
            raise SystemExit(f"{kind}: only {rate:.0f} of {SCALES * RATE} frames a second came")


if __name__ == "__main__":
    asyncio.run(_simulate(sys.argv[1]))
