"""The observation sheet of any instrument whose table has no routine of its own.

Knows reference and indication at points, and that the characteristics a table asks for are its own
names. Refuses to know which they are: the table says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from calibration.refusal import Refused
from calibration.sheet_keys import IDENTITY, Keys, kind_of, require_kind
from calibration.units import Quantity

ACCURACY, FARE = "accuracy", "fare"
_TEST = (
    *("name", "class", "characteristics", "standard", "at", "reference", "indication"),
    *("reference_resolution", "indication_resolution", "coupled", "repeated"),
)


@dataclass(frozen=True, slots=True)
class GeneralInstrument:
    """Metrological characteristics of an instrument, under the names of its table."""

    accuracy_class: str
    """``-`` where the table has only one."""
    characteristics: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GeneralTest:
    """Reference and indication at points; what several indications mean is the table's affair."""

    key: str
    """Where it stands in the sheet: ``test[0]``."""
    accuracy_class: str | None
    """Where the test is judged by another class than that of the instrument."""
    characteristics: Mapping[str, str]
    """What the test was done at, over those of the instrument."""
    standard: str | None
    """Id of the standard that gave the reference; None: the only one."""
    at: tuple[Quantity, ...]
    """Value at which the limit is looked up, where it is another quantity; one per row, or empty."""
    reference: tuple[Quantity, ...]
    """By the standard, not yet corrected; empty where the mean of the indications takes its place."""
    indication: tuple[Quantity, ...]
    reference_resolution: Quantity | None
    indication_resolution: Quantity | None
    coupled: bool
    """Wagons that were weighed coupled."""
    repeated: bool
    """The rows are runs at one condition, whose errors are compared."""

    @property
    def unit(self) -> str:
        """Give the unit of reference, indication and error."""
        return (self.reference or self.indication)[0].unit


@dataclass(frozen=True, slots=True)
class FareTest:
    """Fares that a taximeter calculated, and what they should have been."""

    key: str
    reference: tuple[Decimal, ...]
    """Calculated from tariff, time and distance [currency]."""
    indication: tuple[Decimal, ...]
    """As displayed [currency]."""
    digit: Decimal
    """Least significant digit of the fare [currency]."""
    currency: str


@dataclass(frozen=True, slots=True)
class GeneralSheet:
    """What a sheet says of one instrument."""

    instrument: GeneralInstrument
    tests: tuple[GeneralTest, ...]
    fares: tuple[FareTest, ...]


def read_general(sheet: Keys) -> GeneralSheet:
    """Read the instrument and its tests; a Refused names the key that is wrong."""
    if "table" not in sheet:
        raise Refused("this key is missing.", key="table")
    tests: list[GeneralTest] = []
    fares: list[FareTest] = []
    for key, entry in sheet.tables("test"):
        keys = Keys.of(entry, key)
        if keys.choice("name", (ACCURACY, FARE)) == ACCURACY:
            tests.append(_test(keys))
        else:
            fares.append(_fare(keys))
    return GeneralSheet(_instrument(sheet.table("instrument")), tuple(tests), tuple(fares))


def _instrument(keys: Keys) -> GeneralInstrument:
    known = (*IDENTITY, "class", "characteristics")
    stated = _characteristics(keys)
    flat = {name: _text(keys, name) for name in keys.names() if name not in known}
    for name in flat:
        if name in stated:
            raise Refused("this key stands twice.", key=keys.path(name))
    return GeneralInstrument(
        keys.optional_text("class") or "-", MappingProxyType({**stated, **flat})
    )


def _characteristics(keys: Keys) -> dict[str, str]:
    if "characteristics" not in keys:
        return {}
    table = keys.table("characteristics")
    return {name: _text(table, name) for name in table.names()}


def _text(keys: Keys, name: str) -> str:
    """Take a characteristic as the table reads it: a text, or a plain number."""
    try:
        return keys.text(name)
    except Refused:
        number = keys.optional_decimal(name)
        if number is None:
            raise
        return f"{number:f}"


def _test(keys: Keys) -> GeneralTest:
    keys.only(*_TEST)
    indication = keys.column("indication", lambda quantity, key: None)
    unit = indication[0].unit
    of_kind = kind_of(unit)
    for place, value in enumerate(indication):
        require_kind(value, unit, f"{keys.path('indication')}[{place}]")
    at = keys.column("at", lambda quantity, key: None) if "at" in keys else ()
    for place, value in enumerate(at):
        require_kind(value, at[0].unit, f"{keys.path('at')}[{place}]")
    return GeneralTest(
        key=keys.place,
        accuracy_class=keys.optional_text("class"),
        characteristics=MappingProxyType(_characteristics(keys)),
        standard=keys.optional_text("standard"),
        at=at,
        reference=keys.column("reference", of_kind) if "reference" in keys else (),
        indication=indication,
        reference_resolution=keys.positive("reference_resolution", unit, None),
        indication_resolution=keys.positive("indication_resolution", unit, None),
        coupled=keys.flag("coupled"),
        repeated=keys.flag("repeated"),
    )


def _fare(keys: Keys) -> FareTest:
    keys.only("name", "currency", "digit", "reference", "indication")
    reference, indication = _amounts(keys, "reference"), _amounts(keys, "indication")
    if len(reference) != len(indication):
        raise Refused(
            "{count} values stand here and {rows} in {other}: each point needs one of each.",
            key=keys.path("indication"),
            count=len(indication),
            rows=len(reference),
            other="reference",
        )
    digit = keys.optional_decimal("digit")
    if digit is None or digit <= 0:
        raise Refused(
            "the least significant digit of the fare is more than 0.", key=keys.path("digit")
        )
    return FareTest(keys.place, reference, indication, digit, keys.text("currency"))


def _amounts(keys: Keys, name: str) -> tuple[Decimal, ...]:
    """Take a column of plain numbers, written as texts."""
    found = []
    for place, text in enumerate(keys.texts(name)):
        key = f"{keys.path(name)}[{place}]"
        try:
            number = Decimal(text.strip())
        except ArithmeticError:
            number = Decimal("NaN")
        if not number.is_finite() or number < 0:
            raise Refused("{value} is no number.", key=key, value=text)
        found.append(number)
    return tuple(found)
