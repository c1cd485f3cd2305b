"""From an observation sheet to a verdict: the one way in.

Knows the order: legal table, standards, routine, decision, legality. Refuses to know where the
sheet came from; whether indications were simulated is added by whoever took them.
"""

import datetime
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from calibration.case import Case
from calibration.decision_rule import DecisionRule
from calibration.draft import Findings
from calibration.judgement import judge
from calibration.legal_table import LegalTable, legal_table
from calibration.refusal import Refused
from calibration.routines import volume, weighing
from calibration.sheet import Sheet
from calibration.standard import Standard, adequacy_reasons, certificate_reasons, resolved
from calibration.verification import (
    Reason,
    TableReference,
    Verdict,
    Verification,
    combined,
)

__all__ = ["ROUTINES", "Routine", "Standard", "evaluate"]


@dataclass(frozen=True, slots=True)
class Routine:
    """How one kind of instrument is evaluated."""

    table: str
    """Id of the legal table; a sheet may pick an edition of it."""
    findings: Callable[[Case[Any]], Findings]
    """Errors, limits and what is lacking."""
    standards_clause: str
    """Where the law asks for standards three times as good."""
    rule: DecisionRule = DecisionRule.SIMPLE_ACCEPTANCE
    """What an uncertainty does to the limits."""


ROUTINES: Mapping[str, Routine] = MappingProxyType(
    {
        "nawi": Routine("r76", weighing.weighing_findings, weighing.STANDARDS_CLAUSE),
        "volume-meter": Routine("r117", volume.volume_findings, volume.STANDARDS_CLAUSE),
    }
)


def evaluate(
    sheet: Sheet,
    *,
    standards: Mapping[str, Standard],
    approved: Collection[str],
    on: datetime.date | None = None,
) -> Verification:
    """Decide a sheet: every point, every test, the instrument, and whether it is legal.

    ``standards`` is the office's register by id, ``approved`` the digests of the legal tables it
    approved, ``on`` the day whose law and certificates count (the day of the sheet).
    """
    day = sheet.date if on is None else on
    table = _table(sheet, day)
    used, illegal = resolved(sheet.standards, standards)
    routine = ROUTINES[sheet.routine]
    findings = routine.findings(Case(sheet.body, sheet.stage, day, table, used, sheet.environment))
    results, reasons = judge(findings.tests, routine.rule)
    verdict = _overall(combined(test.verdict for test in results), findings)
    legality = [
        *_approval(table, approved),
        *illegal,
        *certificate_reasons(used, day),
        *adequacy_reasons(used, findings.realised, routine.standards_clause),
    ]
    return Verification(
        verdict=verdict,
        routine=sheet.routine,
        table=TableReference(table.id, table.edition, table.clause, table.digest),
        stage=sheet.stage,
        legal=not legality,
        tests=results,
        reasons=(*reasons, *findings.lacking, *findings.notes, *legality),
        decision_rule=str(routine.rule),
        provisional=findings.provisional,
    )


def _table(sheet: Sheet, day: datetime.date) -> LegalTable:
    own = ROUTINES[sheet.routine].table
    name = sheet.table or own
    if name.partition("@")[0] != own:
        raise Refused(
            "routine {routine} is decided by {own}, not by {name}.",
            key="table",
            routine=sheet.routine,
            own=own,
            name=name,
        )
    try:
        return legal_table(name, on=day)
    except Refused as refused:
        raise Refused(refused.template, key="table", **refused.evidence) from None


def _overall(tests: Verdict, findings: Findings) -> Verdict:
    """Leave it open while something is lacking, unless an error decides already."""
    if tests is Verdict.CONFORMING and findings.lacking:
        return Verdict.INDETERMINATE
    return tests


def _approval(table: LegalTable, approved: Collection[str]) -> list[Reason]:
    if table.digest in approved:
        return []
    return [
        Reason(
            "table-not-approved",
            "the office has not approved table {table}.",
            {"table": table.name},
        )
    ]
