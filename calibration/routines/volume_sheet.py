"""The observation sheet of a meter for liquids: characteristics and deliveries, nothing decided."""

from dataclasses import dataclass

from calibration.refusal import Refused
from calibration.sheet_keys import IDENTITY, Keys, kind_of, same_length
from calibration.units import Quantity


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
class MeterSheet:
    """What a sheet says of one meter."""

    instrument: MeterInstrument
    tests: tuple[MeterTest, ...]


def read_meter(sheet: Keys) -> MeterSheet:
    """Read the instrument and its tests; a Refused names the key that is wrong."""
    tests = (Keys.of(entry, key) for key, entry in sheet.tables("test"))
    return MeterSheet(_instrument(sheet.table("instrument")), tuple(map(_test, tests)))


def _instrument(keys: Keys) -> MeterInstrument:
    keys.only(*IDENTITY, "class", "mmq", "line", "resolution", "qmin", "qmax")
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


def _test(keys: Keys) -> MeterTest:
    keys.only("name", "flow_rate", "volume", "reference", "indication")
    name = keys.choice("name", ("accuracy",))
    flow_rate = keys.positive("flow_rate", "L/min", None)
    if flow_rate is None:
        raise Refused("this key is missing.", key=keys.path("flow_rate"))
    reference = keys.column("reference", kind_of("L"))
    indication = keys.column("indication", kind_of("L"))
    same_length(keys, "indication", indication, "reference", reference)
    volume = keys.positive("volume", "L", None)
    return MeterTest(keys.place, name, flow_rate, volume, reference, indication)
