"""What a forked process is doing, noted in shared memory, so that a kill knows what it hit.

Real functions are wrapped and called; nothing is replaced. A station also gets its load here: tasks
in its own process and event loop that begin runs and commit their verdicts through its own outbox,
since a simulated weighing of 18 points takes half a second and a commit a few milliseconds.
"""

import asyncio
import functools
import mmap
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

PHASES = (
    "importing",
    "starting",
    "opening",
    "connecting",
    "connected",
    "publishing",
    "in a transaction",
    "counterfoil",
)
"""In the order of their rank: of several at the same time the last one is told."""
_, _STARTING, _OPENING, _CONNECTING, CONNECTED, PUBLISHING, TRANSACTION, COUNTERFOIL = range(
    len(PHASES)
)


class Notes:
    """One counter for each phase: how many threads or tasks are in it now."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            file.write_bytes(bytes(len(PHASES)))
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), len(PHASES))

    def reset(self) -> None:
        self._map[:] = bytes(len(PHASES))

    def enter(self, phase: int) -> None:
        self._map[phase] = min(255, self._map[phase] + 1)

    def leave(self, phase: int) -> None:
        self._map[phase] = max(0, self._map[phase] - 1)

    @property
    def phase(self) -> int:
        """Return what is being done."""
        return max((n for n in range(len(PHASES)) if self._map[n]), default=0)

    def is_connected(self) -> bool:
        """Say whether a broker has answered in this life."""
        return self._map[CONNECTED] > 0


def watch(phases: str, load: int = 0, acknowledged: str = "", seed: str = "") -> None:
    """Note in a file what this process does; have its last ``load`` benches commit all the time."""
    import acquisition.commands.serve
    import broker.committer
    import broker.connection
    import broker.counterfoil

    notes = Notes(Path(phases))
    notes.enter(_STARTING)
    _during(broker.committer.Committer, "_open", notes, _OPENING, then=_CONNECTING)
    _during(broker.committer.Committer, "_commit", notes, TRANSACTION)
    _during(broker.counterfoil.Counterfoil, "catch_up", notes, COUNTERFOIL)
    _while(broker.connection.Client, "publish_all", notes, PUBLISHING)
    _connected(broker.connection.Client, notes)
    if load:
        work = acquisition.commands.serve.work_off_orders

        async def loaded(station: Any) -> None:
            file = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            async with asyncio.TaskGroup() as group:
                group.create_task(work(station))
                for bench in station.settings.bench[-load:]:
                    dice = random.Random(f"{seed}/{bench.name}")
                    group.create_task(_commit_for_ever(station, bench.name, file, dice))

        acquisition.commands.serve.work_off_orders = loaded  # type: ignore[assignment]


async def _commit_for_ever(station: Any, bench: str, file: int, dice: random.Random) -> None:
    """Begin runs and end them, in bursts; note what is committed once that is answered."""
    from broker.failure import BrokerError
    from tests.records import start, verdict

    while True:
        await asyncio.sleep(dice.uniform(0.0, 0.2))
        for _ in range(dice.randrange(1, 6)):
            begun = start(bench, office=station.settings.office.code, trial=True)
            try:
                given = await station.outbox.begin(bench, begun["id"], begun)
                os.write(file, f"start {begun['id']}\n".encode())
                if dice.random() < 0.1:
                    await station.outbox.abandon(begun["id"], "the technician went home")
                    os.write(file, f"abandonment {begun['id']}\n".encode())
                    continue
                pad = "x" * dice.choice((0, 200, 6000))
                record = verdict(begun, given, cerapan={"pad": pad})
                await station.outbox.put(record)
                os.write(file, f"verdict {begun['id']}\n".encode())
            except BrokerError as error:  # it must not happen; what was said stands in the log
                os.write(2, f"LOAD FAILED {error}\n".encode())


def _during(owner: Any, name: str, notes: Notes, phase: int, *, then: int | None = None) -> None:
    """Note a phase while a method runs."""
    method: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(method)
    def noted(*arguments: Any, **more: Any) -> Any:
        notes.enter(phase)
        try:
            return method(*arguments, **more)
        finally:
            notes.leave(phase)
            if then is not None:
                notes.enter(then)

    setattr(owner, name, noted)


def _while(owner: Any, name: str, notes: Notes, phase: int) -> None:
    """Note a phase while a coroutine runs."""
    method: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @functools.wraps(method)
    async def noted(*arguments: Any, **more: Any) -> Any:
        notes.enter(phase)
        try:
            return await method(*arguments, **more)
        finally:
            notes.leave(phase)

    setattr(owner, name, noted)


def _connected(client: Any, notes: Notes) -> None:
    """From the first subscription on a process waits for work rather than for a connection."""
    method = client.subscribe

    @functools.wraps(method)
    async def noted(*arguments: Any, **more: Any) -> Any:
        answer = await method(*arguments, **more)
        notes.enter(CONNECTED)
        return answer

    client.subscribe = noted
