"""A legal table as people read it: for each class the ranges and their limits, in symbols.

Knows how to write what the shapes of rule hold; the words are the table's own, the rest are signs.
Refuses to compute a limit: for that, ask the table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product, zip_longest
from typing import Any

from calibration.edition import PROVISIONAL
from calibration.grid import plain
from calibration.legal_table import LegalTable
from calibration.limit_rules import characteristics_of, kind_of
from calibration.refusal import Refused
from calibration.rules import nominal_values
from calibration.rules.characteristics import Characteristic
from calibration.rules.question import FACTOR, Question, ask
from calibration.units import parse_quantity

NONE = "–"
_SIDES = {"both": "±", "upward": "−0/+", "spread": "≤ "}


@dataclass(frozen=True, slots=True)
class Spelled:
    """One line of a printed table."""

    accuracy_class: str
    """As in the table's file; the numbers of a class with (x) are those of (1)."""
    case: str
    """Choices that lead here: ``brim``; empty when there are none."""
    values: str
    """The range of values: ``50 g < m ≤ 100 g``."""
    limits: Mapping[str, str]
    """Stage -> limit, NONE where the table states none."""
    unsure: frozenset[str] = frozenset()
    """Stages whose limit makes a result provisional."""


_Row = tuple[str, str, bool]
"""Values, limit, and whether it is provisional."""


def spelled(table: LegalTable) -> tuple[Spelled, ...]:
    """Write every class and stage of a table."""
    return tuple(line for key in table.classes for line in _class_lines(table, key))


def _class_lines(table: LegalTable, key: str) -> Iterator[Spelled]:
    name = key.replace(FACTOR, "(1)")
    known = characteristics_of(table, name)
    for chosen in _choices(table, key, known):
        stages: dict[str, list[_Row]] = {}
        for stage in table.stages:
            try:
                question = ask(table, name, stage, "", chosen, known)
            except Refused:  # a class that only one stage has
                continue
            stages[stage] = list(_rows(question))
        width = max(len(rows) for rows in stages.values())
        case = ", ".join(choice for name, choice in chosen.items() if choice != known[name].default)
        for index in range(width):
            lines = {stage: rows[index] for stage, rows in stages.items()}
            yield Spelled(
                key,
                case,
                next(iter(lines.values()))[0],
                {stage: lines[stage][1] if stage in lines else NONE for stage in table.stages},
                frozenset(s for s, (_, limit, sure) in lines.items() if sure and limit != NONE),
            )


def _choices(
    table: LegalTable, key: str, known: Mapping[str, Characteristic]
) -> Iterator[dict[str, str]]:
    """Give every combination of the choices that change something for a class."""
    entry = {**table.rules["rule"], **table.rules["class"][key]}
    names = [name for name, one in known.items() if one.choices and _used(entry, one)]
    for combination in product(*(known[name].choices for name in names)):
        yield dict(zip(names, combination, strict=True))


def _used(data: object, one: Characteristic) -> bool:
    if isinstance(data, Mapping):
        return bool(set(data) & set(one.choices)) or any(_used(v, one) for v in data.values())
    return isinstance(data, list) and any(_used(value, one) for value in data)


def _rows(question: Question) -> Iterator[_Row]:
    match kind_of(question.table, question.accuracy_class.key):
        case "bands in e":
            yield from _scale_rows(question)
        case "percent with minimum quantity":
            yield from _minimum_rows(question)
        case "nominal values":
            unit = question.entry["limit_in"]
            for nominal, limit in nominal_values.cells(question):
                yield nominal, f"±{_number(limit * question.factor)} {unit}", _unsure(question)
        case kind:
            yield from _value_rows(question)
            if kind == "wagons":
                part = f"{_number(Decimal(question.entry['wagon']['of_maximum']) * 100)} % max"
                most = question.entry["train"]["most"]
                share = _limit(question, {}).removeprefix("±")
                wagon = f"max([{share}], [{share} × {part}], d)"
                yield "m, d, max", f"±{wagon}", _unsure(question)
                train = f"max([{share}], [{share} × {part} × n₁], d × n₂), n ≤ {most}"
                yield "m, d, max, wagons", f"±{train}", _unsure(question)


