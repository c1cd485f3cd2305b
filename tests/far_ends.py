"""Far ends of lines that can be pulled and returned: a pty behind a stable name, and a TCP server.

Whatever they say carries a number that only grows, so that an old value shows. They know nothing of
the drivers, and build their frames themselves.
"""

import asyncio
import os
import struct
import tty
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

Send = Callable[[bytes], None]
_HELD_BACK = 0.005
"""A server hands on what it still holds this long [s] after somebody connected."""


class Speech(Protocol):
    """What an instrument says; the same one whatever becomes of its line."""

    number: int
    """The number in what was said last."""

    def hear(self, data: bytes) -> Iterable[bytes]:
        """Take bytes; give the answers to the requests that are now whole."""

    def forget(self) -> None:
        """Forget half a request: the line is another one."""


class ScaleSpeech:
    """MT-SICS: the weight in g is the number."""

    def __init__(self) -> None:
        self.number, self._rest = 0, b""

    def hear(self, data: bytes) -> Iterable[bytes]:
        """Answer every line with a weight."""
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for _ in lines:
            yield self.say()

    def say(self) -> bytes:
        """Give the next weight."""
        self.number += 1
        return f"S S {self.number:10} g\r\n".encode()

    def forget(self) -> None:
        """Forget half a request."""
        self._rest = b""


class MeterSpeech:
    """Modbus: two registers hold the number, the same in every pair."""

    def __init__(self, *, rtu: bool) -> None:
        self.number, self._rest, self._rtu = 0, b"", rtu

    def hear(self, data: bytes) -> Iterable[bytes]:
        """Answer requests to read, which are all of one length."""
        self._rest += data
        length = 8 if self._rtu else 12
        while len(self._rest) >= length:
            request, self._rest = self._rest[:length], self._rest[length:]
            yield self._answer(request)

    def _answer(self, request: bytes) -> bytes:
        self.number += 1
        unit, function, _, count = struct.unpack(">BBHH", request[: 6 if self._rtu else 12][-6:])
        body = bytes((unit, function, 2 * count)) + struct.pack(">I", self.number) * (count // 2)
        if self._rtu:
            return body + crc(body).to_bytes(2, "little")
        return request[:4] + len(body).to_bytes(2, "big") + body

    def forget(self) -> None:
        """Forget half a request."""
        self._rest = b""


def crc(data: bytes) -> int:
    """Return the CRC of Modbus over Serial Line V1.02, 6.2.2."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return value


class Line(Protocol):
    """A line that can be pulled."""

    arrived: Callable[[bytes, Send], None]
    """Takes what the near end sent, and what sends to it."""

    async def plug(self, leftover: bytes) -> None:
        """Return the line under the same name; it still holds some bytes of before."""

    def pull(self) -> None:
        """Take the line away, now."""

    async def close(self) -> None:
        """Take the line away for good."""

    def send(self, data: bytes) -> None:
        """Send to whoever is there."""


class PulledPty:
    """A pty behind a symbolic link, as udev makes one for an adapter."""

    def __init__(self, link: Path) -> None:
        self._link, self._ends = link, (-1, -1)
        self.arrived: Callable[[bytes, Send], None] = lambda data, send: None

    async def plug(self, leftover: bytes) -> None:
        """Return it as another device under the same name."""
        master, slave = self._ends = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        os.write(master, leftover)
        self._link.symlink_to(os.ttyname(slave))
        asyncio.get_running_loop().add_reader(master, self._readable)

    def pull(self) -> None:
        """Take the adapter out."""
        master, slave = self._ends
        if master < 0:
            return
        self._ends = (-1, -1)
        self._link.unlink()
        asyncio.get_running_loop().remove_reader(master)
        os.close(slave)
        os.close(master)

    async def close(self) -> None:
        """Take it away for good."""
        self.pull()

    def send(self, data: bytes) -> None:
        """Send; a line that nobody reads loses what it cannot hold."""
        if self._ends[0] >= 0:
            with suppress(BlockingIOError):
                os.write(self._ends[0], data)

    def _readable(self) -> None:
        with suppress(BlockingIOError):
            self.arrived(os.read(self._ends[0], 4096), self.send)


class PulledServer:
    """A TCP server that goes with all its connections, and comes back under the same number."""

    def __init__(self) -> None:
        self.port = 0
        self._server: asyncio.Server | None = None
        self._ending: asyncio.Task[None] | None = None
        self._connections: set[asyncio.Transport] = set()
        self._leftover = b""
        self.arrived: Callable[[bytes, Send], None] = lambda data, send: None

    async def plug(self, leftover: bytes) -> None:
        """Listen again; whoever connects first gets the bytes of before."""
        self._leftover = leftover
        await self._ended()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", self.port, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def pull(self) -> None:
        """Listen no longer and reset every connection."""
        server, self._server = self._server, None
        if server is not None:
            for listener in server.sockets:
                asyncio.get_running_loop().remove_reader(listener.fileno())
            self._ending = asyncio.create_task(_end(server))
        for connection in self._connections:
            connection.abort()

    async def _ended(self) -> None:
        if self._ending is not None:
            await self._ending

    async def close(self) -> None:
        """Take it away for good."""
        self.pull()
        await self._ended()

    def send(self, data: bytes) -> None:
        """Send to everyone who is connected."""
        for connection in self._connections:
            connection.write(data)

    def connected(self, connection: asyncio.Transport) -> None:
        """Take a connection in."""
        if self._server is None:  # it was accepted as the line was pulled
            connection.abort()
            return
        self._connections.add(connection)
        leftover, self._leftover = self._leftover, b""
        asyncio.get_running_loop().call_later(_HELD_BACK, connection.write, leftover)

    def gone(self, connection: asyncio.BaseTransport | None) -> None:
        """Forget a connection."""
        self._connections.discard(connection)  # type: ignore[arg-type]


async def _end(server: asyncio.Server) -> None:
    """Close a server once what it had accepted is a connection; asyncio would leave it open."""
    for _ in range(4):
        await asyncio.sleep(0)
    server.close()


class _Connection(asyncio.Protocol):
    def __init__(self, line: PulledServer) -> None:
        self._line = line
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._line.connected(transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._line.arrived(data, self._transport.write)

    def connection_lost(self, exc: Exception | None) -> None:
        self._line.gone(self._transport)
