"""From points that were measured to verdicts with their reasons.

Knows how drafted tests become columns for `verify` and results with reasons. Refuses to know how
an error was found or what the law wants: a routine drafts its tests with limits and clauses.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

import numpy as np

from calibration.decision_rule import DecisionRule, decide
from calibration.draft import DraftPoint, DraftTest, Judged
from calibration.grid import finest_exponent, on_grid
from calibration.risk import specific_risk
from calibration.rounding import reported, significant
from calibration.uncertainty import Budget, ExpandedUncertainty
from calibration.verification import (
    NO_LOWER,
    NO_UPPER,
    PointColumns,
    PointResult,
    Reason,
    TestResult,
    Verdict,
    combined,
    verify,
)


def judge(
    tests: Sequence[DraftTest], rule: DecisionRule = DecisionRule.SIMPLE_ACCEPTANCE
) -> tuple[tuple[TestResult, ...], tuple[Reason, ...]]:
    """Decide every point of one instrument (a batch of one) and say what does not conform.

    A rule with a guard band moves the limits of every point that has an uncertainty.
    """
    decided = _decided(tests)
    results: list[TestResult] = []
    reasons: list[Reason] = []
    for test, verdicts in zip(tests, decided, strict=True):
        evaluated = None if test.budget is None else test.budget.expanded_uncertainty()
        found = [_uncertain(test.budget, evaluated, point) for point in test.points]
        for place, point in enumerate(test.points):
            uncertain = found[place]
            if point.undecided:
                verdicts[place] = Verdict.INDETERMINATE
            elif uncertain is not None and rule is not DecisionRule.SIMPLE_ACCEPTANCE:
                verdicts[place], said = _guarded(rule, test, place, point, uncertain)
                reasons += said
            elif verdicts[place] is Verdict.NONCONFORMING:
                reasons.append(_failure(test, place, point))
        risks = _risks(test.points, verdicts, found)
        points = tuple(map(_point_result, test.points, verdicts, found, risks))
        verdict = combined(verdicts)
        if verdict is Verdict.CONFORMING and test.lacking:
            verdict = Verdict.INDETERMINATE
        reasons.extend(test.lacking)
        results.append(TestResult(test.name, verdict, points, test.conditions))
    return tuple(results), tuple(reasons)


@dataclass(frozen=True, slots=True)
class _Uncertain:
    standard: float
    expanded: float
    k: Decimal
    rows: Callable[[], tuple[Mapping[str, object], ...]]


def _uncertain(
    budget: Budget | None, evaluated: ExpandedUncertainty | None, point: DraftPoint
) -> _Uncertain | None:
    """Take one point's row out of the budget of its test."""
    if budget is None or evaluated is None or point.row is None or point.error is None:
        return None
    row = 0 if evaluated.combined.size == 1 else point.row
    return _Uncertain(
        float(evaluated.combined[row]),
        float(evaluated.expanded[row]),
        significant(float(evaluated.coverage_factor[row]), 3),
        partial(budget.table, point.row),
    )


def _guarded(
    rule: DecisionRule, test: DraftTest, place: int, point: DraftPoint, found: _Uncertain
) -> tuple[Verdict, list[Reason]]:
    """Decide a point whose limits are moved inwards by its expanded uncertainty."""
    if point.error is None:
        return Verdict.INDETERMINATE, []
    decision = decide(rule, point.error, point.lower, point.upper, found.expanded)
    values = {
        "test": test.name,
        "point": place + 1,
        "nominal": _where(test, point),
        "error": _said(point.error, point),
        "uncertainty": _said(reported(found.expanded), point),
        "lower": _said(decision.lower, point),
        "upper": _said(decision.upper, point),
        "clause": point.clause,
        "rule": str(rule),
    }
    reasons = []
    if decision.verdict is Verdict.NONCONFORMING:
        reasons.append(
            Reason(
                "error-beyond-guarded-limit",
                "{test}, point {point} at {nominal}: the error {error} is not within {lower} to "
                "{upper}, the limits guarded by U = {uncertainty} ({clause}).",
                values,
            )
        )
    elif decision.verdict is Verdict.INDETERMINATE:
        reasons.append(
            Reason(
                "uncertainty-too-large",
                "{test}, point {point} at {nominal}: U = {uncertainty} is too large to decide by the "
                "rule {rule!r} ({clause}).",
                values,
            )
        )
    if decision.uncertainty_decides:
        reasons.append(
            Reason(
                "uncertainty-decides",
                "{test}, point {point} at {nominal}: the decision hangs on the last digit of "
                "U = {uncertainty}.",
                values,
            )
        )
    return decision.verdict, reasons


