"""A Modbus bus with one owner: every request on the line is sent by one task, in its own time.

Knows queues, pauses, silence after a timeout, back-off of dead units and reconnection. Refuses to
know what registers mean (`drivers.registers`) and how frames are built (`drivers.modbus_wire`).
Why one owner: docs/decisions/0003-one-owner-per-modbus-bus.md.
"""

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Self

from drivers.errors import (
    BadDriverSettings,
    DriverError,
    Garbled,
    InstrumentRefused,
    LinkLost,
    NoAnswer,
)
from drivers.modbus_address import parse_url
from drivers.modbus_manners import UnitManners
from drivers.modbus_wire import Kind, ModbusLine, Outcome, Reply, Tee

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 30.0
EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target failed to respond",
}
_GATEWAY_SILENT: Final = 11
_A_MOMENT: Final = 0.02
"""What a serial server still held when it was opened is here after this [s]."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The registers of one read with the times of the telegram."""

    registers: tuple[int, ...]
    sent_ns: int
    """Monotonic clock [ns] just before the request was sent."""
    arrived_ns: int
    """Monotonic clock [ns] when the answer was complete."""


@dataclass(frozen=True, slots=True)
class BusCounters:
    """What happened on a bus since it was made."""

    requests: int = 0
    answers: int = 0
    exceptions: int = 0
    silences: int = 0
    garbled: int = 0
    foreign: int = 0
    """Sound frames that could not be the answer: wrong unit, function, transaction or count."""
    dropped: int = 0
    """Answers nobody waited for any more, because the caller was cancelled."""
    wakings: int = 0
    """First requests that a sleeping unit lost, as its manners say it does."""
    connects: int = 0
    faults: int = 0
    """Times the line was lost or could not be opened."""


@dataclass(slots=True)
class _Request:
    unit: int
    kind: Kind
    address: int
    count: int
    future: "asyncio.Future[Answer]"


@dataclass(slots=True)
class _Unit:
    queue: deque[_Request] = field(default_factory=deque)
    failures: int = 0
    wake_ns: int = 0
    """Monotonic clock [ns] before which the unit is left alone."""
    manners: UnitManners = field(default_factory=UnitManners)
    answered_ns: int = 0
    """Monotonic clock [ns] of its last answer, 0 before the first."""


