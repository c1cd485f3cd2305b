"""Whether somebody sets the wall clock while the station works.

The wall clock is compared with the uptime, which nobody can set: what the one gains on the other
in one step is a jump. Slewing, as NTP does it (at most 83 ms in a second), is none. Comparing was
preferred to timerfd's TFD_TIMER_CANCEL_ON_SET: it also tells by how much, and is asked at the very
moments that count, when a run begins and when its verdict is written.
"""

import asyncio
import time
from dataclasses import dataclass

from acquisition.journal import Journal
from acquisition.machine import uptime

log = Journal(__name__)

_JUMP = 0.5
"""A difference [s] that slewing cannot make between two looks."""
_LOOK_EVERY = 1.0
_LONG_AGO = 3600.0
"""How long [s] a jump is told of in the verdicts that begin after it."""
_REMEMBERED = 100


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The wall clock was set."""

    seconds: float
    """By how much; negative when it was set back [s]."""
    uptime: float
    """When that was noticed [s since the computer started]."""


class ClockWatch:
    """Looks at the clocks now and then, and whenever it is asked."""

    def __init__(self) -> None:
        self._lead = _lead()
        self.jumps: list[ClockJump] = []
        """The last ones that were noticed."""
        self.count = 0
        """How many there were."""

    def look(self) -> None:
        """Compare the clocks."""
        lead = _lead()
        gained, self._lead = lead - self._lead, lead
        if abs(gained) >= _JUMP:
            self.note(gained)

    def note(self, seconds: float) -> None:
        """Note a jump, and say it."""
        self.count += 1
        self.jumps = [*self.jumps[1 - _REMEMBERED :], ClockJump(seconds, uptime())]
        log.warning(
            "the clock of this computer jumped by {seconds} s; the order of records does not depend on it",
            event="clock_jumped",
            seconds=f"{seconds:+.1f}",
        )

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            self.look()

    def reasons(self, begun: float) -> list[str]:
        """Say, as records do, what happened to the clock around a run that began at ``begun``."""
        self.look()
        during = [j for j in self.jumps if j.uptime >= begun]
        before = [j for j in self.jumps if begun - _LONG_AGO <= j.uptime < begun]
        said = [
            f"the clock of the station jumped by {j.seconds:+.1f} s in this run" for j in during
        ]
        if before:
            said.append(
                f"the clock of the station jumped by {sum(j.seconds for j in before):+.1f} s"
                " in the hour before this run"
            )
        return said


def _lead() -> float:
    """Return by how much the wall clock is ahead of the uptime [s]."""
    before = uptime()
    wall = time.time()
    return wall - (before + uptime()) / 2
