"""Strict reading of one table of a data file: every error names the key and the file.

Knows TOML's types. Refuses to know what the keys mean.
"""

from collections.abc import Collection
from decimal import Decimal

from drivers.errors import BadDriverSettings

_MISSING = object()
"""No default: the key must be there."""
_LARGEST_POWER = 30
"""No scale, limit or factor of an instrument goes beyond 10^±30."""


class MapTable:
    """One table of a map file; every error names the key and the file."""

    def __init__(self, raw: object, where: str, file: str) -> None:
        self.where, self.file = where, file
        if not isinstance(raw, dict):
            raise self.wrong("", "a table")
        self.raw = dict(raw)

    def key(self, name: str) -> str:
        return f"{self.where}.{name}".strip(".")

    def wrong(self, name: str, wanted: str) -> BadDriverSettings:
        return BadDriverSettings(
            "{file}: {key} must be {wanted}.", file=self.file, key=self.key(name), wanted=wanted
        )

    def pop(self, name: str, kind: type, wanted: str, default: object = _MISSING) -> object:
        value = self.raw.pop(name, default)
        if value is _MISSING:
            raise BadDriverSettings("{file}: {key} is missing.", file=self.file, key=self.key(name))
        if value is not default and (type(value) is not kind or value == ""):
            raise self.wrong(name, wanted)
        return value

    def text(self, name: str, default: object = _MISSING) -> str:
        return str(self.pop(name, str, "a text", default))

    def texts(self, name: str) -> tuple[str, ...]:
        given = self.pop(name, list, "a list of texts", [])
        if not isinstance(given, list) or any(type(one) is not str or not one for one in given):
            raise self.wrong(name, "a list of texts")
        return tuple(given)

    def table(self, name: str, *, wanted: str, default: object = _MISSING) -> "MapTable":
        given = self.pop(name, dict, wanted, default)
        return MapTable(given, self.key(name), self.file)

    def flag(self, name: str, default: bool) -> bool:
        return bool(self.pop(name, bool, "true or false", default))

    def integer(self, name: str, low: int, high: int, default: object = _MISSING) -> int:
        value = self.pop(name, int, f"a whole number from {low} to {high}", default)
        if not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(name, f"a whole number from {low} to {high}")
        return value

    def optional_integer(self, name: str, low: int, high: int) -> int | None:
        return self.integer(name, low, high) if name in self.raw else None

    def decimal(self, name: str, default: object = _MISSING) -> Decimal:
        return self._decimal(name, self.text(name, default))

    def factor(self, name: str, default: str) -> Decimal:
        value = self.decimal(name, default)
        if not value:
            raise self.wrong(name, "a number other than 0")
        return value

    def seconds(self, name: str) -> float:
        value = self.decimal(name)
        if not 0 <= value <= 3600:
            raise self.wrong(name, "seconds from 0 to 3600, in quotes")
        return float(value)

    def pair(self, name: str) -> tuple[Decimal, Decimal]:
        wanted = "two numbers in quotes, the lower first"
        given = self.pop(name, list, wanted)
        if not isinstance(given, list) or len(given) != 2 or any(type(v) is not str for v in given):
            raise self.wrong(name, wanted)
        low, high = (self._decimal(name, one) for one in given)
        if low >= high:
            raise self.wrong(name, wanted)
        return low, high

    def _decimal(self, name: str, text: str) -> Decimal:
        try:
            value = Decimal(text)
        except ArithmeticError:
            raise self.wrong(name, "a decimal number in quotes") from None
        if not value.is_finite() or abs(value.adjusted()) > _LARGEST_POWER:
            raise self.wrong(name, "a decimal number in quotes")
        return value

    def choice(self, name: str, known: Collection[str], default: object = _MISSING) -> str:
        value = self.text(name, default)
        if value not in known:
            raise self.wrong(name, "one of " + ", ".join(known))
        return value

    def done(self) -> None:
        for name in self.raw:
            raise BadDriverSettings(
                "{file}: {key} is not a key of a register map: check the spelling.",
                file=self.file,
                key=self.key(name),
            )
