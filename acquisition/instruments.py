"""From settings to a driver on a line: the only place that knows which driver a name means."""

import re
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from acquisition.config import MANUAL, SIMULATED, Instrument
from acquisition.faults import BadInput
from acquisition.journal import Journal
from drivers.capture import Capture
from drivers.codecs import kind_named
from drivers.errors import BadDriverSettings
from drivers.indication import Indication, Origin
from drivers.link import Link, open_link
from drivers.manual import Manual, TypedLine, TypedLink
from drivers.modbus import RegisterBus
from drivers.modbus_manners import UnitManners
from drivers.scale import Scale
from drivers.transmitter import Bus, Transmitter

log = Journal(__name__)


class Driver(Protocol):
    """What the station needs of a driver."""

    @property
    def last_error(self) -> Exception | None:
        """What the last fault was; None after an indication without one."""

    @property
    def counters(self) -> object:
        """What it did so far; differs whenever it did something."""

    def indications(self) -> AsyncGenerator[Indication]:
        """Yield indications for ever; faults are indications too."""


class Wiring(Protocol):
    """Where drivers get their lines: from ports, or from what was written down."""

    @property
    def origin(self) -> Origin | None:
        """Where indications come from; None leaves it to the line."""

    @property
    def paced(self) -> bool:
        """Whether a driver keeps its poll period itself."""

    def link(self, settings: Instrument, port: str) -> Link:
        """Return the line to a scale."""

    def bus(self, settings: Instrument, port: str) -> Bus:
        """Return the bus of a Modbus instrument."""

    def typed(self, settings: Instrument, port: str) -> TypedLink:
        """Return what is typed of an instrument that is read by eye."""


class Lines:
    """The lines of a station: shared Modbus buses, and where their bytes are written down."""

    origin: Origin | None = None
    paced = True

    def __init__(self, captures: Path | None = None, megabytes: int = 1024) -> None:
        """Write every byte to files in the folder ``captures``; None writes nothing.

        Of each line so many megabytes are kept.
        """
        self._folder, self._megabytes = captures, megabytes
        self._captures: dict[str, Capture] = {}
        self._buses: dict[str, tuple[dict[str, Any], RegisterBus]] = {}
        self._typed: dict[str, TypedLine] = {}

    def capture(self, settings: Instrument, port: str) -> Capture | None:
        """Return the capture of a port, one file per line.

        It is named by the port, or by the instrument where the port is another at each start.
        """
        if self._folder is None:
            return None
        if port not in self._captures:
            known = f"simulated-{settings.name}" if is_simulated(settings) else port
            name = re.sub(r"[^A-Za-z0-9.-]+", "-", known).strip("-")
            file = self._folder / f"{name}.capture"
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._captures[port] = _capture(file, keep=self._megabytes // 8)
            except OSError as error:
                raise BadInput(
                    "cannot write {file}: {why}",
                    place="store.captures",
                    file=file,
                    why=error.strerror,
                ) from None
        return self._captures[port]

    def link(self, settings: Instrument, port: str) -> Link:
        """Describe the line to a scale; nothing is opened yet."""
        manners = _given({"baudrate": settings.baudrate, "framing": settings.framing})
        return open_link(port, capture=self.capture(settings, port), **manners)

    def bus(self, settings: Instrument, port: str) -> RegisterBus:
        """Return the bus at a port, made at first use; instruments on one port share it."""
        factory = settings.register_map().manners if _serial(port) else UnitManners()
        manners = _given(
            {
                "baudrate": settings.baudrate or factory.baudrate,
                "framing": settings.framing or factory.framing,
                "timeout": settings.timeout,
            }
        )
        if port not in self._buses:
            capture = self.capture(settings, port)
            tee = None if capture is None else capture.record
            self._buses[port] = (manners, RegisterBus(port, capture=tee, **manners))
        agreed, bus = self._buses[port]
        if agreed != manners:
            raise BadInput(
                "instruments on {port} disagree on baudrate, framing or timeout: one line has one",
                port=port,
            )
        return bus

    def typed(self, settings: Instrument, port: str) -> TypedLine:
        """Return the line from the keyboard to the driver of an instrument, made at first use."""
        if port not in self._typed:
            self._typed[port] = TypedLine(port, self.capture(settings, port))
        return self._typed[port]

    @property
    def buses(self) -> Mapping[str, RegisterBus]:
        """Give the bus of each port, to look at."""
        return {port: bus for port, (_, bus) in self._buses.items()}

    async def aclose(self) -> None:
        """Close every bus and every capture."""
        for _, bus in self._buses.values():
            await bus.aclose()
        for capture in self._captures.values():
            capture.close()


def _capture(file: Path, *, keep: int) -> Capture:
    """Open a capture in our own folder; what is damaged is put aside and never in the way."""
    try:
        capture = Capture(file, keep=keep)
    except BadDriverSettings:  # its first bytes are damaged
        aside = file.with_name(f"{file.name}.damaged-{time.time_ns()}")
        file.rename(aside)
        capture = Capture(file, keep=keep)
        capture.damaged = aside
    if capture.damaged is not None:
        log.warning(
            "the capture {file} was damaged: it is kept as {aside}, and a new one is begun",
            event="capture_damaged",
            file=file,
            aside=capture.damaged.name,
        )
    elif capture.cut:
        log.info(
            "the capture {file} ended in the middle of a record: {count} bytes were cut off",
            event="capture_cut",
            file=file,
            count=capture.cut,
        )
    return capture


def make_driver(settings: Instrument, port: str, lines: Wiring) -> Driver:
    """Build the driver of an instrument on a port; nothing is opened yet."""
    if is_read_by_eye(settings):
        link = lines.typed(settings, port)
        return Manual(settings.name, link, settings.shown_unit(), origin=lines.origin)
    rhythm = _given({"interval": settings.interval if lines.paced else 0.0})
    if settings.driver == "modbus":
        register_map = settings.register_map()
        bus = lines.bus(settings, port)
        if settings.timeout is not None:  # what the office says counts more than the manual
            register_map = replace(
                register_map, manners=replace(register_map.manners, timeout=settings.timeout)
            )
        return Transmitter(
            settings.name,
            bus,
            settings.unit_of(register_map),
            register_map,
            origin=lines.origin,
            **rhythm,
        )
    kind = kind_named(settings.driver)
    return Scale(
        settings.name,
        lines.link(settings, port),
        kind.codec(settings.settings),
        mode=settings.mode or kind.mode,
        origin=lines.origin,
        **rhythm,
        **_given({"timeout": settings.timeout}),
    )


def _serial(port: str) -> bool:
    """Say whether speed and framing of a Modbus line matter."""
    return not port.startswith("tcp:")


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def tells_stability(settings: Instrument) -> bool:
    """Say whether a scale itself says when its indication is stable."""
    return kind_named(settings.driver).codec(settings.settings).tells_stability


def is_read_by_eye(settings: Instrument) -> bool:
    """Say whether a technician types what it shows."""
    return settings.driver == MANUAL


def is_simulated(settings: Instrument) -> bool:
    """Say whether the station itself simulates this instrument."""
    return settings.port == SIMULATED


def is_software(settings: Instrument) -> bool:
    """Say whether the line ends in a program on this machine, whoever wrote it."""
    if is_simulated(settings):
        return True
    if is_read_by_eye(settings):
        return False
    if settings.driver == "modbus":
        return RegisterBus(settings.port).local
    return open_link(settings.port).local
