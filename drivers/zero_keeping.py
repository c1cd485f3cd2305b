"""What a scale takes for zero: by its key, by itself while it is empty, and at power on.

Zero-tracking (R 76-1:2006, 4.5.7) works on ticks of its own from the first look on, so that what is
shown depends on time and not on how often somebody looks. Knows the signal; refuses to know tare.
"""

from collections.abc import Callable
from typing import Final

from drivers.scale_traits import ScaleTraits

_TICK: Final = 0.2
"""Between two corrections [s]."""
_LONGEST: Final = 18000
"""Ticks that are made up for when nobody looked; in an hour every zero is tracked."""


class ZeroKeeping:
    """The zero point of one scale."""

    def __init__(
        self,
        traits: ScaleTraits,
        signal: Callable[[float], float],
        still: Callable[[float], bool],
    ) -> None:
        """Watch a signal (time [s] -> value) and whether it stands still."""
        self._signal, self._still = signal, still
        self.point = 0.0
        """The signal that is shown as zero."""
        self._half_d = float(traits.d) / 2
        self._largest = float(traits.zero_tracking) * float(traits.d) * _TICK
        self._range = float(traits.max) * float(traits.zero_range_percent) / 200
        self._initial = float(traits.max) * float(traits.initial_zero_range_percent) / 200
        self._first = 0.0
        self._origin = 0.0
        self._ticks = 0

    def begin(self, now: float, signal: float) -> None:
        """Be first looked at: the zero of power on was taken at this signal."""
        self.point = self._first = signal
        self._origin, self._ticks = now, 0

    def keep(self, now: float) -> None:
        """Do what zero-tracking has done until now."""
        if not self._largest:
            return
        due = int((now - self._origin) / _TICK)
        for tick in range(max(self._ticks, due - _LONGEST) + 1, due + 1):
            at = self._origin + tick * _TICK
            away = self._signal(at) - self.point
            if abs(away) <= self._half_d and self._still(at):
                moved = self.point + min(max(away, -self._largest), self._largest)
                if self.within_range(moved):
                    self.point = moved
        self._ticks = max(self._ticks, due)

    def from_first(self, now: float) -> float:
        """Return the signal as seen from the zero of power on."""
        return self._signal(now) - self._first

    def within_range(self, signal: float) -> bool:
        """Say whether a signal may become zero, seen from the zero of power on."""
        return abs(signal - self._first) <= self._range

    def take(self, now: float) -> None:
        """Take the signal now for zero."""
        self.point = self._signal(now)

    def switched_on(self, now: float, adjusted: float) -> bool:
        """Set the initial zero; outside of its range the zero of the adjustment counts."""
        signal = self._signal(now)
        done = abs(signal - adjusted) <= self._initial
        self.point = self._first = signal if done else adjusted
        return done
