"""One question to a legal table: class, stage and characteristics, with the numbers they pick.

Knows how a table's file is read in layers (the rule, over it the class, over it what was chosen)
and which column of numbers a stage uses. Refuses what the table does not have, naming what it has.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from calibration.edition import weakest
from calibration.grid import plain
from calibration.legal_table import LegalTable
from calibration.limit_curve import NOT_STATED
from calibration.refusal import Refused
from calibration.rules.characteristics import Characteristic, Given, declared, known_only
from calibration.units import parse_quantity

NO_CLASS = "-"
"""How ``--class`` is written where an instrument has no accuracy class."""
FACTOR = "(x)"
"""Stands in a class name for the class designation factor: X(x) is X(0.5)."""


@dataclass(frozen=True, slots=True)
class AccuracyClass:
    """A class as it was asked for."""

    name: str
    """As printed: ``X(0.5)``."""
    key: str
    """As in the table's file: ``X(x)``."""
    x: Decimal = Decimal(1)
    """Class designation factor."""


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that picks the numbers of one answer."""

    table: LegalTable
    accuracy_class: AccuracyClass
    entry: Mapping[str, Any]
    """The rule, over it the class, over it what was chosen: the innermost word counts."""
    stage_name: str
    stage: Mapping[str, Any]
    given: Given
    keys: frozenset[str]
    """Choices and cases in force, under which numbers may stand."""

    @property
    def column(self) -> str:
        """Give the stage in whose column the numbers stand."""
        return str(self.entry.get("numbers", self.stage.get("numbers", "initial")))

    @property
    def factor(self) -> Decimal:
        """Give what the numbers of the column are multiplied by."""
        return Decimal(self.stage["factor"] * self.entry.get("factor", 1) * self.accuracy_class.x)

    def number(self, stated: Any) -> tuple[Any, str]:
        """Pick one number out of columns and cases: the number and what is lacking for it.

        A bare number is that of the initial column.
        """
        column, picked = self.column, False
        while isinstance(stated, Mapping):
            if column in stated:
                stated, picked = stated[column], True
                continue
            found = next((key for key in stated if key in self.keys), None)
            if found is None:
                return None, self._asking(stated)
            stated = stated[found]
        if column != "initial" and not picked:
            return None, NOT_STATED
        return stated, ""

    def clause(self, own: str = "") -> str:
        """Name the clause of a number and that of the stage."""
        return ", ".join(filter(None, (own, self.stage["clause"])))

    def confidence(self, own: Any = None) -> str:
        """Tell how sure a number is: said for its stage, or else no surer than the stage."""
        general = self.table.confidence
        for stated in (own, self.entry.get("confidence")):
            if isinstance(stated, Mapping):
                if "setting" not in self.stage and self.stage_name in stated:
                    return str(stated[self.stage_name])
                stated = stated.get("initial")
            if stated is not None:
                general = stated
                break
        return weakest(general, self.stage["confidence"])

    def _asking(self, stated: Mapping[str, Any]) -> str:
        """Name the characteristic whose cases are the keys of some numbers."""
        for name, known in self.given.known.items():
            if name not in self.given and {case.key for case in known.cases} & set(stated):
                return name
        return NOT_STATED


def ask(
    table: LegalTable,
    accuracy_class: str,
    stage: str,
    unit: str,
    characteristics: Mapping[str, str],
    known: Mapping[str, Characteristic],
) -> Question:
    """Put a question to a table; ``unit`` is that of the values, ``known`` what it may be given."""
    known_only(table.name, characteristics, *known)
    given = Given(table.name, known, characteristics)
    asked = find_class(table, accuracy_class)
    entry: dict[str, Any] = {**table.rules["rule"], **table.rules["class"][asked.key]}
    keys: set[str] = set()
    for name, characteristic in known.items():
        key = given.choice(name, unit) if characteristic.choices else None
        if characteristic.choices and key is None:
            raise Refused(
                "{table} needs {name}: there are {known}.",
                table=table.name,
                name=name,
                known=", ".join(characteristic.choices),
            )
        if characteristic.cases:
            key = given.case(name)
        if name in characteristics and characteristic.choices:
            _check_used(table, asked, entry, name, characteristic)
        if key is not None:
            keys.add(key)
            if isinstance(chosen := entry.get(key), Mapping):
                entry.update(chosen)
    found = find_stage(table, stage)
    if stage not in entry.get("stages", (stage,)):
        raise Refused(
            "class {name} of {table} has no stage {stage!r}: there are {known}.",
            name=asked.name,
            table=table.name,
            stage=stage,
            known=", ".join(entry["stages"]),
        )
    return Question(table, asked, entry, stage, found, given, frozenset(keys))


def check_needs(question: Question) -> None:
    """Refuse an instrument that the class does not have: class 1 begins at some size."""
    given = question.given
    for name, least in question.entry.get("needs", {}).items():
        if given.exactly(name) < parse_quantity(least).exactly(given.known[name].unit):
            raise Refused(
                "class {name} of {table} begins at {least}, not at {value}.",
                key=name,
                name=question.accuracy_class.name,
                table=question.table.name,
                least=least,
                value=given.texts[name],
            )


def _check_used(
    table: LegalTable,
    asked: AccuracyClass,
    entry: Mapping[str, Any],
    name: str,
    characteristic: Characteristic,
) -> None:
    """Refuse a choice that changes nothing for this class: it would be taken for an answer."""
    if not _keys_in(entry) & set(characteristic.choices):
        raise Refused(
            "class {name} of {table} knows no {characteristic}.",
            key=name,
            name=asked.name,
            table=table.name,
            characteristic=name,
        )


def _keys_in(data: object) -> set[str]:
    if isinstance(data, Mapping):
        return set(data).union(*(_keys_in(value) for value in data.values()))
    return set().union(*(_keys_in(value) for value in data)) if isinstance(data, list) else set()


def find_class(table: LegalTable, name: str) -> AccuracyClass:
    """Find a class however it is written: ``iii`` is ``III``, ``1`` is ``1.0``, ``x(.5)`` X(0.5)."""
    if name.strip() == NO_CLASS and len(table.classes) == 1 and FACTOR not in table.classes[0]:
        return AccuracyClass(table.classes[0], table.classes[0])
    wanted = _folded(name)
    for key in table.classes:
        if wanted == _folded(key) and FACTOR not in key:
            return AccuracyClass(key, key)
        if FACTOR in key and (match := _pattern(key).fullmatch(wanted)):
            return _with_factor(table, key, Decimal(match[1]))
    raise Refused(
        "{table} has no accuracy class {name!r}: there are {known}.",
        table=table.name,
        name=name,
        known=", ".join(table.classes),
    )


def _with_factor(table: LegalTable, key: str, x: Decimal) -> AccuracyClass:
    """Check the class designation factor: 1, 2 or 5 times a power of ten."""
    if plain(x).normalize().as_tuple().digits not in {(1,), (2,), (5,)}:
        raise Refused(
            "{table}: the factor (x) of a class is 1, 2 or 5 times a power of ten, not {x}.",
            table=table.name,
            x=x,
        )
    return AccuracyClass(key.replace(FACTOR, f"({plain(x):f})"), key, plain(x))


def find_stage(table: LegalTable, name: str) -> Mapping[str, Any]:
    """Find a stage of legal control."""
    if name not in table.stages:
        raise Refused(
            "{table} has no stage {name!r}: there are {known}.",
            table=table.name,
            name=name,
            known=", ".join(table.stages),
        )
    stage: Mapping[str, Any] = table.rules["stage"][name]
    return stage


def known_of(table: LegalTable) -> dict[str, Characteristic]:
    """List the characteristics that a table's file declares."""
    return declared(table.rules["given"])


def _folded(name: str) -> str:
    """Write a class name so that spellings of the same class agree."""
    text = name.strip().casefold().replace("–", "-").replace(" ", "")
    if text.isascii() and text.replace(".", "", 1).isdecimal():
        return f"{plain(Decimal(text)):f}"
    return text


def _pattern(key: str) -> re.Pattern[str]:
    before, _, after = _folded(key).partition(FACTOR)
    return re.compile(rf"{re.escape(before)}\(([0-9]*\.?[0-9]+)\){re.escape(after)}", re.ASCII)
