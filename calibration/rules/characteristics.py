"""The characteristics of an instrument that a table asks for: ``--with NAME=VALUE``.

Knows how a table's file declares them (quantities, numbers, choices, cases by value) and reads
what was given. Refuses a name that the table does not know: it may be a misspelt one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from calibration.refusal import Refused
from calibration.units import Quantity, parse_quantity, same_kind

_NUMBER = re.compile(r"\s*[+-]?[0-9]+(?:\.[0-9]*)?\s*")
_POWER_FACTOR = re.compile(r"\s*([01](?:\.[0-9]{1,6})?)\s*([ic]?)\s*", re.IGNORECASE)
NUMBER = "1"
"""Unit of a characteristic that is a plain number."""
POWER_FACTOR = "power factor"
"""Unit of a characteristic written as 1, 0.5i (inductive) or 0.8c (capacitive)."""


@dataclass(frozen=True, slots=True)
class Case:
    """A range of a characteristic's values that the law treats alike."""

    key: str
    """The key under which the numbers of this case stand."""
    text: str
    """How it is printed: ``T ≤ 30 °C``."""
    least: str | None
    most: str | None
    """Both ends included; open where there is none."""


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One name that ``--with`` takes for a table."""

    name: str
    about: str
    about_id: str
    """The same in Bahasa Indonesia."""
    example: str
    unit: str = ""
    """The unit that the law fixes (a bare number is taken in it); empty for a choice."""
    choices: tuple[str, ...] = ()
    default: str | None = None
    by_unit: Mapping[str, str] | None = None
    """Unit of the value -> the choice it implies."""
    cases: tuple[Case, ...] = ()


def declared(given: Mapping[str, Mapping[str, Any]]) -> dict[str, Characteristic]:
    """Read the ``[given]`` tables of a file."""
    return {
        name: Characteristic(
            name=name,
            about=entry["about"],
            about_id=entry["keterangan"],
            example=str(entry.get("example", next(iter(entry.get("choices", [])), ""))),
            unit=entry.get("unit", ""),
            choices=tuple(entry.get("choices", ())),
            default=entry.get("default"),
            by_unit=entry.get("by_unit"),
            cases=tuple(
                Case(case["key"], case["text"], case.get("from"), case.get("upto"))
                for case in entry.get("cases", ())
            ),
        )
        for name, entry in given.items()
    }


def known_only(table: str, given: Mapping[str, str], *names: str) -> None:
    """Refuse a characteristic that the rule does not use."""
    for name in given:
        if name not in names:
            if not names:
                raise Refused("{table} takes no characteristic at all.", table=table)
            raise Refused(
                "{table} takes no characteristic {name!r}: it takes {known}.",
                table=table,
                name=name,
                known=", ".join(names),
            )


def positive(name: str, text: str) -> Quantity:
    """Read a characteristic that is a quantity above 0."""
    quantity = parse_quantity(text, key=name)
    if quantity.magnitude <= 0:
        raise Refused("{value} is not more than 0.", key=name, value=quantity)
    return quantity


@dataclass(frozen=True, slots=True)
class Given:
    """What was given of the characteristics that a table declares."""

    table: str
    """Name of the table, for refusals."""
    known: Mapping[str, Characteristic]
    texts: Mapping[str, str]

    def __contains__(self, name: str) -> bool:
        """Tell whether a characteristic was given."""
        return name in self.texts

    def exactly(self, name: str, unit: str | None = None) -> Fraction:
        """Give a characteristic as an exact number, in its own unit or in another."""
        characteristic = self.known[name]
        if name not in self.texts:
            raise Refused(
                "{table} needs {name}: give it with --with {name}={example}.",
                table=self.table,
                name=name,
                example=characteristic.example,
            )
        value = _value(characteristic, self.texts[name])
        if characteristic.unit in (NUMBER, POWER_FACTOR):
            return Fraction(value.magnitude)
        return value.exactly(characteristic.unit if unit is None else unit)

    def above_zero(self, name: str, unit: str | None = None) -> Fraction:
        """Give a characteristic that cannot be 0 or less."""
        value = self.exactly(name, unit)
        if value <= 0:
            raise Refused("{value} is not more than 0.", key=name, value=self.texts[name])
        return value

    def choice(self, name: str, unit: str) -> str | None:
        """Give the choice that was made, or that the unit of the value implies, or the default."""
        characteristic = self.known[name]
        if name in self.texts:
            wanted = self.texts[name].strip().casefold()
            for choice in characteristic.choices:
                if choice.casefold() == wanted:
                    return choice
            raise Refused(
                "{table} has no {name} {wanted!r}: there are {known}.",
                key=name,
                table=self.table,
                name=name,
                wanted=self.texts[name],
                known=", ".join(characteristic.choices),
            )
        for known_unit, choice in (characteristic.by_unit or {}).items():
            if same_kind(unit, known_unit):
                return choice
        return characteristic.default

    def case(self, name: str) -> str | None:
        """Give the key of the case in which a characteristic lies; None when it was not given."""
        if name not in self.texts:
            return None
        characteristic = self.known[name]
        value = self.exactly(name)
        for case in characteristic.cases:
            ends = [
                None if end is None else Fraction(_value(characteristic, end).magnitude)
                for end in (case.least, case.most)
            ]
            if (ends[0] is None or value >= ends[0]) and (ends[1] is None or value <= ends[1]):
                return case.key
        raise Refused(
            "{value} lies outside what the table states: {known}.",
            key=name,
            value=self.texts[name],
            known=", ".join(case.text for case in characteristic.cases),
        )


def _value(characteristic: Characteristic, text: str) -> Quantity:
    """Read a quantity (a bare number in the unit that the law fixes), number or power factor."""
    name, unit = characteristic.name, characteristic.unit
    if unit == POWER_FACTOR:
        return _power_factor(name, text)
    if _NUMBER.fullmatch(text):
        return Quantity(Decimal(text.strip()), unit)
    if unit == NUMBER:
        raise Refused("{text!r} is no plain number.", key=name, text=text)
    if unit == "°C" and text.strip().endswith("C") and _NUMBER.fullmatch(text.strip()[:-1]):
        return Quantity(Decimal(text.strip()[:-1].strip()), unit)  # to pint C is a coulomb
    return parse_quantity(text, key=name)


def _power_factor(name: str, text: str) -> Quantity:
    """Put power factors on one line: 0.5i is -0.5, 1 is 0, 0.8c is 0.2."""
    match = _POWER_FACTOR.fullmatch(text)
    value = None if match is None else Decimal(match[1])
    if match is None or value is None or value > 1 or (value < 1) != bool(match[2]):
        raise Refused(
            "{text!r} is no power factor: write 1, 0.5i (inductive) or 0.8c (capacitive).",
            key=name,
            text=text,
        )
    away = 1 - value
    return Quantity(-away if match[2].casefold() == "i" else away, POWER_FACTOR)
