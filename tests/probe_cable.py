"""A serial cable for tests of the probe: a UART at each end, so that speeds and framings matter.

A pty has neither; here bytes become bits at the speed of one end and bytes again at the speed of
the other, as they would on copper. ``VirtualLine`` has a clock of its own and needs no waiting;
``Cable`` is a real pty whose speed is what the program under test has set on it.
"""

import asyncio
import os
import termios
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from drivers.codecs.codec import Codec
from drivers.codecs.request_reader import RequestReader
from drivers.indication import Condition
from drivers.modbus_wire import Outcome, Reply
from drivers.probe_plan import Ask, Hear, Send, Tune
from drivers.probe_search import Search
from drivers.simulated_speech import Speech

SILENT = Reply(Outcome.SILENCE, (), 0, "silent", 0, 0)
_SPEEDS = {getattr(termios, f"B{n}"): n for n in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)}  # fmt: skip


def bits(data: bytes, framing: str) -> list[int]:
    """Return the levels of a line that carries these bytes, one per bit."""
    width, parity, stops = int(framing[0]), framing[1], int(framing[2])
    levels = []
    for byte in data:
        character = [byte >> n & 1 for n in range(width)]
        odd = sum(character) % 2
        check = {"N": [], "E": [odd], "O": [1 - odd]}[parity]
        levels += [0, *character, *check, *[1] * stops]
    return levels


