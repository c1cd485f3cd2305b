"""The capacity of a measure by weighing the water in it.

Knows the formula of ISO 4787 and its budget. Refuses another liquid than water, and water of which
nobody says how far from pure it may be.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np

from calibration.component import Component, certified
from calibration.expansion import gravimetric_volume, gravimetric_volume_budget
from calibration.mass import REFERENCE_DENSITY
from calibration.refusal import Refused
from calibration.rounding import rounded_correction
from calibration.routines.capacity_found import FoundCapacity, averaged, expansion_component
from calibration.routines.capacity_sheet import CapacityInstrument, CapacityTest
from calibration.routines.reference_sheet import Liquid, Weighings
from calibration.routines.reference_volume import degrees, named_standard, thermometry
from calibration.routines.volume_by_weighing import MASS, air_of, of_scale, scale_corrected
from calibration.standard import Standard
from calibration.units import Quantity
from calibration.water import water_density


def capacity_by_weighing(
    test: CapacityTest,
    weighings: Weighings,
    instrument: CapacityInstrument,
    standards: Sequence[Standard],
    liquid: Liquid | None,
    environment: Mapping[str, Quantity],
    unit: str,
    exponent: int,
) -> FoundCapacity:
    """Find V = m (1 - ρa/ρb)/(ρw(t) - ρa) (1 - γ (t - t0)), m = full - empty, corrected.

    ρw of water at t (Tanaka), ρa of air, ρb = 8000 kg/m³ of the weights that the balance was adjusted
    with (conventional mass), γ and t0 of the measure. V is rounded to 10^``exponent`` [unit].
    ISO 4787:2021 9; EURAMET cg-19.
    """
    balance = named_standard(standards, test.standard, MASS, test.key)
    water = _water(liquid)
    empty = scale_corrected(balance, weighings.empty, f"{test.key}.empty")
    full = scale_corrected(balance, weighings.full, f"{test.key}.full")
    for run, (before, after) in enumerate(zip(empty, full, strict=True)):
        if before < 0 or after <= before:
            raise Refused(
                "{full} full and {empty} empty leave no water that was weighed.",
                key=f"{test.key}.full[{run}]",
                full=weighings.full[run],
                empty=weighings.empty[run],
            )
    mass = np.array([float(after - before) for before, after in zip(empty, full, strict=True)])
    t = degrees(test.temperature)
    t_0 = float(instrument.reference_temperature.exactly("°C"))
    gamma = expansion_component(instrument)
    air, notes = air_of(environment)
    in_unit = float(Quantity(Decimal(1), "m³").exactly(unit))
    volume = in_unit * gravimetric_volume(
        mass,
        water_density(t),
        air.value,
        REFERENCE_DENSITY,
        gamma.value,
        t,
        reference_temperature=t_0,
    )
    rounded = rounded_correction("rounding of the volume", unit, volume, exponent)
    warmth = thermometry(standards)
    own = of_scale(balance, weighings, (_floats(empty), _floats(full)))
    components: tuple[Component, ...] = ()
    if own:
        budget = gravimetric_volume_budget(
            Component("mass", float(mass.mean()), MASS, 0.0),
            warmth.component("temperature", test.temperature, np.array([t.mean()])),
            water,
            air,
            Component("density of the weights", REFERENCE_DENSITY, "kg/m³", 0.0),
            gamma,
            reference_temperature=t_0,
        )
        weighed, *others = (averaged(c, in_unit) for c in budget.components)
        scale = float(np.asarray(weighed.sensitivity))
        components = (
            *(averaged(replace(c, sensitivity=1.0), scale) for c in own),
            *(c for c in others if c.standard_uncertainty),
            rounded.component,
        )
    return FoundCapacity(
        tuple(Fraction(value) for value in rounded.digits()),
        components,
        balance.id,
        notes=notes,
        illegal=warmth.illegal,
    )


def _floats(column: Sequence[Fraction]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([float(value) for value in column])


def _water(liquid: Liquid | None) -> Component:
    """Make the component of how far the water may be from pure."""
    if liquid is None or not liquid.water:
        raise Refused(
            "a capacity is found by weighing water: state [liquid] with water = true.",
            key="liquid" if liquid is None else "liquid.water",
        )
    if liquid.density_uncertainty is None:
        raise Refused(
            "how far the water may be from pure is not stated: give its density_uncertainty.",
            key="liquid.density_uncertainty",
        )
    u = float(liquid.density_uncertainty.exactly("kg/m³"))
    return certified("density of the water", "kg/m³", 0.0, u)
