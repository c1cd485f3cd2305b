"""One simulated pipe: a liquid, a valve that may leak, and a flow that settles and pulsates.

    q(t)   = target + (first - target) exp(-t/tau)                  mean flow after the valve moved
    q'(t)  = q(t) (1 + a sin 2 pi f t)                              what pulsates about it

Knows volume and time, which can run faster than ours. Refuses to know meters' errors, registers and
lines. Volumes of pulsation within one period are neglected.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from drivers.errors import BadDriverSettings
from drivers.simulated_clock import SimulatedClock


@dataclass(frozen=True, slots=True, kw_only=True)
class PipeTraits:
    """What one pipe is like."""

    settling_time: float = 0.5
    """Time constant of the flow after the valve moved [s]."""
    temperature: float = 20.0
    """[°C]"""
    temperature_drift: float = 0.0
    """[K/h]"""
    density: Decimal = Decimal("0.9982")
    """[kg/L]"""
    leak: float = 0.0
    """Flow through the closed valve [m³/h]."""
    pulsation: float = 0.0
    """Amplitude relative to the mean flow."""
    pulsation_frequency: float = 1.0
    """[Hz]"""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time with one flow set-point."""

    number: int
    begin: float
    """Simulated time [s]."""
    first: float
    """Flow at the beginning [m³/h]."""
    target: float
    """Flow it settles to [m³/h]."""
    end: float
    """Simulated time [s] when the valve closes; infinite when it stays open."""


class Folds(Protocol):
    """A meter in the pipe: told before a segment ends."""

    def fold(self) -> None:
        """Keep what was counted in the segment that ends now."""


