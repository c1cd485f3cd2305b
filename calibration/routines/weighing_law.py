"""What the law wants of the tests of a weighing instrument, read from the table in force.

Knows the ``[requirement.*]`` tables of R 76 and of national settings laid over it: numbers with
clauses. Refuses to know any of the numbers itself; a table without one is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from calibration.edition import PROVISIONAL
from calibration.legal_table import LegalTable
from calibration.national import all_settings
from calibration.refusal import Refused
from calibration.routines.weighing_columns import Method
from calibration.units import Quantity, parse_quantity

DOCUMENT = "R 76-1"
NEARLY = Decimal("0.9")
"""Share of a load that passes for it where the law says 'about' or 'corresponding to': ours."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement with its numbers."""

    stated: Mapping[str, Any]
    clause: str
    """Document and clause."""

    def number(self, key: str) -> Decimal:
        """Give a number as the table states it."""
        return Decimal(self.stated[key])

    def by_class(self, key: str, accuracy_class: str) -> Any:
        """Give what the table states for a class."""
        return self.stated[key][accuracy_class]

    def mass(self, key: str, unit: str) -> Decimal:
        """Give a quantity in a unit."""
        return parse_quantity(self.stated[key]).to(unit).magnitude

    def applies_to(self, accuracy_class: str) -> bool:
        """Tell whether the requirement is one of this class."""
        return accuracy_class in self.stated["classes"]


def requirement(table: LegalTable, name: str) -> Requirement:
    """Find a requirement of the law in force, national settings over the Recommendation."""
    settings = table.settings
    if settings is not None and name in settings.stated.get("requirement", {}):
        return _of(settings.stated["requirement"][name], f"{settings.name}:")
    stated = table.rules["requirement"].get(name)
    if stated is None:
        raise Refused("{table} does not state {name}.", table=table.name, name=name)
    return _of(stated, DOCUMENT)


def requirements_provisional(table: LegalTable) -> bool:
    """Tell whether any requirement of the table is little sure."""
    stated = table.rules["requirement"].values()
    return any(one["confidence"] in PROVISIONAL for one in stated)


@dataclass(frozen=True, slots=True)
class Probe:
    """The half-e probe of national practice, and whether it is in force here."""

    at_load: Requirement
    at_zero: Requirement
    setting: str
    """The settings that have it."""
    in_force: bool


def probe_of(table: LegalTable) -> Probe:
    """Find the rules of the probe: those in force, else those of the settings that have them.

    The observations are judged by them in both cases; the verdict is legal in the first only.
    """
    own = table.settings
    if own is not None and Method.PROBE in own.methods:
        return Probe(
            requirement(table, "probe"), requirement(table, "zero_and_tare_probe"), own.name, True
        )
    known = [
        settings
        for settings in all_settings()
        if settings.table.partition("@")[0] == table.id and Method.PROBE in settings.methods
    ]
    if not known:
        raise Refused("no national settings for {table} have this method.", table=table.name)
    stated, prefix = known[-1].stated["requirement"], f"{known[-1].name}:"
    return Probe(
        _of(stated["probe"], prefix),
        _of(stated["zero_and_tare_probe"], prefix),
        known[-1].name,
        False,
    )


def in_unit(quantity: Quantity, unit: str, key: str) -> Decimal:
    """Express a quantity of the sheet in a unit, or name its key."""
    try:
        return quantity.to(unit).magnitude
    except Refused as refused:
        raise Refused(refused.template, key=key, **refused.evidence) from None


def _of(stated: Mapping[str, Any], prefix: str) -> Requirement:
    return Requirement(stated, f"{prefix} {stated['clause']}")
