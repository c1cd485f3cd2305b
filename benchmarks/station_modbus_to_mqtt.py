"""The station as ``tera run`` runs it, with Modbus meters on one bench and nobody to verify them."""

import asyncio
import time
from pathlib import Path
from typing import Any

from acquisition.config import Station
from acquisition.station import Running, running
from benchmarks.peers import MAP
from benchmarks.window import Window, task


def settings(wanted: dict[str, Any]) -> Station:
    """Describe the station as its ``config.toml`` would."""
    meters = [
        {
            "name": name,
            "driver": "modbus",
            "port": f"tcp://127.0.0.1:{port}",
            "map": MAP,
            "interval": wanted["interval"] or 1e-6,
            "role": "under_test" if index else "reference",
        }
        for index, (name, port) in enumerate(wanted["meters"].items())
    ]
    return Station.model_validate(
        {
            "office": {"code": "3516"},
            "broker": {"port": wanted["mqtt"]},
            "store": {"outbox": Path(wanted["folder"]) / "outbox.sqlite"},
            "bench": [
                {
                    "name": "bench",
                    "routine": "volume-meter",
                    "flow": [{"rate": "7 m³/h", "volume": "100 L"}],
                    "instrument": meters,
                }
            ],
        }
    )


def taken(station: Running) -> int:
    """Count the indications so far; a driver numbers its own without gaps."""
    return sum(feed.latest.sequence + 1 for feed in station.feeds.values() if feed.latest)


async def listen(station: Running, seconds: float) -> list[float]:
    """Measure how long after its answer [ms] an indication is in a listener's hands."""
    found: list[float] = []

    async def one(name: str, until: float) -> None:
        with station.feeds[name].listening() as listener:
            while indication := await listener.next_before(until):
                found.append((time.monotonic_ns() - indication.arrived_ns) / 1e6)

    until = time.monotonic() + seconds
    await asyncio.gather(*(one(name, until) for name in station.feeds))
    return found


async def main(wanted: dict[str, Any]) -> None:
    """Run, measure, then listen; sessions listen only while they verify."""
    async with running(settings(wanted)) as station:
        await station.publisher.connected.wait()
        await asyncio.sleep(wanted["settle"])
        window = Window(taken(station))
        await asyncio.sleep(wanted["seconds"])
        window.close(taken(station), faults=list(station.faults.values()))
        print(await listen(station, wanted["listen"]), flush=True)


if __name__ == "__main__":
    asyncio.run(main(task()))
