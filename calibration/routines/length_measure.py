"""The length-measure routine: tapes, rules and depth tapes (OIML R 35-1).

Knows errors at marks, of the distances between them and of consecutive intervals, and under which
force and temperature a measure holds its length. Refuses to decide: it drafts points with errors
and limits.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from calibration.case import Case
from calibration.draft import DraftPoint, DraftTest, Findings
from calibration.grid import off_grid
from calibration.refusal import Refused
from calibration.rounding import rounded_up
from calibration.routines.exact_limits import (
    AskedTable,
    cited,
    requirement_clause,
    stated,
)
from calibration.routines.exact_points import exact_point, printed
from calibration.routines.length_certificate import UNIT
from calibration.routines.length_distances import (
    between_marks,
    interval_differences,
    length_limit,
)
from calibration.routines.length_reference import FoundLengths, lengths
from calibration.routines.length_sheet import INTERVALS, MARKS, LengthSheet, LengthTest
from calibration.routines.marked_temperature import marked_temperature
from calibration.standard import Realised
from calibration.units import parse_quantity
from calibration.verification import Reason

STANDARDS_CLAUSE = "R 35"
CONDITIONS = "reference_conditions"
_BELOW = 4
"""A computed correction is rounded so many digits below the first digit of the smallest limit."""


@dataclass(slots=True)
class _Found:
    tests: list[DraftTest] = field(default_factory=list)
    lacking: list[Reason] = field(default_factory=list)
    notes: list[Reason] = field(default_factory=list)
    illegal: list[Reason] = field(default_factory=list)
    realised: list[Realised] = field(default_factory=list)
    provisional: bool = False


def length_findings(case: Case[LengthSheet]) -> Findings:
    """Draft the errors of every test, and what the law wants and is not there."""
    found = _Found()
    instrument = case.body.instrument
    marking = marked_temperature(
        case.table,
        CONDITIONS,
        instrument.reference_temperature,
        instrument.reference_temperature_marked,
    )
    for test in case.body.tests:
        asked = _asked(case, test)
        _draft(case, test, asked, found)
        found.lacking += _pulled(case, test)
    if isinstance(marking, DraftTest):
        found.tests.append(marking)
    elif marking is not None:
        found.lacking.append(marking)
    found.lacking += _whole(case)
    return Findings(
        tests=tuple(found.tests),
        lacking=tuple(found.lacking),
        notes=_once(found.notes),
        realised=tuple(found.realised),
        provisional=case.table.provisional or found.provisional,
        illegal=_once(found.illegal),
    )


def _once(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple({str(reason): reason for reason in reasons}.values())


def _apart(case: Case[LengthSheet]) -> AskedTable:
    """Ask for the limit between two marks, wherever the test itself begins."""
    characteristics = {"between": "apart", "begins": "mark"}
    return AskedTable.of(
        case.table, case.body.instrument.accuracy_class, case.stage, "m", characteristics
    )


def _asked(case: Case[LengthSheet], test: LengthTest) -> AskedTable:
    between = "apart" if test.name == MARKS else "consecutive"
    characteristics = {"between": between}
    if test.name == MARKS:
        characteristics["begins"] = test.begins
    try:
        return AskedTable.of(
            case.table, case.body.instrument.accuracy_class, case.stage, "m", characteristics
        )
    except Refused as refused:
        key = "stage" if case.stage not in case.table.stages else "instrument.class"
        raise Refused(refused.template, key=key, **refused.evidence) from None


def _draft(case: Case[LengthSheet], test: LengthTest, asked: AskedTable, found: _Found) -> None:
    """Draft one test: E = N - L at every mark, or of every interval."""
    nominal = [value.exactly(UNIT) for value in test.nominal]
    limits = [
        length_limit(
            asked, distance, f"{test.key}.nominal[{0 if test.name == INTERVALS else place}]"
        )
        for place, distance in enumerate(nominal)
    ]
    smallest = min(magnitude for _, magnitude in limits)
    exponent = printed(smallest).adjusted() - _BELOW
    known = _lengths(case, test, exponent)
    points = tuple(
        exact_point(
            error=distance - length,
            lower=-magnitude,
            upper=magnitude,
            unit=UNIT,
            clause=limit.clause,
            nominal=distance,
            reference=length,
            indication=distance,
            row=None if known.budget is None else row,
        )
        for row, (distance, length, (limit, magnitude)) in enumerate(
            zip(nominal, known.values, limits, strict=True)
        )
    )
    conditions = {
        "standard": known.standard.id,
        "material": case.body.instrument.material,
        "expansion": (
            f"{case.body.instrument.expansion} ({case.body.instrument.expansion_source})"
        ),
        "begins": test.begins,
        "runs": str(test.runs),
    }
    if test.tension is not None:
        conditions["tension"] = str(test.tension)
    found.tests.append(DraftTest(test.name, points, conditions=conditions, budget=known.budget))
    found.provisional |= any(asked.provisional(limit) for limit, _ in limits)
    found.notes += known.notes
    found.illegal += known.illegal
    found.realised += _realised(points, known)
    if test.name == MARKS:
        found.tests += between_marks(_apart(case), nominal, known.values)
    else:
        found.tests += interval_differences(case.table, nominal[0], known.values, limits[0][1])


def _lengths(case: Case[LengthSheet], test: LengthTest, exponent: int) -> FoundLengths:
    try:
        return lengths(test, case.body.instrument, case.standards, case.environment, exponent)
    except Refused as refused:
        raise Refused(refused.template, key=refused.key or test.key, **refused.evidence) from None


def _realised(points: Sequence[DraftPoint], known: FoundLengths) -> Iterator[Realised]:
    expanded: tuple[Decimal | None, ...] = (None,) * len(points)
    if known.expanded is not None:
        expanded = off_grid(*rounded_up(np.array(known.expanded)))
    for point, u in zip(points, expanded, strict=True):
        if point.reference is not None and point.upper is not None:
            yield Realised(point.reference, point.upper, UNIT, u)


def _pulled(case: Case[LengthSheet], test: LengthTest) -> Iterator[Reason]:
    """Want a long tape pulled with the force of the law, or with that marked on it."""
    instrument, wanted = case.body.instrument, stated(case.table, CONDITIONS)
    if "tension" not in wanted:
        return
    long = instrument.length.exactly("m") >= parse_quantity(wanted["from_length"]).exactly("m")
    force = instrument.tension
    if force is None and instrument.form == "tape" and long:
        force = parse_quantity(wanted["tension"])
    if force is None or instrument.form != "tape":
        return
    values = {
        "test": test.name,
        "wanted": str(force),
        "clause": requirement_clause(case.table, CONDITIONS),
    }
    if test.tension is None:
        yield Reason(
            "tension-missing",
            "{test}: with which force the tape was pulled is not stated, {wanted} is wanted "
            "({clause}).",
            values,
        )
    elif test.tension.exactly("N") != force.exactly("N"):
        values["tension"] = str(test.tension)
        yield Reason(
            "tension-other",
            "{test}: the tape was pulled with {tension}, and {wanted} is wanted ({clause}).",
            values,
        )


def _whole(case: Case[LengthSheet]) -> Iterator[Reason]:
    """Want the whole measure tested, not only its beginning."""
    length = case.body.instrument.length
    tested = [
        q.exactly("m") for test in case.body.tests if test.name == MARKS for q in test.nominal
    ]
    if length.exactly("m") not in tested:
        yield Reason(
            "length-not-whole",
            "the whole length of {length} was not tested ({clause}).",
            {"length": str(length), "clause": cited(case.table, case.table.clause)},
        )
