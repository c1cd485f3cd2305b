"""Older KERN balances (PCB, FKB, KDE-T): lower-case letters, and lines of fixed columns.

    M S N1..N10 B U1 U2 U3 CR LF       M blank or "M", S blank or "-", unit blank while unstable
    ...         Error CR LF            right aligned

FKB leaves the unit's columns out of unstable and error lines.
"""

import re
from dataclasses import dataclass
from typing import Final

from drivers.codecs.codec import Answer, Decoded, Requests
from drivers.codecs.frame_codec import (
    PIECES,
    UNIT,
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
    "g": "g", "kg": "kg", "mg": "mg", "ct": "ct", "lb": "lb", "oz": "oz", "ozt": "toz",
    "dwt": "dwt", "gn": "gr", "%": "%",
}  # fmt: skip
_REQUESTS: Final = Requests(poll=b"w", tare=b"t")
_LINE: Final = re.compile(
    r"[ M](?P<sign>[ -])(?P<field>.{10}) (?P<unit>(?:[A-Za-z%]{1,3} {0,2}|pcs\.?| {3})?)"
)
_ERROR: Final = re.compile(r" {7,11}Error")
_FAULT: Final = "instrument error"


@dataclass(frozen=True, slots=True)
class KernW(FrameCodec):
    """The codec; it keeps nothing between frames."""

    unit: str

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what a line means."""
        if full_match(_ERROR, frame) and len(frame) in (12, 16):
            return without_value(Condition.FAULT, _FAULT)
        match = full_match(_LINE, frame)
        text = None if match is None else number_in(match["field"], match["sign"])
        if match is None or text is None or len(match["unit"]) not in (0, 3, 4):
            return None
        unit = match["unit"].strip(" .")
        if unit == "pcs":
            return without_value(Condition.FAULT, PIECES)
        if unit and unit not in self.units:
            return None
        return weight(
            text,
            self.units[unit] if unit else self.unit or None,
            Condition.STABLE if unit else Condition.DYNAMIC,
        )

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a line of eighteen bytes."""
        if isinstance(message, Answer):
            return None
        if message.detail == _FAULT:
            return b"           Error\r\n"
        unit = "pcs" if message.detail == PIECES else printed(self.units, message.unit)
        if message.condition is Condition.DYNAMIC:
            unit = ""
        if unit is None:
            return None
        sign, digits = signed(message.text or "1", plus=" ")
        return f" {sign}{digits:>10} {unit:<3}\r\n".encode("ascii")


PAGE: Final = Page(
    title="KERN, older balances",
    file="kern-w",
    makers="KERN PCB, FKB, KDE-T and their relatives.",
    about="`w` asks for the weight at once, `s` for the next stable one, `t` tares; the letters are "
    "sent alone, without CR LF.",
    cabling="Three wires (transmit, receive, ground), crossed or straight as the manual says; try "
    "9600 baud 8N1 first.",
    instrument="Interface `rE Cr` (remote control), or continuous output for `mode = listen`.",
    layout="""\
      100.00 g  ␍␊       M, sign, ten characters, blank, unit
      100.02    ␍␊       unit blank: not stable
           Error␍␊""",
    statuses=(
        ("unit", "stable"),
        ("unit blank or left out", "dynamic; unit only if `unit` is set"),
        ("`Error`", "fault: instrument error (over or under the range, too)"),
        ("unit `pcs`", "fault: the instrument counts pieces"),
    ),
    slips="No checksum: a changed digit, sign or point passes. The columns catch every lost or "
    "added character.",
    sources=("KERN PCB p. 35, FKB p. 37, KDE-T p. 36",),
    unknown=(
        "Meaning of the M in the first column: taken, and not looked at.",
        "Overload has no mark of its own: it is the fault `instrument error`.",
    ),
)


def _make(name: str, settings: Settings) -> KernW:
    return KernW(name, _REQUESTS, _UNITS, settings["unit"])


KINDS: Final = (Kind("kern-w", "KERN, older balances", PAGE, _make, (UNIT,)),)
