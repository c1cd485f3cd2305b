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

from acquisition.config import Bench, Instrument
from acquisition.faults import english
from acquisition.feed import Feed, to_wire
from acquisition.instruments import Driver
from acquisition.journal import Journal
from broker.publisher import Publisher
from drivers.indication import Condition

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
    at_fault: dict[str, str] = field(default_factory=dict)
    """What is wrong now, by quantity: one may be at fault while the others are well."""

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

    @property
    def fault(self) -> str | None:
        """Return what is wrong now; None when it is well."""
        return next(iter(self.at_fault.values()), None)

    def note(self, quantity: str, detail: str | None) -> bool:
        """Note what is wrong with a quantity, None when nothing is; say whether that is news."""
        before = self.fault
        if detail is None:
            self.at_fault.pop(quantity, None)
        else:
            self.at_fault[quantity] = detail
        self.faults += before is None and self.fault is not None
        return self.fault != before


async def pump(
    bench: Bench,
    instrument: Instrument,
    feeds: Mapping[str, Feed],
    tallies: Mapping[str, Tally],
    publisher: Publisher,
) -> None:
    """Read one instrument of a bench for ever; feeds and tallies are those of all, by name."""
    name, tries = instrument.name, 0
    tally = tallies[name]

    def note(quantity: str, detail: str | None) -> None:
        if tally.note(quantity, detail):
            _say(bench, name, tally.fault)
            publisher.set_faults(bench.name, _faults_of(bench, tallies))

    while True:
        try:
            async with aclosing(tally.driver.indications()) as indications:
                async for indication in indications:
                    tries = 0
                    tally.indications[indication.condition.value] += 1
                    feeds[name].publish(indication)
                    publisher.offer_live(bench.name, name, to_wire(indication))
                    fault = indication.condition is Condition.FAULT
                    if not fault:
                        tally.shown = time.monotonic()
                    if fault or tally.at_fault:
                        note(indication.quantity, (indication.detail or "fault") if fault else None)
                        note(_DRIVER, None)
        except Exception as error:  # noqa: BLE001 - another instrument must not suffer
            log.error(
                "instrument {instrument}: its driver failed: {why}",
                event="driver_failed",
                traceback=error,
                bench=bench.name,
                instrument=name,
                why=error,
            )
            note(_DRIVER, english(error))
            tally.raised += 1
        await asyncio.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
        tries += 1


def _say(bench: Bench, name: str, fault: str | None) -> None:
    if fault is None:
        log.info(
            "instrument {instrument}: answers again",
            event="instrument_well",
            bench=bench.name,
            instrument=name,
        )
    else:
        log.warning(
            "instrument {instrument}: {detail}",
            event="instrument_fault",
            bench=bench.name,
            instrument=name,
            detail=fault,
        )


def _faults_of(bench: Bench, tallies: Mapping[str, Tally]) -> list[Mapping[str, str]]:
    return [
        {"instrument": i.name, "detail": fault}
        for i in bench.instrument
        if (fault := tallies[i.name].fault) is not None
    ]
