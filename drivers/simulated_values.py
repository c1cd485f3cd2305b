"""What a simulated instrument's quantities are worth now, in the units of its registers.

Knows which part of the physics a quantity shows, and exact unit factors. Refuses a quantity or a
unit that no physics here has, before anything is served.
"""

import math
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from drivers.errors import BadDriverSettings
from drivers.flow_physics import FlowPhysics
from drivers.registers import COUNT, Register
from drivers.room_physics import RoomPhysics

_MILLI: Final = Decimal("0.001")
_LITRES_IN: Final[dict[str, Decimal]] = {
    "m³": Decimal(1000),
    "L": Decimal(1),
    "l": Decimal(1),
    "mL": _MILLI,
    "ml": _MILLI,
}
_KILOGRAMS_IN: Final[dict[str, Decimal]] = {"kg": Decimal(1), "g": _MILLI, "t": Decimal(1000)}
_SECONDS_IN: Final = {"h": 3600, "min": 60, "s": 1}
_HECTOPASCALS_IN: Final[dict[str, Decimal]] = {
    "hPa": Decimal(1),
    "mbar": Decimal(1),
    "Pa": Decimal("0.01"),
    "kPa": Decimal(10),
    "bar": Decimal(1000),
    "MPa": Decimal(10000),
}
_DENSITY_IN: Final = {"kg/m³": Decimal(1000), "kg/L": Decimal(1), "g/mL": Decimal(1)}
_KILOWATT_HOURS_IN: Final = {"Wh": _MILLI, "kWh": Decimal(1), "MWh": Decimal(1000)}
_WATTS_IN: Final = {"W": Decimal(1), "kW": Decimal(1000)}
_PIPE_PRESSURE: Final = Decimal(4000)
"""Absolute pressure in the simulated pipe [hPa]."""
_BORE: Final = 0.05
"""Bore of the simulated pipe [m]."""
_PULSES: Final = 100
"""Pulses per litre where nobody has said what one is worth."""
_LOAD: Final = Decimal(1500)
"""What the simulated electricity meter feeds [W]."""


class SimulatedValues:
    """One instrument's own idea of every quantity."""

    def __init__(
        self,
        measures: str,
        flow: FlowPhysics,
        room: RoomPhysics,
        *,
        resolution: Decimal,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Show the physics; ``resolution`` [L] is the step of totalizers."""
        self._in_pipe = measures == "flow meter"
        self._flow, self._room = flow, room
        self._resolution = resolution
        self._clock = clock
        self._begun = clock()

    def value(self, register: Register) -> Decimal:
        """Give the instrument's own value of a quantity in the unit of its register."""
        name = register.quantity.rstrip("0123456789").rstrip("_")
        unit = register.unit or ""
        found = self._counted(name, unit)
        if found is None and (name.startswith("totalizer") or name == "count"):
            found = self._total(unit)
        if found is None and name.endswith("_flow"):
            found = self._rate(unit)
        if found is None:
            found = self._other(name, unit)
        if found is None:
            raise BadDriverSettings(
                "{quantity} in {unit} cannot be simulated: choose another unit or register map.",
                quantity=register.quantity,
                unit=unit,
            )
        return found

    def _counted(self, name: str, unit: str) -> Decimal | None:
        """Give whole steps where nobody has said what one is worth."""
        if unit != COUNT:
            return None
        if name.endswith("rollovers"):
            return Decimal(0)
        if name == "channel":
            return Decimal(round(Decimal(self._room.temperature) * 10))
        return Decimal(math.floor(Decimal(self._flow.total) * _PULSES))

    def _total(self, unit: str) -> Decimal | None:
        steps = round(Decimal(self._flow.total) / self._resolution)
        return self._amount(steps * self._resolution, unit)

    def _rate(self, unit: str) -> Decimal | None:
        amount, _, period = unit.partition("/")
        if period not in _SECONDS_IN:
            return None
        litres = Decimal(self._flow.flow) / Decimal("3.6") * _SECONDS_IN[period]
        return self._amount(litres, amount)

    def _amount(self, litres: Decimal, unit: str) -> Decimal | None:
        if unit in _LITRES_IN:
            return litres / _LITRES_IN[unit]
        if unit in _KILOGRAMS_IN:
            return litres * self._flow.pipe.density / _KILOGRAMS_IN[unit]
        return None

    def _other(self, name: str, unit: str) -> Decimal | None:
        if name in ("temperature", "coil_temperature", "channel"):
            celsius = self._flow.pipe.temperature if self._in_pipe else self._room.temperature
            shift = {"°C": Decimal(0), "K": Decimal("273.15")}.get(unit)
            return None if shift is None else Decimal(celsius) + shift
        if name.endswith("pressure") and unit in _HECTOPASCALS_IN:
            return self._pressure(name) / _HECTOPASCALS_IN[unit]
        if name == "humidity" and unit == "%":
            return Decimal(self._room.humidity)
        if name == "density" and unit in _DENSITY_IN:
            return self._flow.pipe.density * _DENSITY_IN[unit]
        if name == "velocity" and unit == "m/s":
            return Decimal(self._flow.flow / 3600 / (math.pi * _BORE**2 / 4))
        if name == "power" and unit in _WATTS_IN:
            return _LOAD / _WATTS_IN[unit]
        if name.startswith("energy") and unit in _KILOWATT_HOURS_IN:
            hours = Decimal(self._clock() - self._begun) / 3600
            fed = Decimal(0) if name.endswith("export") else _LOAD * _MILLI * hours
            return fed / _KILOWATT_HOURS_IN[unit]
        return None

    def _pressure(self, name: str) -> Decimal:
        """Give a pressure [hPa]."""
        if name == "differential_pressure":
            return Decimal(0)
        if not self._in_pipe:
            return Decimal(self._room.pressure)
        air = Decimal(self._room.pressure) if name == "gauge_pressure" else Decimal(0)
        return _PIPE_PRESSURE - air
