"""The observation sheet of a water meter: characteristics and runs, nothing decided.

Knows the columns of each method by which the actual volume is found: a reference meter in series, a
measuring tank (bejana ukur), or water that is weighed. Refuses to know how it is found.
"""

from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from enum import StrEnum

from calibration.refusal import Refused
from calibration.sheet_keys import IDENTITY, Check, Keys, kind_of, require_kind, same_length
from calibration.units import Quantity


class Method(StrEnum):
    """How the actual volume of a run is found."""

    REFERENCE_METER = "reference-meter"
    TANK = "tank"
    GRAVIMETRIC = "gravimetric"


INSTRUMENT = (
    *IDENTITY,
    *("class", "q3", "ratio", "temperature_class", "resolution", "dn"),
)
"""Keys of ``[instrument]``."""
OWN = ("start", "end", "indication", "starting_flow_rate")
"""Keys of a test that belong to one meter; all others are shared by the meters of a bench."""
_COLUMNS = {
    Method.REFERENCE_METER: ("reference", "reference_temperature"),
    Method.TANK: ("reference", "tank_temperature", "drip_time"),
    Method.GRAVIMETRIC: ("empty", "full"),
}
"""Keys of a test that only some methods have."""
_COMMON = (
    *("name", "method", "standard", "flow_rate", "volume", "temperature", "pressure"),
    *OWN,
)
_EXACT = Context(prec=80, traps=[Inexact])


@dataclass(frozen=True, slots=True)
class WaterMeterInstrument:
    """Metrological characteristics of a water meter."""

    accuracy_class: str
    """1 or 2."""
    q3: Quantity
    """Permanent flow rate Q3."""
    ratio: Decimal
    """The number R = Q3/Q1 on the meter."""
    resolution: Quantity
    """Smallest interval to which the meter is read."""
    temperature_class: str | None
    """As on the meter: T30, T50, T30/90; None when the sheet does not say."""
    dn: Quantity | None
    """Nominal diameter."""


@dataclass(frozen=True, slots=True)
class WaterMeterTest:
    """Observations of a water meter at one flow rate, one row per run."""

    key: str
    """Where it stands in the sheet: ``test[0]``."""
    method: Method
    standard: str | None
    """Id of the standard that gives the volume, where the sheet names several."""
    flow_rate: Quantity
    volume: Quantity | None
    """Volume that was aimed at."""
    indication: tuple[Quantity, ...]
    """Volume by the meter under test: the reading at the end minus that at the start."""
    temperature: tuple[Quantity, ...]
    """Of the water at the meter, one per run."""
    reference: tuple[Quantity, ...] = ()
    """Volume by the reference meter or read on the tank, not yet corrected."""
    empty: tuple[Quantity, ...] = ()
    """Indication of the balance before the run."""
    full: tuple[Quantity, ...] = ()
    """Indication of the balance after the run."""
    other_temperature: tuple[Quantity, ...] = ()
    """Of the water in the tank or at the reference meter, one per run; empty when not measured."""
    pressure: Quantity | None = None
    """Gauge pressure of the water at the meter."""
    drip_time: Quantity | None = None
    """Time the tank dripped before it was filled."""
    starting_flow_rate: Quantity | None = None
    """Kepekaan: the smallest flow rate at which the meter moves."""


@dataclass(frozen=True, slots=True)
class WaterMeterSheet:
    """What a sheet says of one water meter."""

    instrument: WaterMeterInstrument
    tests: tuple[WaterMeterTest, ...]


def read_water_meter(sheet: Keys) -> WaterMeterSheet:
    """Read the instrument and its tests; a Refused names the key that is wrong."""
    tests = (Keys.of(entry, key) for key, entry in sheet.tables("test"))
    return WaterMeterSheet(_instrument(sheet.table("instrument")), tuple(map(_test, tests)))


