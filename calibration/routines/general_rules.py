"""Rules for the points of one test that a table states beside its limits, for the general routine.

Knows the words in which a file states them: coupled wagons, repeatability, fares. A table without
those words has none of these rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from calibration.case import Case
from calibration.draft import DraftPoint, DraftTest, Judged
from calibration.legal_table import LegalTable
from calibration.limit_rules import characteristics_of
from calibration.mpe import repeatability_limit
from calibration.refusal import Refused
from calibration.routines.exact_limits import cited, requirement_clause, scale, stated
from calibration.routines.exact_points import exact_point, printed
from calibration.routines.general_job import Measured
from calibration.routines.general_sheet import FareTest, GeneralSheet, GeneralTest
from calibration.units import PERCENT, Quantity
from calibration.verification import Reason

_HUNDRED = 100


@dataclass(frozen=True, slots=True)
class Ruled:
    """What a rule found."""

    tests: tuple[DraftTest, ...] = ()
    notes: tuple[Reason, ...] = ()
    provisional: bool = False


def coupled_wagons(
    case: Case[GeneralSheet], test: GeneralTest, came: Measured
) -> tuple[tuple[DraftPoint, ...], list[Reason]]:
    """Let some results of coupled wagons exceed the limit, and none so many times it."""
    wanted = stated(case.table, "coupled_wagons")
    if not wanted or case.stage not in wanted["stages"] or not came.errors:
        raise Refused(
            "{table} states no rule for coupled wagons at this stage.",
            key=f"{test.key}.coupled",
            table=case.table.name,
        )
    pairs = list(zip(came.errors, came.bounds, strict=True))
    beyond = [abs(error) > bound for error, bound in pairs]
    far = [abs(error) > wanted["times_limit"] * bound for error, bound in pairs]
    few = _HUNDRED * sum(beyond) <= wanted["percent_of_results"] * len(pairs)
    points = tuple(
        replace(point, conforms=not (over and (not few or too_far)))
        for point, over, too_far in zip(came.points, beyond, far, strict=True)
    )
    if not any(beyond):
        return points, []
    values = {
        "count": sum(beyond),
        "rows": len(pairs),
        "percent": wanted["percent_of_results"],
        "times": wanted["times_limit"],
        "clause": requirement_clause(case.table, "coupled_wagons"),
    }
    note = Reason(
        "coupled-wagons",
        "coupled wagons: {count} of {rows} results exceed the limit; {percent} % may, and none {times} "
        "times the limit ({clause}).",
        values,
    )
    return points, [note]


def repeated(
    case: Case[GeneralSheet],
    test: GeneralTest,
    accuracy_class: str,
    characteristics: Mapping[str, str],
    came: Measured,
) -> Ruled:
    """Compare the range of the errors of several runs, where the table has a limit for it."""
    undefined = Reason(
        "repeatability-none",
        "repeatability was not judged: {table} states no limit for it here.",
        {"table": case.table.name},
    )
    if len(came.errors) < 2:
        return Ruled(notes=(undefined,))
    known = characteristics_of(case.table, accuracy_class)
    smallest = min(came.references)
    try:
        limits = repeatability_limit(
            case.table,
            accuracy_class=accuracy_class,
            values=[Quantity(printed(smallest), test.unit)],
            characteristics={n: text for n, text in characteristics.items() if n in known},
            stage=case.stage,
        )
    except Refused:
        return Ruled(notes=(undefined,))
    if limits.unit == PERCENT:
        pairs = zip(came.errors, came.references, strict=True)
        compared = [_HUNDRED * error / reference for error, reference in pairs]
    else:
        into = scale(test.unit, limits.unit)
        compared = [error * into for error in came.errors]
    point = exact_point(
        error=max(compared) - min(compared),
        lower=None,
        upper=Fraction(limits.upper[0] or 0),
        unit=limits.unit,
        clause=cited(case.table, limits.clause[0]),
        nominal=None if limits.unit == PERCENT else smallest * scale(test.unit, limits.unit),
        judged=Judged.RANGE,
    )
    return Ruled((DraftTest("repeatability", (point,)),), provisional=limits.provisional)


def fare(table: LegalTable, test: FareTest) -> DraftTest:
    """Want the fare within its share of what was calculated, at least so many of its last digits."""
    wanted = stated(table, "fare")
    if not wanted:
        raise Refused("{table} states no limit of a fare.", key=test.key, table=table.name)
    clause = requirement_clause(table, "fare")
    least = Fraction(test.digit) * wanted["at_least_digits"]
    points = []
    for reference, indication in zip(test.reference, test.indication, strict=True):
        limit = max(Fraction(reference) * Fraction(wanted["percent"]) / _HUNDRED, least)
        points.append(
            exact_point(
                error=Fraction(indication) - Fraction(reference),
                lower=-limit,
                upper=limit,
                unit=test.currency,
                clause=clause,
                nominal=Fraction(reference),
                reference=Fraction(reference),
                indication=Fraction(indication),
            )
        )
    return DraftTest("fare", tuple(points))
