"""A station's files as a power cut leaves them, and every way in which they may be torn."""

import random
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acquisition.bundle import read_bundle
from acquisition.faults import BadInput
from acquisition.session import run
from acquisition.station import running
from broker.outbox import Outbox
from broker.outbox_archive import archive
from broker.record import digest, encode
from drivers.capture import chunks_in
from tests.records import receipt, start, verdict
from tests.stations import job_of, order, scale_bench, settings_of

BENCHES = ("meja-1", "meja-2")
CAPTURES = '\n[store]\noutbox = "data/outbox.sqlite"\ncaptures = "data/captures"\n'
DATABASE, WAL, SHM, COUNTERFOIL = "outbox.sqlite", "-wal", "-shm", ".counterfoil"

_SAID_LOST = re.compile(r"bench (\S+): the (\w+) of number ([0-9, -]+) is (?:lost|gone)")

Identity = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was committed."""

    bench: str
    number: int
    digest: str
    body: bytes | None
    stored: int | None


@dataclass(slots=True)
class State:
    """What an outbox holds."""

    records: dict[Identity, Record] = field(default_factory=dict)
    orders: dict[str, tuple[Any, ...]] = field(default_factory=dict)


def held_in(outbox: Path) -> State:
    """Read an outbox with SQLite alone."""
    state = State()
    with closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)) as db:
        for kind, name, bench, number, own, body, stored in db.execute(
            "SELECT kind, id, r.bench, number, digest, body, stored_number FROM record AS r"
            " JOIN delivery USING (seq) LEFT JOIN content USING (seq)"
        ):
            state.records[kind, name] = Record(bench, number, own, body, stored)
        for name, *rest in db.execute("SELECT order_id, body, closed_at, opening FROM ordered"):
            state.orders[name] = tuple(rest)
    return state


async def make_station(folder: Path) -> State:
    """Make a station that has verified, delivered, archived, and lost its power at work."""
    settings = settings_of(folder, scale_bench(1), scale_bench(2), more=CAPTURES)
    file = settings.store.outbox
    async with running(settings) as station:
        for name in ("timbangan-1", "timbangan-2", "timbangan-1"):
            async with aclosing(run(job_of(station, name))) as events:
                async for _ in events:
                    pass
    outbox = await Outbox.open(file)
    await _verify(outbox, 12, delivered=True)
    await outbox.close()
    archive(file, "9999-01-01", folder / "archives")
    outbox = await Outbox.open(file)
    await outbox.put_order(order("P-1", "timbangan-1"))
    await outbox.put_order(order("P-2", "timbangan-2"))
    await outbox.close_order("P-2")
    await _verify(outbox, 25, delivered=True)
    await _verify(outbox, 25, delivered=False)
    await outbox.close()
    outbox = await Outbox.open(file)  # from here on in the WAL
    await _verify(outbox, 15, delivered=True)
    await _verify(outbox, 15, delivered=False)
    await outbox.put_order(order("P-3", "timbangan-1", "timbangan-2"))
    left = start("meja-1")
    await outbox.begin("meja-1", left["id"], left)
    state = held_in(file)
    data = file.parent
    shutil.copytree(data, folder / "as left")
    await outbox.close()
    shutil.copytree(data, folder / "as closed")
    shutil.rmtree(data)
    return state


async def _verify(outbox: Outbox, count: int, *, delivered: bool) -> None:
    for index in range(count):
        bench = BENCHES[index % 2]
        begun = start(bench, order="P-1" if index == 7 else None, subject=f"timbangan-{bench[-1]}")
        number = await outbox.begin(bench, begun["id"], begun)
        if index % 9 == 8:
            await outbox.abandon(begun["id"], "the technician went home")
            continue
        size = (0, 500, 5_000, 20_000)[index % 4]
        pad = random.Random(index).randbytes(size // 2).hex()
        record = verdict(begun, number, cerapan={"routine": "nawi", "stage": "initial", "pad": pad})
        await outbox.put(record)
        if delivered:
            for stored, known in enumerate(({**begun, "number": number}, record), number * 10):
                await outbox.stamp_receipt(receipt(known, digest(encode(known)), stored))


@dataclass(frozen=True, slots=True)
class Tear:
    """One damage: what happened to which file, and where."""

    file: str
    how: str
    at: int
    size: int

    def __str__(self) -> str:
        return f"{self.file}: {self.how} at {self.at} of {self.size}"


def tear(folder: Path, dice: random.Random) -> Tear:
    """Damage one file of a station at a random place."""
    files = {p.relative_to(folder): p for p in sorted(folder.rglob("*")) if p.is_file()}
    kinds: dict[str, list[Path]] = {}
    for name, path in files.items():
        kinds.setdefault(_kind(name), []).append(path)
    weights = {DATABASE: 45, WAL: 20, COUNTERFOIL: 10, SHM: 3, "capture": 12, "bundle": 5, "": 5}
    there = [kind for kind in weights if kind in kinds]
    [kind] = dice.choices(there, [weights[k] for k in there])
    path = dice.choice(kinds[kind])
    data = bytearray(path.read_bytes())
    how = dice.choice(("cut", "bit", "byte", "sector", "page", "noise", "empty"))
    if how == "empty" and dice.random() < 0.7:
        how = "byte"
    at = dice.randrange(len(data)) if data else 0
    size = len(data)
    match how:
        case "cut":
            del data[at:]
        case "bit" if data:
            data[at] ^= 1 << dice.randrange(8)
        case "byte" if data:
            data[at] ^= dice.randrange(1, 256)
        case "sector" | "page" | "noise":
            length = 4096 if how == "page" else 512
            at -= at % length
            end = min(at + length, size)
            data[at:end] = dice.randbytes(end - at) if how == "noise" else bytes(end - at)
        case "empty":
            at, data = 0, bytearray()
    path.write_bytes(data)
    return Tear(str(path.relative_to(folder)), how, at, size)


def _kind(name: Path) -> str:
    text = name.name
    for suffix in (WAL, SHM, COUNTERFOIL):
        if text == DATABASE + suffix:
            return suffix
    if text == DATABASE:
        return DATABASE
    if "captures" in name.parts:
        return "capture"
    return "bundle" if "bundles" in name.parts else ""


def violations(before: State, outbox: Path, said: str, tears: list[Tear]) -> tuple[list[str], int]:
    """Compare what was committed with what a station has kept; return the lost records too."""
    wrong: list[str] = []
    lost, named = 0, _named(said)
    after = held_in(outbox)
    witnesses = {t.file for t in tears if not t.file.startswith("captures")}
    for key, record in before.records.items():
        now = after.records.get(key)
        if now is None:
            lost += 1
            if len(witnesses) == 1 and (record.bench, key[0], record.number) not in named:
                wrong.append(f"{key} of number {record.number} is gone without a name")
            continue
        if (now.bench, now.number, now.digest) != (record.bench, record.number, record.digest):
            wrong.append(f"{key} is {now.bench} {now.number} {now.digest} now")
        if now.stored not in (None, record.stored):
            wrong.append(f"{key} was stored as {record.stored}, and is now as {now.stored}")
        if now.body is None and record.body is not None:
            lost += 1
            if (record.bench, key[0], record.number) not in named:
                wrong.append(f"{key} of number {record.number} lost its bytes without a word")
        elif record.body is not None and now.body != record.body:
            wrong.append(f"{key} of number {record.number} has other bytes now")
    started = {name for kind, name in before.records if kind == "start"}
    ended = {name for kind, name in before.records if kind != "start"}
    highest = {b: max(r.number for r in before.records.values() if r.bench == b) for b in BENCHES}
    for kind, name in after.records.keys() - before.records.keys():
        its = after.records[kind, name]
        left = kind == "abandonment" and name in started - ended
        if not left and its.number <= highest[its.bench]:  # it may have begun with an order
            wrong.append(f"{kind} {name} of number {its.number} was never committed")
    if len(witnesses) == 1:
        for bench in BENCHES:
            numbers = [
                r.number for (k, _), r in after.records.items() if r.bench == bench and k == "start"
            ]
            if sorted(numbers) != list(range(1, len(numbers) + 1)):
                wrong.append(f"the numbers of {bench} are {sorted(numbers)}")
    wrong += [f"order {name} is new" for name in after.orders.keys() - before.orders.keys()]
    return wrong, lost


def _named(said: str) -> set[tuple[str, str, int]]:
    """Return bench, kind and number of what a station has said to be lost."""
    found = set()
    for bench, kind, numbers in _SAID_LOST.findall(said):
        for stretch in numbers.split(", "):
            first, _, last = stretch.partition("-")
            found |= {(bench, kind, n) for n in range(int(first), int(last or first) + 1)}
    return found


def lost_chunks(before: Path, after: Path) -> list[str]:
    """Return the captures of which something readable is nowhere any more."""
    wrong = []
    there = [p.read_bytes() for p in (after / "captures").iterdir()]
    for old in (before / "captures").iterdir():
        data = old.read_bytes()
        whole = (
            max((end for _, end in chunks_in(data)), default=0) if data[:8] == b"TERACAP2" else 0
        )
        kept = any(data == now or now.startswith(data[:whole]) for now in there)
        if not kept:
            wrong.append(f"{old.name}: {whole} readable bytes are gone")
    return wrong


def bundles_in(folder: Path) -> Iterator[Path]:
    yield from sorted((folder / "bundles").glob("*.zip"))


def bundle_or_sentence(file: Path) -> Any:
    """Return the record of a bundle, None when it is refused in a sentence."""
    try:
        return read_bundle(file).record
    except BadInput:
        return None
