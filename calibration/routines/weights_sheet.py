"""The observation sheet of weights: what is tested and what the comparator showed, nothing decided.

One ``[[test]]`` is one weight, or some of one nominal value in a series A B1 ... Bn A. A row of its
columns is one weighing cycle, A the reference weight and B the weight under test, in that order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType

from calibration.refusal import Refused
from calibration.sheet_keys import IDENTITY, Keys, kind_of, require_kind, same_length
from calibration.units import PERCENT, Quantity

ABBA, ABA, SERIES = "ABBA", "ABA", "AB1..BnA"
CYCLES = (ABBA, ABA, SERIES)
"""Weighing cycles of OIML R 111-1:2004 C.4."""
CONVENTIONAL_MASS = "conventional mass"
"""The one kind of test."""
AIR = {"temperature": "°C", "pressure": "hPa", "humidity": PERCENT}
"""What the density of air follows from, with the unit each is used in."""
_MATERIAL = ("material", "density", "density_uncertainty")
_SPREAD = ("standard_deviation", "degrees_of_freedom")
_SENSITIVITY = ("sensitivity_weight", "sensitivity_weight_uncertainty", "sensitivity_change")
_ADJUSTED = Fraction(1, 10)
"""A sensitivity further from 1 is a typing error or a comparator that nobody adjusted."""


@dataclass(frozen=True, slots=True)
class Material:
    """What is stated of the density of a weight: a material, or a density, or nothing."""

    name: str | None = None
    """Alloy or metal as Table B.7 calls it."""
    density: Quantity | None = None
    density_uncertainty: Quantity | None = None
    """Expanded uncertainty of the density, k = 2."""
    key: str = ""
    """Where it stands in the sheet."""

    @property
    def stated(self) -> bool:
        """Tell whether anything is stated."""
        return self.name is not None or self.density is not None


@dataclass(frozen=True, slots=True)
class Spread:
    """The standard deviation of one weighed difference, pooled from earlier weighings."""

    standard_deviation: Quantity
    degrees_of_freedom: int


@dataclass(frozen=True, slots=True)
class Comparator:
    """The balance on which weights are compared; limits are half-widths."""

    id: str
    d: Quantity | None
    """Scale interval."""
    eccentricity: Quantity | None
    """Largest error of a difference by the places of the weights; 0 where places cannot differ."""
    sensitivity: Quantity | None
    """Largest relative error of its sensitivity [%]."""
    magnetism: Quantity | None
    """Largest error by magnetism; absent: weights that satisfy clause 9."""
    spread: Spread | None


@dataclass(frozen=True, slots=True)
class SensitivityWeight:
    """A weight added to find what one interval of the comparator is worth."""

    mass: Quantity
    expanded_uncertainty: Quantity
    """k = 2."""
    change: Quantity
    """Change of the indication when it was added."""


@dataclass(frozen=True, slots=True)
class WeightTest:
    """One weight, or some of equal nominal value, against a reference weight."""

    key: str
    """Where it stands in the sheet: ``test[0]``."""
    nominal: Quantity
    identification: tuple[str, ...]
    """One for each weight of a series; empty for a single weight without a mark."""
    cycle: str
    """One of CYCLES."""
    weighings: tuple[tuple[Quantity, ...], ...]
    """The columns in the order of weighing: A1, B1, ..., A2; one indication per cycle in each."""
    reference: str | None
    """Standard to compare with; None: the only one of this nominal value."""
    comparator: Comparator
    material: Material
    spread: Spread | None
    sensitivity: SensitivityWeight | None
    buoyancy_limit: Quantity | None
    """Largest error by buoyancy where it is not corrected; class M only."""
    air: Mapping[str, tuple[Quantity, ...]] = field(default_factory=dict)
    """Temperature, pressure, humidity: one for all cycles or one for each."""

    @property
    def cycles(self) -> int:
        """Count the weighing cycles."""
        return len(self.weighings[0])

    @property
    def weights(self) -> int:
        """Count the weights under test."""
        return len(self.weighings) - 2 if self.cycle == SERIES else 1


@dataclass(frozen=True, slots=True)
class WeightsSheet:
    """What a sheet says of a weight or a set of weights."""

    accuracy_class: str
    tests: tuple[WeightTest, ...]


def read_weights(sheet: Keys) -> WeightsSheet:
    """Read class, comparators and tests; a Refused names the key that is wrong."""
    instrument = sheet.table("instrument")
    instrument.only(*IDENTITY, "class", *_MATERIAL)
    accuracy_class = instrument.text("class")
    material = _material(instrument)
    comparators: dict[str, Comparator] = {}
    for key, entry in sheet.tables("comparator"):
        found = _comparator(Keys.of(entry, key))
        if found.id in comparators:
            raise Refused("comparator {name} is described twice.", key=f"{key}.id", name=found.id)
        comparators[found.id] = found
    if not comparators:
        raise Refused("this key is missing.", key="comparator")
    tests = (Keys.of(entry, key) for key, entry in sheet.tables("test"))
    return WeightsSheet(accuracy_class, tuple(_test(keys, material, comparators) for keys in tests))


def _material(keys: Keys) -> Material:
    name = keys.optional_text("material")
    density = keys.positive("density", "kg/m³", None)
    uncertainty = keys.positive("density_uncertainty", "kg/m³", None)
    if name is not None and density is not None:
        raise Refused(
            "a material and a density are both stated: leave one of them out.",
            key=keys.path("material"),
        )
    if (density is None) != (uncertainty is None):
        lacking = "density" if density is None else "density_uncertainty"
        raise Refused("this key is missing.", key=keys.path(lacking))
    return Material(name, density, uncertainty, keys.place)


def _comparator(keys: Keys) -> Comparator:
    keys.only("id", "d", "eccentricity", "sensitivity", "magnetism", *_SPREAD)
    return Comparator(
        id=keys.text("id"),
        d=keys.positive("d", "g", None),
        eccentricity=_limit(keys, "eccentricity", "mg"),
        sensitivity=_limit(keys, "sensitivity", PERCENT),
        magnetism=_limit(keys, "magnetism", "mg"),
        spread=_spread(keys),
    )


def _limit(keys: Keys, name: str, unit: str) -> Quantity | None:
    """Take a half-width, which may be 0."""
    value = keys.optional_quantity(name)
    if value is not None:
        require_kind(value, unit, keys.path(name))
        if value.magnitude < 0:
            raise Refused("{value} is less than 0.", key=keys.path(name), value=value)
    return value


def _spread(keys: Keys) -> Spread | None:
    deviation = keys.positive("standard_deviation", "mg", None)
    if (deviation is None) != ("degrees_of_freedom" not in keys):
        lacking = _SPREAD[0] if deviation is None else _SPREAD[1]
        raise Refused("this key is missing.", key=keys.path(lacking))
    return None if deviation is None else Spread(deviation, keys.whole("degrees_of_freedom", 1))


def _test(keys: Keys, material: Material, comparators: Mapping[str, Comparator]) -> WeightTest:
    keys.choice("name", (CONVENTIONAL_MASS,))
    nominal = keys.positive("nominal", "g", None)
    if nominal is None:
        raise Refused("this key is missing.", key=keys.path("nominal"))
    cycle = keys.choice("cycle", CYCLES)
    identification = keys.texts("identification") if "identification" in keys else ()
    if cycle == SERIES and not identification:
        raise Refused("this key is missing.", key=keys.path("identification"))
    if cycle != SERIES and len(identification) > 1:
        raise Refused(
            "a cycle {cycle} compares one weight, here are {count}.",
            key=keys.path("identification"),
            cycle=cycle,
            count=len(identification),
        )
    columns = columns_of(cycle, len(identification))
    keys.only(
        *("name", "nominal", "identification", "cycle", *columns, "reference", "comparator"),
        *(*_MATERIAL, *_SPREAD, *_SENSITIVITY, "buoyancy_limit", *AIR),
    )
    weighings = tuple(keys.column(name, kind_of("g")) for name in columns)
    for name, column in zip(columns, weighings, strict=True):
        same_length(keys, name, column, columns[0], weighings[0])
    own = _material(keys)
    return WeightTest(
        key=keys.place,
        nominal=nominal,
        identification=identification,
        cycle=cycle,
        weighings=weighings,
        reference=keys.optional_text("reference"),
        comparator=_chosen(keys, comparators),
        material=own if own.stated else material,
        spread=_spread(keys),
        sensitivity=_sensitivity(keys),
        buoyancy_limit=_limit(keys, "buoyancy_limit", "mg"),
        air=_air(keys, weighings[0]),
    )


def columns_of(cycle: str, weights: int) -> tuple[str, ...]:
    """Name the columns of a cycle in the order of weighing."""
    if cycle == ABBA:
        return ("A1", "B1", "B2", "A2")
    return ("A1", *(f"B{place + 1}" for place in range(weights if cycle == SERIES else 1)), "A2")


def _chosen(keys: Keys, comparators: Mapping[str, Comparator]) -> Comparator:
    name = keys.optional_text("comparator")
    if name is None and len(comparators) == 1:
        return next(iter(comparators.values()))
    if name is None:
        raise Refused("this key is missing.", key=keys.path("comparator"))
    return comparators[keys.choice("comparator", tuple(comparators))]


def _sensitivity(keys: Keys) -> SensitivityWeight | None:
    mass, uncertainty, change = (keys.positive(name, "mg", None) for name in _SENSITIVITY)
    if mass is None and uncertainty is None and change is None:
        return None
    if mass is None or uncertainty is None or change is None:
        lacking = next(name for name in _SENSITIVITY if name not in keys)
        raise Refused("this key is missing.", key=keys.path(lacking))
    ratio = mass.exactly("mg") / change.exactly("mg")
    if abs(ratio - 1) > _ADJUSTED:
        raise Refused(
            "a change of {change} by a weight of {mass} is no sensitivity of a comparator in use.",
            key=keys.path("sensitivity_change"),
            change=change,
            mass=mass,
        )
    return SensitivityWeight(mass, uncertainty, change)


def _air(keys: Keys, cycles: tuple[Quantity, ...]) -> Mapping[str, tuple[Quantity, ...]]:
    found: dict[str, tuple[Quantity, ...]] = {}
    for name, unit in AIR.items():
        if name in keys:
            column = keys.column(name, kind_of(unit))
            if len(column) > 1:
                same_length(keys, name, column, "A1", cycles)
            found[name] = column
    return MappingProxyType(found)
