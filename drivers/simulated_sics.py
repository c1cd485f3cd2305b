"""How a simulated scale answers to MT-SICS: level 0, and tare of level 1.

Knows commands and their answers. Refuses to know lines, faults and streams: SIR is the scale's.
"""

from typing import Final, Protocol

from drivers.codecs.codec import Answer
from drivers.codecs.mt_sics import PRINTED
from drivers.indication import Condition
from drivers.physics import ScalePhysics
from drivers.simulated_clock import SimulatedClock

KNOWN: Final = ("I0", "I1", "I2", "I3", "I4", "S", "SI", "SIR", "Z", "ZI", "T", "TI", "TA", "@")


class Behind(Protocol):
    """The scale that is asked."""

    unit: str
    serial: str
    physics: ScalePhysics
    clock: SimulatedClock

    async def still(self) -> bool:
        """Wait until stable; say whether it became so in time."""

    def beyond(self) -> Condition | None:
        """Say whether the load is above or below what the display can show."""

    def may_zero(self) -> bool:
        """Say whether the load is within the zero-setting range."""


async def answers(scale: Behind, command: str) -> list[Answer]:
    """Do what a command other than S, SI and SIR says, and return its answer."""
    match command:
        case "I0":
            levels = [f'{int(c[0] == "T")} "{c}"' for c in KNOWN]
            statuses = ["B"] * (len(levels) - 1) + ["A"]
            return [Answer("I0", *line) for line in zip(statuses, levels, strict=True)]
        case "I1":
            return [Answer("I1", "A", "01")]
        case "I2":
            return [Answer("I2", "A", f"SIMULATED {scale.physics.max} {scale.unit}")]
        case "I3":
            return [Answer("I3", "A", "tante-sari simulation")]
        case "I4":
            return [started(scale)]
        case "@":
            scale.physics.untare()
            return [started(scale)]
        case "Z" | "ZI":
            return [await _zero(scale, command)]
        case "T" | "TI":
            return [await _tare(scale, command)]
        case _:
            return [Answer(command, "A", _tared(scale))]


def started(scale: Behind) -> Answer:
    """Return what it says, unasked, after power on."""
    return Answer("I4", "A", scale.serial)


async def _zero(scale: Behind, command: str) -> Answer:
    if command == "Z" and not await scale.still():
        return Answer("Z", "I")
    now = scale.clock()
    if not scale.may_zero():
        return Answer(command, "+" if scale.physics.from_first_zero(now) > 0 else "-")
    done = "A" if command == "Z" else "S" if scale.physics.stable(now) else "D"
    scale.physics.zero(now)
    return Answer(command, done)


async def _tare(scale: Behind, command: str) -> Answer:
    if command == "T" and not await scale.still():
        return Answer("T", "I")
    if beyond := scale.beyond():
        return Answer(command, "+" if beyond is Condition.OVERLOAD else "-")
    now = scale.clock()
    status = "S" if scale.physics.stable(now) else "D"
    scale.physics.tare(now)
    return Answer(command, status, _tared(scale))


def _tared(scale: Behind) -> str:
    return f"{scale.physics.tared:>10f} {PRINTED[scale.unit]}"
