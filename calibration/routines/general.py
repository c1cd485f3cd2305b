"""The general routine: reference against indication, for any table that the sheet names.

Knows how a sheet's characteristics reach a table, and which tests one instrument wants by the words of
its table. Refuses to know a kind of instrument: what is judged, at which value and how wide, the
table's file says. A table of tomorrow is another file.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from calibration.case import Case
from calibration.draft import DraftTest, Findings
from calibration.limit_rules import characteristics_of, shape_of
from calibration.refusal import Refused
from calibration.routines.exact_limits import AskedTable, cited, stated
from calibration.routines.general_job import Measured
from calibration.routines.general_measured import measured
from calibration.routines.general_rules import coupled_wagons, fare, repeated
from calibration.routines.general_sheet import GeneralSheet, GeneralTest
from calibration.routines.general_zones import (
    JudgedTest,
    same_sign,
    weighted_mean,
    zones_tested,
)
from calibration.rules.question import find_class, known_of
from calibration.standard import Realised
from calibration.verification import Reason

STANDARDS_CLAUSE = "1/3 of the limit"
NAMES = MappingProxyType(
    {
        "error": "accuracy",
        "mean": "mean-error",
        "standard deviation": "standard-deviation",
        "deviation": "deviation",
        "preset": "preset-error",
    }
)
"""Names of tests, by what a table judges."""
NOMINAL = "nominal values"
"""The kind of rule whose limits belong to nominal values: those are named in ``at``."""


@dataclass(slots=True)
class _Found:
    tests: list[DraftTest] = field(default_factory=list)
    lacking: list[Reason] = field(default_factory=list)
    notes: list[Reason] = field(default_factory=list)
    illegal: list[Reason] = field(default_factory=list)
    realised: list[Realised] = field(default_factory=list)
    judged: list[JudgedTest] = field(default_factory=list)
    provisional: bool = False


def general_findings(case: Case[GeneralSheet]) -> Findings:
    """Draft every test with errors, limits and what the table wants besides."""
    found = _Found()
    table = case.table
    _check_names(case)
    for test in case.body.tests:
        _draft(case, test, found)
    for fares in case.body.fares:
        found.tests.append(fare(table, fares))
    for rule in (same_sign, weighted_mean):
        ruled = rule(case, found.judged)
        found.tests += ruled.tests
        found.notes += ruled.notes
        found.provisional |= ruled.provisional
    found.lacking += zones_tested(case, found.judged)
    found.lacking += _other_classes(case)
    if not case.body.tests and not case.body.fares:
        values = {"test": "accuracy", "clause": cited(table, table.clause)}
        template = "test {test} is missing ({clause})."
        found.lacking.append(Reason("test-missing", template, values))
    found.notes.append(
        Reason(
            "points-not-known",
            "which values the law wants tested is not in table {table}: those of the sheet were "
            "judged.",
            {"table": table.name},
        )
    )
    standard = stated(table, "standard")
    return Findings(
        tests=tuple(found.tests),
        lacking=_once(found.lacking),
        notes=_once(found.notes),
        realised=tuple(found.realised),
        provisional=table.provisional or found.provisional,
        illegal=_once(found.illegal),
        standards_clause=cited(table, str(standard.get("clause", table.clause))),
    )


def _once(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple({str(reason): reason for reason in reasons}.values())


def _class(case: Case[GeneralSheet], test: GeneralTest) -> str:
    return test.accuracy_class or case.body.instrument.accuracy_class


def _known(case: Case[GeneralSheet], test: GeneralTest) -> Mapping[str, Any]:
    """List the characteristics that the class of a test takes."""
    try:
        return characteristics_of(case.table, _class(case, test))
    except Refused as refused:
        key = "instrument.class" if test.accuracy_class is None else f"{test.key}.class"
        raise Refused(refused.template, key=key, **refused.evidence) from None


def _check_names(case: Case[GeneralSheet]) -> None:
    """Refuse a characteristic of the instrument that no class of the table takes."""
    table = case.table
    known = set(known_of(table)).union(*(shape_of(table, key).known for key in table.classes))
    for name in case.body.instrument.characteristics:
        if name not in known:
            raise Refused(
                "{table} takes no characteristic {name!r}: it takes {known}.",
                key=f"instrument.{name}",
                table=table.name,
                name=name,
                known=", ".join(sorted(known)) or "-",
            )


def _characteristics(case: Case[GeneralSheet], test: GeneralTest) -> dict[str, str]:
    """Lay what a test was done at over what the instrument is."""
    known = _known(case, test)
    of_instrument = case.body.instrument.characteristics
    own = {name: text for name, text in of_instrument.items() if name in known}
    return {**own, **test.characteristics}


def _asked(case: Case[GeneralSheet], test: GeneralTest) -> AskedTable:
    given = _characteristics(case, test)
    unit = test.at[0].unit if test.at else test.unit
    try:
        asked = AskedTable.of(case.table, _class(case, test), case.stage, unit, given)
    except Refused as refused:
        key = _key_of(case, test, refused.key)
        raise Refused(refused.template, key=key, **refused.evidence) from None
    if test.at and not asked.curve.relative and asked.kind != NOMINAL:
        raise Refused(
            "limits of {table} are looked up at the reference: leave this key out.",
            key=f"{test.key}.at",
            table=case.table.name,
        )
    if not test.at and (asked.curve.relative or asked.kind == NOMINAL):
        raise Refused(
            "{table} states its limits over another quantity, in {unit}: state its value.",
            key=f"{test.key}.at",
            table=case.table.name,
            unit=asked.curve.unit,
        )
    return asked


def _key_of(case: Case[GeneralSheet], test: GeneralTest, name: str | None) -> str:
    if name in test.characteristics:
        return f"{test.key}.characteristics.{name}"
    if name is not None:
        return f"instrument.{name}"
    return "stage" if case.stage not in case.table.stages else test.key


def _draft(case: Case[GeneralSheet], test: GeneralTest, found: _Found) -> None:
    asked = _asked(case, test)
    came = measured(test, asked, case.standards)
    points, notes = came.points, list[Reason]()
    if test.coupled:
        points, notes = coupled_wagons(case, test, came)
    found.tests.append(
        DraftTest(
            NAMES[asked.measured],
            points,
            conditions=_conditions(case, test, came),
            budget=came.budget,
        )
    )
    found.notes += notes
    if test.repeated:
        ruled = repeated(case, test, _class(case, test), _characteristics(case, test), came)
        found.tests += ruled.tests
        found.notes += ruled.notes
        found.provisional |= ruled.provisional
    found.illegal += came.illegal
    found.realised += came.realised
    found.provisional |= any(asked.provisional(limit) for limit in came.limits)
    found.judged.append(JudgedTest(test, asked, came, _class(case, test)))


def _conditions(case: Case[GeneralSheet], test: GeneralTest, came: Measured) -> dict[str, str]:
    found = {"class": _class(case, test), **test.characteristics}
    if came.standard is not None:
        found["standard"] = came.standard.id
    if test.at:
        found["at"] = ", ".join(map(str, test.at))
    return found


def _other_classes(case: Case[GeneralSheet]) -> Sequence[Reason]:
    """Want the tests that belong to the same instrument under another class."""
    tested = {find_class(case.table, _class(case, test)).key for test in case.body.tests}
    reasons = []
    for key in sorted(tested):
        also = case.table.rules["class"][key].get("also", ())
        if also and not tested & set(also):
            reasons.append(
                Reason(
                    "class-missing",
                    "an instrument of class {name} is tested in one of {also} too.",
                    {"name": key, "also": ", ".join(also)},
                )
            )
    return reasons