def _decided(tests: Sequence[DraftTest]) -> list[list[Verdict]]:
    """Put all points that have an error onto one grid and verify them together."""
    verdicts = [[Verdict.INDETERMINATE] * len(test.points) for test in tests]
    rows: list[tuple[int, int, Decimal, Decimal | None, Decimal | None]] = []
    for number, test in enumerate(tests):
        for place, point in enumerate(test.points):
            if point.conforms is not None:
                verdicts[number][place] = _verdict(point.conforms)
            elif point.error is not None:
                rows.append((number, place, point.error, point.lower, point.upper))
    exponent = finest_exponent(
        value for row in rows for value in row[2:] if isinstance(value, Decimal)
    )
    zero = Decimal(0)
    lower = on_grid([zero if row[3] is None else row[3] for row in rows], exponent)
    upper = on_grid([zero if row[4] is None else row[4] for row in rows], exponent)
    lower[[row[3] is None for row in rows]] = NO_LOWER
    upper[[row[4] is None for row in rows]] = NO_UPPER
    verified = verify(
        PointColumns(
            error=on_grid([row[2] for row in rows], exponent),
            lower=lower,
            upper=upper,
            test=np.array([row[0] for row in rows], dtype=np.int64),
            instrument=np.zeros(len(rows), dtype=np.int64),
            tests=len(tests),
            instruments=1,
        )
    )
    for (number, place, *_), conforming in zip(rows, verified.conforming.tolist(), strict=True):
        verdicts[number][place] = _verdict(conforming)
    return verdicts


def _verdict(conforming: bool) -> Verdict:
    return Verdict.CONFORMING if conforming else Verdict.NONCONFORMING


def _risks(
    points: Sequence[DraftPoint],
    verdicts: Sequence[Verdict],
    found: Sequence[_Uncertain | None],
) -> list[Decimal | None]:
    """Give the probability that each decision is wrong; None where there is none to give."""
    risks: list[Decimal | None] = [None] * len(points)
    decided = [
        (place, point.error, point.lower, point.upper, uncertain.standard)
        for place, (point, verdict, uncertain) in enumerate(
            zip(points, verdicts, found, strict=True)
        )
        if uncertain is not None
        and uncertain.standard > 0
        and point.error is not None
        and verdict is not Verdict.INDETERMINATE
    ]
    if not decided:
        return risks
    places, error, lower, upper, standard = zip(*decided, strict=True)
    values = specific_risk(
        np.array(error, dtype=np.float64),
        np.array(standard),
        np.array([verdicts[place] is Verdict.CONFORMING for place in places]),
        np.array([-np.inf if limit is None else float(limit) for limit in lower]),
        np.array([np.inf if limit is None else float(limit) for limit in upper]),
    )
    for place, value in zip(places, values.tolist(), strict=True):
        risks[place] = significant(value, 3)
    return risks


def _point_result(
    point: DraftPoint, verdict: Verdict, found: _Uncertain | None, risk: Decimal | None
) -> PointResult:
    accepted = verdict is Verdict.CONFORMING
    return PointResult(
        nominal=point.nominal,
        reference=point.reference,
        indication=point.indication,
        error=point.error,
        lower=point.lower,
        upper=point.upper,
        unit=point.unit,
        verdict=verdict,
        relative_error=point.relative_error,
        expanded_uncertainty=None if found is None else reported(found.expanded),
        k=None if found is None else found.k,
        false_acceptance=risk if accepted else None,
        false_rejection=None if accepted else risk,
        rows=None if found is None else found.rows,
    )


def _failure(test: DraftTest, place: int, point: DraftPoint) -> Reason:
    if point.failure is not None:
        return point.failure
    values = {
        "test": test.name,
        "point": place + 1,
        "nominal": _where(test, point),
        "error": _said(point.error, point),
        "lower": _said(point.lower, point),
        "upper": _said(point.upper, point),
        "clause": point.clause,
    }
    if point.judged is Judged.RANGE:
        return Reason(
            "range-beyond-limit",
            "{test} at {nominal}: the errors differ by {error}, more than {upper} ({clause}).",
            values,
        )
    if point.judged is Judged.CHANGE:
        return Reason(
            "change-too-small",
            "{test}, point {point} at {nominal}: the extra load changed the indication by {error}, "
            "less than {lower} ({clause}).",
            values,
        )
    return Reason(
        "error-beyond-limit",
        "{test}, point {point} at {nominal}: the error {error} is not within {lower} to {upper} "
        "({clause}).",
        values,
    )


def _where(test: DraftTest, point: DraftPoint) -> str:
    """Say what was tested as the sheet calls it: a flow rate, a weight; else the nominal value."""
    names = (test.conditions.get(key) for key in ("flow_rate", "nominal", "identification"))
    return " ".join(filter(None, names)) or _said(point.nominal, point)


def _said(value: Decimal | None, point: DraftPoint) -> str:
    return "-" if value is None else f"{value:f} {point.unit}"
