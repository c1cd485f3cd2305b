"""From settings to a driver on a line: the only place that knows which driver a name means."""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from acquisition.config import SIMULATED, Instrument, MeterSimulation, RoomSimulation
from acquisition.faults import BadInput
from calibration.units import Quantity, parse_quantity
from drivers.capture import Capture
from drivers.codecs import kind_named
from drivers.indication import Indication
from drivers.link import open_link
from drivers.modbus import RegisterBus
from drivers.modbus_manners import UnitManners
from drivers.physics import ScalePhysics
from drivers.scale import Scale
from drivers.simulated_meter import RoomPhysics, SimulatedMeter, SimulatedPipe, SimulatedRoom
from drivers.simulated_scale import SimulatedScale
from drivers.transmitter import Transmitter


class Driver(Protocol):
    """What the station needs of a driver."""

    @property
    def last_error(self) -> Exception | None:
        """What the last fault was; None after an indication without one."""

    def indications(self) -> AsyncGenerator[Indication]:
        """Yield indications for ever; faults are indications too."""


class Lines:
    """The lines of a station: shared Modbus buses, and where their bytes are written down."""

    def __init__(self, captures: Path | None = None) -> None:
        """Write every byte to files in the folder ``captures``; None writes nothing."""
        self._folder = captures
        self._captures: dict[str, Capture] = {}
        self._buses: dict[str, tuple[dict[str, Any], RegisterBus]] = {}

    def capture(self, port: str) -> Capture | None:
        """Return the capture of a port, one file per line."""
        if self._folder is None:
            return None
        if port not in self._captures:
            name = re.sub(r"[^A-Za-z0-9.-]+", "-", port).strip("-")
            file = self._folder / f"{name}.capture"
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._captures[port] = Capture(file)
            except OSError as error:
                raise BadInput(
                    "cannot write {file}: {why}",
                    place="store.captures",
                    file=file,
                    why=error.strerror,
                ) from None
        return self._captures[port]

    def bus(self, settings: Instrument, port: str) -> RegisterBus:
        """Return the bus at a port, made at first use; instruments on one port share it."""
        factory = settings.register_map().manners if _serial(port) else UnitManners()
        manners = _given(
            {
                "baudrate": settings.baudrate or factory.baudrate,
                "framing": settings.framing or factory.framing,
                "timeout": settings.timeout,
            }
        )
        if port not in self._buses:
            capture = self.capture(port)
            tee = None if capture is None else capture.record
            self._buses[port] = (manners, RegisterBus(port, capture=tee, **manners))
        agreed, bus = self._buses[port]
        if agreed != manners:
            raise BadInput(
                "instruments on {port} disagree on baudrate, framing or timeout: one line has one",
                port=port,
            )
        return bus

    async def aclose(self) -> None:
        """Close every bus and every capture."""
        for _, bus in self._buses.values():
            await bus.aclose()
        for capture in self._captures.values():
            capture.close()


def make_driver(settings: Instrument, port: str, lines: Lines) -> Driver:
    """Build the driver of an instrument on a port; nothing is opened yet."""
    rhythm = _given({"interval": settings.interval})
    if settings.driver == "modbus":
        register_map = settings.register_map()
        bus = lines.bus(settings, port)
        if settings.timeout is not None:  # what the office says counts more than the manual
            register_map = replace(
                register_map, manners=replace(register_map.manners, timeout=settings.timeout)
            )
        return Transmitter(
            settings.name, bus, settings.unit_of(register_map), register_map, **rhythm
        )
    manners = _given({"baudrate": settings.baudrate, "framing": settings.framing})
    kind = kind_named(settings.driver)
    link = open_link(port, capture=lines.capture(port), **manners)
    return Scale(
        settings.name,
        link,
        kind.codec(settings.settings),
        mode=settings.mode or kind.mode,
        **rhythm,
        **_given({"timeout": settings.timeout}),
    )


def _serial(port: str) -> bool:
    """Say whether speed and framing of a Modbus line matter."""
    return not port.startswith("tcp:")


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


