"""The hands on a simulated instrument while it runs: does what a command says, when it says so.

A command of a day is done at its own moment of the instrument's clock and not a little later, so that
the same day is the same again. Knows scales, meters and their physics; refuses to know lines.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from decimal import Decimal
from typing import Final, Protocol

from acquisition.day_script import OF_A_METER, OF_A_SCALE, Command, Word
from acquisition.language import t
from acquisition.simulated_meter_keys import cubic_metres_per_hour
from calibration.refusal import Refused
from calibration.units import Quantity
from drivers.errors import DriverError
from drivers.simulated_clock import SimulatedClock
from drivers.simulated_faults import Fault
from drivers.simulated_meter import SimulatedMeter
from drivers.simulated_scale import SimulatedScale

_SHAKES_FOR: Final = 3.0
"""How long a truck takes to pass unless somebody says otherwise [s]."""


class Controls(Protocol):
    """The hands on one instrument."""

    @property
    def words(self) -> Mapping[str, Word]:
        """The commands that it knows."""

    @property
    def clock(self) -> SimulatedClock:
        """The time in which it lives."""

    async def do(self, command: Command, at: float) -> float:
        """Do what a command says, at a moment of the clock, and return when it was done.

        Refused says why it cannot be done.
        """

    def state(self) -> str:
        """Say in a few words what it shows and suffers."""

    async def stop(self) -> None:
        """Let go of what is under way."""


class _Hands:
    """What scales and meters have in common."""

    def __init__(self, instrument: SimulatedScale | SimulatedMeter) -> None:
        self._instrument = instrument
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def clock(self) -> SimulatedClock:
        """The time in which it lives; the clock of a pipe is that of all its meters."""
        found = self._instrument
        return found.clock if isinstance(found, SimulatedScale) else found.pipe.clock

    async def stop(self) -> None:
        """Let go of what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def begin(self, work: Coroutine[object, object, None]) -> None:
        """Let something go on."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def common(self, command: Command, at: float) -> None:
        """Do what every instrument can do."""
        match command.word:
            case "fault" | "power":
                fault = Fault(command.fault or "power")
                try:
                    self._instrument.fail(fault)
                except DriverError as error:
                    raise Refused(error.template, key=None, **error.evidence) from None
                if command.second is not None:
                    self.begin(self._recover(fault, at + seconds(command.second)))
            case "recover":
                self._instrument.recover()
            case "skip" if command.first is not None:
                self.clock.leap(seconds(command.first))

    async def _recover(self, fault: Fault, at: float) -> None:
        await self.clock.until(at)
        if self._instrument.fault is fault:
            self._instrument.recover()

    def suffers(self) -> str:
        """Name the fault that it has."""
        fault = self._instrument.fault
        return f" · {fault.value}" if fault else ""


class ScaleControls(_Hands):
    """The hands on a scale."""

    words = OF_A_SCALE

    def __init__(self, scale: SimulatedScale) -> None:
        super().__init__(scale)
        self._scale = scale
        self._load, self._position = Decimal(0), 0

    async def do(self, command: Command, at: float) -> float:
        """Do what a command says, and return when it was done."""
        if command.word == "zero":
            return await self._scale.zero(at=at)
        with self.clock.at(at):
            self._do(command, at)
        return at

    def _do(self, command: Command, at: float) -> None:
        first = command.first
        match command.word:
            case "load" | "add" | "position":
                if first is not None:
                    mass = first.to(self._scale.unit).magnitude
                    self._load = mass + (self._load if command.word == "add" else 0)
                if command.number is not None:
                    self._position = command.number
                elif command.word == "load":
                    self._position = 0
                self._scale.place(self._load, self._position)
            case "tare":
                self._scale.physics.tare(at)
            case "shake" if first is not None:
                lasts = _SHAKES_FOR if command.second is None else seconds(command.second)
                self._scale.physics.shake(first.to(self._scale.unit).magnitude, lasts, at)
            case "temperature" if first is not None:
                self._scale.physics.change_room(float(first.exactly("°C")), at)
            case _:
                self.common(command, at)

    def state(self) -> str:
        """Say what it shows, what lies on it and what it suffers."""
        now = self.clock()
        shown = f"{self._scale.physics.net(now):f} {self._scale.unit}"
        if beyond := self._scale.beyond():
            shown = t(beyond.value)
        still = "=" if self._scale.physics.stable(now) else "~"
        place = f" @{self._position}" if self._position else ""
        return f"{still} {shown} · {self._load:f} {self._scale.unit}{place}{self.suffers()}"


class MeterControls(_Hands):
    """The hands on a meter and the valve of its pipe."""

    words = OF_A_METER

    def __init__(self, meter: SimulatedMeter) -> None:
        super().__init__(meter)
        self._meter, self._pipe = meter, meter.pipe
        self._flow: Quantity | None = None

    async def do(self, command: Command, at: float) -> float:
        """Do what a command says, and return when it was done."""
        first, second = command.first, command.second
        if command.word == "deliver" and first is not None:
            rate = second or self._flow
            if rate is None or not rate.magnitude or not first.magnitude:
                raise Refused("a delivery needs a flow rate: deliver 20 L at 30 L/min")
            self._flow = rate
            self.begin(self._deliver(float(first.exactly("L")), cubic_metres_per_hour(rate), at))
            await asyncio.sleep(0)  # the valve opens now
            return at
        with self.clock.at(at):
            match command.word:
                case "flow" if first is not None:
                    self._pipe.set_flow(cubic_metres_per_hour(first))
                    self._flow = first if first.magnitude else self._flow
                case "leak" if first is not None:
                    self._pipe.change(leak=cubic_metres_per_hour(first))
                case "temperature" if first is not None:
                    self._pipe.change(temperature=float(first.exactly("°C")))
                case _:
                    self.common(command, at)
        return at

    async def _deliver(self, volume: float, rate: float, at: float) -> None:
        await self._pipe.deliver(volume, rate, within=None, at=at)

    def state(self) -> str:
        """Say what flows, what the totalizer shows and what the meter suffers."""
        flow = self._pipe.flow * 1000 / 60
        return f"{flow:.1f} L/min · {self._meter.physics.total:.3f} L{self.suffers()}"


def seconds(time: Quantity) -> float:
    """Return a time [s]."""
    return float(time.exactly("s"))


async def live(
    controls: Controls, happens: Iterable[tuple[float, Command]], begun: float | None = None
) -> bool:
    """Let a day happen from a moment on, or from now; say whether it ended with ``stop``.

    What a command has to wait for, everything after it waits for too.
    """
    start = done = controls.clock() if begun is None else begun
    for after, command in happens:
        at = max(start + after, done)
        await controls.clock.until(at)
        if command.word == "stop":
            return True
        done = await controls.do(command, at)
    return False
