"""An instrument on a Modbus bus: polls its registers and yields indications for ever.

A flow meter, a temperature, humidity or pressure transmitter, a pulse counter: what the registers
mean is the map's. Knows polling, freshness and what to say when there is nothing to show. Refuses
to know frames (`drivers.modbus`), register layouts (`drivers.registers`) and whether an indication
is any good.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Protocol

from drivers.errors import BadDriverSettings, DriverError, InstrumentRefused
from drivers.indication import Condition, Indication, Origin
from drivers.modbus import Answer
from drivers.modbus_manners import UnitManners
from drivers.modbus_wire import Kind
from drivers.pulse_count import PulseCount
from drivers.register_map import RegisterMap, Telegram
from drivers.registers import Decoded, WordOrder, decode, raw_number, to_bytes

SHORTEST_RETRY: Final = 0.1
"""Pause [s] between polls while the line is at fault; the bus makes its own longer pauses."""


class Bus(Protocol):
    """The seam a transmitter is given: something that reads registers."""

    @property
    def local(self) -> bool:
        """Say whether the line ends in software on this machine."""

    def introduce(self, unit: int, manners: UnitManners) -> None:
        """Tell how a unit wants to be asked."""

    async def request(self, unit: int, kind: Kind, address: int, count: int) -> Answer:
        """Read registers and say when the request was sent and its answer had come."""


@dataclass(frozen=True, slots=True)
class PollCounters:
    """What a transmitter did since it was made."""

    polls: int = 0
    indications: int = 0
    faults: int = 0
    """Polls that the line or the instrument failed."""


@dataclass(frozen=True, slots=True)
class _Found:
    decoded: Decoded
    sent_ns: int
    arrived_ns: int
    raw: bytes
    error: str | None
    """Kind of line fault or refusal; None when the instrument itself answered."""


class Transmitter:
    """One instrument, one unit on a bus, one register map."""

    def __init__(
        self,
        name: str,
        bus: Bus,
        unit: int,
        register_map: RegisterMap,
        *,
        interval: float = 1.0,
        quantities: Collection[str] | None = None,
        origin: Origin | None = None,
    ) -> None:
        """Describe the instrument; ``interval`` [s] is the poll period."""
        if interval < 0:
            raise BadDriverSettings(
                "The interval of {name} is {interval} s: it must not be below 0.",
                name=name,
                interval=interval,
            )
        self.name = name
        self.register_map = register_map
        self.quantities = tuple(register_map.measurands if quantities is None else quantities)
        self._telegrams = register_map.plan(self.quantities)
        self._bus = bus
        self._unit = unit
        self._interval = interval
        self._origin = origin
        self._statuses = tuple(r for t in self._telegrams for r in t.members if r.status)
        self._counts = {
            r.quantity: PulseCount(r) for r in register_map.registers if r.modulus is not None
        }
        self._polls = self._faults = self._sequence = 0
        self._shown: dict[str, str] = {}
        self.last_error: DriverError | None = None
        bus.introduce(unit, register_map.manners)

    @property
    def origin(self) -> Origin:
        """Say where the indications come from."""
        if self._origin is not None:
            return self._origin
        return Origin.SIMULATED if self._bus.local else Origin.WIRE

    @property
    def counters(self) -> PollCounters:
        """Give what the transmitter did so far."""
        return PollCounters(self._polls, self._sequence, self._faults)

    async def indications(self) -> AsyncGenerator[Indication]:
        """Poll for ever; yield one indication per quantity and poll.

        A fault of the line yields one fault per quantity and then nothing until it changes or the
        instrument answers again. A fault that it reports itself is an indication of every poll.
        """
        due = time.monotonic()
        while True:
            found = await self._poll()
            failed = any(f.error is not None for f in found)
            self._polls += 1
            self._faults += failed
            for one in found:
                quantity = one.decoded.quantity
                if one.error is not None and self._shown.get(quantity) == one.error:
                    continue
                self._shown[quantity] = one.error or ""
                yield self._indication(one)
            due = max(due + self._interval, time.monotonic())
            if failed:
                due = max(due, time.monotonic() + SHORTEST_RETRY)
            await asyncio.sleep(due - time.monotonic())

    async def _poll(self) -> list[_Found]:
        """Read every telegram once; give one result per quantity in the order asked for."""
        found: dict[str, _Found] = {}
        begun_ns = time.monotonic_ns()
        self.last_error = None
        for telegram in self._telegrams:
            try:
                answer = await self._bus.request(
                    self._unit, telegram.kind, telegram.address, telegram.count
                )
            except InstrumentRefused as exc:
                self.last_error = exc
                for one in self._failed(telegram, exc, begun_ns):
                    found[one.decoded.quantity] = one
            except DriverError as exc:
                self.last_error = exc
                return [
                    one
                    for everything in self._telegrams
                    for one in self._failed(everything, exc, begun_ns)
                    if one.decoded.quantity in self.quantities
                ]
            else:
                for one in self._taken(telegram, answer):
                    found[one.decoded.quantity] = one
        # An instrument that says it is not in order vouches for none of its values.
        for register in self._statuses:
            status = found[register.quantity]
            if not status.decoded.fault:
                continue
            for quantity in register.governs or self.quantities:
                if quantity in found and not found[quantity].decoded.fault:
                    said = Decoded(quantity, "", None, None, status.decoded.fault)
                    found[quantity] = replace(found[quantity], decoded=said, error=status.error)
        return [found[quantity] for quantity in self.quantities]

    def _taken(self, telegram: Telegram, answer: Answer) -> list[_Found]:
        """Cut one answer into its quantities."""
        found = []
        for register in telegram.members:
            first = register.address - telegram.address
            words = answer.registers[first : first + register.count]
            raw = to_bytes(words, WordOrder.ABCD)
            count = self._counts.get(register.quantity)
            if count is None:
                decoded = decode(register, words)
            else:
                number = int(raw_number(register, words))
                decoded = count.add(number, answer.sent_ns, answer.arrived_ns)
            found.append(_Found(decoded, answer.sent_ns, answer.arrived_ns, raw, None))
        return found

    def _failed(self, telegram: Telegram, exc: DriverError, begun_ns: int) -> list[_Found]:
        now_ns = time.monotonic_ns()
        return [
            _Found(
                Decoded(register.quantity, "", None, None, str(exc)),
                begun_ns,
                now_ns,
                b"",
                type(exc).__name__,
            )
            for register in telegram.members
        ]

    def _indication(self, found: _Found) -> Indication:
        decoded = found.decoded
        sequence, self._sequence = self._sequence, self._sequence + 1
        count = self._counts.get(decoded.quantity)
        return Indication(
            instrument=self.name,
            quantity=decoded.quantity,
            text=decoded.text,
            value=decoded.value,
            unit=decoded.unit,
            condition=Condition.DYNAMIC if decoded.fault is None else Condition.FAULT,
            detail=decoded.fault,
            origin=self.origin,
            time=datetime.now(UTC),
            since_ns=found.sent_ns,
            arrived_ns=found.arrived_ns,
            sequence=sequence,
            raw=found.raw,
            stretch=0 if count is None else count.stretch,
        )
