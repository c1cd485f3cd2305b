"""The composition root: from ``config.toml`` to running benches.

Builds every part once and hands it on; decides nothing about measurements. One failing
instrument or broker never stops another bench: each instrument is pumped by a task of its own,
and whatever it raises is logged, shown as a fault, and tried again.
"""

import asyncio
import fcntl
import logging
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from acquisition.config import Bench, Instrument, Station
from acquisition.faults import Abandoned, BadInput, english
from acquisition.feed import Feed, to_wire
from acquisition.hands import Hand, SimulatedHand
from acquisition.instruments import (
    Driver,
    Lines,
    is_simulated,
    is_software,
    make_driver,
)
from acquisition.job import Job
from acquisition.register import approved_digests, standards_register
from acquisition.simulated_workshop import SimulatedWorkshop
from acquisition.surroundings import surroundings_of
from broker.address import BrokerAddress
from broker.failure import BadSecret, OutboxFailed
from broker.outbox import Order, Outbox
from broker.private_file import read_private
from broker.publisher import Publisher
from broker.seal import Trust
from drivers.indication import Condition

log = logging.getLogger(__name__)

_LEAST_SPACE = 1_000_000
"""Free disk [byte] that one run and the outbox itself need at least."""

_DRIVER = ""
"""Stands for the driver itself where quantities have their faults."""

_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Growing pauses [s] before a driver that raised is started again."""


@dataclass(slots=True)
class Running:
    """A station at work."""

    settings: Station
    outbox: Outbox
    publisher: Publisher
    workshop: SimulatedWorkshop
    lines: Lines
    feeds: dict[str, Feed] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    """Name of the instrument to what is wrong with it now."""
    at_fault: dict[str, dict[str, str]] = field(default_factory=dict)
    """The same by quantity: one quantity may be at fault while the others are well."""

    def job(
        self, bench: Bench, subject: Instrument, hand: Hand, *, order: str | None = None
    ) -> Job:
        """Collect what one run needs."""
        reference = next((i for i in bench.instrument if i.role == "reference"), None)
        return Job(
            office=self.settings.office.code,
            bench=bench,
            subject=subject,
            feed=self.feeds[subject.name],
            hand=hand,
            outbox=self.outbox,
            standards=standards_register(self.settings),
            approved=approved_digests(self.settings),
            software=software(),
            settings=self.settings.law.in_force(),
            reference=reference,
            reference_feed=None if reference is None else self.feeds[reference.name],
            surroundings=surroundings_of(bench, self.feeds),
            order=order,
            trial=is_trial(bench),
        )

    def simulated_hand(self, bench: Bench, subject: Instrument) -> SimulatedHand:
        """Return hands that work on this bench's simulated instruments."""
        if not all(is_simulated(i) for i in bench.instrument):
            raise BadInput(
                "bench {bench} has real instruments: nobody but a technician can load them",
                bench=bench.name,
            )
        if subject.meter is not None:
            return SimulatedHand(pipe=self.workshop.pipe_of(subject.meter))
        return SimulatedHand(scale=self.workshop.scales[subject.name])


def is_trial(bench: Bench) -> bool:
    """Say whether anything of this bench is software: then its verdicts are trials."""
    return any(is_software(i) for i in bench.instrument)


def software() -> dict[str, str]:
    """Return name and version of this program."""
    return {"name": "tante-sari", "version": version("tante-sari")}


def broker_address(settings: Station) -> BrokerAddress:
    """Return where the broker is; the password comes from its file or TERA_BROKER_PASSWORD."""
    broker = settings.broker
    password = os.environ.get("TERA_BROKER_PASSWORD")
    if broker.password_file is not None:
        password = secret_in(broker.password_file, "broker.password_file")
    return BrokerAddress(
        host=broker.host,
        port=broker.port,
        protocol=broker.protocol,
        username=broker.username,
        password=password,
    )


def secret_in(file: Path, key: str) -> str:
    """Read a password from its file, which nobody else may read; ``key`` names the setting."""
    try:
        return read_private(file).decode().strip()
    except BadSecret as error:
        raise BadInput(error.template, place=key, **error.evidence) from None
    except UnicodeDecodeError as error:
        raise BadInput("cannot read {file}: {why}", place=key, file=file, why=error) from None


def unknown_instruments(settings: Station, order: Order) -> list[str]:
    """Return what an order names and no bench of this station has under test."""
    ours = {i.name for b in settings.bench for i in b.instrument if i.role == "under_test"}
    return [name for name in order.remaining if name not in ours]


def trust(settings: Station) -> Trust:
    """Return the keys whose receipts this station takes."""
    return Trust(trusted.key() for trusted in settings.records.trusted)


