"""The broker was away for many verdicts: how fast they drain, in what memory and in which order.

A station, one process from beginning to end, commits its verdicts while nobody listens; then
Mosquitto and ``tera records serve`` come up, and the clock runs from the first connection of a bench
until the last receipt is stamped in the outbox. Beside it: how fast the outbox commits, how fast a
store accepts on SQLite and on PostgreSQL, and what this machine gives at that moment.
"""

import argparse
import asyncio
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.postgresql import PostgresServer
from broker.record import encode
from broker.rows_seam import Database
from broker.sqlite_file import SqliteFile
from broker.store import Arrival, RecordStore
from broker.subscriber import Subscriber
from tests.mosquitto import MISSING, PROGRAM, Mosquitto
from tests.postgres import PROGRAMS as POSTGRES
from tests.postgres import Postgres
from tests.records import start, verdict
from tests.stations import ENVIRONMENT, scale_bench, tera, write_station

ROOT = Path(__file__).parents[1]
SIZE = 20_000
"""Bytes of a verdict, as those of a scale have: 18 points, each with its uncertainty budget."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What one round showed."""

    verdicts: int
    filled: float
    """Verdicts and their starts committed while the broker was away [verdicts/s]."""
    rate: float
    """From the first connection to the last receipt in the outbox [verdicts/s]."""
    size: float
    """Bytes of the outbox for each verdict."""
    settled: float
    """Memory of the station before anything waited [MiB]."""
    peak: float
    """The most memory it ever had [MiB]."""
    their_peak: float
    """The same of the records system [MiB]."""
    cpu: tuple[float, float, float]
    """CPU of station, records system and broker while draining [µs/verdict]."""
    troubles: tuple[str, ...]


def drain(
    folder: Path, verdicts: int, benches: int, where: str | None = None, *, profile: str = ""
) -> Drained:
    """Run one round; ``where`` is the URL of a database, a file of its own when it is None."""
    mosquitto = Mosquitto(folder, careful=False)
    theirs = folder / "records.toml"
    store = folder / "records.sqlite" if where is None else where
    theirs.write_text(
        f'[office]\ncode = "3516"\n[broker]\nport = {mosquitto.port}\n'
        f'[store]\nrecords = "{store}"\n',
        encoding="utf-8",
    )
    keys = tera("keys", "make", "--config", theirs).stdout.decode()
    trusted = "[[records.trusted]]" + keys.partition("[[records.trusted]]")[2]
    several = (
        scale_bench(n, settle=0.01)
        .replace("interval = 0.002", "interval = 0.1")
        .replace("timeout = 0.3\n", "")
        for n in range(1, benches + 1)
    )
    ours = write_station(folder, *several, broker=mosquitto.port, more=trusted)
    asyncio.run(_subscribe(folder, mosquitto))
    with _process("benchmarks.backlog_station", ours, verdicts, profile) as station:
        filled = _line(station)
        asyncio.run(mosquitto.start())
        try:
            with _process("acquisition", "records", "serve", "--config", theirs) as records:
                _told(records, "the records system of office 3516 runs")
                before = [_cpu(mosquitto.pid), _cpu(records.pid)]
                assert station.stdin is not None
                station.stdin.write(b"\n")
                station.stdin.flush()
                drained = _line(station)
                used = [_cpu(mosquitto.pid), _cpu(records.pid)]
                their_peak = _peak(records.pid)
                records.terminate()
                records.wait(60)
        finally:
            mosquitto.kill()
    count = filled["verdicts"]
    broker, system = ((after - first) / count for after, first in zip(used, before, strict=True))
    return Drained(
        verdicts=count,
        filled=filled["rate"],
        rate=count / drained["took"],
        size=filled["size"],
        settled=filled["settled"],
        peak=max(filled["peak"], drained["peak"]),
        their_peak=their_peak,
        cpu=(1e6 * drained["cpu"] / count, 1e6 * system, 1e6 * broker),
        troubles=tuple(_troubles(store, folder / "data" / "outbox.sqlite", drained)),
    )


async def _subscribe(folder: Path, mosquitto: Mosquitto) -> None:
    """Have the broker know the records system, as it does after the first day."""
    await mosquitto.start()
    store = await RecordStore.open(folder / "nothing.sqlite")
    subscriber = Subscriber(store, mosquitto.address(), "3516", lambda: None)
    task = asyncio.create_task(subscriber.run())
    await subscriber.ready.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.close()
    mosquitto.stop()


