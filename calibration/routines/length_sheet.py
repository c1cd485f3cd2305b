"""The observation sheet of a material measure of length: a tape, a rule, a depth tape.

Knows its characteristics and what was read at its marks, on a reference tape or bench. Nothing is
decided here.
"""

from dataclasses import dataclass
from itertools import pairwise

from calibration.refusal import Refused
from calibration.sheet_keys import IDENTITY, Check, Keys, kind_of, require_kind
from calibration.units import Quantity

MARKS, INTERVALS = "marks", "intervals"
FORMS = ("tape", "semi-rigid", "rigid", "folding")
BEGINS = ("mark", "surface")
_INSTRUMENT = (
    *("class", "length", "form", "material", "expansion", "expansion_source"),
    *("expansion_uncertainty", "reference_temperature", "reference_temperature_marked", "tension"),
)
_TEST = (
    *("name", "standard", "begins", "nominal", "runs", "reference", "deviation"),
    *("reference_resolution", "temperature", "standard_temperature", "tension"),
)


@dataclass(frozen=True, slots=True)
class LengthInstrument:
    """Metrological characteristics of a measure of length."""

    accuracy_class: str
    """I, II or III."""
    length: Quantity
    """Nominal length of the whole measure."""
    form: str
    """One of FORMS: a tape is pulled, what is rigid is not."""
    material: str
    expansion: Quantity
    """Linear thermal expansion coefficient [1/K]."""
    expansion_source: str
    """Where the coefficient comes from."""
    expansion_uncertainty: Quantity | None
    """Expanded uncertainty of it, k = 2 [1/K]."""
    reference_temperature: Quantity
    """Temperature for which its length holds; never assumed."""
    reference_temperature_marked: bool | None
    """The reference temperature stands on the measure; None: the sheet does not say."""
    tension: Quantity | None
    """Tractive force marked on the tape; None when none is marked."""


@dataclass(frozen=True, slots=True)
class LengthTest:
    """What was read at some marks, one row per mark, run after run."""

    key: str
    """Where it stands in the sheet: ``test[0]``."""
    name: str
    """MARKS: distances from the beginning; INTERVALS: consecutive marks, one interval after another."""
    standard: str | None
    """Id of the reference; None: the only one of its kind."""
    begins: str
    """One of BEGINS."""
    nominal: tuple[Quantity, ...]
    """Distance of each mark from the beginning, or of each interval."""
    runs: int
    reference: tuple[Quantity, ...]
    """What the reference indicates there, not yet corrected; runs × marks."""
    resolution: Quantity | None
    """Smallest interval to which the reference is read."""
    temperature: tuple[Quantity, ...]
    """Of the measure; one per row, or empty."""
    standard_temperature: tuple[Quantity, ...]
    """Of the reference; one per row, or empty."""
    tension: Quantity | None
    """Tractive force that was applied."""


@dataclass(frozen=True, slots=True)
class LengthSheet:
    """What a sheet says of one measure of length."""

    instrument: LengthInstrument
    tests: tuple[LengthTest, ...]


def read_length(sheet: Keys) -> LengthSheet:
    """Read the measure and its tests; a Refused names the key that is wrong."""
    instrument = _instrument(sheet.table("instrument"))
    tests = tuple(_test(Keys.of(entry, key), instrument) for key, entry in sheet.tables("test"))
    return LengthSheet(instrument, tests)


def _instrument(keys: Keys) -> LengthInstrument:
    keys.only(*IDENTITY, *_INSTRUMENT)
    marked = "reference_temperature_marked"
    temperature = _stated(keys, "reference_temperature")
    require_kind(temperature, "°C", keys.path("reference_temperature"))
    length = keys.positive("length", "m", None)
    expansion = keys.positive("expansion", "1/K", None)
    if length is None or expansion is None:
        missing = "length" if length is None else "expansion"
        raise Refused("this key is missing.", key=keys.path(missing))
    return LengthInstrument(
        accuracy_class=keys.text("class"),
        length=length,
        form=keys.choice("form", FORMS),
        material=keys.text("material"),
        expansion=expansion,
        expansion_source=keys.text("expansion_source"),
        expansion_uncertainty=keys.positive("expansion_uncertainty", "1/K", None),
        reference_temperature=temperature,
        reference_temperature_marked=keys.flag(marked) if marked in keys else None,
        tension=keys.positive("tension", "N", None),
    )


def _stated(keys: Keys, name: str) -> Quantity:
    value = keys.optional_quantity(name)
    if value is None:
        raise Refused("this key is missing.", key=keys.path(name))
    return value


