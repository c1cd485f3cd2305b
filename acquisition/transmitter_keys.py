"""What a transmitter or a pulse counter adds to ``[[bench.instrument]]``: its room, its counts.

Knows how they are written. Refuses to know registers and lines.
"""

import re
from decimal import Decimal
from typing import Annotated, Final

from pydantic import AfterValidator

from acquisition.setting_types import Exact, Settings, quantity
from calibration.units import parse_quantity

SURROUNDINGS: Final = {"temperature": "°C", "humidity": "%", "pressure": "hPa"}
"""What a bench knows of the air, with an example of the unit of each."""


class RoomSimulation(Settings):
    """The physics of the room that simulated transmitters are in, and their errors."""

    temperature: Annotated[str, quantity("27 °C")] = "27 °C"
    humidity: Annotated[str, quantity("65 %")] = "65 %"
    pressure: Annotated[str, quantity("1009 hPa")] = "1009 hPa"
    swing: Annotated[str, quantity("0.5 K")] = "0 K"
    """How far the temperature swings around its mean."""
    temperature_error: Annotated[str, quantity("0.1 K")] = "0 K"
    humidity_error: Annotated[str, quantity("1 %")] = "0 %"
    pressure_error: Annotated[str, quantity("0.1 hPa")] = "0 hPa"
    noise: Exact = Decimal(0)
    """Standard deviation of every indication, in its own unit."""
    seed: int = 1


def factor_of(text: str) -> tuple[Decimal, bool, str]:
    """Read what one count is worth: the number, whether it is counts per unit, the unit."""
    if (per := re.fullmatch(r"\s*(\S+)\s+per\s+(\S+)\s*", text)) is not None:
        counts = parse_quantity(f"{per[1]} {per[2]}")
        return counts.magnitude, True, counts.unit
    worth = parse_quantity(text)
    return worth.magnitude, False, worth.unit


def _checked(text: str) -> str:
    factor_of(text)
    return text


Factor = Annotated[str, AfterValidator(_checked)]
"""What one count is worth: a quantity, or a number of counts ``per`` unit."""
