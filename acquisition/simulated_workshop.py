"""The simulated instruments of a station, each on a real line of its own, and what they share.

Builds them from their settings: scales, meters in their pipes, transmitters in their room. Refuses
to know what is measured with them.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from acquisition.config import Instrument
from acquisition.day_script import Command, day
from acquisition.faults import BadInput
from acquisition.journal import Journal
from acquisition.simulated_controls import Controls, MeterControls, ScaleControls, live
from acquisition.simulated_meter_keys import MeterSimulation
from acquisition.transmitter_keys import RoomSimulation
from calibration.refusal import Refused
from calibration.units import parse_quantity
from drivers.codecs import kind_named
from drivers.room_physics import RoomPhysics, SimulatedRoom
from drivers.simulated_clock import SimulatedClock
from drivers.simulated_meter import SimulatedMeter
from drivers.simulated_pipe import SimulatedPipe
from drivers.simulated_scale import SimulatedScale

log = Journal(__name__)


class SimulatedWorkshop:
    """Every simulated instrument of a station by its name."""

    def __init__(self) -> None:
        self.scales: dict[str, SimulatedScale] = {}
        self.meters: dict[str, SimulatedMeter] = {}
        self.controls: dict[str, Controls] = {}
        self._pipes: dict[str, tuple[SimulatedPipe, dict[str, Any]]] = {}
        self._room: SimulatedRoom | None = None
        self._stack = AsyncExitStack()

    async def start(self, settings: Instrument, port: str | None = None) -> str:
        """Start one simulated instrument; return the port at which its driver finds it."""
        name = settings.name
        if settings.scale is not None:
            self.scales[name] = scale = _scale(settings)
            self._stack.push_async_callback(scale.stop)
            address = await scale.start(port or "pty")
            self._take_hold(name, ScaleControls(scale), settings.scale.day)
            return address
        if settings.meter is not None or settings.room is not None:
            pipe = SimulatedPipe() if settings.meter is None else self.pipe_of(settings.meter)
            meter = _meter(settings, pipe, self._room_of(settings.room))
            self.meters[name] = meter
            self._stack.push_async_callback(meter.stop)
            address = await meter.start(port or "tcp://127.0.0.1:0")
            self._take_hold(
                name, MeterControls(meter), "" if settings.meter is None else settings.meter.day
            )
            return address
        raise BadInput("instrument {name} has no table that says what to simulate", name=name)

    def _take_hold(self, name: str, controls: Controls, text: str) -> None:
        """Put hands on an instrument, and let its day begin."""
        self.controls[name] = controls
        self._stack.push_async_callback(controls.stop)
        if happens := day(text, controls.words):
            task = asyncio.create_task(_lived(name, controls, happens), name=f"day of {name}")
            self._stack.push_async_callback(_ended, task)

    def pipe_of(self, meter: MeterSimulation) -> SimulatedPipe:
        """Return the pipe that this meter shares with others of the same pipe name.

        What one of them says of the pipe holds for all; two that say otherwise are refused.
        """
        pipe, said = self._pipes.setdefault(meter.pipe, (SimulatedPipe(), {}))
        given: Mapping[str, Any] = meter.given_of_pipe()
        for key, value in given.items():
            if said.get(key, value) != value:
                raise BadInput(
                    "meters of pipe {pipe} disagree on {key}: {one} and {other}",
                    pipe=meter.pipe,
                    key=key,
                    one=said[key],
                    other=value,
                )
        if given.keys() - said.keys():
            said.update(given)
            pipe.change(**meter.pipe_traits())
            if "pace" in given:
                pipe.set_pace(meter.pace)
        return pipe

    def _room_of(self, settings: RoomSimulation | None) -> SimulatedRoom:
        """Return the room that all transmitters are in, as the first of them describes it."""
        if settings is None:
            return simulated_room(RoomSimulation())
        if self._room is None:
            self._room = simulated_room(settings)
        return self._room

    async def stop(self) -> None:
        """Stop all of them."""
        await self._stack.aclose()


async def _lived(name: str, controls: Controls, happens: tuple[tuple[float, Command], ...]) -> None:
    try:
        await live(controls, happens)
    except Refused as refused:
        log.warning(
            "the day of instrument {instrument} ended: {why}",
            event="day_ended",
            instrument=name,
            why=refused,
        )


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _scale(settings: Instrument) -> SimulatedScale:
    scale, kind = settings.scale, kind_named(settings.driver)
    if scale is None:
        raise BadInput(
            "instrument {name} has no table that says what to simulate", name=settings.name
        )
    codec = kind.codec(settings.settings)
    return SimulatedScale(
        scale.physics(),
        unit=scale.unit,
        display_cycle=scale.display_cycle,
        serial=str(settings.characteristics.get("serial", settings.name)),
        seed=scale.seed,
        codec=codec,
        streams=(settings.mode or kind.mode) == "listen" and codec.requests.stream is None,
        clock=SimulatedClock(scale.pace),
        boot_time=scale.boot_time,
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


def _meter(settings: Instrument, pipe: SimulatedPipe, room: SimulatedRoom) -> SimulatedMeter:
    meter, air = settings.meter or MeterSimulation(), settings.room or RoomSimulation()
    register_map = settings.register_map()
    return SimulatedMeter(
        register_map,
        unit=settings.unit_of(register_map),
        pipe=pipe,
        error_curve=meter.curve(),
        repeatability=float(meter.repeatability_percent),
        noise=float(meter.noise_percent),
        temperature_coefficient=float(meter.temperature_coefficient_percent),
        wear=meter.wear(),
        counter=meter.counter(),
        resolution=parse_quantity(meter.resolution).to("L").magnitude,
        seed=meter.seed,
        room=RoomPhysics(
            room,
            temperature_error=_physical(air.temperature_error, "K"),
            humidity_error=_physical(air.humidity_error, "%"),
            pressure_error=_physical(air.pressure_error, "hPa"),
            noise=float(air.noise),
            seed=air.seed,
        ),
        boot_time=meter.boot_time,
    )
