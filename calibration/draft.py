"""What a routine drafts before anything is decided: points with errors and limits, and their law.

Knows the shape of a draft. Refuses to know how an error was found and whether it conforms.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from calibration.legal_table import LegalTable
from calibration.standard import Realised
from calibration.uncertainty import Budget
from calibration.verification import Reason


class Judged(Enum):
    """What the ``error`` of a point is."""

    ERROR = "error"
    """A measurement error."""
    RANGE = "range"
    """Largest minus smallest error of the same load or flow rate."""
    CHANGE = "change"
    """Change of the indication by an extra load."""


@dataclass(frozen=True, slots=True)
class DraftPoint:
    """A point with its limits, before the decision."""

    nominal: Decimal | None
    """Value that was aimed at [unit]; None for a range in %."""
    error: Decimal | None
    """What is judged [unit]; None when the observations do not give it."""
    lower: Decimal | None
    """Lower limit [unit]; None when that side has none."""
    upper: Decimal | None
    """Upper limit [unit]; None when that side has none."""
    unit: str
    """Unit symbol of every number of the point."""
    clause: str
    """Clause that gives the limit."""
    reference: Decimal | None = None
    """Value of the measurement standard [unit]."""
    indication: Decimal | None = None
    """Digits as displayed [unit]."""
    judged: Judged = Judged.ERROR
    relative_error: Decimal | None = None
    """The error in % of the reference, rounded: for people."""
    conforms: bool | None = None
    """A decision taken already on exact ratios that have no finite decimals."""
    row: int | None = None
    """Which point of the test's budget this is; None: its uncertainty is not evaluated."""
    failure: Reason | None = None
    """What is said when it does not conform, where the general sentence does not fit."""
    undecided: bool = False
    """Shown and not decided, either way: what decides it is not known in full."""


@dataclass(frozen=True, slots=True)
class DraftTest:
    """A test before the decision."""

    name: str
    points: tuple[DraftPoint, ...]
    lacking: tuple[Reason, ...] = ()
    """Why the test stays indeterminate even when every point conforms."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """What the test was done at, with units: ``{"flow_rate": "50 L/min"}``."""
    budget: Budget | None = None
    """Uncertainty of the error at every point that names its row [unit of the points]."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a routine found on one sheet."""

    tests: tuple[DraftTest, ...]
    lacking: tuple[Reason, ...]
    """Why the instrument stays indeterminate even when every test conforms."""
    notes: tuple[Reason, ...]
    """What a reader of the verdict must know."""
    realised: tuple[Realised, ...]
    """Values of the standards with the limits there."""
    provisional: bool
    """A table entry of low confidence was used."""
    illegal: tuple[Reason, ...] = ()
    """Why the verdict is computed but not legal, beyond what every routine is asked."""
    tables: tuple[LegalTable, ...] = ()
    """Further legal tables that were used: each needs the office's approval too."""
    standards_clause: str = ""
    """Where the law asks for good standards; empty: where the routine says."""
