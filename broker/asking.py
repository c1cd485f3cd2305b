"""When a records system asks a bench again for numbers that it lacks.

Every bench that was heard of is looked at now and then; one that lacks something is asked after
pauses that grow, so that what a bench cannot give is not asked for all day. Knows moments on a
monotonic clock, what is complete, and what was last heard; touches neither store nor network.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from broker.stored import NOTHING, Delivered, Missing


@dataclass(slots=True)
class Bench:
    """One bench."""

    trial: bool
    due: float
    pause: float
    complete: int = 0
    news: bool = True
    highest: int = 0
    """Highest number that was heard of when it was last looked at."""
    missing: int = 0
    """How many numbers lacked something then, as far as they were named."""
    last: str = ""
    """When its last record came, UTC; empty when that is not known."""
    delivered: dict[bool, Delivered] = field(default_factory=dict)
    """What it has receipts for, as it says on its topic and on that of its trials."""


class Asking:
    """The benches of an office, as one records system sees them."""

    def __init__(self, first_pause: float, longest_pause: float) -> None:
        """Take the pauses [s] before a bench is looked at, and at most between two questions."""
        self._first = first_pause
        self._longest = longest_pause
        self._benches: dict[str, Bench] = {}

    @property
    def benches(self) -> Mapping[str, Bench]:
        """Return the benches that were heard of, by name."""
        return self._benches

    def heard(self, bench: str, trial: bool, now: float, came: str = "") -> None:
        """Note that a record of a bench came, and when; it is looked at a little later."""
        known = self._benches.get(bench)
        if known is None:
            self._benches[bench] = Bench(trial, now + self._first, self._first, last=came)
        else:
            known.trial, known.last = trial, max(known.last, came)
            self._look_soon(known, now)

    def stated(self, bench: str, trial: bool, delivered: Delivered, now: float) -> None:
        """Note what a bench says that it has receipts for."""
        known = self._benches.setdefault(bench, Bench(trial, now + self._first, self._first))
        if known.delivered.get(trial, NOTHING) != delivered:
            known.delivered[trial] = delivered
            self._look_soon(known, now)

    def forget(self, now: float) -> None:
        """Take nothing for complete any more: the store may have been replaced while it was away."""
        for known in self._benches.values():
            known.complete = 0
            self._look_soon(known, now)

    def _look_soon(self, known: Bench, now: float) -> None:
        if not known.news:
            known.news, known.due = True, min(known.due, now + known.pause)

    def due(self, now: float) -> Iterable[tuple[str, bool, int, Delivered]]:
        """Yield of each bench to be looked at: name, trial, complete numbers, delivered numbers."""
        for name, bench in list(self._benches.items()):
            if bench.due <= now:
                said = [*bench.delivered.values(), NOTHING]
                started, ended = max(d.started for d in said), max(d.ended for d in said)
                yield name, bench.trial, bench.complete, Delivered(started, ended)

    def looked(self, bench: str, found: Missing, now: float) -> None:
        """Note what was found; the pause grows for as long as the same is missing."""
        known = self._benches[bench]
        progress = found.complete > known.complete
        known.complete, known.news = found.complete, False
        known.highest = found.highest
        known.missing = sum(last - first + 1 for first, last in found.stretches)
        if not found.stretches:
            known.pause, known.due = self._first, float("inf")
        else:
            known.pause = self._first if progress else min(self._longest, 2 * known.pause)
            known.due = now + known.pause

    def next_due(self, now: float) -> float:
        """Return how long [s] until a bench is due; the longest pause when none is."""
        due = min((bench.due for bench in self._benches.values()), default=float("inf"))
        return max(0.0, min(due - now, self._longest))
