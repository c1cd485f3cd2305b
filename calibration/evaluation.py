"""From an observation sheet to a verdict: the one way in.

Knows the order: legal table, standards, routine, decision, legality. Refuses to know where the
sheet came from; whether indications were simulated is added by whoever took them.
"""

import datetime
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from calibration.blank import BlankTest
from calibration.case import Case
from calibration.decision_rule import DecisionRule
from calibration.draft import Findings
from calibration.judgement import judge
from calibration.legal_table import LegalTable, applied, legal_table
from calibration.national import NationalSettings, national_settings
from calibration.refusal import Refused
from calibration.routines import (
    capacity_measure,
    general,
    length_measure,
    volume,
    volume_blank,
    water_blank,
    water_meter,
    weighing,
    weighing_blank,
    weights,
    weights_blank,
)
from calibration.sheet import Sheet
from calibration.sheet_keys import Keys
from calibration.standard import Standard, adequacy_reasons, certificate_reasons, resolved
from calibration.verification import (
    Reason,
    SettingsReference,
    TableReference,
    Verdict,
    Verification,
    combined,
)

__all__ = ["ROUTINES", "Routine", "Standard", "evaluate", "law_of"]


@dataclass(frozen=True, slots=True)
class Routine:
    """How one kind of instrument is evaluated."""

    tables: tuple[str, ...]
    """Ids of the legal tables that it knows, its own first; none: any, and the sheet names it."""
    findings: Callable[[Case[Any]], Findings]
    """Errors, limits and what is lacking."""
    standards_clause: str
    """Where the law asks for standards three times as good."""
    rule: DecisionRule = DecisionRule.SIMPLE_ACCEPTANCE
    """What an uncertainty does to the limits."""
    propose: Callable[[LegalTable, Keys, str, Keys], tuple[BlankTest, ...]] | None = None
    """Tests that the law wants of an ``[instrument]`` at a stage, as somebody wishes them done.

    None: no source says at which points.
    """
    proposed_from: tuple[str, ...] = ()
    """Characteristics one of which is given before tests can be proposed; none: they always are."""


ROUTINES: Mapping[str, Routine] = MappingProxyType(
    {
        "nawi": Routine(
            ("r76",),
            weighing.weighing_findings,
            weighing.STANDARDS_CLAUSE,
            propose=weighing_blank.blank_tests,
        ),
        "weights": Routine(
            ("r111",),
            weights.weights_findings,
            weights.STANDARDS_CLAUSE,
            DecisionRule.R111,
            propose=weights_blank.blank_tests,
            proposed_from=("class", "nominal"),
        ),
        "volume-meter": Routine(
            ("r117",),
            volume.volume_findings,
            volume.STANDARDS_CLAUSE,
            propose=volume_blank.blank_meter,
            proposed_from=("qmin", "qmax"),
        ),
        "fuel-dispenser": Routine(
            ("r117",),
            volume.volume_findings,
            volume.STANDARDS_CLAUSE,
            propose=volume_blank.blank_dispenser,
            proposed_from=("qmin", "qmax"),
        ),
        "water-meter": Routine(
            ("r49",),
            water_meter.water_meter_findings,
            water_meter.STANDARDS_CLAUSE,
            propose=water_blank.blank_tests,
            proposed_from=("q3", "ratio"),
        ),
        "capacity-measure": Routine(
            ("r120", "r138"),
            capacity_measure.capacity_findings,
            capacity_measure.STANDARDS_CLAUSE,
        ),
        "length-measure": Routine(
            ("r35",), length_measure.length_findings, length_measure.STANDARDS_CLAUSE
        ),
        "general": Routine((), general.general_findings, general.STANDARDS_CLAUSE),
    }
)


def evaluate(
    sheet: Sheet,
    *,
    standards: Mapping[str, Standard],
    approved: Collection[str],
    settings: Sequence[NationalSettings] = (),
    table: str | None = None,
    on: datetime.date | None = None,
) -> Verification:
    """Decide a sheet: every point, every test, the instrument, and whether it is legal.

    ``standards`` is the office's register by id, ``approved`` the digests of the legal tables and
    settings it approved, ``settings`` the national settings it works under, ``table`` another
    table or edition than the sheet's, ``on`` the day whose law and certificates count (the day of
    the sheet).
    """
    day = sheet.date if on is None else on
    routine = ROUTINES[sheet.routine]
    law = law_of(sheet, settings=settings, table=table, on=on)
    used, illegal = resolved(sheet.standards, standards)
    findings = routine.findings(Case(sheet.body, sheet.stage, day, law, used, sheet.environment))
    results, reasons = judge(findings.tests, routine.rule)
    verdict = _overall(combined(test.verdict for test in results), findings)
    legality = [
        *_approval(law, approved),
        *_in_force(law, day),
        *illegal,
        *certificate_reasons(used, day),
        *adequacy_reasons(
            used, findings.realised, findings.standards_clause or routine.standards_clause
        ),
        *_own_routine(routine, law),
        *findings.illegal,
    ]
    for further in findings.tables:
        legality += [*_approval(further, approved), *_in_force(further, day)]
    return Verification(
        verdict=verdict,
        routine=sheet.routine,
        table=TableReference(law.id, law.edition, law.clause, law.digest),
        stage=sheet.stage,
        founded=not legality,
        tests=results,
        reasons=(
            *reasons,
            *findings.lacking,
            *findings.notes,
            *_provisional(law, findings),
            *legality,
        ),
        decision_rule=str(routine.rule),
        provisional=findings.provisional,
        settings=_settings_reference(law.settings),
    )


