"""Air buoyancy in a comparison of weights: the correction, and what doubt of densities costs.

Knows where the density of a weight comes from (stated, of a material, of a class), and the budget
of a conventional mass, the product of two doubts included. Refuses a bound where a class wants the
correction.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from calibration.air import REFERENCE_AIR_DENSITY
from calibration.component import Component, Distribution, certified, limited
from calibration.mass import REFERENCE_DENSITY, buoyancy_correction, comparison_budget
from calibration.refusal import Refused
from calibration.routines.weights_air import air_of
from calibration.routines.weights_law import MG, WeightClass
from calibration.routines.weights_reference import ReferenceWeight
from calibration.routines.weights_sheet import CONVENTIONAL_MASS, Material, WeightTest
from calibration.uncertainty import Budget
from calibration.units import Quantity, parse_quantity
from calibration.verification import Reason

_DENSITY = "kg/m³"


BudgetOf = Callable[[Component, Component, tuple[Component, ...]], Budget]
"""Makes the budget of a conventional mass from reference weight, difference and what is further."""


@dataclass(frozen=True, slots=True, eq=False)
class Buoyancy:
    """What buoyancy adds to a weighed difference."""

    correction: float
    """[mg]"""
    budget: BudgetOf
    notes: tuple[Reason, ...]
    conditions: Mapping[str, str] = field(default_factory=dict)
    """What is printed with the test."""


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    """The density of one weight, or how far its class lets it be from 8000 kg/m³."""

    component: Component
    """[kg/m³]; certain where only the class is known, the doubt is then in ``bound``."""
    bound: Decimal = Decimal(0)
    """Largest error by air as far from 1.2 kg/m³ as the law reckons with [mg]."""
    notes: tuple[Reason, ...] = ()


def buoyancy_of(
    test: WeightTest,
    reference: ReferenceWeight,
    environment: Mapping[str, Quantity],
    limit: Decimal,
    law: WeightClass,
) -> Buoyancy:
    """Correct a comparison for buoyancy, or take a stated bound of it (class M).

    ``limit`` δm of the weight under test [mg]. OIML R 111-1:2004 C.5.1, C.6.3.
    """
    if test.buoyancy_limit is not None:
        return _bounded(test, test.buoyancy_limit, law)
    nominal = test.nominal.to(MG).magnitude
    mass = float(nominal + reference.deviation)
    air = air_of(test, environment, law)
    of_test = _density_of_test(test.material, limit, law)
    of_reference = _density_of_reference(reference, nominal, law)
    rows = (air.component, of_test.component, of_reference.component)
    correction = buoyancy_correction(mass, *(row.value for row in rows))
    left_out = _doubts(air.component, of_test, of_reference, mass, law)

    def budget(weight: Component, difference: Component, further: tuple[Component, ...]) -> Budget:
        return comparison_budget(weight, difference, *rows, further=(*left_out, *further))

    return Buoyancy(
        float(correction),
        budget,
        (*air.notes, *of_test.notes, *of_reference.notes),
        {"air_density": f"{float(air.component.value):.4f} kg/m³"},
    )


def _bounded(test: WeightTest, bound: Quantity, law: WeightClass) -> Buoyancy:
    clause = law.clause("air_density")
    if law.name in law.asks("air_density")["measured"]:
        raise Refused(
            "class {name} wants buoyancy corrected, not bounded ({clause}).",
            key=f"{test.key}.buoyancy_limit",
            name=law.name,
            clause=clause,
        )
    row = limited("buoyancy, not corrected", MG, float(bound.exactly(MG)))

    def budget(weight: Component, difference: Component, further: tuple[Component, ...]) -> Budget:
        value = np.asarray(weight.value + difference.value)
        return Budget(CONVENTIONAL_MASS, value, MG, (weight, difference, row, *further))

    note = Reason(
        "buoyancy-bounded",
        "buoyancy was not corrected: it is stated to lie within ±{bound} ({clause}).",
        {"bound": str(bound), "clause": clause},
    )
    return Buoyancy(0.0, budget, (note,))


def _density_of_test(material: Material, limit: Decimal, law: WeightClass) -> Density:
    """Find the density of the weight under test: stated, of its material, or of its class."""
    name = "density of the weight under test"
    if material.density is not None and material.density_uncertainty is not None:
        return _stated(name, material.density, material.density_uncertainty, 2.0)
    if material.name is not None:
        known: Mapping[str, Any] = law.asks("assumed_density")["materials"]
        if material.name not in known:
            raise Refused(
                "{value!r} is none of {known}.",
                key=f"{material.key}.material",
                value=material.name,
                known=", ".join(known),
            )
        density, expanded = (parse_quantity(text) for text in known[material.name])
        return _stated(name, density, expanded, 2.0)
    return _of_class(name, limit, law)


def _density_of_reference(
    reference: ReferenceWeight, nominal: Decimal, law: WeightClass
) -> Density:
    """Find the density of the reference weight: of its certificate, or of its class."""
    name, standard = "density of the reference weight", reference.standard
    if standard.density is not None:
        if standard.density_uncertainty is None:
            raise Refused(
                "the density of reference weight {standard} has no uncertainty.",
                key="standards.density_uncertainty",
                standard=standard.id,
            )
        k = float(standard.coverage_factor)
        return _stated(name, standard.density, standard.density_uncertainty, k)
    if standard.accuracy_class is None:
        raise Refused(
            "reference weight {standard} states neither its density nor its class.",
            key="standards.density",
            standard=standard.id,
        )
    try:
        own = WeightClass.of(law.table, standard.accuracy_class)
        limit = own.limit(nominal)
    except Refused as refused:
        raise Refused(refused.template, key="standards.class", **refused.evidence) from None
    return _of_class(name, limit, own)


def _doubts(
    air: Component, test: Density, reference: Density, mass: float, law: WeightClass
) -> tuple[Component, ...]:
    """Give what the first order leaves out of the budget [mg].

    u = m u(ρ_a) √(u²(1/ρ_t) + u²(1/ρ_r)): the variance of a product of two independent doubts. And
    for a density known only by its class, the bound of 10.2.1 scaled to this air, rectangular.
    OIML R 111-1:2004 10.2.1, C.6.3; JCGM 100:2008 5.1.2 note.
    """
    doubt = float(air.standard_uncertainty)
    volumes = [_inverse_doubt(density.component) for density in (test, reference)]
    product = mass * doubt * math.hypot(*volumes)
    found = []
    if product > 0:
        found.append(Component("air and weight densities together", 0.0, MG, product))
    requirement = law.asks("density")
    most = REFERENCE_AIR_DENSITY * float(requirement["air_deviation_percent"]) / 100
    away = math.hypot(float(air.value) - REFERENCE_AIR_DENSITY, doubt) / most
    for density in (test, reference):
        if density.bound:
            name = f"{density.component.name}, within its class"
            found.append(limited(name, MG, float(density.bound) * away))
    return tuple(found)


def _stated(name: str, density: Quantity, expanded: Quantity, k: float) -> Density:
    value, doubt = (float(quantity.exactly(_DENSITY)) for quantity in (density, expanded))
    return Density(certified(name, _DENSITY, value, doubt, coverage_factor=k))


def _of_class(name: str, limit: Decimal, law: WeightClass) -> Density:
    note = Reason(
        "density-of-class",
        "{quantity} is not stated: any that class {name} allows is reckoned with ({clause}).",
        {"quantity": name, "name": law.name, "clause": law.clause("density")},
    )
    component = Component(
        name, REFERENCE_DENSITY, _DENSITY, 0.0, distribution=Distribution.RECTANGULAR
    )
    return Density(component, limit / law.asks("density")["largest_part_of_limit"], (note,))


def _inverse_doubt(density: Component) -> float:
    """Give u(1/ρ) = u(ρ)/ρ² [m³/kg]."""
    return float(density.standard_uncertainty) / float(density.value) ** 2
