"""Frames from a line, each with the times between which it came.

Knows when a frame can have begun, and when silence ends one. Refuses to know why anybody reads:
asking, waiting for ever and faults are the scale's (`drivers.scale`).
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from drivers.codecs.codec import Answer, Codec, Decoded
from drivers.errors import Garbled
from drivers.link import Link

_SMALL: Final = 256
"""A chunk of more bytes may be one of a line that never pauses."""
_IN_A_ROW: Final = 8
"""So many small chunks are read before the others have their turn."""
_LEAST_LOOK: Final = 0.05
"""A line that never gets quiet is thrown away for this long at least [s]."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame and what it says."""

    raw: bytes
    message: Decoded | Answer
    since_ns: int
    """Monotonic clock [ns]: it cannot have begun before this."""
    arrived_ns: int
    """Monotonic clock [ns] when its last byte was here."""


class FrameReader:
    """The frames of one line in one protocol."""

    def __init__(self, link: Link, codec: Codec) -> None:
        self._link = link
        self._codec = codec
        self._framer = codec.framer()
        self._floor_ns = 0
        self.bytes = self.frames = self.garbled = 0
        self._in_a_row = 0

    def begin(self) -> None:
        """Start on a line just opened: what comes now began after that."""
        self._framer.reset()
        self._floor_ns = self._link.since_ns

    async def read(self, deadline: float) -> list[Frame]:
        """Return the frames that complete next; none when the loop's clock passes ``deadline``."""
        clock = asyncio.get_running_loop().time
        while (left := deadline - clock()) > 0:
            if self._in_a_row >= _IN_A_ROW:  # a line that never pauses shall not hold up the others
                self._in_a_row = 0
                await asyncio.sleep(0)
            undecided = self._framer.may_be_whole
            try:
                async with asyncio.timeout(min(left, self._link.silence) if undecided else left):
                    data = await self._link.receive()
            except TimeoutError:
                raws = self._framer.finish() if undecided else []
            else:
                self.bytes += len(data)
                self._in_a_row += 1 if len(data) < _SMALL else _IN_A_ROW
                raws = self._framer.feed(data)
            if frames := self._decoded(raws):
                return frames
        return []

    def _decoded(self, raws: list[bytes]) -> list[Frame]:
        frames = []
        for raw in raws:
            try:
                message = self._codec.decode(raw)
            except Garbled:
                self.garbled += 1
            else:
                frames.append(Frame(raw, message, self._floor_ns, self._link.arrived_ns))
            # The next frame began after this one had ended, which is after the line had last been
            # seen empty.
            self._floor_ns = self._link.since_ns
        self.frames += len(frames)
        return frames

    async def emptied(self) -> list[Frame]:
        """Take what is here; what it begins is forgotten. A line that never ends is given up."""
        clock = asyncio.get_running_loop().time
        give_up = clock() + _LEAST_LOOK
        frames = []
        while data := self._link.take():
            self.bytes += len(data)
            frames += self._decoded(self._framer.feed(data))
            await asyncio.sleep(0)  # as above
            if clock() >= give_up:
                break
        frames += self._decoded(self._framer.finish())
        self._framer.reset()
        return frames

    async def until_quiet(self, quiet: float) -> list[Frame]:
        """Take what comes until nothing came for ``quiet`` seconds; a stream never gets quiet."""
        clock = asyncio.get_running_loop().time
        give_up = clock() + max(3 * quiet, _LEAST_LOOK)
        frames = []
        while (left := give_up - clock()) > 0:
            try:
                async with asyncio.timeout(min(quiet, left)):
                    data = await self._link.receive()
            except TimeoutError:
                break
            self.bytes += len(data)
            frames += self._decoded(self._framer.feed(data))
            await asyncio.sleep(0)  # as above
        return frames + await self.emptied()
