"""The observation sheet of a meter for liquids: characteristics and deliveries, nothing decided.

A fuel dispenser has the same sheet, with further tests (`dispenser_sheet`); how the reference
volume of a delivery is stated is read in `reference_sheet`.
"""

from dataclasses import dataclass

from calibration.refusal import Refused
from calibration.routines.dispenser_sheet import FURTHER, FurtherTest, read_further
from calibration.routines.reference_sheet import (
    COLUMNS,
    METHODS,
    REFERENCE_METER,
    Liquid,
    Reference,
    read_liquid,
    read_reference,
)
from calibration.sheet_keys import IDENTITY, Keys, kind_of
from calibration.units import Quantity


@dataclass(frozen=True, slots=True)
class MeterInstrument:
    """Metrological characteristics of a meter for liquids."""

    kind: str
    """What it is, in the office's words: a fuel dispenser is known by it."""
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
    displays: int | None
    """Sides on which a fuel dispenser shows the volume; None when the sheet does not say."""
    price: bool
    """A fuel dispenser shows the price to pay."""


@dataclass(frozen=True, slots=True)
class MeterTest:
    """Observations of a meter at one flow rate, one row per run."""

    key: str
    """Where it stands in the sheet: ``test[0]``."""
    name: str
    flow_rate: Quantity
    volume: Quantity | None
    """Volume that was aimed at."""
    standard: str | None
    """Id of the standard that gave the reference; None: the only one of its kind."""
    method: str
    """One of METHODS."""
    reference: Reference
    """What gives the reference volume."""
    indication: tuple[Quantity, ...]
    """Volume by the meter under test."""


@dataclass(frozen=True, slots=True)
class MeterSheet:
    """What a sheet says of one meter."""

    instrument: MeterInstrument
    tests: tuple[MeterTest, ...]
    further: tuple[FurtherTest, ...]
    """Tests of a fuel dispenser beside ``accuracy``."""
    liquid: Liquid | None
    dispenser: bool
    """The sheet says that it is a fuel dispenser; its kind may say so too."""


def read_meter(sheet: Keys) -> MeterSheet:
    """Read the instrument and its tests; a Refused names the key that is wrong."""
    return _read(sheet, dispenser=False)


def read_dispenser(sheet: Keys) -> MeterSheet:
    """Read a fuel dispenser and its tests; a Refused names the key that is wrong."""
    return _read(sheet, dispenser=True)


def _read(sheet: Keys, dispenser: bool) -> MeterSheet:
    tests: list[MeterTest] = []
    further: list[FurtherTest] = []
    for key, entry in sheet.tables("test"):
        keys = Keys.of(entry, key)
        name = keys.choice("name", ("accuracy", *FURTHER))
        if name == "accuracy":
            tests.append(_test(keys))
        else:
            further.append(read_further(keys, name))
    return MeterSheet(
        _instrument(sheet.table("instrument")),
        tuple(tests),
        tuple(further),
        read_liquid(sheet),
        dispenser,
    )


def _instrument(keys: Keys) -> MeterInstrument:
    keys.only(*IDENTITY, "class", "mmq", "line", "resolution", "qmin", "qmax", "displays", "price")
    mmq = keys.positive("mmq", "L", None)
    if mmq is None:
        raise Refused("this key is missing.", key="instrument.mmq")
    return MeterInstrument(
        kind=keys.text("kind"),
        accuracy_class=keys.text("class"),
        mmq=mmq,
        line=keys.optional_text("line") or "A",
        resolution=keys.positive("resolution", "L", None),
        qmin=keys.positive("qmin", "L/min", None),
        qmax=keys.positive("qmax", "L/min", None),
        displays=keys.whole("displays", 1) if "displays" in keys else None,
        price=keys.flag("price") if "price" in keys else True,
    )


def _test(keys: Keys) -> MeterTest:
    method = keys.choice("method", METHODS) if "method" in keys else REFERENCE_METER
    keys.only(
        *("name", "method", "standard", "flow_rate", "volume", "indication"), *COLUMNS[method]
    )
    flow_rate = keys.positive("flow_rate", "L/min", None)
    if flow_rate is None:
        raise Refused("this key is missing.", key=keys.path("flow_rate"))
    indication = keys.column("indication", kind_of("L"))
    return MeterTest(
        key=keys.place,
        name="accuracy",
        flow_rate=flow_rate,
        volume=keys.positive("volume", "L", None),
        standard=keys.optional_text("standard"),
        method=method,
        reference=read_reference(keys, method, len(indication)),
        indication=indication,
    )
