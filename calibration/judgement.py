"""From points that were measured to verdicts with their reasons.

Knows how drafted tests become columns for `verify` and results with reasons. Refuses to know how
an error was found or what the law wants: a routine drafts its tests with limits and clauses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

import numpy as np

from calibration.grid import finest_exponent, on_grid
from calibration.standard import Realised
from calibration.verification import (
    NO_LOWER,
    NO_UPPER,
    PointColumns,
    PointResult,
    Reason,
    TestResult,
    Verdict,
    combined,
    verify,
)


class Judged(Enum):
    """What the ``error`` of a point is."""

    ERROR = "error"
    """A measurement error."""
    RANGE = "range"
    """Largest minus smallest error of the same load or flow rate."""
    CHANGE = "change"
    """Change of the indication by an extra load."""


@dataclass(frozen=True, slots=True)
class DraftPoint:
    """A point with its limits, before the decision."""

    nominal: Decimal | None
    """Value that was aimed at [unit]; None for a range in %."""
    error: Decimal | None
    """What is judged [unit]; None when the observations do not give it."""
    lower: Decimal | None
    """Lower limit [unit]; None when that side has none."""
    upper: Decimal | None
    """Upper limit [unit]; None when that side has none."""
    unit: str
    """Unit symbol of every number of the point."""
    clause: str
    """Clause that gives the limit."""
    reference: Decimal | None = None
    """Value of the measurement standard [unit]."""
    indication: Decimal | None = None
    """Digits as displayed [unit]."""
    judged: Judged = Judged.ERROR
    relative_error: Decimal | None = None
    """The error in % of the reference, rounded: for people."""
    conforms: bool | None = None
    """A decision taken already on exact ratios that have no finite decimals."""


@dataclass(frozen=True, slots=True)
class DraftTest:
    """A test before the decision."""

    name: str
    points: tuple[DraftPoint, ...]
    lacking: tuple[Reason, ...] = ()
    """Why the test stays indeterminate even when every point conforms."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """What the test was done at, with units: ``{"flow_rate": "50 L/min"}``."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a routine found on one sheet."""

    tests: tuple[DraftTest, ...]
    lacking: tuple[Reason, ...]
    """Why the instrument stays indeterminate even when every test conforms."""
    notes: tuple[Reason, ...]
    """What a reader of the verdict must know."""
    realised: tuple[Realised, ...]
    """Values of the standards with the limits there."""
    provisional: bool
    """A table entry of low confidence was used."""


def judge(
    tests: Sequence[DraftTest],
) -> tuple[tuple[TestResult, ...], tuple[Reason, ...]]:
    """Decide every point of one instrument (a batch of one) and say what does not conform."""
    decided = _decided(tests)
    results: list[TestResult] = []
    reasons: list[Reason] = []
    for number, test in enumerate(tests):
        points = []
        for place, point in enumerate(test.points):
            verdict = decided[number][place]
            points.append(_point_result(point, verdict))
            if verdict is Verdict.NONCONFORMING:
                reasons.append(_failure(test, place, point))
        verdict = combined(point.verdict for point in points)
        if verdict is Verdict.CONFORMING and test.lacking:
            verdict = Verdict.INDETERMINATE
        reasons.extend(test.lacking)
        results.append(TestResult(test.name, verdict, tuple(points), test.conditions))
    return tuple(results), tuple(reasons)


def _decided(tests: Sequence[DraftTest]) -> list[list[Verdict]]:
    """Put all points that have an error onto one grid and verify them together."""
    verdicts = [[Verdict.INDETERMINATE] * len(test.points) for test in tests]
    rows: list[tuple[int, int, Decimal, Decimal | None, Decimal | None]] = []
    for number, test in enumerate(tests):
        for place, point in enumerate(test.points):
            if point.conforms is not None:
                verdicts[number][place] = _verdict(point.conforms)
            elif point.error is not None:
                rows.append((number, place, point.error, point.lower, point.upper))
    exponent = finest_exponent(
        value for row in rows for value in row[2:] if isinstance(value, Decimal)
    )
    zero = Decimal(0)
    lower = on_grid([zero if row[3] is None else row[3] for row in rows], exponent)
    upper = on_grid([zero if row[4] is None else row[4] for row in rows], exponent)
    lower[[row[3] is None for row in rows]] = NO_LOWER
    upper[[row[4] is None for row in rows]] = NO_UPPER
    verified = verify(
        PointColumns(
            error=on_grid([row[2] for row in rows], exponent),
            lower=lower,
            upper=upper,
            test=np.array([row[0] for row in rows], dtype=np.int64),
            instrument=np.zeros(len(rows), dtype=np.int64),
            tests=len(tests),
            instruments=1,
        )
    )
    for (number, place, *_), conforming in zip(rows, verified.conforming.tolist(), strict=True):
        verdicts[number][place] = _verdict(conforming)
    return verdicts


def _verdict(conforming: bool) -> Verdict:
    return Verdict.CONFORMING if conforming else Verdict.NONCONFORMING


def _point_result(point: DraftPoint, verdict: Verdict) -> PointResult:
    return PointResult(
        nominal=point.nominal,
        reference=point.reference,
        indication=point.indication,
        error=point.error,
        lower=point.lower,
        upper=point.upper,
        unit=point.unit,
        verdict=verdict,
        relative_error=point.relative_error,
    )


def _failure(test: DraftTest, place: int, point: DraftPoint) -> Reason:
    values = {
        "test": test.name,
        "point": place + 1,
        "nominal": test.conditions.get("flow_rate") or _said(point.nominal, point),
        "error": _said(point.error, point),
        "lower": _said(point.lower, point),
        "upper": _said(point.upper, point),
        "clause": point.clause,
    }
    if point.judged is Judged.RANGE:
        return Reason(
            "range-beyond-limit",
            "{test} at {nominal}: the errors differ by {error}, more than {upper} ({clause}).",
            values,
        )
    if point.judged is Judged.CHANGE:
        return Reason(
            "change-too-small",
            "{test}, point {point} at {nominal}: the extra load changed the indication by {error}, "
            "less than {lower} ({clause}).",
            values,
        )
    return Reason(
        "error-beyond-limit",
        "{test}, point {point} at {nominal}: the error {error} is not within {lower} to {upper} "
        "({clause}).",
        values,
    )


def _said(value: Decimal | None, point: DraftPoint) -> str:
    return "-" if value is None else f"{value:f} {point.unit}"
