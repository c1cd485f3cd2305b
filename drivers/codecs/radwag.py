"""Radwag balances, scales and indicators.

mass = command 3  stability  blank  sign  9 value  blank  3 unit  CR LF      21 bytes
       stability blank, ? unstable, ^ above, v below
answer = command blank status        A begun, D done, I not now, E not stable in time, ^, v
"""

import re
from dataclasses import dataclass
from typing import Final

from drivers.codecs.codec import Answer, Decoded, Requests
from drivers.codecs.frame_codec import (
    OVERLOAD,
    PIECES,
    UNDERLOAD,
    FrameCodec,
    full_match,
    number_in,
    printed,
    signed,
    weight,
    without_value,
)
from drivers.codecs.kind import Kind, Page, Settings
from drivers.indication import Condition

_UNITS: Final = {
    "g": "g", "kg": "kg", "mg": "mg", "t": "t", "ct": "ct", "lb": "lb", "oz": "oz", "ozt": "toz",
    "dwt": "dwt", "gr": "gr", "N": "N", "%": "%",
}  # fmt: skip
_REQUESTS: Final = Requests(poll=b"SI\r\n", stream=b"C1\r\n", zero=b"Z\r\n", tare=b"T\r\n")
_MASS: Final = re.compile(
    r"(?P<command>S  |SI |SU |SUI)(?P<stability>[ ?^v]) (?P<sign>[ -])"
    r"(?P<field>.{9}) (?P<unit>.{3})"
)
_ANSWER: Final = re.compile(
    r"(?P<command>S|SI|SU|SUI|C[01]|CU[01]|Z|T|OT|UT|K[01]|IC|PC|BP|SS|NB) (?P<status>[ADIE^v])"
)
_NO_MASS: Final = {
    "I": (Condition.FAULT, "not executable now"),
    "E": (Condition.FAULT, "not stable in time"),
    "^": (Condition.OVERLOAD, OVERLOAD),
    "v": (Condition.UNDERLOAD, UNDERLOAD),
}
_ASKED: Final = ("S", "SI", "SU", "SUI", "C1", "CU1")
_UNKNOWN: Final = "unknown command"


@dataclass(frozen=True, slots=True)
class Radwag(FrameCodec):
    """The codec; it keeps nothing between frames."""

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what a line means."""
        if frame in (b"ES", b"ES "):
            return Answer("ES", "", _UNKNOWN, error=True)
        if match := full_match(_ANSWER, frame):
            if match["command"] in _ASKED and match["status"] in _NO_MASS:
                return without_value(*_NO_MASS[match["status"]])
            return Answer(match["command"], match["status"])
        match = full_match(_MASS, frame)
        if match is None:
            return None
        unit, text = match["unit"].rstrip(" "), number_in(match["field"], match["sign"])
        if text is None:
            return None
        if match["stability"] in "^v":
            return without_value(*_NO_MASS[match["stability"]])
        if unit == "pcs":
            return without_value(Condition.FAULT, PIECES)
        if unit not in self.units:
            return None
        return weight(
            text,
            self.units[unit],
            Condition.DYNAMIC if match["stability"] == "?" else Condition.STABLE,
        )

    def done(self, request: bytes, *, accepted: bool) -> tuple[Answer, ...]:
        """Return the two answers to a command: begun, and done or not."""
        command = request.decode("ascii")
        return Answer(command, "A"), Answer(command, "D" if accepted else "^")

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a line, as the answer to SI."""
        if isinstance(message, Answer):
            return f"{message.command} {message.status}".rstrip().encode("ascii") + b"\r\n"
        what = (message.condition, message.detail)
        status = next((s for s, said in _NO_MASS.items() if said == what), None)
        if status is not None:
            return f"SI {status}\r\n".encode("ascii")
        counting = message.detail == PIECES
        unit = "pcs" if counting else printed(self.units, message.unit)
        if unit is None:
            return None
        sign, digits = signed(message.text, plus=" ")
        stability = "?" if message.condition is Condition.DYNAMIC else " "
        line = f"SI {stability} {sign}{digits or '1':>9} {unit:<3}\r\n"
        return line.encode("ascii")


PAGE: Final = Page(
    title="Radwag",
    file="radwag",
    makers="Radwag (R and X2 series, WTB, WTC, WPT, PUE indicators); KERN PLB, PES and others speak "
    "a dialect of the commands.",
    about="Requests and answers; SI answers at once, C1 streams in the basic unit, CU1 in the "
    "current one. Wait for the answer before the next request.",
    cabling="Three wires (transmit, receive, ground), crossed or straight as the manual says. What it "
    "comes with is not established: try 9600 baud 8N1, then 4800.",
    instrument="Port 1: computer; no printing of its own accord, or `mode = listen` for continuous "
    "transmission.",
    layout="""\
S    -      8.5 g  ␍␊       command 1-3, stability 4, blank, sign 6, mass 7-15, blank, unit 17-19
SUI? -   58.237 kg ␍␊       current unit, at once, unstable""",
    statuses=(
        ("stability blank", "stable"),
        ("stability `?`", "dynamic"),
        ("`^`, `S ^`", "overload, although a mass may be sent"),
        ("`v`, `S v`", "underload"),
        ("`SI I`, `S E`", "fault: not executable now; not stable in time"),
        ("unit `pcs`", "fault: the instrument counts pieces"),
        ("`S A`, `Z A`, `Z D`, `T A` …", "begun, done: no indication"),
        ("`ES`", "the request was refused"),
    ),
    slips="No checksum: a changed digit, sign or point passes. The fixed length catches every lost "
    "or added character.",
    sources=(
        "Radwag R series p. 82-88, WTB p. 57-59, WTC p. 48, WPT p. 69-70, PUE C/31H p. 58, "
        "PUE C41H p. 144, MA X2 p. 107, HRP p. 131",
    ),
    unknown=("Form of the answers to NB, BN, FS and RV (serial number …): not asked for.",),
)


def _make(name: str, _: Settings) -> Radwag:
    return Radwag(name, _REQUESTS, _UNITS)


KINDS: Final = (Kind("radwag", "Radwag", PAGE, _make),)
