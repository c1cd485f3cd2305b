"""The actual volume of a run of a water meter from the mass of the water.

Knows the weighing: balance, buoyancy, density of water. Refuses a balance that shows no more full
than empty. Masses as displayed stay exact; the volume differs from them by some 0.5 %, and only
that is float64, rounded onto a grid of 10^-7 of the volume, with the rounding counted.
"""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from calibration.air import air_density, unmeasured_air_density
from calibration.case import Case
from calibration.component import Component, limited
from calibration.expansion import gravimetric_volume, gravimetric_volume_budget
from calibration.mass import REFERENCE_DENSITY
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
from calibration.routines.water_meter_sheet import WaterMeterSheet, WaterMeterTest
from calibration.routines.water_reference import (
    Referred,
    no_thermometer,
    of_standard,
    referred,
    temperature_uncertainty,
)
from calibration.standard import Standard
from calibration.uncertainty import Budget
from calibration.verification import Reason
from calibration.water import water_density

DISSOLVED = 0.5
"""[kg/m³] Drinking water holds at most 500 g/m³ dissolved (Permenkes 492/2010, general knowledge)."""


def weighed_volume(
    test: WaterMeterTest, balance: Standard | None, case: Case[WaterMeterSheet]
) -> ActualVolume:
    """Va = m (1 - ρ_a/ρ_b)/(ρ_w - ρ_a): m full minus empty, ρ_w at the temperature of the meter.

    In the buoyancy ρ_w may be that of the tank: 5 °C between them are 2e-6 of Va. OIML R 49-2.
    """
    empty, full = ([q.to("kg").magnitude for q in column] for column in (test.empty, test.full))
    for run, (before, after) in enumerate(zip(empty, full, strict=True)):
        if before < 0 or after <= before:
            raise Refused(
                "{full} full and {empty} empty leave no water that was weighed.",
                key=f"{test.key}.full[{run}]",
                full=test.full[run],
                empty=test.empty[run],
            )
    mass = [EXACT.subtract(after, before) for before, after in zip(empty, full, strict=True)]
    parts = [indication_component(balance, test.full, mass, "kg", 2)]
    stated: tuple[Fraction | None, ...] = (None,) * len(mass)
    weighed = floats(mass)
    if balance is not None:
        low, high = ([referred(balance, m, "kg", test) for m in column] for column in (empty, full))
        ends = list(zip(low, high, strict=True))
        weighed = weighed + floats(after.correction - before.correction for before, after in ends)
        for words, column in ((", empty", low), (", full", high)):
            parts += of_standard(balance, column, "kg", words)
        stated = tuple(_larger(*each) for each in ends)
    air, notes = _air(case)
    here = degrees(test.temperature)
    at = (water_density(here), air.value, REFERENCE_DENSITY, 0.0, here)
    volume = 1000 * gravimetric_volume(weighed, *at, reference_temperature=here)
    # The mass in kg is the volume in L but for some 0.5 %, and only that is float64.
    exponent = min(m.adjusted() for m in mass) - DIGITS
    correction = rounded_correction("rounding", UNIT, volume - floats(mass), exponent)
    volumes = [EXACT.add(m, c) for m, c in zip(mass, correction.digits(), strict=True)]
    u = temperature_uncertainty(case.standards)
    budget = None
    if u is not None and None not in stated:
        of_volume = gravimetric_volume_budget(
            Component("mass", weighed, "kg", 0.0),
            Component(AT_METER, here, "°C", u),
            limited("dissolved matter in the water", "kg/m³", DISSOLVED),
            air,
            Component("density of the weights", REFERENCE_DENSITY, "kg/m³", 0.0),
            Component("expansion", 0.0, "1/°C", 0.0),
            reference_temperature=here,
        )
        further = [correction.component, *compressed(test, volumes)]
        budget = _in_litres(of_volume, parts, further)
    return ActualVolume(
        volume=tuple(volumes),
        budget=budget,
        stated=tuple(
            None if s is None else s * Fraction(v) / Fraction(m)
            for s, v, m in zip(stated, volumes, mass, strict=True)
        ),
        standard=balance,
        illegal=() if u is not None else (no_thermometer(test),),
        notes=notes,
    )


def _in_litres(budget: Budget, parts: list[Component], further: list[Component]) -> Budget:
    """Put the components of the weighing in the place of the mass, and m³ into L."""
    mass, *others = (
        replace(component, sensitivity=1000 * np.asarray(component.sensitivity))
        for component in budget.components
    )
    others = [c for c in others if np.any(c.standard_uncertainty)]
    weighing = [replace(part, sensitivity=mass.sensitivity) for part in parts]
    return Budget(
        "actual volume", 1000 * np.asarray(budget.value), UNIT, (*weighing, *others, *further)
    )


def _air(case: Case[WaterMeterSheet]) -> tuple[Component, tuple[Reason, ...]]:
    """Find the density of air, with the width of an air density that was not measured.

    What the room's instruments are worth is not on the sheet: ± 10 % is wide enough for all.
    """
    unmeasured = unmeasured_air_density()
    given = [case.environment.get(name) for name in ("temperature", "pressure", "humidity")]
    t, p, h = given
    if t is None or p is None or h is None:
        return unmeasured, (
            Reason(
                "air-density-unmeasured",
                "the density of air was taken as 1.2 kg/m³ ± 10 %: temperature, humidity and pressure "
                "are not all stated (R 111-1 C.6.3).",
            ),
        )
    values = float(t.exactly("°C")), float(p.exactly("hPa")), float(h.magnitude)
    try:
        density = float(air_density(*values).density[0])
    except Refused as refused:
        raise Refused(refused.template, key="environment", **refused.evidence) from None
    return replace(unmeasured, name="air density", value=density), ()


def _larger(one: Referred, other: Referred) -> Fraction | None:
    if one.stated is None or other.stated is None:
        return None
    return max(one.stated, other.stated)
