"""The line to one scale: opened, emptied, asked and listened to, one exchange at a time.

Knows when to send, how long to wait, and that an answer belongs to the request before it. Refuses
an answer that comes too late, and to choose between two. Knows no poll period and no indication.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, NoReturn

from drivers.codecs.codec import Answer, Codec, Decoded
from drivers.errors import DriverError, Garbled, InstrumentRefused, NoAnswer
from drivers.frame_reader import Frame, FrameReader
from drivers.indication import Condition
from drivers.link import Link

_A_MOMENT: Final = 0.02
"""What a port still held when it was opened is here after this [s]."""
_PATIENCE_LISTENING: Final = 3.0
"""A streaming scale is silent when nothing came for this long [s], or for its timeout."""
_PATIENCE_BEGUN: Final = 40.0
"""How long a scale may wait for a stable load once it has begun to zero or tare [s]."""
_SECOND_ANSWER: Final = 0.25
"""How long a second answer is waited for where two have contradicted one another [s]."""


class ScaleLine:
    """One link in one protocol; ``hold`` it for each exchange."""

    def __init__(
        self, name: str, link: Link, codec: Codec, *, streams: bool, timeout: float
    ) -> None:
        """Describe the line; one that ``streams`` is asked for a stream when it is opened."""
        self.reader = FrameReader(link, codec)
        self.opened = 0
        """How often the line was opened."""
        self.open = self.answer_pending = False
        self._name, self._link, self._codec = name, link, codec
        self._stream = codec.requests.stream if streams else None
        self._timeout = timeout
        self._turn = asyncio.Lock()
        self._refusal: InstrumentRefused | None = None
        self._said: Decoded | None = None
        self._doubtful = False

    async def aclose(self) -> None:
        """Close the line, after the exchange on it; the next one opens it again."""
        async with self._turn:
            await self._close()

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Hold the line, open, for one exchange; one that fails or is cancelled closes it."""
        async with self._turn:
            try:
                if not self.open:
                    await self._reopen()
                yield
            except InstrumentRefused:  # that is an answer
                self.answer_pending = False
                raise
            except BaseException:
                await self._close()
                raise

    async def _reopen(self) -> None:
        await self._link.open()
        self.open = True
        self.opened += 1
        self.reader.begin()
        # What the port still held, and an answer that comes too late to a request of before, is old.
        await self.reader.until_quiet(self._timeout if self.answer_pending else _A_MOMENT)
        self.answer_pending = False
        self._said = self._refusal = None
        if self._stream is not None:
            await self._send(self._stream)

    async def _close(self) -> None:
        self.open = False
        await self._link.close()

    async def listen(self) -> list[Frame]:
        """Return the frames of a stream that complete next."""
        patience = max(self._timeout, _PATIENCE_LISTENING)
        try:
            frames = await self._read(_now() + patience, patience)
        except NoAnswer as error:
            if self._refusal is None:
                raise
            await self._close()
            raise self._refusal from error
        for frame in frames:
            try:
                self._understood(frame.message, self._stream or b"")
            except InstrumentRefused as refusal:
                # a scale that prints by itself need not know the request: only silence tells
                self._refusal = refusal
        return frames

    async def poll(self, request: bytes) -> tuple[Frame, Decoded]:
        """Ask for one indication; while answers contradict one another, wait for the second."""
        deadline = await self._ask(request)
        frame, said = await self._weight(request, deadline)
        if self._doubtful:
            self._one_answer(await self.reader.until_quiet(_SECOND_ANSWER))
            self._doubtful = False
        return replace(frame, since_ns=self._link.sent_ns), said

    async def order(self, request: bytes, *, answered: bool) -> None:
        """Send a command that is not acknowledged, or is answered with the weight only."""
        deadline = await self._ask(request)
        if answered:
            await self._weight(request, deadline)
        self.answer_pending = False

    async def command(self, request: bytes) -> tuple[Answer, ...]:
        """Send a command and return its answer, all lines of it."""
        bare = request.strip(b"\r\n")
        expected = self._codec.done(bare, accepted=True) or ()
        names = {bare.decode("ascii").partition(" ")[0], *(a.command for a in expected)}
        begun = {"B", *(a.status for a in expected[:-1])}
        answers: list[Answer] = []
        deadline = await self._ask(request)
        while True:
            for frame in await self._read(deadline, self._timeout):
                message = self._understood(frame.message, request)
                if not isinstance(message, Answer) or message.command not in names:
                    continue
                answers.append(message)
                if message.status not in begun:
                    self.answer_pending = False
                    return tuple(answers)
                if message.status != "B":  # it waits for a stable load
                    deadline = _now() + max(self._timeout, _PATIENCE_BEGUN)

    async def _ask(self, request: bytes) -> float:
        """Send a request into an emptied line; return when its answer is overdue."""
        self._one_answer(await self.reader.emptied())
        self._said = None
        self.answer_pending = True
        await self._send(request)
        return _now() + self._timeout

    async def _send(self, request: bytes) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._link.send(request)
        except TimeoutError:
            raise self._nothing(self._timeout, seen=0) from None

    async def _weight(self, request: bytes, deadline: float) -> tuple[Frame, Decoded]:
        while True:
            frames = await self._read(deadline, self._timeout)
            for at, frame in enumerate(frames):
                message = self._understood(frame.message, request)
                if isinstance(message, Decoded):
                    self.answer_pending = False
                    self._said = message
                    self._one_answer(frames[at + 1 :])
                    return frame, message

    def _one_answer(self, more: Iterable[Frame]) -> None:
        """Refuse to choose where another answer to the same request shows another stable weight."""
        said = self._said
        for frame in more:
            other = frame.message
            if (
                said is not None
                and isinstance(other, Decoded)
                and said.quantity == other.quantity
                and said.condition is other.condition is Condition.STABLE
                and (said.value, said.unit) != (other.value, other.unit)
            ):
                self._contradicted(said, other)

    def _contradicted(self, said: Decoded, other: Decoded) -> NoReturn:
        self._doubtful = True
        raise Garbled(
            "Two answers come from {port} to one request, {one} and {other}: let only one "
            "instrument be on the line, and let it print only when asked.",
            port=self._link.address,
            one=f"{said.text} {said.unit or ''}".strip(),
            other=f"{other.text} {other.unit or ''}".strip(),
        )

    def _understood(self, message: Decoded | Answer, request: bytes) -> Decoded | Answer:
        if isinstance(message, Answer) and message.error:
            raise InstrumentRefused(
                "{name} did not accept {request} ({code}, {reason}): check the protocol.",
                name=self._name,
                request=request.strip().decode("ascii", "replace"),
                code=message.command,
                reason=message.text,
            )
        return message

    async def _read(self, deadline: float, patience: float) -> list[Frame]:
        """Return the frames that complete next; NoAnswer or Garbled when none does in time."""
        before = self.reader.bytes
        frames = await self.reader.read(deadline)
        if not frames:
            raise self._nothing(patience, self.reader.bytes - before)
        return frames

    def _nothing(self, patience: float, seen: int) -> DriverError:
        if seen:
            return Garbled(
                "Only unreadable bytes come from {port}: check speed, framing and protocol.",
                port=self._link.address,
                bytes=seen,
            )
        return NoAnswer(
            "{name} at {port} did not answer within {timeout} s: check its power, cable and settings.",
            name=self._name,
            port=self._link.address,
            timeout=patience,
        )


def _now() -> float:
    """Return the loop's time [s], which a replay sets."""
    return asyncio.get_running_loop().time()
