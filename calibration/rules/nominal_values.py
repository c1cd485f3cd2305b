"""Limits for nominal values only: a weight of 250 g has none, and no neighbour lends it one.

``columns`` names the classes, each of ``rows`` is a nominal value and one limit for each class;
an empty cell means that the class does not exist at that nominal value.
"""

from decimal import Decimal

from calibration.limit_curve import LimitCurve
from calibration.rules.question import Question
from calibration.units import Quantity, parse_quantity, same_digits


def value_unit(question: Question, unit: str) -> str:
    """Give the unit in which values are looked up: their own where that keeps their digits."""
    stated = str(question.entry["value"])
    return unit if same_digits(unit, stated) else stated


def answer_unit(question: Question, curve: LimitCurve) -> str:
    """Give the unit in which limits are answered."""
    return str(question.entry["limit_in"])


def cells(question: Question) -> list[tuple[str, Decimal]]:
    """List the nominal values of the class with their limits, ascending."""
    column = question.entry["columns"].index(question.accuracy_class.key) + 1
    rows = [(row[0], Decimal(row[column])) for row in question.entry["rows"] if row[column] != ""]
    return sorted(rows, key=lambda row: parse_quantity(row[0]).exactly(question.entry["value"]))


def curve(question: Question, unit: str) -> LimitCurve:
    """Build the limits of one class: a band for each nominal value, of which only the end counts."""
    limit_in = str(question.entry["limit_in"])
    rows = [
        (
            parse_quantity(nominal).to(unit).magnitude,
            Quantity(limit * question.factor, limit_in).to(unit).magnitude,
        )
        for nominal, limit in cells(question)
    ]
    many = len(rows)
    return LimitCurve(
        unit=unit,
        bounds=tuple(nominal for nominal, _ in rows),
        inclusive=True,
        constants=tuple(limit for _, limit in rows),
        slopes=(Decimal(0),) * many,
        clauses=(question.clause(question.table.clause),) * many,
        confidences=(question.confidence(),) * many,
        nominal=True,
    )
