"""How a scale answers to a load, apart from how it says so: seeded, and a function of time.

Signal of a load L placed at t0, before that x0:

    target = L (1 + span + eccentricity[position]) + zero + drift t     (errors relative to L)
    x(t)   = target + (x0 - target) exp(-(t - t0) / settling_time) + noise

Knows grams and seconds. Refuses to know protocols, digits sent, or any limit.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal


@dataclass(frozen=True, slots=True)
class Shown:
    """What the display shows at one moment."""

    value: Decimal
    """Indication, a multiple of *d* [unit of the scale]."""
    stable: bool
    """Whether the signal has moved less than d/4 within the last motion window."""


class ScalePhysics:
    """The load cell, filter and display of one scale; all masses in one unit."""

    def __init__(
        self,
        *,
        max: Decimal,  # noqa: A002 - the field's word for the maximum capacity
        d: Decimal,
        e: Decimal | None = None,
        zero_error: Decimal = Decimal(0),
        span_error_ppm: Decimal = Decimal(0),
        eccentricity_ppm: Sequence[Decimal] = (),
        settling_time: float = 0.3,
        motion_window: float = 0.1,
        noise: float = 0.0,
        drift_per_hour: float = 0.0,
        seed: int = 1,
    ) -> None:
        """Describe the scale; *e* is *d* unless given; times in s, ``eccentricity_ppm`` by position, 0 being the centre."""
        self.max, self.d = max, d
        self.e = d if e is None else e
        self._zero_error = float(zero_error)
        self._span = float(span_error_ppm) * 1e-6
        self._eccentricity = [float(ppm) * 1e-6 for ppm in eccentricity_ppm]
        self._tau = settling_time
        self._window = motion_window
        self._noise = noise
        self._drift = drift_per_hour / 3600
        self._random = random.Random(seed)  # noqa: S311 - physics, not secrets
        self._zeroed_at = 0.0
        self._tare = 0.0
        self._placed_at = -math.inf
        self._from = 0.0
        self._target = self._zero_error

    def place(self, load: Decimal, position: int, now: float) -> None:
        """Change the load on the receptor at time ``now`` [s]."""
        self._from = self._signal(now)
        self._placed_at = now
        errors = self._eccentricity
        off_centre = errors[position] if position < len(errors) else 0.0
        self._target = float(load) * (1 + self._span + off_centre) + self._zero_error

    def _signal(self, now: float) -> float:
        """Return the signal without noise at time ``now`` [s]."""
        since = now - self._placed_at
        decay = math.exp(-since / self._tau) if self._tau > 0 and since < math.inf else 0.0
        return self._target + (self._from - self._target) * decay

    def _net(self, now: float) -> float:
        noise = self._random.gauss(0.0, self._noise) if self._noise else 0.0
        return self._signal(now) - self._zeroed_at - self._tare + self._drift * now + noise

    def gross(self, now: float) -> Decimal:
        """Return the load signal from zero, tare disregarded [unit]."""
        return Decimal(self._signal(now) - self._zeroed_at)

    def shown(self, now: float) -> Shown:
        """Return what the display shows at time ``now`` [s]."""
        counts = (Decimal(self._net(now)) / self.d).to_integral_value(ROUND_HALF_EVEN)
        value = (counts * self.d).quantize(self.d)
        return Shown(value or abs(value), self.stable(now))

    def stable(self, now: float) -> bool:
        """Say whether the signal stands still, as a scale's motion detection would."""
        earlier = max(now - self._window, self._placed_at)
        if now - self._placed_at < self._window:
            return abs(self._from - self._signal(now)) < float(self.d) / 4
        return abs(self._signal(now) - self._signal(earlier)) < float(self.d) / 4

    def zero(self, now: float) -> None:
        """Take the signal now for zero, as zero-setting does: to within its own resolution."""
        self._zeroed_at = self._signal(now) - self._zero_error
        self._tare = 0.0

    def tare(self, now: float) -> Decimal:
        """Take the load now for tare and return it [unit]."""
        self._tare = self._signal(now) - self._zeroed_at
        return (Decimal(self._tare) / self.d).to_integral_value(ROUND_HALF_EVEN) * self.d
