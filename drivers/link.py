"""A line of bytes to one instrument: a serial device, a pty, or a serial server.

The only importer of pyserial, which sets the line up and locks it; its file descriptor is then
read in the event loop, and opening runs in a thread, so the loop never blocks
(docs/decisions/0002). Knows no protocol.
"""

import asyncio
import errno
import ipaddress
import os
import re
import socket
import stat
import termios
from pathlib import Path
from typing import Protocol

import serial

from drivers.errors import BadDriverSettings, LinkLost
from drivers.indication import Origin


class Tee(Protocol):
    """Where every byte is also written down."""

    def record(self, direction: str, data: bytes) -> None:
        """Keep bytes with their direction, ``received`` or ``sent``."""


class Link(Protocol):
    """The seam that a driver gets instead of a port name."""

    @property
    def address(self) -> str:
        """Name of the port, for people."""

    @property
    def local(self) -> bool:
        """Whether the line ends in software on this machine."""

    async def open(self) -> None:
        """Open the line; LinkLost says why it cannot be opened."""

    async def receive(self) -> bytes:
        """Wait for at least one byte; LinkLost when the line is gone."""

    async def send(self, data: bytes) -> None:
        """Send all bytes; LinkLost when the line is gone."""

    async def close(self) -> None:
        """Close the line; closing a closed line is nothing."""


def origin_of(link: Link) -> Origin:
    """Say where a link's indications come from: software on this machine is no instrument."""
    return Origin.SIMULATED if link.local else Origin.WIRE


def open_link(
    port: str, *, baudrate: int = 9600, framing: str = "8N1", capture: Tee | None = None
) -> "SerialLink":
    """Describe the link to a port; nothing is opened yet."""
    match = re.fullmatch(r"([78])([NEO])([12])", framing)
    if match is None:
        raise BadDriverSettings(
            "{framing} is no framing: write data bits, parity and stop bits as in 8E1.",
            framing=framing,
        )
    if baudrate not in serial.Serial.BAUDRATES:
        raise BadDriverSettings(
            "{baudrate} is no speed: write the baud rate as in 19200.", baudrate=baudrate
        )
    scheme, separator, place = port.partition("://")
    if separator and not (scheme == "socket" and re.fullmatch(r".+:\d{1,5}/?", place)):
        raise BadDriverSettings(
            "{port} is no serial port: write a device path or socket://host:port.", port=port
        )
    return SerialLink(port, baudrate, match[1], match[2], match[3], capture)


class SerialLink:
    """A serial device, pty or serial server."""

    def __init__(
        self, port: str, baudrate: int, bits: str, parity: str, stop: str, capture: Tee | None
    ) -> None:
        self.address = port
        self._pty = _is_pty(port)
        self._baudrate, self._bits, self._stop = baudrate, int(bits), int(stop)
        self._parity = serial.PARITY_NONE if self._pty else parity  # a pty has no parity
        self._capture = capture
        self._port: serial.SerialBase | None = None
        self._readable = asyncio.Event()
        self._remote_is_here = _is_loopback(port)

    @property
    def local(self) -> bool:
        """Whether the line ends in software on this machine."""
        return self._pty or self._remote_is_here

    async def open(self) -> None:
        """Open and lock the port, in a thread: opening a device or a socket may block."""
        await self.close()
        opening = asyncio.get_running_loop().run_in_executor(None, self._open)
        try:
            self._port = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_late)
            raise
        self._readable.clear()
        asyncio.get_running_loop().add_reader(self._port.fileno(), self._readable.set)

    def _open(self) -> serial.SerialBase:
        if "://" not in self.address and not Path(self.address).exists():
            raise LinkLost(
                "There is no port {port}: check the cable and the name.", port=self.address
            )
        try:
            port = serial.serial_for_url(
                self.address,
                do_not_open=True,
                baudrate=self._baudrate,
                bytesize=self._bits,
                parity=self._parity,
                stopbits=self._stop,
                timeout=0,
                exclusive=True,
            )
            port.open()
        except (OSError, ValueError, serial.SerialException) as error:
            raise self._not_opened(error) from error
        if os.isatty(port.fileno()):
            _wait_for_bytes(port.fileno())
        self._remote_is_here = self._remote_is_here or _ends_here(port.fileno())
        return port

    def _not_opened(self, error: Exception) -> LinkLost:
        number = getattr(error, "errno", None)
        if number in (errno.EAGAIN, errno.EBUSY, errno.EWOULDBLOCK):
            return LinkLost(
                "The port {port} is in use by another program: end that first.", port=self.address
            )
        if number in (errno.EACCES, errno.EPERM):
            return LinkLost(
                "The port {port} may not be opened by this user: add the user to group dialout.",
                port=self.address,
            )
        cause = error.__cause__ or error.__context__ or error
        reason = getattr(cause, "strerror", None) or str(error)
        return LinkLost(
            "The port {port} cannot be opened ({reason}): check the port, the cable and the device.",
            port=self.address,
            reason=reason,
        )

    async def receive(self) -> bytes:
        """Wait for at least one byte; LinkLost when the line is gone."""
        while True:
            if self._port is None:
                raise self._gone("closed")
            try:
                data = os.read(self._port.fileno(), 65536)
            except (BlockingIOError, InterruptedError):
                self._readable.clear()
                await self._readable.wait()
                continue
            except OSError as error:
                raise self._gone(error.strerror) from error
            if not data:
                # a tty that hung up and a socket that was shut both read as empty
                raise self._gone("hung up")
            if self._capture is not None:
                self._capture.record("received", data)
            return data

    async def send(self, data: bytes) -> None:
        """Send all bytes; LinkLost when the line is gone."""
        if self._capture is not None:
            self._capture.record("sent", data)
        rest = memoryview(data)
        while rest:
            if self._port is None:
                raise self._gone("closed")
            try:
                rest = rest[os.write(self._port.fileno(), rest) :]
            except BlockingIOError:
                await _writable(self._port.fileno())
            except OSError as error:
                raise self._gone(error.strerror) from error

    async def close(self) -> None:
        """Close the line; closing a closed line is nothing."""
        port, self._port = self._port, None
        self._readable.set()
        if port is not None:
            asyncio.get_running_loop().remove_reader(port.fileno())
            port.close()

    def _gone(self, reason: str | None) -> LinkLost:
        return LinkLost(
            "The line to {port} is gone ({reason}): check the cable and the device.",
            port=self.address,
            reason=reason or "unknown",
        )


def _wait_for_bytes(descriptor: int) -> None:
    """Set VMIN to 1: with pyserial's 0 an empty line and a dead one would read the same."""
    settings = termios.tcgetattr(descriptor)
    settings[6][termios.VMIN] = 1
    settings[6][termios.VTIME] = 0
    termios.tcsetattr(descriptor, termios.TCSANOW, settings)


async def _writable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(descriptor)


def _close_late(opening: "asyncio.Future[serial.SerialBase]") -> None:
    """Close a port whose opening finished after everyone had gone."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _is_pty(port: str) -> bool:
    return "://" not in port and os.path.realpath(port).startswith("/dev/pts/")


def _ends_here(descriptor: int) -> bool:
    """Say whether a socket's other end is an address of this machine."""
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return False
    with socket.socket(fileno=os.dup(descriptor)) as line:
        return bool(line.getpeername()[0] == line.getsockname()[0])


def _is_loopback(port: str) -> bool:
    if "://" not in port:
        return False
    host = port.partition("://")[2].rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
