"""Rinstrum automatic output, the formats FMT_1 and FMT_2 of R300 indicators.

FMT_1 = STX sign 7 value status ETX                 G gross N net U under O over M motion E error
FMT_2 = STX sign 7 value S1 S2 S3 S4 3 unit ETX     S1 G N U O E, S2 M, S3 Z, S4 range
"""

import re
from dataclasses import dataclass
from typing import Final

from drivers.codecs.codec import Answer, Decoded
from drivers.codecs.frame_codec import (
    CENTRE_OF_ZERO,
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
from drivers.codecs.kind import Kind, Page, Settings
from drivers.framing import RecordFramer
from drivers.indication import Condition

_UNITS: Final = {"kg": "kg", "g": "g", "t": "t", "lb": "lb", "oz": "oz"}
_FIELD: Final = rf"(?P<sign>[ -])(?P<field>(?: *(?P<number>{NUMBER})|[ -]*))"
_FMT_1: Final = re.compile(r"(?=.{9}\Z)" + _FIELD + r"(?P<status>[GNUOME])")
_FMT_2: Final = re.compile(
    r"(?=.{15}\Z)" + _FIELD + r"(?P<status>[GNUOE])(?P<motion>[ M])(?P<zero>[ Z])(?P<range>[-12])"
    r"(?P<unit> [a-z]{2}|  [a-z]| {3})"
)
_CONDITIONS: Final = {
    "O": (Condition.OVERLOAD, OVERLOAD),
    "U": (Condition.UNDERLOAD, UNDERLOAD),
    "E": (Condition.FAULT, "instrument error"),
}


@dataclass(frozen=True, slots=True)
class Rinstrum(FrameCodec):
    """One of the two formats."""

    second: bool
    unit: str

    def framer(self) -> RecordFramer:
        """Return a new framer: from STX to ETX."""
        return RecordFramer(b"\x02", b"\x03")

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what stands between STX and ETX."""
        match = full_match(_FMT_2 if self.second else _FMT_1, frame)
        if match is None:
            return None
        if match["status"] in _CONDITIONS:
            return without_value(*_CONDITIONS[match["status"]])
        if match["number"] is None:
            return None
        net = NET if match["status"] == "N" else ""
        text = digits_of(match["sign"], match["number"])
        if not self.second:
            moving = match["status"] == "M"
            condition = Condition.DYNAMIC if moving else Condition.STABLE
            return weight(text, self.unit or None, condition, net)
        shown = match["unit"].strip(" ")
        if shown and shown not in self.units:
            return None
        return weight(
            text,
            self.units[shown] if shown else self.unit or None,
            Condition.STABLE if shown and match["motion"] == " " else Condition.DYNAMIC,
            net,
            CENTRE_OF_ZERO if match["zero"] == "Z" else "",
            f"range {match['range']}" if match["range"] != "-" else "",
        )

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a frame."""
        if isinstance(message, Answer):
            return None
        marks = marks_of(message)
        sign, digits = signed(message.text, plus=" ")
        what = (message.condition, message.detail)
        status = next((s for s, said in _CONDITIONS.items() if said == what), None)
        status = status or ("N" if NET in marks else "G")
        moving = message.condition is Condition.DYNAMIC
        if not self.second:
            status = "M" if moving else status
            return f"\x02{sign}{digits:>7}{status}\x03".encode("ascii")
        unit = "" if moving else printed(self.units, message.unit or "kg")
        span = next((m.removeprefix("range ") for m in marks if m.startswith("range ")), "-")
        zero = "Z" if CENTRE_OF_ZERO in marks else " "
        if unit is None:
            return None
        line = f"{sign}{digits:>7}{status}{'M' if moving else ' '}{zero}{span}{unit:>3}"
        return f"\x02{line}\x03".encode("ascii")


PAGE: Final = Page(
    title="Rinstrum automatic output",
    file="rinstrum",
    makers="Rinstrum R300, R320 and C500 families and their relabelled versions.",
    about="A stream of ten frames a second between STX and ETX.",
    cabling="RS-232 at the instrument's terminals: transmit, receive, ground. Speed and framing as "
    "set in SERIAL.",
    instrument="SERIAL: AUTO, format FMT_2 where there is a choice: it says unit, motion and zero "
    "apart. With FMT_1 no unit is sent: set `unit` as the display shows it.",
    layout="""\
␂   12.34G  - kg␃     FMT_2: sign, seven characters, G, motion, zero, range, unit
␂   12.34G␃           FMT_1""",
    statuses=(
        ("`G`", "gross, no mark"),
        ("`N`", "net"),
        ("`M`", "dynamic; FMT_1 does not say then whether it is gross or net"),
        ("unit blank (FMT_2)", "dynamic; unit only if `unit` is set"),
        ("`O`, `U`, `E`", "overload, underload, fault: instrument error"),
        ("`Z`", "mark `centre of zero`"),
        ("range `1`, `2`", "mark `range …`; `-` is a single range"),
    ),
    slips="No checksum: a changed digit, sign or point passes. The fixed length catches every lost "
    "or added character.",
    sources=("Rinstrum R320 003R-682-119 p. 44, C530 C500-600-2.0.3 p. 48",),
    unknown=(
        "Weight in overload: not looked at.",
        "ringCmd (network protocol): weight and status are two registers, and no source shows them "
        "in one reply; not built. FMT_3 to FMT_6: use `pattern`.",
    ),
)


def _make_1(name: str, settings: Settings) -> Rinstrum:
    return Rinstrum(name, NO_REQUESTS, _UNITS, second=False, unit=settings["unit"])


def _make_2(name: str, settings: Settings) -> Rinstrum:
    return Rinstrum(name, NO_REQUESTS, _UNITS, second=True, unit=settings["unit"])


KINDS: Final = (
    Kind("rinstrum-fmt1", "Rinstrum FMT_1", PAGE, _make_1, (UNIT,), mode="listen"),
    Kind("rinstrum-fmt2", "Rinstrum FMT_2", PAGE, _make_2, (UNIT,), mode="listen"),
)
