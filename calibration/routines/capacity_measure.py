"""The capacity-measure routine: takaran, bejana ukur, bottles and casks (OIML R 120, R 138).

Knows how the capacity at each mark compares with its nominal value: E = V - Vn, so that a measure
filled to the brim may hold more and never less. Refuses to decide: it drafts points with errors
and limits.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from calibration.calibration_curve import rounded_exactly
from calibration.component import Component
from calibration.draft import DraftPoint, DraftTest, Findings
from calibration.grid import off_grid
from calibration.limit_curve import Sides
from calibration.refusal import Refused
from calibration.rounding import reported, rounded_up
from calibration.routines.capacity_comparison import capacity_by_comparison
from calibration.routines.capacity_found import FoundCapacity, joined, of_measure
from calibration.routines.capacity_rules import (
    CapacityCase,
    dripped_time,
    emptied_as_made,
    gauge_mark,
    neck_scale,
    refuse_glass,
    unusual_capacities,
)
from calibration.routines.capacity_sheet import CAPACITY, CapacityTest, GaugeMarkTest
from calibration.routines.capacity_weighing import capacity_by_weighing
from calibration.routines.exact_limits import AskedTable, ExactLimit, cited, scale
from calibration.routines.exact_points import exact_point, mean, printed
from calibration.routines.marked_temperature import marked_temperature
from calibration.routines.reference_sheet import Fillings
from calibration.standard import Realised
from calibration.uncertainty import Budget
from calibration.verification import Reason

STANDARDS_CLAUSE = "R 120; R 138 7"
_BELOW = 4
"""A computed correction is rounded so many digits below the first digit of the limit."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """One mark with its capacity and its limit."""

    test: CapacityTest
    found: FoundCapacity
    asked: AskedTable
    limit: ExactLimit
    nominal: Fraction
    """[unit]"""
    capacities: tuple[Fraction, ...]
    """At the mark, one per run [unit]."""
    sides: tuple[Fraction | None, Fraction]
    """Smallest and largest error that conform [unit]."""
    components: tuple[Component, ...]


@dataclass(slots=True)
class _Found:
    lacking: list[Reason] = field(default_factory=list)
    notes: list[Reason] = field(default_factory=list)
    illegal: list[Reason] = field(default_factory=list)
    realised: list[Realised] = field(default_factory=list)
    provisional: bool = False


def capacity_findings(case: CapacityCase) -> Findings:
    """Draft the error at every mark, and what the law wants and is not there."""
    refuse_glass(case)
    body, found = case.body, _Found()
    if not body.tests:
        values = {"test": CAPACITY, "clause": cited(case.table, case.table.clause)}
        missing = Reason("test-missing", "test {test} is missing ({clause}).", values)
        return Findings((), (missing,), (), (), case.table.provisional)
    unit = body.tests[0].nominal.unit
    marks = [_mark(case, test, unit) for test in body.tests]
    for mark in marks:
        _collect(case, mark, unit, found)
    tests = list(_drafted(marks, unit))
    tests += [gauge_mark(case, test, _litres(case, test)) for test in body.gauge_marks]
    neck = neck_scale(case)
    tests += [] if neck is None else [neck]
    marking = marked_temperature(
        case.table,
        "reference_temperature",
        body.instrument.reference_temperature,
        body.instrument.reference_temperature_marked,
    )
    if isinstance(marking, DraftTest):
        tests.append(marking)
    elif marking is not None:
        found.lacking.append(marking)
    found.notes += unusual_capacities(case)
    return Findings(
        tests=tuple(tests),
        lacking=_once(found.lacking),
        notes=_once(found.notes),
        realised=tuple(found.realised),
        provisional=found.provisional,
        illegal=_once(found.illegal),
    )


def _once(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple({str(reason): reason for reason in reasons}.values())


def _asked(case: CapacityCase, mark: str | None, key: str, unit: str) -> AskedTable:
    characteristics = {} if mark is None else {"mark": mark}
    instrument = case.body.instrument
    try:
        asked = AskedTable.of(
            case.table, instrument.accuracy_class, case.stage, unit, characteristics
        )
    except Refused as refused:
        place = "stage" if case.stage not in case.table.stages else "instrument.class"
        if refused.key == "mark" or (mark is not None and "mark" not in case.table.rules["given"]):
            place = f"{key}.mark"
        raise Refused(refused.template, key=place, **refused.evidence) from None
    choices = case.table.rules["given"].get("mark", {}).get("choices", ())
    if mark is None and any(choice in asked.entry for choice in choices):
        raise Refused(
            "whether the measure is filled to a line or to the brim is not stated.",
            key=f"{key}.mark",
        )
    return asked


def _mark(case: CapacityCase, test: CapacityTest, unit: str) -> _Mark:
    """Find the capacity at one mark, with its limit."""
    asked = _asked(case, test.mark, test.key, unit)
    nominal = test.nominal.exactly(unit)
    try:
        limit = asked.at(nominal, unit)
    except Refused as refused:
        raise Refused(refused.template, key=f"{test.key}.nominal", **refused.evidence) from None
    lower, upper = asked.sides(limit.magnitude)
    in_unit = scale(asked.curve.unit, unit)
    exponent = printed(upper * in_unit).adjusted() - _BELOW
    found = _capacity(case, test, unit, exponent)
    readings = [reading.exactly(unit) for reading in test.reading] or [Fraction(0)] * test.runs
    for run, reading in enumerate(readings):
        if abs(reading) * 10 >= nominal:
            raise Refused(
                "{value} is no reading at the mark of {nominal}.",
                key=f"{test.key}.reading[{run}]",
                value=test.reading[run],
                nominal=test.nominal,
            )
    capacities = tuple(v - r for v, r in zip(found.values, readings, strict=True))
    own = of_measure(test, capacities, unit)
    return _Mark(
        test,
        found,
        asked,
        limit,
        nominal,
        capacities,
        (None if lower is None else lower * in_unit, upper * in_unit),
        (*found.components, *own) if found.components else (),
    )


def _capacity(case: CapacityCase, test: CapacityTest, unit: str, exponent: int) -> FoundCapacity:
    body, source = case.body, test.source
    try:
        if isinstance(source, Fillings):
            requirements = case.table.rules["requirement"]
            return capacity_by_comparison(
                test,
                source,
                body.instrument,
                case.standards,
                body.liquid,
                requirements,
                unit,
                exponent,
            )
        return capacity_by_weighing(
            test,
            source,
            body.instrument,
            case.standards,
            body.liquid,
            case.environment,
            unit,
            exponent,
        )
    except Refused as refused:
        raise Refused(refused.template, key=refused.key or test.key, **refused.evidence) from None


def _collect(case: CapacityCase, mark: _Mark, unit: str, found: _Found) -> None:
    """Collect what is said of one mark."""
    test = mark.test
    found.lacking += [*emptied_as_made(case, test), *mark.found.lacking]
    said, leaves_open, unsure = dripped_time(case, test)
    if said is not None:
        (found.lacking if leaves_open else found.notes).append(said)
    found.notes += mark.found.notes
    found.notes += _unknown(mark)
    found.illegal += mark.found.illegal
    found.provisional |= unsure or mark.found.provisional or mark.asked.provisional(mark.limit)
    expanded = mark.found.expanded()
    u = None if expanded is None else off_grid(*rounded_up(expanded))[0]
    limit = mark.sides[1]
    if mark.asked.curve.sides is Sides.UPWARD:
        limit /= 2  # from 0 to the limit is as wide as half of it on either side
    value = printed(mean(mark.capacities))
    found.realised.append(Realised(value, printed(limit), unit, u))


def _unknown(mark: _Mark) -> Iterator[Reason]:
    """Say what of the measure itself is not in the uncertainty."""
    values = {"nominal": str(mark.test.nominal)}
    if mark.test.resolution is None and not mark.test.reading:
        yield Reason(
            "capacity-level-unknown",
            "capacity at {nominal}: how finely the level was set is not stated and not in the "
            "uncertainty.",
            values,
        )
    if mark.test.runs < 2:
        yield Reason(
            "capacity-one-run",
            "capacity at {nominal}: one run does not show how it repeats; that is not in the "
            "uncertainty.",
            values,
        )


def _drafted(marks: Sequence[_Mark], unit: str) -> Iterator[DraftTest]:
    """Draft the marks that were found by the same method and standard as one test."""
    groups: dict[tuple[str, str], list[_Mark]] = {}
    for mark in marks:
        groups.setdefault((mark.test.method, mark.found.standard), []).append(mark)
    for (method, standard), members in groups.items():
        known = all(mark.components for mark in members)
        points = tuple(
            _point(mark, unit, row if known else None) for row, mark in enumerate(members)
        )
        budget = None
        if known:
            errors = np.array([float(mean(m.capacities) - m.nominal) for m in members])
            components = joined([mark.components for mark in members])
            budget = Budget("error", errors, unit, components)
        conditions = {
            "method": method,
            "standard": standard,
            "marks": ", ".join(_named(mark.test) for mark in members),
            "runs": ", ".join(str(mark.test.runs) for mark in members),
        }
        if all(mark.test.runs > 1 for mark in members):
            conditions["repeatability"] = ", ".join(_spread(mark, unit) for mark in members)
        if all(mark.test.drip_time for mark in members):
            times = [time for mark in members for time in mark.test.drip_time]
            conditions["drip_time"] = str(min(times, key=lambda time: time.exactly("s")))
        yield DraftTest(CAPACITY, points, conditions=conditions, budget=budget)


def _point(mark: _Mark, unit: str, row: int | None) -> DraftPoint:
    capacity = mean(mark.capacities)
    point = exact_point(
        error=capacity - mark.nominal,
        lower=mark.sides[0],
        upper=mark.sides[1],
        unit=unit,
        clause=mark.limit.clause,
        nominal=mark.nominal,
        reference=capacity,
        row=row,
    )
    share = 100 * (capacity - mark.nominal) / mark.nominal
    return replace(point, relative_error=rounded_exactly(share, -3))


def _named(test: CapacityTest) -> str:
    return str(test.nominal) if test.mark is None else f"{test.nominal} ({test.mark})"


def _spread(mark: _Mark, unit: str) -> str:
    """Give the range of the runs: recorded, as no limit of it was read."""
    spread = float(max(mark.capacities) - min(mark.capacities))
    return f"{reported(spread):f} {unit}"


def _litres(case: CapacityCase, test: GaugeMarkTest) -> Fraction:
    """Give the limit at a gauge mark [L]."""
    given = case.table.rules["given"]
    asked = _asked(case, "line" if "mark" in given else None, test.key, test.nominal.unit)
    limit = asked.at(test.nominal.exactly(test.nominal.unit), test.nominal.unit)
    return limit.magnitude * scale(asked.curve.unit, "L")
