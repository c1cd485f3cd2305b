"""The whole search on one port: what is tried, what was found, what was left out.

Knows neither line nor clock: `drivers.probe_port` does what the search wants done.
"""

from collections.abc import Callable, Generator
from typing import Any

from drivers.probe_bus import BusSearch
from drivers.probe_plan import (
    Action,
    BusTry,
    Patience,
    ScaleTry,
    Try,
    bus_plan,
    line_plan,
)
from drivers.probe_scale import ScaleSearch


class Search:
    """One search; ``steps`` are done one after the other until it ends or time is up."""

    def __init__(
        self,
        plan: tuple[Try, ...],
        patience: Patience,
        left: Callable[[], float],
        *,
        speeds: bool,
        serial: bool,
    ) -> None:
        """Describe a search; ``left`` says how much time is left [s]."""
        asks = any(isinstance(one, ScaleTry) for one in plan)
        self.plan = plan
        self.scales = ScaleSearch(patience, speeds=speeds) if asks else None
        self.bus = BusSearch(patience, serial=serial, left=left)
        self.tried: list[Try] = []
        self.trying: Try | None = None
        """What is tried now; nothing while it only listens."""
        self.out_of_time = False
        self.left = left

    @property
    def found(self) -> bool:
        """Say whether anything was found."""
        return bool(self.bus.found or (self.scales and self.scales.best))

    @property
    def left_out(self) -> tuple[Try, ...]:
        """Return what there was no time for; nothing where it was not needed."""
        return self.plan[len(self.tried) :] if self.out_of_time else ()

    def steps(self) -> Generator[Action, Any, None]:
        """Yield what is to be done, and be sent what came of it."""
        scales = self.scales
        if scales is not None:
            yield from scales.listen()
            if scales.best or scales.streams:  # nothing is sent to an instrument that streams
                return
        for one in self.plan:
            self.trying = one
            match one:
                case ScaleTry() if scales is not None:
                    yield from scales.ask(one)
                    if scales.best or scales.streams:
                        return
                case BusTry():
                    yield from self.bus.scan(one)
                    if self.bus.found:
                        return
            self.tried.append(one)


def search_for(port: str, patience: Patience, left: Callable[[], float]) -> Search:
    """Return the search that fits a port: device, ``socket://``, ``tcp://``, ``rtu://``, ``rtu+tcp://``."""
    scheme = port.partition("://")[0] if "://" in port else ""
    speeds = scheme in ("", "rtu")
    serial = scheme in ("", "rtu")
    if scheme in ("tcp", "rtu", "rtu+tcp"):
        plan: tuple[Try, ...] = bus_plan(speeds=speeds)
    else:
        plan = line_plan(speeds=speeds)
    return Search(plan, patience, left, speeds=speeds, serial=serial)
