"""Does on a real port what a search wants done: the only part of it that knows lines and time.

A scale is spoken to over the link of its driver, a bus over the line of its driver; the port changes
from the one to the other by closing it. Refuses to go on when the time is up.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

from drivers.errors import LinkLost
from drivers.link import SerialLink, open_link
from drivers.modbus_address import LineSettings, parse_url
from drivers.modbus_wire import ModbusLine, Outcome, Reply
from drivers.probe_plan import Action, Ask, Hear, Send, Tune
from drivers.probe_search import Search

_PLENTY = 2048
"""So many bytes say all that more of them would."""
_PAUSE = 0.02
"""After a pause between bytes it is looked at what they say [s]."""
_CONNECTED_WITHIN = 5.0
"""How long opening a line may take [s]."""
_T35 = 3.5
"""Characters of silence before an RTU frame (Modbus over serial line V1.02, 2.5.1.1)."""
_LEAST_T35 = 0.00175
"""And the least of it, above 19200 Bd [s]."""


class ProbePort:
    """One port in the hands of a search."""

    def __init__(self, port: str) -> None:
        """Describe the port; BadDriverSettings when it is none."""
        scheme, separator, place = port.partition("://")
        self._bus_url = port
        if not separator:
            self._bus_url = f"rtu://{port}"
        elif scheme == "socket":
            self._bus_url = f"rtu+tcp://{place}"
        self._link: SerialLink | None = None
        if scheme not in ("tcp", "rtu+tcp") or not separator:
            self._link = open_link(place if scheme == "rtu" else port)
        self._open = False
        self._baudrate = 9600
        self._ours = self._link is None
        """Whether no other program had the port: a line of Modbus does not look."""
        self._line: tuple[LineSettings, ModbusLine] | None = None
        if scheme != "socket":
            parse_url(self._bus_url)

    async def do(self, action: Action, left: float) -> bytes | Reply:
        """Do one thing, within the time that is left [s]."""
        match action:
            case Ask():
                return await self._ask(action, left)
            case Tune():
                self._baudrate = action.baudrate
                await (await self._listening()).tune(action.baudrate, action.framing)
            case Send():
                await self._send(await self._listening(), action)
            case Hear():
                return await self._hear(await self._listening(), action, left)
        return b""

    async def aclose(self) -> None:
        """Close the port."""
        await self._close_line()
        if self._link is not None:
            await self._link.close()
        self._open = False

    async def _listening(self) -> SerialLink:
        await self._close_line()
        assert self._link is not None  # noqa: S101 - a search asks a bus for registers only
        if not self._open:
            await self._link.open()
            self._open = self._ours = True
        return self._link

    async def _close_line(self) -> None:
        if self._line is not None:
            _, line = self._line
            self._line = None
            await line.close()

    async def _send(self, link: SerialLink, send: Send) -> None:
        for part in send.parts:
            await link.send(part)
            if send.apart:
                await asyncio.sleep(10 / self._baudrate + send.apart)

    async def _hear(self, link: SerialLink, hear: Hear, left: float) -> bytes:
        clock = asyncio.get_running_loop().time
        end = clock() + min(hear.seconds, left)
        data, looked_at, enough = b"", 0, False
        while (rest := end - clock()) > 0 and len(data) < _PLENTY:
            try:
                async with asyncio.timeout(min(rest, _PAUSE) if data else rest):
                    data += await link.receive()
                paused = False
            except TimeoutError:
                paused = True
            if hear.enough is None or enough or len(data) == looked_at:
                continue
            if paused or len(data) > 1.5 * looked_at + 32:
                looked_at, enough = len(data), hear.enough(data)
                end = min(end, clock() + hear.settle) if enough else end
        return data

    async def _ask(self, ask: Ask, left: float) -> Reply:
        line = await self._bus(ask)
        reply = await line.read(
            ask.unit, ask.kind, ask.address, ask.count, timeout=max(min(ask.wait, left), 0.001)
        )
        if reply.outcome is Outcome.LOST:
            await self._close_line()
        return reply

    async def _bus(self, ask: Ask) -> ModbusLine:
        settings = parse_url(self._bus_url, baudrate=ask.baudrate, framing=ask.framing)
        if self._line is not None and self._line[0] != settings:
            await self._close_line()
        if self._line is None:
            if not self._ours:
                await self._listening()
            if self._link is not None:
                await self._link.close()
                self._open = False
            line = ModbusLine(settings)
            try:
                await line.connect(_CONNECTED_WITHIN)
            except (OSError, ValueError) as error:
                raise LinkLost(
                    "{url} cannot be reached ({reason}): check the port, the cable and the device.",
                    url=self._bus_url,
                    reason=getattr(error, "strerror", None) or error,
                ) from error
            self._line = settings, line
        settings, line = self._line
        if settings.rtu:
            silent = max(_T35 * settings.character, _LEAST_T35)
            gone = (time.monotonic_ns() - line.last_byte_ns) / 1e9
            await asyncio.sleep(max(silent - gone, 0))
        return line


async def carry_out(search: Search, port: ProbePort, seen: Callable[[Search], None]) -> None:
    """Do the steps of a search until it ends or its time is up; ``seen`` is told before each."""
    steps = search.steps()
    with contextlib.closing(steps):
        try:
            action = next(steps)
            while (left := search.left()) > 0:
                seen(search)
                action = steps.send(await port.do(action, left))
        except StopIteration:
            return
    search.out_of_time = True
