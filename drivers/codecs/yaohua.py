"""Yaohua XK3190 indicators (A1, A9, A12, A23, A26, D10, DS1, DS3 ...), as most weighbridges have.

    tf0      = STX sign 6 digits places check ETX              12 bytes, continuous (tF = 0)
    command  = STX address A|B|C|D check ETX                   asked (tF = 1); answer 14 bytes:
               STX address B|C|D sign 6 digits places check ETX
    reversed = "=" 7 digits with point, lowest first, sign     9 bytes; sign 0 or -
    forward  = "=" sign 7 digits with point                    9 bytes
    wg       = WG|WN 7 digits kg check CR LF                   A12(E); OL and LO for over and under
    ww       = ww|wn|wt digits unit CR LF                      A12, LUW2001; no check

Check: XOR of the bytes after STX (of all before it in wg), as two characters, 0-9 and A-F.
"""

import re
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

from drivers.codecs.codec import Answer, Decoded, Requests
from drivers.codecs.frame_codec import (
    LINE_LIMIT,
    NET,
    NO_REQUESTS,
    NUMBER,
    OVERLOAD,
    UNDERLOAD,
    UNIT,
    FrameCodec,
    digits_of,
    full_match,
    marks_of,
    printed,
    signed,
    weight,
    without_value,
)
from drivers.codecs.kind import Kind, Option, Settings
from drivers.codecs.yaohua_page import PAGE
from drivers.framing import CountedFramer, Framer, LineFramer, RecordFramer
from drivers.indication import Condition

_UNITS: Final = {"kg": "kg", "lb": "lb", "t": "t", "g": "g"}
_RECORD: Final = re.compile(
    r"(?P<asked>[A-Z][BCD])?(?P<sign>[+-])(?P<digits>[0-9]{6})(?P<places>[0-4])(?P<check>[0-9A-F]{2})"
)
_SHAKE: Final = re.compile(r"[A-Z]A(?P<check>[0-9A-F]{2})")
_EQUALS: Final = re.compile(r"(?P<sign>[0-])(?=[0-9.]{7}\Z)(?P<number>[0-9]+\.?[0-9]*)")
_WG: Final = re.compile(
    r"W(?P<kind>[GN])(?P<sign>-?)(?P<number>[0-9]*\.?[0-9]+ ?)(?P<unit>kg)(?P<check>[0-9A-F]{2})"
)
_WG_BEYOND: Final = {
    " " * 9 + "OL23": (Condition.OVERLOAD, OVERLOAD),
    " " * 9 + "LO23": (Condition.UNDERLOAD, UNDERLOAD),
}
_WW: Final = re.compile(rf"w(?P<kind>[wnt])(?P<sign>-?)(?P<number>{NUMBER})(?P<unit>kg|lb)")
_READS: Final = {"gross": "B", "net": "D"}


def check(data: bytes) -> str:
    """Return the check of these bytes.

    >>> check(b"+0239600"), check(b"WG004.139kg")
    ('15', '3D')
    """
    return f"{reduce(xor, data, 0):02X}"


@dataclass(frozen=True, slots=True)
class Records(FrameCodec):
    """The frames between STX and ETX: continuous, and answers to commands."""

    unit: str
    address: str
    """Empty for the continuous frame."""
    asked: str

    @property
    def tells_stability(self) -> bool:
        """Say no: there is no status."""
        return False

    def framer(self) -> Framer:
        """Return a new framer."""
        return RecordFramer(b"\x02", b"\x03")

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what stands between STX and ETX."""
        match = full_match(_RECORD, frame) or full_match(_SHAKE, frame)
        if match is None or match["check"] != check(frame[:-2]):
            return None
        if match.re is _SHAKE:
            return Answer("A", "A", match[0][0])
        asked = match["asked"] or ""
        if asked[:1] != self.address:
            return None
        places = int(match["places"])
        digits = match["digits"]
        number = f"{digits[:-places]}.{digits[-places:]}" if places else digits
        return weight(
            digits_of(match["sign"], number),
            self.unit or None,
            Condition.DYNAMIC,
            NET if asked[1:] == "D" else "",
            quantity="tare" if asked[1:] == "C" else "weight",
        )

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a frame."""
        if isinstance(message, Answer):
            body = message.text + "A"
        else:
            sign, digits = signed(message.text)
            whole, _, part = digits.partition(".")
            kind = "C" if message.quantity == "tare" else "D" if NET in marks_of(message) else "B"
            asked = self.address + kind if self.address else ""
            body = f"{asked}{sign}{whole + part:0>6}{len(part)}"
        return f"\x02{body}{check(body.encode('ascii'))}\x03".encode("ascii")


