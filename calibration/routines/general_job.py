"""A test of the general routine, and what it comes to.

Knows which limit belongs to a row and how its point is drafted. Refuses to know what is judged of the
indications: `general_measured`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from calibration.draft import DraftPoint
from calibration.grid import off_grid
from calibration.refusal import Refused
from calibration.rounding import rounded_up
from calibration.routines.exact_limits import AskedTable, ExactLimit, scale
from calibration.routines.exact_points import exact_point, printed
from calibration.routines.general_reference import Referenced
from calibration.routines.general_sheet import GeneralTest
from calibration.standard import Realised, Standard
from calibration.uncertainty import Budget
from calibration.verification import Reason


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What one test came to."""

    points: tuple[DraftPoint, ...]
    limits: tuple[ExactLimit, ...]
    budget: Budget | None
    realised: tuple[Realised, ...]
    standard: Standard | None
    illegal: tuple[Reason, ...] = ()
    errors: tuple[Fraction, ...] = ()
    """Of every row, where each is judged [unit]."""
    references: tuple[Fraction, ...] = ()
    """Corrected, of every row, where each is judged [unit]."""
    bounds: tuple[Fraction, ...] = ()
    """Magnitude of the limit of every row, where each is judged [unit]."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One test with the table that judges it and the standards that gave its reference."""

    test: GeneralTest
    asked: AskedTable
    standards: Sequence[Standard]

    def limit(self, row: int, value: Fraction, reference: Fraction) -> tuple[ExactLimit, Fraction]:
        """Give the limit of one row and its magnitude [unit]."""
        test, asked = self.test, self.asked
        name, looked_up, unit = "reference", value, test.unit
        if test.at:
            at = test.at[row if len(test.at) > 1 else 0]
            name, looked_up, unit = "at", at.exactly(at.unit), at.unit
        try:
            limit = asked.at(looked_up, unit)
        except Refused as refused:
            place = f"{test.key}.{name}[{row}]"
            raise Refused(refused.template, key=place, **refused.evidence) from None
        if asked.curve.relative:
            return limit, limit.magnitude * abs(reference) / 100
        return limit, limit.magnitude * scale(asked.curve.unit, test.unit)

    def point(
        self,
        limit: ExactLimit,
        magnitude: Fraction,
        error: Fraction,
        place: int,
        *,
        reference: Fraction,
        indication: Fraction,
        row: int | None = None,
    ) -> DraftPoint:
        """Draft one point between its limits."""
        lower, upper = self.asked.sides(magnitude)
        test = self.test
        failure = None
        if test.at:
            at = test.at[place if len(test.at) > 1 else 0]
            values = {
                "test": "accuracy",
                "point": place + 1,
                "nominal": str(at),
                "error": f"{printed(error):f} {test.unit}",
                "lower": "-" if lower is None else f"{printed(lower):f} {test.unit}",
                "upper": f"{printed(upper):f} {test.unit}",
                "clause": limit.clause,
            }
            failure = Reason(
                "error-beyond-limit",
                "{test}, point {point} at {nominal}: the error {error} is not within {lower} to "
                "{upper} ({clause}).",
                values,
            )
        return exact_point(
            error=error,
            lower=lower,
            upper=upper,
            unit=test.unit,
            clause=limit.clause,
            failure=failure,
            nominal=reference,
            reference=reference,
            indication=indication,
            row=row,
        )


def realised(
    found: Referenced, values: Sequence[Fraction], bounds: Sequence[Fraction], unit: str
) -> tuple[Realised, ...]:
    """State what the standard realised, with the limits there."""
    known = found.expanded()
    expanded: Sequence[Decimal | None] = (None,) * len(values)
    if known is not None:
        worst = known if len(known) == len(values) else (max(known),) * len(values)
        expanded = off_grid(*rounded_up(np.array(worst)))
    return tuple(
        Realised(printed(value), printed(bound), unit, u)
        for value, bound, u in zip(values, bounds, expanded, strict=True)
    )
