"""The shapes a legal rule can have, by the name that a table's file calls them.

Knows which file turns which kind of rule into a `LimitCurve`, and which characteristics it takes.
Refuses to know any number of the law: those are in ``calibration/legal``; another table of the
same shape is another file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from calibration.legal_table import LegalTable
from calibration.limit_curve import LimitCurve
from calibration.rules import minimum_quantity, nominal_values, scale_bands, value_bands, wagons
from calibration.rules.characteristics import Characteristic
from calibration.rules.question import Question, find_class, known_of


@dataclass(frozen=True, slots=True)
class Shape:
    """What a kind of rule can do."""

    curve: Callable[[Question, str], LimitCurve]
    """Build the limits with values in a unit."""
    value_unit: Callable[[Question, str], str]
    """Choose the unit in which values are looked up; the second argument is their own."""
    answer_unit: Callable[[Question, LimitCurve], str]
    """Choose the unit in which limits are answered."""
    known: Mapping[str, Characteristic] = field(default_factory=dict)
    """Characteristics that every table of this kind takes."""


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "bands in e": Shape(
            scale_bands.curve, scale_bands.value_unit, scale_bands.answer_unit, scale_bands.KNOWN
        ),
        "percent with minimum quantity": Shape(
            minimum_quantity.curve,
            minimum_quantity.value_unit,
            minimum_quantity.answer_unit,
            minimum_quantity.KNOWN,
        ),
        "bands": Shape(value_bands.curve, value_bands.value_unit, value_bands.answer_unit),
        "nominal values": Shape(
            nominal_values.curve, nominal_values.value_unit, nominal_values.answer_unit
        ),
        "wagons": Shape(wagons.curve, wagons.value_unit, wagons.answer_unit),
    }
)
"""By kind, as in ``[rule] kind``; a class may have a kind of its own."""


def kind_of(table: LegalTable, class_key: str) -> str:
    """Give the kind of rule of a class, as the table's file writes the class."""
    return str(table.rules["class"][class_key].get("kind", table.rules["rule"]["kind"]))


def shape_of(table: LegalTable, class_key: str) -> Shape:
    """Give the shape of the rule of a class, as the table's file writes the class."""
    return SHAPES[kind_of(table, class_key)]


def characteristics_of(table: LegalTable, accuracy_class: str) -> dict[str, Characteristic]:
    """List the names that ``--with`` takes for a class of a table."""
    shape = shape_of(table, find_class(table, accuracy_class).key)
    return {**shape.known, **known_of(table)}
