"""A scale on a line: polled, or listened to, for ever.

Knows when to ask, how long to wait, and that an indication is only as fresh as the request for it.
Refuses to show an old value as new: before every poll and after every fault the line is emptied.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Literal

from drivers.codecs.codec import Answer, Codec, Decoded
from drivers.errors import BadDriverSettings, DriverError, Garbled, InstrumentRefused, NoAnswer
from drivers.framing import Framer
from drivers.indication import Condition, Indication, Origin
from drivers.link import Link, origin_of

_A_MOMENT: Final = 0.02
"""What a port still held when it was opened is here after this [s]."""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 30.0
_PATIENCE_LISTENING: Final = 3.0
"""A streaming scale is silent when nothing came for this long [s], or for its timeout."""


@dataclass(frozen=True, slots=True)
class ScaleCounters:
    """What happened on the line so far."""

    bytes: int = 0
    frames: int = 0
    garbled: int = 0
    """Frames that were none of the protocol and were dropped."""
    faults: int = 0
    opened: int = 0


@dataclass(frozen=True, slots=True)
class _Frame:
    raw: bytes
    message: Decoded | Answer
    since_ns: int
    arrived_ns: int


class Scale:
    """One scale behind one link and one codec."""

    def __init__(
        self,
        name: str,
        link: Link,
        codec: Codec,
        *,
        mode: Literal["poll", "listen"] = "poll",
        interval: float = 0.1,
        timeout: float = 1.0,
        origin: Origin | None = None,
    ) -> None:
        """Describe the scale; ``interval`` [s] is the poll period, ``timeout`` [s] an answer's."""
        if mode == "poll" and codec.requests.poll is None:
            raise BadDriverSettings(
                "The protocol {name} has no request for an indication: use mode = listen.",
                name=codec.name,
            )
        self.name = name
        self.last_error: DriverError | None = None
        self.counters = ScaleCounters()
        self._link = link
        self._codec = codec
        self._mode = mode
        self._interval = interval
        self._timeout = timeout
        self._origin = origin
        self._framer: Framer = codec.framer()
        self._sequence = 0
        self._open = False
        self._answer_pending = False
        self._refusal: InstrumentRefused | None = None
        self._floor_ns = 0
        self._due = 0.0
        self._turn = asyncio.Lock()

    @property
    def origin(self) -> Origin:
        """Say where the indications come from."""
        return self._origin or origin_of(self._link)

    async def indications(self) -> AsyncGenerator[Indication]:
        """Yield indications for ever; a fault is one indication, and then it is tried again."""
        pause = _FIRST_PAUSE
        shown = ""
        try:
            while True:
                try:
                    while True:
                        for frame in await self._next():
                            if isinstance(frame.message, Decoded):
                                self.last_error, shown, pause = None, "", _FIRST_PAUSE
                                yield self._indication(frame.message, frame)
                except DriverError as error:
                    self.last_error = error
                    self._count(faults=1)
                    if (fault := str(error)) != shown:
                        shown = fault
                        yield self._fault(fault)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Close the line, after the exchange on it; the next request opens it again."""
        async with self._turn:
            await self._close()

    async def command(self, request: bytes) -> tuple[Answer, ...]:
        """Send a command and return its answer, all lines of it; only for a polled scale."""
        if self._mode != "poll":
            raise BadDriverSettings(
                "{name} is listened to: commands need mode = poll.", name=self.name
            )
        name = request.strip().decode("ascii").partition(" ")[0]
        answers: list[Answer] = []
        async with self._line():
            deadline = await self._ask(request)
            while True:
                for frame in await self._read(deadline, self._timeout):
                    message = self._understood(frame.message, request)
                    if isinstance(message, Answer) and message.command == name:
                        answers.append(message)
                        if message.status != "B":
                            self._answer_pending = False
                            return tuple(answers)

    async def identity(self) -> tuple[str, ...]:
        """Return what the instrument says of itself; a request it does not know gives nothing."""
        said = []
        for request in self._codec.requests.identity:
            try:
                said += [answer.text for answer in await self.command(request)]
            except InstrumentRefused:
                continue
        return tuple(said)

    async def zero(self) -> bool:
        """Set to zero; say whether the instrument did."""
        return await self._done(self._codec.requests.zero)

    async def tare(self) -> bool:
        """Set the tare; say whether the instrument did."""
        return await self._done(self._codec.requests.tare)

    async def _done(self, request: bytes | None) -> bool:
        if request is None:
            raise BadDriverSettings(
                "The protocol {name} has no such command.", name=self._codec.name
            )
        return any(answer.status in ("A", "S") for answer in await self.command(request))

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[None]:
        """Hold the line, open, for one exchange; one that fails or is cancelled closes it."""
        async with self._turn:
            try:
                if not self._open:
                    await self._reopen()
                yield
            except InstrumentRefused:  # that is an answer
                self._answer_pending = False
                raise
            except BaseException:
                await self._close()
                raise

    async def _reopen(self) -> None:
        await self._link.open()
        self._open = True
        self._count(opened=1)
        self._due = time.monotonic()
        self._floor_ns = time.monotonic_ns()
        # What the port still held, and an answer that comes too late to a request of before, is old.
        await self._until_quiet(self._timeout if self._answer_pending else _A_MOMENT)
        self._answer_pending = False
        if self._mode == "listen" and self._codec.requests.stream is not None:
            self._refusal = None
            await self._send(self._codec.requests.stream)

    async def _close(self) -> None:
        self._open = False
        await self._link.close()

    async def _until_quiet(self, quiet: float) -> None:
        """Throw bytes away until none came for ``quiet`` seconds; a stream never gets quiet."""
        self._framer.reset()
        give_up = time.monotonic() + max(3 * quiet, 0.05)
        while time.monotonic() < give_up:
            try:
                async with asyncio.timeout(quiet):  # 0: take only what is already here
                    self._count(bytes=len(await self._link.receive()))
            except TimeoutError:
                return
            await asyncio.sleep(0)  # a line that never pauses shall not hold up the others

    async def _next(self) -> list[_Frame]:
        if self._mode == "listen":
            async with self._line():
                return await self._listen()
        await asyncio.sleep(self._due - time.monotonic())
        async with self._line():
            frame = await self._poll(self._codec.requests.poll or b"")
        self._due = max(self._due + self._interval, time.monotonic())
        return [frame]

    async def _listen(self) -> list[_Frame]:
        patience = max(self._timeout, _PATIENCE_LISTENING)
        try:
            frames = await self._read(time.monotonic() + patience, patience)
        except NoAnswer as error:
            if self._refusal is None:
                raise
            await self._close()
            raise self._refusal from error
        for frame in frames:
            try:
                self._understood(frame.message, self._codec.requests.stream or b"")
            except InstrumentRefused as refusal:
                # a scale that prints by itself need not know the request: only silence tells
                self._refusal = refusal
        return frames

    async def _poll(self, request: bytes) -> _Frame:
        """Ask for one indication; what comes back is as old as the request at most."""
        sent_ns = time.monotonic_ns()
        deadline = await self._ask(request)
        while True:
            for frame in await self._read(deadline, self._timeout):
                if isinstance(self._understood(frame.message, request), Decoded):
                    self._answer_pending = False
                    return replace(frame, since_ns=sent_ns)

    async def _ask(self, request: bytes) -> float:
        """Send a request into an emptied line; return when its answer is overdue."""
        await self._until_quiet(0)
        self._answer_pending = True
        await self._send(request)
        return time.monotonic() + self._timeout

    async def _send(self, request: bytes) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._link.send(request)
        except TimeoutError:
            raise self._nothing(self._timeout, seen=0) from None

    def _understood(self, message: Decoded | Answer, request: bytes) -> Decoded | Answer:
        if isinstance(message, Answer) and message.error:
            raise InstrumentRefused(
                "{name} did not accept {request} ({code}, {reason}): check the protocol.",
                name=self.name,
                request=request.strip().decode("ascii", "replace"),
                code=message.command,
                reason=message.text,
            )
        return message

    async def _read(self, deadline: float, patience: float) -> list[_Frame]:
        """Return the frames that complete next; NoAnswer or Garbled when none does in time."""
        seen = 0
        while (left := deadline - time.monotonic()) > 0:
            await asyncio.sleep(0)  # as above
            try:
                async with asyncio.timeout(left):
                    data = await self._link.receive()
            except TimeoutError:
                break
            arrived_ns = time.monotonic_ns()
            seen += len(data)
            frames = []
            for raw in self._framer.feed(data):
                try:
                    frames.append(_Frame(raw, self._codec.decode(raw), self._floor_ns, arrived_ns))
                except Garbled:
                    self._count(garbled=1)
                # The next frame began after this one had ended, which is after the line had last
                # been seen empty.
                self._floor_ns = self._link.since_ns
            self._count(bytes=len(data), frames=len(frames))
            if frames:
                return frames
        raise self._nothing(patience, seen)

    def _nothing(self, patience: float, seen: int) -> DriverError:
        if seen:
            return Garbled(
                "Only unreadable bytes come from {port}: check speed, framing and protocol.",
                port=self._link.address,
                bytes=seen,
            )
        return NoAnswer(
            "{name} at {port} did not answer within {timeout} s: check its power, cable and settings.",
            name=self.name,
            port=self._link.address,
            timeout=patience,
        )

    def _indication(self, said: Decoded, frame: _Frame) -> Indication:
        return self._numbered(said, frame.raw, since_ns=frame.since_ns, arrived_ns=frame.arrived_ns)

    def _fault(self, detail: str) -> Indication:
        now = time.monotonic_ns()
        said = Decoded("", None, None, Condition.FAULT, detail)
        return self._numbered(said, b"", since_ns=now, arrived_ns=now)

    def _numbered(self, said: Decoded, raw: bytes, *, since_ns: int, arrived_ns: int) -> Indication:
        number, self._sequence = self._sequence, self._sequence + 1
        return Indication(
            instrument=self.name,
            quantity=said.quantity,
            text=said.text,
            value=said.value,
            unit=said.unit,
            condition=said.condition,
            detail=said.detail,
            origin=self.origin,
            time=datetime.now(UTC),
            since_ns=since_ns,
            arrived_ns=arrived_ns,
            sequence=number,
            raw=raw,
        )

    def _count(self, **more: int) -> None:
        old = self.counters
        self.counters = replace(old, **{k: getattr(old, k) + n for k, n in more.items()})
