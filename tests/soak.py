"""Many benches for a long time: memory, descriptors, and whether every verdict arrived.

``python -m tests.soak --minutes 60`` (or ``make soak``) runs the two services as systemd runs them,
``tera run`` and ``tera records serve``, on a real Mosquitto, and gives orders so that every bench
always has one. It looks from outside: at /proc, at the numbers for Prometheus, and in the end at the
two databases. Slopes of memory are fitted over the second half and over the last quarter: the first one
counts, the other one tells whether what grew is still growing.
"""

import argparse
import asyncio
import json
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from acquisition.config import load_station
from acquisition.exposition import from_text
from acquisition.scrape import ask
from tests.mosquitto import MISSING, PROGRAM, PUBLISH, SUBSCRIBE, Mosquitto, free_port
from tests.stations import order, publish_order, scale_bench, tera, tera_at_work, write_station

GROWTH = 4.0
"""Most memory a program may gain [MiB/h]; 32 more in a working day of eight hours."""
FILES = 3
"""Most descriptors that may be there now and then: a question for numbers, a file that is turned."""
QUIET = 120.0
"""How long [s] what is still on its way may take at the end."""


@dataclass(slots=True)
class Watched:
    """What one process held, moment by moment."""

    pid: int
    moments: list[float] = field(default_factory=list)
    """[s]"""
    memory: list[float] = field(default_factory=list)
    """Resident memory [MiB]."""
    files: list[int] = field(default_factory=list)
    """Open descriptors."""
    cpu: float = 0.0
    """Processor time used so far [s]."""

    def look(self, now: float) -> None:
        """Note what it holds now."""
        process = Path(f"/proc/{self.pid}")
        status = (process / "status").read_text("utf-8")
        [resident] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        self.moments.append(now)
        self.memory.append(int(resident.split()[1]) / 1024)
        self.files.append(len(list((process / "fd").iterdir())))
        ticks = (process / "stat").read_text("utf-8").rpartition(")")[2].split()[11:13]
        self.cpu = sum(map(int, ticks)) / 100

    def growth(self, since: float) -> float:
        """Return the slope of its memory after a moment [MiB/h]."""
        at = [n for n, moment in enumerate(self.moments) if moment >= since]
        return 3600 * slope([self.moments[n] for n in at], [self.memory[n] for n in at])

    def files_in(self, since: float, until: float) -> int:
        """Return the most descriptors that it had between two moments."""
        pairs = zip(self.files, self.moments, strict=True)
        return max(n for n, moment in pairs if since <= moment <= until)


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the slope of the straight line with the least squares."""
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    over = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return over / sum((a - mean_x) ** 2 for a in x)


def configuration(folder: Path, benches: int, broker: int, listen: str) -> Path:
    """Write what both services read: on each bench a scale, polled as real ones are, no two in step."""
    several = [
        scale_bench(n, settle=round(0.2 + n / 500, 3), patience=20)
        .replace("interval = 0.002", "interval = 0.1")
        .replace("timeout = 0.3\n", "")
        for n in range(1, benches + 1)
    ]
    kept = '[store]\ncaptures = "data/captures"\ncaptures_mb = 16\n'
    more = (
        f'{kept}[metrics]\nlisten = "{listen}"\n[log]\nfile = "log/tera.log"\nmax_bytes = 1000000\n'
    )
    config = write_station(folder, *several, broker=broker, more=more)
    made = tera("keys", "make", "--config", config)
    assert made.returncode == 0, made.stderr.decode()
    _, _, block = made.stdout.decode().partition("[[records.trusted]]")
    return write_station(folder, *several, broker=broker, more=f"[[records.trusted]]{block}{more}")


class Orders:
    """Whoever gives orders for all benches: one is worked off while the next one waits."""

    def __init__(self, broker: Mosquitto, benches: int) -> None:
        self._broker = broker
        self._names = [f"timbangan-{n}" for n in range(1, benches + 1)]
        self.given = 0

    async def keep_up(self, verdicts: int) -> None:
        """Give orders until one waits; withdraw those that are finished."""
        while len(self._names) * (self.given - 1) <= verdicts:
            self.given += 1
            await publish_order(self._broker, order(f"P-{self.given}", *self._names))
            if self.given > 3:
                await self._withdraw(f"P-{self.given - 3}")

    async def _withdraw(self, name: str) -> None:
        peer = await asyncio.create_subprocess_exec(
            *(str(PUBLISH), "-h", "127.0.0.1", "-p", str(self._broker.port), "-q", "1", "-r"),
            *("-n", "-t", f"tera/v1/3516/orders/{name}"),
        )
        assert await peer.wait() == 0


Page = dict[str, list[tuple[dict[str, str], float]]]
"""Names of numbers to their labels and values."""


def number(page: Page, name: str, **where: str) -> float:
    """Return the sum of a number of the station."""
    return sum(value for labels, value in page.get(name, ()) if where.items() <= labels.items())


@dataclass(slots=True)
class Found:
    """What the hour showed."""

    watched: dict[str, Watched]
    verdicts: int
    took: float
    oldest: float
    """Longest time that a record waited for its receipt [s]."""
    dropped: int
    """Indications lost to live blocks."""
    faults: int
    """Times that an instrument came to be at fault."""
    abandoned: int
    """Runs that ended without a verdict before the end."""
    troubles: list[str]

    def grew(self) -> list[str]:
        """Name what is not flat."""
        said = []
        for name, each in self.watched.items():
            if (growth := each.growth(self.took / 2)) > GROWTH:
                said.append(f"{name} grows by {growth:.1f} MiB/h")
            before, after = self.files_in(each)
            if after > before + FILES:
                said.append(f"{name} had {before} descriptors, then {after}")
        return said

    def files_in(self, each: Watched) -> tuple[int, int]:
        """Return the most descriptors in the third and in the last quarter."""
        half, quarter = self.took / 2, 3 * self.took / 4
        return each.files_in(half, quarter), each.files_in(quarter, self.took)


def loss(outbox: Path, records: Path) -> list[str]:
    """Compare the two databases, row by row; return what is not as it should be."""
    with closing(sqlite3.connect(outbox)) as here, closing(sqlite3.connect(records)) as there:
        ours = here.execute("SELECT id, kind, digest FROM record").fetchall()
        theirs = there.execute("SELECT id, kind, digest FROM stored").fetchall()
        [waiting] = here.execute("SELECT count(*) FROM delivery WHERE receipt IS NULL").fetchone()
        [aside] = there.execute("SELECT count(*) FROM conflict").fetchone()
        numbers = here.execute(
            "SELECT bench, count(*), max(number), count(DISTINCT number) FROM record"
            " WHERE kind = 'start' GROUP BY bench"
        ).fetchall()
        ended = len(here.execute("SELECT id FROM record WHERE kind <> 'start'").fetchall())
    troubles = []
    for what, found in (
        ("not stored", len(set(ours) - set(theirs))),
        ("stored and not committed", len(set(theirs) - set(ours))),
        ("committed twice", len(ours) - len(set(ours))),
        ("stored twice", len(theirs) - len(set(theirs))),
        ("without a receipt", waiting),
        ("contradictions", aside),
        ("benches with a gap", sum(not n == m == d for _, n, m, d in numbers)),
        ("starts without an outcome", len(ours) - 2 * ended),
    ):
        if found:
            troubles.append(f"{what}: {found}")
    return troubles


async def soak(folder: Path, minutes: float, benches: int, every: float) -> Found:
    """Run everything for so long and look at it again and again."""
    broker = Mosquitto(folder, careful=False)
    listen = f"127.0.0.1:{free_port()}"
    config = configuration(folder, benches, broker.port, listen)
    store = load_station(config).store
    assert isinstance(store.records, Path)
    orders, oldest, page = Orders(broker, benches), 0.0, Page()
    async with AsyncExitStack() as stack:
        stack.callback(broker.kill)
        await broker.start()
        far = await stack.enter_async_context(
            tera_at_work("records", "serve", "--config", _for_records(config))
        )
        near = await stack.enter_async_context(tera_at_work("run", "--config", config))
        watched = {
            "tera run": Watched(near.pid),
            "tera records serve": Watched(far.pid),
            "mosquitto": Watched(broker.pid),
        }
        began = time.monotonic()
        while (now := time.monotonic() - began) < 60 * minutes:
            text = await asyncio.to_thread(ask, listen)
            if text is not None:
                page = from_text(text)
                verdicts = int(number(page, "tera_outbox_records_total", kind="verdict"))
                await orders.keep_up(verdicts)
                oldest = max(oldest, number(page, "tera_outbox_oldest_waiting_seconds"))
                for each in watched.values():
                    each.look(now)
                _show(now, page, watched)
            await asyncio.sleep(every)
            for process in (near, far):
                assert process.returncode is None, (await process.communicate())[1].decode()
        near.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(near.wait(), QUIET) == 0
        far.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(far.wait(), QUIET) == 0
    return Found(
        watched,
        verdicts=int(number(page, "tera_outbox_records_total", kind="verdict")),
        took=60 * minutes,
        oldest=oldest,
        dropped=int(number(page, "tera_live_dropped_indications_total")),
        faults=int(number(page, "tera_instrument_faults_total")),
        abandoned=int(number(page, "tera_outbox_records_total", kind="abandonment")),
        troubles=loss(store.outbox, store.records),
    )


def _for_records(config: Path) -> Path:
    """Write the same configuration for the other program, whose log is its own."""
    other = config.with_name("records.toml")
    other.write_text(config.read_text("utf-8").replace("log/tera.log", "log/records.log"), "utf-8")
    return other


def _show(now: float, page: Page, watched: Mapping[str, Watched]) -> None:
    line = {
        "s": round(now),
        "verdicts": int(number(page, "tera_outbox_records_total", kind="verdict")),
        "waiting": int(number(page, "tera_outbox_waiting_records")),
        **{name: [round(w.memory[-1], 1), w.files[-1], w.cpu] for name, w in watched.items()},
    }
    sys.stderr.write(f"{json.dumps(line)}\n")


def main() -> int:
    """Print what was found; 1 when something grew or was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--benches", type=int, default=50)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two looks")
    asked = parser.parse_args()
    if None in (PROGRAM, PUBLISH, SUBSCRIBE):
        sys.stdout.write(f"{MISSING}\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="tera-soak-") as made:
        found = asyncio.run(soak(Path(made), asked.minutes, asked.benches, asked.every))
    lines = [f"{asked.benches} benches, {asked.minutes:g} minutes, {found.verdicts} verdicts"]
    for name, each in found.watched.items():
        before, after = found.files_in(each)
        lines.append(
            f"  {name:20} {each.memory[-1]:6.1f} MiB, {each.growth(found.took / 2):+6.2f} MiB/h in the"
            f" second half, {each.growth(3 * found.took / 4):+6.2f} in the last quarter;"
            f" at most {before} descriptors, then {after}; {100 * each.cpu / found.took:5.1f} % of a core"
        )
    lines += [
        f"  a record waited at most {found.oldest:.1f} s for its receipt",
        f"  indications lost to live blocks: {found.dropped}; faults: {found.faults};"
        f" runs without a verdict: {found.abandoned}",
        f"  not flat: {'; '.join(found.grew()) or 'nothing'}",
        f"  lost or doubled: {'; '.join(found.troubles) or 'nothing'}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if found.grew() or found.troubles else 0


if __name__ == "__main__":
    sys.exit(main())
