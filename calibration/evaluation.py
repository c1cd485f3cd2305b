"""From an observation sheet to a verdict: the one way in.

Knows the order: legal table, standards, routine, decision, legality. Refuses to know where the
sheet came from; whether indications were simulated is added by whoever took them.
"""

import datetime
from collections.abc import Collection, Mapping

from calibration import volume, weighing
from calibration.judgement import Findings, judge
from calibration.legal_table import LegalTable, legal_table
from calibration.refusal import Refused
from calibration.sheet import Sheet, WeighingInstrument
from calibration.standard import (
    Standard,
    adequacy_reasons,
    certificate_reasons,
    correction_percent,
    resolved,
)
from calibration.verification import (
    Reason,
    TableReference,
    Verdict,
    Verification,
    combined,
)

__all__ = ["Standard", "evaluate"]

TABLES = {"nawi": "r76", "volume-meter": "r117"}
"""Legal table of each routine; a sheet may pick an edition of it."""


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
    correction = correction_percent(used)
    if isinstance(sheet.instrument, WeighingInstrument):
        if correction:
            raise Refused(
                "weights take no correction in %: state their conventional mass as the load.",
                key="standards.correction",
            )
        clause = weighing.STANDARDS_CLAUSE
        findings = weighing.weighing_findings(sheet, sheet.instrument, table)
    else:
        clause = volume.STANDARDS_CLAUSE
        findings = volume.volume_findings(sheet, sheet.instrument, table, correction)
    results, reasons = judge(findings.tests)
    verdict = _overall(combined(test.verdict for test in results), findings)
    legality = [
        *_approval(table, approved),
        *illegal,
        *certificate_reasons(used, day),
        *adequacy_reasons(used, findings.realised, clause),
    ]
    return Verification(
        verdict=verdict,
        routine=sheet.routine,
        table=TableReference(table.id, table.edition, table.clause, table.digest),
        stage=sheet.stage,
        legal=not legality,
        tests=results,
        reasons=(*reasons, *findings.lacking, *findings.notes, *legality),
        provisional=findings.provisional,
    )


def _table(sheet: Sheet, day: datetime.date) -> LegalTable:
    own = TABLES[sheet.routine]
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
