"""The beat of a service: whether it really gets on, told to systemd and to the log.

Every beat writes through the own writer of the outbox or store, reads through its reader, and puts a
small file on the disk of it. The file of a station also tells its next start when it was last alive,
so that a clock which has fallen behind while the power was off is noticed.
"""

import asyncio
import contextlib
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from acquisition.clock_watch import ClockWatch
from acquisition.journal import Journal
from acquisition.machine import boot_id, uptime
from acquisition.notify import notify, watchdog_period
from acquisition.progress import Progress
from broker.disk_trouble import explain_disk
from broker.failure import BrokerError, OutboxFailed
from broker.outbox import Outbox

log = Journal(__name__)

_EVERY = 10.0
"""Pause [s] between two beats where no manager asks for a shorter one."""
_STEP = 0.5
"""A difference [s] that only a jump of the clock makes."""


K = TypeVar("K")


@dataclass(slots=True)
class Beat(Generic[K]):
    """One service's beat; ``run`` it beside everything else."""

    what: ClassVar[str]
    keeper: K
    """Where the service commits its records."""
    file: Path | None
    """The same on this disk; the sign of life lies beside it. None when a server has it."""
    progress: Progress
    period: float | None = field(default_factory=watchdog_period)
    """Within which time [s] the manager wants to hear from us."""
    probes: int = 0
    """Answers that writer, reader and disk have given."""
    beats: int = 0
    """Times that everything was found to get on."""
    trouble: BrokerError | None = None
    """Why nothing can be committed at present."""
    stuck: dict[str, float] = field(default_factory=dict)
    """Who does not get on, and for how long [s]."""

    @property
    def every(self) -> float:
        """Return the pause between two beats [s]: the manager is told three times a period."""
        return _EVERY if self.period is None else min(_EVERY, self.period / 3)

    async def run(self) -> None:
        """Beat until cancelled."""
        self.progress.expect(self.what, self.period or 60.0, lambda: self.probes)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._probe(), name=f"{self.what} probe")
            group.create_task(self._beat(), name="beat")

    async def _beat(self) -> None:
        while True:
            stuck = self.progress.stuck()
            for name in sorted(stuck.keys() - self.stuck.keys()):
                log.error(
                    "{what} has not moved for {seconds} s: without it the service is started again",
                    event="stuck",
                    what=name,
                    seconds=round(stuck[name]),
                )
            self.stuck = stuck
            if not stuck:
                self.beats += 1
                if self.period is not None:
                    notify("WATCHDOG=1")
            await asyncio.sleep(self.every)

    async def _probe(self) -> None:
        """Ask writer, reader and disk, again and again; an error is an answer, silence is none."""
        while True:
            trouble: BrokerError | None = None
            try:
                await self._ask()
                if self.file is not None:
                    await asyncio.to_thread(_sign_of_life, sign_of(self.file))
            except BrokerError as error:
                trouble = error
            except OSError as error:
                trouble = explain_disk(error, self.file or Path(), OutboxFailed)
            if str(trouble) != str(self.trouble):
                self._say(trouble)
            self.trouble = trouble
            self.probes += 1
            await asyncio.sleep(self.every)

    async def _ask(self) -> None:
        """Write and read, changing nothing."""
        raise NotImplementedError

    def _say(self, trouble: BrokerError | None) -> None:
        """Say what the trouble is, or that there is none any more."""
        raise NotImplementedError


class Heartbeat(Beat[Outbox]):
    """The beat of a station."""

    what = "outbox"

    async def _ask(self) -> None:
        await self.keeper.stamp_published([])  # changes nothing, in a transaction
        await self.keeper.benches_waiting()

    def _say(self, trouble: BrokerError | None) -> None:
        if trouble is None:
            log.info("the outbox can be written again", event="outbox_well")
        else:
            log.error(
                "the outbox cannot be written: {why}; no run starts until it can",
                event="outbox_failed",
                why=trouble,
            )


def sign_of(outbox: Path) -> Path:
    """Return the file that says when a station was last alive."""
    return Path(f"{outbox}.alive")


def compare_with_last_life(outbox: Path, clock: ClockWatch) -> None:
    """Note a jump that the clock made while the station did not run, as far as that shows.

    After the computer itself was started anew only a clock that went back can be told.
    """
    try:
        last = json.loads(sign_of(outbox).read_text("utf-8"))
        wall, up, boot = float(last["time"]), float(last["uptime"]), str(last["boot"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # the first start, or a file that a power cut has cut
    gained = time.time() - wall
    if boot == boot_id():
        gained -= uptime() - up
        if abs(gained) >= _STEP:
            clock.note(gained)
    elif gained <= -_STEP:
        clock.note(gained)


def _sign_of_life(file: Path) -> None:
    """Write the file and wait until the disk has it; one that is frozen or gone shows here."""
    fresh = file.with_name(f".{file.name}")
    alive = {"time": time.time(), "uptime": uptime(), "boot": boot_id()}
    try:
        with fresh.open("w", encoding="utf-8") as out:
            json.dump(alive, out)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
