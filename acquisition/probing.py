"""``tera doctor --probe``: finds out what is connected to a port, and how to write it down.

What may be sent is decided in `drivers.probe_plan`: nothing that changes an instrument. Prints what
was found, or what was seen instead, and shows while it looks how much time is left.
"""

import argparse
import asyncio
import sys
import time
from typing import Any

from acquisition.faults import INTERRUPTED, NO_ANSWER, BadInput
from acquisition.language import t
from acquisition.output import console, print_json
from acquisition.probing_lines import stable_name
from acquisition.probing_said import Found, findings, hints
from acquisition.stopping import stop_signal
from drivers.errors import DriverError
from drivers.probe_plan import BUDGET, BusTry, Patience, ScaleTry
from drivers.probe_port import ProbePort, carry_out
from drivers.probe_search import Search, search_for


def main(arguments: argparse.Namespace) -> int:
    """Run the command: 0 when something was found, 3 when nothing answered."""
    if arguments.commission is not None:
        raise BadInput("--probe and --commission are two commands: give one of them")
    if arguments.value is not None or arguments.settings:
        raise BadInput("--value and --set belong to --commission")
    return asyncio.run(_probe(arguments.probe, as_json=arguments.json))


async def _probe(port: str, *, as_json: bool) -> int:
    stopped = stop_signal()
    progress = _Progress()
    end = time.monotonic() + BUDGET
    search = search_for(port, Patience(), lambda: end - time.monotonic())
    work = asyncio.create_task(probe(search, port, progress))
    await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        work.cancel()
    try:
        await work
    except asyncio.CancelledError:
        pass
    except DriverError:
        if not search.found:  # what was found before the line went away is told all the same
            raise
    finally:
        progress.end()
    found = findings(search, stable_name(port))
    if stopped.done():
        if found:
            show(search, port, found, as_json=as_json)
        return INTERRUPTED
    show(search, port, found, as_json=as_json)
    return 0 if found else NO_ANSWER


async def probe(search: Search, port: str, seen: "_Progress | None" = None) -> None:
    """Do a search on a port, and close it."""
    line = ProbePort(port)
    try:
        await carry_out(search, line, seen or (lambda _: None))
    finally:
        await line.aclose()


class _Progress:
    """Says on standard error what is tried, and how much time is left."""

    def __init__(self) -> None:
        self._last: object = None
        self._live = sys.stderr.isatty()

    def __call__(self, search: Search) -> None:
        now = search.trying, len(search.bus.found), search.scales and search.scales.streams
        what = (_doing(search), int(search.left())) if self._live else now
        if what == self._last:
            return
        self._last = what
        text = t("{seconds} s left: {what}", seconds=int(search.left()) + 1, what=_doing(search))
        begin, end = ("\r\x1b[K", "") if self._live else ("", "\n")
        sys.stderr.write(f"{begin}{text}{end}")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave no half line behind."""
        if self._live and self._last is not None:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _doing(search: Search) -> str:
    if search.scales is not None and search.scales.streams:
        return t("something sends unasked: listening at every speed")
    if search.bus.found:
        return t(
            "{number} units found; {asked} of 247 asked",
            number=len(search.bus.found),
            asked=len(search.bus.asked),
        )
    match search.trying:
        case ScaleTry(baudrate, framing):
            return t("asking scales at {line}", line=f"{baudrate} {framing}")
        case BusTry(baudrate, framing):
            return t("asking Modbus units at {line}", line=f"{baudrate} {framing}")
    return t("listening")


def show(search: Search, port: str, found: list[Found], *, as_json: bool) -> None:
    """Print what was found, or what was seen instead."""
    seen = hints(search, port, found)
    if as_json:
        print_json(one.as_json() for one in found)
        if not found:
            print_json([nothing(search, port, seen)])
        return
    out = console()
    for one in found:
        for line in one.lines():
            out.print(line, soft_wrap=True)
        out.print()
    for line in seen:
        out.print(line, soft_wrap=True)


def nothing(search: Search, port: str, seen: list[str]) -> dict[str, Any]:
    """Return what is said to programs when nothing was found."""
    noise = search.scales.noise if search.scales is not None else []
    return {
        "found": None,
        "port": port,
        "heard": [
            {
                "baudrate": n.baudrate,
                "framing": n.framing,
                "asked": n.asked,
                "hex": n.data[:32].hex(),
            }
            for n in noise
        ],
        "hints": seen,
        "out_of_time": search.out_of_time,
    }
