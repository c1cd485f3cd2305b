"""The law of one class of weights: limits at nominal values, and what R 111-1 asks besides.

Knows where the table keeps them. The numbers are in ``calibration/legal/r111_2004.toml``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from calibration.grid import finest_exponent, off_grid, on_grid, plain
from calibration.legal_table import LegalTable
from calibration.limit_curve import LimitCurve
from calibration.mpe import accuracy_class_of, limit_curve
from calibration.routines.weights_sheet import ABA, ABBA, SERIES

MG = "mg"
"""Unit of every deviation, limit and uncertainty of a weight (R 111-1:2004 Table 1)."""
_COLUMN = MappingProxyType({ABBA: "ABBA", ABA: "ABA", SERIES: "AB1_BnA"})
"""How the table of cycles calls them."""


@dataclass(frozen=True, slots=True)
class WeightClass:
    """One accuracy class at one stage."""

    name: str
    """As the table prints it: ``M1-2``."""
    table: LegalTable
    curve: LimitCurve

    @classmethod
    def of(cls, table: LegalTable, name: str, stage: str = "initial") -> "WeightClass":
        """Find a class, or refuse one that the table does not have."""
        known = accuracy_class_of(table, name)
        curve = limit_curve(table, accuracy_class=known, stage=stage, unit=MG)
        return cls(known, table, curve)

    def limit(self, nominal: Decimal) -> Decimal:
        """Give the limit at a nominal value [mg], or refuse where the class has none."""
        exponent = finest_exponent([plain(nominal)])
        found = self.curve.limits(on_grid([plain(nominal)], exponent), exponent)
        return plain(off_grid(found.counts, found.exponent)[0])

    def asks(self, name: str) -> Mapping[str, Any]:
        """Give a further requirement of the table."""
        requirement: Mapping[str, Any] = self.table.rules["requirement"][name]
        return requirement

    def fewest_cycles(self, cycle: str) -> int:
        """Give the smallest number of weighing cycles of a kind (Table C.2)."""
        least = self.asks("cycles")[_COLUMN[cycle]]
        return int(least[self.name] if self.name in least else least[self.name[0]])

    def clause(self, name: str) -> str:
        """Give the clause of a further requirement as people cite it."""
        return f"R 111-1 {self.asks(name)['clause']}"
