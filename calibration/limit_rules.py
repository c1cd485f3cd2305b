"""The shapes a legal rule can have, each turned into a `LimitCurve`.

Knows what the keys of a table's file mean: bands in verification scale intervals (R 76), and per
cent with a minimum quantity (R 117). Refuses to know any number of the law: those are in
``calibration/legal``; another table of the same shape is another file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise, zip_longest
from types import MappingProxyType
from typing import Any

from calibration.grid import finest_exponent, off_grid, on_grid, plain
from calibration.legal_table import LegalTable
from calibration.limit_curve import LimitCurve
from calibration.refusal import Refused
from calibration.units import INTERVAL, Quantity, parse_quantity


def known_only(table: LegalTable, given: Mapping[str, str], *names: str) -> None:
    """Refuse a characteristic that the rule does not use: it may be a misspelt one."""
    for name in given:
        if name not in names:
            raise Refused(
                "{table} takes no characteristic {name!r}: it takes {known}.",
                table=table.name,
                name=name,
                known=", ".join(names),
            )


def positive(name: str, given: Mapping[str, str]) -> Quantity:
    """Read a characteristic that is a quantity above 0."""
    return _positive(name, given[name])


def _positive(key: str, text: str) -> Quantity:
    quantity = parse_quantity(text, key=key)
    if quantity.magnitude <= 0:
        raise Refused("{value} is not more than 0.", key=key, value=quantity)
    return quantity


@dataclass(frozen=True, slots=True)
class _PartialRange:
    """A weighing range with its own verification scale interval."""

    maximum: Quantity | None
    e: Quantity


def _bands_curve(
    table: LegalTable,
    entry: Mapping[str, Any],
    stage: Mapping[str, Any],
    unit: str,
    given: Mapping[str, str],
) -> LimitCurve:
    """Limit = factor * limit of the band * e, the band by the load in e of its partial range."""
    known_only(table, given, "e", "ranges", "max")
    rule = table.rules["rule"]
    ranges = _partial_ranges(table, entry, unit, given)
    clause = stage["clause"]
    if len(ranges) > 1:
        clause = f"{clause}, {rule['multi_interval_clause']}"
    bounds: list[Decimal] = []
    constants: list[Decimal] = []
    reached = Decimal(0)
    for partial in ranges:
        e = partial.e.to(unit).magnitude
        maximum = None if partial.maximum is None else partial.maximum.to(unit).magnitude
        for upto, limit in zip_longest(entry["upto"], entry["limit"]):
            end = None if upto is None else upto * e
            if end is not None and end <= reached:
                continue
            constants.append(stage["factor"] * limit * e)
            if maximum is not None and (end is None or maximum <= end):
                end = maximum
            if end is None:
                break
            bounds.append(end)
            reached = end
            if end == maximum:
                break
    return LimitCurve(
        unit=unit,
        bounds=tuple(bounds),
        inclusive=True,
        constants=tuple(constants),
        slopes=(Decimal(0),) * len(constants),
        clauses=(clause,) * len(constants),
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
            if quantity != positive(name, given).to(quantity.unit):
                raise Refused("{value} contradicts the ranges.", key=name, value=given[name])
        if unit == INTERVAL:
            raise Refused("e differs from range to range: state the load in a unit of mass.")
    elif "e" in given:
        maximum = positive("max", given) if "max" in given else None
        ranges = [_PartialRange(maximum, positive("e", given))]
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
        ranges.append((_positive("ranges", maximum), _positive("ranges", e)))
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
    if plain(e.magnitude).normalize().as_tuple().digits not in {(d,) for d in rule["e_digits"]}:
        raise Refused("e is 1, 2 or 5 times a power of ten, not {e}.", e=e)
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


def _percent_curve(
    table: LegalTable,
    entry: Mapping[str, Any],
    stage: Mapping[str, Any],
    unit: str,
    given: Mapping[str, str],
) -> LimitCurve:
    """Limit = max(factor * p/100 * V or its fixed quantity, Emin) with p of the class and line."""
    known_only(table, given, "mmq", "line", "resolution")
    rule = table.rules["rule"]
    line = given.get("line", rule["default_line"])
    if line not in entry:
        raise Refused(
            "{table} has no line {line!r}: there are {known}.",
            key="line",
            table=table.name,
            line=line,
            known=", ".join(entry),
        )
    curve = _percent_bands(rule, entry, stage, unit, line)
    if "mmq" not in given:
        return curve
    minimum = rule["minimum_quantity"]
    mmq = positive("mmq", given).to(unit)
    at_mmq = _percent_bands(rule, entry, stage, unit, minimum["line"]).limits(
        on_grid([mmq.magnitude], exponent := finest_exponent([mmq.magnitude])), exponent
    )
    (limit,) = off_grid(at_mmq.counts, at_mmq.exponent)
    emin = Quantity(plain(minimum["factor"] * limit), unit)
    if "resolution" in given:
        _check_resolution(minimum, positive("resolution", given), mmq, emin)
    return replace(
        curve,
        least=mmq.magnitude,
        floor=emin.magnitude,
        floor_clause=_clause(stage, minimum["clause"]),
    )


def _percent_bands(
    rule: Mapping[str, Any],
    entry: Mapping[str, Any],
    stage: Mapping[str, Any],
    unit: str,
    line: str,
) -> LimitCurve:
    bounds: list[Decimal] = []
    constants: list[Decimal] = []
    slopes: list[Decimal] = []
    for band in rule["band"]:
        slope = (band["factor"] * stage["factor"] * entry[line]).scaleb(-2)
        fixed = "applied_to" in band
        slopes.append(Decimal(0) if fixed else slope)
        constants.append(
            slope * parse_quantity(band["applied_to"]).to(unit).magnitude if fixed else Decimal(0)
        )
        if "below" in band:
            bounds.append(parse_quantity(band["below"]).to(unit).magnitude)
    return LimitCurve(
        unit=unit,
        bounds=tuple(bounds),
        inclusive=False,
        constants=tuple(constants),
        slopes=tuple(slopes),
        clauses=tuple(_clause(stage, f"{band['clause']} line {line}") for band in rule["band"]),
    )


def _check_resolution(
    minimum: Mapping[str, Any], resolution: Quantity, mmq: Quantity, emin: Quantity
) -> None:
    # A condition on the instrument, not a wider limit: a coarse display earns no larger error.
    if not _exceeds(parse_quantity(minimum["resolution_from"]), mmq) and _exceeds(
        Quantity(minimum["resolutions"] * resolution.magnitude, resolution.unit), emin
    ):
        raise Refused(
            "a resolution of {resolution} is too coarse for a minimum measured quantity of {mmq}: "
            "{times} of it exceed Emin = {emin} ({clause}).",
            resolution=resolution,
            mmq=mmq,
            times=minimum["resolutions"],
            emin=emin,
            clause=minimum["clause"],
        )


def _clause(stage: Mapping[str, Any], clause: str) -> str:
    return ", ".join(filter(None, (clause, stage["clause"])))


Rule = Callable[
    [LegalTable, Mapping[str, Any], Mapping[str, Any], str, Mapping[str, str]], LimitCurve
]
RULES: Mapping[str, Rule] = MappingProxyType(
    {"bands in e": _bands_curve, "percent with minimum quantity": _percent_curve}
)
"""By kind: table, class, stage, unit wanted and characteristics given, to the limits."""