def _test(keys: Keys, instrument: LengthInstrument) -> LengthTest:
    keys.only(*_TEST)
    name = keys.choice("name", (MARKS, INTERVALS))
    begins = keys.choice("begins", BEGINS) if name == MARKS else BEGINS[0]
    if name == INTERVALS and "begins" in keys:
        raise Refused("an interval begins at a mark.", key=keys.path("begins"))
    nominal = _nominal(keys, name, instrument)
    runs = keys.whole("runs", 1)
    reference = _reference(keys, nominal, runs)
    rows = len(reference)
    nominal = nominal if name == MARKS else nominal * (rows // runs)
    return LengthTest(
        key=keys.place,
        name=name,
        standard=keys.optional_text("standard"),
        begins=begins,
        nominal=nominal,
        runs=runs,
        reference=reference,
        resolution=keys.positive("reference_resolution", "mm", None),
        temperature=_each(keys, "temperature", rows, kind_of("°C")),
        standard_temperature=_each(keys, "standard_temperature", rows, kind_of("°C")),
        tension=keys.positive("tension", "N", None),
    )


def _nominal(keys: Keys, name: str, instrument: LengthInstrument) -> tuple[Quantity, ...]:
    """Take distances that grow and stay within the measure; of intervals one for all of them."""
    nominal = keys.column("nominal", kind_of("m"))
    for place, value in enumerate(nominal):
        if value.magnitude <= 0:
            key = f"{keys.path('nominal')}[{place}]"
            raise Refused("{value} is not more than 0.", key=key, value=value)
    if name == INTERVALS and len(nominal) > 1:
        raise Refused("the intervals of one test are equally long.", key=keys.path("nominal"))
    for place, (before, after) in enumerate(pairwise(nominal), 1):
        if after.exactly("m") <= before.exactly("m"):
            key = f"{keys.path('nominal')}[{place}]"
            raise Refused("the marks of a test go on from the beginning.", key=key)
    if nominal[-1].exactly("m") > instrument.length.exactly("m"):
        raise Refused(
            "{value} lies beyond the length of the measure, {length}.",
            key=f"{keys.path('nominal')}[{len(nominal) - 1}]",
            value=nominal[-1],
            length=instrument.length,
        )
    return nominal


def _reference(keys: Keys, nominal: tuple[Quantity, ...], runs: int) -> tuple[Quantity, ...]:
    """Take what the reference indicates: stated, or by how far it is from the nominal value."""
    if ("reference" in keys) == ("deviation" in keys):
        raise Refused("a test states either its reference or its deviation.", key=keys.place)
    name = "reference" if "reference" in keys else "deviation"
    column = keys.column(name, kind_of("m"))
    marks, intervals = len(nominal), keys.text("name") == INTERVALS
    if len(column) % runs:
        raise Refused(
            "{count} values do not make {runs} equal runs.",
            key=keys.path(name),
            count=len(column),
            runs=runs,
        )
    if not intervals and len(column) != marks * runs:
        raise Refused(
            "{count} values stand here: {runs} runs over {marks} marks have {wanted}.",
            key=keys.path(name),
            count=len(column),
            runs=runs,
            marks=marks,
            wanted=marks * runs,
        )
    found = column
    if name == "deviation":
        found = tuple(
            Quantity(nominal[row % marks].to(value.unit).magnitude + value.magnitude, value.unit)
            for row, value in enumerate(column)
        )
    _check_order(keys, name, found, 1 if intervals else marks)
    return found


def _check_order(keys: Keys, name: str, found: tuple[Quantity, ...], marks: int) -> None:
    """Refuse a mark that is not beyond the one before it."""
    for row, value in enumerate(found):
        before = found[row - 1].exactly("m") if row % marks else 0
        if value.exactly("m") <= before:
            raise Refused(
                "{value} does not lie beyond the mark before it.",
                key=f"{keys.path(name)}[{row}]",
                value=value,
            )


def _each(keys: Keys, name: str, rows: int, check: Check) -> tuple[Quantity, ...]:
    """Take a column with a value for every row, or one for all of them; absent is empty."""
    if name not in keys:
        return ()
    found = keys.column(name, check)
    if len(found) not in (1, rows):
        raise Refused(
            "{count} values stand here and there are {rows} rows: give one for all, or one for each.",
            key=keys.path(name),
            count=len(found),
            rows=rows,
        )
    return found * rows if len(found) == 1 else found
