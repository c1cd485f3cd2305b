"""The kinds of value that stand in a configuration: quantities with their unit, exact numbers, names.

Knows how one value is written and checked. Refuses to know any table of the file.
"""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from calibration.refusal import Refused
from calibration.units import parse_quantity, same_kind, unit_symbol

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""A name that is safe in an MQTT topic and in a file name."""

Exact = Annotated[Decimal, BeforeValidator(lambda v: v if isinstance(v, Decimal) else str(v))]
"""A decimal number, never passed through binary floating point."""


_LONGEST_NAME = 100


def quantity(example: str, *, above_zero: bool = False, from_zero: bool = False) -> AfterValidator:
    """Check that a text is a quantity of the same kind as the example."""

    def check(text: str) -> str:
        given = parse_quantity(text)
        if not same_kind(given.unit, parse_quantity(example).unit):
            raise Refused(
                "{value} is of another kind of quantity: write it as in {example}.",
                value=given,
                example=example,
            )
        if above_zero and given.magnitude <= 0:
            raise Refused("must be greater than 0")
        if from_zero and given.magnitude < 0:
            raise Refused("must not be less than 0")
        return text

    return AfterValidator(check)


Mass = Annotated[str, quantity("5 g")]
PositiveMass = Annotated[str, quantity("5 g", above_zero=True)]
MassFromZero = Annotated[str, quantity("5 g", from_zero=True)]
Volume = Annotated[str, quantity("100 L", above_zero=True)]
VolumeFromZero = Annotated[str, quantity("100 L", from_zero=True)]
FlowRate = Annotated[str, quantity("30 L/min", above_zero=True)]
FlowRateFromZero = Annotated[str, quantity("30 L/min", from_zero=True)]
Temperature = Annotated[str, quantity("20 °C")]
Density = Annotated[str, quantity("998 kg/m³", above_zero=True)]
UnitName = Annotated[str, AfterValidator(unit_symbol)]


def name_of_person(text: str) -> str:
    """Read the name of a person; Refused when it is none."""
    name = " ".join(text.split())
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise Refused("this is no name of a person")
    return name


Technician = Annotated[str, AfterValidator(name_of_person)]
"""Who reads instruments by eye."""


def _listed(given: Any) -> Any:
    """Take a list as it is typed in one text: ``0, 60, -40``."""
    return [part.strip() for part in given.split(",")] if isinstance(given, str) else given


Listed = BeforeValidator(_listed)


class Settings(BaseModel):
    """Common manners of all tables: frozen, and no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
