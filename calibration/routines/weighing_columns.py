"""The tests of a weighing instrument as a sheet writes them: columns and words, nothing decided.

Knows which keys each test has. Refuses every other key, columns of unequal length, and quantities
of another kind; whether the observations can have been is the affair of `weighing_observed`.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from calibration.refusal import Refused
from calibration.sheet_keys import Keys, kind_of, require_kind, same_length
from calibration.units import OWN_UNITS, PERCENT, Quantity, parse_quantity

ERRORS = ("zero", "weighing", "eccentricity", "repeatability", "tare")
"""Tests whose indications have an error."""
TESTS = (
    *ERRORS,
    *("discrimination", "sensitivity", "indicators"),
    *("creep", "zero_return", "tilt", "zero_range"),
)
ONE_LOAD_TESTS = ("eccentricity", "repeatability", "creep", "zero_return")
"""Tests whose indications all belong to one load."""
NOT_MADE = "-"
"""Stands in a column where a probe was not needed."""


class Method(StrEnum):
    """How the rounding error is dealt with."""

    CHANGE = "change"
    """ΔL up to the change of indication, or an indication fine enough (R 76-1 A.4.4.3)."""
    PROBE = "probe"
    """One probe of 0.5 e: a national method."""


class Receptor(StrEnum):
    """What the load receptor is, for the load of the eccentricity test."""

    PLATFORM = "platform"
    TANK = "tank"
    """Tank, hopper and the like: hardly any load off the centre."""
    ROLLING = "rolling"
    """Loads roll over it: vehicles, rail wagons."""


class Series(StrEnum):
    """Which repeatability series it is."""

    VERIFICATION = "verification"
    TYPE = "type"
    """One of the two series of type evaluation."""


@dataclass(frozen=True, slots=True)
class WeighingTest:
    """Observations of one test of a weighing instrument; every column has one row per point."""

    key: str
    """Where it stands in the sheet: ``test[0]``."""
    name: str
    load: tuple[Quantity, ...] = ()
    """Load, net of tare."""
    indication: tuple[Quantity, ...] = ()
    """Digits as displayed, or as read by eye."""
    added_load: tuple[Quantity, ...] | None = None
    """ΔL up to the change of indication; None when it was not sought."""
    indication_after: tuple[Quantity | None, ...] | None = None
    """Indication after the extra load of a discrimination test or the (first) probe."""
    indication_further: tuple[Quantity | None, ...] | None = None
    """Indication after the further probe at zero and after taring."""
    d: Quantity | None = None
    """Interval of the indication in this test where it is not the instrument's (high resolution)."""
    range: int | None = None
    """Which range of a multiple range instrument, from 1."""
    method: Method = Method.CHANGE
    tare: Quantity | None = None
    """Tare load."""
    substitution: tuple[Quantity, ...] | None = None
    """Part of the load that is substitution material (weighing)."""
    receptor: Receptor = Receptor.PLATFORM
    supports: int = 4
    """Points of support of the load receptor (eccentricity)."""
    directions: int = 1
    """Directions in which loads roll over the receptor (eccentricity)."""
    sections: int = 1
    """Sections of a receptor for rolling loads (eccentricity)."""
    series: Series = Series.VERIFICATION
    standard_load: bool = True
    """The value of the load is known; False: any constant load, only the range is judged."""
    extra_load: tuple[Quantity, ...] | None = None
    """What was added (discrimination, sensitivity)."""
    visible: tuple[bool, ...] | None = None
    """The extra load moved the indicating element visibly (discrimination)."""
    displacement: tuple[Quantity, ...] | None = None
    """How far the extra load moved the indicating element (sensitivity)."""
    indication_second: tuple[Quantity, ...] | None = None
    """Indication of the other device (indicators)."""
    digital: bool = True
    """Both indications are digital displays or prints (indicators)."""
    time: tuple[Quantity, ...] | None = None
    """Time since the load was placed, or for which it was kept (creep, zero_return)."""
    kept_load: Quantity | None = None
    """Load that was taken off (zero_return)."""
    position: tuple[str, ...] | None = None
    """Position of the instrument at each row: LEVEL or a name of a tilt (tilt)."""
    zero_setting: Quantity | None = None
    """How far zero-setting and zero-tracking devices moved zero (zero_range)."""
    initial_zero_setting: Quantity | None = None
    """How far the initial zero-setting device moved zero (zero_range)."""


LEVEL = "level"
"""Reference position of the tilt test."""

_PROBED = ("method", "indication_after")
_OWN = {
    "zero": ("added_load", *_PROBED, "indication_further"),
    "weighing": ("added_load", *_PROBED, "substitution"),
    "eccentricity": ("added_load", *_PROBED, "receptor", "supports", "directions", "sections"),
    "repeatability": ("added_load", *_PROBED, "series", "standard_load"),
    "tare": ("added_load", *_PROBED, "indication_further", "tare"),
    "discrimination": ("indication_after", "extra_load", "visible"),
    "sensitivity": ("extra_load", "displacement"),
    "indicators": ("indication_second", "digital"),
    "creep": ("added_load", "time"),
    "zero_return": ("added_load", "time", "kept_load"),
    "tilt": ("added_load", "position"),
    "zero_range": ("zero_setting", "initial_zero_setting"),
}
_WANTED = {
    "sensitivity": ("extra_load", "displacement"),
    "indicators": ("indication_second",),
    "creep": ("time",),
    "zero_return": ("time",),
    "tilt": ("position",),
    "tare": ("tare",),
}
"""Columns without which a test says nothing."""


