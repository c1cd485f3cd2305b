"""A scale on a line: polled, or listened to, for ever.

Knows when to ask, and that an indication is only as fresh as the request for it. Refuses to show an
old value as new; the line is emptied before every poll and after every fault (`drivers.scale_line`).
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from drivers.codecs.codec import Answer, Codec, Decoded
from drivers.errors import BadDriverSettings, DriverError, InstrumentRefused
from drivers.frame_reader import Frame
from drivers.indication import Condition, Indication, Origin
from drivers.link import Link, origin_of
from drivers.scale_line import ScaleLine

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 30.0
_PATIENCE_ZERO: Final = 5.0
"""How long a scale that does not answer to zero or tare may take until it shows zero [s]."""
_BETWEEN_LOOKS: Final = 0.02
"""Least time between polls while it does [s]."""


@dataclass(frozen=True, slots=True)
class ScaleCounters:
    """What happened on the line so far."""

    bytes: int = 0
    frames: int = 0
    garbled: int = 0
    """Frames that were none of the protocol and were dropped."""
    faults: int = 0
    opened: int = 0


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
        self._link = link
        self._codec = codec
        self._mode = mode
        self._interval = interval
        self._timeout = timeout
        self._origin = origin
        self._line = ScaleLine(name, link, codec, streams=mode == "listen", timeout=timeout)
        self._sequence = self._faults = 0
        self._due = 0.0

    @property
    def origin(self) -> Origin:
        """Say where the indications come from."""
        return self._origin or origin_of(self._link)

    @property
    def counters(self) -> ScaleCounters:
        """Give what happened on the line so far."""
        seen = self._line.reader
        return ScaleCounters(seen.bytes, seen.frames, seen.garbled, self._faults, self._line.opened)

    async def indications(self) -> AsyncGenerator[Indication]:
        """Yield indications for ever; a fault is one indication, and then it is tried again."""
        pause = _FIRST_PAUSE
        shown = ""
        try:
            while True:
                try:
                    while True:
                        for frame, said in await self._next():
                            if isinstance(said, Decoded):
                                self.last_error, shown, pause = None, "", _FIRST_PAUSE
                                yield self._indication(said, frame)
                except DriverError as error:
                    self.last_error = error
                    self._faults += 1
                    if (fault := str(error)) != shown:
                        shown = fault
                        yield self._fault(fault)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Close the line, after the exchange on it; the next request opens it again."""
        await self._line.aclose()

    async def _next(self) -> list[tuple[Frame, Decoded | Answer]]:
        if self._mode == "listen":
            async with self._line.hold():
                return [(frame, frame.message) for frame in await self._line.listen()]
        clock = asyncio.get_running_loop().time
        if clock() - self._due > self._interval:  # at first, and after a fault
            self._due = clock()
        await asyncio.sleep(self._due - clock())
        async with self._line.hold():
            answered = await self._line.poll(self._codec.requests.poll or b"")
        self._due = max(self._due + self._interval, clock())
        return [answered]

    async def command(self, request: bytes) -> tuple[Answer, ...]:
        """Send a command and return its answer, all lines of it; only for a polled scale."""
        self._must_be_polled()
        async with self._line.hold():
            return await self._line.command(request)

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
        expected = self._codec.done(request.strip(b"\r\n"), accepted=True)
        if expected:
            *_, last = await self.command(request)
            return last.status == expected[-1].status
        self._must_be_polled()
        async with self._line.hold():
            await self._line.order(request, answered=expected is None)
        return await self._shows_zero()

    async def _shows_zero(self) -> bool:
        """Say whether zero is shown, which is all that tells where no answer does."""
        clock = asyncio.get_running_loop().time
        give_up = clock() + max(self._timeout, _PATIENCE_ZERO)
        while True:
            async with self._line.hold():
                _, said = await self._line.poll(self._codec.requests.poll or b"")
            still = said.condition is Condition.STABLE or not self._codec.tells_stability
            if said.value == 0 and still:
                return True
            if clock() >= give_up:
                return False
            await asyncio.sleep(max(self._interval, _BETWEEN_LOOKS))

    def _must_be_polled(self) -> None:
        if self._mode != "poll":
            raise BadDriverSettings(
                "{name} is listened to: commands need mode = poll.", name=self.name
            )

    def _indication(self, said: Decoded, frame: Frame) -> Indication:
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
