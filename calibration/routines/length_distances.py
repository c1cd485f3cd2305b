"""Errors of the distances between marks, and of consecutive intervals against one another.

Knows that the limit of R 35 holds between any two marks: a measure may be right at each mark from its
beginning and wrong between two of them.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from calibration.draft import DraftTest
from calibration.legal_table import LegalTable
from calibration.refusal import Refused
from calibration.routines.exact_limits import (
    AskedTable,
    ExactLimit,
    requirement_clause,
    stated,
)
from calibration.routines.exact_points import exact_point, printed
from calibration.routines.length_certificate import UNIT
from calibration.units import Quantity
from calibration.verification import Reason

DIFFERENCE = "consecutive_difference"


def length_limit(asked: AskedTable, distance: Fraction, key: str) -> tuple[ExactLimit, Fraction]:
    """Give the limit at a distance [mm], and the limit itself in mm."""
    try:
        limit = asked.at(distance, UNIT)
    except Refused as refused:
        raise Refused(refused.template, key=key, **refused.evidence) from None
    return limit, limit.magnitude * Quantity(Decimal(1), asked.curve.unit).exactly(UNIT)


def between_marks(
    asked: AskedTable, nominal: Sequence[Fraction], found: Sequence[Fraction]
) -> list[DraftTest]:
    """Draft of each mark its distance to that mark before it where the error comes nearest its limit.

    ``nominal`` and ``found`` [mm] from the beginning. Where that one conforms, all do.
    """
    errors = [distance - length for distance, length in zip(nominal, found, strict=True)]
    points = []
    for place in range(1, len(nominal)):
        pairs = [
            (*length_limit(asked, nominal[place] - nominal[other], "test"), other)
            for other in range(place)
        ]
        limit, magnitude, other = max(
            pairs, key=lambda pair: abs(errors[place] - errors[pair[2]]) / pair[1]
        )
        error = errors[place] - errors[other]
        failure = Reason(
            "distance-beyond-limit",
            "the distance between the marks at {first} and {second}: the error {error} is beyond "
            "{limit} ({clause}).",
            {
                "first": _said(nominal[other]),
                "second": _said(nominal[place]),
                "error": _said(error),
                "limit": _said(magnitude),
                "clause": limit.clause,
            },
        )
        points.append(
            exact_point(
                error=error,
                lower=-magnitude,
                upper=magnitude,
                unit=UNIT,
                clause=limit.clause,
                nominal=nominal[place] - nominal[other],
                failure=failure,
            )
        )
    return [DraftTest("between-marks", tuple(points))] if points else []


def interval_differences(
    table: LegalTable, nominal: Fraction, found: Sequence[Fraction], magnitude: Fraction
) -> list[DraftTest]:
    """Draft the differences of consecutive intervals [mm], whose limit is that of the intervals."""
    if not stated(table, DIFFERENCE) or len(found) < 2:
        return []
    clause = requirement_clause(table, DIFFERENCE)
    points = []
    for place, (before, after) in enumerate(pairwise(found), 1):
        failure = Reason(
            "intervals-differ",
            "intervals {first} and {second} differ by {error}, more than {limit} ({clause}).",
            {
                "first": place,
                "second": place + 1,
                "error": _said(after - before),
                "limit": _said(magnitude),
                "clause": clause,
            },
        )
        points.append(
            exact_point(
                error=after - before,
                lower=-magnitude,
                upper=magnitude,
                unit=UNIT,
                clause=clause,
                nominal=nominal,
                failure=failure,
            )
        )
    return [DraftTest("interval-differences", tuple(points))]


def _said(value: Fraction) -> str:
    return f"{printed(value):f} {UNIT}"
