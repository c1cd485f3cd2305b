"""The reference weight of a comparison: its conventional mass, how well it is known, how good it is.

Knows certificates with a value per nominal, and weights of which only the class is known: those are
their nominal value within the limit of their class. Refuses a weight of which nothing is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from calibration.component import Component, certified, limited
from calibration.refusal import Refused
from calibration.rounding import significant
from calibration.routines.weights_law import MG, WeightClass
from calibration.routines.weights_sheet import WeightTest
from calibration.standard import SHARE, CalibrationPoint, Standard
from calibration.units import PERCENT, Quantity, same_kind
from calibration.verification import Reason

_TWO = 2
"""The coverage factor for which R 111-1:2004 5.2 compares an expanded uncertainty."""


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceWeight:
    """What a comparison needs of its reference weight."""

    standard: Standard
    deviation: Decimal
    """Of its conventional mass from the nominal value [mg]."""
    component: Component
    """Its conventional mass [mg]."""
    drift: Component | None
    """Change since its calibration [mg]; None where its class covers it, or nothing is stated."""
    error: Fraction
    """U (k = 2) of its value, or the limit of a weight without one [mg]."""
    valued: bool
    """A certificate gives its value."""


def reference_weight(
    test: WeightTest, standards: Sequence[Standard], law: WeightClass
) -> ReferenceWeight:
    """Find the reference weight of a test among the standards of its sheet."""
    standard = _chosen(test, standards)
    nominal = test.nominal.to(MG).magnitude
    point = _point(standard, test.nominal)
    correction = None if point is None else point.correction
    if standard.nominal is not None and _equal(standard.nominal, test.nominal):
        correction = standard.correction if correction is None else correction
    if correction is None:
        return _of_class(standard, nominal, law)
    stated = None if point is None else point.expanded_uncertainty
    stated = standard.expanded_uncertainty if stated is None else stated
    if stated is None:
        raise Refused(
            "the value of reference weight {standard} at {nominal} has no uncertainty.",
            key="standards.expanded_uncertainty",
            standard=standard.id,
            nominal=test.nominal,
        )
    deviation = _mass(correction, nominal, standard)
    expanded = _mass(stated, nominal, standard)
    component = certified(
        f"reference weight {standard.id}",
        MG,
        float(nominal + deviation),
        float(expanded),
        coverage_factor=float(standard.coverage_factor),
    )
    error = Fraction(expanded) * _TWO / Fraction(standard.coverage_factor)
    drift = standard.drift if point is None or point.drift is None else point.drift
    change = (
        None
        if drift is None
        else limited(
            f"drift of reference weight {standard.id}", MG, float(_mass(drift, nominal, standard))
        )
    )
    return ReferenceWeight(standard, deviation, component, change, error, valued=True)


def adequacy(
    test: WeightTest, reference: ReferenceWeight, limit: Decimal, law: WeightClass
) -> list[Reason]:
    """Say why a reference weight is not good enough: 3 U > δm, or no better class."""
    clause = law.clause("reference_weight")
    reasons = []
    if SHARE * reference.error > Fraction(limit):
        values = {
            "value": str(test.nominal),
            "error": f"{significant(float(reference.error)):f} {MG}",
            "limit": f"{limit:f} {MG}",
            "clause": clause,
        }
        reasons.append(
            Reason(
                "standard-inadequate",
                "the standards are too coarse at {value}: their error {error} exceeds one third of "
                "the limit {limit} ({clause}).",
                values,
            )
        )
    order = [name.casefold() for name in law.table.classes]
    own = (reference.standard.accuracy_class or "").casefold()
    if own in order and order.index(own) >= order.index(law.name.casefold()):
        reasons.append(
            Reason(
                "reference-class",
                "reference weight {standard} is of class {own}, which is no better than {wanted} "
                "({clause}).",
                {
                    "standard": reference.standard.id,
                    "own": reference.standard.accuracy_class,
                    "wanted": law.name,
                    "clause": clause,
                },
            )
        )
    return reasons


def _chosen(test: WeightTest, standards: Sequence[Standard]) -> Standard:
    fitting = [standard for standard in standards if _realises(standard, test.nominal)]
    if test.reference is not None:
        fitting = [standard for standard in fitting if standard.id == test.reference]
    if not fitting:
        raise Refused(
            "no reference weight of {nominal} is known: name it under [[standards]], with its value.",
            key=f"{test.key}.nominal" if test.reference is None else f"{test.key}.reference",
            nominal=test.nominal,
        )
    if len(fitting) > 1:
        raise Refused(
            "there are reference weights {standards} of {nominal}: name one of them.",
            key=f"{test.key}.reference",
            standards=", ".join(standard.id for standard in fitting),
            nominal=test.nominal,
        )
    return fitting[0]


def _realises(standard: Standard, nominal: Quantity) -> bool:
    values = [standard.nominal, *standard.weights, *(point.nominal for point in standard.points)]
    return any(value is not None and _equal(value, nominal) for value in values)


def _point(standard: Standard, nominal: Quantity) -> CalibrationPoint | None:
    points = (point for point in standard.points if _equal(point.nominal, nominal))
    return next(points, None)


def _equal(value: Quantity, nominal: Quantity) -> bool:
    return same_kind(value.unit, MG) and value.exactly(MG) == nominal.exactly(MG)


def _mass(quantity: Quantity, nominal: Decimal, standard: Standard) -> Decimal:
    """Give a mass of the certificate [mg]; % is of the nominal value."""
    if quantity.unit == PERCENT:
        return quantity.magnitude * nominal.scaleb(-2)
    try:
        return quantity.to(MG).magnitude
    except Refused as refused:
        key = f"standards.{standard.id}"
        raise Refused(refused.template, key=key, **refused.evidence) from None


def _of_class(standard: Standard, nominal: Decimal, law: WeightClass) -> ReferenceWeight:
    """Take a weight without a value as its nominal value within the limit of its class (C.6.2)."""
    if standard.mpe is not None:
        limit = _mass(standard.mpe, nominal, standard)
    elif standard.accuracy_class is not None:
        try:
            limit = WeightClass.of(law.table, standard.accuracy_class).limit(nominal)
        except Refused as refused:
            raise Refused(refused.template, key="standards.class", **refused.evidence) from None
    else:
        raise Refused(
            "reference weight {standard} states neither a value nor a limit nor a class.",
            key="standards",
            standard=standard.id,
        )
    component = limited(
        f"reference weight {standard.id}, nominal value",
        MG,
        float(limit),
        value=float(nominal),
    )
    return ReferenceWeight(standard, Decimal(0), component, None, Fraction(limit), valued=False)
