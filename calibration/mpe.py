"""The maximum permissible error at a value, from the legal tables.

Knows how to ask a table for its limits at some values of one instrument. The numbers are in
``calibration/legal``, the shapes of rule in ``calibration/rules``. Refuses to answer where the law
does not: beyond the last band or Max, below the minimum quantity, for an unknown class.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext
from types import MappingProxyType

from calibration.edition import PROVISIONAL, weakest
from calibration.grid import Counts, finest_exponent, off_grid, on_grid, plain
from calibration.legal_table import LegalTable, legal_table, tables
from calibration.limit_curve import LimitCurve
from calibration.limit_rules import characteristics_of, shape_of
from calibration.refusal import Refused
from calibration.rules import minimum_quantity
from calibration.rules.characteristics import known_only, positive
from calibration.rules.question import Question, ask, check_needs, find_class, find_stage
from calibration.units import INTERVAL, PERCENT, Quantity, parse_quantity

__all__ = [
    "LegalTable",
    "LimitCurve",
    "Limits",
    "absolute_limits",
    "accuracy_class_of",
    "legal_table",
    "limit_curve",
    "maximum_permissible_error",
    "repeatability_limit",
    "tables",
]

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the measurement error at each of some values."""

    unit: str
    """Unit symbol of the limits; ``%`` is per cent of the value."""
    lower: tuple[Decimal | None, ...]
    """Smallest error that conforms [unit]; None where that side has no limit."""
    upper: tuple[Decimal | None, ...]
    """Largest error that conforms [unit]; None where that side has no limit."""
    clause: tuple[str, ...]
    """Clause that gives each limit."""
    provisional: bool
    """A table entry of low confidence was used for one of them."""
    confidence: tuple[str, ...] = ()
    """How sure the entry is that gave each limit."""
    percent_of: str = ""
    """The quantity that limits in ``%`` are of where it is not the value itself."""


_EXACT = Context(prec=120, traps=[Inexact, InvalidOperation])


def maximum_permissible_error(
    table: LegalTable,
    *,
    accuracy_class: str,
    stage: str,
    values: Sequence[Quantity],
    characteristics: Mapping[str, str] = NOTHING,
) -> Limits:
    """Give the legal limits at each value, or refuse where the law defines none.

    Limits come in % where the law states a share of the value, in the unit of the first value for
    bands in e, and else in the unit in which the law states them.

    >>> r76 = legal_table("r76@2006")
    >>> load = parse_quantity("10005 g")
    >>> maximum_permissible_error(r76, accuracy_class="III", stage="initial", values=[load],
    ...                           characteristics={"e": "5 g"}).upper
    (Decimal('7.5'),)
    """
    if not values:
        raise Refused("no value is given to find a limit for.")
    question = _ask(table, accuracy_class, stage, values[0].unit, characteristics)
    shape = shape_of(table, question.accuracy_class.key)
    unit = shape.value_unit(question, values[0].unit)
    curve = _curve(question, unit)
    magnitudes = [value.to(unit).magnitude for value in values]
    exponent = finest_exponent(magnitudes)
    found = curve.limits(on_grid(magnitudes, exponent), exponent)
    bands = list(zip(found.band.tolist(), found.at_floor.tolist(), strict=True))
    answer = _answer_unit(question, curve, magnitudes)
    if curve.relative or answer != PERCENT:
        sides = [
            _said(side, found.exponent, curve.limit_unit, answer, len(values))
            for side in (curve.lower(found), found.counts)
        ]
    else:
        upper = [plain(curve.slopes[band].scaleb(2)) for band, _ in bands]
        sides = [tuple(-limit for limit in upper), tuple(upper)]
    confidence = tuple(curve.confidence(band, at_floor=floor) for band, floor in bands)
    return Limits(
        answer,
        sides[0],
        sides[1],
        tuple(curve.floor_clause if floor else curve.clauses[band] for band, floor in bands),
        any(sure in PROVISIONAL for sure in confidence),
        confidence,
        str(question.entry.get("percent_of", "")),
    )


def limit_curve(
    table: LegalTable,
    *,
    accuracy_class: str,
    stage: str,
    unit: str,
    characteristics: Mapping[str, str] = NOTHING,
) -> LimitCurve:
    """Give the limits of one kind of instrument as a function on int64 counts, in ``unit``.

    The vectorised path: built once, then `LimitCurve.limits` looks up columns of any length.
    ``relative`` tells whether its limits are in % of another quantity than the value.
    """
    return _curve(_ask(table, accuracy_class, stage, unit, characteristics), unit)


def _ask(
    table: LegalTable,
    accuracy_class: str,
    stage: str,
    unit: str,
    characteristics: Mapping[str, str],
) -> Question:
    known = characteristics_of(table, accuracy_class)
    question = ask(table, accuracy_class, stage, unit, characteristics, known)
    check_needs(question)
    return question


def _curve(question: Question, unit: str) -> LimitCurve:
    shape = shape_of(question.table, question.accuracy_class.key)
    with localcontext(_EXACT):
        return shape.curve(question, unit)


