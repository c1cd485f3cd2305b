"""An instrument without an interface: a technician reads it by eye and types what it shows.

Knows how a typed line is understood: a number with a decimal point or comma, and a unit unless it
is the instrument's own; or whether something moved. Refuses to guess: 1,500 can be two numbers.
Whether what was typed can be true is decided elsewhere.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Protocol

from drivers.codecs.codec import Decoded
from drivers.errors import DriverError, Garbled
from drivers.indication import Condition, Indication, Origin
from drivers.link import Tee

MASSES: Final = ("mg", "g", "kg", "t", "ct")
VISIBLE: Final = "visible"
"""The quantity of an answer whether something moved: 1 or 0, without a unit."""
DISPLACEMENT: Final = "displacement"
"""The quantity of a length that something moved."""

_NUMBER: Final = re.compile(r"([+-]?)(\d+)(?:([.,])(\d+))?\s*([A-Za-z]*)", re.ASCII)
_GROUPED: Final = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}\s*[A-Za-z]*", re.ASCII)
"""One and a half, or a whole number with a comma between thousands; 0,500 is no such number."""
_LONGEST: Final = 40
_MOVED: Final = {"y": "yes", "ya": "yes", "yes": "yes", "n": "no", "t": "no", "tidak": "no", "no": "no"}  # fmt: skip


class TypedLink(Protocol):
    """The seam of this driver: typed lines, each received at once."""

    @property
    def since_ns(self) -> int:
        """Monotonic clock [ns]: when the last line was asked for."""

    @property
    def arrived_ns(self) -> int:
        """Monotonic clock [ns]: when its Enter was pressed."""

    async def open(self) -> None:
        """Begin to listen."""

    async def receive(self) -> bytes:
        """Wait for the next line, as it was typed."""

    async def close(self) -> None:
        """Stop listening."""


class TypedLine:
    """The line from the keyboard to the driver; every line is written down as it was typed."""

    def __init__(self, address: str, capture: Tee | None = None) -> None:
        self.address = address
        self.since_ns = self.arrived_ns = 0
        self._capture = capture
        self._waiting: asyncio.Queue[tuple[bytes, int, int]] = asyncio.Queue()

    def typed(self, line: bytes, since_ns: int) -> None:
        """Take a line that somebody typed; ``since_ns`` [ns] is when it was asked for."""
        now_ns = time.monotonic_ns()
        self._record("received", line, now_ns, since_ns)
        self._waiting.put_nowait((line, since_ns, now_ns))

    async def open(self) -> None:
        """Begin to listen."""
        now_ns = time.monotonic_ns()
        self._record("opened", b"", now_ns, now_ns)

    async def receive(self) -> bytes:
        """Wait for the next line."""
        line, self.since_ns, self.arrived_ns = await self._waiting.get()
        return line

    async def close(self) -> None:
        """Stop listening."""
        now_ns = time.monotonic_ns()
        self._record("closed", b"", now_ns, now_ns)

    def _record(self, what: str, data: bytes, at_ns: int, since_ns: int) -> None:
        if self._capture is not None:
            self._capture.record(what, data, at_ns, since_ns)


@dataclass(frozen=True, slots=True)
class ManualCounters:
    """What was typed so far."""

    lines: int = 0
    garbled: int = 0
    """Lines that say nothing, or two things."""


class Manual:
    """One instrument that is read by eye."""

    def __init__(
        self, name: str, link: TypedLink, unit: str, *, origin: Origin | None = None
    ) -> None:
        """Describe it; ``unit`` is that of its own scale, for numbers that are typed without one."""
        self.name = name
        self.last_error: DriverError | None = None
        self._link, self._unit = link, unit
        self._origin = origin or Origin.MANUAL
        self._lines = self._garbled = 0

    @property
    def counters(self) -> ManualCounters:
        """Give what was typed so far."""
        return ManualCounters(self._lines, self._garbled)

    async def indications(self) -> AsyncGenerator[Indication]:
        """Yield what is typed, for ever; a line that makes no sense is a fault that says why."""
        await self._link.open()
        try:
            while True:
                line = await self._link.receive()
                try:
                    said, self.last_error = understood(line, self._unit), None
                except Garbled as error:
                    said = Decoded("", None, None, Condition.FAULT, str(error))
                    self.last_error = error
                    self._garbled += 1
                yield self._indication(said, line)
        finally:
            await self._link.close()

    def _indication(self, said: Decoded, line: bytes) -> Indication:
        number, self._lines = self._lines, self._lines + 1
        return Indication(
            instrument=self.name,
            quantity=said.quantity,
            text=said.text,
            value=said.value,
            unit=said.unit,
            condition=said.condition,
            detail=said.detail,
            origin=self._origin,
            time=datetime.now(UTC),
            since_ns=self._link.since_ns,
            arrived_ns=self._link.arrived_ns,
            sequence=number,
            raw=line,
        )


def understood(line: bytes, unit: str) -> Decoded:
    """Read a typed line; Garbled says why it is none.

    >>> understood(b"5,02", "kg").text, understood(b"5 mm", "kg").quantity
    ('5.02', 'displacement')
    """
    typed = line.decode("utf-8", "replace").strip()
    if moved := _MOVED.get(typed.lower()):
        return Decoded(moved, Decimal(moved == "yes"), None, Condition.STABLE, None, VISIBLE)
    found = _NUMBER.fullmatch(typed) if len(typed) <= _LONGEST else None
    if found is None:
        raise Garbled(
            "{typed} is no indication: type a number as it shows, and its unit if it is not {unit}",
            typed=_shown(typed),
            unit=unit,
        )
    if _GROUPED.fullmatch(typed):
        raise Garbled(
            "{typed} can be two numbers: write a decimal point, and nothing between thousands",
            typed=_shown(typed),
        )
    sign, whole, _, part, named = found.groups()
    value = Decimal(f"{sign}{whole}.{part}" if part else f"{sign}{whole}")
    value = value or abs(value)
    own = _unit_named(named) if named else unit
    if own is None:
        raise Garbled(
            "{unit} is no unit here: {known}", unit=named, known=", ".join((*MASSES, "mm"))
        )
    quantity = DISPLACEMENT if own == "mm" else "weight"
    return Decoded(f"{value:f}", value, own, Condition.STABLE, None, quantity)


def _unit_named(typed: str) -> str | None:
    """Find a unit however it is capitalised; Mg is no mg."""
    if typed == "Mg":
        return None
    return next((unit for unit in (*MASSES, "mm") if typed.lower() == unit), None)


def _shown(typed: str) -> str:
    """Write what was typed so that a terminal can show it."""
    short = typed if len(typed) <= _LONGEST else f"{typed[:_LONGEST]}…"
    return short if short.isprintable() else ascii(short)
