"""What a routine is given: one sheet's own part, the law of its day, and the standards it names."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from calibration.legal_table import LegalTable
from calibration.standard import Standard
from calibration.units import Quantity

BodyT = TypeVar("BodyT")


@dataclass(frozen=True, slots=True)
class Case(Generic[BodyT]):
    """One instrument to be found conforming or not."""

    body: BodyT
    """Characteristics and tests, as the routine's own sheet has them."""
    stage: str
    """initial, subsequent or in_service."""
    date: datetime.date
    """Day of the verification."""
    table: LegalTable
    """The law in force, national settings applied."""
    standards: tuple[Standard, ...]
    """The standards that the sheet names and the register knows."""
    environment: Mapping[str, Quantity]
    """temperature [°C], humidity [%], pressure: what was stated of them."""
