"""What happens in a run, as frozen values: command line, console and tests view the same stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from acquisition.routine import Instruction, Point
from calibration.refusal import Refused
from calibration.verification import Verification
from drivers.indication import Indication


@dataclass(frozen=True, slots=True)
class Started:
    """The run is committed: from here it ends in a verdict or is visibly abandoned."""

    verification: str
    number: int
    points: int


@dataclass(frozen=True, slots=True)
class StepAsked:
    """The hand is asked to do this."""

    instruction: Instruction


@dataclass(frozen=True, slots=True)
class IndicationSeen:
    """An indication that was looked at, taken or not."""

    indication: Indication


@dataclass(frozen=True, slots=True)
class NotTaken:
    """What was typed is not taken, and is asked for again."""

    indication: Indication
    refusal: Refused | None
    """Why; None where the indication is a fault, whose detail says it."""


@dataclass(frozen=True, slots=True)
class PointObserved:
    """A point is complete."""

    index: int
    point: Point
    indication: Indication
    added_load: Decimal | None
    """ΔL in the unit of *e*; None when the indication itself is taken."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The core has decided."""

    verification: Verification


@dataclass(frozen=True, slots=True)
class Recorded:
    """The verdict is committed to disk: now it exists."""

    record: Mapping[str, Any]


Event = Started | StepAsked | IndicationSeen | NotTaken | PointObserved | Verified | Recorded
