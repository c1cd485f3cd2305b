"""The composition root: from ``config.toml`` to running benches.

Builds every part once and hands it on; decides nothing about measurements. One failing
instrument or broker never stops another bench: each instrument is pumped by a task of its own. Only
a second computer that speaks for the same bench stops a station: somebody must say which one counts.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path

from acquisition.clock_watch import ClockWatch
from acquisition.config import Bench, Instrument, Premises, Station
from acquisition.faults import BadInput
from acquisition.feed import Feed
from acquisition.hands import Hand, SimulatedHand
from acquisition.heartbeat import Heartbeat, compare_with_last_life
from acquisition.instruments import (
    Lines,
    is_read_by_eye,
    is_simulated,
    is_software,
    make_driver,
)
from acquisition.job import Job, moment
from acquisition.journal import Journal
from acquisition.machine import owner_id
from acquisition.premises import premises
from acquisition.progress import Progress
from acquisition.pump import Tally, pump
from acquisition.register import approved_digests, standards_register
from acquisition.secured import certificates, checked_tls
from acquisition.simulated_workshop import SimulatedWorkshop
from acquisition.surroundings import surroundings_of
from acquisition.witness import RunWitness
from broker.address import BrokerAddress
from broker.connection import first
from broker.failure import BadSecret, Cloned
from broker.outbox import Order, Outbox
from broker.private_file import read_private
from broker.publisher import Publisher
from broker.seal import Trust

log = Journal(__name__)

_AGAIN = 0.5
"""Pause [s] before the publisher is started again after an error nobody foresaw."""


@dataclass(slots=True)
class Running:
    """A station at work."""

    settings: Station
    outbox: Outbox
    publisher: Publisher
    workshop: SimulatedWorkshop
    lines: Lines
    clock: ClockWatch
    heart: Heartbeat
    feeds: dict[str, Feed] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=dict)
    """Name of the instrument to where its line really is."""
    tallies: dict[str, Tally] = field(default_factory=dict)
    """Name of the instrument to what it did so far."""

    @property
    def faults(self) -> dict[str, str]:
        """Return what is wrong now, by name of the instrument."""
        return {
            name: tally.fault for name, tally in self.tallies.items() if tally.fault is not None
        }

    def job(
        self,
        bench: Bench,
        subject: Instrument,
        hand: Hand,
        *,
        order: str | None = None,
        technician: str = "",
    ) -> Job:
        """Collect what one run needs; ``technician`` reads the instrument by eye."""
        reference = next((i for i in bench.instrument if i.role == "reference"), None)
        witness = self._witness(bench, subject, hand)
        return Job(
            office=self.settings.office.code,
            bench=bench,
            subject=subject,
            feed=self.feeds[subject.name],
            hand=witness or hand,
            outbox=self.outbox,
            standards=standards_register(self.settings),
            approved=approved_digests(self.settings),
            software=software(),
            settings=self.settings.law.in_force(),
            reference=reference,
            reference_feed=None if reference is None else self.feeds[reference.name],
            surroundings=surroundings_of(bench, self.feeds),
            order=order,
            technician=technician,
            trial=is_trial(bench),
            clock=self.clock,
            moment=witness.moment if witness else moment,
            witness=witness,
        )

    def _witness(self, bench: Bench, subject: Instrument, hand: Hand) -> RunWitness | None:
        """Have a bundle written of the run, where captures are on."""
        if self.settings.store.captures is None or self.settings.source is None:
            return None
        ports = {i.name: self.ports[i.name] for i in bench.instrument}
        captures = {ports[i.name]: self.lines.capture(i, ports[i.name]) for i in bench.instrument}
        return RunWitness(
            hand,
            bench,
            subject,
            self.settings.source,
            ports,
            {port: capture for port, capture in captures.items() if capture is not None},
            self.settings.store.outbox.parent / "bundles",
        )

    def simulated_hand(self, bench: Bench, subject: Instrument) -> SimulatedHand:
        """Return hands that work on this bench's simulated instruments."""
        if not all(is_simulated(i) for i in bench.instrument):
            raise BadInput(
                "bench {bench} has real instruments: a technician loads them in `tera verify {name}`",
                bench=bench.name,
                name=subject.name,
            )
        if subject.meter is not None:
            return SimulatedHand(pipe=self.workshop.pipe_of(subject.meter))
        return SimulatedHand(scale=self.workshop.scales[subject.name])


def is_trial(bench: Bench) -> bool:
    """Say whether anything of this bench is software: then its verdicts are trials."""
    return any(is_software(i) for i in bench.instrument)


def software() -> dict[str, str]:
    """Return name and version of this program."""
    return {"name": "tante-sari", "version": _version()}


@cache
def _version() -> str:
    return version("tante-sari")  # reads files, and keeps what it finds of every folder


def broker_address(settings: Premises, who: str) -> BrokerAddress:
    """Return where the broker is for a bench or the records system, as far as TLS tells them apart.

    The password comes from its file or TERA_BROKER_PASSWORD.
    """
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
        tls=checked_tls(settings, who),
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


def trust(settings: Premises) -> Trust:
    """Return the keys whose receipts this station takes."""
    return Trust(trusted.key() for trusted in settings.records.trusted)


