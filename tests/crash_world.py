"""Offices with stations and records systems, all real processes that may be killed at any instant."""

import asyncio
import json
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt

from tests.forks import Fork, Forks
from tests.mosquitto import Mosquitto
from tests.phases import COUNTERFOIL, PHASES, PUBLISHING, TRANSACTION, Notes
from tests.postgres import Postgres
from tests.records import TIME
from tests.stations import HEAD, scale_bench

_EARLY, _AIMED, _LONG, _FRESH = 0.25, 0.4, 0.1, 0.08
"""Shares of the lives that end during the start, in the midst of something, late, or after imports."""
_AIM_WITHIN = 3.0
"""So long [s] something to hit is waited for."""
_TARGETS = (PUBLISHING, TRANSACTION, TRANSACTION, COUNTERFOIL)
_START = 0.7
"""Within this time [s] an early death comes."""
_READY_WITHIN = 6.0
"""So long [s] a life waits to be connected before it ends anyway: the broker may be dead too."""


def bench(name: int, *, quiet: bool) -> str:
    """Return a bench; a quiet one commits a lot and looks at its scale seldom."""
    text = scale_bench(name, patience=60)  # the machine may be busy
    if quiet:
        text = text.replace("interval = 0.002", "interval = 2.0")
        text = text.replace("display_cycle = 0.002", "display_cycle = 0.5")
    return text


@dataclass(slots=True)
class Role:
    """A process that is started again whenever it was killed."""

    name: str
    command: tuple[str, ...]
    folder: Path
    load: int = 0
    may_refuse: bool = False
    """Whether it ends by itself, with exit code 3, while its database is away."""
    lives: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def says(self) -> Path:
        return self.folder / f"{self.name}.log"

    async def live(
        self, forks: Forks, seed: str, *, fresh: bool = False, load: bool = True
    ) -> Fork:
        """Begin a life."""
        self.lives += 1
        more: dict[str, Any] = {}
        if self.load and load:
            acknowledged = str(self.folder / "acknowledged")
            more = {"load": self.load, "acknowledged": acknowledged, "seed": f"{seed}/{self.lives}"}
        phases = self.folder / f"{self.name}.phases"
        phases.write_bytes(bytes(len(PHASES)))
        return await forks.start(
            *self.command, says=self.says, fresh=fresh, phases=str(phases), **more
        )

    async def be_killed(self, forks: Forks, times: int, seed: str) -> None:
        """Live and die, so many times."""
        dice = random.Random(f"{seed}/{self.name}")
        while self.kills.total() < times:
            way = dice.random()
            process = await self.live(forks, seed, fresh=dice.random() < _FRESH)
            notes = Notes(self.folder / f"{self.name}.phases")
            if way < _EARLY:
                await _unless_ended(process, dice.uniform(0.0, _START))
            else:
                await _until(process, notes.is_connected, _READY_WITHIN)
                late = way > 1 - _LONG
                await _unless_ended(process, dice.uniform(0.0, 5.0 if late else 0.8))
                if way < _EARLY + _AIMED:
                    await _until(process, _doing(notes, dice.choice(_TARGETS)), _AIM_WITHIN)
            process.signal(signal.SIGKILL)
            code = await process.wait()
            if code == -signal.SIGKILL:
                self.kills[PHASES[notes.phase]] += 1  # the notes are as they were at its death
            elif not (self.may_refuse and code == 3):
                self.wrong.append(f"{self.name} ended by itself with {code}")
                return


def _doing(notes: Notes, phase: int) -> Callable[[], bool]:
    return lambda: notes.phase >= phase


async def _until(process: Fork, condition: Callable[[], bool], within: float) -> None:
    """Wait until a process has come so far."""
    end = time.monotonic() + within
    while process.alive and not condition() and time.monotonic() < end:
        await asyncio.sleep(0.001)  # there is no event for another's memory


async def _unless_ended(process: Fork, seconds: float) -> None:
    with suppress(TimeoutError):
        await process.wait(within=seconds)


