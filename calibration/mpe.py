"""The maximum permissible error at a value, from the legal tables.

Knows how to ask a table for its limits at some values of one instrument. The numbers are in
``calibration/legal``, the shapes of rule in ``calibration.limit_rules``. Refuses to answer where
the law does not: beyond the last band or Max, below the minimum quantity, for an unknown class.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext
from types import MappingProxyType
from typing import Any

from calibration.grid import finest_exponent, off_grid, on_grid, plain
from calibration.legal_table import PROVISIONAL, LegalTable, legal_table, tables
from calibration.limit_curve import LimitCurve
from calibration.limit_rules import RULES, known_only, positive
from calibration.refusal import Refused
from calibration.units import PERCENT, Quantity, parse_quantity

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
    """A table entry of low confidence was used."""


def maximum_permissible_error(
    table: LegalTable,
    *,
    accuracy_class: str,
    stage: str,
    values: Sequence[Quantity],
    characteristics: Mapping[str, str] = NOTHING,
) -> Limits:
    """Give the legal limits at each value, or refuse where the law defines none.

    Limits come in the unit of the first value for bands in e (``e`` itself or a mass), and in the
    table's own unit for per cent with a minimum quantity; without that quantity, in ``%``.

    >>> r76 = legal_table("r76@2006")
    >>> load = parse_quantity("10005 g")
    >>> maximum_permissible_error(r76, accuracy_class="III", stage="initial", values=[load],
    ...                           characteristics={"e": "5 g"}).upper
    (Decimal('7.5'),)
    """
    if not values:
        raise Refused("no value is given to find a limit for.")
    rule = table.rules["rule"]
    unit = str(rule.get("unit", values[0].unit))
    curve = limit_curve(
        table,
        accuracy_class=accuracy_class,
        stage=stage,
        unit=unit,
        characteristics=characteristics,
    )
    magnitudes = [value.to(unit).magnitude for value in values]
    exponent = finest_exponent(magnitudes)
    found = curve.limits(on_grid(magnitudes, exponent), exponent)
    limits = [plain(limit) for limit in off_grid(found.counts, found.exponent)]
    clause = tuple(
        curve.floor_clause if at_floor else curve.clauses[band]
        for band, at_floor in zip(found.band.tolist(), found.at_floor.tolist(), strict=True)
    )
    if "relative_from" in rule and "mmq" not in characteristics:
        edge = parse_quantity(rule["relative_from"]).to(unit).magnitude
        relative = [magnitude >= edge for magnitude in magnitudes]
        if any(relative) and not all(relative):
            raise Refused(
                "limits are in % from {edge} on and absolute below it: give the minimum measured "
                "quantity with --with mmq=..., or ask for the two apart.",
                edge=rule["relative_from"],
            )
        if all(relative):
            unit = PERCENT
            limits = [plain(curve.slopes[band].scaleb(2)) for band in found.band.tolist()]
    return Limits(
        unit,
        tuple(-limit for limit in limits),
        tuple(limits),
        clause,
        table.provisional or _stage(table, stage)["confidence"] in PROVISIONAL,
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
    """
    make = RULES[table.rules["rule"]["kind"]]
    entry = table.rules["class"][accuracy_class_of(table, accuracy_class)]
    with localcontext(Context(prec=120, traps=[Inexact, InvalidOperation])):
        return make(table, entry, _stage(table, stage), unit, characteristics)


def repeatability_limit(
    table: LegalTable,
    *,
    accuracy_class: str,
    values: Sequence[Quantity],
    characteristics: Mapping[str, str] = NOTHING,
) -> Limits:
    """Give the largest range of repeated errors at each value, in ``%`` (no lower side).

    Refused below the quantity from which the rule holds: with a minimum measured quantity, that
    many of it; always the quantity from which limits are relative.
    """
    rule = table.rules["rule"]
    if "repeatability" not in rule:
        raise Refused("{table} has no repeatability limit of its own.", table=table.name)
    repeatability = rule["repeatability"]
    known_only(table, characteristics, "line", "mmq", "resolution")
    entry = table.rules["class"][accuracy_class_of(table, accuracy_class)]
    least = parse_quantity(rule["relative_from"])
    if "mmq" in characteristics:
        mmq = positive("mmq", characteristics).to(least.unit)
        quantities = Quantity(mmq.magnitude * repeatability["minimum_quantities"], least.unit)
        least = max(least, quantities, key=lambda quantity: quantity.magnitude)
    for value in values:
        if value.to(least.unit).magnitude < least.magnitude:
            raise Refused(
                "no repeatability limit is defined at {value}: it lies below {least}.",
                value=value,
                least=least,
            )
    limit = plain(repeatability["fraction"] * entry[repeatability["line"]])
    return Limits(
        PERCENT,
        (None,) * len(values),
        (limit,) * len(values),
        (repeatability["clause"],) * len(values),
        table.provisional or repeatability["confidence"] in PROVISIONAL,
    )


def absolute_limits(limits: Limits, values: Sequence[Quantity]) -> Limits:
    """Turn limits in ``%`` into limits in the unit of the first value: p * V / 100, exactly.

    Limits that are absolute already stay as they are.
    """
    if limits.unit != PERCENT:
        return limits
    unit = values[0].unit
    with localcontext(Context(prec=120, traps=[Inexact, InvalidOperation])):
        magnitudes = [value.to(unit).magnitude for value in values]
        lower, upper = (
            tuple(
                None if limit is None else plain((limit * magnitude).scaleb(-2))
                for limit, magnitude in zip(side, magnitudes, strict=True)
            )
            for side in (limits.lower, limits.upper)
        )
    return Limits(unit, lower, upper, limits.clause, limits.provisional)


def accuracy_class_of(table: LegalTable, name: str) -> str:
    """Give the class as the table writes it: ``1`` is ``1.0``."""
    for known in table.classes:
        if name == known or (_number(name) is not None and _number(name) == _number(known)):
            return known
    raise Refused(
        "{table} has no accuracy class {name!r}: there are {known}.",
        table=table.name,
        name=name,
        known=", ".join(table.classes),
    )


def _number(text: str) -> Decimal | None:
    return Decimal(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else None


def _stage(table: LegalTable, name: str) -> Mapping[str, Any]:
    if name not in table.stages:
        raise Refused(
            "{table} has no stage {name!r}: there are {known}.",
            table=table.name,
            name=name,
            known=", ".join(table.stages),
        )
    stage: Mapping[str, Any] = table.rules["stage"][name]
    return stage
