"""Several indications at one load, judged together: mean, standard deviation, deviations, preset.

Knows that a standard deviation is compared by its square. Means and squares stay fractions; nothing
passes a float before the decision.
"""

from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np

from calibration.component import Component
from calibration.draft import DraftPoint
from calibration.grid import plain
from calibration.refusal import Refused
from calibration.routines.exact_points import mean, printed
from calibration.routines.general_job import Job, Measured, realised
from calibration.routines.general_reference import Referenced, indicated, referenced, scattered
from calibration.routines.general_sheet import GeneralTest
from calibration.uncertainty import Budget
from calibration.verification import Reason

_PRINTED = 28
"""Digits of a root before it is printed."""


def mean_error(job: Job) -> Measured:
    """E = mean of the indications - R: the mean error at one load."""
    test = job.test
    (reference,), found = _one_reference(job)
    shown = [indication.exactly(test.unit) for indication in test.indication]
    _several(test, "indication", len(shown))
    limit, magnitude = job.limit(0, reference, reference)
    error = mean(shown) - reference
    known = bool(found.components)
    point = job.point(
        limit,
        magnitude,
        error,
        0,
        reference=reference,
        indication=mean(shown),
        row=0 if known else None,
    )
    budget = None
    if known:
        own = (scattered(shown, test.unit), indicated(test), *found.components)
        budget = Budget("mean error", float(error), test.unit, own)
    met = realised(found, (reference,), [magnitude], test.unit)
    return Measured((point,), (limit,), budget, met, found.standard, found.illegal)


def standard_deviation(job: Job) -> Measured:
    """s of the indications at one load, compared as s² with the square of the limit."""
    test = job.test
    (reference,), found = _one_reference(job)
    shown = [indication.exactly(test.unit) for indication in test.indication]
    _several(test, "indication", len(shown))
    limit, magnitude = job.limit(0, reference, reference)
    average = mean(shown)
    variance = sum(((value - average) ** 2 for value in shown), Fraction(0)) / (len(shown) - 1)
    conforms = variance <= magnitude**2
    upper = printed(magnitude)
    values = {
        "load": f"{printed(reference):f} {test.unit}",
        "deviation": f"{_root(variance, upper, conforms):f} {test.unit}",
        "limit": f"{upper:f} {test.unit}",
        "clause": limit.clause,
    }
    failure = Reason(
        "deviation-beyond-limit",
        "the standard deviation at {load} is {deviation}, more than {limit} ({clause}).",
        values,
    )
    point = DraftPoint(
        nominal=printed(reference),
        error=_root(variance, upper, conforms),
        lower=None,
        upper=upper,
        unit=test.unit,
        clause=limit.clause,
        reference=printed(reference),
        conforms=conforms,
        failure=failure,
    )
    return Measured((point,), (limit,), None, (), found.standard, found.illegal)


def deviations(job: Job) -> Measured:
    """Of every fill m - mean, at the mean of the fills, weighed by the standard."""
    test = job.test
    if test.reference:
        raise Refused(
            "each fill is compared with the mean of the fills: leave the reference out.",
            key=f"{test.key}.reference",
        )
    _several(test, "indication", len(test.indication))
    found = referenced(test, "indication", test.indication, job.standards)
    average = mean(found.values)
    limit, magnitude = job.limit(0, average, average)
    points = tuple(
        job.point(
            limit,
            magnitude,
            fill - average,
            row,
            reference=average,
            indication=fill,
        )
        for row, fill in enumerate(found.values)
    )
    met = realised(found, (average,), [magnitude], test.unit)
    return Measured(points, (limit,), None, met, found.standard, found.illegal)


def preset_error(job: Job) -> Measured:
    """E = preset value - mean of the fills, which the standard weighed."""
    test = job.test
    if len(test.indication) != 1:
        raise Refused("the preset value is one indication.", key=f"{test.key}.indication")
    _several(test, "reference", len(test.reference))
    found = referenced(test, "reference", test.reference, job.standards)
    average, preset = mean(found.values), test.indication[0].exactly(test.unit)
    limit, magnitude = job.limit(0, average, average)
    known = bool(found.components)
    point = job.point(
        limit,
        magnitude,
        preset - average,
        0,
        reference=average,
        indication=preset,
        row=0 if known else None,
    )
    budget = None
    if known:
        own = tuple(_first(component) for component in found.components)
        scatter = scattered(found.values, test.unit, -1.0)
        budget = Budget("preset error", float(preset - average), test.unit, (scatter, *own))
    met = realised(found, (average,), [magnitude], test.unit)
    return Measured((point,), (limit,), budget, met, found.standard, found.illegal)


def _one_reference(job: Job) -> tuple[tuple[Fraction, ...], Referenced]:
    test = job.test
    if len(test.reference) != 1 or len(test.at) > 1:
        raise Refused(
            "several indications at one load are judged together: one reference, one test for each "
            "load.",
            key=f"{test.key}.reference",
        )
    found = referenced(test, "reference", test.reference, job.standards)
    return found.values, found


def _several(test: GeneralTest, name: str, count: int) -> None:
    if count < 2:
        raise Refused("at least 2 values are wanted here.", key=f"{test.key}.{name}")


def _first(component: Component) -> Component:
    """Take the first row of a component that is common to all rows."""
    return replace(
        component,
        value=_at(component.value),
        standard_uncertainty=float(np.max(np.asarray(component.standard_uncertainty))),
        sensitivity=_at(component.sensitivity),
        dof=_at(component.dof),
    )


def _at(values: object) -> float:
    return float(np.asarray(values, dtype=np.float64).reshape(-1)[0])


def _root(variance: Fraction, limit: Decimal, conforms: bool) -> Decimal:
    """Print a standard deviation with as many digits as say what was decided of its square."""
    with localcontext() as context:
        context.prec = _PRINTED
        root = (Decimal(variance.numerator) / Decimal(variance.denominator)).sqrt()
    for digits in (4, 8, 16):
        shown = root if not root else round(root, digits - 1 - root.adjusted())
        if (shown <= limit) == conforms:
            return plain(shown)
    return plain(limit if conforms else root)