@dataclass(slots=True)
class Office:
    """One office: where its records are kept, its stations and subscribers."""

    code: str
    folder: Path
    where: Path | str
    stations: list[Role] = field(default_factory=list)
    subscribers: list[Role] = field(default_factory=list)
    instruments: list[str] = field(default_factory=list)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def furnish(self, forks: Forks, broker: int, stations: int, subscribers: int) -> None:
        """Write configurations and keys."""
        records = self.folder / "records.toml"
        head = HEAD.format(broker=broker).replace("3516", self.code)
        alone = head.partition("[[standards]]")[0]  # a records system has no benches
        records.write_text(f'{alone}[store]\nrecords = "{self.where}"\n', encoding="utf-8")
        says = self.folder / "keys"
        making = await forks.start("keys", "make", "--config", records, says=says)
        assert await making.wait() == 0, making.text()
        trusted = "[[records.trusted]]" + making.text().partition("[[records.trusted]]")[2]
        database = not isinstance(self.where, Path)
        for n in range(subscribers):
            command = ("records", "serve", "--config", str(records), "--name", f"s{n}")
            name = f"subscriber-{n}"
            self.subscribers.append(Role(name, command, self.folder, may_refuse=database))
        for n in range(1, stations + 1):
            folder = self.folder / f"station-{n}"
            folder.mkdir()
            config = folder / "config.toml"
            numbers = (n * 10, n * 10 + 1, n * 10 + 2)
            benches = "".join(bench(k, quiet=k != n * 10) for k in numbers)
            config.write_text(head + trusted + benches, encoding="utf-8")
            command = ("run", "--config", str(config))
            self.stations.append(Role(f"station-{n}", command, folder, load=2))
            self.instruments.append(f"timbangan-{n * 10}")

    def outboxes(self) -> list[Path]:
        return [role.folder / "data" / "outbox.sqlite" for role in self.stations]

    def new_order(self, dice: random.Random) -> None:
        name = f"P-{len(self.orders) + 1}"
        several = dice.sample(self.instruments, dice.randint(1, len(self.instruments)))
        self.orders[name] = {
            "schema": "tera/order/1",
            "order": name,
            "instruments": several,
            "owner": "pasar 12",
            "received": TIME,
        }

    def left(self) -> str:
        """Say what still has to happen; empty when all is delivered and every order is done."""
        try:
            return self._left()
        except sqlite3.Error as error:  # at a start, until its station has looked at it
            return f"an outbox cannot be read yet: {error.sqlite_errorname}"

    def _left(self) -> str:
        said = []
        done: set[tuple[str, str]] = set()
        for file in self.outboxes():
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=20)) as db:
                (waiting,) = db.execute(
                    "SELECT count(*) FROM delivery WHERE receipt IS NULL"
                ).fetchone()
                (unfinished,) = db.execute(
                    "SELECT count(*) FROM record WHERE kind = 'start' AND id NOT IN"
                    " (SELECT id FROM record WHERE kind <> 'start')"
                ).fetchone()
                done |= set(
                    db.execute(
                        "SELECT s.order_id, s.subject FROM record AS s JOIN record AS v ON v.id = s.id"
                        " AND v.kind = 'verdict' WHERE s.kind = 'start' AND s.order_id IS NOT NULL"
                    )
                )
            if waiting or unfinished:
                said.append(f"{file.parent.parent.name}: {waiting} wait, {unfinished} unfinished")
        asked = {(o["order"], i) for o in self.orders.values() for i in o["instruments"]}
        if asked - done:
            said.append(f"{len(asked - done)} of {len(asked)} ordered verdicts are left")
        return "; ".join(said)


class Broker(Mosquitto):
    """A Mosquitto that forgets with its death what it had not written, and is told the orders again."""

    def __init__(self, folder: Path, offices: list[Office]) -> None:
        super().__init__(folder, careful=False)
        self._offices = offices

    async def be_killed(self, times: int, pause: float, dice: random.Random) -> int:
        """Die so many times; return how often."""
        for _ in range(times):
            await asyncio.sleep(dice.uniform(0.3, 2 * pause))
            self.kill()
            await asyncio.sleep(dice.uniform(0.0, 0.8))
            await self.start()
            await self.tell_orders()
        return times

    async def tell_orders(self) -> None:
        """Publish every order, retained, as a records system does that wants them done."""
        async with aiomqtt.Client("127.0.0.1", self.port) as client:
            for office in self._offices:
                for name, order in list(office.orders.items()):
                    topic = f"tera/v1/{office.code}/orders/{name}"
                    await client.publish(topic, json.dumps(order), qos=1, retain=True)


class HardPostgres(Postgres):
    """A PostgreSQL that is killed with all its processes, by SIGKILL."""

    def kill_hard(self) -> None:
        if self._process is None:
            return
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(20)
        self._process = None
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        for child in children:  # until they are gone the next one finds their shared memory
            while not _is_dead(child):
                time.sleep(0.01)

    async def be_killed(self, times: int, pause: float, dice: random.Random) -> int:
        """Die so many times; return how often."""
        for _ in range(times):
            await asyncio.sleep(dice.uniform(0.3, 2 * pause))
            await asyncio.to_thread(self.kill_hard)
            await asyncio.sleep(dice.uniform(0.0, 0.5))
            await asyncio.to_thread(self.start)
        return times


def _is_dead(pid: str) -> bool:
    try:
        state = (
            Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]
        )
    except OSError:
        return True
    return state in "ZX"
