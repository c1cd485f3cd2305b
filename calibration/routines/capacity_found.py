"""What a measure of capacity was found to hold in every run of one test, by either method.

Knows the shape of what was found, and the components that both methods share. Refuses to know how
the volume was found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np

from calibration.component import Component, certified, limited, observed, resolution
from calibration.distributions import Floats
from calibration.grid import finest_exponent
from calibration.routines.capacity_sheet import CapacityInstrument, CapacityTest
from calibration.uncertainty import expanded_uncertainty
from calibration.units import Quantity
from calibration.verification import Reason

SET = "level at the mark"
SCATTER = "repeatability"


@dataclass(frozen=True, slots=True, eq=False)
class FoundCapacity:
    """The volume of a measure at its reference temperature."""

    values: tuple[Fraction, ...]
    """Up to the level to which it was filled, one per run [unit of the test]."""
    components: tuple[Component, ...]
    """Of the mean volume, one value each [unit]; empty: the uncertainty is not known."""
    standard: str
    """Id of the balance or standard measure."""
    lacking: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()
    illegal: tuple[Reason, ...] = ()
    conditions: Mapping[str, str] = field(default_factory=dict)
    provisional: bool = False

    def expanded(self) -> float | None:
        """Give U of the volume by the standards, k = 2 [unit]; None when it is not known."""
        if not self.components:
            return None
        known = expanded_uncertainty(
            [component.standard_uncertainty for component in self.components],
            [component.sensitivity for component in self.components],
            [component.dof for component in self.components],
        )
        return 2 * float(known.combined[0])


def averaged(component: Component, factor: float = 1.0) -> Component:
    """Give one component for all runs; what is common to them does not average out."""
    return replace(
        component,
        value=_mean(component.value),
        standard_uncertainty=_mean(component.standard_uncertainty),
        sensitivity=factor * _mean(component.sensitivity),
        dof=float(np.min(np.asarray(component.dof, dtype=np.float64))),
    )


def _mean(values: float | Floats) -> float:
    return float(np.mean(np.asarray(values, dtype=np.float64)))


def expansion_component(instrument: CapacityInstrument) -> Component:
    """Make the component of the expansion of the measure: its U, or half of its last digit."""
    name, gamma = "expansion of the measure", instrument.expansion
    value = float(gamma.exactly("1/K"))
    if instrument.expansion_uncertainty is not None:
        return certified(name, "1/K", value, float(instrument.expansion_uncertainty.exactly("1/K")))
    last = Quantity(Decimal(1).scaleb(finest_exponent([gamma.magnitude])), gamma.unit)
    return limited(name, "1/K", float(last.exactly("1/K")) / 2, value=value)


def of_measure(
    test: CapacityTest, capacities: Sequence[Fraction], unit: str
) -> tuple[Component, ...]:
    """Make the components of the measure itself: its level, and how the runs scatter [unit]."""
    found: list[Component] = []
    width = test.resolution
    if width is None and test.reading:
        last = finest_exponent([reading.magnitude for reading in test.reading])
        width = Quantity(Decimal(1).scaleb(last), test.reading[0].unit)
    if width is not None:
        found.append(resolution(SET, unit, float(width.exactly(unit))))
    if len(capacities) > 1:
        found.append(observed(SCATTER, unit, [float(value) for value in capacities]))
    return tuple(found)


def joined(columns: Sequence[tuple[Component, ...]]) -> tuple[Component, ...]:
    """Put the components of every mark side by side; one that a mark lacks is nothing there."""
    names = dict.fromkeys(component.name for column in columns for component in column)
    found = []
    for name in names:
        rows = [next((c for c in column if c.name == name), None) for column in columns]
        first = next(component for component in rows if component is not None)
        blank = replace(first, value=0.0, standard_uncertainty=0.0, dof=float("inf"))
        each = [blank if component is None else component for component in rows]
        found.append(
            replace(
                first,
                value=np.array([_single(c.value) for c in each]),
                standard_uncertainty=np.array([_single(c.standard_uncertainty) for c in each]),
                sensitivity=np.array([_single(c.sensitivity) for c in each]),
                dof=np.array([_single(c.dof) for c in each]),
            )
        )
    return tuple(found)


def _single(values: object) -> float:
    return float(np.asarray(values, dtype=np.float64).reshape(-1)[0])
