"""Pull every kind of line and return it, again and again, and look at each value that is shown.

    python -m tests.pull_lines --times 100 [--only KIND] [--seed N]

The line is pulled with a request unanswered, in the middle of an answer, or right after one. It
comes back at once, when the fault was shown, or after another attempt failed, and still holds bytes
of before; a slow instrument answers what was asked before the pull on the line that came back.
Always recovered, never an old value, and between the last value before and the first one after a
fault stands in the stream.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from drivers.codecs import codec_named
from drivers.indication import Condition, Indication
from drivers.link import open_link
from drivers.modbus import RegisterBus
from drivers.register_map import parse_map
from drivers.scale import Scale
from drivers.transmitter import Transmitter
from tests.far_ends import Line, MeterSpeech, PulledPty, PulledServer, ScaleSpeech, Send

MAP = """
id = "counts"
title = "Says how often it was asked"
address_base = 0
function = "holding"
word_order = "ABCD"
[sources]
none = "this test"
[[register]]
quantity = "total"
address = 0
type = "uint32"
unit = "L"
document = "none"
page = "-"
"""
INTERVAL = 0.01
"""Poll period, and that of a scale that streams [s]."""
TIMEOUT = 0.5
"""How long an answer may take [s]."""
THINKS = 0.01
"""How long a meter takes to answer: longer than a server holds back what it still has [s]."""
LATE = 0.15
"""A slow instrument answers within this [s] what was asked before the pull: far less than it may
take, so that a machine that is busy does not make it break its word."""
WITHIN = 20.0
"""A line that is not back after so long [s] did not recover."""


@dataclass(slots=True)
class Kind:
    """One kind of line, and how it is read."""

    pty: bool
    mode: str
    """``poll`` or ``listen`` for a scale, ``tcp``, ``rtu`` or ``rtu+tcp`` for a meter."""

    @property
    def scale(self) -> bool:
        """Whether it is a scale."""
        return self.mode in ("poll", "listen")

    @property
    def ways(self) -> list[str]:
        """In which ways it can be pulled."""
        late = ["late"] if self.mode in ("poll", "rtu", "rtu+tcp") else []
        return ["answered", "half", *(["asked"] if self.mode != "listen" else []), *late]

    def faults_away(self, way: str) -> list[int]:
        """After how many faults it may come back."""
        if self.scale:  # one whose port is not there says so in other words: a second fault
            return [0, 1, 1, 2]
        # A server that is back before the next request has missed none: there is no gap.
        return [1] if not self.pty and way == "answered" else [0, 1]


KINDS = {
    "serial port, polled scale": Kind(pty=True, mode="poll"),
    "serial port, streaming scale": Kind(pty=True, mode="listen"),
    "serial server, polled scale": Kind(pty=False, mode="poll"),
    "serial server, streaming scale": Kind(pty=False, mode="listen"),
    "Modbus TCP": Kind(pty=False, mode="tcp"),
    "Modbus RTU": Kind(pty=True, mode="rtu"),
    "Modbus RTU over TCP": Kind(pty=False, mode="rtu+tcp"),
}


class Far:
    """The instrument and its line: says numbers, and pulls the line when it is told to."""

    def __init__(self, line: Line, speech: ScaleSpeech | MeterSpeech) -> None:
        self.line, self.speech = line, speech
        self.pulls = self.floor = self.pulled_ns = self.returned_ns = 0
        """``floor``: what is said after the last return is above this."""
        self.away = False
        self.pulled = asyncio.Event()
        self._way = ""
        self._last = self._owed = b""
        line.arrived = self._arrived

    def pull(self, way: str) -> None:
        """Pull the line at the next opportunity of this kind."""
        self.pulled.clear()
        self._way = way

    async def plug(self, leftover: bytes = b"") -> None:
        """Return the line; what it holds was said before."""
        self.speech.forget()
        self.floor = self.speech.number
        await self.line.plug(leftover)
        self.away, self.returned_ns = False, time.monotonic_ns()

    def leftover(self, chance: random.Random) -> bytes:
        """Return what the line may still hold: nothing, what was said last, or the end of it."""
        return chance.choice([b"", self._last, self._last[-5:], self._last * 3])

    async def stream(self) -> None:
        """Say a number again and again without being asked."""
        assert isinstance(self.speech, ScaleSpeech)
        while True:
            await asyncio.sleep(INTERVAL)
            self._say(self.speech.say(), self.line.send)

    def _arrived(self, data: bytes, send: Send) -> None:
        for answer in self.speech.hear(data):
            self._pay()  # late, and just before the answer that is due now
            if isinstance(self.speech, ScaleSpeech):
                self._say(answer, send)
            else:
                asyncio.get_running_loop().call_later(THINKS, self._say, answer, send)

    def _pay(self) -> None:
        """Answer at last what was asked before the pull, unless nobody waits for it any more."""
        owed, self._owed = self._owed, b""
        if owed and not self.away and time.monotonic_ns() - self.pulled_ns < LATE * 1e9:
            self.line.send(owed)

    def _say(self, frame: bytes, send: Send) -> None:
        self._last = frame
        way, self._way = self._way, ""
        if way == "late":
            self._owed = frame
        elif way != "asked":
            send(frame[: len(frame) // 2] if way == "half" else frame)
        if way:
            self.pulls += 1
            self.away = True
            self.line.pull()
            self.pulled_ns = time.monotonic_ns()
            self.pulled.set()


@dataclass(slots=True)
class Seen:
    """What the driver showed, and whatever was wrong with it."""

    far: Far
    values: int = 0
    stale: int = 0
    """Values that were no news, or that were said before the last return and shown after it."""
    unmarked: int = 0
    """Values after a pull that no fault stands before."""
    out_of_order: int = 0
    """Indications whose number does not follow the one before."""
    faults: int = 0
    recovered: int = 0
    """Up to which pull a value came that was said after the return."""
    named: set[str] = field(default_factory=set)
    noticed: list[float] = field(default_factory=list)
    """From each pull to its fault [s]."""
    _in_a_row: int = 0
    _newest: int = 0
    _next: int = 0
    _marked: int = 0

    def faults_since_pull(self) -> int:
        """Return how many faults were shown since the last pull."""
        return self._in_a_row if self._marked == self.far.pulls else 0

    def add(self, shown: Indication) -> None:
        """Look at one indication."""
        far = self.far
        self.out_of_order += shown.sequence != self._next
        self._next = shown.sequence + 1
        if shown.condition is Condition.FAULT:
            self.faults += 1
            self.named.add(shown.detail or "")
            if self._marked < far.pulls:
                self.noticed.append((time.monotonic_ns() - far.pulled_ns) / 1e9)
                self._marked, self._in_a_row = far.pulls, 0
            self._in_a_row += 1
            return
        self.values += 1
        number, marked = int(shown.value or 0), self._marked == far.pulls
        new = not far.away and number > far.floor
        self.stale += number <= self._newest
        self._newest = number
        if not far.pulls:
            return
        if new:
            self.unmarked += not marked
            self.stale += shown.since_ns < far.returned_ns
            self.recovered = far.pulls
        else:  # on its way when the line was pulled, or else too late
            self.stale += marked


@asynccontextmanager
async def driven(kind: Kind, line: Line, port: str) -> AsyncIterator[AsyncGenerator[Indication]]:
    """Give the indications of the driver of a line, as a station makes it."""
    if kind.scale:
        mode = "poll" if kind.mode == "poll" else "listen"
        scale = Scale(
            "scale", open_link(port), codec_named("mt-sics"), mode=mode, interval=INTERVAL,
            timeout=TIMEOUT,
        )  # fmt: skip
        async with aclosing(scale.indications()) as stream:
            yield stream
        return
    async with RegisterBus(port, timeout=TIMEOUT, max_device_delay=TIMEOUT) as bus:
        meter = Transmitter("meter", bus, 1, parse_map(MAP, "counts.toml"), interval=INTERVAL)
        async with aclosing(meter.indications()) as stream:
            yield stream


def line_of(kind: Kind, folder: Path) -> PulledPty | PulledServer:
    """Make the line of a kind; nothing is there yet."""
    return PulledPty(folder / "adapter") if kind.pty else PulledServer()


def port_of(kind: Kind, line: PulledPty | PulledServer, folder: Path) -> str:
    """Return the port as the driver writes it."""
    place = str(folder / "adapter") if kind.pty else f"127.0.0.1:{getattr(line, 'port', 0)}"
    if kind.scale:
        return place if kind.pty else f"socket://{place}"
    return f"{kind.mode}://{place}"


async def pull_and_return(kind: Kind, times: int, seed: int) -> tuple[Seen, list[float]]:
    """Pull a line and return it so often; give what was seen and how long each return took [s]."""
    chance = random.Random(seed)
    took: list[float] = []
    speech = ScaleSpeech() if kind.scale else MeterSpeech(rtu=kind.mode != "tcp")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        line = line_of(kind, folder)
        far = Far(line, speech)
        seen = Seen(far)
        await far.plug()
        tasks = []
        if kind.mode == "listen":
            tasks.append(asyncio.create_task(far.stream()))
        async with driven(kind, line, port_of(kind, line, folder)) as stream:
            tasks.append(reading := asyncio.create_task(_read(stream, seen)))
            try:
                await _so(lambda: seen.values > 2, reading)
                for _ in range(times):
                    far.pull(way := chance.choice(kind.ways))
                    await asyncio.wait_for(far.pulled.wait(), WITHIN)
                    away = chance.choice(kind.faults_away(way))
                    await _so(lambda n=away: seen.faults_since_pull() >= n, reading)  # type: ignore[misc]
                    await far.plug(far.leftover(chance))
                    began = time.monotonic()
                    await _so(lambda: seen.recovered == far.pulls, reading)
                    took.append(time.monotonic() - began)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await line.close()
    return seen, took


async def _read(stream: AsyncIterator[Indication], seen: Seen) -> None:
    async for shown in stream:
        seen.add(shown)


async def _so(condition: Callable[[], bool], reading: "asyncio.Task[None]") -> None:
    async with asyncio.timeout(WITHIN):
        while not condition():
            if reading.done():
                reading.result()
            await asyncio.sleep(0.002)


async def main(times: int, only: str, seed: int) -> bool:
    """Pull all lines at once; print what was seen and say whether all was well."""
    kinds = {name: kind for name, kind in KINDS.items() if only in name}
    results = await asyncio.gather(*(pull_and_return(k, times, seed) for k in kinds.values()))
    head = ("line", "pulls", "back", "stale", "unmarked", "values", "fault after", "value after")
    rows = []
    well = True
    for name, (seen, took) in zip(kinds, results, strict=True):
        wrong = seen.stale + seen.unmarked + seen.out_of_order
        well &= not wrong and len(took) == times == len(seen.noticed)
        counted = seen.far.pulls, len(took), seen.stale, seen.unmarked, seen.values
        times_taken = (f"{max(of):.3f} s" for of in (seen.noticed, took))
        rows.append((name, *map(str, counted), *times_taken))
    for row in (head, *rows):
        print(f"{row[0]:<32}" + "".join(f"{cell:>13}" for cell in row[1:]))  # noqa: T201
    return well


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.pull_lines", description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--only", default="", help="kinds with this in their name")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.exit(not asyncio.run(main(given.times, given.only, given.seed)))
