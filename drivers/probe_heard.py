"""What bytes from an unknown instrument say to every protocol, and how sure that is.

A codec's own strictness is the measure: a protocol that refuses its frame with any one bit changed
has a check, and one frame of it is more than ten of a protocol that takes any number. Knows no
line, no speed and no clock. Refuses to choose between protocols that read the same bytes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from itertools import product
from typing import Final

from drivers.codecs import CODECS
from drivers.codecs.codec import Answer, Codec, Decoded
from drivers.errors import Garbled
from drivers.probe_wire import heard_as

UNTOLD: Final = frozenset({"unit", "tons", "read", "decimals"})
"""Settings that no byte on a line tells: they stay as they are by default."""
_OF_THE_BYTES: Final = 0.5
"""A protocol that reads less of what was heard does not read it [share]."""
_STRICT: Final = 0.5
"""A protocol that refuses fewer changed bits than this takes nearly anything [share]."""
_LOOKED_AT: Final = 3
"""Frames that are changed to see whether the protocol notices."""


class Certainty(IntEnum):
    """How sure a protocol is."""

    GUESS = 1
    """It reads the bytes, and would read many others."""
    STRUCTURE = 2
    """Two frames or more of a strict form."""
    CHECK = 3
    """A frame whose every changed bit would have been noticed."""


@dataclass(frozen=True, eq=False, slots=True)
class Dialect:
    """A protocol with the settings that a line can tell."""

    name: str
    settings: Mapping[str, str]
    """Those that are not as by default."""
    mode: str
    """How instruments of this protocol are read by default: ``poll`` or ``listen``."""
    codec: Codec


@dataclass(frozen=True, slots=True)
class Reading:
    """What one dialect makes of what was heard."""

    dialect: Dialect
    framing: str
    frames: tuple[tuple[bytes, Decoded | Answer], ...]
    share: float
    """How much of the bytes stands in sound frames."""

    @property
    def shown(self) -> tuple[Decoded, ...]:
        """Give the indications."""
        return tuple(said for _, said in self.frames if isinstance(said, Decoded))

    @property
    def valued(self) -> bool:
        """Say whether any of them is a value, and not only an overload or a fault."""
        return any(said.value is not None for said in self.shown)

    @property
    def refused(self) -> bool:
        """Say whether the instrument only said that it did not understand."""
        return all(isinstance(said, Answer) and said.error for _, said in self.frames)

    @property
    def certainty(self) -> Certainty:
        """Say how sure it is."""
        if not self.shown:
            return Certainty.GUESS
        raws = [raw for raw, said in self.frames if isinstance(said, Decoded)][:_LOOKED_AT]
        strict = min(strictness(self.dialect, raw) for raw in raws)
        if strict == 1:
            return Certainty.CHECK
        if strict >= _STRICT and len(self.shown) > 1:
            return Certainty.STRUCTURE
        return Certainty.GUESS


@cache
def dialects() -> tuple[Dialect, ...]:
    """Return every protocol in every setting that changes what it reads or sends."""
    return tuple(one for name in CODECS if name != "pattern" for one in _of(name))


def _of(name: str) -> Iterator[Dialect]:
    kind = CODECS[name]
    options = [o for o in kind.options if o.choices and o.key not in UNTOLD]
    seen: list[Codec] = []
    ways = [(o.default, *(c for c in o.choices if c != o.default)) for o in options]
    for values in product(*ways):
        given = {o.key: v for o, v in zip(options, values, strict=True) if v != o.default}
        codec = kind.codec(given)
        if codec not in seen:
            seen.append(codec)
            yield Dialect(name, given, kind.mode, codec)


def readings(data: bytes) -> tuple[Reading, ...]:
    """Return what every dialect that reads these bytes makes of them, the best first."""
    found = [
        reading
        for framing, plain in (heard_as(data) if data else ())
        for dialect in dialects()
        if (reading := _read(dialect, framing, plain)) is not None
    ]
    best: dict[Dialect, Reading] = {}
    for reading in found:  # the likeliest framing comes first
        best.setdefault(reading.dialect, reading)
    return tuple(sorted(best.values(), key=_rank))


def _rank(reading: Reading) -> tuple[object, ...]:
    return (not reading.valued, not reading.shown, -round(reading.share, 2), -reading.certainty)


def _read(dialect: Dialect, framing: str, data: bytes) -> Reading | None:
    framer = dialect.codec.framer()
    raws = framer.feed(data)
    raws += framer.finish()
    lost = framer.dropped + len(framer.pending)
    frames = []
    for raw in raws:
        try:
            frames.append((raw, dialect.codec.decode(raw)))
        except Garbled:
            lost += len(raw)
    share = 1 - min(lost / len(data), 1)
    if not frames or share < _OF_THE_BYTES:
        return None
    return Reading(dialect, framing, tuple(frames), share)


def whole(data: bytes) -> bool:
    """Say whether what was heard ends with a whole indication of some protocol."""
    return any(reading.shown and reading.share > 1 - 2 / len(data) for reading in readings(data))


@cache
def _strictness(name: str, settings: frozenset[tuple[str, str]], frame: bytes) -> float:
    codec = CODECS[name].codec(dict(settings))
    changed = [
        frame[:place] + bytes([byte ^ (1 << bit)]) + frame[place + 1 :]
        for place, byte in enumerate(frame)
        for bit in range(7)
    ]
    refused = 0
    for other in changed:
        try:
            codec.decode(other)
        except Garbled:
            refused += 1
    return refused / len(changed)


def strictness(dialect: Dialect, frame: bytes) -> float:
    """Return the share of single changed bits of a frame that the protocol would notice."""
    return _strictness(dialect.name, frozenset(dialect.settings.items()), frame)
