"""The Modbus line of simulated meters: a real server, over TCP, RTU over TCP, or a pty.

Knows how units share a line. Refuses to know what their registers mean.
"""

import asyncio
import os
import tty
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from drivers.errors import BadDriverSettings, LinkLost
from drivers.modbus_wire import Registers, RegisterServer
from drivers.simulated_line import host_and_port


class Unit(Registers, Protocol):
    """A unit of the line."""

    unit: int
    """Modbus unit identifier."""


class SimulatedBus:
    """Several simulated meters as units of one Modbus line."""

    def __init__(self, *meters: Unit) -> None:
        self._meters = {meter.unit: meter for meter in meters}
        self._server: RegisterServer | None = None

    async def start(self, port: str) -> str:
        """Serve on ``tcp://``, ``rtu+tcp://``, ``pty`` or ``pty:/path/to/link``; give the URL."""
        kind, _, place = port.partition(":")
        if kind == "pty":
            self._server = RegisterServer(self._meters, rtu=True)
            line = _Pty(Path(place) if place else None)
            self._server.attach(line.serve)
            return f"rtu://{line.path}"
        where = host_and_port(place)
        if kind not in ("tcp", "rtu+tcp") or where is None:
            raise BadDriverSettings(
                "{port} is no port for a simulated meter: write tcp://127.0.0.1:PORT, "
                "rtu+tcp://127.0.0.1:PORT, pty or pty:/path/to/link.",
                port=port,
            )
        server = RegisterServer(self._meters, rtu=kind != "tcp", address=where)
        try:
            host, used = await server.listen_on_tcp()
        except OSError as exc:
            raise LinkLost(
                "A simulated meter cannot listen on {port} ({reason}): choose another port.",
                port=port,
                reason=exc.strerror or exc,
            ) from exc
        self._server = server
        return f"{kind}://{host}:{used}"

    async def stop(self) -> None:
        """Take the line away, clients and all."""
        if self._server is not None:
            await self._server.stop()
            self._server = None


class _Pty(asyncio.Transport):
    """The instrument's side of a pty as an asyncio transport."""

    def __init__(self, link: Path | None) -> None:
        super().__init__()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._link = link
        if link is not None:
            with suppress(FileNotFoundError):
                if link.is_symlink():
                    link.unlink()
            link.symlink_to(self.path)
            self.path = str(link)
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def serve(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Hand what arrives to a protocol."""
        self._loop.add_reader(self._master, self._arrived, protocol)
        return self

    def _arrived(self, protocol: asyncio.Protocol) -> None:
        with suppress(BlockingIOError):
            protocol.data_received(os.read(self._master, 4096))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Put bytes on the line; a line nobody reads loses them, as a wire does."""
        if not self._closed:
            with suppress(BlockingIOError):
                os.write(self._master, data)

    def close(self) -> None:
        """Hang up and take the link away."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        if self._link is not None:
            self._link.unlink(missing_ok=True)

    def abort(self) -> None:
        """Hang up."""
        self.close()
