"""Which points a routine observes, in what order: the plan, before any instrument is touched.

Knows characteristics and returns steps. Knows no line; which loads the law wants is the core's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from acquisition.faults import BadInput
from calibration.legal_table import LegalTable, legal_table
from calibration.refusal import Refused
from calibration.routines.weighing_plan import proposed_tests
from calibration.routines.weighing_sheet import Indicating, WeighingInstrument, read_instrument
from calibration.sheet_keys import Keys
from calibration.units import Quantity


class Action(StrEnum):
    """What the technician is asked to do."""

    ZERO = "zero"
    PLACE = "place"
    ADD = "add"
    DELIVER = "deliver"
    READ = "read"
    """Nothing to do: what was typed is not taken, and the same is read again."""


class Asks(StrEnum):
    """What whoever reads by eye is asked after a step: the quantity that the driver gives."""

    INDICATION = "weight"
    MOVED = "visible"
    """Whether the indicating element moved visibly."""
    HOW_FAR = "displacement"
    NOTHING = ""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One thing to do at the bench before the next indication counts."""

    action: Action
    quantity: Quantity
    """Load on the receptor, total added load ΔL, or volume to deliver."""
    position: int = 0
    """Position on the load receptor: 0 the centre, 1.. the supports."""
    flow_rate: Quantity | None = None
    anew: bool = False
    """The load is taken off first and put on again: each weighing of a series (R 76-1 A.4.10)."""
    asks: Asks = Asks.INDICATION
    """What is read after it where a technician does so; an instrument on a line gives what it has."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a test."""

    test: str
    instruction: Instruction
    by_added_load: bool = False
    """Find the change of indication with added loads ΔL of 0.1 e (R 76 A.4.4.3)."""
    limit: Decimal | None = None
    """Magnitude of the MPE at the load [its unit]."""
    more: Instruction | None = None
    """What is added to see whether the indicating element moves (R 76-1 3.8, 6.1)."""


@dataclass(frozen=True, slots=True)
class NawiCharacteristics:
    """What the plan needs of a scale, all in the unit of *e*."""

    accuracy_class: str
    e: Decimal
    d: Decimal
    max: Decimal
    unit: str
    instrument: WeighingInstrument
    """The same as the core reads it."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "NawiCharacteristics":
        """Read them from the ``[instrument]`` keys of an observation sheet."""
        try:
            instrument = read_instrument(Keys.of(given, "characteristics"))
            e = instrument.e
            d = e if instrument.d is None else instrument.d.to(e.unit)
            largest = instrument.maximum.to(e.unit)
        except Refused as refused:
            raise BadInput(refused.template, place=refused.key or "", **refused.evidence) from None
        return cls(
            instrument.accuracy_class,
            e.magnitude,
            d.magnitude,
            largest.magnitude,
            e.unit,
            instrument,
        )

    @property
    def direct(self) -> bool:
        """Whether the interval in use is fine enough to take the indication itself (3.5.3.2)."""
        return self.d <= self.e * 2 / 10


def nawi_plan(
    scale: NawiCharacteristics,
    table: LegalTable | None = None,
    stage: str = "initial",
    *,
    by_eye: bool = False,
) -> tuple[Point, ...]:
    """Plan zero, weighing up and down, eccentricity and repeatability as the law wants them.

    The core proposes loads and counts from the legal table (R 76-1:2006, A.4); eccentricity begins
    with the centre. An instrument that is read by eye is also tested for its discrimination and
    sensitivity. Tests that need other hands (tare) are written on the sheet.
    """
    law = legal_table("r76") if table is None else table
    if scale.instrument.ranges and not scale.direct:
        raise BadInput(
            "an instrument with several intervals is guided only where d is at most 0.2 e: write its "
            "observation sheet",
            place="characteristics.ranges",
        )
    points: list[Point] = []
    guided = (*_GUIDED, *_GUIDED_BY_EYE) if by_eye else _GUIDED
    for test in proposed_tests(law, scale.instrument, stage):
        if test.name not in guided or test.range != 1:
            continue
        loads, limits = test.loads, test.limits
        if test.name == "eccentricity":
            loads, limits = (loads[0], *loads), (limits[0], *limits)
        for position, load in enumerate(loads):
            action = Action.ZERO if test.name == "zero" else Action.PLACE
            step = Instruction(
                action,
                Quantity(load, test.unit),
                position if test.name == "eccentricity" else 0,
                anew=test.name == "repeatability",
                asks=Asks.NOTHING if test.name == "sensitivity" else Asks.INDICATION,
            )
            more = None
            if test.extra:
                asks = _asks(test.name, scale.instrument.indicating)
                more = Instruction(Action.ADD, Quantity(test.extra[position], test.unit), asks=asks)
            points.append(Point(test.name, step, test.by_added_load, limits[position], more))
    return tuple(points)


_GUIDED = ("zero", "weighing", "eccentricity", "repeatability")
"""Tests whose steps a hand can be asked to do one by one."""
_GUIDED_BY_EYE = ("discrimination", "sensitivity")
"""Tests whose outcome a technician sees."""


def _asks(test: str, indicating: Indicating) -> Asks:
    if test == "sensitivity":
        return Asks.HOW_FAR
    return Asks.MOVED if indicating is Indicating.NON_SELF_INDICATING else Asks.INDICATION


def volume_plan(flows: Sequence[tuple[Quantity, Quantity, int]]) -> tuple[Point, ...]:
    """Plan deliveries: (flow rate, volume, runs) each, highest flow rate first as given."""
    return tuple(
        Point(f"accuracy {i}", Instruction(Action.DELIVER, volume, flow_rate=rate))
        for i, (rate, volume, runs) in enumerate(flows, 1)
        for _ in range(runs)
    )