def law_of(
    sheet: Sheet,
    *,
    settings: Sequence[NationalSettings] = (),
    table: str | None = None,
    on: datetime.date | None = None,
) -> LegalTable:
    """Find the legal table of a sheet, the national settings of its kind of instrument over it.

    Arguments are those of `evaluate`.
    """
    routine, name = ROUTINES[sheet.routine], table or sheet.table
    day = sheet.date if on is None else on
    if name is None and not routine.tables:
        raise Refused(
            "routine {routine} is decided by the table that the sheet names.",
            key="table",
            routine=sheet.routine,
        )
    name = name or routine.tables[0]
    if routine.tables and name.partition("@")[0].strip().lower() not in routine.tables:
        raise Refused(
            "routine {routine} is decided by {own}, not by {name}.",
            key="table",
            routine=sheet.routine,
            own=", ".join(routine.tables),
            name=name,
        )
    try:
        # An edition that is named is taken, in force or not: old archives are judged again.
        found = legal_table(name, on=None if "@" in name else day)
    except Refused as refused:
        raise Refused(refused.template, key="table", **refused.evidence) from None
    if sheet.setting is not None:
        try:
            return applied(found, national_settings(sheet.setting))
        except Refused as refused:
            raise Refused(refused.template, key="setting", **refused.evidence) from None
    kind = sheet.identity["kind"].casefold()
    for entry in settings:
        for_table = entry.table in (found.id, found.name)
        if for_table and entry.valid(day) and kind in {k.casefold() for k in entry.kinds}:
            return applied(found, entry)
    return found


def _overall(tests: Verdict, findings: Findings) -> Verdict:
    """Leave it open while something is lacking, unless an error decides already."""
    if tests is Verdict.CONFORMING and findings.lacking:
        return Verdict.INDETERMINATE
    return tests


def _own_routine(routine: Routine, law: LegalTable) -> list[Reason]:
    """Leave the legal verdict to the routine that knows all the rules of a table, where there is one."""
    own = [name for name, entry in ROUTINES.items() if law.id in entry.tables]
    if routine.tables or not own:
        return []
    return [
        Reason(
            "routine-of-its-own",
            "table {table} has a routine of its own, {routine}, which asks for more than this one.",
            {"table": law.name, "routine": ", ".join(own)},
        )
    ]


def _approval(table: LegalTable, approved: Collection[str]) -> list[Reason]:
    reasons = []
    if table.digest not in approved:
        reasons.append(
            Reason(
                "table-not-approved",
                "the office has not approved table {table}.",
                {"table": table.name},
            )
        )
    if table.settings is not None and table.settings.digest not in approved:
        reasons.append(
            Reason(
                "settings-not-approved",
                "the office has not approved the national settings {settings}.",
                {"settings": table.settings.name},
            )
        )
    return reasons


def _in_force(table: LegalTable, day: datetime.date) -> list[Reason]:
    if table.valid(day):
        return []
    return [
        Reason(
            "table-not-in-force",
            "table {table} is not in force on {date}.",
            {"table": table.name, "date": day.isoformat()},
        )
    ]


def _provisional(table: LegalTable, findings: Findings) -> list[Reason]:
    if not findings.provisional:
        return []
    return [
        Reason(
            "provisional",
            "provisional: a number of {table} that was used is not confirmed from the law itself.",
            {"table": table.name},
        )
    ]


def _settings_reference(settings: NationalSettings | None) -> SettingsReference | None:
    if settings is None:
        return None
    return SettingsReference(
        settings.id,
        settings.edition,
        settings.decree or settings.document,
        settings.digest,
        tuple(
            f"{made.key} = {made.value} ({made.reason}; {made.by}, {made.on})"
            for made in settings.overrides
        ),
    )
