"""The uncertainty of each error of a weighing instrument, as a budget over the points of a test.

Knows weights, their drift and buoyancy, the reading at the load and at zero, substitution and
repeatability. Leaves out what belongs to the instrument (eccentricity of the load, temperature)
and convection, which needs the temperature of the weights. Moves no verdict (simple acceptance).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from calibration.air import REFERENCE_AIR_DENSITY, air_density
from calibration.case import Case
from calibration.component import Component, certified, limited, repeatability, resolution
from calibration.distributions import Floats
from calibration.mass import REFERENCE_DENSITY
from calibration.refusal import Refused
from calibration.routines.weighing_law import requirement
from calibration.routines.weighing_observed import Observed, Weighings
from calibration.routines.weighing_realised import Portions
from calibration.routines.weighing_scale import WeighingRange
from calibration.routines.weighing_sheet import Indicating, WeighingSheet
from calibration.routines.weighing_weights import WeighingStandards
from calibration.uncertainty import Budget
from calibration.units import PERCENT

_AIR = ("temperature", "pressure", "humidity")


@dataclass(frozen=True, slots=True, eq=False)
class Evaluator:
    """What the budgets of all tests of a sheet share."""

    weighings: Weighings
    standards: WeighingStandards
    portions: Portions
    air: float | None
    """Density of the air [kg/m³]; None where the sheet does not state what it takes."""

    @classmethod
    def of(
        cls,
        case: Case[WeighingSheet],
        weighings: Weighings,
        standards: WeighingStandards,
        portions: Portions,
    ) -> "Evaluator":
        """Find the density of the air from the environment of the sheet."""
        return cls(weighings, standards, portions, _air_density(case))

    def budget(self, seen: Observed) -> Budget | None:
        """Make the budget of the errors of a test; None where nothing is known of its standards."""
        if not (self.standards.assessed and seen.known.any()):
            return None
        components = [
            *self._weights(seen),
            *self._buoyancy(seen),
            *self._readings(seen),
            *self._repeatability(seen),
        ]
        kept = tuple(row for row in components if np.any(np.asarray(row.standard_uncertainty) > 0))
        if not kept:
            return None
        scale = self.weighings.scale
        value = np.asarray(self.weighings.corrected(seen) * 10.0**scale.exponent, dtype=np.float64)
        return Budget("error of indication", value, scale.unit, kept)

    def _weights(self, seen: Observed) -> Iterator[Component]:
        unit = self.weighings.scale.unit
        parts = self.portions.parts(seen)
        rows = {(p.standard.id, p.by_uncertainty): p.standard for point in parts for p in point}
        for (name, by_uncertainty), standard in rows.items():
            error = np.array(
                [
                    sum(
                        float(part.error)
                        for part in point
                        if (part.standard.id, part.by_uncertainty) == (name, by_uncertainty)
                    )
                    for point in parts
                ]
            )
            if by_uncertainty:
                k = float(standard.coverage_factor)
                yield certified(f"weights {name}", unit, 0.0, error, coverage_factor=k)
            else:
                yield limited(f"weights {name}, largest error", unit, error)
        loads = self._loads(seen)
        drift: Floats
        for standard in {standard.id: standard for standard in rows.values()}.values():
            if standard.drift is None:
                continue
            if standard.drift.unit == PERCENT:
                drift = np.asarray(loads * float(standard.drift.magnitude) / 100)
            else:
                drift = np.asarray((loads > 0) * float(standard.drift.to(unit).magnitude))
            yield limited(f"drift of weights {standard.id}", unit, drift)

    def _buoyancy(self, seen: Observed) -> Iterator[Component]:
        """State the buoyancy of the weights, for which no load is corrected, as a limit."""
        used = {
            part.standard.id: part.standard for point in self.portions.parts(seen) for part in point
        }
        densities = [standard.density for standard in used.values()]
        if self.air is None or not densities or None in densities:
            return
        away = max(
            abs(1 / float(density.to("kg/m³").magnitude) - 1 / REFERENCE_DENSITY)
            for density in densities
            if density is not None
        )
        share = abs(self.air - REFERENCE_AIR_DENSITY) * away
        yield limited(
            "buoyancy of the weights", self.weighings.scale.unit, self._loads(seen) * share
        )

    def _readings(self, seen: Observed) -> Iterator[Component]:
        unit, zero = self.weighings.scale.unit, self.weighings.zero(seen)
        here = [self._reading(seen, place) for place in range(seen.load.size)]
        name = _READING[self._kind(seen)]
        yield resolution(f"{name} at the load", unit, np.array(here))
        steps = self.portions.steps(seen)
        if steps.any():
            # Standards and material are brought to the same indication: two readings a step.
            at_steps = np.sqrt(2 * steps) * np.array(here)
            yield resolution(f"{name} at the substitutions", unit, at_steps)
        if zero is not None:
            at_zero = np.full(seen.load.size, self._reading(zero.source, zero.place))
            if zero.source is seen:
                at_zero[zero.place] = 0
            yield resolution(f"{_READING[self._kind(zero.source)]} at zero", unit, at_zero)

    def _repeatability(self, seen: Observed) -> Iterator[Component]:
        found = self.deviation(seen.within)
        if found is None:
            return
        s, n = found
        steps = self.portions.steps(seen)
        yield repeatability(
            "repeatability",
            self.weighings.scale.unit,
            s * np.sqrt(1.0 + 2 * steps),
            observations=1,
            dof=n - 1.0,
        )

    def deviation(self, within: WeighingRange) -> tuple[float, int] | None:
        """Give the largest experimental standard deviation of a range [unit], and its weighings."""
        scale = self.weighings.scale
        series = [
            (float(np.std(seen.error * 10.0**scale.exponent, ddof=1)), int(seen.error.size))
            for seen in self.weighings.of("repeatability", within)
            if seen.known.all() and seen.error.size > 1
        ]
        return max(series, default=None)

    def _kind(self, seen: Observed) -> Indicating | str:
        if seen.test.added_load is not None:
            return "added_load"
        return self.weighings.scale.instrument.indicating

    def _reading(self, seen: Observed, place: int) -> float:
        """Give the width within which the indication prior to rounding is known [unit]."""
        scale, table = self.weighings.scale, self.weighings.table
        one = seen.partial(scale, place)
        kind = self._kind(seen)
        if kind == "added_load":
            return float(requirement(table, "added_load").number("step") * one.e)
        if kind is Indicating.DIGITAL:
            return float(one.d)
        if kind is Indicating.ANALOGUE:
            reading = scale.instrument.reading
            if reading is not None:
                return float(reading.to(scale.unit).magnitude)
            return 2 * float(requirement(table, "reading").number("inaccuracy") * one.e)
        law = requirement(table, "discrimination_non_self_indicating")
        return 2 * float(law.number("extra") * scale.value(seen.limit[place]))

    def _loads(self, seen: Observed) -> Floats:
        return np.asarray(seen.load * 10.0**self.weighings.scale.exponent)


_READING = {
    "added_load": "step of ΔL",
    Indicating.DIGITAL: "digit of the indication",
    Indicating.ANALOGUE: "reading by eye",
    Indicating.NON_SELF_INDICATING: "equilibrium",
}


def _air_density(case: Case[WeighingSheet]) -> float | None:
    stated = [case.environment.get(name) for name in _AIR]
    if None in stated:
        return None
    t, p, h = (
        float(quantity.to(unit).magnitude)
        for quantity, unit in zip(stated, ("°C", "hPa", PERCENT), strict=True)
        if quantity is not None
    )
    try:
        return float(air_density(t, p, h).density[0])
    except Refused:
        return None  # outside every formula: the component is left out, and the budget shows it
