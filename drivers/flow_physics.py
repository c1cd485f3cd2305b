"""The physics of a simulated pipe and of the meters in it.

Knows flow set-point, settling, drift, error curve, repeatability and noise, all seeded, and a time
that can run faster. Refuses to know registers, lines and faults: `drivers.simulated_meter`.
"""

import asyncio
import math
import random
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from drivers.errors import BadDriverSettings


@dataclass(frozen=True, slots=True)
class _Segment:
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


class SimulatedPipe:
    """One liquid, one valve, any number of meters in series."""

    def __init__(
        self,
        *,
        settling_time: float = 0.5,
        temperature: float = 20.0,
        temperature_drift: float = 0.0,
        density: Decimal = Decimal("0.9982"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Fill the pipe: settling time constant [s], °C, K/h, kg/L, clock in s."""
        self.density = density
        self._tau = settling_time
        self._temperature = temperature
        self._drift = temperature_drift
        self._clock = clock
        self._real = clock()
        self._simulated = 0.0
        self._rate = 1.0
        self._segment = _Segment(0, 0.0, 0.0, 0.0, math.inf)
        self._passed = 0.0
        self._meters: list[FlowPhysics] = []

    def attach(self, meter: "FlowPhysics") -> None:
        """Put one more meter into the pipe."""
        self._meters.append(meter)

    @property
    def time(self) -> float:
        """Simulated time [s]; it stands still once a delivery is complete."""
        now = self._simulated + (self._clock() - self._real) * self._rate
        return min(now, self._segment.end)

    @property
    def flow(self) -> float:
        """True volume flow now [m³/h]."""
        now = self.time
        return 0.0 if now >= self._segment.end else self._flow(self._segment, now)

    @property
    def volume(self) -> float:
        """True volume that has passed [L]."""
        return self._passed + self._litres(self._segment, self.time - self._segment.begin)

    @property
    def temperature(self) -> float:
        """Temperature of the liquid now [°C]."""
        return self._temperature + self._drift * self.time / 3600

    @property
    def segment(self) -> _Segment:
        """The present stretch of time."""
        return self._segment

    def _flow(self, segment: _Segment, at: float) -> float:
        decay = math.exp(-(at - segment.begin) / self._tau) if self._tau > 0 else 0.0
        return segment.target + (segment.first - segment.target) * decay

    def _litres(self, segment: _Segment, duration: float) -> float:
        decayed = self._tau * -math.expm1(-duration / self._tau) if self._tau > 0 else 0.0
        return (segment.target * duration + (segment.first - segment.target) * decayed) / 3.6

    def measured(self, error: Callable[[float], float]) -> float:
        """Give what a meter with ``error(flow [m³/h])`` [%] has counted in this segment [L].

        Integral of q (1 + e(q)/100) dt: Simpson's rule while the flow settles, exact after that;
        it depends on the time only, not on how often it was asked.
        """
        segment, duration = self._segment, self.time - self._segment.begin
        settled = 0.0 if segment.first == segment.target else min(duration, 20 * self._tau)
        total = segment.target * (1 + error(segment.target) / 100) * (duration - settled)
        intervals = 200
        step = settled / intervals
        for index in range(intervals + 1 if settled else 0):
            flow = self._flow(segment, segment.begin + index * step)
            weight = 1 if index in (0, intervals) else 4 if index % 2 else 2
            total += flow * (1 + error(flow) / 100) * weight * step / 3
        return total / 3.6

    def set_flow(self, flow: Decimal | float) -> None:
        """Set the valve to a volume flow [m³/h]; the flow settles to it exponentially."""
        self._begin(float(flow), math.inf, 1.0)

    def _begin(
        self, target: float, duration: float, rate: float, first: float | None = None
    ) -> None:
        now, flow = self.time, self.flow
        self._simulated, self._real, self._rate = now, self._clock(), 0.0  # time stands still
        for meter in self._meters:
            meter.fold()
        self._passed = self.volume
        self._simulated, self._real, self._rate = now, self._clock(), rate
        self._segment = _Segment(
            self._segment.number + 1, now, flow if first is None else first, target, now + duration
        )

    async def deliver(
        self, volume: Decimal | float, flow: Decimal | float, *, within: float = 0.2
    ) -> float:
        """Let exactly ``volume`` [L] pass at ``flow`` [m³/h] from standstill to standstill.

        The simulated time runs so fast that it takes ``within`` [s] of real time. Give the
        simulated duration [s].
        """
        if float(volume) <= 0 or float(flow) <= 0:
            raise BadDriverSettings(
                "A delivery of {volume} L at {flow} m³/h is none: both must be above 0.",
                volume=volume,
                flow=flow,
            )
        self._begin(0.0, math.inf, 1.0, first=0.0)
        probe = _Segment(0, 0.0, 0.0, float(flow), math.inf)
        low, high = 0.0, float(volume) * 3.6 / float(flow) + self._tau
        for _ in range(200):
            middle = (low + high) / 2
            if self._litres(probe, middle) < float(volume):
                low = middle
            else:
                high = middle
        self._begin(float(flow), high, high / max(within, 1e-3), first=0.0)
        await asyncio.sleep(max(0.0, self._segment.end - self.time) / self._rate)
        self._simulated = self._segment.end  # the event loop may wake a little early
        self._begin(0.0, math.inf, 1.0, first=0.0)
        return high


class FlowPhysics:
    """One meter's way of being wrong about the flow through it."""

    def __init__(
        self,
        pipe: SimulatedPipe,
        *,
        error_curve: Sequence[tuple[float, float]] = ((0.0, 0.0),),
        repeatability: float = 0.0,
        noise: float = 0.0,
        temperature_coefficient: float = 0.0,
        seed: int = 0,
    ) -> None:
        """Describe the meter: curve of (flow [m³/h], error [%]), repeatability and noise as
        standard deviations [%], temperature coefficient [%/K] from 20 °C.
        """
        self.pipe = pipe
        self._curve = sorted((float(q), float(e)) for q, e in error_curve)
        self._repeatability = repeatability
        self._coefficient = temperature_coefficient
        self._seed = seed
        self._noise = noise
        self._random = random.Random(seed)  # noqa: S311 - physics, not secrets
        self._counted = 0.0
        pipe.attach(self)

    def error(self, flow: float) -> float:
        """Give the meter's error [%] at a flow [m³/h], its scatter in this segment included."""
        # One seeded draw per stretch of flow: the same run scatters the same way every time.
        draw = random.Random(self._seed * 1_000_003 + self.pipe.segment.number)  # noqa: S311
        scatter = draw.gauss(0.0, self._repeatability) if self._repeatability else 0.0
        return (
            self._interpolate(flow) + scatter + self._coefficient * (self.pipe.temperature - 20.0)
        )

    def _interpolate(self, flow: float) -> float:
        after = bisect_right(self._curve, (flow, math.inf))
        if after == 0:
            return self._curve[0][1]
        if after == len(self._curve):
            return self._curve[-1][1]
        (q0, e0), (q1, e1) = self._curve[after - 1], self._curve[after]
        return e0 + (e1 - e0) * (flow - q0) / (q1 - q0)

    @property
    def flow(self) -> float:
        """Indicated volume flow [m³/h], with noise."""
        flow = self.pipe.flow
        return flow * (1 + (self.error(flow) + self._random.gauss(0.0, self._noise)) / 100)

    @property
    def total(self) -> float:
        """Counted volume [L]."""
        return self._counted + self.pipe.measured(self._steady_error())

    def fold(self) -> None:
        """Keep what was counted in the segment that ends now."""
        self._counted = self.total

    def _steady_error(self) -> Callable[[float], float]:
        rest = self.error(0.0) - self._interpolate(0.0)
        return lambda flow: self._interpolate(flow) + rest
