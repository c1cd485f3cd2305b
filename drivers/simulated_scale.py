"""A simulated scale that speaks MT-SICS over a real pty or TCP connection.

Physics is in drivers/physics.py; here is only how a scale of this protocol behaves. Its model name
says that it is simulated, and its lines end in this machine, which makes every verdict a trial.
"""

import asyncio
import contextlib
import os
import random
import time
import tty
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final

from drivers.codecs.codec import Answer, Decoded
from drivers.codecs.mt_sics import PRINTED, MtSics
from drivers.errors import BadDriverSettings, LinkLost
from drivers.framing import LineFramer
from drivers.indication import Condition
from drivers.physics import ScalePhysics

_STABLE_WITHIN: Final = 3.0
"""How long S, Z and T wait for a stable indication before they answer I [s]."""
_KNOWN: Final = ("I0", "I1", "I2", "I3", "I4", "S", "SI", "SIR", "Z", "ZI", "T", "TI", "TA", "@")


class ScaleFault(StrEnum):
    """What a simulated scale can be told to suffer."""

    SILENCE = "silence"
    NOISE = "noise"
    """Random bytes instead of answers, as a wrong baud rate gives."""
    OVERLOAD = "overload"


class SimulatedScale:
    """One scale on one line."""

    def __init__(
        self,
        physics: ScalePhysics,
        *,
        unit: str = "g",
        display_cycle: float = 0.05,
        serial: str = "SIM-1",
        seed: int = 1,
    ) -> None:
        """Make a scale; ``display_cycle`` [s] is the interval of streamed indications."""
        if unit not in PRINTED:
            raise BadDriverSettings(
                "A simulated scale cannot show {unit}: choose from {known}.",
                unit=unit,
                known=", ".join(PRINTED),
            )
        self.unit = unit
        self.physics = physics
        self._cycle = display_cycle
        self._serial = serial
        self._codec = MtSics()
        self._fault: ScaleFault | None = None
        self._random = random.Random(seed)  # noqa: S311 - noise, not secrets
        self._line: _PtyLine | _TcpLine | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stream: asyncio.Task[None] | None = None

    def place(self, load: Decimal, position: int = 0) -> None:
        """Put this load in all on the receptor, in the scale's unit."""
        self.physics.place(load, position, time.monotonic())

    async def zero(self) -> None:
        """Press the zero key: wait until stable, then take zero."""
        await self._stable()
        self.physics.zero(time.monotonic())

    def fail(self, kind: ScaleFault | str) -> None:
        """Suffer a fault from now on."""
        if kind not in tuple(ScaleFault):
            raise BadDriverSettings(
                "A simulated scale has no fault {kind}: choose from {known}.",
                kind=kind,
                known=", ".join(ScaleFault),
            )
        self._fault = ScaleFault(kind)

    def recover(self) -> None:
        """Be healthy again."""
        self._fault = None

    async def start(self, port: str = "pty") -> str:
        """Answer on ``pty``, ``pty:/path/to/link`` or ``tcp://127.0.0.1:PORT``; give the port."""
        kind, _, place = port.partition(":")
        if kind == "pty":
            line = _PtyLine(self._session, Path(place) if place else None)
            self._line = line
            return line.path
        host, _, number = place.removeprefix("//").rpartition(":")
        if kind != "tcp" or not host or not number.isdecimal():
            raise BadDriverSettings(
                "{port} is no port for a simulated scale: write pty, pty:/path/to/link or "
                "tcp://127.0.0.1:PORT.",
                port=port,
            )
        tcp = _TcpLine(self._session)
        self._line = tcp
        return await tcp.listen(host, int(number))

    async def stop(self) -> None:
        """Take the line away."""
        tasks = (*self._tasks, *([self._stream] if self._stream else []))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._stream = None
        if self._line is not None:
            await self._line.close()
            self._line = None

    def _session(self, send: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """Begin a conversation; return what takes the bytes that arrive."""
        framer = LineFramer()

        def arrived(data: bytes) -> None:
            for line in framer.feed(data):
                task = asyncio.get_running_loop().create_task(self._obey(line, send))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

        return arrived

    async def _obey(self, line: bytes, send: Callable[[bytes], None]) -> None:
        if self._fault is ScaleFault.SILENCE:
            return
        if self._fault is ScaleFault.NOISE:
            send(self._random.randbytes(20))
            return
        command = line.decode("ascii", "replace")
        if command not in _KNOWN:
            send(self._codec.encode(Answer("ES", "", error=True)))
            return
        if command in ("S", "SI", "SIR", "@") and self._stream is not None:
            self._stream.cancel()
            self._stream = None
        if command == "SIR":
            self._stream = asyncio.create_task(self._repeat(send))
        elif command in ("S", "SI"):
            if command == "S" and not await self._stable():
                send(b"S I\r\n")
            else:
                send(self._codec.encode(self._show()))
        else:
            for answer in await self._answers(command):
                send(self._codec.encode(answer))

    async def _answers(self, command: str) -> list[Answer]:
        now = time.monotonic()
        match command:
            case "I0":
                levels = [f'{int(c[0] == "T")} "{c}"' for c in _KNOWN]
                statuses = ["B"] * (len(levels) - 1) + ["A"]
                return [Answer("I0", *line) for line in zip(statuses, levels, strict=True)]
            case "I1":
                return [Answer("I1", "A", "01")]
            case "I2":
                return [Answer("I2", "A", f"SIMULATED {self.physics.max} {self.unit}")]
            case "I3":
                return [Answer("I3", "A", "tante-sari simulation")]
            case "I4":
                return [Answer("I4", "A", self._serial)]
            case "@":
                self.physics.untare()
                return [Answer("I4", "A", self._serial)]
            case "Z" | "ZI":
                if command == "Z" and not await self._stable():
                    return [Answer("Z", "I")]
                load = self.physics.from_first_zero(time.monotonic())
                if abs(load) > self.physics.max * 2 / 100:  # R 76 4.5.1: 4 % in all
                    return [Answer(command, "+" if load > 0 else "-")]
                done = "A" if command == "Z" else "S" if self.physics.stable(now) else "D"
                self.physics.zero(time.monotonic())
                return [Answer(command, done)]
            case "T" | "TI":
                if command == "T" and not await self._stable():
                    return [Answer("T", "I")]
                if beyond := self._beyond():
                    return [Answer(command, "+" if beyond is Condition.OVERLOAD else "-")]
                status = "S" if self.physics.stable(time.monotonic()) else "D"
                return [Answer(command, status, self._mass(self.physics.tare(time.monotonic())))]
            case _:
                return [Answer(command, "A", self._mass(self.physics.tared))]

    def _mass(self, value: Decimal) -> str:
        return f"{value:>10f} {PRINTED[self.unit]}"

    def _beyond(self) -> Condition | None:
        """Say whether the load is above or below what the display can show, tare disregarded."""
        load = self.physics.gross(time.monotonic())
        if self._fault is ScaleFault.OVERLOAD or load > self.physics.max + 9 * self.physics.e:
            return Condition.OVERLOAD
        return Condition.UNDERLOAD if load < -20 * self.physics.e else None

    def _show(self) -> Decoded:
        if beyond := self._beyond():
            return Decoded("", None, None, beyond)
        shown = self.physics.shown(time.monotonic())
        condition = Condition.STABLE if shown.stable else Condition.DYNAMIC
        return Decoded(f"{shown.value:f}", shown.value, self.unit, condition)

    async def _stable(self) -> bool:
        give_up = time.monotonic() + _STABLE_WITHIN
        while not self.physics.stable(time.monotonic()):
            if time.monotonic() > give_up:
                return False
            await asyncio.sleep(self._cycle)
        return True

    async def _repeat(self, send: Callable[[bytes], None]) -> None:
        while True:
            if self._fault is None or self._fault is ScaleFault.OVERLOAD:
                send(self._codec.encode(self._show()))
            elif self._fault is ScaleFault.NOISE:
                send(self._random.randbytes(20))
            await asyncio.sleep(self._cycle)


Session = Callable[[Callable[[bytes], None]], Callable[[bytes], None]]


class _PtyLine:
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
        asyncio.get_running_loop().remove_reader(self._master)
        if self._link is not None and _target(self._link) == self._device:
            self._link.unlink()
        os.close(self._master)
        os.close(self._slave)


def _target(link: Path) -> str:
    """Return where a symbolic link points; empty for anything else."""
    return str(link.readlink()) if link.is_symlink() else ""


class _TcpLine:
    """The instrument behind a serial server: any number of connections."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._server: asyncio.Server | None = None
        self._transports: set[asyncio.BaseTransport] = set()

    async def listen(self, host: str, port: int) -> str:
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
        self._transports.add(transport)

        def send(data: bytes) -> None:
            if not transport.is_closing():
                transport.write(data)

        return self._session(send)

    def end(self, transport: asyncio.BaseTransport) -> None:
        self._transports.discard(transport)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for transport in tuple(self._transports):
            transport.close()
        await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    def __init__(self, line: _TcpLine) -> None:
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
