"""Flow meters in a simulated pipe and transmitters in a room, served by real Modbus servers.

Knows how to misbehave on command; what a quantity is worth is `drivers.simulated_values`, the wire
format is the register map's and the server's. Refuses to be taken for an instrument: its lines end
in this machine.
"""

import asyncio
import math
import time
from collections.abc import Coroutine, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from drivers.errors import BadDriverSettings
from drivers.flow_physics import Counter, FlowPhysics, Wear
from drivers.modbus_wire import Manners
from drivers.register_encoding import encode, encode_pattern
from drivers.register_map import RegisterMap, load_map
from drivers.registers import Register
from drivers.room_physics import RoomPhysics, SimulatedRoom
from drivers.simulated_bus import SimulatedBus
from drivers.simulated_faults import DEAF, OF_METERS, Damage, Fault, without_a_name
from drivers.simulated_pipe import SimulatedPipe
from drivers.simulated_values import SimulatedValues

__all__ = [
    "FlowPhysics",
    "RoomPhysics",
    "SimulatedBus",
    "SimulatedMeter",
    "SimulatedPipe",
    "SimulatedRoom",
]


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
        wear: Wear | None = None,
        counter: Counter | None = None,
        resolution: Decimal = Decimal("0.001"),
        seed: int = 0,
        room: RoomPhysics | None = None,
        boot_time: float = 1.0,
    ) -> None:
        """Make a meter; ``resolution`` [L] is the step of its totalizers, ``room`` the air.

        From power on to the first answer it takes ``boot_time`` [s].
        """
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
            wear=wear or Wear(),
            counter=counter or Counter(),
            seed=seed,
        )
        self.fault: Fault | None = None
        self._delay, self._boot_time = 0.0, boot_time
        self._damage = Damage(seed)
        self._stale: dict[str, tuple[int, ...]] = {}
        self._port = ""
        self._tasks: set[asyncio.Task[None]] = set()
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

    def fail(self, kind: Fault | str, *, delay: float = 1.5) -> None:
        """Suffer a fault from now on; ``delay`` [s] is how late late replies are."""
        if kind not in OF_METERS:
            raise BadDriverSettings(
                "A simulated meter has no fault {kind}: choose from {known}.",
                kind=kind,
                known=", ".join(OF_METERS),
            )
        fault = Fault(kind)
        if fault in (Fault.CHECKSUM, Fault.COLLISION) and self._port.startswith("tcp"):
            raise BadDriverSettings(
                "Modbus TCP has neither checksum nor collisions: simulate RTU, on a pty or rtu+tcp."
            )
        if fault is Fault.ADAPTER and self._port in ("", "pty"):
            raise without_a_name()
        self.recover()
        if fault is Fault.STALE:
            self._stale = {r.quantity: self._words(r) for r in self.register_map.registers}
        self.fault, self._delay = fault, delay
        self.physics.overloaded = fault is Fault.OVERLOAD
        if fault is Fault.ADAPTER:
            self._begin(self._unplug())
        elif fault is Fault.POWER:
            self._begin(self._restart())

    def recover(self) -> None:
        """Be healthy again; a meter that starts takes its time."""
        if self.fault is Fault.ADAPTER:
            self._begin(self._plug())
        self._stale = {}
        self.physics.overloaded = False
        if self.fault is not Fault.POWER:
            self.fault = None

    async def start(self, port: str = "tcp://127.0.0.1:0") -> str:
        """Serve this meter alone on a line; give the URL for the driver."""
        self._port = port
        bus = SimulatedBus(self)
        address = await bus.start(port)
        self._bus = bus
        if not port.startswith("pty"):
            self._port = address  # to come back under the same number
        return address

    async def stop(self) -> None:
        """Take the meter's line away."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._unplug()

    async def _unplug(self) -> None:
        bus, self._bus = self._bus, None
        if bus is not None:
            await bus.stop()

    async def _plug(self) -> None:
        if self._bus is None:
            await self.start(self._port)

    async def _restart(self) -> None:
        """Be off, count nothing meanwhile, and start."""
        self.physics.switch(on=False)
        await asyncio.sleep(self._boot_time)
        self.physics.switch(on=True)
        self.power_cycle()
        self.fault = None

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
        fault = self.fault
        return Manners(
            silent=fault in DEAF,
            delay=self._delay if fault is Fault.LATE else 0.0,
            exception=4 if fault is Fault.EXCEPTION else 0,
            damage=None if fault is None else self._damaged,
        )

    def _damaged(self, frame: bytes) -> bytes:
        """Give what the line lets through of a frame."""
        flipped = frame[:-1] + bytes([frame[-1] ^ 0xFF])  # the last byte of RTU is of its CRC
        return self._damage.to(
            frame, self.fault, spoiled=lambda _: flipped, other=lambda: frame[::-1]
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
        if register.quantity in self._stale:
            return self._stale[register.quantity]
        if register.status:
            return encode_pattern(register, self._condition(register))
        if self.fault is Fault.SENSOR:
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
        if self.fault is not Fault.ALARM and not self.physics.beyond:
            return healthy
        return min(register.bits) if register.bits else max(register.ok or {0}) + 1
