"""Everything one run needs, gathered before it begins."""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from acquisition.clock_watch import ClockWatch
from acquisition.config import Bench, Instrument
from acquisition.feed import Feed
from acquisition.hands import Hand
from acquisition.surroundings import Surrounding
from calibration.evaluation import Standard
from calibration.national import NationalSettings


class Ledger(Protocol):
    """Where a run is committed: from its start, before anybody knows the outcome."""

    async def begin(self, bench: str, verification: str, record: Mapping[str, Any], /) -> int:
        """Commit a start; return its number on the bench."""

    async def put(self, record: Mapping[str, Any], /) -> None:
        """Commit the verdict."""

    async def abandon(self, verification: str, reason: str, /) -> None:
        """Commit that there is none, and why."""


class Witness(Protocol):
    """Keeps what a verdict can be derived from again."""

    async def keep(self, record: Mapping[str, Any]) -> None:
        """Keep it, now that the verdict is committed; what fails is logged and ends nothing."""


def wall_clock() -> datetime:
    """Return the time of the day where the station stands."""
    return datetime.now(UTC).astimezone()


async def moment() -> int:
    """Return the monotonic clock [ns]: from here on the session counts what is fresh."""
    return time.monotonic_ns()


@dataclass(frozen=True, slots=True)
class Job:
    """Everything one run needs, and nothing it could choose itself."""

    office: str
    bench: Bench
    subject: Instrument
    """The instrument under test."""
    feed: Feed
    hand: Hand
    outbox: Ledger
    standards: Mapping[str, Standard]
    approved: Collection[str]
    """Digests of the legal tables that the office approved."""
    software: Mapping[str, str]
    settings: tuple[NationalSettings, ...] = ()
    """National settings that the office works under."""
    reference: Instrument | None = None
    reference_feed: Feed | None = None
    surroundings: tuple[Surrounding, ...] = ()
    """Transmitters that show the air at each point."""
    order: str | None = None
    technician: str = ""
    """Who reads the instrument by eye and types; empty where a line does."""
    trial: bool = True
    """Whether any instrument of the bench is simulated or replayed: known before the start."""
    now: Callable[[], datetime] = wall_clock
    moment: Callable[[], Awaitable[int]] = moment
    clock: ClockWatch = field(default_factory=ClockWatch)
    """Knows whether somebody set the clock."""
    witness: Witness | None = None
