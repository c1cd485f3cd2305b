"""Strict reading of one table of a data file: every error names the key and the file.

Knows TOML's types. Refuses to know what the keys mean.
"""

from collections.abc import Collection
from decimal import Decimal

from drivers.errors import BadDriverSettings

_MISSING = object()


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

    def flag(self, name: str, default: bool) -> bool:
        return bool(self.pop(name, bool, "true or false", default))

    def integer(self, name: str, low: int, high: int, default: object = _MISSING) -> int:
        value = self.pop(name, int, f"a whole number from {low} to {high}", default)
        if not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(name, f"a whole number from {low} to {high}")
        return value

    def decimal(self, name: str, default: str) -> Decimal:
        text = self.text(name, default)
        try:
            value = Decimal(text)
        except ArithmeticError:
            raise self.wrong(name, "a decimal number in quotes") from None
        if not value.is_finite():
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
