"""The observation sheet of a weighing instrument: characteristics and tests, nothing decided."""

from dataclasses import dataclass
from enum import StrEnum

from calibration.refusal import Refused
from calibration.routines.weighing_columns import ONE_LOAD_TESTS, TESTS, WeighingTest, read_test
from calibration.sheet_keys import IDENTITY, Keys
from calibration.units import Quantity, parse_quantity

__all__ = [
    "ONE_LOAD_TESTS",
    "TESTS",
    "Indicating",
    "WeighingInstrument",
    "WeighingSheet",
    "WeighingTest",
    "read_weighing",
]


class Indicating(StrEnum):
    """How the instrument tells its result."""

    DIGITAL = "digital"
    ANALOGUE = "analogue"
    """Read by eye on a scale, with interpolation."""
    NON_SELF_INDICATING = "non-self-indicating"
    """Brought to equilibrium by the user: steelyard, beam scale, dacin."""


@dataclass(frozen=True, slots=True)
class WeighingInstrument:
    """Metrological characteristics of a non-automatic weighing instrument."""

    accuracy_class: str
    """I, II, III or IIII."""
    maximum: Quantity
    """Max."""
    minimum: Quantity | None
    """Min; None when the sheet leaves it to the class."""
    e: Quantity
    """Verification scale interval, that of the first range."""
    d: Quantity | None
    """Interval of the indication used in the tests; None: it is e."""
    ranges: tuple[tuple[Quantity, Quantity], ...]
    """Max and e of each range of a multi-interval or multiple range instrument; else empty."""
    multiple_range: bool
    """True: each of the ranges is an instrument; False: they are partial ranges (multi-interval)."""
    tare: bool
    """The instrument has a tare device."""
    additive_tare: Quantity | None
    """Largest additive tare effect T+; None where taring takes from Max."""
    indicating: Indicating
    mechanical: bool
    """A mechanical instrument: with digital indication its tare is accurate to 0.5 d."""
    auxiliary: bool
    """It has an auxiliary indicating device: d < e."""
    reading: Quantity | None
    """Smallest part that is read by eye from an analogue indication."""


@dataclass(frozen=True, slots=True)
class WeighingSheet:
    """What a sheet says of one weighing instrument."""

    instrument: WeighingInstrument
    tests: tuple[WeighingTest, ...]


def read_weighing(sheet: Keys) -> WeighingSheet:
    """Read the instrument and its tests; a Refused names the key that is wrong."""
    tests = (Keys.of(entry, key) for key, entry in sheet.tables("test"))
    return WeighingSheet(
        read_instrument(sheet.table("instrument")), tuple(read_test(test) for test in tests)
    )


def read_instrument(keys: Keys) -> WeighingInstrument:
    """Read the characteristics alone."""
    keys.only(
        *IDENTITY,
        *("class", "max", "min", "e", "d", "ranges", "multiple_range", "tare", "additive_tare"),
        *("indicating", "mechanical", "auxiliary", "reading"),
    )
    ranges = _ranges(keys)
    first_e = ranges[0][1] if ranges else None
    last_max = ranges[-1][0] if ranges else None
    e = keys.positive("e", "g", first_e)
    maximum = keys.positive("max", "g", last_max)
    if e is None or maximum is None:
        raise Refused("this key is missing.", key=keys.path("e" if e is None else "max"))
    multiple = keys.flag("multiple_range")
    if multiple and len(ranges) < 2:
        raise Refused(
            "a multiple range instrument states its ranges: write 2kg:1g,5kg:2g.",
            key=keys.path("ranges"),
        )
    indicating = (
        Indicating(keys.choice("indicating", tuple(Indicating)))
        if "indicating" in keys
        else Indicating.DIGITAL
    )
    reading = keys.positive("reading", "g", None)
    if reading is not None and indicating is not Indicating.ANALOGUE:
        raise Refused("only an analogue indication is read by eye.", key=keys.path("reading"))
    return WeighingInstrument(
        accuracy_class=keys.text("class"),
        maximum=maximum,
        minimum=keys.positive("min", "g", None),
        e=e,
        d=keys.positive("d", "g", None),
        ranges=ranges,
        multiple_range=multiple,
        tare=keys.flag("tare"),
        additive_tare=keys.positive("additive_tare", "g", None),
        indicating=indicating,
        mechanical=keys.flag("mechanical"),
        auxiliary=keys.flag("auxiliary"),
        reading=reading,
    )


def _ranges(keys: Keys) -> tuple[tuple[Quantity, Quantity], ...]:
    text = keys.optional_text("ranges")
    if text is None:
        return ()
    key = keys.path("ranges")
    parts = [part.partition(":") for part in text.split(",")]
    if not all(separator for _, separator, _ in parts):
        raise Refused("{text!r} is no list of ranges: write 2kg:1g,5kg:2g.", key=key, text=text)
    return tuple(
        (parse_quantity(maximum, key=key), parse_quantity(e, key=key)) for maximum, _, e in parts
    )
