"""Everything one run needs, gathered before it begins."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from acquisition.clock_watch import ClockWatch
from acquisition.config import Bench, Instrument
from acquisition.feed import Feed
from acquisition.hands import Hand
from acquisition.surroundings import Surrounding
from broker.outbox import Outbox
from calibration.evaluation import Standard
from calibration.national import NationalSettings


@dataclass(frozen=True, slots=True)
class Job:
    """Everything one run needs, and nothing it could choose itself."""

    office: str
    bench: Bench
    subject: Instrument
    """The instrument under test."""
    feed: Feed
    hand: Hand
    outbox: Outbox
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
    trial: bool = True
    """Whether any instrument of the bench is simulated or replayed: known before the start."""
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    clock: ClockWatch = field(default_factory=ClockWatch)
    """Knows whether somebody set the clock."""
