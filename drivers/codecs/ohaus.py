"""Ohaus native lines, and those of Scout Pro.

    weight W, right aligned  blank  unit 1..5  [blanks  ?]  [blanks  legend]  CR LF

W is 10 (Explorer), 12 (Scout Pro), 11 or 12 (Navigator), 9 (AS, Defender). "?" is not stable;
blanks at the end may be left out.
"""

import re
from dataclasses import dataclass
from typing import Final

from drivers.codecs.codec import Answer, Decoded, Requests
from drivers.codecs.frame_codec import (
    NET,
    PIECES,
    FrameCodec,
    full_match,
    marks_of,
    number_in,
    printed,
    weight,
    without_value,
)
from drivers.codecs.kind import Kind, Option, Page, Settings
from drivers.indication import Condition

_UNITS: Final = {
    "g": "g", "kg": "kg", "mg": "mg", "t": "t", "ct": "ct", "lb": "lb", "oz": "oz", "ozt": "toz",
    "dwt": "dwt", "GN": "gr", "N": "N", "%": "%",
}  # fmt: skip
_NATIVE: Final = Requests(poll=b"IP\r\n", stream=b"CP\r\n", zero=b"Z\r\n", tare=b"T\r\n")
_SCOUT: Final = Requests(poll=b"P\r\n", stream=b"CA\r\n", tare=b"T\r\n")
_TIME: Final = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}")
_LEGENDS: Final = {"": "weight", "G": "weight", "NET": "weight", "N": "weight", "T": "tare"}
_REFUSED: Final = "not accepted, or not stable in time"


@dataclass(frozen=True, slots=True)
class Ohaus(FrameCodec):
    """The codec for one width of the weight."""

    width: int
    pads: bool
    """Whether unit and stability stand in fixed columns, with blanks at the end."""

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what a line means."""
        if frame == b"ES":
            return Answer("ES", "", _REFUSED, error=True)
        match = full_match(_line(self.width), frame)
        if match is None:
            return None
        unit, legend, text = match["unit"], match["legend"] or "", number_in(match["field"])
        if text is None:
            return None
        if unit == "PCS":
            return without_value(Condition.FAULT, PIECES)
        if unit not in self.units:
            return None
        if _TIME.fullmatch(legend):
            legend = ""
        if legend not in _LEGENDS:
            return Answer(legend, "", match[0].strip(" "))
        return weight(
            text,
            self.units[unit],
            Condition.DYNAMIC if match["motion"] else Condition.STABLE,
            NET if legend in ("NET", "N") else "",
            quantity=_LEGENDS[legend],
        )

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a line."""
        if isinstance(message, Answer):
            return b"ES\r\n" if message.error else None
        unit = "PCS" if message.detail == PIECES else printed(self.units, message.unit)
        if unit is None:
            return None
        legend = "T" if message.quantity == "tare" else "NET" if NET in marks_of(message) else ""
        motion = "?" if message.condition is Condition.DYNAMIC else ""
        line = f"{message.text or '1':>{self.width}} {unit}"
        if self.pads:
            line = f"{line:<{self.width + 6}} {motion or ' '} {legend:<10}"
        elif motion or legend:
            line = f"{line} {motion or ' '} {legend}".rstrip(" ")
        return f"{line}\r\n".encode("ascii")


def _line(width: int) -> "re.Pattern[str]":
    return re.compile(
        rf"(?P<field>.{{{width}}}) (?P<unit>[A-Za-z%]{{1,5}})"
        r"(?: *(?P<motion>\?))?(?: +(?P<legend>[!-~][ -~]{0,15}?))? *"
    )


PAGE: Final = Page(
    title="Ohaus native and Scout Pro",
    file="ohaus",
    makers="Ohaus (Explorer, Adventurer, Navigator, Defender, AS; Scout Pro and Traveler).",
    about="A line on request, by key, at intervals or as a stream. Many newer Ohaus instruments "
    "speak MT-SICS as well: prefer `ohaus-mt-sics` (Ranger: send `PSI`; `POH` goes back).",
    cabling="9-pin D-sub or the maker's interface kit, or USB with a virtual port. What it comes with "
    "is not established: try 9600 baud 8N1; Scout Pro 2400 baud 7N2.",
    instrument="Print content: result only, without date, header or ID. Print stable only: off, to "
    "see motion. Auto-print off for polling, continuous for `mode = listen`.",
    layout="""\
    192.21 g␍␊              ohaus: ten characters, blank, unit
      0.01 g ?␍␊            not stable
       12.73 g    ?␍␊       ohaus-scoutpro: twelve characters, unit in five""",
    statuses=(
        ("blank", "stable"),
        ("`?`", "dynamic"),
        ("legend `NET`, `N`", "net"),
        ("legend `T`", "quantity `tare`"),
        ("a time", "not looked at"),
        ("another legend (`TOTAL` …)", "no indication"),
        ("unit `PCS`", "fault: the instrument counts pieces"),
        ("`ES`", "not accepted, or not stable within 40 s"),
    ),
    slips="No checksum: a changed digit, sign or point passes, and a `?` that was lost reads as "
    "stable. The width of the weight catches a lost or added digit.",
    sources=(
        "Ohaus RS232 interface manual EN-3 (azmanual 257078 p. 5), Explorer p. 153-156",
        "Ohaus Scout Pro RS232 (manualslib.fr 558648 p. 5), AS series p. 84, Defender 3000 EN-35, "
        "Courier 5000 EN-34 (commands)",
    ),
    unknown=(
        "What is sent in overload: no source; nothing is made of it, and polling times out.",
        "lb:oz, taels and mommes: refused. Scout Pro 401/601/6000: use `ohaus` with its `width`.",
    ),
)


def _make_native(name: str, settings: Settings) -> Ohaus:
    return Ohaus(name, _NATIVE, _UNITS, settings.number("width"), pads=False)


def _make_scout(name: str, _: Settings) -> Ohaus:
    return Ohaus(name, _SCOUT, _UNITS, 12, pads=True)


_WIDTH: Final = Option("width", "10", "characters of the weight", ("9", "10", "11", "12"))

KINDS: Final = (
    Kind("ohaus", "Ohaus native", PAGE, _make_native, (_WIDTH,)),
    Kind("ohaus-scoutpro", "Ohaus Scout Pro", PAGE, _make_scout),
)
