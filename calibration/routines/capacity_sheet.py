"""The observation sheet of a measure of capacity: takaran, bejana ukur, bottles and casks.

Knows its characteristics and what was weighed or filled at its marks. Nothing is decided here.
"""

from dataclasses import dataclass

from calibration.refusal import Refused
from calibration.routines.reference_sheet import Fillings, Liquid, Weighings, read_liquid
from calibration.sheet_keys import IDENTITY, Check, Keys, kind_of, require_kind, same_length
from calibration.units import Quantity

CAPACITY, GAUGE_MARK = "capacity", "gauge-mark"
GRAVIMETRIC, VOLUMETRIC = "gravimetric", "volumetric"
MARKS = ("line", "brim")
_INSTRUMENT = (
    *("class", "material", "glass", "expansion", "expansion_source", "expansion_uncertainty"),
    *("reference_temperature", "reference_temperature_marked", "wetted", "drip_time"),
    *("neck_below", "neck_above"),
)
_TEST = (
    *("name", "method", "nominal", "mark", "standard", "temperature", "reading", "resolution"),
    *("wetted", "drip_time", "reference_resolution"),
)
_COLUMNS = {
    GRAVIMETRIC: ("empty", "full"),
    VOLUMETRIC: (
        *("fills", "standard_reading", "standard_temperature", "standard_wetted"),
        "standard_drip_time",
    ),
}


@dataclass(frozen=True, slots=True)
class CapacityInstrument:
    """Metrological characteristics of a measure of capacity."""

    accuracy_class: str
    """Class or kind, as the table calls it; ``-`` where the table has only one."""
    material: str
    glass: bool
    expansion: Quantity
    """Cubical thermal expansion coefficient [1/K]."""
    expansion_source: str
    expansion_uncertainty: Quantity | None
    """Expanded uncertainty of it, k = 2 [1/K]."""
    reference_temperature: Quantity
    """Temperature for which its capacity holds; never assumed."""
    reference_temperature_marked: bool | None
    """The reference temperature stands next to the volume; None: the sheet does not say."""
    wetted: bool
    """Made to deliver, wetted and drained (true), or to contain, wiped dry (false)."""
    drip_time: Quantity | None
    """Time it drips before it counts as empty, as marked on it; None when not marked."""
    neck_below: Quantity | None
    """Volume that the scale of the neck covers below the mark."""
    neck_above: Quantity | None
    """Volume that the scale of the neck covers above the mark."""


@dataclass(frozen=True, slots=True)
class CapacityTest:
    """What was measured at one mark, one row per run."""

    key: str
    """Where it stands in the sheet: ``test[0]``."""
    method: str
    nominal: Quantity
    """Capacity at the mark."""
    mark: str | None
    """One of MARKS; None when the sheet does not say."""
    standard: str | None
    """Id of the balance or standard measure; None: the only one of its kind."""
    temperature: tuple[Quantity, ...]
    """Of the measure and the liquid in it, one per run."""
    reading: tuple[Quantity, ...]
    """On its own scale from the mark, above it is more; empty: filled to the mark."""
    resolution: Quantity | None
    """Smallest change of volume that is seen at the mark."""
    wetted: bool
    """As it was tested: wetted and drained (true) or wiped dry (false)."""
    drip_time: tuple[Quantity, ...]
    """Time the measure dripped, one per run; empty: it was wiped dry."""
    source: Weighings | Fillings

    @property
    def runs(self) -> int:
        """Tell how often the capacity was found."""
        return len(self.temperature)


@dataclass(frozen=True, slots=True)
class GaugeMarkTest:
    """How far the level moves at a gauge mark."""

    key: str
    nominal: Quantity
    added: Quantity
    """Volume that was added or taken out."""
    moved: Quantity
    """How far the level moved."""


@dataclass(frozen=True, slots=True)
class CapacitySheet:
    """What a sheet says of one measure of capacity."""

    instrument: CapacityInstrument
    tests: tuple[CapacityTest, ...]
    gauge_marks: tuple[GaugeMarkTest, ...]
    liquid: Liquid | None


def read_capacity(sheet: Keys) -> CapacitySheet:
    """Read the measure and its tests; a Refused names the key that is wrong."""
    tests: list[CapacityTest] = []
    gauge_marks: list[GaugeMarkTest] = []
    for key, entry in sheet.tables("test"):
        keys = Keys.of(entry, key)
        if keys.choice("name", (CAPACITY, GAUGE_MARK)) == CAPACITY:
            tests.append(_test(keys))
        else:
            gauge_marks.append(_gauge_mark(keys))
    instrument = _instrument(sheet.table("instrument"))
    return CapacitySheet(instrument, tuple(tests), tuple(gauge_marks), read_liquid(sheet))


