"""SMA SCP-0499, the protocol of the Scale Manufacturers Association.

LF s r n m f 10 value 3 unit CR
s Z centre of zero, O over, U under, E zero error, T tare error, e not displayed, blank
r range; n G gross, T tare, N net, g n the same in high resolution; m M motion; f not used
LF ? CR unknown command, LF ! CR transmission error, LF xxx:yyyy CR about
"""

import re
from dataclasses import dataclass
from typing import Final

from drivers.codecs.codec import Answer, Decoded, Requests
from drivers.codecs.frame_codec import (
    CENTRE_OF_ZERO,
    NET,
    NOT_IN_TIME,
    OVERLOAD,
    UNDERLOAD,
    FrameCodec,
    full_match,
    marks_of,
    number_in,
    printed,
    weight,
    without_value,
)
from drivers.codecs.kind import Kind, Page, Settings
from drivers.framing import RecordFramer
from drivers.indication import Condition

_UNITS: Final = {
    "lb": "lb", "kg": "kg", "g": "g", "mg": "mg", "t": "t", "oz": "oz", "ozt": "toz", "ct": "ct",
    "ton": "ton", "tn": "ton",
}  # fmt: skip
_REQUESTS: Final = Requests(
    poll=b"\nW\r",
    stream=b"\nR\r",
    zero=b"\nZ\r",
    tare=b"\nT\r",
    identity=(b"\nA\r", b"\nB\r", b"\nB\r", b"\nB\r"),
)
_WEIGHT: Final = re.compile(
    r"(?P<status>[ ZOUETIe])(?P<range>[1-9])(?P<kind>[GTNgn])(?P<motion>[ M])[ A-Za-z]"
    r"(?P<field>.{10})(?P<unit>.{3})"
)
_ABOUT: Final = re.compile(r"(?P<field>[A-Z]{2,3}) ?:(?P<text>[ -~]{0,60})")
_DIAGNOSIS: Final = re.compile(r"[R ][E ][C ] ")
_ERRORS: Final = {"?": "unknown command", "!": "transmission error"}
_HIGH: Final = "high resolution"
_CONDITIONS: Final = {
    "O": (Condition.OVERLOAD, OVERLOAD),
    "U": (Condition.UNDERLOAD, UNDERLOAD),
    "E": (Condition.FAULT, "zero error"),
    "I": (Condition.FAULT, "zero error"),
    "T": (Condition.FAULT, "tare error"),
    "e": (Condition.FAULT, "no weight is displayed"),
}


@dataclass(frozen=True, slots=True)
class Sma(FrameCodec):
    """The codec; it keeps nothing between frames."""

    def framer(self) -> RecordFramer:
        """Return a new framer: from LF to CR."""
        return RecordFramer(b"\n", b"\r")

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what stands between LF and CR."""
        line = frame.decode("ascii", "replace")
        if line in _ERRORS:
            return Answer(line, "", _ERRORS[line], error=True)
        if _DIAGNOSIS.fullmatch(line):
            return Answer("D", "A", line.rstrip(" "))
        if match := full_match(_ABOUT, frame):
            return Answer("A" if match["field"] == "SMA" else "B", "A", line)
        match = full_match(_WEIGHT, frame)
        if match is None:
            return None
        if match["status"] in _CONDITIONS:
            return without_value(*_CONDITIONS[match["status"]])
        if match["field"] == "-" * 10:
            return without_value(Condition.FAULT, NOT_IN_TIME)
        unit, text = self.units.get(match["unit"].rstrip(" ")), number_in(match["field"])
        if unit is None or text is None:
            return None
        return weight(
            text,
            unit,
            Condition.DYNAMIC if match["motion"] == "M" else Condition.STABLE,
            NET if match["kind"] in "Nn" else "",
            _HIGH if match["kind"] in "gn" else "",
            CENTRE_OF_ZERO if match["status"] == "Z" else "",
            f"range {match['range']}" if match["range"] != "1" else "",
            quantity="tare" if match["kind"] == "T" else "weight",
        )

    def done(self, request: bytes, *, accepted: bool) -> None:
        """Answer with the weight, as to every other request."""

    def about(self, request: bytes, model: str, serial: str) -> tuple[Answer, ...]:
        """Return the level to A and the model to B."""
        if request == b"A":
            return (Answer("A", "A", "SMA:2/1.0"),)
        return (Answer("B", "A", f"MOD:{model}"),)

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a reply."""
        if isinstance(message, Answer):
            blank = f"{message.text:<4}" if message.command == "D" else message.text
            return f"\n{message.command if message.error else blank}\r".encode("ascii")
        if message.value is None:
            what = (message.condition, message.detail)
            status = next((s for s, said in _CONDITIONS.items() if said == what), " ")
            field = "120.000kg " if status in "OU" else f"{'':-<10}   "
            return f"\n{status}1G  {field:>13}\r".encode("ascii")
        marks = marks_of(message)
        unit = printed(self.units, message.unit)
        if unit is None:
            return None
        kind = "T" if message.quantity == "tare" else "N" if NET in marks else "G"
        kind = kind.lower() if _HIGH in marks else kind
        status = "Z" if CENTRE_OF_ZERO in marks else " "
        span = next((m.removeprefix("range ") for m in marks if m.startswith("range ")), "1")
        motion = " " if message.condition is Condition.STABLE else "M"
        return f"\n{status}{span}{kind}{motion} {message.text:>10}{unit:<3}\r".encode("ascii")


PAGE: Final = Page(
    title="SMA SCP-0499",
    file="sma",
    makers="Avery Weigh-Tronix, Fairbanks, Cardinal and Detecto, Sartorius and Minebea PR and X "
    "series, B-TEK, 825 Spectrum.",
    about="Requests and answers between LF and CR; R repeats without end, every 100 ms at 19200 "
    "baud and every 170 ms at 4800.",
    cabling="Three wires (transmit, receive, ground). Speed and framing as set on the instrument.",
    instrument="Serial protocol SMA, level 2 or higher for the repeat request.",
    layout="""\
␊ s r n m f x x x x x x . x x x u u u ␍
␊ 1GM      7.650kg ␍          gross, in motion""",
    statuses=(
        ("m `M`", "dynamic"),
        ("s `Z`", "mark `centre of zero`"),
        ("s `O`", "overload, although the weight is sent"),
        ("s `U`", "underload, although the weight is sent"),
        ("s `E`, `I`, `T`", "fault: zero error, tare error"),
        ("s `e`", "fault: no weight is displayed"),
        ("dashes without E, I or T", "fault: not stable in time"),
        ("n `N`, `n`", "net"),
        ("n `T`", "quantity `tare`"),
        ("n `g`, `n`", "mark `high resolution`"),
        ("r not 1", "mark `range …`"),
        ("`?`, `!`", "unknown command; transmission error"),
    ),
    slips="No checksum: a changed digit, sign or point passes. The fixed length catches every lost "
    "or added character.",
    sources=(
        "SMA SCP-0499 as printed in Sartorius PR 5220 p. 130, PR 5211 p. 51-52, PR 5210 p. 38",
        "Fairbanks PR 5410 p. 120 (repetition), B-TEK T419S p. 61, Cardinal 190 p. 124 (status e)",
    ),
    unknown=("Meaning of f: a blank or a letter is taken and not looked at.",),
)


def _make(name: str, _: Settings) -> Sma:
    return Sma(name, _REQUESTS, _UNITS)


KINDS: Final = (Kind("sma", "SMA SCP-0499", PAGE, _make),)
