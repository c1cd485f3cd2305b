"""The observation sheet (cerapan): one instrument, what was observed, nothing decided.

Knows the keys of the contract's sheet and refuses every other one, with the path of the key.
Refuses to know the law: which points are enough and which errors conform is decided elsewhere.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from calibration.refusal import Refused
from calibration.sheet_keys import Keys
from calibration.standard import NamedStandard, Standard
from calibration.units import OWN_UNITS, PERCENT, Quantity, parse_quantity, same_kind

STAGES = ("initial", "subsequent", "in_service")
"""tera, tera ulang, pengamatan."""
ROUTINES = ("nawi", "volume-meter")
NAWI_TESTS = ("zero", "weighing", "eccentricity", "repeatability", "discrimination", "tare")
ONE_LOAD_TESTS = ("eccentricity", "repeatability")
"""Tests whose indications all belong to one load."""

_IDENTITY = ("kind", "serial", "maker", "model", "owner")
_ENVIRONMENT = {"temperature": "°C", "humidity": PERCENT, "pressure": "hPa"}


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
class MeterInstrument:
    """Metrological characteristics of a meter for liquids."""

    accuracy_class: str
    """0.3, 0.5, 1.0, 1.5 or 2.5."""
    mmq: Quantity
    """Minimum measured quantity."""
    line: str
    """A: the complete measuring system; B: the meter alone."""
    resolution: Quantity | None
    """Smallest volume interval of the indicating device."""
    qmin: Quantity | None
    """Smallest flow rate."""
    qmax: Quantity | None
    """Largest flow rate."""


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
class MeterTest:
    """Observations of a meter at one flow rate, one row per run."""

    key: str
    """Where it stands in the sheet: ``test[0]``."""
    name: str
    flow_rate: Quantity
    volume: Quantity | None
    """Volume that was aimed at."""
    reference: tuple[Quantity, ...]
    """Volume by the reference meter, not yet corrected."""
    indication: tuple[Quantity, ...]
    """Volume by the meter under test."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One observation sheet."""

    routine: str
    stage: str
    """One of STAGES."""
    date: datetime.date
    """Day of the verification."""
    table: str | None
    """Legal table and edition asked for (``r76@2006``); None: the routine's own."""
    identity: Mapping[str, str]
    """Kind, serial number, maker, model and owner of the instrument under test."""
    instrument: WeighingInstrument | MeterInstrument
    standards: tuple[NamedStandard, ...]
    environment: Mapping[str, Quantity]
    weighing_tests: tuple[WeighingTest, ...]
    meter_tests: tuple[MeterTest, ...]


def parse_sheet(mapping: Mapping[str, Any]) -> Sheet:
    """Read a sheet from a TOML or JSON mapping; a Refused names the key that is wrong."""
    known = "routine stage date table instrument standards environment test"
    keys = Keys(mapping, "", known.split())
    routine = keys.choice("routine", ROUTINES)
    nawi = routine == "nawi"
    stage = keys.choice("stage", STAGES)
    tests = [Keys.of(entry, key) for key, entry in keys.tables("test")]
    return Sheet(
        routine=routine,
        stage=stage,
        date=keys.date("date"),
        table=keys.optional_text("table"),
        identity=_identity(keys.table("instrument")),
        instrument=_weighing_instrument(keys) if nawi else _meter_instrument(keys),
        standards=tuple(_standard(Keys.of(entry, key)) for key, entry in keys.tables("standards")),
        environment=_environment(keys),
        weighing_tests=tuple(_weighing_test(entry) for entry in tests) if nawi else (),
        meter_tests=() if nawi else tuple(_meter_test(entry) for entry in tests),
    )


def _identity(given: Keys) -> Mapping[str, str]:
    stated = {name: given.optional_text(name) for name in _IDENTITY}
    for name in ("kind", "serial"):
        given.text(name)
    return MappingProxyType({name: text for name, text in stated.items() if text is not None})


def _weighing_instrument(sheet: Keys) -> WeighingInstrument:
    keys = sheet.table("instrument")
    keys.only(*_IDENTITY, "class", "max", "min", "e", "d", "ranges", "tare")
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