def received(
    levels: list[int], sent_at: int, speed: int, framing: str, *, strict: bool = True
) -> bytes:
    """Return what a UART makes of the levels: one sample in the middle of each of its bits.

    A strict one loses a character with a wrong parity or without its stop bit, another hands it on.
    """
    width, parity = int(framing[0]), framing[1]
    heard, at, count = bytearray(), 0, len(levels)

    def level(when: int) -> int:  # in half bits of the receiver
        place = when * sent_at // (2 * speed)
        return levels[place] if place < count else 1

    while at < count:
        if levels[at]:
            at += 1
            continue
        began = -(-at * 2 * speed // sent_at)
        samples = [level(began + 2 * n + 1) for n in range(2 + width + (parity != "N"))]
        if samples[0]:
            at += 1
            continue
        byte = sum(bit << n for n, bit in enumerate(samples[1 : width + 1]))
        check = sum(samples[1:-1]) % 2
        if not strict or (samples[-1] and (parity == "N" or check == (parity == "O"))):
            heard.append(byte)
        at = (began + 2 * len(samples) - 1) * sent_at // (2 * speed)
        while at < count and not levels[at]:  # the line must rise before it can fall
            at += 1
    return bytes(heard)


def carried(data: bytes, sent_at: int, sent_as: str, speed: int, framing: str) -> bytes:
    """Return what comes of bytes between two ends of a cable."""
    return received(bits(data, sent_as), sent_at, speed, framing)


@dataclass
class FarEnd:
    """An instrument as the virtual line knows it."""

    codec: Codec
    baudrate: int = 9600
    framing: str = "8N1"
    every: float | None = None
    """Sends without being asked so often [s]; None waits for requests."""
    takes: float = 0.1
    """How long it thinks before it answers [s]."""
    loads: tuple[str, ...] = ("12.345", "12.350", "0.250")
    second: str = ""
    """What a second instrument on the same line answers to the same request."""

    unknown: bytes = b""
    """What it answers to a request that it does not know."""
    masks: bool = False
    """Whether it looks away from the highest bit of what it hears."""
    echo: bool = False
    """Whether the line gives back what is sent."""

    def frames(self) -> Iterator[bytes]:
        """Give the frames of its loads, without end."""
        while True:
            yield from map(self.shown, self.loads)

    def shown(self, load: str) -> bytes:
        """Return the frame that shows a load."""
        known = list(self.codec.units.values())
        speech = Speech(self.codec, "kg" if "kg" in known else known[0], Decimal("0.005"))
        return speech.frame(speech.weight(Decimal(load), Condition.STABLE)) or b""


class VirtualLine:
    """A line with its own clock between a search and an instrument."""

    def __init__(
        self, far: FarEnd | None = None, noise: bytes = b"", *, strict: bool = False
    ) -> None:
        """Join a port to an instrument; Linux hands on characters without a stop bit unless strict."""
        self.now = 0.0
        self.sent: list[tuple[int, str, bytes]] = []
        """Everything that the search sent: speed, framing of the port, bytes."""
        self.understood: list[bytes] = []
        """The requests that the instrument made out."""
        self._far, self._noise, self._strict = far, noise, strict
        self._budget = 30.0
        self._port = (9600, "8N1")
        self._coming: list[tuple[float, bytes]] = []
        if far is not None:
            self._frames = far.frames()
            self._reader = RequestReader(far.codec.requests)
            self._next = far.every or 0.0

    def disturb(self, at: float, data: bytes) -> None:
        """Let bytes come once [s] that nobody sends."""
        self._coming.append((at, data))

    def left(self, budget: float = 30.0) -> float:
        """Say how much of the budget is left [s]."""
        self._budget = budget
        return budget - self.now

    def run(self, search: Search) -> None:
        """Do the steps of a search until it ends or its time is up."""
        steps = search.steps()
        try:
            action: Any = next(steps)
            while search.left() > 0:
                action = steps.send(self._do(action))
        except StopIteration:
            return
        search.out_of_time = True

    def _do(self, action: Any) -> Any:
        match action:
            case Tune():
                self._port = (action.baudrate, action.framing)
                self._coming = [(at, data) for at, data in self._coming if at > self.now]
            case Send():
                for part in action.parts:
                    self._send(part)
                    self.now += action.apart
            case Hear():
                return self._hear(action)
            case Ask():
                self.now += action.wait
                return SILENT
        return b""

    def _send(self, data: bytes) -> None:
        self.sent.append((*self._port, data))
        self.now += len(data) * 10 / self._port[0]
        far = self._far
        if far is None or far.every is not None:
            return
        if far.echo:
            self._coming.append((self.now, data))
        heard = carried(data, *self._port, far.baudrate, far.framing)
        heard = bytes(byte & 0x7F for byte in heard) if far.masks else heard
        wishes = self._reader.feed(heard)
        if far.unknown and heard.endswith(b"\n") and not wishes:
            self._coming.append((self.now + 0.02, far.unknown))
        for wish in wishes:
            self.understood.append(wish.request)
            if wish.kind == "poll":
                frame = next(self._frames)
                after = far.takes + len(frame) * 10 / far.baudrate
                self._coming.append((self.now + after, frame))
                if far.second:
                    self._coming.append((self.now + after + 0.05, far.shown(far.second)))

    def _hear(self, hear: Hear) -> bytes:
        end = min(self.now + hear.seconds, self._budget)
        far = self._far
        while far is not None and far.every is not None and self._next <= end:
            if self._next > self.now:
                self._coming.append((self._next, next(self._frames)))
            self._next += far.every
        data = self._noise if hear.seconds > 1 else b""
        for at, frame in sorted(self._coming):
            if at > end or far is None:
                break
            self.now = max(self.now, at)
            levels = bits(frame, far.framing)
            data += received(levels, far.baudrate, *self._port, strict=self._strict)
            self._coming.remove((at, frame))
            if hear.enough is not None and hear.enough(data):
                end = min(end, self.now + hear.settle)
        self.now = end
        return data


class Cable:
    """A real pty whose far end is a UART of this speed and framing, joined to a TCP port."""

    def __init__(self, baudrate: int, framing: str) -> None:
        self.baudrate, self.framing = baudrate, framing
        self.heard = bytearray()
        """Everything that the program under test sent, as it left."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._writer: asyncio.StreamWriter | None = None

    def _speed(self) -> int:
        return _SPEEDS[termios.tcgetattr(self._slave)[4]]

    def _sent(self) -> None:
        data = os.read(self._master, 4096)
        self.heard += data
        if self._writer is not None:
            self._writer.write(carried(data, self._speed(), "8N1", self.baudrate, self.framing))

    async def _answered(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(4096):
            there = carried(data, self.baudrate, self.framing, self._speed(), "8N1")
            try:
                os.write(self._master, there)
            except BlockingIOError:  # nobody reads: a wire loses it too
                continue

    @asynccontextmanager
    async def to(self, address: str) -> AsyncIterator["Cable"]:
        """Join it to an instrument at ``socket://host:port``."""
        host, _, port = address.removeprefix("socket://").rpartition(":")
        reader, self._writer = await asyncio.open_connection(host, int(port))
        asyncio.get_running_loop().add_reader(self._master, self._sent)
        task = asyncio.create_task(self._answered(reader))
        try:
            yield self
        finally:
            asyncio.get_running_loop().remove_reader(self._master)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._writer.close()
            await self._writer.wait_closed()
            os.close(self._master)
            os.close(self._slave)
