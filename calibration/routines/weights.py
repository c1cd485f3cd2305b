"""The weights routine: the conventional mass of weights against a reference weight (OIML R 111-1).

Knows how a deviation from the nominal value follows from weighed differences, the reference weight
and buoyancy, with its budget, and what an evaluation lacks. Refuses to decide: the decision rule of
R 111-1 5.2 and 5.3 does. Indications stay exact counts; only buoyancy is computed in float64.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

import numpy as np

from calibration.case import Case
from calibration.component import Component, limited
from calibration.draft import DraftPoint, DraftTest, Findings
from calibration.edition import PROVISIONAL
from calibration.grid import plain
from calibration.refusal import Refused
from calibration.rounding import reported, reported_value, rounded_correction
from calibration.routines.weights_buoyancy import Buoyancy, buoyancy_of
from calibration.routines.weights_comparison import Comparison, compared, name_of
from calibration.routines.weights_law import MG, WeightClass
from calibration.routines.weights_reference import ReferenceWeight, adequacy, reference_weight
from calibration.routines.weights_sheet import CONVENTIONAL_MASS, WeightsSheet, WeightTest
from calibration.uncertainty import Budget
from calibration.units import Quantity
from calibration.verification import Reason

STANDARDS_CLAUSE = "R 111-1"
_SPARE = 2
"""Digits kept behind the finest displayed one: halves and quarters of cycles are exact."""
_BELOW_LIMIT = 6
"""Digits kept behind the first of the limit: rounding moves no error by 10^-6 of it."""
_WIDE = Context(prec=80, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What one test came to."""

    draft: DraftTest
    notes: tuple[Reason, ...]
    illegal: tuple[Reason, ...]
    uncounted: tuple[str, ...]
    provisional: bool


def weights_findings(case: Case[WeightsSheet]) -> Findings:
    """Draft every weight with its deviation, limits, budget and what is lacking."""
    law = _law(case)
    found = [_found(case, law, test) for test in case.body.tests]
    lacking = []
    if not found:
        values = {"test": CONVENTIONAL_MASS, "clause": "R 111-1 5"}
        lacking.append(Reason("test-missing", "test {test} is missing ({clause}).", values))
    notes = [note for one in found for note in one.notes]
    for quantity in dict.fromkeys(name for one in found for name in one.uncounted):
        values = {"quantity": quantity, "clause": law.clause("comparator")}
        template = "{quantity} is not stated, and so not in the uncertainty ({clause})."
        notes.append(Reason("not-counted", template, values))
    return Findings(
        tests=tuple(one.draft for one in found),
        lacking=tuple(lacking),
        notes=_once(notes),
        realised=(),
        provisional=case.table.provisional
        or any(sure in PROVISIONAL for sure in law.curve.confidences)
        or any(one.provisional for one in found),
        illegal=_once(reason for one in found for reason in one.illegal),
    )


def _law(case: Case[WeightsSheet]) -> WeightClass:
    table = case.table
    if case.stage not in table.stages:
        raise Refused(
            "{table} has no stage {name!r}: there are {known}.",
            key="stage",
            table=table.name,
            name=case.stage,
            known=", ".join(table.stages),
        )
    try:
        return WeightClass.of(table, case.body.accuracy_class, case.stage)
    except Refused as refused:
        raise Refused(refused.template, key="instrument.class", **refused.evidence) from None


