"""Whose hands put the load on: a technician's or a simulated one's.

A session asks, waits until the step is done, and counts only what the instrument shows after it.
"""

import asyncio
import os
import sys
import termios
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from acquisition.faults import Abandoned, sentence
from acquisition.language import t
from acquisition.routine import Action, Asks, Instruction
from acquisition.setting_types import name_of_person
from acquisition.simulated_meter_keys import cubic_metres_per_hour
from calibration.refusal import Refused
from drivers.manual import TypedLine
from drivers.simulated_pipe import SimulatedPipe
from drivers.simulated_scale import SimulatedScale


class TakenBack(Exception):
    """Something went wrong at the bench: the last point is to be observed again."""


class Hand(Protocol):
    """Carries out one instruction and returns when it is done."""

    async def do(self, instruction: Instruction) -> None:
        """Carry it out; raise TakenBack, or Abandoned when the run shall end without a verdict."""


class SimulatedHand:
    """Puts loads on a simulated scale and opens the valve of a simulated pipe."""

    def __init__(
        self, *, scale: SimulatedScale | None = None, pipe: SimulatedPipe | None = None
    ) -> None:
        """Work on one of the two."""
        self._scale = scale
        self._pipe = pipe
        self._load = Decimal(0)
        self._position = 0

    async def do(self, instruction: Instruction) -> None:
        """Do at once what a technician would do by hand."""
        if instruction.action is Action.DELIVER and self._pipe is not None:
            flow = instruction.flow_rate
            if flow is None:
                raise Abandoned("a delivery needs a flow rate")
            litres = instruction.quantity.to("L").magnitude
            await self._pipe.deliver(litres, cubic_metres_per_hour(flow))
        elif instruction.action is not Action.DELIVER and self._scale is not None:
            await self._weigh(self._scale, instruction)
        else:
            raise Abandoned("these simulated hands cannot do this step")

    async def _weigh(self, scale: SimulatedScale, instruction: Instruction) -> None:
        load = instruction.quantity.to(scale.unit).magnitude
        if instruction.action is Action.PLACE:
            self._load, self._position = load, instruction.position
            scale.place(load, self._position)
        elif instruction.action is Action.ADD:
            scale.place(self._load + load, self._position)
        elif instruction.action is Action.ZERO:
            self._load, self._position = Decimal(0), 0
            scale.place(Decimal(0), 0)
            await scale.zero()


class TechnicianHand:
    """Asks the technician at the terminal and waits for Enter."""

    def __init__(self, instrument: str) -> None:
        self._instrument = instrument
        self._added = False

    async def do(self, instruction: Instruction) -> None:
        """Say what to do; Enter means done, and nothing else is taken for it."""
        self.tell(instruction)
        while await self.answer(t("Enter: done, b: back, q: quit > ")):
            print(t("this is not understood"), file=sys.stderr)

    def tell(self, instruction: Instruction) -> None:
        """Say what to do."""
        if instruction.action is Action.READ:
            return
        said = say(instruction)
        if self._added and instruction.action is not Action.ADD:
            said = f"{t('take the added load off')}; {said}"
        self._added = instruction.action is Action.ADD
        print(f"\n{self._instrument}: {said}", file=sys.stderr)

    async def answer(self, question: str) -> bytes:
        """Ask, and return what was typed; to go back or to quit is no answer."""
        line = await _typed(question)
        match None if line is None else line.strip().lower():
            case b"b":
                raise TakenBack
            case None | b"q":
                raise Abandoned("the technician ended the run")
        return b"" if line is None else line.rstrip(b"\r\n")


class ReadingHand(TechnicianHand):
    """Asks also what the instrument shows, and hands it on as it was typed."""

    def __init__(self, instrument: str, line: TypedLine, unit: str) -> None:
        """Give the instrument's typed line, and the unit of its own scale."""
        super().__init__(instrument)
        self._line, self._unit = line, unit

    async def do(self, instruction: Instruction) -> None:
        """Say what to do and pass on what is read afterwards; an empty line is nothing read."""
        question = reading_question(instruction.asks, self._unit)
        if question is None:
            return await super().do(instruction)
        self.tell(instruction)
        while True:
            asked_ns = time.monotonic_ns()
            typed = await self.answer(question)
            if typed.strip():
                return self._line.typed(typed, asked_ns)
            print(t("this is not understood"), file=sys.stderr)


