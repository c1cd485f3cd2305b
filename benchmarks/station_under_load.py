"""The station as ``tera run`` runs it, with many scales and meters, all of them listened to."""

import asyncio
import json
import resource
import sys
import time
from array import array
from pathlib import Path
from typing import Any

from acquisition.config import Station
from acquisition.memory import give_back, leave_out_of_collections
from acquisition.station import Running, running
from benchmarks.peers import MAP
from benchmarks.scale_peers import NUMBERS, WRAP, moment, told
from drivers.indication import Condition

_SETTLE = 1.0
"""Until every line is open and what it held is gone [s]."""


class Ages:
    """How old indications were, in steps of 10 µs; takes the same room however many there are."""

    def __init__(self) -> None:
        self.count = 0
        self.largest = 0
        self._steps = array("Q", bytes(8 * 20_000))

    def add(self, age: int) -> None:
        """Count one age [10 µs]."""
        self.count += 1
        self.largest = max(self.largest, age)
        self._steps[min(max(age, 0), len(self._steps) - 1)] += 1

    def quantile(self, share: float) -> float:
        """Return the age [ms] that this share of them did not exceed."""
        left = share * self.count
        for age, count in enumerate(self._steps):
            left -= count
            if left <= 0:
                return (age + 1) / 100
        return self.largest / 100


def settings(wanted: dict[str, Any]) -> Station:
    """Describe the station as its ``config.toml`` would."""
    scales = [
        {"name": f"scale-{n}", "driver": "mt-sics", "port": port, "mode": "listen"}
        for n, port in enumerate(wanted["scales"], 1)
    ]
    meters = [
        {
            "name": f"meter-{n}",
            "driver": "modbus",
            "port": f"tcp://127.0.0.1:{port}",
            "map": MAP,
            "interval": 0.1,
            "role": "under_test" if n > 1 else "reference",
        }
        for n, port in enumerate(wanted["meters"], 1)
    ]
    flow = [{"rate": "7 m³/h", "volume": "100 L"}]
    return Station.model_validate(
        {
            "office": {"code": "3516"},
            "broker": {"port": wanted["mqtt"]},
            "store": {"outbox": Path(wanted["folder"]) / "outbox.sqlite"},
            "bench": [
                {"name": "scales", "routine": "nawi", "instrument": scales},
                {"name": "meters", "routine": "volume-meter", "flow": flow, "instrument": meters},
            ],
        }
    )


async def listen(station: Running, name: str, ages: Ages, counts: dict[str, int]) -> None:
    """Take every indication of an instrument as a session would."""
    of_scale, following = name.startswith("scale"), 0
    with station.feeds[name].listening() as listener:
        while True:
            seen = await listener.next_before(time.monotonic() + 3600)
            if seen is None or seen.condition is Condition.FAULT:
                counts[f"{name}: {seen and seen.detail}"] = 1
                continue
            counts[name] += 1
            if of_scale:
                number, sent = told(seen.text)
                ages.add((moment(time.monotonic_ns()) - sent) % WRAP)
                counts["missing"] += (number - following) % NUMBERS
                following = (number + 1) % NUMBERS
            counts["lost"] += listener.lost
            listener.lost = 0


def memory() -> float:
    """Return how much memory this process holds [MB]."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def cpu() -> float:
    """Return the CPU time [s] of every thread, in user and in system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def busy() -> tuple[int, int]:
    """Return the time of all cores so far, at work and in all, whoever they worked for [ticks]."""
    first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    user, nice, system, idle, wait, *others = map(int, first.split()[1:9])
    at_work = user + nice + system + sum(others)
    return at_work, at_work + idle + wait


async def measure(station: Running, seconds: float) -> None:
    """Say when everything is ready, then report until the time is over."""
    ages = Ages()
    counts = dict.fromkeys([*station.feeds, "lost", "missing"], 0)
    tasks = [asyncio.create_task(listen(station, n, ages, counts)) for n in station.feeds]
    await asyncio.sleep(_SETTLE)
    print("listening", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)  # the scales began
    begun, before, held, machine = dict(counts), cpu(), [], busy()
    until = time.monotonic() + seconds
    began = time.monotonic()
    while time.monotonic() < until:
        await asyncio.sleep(min(seconds / 20, until - time.monotonic()))
        held.append(memory())
    took, used = time.monotonic() - began, cpu() - before
    polls = {name: counts[name] - begun[name] for name in counts}
    at_work, in_all = (now - then for now, then in zip(busy(), machine, strict=True))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)  # and ended
    await asyncio.sleep(0.2)
    report = {
        "took": took,
        "cpu": used / took,
        "machine": at_work / in_all,
        "counts": counts,
        "in_window": polls,
        "p50": ages.quantile(0.5),
        "p99": ages.quantile(0.99),
        "largest": ages.largest / 100,
        "memory": held,
        "faults": list(station.faults.values()),
    }
    print(json.dumps(report), flush=True)
    for task in tasks:
        task.cancel()


async def main(wanted: dict[str, Any]) -> None:
    """Run and measure."""
    async with running(settings(wanted)) as station:
        await station.publisher.connected.wait()
        leave_out_of_collections()
        memory = asyncio.create_task(give_back())
        if wanted.get("profile"):
            import cProfile

            profile = cProfile.Profile()
            profile.enable()
            await measure(station, wanted["seconds"])
            profile.disable()
            profile.dump_stats(wanted["profile"])
        else:
            await measure(station, wanted["seconds"])
        memory.cancel()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
