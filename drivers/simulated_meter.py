"""Flow meters in series on one simulated pipe, served by real Modbus servers.

Knows which register shows which part of the physics (`drivers.flow_physics`) and how to misbehave
on command; the wire format is the register map's and the server's. Refuses to be taken for an
instrument: its lines end in this machine.
"""

import asyncio
import math
import os
import tty
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final

from drivers.errors import BadDriverSettings, LinkLost
from drivers.flow_physics import FlowPhysics, SimulatedPipe
from drivers.modbus_wire import Manners, RegisterServer
from drivers.register_encoding import encode
from drivers.register_map import RegisterMap, load_map
from drivers.registers import Register

__all__ = [
    "FlowPhysics",
    "MeterFault",
    "SimulatedBus",
    "SimulatedMeter",
    "SimulatedPipe",
]

_MILLI: Final = Decimal("0.001")
_LITRES_IN: Final[dict[str, Decimal]] = {
    "m³": Decimal(1000),
    "L": Decimal(1),
    "l": Decimal(1),
    "mL": _MILLI,
    "ml": _MILLI,
}
_KILOGRAMS_IN: Final[dict[str, Decimal]] = {"kg": Decimal(1), "g": _MILLI, "t": Decimal(1000)}
_SECONDS_IN: Final = {"h": 3600, "min": 60, "s": 1}


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
    ) -> None:
        """Make a meter; ``resolution`` [L] is the step of its totalizers."""
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
        self._resolution = resolution
        self._fault: MeterFault | None = None
        self._delay = 0.0
        self._bus: SimulatedBus | None = None
        for register in self.register_map.registers:
            self._value(register)  # a unit that cannot be simulated is named now, not on the line

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

    def _words(self, register: Register) -> tuple[int, ...]:
        if register.ok is not None:
            alarm = self._fault is MeterFault.ALARM
            return encode(register, Decimal(max(register.ok) + 1 if alarm else min(register.ok)))
        if self._fault is MeterFault.SENSOR and register.type.startswith("float"):
            return encode(register, math.nan)
        return encode(register, self._value(register))

    def _value(self, register: Register) -> Decimal:
        """Give the meter's own value of a quantity in the unit of its register."""
        if register.ok is not None:
            return Decimal(min(register.ok))
        unit, density = register.unit or "", self.pipe.density
        amount, _, period = unit.partition("/")
        if register.quantity.startswith("totalizer"):
            steps = round(Decimal(self.physics.total) / self._resolution)
            litres = steps * self._resolution
            if unit in _LITRES_IN:
                return litres / _LITRES_IN[unit]
            if unit in _KILOGRAMS_IN:
                return litres * density / _KILOGRAMS_IN[unit]
        elif register.quantity.endswith("_flow") and period in _SECONDS_IN:
            litres = Decimal(self.physics.flow) / Decimal("3.6") * _SECONDS_IN[period]
            if amount in _LITRES_IN:
                return litres / _LITRES_IN[amount]
            if amount in _KILOGRAMS_IN:
                return litres * density / _KILOGRAMS_IN[amount]
        elif register.quantity == "temperature" and unit in ("°C", "K"):
            return Decimal(self.pipe.temperature) + (Decimal("273.15") if unit == "K" else 0)
        elif register.quantity == "density" and unit in ("kg/m³", "kg/L"):
            return density * (1000 if unit == "kg/m³" else 1)
        raise BadDriverSettings(
            "{quantity} in {unit} cannot be simulated: choose another unit or register map.",
            quantity=register.quantity,
            unit=unit,
        )


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
