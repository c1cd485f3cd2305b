"""Flow meters in a simulated pipe and transmitters in a room, served by real Modbus servers.

Knows how to misbehave on command; what a quantity is worth is `drivers.simulated_values`, the wire
format is the register map's and the server's. Refuses to be taken for an instrument: its lines end
in this machine.
"""

import asyncio
import math
import os
import time
import tty
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

from drivers.errors import BadDriverSettings, LinkLost
from drivers.flow_physics import FlowPhysics
from drivers.modbus_wire import Manners, RegisterServer
from drivers.register_encoding import encode, encode_pattern
from drivers.register_map import RegisterMap, load_map
from drivers.registers import Register
from drivers.room_physics import RoomPhysics, SimulatedRoom
from drivers.simulated_pipe import SimulatedPipe
from drivers.simulated_values import SimulatedValues

__all__ = [
    "FlowPhysics",
    "MeterFault",
    "RoomPhysics",
    "SimulatedBus",
    "SimulatedMeter",
    "SimulatedPipe",
    "SimulatedRoom",
]


class MeterFault(StrEnum):
    """What a simulated meter can be told to suffer."""

    SILENCE = "silence"
    LATE = "late"
    """Replies come, but too late."""
    EXCEPTION = "exception"
    """Every request gets Modbus exception 4, device failure."""
    SENSOR = "sensor"
    """Every value is the map's sensor-fault pattern, NaN for floats."""
    ALARM = "alarm"
    """The status register says that the meter is not in order."""


class SimulatedMeter:
    """A simulated meter behind its register map; a unit of a real Modbus server."""

    def __init__(
        self,
        register_map: RegisterMap | str = "endress-hauser-promass",
        *,
        unit: int = 1,
        pipe: SimulatedPipe | None = None,
        error_curve: Sequence[tuple[float, float]] = ((0.0, 0.0),),
        repeatability: float = 0.0,
        noise: float = 0.0,
        temperature_coefficient: float = 0.0,
        resolution: Decimal = Decimal("0.001"),
        seed: int = 0,
        room: RoomPhysics | None = None,
    ) -> None:
        """Make a meter; ``resolution`` [L] is the step of its totalizers, ``room`` the air."""
        self.register_map = (
            load_map(register_map) if isinstance(register_map, str) else register_map
        )
        self.unit = unit
        self.pipe = pipe or SimulatedPipe()
        self.physics = FlowPhysics(
            self.pipe,
            error_curve=error_curve,
            repeatability=repeatability,
            noise=noise,
            temperature_coefficient=temperature_coefficient,
            seed=seed,
        )
        self._fault: MeterFault | None = None
        self._delay = 0.0
        self._bus: SimulatedBus | None = None
        self._heard, self._waking = -math.inf, False
        self._counted: dict[str, int] = {}
        self._values = SimulatedValues(
            self.register_map.measures,
            self.physics,
            room or RoomPhysics(SimulatedRoom()),
            resolution=resolution,
        )
        for register in self.register_map.registers:
            if not register.status:
                self._values.value(register)  # what cannot be simulated is named now

    def set_flow(self, flow: Decimal | float) -> None:
        """Set the volume flow of the meter's pipe [m³/h]."""
        self.pipe.set_flow(flow)

    def fail(self, kind: MeterFault | str, *, delay: float = 1.5) -> None:
        """Suffer a fault from now on; ``delay`` [s] is how late late replies are."""
        if kind not in tuple(MeterFault):
            raise BadDriverSettings(
                "A simulated meter has no fault {kind}: choose from {known}.",
                kind=kind,
                known=", ".join(MeterFault),
            )
        self._fault, self._delay = MeterFault(kind), delay

    def recover(self) -> None:
        """Be healthy again."""
        self._fault = None

    async def start(self, port: str = "tcp://127.0.0.1:0") -> str:
        """Serve this meter alone on a line; give the URL for the driver."""
        self._bus = SimulatedBus(self)
        return await self._bus.start(port)

    async def stop(self) -> None:
        """Take the meter's line away."""
        if self._bus is not None:
            await self._bus.stop()
            self._bus = None

    def blocks(self) -> Mapping[int, int]:
        """Give first wire address and length of each block of readable registers."""
        taken = sorted({r.address + i for r in self.register_map.registers for i in range(r.count)})
        blocks: dict[int, int] = {}
        for address in taken:
            first = next((a for a, n in blocks.items() if a + n == address), address)
            blocks[first] = blocks.get(first, 0) + 1
        return blocks

    def registers(self, address: int, count: int) -> list[int]:
        """Give the registers as they are at this instant."""
        words = [0] * count
        for register in self.register_map.registers:
            if register.address + register.count <= address or register.address >= address + count:
                continue
            for index, word in enumerate(self._words(register), register.address - address):
                if 0 <= index < count:
                    words[index] = word
        return words

    def manners(self) -> Manners:
        """Say how the meter answers at this instant."""
        return Manners(
            silent=self._fault is MeterFault.SILENCE,
            delay=self._delay if self._fault is MeterFault.LATE else 0.0,
            exception=4 if self._fault is MeterFault.EXCEPTION else 0,
        )

    def hear(self) -> bool:
        """Hear a request; say whether it wakes the instrument and is lost, as some lose it."""
        sleep = self.register_map.manners.sleep
        now, last = time.monotonic(), self._heard
        self._heard = now
        if sleep is None or (now - last < sleep.after and not self._waking):
            return True
        # The request that wakes it is lost; a second one soon after keeps it awake.
        awake = self._waking and now - last <= sleep.within
        self._waking = not awake
        return awake

    def power_cycle(self) -> None:
        """Lose power for a moment: counters that roll over begin at 0 again."""
        for register in self.register_map.registers:
            if register.modulus is not None:
                self._counted[register.quantity] = -self._pulses(register)

    def set_counter(self, raw: int) -> None:
        """Let every counter that rolls over show a raw number now."""
        for register in self.register_map.registers:
            if register.modulus is not None:
                self._counted[register.quantity] = raw - self._pulses(register)

    def _pulses(self, register: Register) -> int:
        value = Fraction(self._values.value(register))
        worth = register.per_unit and Fraction(register.per_unit)
        return math.floor(value * worth if worth else value / Fraction(register.scale))

    def _words(self, register: Register) -> tuple[int, ...]:
        if register.status:
            return encode_pattern(register, self._condition(register))
        if self._fault is MeterFault.SENSOR:
            if register.faults:
                return encode_pattern(register, min(register.faults))
            if register.type.startswith("float"):
                return encode(register, math.nan)
        if register.modulus is not None:
            counted = self._pulses(register) + self._counted.get(register.quantity, 0)
            return encode_pattern(register, counted % register.modulus)
        return encode(register, self._values.value(register))

    def _condition(self, register: Register) -> int:
        """Give the number of a status register, in order or not."""
        healthy = 0 if register.ok is None else min(register.ok)
        if self._fault is not MeterFault.ALARM:
            return healthy
        return min(register.bits) if register.bits else max(register.ok or {0}) + 1


