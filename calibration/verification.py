"""Decide, exactly, and say what was decided.

Knows whether an error lies within its limits: int64 counts against int64 counts, many instruments
at once, one of them being a batch of one. Refuses to know which law gave the limits or how the
error was found. A test without a point conforms to nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from calibration.grid import Counts
from calibration.refusal import Refused

NO_LOWER = int(np.iinfo(np.int64).min)
"""Lower limit [count] of a point that has none: every error lies above it."""
NO_UPPER = int(np.iinfo(np.int64).max)
"""Upper limit [count] of a point that has none."""
SIMPLE_ACCEPTANCE = "simple acceptance"
"""Decision rule of R 76, R 117, R 49: the limit belongs to conformity, uncertainty is no guard."""


class Verdict(StrEnum):
    """What was decided of a point, a test or an instrument."""

    CONFORMING = "conforming"
    NONCONFORMING = "nonconforming"
    INDETERMINATE = "indeterminate"


def combined(verdicts: Iterable[Verdict]) -> Verdict:
    """Let one nonconforming decide; else one indeterminate, or none at all, leaves it open."""
    seen = set(verdicts)
    if Verdict.NONCONFORMING in seen:
        return Verdict.NONCONFORMING
    return Verdict.CONFORMING if seen == {Verdict.CONFORMING} else Verdict.INDETERMINATE


@dataclass(frozen=True, slots=True, eq=False)
class PointColumns:
    """Points of many instruments as columns of equal length, all counts on one grid."""

    error: Counts
    """Measurement error of each point [count], shape (points,)."""
    lower: Counts
    """Lower limit [count]; NO_LOWER where there is none, shape (points,)."""
    upper: Counts
    """Upper limit [count]; NO_UPPER where there is none, shape (points,)."""
    test: Counts
    """Which test of the whole batch the point belongs to, from 0, shape (points,)."""
    instrument: Counts
    """Which instrument of the batch it belongs to, from 0, shape (points,)."""
    tests: int
    """How many tests the batch has."""
    instruments: int
    """How many instruments the batch has."""


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """What `verify` decided."""

    conforming: NDArray[np.bool_]
    """lower <= error <= upper, shape (points,)."""
    test_conforming: NDArray[np.bool_]
    """Every point of the test conforms and there is at least one, shape (tests,)."""
    instrument_conforming: NDArray[np.bool_]
    """Every point of the instrument conforms and there is at least one, shape (instruments,)."""
    test_points: Counts
    """Points in each test: 0 means indeterminate, shape (tests,)."""
    instrument_points: Counts
    """Points of each instrument: 0 means indeterminate, shape (instruments,)."""


def verify(points: PointColumns) -> Verified:
    """Decide lower <= error <= upper for every point, then for every test and instrument.

    All columns are int64 counts of one grid, shape (points,); a limit itself conforms
    (OIML R 76-1:2006 3.5.1, R 117-1:2007 2.5: "shall not exceed").

    >>> three = np.array([3, 4], dtype=np.int64)
    >>> limit, first = np.array([3, 3], dtype=np.int64), np.array([0, 1], dtype=np.int64)
    >>> verify(PointColumns(three, -limit, limit, first, first, 2, 2)).conforming
    array([ True, False])
    """
    _validate(points)
    conforming = (points.error >= points.lower) & (points.error <= points.upper)
    failed = np.flatnonzero(~conforming)
    tests, in_test = _groups(points.test, failed, points.tests)
    instruments, of_instrument = _groups(points.instrument, failed, points.instruments)
    return Verified(conforming, tests, instruments, in_test, of_instrument)


def _groups(
    group: Counts, failed: NDArray[np.intp], count: int
) -> tuple[NDArray[np.bool_], Counts]:
    members = np.bincount(group, minlength=count).astype(np.int64, copy=False)
    good = members > 0
    good[group[failed]] = False
    return good, members


def _validate(points: PointColumns) -> None:
    columns = {
        "error": points.error,
        "lower": points.lower,
        "upper": points.upper,
        "test": points.test,
        "instrument": points.instrument,
    }
    for name, column in columns.items():
        if column.dtype != np.int64 or column.shape != (points.error.size,):
            raise Refused(
                "{name} is a column of {shape} {dtype}, not of {size} int64 counts.",
                name=name,
                shape=column.shape,
                dtype=column.dtype,
                size=points.error.size,
            )
    for name, column, count in (
        ("test", points.test, points.tests),
        ("instrument", points.instrument, points.instruments),
    ):
        if column.size and (int(column.min()) < 0 or int(column.max()) >= count):
            raise Refused("{name} numbers run from 0 to {last}.", name=name, last=count - 1)
    if bool((points.lower > points.upper).any()):
        raise Refused("a lower limit lies above its upper limit.")


@dataclass(frozen=True, slots=True)
class TableReference:
    """Which legal table a verdict rests on."""

    id: str
    edition: str
    clause: str
    digest: str
    """``sha256:`` of the table's file."""

    def to_dict(self) -> dict[str, Any]:
        """Give the ``table`` object of the record."""
        return {
            "id": self.id,
            "edition": self.edition,
            "clause": self.clause,
            "digest": self.digest,
        }


