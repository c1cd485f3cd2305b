"""What is found of the volume that passed a water meter, and what every way to it shares.

Knows its shape, the component of a reading, and that of water under pressure. Refuses to know how
the volume was found.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from fractions import Fraction

import numpy as np

from calibration.component import Component, Distribution, limited
from calibration.distributions import Floats
from calibration.routines.water_meter_sheet import WaterMeterTest
from calibration.standard import Standard
from calibration.uncertainty import Budget
from calibration.units import Quantity
from calibration.verification import Reason
from calibration.water import NORMAL_PRESSURE, water_density

UNIT = "L"
"""Volumes are compared here."""
DIGITS = 7
"""A computed correction is rounded to this many digits after the first of the volume."""
AT_METER = "temperature of the water at the meter"
EXACT = Context(prec=80, traps=[Inexact])


@dataclass(frozen=True, slots=True, eq=False)
class ActualVolume:
    """The volume that passed the meter in each run of one test."""

    volume: tuple[Decimal, ...]
    """Va [L], one per run."""
    budget: Budget | None
    """Uncertainty of Va [L], a row per run; None when the standards do not give it."""
    stated: tuple[Fraction | None, ...]
    """Largest error or U that the standard states of itself [L]; None when it states neither."""
    standard: Standard | None
    """The standard that gave the volume."""
    illegal: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()


def indication_component(
    standard: Standard | None,
    indications: tuple[Quantity, ...],
    values: list[Decimal],
    unit: str,
    readings: int,
) -> Component:
    """Make the component of what was read: its last digit, once or in a difference of two."""
    interval = None if standard is None else standard.interval
    if interval is not None:
        width: float | Floats = float(interval.exactly(unit))
    else:
        width = floats(Quantity(_last(q.magnitude), q.unit).exactly(unit) for q in indications)
    name, shown = "indication of the reference", floats(values)
    if readings == 1:
        return limited(name, unit, width / 2, value=shown)
    return limited(name, unit, width, distribution=Distribution.TRIANGULAR, value=shown)


def compressed(test: WaterMeterTest, volumes: list[Decimal]) -> list[Component]:
    """Count that water is denser under the pressure at the meter than in an open tank: ± that much."""
    if test.pressure is None:
        return []
    p = NORMAL_PRESSURE + float(test.pressure.exactly("hPa"))
    here = degrees(test.temperature)
    share = water_density(here, pressure=p) / water_density(here) - 1
    return [limited("compression of the water", UNIT, share * floats(volumes))]


def degrees(column: tuple[Quantity, ...]) -> Floats:
    """Give temperatures [°C]."""
    return floats(quantity.exactly("°C") for quantity in column)


def floats(values: Iterable[Decimal | Fraction]) -> Floats:
    """Give exact numbers as float64."""
    return np.array([float(value) for value in values])


def _last(digits: Decimal) -> Decimal:
    exponent = digits.as_tuple().exponent
    return Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
