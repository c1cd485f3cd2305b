"""The far end of a simulated instrument's line: a real pty, or a real TCP port.

Knows how bytes come and go. Refuses to know what they mean.
"""

import asyncio
import contextlib
import os
import tty
from collections.abc import Callable
from pathlib import Path

from drivers.errors import LinkLost

Session = Callable[[Callable[[bytes], None]], Callable[[bytes], None]]
"""Given what sends bytes, return what takes the bytes that arrive; none when nobody is there."""


class PtyLine:
    """The instrument's end of a pty; its other end is held open, so that readers may come and go."""

    def __init__(self, session: Session, link: Path | None) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = self._device = os.ttyname(self._slave)
        self._link = link
        if link is not None:
            try:
                if _target(link).startswith("/dev/pts/"):  # one of ours, of before
                    link.unlink()
                link.symlink_to(self.path)
            except OSError as error:
                os.close(self._master)
                os.close(self._slave)
                raise LinkLost(
                    "A simulated instrument cannot be linked at {path} ({reason}): choose another.",
                    path=link,
                    reason=error.strerror,
                ) from error
            self.path = str(link)
        self._arrived = session(self._send)
        asyncio.get_running_loop().add_reader(self._master, self._readable)

    def _readable(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._arrived(os.read(self._master, 4096))

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody reads: a wire loses it too
            os.write(self._master, data)

    async def close(self) -> None:
        """Take the line away."""
        asyncio.get_running_loop().remove_reader(self._master)
        if self._link is not None and _target(self._link) == self._device:
            self._link.unlink()
        os.close(self._master)
        os.close(self._slave)


def _target(link: Path) -> str:
    """Return where a symbolic link points; empty for anything else."""
    return str(link.readlink()) if link.is_symlink() else ""


def host_and_port(place: str) -> tuple[str, int] | None:
    """Read ``//host:port``; None when there is no host or no such port."""
    host, _, number = place.removeprefix("//").rpartition(":")
    if not host or not number.isdecimal() or len(number) > 5 or int(number) > 65535:
        return None
    return host, int(number)


async def stop_listening(server: asyncio.Server) -> None:
    """Close a server, with no connection left half made.

    asyncio forgets to close one that it was accepting at that moment.
    """
    loop = asyncio.get_running_loop()
    for listener in server.sockets:
        loop.remove_reader(listener.fileno())
    for _ in range(3):  # what was accepted becomes a connection, to be closed as such
        await asyncio.sleep(0)
    server.close()


class TcpLine:
    """The instrument behind a serial server: any number of connections."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._server: asyncio.Server | None = None
        self._transports: set[asyncio.BaseTransport] = set()

    async def listen(self, host: str, port: int) -> str:
        """Begin to listen; return the port as a driver writes it."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Connection(self), host, port)
        except OSError as error:
            raise LinkLost(
                "A simulated instrument cannot listen on {host}:{port} ({reason}): choose another.",
                host=host,
                port=port,
                reason=error.strerror,
            ) from error
        return f"socket://{host}:{self._server.sockets[0].getsockname()[1]}"

    def begin(self, transport: asyncio.Transport) -> Callable[[bytes], None]:
        """Take a connection in; return what takes its bytes."""
        self._transports.add(transport)

        def send(data: bytes) -> None:
            if not transport.is_closing():
                transport.write(data)

        return self._session(send)

    def end(self, transport: asyncio.BaseTransport) -> None:
        """Forget a connection."""
        self._transports.discard(transport)

    async def close(self) -> None:
        """Take the line away."""
        if self._server is not None:
            await stop_listening(self._server)
        for transport in tuple(self._transports):
            transport.close()
        await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    def __init__(self, line: TcpLine) -> None:
        self._line = line
        self._arrived: Callable[[bytes], None] = lambda _: None
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._arrived = self._line.begin(transport)

    def data_received(self, data: bytes) -> None:
        self._arrived(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._line.end(self._transport)
            self._arrived(b"")
