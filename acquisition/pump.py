"""Reads one instrument for ever, hands on what it says, and counts.

Whatever a driver raises stays the affair of its instrument: it is logged, shown as a fault, and
tried again after a growing pause.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from acquisition.config import Bench, Instrument
from acquisition.faults import english
from acquisition.feed import to_wire
from acquisition.instruments import Driver
from acquisition.journal import Journal
from drivers.indication import Condition

if TYPE_CHECKING:
    from acquisition.station import Running

log = Journal(__name__)

_DRIVER = ""
"""Stands for the driver itself where quantities have their faults."""
_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Growing pauses [s] before a driver that raised is started again."""
_PATIENCE = 120.0
"""A pump that did nothing for so long [s] is stuck: the longest pause of a driver is 30 s."""


@dataclass(slots=True)
class Tally:
    """What one instrument did since the station began."""

    bench: str
    driver: Driver
    patience: float
    """After so long [s] without anything, not even a failed try, its pump is stuck."""
    indications: Counter[str] = field(default_factory=Counter)
    """By condition."""
    faults: int = 0
    """Times that it came to be at fault."""
    raised: int = 0
    """Times that its driver failed in a way nobody foresaw."""
    shown: float | None = None
    """When it last gave a value [s, monotonic]."""

    @classmethod
    def of(cls, bench: Bench, instrument: Instrument, driver: Driver) -> "Tally":
        """Begin to count."""
        rhythm = 3 * (instrument.interval or 0.0) + 2 * (instrument.timeout or 0.0)
        return cls(bench.name, driver, _PATIENCE + rhythm)

    def evidence(self) -> object:
        """Return what differs whenever the pump did something."""
        return self.raised, self.indications.total(), self.driver.counters

    @property
    def garbled(self) -> int | None:
        """Return how many frames made no sense; None where the line counts them, not the driver."""
        counted: int | None = getattr(self.driver.counters, "garbled", None)
        return counted


async def pump(station: "Running", bench: Bench, instrument: Instrument, driver: Driver) -> None:
    """Read one instrument for ever."""
    name, tries = instrument.name, 0
    tally = station.tallies[name]
    while True:
        try:
            async with aclosing(driver.indications()) as indications:
                async for indication in indications:
                    tries = 0
                    tally.indications[indication.condition.value] += 1
                    station.feeds[name].publish(indication)
                    station.publisher.offer_live(bench.name, name, to_wire(indication))
                    fault = indication.condition is Condition.FAULT
                    detail = (indication.detail or "fault") if fault else None
                    if not fault:
                        tally.shown = time.monotonic()
                    if fault or station.at_fault.get(name):
                        _note_fault(station, bench, name, indication.quantity, detail)
                        _note_fault(station, bench, name, _DRIVER, None)
        except Exception as error:  # noqa: BLE001 - another instrument must not suffer
            log.error(
                "instrument {instrument}: its driver failed: {why}",
                event="driver_failed",
                traceback=error,
                bench=bench.name,
                instrument=name,
                why=error,
            )
            _note_fault(station, bench, name, _DRIVER, english(error))
            tally.raised += 1
        await asyncio.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
        tries += 1


def _note_fault(
    station: "Running", bench: Bench, name: str, quantity: str, detail: str | None
) -> None:
    """Note what is wrong with a quantity of an instrument, and say it when that is news."""
    at_fault = station.at_fault.setdefault(name, {})
    if detail is None:
        at_fault.pop(quantity, None)
    else:
        at_fault[quantity] = detail
    before, now = station.faults.get(name), next(iter(at_fault.values()), None)
    if now == before:
        return
    if now is None:
        del station.faults[name]
        log.info(
            "instrument {instrument}: answers again",
            event="instrument_well",
            bench=bench.name,
            instrument=name,
        )
    else:
        station.tallies[name].faults += before is None
        station.faults[name] = now
        log.warning(
            "instrument {instrument}: {detail}",
            event="instrument_fault",
            bench=bench.name,
            instrument=name,
            detail=now,
        )
    station.publisher.set_faults(bench.name, _faults_of(station, bench))


def _faults_of(station: "Running", bench: Bench) -> list[Mapping[str, str]]:
    return [
        {"instrument": i.name, "detail": station.faults[i.name]}
        for i in bench.instrument
        if i.name in station.faults
    ]
