"""What an observation sheet states of a fuel dispenser beside its errors, nothing decided.

Knows the tests of zero, price and displays on both sides, and checks that are answered yes or no.
"""

from dataclasses import dataclass
from decimal import Decimal

from calibration.refusal import Refused
from calibration.sheet_keys import Keys, kind_of, same_length
from calibration.units import Quantity

CHECKS = ("anti_drain", "interlock", "hose")
"""Checks by eye."""
FURTHER = ("zero", "price", "front_back", *CHECKS)
"""Tests of a fuel dispenser beside ``accuracy``."""


@dataclass(frozen=True, slots=True)
class ZeroTest:
    """What the display shows after it was reset for a new delivery."""

    name: str
    indication: tuple[Quantity, ...]


@dataclass(frozen=True, slots=True)
class PriceTest:
    """Prices to pay as shown, with the volumes and prices per litre shown beside them."""

    name: str
    key: str
    currency: str
    unit_price: tuple[Decimal, ...]
    """Per litre [currency], one per delivery."""
    indication: tuple[Quantity, ...]
    price: tuple[Decimal, ...]
    """[currency]"""


@dataclass(frozen=True, slots=True)
class DisplaysTest:
    """The same deliveries on the displays of both sides."""

    name: str
    front: tuple[Quantity, ...]
    back: tuple[Quantity, ...]


@dataclass(frozen=True, slots=True)
class VisualCheck:
    """A check that was answered yes or no."""

    name: str
    passed: bool
    remark: str | None


FurtherTest = ZeroTest | PriceTest | DisplaysTest | VisualCheck


def read_further(keys: Keys, name: str) -> FurtherTest:
    """Read one test beside ``accuracy``; a Refused names the key that is wrong."""
    if name == "zero":
        keys.only("name", "indication")
        return ZeroTest(name, keys.column("indication", kind_of("L")))
    if name == "price":
        return _price(keys)
    if name == "front_back":
        keys.only("name", "front", "back")
        front, back = keys.column("front", kind_of("L")), keys.column("back", kind_of("L"))
        same_length(keys, "back", back, "front", front)
        return DisplaysTest(name, front, back)
    keys.only("name", "passed", "remark")
    if "passed" not in keys:
        raise Refused("this key is missing.", key=keys.path("passed"))
    return VisualCheck(name, keys.flag("passed"), keys.optional_text("remark"))


def _price(keys: Keys) -> PriceTest:
    keys.only("name", "currency", "unit_price", "indication", "price")
    currency = keys.text("currency")
    indication = keys.column("indication", kind_of("L"))
    price = _amounts(keys, "price")
    same_length(keys, "price", price, "indication", indication)
    unit_price = _amounts(keys, "unit_price")
    if len(unit_price) == 1:
        unit_price *= len(indication)
    same_length(keys, "unit_price", unit_price, "indication", indication)
    return PriceTest("price", keys.place, currency, unit_price, indication, price)


def _amounts(keys: Keys, name: str) -> tuple[Decimal, ...]:
    """Take amounts of money as plain numbers in quotes: digits as they were shown."""
    found = []
    for place, text in enumerate(keys.texts(name)):
        try:
            amount = Decimal(text.strip())
        except ArithmeticError:
            amount = Decimal("NaN")
        key = f"{keys.path(name)}[{place}]"
        if not amount.is_finite() or abs(amount.adjusted()) > 30:
            raise Refused("{value} is no number.", key=key, value=text)
        if amount < 0 or (name == "unit_price" and not amount):
            raise Refused("{value} is not more than 0.", key=key, value=text)
        found.append(amount)
    return tuple(found)