def _meter_instrument(sheet: Keys) -> MeterInstrument:
    keys = sheet.table("instrument")
    keys.only(*_IDENTITY, "class", "mmq", "line", "resolution", "qmin", "qmax")
    mmq = keys.positive("mmq", "L", None)
    if mmq is None:
        raise Refused("this key is missing.", key="instrument.mmq")
    return MeterInstrument(
        accuracy_class=keys.text("class"),
        mmq=mmq,
        line=keys.optional_text("line") or "A",
        resolution=keys.positive("resolution", "L", None),
        qmin=keys.positive("qmin", "L/min", None),
        qmax=keys.positive("qmax", "L/min", None),
    )


def _standard(keys: Keys) -> NamedStandard:
    details = ("kind", "class", "certificate", "due", "expanded_uncertainty", "mpe", "correction")
    keys.only("id", *details)
    for name in ("expanded_uncertainty", "mpe", "correction"):
        keys.optional_quantity(name)
    standard = Standard(
        id=keys.text("id"),
        kind=keys.optional_text("kind") or "",
        accuracy_class=keys.optional_text("class"),
        certificate=keys.optional_text("certificate") or "",
        due=keys.date("due") if "due" in keys else None,
        expanded_uncertainty=keys.optional_text("expanded_uncertainty"),
        mpe=keys.optional_text("mpe"),
        correction=keys.optional_text("correction"),
    )
    return NamedStandard(standard, in_full=any(name in keys for name in details))


def _environment(sheet: Keys) -> Mapping[str, Quantity]:
    if "environment" not in sheet:
        return MappingProxyType({})
    keys = sheet.table("environment")
    keys.only(*_ENVIRONMENT)
    found: dict[str, Quantity] = {}
    for name, unit in _ENVIRONMENT.items():
        quantity = keys.optional_quantity(name)
        if quantity is not None:
            _require_kind(quantity, unit, keys.path(name))
            found[name] = quantity
    return MappingProxyType(found)


def _weighing_test(keys: Keys) -> WeighingTest:
    name = keys.choice("name", NAWI_TESTS)
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
    _same_length(keys, "indication", indication, "load", load)
    columns: dict[str, tuple[Quantity, ...] | None] = {}
    for column in ("added_load", "indication_after"):
        columns[column] = None
        if column in keys or column in own.get(name, ()):
            given = keys.column(column, _mass)
            _same_length(keys, column, given, "load", load)
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


def _meter_test(keys: Keys) -> MeterTest:
    keys.only("name", "flow_rate", "volume", "reference", "indication")
    name = keys.choice("name", ("accuracy",))
    flow_rate = keys.positive("flow_rate", "L/min", None)
    if flow_rate is None:
        raise Refused("this key is missing.", key=keys.path("flow_rate"))
    reference = keys.column("reference", _kind_of("L"))
    indication = keys.column("indication", _kind_of("L"))
    _same_length(keys, "indication", indication, "reference", reference)
    volume = keys.positive("volume", "L", None)
    return MeterTest(keys.place, name, flow_rate, volume, reference, indication)


def _same_length(
    keys: Keys,
    name: str,
    column: tuple[Quantity, ...],
    other: str,
    rows: tuple[Quantity, ...],
) -> None:
    if len(column) != len(rows):
        raise Refused(
            "{count} values stand here and {rows} in {other}: each point needs one of each.",
            key=keys.path(name),
            count=len(column),
            rows=len(rows),
            other=other,
        )


def _mass(quantity: Quantity, key: str) -> None:
    # Loads and ΔL may be written in e or d of the instrument.
    if quantity.unit == PERCENT or quantity.unit not in OWN_UNITS:
        _require_kind(quantity, "g", key)


def _kind_of(unit: str) -> Callable[[Quantity, str], None]:
    return lambda quantity, key: _require_kind(quantity, unit, key)


def _require_kind(quantity: Quantity, unit: str, key: str) -> None:
    if not same_kind(quantity.unit, unit):
        raise Refused(
            "{value} is of another kind of quantity: write it as in {example}.",
            key=key,
            value=quantity,
            example=f"5 {unit}",
        )