def _troubles(where: str | Path, outbox: Path, drained: Mapping[str, Any]) -> Iterator[str]:
    """Say what is not as it should be: both ends are compared, in the order of arrival."""
    here = SqliteFile(outbox, "outbox")
    there: Database[Any] = (
        SqliteFile(where, "store_sqlite")
        if isinstance(where, Path)
        else PostgresServer(where, "store_postgresql")
    )
    ours = _rows(
        here, "SELECT id, kind, digest, stored_number FROM record JOIN delivery USING (seq)"
    )
    theirs = _rows(
        there, "SELECT id, kind, digest, stored, bench, number FROM stored ORDER BY stored"
    )
    if {row[:4] for row in theirs} != set(ours):
        yield f"{len(ours)} records committed, {len(theirs)} stored"
    last: dict[tuple[str, str], int] = {}
    for _, kind, _, _, bench, number in theirs:
        before = last.get((bench, kind), 0)
        if number != before + 1:
            yield f"bench {bench}: {kind} {number} came after {before}"
        last[bench, kind] = number
    if drained["waiting"] or drained["refused"]:
        yield f"{drained['waiting']} without a receipt, {drained['refused']} messages refused"


def _rows(database: Database[Any], sql: str) -> list[Any]:
    rows = database.connect(reading=True)
    try:
        return list(rows.execute(sql))
    finally:
        rows.close()


@contextmanager
def _process(*words: object) -> Iterator["subprocess.Popen[bytes]"]:
    """Run one of our programs until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if words[0] == "acquisition" else subprocess.DEVNULL,
        env=os.environ | ENVIRONMENT,
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _line(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the station has ended"
    found: dict[str, Any] = json.loads(line)
    return found


def _told(process: "subprocess.Popen[bytes]", text: str) -> None:
    """Read what a process says until a text is in it."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line.decode():
            return
    raise AssertionError(f"it ended without {text!r}")


def _cpu(pid: int) -> float:
    """Return the CPU time of another process [s]."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _peak(pid: int) -> float:
    """Return the most memory that another process ever had [MiB]."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def calibrated() -> float:
    """Return how much this machine gives right now: SHA-256 of 20 kB, a thousand a second."""
    body, until, done = b"\0" * SIZE, time.monotonic() + 0.5, 0
    while time.monotonic() < until:
        hashlib.sha256(body).digest()
        done += 1
    return done / 500


def big(begun: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a verdict of the size that real ones have."""
    record = verdict(begun, number)
    one = record["raw"][0]
    record["raw"] = [one] * ((SIZE - len(encode(record))) // (len(encode(one)) + 1))
    return record


async def accept(where: str | Path, batches: Iterable[int]) -> dict[int, float]:
    """Return records/s that a store accepts, by how many come together."""
    store = await RecordStore.open(where)
    rates = {}
    for together in batches:
        count = max(together * 4, 512)
        items = []
        for number in range(count):
            begun = start(f"meja-{together}")
            record = big(begun, number + 1)
            items.append(Arrival.of(record, encode(record)))
        began = time.monotonic()
        for at in range(0, count, together):
            await store.keep_all(items[at : at + together])
        rates[together] = count / (time.monotonic() - began)
    await store.close()
    return rates


def show(name: str, found: Drained) -> None:
    """Print one round."""
    ours, theirs, broker = found.cpu
    print(
        f"  {name:10}  {found.rate:6.0f} verdicts/s of {found.size / 1000:.1f} kB drained,"
        f" committed {found.filled:5.0f}/s\n"
        f"{'':14}station {found.peak:4.0f} MiB at most ({found.settled:.0f} before),"
        f" records system {found.their_peak:4.0f} MiB\n"
        f"{'':14}CPU {ours:4.0f} + {theirs:4.0f} + {broker:4.0f} µs/verdict"
        f" (station, records system, Mosquitto); SHA-256 of 20 kB {calibrated():.0f} k/s\n"
        f"{'':14}order and completeness: {'; '.join(found.troubles) or 'as committed'}"
    )


def main(rounds: int, verdicts: int = 3_000, benches: int = 4, profile: str = "") -> None:
    """Print the table."""
    if PROGRAM is None:
        print(MISSING)
        return
    server = Postgres() if POSTGRES else None
    try:
        if server is not None:
            server.start()
        print(f"{verdicts} verdicts and their starts, {benches} benches")
        for name in ("SQLite", "PostgreSQL"):
            for _ in range(max(1, rounds // 2)):
                with tempfile.TemporaryDirectory() as made:
                    if name == "SQLite":
                        show(name, drain(Path(made), verdicts, benches, profile=profile))
                    elif server is not None:
                        show(name, drain(Path(made), verdicts, benches, server.database()))
        with tempfile.TemporaryDirectory() as made:
            places: dict[str, str | Path] = {"SQLite": Path(made) / "r.sqlite"}
            if server is not None:
                places["PostgreSQL"] = server.database()
            for name, where_ in places.items():
                rates = asyncio.run(accept(where_, (1, 16, 256)))
                said = ", ".join(f"{n} together {rate:5.0f}/s" for n, rate in rates.items())
                print(f"  {name:10}  accepts {said}")
    finally:
        if server is not None:
            server.remove()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verdicts", type=int, default=3_000)
    parser.add_argument("--benches", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--profile", default="", help="where the station's profile is written")
    chosen = parser.parse_args()
    main(chosen.rounds, chosen.verdicts, chosen.benches, chosen.profile)
