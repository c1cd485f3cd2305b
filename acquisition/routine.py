"""Which points a routine observes, in what order: the plan, before any instrument is touched.

Knows characteristics and returns steps. Knows no line and no law beyond where it puts the points.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import Any

from acquisition.faults import BadInput
from calibration.units import Quantity, parse_quantity


class Action(StrEnum):
    """What the technician is asked to do."""

    ZERO = "zero"
    PLACE = "place"
    ADD = "add"
    DELIVER = "deliver"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One thing to do at the bench before the next indication counts."""

    action: Action
    quantity: Quantity
    """Load on the receptor, total added load ΔL, or volume to deliver."""
    position: int = 0
    """Position on the load receptor: 0 the centre, 1.. the supports."""
    flow_rate: Quantity | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a test."""

    test: str
    instruction: Instruction
    by_added_load: bool = False
    """Find the change of indication with added loads ΔL of 0.1 e (R 76 A.4.4.3)."""


@dataclass(frozen=True, slots=True)
class NawiCharacteristics:
    """What the plan needs of a scale, all in the unit of *e*."""

    accuracy_class: str
    e: Decimal
    d: Decimal
    max: Decimal
    unit: str

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "NawiCharacteristics":
        """Read them from the ``[instrument]`` keys of an observation sheet."""
        for key in ("class", "max", "e"):
            if key not in given:
                raise BadInput("this key is missing", place=f"characteristics.{key}")
        e = parse_quantity(given["e"])
        d = parse_quantity(given.get("d", given["e"])).to(e.unit)
        largest = parse_quantity(given["max"]).to(e.unit)
        return cls(str(given["class"]), e.magnitude, d.magnitude, largest.magnitude, e.unit)

    @property
    def direct(self) -> bool:
        """Whether the interval in use is fine enough to take the indication itself (3.5.3.2)."""
        return self.d <= self.e * 2 / 10


_MPE_STEPS = {"I": (50_000, 200_000), "II": (5_000, 20_000), "III": (500, 2_000), "IIII": (50, 200)}
"""Where the MPE changes, in e (R 76-1:2006, Table 6): points worth observing, not limits."""


def nawi_plan(scale: NawiCharacteristics) -> tuple[Point, ...]:
    """Plan zero, weighing up and down, eccentricity and repeatability (R 76-1:2006, A.4).

    Loads: zero, the MPE steps that lie below Max, fillers to at least five, and Max (A.4.4.1);
    eccentricity at Max/3 on the centre and four supports (3.6.2.1); repeatability at 0.8 Max,
    three times for classes III and IIII, six times for I and II (8.3.3).
    """
    steps = {n * scale.e for n in _MPE_STEPS.get(scale.accuracy_class, ())}
    loads = {Decimal(0), scale.max} | {s for s in steps if s < scale.max}
    for share in (Decimal("0.5"), Decimal("0.25"), Decimal("0.75")):
        if len(loads) < 5:
            loads.add(_whole(scale.max * share, scale.e, ROUND_FLOOR))
    up = sorted(loads)
    third = _whole(scale.max / 3, scale.e, ROUND_CEILING)
    heavy = _whole(scale.max * Decimal("0.8"), scale.e, ROUND_FLOOR)
    runs = 3 if scale.accuracy_class in ("III", "IIII") else 6

    def place(test: str, load: Decimal, position: int = 0) -> Point:
        step = Instruction(Action.PLACE, Quantity(load, scale.unit), position)
        return Point(test, step, by_added_load=not scale.direct)

    zero = Instruction(Action.ZERO, Quantity(Decimal(0), scale.unit))
    return (
        Point("zero", zero, by_added_load=not scale.direct),
        *(place("weighing", load) for load in (*up, *reversed(up[:-1]))),
        *(place("eccentricity", third, position) for position in range(5)),
        *(place("repeatability", heavy) for _ in range(runs)),
    )


def volume_plan(flows: Sequence[tuple[Quantity, Quantity, int]]) -> tuple[Point, ...]:
    """Plan deliveries: (flow rate, volume, runs) each, highest flow rate first as given."""
    return tuple(
        Point(f"accuracy {i}", Instruction(Action.DELIVER, volume, flow_rate=rate))
        for i, (rate, volume, runs) in enumerate(flows, 1)
        for _ in range(runs)
    )


def _whole(load: Decimal, e: Decimal, rounding: str) -> Decimal:
    return (load / e).to_integral_value(rounding) * e
