"""How a signal goes to a new value: at once, exponentially, or swinging about it.

First order:   y(t) = y0 exp(-t/T)
Second order:  y(t) = exp(-t/T) (y0 cos wt + (v0 + y0/T)/w sin wt),  w = -pi / (T ln overshoot)

y is the distance from the value it goes to, T the time constant of the envelope, and ``overshoot``
the share of a step by which the signal first goes too far. Knows seconds; refuses to know loads.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_GONE: Final = 45.0
"""After so many time constants nothing of a step is left in a float."""
_AT_ONCE: Final = 1e-6
"""No shorter time constant is one [s]."""


@dataclass(frozen=True, slots=True)
class Swing:
    """Where a signal is and how fast it goes, as seen from the value it goes to."""

    distance: float
    speed: float
    """Per second."""


class Settling:
    """One way of settling."""

    def __init__(self, time: float, overshoot: float = 0.0) -> None:
        """Take the time constant [s] and the overshoot, 0 (first order) to below 1."""
        self._time = time = time if time > _AT_ONCE else 0.0
        swings = overshoot > 0 and time > 0
        self._w = -math.pi / (time * math.log(overshoot)) if swings else 0.0

    def after(self, start: Swing, since: float) -> Swing:
        """Return where the signal is ``since`` [s] after the start.

        >>> Settling(2.0).after(Swing(1.0, 0.0), 2.0).distance  # 1/e
        0.36787944117144233
        """
        if not self._time or since > _GONE * self._time:
            return _REST
        decay = math.exp(-since / self._time)
        if not self._w:
            return Swing(start.distance * decay, 0.0)
        rate, w = 1 / self._time, self._w
        cosine, sine = math.cos(w * since), math.sin(w * since)
        push = start.speed + rate * start.distance
        pull = rate * start.speed + (rate * rate + w * w) * start.distance
        return Swing(
            decay * (start.distance * cosine + push / w * sine),
            decay * (start.speed * cosine - pull / w * sine),
        )

    def distance(self, start: Swing, since: float) -> float:
        """Return how far the signal is from its value ``since`` [s] after the start."""
        if not self._time or since > _GONE * self._time:
            return 0.0
        if since <= 0:
            return start.distance
        if self._w:
            return self.after(start, since).distance
        return start.distance * math.exp(-since / self._time)

    def turns(self, start: Swing, begin: float, end: float) -> Iterator[float]:
        """Yield the first two times [s] in begin..end at which the signal turns: the widest of all.

        The envelope shrinks, so that no later turn lies outside of the first two.
        """
        if not self._w or begin > _GONE * self._time or start == _REST:
            return
        rate, w = 1 / self._time, self._w
        pull = rate * start.speed + (rate * rate + w * w) * start.distance
        first = math.atan2(start.speed * w, pull) / w
        half = math.pi / w
        turn = first + half * math.ceil((begin - first) / half)
        for at in (turn, turn + half):
            if begin <= at <= end:
                yield at


_REST: Final = Swing(0.0, 0.0)
