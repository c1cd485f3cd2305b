"""A captured Modbus line in place of a bus: each request gets the answer that it got then.

Units ask in no fixed order, so each request is looked up by what it asks for, and only the order of
equal ones counts. Knows telegrams by the framer that read them on the line (`drivers.modbus_wire`).
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from drivers.capture import Chunk
from drivers.captured_time import for_ever, until
from drivers.errors import DriverError, Garbled, InstrumentRefused, LinkLost, NoAnswer
from drivers.modbus import Answer
from drivers.modbus_address import LineSettings
from drivers.modbus_manners import UnitManners
from drivers.modbus_wire import Kind, Outcome, Telegram, WrittenTelegrams

_GATEWAY_SILENT = 11


@dataclass(slots=True)
class _Exchange:
    sent_ns: int
    request: bytes
    received: list[Chunk] = field(default_factory=list)
    ended_ns: int | None = None
    """When the next request was sent, or the line was lost; None where the capture ends before."""
    lost: str = ""


class ReplayBus:
    """The captured line of Modbus units; obeys the protocol of a bus."""

    local = False

    def __init__(
        self, settings: LineSettings, chunks: Iterable[Chunk], *, timeout: float = 1.0
    ) -> None:
        self._settings, self._timeout = settings, timeout
        self._telegrams = WrittenTelegrams(rtu=settings.rtu)
        self._manners: dict[int, UnitManners] = {}
        self._asked: dict[Telegram, deque[_Exchange]] = {}
        self._collect(chunks)

    def _collect(self, chunks: Iterable[Chunk]) -> None:
        """Cut the capture into exchanges: what came after a request belongs to it."""
        current: _Exchange | None = None
        for chunk in chunks:
            if current is not None and chunk.direction != "received":
                current.ended_ns = chunk.monotonic_ns
            if chunk.direction == "sent":
                current = _Exchange(chunk.monotonic_ns, chunk.data)
                asked = self._telegrams.asked(chunk.data)
                if asked is not None:
                    self._asked.setdefault(asked, deque()).append(current)
            elif chunk.direction == "received" and current is not None:
                current.received.append(chunk)
            elif chunk.direction == "lost" and current is not None:
                current.lost = chunk.data.decode("utf-8", "replace")
                current = None
            elif chunk.direction in ("closed", "opened"):
                current = None

    def introduce(self, unit: int, manners: UnitManners) -> None:
        """Tell how a unit wants to be asked."""
        self._manners[unit] = manners

    async def request(self, unit: int, kind: Kind, address: int, count: int) -> Answer:
        """Return the answer that the next such request got."""
        waiting = self._asked.get(Telegram(unit, kind, address, count))
        if not waiting:
            await for_ever()
        first = exchange = waiting.popleft()
        sleep = self._manners.get(unit, UnitManners()).sleep
        said = self._answer(exchange, self._patience(unit, count))
        if said is None and sleep is not None and waiting and _woken(first, waiting[0]):
            exchange = waiting.popleft()
            said = self._answer(exchange, self._patience(unit, count))
        if said is None:
            if exchange.ended_ns is None:
                await for_ever()
            await until(exchange.ended_ns)
            if exchange.lost:
                raise LinkLost("{reason}", reason=exchange.lost)
            raise NoAnswer("Unit {unit} did not answer then either.", unit=unit)
        arrived_ns, (outcome, registers, code, detail) = said
        await until(arrived_ns)
        if outcome is not Outcome.REGISTERS:
            raise _refused(unit, outcome, code, detail)
        return Answer(registers, first.sent_ns, arrived_ns)

    def _patience(self, unit: int, count: int) -> int:
        manners = self._manners.get(unit, UnitManners())
        timeout = self._timeout if manners.timeout is None else manners.timeout
        on_the_line = (8 + 5 + 2 * count) * self._settings.character if self._settings.rtu else 0.0
        return int((timeout + on_the_line) * 1e9)

    def _answer(
        self, exchange: _Exchange, patience_ns: int
    ) -> tuple[int, tuple[Outcome, tuple[int, ...], int, str]] | None:
        """Return when an answer was whole and what it says; None when none came in time."""
        data = b""
        for chunk in exchange.received:
            if chunk.monotonic_ns > exchange.sent_ns + patience_ns:
                return None
            data += chunk.data
            said = self._telegrams.answered(exchange.request, data)
            if said is not None:
                return chunk.monotonic_ns, said
        return None


def _woken(first: _Exchange, second: _Exchange) -> bool:
    """Say whether the second request was sent to wake a unit that slept through the first."""
    return first.ended_ns == second.sent_ns


def _refused(unit: int, outcome: Outcome, code: int, detail: str) -> DriverError:
    if outcome is Outcome.EXCEPTION and code == _GATEWAY_SILENT:
        return NoAnswer("Unit {unit} did not answer then either.", unit=unit)
    if outcome is Outcome.EXCEPTION:
        return InstrumentRefused("Unit {unit} refused then, too: {code}.", unit=unit, code=code)
    return Garbled(
        "Unit {unit} was not understood then either ({detail}).", unit=unit, detail=detail
    )
