"""``tera simulate``: one simulated instrument on a real line, until stopped."""

import argparse
import asyncio
import sys
from typing import Any

from acquisition.config import SIMULATED, instrument_settings, with_protocol_settings
from acquisition.faults import BadInput
from acquisition.instruments import SimulatedWorkshop, cubic_metres_per_hour
from acquisition.language import t
from acquisition.output import print_json
from acquisition.stopping import stop_signal
from calibration.units import parse_quantity
from drivers.codecs import CODECS


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    return asyncio.run(_simulate(arguments))


async def _simulate(arguments: argparse.Namespace) -> int:
    given = dict(_pair(pair) for pair in arguments.settings)
    scheme = arguments.port.partition(":")[0]
    if scheme not in ("pty", "tcp"):
        raise BadInput(
            "{port} is neither pty:/path/to/link nor tcp://127.0.0.1:PORT",
            place="--port",
            port=arguments.port,
        )
    name: str = arguments.name
    load, flow = given.pop("load", None), given.pop("flow", None)
    common: dict[str, Any] = {"name": "simulated", "port": SIMULATED}
    if name in CODECS:
        sorted_out = with_protocol_settings(name, given)
        common["settings"] = sorted_out.pop("settings", {})
        physics = {"max": "15 kg", "d": "5 g"} | sorted_out
        settings = instrument_settings(**common, driver=name, scale=physics)
    else:
        settings = instrument_settings(**common, driver="modbus", map=name, meter=given)
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


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise BadInput("{pair} is not KEY=VALUE", place="--set", pair=text)
    return key, value
