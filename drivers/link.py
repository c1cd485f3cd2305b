"""A line of bytes to one instrument: a serial device, a pty, or a serial server.

The only importer of pyserial, which sets the line up and locks it; its file descriptor is then
read in the event loop, and opening runs in a thread, so the loop never blocks
(docs/decisions/0002). Knows no protocol.
"""

import asyncio
import contextlib
import errno
import os
import re
import socket
import termios
import time
from typing import Final, Protocol

import serial

from drivers.errors import BadDriverSettings, DriverError, LinkLost
from drivers.indication import Origin
from drivers.line_end import ends_here, is_loopback, is_pty

_CONNECTED_WITHIN: Final = 5.0
"""How long a serial server may take to accept a connection [s]."""
_AT_ONCE: Final = 4096
"""Most bytes of one read; a tty gives up to 4095."""
_BACKLOG: Final = 2048
"""A read of fewer bytes emptied the line."""
_CHARACTERS_OF_SILENCE: Final = 5
"""A sender that goes on leaves no pause between characters."""
_BUFFERED: Final = 0.025
"""How long an adapter holds characters back before it hands them on (FTDI: 16 ms) [s]."""
_PACKED: Final = 0.1
"""The same of a serial server, and the network's own unevenness [s]."""


class Tee(Protocol):
    """Where every byte is also written down."""

    def record(self, direction: str, data: bytes, at_ns: int, since_ns: int) -> None:
        """Keep what happened, ``received``, ``sent``, ``opened``, ``lost``, and when."""


class Link(Protocol):
    """The seam that a driver gets instead of a port name."""

    @property
    def address(self) -> str:
        """Name of the port, for people."""

    @property
    def local(self) -> bool:
        """Whether the line ends in software on this machine."""

    @property
    def silence(self) -> float:
        """How long a pause [s] says that nothing more belongs to what came."""

    @property
    def since_ns(self) -> int:
        """Monotonic clock [ns]: no byte of the last ``receive`` had arrived before this."""

    @property
    def arrived_ns(self) -> int:
        """Monotonic clock [ns]: the last byte of the last ``receive`` was here."""

    @property
    def sent_ns(self) -> int:
        """Monotonic clock [ns] just before the first byte of the last ``send`` left."""

    async def open(self) -> None:
        """Open the line; LinkLost says why it cannot be opened."""

    async def receive(self) -> bytes:
        """Wait for at least one byte; LinkLost when the line is gone."""

    def take(self) -> bytes:
        """Take what is here, without waiting; nothing when the line is empty."""

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
    match = _framing(framing)
    if baudrate not in serial.Serial.BAUDRATES:
        raise BadDriverSettings(
            "{baudrate} is no speed: write the baud rate as in 19200.", baudrate=baudrate
        )
    scheme, separator, place = port.partition("://")
    server = re.fullmatch(r"(.+):(\d{1,5})/?", place) if scheme == "socket" else None
    if separator and not (server and 0 < int(server[2]) < 65536):
        raise BadDriverSettings(
            "{port} is no serial port: write a device path or socket://host:port.", port=port
        )
    return SerialLink(port, baudrate, match[1], match[2], match[3], capture)


def _framing(text: str) -> re.Match[str]:
    match = re.fullmatch(r"([78])([NEO])([12])", text)
    if match is None:
        raise BadDriverSettings(
            "{framing} is no framing: write data bits, parity and stop bits as in 8E1.",
            framing=text,
        )
    return match