def _instrument(keys: Keys) -> WaterMeterInstrument:
    keys.only(*INSTRUMENT)
    ratio = keys.optional_decimal("ratio")
    if ratio is None:
        raise Refused("this key is missing.", key=keys.path("ratio"))
    if ratio <= 1:
        raise Refused("{value} is not more than 1.", key=keys.path("ratio"), value=ratio)
    return WaterMeterInstrument(
        accuracy_class=keys.text("class"),
        q3=_wanted(keys, "q3", "m³/h"),
        ratio=ratio,
        resolution=_wanted(keys, "resolution", "L"),
        temperature_class=keys.optional_text("temperature_class"),
        dn=keys.positive("dn", "mm", None),
    )


def _test(keys: Keys) -> WaterMeterTest:
    method = Method(keys.choice("method", tuple(Method)))
    keys.only(*_COMMON, *_COLUMNS[method])
    keys.choice("name", ("accuracy",))
    weighed = method is Method.GRAVIMETRIC
    size = "kg" if weighed else "L"
    names = ("empty", "full") if weighed else ("reference",)
    given = {name: keys.column(name, kind_of(size)) for name in names}
    rows = len(given[names[-1]])
    for name in names:
        same_length(keys, name, given[name], names[-1], given[names[-1]])
    indication = _indication(keys, names[-1], given[names[-1]])
    other = "tank_temperature" if method is Method.TANK else "reference_temperature"
    wanted = method is Method.TANK or other in keys
    return WaterMeterTest(
        key=keys.place,
        method=method,
        standard=keys.optional_text("standard"),
        flow_rate=_wanted(keys, "flow_rate", "m³/h"),
        volume=keys.positive("volume", "L", None),
        indication=indication,
        temperature=_each(keys, "temperature", rows, kind_of("°C")),
        reference=given.get("reference", ()),
        empty=given.get("empty", ()),
        full=given.get("full", ()),
        other_temperature=_each(keys, other, rows, kind_of("°C")) if wanted else (),
        pressure=_pressure(keys),
        drip_time=keys.positive("drip_time", "s", None),
        starting_flow_rate=keys.positive("starting_flow_rate", "m³/h", None),
    )


def _indication(keys: Keys, other: str, rows: tuple[Quantity, ...]) -> tuple[Quantity, ...]:
    """Take the indicated volumes, or two readings for each: V = end - start."""
    if "indication" in keys:
        for name in ("start", "end"):
            if name in keys:
                raise Refused(
                    "a test states either indication or start and end.", key=keys.path(name)
                )
        found = keys.column("indication", kind_of("L"))
        same_length(keys, "indication", found, other, rows)
        for run, volume in enumerate(found):
            if volume.magnitude < 0:
                raise Refused(
                    "{volume} is no delivered volume.",
                    key=f"{keys.path('indication')}[{run}]",
                    volume=volume,
                )
        return found
    start, end = keys.column("start", kind_of("L")), keys.column("end", kind_of("L"))
    same_length(keys, "start", start, other, rows)
    same_length(keys, "end", end, other, rows)
    volumes = []
    for run, (before, after) in enumerate(zip(start, end, strict=True)):
        difference = _EXACT.subtract(after.to("L").magnitude, before.to("L").magnitude)
        if difference < 0:
            raise Refused(
                "the reading {end} at the end is less than {start} at the start.",
                key=f"{keys.path('end')}[{run}]",
                end=after,
                start=before,
            )
        volumes.append(Quantity(difference, "L"))
    return tuple(volumes)


def _each(keys: Keys, name: str, rows: int, check: Check) -> tuple[Quantity, ...]:
    """Take a column that has one value for each run, or one for all."""
    found = keys.column(name, check)
    if len(found) not in (1, rows):
        raise Refused(
            "{count} values stand here and there are {rows} runs: give one, or one for each.",
            key=keys.path(name),
            count=len(found),
            rows=rows,
        )
    return found * rows if len(found) == 1 else found


def _wanted(keys: Keys, name: str, unit: str) -> Quantity:
    value = keys.positive(name, unit, None)
    if value is None:
        raise Refused("this key is missing.", key=keys.path(name))
    return value


def _pressure(keys: Keys) -> Quantity | None:
    value = keys.optional_quantity("pressure")
    if value is None:
        return None
    require_kind(value, "bar", keys.path("pressure"))
    if value.magnitude < 0:
        raise Refused(
            "{value} is no gauge pressure of water in a pipe.",
            key=keys.path("pressure"),
            value=value,
        )
    return value
