"""What a comparator showed of weights: differences free of drift, how far they scatter, its own doubt.

Knows weighing cycles on exact counts, the sensitivity weight, pooled standard deviations and what
R 111-1 C.6.4 lists of the comparator. Refuses an indication that this comparator cannot show, and
says what an evaluation of the uncertainty lacks.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

import numpy as np

from calibration.component import (
    Component,
    Distribution,
    Evaluation,
    limited,
    repeatability,
    resolution,
)
from calibration.distributions import Floats, fisher_quantile
from calibration.grid import Counts, finest_exponent, on_grid, plain
from calibration.mass import (
    CycleDifferences,
    aba_differences,
    abba_differences,
    series_differences,
)
from calibration.refusal import Refused
from calibration.routines.weights_law import MG, WeightClass
from calibration.routines.weights_sheet import (
    ABA,
    ABBA,
    CONVENTIONAL_MASS,
    SERIES,
    Spread,
    WeightTest,
)
from calibration.verification import Reason

_DIFFERENCES: Mapping[str, Callable[[Counts], CycleDifferences]] = MappingProxyType(
    {ABBA: abba_differences, ABA: aba_differences, SERIES: series_differences}
)
_SENSITIVITY = "sensitivity of the comparator"
_MAGNETISM = "magnetism of the weights"


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The weighed differences test minus reference of one test."""

    mean: tuple[Fraction, ...]
    """Mean difference of each weight, exact [mg]."""
    exponent: int
    """Of the finest digit that was displayed, trailing zeros not counted."""
    component: Component | None
    """The mean differences with their scatter [mg], shape (weights,); None: scatter not known."""
    further: tuple[Component, ...]
    """Doubt of the comparator itself [mg]."""
    lacking: tuple[Reason, ...]
    complete: bool
    """The uncertainty of the weighings is evaluated in full."""
    uncounted: tuple[str, ...]
    """What is not stated of the comparator and not in the budget."""
    provisional: bool


def compared(test: WeightTest, law: WeightClass) -> Comparison:
    """Find the differences of a test and the uncertainty of the weighings (C.5.1, C.6.1, C.6.4)."""
    _check_digits(test)
    columns = [[q.to(MG).magnitude for q in column] for column in test.weighings]
    exponent = finest_exponent(*([plain(value) for value in column] for column in columns))
    counts = np.stack([on_grid(map(plain, column), exponent) for column in columns], axis=1)
    found = _DIFFERENCES[test.cycle](counts)
    factor = _factor(test)
    unit = factor * Fraction(10) ** exponent
    mean = tuple(difference * unit for difference in found.mean())
    each = found.values(exponent).reshape(test.cycles, -1) * float(factor)
    scatter, out_of_control = _scatter(test, each, mean, law)
    doubtful = list(out_of_control)
    if scatter is None:
        doubtful.append(
            Reason(
                "scatter-unknown",
                "{test} {nominal}: from one cycle no scatter of the weighings is known: weigh more "
                "cycles, or state standard_deviation and degrees_of_freedom (R 111-1 C.6.1).",
                _said(test),
            )
        )
    further, uncounted, unstated = _of_comparator(test, mean, law)
    doubtful += unstated
    return Comparison(
        mean,
        exponent,
        scatter,
        further,
        (*_cycles_lacking(test, law), *doubtful),
        not doubtful,
        uncounted,
        provisional=bool(out_of_control),
    )


def name_of(test: WeightTest) -> str:
    """Name the weight of a test for people: nominal value and marks."""
    return " ".join(filter(None, (str(test.nominal), ", ".join(test.identification))))


def _said(test: WeightTest) -> dict[str, object]:
    return {"test": CONVENTIONAL_MASS, "nominal": name_of(test)}


def _check_digits(test: WeightTest) -> None:
    """Refuse digits that the comparator cannot show."""
    d = test.comparator.d
    if d is None:
        return
    interval = d.exactly(MG)
    for place, column in enumerate(test.weighings):
        for cycle, indication in enumerate(column):
            if indication.exactly(MG) % interval:
                raise Refused(
                    "{indication} cannot be displayed with d = {d}: a typing error?",
                    key=f"{test.key}.{_column(test, place)}[{cycle}]",
                    indication=indication,
                    d=d,
                )


def _column(test: WeightTest, place: int) -> str:
    if place in (0, len(test.weighings) - 1):
        return "A2" if place else "A1"
    return f"B{place}"


def _factor(test: WeightTest) -> Fraction:
    """Give what one unit of indicated difference is worth: m_s / ΔI_s (C.5.1, C.6.4.2)."""
    if test.sensitivity is None:
        return Fraction(1)
    return test.sensitivity.mass.exactly(MG) / test.sensitivity.change.exactly(MG)