class SerialLink:
    """A serial device, pty or serial server; one task at a time may receive, and one send."""

    def __init__(
        self, port: str, baudrate: int, bits: str, parity: str, stop: str, capture: Tee | None
    ) -> None:
        self.address = port
        self.since_ns = self.arrived_ns = self.sent_ns = 0
        self._baudrate, self._bits, self._parity, self._stop = (
            baudrate,
            int(bits),
            parity,
            int(stop),
        )
        self._capture = capture
        self._port: serial.Serial | socket.socket | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._reading: asyncio.Future[None] | None = None
        self._watched = False
        self._empty_ns = 0
        self._buffer = bytearray(_AT_ONCE)  # a fresh one for each read would leave holes in memory
        self._read = b""
        """What was read for whoever waited and did not come to take it."""
        self._failed: OSError | None = None
        """What such a read failed with: a reset says so only once."""
        self._ends_here = is_pty(port) or is_loopback(port)

    @property
    def local(self) -> bool:
        """Whether the line ends in software on this machine: by name, and once open for certain."""
        return self._ends_here

    @property
    def silence(self) -> float:
        """How long a pause [s] says that nothing more belongs to what came."""
        character = (1 + self._bits + (self._parity != "N") + self._stop) / self._baudrate
        held_up = _PACKED if "://" in self.address else _BUFFERED
        return held_up + _CHARACTERS_OF_SILENCE * character

    async def open(self) -> None:
        """Open and lock the port, in a thread: opening a device or a socket may block."""
        await self.close()
        began_ns = time.monotonic_ns()
        opening = asyncio.get_running_loop().run_in_executor(None, self._open)
        try:
            port = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_late)
            raise
        except LinkLost as lost:
            self._note("lost", str(lost))
            raise
        self._port = port
        self.since_ns = self._empty_ns = began_ns
        self._note("opened", "", since_ns=began_ns)

    def _open(self) -> serial.Serial | socket.socket:
        try:
            port = self._connect() if "://" in self.address else self._open_device()
            try:
                self._ends_here = is_loopback(self.address) or ends_here(port.fileno())
            except OSError:
                port.close()
                raise
        except (OSError, ValueError, termios.error) as error:
            raise self._not_opened(error) from error
        return port

    def _connect(self) -> socket.socket:
        # Not pyserial's socket://, whose close sleeps for 0.3 s in whoever calls it.
        host, _, number = self.address.partition("://")[2].rstrip("/").rpartition(":")
        line = socket.create_connection((host.strip("[]"), int(number)), _CONNECTED_WITHIN)
        line.setblocking(False)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line

    def _open_device(self) -> serial.Serial:
        pty = is_pty(self.address)  # always 8N: asked for anything else, it refuses all there is
        port = serial.Serial(
            baudrate=self._baudrate,
            bytesize=serial.EIGHTBITS if pty else self._bits,
            parity=serial.PARITY_NONE if pty else self._parity,
            stopbits=self._stop,
            timeout=0,
            exclusive=True,
        )
        port.port = self.address
        port.open()
        try:
            _wait_for_bytes(port.fileno())
        except termios.error:
            port.close()
            raise
        return port

    async def tune(self, baudrate: int, framing: str) -> None:
        """Set another speed and framing, on the open line too; what came before is thrown away."""
        match = _framing(framing)
        self._baudrate, self._bits = baudrate, int(match[1])
        self._parity, self._stop = match[2], int(match[3])
        port = self._port
        if not isinstance(port, serial.Serial):
            return
        try:
            await asyncio.to_thread(self._set, port)
        except (OSError, ValueError, termios.error) as error:
            raise self._gone(str(error)) from error

    def _set(self, port: serial.Serial) -> None:
        changed: dict[str, object] = {"baudrate": self._baudrate, "stopbits": self._stop}
        if not is_pty(self.address):
            changed |= {"bytesize": self._bits, "parity": self._parity}
        port.apply_settings(changed)
        _wait_for_bytes(port.fileno())
        port.reset_input_buffer()

    def _not_opened(self, error: Exception) -> LinkLost:
        number = getattr(error, "errno", None)
        if number in (errno.ENOENT, errno.ENOTDIR):
            return LinkLost(
                "There is no port {port}: check the cable and the name.", port=self.address
            )
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
        reason = getattr(cause, "strerror", None) or str((cause.args or (cause,))[-1])
        return LinkLost(
            "The port {port} cannot be opened ({reason}): check the port, the cable and the device.",
            port=self.address,
            reason=reason,
        )

    async def receive(self) -> bytes:
        """Wait for at least one byte; LinkLost when the line is gone."""
        loop = asyncio.get_running_loop()
        while not (data := self.take()):
            await self._until_readable(loop)
        return data

    def take(self) -> bytes:
        """Take what is here, without waiting; nothing when the line is empty."""
        if self._port is None:
            raise self._gone("closed")
        try:
            if self._failed is not None:
                raise self._failed
            data, self._read = self._read or self._read_now(self._port), b""
        except OSError as error:
            raise self._gone(error.strerror) from error
        if data is None:
            # a tty that hung up and a socket that was shut both read as empty
            raise self._gone("hung up")
        if data and self._capture is not None:
            self._capture.record("received", data, self.arrived_ns, self.since_ns)
        return data

    def _read_now(self, port: serial.Serial | socket.socket) -> bytes | None:
        """Read what is here; nothing when the line is empty, None when it hung up."""
        now_ns = time.monotonic_ns()
        try:
            count = os.readv(port.fileno(), [self._buffer])
        except BlockingIOError:
            self._empty_ns = now_ns
            return b""
        if not count:
            return None
        data = bytes(self._buffer[:count])
        self.arrived_ns, self.since_ns = time.monotonic_ns(), self._empty_ns
        if len(data) < _BACKLOG:
            self._empty_ns = now_ns
        return data

    async def send(self, data: bytes) -> None:
        """Send all bytes; LinkLost when the line is gone."""
        loop = asyncio.get_running_loop()
        rest = data
        while rest:
            if self._port is None:
                raise self._gone("closed")
            now_ns = time.monotonic_ns()
            try:
                written = os.write(self._port.fileno(), rest)
            except BlockingIOError:
                await self._until_writable(loop)
                continue
            except OSError as error:
                raise self._gone(error.strerror) from error
            if rest is data:
                self.sent_ns = now_ns
            if self._capture is not None:
                self._capture.record("sent", rest[:written], now_ns, now_ns)
            rest = rest[written:]

    async def _until_readable(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until the line can be read, or is closed.

        The loop goes on watching: most lines are read again at once. Bytes that nobody takes end
        that, or it would spin on them.
        """
        port = self._port
        if port is None:
            return
        self._reading = loop.create_future()
        self._waiting.add(self._reading)
        if not self._watched:
            self._watched = True
            loop.add_reader(port.fileno(), self._readable, port)
        try:
            await self._reading
        finally:
            self._waiting.discard(self._reading)
            self._reading = None

    def _readable(self, port: serial.Serial | socket.socket) -> None:
        """Read for whoever waits; left to them, the loop would first see the same bytes again."""
        if self._reading is not None and not self._reading.done():
            try:
                self._read = self._read_now(port) or b""
            except OSError as error:
                self._failed = error
            _wake(self._reading)
        elif self._port is port:
            self._unwatch(port)

    def _unwatch(self, port: serial.Serial | socket.socket) -> None:
        self._watched = False
        asyncio.get_running_loop().remove_reader(port.fileno())

    async def _until_writable(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until the line takes bytes, or is closed."""
        port = self._port
        if port is None:
            return
        ready: asyncio.Future[None] = loop.create_future()
        self._waiting.add(ready)
        loop.add_writer(port.fileno(), _wake, ready)
        try:
            await ready
        finally:
            self._waiting.discard(ready)
            if self._port is port:
                loop.remove_writer(port.fileno())

    async def close(self) -> None:
        """Close the line; closing a closed line is nothing."""
        port, self._port = self._port, None
        if port is None:
            return
        self._unwatch(port)
        self._read, self._failed = b"", None
        asyncio.get_running_loop().remove_writer(port.fileno())
        for ready in self._waiting:
            _wake(ready)
        port.close()
        self._note("closed", "")

    def _gone(self, reason: str | None) -> LinkLost:
        lost = LinkLost(
            "The line to {port} is gone ({reason}): check the cable and the device.",
            port=self.address,
            reason=reason or "unknown",
        )
        if self._port is not None:
            self._note("lost", str(lost))
        return lost

    def _note(self, what: str, why: str, *, since_ns: int | None = None) -> None:
        """Write down what became of the line; a full disk is said at the next byte."""
        if self._capture is not None:
            now_ns = time.monotonic_ns()
            with contextlib.suppress(DriverError):
                since = now_ns if since_ns is None else since_ns
                self._capture.record(what, why.encode(), now_ns, since)


def _wake(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)


def _wait_for_bytes(descriptor: int) -> None:
    """Set VMIN to 1: with pyserial's 0 an empty line and a dead one would read the same."""
    settings = termios.tcgetattr(descriptor)
    settings[6][termios.VMIN] = 1
    settings[6][termios.VTIME] = 0
    termios.tcsetattr(descriptor, termios.TCSANOW, settings)


def _close_late(opening: "asyncio.Future[serial.Serial | socket.socket]") -> None:
    """Close a port whose opening finished after everyone had gone."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
