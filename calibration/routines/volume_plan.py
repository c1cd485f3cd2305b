"""Which flow rates and runs a meter for liquids wants, by the requirements of its table.

Knows how to compare what was tested with what is wanted. Refuses to hold a number of the law.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from calibration.legal_table import LegalTable
from calibration.routines.volume_sheet import MeterSheet
from calibration.verification import Reason

_RATE = "L/h"


def wanted_runs(table: LegalTable) -> int:
    """Give the fewest runs from which a repeatability is found."""
    return int(_wanted(table)["runs"])


def lacking_flow_rates(body: MeterSheet, table: LegalTable) -> Iterator[Reason]:
    """List what is missing of the flow rates: how many, and where national settings say where."""
    wanted = _wanted(table)
    tested = {test.flow_rate.exactly(_RATE) for test in body.tests}
    if len(tested) < wanted["flow_rates"]:
        yield Reason(
            "flow-rates-too-few",
            "{count} flow rates were tested and {wanted} are wanted: maximum, medium and slow "
            "(R 117-1: maximum and near minimum).",
            {"count": len(tested), "wanted": wanted["flow_rates"]},
        )
        return
    own: Mapping[str, Any] = table.rules["requirement"].get("test", {})
    for low, high in own.get("shares_of_largest", ()):
        ends = [Fraction(Decimal(end)) * max(tested) for end in (low, high)]
        if not any(ends[0] <= rate <= ends[1] for rate in tested):
            yield Reason(
                "flow-rate-missing",
                "no flow rate from {low} to {high} of the largest was tested ({clause}).",
                {"low": low, "high": high, "clause": own["clause"]},
            )


def _wanted(table: LegalTable) -> Mapping[str, Any]:
    wanted: Mapping[str, Any] = table.rules["requirement"]["flow_rates"]
    return wanted
