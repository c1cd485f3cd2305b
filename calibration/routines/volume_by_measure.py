"""The reference volume by fillings of a test measure (bejana ukur standar).

Knows what temperature does to the measure and to the liquid on its way from the meter, and how
fillings add up. Refuses to assume an expansion. What temperature changes is computed in float64 and
rounded onto a grid, which the budget counts; readings and certified volume stay exact.
"""

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, Inexact
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.component import Component, limited
from calibration.distributions import Floats
from calibration.expansion import volume_at_meter
from calibration.rounding import rounded_correction
from calibration.routines.liquid_expansion import LiquidExpansion
from calibration.routines.neck_measure import NeckMeasure, emptied
from calibration.routines.reference_sheet import Fillings, Liquid
from calibration.routines.reference_volume import (
    REFERENCE_SENSITIVITY,
    ReferenceVolumes,
    Thermometry,
    degrees,
    interval_of,
    named_standard,
    thermometry,
)
from calibration.routines.volume_sheet import MeterTest
from calibration.standard import Standard
from calibration.uncertainty import propagate
from calibration.verification import Reason

_EXACT = Context(prec=80, traps=[Inexact])


def volumes_by_measure(
    test: MeterTest,
    fillings: Fillings,
    standards: Sequence[Standard],
    liquid: Liquid | None,
    requirements: Mapping[str, Mapping[str, Any]],
    unit: str,
    exponent: int,
) -> ReferenceVolumes:
    """Add the fillings of every run: V = Σ (V0 + r)(1 + γ (ts - t0))(1 + β (tm - ts)).

    V0 the certified volume at t0 and γ of the measure, r the reading of its neck scale, ts and tm the
    temperatures of the measure and at the meter, β of the liquid. What temperature changes is
    rounded to 10^``exponent`` [unit]. OIML R 117-1:2007; R 120.
    """
    standard = named_standard(standards, test.standard, "L", test.key)
    measure = NeckMeasure.of(standard, unit)
    runs, fills = len(test.indication), fillings.fills
    readings = measure.readings(fillings.reading, f"{test.key}.reading")
    contents = measure.contents(readings, exponent)
    held, t_s = (
        column.reshape(runs, fills).T
        for column in (
            np.array([float(v) for v in contents]),
            degrees(fillings.measure_temperature),
        )
    )
    t_m = degrees(fillings.meter_temperature)
    growth = LiquidExpansion.of(liquid, t_s, np.broadcast_to(t_m, t_s.shape), test.key)
    carried = volume_at_meter(
        held,
        measure.expansion,
        t_s,
        growth.coefficient,
        t_m,
        reference_temperature=measure.reference_temperature,
    )
    rounded = rounded_correction(
        "rounding of the correction",
        unit,
        (carried - held).sum(axis=0),
        exponent,
        sensitivity=REFERENCE_SENSITIVITY,
    )
    warmth = thermometry(standards)
    own = measure.components()
    neck = Component(
        "neck scale",
        np.array([float(value) for value in _by_run(readings, fills)]),
        unit,
        interval_of(fillings.resolution, standard, fillings.reading, unit) / np.sqrt(12),
        -np.sqrt(((carried / held) ** 2).sum(axis=0)),
    )
    found = emptied(measure, fillings, requirements, str(test.flow_rate))
    return ReferenceVolumes(
        tuple(
            _EXACT.add(volume, correction)
            for volume, correction in zip(_by_run(contents, fills), rounded.digits(), strict=True)
        ),
        (
            *_of_fillings(measure, own, fillings, growth, warmth, (held, t_s, t_m)),
            neck,
            rounded.component,
        )
        if own
        else (),
        whole=bool(own),
        lacking=found.lacking,
        notes=(*found.notes, *unknown_expansion(liquid)),
        illegal=warmth.illegal,
        conditions=_conditions(standard, fillings, liquid),
        provisional=found.provisional,
    )


def _by_run(column: Sequence[Decimal], fills: int) -> list[Decimal]:
    """Add the fillings of every run, exactly."""
    sums = []
    for start in range(0, len(column), fills):
        total = Decimal(0)
        for value in column[start : start + fills]:
            total = _EXACT.add(total, value)
        sums.append(total)
    return sums


def _of_fillings(
    measure: NeckMeasure,
    own: tuple[Component, ...],
    fillings: Fillings,
    growth: LiquidExpansion,
    warmth: Thermometry,
    columns: tuple[Floats, Floats, Floats],
) -> tuple[Component, ...]:
    """Propagate to E = I - V what is common to all fillings of a run."""
    held, t_s, t_m = columns
    gamma, t_ref = measure.expansion, measure.reference_temperature
    mean, beta = t_s.mean(axis=0), growth.coefficient
    mean_beta = beta.mean(axis=0) if beta.ndim > 1 else beta
    inputs = (
        *own,
        warmth.component("temperature of the measure", fillings.measure_temperature, mean),
        warmth.component("temperature at the meter", fillings.meter_temperature, t_m),
        limited("expansion of the measure", "1/K", measure.expansion_half_digit, value=gamma),
        Component("expansion of the liquid", mean_beta, "1/K", growth.standard_uncertainty),
    )
    start = [np.asarray(component.value, dtype=np.float64) for component in own]

    def error(*x: NDArray[Any]) -> NDArray[Any]:
        s, m, g, b = x[len(own) :]
        volume = held + sum((x[i] - start[i] for i in range(len(own))), np.zeros(1))
        t = t_s + (s - mean)
        grown = volume * (1 + g * (t - t_ref)) * (1 + (beta + (b - mean_beta)) * (m - t))
        return np.asarray(-grown.sum(axis=0))

    return propagate("error", measure.unit, error, inputs).components


def unknown_expansion(liquid: Liquid | None) -> tuple[Reason, ...]:
    """Say that an unnoticed difference of temperature is not in the uncertainty."""
    if liquid is not None and (liquid.water or liquid.expansion is not None):
        return ()
    reason = Reason(
        "liquid-expansion-none",
        "no expansion of the liquid is stated: what an unnoticed difference of temperature does is "
        "not in the uncertainty.",
    )
    return (reason,)


def _conditions(standard: Standard, fillings: Fillings, liquid: Liquid | None) -> dict[str, str]:
    found = {"method": "test-measure", "standard": standard.id, "fills": str(fillings.fills)}
    if fillings.drip_time:
        found["drip_time"] = str(min(fillings.drip_time, key=lambda time: time.exactly("s")))
    if liquid is not None:
        found["liquid"] = liquid.name
    return found
