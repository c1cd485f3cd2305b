"""What carries the load: how its signal depends on the loads so far, on time and on warmth.

    carried = friction(load (1 + span + eccentricity) + nonlinearity + hysteresis, less slack)
    x(t)    = carried, settled to                                   drivers/settling.py
    c(t)    = K carried + (c0 - K carried) exp(-t/tau)              creep, K so that 30 min give it
    r(t)    = the same for zero return, felt as r (1 - carried/Max): whole at zero, not at Max
    signal  = x (1 + span drift (T - 20 °C)) + c + r + zero drift (T - 20 °C) + vibration

Knows loads in the scale's unit, seconds and °C. Refuses to know displays, zero-setting and tare.
"""

import math
from dataclasses import dataclass
from typing import Final

from drivers.hysteresis import Friction, Hysteresis
from drivers.scale_traits import ScaleTraits
from drivers.settling import Settling, Swing
from drivers.vibration import Vibration
from drivers.warm_up import Warmth

_HALF_HOUR: Final = 1800.0
"""For which creep is stated (R 76-1:2006, 3.9.4.1) [s]."""
_ADJUSTED_AT: Final = 20.0
"""Temperature without drift [°C]."""


@dataclass(frozen=True, slots=True)
class _Change:
    """All that the past means for the time after a load was placed."""

    at: float
    load: float
    carried: float
    """What the settling goes to."""
    start: Swing
    creep: float
    residue: float


class LoadCell:
    """A load cell, or a spring, under one receptor."""

    def __init__(self, traits: ScaleTraits) -> None:
        def ppm(value: object) -> float:
            return float(value) * 1e-6  # type: ignore[arg-type]

        self._max = float(traits.max)
        self._span = ppm(traits.span_error_ppm)
        self._eccentricity = [ppm(error) for error in traits.eccentricity_ppm]
        self._bend = 4 * ppm(traits.nonlinearity_ppm)
        self._slack = float(traits.slack)
        self._hysteresis = Hysteresis(ppm(traits.hysteresis_ppm))
        self._friction = Friction(float(traits.friction))
        self._settling = Settling(traits.settling_time, float(traits.overshoot))
        whole = -math.expm1(-_HALF_HOUR / traits.creep_time)
        self._creep = ppm(traits.creep_ppm) / whole
        self._residue = ppm(traits.zero_return_ppm) / whole
        self._creeps = bool(self._creep or self._residue)
        self._creep_time = traits.creep_time
        self._zero_per_kelvin = float(traits.zero_per_kelvin)
        self._span_per_kelvin = ppm(traits.span_per_kelvin_ppm)
        self._feels = bool(self._zero_per_kelvin or self._span_per_kelvin)
        self.warmth = Warmth(
            traits.temperature, traits.temperature_drift, traits.warm_up, traits.warm_up_time
        )
        self.vibration = Vibration(
            float(traits.vibration),
            traits.vibration_every,
            traits.vibration_lasts,
            traits.vibration_frequency,
            traits.seed,
        )
        self._window = traits.motion_window
        self._changes = [_Change(-math.inf, 0.0, 0.0, Swing(0.0, 0.0), 0.0, 0.0)]

    @property
    def load(self) -> float:
        """The load on the receptor."""
        return self._changes[-1].load

    def begin(self, now: float) -> None:
        """Be first looked at."""
        self.warmth.begin(now)
        self.vibration.begin(now)

    def place(self, load: float, position: int, now: float) -> None:
        """Change the load at time ``now`` [s]."""
        last = self._changes[-1]
        carried = self._carried(load, position)
        begun = self._settling.after(last.start, now - last.at)
        start = Swing(last.carried + begun.distance - carried, begun.speed)
        creep, residue = self._slow(last, now)
        past = [c for c in self._changes if c.at < now - self._window]
        recent = self._changes[len(past) :]
        change = _Change(now, load, carried, start, creep, residue)
        self._changes = [*past[-1:], *recent, change]

    def _carried(self, load: float, position: int) -> float:
        off_centre = self._eccentricity[position] if position < len(self._eccentricity) else 0.0
        pulls = load - min(max(load, 0.0), self._slack)
        share = min(max(pulls / self._max, 0.0), 1.0)
        bent = self._bend * self._max * share * (1 - share)
        elastic = pulls * (1 + self._span + off_centre) + bent + self._hysteresis.error(pulls)
        return self._friction.stops_at(elastic)

    def _slow(self, change: _Change, now: float) -> tuple[float, float]:
        if not self._creeps:
            return 0.0, 0.0
        decay = math.exp(-max(now - change.at, 0.0) / self._creep_time)
        to_creep, to_residue = self._creep * change.carried, self._residue * change.carried
        return (
            to_creep + (change.creep - to_creep) * decay,
            to_residue + (change.residue - to_residue) * decay,
        )

    def _change_at(self, now: float) -> _Change:
        return next((c for c in reversed(self._changes) if c.at <= now), self._changes[0])

    def signal(self, now: float) -> float:
        """Return the signal at time ``now`` [s]."""
        return self.calm(now) + self.vibration.displacement(now)

    def calm(self, now: float) -> float:
        """Return the signal at time ``now`` [s], vibration apart."""
        return self._after(self._change_at(now), now)

    def settled(self, now: float) -> float:
        """Return the signal at time ``now`` [s] as if it had settled."""
        last = self._changes[-1]
        return self.calm(now) - self._settling.distance(last.start, now - last.at)

    def _after(self, change: _Change, now: float) -> float:
        """Return the signal that follows from a change, vibration apart."""
        signal = change.carried + self._settling.distance(change.start, now - change.at)
        if self._feels:
            warmer = self.warmth.at(now) - _ADJUSTED_AT
            signal += (signal * self._span_per_kelvin + self._zero_per_kelvin) * warmer
        if self._creeps:
            creep, residue = self._slow(change, now)
            signal += creep + residue * (1 - change.carried / self._max)
        return signal

    def travel(self, now: float) -> float:
        """Return how far the signal moved within the motion window that ends ``now`` [s]."""
        began = now - self._window
        change = self._change_at(began)
        signals = [self._after(change, began)]
        for after in [c for c in self._changes if began < c.at <= now]:
            signals += self._widest(change, began, after.at)
            signals.append(self._after(after, after.at))
            change = after
        signals += self._widest(change, began, now)
        return max(signals) - min(signals) + 2 * self.vibration.reach(began, now)

    def _widest(self, change: _Change, begin: float, end: float) -> list[float]:
        """Return the signal where it turns between two changes, and at the end."""
        turns = self._settling.turns(change.start, max(begin - change.at, 0.0), end - change.at)
        return [self._after(change, change.at + turn) for turn in turns] + [
            self._after(change, end)
        ]
