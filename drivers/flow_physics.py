"""One meter's way of being wrong about the flow through it: seeded, a function of flow and time.

    e(q)    = curve(q) - 100 slip/q, and -100 below the starting flow           wear
    run     = scatter of this run + k (T - 20 °C) + 100 a/(1 - a)               a: share of air
    total   = integral of q (1 + mean of e over one pulsation / 100) dt (1 + run/100)

Knows m³/h, litres and per cent. Refuses to know the liquid's ways (`drivers.simulated_pipe`),
registers, lines and faults (`drivers.simulated_meter`).
"""

import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from drivers.simulated_pipe import SimulatedPipe

_PHASES: Final = 12
"""Looks into one period of pulsation; their mean is exact for curves up to the tenth degree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wear:
    """What years and installation do to a meter; nothing unless given."""

    slip: float = 0.0
    """Flow that passes uncounted [m³/h]."""
    start_flow: float = 0.0
    """Flow below which the meter stands [m³/h]."""
    air: float = 0.0
    """Share of air in what passes, about which each run scatters by half."""
    max_flow: float = math.inf
    """Flow above which the indicated flow rate stays where it is [m³/h]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """How a meter counts."""

    start: float = 0.0
    """Total before the first litre [L]."""
    rollover: float = math.inf
    """Total at which it begins at 0 again [L]."""


class FlowPhysics:
    """One meter in one pipe."""

    def __init__(
        self,
        pipe: SimulatedPipe,
        *,
        error_curve: Sequence[tuple[float, float]] = ((0.0, 0.0),),
        repeatability: float = 0.0,
        noise: float = 0.0,
        temperature_coefficient: float = 0.0,
        wear: Wear = Wear(),
        counter: Counter = Counter(),
        seed: int = 0,
    ) -> None:
        """Describe the meter: curve of (flow [m³/h], error [%]), repeatability and noise as
        standard deviations [%], temperature coefficient [%/K] from 20 °C.
        """
        self.pipe = pipe
        self._curve = sorted((float(q), float(e)) for q, e in error_curve)
        self._repeatability = repeatability
        self._coefficient = temperature_coefficient
        self._wear = wear
        self._counter = counter
        self._seed = seed
        self._noise = noise
        self._random = random.Random(seed)  # noqa: S311 - physics, not secrets
        self._counted = 0.0
        self._settled: dict[int, float] = {}
        self._on = True
        self.overloaded = False
        """Whether the flow is held to be above what the meter can measure."""
        self._chance = lru_cache(maxsize=4)(self._chances)
        pipe.attach(self)

    def error(self, flow: float) -> float:
        """Give the meter's error [%] at a flow [m³/h], its scatter in this segment included."""
        return (1 + self._of_flow(flow) / 100) * (100 + self._of_run()) - 100

    def _chances(self, segment: int) -> tuple[float, float]:
        # Drawn for each stretch of flow: the same run scatters the same way every time.
        draw = random.Random(self._seed * 1_000_003 + segment)  # noqa: S311
        scatter = draw.gauss(0.0, self._repeatability) if self._repeatability else 0.0
        return scatter, draw.uniform(0.5, 1.5)

    @property
    def air(self) -> float:
        """Share of air in what passes now."""
        return min(self._wear.air * self._chance(self.pipe.segment.number)[1], 0.99)

    def _of_run(self) -> float:
        """Give what is added at every flow [%]."""
        scatter, _ = self._chance(self.pipe.segment.number)
        warmer = self.pipe.temperature - 20.0
        air = self.air if self._wear.air else 0.0
        return scatter + self._coefficient * warmer + 100 * air / (1 - air)

    def _of_flow(self, flow: float) -> float:
        if flow <= 0 or flow < self._wear.start_flow:
            return -100.0 if flow > 0 else self._interpolate(0.0)
        return max(self._interpolate(flow) - 100 * self._wear.slip / flow, -100.0)

    def _interpolate(self, flow: float) -> float:
        after = bisect_right(self._curve, (flow, math.inf))
        if after == 0:
            return self._curve[0][1]
        if after == len(self._curve):
            return self._curve[-1][1]
        (q0, e0), (q1, e1) = self._curve[after - 1], self._curve[after]
        return e0 + (e1 - e0) * (flow - q0) / (q1 - q0)

    def _averaged(self, flow: float) -> float:
        """Give the error [%] of the volume at a mean flow [m³/h], over one pulsation."""
        swing = self.pipe.traits.pulsation
        if not swing:
            return self._of_flow(flow)
        shares = [1 + swing * math.sin(2 * math.pi * n / _PHASES) for n in range(_PHASES)]
        return max(sum(s * self._of_flow(flow * s) for s in shares) / _PHASES, -100.0)

    @property
    def flow(self) -> float:
        """Indicated volume flow [m³/h], with noise and pulsation."""
        flow = self.pipe.flow * self.pipe.pulse
        shown = flow * max(1 + (self.error(flow) + self._random.gauss(0.0, self._noise)) / 100, 0)
        if self.overloaded:
            largest = self._wear.max_flow
            return largest if largest < math.inf else max(2 * self._curve[-1][0], 2 * shown)
        return min(shown, self._wear.max_flow)

    @property
    def beyond(self) -> bool:
        """Whether the flow is above what the meter can measure."""
        return self.overloaded or self.pipe.flow > self._wear.max_flow

    @property
    def total(self) -> float:
        """Total on the counter [L]."""
        total, end = self._counter.start + self._all, self._counter.rollover
        return total % end if end < math.inf else total

    @property
    def _all(self) -> float:
        return self._counted + (self._now if self._on else 0.0)

    @property
    def _now(self) -> float:
        """Volume of this segment so far [L]."""
        return self.pipe.measured(self._averaged, self._settled) * (1 + self._of_run() / 100)

    def fold(self) -> None:
        """Keep what was counted in the segment that ends now."""
        self._counted = self._all

    def switch(self, *, on: bool) -> None:
        """Lose power or have it back; what passes without it is not counted."""
        if on and not self._on:
            self._counted -= self._now
        elif not on:
            self.fold()
        self._on = on