def _answer_unit(question: Question, curve: LimitCurve, magnitudes: Sequence[Decimal]) -> str:
    """Choose the unit of the answer; one answer is not in two kinds of unit."""
    shape = shape_of(question.table, question.accuracy_class.key)
    answer = shape.answer_unit(question, curve)
    if answer != PERCENT or "relative_from" not in question.entry:
        return answer
    start = minimum_quantity.relative_from(question)
    edge = start.to(curve.unit).magnitude
    relative = [magnitude >= edge for magnitude in magnitudes]
    if any(relative) and not all(relative):
        raise Refused(
            "limits are in % from {edge} on and absolute below it: give the minimum measured "
            "quantity with --with mmq=..., or ask for the two apart.",
            edge=start,
        )
    return PERCENT if all(relative) else curve.unit


def _said(
    side: Counts | None, exponent: int, unit: str, answer: str, many: int
) -> tuple[Decimal | None, ...]:
    if side is None:
        return (None,) * many
    return tuple(
        plain(Quantity(limit, unit).to(answer).magnitude) for limit in off_grid(side, exponent)
    )


def repeatability_limit(
    table: LegalTable,
    *,
    accuracy_class: str,
    values: Sequence[Quantity],
    characteristics: Mapping[str, str] = NOTHING,
    stage: str = "initial",
) -> Limits:
    """Give the largest range of repeated errors at each value (no lower side).

    In ``%`` for volumes: refused below the quantity from which the rule holds (with a minimum
    measured quantity, that many of it; always the quantity from which limits are relative). In
    the unit of the first value where national settings state it in e.
    """
    rule = table.rules["rule"]
    if "repeatability" not in rule:
        raise Refused("{table} has no repeatability limit of its own.", table=table.name)
    repeatability = rule["repeatability"]
    known_only(table.name, characteristics, *characteristics_of(table, accuracy_class))
    entry = table.rules["class"][find_class(table, accuracy_class).key]
    stated = find_stage(table, stage)
    if "intervals" in repeatability:
        unit, limit = _in_intervals(
            table, repeatability["intervals"], stage, values, characteristics
        )
    else:
        _check_quantity(
            repeatability, parse_quantity(rule["relative_from"]), values, characteristics
        )
        unit = PERCENT
        limit = repeatability.get("percent")
        if limit is None:
            limit = repeatability["fraction"] * entry[repeatability["line"]]
    sure = weakest(table.confidence, repeatability["confidence"])
    if "setting" in stated:
        sure = weakest(sure, stated["confidence"])
    many = len(values)
    return Limits(
        unit,
        (None,) * many,
        (plain(Decimal(limit)),) * many,
        (repeatability["clause"],) * many,
        sure in PROVISIONAL,
        (sure,) * many,
    )


def _in_intervals(
    table: LegalTable,
    stated: Mapping[str, Decimal],
    stage: str,
    values: Sequence[Quantity],
    characteristics: Mapping[str, str],
) -> tuple[str, Decimal]:
    """Give a repeatability limit of so many e in the unit of the first load."""
    if stage not in stated:
        raise Refused(
            "{table} has no repeatability limit for stage {stage!r}: there are {known}.",
            table=table.name,
            stage=stage,
            known=", ".join(stated),
        )
    unit = values[0].unit
    if unit == INTERVAL:
        return unit, Decimal(stated[stage])
    if "e" not in characteristics:
        raise Refused(
            "{table} needs the verification scale interval: give it with --with e=..., "
            "for example --with e=5g.",
            table=table.name,
        )
    return unit, stated[stage] * positive("e", characteristics["e"]).to(unit).magnitude


def _check_quantity(
    repeatability: Mapping[str, Decimal],
    least: Quantity,
    values: Sequence[Quantity],
    characteristics: Mapping[str, str],
) -> None:
    if "mmq" in characteristics:
        mmq = positive("mmq", characteristics["mmq"]).to(least.unit)
        quantities = Quantity(mmq.magnitude * repeatability["minimum_quantities"], least.unit)
        least = max(least, quantities, key=lambda quantity: quantity.magnitude)
    for value in values:
        if value.to(least.unit).magnitude < least.magnitude:
            raise Refused(
                "no repeatability limit is defined at {value}: it lies below {least}.",
                value=value,
                least=least,
            )


def absolute_limits(limits: Limits, values: Sequence[Quantity]) -> Limits:
    """Turn limits in ``%`` into limits in the unit of the first value: p * V / 100, exactly.

    Limits that are absolute already stay as they are; % of another quantity is refused.
    """
    if limits.unit != PERCENT:
        return limits
    if limits.percent_of:
        raise Refused(
            "the limit at {value} is in % of {quantity}, not of this value.",
            value=values[0],
            quantity=limits.percent_of,
        )
    unit = values[0].unit
    with localcontext(_EXACT):
        magnitudes = [value.to(unit).magnitude for value in values]
        lower, upper = (
            tuple(
                None if limit is None else plain((limit * magnitude).scaleb(-2))
                for limit, magnitude in zip(side, magnitudes, strict=True)
            )
            for side in (limits.lower, limits.upper)
        )
    return replace(limits, unit=unit, lower=lower, upper=upper)


def accuracy_class_of(table: LegalTable, name: str) -> str:
    """Give the class as the table prints it: ``1`` is ``1.0``, ``iii`` is ``III``."""
    return find_class(table, name).name