def _instrument(keys: Keys) -> CapacityInstrument:
    keys.only(*IDENTITY, *_INSTRUMENT)
    marked = "reference_temperature_marked"
    temperature = _stated(keys, "reference_temperature")
    require_kind(temperature, "°C", keys.path("reference_temperature"))
    _wanted(keys, "glass", "wetted")
    return CapacityInstrument(
        accuracy_class=keys.optional_text("class") or "-",
        material=keys.text("material"),
        glass=keys.flag("glass"),
        expansion=_positive(keys, "expansion", "1/K"),
        expansion_source=keys.text("expansion_source"),
        expansion_uncertainty=keys.positive("expansion_uncertainty", "1/K", None),
        reference_temperature=temperature,
        reference_temperature_marked=keys.flag(marked) if marked in keys else None,
        wetted=keys.flag("wetted"),
        drip_time=keys.positive("drip_time", "s", None),
        neck_below=keys.positive("neck_below", "L", None),
        neck_above=keys.positive("neck_above", "L", None),
    )


def _test(keys: Keys) -> CapacityTest:
    method = keys.choice("method", tuple(_COLUMNS))
    keys.only(*_TEST, *_COLUMNS[method])
    _wanted(keys, "wetted")
    wetted = keys.flag("wetted")
    if not wetted and "drip_time" in keys:
        raise Refused("a measure that was wiped dry has no drip time.", key=keys.path("drip_time"))
    source = _weighings(keys) if method == GRAVIMETRIC else _fillings(keys)
    runs = len(source.meter_temperature)
    return CapacityTest(
        key=keys.place,
        method=method,
        nominal=_positive(keys, "nominal", "L"),
        mark=keys.choice("mark", MARKS) if "mark" in keys else None,
        standard=keys.optional_text("standard"),
        temperature=source.meter_temperature,
        reading=_each(keys, "reading", runs, kind_of("L")) if "reading" in keys else (),
        resolution=keys.positive("resolution", "L", None),
        wetted=wetted,
        drip_time=_times(keys, "drip_time", runs) if wetted else (),
        source=source,
    )


def _weighings(keys: Keys) -> Weighings:
    empty, full = keys.column("empty", kind_of("kg")), keys.column("full", kind_of("kg"))
    same_length(keys, "empty", empty, "full", full)
    temperature = _each(keys, "temperature", len(full), kind_of("°C"))
    resolution = keys.positive("reference_resolution", "kg", None)
    return Weighings(empty, full, resolution, temperature, temperature)


def _fillings(keys: Keys) -> Fillings:
    fills = keys.whole("fills", 1)
    reading = keys.column("standard_reading", kind_of("L"))
    if len(reading) % fills:
        raise Refused(
            "{count} readings do not make runs of {fills} fillings.",
            key=keys.path("standard_reading"),
            count=len(reading),
            fills=fills,
        )
    _wanted(keys, "standard_wetted")
    wetted = keys.flag("standard_wetted")
    if not wetted and "standard_drip_time" in keys:
        raise Refused(
            "a measure that was wiped dry has no drip time.", key=keys.path("standard_drip_time")
        )
    rows = len(reading)
    return Fillings(
        fills=fills,
        reading=reading,
        resolution=keys.positive("reference_resolution", "L", None),
        measure_temperature=_each(keys, "standard_temperature", rows, kind_of("°C")),
        meter_temperature=_each(keys, "temperature", rows // fills, kind_of("°C")),
        drip_time=_times(keys, "standard_drip_time", rows) if wetted else (),
        wetted=wetted,
    )


def _gauge_mark(keys: Keys) -> GaugeMarkTest:
    keys.only("name", "nominal", "added", "moved")
    return GaugeMarkTest(
        key=keys.place,
        nominal=_positive(keys, "nominal", "L"),
        added=_positive(keys, "added", "L"),
        moved=_positive(keys, "moved", "mm"),
    )


def _stated(keys: Keys, name: str) -> Quantity:
    value = keys.optional_quantity(name)
    if value is None:
        raise Refused("this key is missing.", key=keys.path(name))
    return value


def _positive(keys: Keys, name: str, unit: str) -> Quantity:
    value = keys.positive(name, unit, None)
    if value is None:
        raise Refused("this key is missing.", key=keys.path(name))
    return value


def _wanted(keys: Keys, *names: str) -> None:
    for name in names:
        if name not in keys:
            raise Refused("this key is missing.", key=keys.path(name))


def _times(keys: Keys, name: str, rows: int) -> tuple[Quantity, ...]:
    found = _each(keys, name, rows, kind_of("s"))
    for place, time in enumerate(found):
        if time.magnitude < 0:
            key = f"{keys.path(name)}[{place}]"
            raise Refused("{value} is less than 0.", key=key, value=time)
    return found


def _each(keys: Keys, name: str, rows: int, check: Check) -> tuple[Quantity, ...]:
    """Take a column with a value for every row, or one that was the same in all of them."""
    found = keys.column(name, check)
    if len(found) not in (1, rows):
        raise Refused(
            "{count} values stand here and there are {rows} rows: give one for all, or one for each.",
            key=keys.path(name),
            count=len(found),
            rows=rows,
        )
    return found * rows if len(found) == 1 else found
