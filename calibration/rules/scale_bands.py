"""Limits by bands of the load in verification scale intervals (R 76, R 51).

Knows single- and multi-interval instruments: each partial range brings its own e. A table's file
gives ``upto`` [e], ``limit`` [e], and ``intervals`` where the class allows only some e and n.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise, zip_longest
from typing import Any

from calibration.grid import plain
from calibration.legal_table import LegalTable
from calibration.limit_curve import NOT_STATED, LimitCurve
from calibration.refusal import Refused
from calibration.rules.characteristics import Characteristic, positive
from calibration.rules.question import Question
from calibration.units import INTERVAL, Quantity, parse_quantity

KNOWN = {
    known.name: known
    for known in (
        Characteristic("e", "verification scale interval", "interval skala verifikasi", "5g"),
        Characteristic(
            "ranges",
            "partial weighing ranges, each with its Max and e",
            "rentang penimbangan, masing-masing dengan Max dan e",
            "2kg:1g,5kg:2g,15kg:10g",
        ),
        Characteristic("max", "maximum capacity", "kapasitas maksimum", "15kg"),
    )
}


def value_unit(question: Question, unit: str) -> str:
    """Give the unit in which loads are looked up: the one they are stated in."""
    return unit


def answer_unit(question: Question, curve: LimitCurve) -> str:
    """Give the unit in which limits are answered: that of the load."""
    return curve.unit


@dataclass(frozen=True, slots=True)
class _PartialRange:
    """A weighing range with its own verification scale interval."""

    maximum: Quantity | None
    e: Quantity


def curve(question: Question, unit: str) -> LimitCurve:
    """Build the limits: factor * limit of the band * e, the band by the load in e of its range."""
    entry, texts = question.entry, question.given.texts
    ranges = _partial_ranges(question.table, entry, unit, texts)
    clause = question.clause(entry.get("clause", ""))
    if len(ranges) > 1:
        clause = f"{clause}, {entry['multi_interval_clause']}"
    limits, lacking = question.number(entry["limit"])
    if lacking:
        limits = [0] * len(entry["upto"])
    bounds: list[Decimal] = []
    constants: list[Decimal] = []
    reached = Decimal(0)
    for partial in ranges:
        e = partial.e.to(unit).magnitude
        maximum = None if partial.maximum is None else partial.maximum.to(unit).magnitude
        for upto, limit in zip_longest(entry["upto"], limits):
            end = None if upto is None else upto * e
            if end is not None and end <= reached:
                continue
            constants.append(question.factor * limit * e)
            if maximum is not None and (end is None or maximum <= end):
                end = maximum
            if end is None:
                break
            bounds.append(end)
            reached = end
            if end == maximum:
                break
    many = len(constants)
    return LimitCurve(
        unit=unit,
        bounds=tuple(bounds),
        inclusive=True,
        constants=tuple(constants),
        slopes=(Decimal(0),) * many,
        clauses=(clause,) * many,
        confidences=(question.confidence(),) * many,
        above=bool(entry.get("above_zero", False)),
        lacking=(NOT_STATED,) * many if lacking else (),
    )


def _partial_ranges(
    table: LegalTable, entry: Mapping[str, Any], unit: str, given: Mapping[str, str]
) -> list[_PartialRange]:
    if "ranges" in given:
        ranges = _parsed_ranges(given["ranges"])
        stated = {"e": ranges[0].e, "max": ranges[-1].maximum}
        for name, quantity in stated.items():
            if quantity is None or name not in given:
                continue
            if quantity != positive(name, given[name]).to(quantity.unit):
                raise Refused("{value} contradicts the ranges.", key=name, value=given[name])
        if unit == INTERVAL:
            raise Refused("e differs from range to range: state the load in a unit of mass.")
    elif "e" in given:
        maximum = positive("max", given["max"]) if "max" in given else None
        ranges = [_PartialRange(maximum, positive("e", given["e"]))]
    elif unit == INTERVAL and "max" not in given:
        return [_PartialRange(None, Quantity(Decimal(1), INTERVAL))]
    else:
        raise Refused(
            "{table} needs the verification scale interval: give it with --with e=..., "
            "for example --with e=5g.",
            table=table.name,
        )
    for partial in ranges:
        _check_interval(table, entry, partial, many=len(ranges) > 1)
    if unit == INTERVAL:
        e, maximum = ranges[0].e, ranges[0].maximum
        n = None if maximum is None else maximum.to(e.unit).magnitude / e.magnitude
        return [
            _PartialRange(
                None if n is None else Quantity(n, INTERVAL), Quantity(Decimal(1), INTERVAL)
            )
        ]
    return ranges


def _parsed_ranges(text: str) -> list[_PartialRange]:
    ranges: list[tuple[Quantity, Quantity]] = []
    for part in text.split(","):
        maximum, separator, e = part.partition(":")
        if not separator:
            raise Refused(
                "{text!r} is no list of ranges: write 2kg:1g,5kg:2g,15kg:10g.",
                key="ranges",
                text=text,
            )
        ranges.append((positive("ranges", maximum), positive("ranges", e)))
    for smaller, larger in pairwise(ranges):
        if not all(_exceeds(more, less) for less, more in zip(smaller, larger, strict=True)):
            raise Refused(
                "Max and e grow from range to range, and in {text!r} they do not.",
                key="ranges",
                text=text,
            )
    return [_PartialRange(maximum, e) for maximum, e in ranges]


def _check_interval(
    table: LegalTable, entry: Mapping[str, Any], partial: _PartialRange, *, many: bool
) -> None:
    """Refuse an e, or a number of intervals n = Max / e, that the class does not have."""
    e, rule = partial.e, table.rules["rule"]
    digits = {(digit,) for digit in rule.get("e_digits", ())}
    if digits and plain(e.magnitude).normalize().as_tuple().digits not in digits:
        raise Refused("e is 1, 2 or 5 times a power of ten, not {e}.", e=e)
    if "intervals" not in entry:
        return
    for row in entry["intervals"]:
        smallest, largest = parse_quantity(row["e_min"]), row.get("e_max")
        if e.to(smallest.unit).magnitude >= smallest.magnitude and (
            largest is None or not _exceeds(e, parse_quantity(largest))
        ):
            break
    else:
        raise Refused(
            "this class has no instruments with e = {e}: e is {allowed} ({clause}).",
            e=e,
            allowed=" or ".join(
                f"{row['e_min']} to {row['e_max']}" if "e_max" in row else f"from {row['e_min']}"
                for row in entry["intervals"]
            ),
            clause=rule["interval_clause"],
        )
    if partial.maximum is None:
        return
    n = Fraction(partial.maximum.to(e.unit).magnitude) / Fraction(e.magnitude)
    least = 0 if many else row.get("n_min", 0)  # Table 4 has other minima for partial ranges
    if n < least or n > row.get("n_max", n):
        raise Refused(
            "Max = {maximum} with e = {e} is not of this class: n = Max/e is {least} to {most} "
            "({clause}).",
            maximum=partial.maximum,
            e=e,
            least=least,
            most=row.get("n_max", "any number"),
            clause=rule["interval_clause"],
        )


def _exceeds(quantity: Quantity, other: Quantity) -> bool:
    return quantity.to(other.unit).magnitude > other.magnitude