class SimulatedBus:
    """Several simulated meters as units of one Modbus line."""

    def __init__(self, *meters: SimulatedMeter) -> None:
        self._meters = {meter.unit: meter for meter in meters}
        self._server: RegisterServer | None = None

    async def start(self, port: str) -> str:
        """Serve on ``tcp://``, ``rtu+tcp://``, ``pty`` or ``pty:/path/to/link``; give the URL."""
        kind, _, place = port.partition(":")
        if kind == "pty":
            self._server = RegisterServer(self._meters, rtu=True)
            line = _Pty(Path(place) if place else None)
            self._server.attach(line.serve)
            return f"rtu://{line.path}"
        host, _, number = place.removeprefix("//").rpartition(":")
        if kind not in ("tcp", "rtu+tcp") or not host or not number.isdecimal():
            raise BadDriverSettings(
                "{port} is no port for a simulated meter: write tcp://127.0.0.1:PORT, "
                "rtu+tcp://127.0.0.1:PORT, pty or pty:/path/to/link.",
                port=port,
            )
        server = RegisterServer(self._meters, rtu=kind != "tcp", address=(host, int(number)))
        try:
            host, used = await server.listen_on_tcp()
        except OSError as exc:
            raise LinkLost(
                "A simulated meter cannot listen on {port} ({reason}): choose another port.",
                port=port,
                reason=exc.strerror or exc,
            ) from exc
        self._server = server
        return f"{kind}://{host}:{used}"

    async def stop(self) -> None:
        """Take the line away, clients and all."""
        if self._server is not None:
            await self._server.stop()
            self._server = None


class _Pty(asyncio.Transport):
    """The instrument's side of a pty as an asyncio transport."""

    def __init__(self, link: Path | None) -> None:
        super().__init__()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._link = link
        if link is not None:
            with suppress(FileNotFoundError):
                if link.is_symlink():
                    link.unlink()
            link.symlink_to(self.path)
            self.path = str(link)
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def serve(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Hand what arrives to a protocol."""
        self._loop.add_reader(self._master, self._arrived, protocol)
        return self

    def _arrived(self, protocol: asyncio.Protocol) -> None:
        with suppress(BlockingIOError):
            protocol.data_received(os.read(self._master, 4096))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Put bytes on the line; a line nobody reads loses them, as a wire does."""
        if not self._closed:
            with suppress(BlockingIOError):
                os.write(self._master, data)

    def close(self) -> None:
        """Hang up and take the link away."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        if self._link is not None:
            self._link.unlink(missing_ok=True)

    def abort(self) -> None:
        """Hang up."""
        self.close()
