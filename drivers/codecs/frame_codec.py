"""What all codecs but MT-SICS share: refuse what is no frame, and write nothing that reads otherwise.

A protocol says how to ``read`` a frame and how to ``write`` one. ``encode`` reads every frame again
before it hands it out, so a message that the protocol cannot carry is refused and never distorted.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from drivers.codecs.codec import Answer, Decoded, Requests
from drivers.codecs.kind import Option
from drivers.errors import BadDriverSettings, Garbled
from drivers.framing import Framer, LineFramer
from drivers.indication import Condition

NO_REQUESTS: Final = Requests(poll=None)
LINE_LIMIT: Final = 80
"""No line of these protocols is half as long."""

NET: Final = "net"
CENTRE_OF_ZERO: Final = "centre of zero"
BELOW_ZERO: Final = "below zero"
OVERLOAD: Final = "overload"
UNDERLOAD: Final = "underload"
PIECES: Final = "the instrument counts pieces"
HELD: Final = "the display is held"
NOT_IN_TIME: Final = "not executable now, or not stable in time"

UNIT: Final = Option(
    "unit",
    "",
    "unit of the display where a frame carries none, as in unit=kg",
    choices=("", "mg", "g", "kg", "t", "ct", "lb", "oz"),
)
"""For protocols that leave the unit out."""

NUMBER: Final = r"[0-9]*\.?[0-9]+|[0-9]+\."
"""Digits as displays show them; ``digits_of`` takes them apart."""
_FIELD: Final = re.compile(rf" *(?P<sign>[+-]?) *(?P<number>{NUMBER})")


@dataclass(frozen=True, slots=True)
class FrameCodec(ABC):
    """A protocol whose frames are read and written whole."""

    name: str
    requests: Requests
    units: Mapping[str, str]

    @property
    def tells_stability(self) -> bool:
        """Whether the instrument says of an indication that it is stable."""
        return True

    def framer(self) -> Framer:
        """Return a new framer: lines that end with CR LF unless the protocol has others."""
        return LineFramer(b"\r\n", LINE_LIMIT)

    @abstractmethod
    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what a frame means; None when it is none of this protocol."""

    @abstractmethod
    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a frame with its terminator; None when the protocol has no place for it."""

    def done(self, request: bytes, *, accepted: bool) -> tuple[Answer, ...] | None:
        """Return what an instrument answers to zero or tare; None when it sends the weight."""
        return ()

    def about(self, request: bytes, model: str, serial: str) -> tuple[Answer, ...]:
        """Return what an instrument answers when asked what it is."""
        return ()

    def decode(self, frame: bytes) -> Decoded | Answer:
        """Say what a whole frame means; Garbled when it is none of this protocol."""
        message = self.read(frame)
        if message is None:
            raise Garbled(
                "{frame} is no frame of {protocol}.",
                frame=ascii(frame[:60]),
                protocol=self.name,
                raw=frame,
            )
        return message

    def encode(self, message: Decoded | Answer) -> bytes:
        """Write a frame that means exactly this; refuse a message that the protocol cannot carry."""
        written = self.write(message)
        if written is not None:
            framer = self.framer()
            frames = framer.feed(written) + framer.finish()
            if len(frames) == 1 and self.read(frames[0]) == message:
                return written
        raise BadDriverSettings(
            "The protocol {name} cannot carry {message}.", name=self.name, message=_brief(message)
        )


def _brief(message: Decoded | Answer) -> str:
    if isinstance(message, Answer):
        return f"{message.command} {message.status} {message.text}".strip()
    words = (message.text, message.unit, message.condition.value, message.detail)
    return " ".join(word for word in words if word)


def text_of(frame: bytes) -> str | None:
    """Return a frame of printable ASCII as text; None for any other."""
    if not frame.isascii() or not (text := frame.decode("ascii")).isprintable():
        return None
    return text


def digits_of(sign: str, number: str) -> str:
    """Return digits as a display shows them: ``-`` or nothing, no leading zeros but the last.

    >>> digits_of("-", "00012.50")
    '-12.50'
    >>> digits_of(" ", " .05"), digits_of("+", "0000")
    ('0.05', '0')
    """
    whole, point, part = number.strip(" ").partition(".")
    whole = whole.lstrip("0") or "0"
    return ("-" if sign == "-" else "") + whole + (point + part if part else "")


def number_in(field: str, sign: str = "") -> str | None:
    """Return the digits that a right-aligned field shows; None when it holds no number.

    >>> number_in("   -1.50"), number_in("00012.50", "-"), number_in("12.50  ")
    ('-1.50', '-12.50', None)
    """
    match = _FIELD.fullmatch(field)
    if match is None or (sign and match["sign"]):
        return None
    return digits_of(sign.strip(" ") or match["sign"], match["number"])


def weight(
    text: str,
    unit: str | None,
    condition: Condition,
    *marks: str,
    quantity: str = "weight",
) -> Decoded:
    """Return an indication with a value; ``marks`` that are empty are left out."""
    detail = "; ".join(mark for mark in marks if mark)
    return Decoded(text, Decimal(text), unit, condition, detail or None, quantity)


def without_value(condition: Condition, detail: str) -> Decoded:
    """Return an indication that shows no value."""
    return Decoded("", None, None, condition, detail)


def marks_of(message: Decoded) -> list[str]:
    """Return what is marked on an indication with a value."""
    return (message.detail or "").split("; ")


def printed(units: Mapping[str, str], symbol: str | None) -> str | None:
    """Return how an instrument prints a unit: the first spelling of several; None when not at all."""
    return next((spelling for spelling, known in units.items() if known == symbol), None)


def signed(text: str, *, plus: str = "+") -> tuple[str, str]:
    """Split displayed digits into a sign and the rest: ``-`` or what stands for plus."""
    return ("-", text[1:]) if text.startswith("-") else (plus, text)


def full_match(pattern: "re.Pattern[str]", frame: bytes) -> "re.Match[str] | None":
    """Match a whole frame of printable ASCII."""
    text = text_of(frame)
    return None if text is None else pattern.fullmatch(text)
