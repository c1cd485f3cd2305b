"""Reading a mapping strictly: every value by its key path, every unknown key refused.

Knows types and key paths such as ``test[0].added_load``. Refuses to know what the keys mean.
"""

import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NoReturn

from calibration.refusal import Refused
from calibration.units import Quantity, parse_quantity, same_kind

IDENTITY = ("kind", "serial", "maker", "model", "owner")
"""Keys of every ``[instrument]``: which one it is, and whose."""

TEXT, WHOLE, FLAG, TABLES = "text", "whole", "flag", "tables"
"""Evidence ``wanted`` of a refusal: one value of this type, or a list of tables, was not given."""

Check = Callable[[Quantity, str], None]
"""Refuses a quantity of another kind, naming its key."""


class Keys:
    """One table of a sheet, read key by key."""

    def __init__(self, given: object, place: str, known: Collection[str] = ()) -> None:
        if not isinstance(given, Mapping):
            raise Refused("this is a table with keys, not a single value.", key=place or None)
        self.place = place
        self._given: Mapping[str, Any] = given
        if known:
            self.only(*known)

    @classmethod
    def of(cls, given: object, place: str) -> "Keys":
        """Read a table whose known keys are named later."""
        return cls(given, place)

    def __contains__(self, name: str) -> bool:
        """Tell whether the key is given."""
        return name in self._given

    def names(self) -> tuple[str, ...]:
        """List the keys that are given."""
        return tuple(map(str, self._given))

    def path(self, name: str) -> str:
        """Name a key of this table from the top of the sheet."""
        return f"{self.place}.{name}" if self.place else name

    def only(self, *known: str) -> None:
        """Refuse every other key."""
        for name in self._given:
            if name not in known:
                raise Refused(
                    "this key is not known; known are {known}.",
                    key=self.path(str(name)),
                    known=", ".join(known),
                )

    def text(self, name: str) -> str:
        """Take a text that must be there."""
        value = self.optional_text(name)
        if value is None:
            raise Refused("this key is missing.", key=self.path(name))
        return value

    def optional_text(self, name: str) -> str | None:
        """Take a text, or None when the key is absent."""
        return _text(self._given[name], self.path(name)) if name in self._given else None

    def choice(self, name: str, known: Collection[str]) -> str:
        """Take one of some words."""
        value = self.text(name)
        if value not in known:
            raise Refused(
                "{value!r} is none of {known}.",
                key=self.path(name),
                value=value,
                known=", ".join(known),
            )
        return value

    def flag(self, name: str) -> bool:
        """Take true or false; absent is false."""
        value = self._given.get(name, False)
        if not isinstance(value, bool):
            raise Refused("this is true or false.", key=self.path(name), wanted=FLAG)
        return value

    def whole(self, name: str, default: int) -> int:
        """Take a whole number from 1 to 100."""
        value = self._given.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 100:
            raise Refused(
                "this is a whole number from 1 to 100.", key=self.path(name), wanted=WHOLE
            )
        return value

    def date(self, name: str) -> datetime.date:
        """Take a TOML date or a text such as 2026-11-24."""
        value = self._given.get(name)
        if value is None:
            raise Refused("this key is missing.", key=self.path(name))
        if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
            return value
        if isinstance(value, list | tuple):
            self._refuse_list(name, value)
        try:
            return datetime.datetime.strptime(str(value), "%Y-%m-%d").date()  # noqa: DTZ007
        except ValueError:
            raise Refused(
                "{value} is no date: write it as in 2026-11-24.",
                key=self.path(name),
                value=value,
            ) from None

    def optional_quantity(self, name: str) -> Quantity | None:
        """Take a quantity with its unit, or None when the key is absent."""
        text = self.optional_text(name)
        return None if text is None else parse_quantity(text, key=self.path(name))

    def optional_decimal(self, name: str) -> Decimal | None:
        """Take a plain number, or None when the key is absent."""
        value = self._given.get(name)
        if isinstance(value, list | tuple):
            self._refuse_list(name, value)
        if value is None or (isinstance(value, int | Decimal) and not isinstance(value, bool)):
            return None if value is None else Decimal(value)
        try:
            number = Decimal(value) if isinstance(value, str) else Decimal("NaN")
        except ArithmeticError:
            number = Decimal("NaN")
        if not number.is_finite():
            raise Refused("{value} is no number.", key=self.path(name), value=value)
        return number

    def _refuse_list(self, name: str, value: object) -> NoReturn:
        raise Refused(
            "this is one value, not the list {value}.",
            key=self.path(name),
            value=value,
            wanted=TEXT,
        )

    def positive(self, name: str, unit: str, default: Quantity | None) -> Quantity | None:
        """Take a quantity above 0 of the same kind as ``unit``, or the default."""
        value = self.optional_quantity(name)
        if value is None:
            return default
        require_kind(value, unit, self.path(name))
        if value.magnitude <= 0:
            raise Refused("{value} is not more than 0.", key=self.path(name), value=value)
        return value

    def needed(self, name: str, unit: str) -> Quantity:
        """Take a quantity above 0 of the same kind as ``unit`` that must be there."""
        value = self.positive(name, unit, None)
        if value is None:
            raise Refused("this key is missing.", key=self.path(name))
        return value

    def column(self, name: str, check: Check) -> tuple[Quantity, ...]:
        """Take one quantity or a list of them; at least one."""
        found = []
        for place, value in self._rows(name):
            quantity = parse_quantity(_text(value, place), key=place)
            check(quantity, place)
            found.append(quantity)
        return tuple(found)

    def _rows(self, name: str) -> list[tuple[str, object]]:
        """Give one value or each of a list with its key path."""
        key = self.path(name)
        if name not in self._given:
            raise Refused("this key is missing.", key=key)
        given = self._given[name]
        if not isinstance(given, list | tuple):
            return [(key, given)]
        if not given:
            raise Refused("this list is empty.", key=key)
        return [(f"{key}[{index}]", value) for index, value in enumerate(given)]

    def texts(self, name: str) -> tuple[str, ...]:
        """Take one text or a list of them; at least one."""
        return tuple(_text(value, key) for key, value in self._rows(name))

    def flags(self, name: str) -> tuple[bool, ...]:
        """Take true or false, or a list of them; at least one."""
        rows = self._rows(name)
        for key, value in rows:
            if not isinstance(value, bool):
                raise Refused("this is true or false.", key=key)
        return tuple(bool(value) for _, value in rows)

    def table(self, name: str) -> "Keys":
        """Take a table that must be there."""
        if name not in self._given:
            raise Refused("this key is missing.", key=self.path(name))
        return Keys(self._given[name], self.path(name))

    def tables(self, name: str) -> Iterator[tuple[str, object]]:
        """Take a list of tables, each with its key path; absent is empty."""
        given = self._given.get(name, [])
        if not isinstance(given, list | tuple):
            raise Refused("this is a list of tables: write [[{name}]].", key=name, name=name)
        for index, entry in enumerate(given):
            yield f"{self.path(name)}[{index}]", entry


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise Refused(
            'this is a text in quotes, for example "2.5 kg", not {value}.',
            key=key,
            value=value,
            wanted=TEXT,
        )
    if not value.strip():
        raise Refused("this text is empty.", key=key)
    return value


def same_length(
    keys: Keys,
    name: str,
    column: Sequence[object],
    other: str,
    rows: Sequence[object],
) -> None:
    """Refuse two columns of one test that have different numbers of rows."""
    if len(column) != len(rows):
        raise Refused(
            "{count} values stand here and {rows} in {other}: each point needs one of each.",
            key=keys.path(name),
            count=len(column),
            rows=len(rows),
            other=other,
        )


def require_kind(quantity: Quantity, unit: str, key: str) -> None:
    """Refuse a quantity of another kind than ``unit``."""
    if not same_kind(quantity.unit, unit):
        raise Refused(
            "{value} is of another kind of quantity: write it as in {example}.",
            key=key,
            value=quantity,
            example=f"5 {unit}",
        )


def kind_of(unit: str) -> Check:
    """Return a check that a quantity is of the kind of ``unit``."""
    return lambda quantity, key: require_kind(quantity, unit, key)
