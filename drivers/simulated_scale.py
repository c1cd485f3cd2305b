"""A simulated scale that speaks MT-SICS, or any other protocol, over a real pty or TCP connection.

Physics is in drivers/physics.py and words are the codec's; here is only how a scale behaves. Its
model name says that it is simulated, and its lines end in this machine, which makes every verdict a
trial.
"""

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Final

from drivers import simulated_sics
from drivers.codecs.codec import Answer, Codec, Decoded
from drivers.codecs.frame_codec import FrameCodec
from drivers.codecs.mt_sics import MtSics
from drivers.codecs.request_reader import RequestReader, Wish
from drivers.errors import BadDriverSettings
from drivers.framing import LineFramer
from drivers.indication import Condition
from drivers.physics import ScalePhysics
from drivers.simulated_clock import SimulatedClock
from drivers.simulated_faults import DEAF, OF_SCALES, Damage, Fault, without_a_name
from drivers.simulated_line import PtyLine, TcpLine, host_and_port
from drivers.simulated_speech import Speech, spoiled

_STABLE_WITHIN: Final = 3.0
"""How long S, Z and T wait for a stable indication before they answer I [s]."""

Send = Callable[[bytes], None]


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
        clock: SimulatedClock | None = None,
        boot_time: float = 1.0,
    ) -> None:
        """Make a scale; ``display_cycle`` [s] is the interval of streamed indications.

        ``codec`` is MT-SICS unless given; one that ``streams`` sends without being asked. From
        power on to the first answer it takes ``boot_time`` [s].
        """
        self.unit, self.serial = unit, serial
        self.physics = physics
        self.clock = clock or SimulatedClock()
        self.fault: Fault | None = None
        self._cycle, self._boot_time = display_cycle, boot_time
        self._codec = MtSics() if codec is None else codec
        self._sics = isinstance(self._codec, MtSics)
        self._streams = streams
        self._speech = Speech(self._codec, unit, physics.d)
        self._late = 0.0
        self._stale: Decoded | None = None
        self._damage = Damage(seed)
        self._port = ""
        self._line: PtyLine | TcpLine | None = None
        self._heard: set[Send] = set()
        """Those who are connected now."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._stream: asyncio.Task[None] | None = None

    def place(self, load: Decimal, position: int = 0) -> None:
        """Put this load in all on the receptor, in the scale's unit."""
        self.physics.place(load, position, self.clock())

    async def zero(self, *, at: float | None = None) -> float:
        """Press the zero key: wait until stable, then take zero; return when it was."""
        moment = begun = self.clock() if at is None else at
        patience = _STABLE_WITHIN * self.clock.pace
        step = max(self._cycle, patience / 2000)
        while not self.physics.stable(moment) and moment < begun + patience:  # ahead of time
            moment += step
        await self.clock.until(moment)
        self.physics.zero(moment)
        return moment

    def fail(self, kind: Fault | str, *, delay: float = 1.5) -> None:
        """Suffer a fault from now on; ``delay`` [s] is how late late answers are."""
        if kind not in OF_SCALES:
            raise BadDriverSettings(
                "A simulated scale has no fault {kind}: choose from {known}.",
                kind=kind,
                known=", ".join(OF_SCALES),
            )
        fault = Fault(kind)
        if fault is Fault.CHECKSUM and not self._speech.checks(self._somebody()):
            raise BadDriverSettings("The protocol {name} has no checksum.", name=self._codec.name)
        if fault is Fault.ADAPTER and self._port == "pty":
            raise without_a_name()
        if self.fault is Fault.ADAPTER:
            self._begin(self._plug())
        self._stale = self._show() if fault is Fault.STALE else None
        self.fault, self._late = fault, delay
        if fault is Fault.ADAPTER:
            self._begin(self._unplug())
        elif fault is Fault.POWER:
            self._begin(self._restart())

    def recover(self) -> None:
        """Be healthy again; a scale that starts takes its time."""
        if self.fault is Fault.ADAPTER:
            self._begin(self._plug())
        self._stale = None
        if self.fault is not Fault.POWER:
            self.fault = None

    async def start(self, port: str = "pty") -> str:
        """Answer on ``pty``, ``pty:/path/to/link`` or ``tcp://127.0.0.1:PORT``; give the port."""
        kind, _, place = port.partition(":")
        self._port = port
        if kind == "pty":
            line = PtyLine(self._session, Path(place) if place else None)
            self._line = line
            return line.path
        where = host_and_port(place)
        if kind != "tcp" or where is None:
            raise BadDriverSettings(
                "{port} is no port for a simulated scale: write pty, pty:/path/to/link or "
                "tcp://127.0.0.1:PORT.",
                port=port,
            )
        tcp = TcpLine(self._session)
        self._line = tcp
        address = await tcp.listen(*where)
        self._port = address.replace("socket:", "tcp:", 1)  # to come back under the same number
        return address

    async def stop(self) -> None:
        """Take the line away."""
        tasks = (*self._tasks, *([self._stream] if self._stream else []))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._stream = None
        await self._unplug()

    async def _unplug(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    async def _plug(self) -> None:
        if self._line is None:
            await self.start(self._port)

    async def _restart(self) -> None:
        """Be off, start, lose zero and tare, and say so as a real one does."""
        self._cancel_stream()
        for send in self._heard:
            send(b"\x00")  # the line falls when the transmitter loses power
        await self.clock.until(self.clock() + self._boot_time)
        self.physics.power_on(self.clock())
        self.fault = None
        hello = b"SIMULATED\r\n"
        for send in self._heard:
            send(self._codec.encode(simulated_sics.started(self)) if self._sics else hello)

    def _session(self, send: Send) -> Callable[[bytes], None]:
        """Begin a conversation; return what takes the bytes that arrive."""
        framer = LineFramer()
        reader = RequestReader(self._codec.requests)
        self._heard.add(send)
        stream = self._begin(self._repeat(send)) if self._streams else None

        def arrived(data: bytes) -> None:
            if not data:  # the other side has gone
                self._heard.discard(send)
                if stream is not None:
                    stream.cancel()
            if self.fault in DEAF:
                return
            for line in framer.feed(data) if self._sics else ():
                self._begin(self._obey(line, send))
            for wish in () if self._sics else reader.feed(data):
                self._begin(self._grant(wish, send))

        return arrived

    def _begin(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _say(self, send: Send, frame: bytes) -> None:
        """Send a frame as the line lets it through now."""
        if self.fault is None:
            send(frame)
        elif self.fault is Fault.LATE:
            self._begin(self._say_late(send, frame))
        elif heard := self._damage.to(frame, self.fault, spoiled=spoiled, other=self._somebody):
            send(heard)

    async def _say_late(self, send: Send, frame: bytes) -> None:
        await asyncio.sleep(self._late)
        send(frame)

    async def _grant(self, wish: Wish, send: Send) -> None:
        """Do what a request of another protocol than MT-SICS asks for."""
        if self.fault is Fault.NOISE:
            self._say(send, b"")
            return
        if wish.kind == "stream":
            if self._stream is None and not self._streams:
                self._stream = asyncio.create_task(self._repeat(send))
            return
        answers: tuple[Answer, ...] | None = None
        if isinstance(self._codec, FrameCodec):
            if wish.kind == "identity":
                answers = self._codec.about(wish.request, "SIMULATED", self.serial)
            elif wish.kind != "poll":
                done = await (self._zeroed() if wish.kind == "zero" else self._tared())
                answers = self._codec.done(wish.request, accepted=done)
        if answers is None:
            self._send_weight(send)
        for answer in answers or ():
            self._say(send, self._codec.encode(answer))

    async def _zeroed(self) -> bool:
        """Set to zero when stable and near enough to the first zero; say whether it was done."""
        if not await self.still() or not self.may_zero():
            return False
        self.physics.zero(self.clock())
        return True

    async def _tared(self) -> bool:
        if not await self.still() or self.beyond():
            return False
        self.physics.tare(self.clock())
        return True

    def may_zero(self) -> bool:
        """Say whether the load is within the zero-setting range."""
        share = Decimal(self.physics.zero_range_percent) / 200
        return abs(self.physics.from_first_zero(self.clock())) <= self.physics.max * share

    async def _obey(self, line: bytes, send: Send) -> None:
        """Do what a command of MT-SICS says."""
        command = line.decode("ascii", "replace")
        if self.fault is Fault.NOISE:
            self._say(send, b"")
            return
        if command not in simulated_sics.KNOWN:
            self._say(send, self._codec.encode(Answer("ES", "", error=True)))
            return
        if command in ("S", "SI", "SIR", "@"):
            self._cancel_stream()
        if command == "SIR":
            self._stream = asyncio.create_task(self._repeat(send))
        elif command in ("S", "SI"):
            if command == "S" and not await self.still():
                self._say(send, b"S I\r\n")
            else:
                self._send_weight(send)
        else:
            for answer in await simulated_sics.answers(self, command):
                self._say(send, self._codec.encode(answer))

    def _cancel_stream(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None

    def beyond(self) -> Condition | None:
        """Say whether the load is above or below what the display can show, tare disregarded."""
        load = self.physics.gross(self.clock())
        if self.fault is Fault.OVERLOAD or load > self.physics.max + 9 * self.physics.e:
            return Condition.OVERLOAD
        return Condition.UNDERLOAD if load < -20 * self.physics.e else None

    def _show(self) -> Decoded:
        if self._stale is not None:
            return self._stale
        if beyond := self.beyond():
            return Decoded("", None, None, beyond, beyond.value)
        shown = self.physics.shown(self.clock())
        condition = Condition.STABLE if shown.stable else Condition.DYNAMIC
        return self._speech.weight(shown.value, condition)

    async def still(self) -> bool:
        """Wait until stable; say whether it became so in time."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + _STABLE_WITHIN
        while not self.physics.stable(self.clock()):
            if loop.time() > give_up:
                return False
            await asyncio.sleep(self._cycle)
        return True

    async def _repeat(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self._send_weight(send)
            due = max(due + self._cycle, loop.time() - self._cycle)  # the rate, not the pause
            await asyncio.sleep(due - loop.time())

    def _send_weight(self, send: Send) -> None:
        if self.fault in DEAF:
            return
        frame = self._speech.frame(self._show(), tared=bool(self.physics.tared))
        if frame is not None:  # a protocol without a word for overload falls silent
            self._say(send, frame)

    def _somebody(self) -> bytes:
        """Write what a second instrument of the same kind would say: another load."""
        other = self.physics.net(self.clock()) + 137 * self.physics.d
        return self._speech.frame(self._speech.weight(other, Condition.STABLE)) or b""
