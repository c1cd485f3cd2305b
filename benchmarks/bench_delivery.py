"""Draining what waited while the broker was away: verdicts/s, memory, and order per bench.

A station of its own process has committed its verdicts; Mosquitto and a records system, a process
of its own too, come up; the clock runs until the last receipt is stamped. Beside it: how fast the
outbox commits, and how fast a store accepts on SQLite and on PostgreSQL.
"""

import argparse
import asyncio
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from acquisition.commands.records import SELDOM
from broker.address import BrokerAddress
from broker.outbox import Outbox
from broker.publisher import Publisher
from broker.record import encode
from broker.seal import SigningKey, Trust
from broker.store import RecordStore
from broker.subscriber import Subscriber
from tests.mosquitto import MISSING, PROGRAM, Mosquitto
from tests.postgres import PROGRAMS as POSTGRES
from tests.postgres import Postgres
from tests.records import KNOWN, SOFTWARE, start, verdict

ROOT = Path(__file__).parents[1]
SIZE = 10_000
"""Bytes of a verdict, as those of `make demo` have."""


def big(begun: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a verdict of the size that real ones have."""
    record = verdict(begun, number)
    one = record["raw"][0]
    record["raw"] = [one] * ((SIZE - len(encode(record))) // (len(encode(one)) + 1))
    return record


async def fill(path: Path, verdicts: int, benches: int) -> float:
    """Commit verdicts as benches do; return records/s."""
    outbox = await Outbox.open(path)

    async def work(bench: str, count: int) -> None:
        for _ in range(count):
            begun = start(bench)
            number = await outbox.begin(bench, begun["id"], begun)
            await outbox.put(big(begun, number))

    began = time.monotonic()
    await asyncio.gather(*(work(f"meja-{n}", verdicts // benches) for n in range(benches)))
    took = time.monotonic() - began
    await outbox.close()
    return 2 * verdicts / took


async def station(path: Path, port: int, benches: int, public: str) -> None:
    """Drain the outbox; print what it took."""
    outbox = await Outbox.open(path)
    trust = Trust([type(KNOWN)(*json.loads(public), KNOWN.valid_from, KNOWN.valid_until)])
    names = {f"meja-{n}": False for n in range(benches)}
    address = BrokerAddress("127.0.0.1", port)
    publisher = Publisher(outbox, address, "3516", names, SOFTWARE, trust)
    task = asyncio.create_task(publisher.run())
    await publisher.connected.wait()
    cpu, began = time.process_time(), time.monotonic()
    await outbox.wait_until_receipted()
    took, cpu = time.monotonic() - began, time.process_time() - cpu
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await outbox.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"took": took, "cpu": cpu, "peak": peak, "refused": publisher.refused}))


async def records(where: str, port: int) -> None:
    """Be the records system until standard input ends; print order and memory."""
    gc.set_threshold(*SELDOM)  # as `tera records serve` does
    key = SigningKey.generate()
    store = await RecordStore.open(where)
    subscriber = Subscriber(store, BrokerAddress("127.0.0.1", port), "3516", lambda: key)
    task = asyncio.create_task(subscriber.run())
    await subscriber.ready.wait()
    print(json.dumps([key.id, key.public]), flush=True)
    cpu = time.process_time()
    await asyncio.to_thread(sys.stdin.read)
    cpu = time.process_time() - cpu
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    last: dict[str, int] = {}
    in_order = True
    for record in await store.list(kind="verdict"):
        in_order &= last.get(record.bench, 0) < record.number
        last[record.bench] = record.number
    gaps = len(await store.gaps())
    await store.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": cpu, "peak": peak, "in order": in_order, "gaps": gaps}))


def drain(folder: Path, verdicts: int, benches: int, where: str) -> dict[str, Any]:
    """Run one round; return what both sides say."""
    outbox = folder / "outbox.sqlite"
    filled = asyncio.run(fill(outbox, verdicts, benches))
    mosquitto = Mosquitto(folder, careful=False)
    asyncio.run(mosquitto.start())
    try:
        with _process("records", where, mosquitto.port) as subscriber:
            assert subscriber.stdout is not None
            public = subscriber.stdout.readline().decode()
            with _process("station", outbox, mosquitto.port, benches, public) as publisher:
                out, _ = publisher.communicate(timeout=900)
            said, _ = subscriber.communicate(timeout=300)
    finally:
        mosquitto.kill()
    ours, theirs = json.loads(out), json.loads(said)
    return {
        "commits": filled,
        "verdicts": verdicts / ours["took"],
        "station": ours["peak"],
        "records": theirs["peak"],
        "cpu": (ours["cpu"] / verdicts * 1e6, theirs["cpu"] / verdicts * 1e6),
        "in order": theirs["in order"] and not theirs["gaps"] and not ours["refused"],
    }


def _process(*words: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bench_delivery", *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )


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
            items.append((record, encode(record)))
        began = time.monotonic()
        for at in range(0, count, together):
            await store.keep_all(items[at : at + together])
        rates[together] = count / (time.monotonic() - began)
    await store.close()
    return rates


def main(rounds: int, verdicts: int = 10_000, benches: int = 4) -> None:
    """Print the table."""
    if PROGRAM is None:
        print(MISSING)
        return
    server = Postgres() if POSTGRES else None
    try:
        if server is not None:
            server.start()
        print(f"{verdicts} verdicts of {SIZE} bytes and their starts, {benches} benches")
        for name in ("SQLite", "PostgreSQL"):
            for _ in range(max(1, rounds // 2)):
                with tempfile.TemporaryDirectory() as made:
                    folder = Path(made)
                    where = str(folder / "records.sqlite")
                    if name == "PostgreSQL":
                        if server is None:
                            continue
                        where = server.database()
                    found = drain(folder, verdicts, benches, where)
                    print(
                        f"  {name:10}  drained {found['verdicts']:6.0f} verdicts/s"
                        f"  station {found['station']:4.0f} MiB, {found['cpu'][0]:4.0f} µs/verdict"
                        f"  records {found['records']:4.0f} MiB, {found['cpu'][1]:4.0f} µs/verdict"
                        f"  committed {found['commits']:5.0f} records/s"
                        f"  in order: {'yes' if found['in order'] else 'NO'}"
                    )
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
    if sys.argv[1:2] == ["station"]:
        asyncio.run(station(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]))
    elif sys.argv[1:2] == ["records"]:
        asyncio.run(records(sys.argv[2], int(sys.argv[3])))
    else:
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("--verdicts", type=int, default=10_000)
        parser.add_argument("--benches", type=int, default=4)
        parser.add_argument("--rounds", type=int, default=2)
        chosen = parser.parse_args()
        main(chosen.rounds, chosen.verdicts, chosen.benches)
