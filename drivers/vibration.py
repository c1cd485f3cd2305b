"""What shakes a scale: trucks that pass by chance, and those that are sent by.

One burst lasts from b to b + T:   a sin²(pi (t - b)/T) sin(2 pi f (t - b))
By chance: one in each stretch of ``every`` seconds, at a moment that seed and stretch decide, so that
a look depends on its time alone. Knows seconds and the unit of the amplitude.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Burst:
    """One truck."""

    begin: float
    """[s]"""
    lasts: float
    """[s]"""
    amplitude: float

    def envelope(self, at: float) -> float:
        """Return the amplitude at a moment."""
        share = (at - self.begin) / self.lasts
        return self.amplitude * math.sin(math.pi * share) ** 2 if 0 < share < 1 else 0.0


class Vibration:
    """All that shakes one scale."""

    def __init__(
        self, amplitude: float, every: float, lasts: float, frequency: float, seed: int
    ) -> None:
        """Describe the bursts that come by chance: one in ``every`` [s], each ``lasts`` [s]."""
        self._by_chance = amplitude > 0 and every > 0
        self._amplitude, self._every, self._lasts = amplitude, every, min(lasts, every)
        self._w = 2 * math.pi * frequency
        self._seed = seed
        self._sent: list[Burst] = []
        self._origin = 0.0
        self._burst = lru_cache(maxsize=8)(self._made)

    def begin(self, at: float) -> None:
        """Count the stretches from here [s]."""
        self._origin = at

    def send(self, at: float, amplitude: float, lasts: float) -> None:
        """Let one truck pass from ``at`` [s] on."""
        self._sent = [b for b in self._sent if b.begin + b.lasts > at]
        self._sent.append(Burst(at, lasts, amplitude))

    def displacement(self, at: float) -> float:
        """Return how far the signal is pushed at a moment [s]."""
        if not self._by_chance and not self._sent:
            return 0.0
        return sum(b.envelope(at) * math.sin(self._w * (at - b.begin)) for b in self._near(at, at))

    def reach(self, begin: float, end: float) -> float:
        """Return the largest amplitude from begin to end [s]."""
        if not self._by_chance and not self._sent:
            return 0.0
        return sum(
            b.envelope(min(max(b.begin + b.lasts / 2, begin), end)) for b in self._near(begin, end)
        )

    def _near(self, begin: float, end: float) -> Iterator[Burst]:
        yield from self._sent
        if not self._by_chance:
            return
        first = math.floor((begin - self._lasts - self._origin) / self._every)
        last = math.floor((end - self._origin) / self._every)
        for number in range(max(first, last - 4), last + 1):
            yield self._burst(number)

    def _made(self, number: int) -> Burst:
        chance = random.Random(f"{self._seed} {number}").random()  # noqa: S311 - physics
        begin = self._origin + (number + chance) * self._every
        return Burst(begin, self._lasts, self._amplitude)
