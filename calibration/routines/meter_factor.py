"""The meter factor: what an indication is multiplied by to give the volume.

Knows the factor of each flow rate and of all, with its uncertainty. It is a proposal for whoever
adjusts the meter: refuses to take part in any verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from calibration.component import Component, observed
from calibration.distributions import Floats
from calibration.rounding import reported, reported_value, significant
from calibration.uncertainty import Budget, ExpandedUncertainty

_DIGITS = 6
"""Significant digits of a factor whose uncertainty is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class MeterFactor:
    """MF = mean of V(reference)/V(indicated) over the runs of a flow rate."""

    value: float
    standard: float | None
    """Standard uncertainty that the runs have in common: of the reference [1]; None: not known."""
    random: tuple[Component, ...]
    """What differs from run to run: repeatability, and the digit of the indication."""

    def budget(self) -> Budget | None:
        """Give the budget of the factor; None when the reference's uncertainty is not known."""
        if self.standard is None:
            return None
        own = Component("reference", self.value, "1", self.standard)
        return Budget("meter factor", self.value, "1", (own, *self.random))

    def __str__(self) -> str:
        """Write value, U and k."""
        budget = self.budget()
        return _written(self.value, None if budget is None else budget.expanded_uncertainty())


def meter_factor(
    references: Sequence[Decimal],
    indications: Sequence[Decimal],
    uncertainties: Floats | None,
    interval: float,
) -> MeterFactor | None:
    """Find the factor of one flow rate; None where an indication is 0.

    ``uncertainties`` u(V) of the references [their unit], shape (runs,), taken as common to all
    runs; None when not known; ``interval`` of the meter's indication [same unit].
    """
    if not all(indications):
        return None
    reference, shown = (np.array([float(v) for v in side]) for side in (references, indications))
    ratios = reference / shown
    value = float(ratios.mean())
    digit = interval / np.sqrt(12) * float((ratios / shown).mean())
    random: tuple[Component, ...] = (Component("digit of the indication", 0.0, "1", digit),)
    if ratios.size > 1:
        random = (observed("repeatability", "1", ratios, sensitivity=1.0), *random)
    common = None if uncertainties is None else float((uncertainties / shown).mean())
    return MeterFactor(value, common, random)


def overall(factors: Sequence[MeterFactor]) -> str:
    """Write the mean factor of all flow rates; what the references have in common does not shrink."""
    many = len(factors)
    value = sum(factor.value for factor in factors) / many
    known = [factor.standard for factor in factors if factor.standard is not None]
    if len(known) < many:
        return _written(value, None)
    own = Component("reference", value, "1", sum(known) / many)
    random = [
        Component(
            component.name,
            component.value,
            "1",
            component.standard_uncertainty,
            1 / many,
            component.dof,
            component.distribution,
            component.evaluation,
        )
        for factor in factors
        for component in factor.random
    ]
    budget = Budget("meter factor", value, "1", (own, *random))
    return _written(value, budget.expanded_uncertainty())


def _written(value: float, found: ExpandedUncertainty | None) -> str:
    if found is None or not float(found.expanded[0]):
        return f"{significant(value, _DIGITS)}"
    u: Any = float(found.expanded[0])
    k = significant(float(found.coverage_factor[0]), 3)
    return f"{reported_value(Decimal(repr(value)), u):f} ± {reported(u):f} (k = {k:f})"
