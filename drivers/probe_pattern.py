"""A pattern for lines of text that no named protocol reads, as a proposal.

Knows what two lines and more have in common: where the number stands, and what never changes. The
unit must be written in them. Refuses to say what a changing letter means: nothing of it is stable
until somebody has said which letter means so.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from drivers.codecs import codec_named
from drivers.codecs.codec import Decoded
from drivers.errors import BadDriverSettings, Garbled

_NUMBER: Final = re.compile(r"[+-]? *[0-9]*\.?[0-9]+")
_LINE: Final = re.compile(rb"[^\r\n]{4,60}(?=(\r\n|\r|\n))")
_UNITS: Final = ("kg", "mg", "g", "t", "lb", "oz")
_FEWEST: Final = 2
_TERMINATORS: Final = {b"\r\n": "\\r\\n", b"\r": "\\r", b"\n": "\\n"}


@dataclass(frozen=True, slots=True)
class Proposal:
    """Settings of ``driver = "pattern"`` that read what was heard."""

    settings: dict[str, str]
    shown: tuple[Decoded, ...]


def printable(data: bytes) -> float:
    """Return how much of what was heard is text [share]."""
    text = sum(32 <= byte < 127 or byte in b"\r\n\t\x02\x03" for byte in data)
    return text / len(data) if data else 0.0


def propose(data: bytes) -> Proposal | None:
    """Propose a pattern for what was heard; None when nothing in it repeats."""
    found = [(match[0], match[1]) for match in _LINE.finditer(data)]
    if len(found) < _FEWEST or printable(data) < 1:
        return None
    length, _ = Counter(len(line) for line, _ in found).most_common(1)[0]
    lines = [line.decode("ascii") for line, _ in found if len(line) == length]
    end, _ = Counter(end for _, end in found).most_common(1)[0]
    pattern = _pattern(lines) if len(lines) >= _FEWEST else None
    if pattern is None:
        return None
    settings = {"pattern": pattern}
    if end != b"\r\n":
        settings["terminator"] = _TERMINATORS[end]
    shown = _read(settings, lines)
    return Proposal(settings, shown) if len(shown) == len(lines) else None


def _pattern(lines: Sequence[str]) -> str | None:
    numbers = [match.span() for match in _NUMBER.finditer(lines[0])]
    spans = [
        s for s in numbers if all(_NUMBER.fullmatch(line[slice(*s)].strip()) for line in lines)
    ]
    if not spans:
        return None
    start, end = max(spans, key=lambda span: span[1] - span[0])
    while start and all(line[start - 1] in " +-0123456789." for line in lines):
        start -= 1
    after = lines[0][end:].lstrip()
    unit = next((u for u in _UNITS if re.match(rf"{u}(?![a-z])", after)), None)
    at = lines[0].index(unit, end) if unit else end
    tail = "" if unit is None else f"(?P<unit>{unit})"
    rest = _common(lines, at + len(unit or ""), len(lines[0]))
    value = f"(?P<value>[ 0-9.+-]{{{end - start}}})"
    return _common(lines, 0, start) + value + _common(lines, end, at) + tail + rest


def _common(lines: Sequence[str], start: int, end: int) -> str:
    """Write what all lines have in these columns; a point where they differ."""
    columns = zip(*(line[start:end] for line in lines), strict=True)
    return "".join(
        re.escape(c[0]).replace("\\ ", " ") if len(set(c)) == 1 else "." for c in columns
    )


def _read(settings: dict[str, str], lines: Sequence[str]) -> tuple[Decoded, ...]:
    try:
        codec = codec_named("pattern", settings)
        said = [codec.decode(line.encode("ascii")) for line in lines]
    except (BadDriverSettings, Garbled):
        return ()
    return tuple(one for one in said if isinstance(one, Decoded))
