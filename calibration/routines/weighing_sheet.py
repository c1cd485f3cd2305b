"""The observation sheet of a weighing instrument: characteristics and tests, nothing decided."""

from dataclasses import dataclass

from calibration.refusal import Refused
from calibration.sheet_keys import IDENTITY, Keys, require_kind, same_length
from calibration.units import OWN_UNITS, PERCENT, Quantity, parse_quantity

TESTS = ("zero", "weighing", "eccentricity", "repeatability", "discrimination", "tare")
ONE_LOAD_TESTS = ("eccentricity", "repeatability")
"""Tests whose indications all belong to one load."""


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
    """Verification scale interval, that of the first partial range."""
    d: Quantity | None
    """Interval of the indication used in the test; None: it is e."""
    ranges: tuple[tuple[Quantity, Quantity], ...]
    """Max and e of each partial range of a multi-interval instrument; else empty."""
    tare: bool
    """The instrument has a tare device."""


@dataclass(frozen=True, slots=True)
class WeighingTest:
    """Observations of one test of a weighing instrument; every column has one row per point."""

    key: str
    """Where it stands in the sheet: ``test[0]``."""
    name: str
    load: tuple[Quantity, ...]
    """Load, net of tare."""
    indication: tuple[Quantity, ...]
    """Digits as displayed."""
    added_load: tuple[Quantity, ...] | None
    """ΔL up to the change of indication; None when it was not sought."""
    indication_after: tuple[Quantity, ...] | None
    """Indication after the extra load of 1.4 d (discrimination)."""
    tare: Quantity | None
    """Tare load."""
    supports: int
    """Points of support of the load receptor (eccentricity)."""


@dataclass(frozen=True, slots=True)
class WeighingSheet:
    """What a sheet says of one weighing instrument."""

    instrument: WeighingInstrument
    tests: tuple[WeighingTest, ...]


def read_weighing(sheet: Keys) -> WeighingSheet:
    """Read the instrument and its tests; a Refused names the key that is wrong."""
    tests = (Keys.of(entry, key) for key, entry in sheet.tables("test"))
    return WeighingSheet(_instrument(sheet.table("instrument")), tuple(map(_test, tests)))


def _instrument(keys: Keys) -> WeighingInstrument:
    keys.only(*IDENTITY, "class", "max", "min", "e", "d", "ranges", "tare")
    ranges = _ranges(keys)
    first_e = ranges[0][1] if ranges else None
    last_max = ranges[-1][0] if ranges else None
    e = keys.positive("e", "g", first_e)
    if e is None or (maximum := keys.positive("max", "g", last_max)) is None:
        raise Refused("this key is missing.", key="instrument.e" if e is None else "instrument.max")
    return WeighingInstrument(
        accuracy_class=keys.text("class"),
        maximum=maximum,
        minimum=keys.positive("min", "g", None),
        e=e,
        d=keys.positive("d", "g", None),
        ranges=ranges,
        tare=keys.flag("tare"),
    )


def _ranges(keys: Keys) -> tuple[tuple[Quantity, Quantity], ...]:
    text = keys.optional_text("ranges")
    if text is None:
        return ()
    key = "instrument.ranges"
    parts = [part.partition(":") for part in text.split(",")]
    if not all(separator for _, separator, _ in parts):
        raise Refused("{text!r} is no list of ranges: write 2kg:1g,5kg:2g.", key=key, text=text)
    return tuple(
        (parse_quantity(maximum, key=key), parse_quantity(e, key=key)) for maximum, _, e in parts
    )


def _test(keys: Keys) -> WeighingTest:
    name = keys.choice("name", TESTS)
    own = {
        "discrimination": ("indication_after",),
        "tare": ("tare",),
        "eccentricity": ("supports",),
    }
    added = () if name == "discrimination" else ("added_load",)
    keys.only("name", "load", "indication", "method", *added, *own.get(name, ()))
    method = keys.optional_text("method")
    if method is not None:
        raise Refused(
            "method {method!r} is not available yet: find ΔL and give it as added_load.",
            key=keys.path("method"),
            method=method,
        )
    load = keys.column("load", _mass)
    indication = keys.column("indication", _mass)
    if name in ONE_LOAD_TESTS and len(load) == 1:
        load = load * len(indication)
    same_length(keys, "indication", indication, "load", load)
    columns: dict[str, tuple[Quantity, ...] | None] = {}
    for column in ("added_load", "indication_after"):
        columns[column] = None
        if column in keys or column in own.get(name, ()):
            given = keys.column(column, _mass)
            same_length(keys, column, given, "load", load)
            columns[column] = given
    tare = keys.positive("tare", "g", None)
    if name == "tare" and tare is None:
        raise Refused("this key is missing.", key=keys.path("tare"))
    return WeighingTest(
        key=keys.place,
        name=name,
        load=load,
        indication=indication,
        added_load=columns["added_load"],
        indication_after=columns["indication_after"],
        tare=tare,
        supports=keys.whole("supports", 4),
    )


def _mass(quantity: Quantity, key: str) -> None:
    # Loads and ΔL may be written in e or d of the instrument.
    if quantity.unit == PERCENT or quantity.unit not in OWN_UNITS:
        require_kind(quantity, "g", key)
