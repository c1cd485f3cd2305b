"""A simulated scale that speaks MT-SICS, or any other protocol, over a real pty or TCP connection.

Physics is in drivers/physics.py and words are the codec's; here is only how a scale behaves. Its
model name says that it is simulated, and its lines end in this machine, which makes every verdict a
trial.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final

from drivers.codecs.codec import Answer, Codec, Decoded
from drivers.codecs.frame_codec import FrameCodec
from drivers.codecs.mt_sics import PRINTED, MtSics
from drivers.codecs.request_reader import RequestReader, Wish
from drivers.errors import BadDriverSettings
from drivers.framing import LineFramer
from drivers.indication import Condition
from drivers.physics import ScalePhysics
from drivers.simulated_line import PtyLine, TcpLine

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
        codec: Codec | None = None,
        streams: bool = False,
    ) -> None:
        """Make a scale; ``display_cycle`` [s] is the interval of streamed indications.

        ``codec`` is MT-SICS unless given; one that ``streams`` sends without being asked.
        """
        self.unit = unit
        self.physics = physics
        self._cycle = display_cycle
        self._serial = serial
        self._codec = MtSics() if codec is None else codec
        self._streams = streams
        self._known_unit()
        self._fault: ScaleFault | None = None
        self._random = random.Random(seed)  # noqa: S311 - noise, not secrets
        self._line: PtyLine | TcpLine | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stream: asyncio.Task[None] | None = None

    def _known_unit(self) -> None:
        """Refuse a unit that the protocol cannot carry; one that carries none takes any."""
        zero = Decimal(0).quantize(self.physics.d)
        here = Decoded(f"{zero:f}", zero, self.unit, Condition.DYNAMIC)
        sics = isinstance(self._codec, MtSics)
        if self.unit not in PRINTED if sics else self._frame(here) is None:
            raise BadDriverSettings(
                "A simulated scale cannot show {unit}: choose from {known}.",
                unit=self.unit,
                known=", ".join(dict.fromkeys(self._codec.units.values())),
            )

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
            line = PtyLine(self._session, Path(place) if place else None)
            self._line = line
            return line.path
        host, _, number = place.removeprefix("//").rpartition(":")
        if kind != "tcp" or not host or not number.isdecimal():
            raise BadDriverSettings(
                "{port} is no port for a simulated scale: write pty, pty:/path/to/link or "
                "tcp://127.0.0.1:PORT.",
                port=port,
            )
        tcp = TcpLine(self._session)
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
        reader = RequestReader(self._codec.requests)
        sics = isinstance(self._codec, MtSics)
        stream = self._begin(self._repeat(send)) if self._streams else None

        def arrived(data: bytes) -> None:
            if not data and stream is not None:  # the other side has gone
                stream.cancel()
            for line in framer.feed(data) if sics else ():
                self._begin(self._obey(line, send))
            for wish in () if sics else reader.feed(data):
                self._begin(self._grant(wish, send))

        return arrived

    def _begin(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _grant(self, wish: Wish, send: Callable[[bytes], None]) -> None:
        """Do what a request of another protocol than MT-SICS asks for."""
        if self._fault is ScaleFault.SILENCE:
            return
        if self._fault is ScaleFault.NOISE:
            send(self._random.randbytes(20))
            return
        if wish.kind == "stream":
            if self._stream is None and not self._streams:
                self._stream = asyncio.create_task(self._repeat(send))
            return
        answers: tuple[Answer, ...] | None = None
        if isinstance(self._codec, FrameCodec):
            if wish.kind == "identity":
                answers = self._codec.about(wish.request, "SIMULATED", self._serial)
            elif wish.kind != "poll":
                done = await (self._zeroed() if wish.kind == "zero" else self._tared())
                answers = self._codec.done(wish.request, accepted=done)
        if answers is None:
            self._send_weight(send)
        for answer in answers or ():
            send(self._codec.encode(answer))

    async def _zeroed(self) -> bool:
        """Set to zero when stable and near enough to the first zero; say whether it was done."""
        if not await self._stable() or abs(self._from_first_zero()) > self._zero_range():
            return False
        self.physics.zero(time.monotonic())
        return True

    async def _tared(self) -> bool:
        if not await self._stable() or self._beyond():
            return False
        self.physics.tare(time.monotonic())
        return True

    def _from_first_zero(self) -> Decimal:
        return self.physics.from_first_zero(time.monotonic())

    def _zero_range(self) -> Decimal:
        return self.physics.max * 2 / 100  # R 76 4.5.1: 4 % in all

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
                load = self._from_first_zero()
                if abs(load) > self._zero_range():
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
            return Decoded("", None, None, beyond, beyond.value)
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
                self._send_weight(send)
            elif self._fault is ScaleFault.NOISE:
                send(self._random.randbytes(20))
            await asyncio.sleep(self._cycle)

    def _send_weight(self, send: Callable[[bytes], None]) -> None:
        frame = self._frame(self._show())
        if frame is not None:  # a protocol without a word for overload falls silent
            send(frame)

    def _frame(self, shown: Decoded) -> bytes | None:
        """Write an indication as nearly as the protocol can carry it; None when not at all."""
        for nearly in self._as_carried(shown):
            try:
                return self._codec.encode(nearly)
            except BadDriverSettings:
                continue
        return None

    def _as_carried(self, shown: Decoded) -> Iterator[Decoded]:
        if isinstance(self._codec, MtSics):
            yield shown
            return
        if shown.value is not None and not self._codec.tells_stability:
            shown = replace(shown, condition=Condition.DYNAMIC)
        if shown.value is not None and self.physics.tared:
            yield replace(shown, detail="net")
            yield replace(shown, detail="net", unit=None)
        yield shown
        yield replace(shown, unit=None)
