"""How an observation sheet states the reference volume of a meter, and the liquid.

Knows the columns of the three methods: a reference meter in series, fillings of a test measure
(bejana ukur standar), weighings of what was delivered. Refuses to know what volume they come to.
"""

from dataclasses import dataclass

from calibration.refusal import Refused
from calibration.sheet_keys import Check, Keys, kind_of, same_length
from calibration.units import Quantity

REFERENCE_METER, TEST_MEASURE, GRAVIMETRIC = "reference-meter", "test-measure", "gravimetric"
METHODS = (REFERENCE_METER, TEST_MEASURE, GRAVIMETRIC)
COLUMNS = {
    REFERENCE_METER: ("reference", "reference_resolution"),
    TEST_MEASURE: (
        *("fills", "reading", "reference_resolution", "measure_temperature"),
        *("meter_temperature", "drip_time", "wetted"),
    ),
    GRAVIMETRIC: (
        *("empty", "full", "reference_resolution", "liquid_temperature", "meter_temperature"),
    ),
}
"""Keys of a test that only one method has."""


@dataclass(frozen=True, slots=True)
class MeterReadings:
    """Volumes by a reference meter, one per run."""

    reference: tuple[Quantity, ...]
    """As indicated, not yet corrected."""
    resolution: Quantity | None
    """Smallest interval of the reference's indication."""


@dataclass(frozen=True, slots=True)
class Fillings:
    """Fillings of a test measure, so many to a run, in the order in which they were made."""

    fills: int
    """Fillings of one run, which add up."""
    reading: tuple[Quantity, ...]
    """On the scale of the neck, from the nominal mark: above it is more; one per filling."""
    resolution: Quantity | None
    """Smallest interval of the scale of the neck."""
    measure_temperature: tuple[Quantity, ...]
    """Of measure and liquid in it, one per filling."""
    meter_temperature: tuple[Quantity, ...]
    """Of the liquid at the meter, one per run."""
    drip_time: tuple[Quantity, ...]
    """Time the measure dripped before each filling; empty: it was wiped dry."""
    wetted: bool
    """Filled after it was wetted and drained (true), or wiped dry (false)."""


@dataclass(frozen=True, slots=True)
class Weighings:
    """Weighings of what was delivered, one pair per run."""

    empty: tuple[Quantity, ...]
    """Indication of the scale before the delivery."""
    full: tuple[Quantity, ...]
    """Indication of the scale after the delivery."""
    resolution: Quantity | None
    """Smallest interval of the scale."""
    liquid_temperature: tuple[Quantity, ...]
    """Of the liquid on the scale, one per run."""
    meter_temperature: tuple[Quantity, ...]
    """Of the liquid at the meter, one per run."""


Reference = MeterReadings | Fillings | Weighings


@dataclass(frozen=True, slots=True)
class Liquid:
    """What is known of the liquid that was metered."""

    name: str
    water: bool
    """Pure water: density and expansion follow from its temperature."""
    source: str
    """Where the numbers come from."""
    expansion: Quantity | None
    """Cubical thermal expansion coefficient."""
    expansion_uncertainty: Quantity | None
    """Expanded uncertainty of it, k = 2."""
    density: Quantity | None
    """Of another liquid than water, at ``density_temperature``."""
    density_uncertainty: Quantity | None
    """Expanded uncertainty of the density (of water: how far it may be from pure), k = 2."""
    density_temperature: Quantity | None


def read_reference(keys: Keys, method: str, runs: int) -> Reference:
    """Read the columns of one method; a Refused names the key that is wrong."""
    if method == REFERENCE_METER:
        reference = keys.column("reference", kind_of("L"))
        _one_per_run(keys, "reference", reference, runs)
        return MeterReadings(reference, keys.positive("reference_resolution", "L", None))
    if method == TEST_MEASURE:
        return _fillings(keys, runs)
    empty, full = keys.column("empty", kind_of("kg")), keys.column("full", kind_of("kg"))
    _one_per_run(keys, "full", full, runs)
    same_length(keys, "empty", empty, "full", full)
    return Weighings(
        empty=empty,
        full=full,
        resolution=keys.positive("reference_resolution", "kg", None),
        liquid_temperature=_each(keys, "liquid_temperature", runs, kind_of("°C")),
        meter_temperature=_each(keys, "meter_temperature", runs, kind_of("°C")),
    )


def read_liquid(sheet: Keys) -> Liquid | None:
    """Read ``[liquid]``; None when the sheet has none."""
    if "liquid" not in sheet:
        return None
    keys = sheet.table("liquid")
    keys.only(
        *("name", "water", "source", "expansion", "expansion_uncertainty"),
        *("density", "density_uncertainty", "density_temperature"),
    )
    water = keys.flag("water")
    stated = [name for name in ("expansion", "density", "density_temperature") if name in keys]
    if water and stated:
        raise Refused(
            "the temperature of water gives this already: leave it out, or leave out water = true.",
            key=keys.path(stated[0]),
        )
    expansion = keys.positive("expansion", "1/K", None)
    density = keys.positive("density", "kg/m³", None)
    _wanted_with(keys, "expansion", "expansion_uncertainty", "source")
    _wanted_with(keys, "density", "density_uncertainty", "density_temperature", "source")
    temperature = None
    if "density_temperature" in keys:
        (temperature,) = _each(keys, "density_temperature", 1, kind_of("°C"))
    return Liquid(
        name=keys.text("name"),
        water=water,
        source=keys.optional_text("source") or "",
        expansion=expansion,
        expansion_uncertainty=keys.positive("expansion_uncertainty", "1/K", None),
        density=density,
        density_uncertainty=keys.positive("density_uncertainty", "kg/m³", None),
        density_temperature=temperature,
    )


def _fillings(keys: Keys, runs: int) -> Fillings:
    fills = keys.whole("fills", 1)
    reading = keys.column("reading", kind_of("L"))
    if len(reading) != fills * runs:
        raise Refused(
            "{count} readings stand here: {runs} runs of {fills} fillings have {wanted}.",
            key=keys.path("reading"),
            count=len(reading),
            runs=runs,
            fills=fills,
            wanted=fills * runs,
        )
    if "wetted" not in keys:
        raise Refused("this key is missing.", key=keys.path("wetted"))
    wetted = keys.flag("wetted")
    if not wetted and "drip_time" in keys:
        raise Refused("a measure that was wiped dry has no drip time.", key=keys.path("drip_time"))
    drip_time = _each(keys, "drip_time", fills * runs, kind_of("s")) if wetted else ()
    for place, time in enumerate(drip_time):
        if time.magnitude < 0:
            key = f"{keys.path('drip_time')}[{place}]"
            raise Refused("{value} is less than 0.", key=key, value=time)
    return Fillings(
        fills=fills,
        reading=reading,
        resolution=keys.positive("reference_resolution", "L", None),
        measure_temperature=_each(keys, "measure_temperature", fills * runs, kind_of("°C")),
        meter_temperature=_each(keys, "meter_temperature", runs, kind_of("°C")),
        drip_time=drip_time,
        wetted=wetted,
    )


def _one_per_run(keys: Keys, name: str, column: tuple[Quantity, ...], runs: int) -> None:
    same_length(keys, "indication", (None,) * runs, name, column)


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


def _wanted_with(keys: Keys, name: str, *others: str) -> None:
    """Refuse a number without what makes it usable."""
    for other in others:
        if name in keys and other not in keys:
            raise Refused(
                "{name} is stated: this key is wanted with it.", key=keys.path(other), name=name
            )
