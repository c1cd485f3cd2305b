"""Scoreboard formats that Cardinal indicators offer: SB-400 and Rice Lake IQ355; and WI-120.

SB-400 = sign  six digits with or without a point  unit  G|N  status  CR
IQ355  = STX  sign  7 value  unit 1  G|N  status  CR LF
WI-120 = G|N  sign  6 digits  blank  unit  CR LF                 no status
"""

import re
from dataclasses import dataclass
from typing import Final

from drivers.codecs.cardinal_page import PAGE
from drivers.codecs.codec import Answer, Decoded, Requests
from drivers.codecs.frame_codec import (
    BELOW_ZERO,
    CENTRE_OF_ZERO,
    LINE_LIMIT,
    NET,
    NO_REQUESTS,
    NUMBER,
    OVERLOAD,
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
from drivers.framing import Framer, LineFramer, RecordFramer
from drivers.indication import Condition

_SB_400_UNITS: Final = {"lb": "lb", "kg": "kg", "t": "t", "g": "g", "oz": "oz", "tn": "ton"}
_IQ_355_UNITS: Final = {"K": "kg", "L": "lb", "G": "g", "O": "oz"}
_WI_120_UNITS: Final = {"kg": "kg", "lb": "lb"}
_SB_400: Final = re.compile(
    r"(?P<sign>[ -])(?P<number>[0-9]{6}|(?=[0-9.]{7}[a-z ])[0-9]+\.[0-9]*)"
    r"(?P<unit>lb|kg|oz|tn| ?[tg] ?)(?P<mode>[GN])(?P<status>OC|BZ|CZ|MO|ee|EE|  |)"
)
_IQ_355: Final = re.compile(
    rf"(?=.{{11}}\Z)(?P<sign>[ -])(?: *(?P<number>{NUMBER})|[ -]*)(?P<unit>[KLGOT ])"
    r"(?P<mode>[GN])(?P<status>[ IMO])"
)
_WI_120: Final = re.compile(
    r"(?P<mode>[GN])(?P<sign>[+-])(?P<number>[0-9]{6}|(?=[0-9.]{6} )[0-9]+\.[0-9]+) (?P<unit>kg|lb)"
)
_NOT_SHOWN: Final = "no weight is displayed"
_INVALID: Final = "invalid weight"


@dataclass(frozen=True, slots=True)
class Sb400(FrameCodec):
    """The format of SB-400 scoreboards and of "computer"."""

    def framer(self) -> Framer:
        """Return a new framer: lines that end with CR."""
        return LineFramer(b"\r", LINE_LIMIT)

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what a line means."""
        match = full_match(_SB_400, frame.removeprefix(b"\n"))
        if match is None:
            return None
        status = match["status"]
        if status == "OC":
            return without_value(Condition.OVERLOAD, OVERLOAD)
        if status in ("ee", "EE"):
            return without_value(Condition.FAULT, _NOT_SHOWN)
        stable = status in ("", "  ", "CZ")
        return weight(
            digits_of(match["sign"], match["number"]),
            self.units[match["unit"].strip(" ")],
            Condition.STABLE if stable else Condition.DYNAMIC,
            NET if match["mode"] == "N" else "",
            {"BZ": BELOW_ZERO, "CZ": CENTRE_OF_ZERO}.get(status, ""),
        )

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a line."""
        if isinstance(message, Answer):
            return None
        marks = marks_of(message)
        sign, digits = signed(message.text or "0", plus=" ")
        width = 7 if "." in digits else 6
        unit = printed(self.units, message.unit or "lb")
        if unit is None:
            return None
        if message.value is None:
            status = "OC" if message.condition is Condition.OVERLOAD else "ee"
        elif message.condition is Condition.DYNAMIC:
            status = "BZ" if BELOW_ZERO in marks else "MO"
        else:
            status = "CZ" if CENTRE_OF_ZERO in marks else "  "
        mode = "N" if NET in marks else "G"
        return f"{sign}{digits:0>{width}}{unit:<2}{mode}{status}\r".encode("ascii")


@dataclass(frozen=True, slots=True)
class Iq355(FrameCodec):
    """The format of Rice Lake IQ355 indicators."""

    tons: str
    """What the unit letter T is; empty refuses it."""

    def framer(self) -> Framer:
        """Return a new framer: from STX to CR LF."""
        return RecordFramer(b"\x02", b"\r\n")

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what stands between STX and CR LF."""
        match = full_match(_IQ_355, frame)
        if match is None:
            return None
        if match["status"] == "O":
            return without_value(Condition.OVERLOAD, OVERLOAD)
        if match["status"] == "I":
            return without_value(Condition.FAULT, _INVALID)
        letter = match["unit"]
        unit = self.tons if letter == "T" else self.units.get(letter)
        if match["number"] is None or (letter != " " and not unit):
            return None
        return weight(
            digits_of(match["sign"], match["number"]),
            unit or None,
            Condition.DYNAMIC if match["status"] == "M" else Condition.STABLE,
            NET if match["mode"] == "N" else "",
        )

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a frame."""
        if isinstance(message, Answer):
            return None
        units = {**self.units, "T": self.tons} if self.tons else self.units
        unit = printed(units, message.unit)
        sign, digits = signed(message.text, plus=" ")
        mode = "N" if NET in marks_of(message) else "G"
        status = {Condition.OVERLOAD: "O", Condition.FAULT: "I", Condition.DYNAMIC: "M"}.get(
            message.condition, " "
        )
        return f"\x02{sign}{digits:>7}{unit or ' '}{mode}{status}\r\n".encode("ascii")


@dataclass(frozen=True, slots=True)
class Wi120(FrameCodec):
    """The format of Weightronix WI-120 scoreboards."""

    decimals: int

    @property
    def tells_stability(self) -> bool:
        """Say no: there is no status."""
        return False

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what a line means."""
        match = full_match(_WI_120, frame)
        if match is None or ("." in match["number"] and self.decimals):
            return None
        number = match["number"]
        if self.decimals:
            number = f"{number[: -self.decimals]}.{number[-self.decimals :]}"
        return weight(
            digits_of(match["sign"], number),
            self.units[match["unit"]],
            Condition.DYNAMIC,
            NET if match["mode"] == "N" else "",
        )

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a line."""
        unit = None if isinstance(message, Answer) else printed(self.units, message.unit)
        if isinstance(message, Answer) or unit is None:
            return None
        sign, digits = signed(message.text)
        mode = "N" if NET in marks_of(message) else "G"
        digits = digits.replace(".", "") if self.decimals else digits
        return f"{mode}{sign}{digits:0>6} {unit}\r\n".encode("ascii")


def _make_sb_400(name: str, _: Settings) -> Sb400:
    return Sb400(name, Requests(poll=b"\x05"), _SB_400_UNITS)


def _make_iq_355(name: str, settings: Settings) -> Iq355:
    return Iq355(name, NO_REQUESTS, _IQ_355_UNITS, settings["tons"])


def _make_wi_120(name: str, settings: Settings) -> Wi120:
    return Wi120(name, NO_REQUESTS, _WI_120_UNITS, settings.number("decimals"))


KINDS: Final = (
    Kind("cardinal-sb400", "Cardinal SB-400", PAGE, _make_sb_400, mode="listen"),
    Kind(
        "ricelake-iq355",
        "Rice Lake IQ355",
        PAGE,
        _make_iq_355,
        (Option("tons", "", "what the letter T stands for; empty refuses it", ("", "t", "ton")),),
        mode="listen",
    ),
    Kind(
        "weightronix-wi120",
        "Weightronix WI-120",
        PAGE,
        _make_wi_120,
        (Option("decimals", "0", "decimal places that the display shows", pattern="[0-5]"),),
        mode="listen",
    ),
)