@dataclass(frozen=True, slots=True)
class SettingsReference:
    """Which national settings were laid over the table."""

    id: str
    edition: str
    decree: str
    """The technical decree that a certificate cites as its method."""
    digest: str
    """``sha256:`` of the settings' file."""
    overrides: tuple[str, ...] = ()
    """What the office decided otherwise, with reason, name and day."""

    def to_dict(self) -> dict[str, Any]:
        """Give the ``settings`` object of the record."""
        return {
            "id": self.id,
            "edition": self.edition,
            "decree": self.decree,
            "digest": self.digest,
            "overrides": list(self.overrides),
        }


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict is what it is, as a template and its facts, so that it can be translated."""

    code: str
    """Stable name of the reason, for example ``standard-expired``."""
    template: str
    """English sentence with named places."""
    values: Mapping[str, object] = field(default_factory=dict)
    """What the places hold."""

    def __str__(self) -> str:
        """Say it in English."""
        return self.template.format(**self.values)


@dataclass(frozen=True, slots=True)
class PointResult:
    """One point of one test: what was shown, how wrong it was, and the limits."""

    nominal: Decimal | None
    """Value that was aimed at [unit]."""
    reference: Decimal | None
    """Value of the measurement standard [unit]."""
    indication: Decimal | None
    """Digits as displayed [unit]."""
    error: Decimal | None
    """Measurement error that was judged [unit]; None when it could not be found."""
    lower: Decimal | None
    """Lower limit of the error [unit]; None when that side has none."""
    upper: Decimal | None
    """Upper limit of the error [unit]; None when that side has none."""
    unit: str
    """Unit symbol of every number of the point."""
    verdict: Verdict
    expanded_uncertainty: Decimal | None = None
    """Expanded uncertainty of the error, to two significant digits [unit]; None: not evaluated."""
    k: Decimal | None = None
    """Coverage factor of the expanded uncertainty."""
    relative_error: Decimal | None = None
    """Error in % of the reference value, rounded: for people, it never decides."""
    false_acceptance: Decimal | None = None
    """Probability that a point found conforming is not (JCGM 106, specific consumer's risk)."""
    false_rejection: Decimal | None = None
    """Probability that a point found nonconforming does conform (specific producer's risk)."""
    rows: Callable[[], tuple[Mapping[str, object], ...]] | None = field(
        default=None, compare=False, repr=False
    )
    """Makes the uncertainty budget when somebody asks for it; None when not evaluated."""

    @property
    def budget(self) -> tuple[Mapping[str, object], ...]:
        """Give the uncertainty budget, a row a component; empty when not evaluated."""
        return () if self.rows is None else self.rows()

    def to_dict(self) -> dict[str, Any]:
        """Give the point as ``tera evaluate --json`` prints it; what was not found is left out."""
        found: dict[str, Any] = {
            "nominal": self.nominal,
            "reference": self.reference,
            "indication": self.indication,
            "error": self.error,
            "lower": self.lower,
            "upper": self.upper,
            "expanded_uncertainty": self.expanded_uncertainty,
            "k": self.k,
            "unit": self.unit,
            "verdict": str(self.verdict),
        }
        for name in ("relative_error", "false_acceptance", "false_rejection"):
            if getattr(self, name) is not None:
                found[name] = getattr(self, name)
        if budget := self.budget:
            found["budget"] = [dict(row) for row in budget]
        return found


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test with its points; its verdict may be more than theirs (a missing position)."""

    __test__: ClassVar[bool] = False  # pytest collects classes named Test...

    name: str
    verdict: Verdict
    points: tuple[PointResult, ...]
    conditions: Mapping[str, str] = field(default_factory=dict)
    """What the test was done at, with units: ``{"flow_rate": "50 L/min"}``."""

    def to_dict(self) -> dict[str, Any]:
        """Give the test as ``tera evaluate --json`` prints it."""
        return {
            "name": self.name,
            **self.conditions,
            "verdict": str(self.verdict),
            "points": [point.to_dict() for point in self.points],
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict on one instrument and everything it rests on."""

    verdict: Verdict
    routine: str
    table: TableReference
    stage: str
    founded: bool
    """The law is approved and the standards are good: a decision rests on both."""
    tests: tuple[TestResult, ...]
    reasons: tuple[Reason, ...] = ()
    decision_rule: str = SIMPLE_ACCEPTANCE
    provisional: bool = False
    """A table entry of low confidence was used."""
    settings: SettingsReference | None = None
    """National settings over the table; None: the Recommendation alone."""

    @property
    def legal(self) -> bool:
        """Tell whether it is a legal verdict; what nobody decided is none."""
        return self.founded and self.verdict is not Verdict.INDETERMINATE

    def to_dict(self) -> dict[str, Any]:
        """Give the object that ``tera evaluate --json`` prints; numbers stay Decimal."""
        return {
            "verdict": str(self.verdict),
            "routine": self.routine,
            "table": self.table.to_dict(),
            "stage": self.stage,
            "legal": self.legal,
            "tests": [test.to_dict() for test in self.tests],
            "reasons": [str(reason) for reason in self.reasons],
            "decision_rule": self.decision_rule,
            "provisional": self.provisional,
            "settings": None if self.settings is None else self.settings.to_dict(),
        }
