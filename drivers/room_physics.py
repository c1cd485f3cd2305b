"""The physics of a room: what simulated thermometers, hygrometers and barometers are in.

Knows slow waves around a mean, all seeded, and a time that can run faster. Refuses to know
registers and lines: `drivers.simulated_meter`.
"""

import math
import random
import time
from collections.abc import Callable
from typing import Final

_DAY: Final = 86400.0
_SLOWNESS: Final = 600.0
"""The air conditioning of the room swings once in so many seconds."""


class SimulatedRoom:
    """Temperature, relative humidity and pressure of the air, for any number of transmitters."""

    def __init__(
        self,
        *,
        temperature: float = 27.0,
        humidity: float = 65.0,
        pressure: float = 1009.0,
        swing: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Describe the air: °C, %, hPa; ``swing`` [K] is how far the temperature swings."""
        self._temperature = temperature
        self._humidity = humidity
        self._pressure = pressure
        self._swing = swing
        self._clock = clock
        self._begun = clock()

    @property
    def temperature(self) -> float:
        """Temperature of the air now [°C]."""
        return self._temperature + self._swing * self._wave(_SLOWNESS)

    @property
    def humidity(self) -> float:
        """Relative humidity now [%]: warmer air is drier, by about 6 % of itself per kelvin."""
        warmer = self.temperature - self._temperature
        return min(100.0, max(0.0, self._humidity * (1 - 0.06 * warmer)))

    @property
    def pressure(self) -> float:
        """Atmospheric pressure now [hPa]: in the tropics it swings twice a day by about 1.5 hPa."""
        return self._pressure + 1.5 * self._wave(_DAY / 2)

    def _wave(self, period: float) -> float:
        return math.sin(2 * math.pi * (self._clock() - self._begun) / period)


class RoomPhysics:
    """One transmitter's way of being wrong about the room."""

    def __init__(
        self,
        room: SimulatedRoom,
        *,
        temperature_error: float = 0.0,
        humidity_error: float = 0.0,
        pressure_error: float = 0.0,
        noise: float = 0.0,
        seed: int = 0,
    ) -> None:
        """Describe its errors [K, %, hPa] and its noise as a share of the last digit."""
        self._room = room
        self._errors = (temperature_error, humidity_error, pressure_error)
        self._noise = noise
        self._random = random.Random(seed)  # noqa: S311 - physics, not secrets

    @property
    def temperature(self) -> float:
        """Indicated temperature [°C]."""
        return self._room.temperature + self._errors[0] + self._draw()

    @property
    def humidity(self) -> float:
        """Indicated relative humidity [%]."""
        return min(100.0, max(0.0, self._room.humidity + self._errors[1] + self._draw()))

    @property
    def pressure(self) -> float:
        """Indicated pressure [hPa]."""
        return self._room.pressure + self._errors[2] + self._draw()

    def _draw(self) -> float:
        return self._random.gauss(0.0, self._noise) if self._noise else 0.0
