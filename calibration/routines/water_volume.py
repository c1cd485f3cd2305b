"""The actual volume of a run of a water meter from a reference meter or a measuring tank.

Knows the standard's correction, the expansion of a tank, and how water changes between there and
the meter. Refuses a tank of which the reference temperature or the expansion is not known. What was
displayed stays exact; what physics adds is float64, rounded onto a grid of 10^-7 of the volume, and
the rounding is counted.
"""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.calibration_curve import rounded_exactly
from calibration.case import Case
from calibration.component import Component, limited
from calibration.expansion import at_temperature
from calibration.grid import finest_exponent, plain
from calibration.refusal import Refused
from calibration.rounding import rounded_correction
from calibration.routines.actual_volume import (
    AT_METER,
    DIGITS,
    EXACT,
    UNIT,
    ActualVolume,
    compressed,
    degrees,
    floats,
    indication_component,
)
from calibration.routines.water_meter_sheet import Method, WaterMeterSheet, WaterMeterTest
from calibration.routines.water_reference import (
    no_thermometer,
    of_standard,
    referred,
    temperature_uncertainty,
    volume_standard,
)
from calibration.routines.water_weighing import weighed_volume
from calibration.standard import Standard
from calibration.uncertainty import propagate
from calibration.units import Quantity, finite
from calibration.verification import Reason
from calibration.water import NORMAL_PRESSURE, water_density, water_density_model

_FURTHER = 4
"""An exact correction may have this many digits more before it is rounded too."""
_DENSITY = water_density_model(air_saturated=False)
_ONE_TEMPERATURE = Reason(
    "reference-temperature",
    "the water at the reference meter was taken to be as warm as at the meter: 1 °C between them "
    "changes the volume by 0.03 % at 28 °C.",
)


def actual_volume(test: WaterMeterTest, case: Case[WaterMeterSheet]) -> ActualVolume:
    """Find the actual volume of every run; a Refused names the key that is wrong."""
    try:
        standard, illegal = volume_standard(test, case.standards)
        find = weighed_volume if test.method is Method.GRAVIMETRIC else _read
        found = find(test, standard, case)
    except Refused as refused:
        raise Refused(refused.template, key=refused.key or test.key, **refused.evidence) from None
    return replace(found, illegal=(*illegal, *found.illegal))


def _read(
    test: WaterMeterTest, standard: Standard | None, case: Case[WaterMeterSheet]
) -> ActualVolume:
    """Va = (V + c) (1 + γ (t - t_ref)) ρ(t)/ρ(t_m), V read on the tank or the reference meter.

    t is the temperature of the water there, t_m at the meter. A reference meter has no γ here;
    without a temperature of its own, t = t_m. OIML R 49-2; R 120:2010.
    """
    tank = test.method is Method.TANK
    gamma, t_ref = _tank(standard) if tank else (0.0, 0.0)
    read = [_positive(q, f"{test.key}.reference[{i}]") for i, q in enumerate(test.reference)]
    exponent = min(value.adjusted() for value in read) - DIGITS
    parts = [indication_component(standard, test.reference, read, UNIT, 1 if tank else 2)]
    further: list[Component] = []
    temperatures: list[Component] = []
    volumes = read
    stated: tuple[Fraction | None, ...] = (None,) * len(read)
    if standard is not None:
        found = [referred(standard, v, UNIT, test) for v in read]
        parts += of_standard(standard, found, UNIT)
        stated = tuple(c.stated for c in found)
        exact = [_exactly(c.correction, exponent) for c in found]
        if None in exact:
            further.append(limited("rounding of the correction", UNIT, 10.0**exponent / 2))
        volumes = [
            EXACT.add(v, rounded_exactly(c.correction, exponent) if digits is None else digits)
            for v, c, digits in zip(read, found, exact, strict=True)
        ]
    if tank:
        further += compressed(test, volumes)
    illegal: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()
    if test.other_temperature:
        there, here = degrees(test.other_temperature), degrees(test.temperature)
        grown = at_temperature(1.0, gamma, there, reference_temperature=t_ref)
        change = grown * water_density(there) / water_density(here) - 1
        correction = rounded_correction("rounding", UNIT, floats(volumes) * change, exponent)
        volumes = [EXACT.add(v, c) for v, c in zip(volumes, correction.digits(), strict=True)]
        further.append(correction.component)
        u = temperature_uncertainty(case.standards)
        if u is None:
            illegal = (no_thermometer(test),)
        else:
            where = "in the tank" if tank else "at the reference meter"
            at = (Component(f"temperature of the water {where}", there, "°C", u),)
            temperatures = [*at, Component(AT_METER, here, "°C", u)]
    else:
        notes = (_ONE_TEMPERATURE,)
    count = len(parts)

    def model(*x: NDArray[Any]) -> NDArray[Any]:
        total = np.asarray(sum(x[1:count], start=x[0]))
        if len(x) == count:
            return total
        t, t_m = x[count:]
        pressure = np.asarray(NORMAL_PRESSURE)
        ratio = _DENSITY(t, pressure) / _DENSITY(t_m, pressure)
        return np.asarray(total * (1 + gamma * (t - t_ref)) * ratio)

    known = None not in stated and not illegal
    inputs = (*parts, *temperatures)
    return ActualVolume(
        volume=tuple(volumes),
        budget=propagate("actual volume", UNIT, model, inputs, further=further) if known else None,
        stated=stated,
        standard=standard,
        illegal=illegal,
        notes=notes,
    )


def _tank(standard: Standard | None) -> tuple[float, float]:
    """Give expansion [1/°C] and reference temperature [°C] of a tank: never assumed."""
    if standard is None:
        raise Refused(
            "name the tank among the standards: its expansion is needed.", key="standards"
        )
    if standard.expansion is None or standard.reference_temperature is None:
        raise Refused(
            "the tank {standard} states no expansion or no reference temperature: neither is ever "
            "assumed.",
            key="standards",
            standard=standard.id,
        )
    gamma = standard.expansion.exactly("1/K")
    return float(gamma), float(standard.reference_temperature.exactly("°C"))


def _positive(quantity: Quantity, key: str) -> Decimal:
    volume = quantity.to(UNIT).magnitude
    if volume <= 0:
        raise Refused("{volume} is no delivered volume.", key=key, volume=quantity)
    return volume


def _exactly(value: Fraction, exponent: int) -> Decimal | None:
    """Give the digits of a correction; None when they have no end or go far past what matters."""
    digits = finite(value)
    if digits is None or finest_exponent([plain(digits)]) < exponent - _FURTHER:
        return None
    return digits
