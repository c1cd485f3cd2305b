"""``tera simulate``: one simulated instrument on a real line, until stopped.

Commands are taken from standard input and from a day that is written down; what is done wrong is
said and changes nothing.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from acquisition.config import (
    SIMULATED,
    Instrument,
    instrument_settings,
    with_protocol_settings,
)
from acquisition.day_script import OF_A_METER, OF_A_SCALE, Command, Word, day, help_on, understood
from acquisition.faults import BadInput, sentence
from acquisition.language import t
from acquisition.output import print_json
from acquisition.simulated_controls import Controls, live
from acquisition.simulated_meter_keys import MeterSimulation, cubic_metres_per_hour
from acquisition.simulated_workshop import SimulatedWorkshop
from acquisition.stopping import stop_signal
from acquisition.transmitter_keys import RoomSimulation
from acquisition.typed_lines import typed_lines
from acquisition.typed_settings import typed_settings
from calibration.refusal import Refused
from calibration.units import parse_quantity
from drivers.codecs import CODECS

_INSTRUMENT = frozenset(
    {"unit", "units", "ranges", "factors", "word_order", "address_base", "second_base"}
)
"""Settings of a meter that are no physics."""
_LIVE: Final = 0.2
"""How often the live line is written [s]."""


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
    happens = _script(arguments.script, OF_A_SCALE if name in CODECS else OF_A_METER)
    settings = _settings(name, given)
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
            if sys.stdin is not None and sys.stdin.isatty():
                _say(t("type help to see what it can be told"))
        code = await _until_stopped(workshop.controls[settings.name], happens, stopped)
    finally:
        await workshop.stop()
    print(t("stopped"), file=sys.stderr)
    return code


def _settings(name: str, given: dict[str, Any]) -> Instrument:
    common: dict[str, Any] = {"name": "simulated", "port": SIMULATED}
    if name in CODECS:
        sorted_out = with_protocol_settings(name, given)
        common["settings"] = sorted_out.pop("settings", {})
        physics = {"max": "15 kg", "d": "5 g"} | sorted_out
        return instrument_settings(**common, driver=name, scale=physics)
    return instrument_settings(**common, driver="modbus", map=name, **_physics(given))


def _physics(given: dict[str, Any]) -> dict[str, Any]:
    """Sort what was typed into the instrument's settings, its meter's and its room's."""
    ours = {key: value for key, value in given.items() if key in _INSTRUMENT}
    room = {key: value for key, value in given.items() if key in RoomSimulation.model_fields}
    known = ours.keys() | room.keys() - MeterSimulation.model_fields.keys()
    meter = {key: value for key, value in given.items() if key not in known}
    return ours | {"meter": meter, "room": room}


def _script(file: Path | None, words: Mapping[str, Word]) -> tuple[tuple[float, Command], ...]:
    if file is None:
        return ()
    try:
        return day(file.read_text(encoding="utf-8"), words)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("cannot read {file}: {why}", file=file, why=error) from None
    except Refused as refused:
        raise BadInput(refused.template, place=str(file), **refused.evidence) from None


async def _until_stopped(
    controls: Controls,
    happens: tuple[tuple[float, Command], ...],
    stopped: asyncio.Future[int],
) -> int:
    """Do what is written and what is typed, until a signal or the command ``stop``."""

    def end() -> None:
        if not stopped.done():
            stopped.set_result(0)

    async def written() -> None:
        try:
            if await live(controls, happens):
                end()
        except Refused as refused:
            _say(sentence(refused))

    async def typed() -> None:
        async for line in typed_lines():
            if line.split()[:1] == ["help"]:
                for usage, does in help_on(controls.words):
                    _say(f"  {usage:<26} {does}")
            elif line.strip():
                try:
                    command = understood(line, controls.words)
                    if command.word == "stop":
                        end()
                        return
                    await controls.do(command, controls.clock())
                except Refused as refused:
                    _say(sentence(refused))

    work = [written(), typed(), *([_show(controls)] if sys.stderr.isatty() else [])]
    tasks = [asyncio.create_task(one) for one in work]
    try:
        return await stopped
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _show(controls: Controls) -> None:
    """Keep one line about the instrument at the end of the terminal."""
    while True:
        print(f"\r\x1b[K{controls.state()}", end="\r", file=sys.stderr, flush=True)
        await asyncio.sleep(_LIVE)


def _say(text: str) -> None:
    over = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{over}{text}", file=sys.stderr, flush=True)
