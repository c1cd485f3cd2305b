"""Rules over all points of an instrument: the same sign, a weighted mean error, every zone tested.

Knows the words in which a table's file states them. Zones are those of another quantity (a flow rate,
a current), which end at the instrument's own characteristics.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from calibration.case import Case
from calibration.draft import DraftTest
from calibration.edition import PROVISIONAL
from calibration.limit_curve import said
from calibration.limit_rules import characteristics_of
from calibration.refusal import Refused
from calibration.routines.exact_limits import AskedTable, cited, requirement_clause, stated
from calibration.routines.exact_points import exact_point, mean, printed
from calibration.routines.general_job import Measured
from calibration.routines.general_rules import Ruled
from calibration.routines.general_sheet import GeneralSheet, GeneralTest
from calibration.rules.characteristics import Given
from calibration.rules.question import find_class
from calibration.units import PERCENT
from calibration.verification import Reason

_HUNDRED = 100


@dataclass(frozen=True, slots=True, eq=False)
class JudgedTest:
    """One test that was drafted."""

    test: GeneralTest
    asked: AskedTable
    came: Measured
    accuracy_class: str


def same_sign(case: Case[GeneralSheet], judged: Sequence[JudgedTest]) -> Ruled:
    """Want smaller errors where all of a zone have the same sign, as exact ratios."""
    wanted = stated(case.table, "same_sign")
    percent = _of_class(case, wanted)
    if percent is None:
        return Ruled()
    low, high = (_place(case, wanted[end], judged) for end in ("from", "upto"))
    shares = [share for at, share in _shares(judged) if low <= at <= high]
    if not shares or not (all(s > 0 for s in shares) or all(s < 0 for s in shares)):
        return Ruled()
    largest = max(map(abs, shares))
    clause = requirement_clause(case.table, "same_sign")
    values = {
        "low": wanted["from"],
        "high": wanted["upto"],
        "largest": f"{printed(largest):.4g} %",
        "limit": f"{percent} %",
        "clause": clause,
    }
    if case.stage not in wanted["stages"]:
        note = Reason(
            "same-sign-other-stage",
            "all errors from {low} to {high} have the same sign, the largest is {largest}: the rule is "
            "not stated for this stage and was not used ({clause}).",
            values,
        )
        return Ruled(notes=(note,))
    failure = Reason(
        "same-sign-large",
        "all errors from {low} to {high} have the same sign, and the largest is {largest}, more than "
        "{limit} ({clause}).",
        values,
    )
    point = exact_point(
        error=largest,
        lower=None,
        upper=Fraction(percent),
        unit=PERCENT,
        clause=clause,
        failure=failure,
    )
    return Ruled((DraftTest("same-sign", (point,)),), provisional=_unsure(wanted))


def weighted_mean(case: Case[GeneralSheet], judged: Sequence[JudgedTest]) -> Ruled:
    """Want Σ k E / Σ k within its limit, k by the flow rate, as the table's file states it."""
    wanted = stated(case.table, "weighted_mean_error")
    percent = _of_class(case, wanted)
    if percent is None or case.stage not in wanted["stages"]:
        return Ruled()
    clause = requirement_clause(case.table, "weighted_mean_error")
    by_rate: dict[Fraction, list[Fraction]] = {}
    for at, share in _shares(judged):
        by_rate.setdefault(at, []).append(share)
    if len(by_rate) < 2:
        note = Reason(
            "weighted-mean-not-judged",
            "the weighted mean error was not judged: it is one over several values ({clause}).",
            {"clause": clause},
        )
        return Ruled(notes=(note,))
    whole = _place(case, wanted["of"], judged)
    weights = {at: _weight(wanted["weights"], at / whole) for at in by_rate}
    total = sum(weights.values(), Fraction(0))
    error = sum((weights[at] * mean(each) for at, each in by_rate.items()), Fraction(0)) / total
    limit = Fraction(percent)
    failure = Reason(
        "weighted-mean-large",
        "the weighted mean error {error} is not within {limit} ({clause}).",
        {"error": f"{printed(error):.4g} %", "limit": f"±{percent} %", "clause": clause},
    )
    point = exact_point(
        error=error, lower=-limit, upper=limit, unit=PERCENT, clause=clause, failure=failure
    )
    return Ruled((DraftTest("weighted-mean-error", (point,)),), provisional=_unsure(wanted))


def _weight(zones: Sequence[Mapping[str, Any]], share: Fraction) -> Fraction:
    for zone in zones:
        if share <= Fraction(zone["upto"]):
            return Fraction(zone["constant"]) + Fraction(zone["slope"]) * share
    raise Refused("no weight is stated for a share of {share}.", share=float(share))


def zones_tested(case: Case[GeneralSheet], judged: Sequence[JudgedTest]) -> Iterator[Reason]:
    """Want a point in every zone of limits that the instrument itself has.

    Zones over another quantity (flow rate, current) end at the instrument's own characteristics; bands
    of the measured value need not be all within its range. A zone of a limit divided by the value
    is not asked for: it is that of starting.
    """
    zones: dict[tuple[str, int], AskedTable] = {}
    tested: set[tuple[str, int]] = set()
    for entry in judged:
        curve = entry.asked.curve
        if not curve.relative:
            continue
        for band in range(len(curve.constants)):
            starting = curve.reciprocals and curve.reciprocals[band]
            unstated = curve.lacking and curve.lacking[band]
            if not starting and not unstated:
                zones.setdefault((entry.accuracy_class, band), entry.asked)
        tested |= {(entry.accuracy_class, limit.band) for limit in entry.came.limits}
    for key, asked in zones.items():
        if key not in tested:
            curve, band = asked.curve, key[1]
            low = curve.least if band == 0 else curve.bounds[band - 1]
            high = f"{said(curve.bounds[band])} {curve.unit}" if band < len(curve.bounds) else "∞"
            yield Reason(
                "zone-missing",
                "no point was tested from {low} to {high} ({clause}).",
                {
                    "low": f"{said(low)} {curve.unit}",
                    "high": high,
                    "clause": cited(case.table, curve.clauses[band]),
                },
            )


def _of_class(case: Case[GeneralSheet], wanted: Mapping[str, Any]) -> Any:
    """Give the number of a rule for the class of the instrument; None where it has none."""
    if not wanted or not case.body.tests:
        return None
    key = find_class(case.table, case.body.instrument.accuracy_class).key
    return wanted.get("percent", {}).get(key)  # a rule in other words is another routine's


def _shares(judged: Sequence[JudgedTest]) -> Iterator[tuple[Fraction, Fraction]]:
    """Give the value at which each row was done [unit of the curve] and its error [%], exactly."""
    for entry in judged:
        test, came = entry.test, entry.came
        for row, (error, reference) in enumerate(zip(came.errors, came.references, strict=True)):
            if not test.at or not reference:
                continue
            at = test.at[row if len(test.at) > 1 else 0]
            yield at.exactly(entry.asked.curve.unit), _HUNDRED * error / reference


def _place(case: Case[GeneralSheet], name: str, judged: Sequence[JudgedTest]) -> Fraction:
    """Find a characteristic of the instrument on the axis of values."""
    accuracy_class = case.body.instrument.accuracy_class
    known = characteristics_of(case.table, accuracy_class)
    unit = judged[0].asked.curve.unit
    given = Given(case.table.name, known, case.body.instrument.characteristics)
    return given.above_zero(name, unit)


def _unsure(wanted: Mapping[str, Any]) -> bool:
    return wanted["confidence"] in PROVISIONAL