def _pause(failures: int) -> float:
    """Give the pause [s] after so many failures in a row: 0.1 s doubling up to 30 s."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures - 1, 16)))


class RegisterBus:
    """Reads registers of the units of one Modbus line; opened by the first read."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 1.0,
        baudrate: int = 19200,
        framing: str = "8E1",
        turnaround: float = 0.0,
        max_device_delay: float = 1.0,
        reopen_after: int = 5,
        capture: Tee | None = None,
    ) -> None:
        """Describe the bus; nothing is opened yet.

        ``timeout`` [s] is what a unit is given beyond the time on the line. ``turnaround`` [s] is
        added to the silence between RTU telegrams. ``max_device_delay`` [s]: no unit answers later
        than this after a request; it is the silence kept on RTU lines after an answer that did not
        come. ``reopen_after`` timeouts in a row, of whichever units, the line is opened anew.
        """
        self._settings = parse_url(url, baudrate=baudrate, framing=framing)
        if timeout <= 0 or turnaround < 0 or max_device_delay < 0 or reopen_after < 1:
            raise BadDriverSettings(
                "Timeout and reopen_after of {url} must be above 0, pauses must not be below 0.",
                url=url,
            )
        self.url = url
        self._timeout = timeout
        self._capture = capture
        self._rtu = self._settings.rtu
        self._character = self._settings.character
        self._gap = max(3.5 * self._character, 0.00175) + turnaround
        self._max_device_delay = max(max_device_delay, timeout)
        self._reopen_after = reopen_after
        self._units: dict[int, _Unit] = {}
        self._turn: deque[int] = deque()
        self._work = asyncio.Event()
        self._owner: asyncio.Task[None] | None = None
        self._line: ModbusLine | None = None
        self._closed = False
        self._silences = 0
        self._quiet_until_ns = 0
        self._down: LinkLost | None = None
        self._down_count = 0
        self._retry_ns = 0
        self._ends_here: bool | None = None
        self._counts: dict[str, int] = {}

    @property
    def counters(self) -> BusCounters:
        """Give what happened on the bus so far."""
        return BusCounters(**self._counts)

    @property
    def local(self) -> bool:
        """Say whether the line ends in software on this machine: a pty or an own address."""
        return self._settings.local if self._ends_here is None else self._ends_here

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def introduce(self, unit: int, manners: UnitManners) -> None:
        """Tell how a unit wants to be asked."""
        self._units.setdefault(unit, _Unit()).manners = manners

    async def open(self) -> None:
        """Start the owner; the line itself is opened by the first read."""
        if self._closed:
            raise LinkLost("The bus {url} has been closed.", url=self.url)
        if self._owner is None:
            self._owner = asyncio.create_task(self._own(), name=f"bus {self.url}")

    async def aclose(self) -> None:
        """Stop the owner, close the line and fail whoever still waits."""
        self._closed = True
        if self._owner is not None:
            self._owner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._owner
        await self._drop_line()
        for unit in self._units.values():
            self._fail_queue(unit, LinkLost("The bus {url} has been closed.", url=self.url))

    close = aclose

    async def read(self, unit: int, kind: Kind, address: int, count: int) -> tuple[int, ...]:
        """Read ``count`` registers from wire address ``address`` of a unit."""
        return (await self.request(unit, kind, address, count)).registers

    async def request(self, unit: int, kind: Kind, address: int, count: int) -> Answer:
        """Read registers and say when the request was sent and its answer had come."""
        lowest, highest = (1, 247) if self._rtu else (0, 255)
        if not lowest <= unit <= highest:
            raise BadDriverSettings(
                "{unit} is no Modbus unit on {url}: choose from {lowest} to {highest}.",
                unit=unit,
                url=self.url,
                lowest=lowest,
                highest=highest,
            )
        if not 1 <= count <= 125 or not 0 <= address <= 65536 - count:
            raise BadDriverSettings(
                "{count} registers from address {address} cannot be read in one telegram: "
                "ask for 1 to 125 registers from 0 to 65535.",
                count=count,
                address=address,
            )
        await self.open()
        state = self._units.setdefault(unit, _Unit())
        if (left := (state.wake_ns - time.monotonic_ns()) / 1e9) > 0:
            raise self._resting(unit, state, left)
        request = _Request(unit, kind, address, count, asyncio.get_running_loop().create_future())
        state.queue.append(request)
        if len(state.queue) == 1:
            self._turn.append(unit)
        self._work.set()
        # A cancelled caller cancels only its own future; the owner finishes the telegram.
        return await request.future

    def _resting(self, unit: int, state: _Unit, left: float) -> NoAnswer:
        return NoAnswer(
            "Unit {unit} on {url} gave no answer {failures} times in a row and is asked again in "
            "{pause} s: check its power, address and wiring.",
            unit=unit,
            url=self.url,
            failures=state.failures,
            pause=f"{left:.1f}",
        )

    async def _own(self) -> None:
        """Send one request after the other, a unit at a time in turn."""
        # Before Python 3.12, asyncio.wait_for loses a cancellation that meets the answer.
        while not self._closed:
            request = self._next()
            if request is None:
                self._work.clear()
                await self._work.wait()
                continue
            try:
                line = await self._connected()
                if request.future.done():  # cancelled while the line was being opened
                    continue
                unit = self._units[request.unit]
                await self._keep_silence(line, unit)
                answer = await self._exchange(line, request, unit)
            except DriverError as exc:
                if not request.future.done():
                    request.future.set_exception(exc)
            except asyncio.CancelledError:
                if not request.future.done():
                    request.future.set_exception(
                        LinkLost("The bus {url} has been closed.", url=self.url)
                    )
                raise
            except Exception as exc:  # noqa: BLE001 - goes to the caller; the owner must live on
                await self._drop_line()
                if not request.future.done():
                    request.future.set_exception(exc)
            else:
                if request.future.done():
                    self._count("dropped")
                else:
                    request.future.set_result(answer)

    def _next(self) -> _Request | None:
        """Take the next request, one per unit in turn, passing over those given up."""
        while self._turn:
            unit = self._turn.popleft()
            queue = self._units[unit].queue
            while queue:
                request = queue.popleft()
                if queue:
                    self._turn.append(unit)
                if not request.future.done():
                    return request
                if queue:
                    self._turn.pop()
        return None

    async def _connected(self) -> ModbusLine:
        """Give the open line, opening it when its time has come; LinkLost otherwise."""
        if self._line is not None and self._line.connected:
            return self._line
        if self._line is not None:
            await self._drop_line()
            if self._settings.mode == "rtu":  # a server may close an idle connection
                raise self._lost("the port went away")
        if self._down is not None and time.monotonic_ns() < self._retry_ns:
            raise _again(self._down)
        line = ModbusLine(self._settings, tee=self._capture)
        try:
            await line.connect(self._timeout)
        except (OSError, ValueError) as exc:
            await line.close()
            raise self._lost(_reason(exc)) from exc
        self._line = line
        self._note("opened")
        self._ends_here = line.ends_here or self._settings.local
        self._down, self._silences = None, 0
        self._count("connects")
        if self._rtu:  # whatever the line still carries is nobody's answer
            self._keep_quiet(time.monotonic_ns(), max(self._gap, _A_MOMENT))
        return line

    def _lost(self, reason: str) -> LinkLost:
        self._down_count += 1
        self._retry_ns = time.monotonic_ns() + int(_pause(self._down_count) * 1e9)
        self._down = LinkLost(
            "{url} cannot be reached ({reason}): check the port, the cable and the device.",
            url=self.url,
            reason=reason,
        )
        self._count("faults")
        self._note("lost", str(self._down))
        return self._down

    async def _drop_line(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.close()
            self._note("closed")

    def _note(self, what: str, why: str = "") -> None:
        """Write down what became of the line; a full disk is said at the next byte."""
        if self._capture is not None:
            with contextlib.suppress(DriverError):
                self._capture(what, why.encode(), time.monotonic_ns())

    async def _keep_silence(self, line: ModbusLine, unit: _Unit) -> None:
        """Wait until the unit, and an RTU line, are ready for the next telegram."""
        while True:
            until = unit.answered_ns + int(unit.manners.turnaround * 1e9)
            if self._rtu:
                gap_ns = int(self._gap * 1e9)
                until = max(until, self._quiet_until_ns, line.last_byte_ns + gap_ns)
            left = (until - time.monotonic_ns()) / 1e9
            if left <= 0:
                return
            await asyncio.sleep(left)
            await asyncio.sleep(0)  # what is here by now is heard, and is no answer

    def _on_the_line(self, count: int) -> float:
        """Give the time [s] that request and answer themselves take on a serial line."""
        return (8 + 5 + 2 * count) * self._character if self._rtu else 0.0

    def _patience(self, unit: _Unit) -> float:
        """Give how long an answer of a unit may take beyond the time on the line [s]."""
        return self._timeout if unit.manners.timeout is None else unit.manners.timeout

    async def _exchange(self, line: ModbusLine, request: _Request, unit: _Unit) -> Answer:
        reply = await self._wake(line, request, unit)
        if reply is None:
            reply = await self._ask(line, request, self._patience(unit))
        if reply.outcome is Outcome.REGISTERS:
            self._silences, self._down_count, unit.failures = 0, 0, 0
            unit.answered_ns = reply.arrived_ns
            self._count("answers")
            return Answer(reply.registers, reply.sent_ns, reply.arrived_ns)
        if reply.outcome is Outcome.EXCEPTION:
            self._silences, self._down_count = 0, 0
            unit.answered_ns = reply.arrived_ns
            self._count("exceptions")
            raise self._refused(request, unit, reply.code)
        if reply.outcome is Outcome.LOST:
            self._await_late(request, unit, reply)
            await self._drop_line()
            raise self._lost(reply.detail or "the connection was closed")
        raise await self._unanswered(request, unit, reply)

    async def _ask(self, line: ModbusLine, request: _Request, patience: float) -> Reply:
        self._count("requests")
        return await line.read(
            request.unit,
            request.kind,
            request.address,
            request.count,
            timeout=patience + self._on_the_line(request.count),
        )

    async def _wake(self, line: ModbusLine, request: _Request, unit: _Unit) -> Reply | None:
        """Ask a unit that may sleep a first time; None when it was asleep and is to be asked again.

        Both requests are the same and are sent within the time the unit stays awake. Whichever of
        them an answer belongs to, it carries what was asked for after the first was sent; the line
        is then kept silent until no answer to the other can come any more.
        """
        sleep = unit.manners.sleep
        # Its clock is not ours: from half the time on it may be asleep, and an awake one answers.
        if sleep is None or time.monotonic_ns() - unit.answered_ns < sleep.after * 0.5e9:
            return None
        # The time on a slow line counts, too: the second must follow while the unit is awake, and
        # a busy machine may send it late.
        spare = 0.85 * sleep.within - self._on_the_line(request.count)
        first = await self._ask(line, request, min(sleep.wait, max(spare, 0.05)))
        if first.outcome is not Outcome.SILENCE or not line.connected:
            return first
        self._count("wakings")
        patience = self._patience(unit)
        second = await self._ask(line, request, patience)
        self._quiet_until_ns = second.sent_ns + int(
            (max(self._max_device_delay, patience) + self._on_the_line(request.count)) * 1e9
        )
        return replace(second, sent_ns=first.sent_ns)

    def _refused(self, request: _Request, unit: _Unit, code: int) -> DriverError:
        name = EXCEPTIONS.get(code, "unknown exception")
        if code == _GATEWAY_SILENT:
            self._rest(request.unit, unit)
            return NoAnswer(
                "The gateway {url} gets no answer from unit {unit} (exception {code}, {name}): "
                "check the unit's power, address and wiring.",
                url=self.url,
                unit=request.unit,
                code=code,
                name=name,
            )
        unit.failures = 0
        advice = "check the register map." if code in (1, 2, 3) else "look at the instrument."
        return InstrumentRefused(
            "Unit {unit} on {url} refused to read {count} registers from wire address {address} "
            "(exception {code}, {name}): " + advice,
            unit=request.unit,
            url=self.url,
            count=request.count,
            address=request.address,
            code=code,
            name=name,
        )

    async def _unanswered(self, request: _Request, unit: _Unit, reply: Reply) -> DriverError:
        """Protect the next request from an answer that may still come, then name the fault."""
        self._silences += 1
        self._rest(request.unit, unit)
        patience = self._patience(unit)
        self._await_late(request, unit, reply)
        # On TCP the transaction number tells late answers apart, but half a frame would not.
        if self._silences >= self._reopen_after or (
            not self._rtu and reply.outcome is not Outcome.SILENCE
        ):
            self._silences = 0
            await self._drop_line()
        if reply.outcome is Outcome.SILENCE:
            self._count("silences")
            return NoAnswer(
                "Unit {unit} on {url} did not answer within {timeout} s: check its power, address, "
                "speed, framing and wiring.",
                unit=request.unit,
                url=self.url,
                timeout=f"{patience:g}",
            )
        if reply.outcome is Outcome.GARBLED:
            self._count("garbled")
        else:
            self._count("foreign")
        return Garbled(
            "What came from {url} is no answer of unit {unit} ({detail}): check speed, framing and "
            "that no other master and no second unit with this address is on the line.",
            url=self.url,
            unit=request.unit,
            detail=reply.detail,
        )

    def _await_late(self, request: _Request, unit: _Unit, reply: Reply) -> None:
        """Keep silent until no answer to a request can come any more, on whichever line."""
        longest = max(self._max_device_delay, self._patience(unit))
        self._keep_quiet(reply.sent_ns, longest + self._on_the_line(request.count))

    def _keep_quiet(self, since_ns: int, seconds: float) -> None:
        self._quiet_until_ns = max(self._quiet_until_ns, since_ns + int(seconds * 1e9))

    def _rest(self, number: int, unit: _Unit) -> None:
        """Leave a unit alone for a growing pause and fail what waits for it."""
        unit.failures += 1
        pause = _pause(unit.failures)
        unit.wake_ns = time.monotonic_ns() + int(pause * 1e9)
        self._fail_queue(unit, self._resting(number, unit, pause))

    def _fail_queue(self, unit: _Unit, error: DriverError) -> None:
        while unit.queue:
            request = unit.queue.popleft()
            if not request.future.done():
                request.future.set_exception(_again(error))

    def _count(self, event: str) -> None:
        self._counts[event] = self._counts.get(event, 0) + 1


def _again(error: DriverError) -> DriverError:
    """Copy an error: one exception object must not be raised in several callers."""
    return type(error)(error.template, **error.evidence)


def _reason(exc: Exception) -> str:
    """Give the system's own words for a failed connection."""
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    return str(exc) or type(exc).__name__
