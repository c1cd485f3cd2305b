"""The far end of a serial line for tests: a pty's master, and what a wrong speed makes of bytes."""

import asyncio
import fcntl
import os
import struct
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

Answering = Callable[[bytes], Sequence[tuple[float, bytes]]]
"""A line without its CR LF -> answers, each with the delay [s] after which it is sent."""


class Wire:
    """A pty whose near end is a port for a driver; here is the far end.

    ``answer`` turns every line that arrives into answers; without it the bytes wait for ``read``.
    """

    def __init__(self, answer: Answering | None = None) -> None:
        self.answer = answer
        self.heard: list[bytes] = []
        self.closed = False
        self._rest = b""
        self._timers: list[asyncio.TimerHandle] = []

    async def __aenter__(self) -> Self:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        if self.answer is not None:
            asyncio.get_running_loop().add_reader(self._master, self._arrived)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pull()

    def pull(self) -> None:
        """Pull the cable."""
        if not self.closed:
            self.closed = True
            for timer in self._timers:
                timer.cancel()
            asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._master)
            os.close(self._slave)

    def _arrived(self) -> None:
        *lines, self._rest = (self._rest + os.read(self._master, 4096)).split(b"\r\n")
        for line in lines:
            self.heard.append(line)
            for delay, data in self.answer(line) if self.answer else ():
                timer = asyncio.get_running_loop().call_later(delay, self.send, data)
                self._timers.append(timer)

    def send(self, data: bytes) -> None:
        """Send bytes at once; they must fit into the line."""
        assert os.write(self._master, data) == len(data)

    def fill(self) -> int:
        """Fill the line towards the instrument until nothing more fits; return how much did."""
        near = os.open(self.port, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        count = 0
        try:
            while True:
                count += os.write(near, b"x" * 4096)
        except BlockingIOError:
            return count
        finally:
            os.close(near)

    async def read(self, count: int) -> bytes:
        """Wait for this many bytes."""
        loop = asyncio.get_running_loop()
        data = b""
        while len(data) < count:
            readable = asyncio.Event()
            loop.add_reader(self._master, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(self._master)
            data += os.read(self._master, count - len(data))
        return data

    def waiting(self) -> int:
        """Return how many bytes the near end could read now."""
        answer = fcntl.ioctl(self._slave, termios.FIONREAD, b"\0" * 4)
        return int(struct.unpack("I", answer)[0])

    async def until_waiting(self, count: int) -> None:
        """Wait until the near end could read this many bytes."""
        while self.waiting() < count:
            await asyncio.sleep(0.001)


def at_wrong_speed(data: bytes, ratio: float) -> bytes:
    """Return what a receiver reads whose bits last ``ratio`` times as long as the sender's (8N1)."""
    levels: list[int] = [1]
    for byte in data:
        levels += [0, *(byte >> bit & 1 for bit in range(8)), 1]
    levels += [1] * 40
    return bytes(_sampled(levels, ratio))


def _sampled(levels: Sequence[int], ratio: float) -> Iterator[int]:
    at = 0.0
    while int(at + 9.5 * ratio) < len(levels):
        if levels[int(at)]:
            at = int(at) + 1.0  # idle: wait for the edge of a start bit
            continue
        bits = [levels[int(at + (n + 1.5) * ratio)] for n in range(8)]
        yield sum(bit << n for n, bit in enumerate(bits))
        at += 9.5 * ratio
        while int(at) < len(levels) and not levels[int(at)]:  # framing error: wait for the line
            at = int(at) + 1.0
