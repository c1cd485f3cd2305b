"""Everything is killed at random instants under load: nothing lost, nothing twice, no gap.

    python -m tests.crash [--kills 500] [--brokers 50] [--databases 20] [--seed N]

Two offices, one with its records in SQLite and one in PostgreSQL, behind one Mosquitto; stations are
``tera run`` on simulated instruments with orders, and commit more in their own process besides;
subscribers are ``tera records serve``, several side by side on one store. All are real processes and
die by SIGKILL, whatever they are doing (tests/phases.py notes what). At the end all live until
everything is delivered, and what the outboxes hold is compared with what the stores hold.
"""

import argparse
import asyncio
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from broker.counterfoil import counterfoil_of, read_lines
from broker.examination import examine
from broker.record import digest
from broker.salvage import kept_aside
from broker.store import RecordStore
from tests.crash_world import Broker, HardPostgres, Office, Role
from tests.forks import Forks
from tests.phases import PHASES
from tests.postgres import PROGRAMS


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is killed."""

    kills: int
    """Of stations, and as many of subscribers."""
    brokers: int
    databases: int
    stations: int
    """Of each office; and as many subscribers."""
    seed: int
    orders_every: float
    """Pause [s] between two orders."""
    settle_within: float
    """How long [s] everything may take to be delivered at the end."""


@dataclass(slots=True)
class Outcome:
    """What was killed, and what became of the verdicts."""

    plan: Plan
    phases: dict[str, Counter[str]] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    orders: int = 0
    ordered: int = 0
    wrong: list[str] = field(default_factory=list)
    killing: float = 0.0
    settling: float = 0.0

    def summary(self) -> str:
        lines = [
            f"seed {self.plan.seed}: {', '.join(f'{n} {what}' for what, n in self.kills.items())}"
            f" killed in {self.killing:.0f} s, all delivered {self.settling:.0f} s later",
            *(
                f"{who} died while " + ", ".join(f"{phase}: {found[phase]}" for phase in PHASES)
                for who, found in self.phases.items()
            ),
            f"committed: {', '.join(f'{n} {kind}s' for kind, n in sorted(self.records.items()))};"
            f" {self.acknowledged} of them answered; {self.orders} orders with {self.ordered} verdicts",
            f"{len(self.wrong)} violations",
        ]
        return "\n".join(lines + self.wrong)


async def crash(plan: Plan, folder: Path, *, progress: bool = False) -> Outcome:
    """Kill as planned and compare."""
    outcome = Outcome(plan)
    offices = [Office("3516", folder / "3516", folder / "3516" / "records.sqlite")]
    database = HardPostgres() if PROGRAMS is not None else None
    if database is not None:
        await asyncio.to_thread(database.start)
        offices.append(Office("3517", folder / "3517", database.database()))
    broker = Broker(folder, offices)
    await broker.start()
    forks = await Forks.open()
    try:
        for office in offices:
            office.folder.mkdir()
            await office.furnish(forks, broker.port, plan.stations, plan.stations)
        began = time.monotonic()
        await _kill_everything(plan, offices, broker, database, forks, outcome, progress)
        outcome.killing = time.monotonic() - began
        await _settle(plan, offices, broker, forks, outcome, progress)
        outcome.settling = time.monotonic() - began - outcome.killing
        for office in offices:
            await _compare(office, outcome)
    finally:
        await forks.close()
        broker.kill()
        if database is not None:
            database.remove()
    return outcome


def _roles(offices: list[Office]) -> list[Role]:
    return [role for office in offices for role in (*office.stations, *office.subscribers)]


async def _kill_everything(
    plan: Plan,
    offices: list[Office],
    broker: Broker,
    database: HardPostgres | None,
    forks: Forks,
    outcome: Outcome,
    progress: bool,
) -> None:
    dice = random.Random(plan.seed)
    seed = str(plan.seed)
    many = len(offices) * plan.stations
    dying = [
        asyncio.create_task(role.be_killed(forks, times, f"{seed}/{office.code}"))
        for office in offices
        for roles in (office.stations, office.subscribers)
        for role, times in zip(roles, _shares(plan.kills // len(offices), len(roles)), strict=True)
    ]
    expected = 1.5 * plan.kills / many  # seconds, about
    others: list[asyncio.Task[int]] = [
        asyncio.create_task(broker.be_killed(plan.brokers, expected / plan.brokers, dice))
    ]
    if database is not None:
        pause = expected / plan.databases
        others.append(asyncio.create_task(database.be_killed(plan.databases, pause, dice)))
    ordering = asyncio.create_task(_order(offices, broker, plan, random.Random(seed)))
    telling = asyncio.create_task(_tell(offices, plan, progress))
    try:
        await asyncio.gather(*dying, *others)
    finally:
        for task in (*dying, *others, ordering, telling):
            task.cancel()
        await asyncio.gather(*dying, *others, ordering, telling, return_exceptions=True)
    outcome.kills["Mosquitto"] = others[0].result()
    for office in offices:
        for kind, roles in (("stations", office.stations), ("subscribers", office.subscribers)):
            for role in roles:
                outcome.phases.setdefault(kind, Counter()).update(role.kills)
                outcome.kills[kind] += role.kills.total()
                outcome.wrong += role.wrong
    if database is not None:
        outcome.kills["PostgreSQL"] = others[1].result()


def _shares(total: int, among: int) -> list[int]:
    return [total // among + (number < total % among) for number in range(among)]


async def _order(offices: list[Office], broker: Broker, plan: Plan, dice: random.Random) -> None:
    while True:
        dice.choice(offices).new_order(dice)
        with suppress(Exception):  # it is told again when the broker has come back
            await broker.tell_orders()
        await asyncio.sleep(plan.orders_every)


async def _tell(offices: list[Office], plan: Plan, progress: bool) -> None:
    while progress:
        await asyncio.sleep(10)
        dead = {
            kind: sum(role.kills.total() for o in offices for role in getattr(o, kind))
            for kind in ("stations", "subscribers")
        }
        print(  # noqa: T201
            ", ".join(f"{n} of {plan.kills} {kind} killed" for kind, n in dead.items()), flush=True
        )


async def _settle(
    plan: Plan,
    offices: list[Office],
    broker: Broker,
    forks: Forks,
    outcome: Outcome,
    progress: bool,
) -> None:
    """Let everything live until all is delivered, then stop it as a service manager does."""
    await broker.tell_orders()
    alive = {id(role): await role.live(forks, "end", load=False) for role in _roles(offices)}
    end = time.monotonic() + plan.settle_within
    while left := [said for office in offices if (said := office.left())]:
        for role in _roles(offices):
            if not alive[id(role)].alive:
                outcome.wrong.append(f"{role.name} ended by itself at the end")
                end = 0.0
        if time.monotonic() > end:
            outcome.wrong += [f"not delivered: {said}" for said in left]
            break
        if progress:
            print("; ".join(left), flush=True)  # noqa: T201
        await asyncio.sleep(0.5 if not progress else 3)
    for process in alive.values():
        process.signal(signal.SIGTERM)
    for role in _roles(offices):
        code = await alive[id(role)].wait()
        if code != 0:
            outcome.wrong.append(f"{role.name} ended with {code}")
        text = role.says.read_text("utf-8", "replace")
        for bad in ("Traceback", "LOAD FAILED", "the outbox was damaged", "CONFLICT"):
            if bad in text:
                at = text.index(bad)
                outcome.wrong.append(f"{role.name} said: {text[max(0, at - 300) : at + 1500]}")


async def _compare(office: Office, outcome: Outcome) -> None:
    """Compare what was answered, what the outboxes hold, and what the store holds."""
    wrong = outcome.wrong
    committed: dict[tuple[str, str], tuple[str, int | None]] = {}
    for role, file in zip(office.stations, office.outboxes(), strict=True):
        why = examine(file)
        if why is not None or kept_aside(file):
            wrong.append(f"{file} is damaged: {why}")
        here: dict[tuple[str, str], tuple[str, int | None]] = {}
        with closing(sqlite3.connect(file)) as db:
            for kind, name, own, stored, body in db.execute(
                "SELECT kind, id, digest, stored_number, body FROM record"
                " JOIN delivery USING (seq) JOIN content USING (seq)"
            ):
                here[kind, name] = (own, stored)
                if digest(body) != own:
                    wrong.append(f"{kind} {name} has other bytes")
            numbers = db.execute(
                "SELECT bench, count(*), count(DISTINCT number), min(number), max(number)"
                " FROM record WHERE kind = 'start' GROUP BY bench"
            )
            for bench, count, several, first, last in numbers:
                if not (count == several == last and first == 1):
                    wrong.append(f"{bench}: {count} starts are numbered {first} to {last}")
            wrong += [
                f"{order}: {subject} was verified {count} times"
                for order, subject, count in db.execute(
                    "SELECT s.order_id, s.subject, count(*) FROM record AS s JOIN record AS v"
                    " ON v.id = s.id AND v.kind = 'verdict' WHERE s.kind = 'start'"
                    " AND s.order_id IS NOT NULL GROUP BY s.order_id, s.subject HAVING count(*) > 1"
                )
            ]
        lines = {(line.kind, line.id) for line in read_lines(counterfoil_of(file)) if line}
        if lines != here.keys():
            wrong.append(f"{role.name}: its counterfoil and its outbox differ")
        answered = (role.folder / "acknowledged").read_text("utf-8").split("\n")[:-1]
        told = {(kind, name) for kind, _, name in (line.partition(" ") for line in answered)}
        wrong += [f"{key} was answered and is not there" for key in told - here.keys()]
        outcome.acknowledged += len(told)
        committed |= here
    await _compare_store(office, committed, wrong)
    outcome.records.update(kind for kind, _ in committed)
    outcome.orders += len(office.orders)
    outcome.ordered += sum(len(o["instruments"]) for o in office.orders.values())


async def _compare_store(
    office: Office, committed: dict[tuple[str, str], tuple[str, int | None]], wrong: list[str]
) -> None:
    store = await RecordStore.open(office.where)
    try:
        stored = await store.list()
        gaps, conflicts = await store.gaps(), await store.conflicts()
    finally:
        await store.close()
    there = {(r.kind, r.id): (r.digest, r.stored) for r in stored}
    if len(stored) != len(there):
        wrong.append(f"office {office.code}: {len(stored) - len(there)} records are stored twice")
    wrong += [
        f"{key} was never committed, and is stored" for key in there.keys() - committed.keys()
    ]
    wrong += [f"{key} is committed, and is not stored" for key in committed.keys() - there.keys()]
    wrong += [
        f"{key} is {committed[key]} here and {there[key]} in the store"
        for key in there.keys() & committed.keys()
        if there[key] != committed[key]
    ]
    wrong += [
        f"{r.kind} {r.id} has other bytes in the store"
        for r in stored
        if digest(r.body) != r.digest
    ]
    if [r.stored for r in stored] != list(range(1, len(stored) + 1)):
        wrong.append(f"office {office.code}: stored numbers have gaps")
    wrong += [f"{gap}" for gap in gaps] + [f"conflict over {c.kind} {c.id}" for c in conflicts]


def main() -> int:
    """Run the long form."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--brokers", type=int, default=50)
    parser.add_argument("--databases", type=int, default=20)
    parser.add_argument("--stations", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    given = parser.parse_args()
    for end in (signal.SIGINT, signal.SIGTERM):  # all that was started is ended too
        signal.signal(end, signal.default_int_handler)
    print(f"seed {given.seed}: give it with --seed to roll the same dice again", flush=True)  # noqa: T201
    plan = Plan(given.kills, given.brokers, given.databases, given.stations, given.seed, 6.0, 900.0)
    with tempfile.TemporaryDirectory(prefix="tera-crash-") as folder:
        outcome = asyncio.run(crash(plan, Path(folder), progress=True))
    print(outcome.summary())  # noqa: T201
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