def _scale_rows(question: Question) -> Iterator[_Row]:
    entry = question.entry
    limits, lacking = question.number(entry["limit"])
    low, sign = "0", "<" if entry.get("above_zero") else "≤"
    for upto, limit in zip_longest(entry["upto"], limits or ()):
        high = "" if upto is None else f" ≤ {_grouped(upto)} e"
        text = NONE if lacking else f"±{_number(limit * question.factor)} e"
        values = f"{low} {sign} m{high}" if low == "0" or high else f"m > {low}"
        yield values, text, _unsure(question)
        low, sign = f"{_grouped(upto)} e" if upto else low, "<"


def _minimum_rows(question: Question) -> Iterator[_Row]:
    entry = question.entry
    line = str(question.given.choice("line", ""))
    low = ""
    for band in entry["band"]:
        percent = band["factor"] * question.factor * entry[line]
        high = band.get("below", "")
        values = " ".join(
            filter(None, (f"{low} ≤" if low else "", "V", f"< {high}" if high else ""))
        )
        of = band.get("applied_to")
        yield values, f"±{_number(percent)} %" + (f" × {of}" if of else ""), _unsure(question)
        low = high
    minimum = entry["minimum_quantity"]
    yield "mmq", f"≥ {minimum['factor']} × {minimum['line']}(mmq)", _unsure(question)


def _value_rows(question: Question) -> Iterator[_Row]:
    entry = question.entry
    symbol = entry.get("symbol", "x")
    start = entry.get("from", entry.get("above", "0"))
    low, sign = _place(start), "≤" if "from" in entry else "<"
    floor = parse_quantity(entry.get("at_least", "0 g"))
    least = f"; ≥ {_number(floor.magnitude * question.factor)} {floor.unit}" * bool(floor.magnitude)
    for band in entry.get("band", [{}]):
        key = next((key for key in ("upto", "below") if key in band), None)
        high = "" if key is None else f" {'≤' if key == 'upto' else '<'} {_place(band[key])}"
        first = low in ("0", "") and "from" not in entry
        values = f"{symbol}{high}" if first and high else f"{low} {sign} {symbol}{high}"
        unsure = _unsure(question, band.get("confidence"))
        yield ("" if first and not high else values), _limit(question, band) + least, unsure
        if key is not None:
            low, sign = _place(band[key]), "<" if key == "upto" else "≤"


def _limit(question: Question, band: Mapping[str, Any]) -> str:
    """Write the limit of a band, case by case where cases differ."""
    cases = [case for one in question.given.known.values() for case in one.cases]
    plainly = _limit_in(question, band)
    said = [
        (text, case.text)
        for case in cases
        if (text := _limit_in(replace(question, keys=question.keys | {case.key}), band)) != NONE
    ]
    if plainly != NONE or not said:
        return plainly
    if len({text for text, _ in said}) == 1 and len(said) == len(cases):
        return said[0][0]
    return "; ".join(f"{text} ({case})" for text, case in said)


def _limit_in(question: Question, band: Mapping[str, Any]) -> str:
    entry, parts = question.entry, []
    for key in ("limit", "percent", "slope", "plus"):
        stated = band.get(key, entry.get(key))
        if stated is None:
            continue
        number, lacking = question.number(stated)
        if lacking:
            return NONE
        if key == "percent":
            share = f"{_number(Decimal(number) * question.factor)} %"
            if "times" in band:
                share += f" × {_place(band['times'])}/{entry.get('symbol', 'x')}"
            parts.append(share)
        else:
            quantity = parse_quantity(number)
            said = f"{_number(quantity.magnitude * question.factor)} {quantity.unit}"
            rounded = "⌈L⌉" if "step" in entry else "L"
            parts.append(f"{said} × {rounded}/{entry['per']}" if key == "slope" else said)
    sign = _SIDES[entry.get("sides", "both")]
    return f"{sign}{parts[0]}" if len(parts) == 1 else f"{sign}({' + '.join(parts)})"


def _unsure(question: Question, own: Any = None) -> bool:
    return question.confidence(own) in PROVISIONAL


def _place(text: str) -> str:
    """Write a characteristic as its symbol (q2 is Q2, imin Imin), a quantity as it is."""
    if text[:1].isdigit():
        return text if parse_quantity(text).magnitude else "0"
    return text[0].upper() + text[1:]


def _number(value: Any) -> str:
    return f"{plain(Decimal(value)):f}"


def _grouped(value: int) -> str:
    return f"{value:,}".replace(",", "\u202f")
