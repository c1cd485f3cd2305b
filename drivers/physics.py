"""How a scale answers to a load, apart from how it says so: seeded, and a function of time.

Signal of a load L placed at t0, before that x0:

    target = L (1 + span + eccentricity[position]) + zero               (errors relative to L)
    x(t)   = target + (x0 - target) exp(-(t - t0) / settling_time)
    shown  = x(t) - zero point - tare + drift (t - tz) + noise          (tz: last zero, or first look)

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


@dataclass(frozen=True, slots=True)
class _Change:
    """A load was placed."""

    at: float
    begin: float
    """Signal at that moment."""
    target: float
    """Signal that it settles to."""


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
        self._zero_point = 0.0
        self._tare = 0.0
        self._drifts_from: float | None = None
        self._changes = [_Change(-math.inf, self._zero_error, self._zero_error)]

    def place(self, load: Decimal, position: int, now: float) -> None:
        """Change the load on the receptor at time ``now`` [s]."""
        errors = self._eccentricity
        off_centre = errors[position] if position < len(errors) else 0.0
        target = float(load) * (1 + self._span + off_centre) + self._zero_error
        past = [c for c in self._changes if c.at < now - self._window]
        recent = self._changes[len(past) :]
        self._changes = [*past[-1:], *recent, _Change(now, self._signal(now), target)]

    def _signal(self, now: float) -> float:
        """Return the signal without noise at time ``now`` [s]."""
        change = next((c for c in reversed(self._changes) if c.at <= now), self._changes[0])
        since = now - change.at
        decay = math.exp(-since / self._tau) if self._tau > 0 and since < math.inf else 0.0
        return change.target + (change.begin - change.target) * decay

    def _drifted(self, now: float) -> float:
        if self._drifts_from is None:
            self._drifts_from = now
        return self._drift * (now - self._drifts_from)

    def _displayed(self, signal: float) -> Decimal:
        counts = (Decimal(signal) / self.d).to_integral_value(ROUND_HALF_EVEN)
        value = (counts * self.d).quantize(self.d)
        return value or abs(value)

    def gross(self, now: float) -> Decimal:
        """Return the load from zero, tare disregarded, as the display would show it [unit]."""
        return self._displayed(self._signal(now) - self._zero_point + self._drifted(now))

    def shown(self, now: float) -> Shown:
        """Return what the display shows at time ``now`` [s]."""
        noise = self._random.gauss(0.0, self._noise) if self._noise else 0.0
        net = self._signal(now) - self._zero_point - self._tare + self._drifted(now) + noise
        return Shown(self._displayed(net), self.stable(now))

    def stable(self, now: float) -> bool:
        """Say whether the signal stands still, as a scale's motion detection would."""
        began = now - self._window
        # between changes the signal only rises or only falls
        passed = [self._signal(began), self._signal(now)]
        passed += [c.begin for c in self._changes if began < c.at <= now]
        return max(passed) - min(passed) < float(self.d) / 4

    def from_first_zero(self, now: float) -> Decimal:
        """Return the signal disregarding every zero-setting so far [unit]."""
        return Decimal(self._signal(now))

    def zero(self, now: float) -> None:
        """Take the signal now for zero, as zero-setting does: to within its own resolution."""
        self._zero_point = self._signal(now) - self._zero_error
        self._tare = 0.0
        self._drifts_from = now

    def tare(self, now: float) -> Decimal:
        """Take the load now for tare and return it as displayed [unit]."""
        self._tare = self._signal(now) - self._zero_point + self._drifted(now)
        return self.tared

    @property
    def tared(self) -> Decimal:
        """The tare in effect, as displayed [unit]."""
        return self._displayed(self._tare)

    def untare(self) -> None:
        """Forget the tare."""
        self._tare = 0.0
