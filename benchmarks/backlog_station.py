"""A station whose broker is away for many verdicts, as one process from the first to the last receipt.

It is built from a ``config.toml`` as ``tera run`` builds it, with simulated scales that are read all
the time. Each bench verifies its scale once; that very record, under new identities and numbers, is
what it commits then, as fast as the outbox takes it. Standard output gets a line of JSON when
everything is committed and one when the last receipt is stamped; in between a line is waited for.
"""

import asyncio
import gc
import json
import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from traceback import extract_stack
from typing import Any

from acquisition.config import load_station
from acquisition.station import Running, running
from broker.record import decode, new_id, timestamp
from tests.records import until
from tests.stations import job_of, verdict_of


def memory(field: str = "VmRSS") -> float:
    """Return the memory of this process [MiB]; ``VmHWM`` is the most that it ever held."""
    status = Path("/proc/self/status").read_text("utf-8")
    [line] = [line for line in status.splitlines() if line.startswith(f"{field}:")]
    return int(line.split()[1]) / 1024


def cpu() -> float:
    """Return the CPU time [s] of every thread, in user and in system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def templates(station: Running) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Verify each scale once; return start and verdict of each bench."""
    for bench in station.settings.bench:
        await verdict_of(job_of(station, bench.instrument[0].name))
    rows = [(row.bench, row.kind, decode(row.body)) for row in await station.outbox.pending(1000)]
    return {
        bench.name: (
            next(record for name, kind, record in rows if (name, kind) == (bench.name, "start")),
            next(record for name, kind, record in rows if (name, kind) == (bench.name, "verdict")),
        )
        for bench in station.settings.bench
    }


async def fill(station: Running, bench: str, start: Any, verdict: Any, count: int) -> None:
    """Commit so many verdicts and their starts, one after the other, as a bench does."""
    start = {key: value for key, value in start.items() if key != "number"}
    for _ in range(count):
        identity = new_id()
        begun = {**start, "id": identity, "started": timestamp()}
        number = await station.outbox.begin(bench, identity, begun)
        fresh = {"id": identity, "number": number, "started": begun["started"]}
        await station.outbox.put({**verdict, **fresh})


async def drained(station: Running) -> tuple[float, float]:
    """Wait for the last receipt; return time and CPU [s] since the first bench was connected."""
    await until(lambda: any(line.online for line in station.publisher.benches.values()), 60)
    began, used = time.monotonic(), cpu()
    await station.outbox.wait_until_receipted()
    return time.monotonic() - began, cpu() - used


DEPTH = 4
"""Callers that the profile shows."""


def report(**values: object) -> None:
    """Tell who waits for it."""
    print(json.dumps(values), flush=True)


async def main(config: Path, verdicts: int, profile: str) -> None:
    """Fill, wait, drain."""
    settings = load_station(config)
    async with running(settings) as station:
        made = await templates(station)
        settled, used, began = memory(), cpu(), time.monotonic()
        each = verdicts // len(made)
        async with asyncio.TaskGroup() as group:
            for bench, (start, verdict) in made.items():
                group.create_task(fill(station, bench, start, verdict, each))
        took, used = time.monotonic() - began, cpu() - used
        counts = await station.outbox.counts()
        report(
            rate=each * len(made) / took, cpu=used, settled=settled, filled=memory(),
            peak=memory("VmHWM"), records=counts.waiting, verdicts=counts.verdicts,
            size=settings.store.outbox.stat().st_size / counts.verdicts,
        )  # fmt: skip
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        with sampled(profile) if profile else nullcontext():
            took, used = await drained(station)
        counts = await station.outbox.counts()
        report(
            took=took, cpu=used, peak=memory("VmHWM"), waiting=counts.waiting,
            refused=station.publisher.refused,
        )  # fmt: skip


@contextmanager
def sampled(file: str, every: float = 0.005) -> Iterator[None]:
    """Write where all threads were, moment by moment: innermost functions, and each with its callers."""
    inner: Counter[str] = Counter()
    over = threading.Event()

    def look() -> None:
        own = threading.get_ident()
        while not over.wait(every):
            for thread, frame in sys._current_frames().items():  # noqa: SLF001 - as profilers do
                if thread == own:
                    continue
                where = [f"{Path(f.filename).name}:{f.name}" for f in extract_stack(frame)]
                inner[" < ".join(where[: -1 - DEPTH : -1])] += 1

    sampler = threading.Thread(target=look, daemon=True)
    sampler.start()
    try:
        yield
    finally:
        over.set()
        sampler.join()
        total = sum(inner.values())
        lines = [f"{100 * n / total:5.1f} %  {where}" for where, n in inner.most_common(60)]
        Path(file).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    gc.freeze()
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if sys.argv[3:] else ""))