@asynccontextmanager
async def running(
    settings: Station,
    address: BrokerAddress | None = None,
    *,
    whole: bool = False,
    take_over: bool = False,
    go_on: bool = False,
) -> AsyncIterator[Running]:
    """Run every instrument and the publisher of a station until the block ends.

    ``address`` is another broker than that of the settings, for a demonstration. ``whole``: these
    are all benches of the station; rows of benches that are no more go out too. ``take_over``: the
    outbox was made on another computer, which is out of service. ``go_on``: where it is older than
    what went out of it, its numbers go on behind the highest one known.
    """
    with premises(settings, take_over=take_over, ours=address is None):
        outbox = await Outbox.open(settings.store.outbox)
        workshop, lines = (
            SimulatedWorkshop(),
            Lines(settings.store.captures, settings.store.captures_mb),
        )
        try:
            if address is None:
                await _of_this_office(settings, outbox)
            await _abandon_left_runs(settings, outbox)
            if go_on:
                await _go_on(outbox)
            publisher = await _publisher(settings, outbox, address, whole)
            heart = Heartbeat(outbox, settings.store.outbox, Progress())
            station = Running(settings, outbox, publisher, workshop, lines, ClockWatch(), heart)
            compare_with_last_life(settings.store.outbox, station.clock)
            async with _at_work(station):
                yield station
        finally:
            await lines.aclose()
            await workshop.stop()
            await outbox.close()


async def _abandon_left_runs(settings: Station, outbox: Outbox) -> None:
    for bench in settings.bench:
        left = await outbox.abandon_unfinished(
            bench.name, "the station stopped before the run was finished"
        )
        if left:
            log.warning(
                "bench {bench}: {count} unfinished runs marked as abandoned",
                event="runs_abandoned",
                bench=bench.name,
                count=len(left),
                verifications=", ".join(left),
            )


async def _of_this_office(settings: Station, outbox: Outbox) -> None:
    """Refuse an outbox of another office, whose records nobody here takes and whose numbers go on."""
    other = await outbox.office()
    if other not in (None, settings.office.code):
        raise BadInput(
            "the outbox {file} belongs to office {other}, and {waiting} of its records wait: deliver"
            " them under that code; then name another file here",
            place="store.outbox",
            file=settings.store.outbox,
            other=other,
            waiting=(await outbox.counts()).waiting,
        )


async def _go_on(outbox: Outbox) -> None:
    for bench, number in await outbox.go_on():
        log.warning(
            "bench {bench}: numbers go on with {next}",
            event="numbers_go_on",
            bench=bench,
            next=number,
        )


async def _publisher(
    settings: Station, outbox: Outbox, address: BrokerAddress | None, whole: bool
) -> Publisher:
    benches = {bench.name: is_trial(bench) for bench in settings.bench}
    left_behind = (await outbox.benches_waiting()) - set(benches) if whole else set()
    shown = {} if address else certificates(settings, benches, left_behind)
    return Publisher(
        outbox,
        address or broker_address(settings, settings.bench[0].name),
        settings.office.code,
        benches,
        software(),
        trust(settings),
        left_behind=sorted(left_behind),
        certificates=shown,
        station=owner_id(settings.store.outbox),
    )


@asynccontextmanager
async def _at_work(station: Running) -> AsyncIterator[None]:
    """Start every instrument, the publisher and the watches; stop them when the block ends."""
    settings, workshop = station.settings, station.workshop
    ports = {
        (bench.name, instrument.name): await workshop.start(instrument)
        if is_simulated(instrument)
        else instrument.port
        for bench in settings.bench
        for instrument in bench.instrument
    }
    station.ports.update({name: port for (_, name), port in ports.items()})
    # Every driver is made before any runs: settings that contradict one another end it here.
    drivers = [
        (
            bench,
            instrument,
            make_driver(instrument, ports[bench.name, instrument.name], station.lines),
        )
        for bench in settings.bench
        for instrument in bench.instrument
    ]
    for bench, instrument, driver in drivers:
        station.feeds[instrument.name] = Feed(instrument.name)
        station.tallies[instrument.name] = Tally.of(bench, instrument, driver)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_publish(station.publisher), name="publisher"),
            group.create_task(station.clock.run(), name="clock"),
            group.create_task(station.heart.run(), name="heart"),
        ]
        for bench, instrument, _ in drivers:
            name = instrument.name
            tally = station.tallies[name]
            if not is_read_by_eye(instrument):  # nobody types for days, and nothing is stuck
                station.heart.progress.expect(name, tally.patience, tally.evidence)
            work = pump(bench, instrument, station.feeds, station.tallies, station.publisher)
            tasks.append(group.create_task(work, name=name))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _publish(publisher: Publisher) -> None:
    """Publish for ever; an error nobody foresaw must not stop the benches."""
    while True:
        try:
            await publisher.run()
        except* Cloned as group:
            raise first(group) from None
        except* Exception as group:  # noqa: BLE001 - rows wait on disk whatever it was
            log.error(
                "the publisher failed; verdicts wait on disk: {why}",
                event="publisher_failed",
                traceback=group,
                why=first(group),
            )
        await asyncio.sleep(_AGAIN)