class SimulatedWorkshop:
    """The simulated instruments of a station, each on a real line of its own."""

    def __init__(self) -> None:
        self.scales: dict[str, SimulatedScale] = {}
        self.meters: dict[str, SimulatedMeter] = {}
        self._pipes: dict[str, SimulatedPipe] = {}
        self._room: SimulatedRoom | None = None
        self._stack = AsyncExitStack()

    async def start(self, settings: Instrument, port: str | None = None) -> str:
        """Start one simulated instrument; return the port at which its driver finds it."""
        if settings.scale is not None:
            scale = _simulated_scale(settings)
            address = await scale.start(port or "pty")
            self._stack.push_async_callback(scale.stop)
            self.scales[settings.name] = scale
            return address
        if settings.meter is not None or settings.room is not None:
            pipe = SimulatedPipe() if settings.meter is None else self.pipe_of(settings.meter)
            meter = _simulated_meter(settings, pipe, self._room_of(settings.room))
            address = await meter.start(port or "tcp://127.0.0.1:0")
            self._stack.push_async_callback(meter.stop)
            self.meters[settings.name] = meter
            return address
        raise BadInput(
            "instrument {name} has no table that says what to simulate", name=settings.name
        )

    def pipe_of(self, meter: MeterSimulation) -> SimulatedPipe:
        """Return the pipe that this meter shares with others of the same pipe name."""
        return self._pipes.setdefault(meter.pipe, SimulatedPipe())

    def _room_of(self, settings: RoomSimulation | None) -> SimulatedRoom:
        """Return the room that all transmitters are in, as the first of them describes it."""
        if self._room is None or settings is None:
            room = simulated_room(settings or RoomSimulation())
            if settings is None:
                return room
            self._room = room
        return self._room

    async def stop(self) -> None:
        """Stop all of them."""
        await self._stack.aclose()


def _simulated_scale(settings: Instrument) -> SimulatedScale:
    scale = settings.scale
    if scale is None:
        raise BadInput(
            "instrument {name} has no table that says what to simulate", name=settings.name
        )
    d = parse_quantity(scale.d)
    kind = kind_named(settings.driver)
    codec = kind.codec(settings.settings)

    def mass(text: str) -> Decimal:
        return parse_quantity(text).to(d.unit).magnitude

    return SimulatedScale(
        ScalePhysics(
            max=mass(scale.max),
            d=d.magnitude,
            e=mass(scale.e or scale.d),
            zero_error=mass(scale.zero_error),
            span_error_ppm=scale.span_error_ppm,
            eccentricity_ppm=scale.eccentricity,
            settling_time=scale.settling_time,
            motion_window=max(2 * scale.settling_time, 2 * scale.display_cycle),
            noise=float(mass(scale.noise)),
            seed=scale.seed,
        ),
        unit=d.unit,
        display_cycle=scale.display_cycle,
        serial=str(settings.characteristics.get("serial", settings.name)),
        seed=scale.seed,
        codec=codec,
        streams=(settings.mode or kind.mode) == "listen" and codec.requests.stream is None,
    )


def simulated_room(settings: RoomSimulation) -> SimulatedRoom:
    """Build the air of a simulated room."""
    return SimulatedRoom(
        temperature=_physical(settings.temperature, "°C"),
        humidity=_physical(settings.humidity, "%"),
        pressure=_physical(settings.pressure, "hPa"),
        swing=_physical(settings.swing, "K"),
    )


def _physical(text: str, unit: str) -> float:
    """Return a number for the physics of a simulation, which may round."""
    return float(parse_quantity(text).exactly(unit))


def _simulated_meter(
    settings: Instrument, pipe: SimulatedPipe, room: SimulatedRoom
) -> SimulatedMeter:
    meter, air = settings.meter or MeterSimulation(), settings.room or RoomSimulation()
    curve = [
        (cubic_metres_per_hour(parse_quantity(flow)), float(error))
        for flow, error in meter.errors.items()
    ]
    register_map = settings.register_map()
    return SimulatedMeter(
        register_map,
        unit=settings.unit_of(register_map),
        pipe=pipe,
        error_curve=curve or [(0.0, 0.0)],
        repeatability=float(meter.repeatability_percent),
        noise=float(meter.noise_percent),
        seed=meter.seed,
        room=RoomPhysics(
            room,
            temperature_error=_physical(air.temperature_error, "K"),
            humidity_error=_physical(air.humidity_error, "%"),
            pressure_error=_physical(air.pressure_error, "hPa"),
            noise=float(air.noise),
            seed=air.seed,
        ),
    )


def cubic_metres_per_hour(flow: Quantity) -> float:
    """Return a flow rate [m³/h] for the physics of a simulation, which may round."""
    return float(flow.to("L/h").magnitude) / 1000


def tells_stability(settings: Instrument) -> bool:
    """Say whether a scale itself says when its indication is stable."""
    return kind_named(settings.driver).codec(settings.settings).tells_stability


def is_simulated(settings: Instrument) -> bool:
    """Say whether the station itself simulates this instrument."""
    return settings.port == SIMULATED


def is_software(settings: Instrument) -> bool:
    """Say whether the line ends in a program on this machine, whoever wrote it."""
    if is_simulated(settings):
        return True
    if settings.driver == "modbus":
        return RegisterBus(settings.port).local
    return open_link(settings.port).local
