"""The capacity of a measure by comparison with a standard measure, one filling or several.

Knows what temperature does to both measures and to the liquid between them. Refuses to assume an
expansion. What temperature changes is float64, rounded onto a grid, and the rounding is counted;
readings and certified volume stay exact.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.component import Component, limited
from calibration.distributions import Floats
from calibration.expansion import at_reference_temperature, volume_at_meter
from calibration.rounding import rounded_correction
from calibration.routines.capacity_found import FoundCapacity, expansion_component
from calibration.routines.capacity_sheet import CapacityInstrument, CapacityTest
from calibration.routines.liquid_expansion import LiquidExpansion
from calibration.routines.neck_measure import NeckMeasure, emptied
from calibration.routines.reference_sheet import Fillings, Liquid
from calibration.routines.reference_volume import (
    Thermometry,
    degrees,
    interval_of,
    named_standard,
    thermometry,
)
from calibration.routines.volume_by_measure import unknown_expansion
from calibration.standard import Standard
from calibration.uncertainty import propagate


def capacity_by_comparison(
    test: CapacityTest,
    fillings: Fillings,
    instrument: CapacityInstrument,
    standards: Sequence[Standard],
    liquid: Liquid | None,
    requirements: Mapping[str, Mapping[str, Any]],
    unit: str,
    exponent: int,
) -> FoundCapacity:
    """Find V = Σ (V0 + r)(1 + γs (ts - t0s))(1 + β (t - ts))/(1 + γ (t - t0)).

    V0 the certified volume at t0s and γs of the standard measure, r the reading of its neck, ts its
    temperature; t, γ and t0 of the measure under test; β of the liquid. What temperature changes is
    rounded to 10^``exponent`` [unit]. EURAMET cg-21; R 120.
    """
    standard = named_standard(standards, test.standard, "L", test.key)
    measure = NeckMeasure.of(standard, unit)
    readings = measure.readings(fillings.reading, f"{test.key}.standard_reading")
    contents = measure.contents(readings, exponent)
    held, t_s = (
        column.reshape(test.runs, fillings.fills).T
        for column in (
            np.array([float(value) for value in contents]),
            degrees(fillings.measure_temperature),
        )
    )
    t = degrees(test.temperature)
    growth = LiquidExpansion.of(liquid, t_s, np.broadcast_to(t, t_s.shape), test.key)
    t_0 = float(instrument.reference_temperature.exactly("°C"))
    gamma = expansion_component(instrument)
    carried = volume_at_meter(
        held,
        measure.expansion,
        t_s,
        growth.coefficient,
        t,
        reference_temperature=measure.reference_temperature,
    )
    found = at_reference_temperature(carried, gamma.value, t, reference_temperature=t_0)
    rounded = rounded_correction(
        "rounding of the correction", unit, (found - held).sum(axis=0), exponent
    )
    sums = [
        sum(map(Fraction, contents[start : start + fillings.fills]), Fraction(0))
        for start in range(0, len(contents), fillings.fills)
    ]
    warmth = thermometry(standards)
    own = measure.components()
    components: tuple[Component, ...] = ()
    if own:
        neck = Component(
            "neck scale of the standard",
            0.0,
            unit,
            interval_of(fillings.resolution, standard, fillings.reading, unit) / np.sqrt(12),
            float(np.sqrt(((found / held) ** 2).mean(axis=1).sum())),
        )
        components = (
            *_propagated(test, fillings, measure, own, growth, warmth, gamma, (held, t_s, t, t_0)),
            neck,
            rounded.component,
        )
    how = emptied(measure, fillings, requirements, str(test.nominal))
    return FoundCapacity(
        tuple(value + Fraction(added) for value, added in zip(sums, rounded.digits(), strict=True)),
        components,
        standard.id,
        lacking=how.lacking,
        notes=(*how.notes, *unknown_expansion(liquid)),
        illegal=warmth.illegal,
        conditions={"fills": str(fillings.fills)},
        provisional=how.provisional,
    )


def _propagated(
    test: CapacityTest,
    fillings: Fillings,
    measure: NeckMeasure,
    own: tuple[Component, ...],
    growth: LiquidExpansion,
    warmth: Thermometry,
    gamma: Component,
    columns: tuple[Floats, Floats, Floats, float],
) -> tuple[Component, ...]:
    """Propagate to the mean volume what is common to its runs, at the mean of every filling."""
    held, t_s, t, t_0 = columns
    held, t_s = (column.mean(axis=1)[:, np.newaxis] for column in (held, t_s))
    gamma_s, t_0s = measure.expansion, measure.reference_temperature
    beta = np.full(t_s.shape, growth.coefficient.mean())
    if growth.coefficient.ndim > 1:
        beta = growth.coefficient.mean(axis=1)[:, np.newaxis]
    mean_s, mean_beta = np.array([t_s.mean()]), np.array([beta.mean()])
    inputs = (
        *own,
        warmth.component("temperature of the standard", fillings.measure_temperature, mean_s),
        warmth.component("temperature", test.temperature, np.array([t.mean()])),
        limited("expansion of the standard", "1/K", measure.expansion_half_digit, value=gamma_s),
        gamma,
        Component("expansion of the liquid", mean_beta, "1/K", growth.standard_uncertainty),
    )
    many = len(own)
    start = [np.asarray(component.value, dtype=np.float64) for component in own]

    def volume(*x: NDArray[Any]) -> NDArray[Any]:
        s, m, g_s, g, b = x[many:]
        content = held + sum((x[i] - start[i] for i in range(many)), np.zeros(1))
        at = t_s + (s - mean_s)
        grown = content * (1 + g_s * (at - t_0s)) * (1 + (beta + (b - mean_beta)) * (m - at))
        return np.asarray((grown / (1 + g * (m - t_0))).sum(axis=0))

    return propagate("capacity", measure.unit, volume, inputs).components
