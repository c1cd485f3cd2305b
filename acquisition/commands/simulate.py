"""``tera simulate``: one simulated instrument on a real line, until stopped."""

import argparse
import asyncio
import sys
from typing import Any

from acquisition.config import (
    SIMULATED,
    RoomSimulation,
    instrument_settings,
    with_protocol_settings,
)
from acquisition.faults import BadInput
from acquisition.language import t
from acquisition.output import print_json
from acquisition.simulated_meter_keys import MeterSimulation, cubic_metres_per_hour
from acquisition.simulated_workshop import SimulatedWorkshop
from acquisition.stopping import stop_signal
from acquisition.typed_settings import typed_settings
from calibration.units import parse_quantity
from drivers.codecs import CODECS

_INSTRUMENT = frozenset(
    {"unit", "units", "ranges", "factors", "word_order", "address_base", "second_base"}
)
"""Settings of a meter that are no physics."""


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    return asyncio.run(_simulate(arguments))


async def _simulate(arguments: argparse.Namespace) -> int:
    given = typed_settings(arguments.settings)
    scheme = arguments.port.partition(":")[0]
    name: str = arguments.name
    if scheme not in ("pty", "tcp") and (scheme != "rtu+tcp" or name in CODECS):
        raise BadInput(
            "{port} is neither pty:/path/to/link nor tcp://127.0.0.1:PORT",
            place="--port",
            port=arguments.port,
        )
    load, flow = given.pop("load", None), given.pop("flow", None)
    common: dict[str, Any] = {"name": "simulated", "port": SIMULATED}
    if name in CODECS:
        sorted_out = with_protocol_settings(name, given)
        common["settings"] = sorted_out.pop("settings", {})
        physics = {"max": "15 kg", "d": "5 g"} | sorted_out
        settings = instrument_settings(**common, driver=name, scale=physics)
    else:
        settings = instrument_settings(**common, driver="modbus", map=name, **_physics(given))
    workshop = SimulatedWorkshop()
    stopped = stop_signal()
    try:
        address = await workshop.start(settings, arguments.port)
        if load is not None and (scale := workshop.scales.get(settings.name)):
            scale.place(parse_quantity(load).to(scale.unit).magnitude)
        if flow is not None and settings.meter is not None:
            rate = cubic_metres_per_hour(parse_quantity(flow))
            workshop.pipe_of(settings.meter).set_flow(rate)
        if arguments.json:
            print_json([{"instrument": name, "port": address, "origin": "simulated"}])
        else:
            print(
                t("simulated {name} answers at {port}; Ctrl-C stops it", name=name, port=address),
                flush=True,
            )
        code = await stopped
    finally:
        await workshop.stop()
    print(t("stopped"), file=sys.stderr)
    return code


def _physics(given: dict[str, Any]) -> dict[str, Any]:
    """Sort what was typed into the instrument's settings, its meter's and its room's."""
    ours = {key: value for key, value in given.items() if key in _INSTRUMENT}
    room = {key: value for key, value in given.items() if key in RoomSimulation.model_fields}
    known = ours.keys() | room.keys() - MeterSimulation.model_fields.keys()
    meter = {key: value for key, value in given.items() if key not in known}
    return ours | {"meter": meter, "room": room}