@asynccontextmanager
async def running(
    settings: Station, address: BrokerAddress | None = None, *, whole: bool = False
) -> AsyncIterator[Running]:
    """Run every instrument and the publisher of a station until the block ends.

    ``whole``: these are all benches of the station; rows of benches that are no more go out too.
    """
    with ExitStack() as locks:
        try:
            settings.store.outbox.parent.mkdir(parents=True, exist_ok=True)
            for bench in settings.bench:
                locks.enter_context(_alone_on(bench.name, settings.store.outbox))
        except OSError as error:
            raise BadInput(
                "cannot write {file}: {why}",
                place="store.outbox",
                file=settings.store.outbox,
                why=error.strerror,
            ) from None
        if shutil.disk_usage(settings.store.outbox.parent).free < _LEAST_SPACE:
            raise OutboxFailed(  # SQLite would only speak of an input/output error
                "the disk or {file} is full: make room; what is committed stays",
                file=settings.store.outbox,
            )
        async with _running(settings, address, whole) as station:
            yield station


@contextmanager
def _alone_on(bench: str, outbox: Path) -> Iterator[None]:
    """Hold a bench for this program; another one that wants it is told."""
    with Path(f"{outbox}.{bench}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Abandoned(
                "bench {bench} is at work in another program of this station: end that first",
                bench=bench,
            ) from None
        yield


@asynccontextmanager
async def _running(
    settings: Station, address: BrokerAddress | None, whole: bool
) -> AsyncIterator[Running]:
    outbox = await Outbox.open(settings.store.outbox)
    workshop, lines = SimulatedWorkshop(), Lines(settings.store.captures)
    try:
        for bench in settings.bench:
            left = await outbox.abandon_unfinished(
                bench.name, "the station stopped before the run was finished"
            )
            if left:
                log.warning(
                    "bench %s: %d unfinished runs marked as abandoned", bench.name, len(left)
                )
        benches = {bench.name: is_trial(bench) for bench in settings.bench}
        left_behind = (await outbox.benches_waiting()) - set(benches) if whole else set()
        publisher = Publisher(
            outbox,
            broker_address(settings) if address is None else address,
            settings.office.code,
            benches,
            software(),
            trust(settings),
            left_behind=sorted(left_behind),
        )
        station = Running(settings, outbox, publisher, workshop, lines)
        ports = {
            (bench.name, instrument.name): await workshop.start(instrument)
            if is_simulated(instrument)
            else instrument.port
            for bench in settings.bench
            for instrument in bench.instrument
        }
        # Every driver is made before any runs: settings that contradict one another end it here.
        drivers = [
            (bench, instrument, make_driver(instrument, ports[bench.name, instrument.name], lines))
            for bench in settings.bench
            for instrument in bench.instrument
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_publish(publisher), name="publisher")]
            for bench, instrument, driver in drivers:
                station.feeds[instrument.name] = Feed(instrument.name)
                pump = _pump(station, bench, instrument, driver)
                tasks.append(group.create_task(pump, name=instrument.name))
            try:
                yield station
            finally:
                for task in tasks:
                    task.cancel()
    finally:
        await lines.aclose()
        await workshop.stop()
        await outbox.close()


async def _publish(publisher: Publisher) -> None:
    """Publish for ever; an error nobody foresaw must not stop the benches."""
    while True:
        try:
            await publisher.run()
        except Exception:
            log.exception("the publisher failed; verdicts wait on disk")
        await asyncio.sleep(_PAUSES[0])


async def _pump(station: Running, bench: Bench, instrument: Instrument, driver: Driver) -> None:
    """Read one instrument for ever; whatever it raises stays its own affair."""
    tries = 0
    while True:
        try:
            async with aclosing(driver.indications()) as indications:
                async for indication in indications:
                    tries = 0
                    station.feeds[instrument.name].publish(indication)
                    station.publisher.offer_live(bench.name, instrument.name, to_wire(indication))
                    fault = indication.condition is Condition.FAULT
                    detail = (indication.detail or "fault") if fault else None
                    if fault or station.at_fault.get(instrument.name):
                        _note_fault(station, bench, instrument.name, indication.quantity, detail)
                        _note_fault(station, bench, instrument.name, _DRIVER, None)
        except Exception as error:
            log.exception("instrument %s: its driver failed", instrument.name)
            _note_fault(station, bench, instrument.name, _DRIVER, english(error))
        await asyncio.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
        tries += 1


def _note_fault(
    station: Running, bench: Bench, name: str, quantity: str, detail: str | None
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
        log.info("instrument %s: answers again", name)
    else:
        station.faults[name] = now
        log.warning("instrument %s: %s", name, now)
    station.publisher.set_faults(bench.name, _faults_of(station, bench))


def _faults_of(station: Running, bench: Bench) -> list[Mapping[str, str]]:
    return [
        {"instrument": i.name, "detail": station.faults[i.name]}
        for i in bench.instrument
        if i.name in station.faults
    ]
