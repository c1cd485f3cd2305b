"""The NAWI routine: what the observations of a weighing instrument are worth (OIML R 76-1:2006).

Knows which test is drafted by which module, and gathers what is lacking. Refuses to decide: it
drafts points with errors and limits, `calibration.judgement` decides them. Every number of the law
is in the legal table; read `weighing_law` for how it is taken from there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from calibration.case import Case
from calibration.draft import DraftPoint, DraftTest, Findings
from calibration.edition import PROVISIONAL
from calibration.refusal import Refused
from calibration.routines.weighing_budget import Evaluator
from calibration.routines.weighing_columns import Method, WeighingTest
from calibration.routines.weighing_discrimination import (
    discrimination,
    indicators,
    sensitivity,
    sensitivity_lacks,
)
from calibration.routines.weighing_eccentricity import eccentricity_lacks, not_rejecting
from calibration.routines.weighing_influences import creep, tilt, zero_range, zero_return
from calibration.routines.weighing_law import Probe, probe_of, requirements_provisional
from calibration.routines.weighing_observed import OBSERVED, Observed, Weighings, observe
from calibration.routines.weighing_points import (
    error_points,
    national_range,
    range_point,
    rounding_lack,
    step_note,
    zero_note,
)
from calibration.routines.weighing_probe import probe_points, probe_range
from calibration.routines.weighing_realised import Portions
from calibration.routines.weighing_scale import Scale
from calibration.routines.weighing_sheet import WeighingSheet
from calibration.routines.weighing_substitution import substitution_lacks
from calibration.routines.weighing_wanted import (
    missing_tests,
    repeatability_lacks,
    weighing_lacks,
    weighing_notes,
)
from calibration.routines.weighing_weights import WeighingStandards
from calibration.standard import correction_percent
from calibration.verification import Reason

STANDARDS_CLAUSE = "R 76-1 3.7.1"
_WHOLE = {
    "discrimination": discrimination,
    "indicators": indicators,
    "creep": creep,
    "zero_return": zero_return,
    "tilt": tilt,
}
"""Tests that one function drafts whole."""


class Drafted(NamedTuple):
    """What became of one test of the sheet."""

    tests: tuple[DraftTest, ...]
    notes: tuple[Reason, ...] = ()


@dataclass(slots=True)
class _Draft:
    """Points of a test while they are gathered."""

    points: list[DraftPoint] = field(default_factory=list)
    lacking: list[Reason] = field(default_factory=list)


def weighing_findings(case: Case[WeighingSheet]) -> Findings:
    """Draft every test of the sheet with errors, limits and what is lacking."""
    if correction_percent(case.standards):
        raise Refused(
            "weights take no correction in %: state their conventional mass as the load.",
            key="standards.correction",
        )
    table, scale = case.table, Scale.of(case)
    tests = case.body.tests
    seen = {t.key: observe(table, scale, t) for t in tests if t.name in OBSERVED}
    weighings = Weighings(table, case.stage, scale, tuple(seen.values()))
    portions = Portions(weighings, WeighingStandards.of(case, scale.unit))
    realised = tuple(portions.realised())
    evaluator = Evaluator.of(case, weighings, portions.standards, portions)
    probed = any(test.method is Method.PROBE for test in tests)
    probe = probe_of(table) if probed else None
    drafted = [_drafted(weighings, test, seen.get(test.key), evaluator, probe) for test in tests]
    present = {(test.name, scale.range_of(test).number) for test in tests}
    return Findings(
        tests=tuple(test for one in drafted for test in one.tests),
        lacking=tuple(missing_tests(weighings, present)),
        notes=(*(note for one in drafted for note in one.notes), *portions.note()),
        realised=realised,
        provisional=_provisional(weighings),
        illegal=tuple(_method_not_in_force(probe)),
        tables=portions.standards.tables,
    )


def _drafted(
    weighings: Weighings,
    test: WeighingTest,
    seen: Observed | None,
    evaluator: Evaluator,
    probe: Probe | None,
) -> Drafted:
    if test.name == "zero_range":
        return Drafted((zero_range(weighings, test),))
    if test.name == "sensitivity":
        tests = sensitivity(weighings, test)
        lacking = (*tests[0].lacking, *sensitivity_lacks(weighings, test))
        first = DraftTest(test.name, tests[0].points, lacking, tests[0].conditions)
        return Drafted((first, *tests[1:]))
    if seen is None:
        raise Refused("this test has no observations.", key=test.key)
    if test.name in _WHOLE:
        whole = _WHOLE[test.name](weighings, seen)
        return Drafted((_placed(whole, weighings, seen),))
    draft = _Draft()
    budget = None
    if test.method is Method.PROBE and probe is not None:
        if test.standard_load:
            draft.points, draft.lacking = probe_points(weighings, seen, probe)
        if test.name == "repeatability":
            found = probe_range(weighings, seen)
            if isinstance(found, Reason):
                draft.lacking.append(found)
            else:
                draft.points.append(found)
    else:
        _draft_errors(draft, weighings, seen)
        budget = evaluator.budget(seen) if test.standard_load else None
    if test.name == "eccentricity":
        draft.points, open_points = not_rejecting(weighings, seen, draft.points)
        draft.lacking += [*open_points, *eccentricity_lacks(weighings, seen)]
    if test.name == "repeatability":
        draft.lacking += repeatability_lacks(weighings, seen)
    notes = [*step_note(weighings, seen), *zero_note(weighings, seen)]
    weighed = weighings.of("weighing", seen.within)
    if test.name == "weighing" and seen is weighed[0]:
        draft.lacking += weighing_lacks(weighings, weighed)
        draft.lacking += substitution_lacks(weighings, weighed)
        notes += weighing_notes(weighings, weighed)
    whole = DraftTest(test.name, tuple(draft.points), tuple(draft.lacking), budget=budget)
    return Drafted((_placed(whole, weighings, seen),), tuple(notes))


def _draft_errors(draft: _Draft, weighings: Weighings, seen: Observed) -> None:
    """Draft a test by ΔL or by an indication that is fine enough."""
    draft.lacking += rounding_lack(weighings, seen)
    draft.points += error_points(weighings, seen)
    if seen.name == "repeatability" and (spread := range_point(weighings, seen)) is not None:
        draft.points.append(spread)


def _placed(test: DraftTest, weighings: Weighings, seen: Observed) -> DraftTest:
    """Add what the test was done at: range, its own interval, its method."""
    scale, own = weighings.scale, seen.test
    conditions = dict(test.conditions)
    if len(scale.ranges) > 1:
        conditions["range"] = str(seen.within.number)
    if own.d is not None:
        conditions["d"] = scale.said(seen.within.partial[0].d)
    if own.method is Method.PROBE:
        conditions["method"] = str(own.method)
    return DraftTest(test.name, test.points, test.lacking, conditions, test.budget)


def _method_not_in_force(probe: Probe | None) -> Iterator[Reason]:
    if probe is not None and not probe.in_force:
        yield Reason(
            "method-not-in-force",
            "method {method} is not in force here: it belongs to the national settings {settings}.",
            {"method": str(Method.PROBE), "settings": probe.setting},
        )


def _provisional(weighings: Weighings) -> bool:
    table = weighings.table
    ranges = (
        national_range(weighings, seen)
        for seen in weighings.observed
        if seen.name == "repeatability"
    )
    return (
        table.provisional
        or table.rules["stage"][weighings.stage]["confidence"] in PROVISIONAL
        or requirements_provisional(table)
        or any(limits is not None and limits.provisional for limits in ranges)
    )