def _cycles_lacking(test: WeightTest, law: WeightClass) -> list[Reason]:
    wanted = law.fewest_cycles(test.cycle)
    if test.cycles >= wanted:
        return []
    values = {
        **_said(test),
        "count": test.cycles,
        "wanted": wanted,
        "cycle": test.cycle,
        "name": law.name,
        "clause": law.clause("cycles"),
    }
    return [
        Reason(
            "cycles-too-few",
            "{test} {nominal}: {count} cycles {cycle} were weighed and class {name} wants {wanted} "
            "({clause}).",
            values,
        )
    ]


def _scatter(
    test: WeightTest, each: Floats, mean: tuple[Fraction, ...], law: WeightClass
) -> tuple[Component | None, list[Reason]]:
    """Evaluate the mean differences: s/√n with s pooled from earlier weighings, or of these."""
    name = "weighed difference"
    values = np.array([float(difference) for difference in mean])
    observed = each.std(axis=0, ddof=1) if test.cycles > 1 else None
    pooled = test.spread or test.comparator.spread
    if pooled is None:
        if observed is None:
            return None, []
        found = repeatability(name, MG, observed, observations=test.cycles, value=values)
        return found, []
    s = float(pooled.standard_deviation.exactly(MG))
    found = repeatability(
        name,
        MG,
        s,
        observations=test.cycles,
        dof=float(pooled.degrees_of_freedom),
        value=values,
    )
    return found, _out_of_control(test, observed, s, pooled, law)


def _out_of_control(
    test: WeightTest, observed: Floats | None, s: float, pooled: Spread, law: WeightClass
) -> list[Reason]:
    """Say when these weighings scatter more than the pooled standard deviation allows (D.2)."""
    if observed is None:
        return []
    probability = float(law.asks("precision")["probability"])
    most = fisher_quantile(probability, test.cycles - 1, pooled.degrees_of_freedom)
    worst = float(observed.max())
    if worst * worst <= most * s * s:
        return []
    values = {
        **_said(test),
        "observed": f"{worst:.3g} {MG}",
        "pooled": str(pooled.standard_deviation),
        "clause": law.clause("precision"),
    }
    return [
        Reason(
            "scatter-too-large",
            "{test} {nominal}: the weighings scatter by {observed}, more than the stated standard "
            "deviation {pooled} allows ({clause}).",
            values,
        )
    ]


def _of_comparator(
    test: WeightTest, mean: tuple[Fraction, ...], law: WeightClass
) -> tuple[tuple[Component, ...], tuple[str, ...], list[Reason]]:
    """Evaluate the comparator: resolution of two indications, eccentricity, sensitivity, magnetism."""
    comparator = test.comparator
    found: list[Component] = []
    if comparator.d is not None:
        interval = float(comparator.d.exactly(MG)) * math.sqrt(2)
        found.append(resolution("resolution of the comparator", MG, interval))
    sizes = np.abs(np.array([float(difference) for difference in mean]))
    sensitivity = _sensitivity(test, sizes)
    if sensitivity is not None:
        found.append(sensitivity)
    for name, limit in (
        ("eccentricity of the comparator", comparator.eccentricity),
        (_MAGNETISM, comparator.magnetism),
    ):
        if limit is not None:
            found.append(limited(name, MG, float(limit.exactly(MG))))
    uncounted = [
        name
        for name, lacks in (
            (_SENSITIVITY, sensitivity is None),
            (_MAGNETISM, comparator.magnetism is None),
        )
        if lacks
    ]
    return tuple(found), tuple(uncounted), _unstated(test, law)


def _sensitivity(test: WeightTest, sizes: Floats) -> Component | None:
    """Evaluate the sensitivity: u = |Δ| √((u(m_s)/m_s)² + (u(ΔI_s)/ΔI_s)²), or a stated limit."""
    name = _SENSITIVITY
    weight, limit = test.sensitivity, test.comparator.sensitivity
    if weight is not None:
        mass, change = float(weight.mass.exactly(MG)), float(weight.change.exactly(MG))
        of_mass = float(weight.expanded_uncertainty.exactly(MG)) / 2 / mass
        d = test.comparator.d
        of_change = 0.0 if d is None else float(d.exactly(MG)) / math.sqrt(6) / change
        return Component(
            name,
            0.0,
            MG,
            sizes * math.hypot(of_mass, of_change),
            distribution=Distribution.NORMAL,
            evaluation=Evaluation.B,
        )
    if limit is not None:
        return limited(name, MG, sizes * float(limit.magnitude / Decimal(100)))
    return None


def _unstated(test: WeightTest, law: WeightClass) -> list[Reason]:
    comparator, clause = test.comparator, law.clause("comparator")
    lacking = [
        name
        for name, value in (("d", comparator.d), ("eccentricity", comparator.eccentricity))
        if value is None
    ]
    return [
        Reason(
            "comparator-unstated",
            "{test} {nominal}: {name} of comparator {comparator} is not stated: the uncertainty is "
            "not evaluated in full ({clause}).",
            {**_said(test), "name": name, "comparator": comparator.id, "clause": clause},
        )
        for name in lacking
    ]