def _found(case: Case[WeightsSheet], law: WeightClass, test: WeightTest) -> _Found:
    nominal = test.nominal.to(MG).magnitude
    try:
        limit = law.limit(nominal)
    except Refused as refused:
        raise Refused(refused.template, key=f"{test.key}.nominal", **refused.evidence) from None
    reference = reference_weight(test, case.standards, law)
    comparison = compared(test, law)
    buoyancy = buoyancy_of(test, reference, case.environment, limit, law)
    drift_lacking = _drift_lacking(test, reference, law)
    errors, rounding = _errors(reference, comparison, buoyancy, limit)
    further = [*([] if reference.drift is None else [reference.drift]), *comparison.further]
    budget = None
    if comparison.component is not None:
        difference = replace(comparison.component, value=np.array(_floats(comparison.mean)))
        budget = buoyancy.budget(reference.component, difference, (*further, *rounding))
    draft = DraftTest(
        CONVENTIONAL_MASS,
        tuple(
            DraftPoint(
                nominal=plain(nominal),
                reference=plain(nominal + reference.deviation),
                error=error,
                lower=-limit,
                upper=limit,
                unit=MG,
                clause=f"R 111-1 {law.curve.clauses[0]}, 5.3",
                row=row,
                undecided=bool(drift_lacking) or not comparison.complete,
            )
            for row, error in enumerate(errors)
        ),
        (*comparison.lacking, *drift_lacking),
        _conditions(test, buoyancy, nominal, errors, budget),
        budget,
    )
    return _Found(
        draft,
        buoyancy.notes,
        tuple(adequacy(test, reference, limit, law)),
        comparison.uncounted,
        comparison.provisional,
    )


def _drift_lacking(test: WeightTest, reference: ReferenceWeight, law: WeightClass) -> list[Reason]:
    if reference.drift is not None or not reference.valued:
        return []
    return [
        Reason(
            "drift-unstated",
            "{test} {nominal}: the drift of reference weight {standard} is not stated: the "
            "uncertainty is not evaluated in full ({clause}).",
            {
                "test": CONVENTIONAL_MASS,
                "nominal": name_of(test),
                "standard": reference.standard.id,
                "clause": law.clause("reference_value"),
            },
        )
    ]


def _errors(
    reference: ReferenceWeight, comparison: Comparison, buoyancy: Buoyancy, limit: Decimal
) -> tuple[list[Decimal], tuple[Component, ...]]:
    """Add up E = (m_cr - m_0) + Δ + C as digits, with what the rounding costs where there is any."""
    exact = [Fraction(reference.deviation) + difference for difference in comparison.mean]
    displayed = min(comparison.exponent, _last_place(plain(reference.deviation)))
    exponent = min(displayed - _SPARE, limit.adjusted() - _BELOW_LIMIT)
    corrections: tuple[Decimal, ...] = (Decimal(0),)
    rounding: list[Component] = []
    if buoyancy.correction:
        name = "rounding of the buoyancy correction"
        rounded = rounded_correction(name, MG, buoyancy.correction, exponent)
        corrections, rounding = rounded.digits(), [rounded.component]
    step = Fraction(10) ** exponent
    counts = [round(value / step) for value in exact]  # half to even
    if any(count * step != value for count, value in zip(counts, exact, strict=True)):
        rounding.append(limited("rounding of the mean difference", MG, float(step / 2)))
    errors = [Decimal(count).scaleb(exponent, _WIDE) + corrections[0] for count in counts]
    return [plain(error) for error in errors], tuple(rounding)


def _conditions(
    test: WeightTest,
    buoyancy: Buoyancy,
    nominal: Decimal,
    errors: list[Decimal],
    budget: Budget | None,
) -> dict[str, str]:
    said = {"nominal": str(test.nominal)}
    if test.identification:
        said["identification"] = ", ".join(test.identification)
    said |= {"cycle": test.cycle, "cycles": str(test.cycles), **buoyancy.conditions}
    if budget is None:
        return said
    expanded = np.broadcast_to(budget.expanded_uncertainty().expanded, (len(errors),))
    masses = []
    for error, u in zip(errors, expanded.tolist(), strict=True):
        masses.append(f"{_in(test.nominal.unit, nominal + error, u)} ± {Quantity(reported(u), MG)}")
    return {**said, "conventional_mass": "; ".join(masses)}


def _in(unit: str, mass: Decimal, u: float) -> Quantity:
    """Give a mass [mg] for people in another unit, to the last digit of its uncertainty."""
    rounded = reported_value(mass, u)
    last = Quantity(Decimal(1).scaleb(_last_place(rounded)), MG).to(unit).magnitude
    return Quantity(Quantity(rounded, MG).to(unit).magnitude.quantize(last), unit)


def _last_place(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _floats(values: Iterable[Fraction]) -> list[float]:
    return [float(value) for value in values]


def _once(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Say the same thing once for a whole set."""
    return tuple({str(reason): reason for reason in reasons}.values())
