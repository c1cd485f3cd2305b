"""When a records system asks a bench again for numbers that it lacks.

Every bench that was heard of is looked at now and then; one that lacks something is asked after
pauses that grow, so that what a bench cannot give is not asked for all day. Knows moments on a
monotonic clock and what is complete; touches neither store nor network.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from broker.stored import Missing


@dataclass(slots=True)
class _Bench:
    trial: bool
    due: float
    pause: float
    complete: int = 0
    news: bool = True


class Asking:
    """The benches of an office, as one records system sees them."""

    def __init__(self, first_pause: float, longest_pause: float) -> None:
        """Take the pauses [s] before a bench is looked at, and at most between two questions."""
        self._first = first_pause
        self._longest = longest_pause
        self._benches: dict[str, _Bench] = {}

    def heard(self, bench: str, trial: bool, now: float) -> None:
        """Note that a record of a bench came; it is looked at a little later."""
        known = self._benches.get(bench)
        if known is None:
            self._benches[bench] = _Bench(trial, now + self._first, self._first)
        else:
            known.trial = trial
            if not known.news:
                known.news, known.due = True, min(known.due, now + known.pause)

    def due(self, now: float) -> Iterable[tuple[str, bool, int]]:
        """Yield name, trial and complete numbers of each bench that should be looked at."""
        for name, bench in list(self._benches.items()):
            if bench.due <= now:
                yield name, bench.trial, bench.complete

    def looked(self, bench: str, found: Missing, now: float) -> None:
        """Note what was found; the pause grows for as long as the same is missing."""
        known = self._benches[bench]
        progress = found.complete > known.complete
        known.complete, known.news = found.complete, False
        if not found.stretches:
            known.pause, known.due = self._first, float("inf")
        else:
            known.pause = self._first if progress else min(self._longest, 2 * known.pause)
            known.due = now + known.pause

    def next_due(self, now: float) -> float:
        """Return how long [s] until a bench is due; the longest pause when none is."""
        due = min((bench.due for bench in self._benches.values()), default=float("inf"))
        return max(0.0, min(due - now, self._longest))
