"""Toledo continuous output: STX, three status words, weight, tare, CR and maybe a checksum.

    STX SWA SWB SWC W6 T6 CR [CHK]        17 or 18 bytes; SHORT without T6: 11 or 12
    SWA b0-2 decimal point, b3-4 interval, b5 = 1, b6 = 0
    SWB b0 net, b1 minus, b2 out of range, b3 motion, b4 kg, b5 = 1, b6 not zeroed since power up
    SWC b0-2 unit, b3 print, b4 expanded, b5 = 1
    CHK two's complement of the low seven bits of the sum; Fairbanks: the sum itself

Bit 7 is parity and is masked. A byte of a frame is never STX, so STX always begins one.
"""

import re
from dataclasses import dataclass
from typing import Final

from drivers.codecs.codec import Answer, Decoded, Requests
from drivers.codecs.frame_codec import (
    NET,
    OVERLOAD,
    UNDERLOAD,
    FrameCodec,
    marks_of,
    signed,
    weight,
    without_value,
)
from drivers.codecs.kind import Kind, Option, Settings
from drivers.codecs.toledo_framer import CHECKED, ToledoFramer, checksum, masked
from drivers.codecs.toledo_page import PAGE
from drivers.framing import Framer
from drivers.indication import Condition

_UNITS: Final = {"kg": "kg", "lb": "lb", "g": "g", "t": "t"}
_REQUESTS: Final = Requests(poll=None, zero=b"Z\r\n", tare=b"T\r\n")
_FIELD: Final = re.compile(rb" *[0-9]+")
_NET, _MINUS, _OUT, _MOTION, _KG, _ALWAYS, _NOT_ZEROED = (1 << bit for bit in range(7))
_EXPANDED: Final = 0x10
_NOT_ZEROED_MARK: Final = "zero not set"
_EXPANDED_DISPLAY: Final = "the display is expanded"
_TARE: Final = "tare "


@dataclass(frozen=True, slots=True)
class Toledo(FrameCodec):
    """The codec of one instrument's placement of bits and checksum."""

    checksum: str
    clone: bool
    """Bits as in the LUW2001 family: unit in SWC b0, SWB b4 and SWC b4 always 1."""

    def framer(self) -> Framer:
        """Return a new framer."""
        return ToledoFramer(self.checksum)

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what a frame means; one whose check does not fit is none."""
        data = masked(frame)
        end = data.find(b"\r") + 1
        if data[:1] != b"\x02" or end not in (11, 17) or len(data) - end not in (0, 1):
            return None
        kinds = CHECKED[self.checksum]
        if len(data) > end and data[end] not in [checksum(k, data[:end]) for k in kinds]:
            return None
        if len(data) == end and self.checksum not in ("auto", "none"):
            return None
        return self._words(data[1], data[2], data[3], data[4:10], data[10 : end - 1])

    def _words(self, a: int, b: int, c: int, number: bytes, tare: bytes) -> Decoded | None:
        unit = self._unit(b, c)
        if not a & b & c & _ALWAYS or (a & 0x40 and not self.clone) or unit is None:
            return None
        if self.clone and not (b & c & _KG and not b & _NOT_ZEROED):
            return None
        if b & _OUT:
            if b & _MINUS:
                return without_value(Condition.UNDERLOAD, UNDERLOAD)
            return without_value(Condition.OVERLOAD, OVERLOAD)
        if c & _EXPANDED and not self.clone:
            return without_value(Condition.FAULT, _EXPANDED_DISPLAY)
        if not _FIELD.fullmatch(number) or (tare and not _FIELD.fullmatch(tare)):
            return None
        tared = _with_point(tare, a) if tare.strip(b" 0") else ""
        return weight(
            ("-" if b & _MINUS else "") + _with_point(number, a),
            unit,
            Condition.DYNAMIC if b & (_MOTION | _NOT_ZEROED) else Condition.STABLE,
            NET if b & _NET else "",
            f"tare {tared}" if tared else "",
            _NOT_ZEROED_MARK if b & _NOT_ZEROED else "",
        )

    def _unit(self, b: int, c: int) -> str | None:
        if self.clone:
            return {0: "kg", 1: "lb"}.get(c & 7)
        return {0: "kg" if b & _KG else "lb", 1: "g", 2: "t"}.get(c & 7)

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a frame of the long form."""
        if isinstance(message, Answer) or message.quantity != "weight":
            return None
        marks = marks_of(message)
        sign, digits = signed(message.text or "0")
        places = len(digits.partition(".")[2])
        tare = next((m.removeprefix(_TARE) for m in marks if m.startswith(_TARE)), "0")
        unit = message.unit or "kg"
        a = _ALWAYS | 0x08 | places + 2
        b = _ALWAYS | (_NET if NET in marks else 0) | (_MINUS if sign == "-" else 0)
        c = _ALWAYS | {"g": 1, "t": 2}.get(unit, 0)
        if self.clone:
            b, c = b | _KG, _ALWAYS | _KG | {"kg": 0, "lb": 1}.get(unit, 2)
        elif unit == "kg":
            b |= _KG
        if message.condition is Condition.OVERLOAD:
            b |= _OUT
        elif message.condition is Condition.UNDERLOAD:
            b |= _OUT | _MINUS
        elif message.condition is Condition.FAULT:
            c |= _EXPANDED
        elif message.condition is Condition.DYNAMIC:
            b |= _NOT_ZEROED if _NOT_ZEROED_MARK in marks else _MOTION
        fields = [_without_point(digits, places), _without_point(tare, places)]
        if places > 5 or None in fields:
            return None
        frame = bytes([2, a, b, c]) + "".join(map(str, fields)).encode("ascii") + b"\r"
        if self.checksum == "none":
            return frame
        kind = "toledo" if self.checksum == "auto" else self.checksum
        return frame + bytes([checksum(kind, frame, bits=8)])


def _with_point(field: bytes, a: int) -> str:
    """Return digits as displayed: SWA says how many stand behind the point, or which zeros follow."""
    digits = field.strip(b" ").decode("ascii").lstrip("0")
    places = (a & 7) - 2
    if places <= 0:
        return (digits + "0" * -places) if digits else "0"
    digits = digits.zfill(places + 1)
    return f"{digits[:-places]}.{digits[-places:]}"


def _without_point(text: str, places: int) -> str | None:
    whole, _, part = text.partition(".")
    digits = (whole + part.ljust(places, "0")).lstrip("0") or "0"
    return f"{digits:>6}" if len(digits) <= 6 and len(part) <= places else None


def _make(name: str, settings: Settings) -> Toledo:
    return Toledo(name, _REQUESTS, _UNITS, settings["checksum"], settings["bits"] == "luw2001")


KINDS: Final = (
    Kind(
        "toledo-cont",
        "Toledo continuous, short or long",
        PAGE,
        _make,
        (
            Option(
                "checksum",
                "auto",
                "auto takes frames without and with the Toledo checksum, one frame later",
                tuple(CHECKED),
            ),
            Option("bits", "toledo", "placement of the status bits", ("toledo", "luw2001")),
        ),
        mode="listen",
    ),
)