def reading_question(asks: Asks, unit: str) -> str | None:
    """Ask for what is read by eye; None where nothing is."""
    match asks:
        case Asks.INDICATION:
            return t("what does it show, in {unit}? b: back, q: quit > ", unit=unit)
        case Asks.MOVED:
            return t("did it move visibly, yes or no? b: back, q: quit > ")
        case Asks.HOW_FAR:
            return t("how far did it move, as in 6 mm? b: back, q: quit > ")
        case Asks.NOTHING:
            return None


async def name_of_technician() -> str:
    """Ask who reads the instrument."""
    while (typed := await _typed(t("who reads the indications? name > "))) is not None:
        try:
            return name_of_person(typed.decode("utf-8", "replace"))
        except Refused as refused:
            print(sentence(refused), file=sys.stderr)
    raise Abandoned("the technician ended the run")


class BothHands:
    """A technician who works on a simulated instrument: training."""

    def __init__(self, technician: Hand, simulated: Hand) -> None:
        self._hands = (technician, simulated)

    async def do(self, instruction: Instruction) -> None:
        """Ask first, then move the simulated load."""
        for hand in self._hands:
            await hand.do(instruction)


def say(instruction: Instruction) -> str:
    """Say an instruction as a technician would."""
    load = f"{instruction.quantity.magnitude:f} {instruction.quantity.unit}"
    match instruction.action:
        case Action.ZERO:
            return t("empty the load receptor and set it to zero")
        case Action.PLACE if instruction.asks is Asks.NOTHING:  # a beam, for its sensitivity
            if not instruction.quantity.magnitude:
                return t("empty the load receptor and bring it to equilibrium")
            return t("place {load} in the centre and bring it to equilibrium", load=load)
        case Action.PLACE if not instruction.quantity.magnitude:
            return t("empty the load receptor")
        case Action.PLACE if instruction.anew:
            return t(
                "take the load off, set to zero if it does not show zero, then place {load} in the "
                "centre",
                load=load,
            )
        case Action.PLACE if instruction.position:
            return t(
                "place {load} on position {position}", load=load, position=instruction.position
            )
        case Action.PLACE:
            return t("place {load} in the centre", load=load)
        case Action.READ:
            return t("read it again")
        case Action.ADD:
            return t("added load now {load} in all", load=load)
        case Action.DELIVER:
            flow = instruction.flow_rate
            rate = f"{flow.magnitude:f} {flow.unit}" if flow else ""
            return t("deliver {load} at {rate}, then close the valve", load=load, rate=rate)


async def _typed(question: str) -> bytes | None:
    """Ask, and read one line from standard input and nothing of the next; None at its end.

    What was typed before it was asked for is thrown away: an Enter too many does no step.
    """
    try:
        descriptor = sys.stdin.fileno()
    except (AttributeError, ValueError, OSError):  # there is none
        return None
    if os.isatty(descriptor):
        termios.tcflush(descriptor, termios.TCIFLUSH)
    print(question, end="", file=sys.stderr, flush=True)
    typed = bytearray()
    done = asyncio.get_running_loop().create_future()

    def ready() -> None:
        byte = os.read(descriptor, 1)
        typed.extend(byte)
        if byte in (b"", b"\n") and not done.done():
            done.set_result(None)

    try:
        asyncio.get_running_loop().add_reader(descriptor, ready)
    except PermissionError:  # a file cannot be waited for, and need not be
        while not done.done():
            ready()
    try:
        await done
    finally:
        asyncio.get_running_loop().remove_reader(descriptor)
    return bytes(typed) or None


Hands = Mapping[str, Hand]
"""Name of the instrument under test to the hand that works on it."""