def read_test(keys: Keys) -> WeighingTest:
    """Read one ``[[test]]``; a Refused names the key that is wrong."""
    name = keys.choice("name", TESTS)
    shared = {"zero_range": (), "sensitivity": ("load",)}.get(name, ("load", "indication"))
    keys.only("name", "range", "d", *shared, *_OWN[name])
    wants = _WANTED.get(name, ())
    if name == "discrimination" and "visible" not in keys:
        wants = ("indication_after",)
    for wanted in wants:
        if wanted not in keys:
            raise Refused("this key is missing.", key=keys.path(wanted))
    test = WeighingTest(
        key=keys.place,
        name=name,
        d=keys.positive("d", "g", None),
        range=keys.whole("range", 1) if "range" in keys else None,
        method=Method(keys.choice("method", tuple(Method))) if "method" in keys else Method.CHANGE,
        zero_setting=keys.positive("zero_setting", "g", None),
        initial_zero_setting=keys.positive("initial_zero_setting", "g", None),
    )
    if name == "zero_range":
        if test.zero_setting is None and test.initial_zero_setting is None:
            raise Refused("this key is missing.", key=keys.path("zero_setting"))
        return test
    test = _loads(keys, test)
    return replace(
        test,
        tare=keys.positive("tare", "g", None),
        receptor=Receptor(keys.choice("receptor", tuple(Receptor)))
        if "receptor" in keys
        else Receptor.PLATFORM,
        supports=keys.whole("supports", 4),
        directions=keys.whole("directions", 1),
        sections=keys.whole("sections", 1),
        series=Series(keys.choice("series", tuple(Series)))
        if "series" in keys
        else Series.VERIFICATION,
        standard_load=keys.flag("standard_load") if "standard_load" in keys else True,
        digital=keys.flag("digital") if "digital" in keys else True,
        kept_load=keys.positive("kept_load", "g", None),
    )


def _loads(keys: Keys, test: WeighingTest) -> WeighingTest:
    """Read the columns, one row per point."""
    load = keys.column("load", mass) if "load" in keys or test.name != "zero_return" else _NOTHING
    indication = () if test.name == "sensitivity" else keys.column("indication", mass)
    if test.name in ONE_LOAD_TESTS and len(load) == 1:
        load = load * len(indication)
    if indication:
        same_length(keys, "indication", indication, "load", load)
    probed = test.method is Method.PROBE
    for name in ("indication_after", "indication_further"):
        if name in keys and test.name != "discrimination" and not probed:
            raise Refused("this key belongs to method = probe.", key=keys.path(name))
    if probed and "added_load" in keys:
        raise Refused("method = probe seeks no ΔL.", key=keys.path("added_load"))
    return replace(
        test,
        load=load,
        indication=indication,
        added_load=_column(keys, "added_load", load),
        substitution=_column(keys, "substitution", load),
        extra_load=_column(keys, "extra_load", load),
        indication_second=_column(keys, "indication_second", load),
        indication_after=_with_gaps(keys, "indication_after", load),
        indication_further=_with_gaps(keys, "indication_further", load),
        visible=_flags(keys, load),
        displacement=_column(keys, "displacement", load, "mm"),
        time=_times(keys, load, one=test.name == "zero_return"),
        position=_positions(keys, load),
    )


_NOTHING = (parse_quantity("0 g"),)
"""The load of `zero_return` unless the sheet states one near zero."""


def _column(
    keys: Keys, name: str, load: tuple[Quantity, ...], unit: str | None = None
) -> tuple[Quantity, ...] | None:
    if name not in keys:
        return None
    column = keys.column(name, mass if unit is None else kind_of(unit))
    same_length(keys, name, column, "load", load)
    return column


def _with_gaps(
    keys: Keys, name: str, load: tuple[Quantity, ...]
) -> tuple[Quantity | None, ...] | None:
    if name not in keys:
        return None
    texts = keys.texts(name)
    same_length(keys, name, texts, "load", load)
    column: list[Quantity | None] = []
    for place, text in enumerate(texts):
        key = keys.path(name) if len(texts) == 1 else f"{keys.path(name)}[{place}]"
        if text.strip() == NOT_MADE:
            column.append(None)
            continue
        quantity = parse_quantity(text, key=key)
        mass(quantity, key)
        column.append(quantity)
    return tuple(column)


def _flags(keys: Keys, load: tuple[Quantity, ...]) -> tuple[bool, ...] | None:
    if "visible" not in keys:
        return None
    flags = keys.flags("visible")
    same_length(keys, "visible", flags, "load", load)
    return flags


def _times(keys: Keys, load: tuple[Quantity, ...], *, one: bool) -> tuple[Quantity, ...] | None:
    if "time" not in keys:
        return None
    times = keys.column("time", kind_of("min"))
    same_length(keys, "time", times, "load", load[:1] if one else load)
    return times


def _positions(keys: Keys, load: tuple[Quantity, ...]) -> tuple[str, ...] | None:
    if "position" not in keys:
        return None
    positions = keys.texts("position")
    same_length(keys, "position", positions, "load", load)
    return positions


def mass(quantity: Quantity, key: str) -> None:
    """Refuse what is no mass; loads and ΔL may be written in e or d of the instrument."""
    if quantity.unit == PERCENT or quantity.unit not in OWN_UNITS:
        require_kind(quantity, "g", key)