@dataclass(frozen=True, slots=True)
class Equals(FrameCodec):
    """The frames that begin with ``=``."""

    unit: str
    backwards: bool

    @property
    def tells_stability(self) -> bool:
        """Say no: there is no status."""
        return False

    def framer(self) -> Framer:
        """Return a new framer."""
        return CountedFramer(b"=", 8)

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what stands behind ``=``."""
        match = full_match(_EQUALS, frame[::-1] if self.backwards else frame)
        if match is None:
            return None
        return weight(
            digits_of(match["sign"], match["number"]), self.unit or None, Condition.DYNAMIC
        )

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a frame."""
        if isinstance(message, Answer):
            return None
        sign, digits = signed(message.text, plus="0")
        body = f"{sign}{digits:0>7}"
        return f"={body[::-1] if self.backwards else body}".encode("ascii")


@dataclass(frozen=True, slots=True)
class Lines(FrameCodec):
    """The lines of A12: with a check (WG), or without (ww) and with a given width."""

    width: int
    """Characters of the weight in ``ww``; 0 for ``WG``."""

    @property
    def tells_stability(self) -> bool:
        """Say no: there is no status."""
        return False

    def framer(self) -> Framer:
        """Return a new framer."""
        return LineFramer(b"\r\n", LINE_LIMIT)

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what a line means."""
        if not self.width and (line := frame.decode("ascii", "replace")) in _WG_BEYOND:
            return without_value(*_WG_BEYOND[line])
        match = full_match(_WW if self.width else _WG, frame)
        if match is None or len(frame) != (self.width + 4 if self.width else 13):
            return None
        if not self.width and match["check"] != check(frame[:-2]):
            return None
        return weight(
            digits_of(match["sign"], match["number"]),
            self.units[match["unit"]],
            Condition.DYNAMIC,
            NET if match["kind"] in "Nn" else "",
            quantity="tare" if match["kind"] == "t" else "weight",
        )

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a line."""
        if isinstance(message, Answer):
            return None
        if message.value is None:
            what = (message.condition, message.detail)
            line = next((w for w, said in _WG_BEYOND.items() if said == what), None)
            return None if line is None or self.width else f"{line}\r\n".encode("ascii")
        unit = printed(self.units, message.unit)
        sign, digits = signed(message.text, plus="")
        width = (self.width or 7) - len(sign)
        net = NET in marks_of(message)
        if self.width:
            kind = "wt" if message.quantity == "tare" else "wn" if net else "ww"
            return f"{kind}{sign}{digits:0>{width}}{unit}\r\n".encode("ascii")
        digits = f"{digits:0>{width}}" if "." in digits else f"{digits:0>{width - 1}} "
        body = f"W{'N' if net else 'G'}{sign}{digits}{unit}"
        return f"{body}{check(body.encode('ascii'))}\r\n".encode("ascii")


def _make(name: str, settings: Settings) -> FrameCodec:
    form, unit = settings["format"], settings["unit"]
    if form == "command":
        address, asked = settings["address"], _READS[settings["read"]]
        body = address + asked
        poll = f"\x02{body}{check(body.encode('ascii'))}\x03".encode("ascii")
        return Records(name, Requests(poll=poll), _UNITS, unit, address, asked)
    if form in ("reversed", "forward"):
        return Equals(name, NO_REQUESTS, _UNITS, unit, backwards=form == "reversed")
    if form in ("wg", "ww"):
        return Lines(name, NO_REQUESTS, _UNITS, settings.number("width") if form == "ww" else 0)
    return Records(name, NO_REQUESTS, _UNITS, unit, "", "")


KINDS: Final = (
    Kind(
        "yaohua-xk3190",
        "Yaohua XK3190 weighing indicators",
        PAGE,
        _make,
        (
            Option(
                "format",
                "tf0",
                "what the indicator is set to send",
                ("tf0", "command", "reversed", "forward", "wg", "ww"),
            ),
            UNIT,
            Option("address", "A", "address letter, for format=command", pattern="[A-Z]"),
            Option("read", "gross", "what is asked for, for format=command", tuple(_READS)),
            Option("width", "7", "characters of the weight, for format=ww", ("7", "8", "9")),
        ),
        mode="listen",
    ),
)