class SimulatedPipe:
    """One liquid, one valve, any number of meters in series."""

    def __init__(
        self,
        *,
        settling_time: float = 0.5,
        temperature: float = 20.0,
        temperature_drift: float = 0.0,
        density: Decimal = Decimal("0.9982"),
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Fill the pipe: settling time constant [s], °C, K/h, kg/L, clock in s."""
        self.traits = PipeTraits(
            settling_time=settling_time,
            temperature=temperature,
            temperature_drift=temperature_drift,
            density=density,
        )
        self.clock = SimulatedClock()
        self._clock = clock or self.clock
        self._real = self._clock()
        self._simulated = 0.0
        self._rate = 1.0
        self._segment = Segment(0, 0.0, 0.0, 0.0, math.inf)
        self._passed = 0.0
        self._meters: list[Folds] = []

    def attach(self, meter: Folds) -> None:
        """Put one more meter into the pipe."""
        self._meters.append(meter)

    def change(self, **traits: float | Decimal) -> None:
        """Give the pipe other traits (`PipeTraits`) from now on; a delivery must not be under way."""
        target = self._segment.target
        stands = target == self.traits.leak
        self._begin(target, math.inf, 1.0)
        self.traits = replace(self.traits, **traits)  # type: ignore[arg-type]
        if stands and target != self.traits.leak:
            self._begin(self.traits.leak, math.inf, 1.0)

    def set_pace(self, pace: float) -> None:
        """Live so many times as fast as we do from now on."""
        self._simulated = self.time
        self._clock = self.clock = SimulatedClock(pace)
        self._real = self._clock()

    @property
    def density(self) -> Decimal:
        """Density of the liquid [kg/L]."""
        return self.traits.density

    @property
    def time(self) -> float:
        """Simulated time [s]; it stands still once a delivery is complete."""
        now = self._simulated + (self._clock() - self._real) * self._rate
        return min(now, self._segment.end)

    @property
    def flow(self) -> float:
        """True volume flow now [m³/h], the mean of its pulsation."""
        now = self.time
        return 0.0 if now >= self._segment.end else self._flow(self._segment, now)

    @property
    def pulse(self) -> float:
        """The flow now, pulsation and all, relative to its mean."""
        swing = self.traits.pulsation
        return 1 + swing * math.sin(2 * math.pi * self.traits.pulsation_frequency * self.time)

    @property
    def volume(self) -> float:
        """True volume that has passed [L]."""
        return self._passed + self._litres(self._segment, self.time - self._segment.begin)

    @property
    def temperature(self) -> float:
        """Temperature of the liquid now [°C]."""
        return self.traits.temperature + self.traits.temperature_drift * self.time / 3600

    @property
    def segment(self) -> Segment:
        """The present stretch of time."""
        return self._segment

    def _flow(self, segment: Segment, at: float) -> float:
        tau = self.traits.settling_time
        decay = math.exp(-(at - segment.begin) / tau) if tau > 0 else 0.0
        return segment.target + (segment.first - segment.target) * decay

    def _litres(self, segment: Segment, duration: float) -> float:
        tau = self.traits.settling_time
        decayed = tau * -math.expm1(-duration / tau) if tau > 0 else 0.0
        return (segment.target * duration + (segment.first - segment.target) * decayed) / 3.6

    def measured(self, error: Callable[[float], float], known: dict[int, float]) -> float:
        """Give what a meter with ``error(flow [m³/h])`` [%] has counted in this segment [L].

        Integral of q (1 + e(q)/100) dt: Simpson's rule while the flow settles, exact after that;
        it depends on the time only, not on how often it was asked. ``known`` keeps the settled part.
        """
        segment, duration = self._segment, self.time - self._segment.begin
        settles = 0.0 if segment.first == segment.target else 20 * self.traits.settling_time
        after = max(duration - settles, 0.0)
        steady = after and segment.target * (1 + error(segment.target) / 100) * after
        if duration < settles:
            return self._settled(segment, duration, error) / 3.6
        if segment.number not in known:
            known.clear()
            known[segment.number] = self._settled(segment, settles, error)
        return (known[segment.number] + steady) / 3.6

    def _settled(self, segment: Segment, duration: float, error: Callable[[float], float]) -> float:
        if not duration:
            return 0.0
        intervals = 200
        step = duration / intervals
        total = 0.0
        for index in range(intervals + 1):
            flow = self._flow(segment, segment.begin + index * step)
            weight = 1 if index in (0, intervals) else 4 if index % 2 else 2
            total += flow * (1 + error(flow) / 100) * weight * step / 3
        return total

    def set_flow(self, flow: Decimal | float) -> None:
        """Set the valve to a volume flow [m³/h], 0 to close it; the flow settles exponentially."""
        self._begin(float(flow) or self.traits.leak, math.inf, 1.0)

    def _begin(
        self, target: float, duration: float, rate: float, first: float | None = None
    ) -> None:
        now, flow = self.time, self.flow
        self._simulated, self._real, self._rate = now, self._clock(), 0.0  # time stands still
        for meter in self._meters:
            meter.fold()
        self._passed = self.volume
        self._simulated, self._real, self._rate = now, self._clock(), rate
        self._segment = Segment(
            self._segment.number + 1, now, flow if first is None else first, target, now + duration
        )

    async def deliver(
        self,
        volume: Decimal | float,
        flow: Decimal | float,
        *,
        within: float | None = 0.2,
        at: float | None = None,
    ) -> float:
        """Let exactly ``volume`` [L] pass at ``flow`` [m³/h] from standstill to standstill.

        The simulated time runs so fast that it takes ``within`` [s] of the pipe's clock; None lets
        it take its time. It begins ``at`` a moment of that clock. Give the simulated duration [s].
        """
        if float(volume) <= 0 or float(flow) <= 0:
            raise BadDriverSettings(
                "A delivery of {volume} L at {flow} m³/h is none: both must be above 0.",
                volume=volume,
                flow=flow,
            )
        probe = Segment(0, 0.0, 0.0, float(flow), math.inf)
        low, high = 0.0, float(volume) * 3.6 / float(flow) + self.traits.settling_time
        for _ in range(200):
            middle = (low + high) / 2
            if self._litres(probe, middle) < float(volume):
                low = middle
            else:
                high = middle
        rate = 1.0 if within is None else high / max(within, 1e-3)
        begun = self.clock() if at is None else at
        with self.clock.at(begun):
            self._begin(0.0, math.inf, 1.0, first=0.0)
            self._begin(float(flow), high, rate, first=0.0)
        delivery = self._segment
        await self.clock.until(begun + high / rate)
        if self._segment is delivery:  # nobody moved the valve meanwhile
            self._simulated = delivery.end  # the event loop may wake a little early
            self._begin(self.traits.leak, math.inf, 1.0, first=self.traits.leak)
        return high
