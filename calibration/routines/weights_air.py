"""The air between the weighings of one test: measured, or as the law reckons with it.

Knows how temperature, pressure and humidity of each cycle become one density with its uncertainty.
Refuses a class whose air has to be measured, and air outside every formula.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from calibration.air import (
    AirDensity,
    air_density,
    air_density_budget,
    unmeasured_air_density,
)
from calibration.component import Component, certified
from calibration.refusal import Refused
from calibration.routines.weights_law import WeightClass
from calibration.routines.weights_sheet import AIR, WeightTest
from calibration.units import Quantity
from calibration.verification import Reason

_DENSITY = "kg/m³"
_KELVIN = ("K", "°C", "Δ°C")
"""An uncertainty of a temperature is a difference, whichever of these it is written in."""


@dataclass(frozen=True, slots=True, eq=False)
class Air:
    """The air between the weighings of one test."""

    component: Component
    """Mean density over the cycles [kg/m³]."""
    notes: tuple[Reason, ...] = ()


def air_of(test: WeightTest, environment: Mapping[str, Quantity], law: WeightClass) -> Air:
    """Find the density of air in a test: measured, or 1.2 kg/m³ ± 10 % where the class lets it."""
    clause = law.clause("air_density")
    columns = {name: test.air.get(name) or _one(environment.get(name)) for name in AIR}
    lacking = [f"environment.{name}" for name in AIR if not columns[name]]
    unknown = [name for name in AIR if f"{name}_uncertainty" not in environment]
    if not lacking:
        lacking = [f"environment.{name}_uncertainty" for name in unknown]
    if lacking and law.name in law.asks("air_density")["measured"]:
        raise Refused(
            "class {name} wants the density of air from temperature, pressure and humidity, each "
            "with its expanded uncertainty ({clause}).",
            key=lacking[0],
            name=law.name,
            clause=clause,
        )
    if not all(columns.values()):
        note = Reason(
            "air-not-measured",
            "the density of air was not measured: 1.2 kg/m³ within 10 % is taken ({clause}).",
            {"clause": clause},
        )
        return Air(unmeasured_air_density(), (note,))
    cycles = [
        np.array([float(quantity.exactly(AIR[name])) for quantity in column])
        for name, column in columns.items()
    ]
    values = np.broadcast_arrays(*cycles)
    try:
        found = air_density(*values)
    except Refused as refused:
        raise Refused(refused.template, key="environment", **refused.evidence) from None
    mean = float(found.density.mean())
    if lacking:
        note = Reason(
            "air-uncertainty-unknown",
            "how well temperature, pressure and humidity are known is not stated: the density of "
            "air counts as uncertain as if it was not measured ({clause}).",
            {"clause": clause},
        )
        doubt = unmeasured_air_density().standard_uncertainty
        return Air(Component("air density", mean, _DENSITY, doubt), (note, *_beyond(found)))
    inputs = [
        certified(name, AIR[name], column, _uncertainty(name, environment))
        for name, column in zip(AIR, values, strict=True)
    ]
    budget = air_density_budget(*inputs)
    # The same instruments in every cycle: the mean is no better known than the worst of them.
    doubt = float(budget.expanded_uncertainty().combined.max())
    return Air(Component("air density", mean, _DENSITY, doubt), _beyond(found))


def _one(quantity: Quantity | None) -> tuple[Quantity, ...]:
    return () if quantity is None else (quantity,)


def _uncertainty(name: str, environment: Mapping[str, Quantity]) -> float:
    stated = environment[f"{name}_uncertainty"]
    if name == "temperature":
        if stated.unit not in _KELVIN:
            raise Refused(
                "{value} is of another kind of quantity: write it as in {example}.",
                key=f"environment.{name}_uncertainty",
                value=stated,
                example="0.5 K",
            )
        return float(stated.magnitude)
    return float(stated.exactly(AIR[name]))


def _beyond(found: AirDensity) -> tuple[Reason, ...]:
    if not bool(found.beyond.any()):
        return ()
    note = Reason(
        "air-beyond-formula",
        "the air is beyond the published range of {formula}: it is reckoned less certain there.",
        {"formula": str(found.formula)},
    )
    return (note,)
