"""Lines that begin with ST, US or OL: printers' and indicators' formats of KERN, CAS, Dini Argeo.

    kern-tm      = HH,KK value UNIT               as the KFN-TM manual prints it
    kern-kxs     = HH,KK, sign 8 value 4 unit     (7 and 4 in the six-digit format)
    generic-stgs = HH,KK, sign 7 value 2 unit
    cas-and18    = HH,KK, 8 value 2 unit
    dini-argeo   = [address] HH,KK, 8 value , unit

HH: ST stable, US unstable, OL over, UL under. KK: GS gross, NT net, TR tare.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from drivers.codecs.codec import Answer, Decoded, Requests
from drivers.codecs.frame_codec import (
    NET,
    NO_REQUESTS,
    OVERLOAD,
    UNDERLOAD,
    FrameCodec,
    full_match,
    marks_of,
    number_in,
    printed,
    signed,
    weight,
    without_value,
)
from drivers.codecs.kind import Kind, Option, Settings
from drivers.codecs.st_us_page import PAGE
from drivers.indication import Condition

_KG: Final = {"kg": "kg", "g": "g", "t": "t", "lb": "lb"}
_KXS: Final = {"kg": "kg", "g": "g", "lb": "lb", "oz": "oz"}
_TM: Final = {"KG": "kg", "G": "g", "LB": "lb", "kg": "kg", "g": "g", "lb": "lb"}
_DINI: Final = {"kg": "kg", "Kg": "kg", "g": "g", "t": "t", "lb": "lb"}
_HEAD: Final = r"(?P<head>ST|US|OL|UL),(?P<kind>GS|NT|TR),"
_VALUE: Final = r"(?P<field>[ 0-9.+-]{{{}}})(?P<unit>[ a-zA-Z.]{{{}}})"
_LINE_END: Final = {"none": b"", "cr": b"\r", "crlf": b"\r\n"}
_DINI_ERRORS: Final = {
    "ERR01": "format error", "ERR02": "wrong parameter", "ERR03": "not executable now",
    "ERR04": "unknown command",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StUs(FrameCodec):
    """One layout: what follows the header, and how it is written."""

    layout: "re.Pattern[str]"
    written: Callable[[str, str, str], str]
    """Sign, digits and printed unit -> what follows the header."""
    prefix: str = ""
    kinds: str = ","
    """What separates the header from the weight."""

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what a line means."""
        match = full_match(self.layout, frame)
        if match is None:
            return None
        head, unit = match["head"], (match["unit"] or "").strip(" ")
        if unit not in self.units and (unit or match["field"].strip(" ") or head[1] != "L"):
            return None
        if head == "UL" or (head == "OL" and "-" in match[0]):
            return without_value(Condition.UNDERLOAD, UNDERLOAD)
        if head == "OL":
            return without_value(Condition.OVERLOAD, OVERLOAD)
        text = number_in(match["field"], match["sign"])
        if text is None:
            return None
        return weight(
            text,
            self.units[unit],
            Condition.STABLE if head == "ST" else Condition.DYNAMIC,
            NET if match["kind"] == "NT" else "",
            quantity="tare" if match["kind"] == "TR" else "weight",
        )

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a line."""
        if isinstance(message, Answer):
            return None
        kind = "TR" if message.quantity == "tare" else "NT" if NET in marks_of(message) else "GS"
        if message.value is None:
            body = self._write_beyond(message)
        else:
            unit = printed(self.units, message.unit)
            head = "ST" if message.condition is Condition.STABLE else "US"
            sign, digits = signed(message.text)
            body = None if unit is None else (head, self.written(sign, digits, unit))
        if body is None:
            return None
        return f"{self.prefix}{body[0]},{kind}{self.kinds}{body[1]}\r\n".encode("ascii")

    def _write_beyond(self, message: Decoded) -> tuple[str, str] | None:
        unit = next(iter(self.units))
        if message.condition is Condition.OVERLOAD:
            return "OL", self.written("+", "", unit)
        if message.condition is Condition.UNDERLOAD:
            return "OL", self.written("-", "", unit)
        return None


class DiniArgeo(StUs):
    """The same with an address, UL for under, and commands."""

    __slots__ = ()

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what a line means."""
        line = frame.decode("ascii", "replace").removeprefix(self.prefix)
        if line == "OK":
            return Answer("", "A")
        if line in _DINI_ERRORS:
            return Answer(line, "", _DINI_ERRORS[line], error=True)
        return StUs.read(self, frame)

    def done(self, request: bytes, *, accepted: bool) -> tuple[Answer, ...]:
        """Return OK, or that it is not allowed now."""
        if accepted:
            return (Answer("", "A"),)
        return (Answer("ERR03", "", _DINI_ERRORS["ERR03"], error=True),)

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a line."""
        if isinstance(message, Answer):
            return f"{self.prefix}{message.command or 'OK'}\r\n".encode("ascii")
        written = StUs.write(self, message)
        under = written is not None and message.condition is Condition.UNDERLOAD
        return written.replace(b"OL,", b"UL,", 1) if under and written else written


def _kern_tm(name: str, settings: Settings) -> StUs:
    end = _LINE_END[settings["command_end"]]
    requests = Requests(poll=b"W" + end, zero=b"Z" + end, tare=b"T" + end)
    layout = re.compile(
        r"(?P<head>ST|US),(?P<kind>GS|NT),?(?P<sign>)(?P<field>[ 0-9.+-]{1,16}?) {0,2}(?P<unit>[A-Za-z]{1,2})"
    )
    return StUs(name, requests, _TM, layout, lambda s, d, u: f"{s.strip('+')}{d}{u}", kinds=" ")


def _kern_kxs(name: str, settings: Settings) -> StUs:
    width = settings.number("digits") + 1
    layout = re.compile(_HEAD + "(?P<sign>[+-])" + _VALUE.format(width, 4))

    def written(sign: str, digits: str, unit: str) -> str:
        return f"{sign}{digits:0>{width}}{unit:>4}" if digits else f"{sign}{'':{width + 4}}"

    return StUs(name, NO_REQUESTS, _KXS, layout, written)


def _generic(name: str, settings: Settings) -> StUs:
    width = settings.number("width")
    layout = re.compile(_HEAD + "(?P<sign>[+-])" + _VALUE.format(width, 2))
    return StUs(name, NO_REQUESTS, _KG, layout, lambda s, d, u: f"{s}{d:>{width}}{u:>2}")


def _cas_18(name: str, _: Settings) -> StUs:
    layout = re.compile(_HEAD + "(?P<sign>)" + _VALUE.format(8, 2))

    def written(sign: str, digits: str, unit: str) -> str:
        number = f"-{digits:0>7}" if sign == "-" else f"{digits:0>8}"
        return f"{number}{unit:>2}"

    return StUs(name, NO_REQUESTS, _KG, layout, written)


def _dini(name: str, settings: Settings) -> StUs:
    address = settings["address"]
    requests = Requests(
        poll=f"{address}READ\r\n".encode("ascii"),
        zero=f"{address}ZERO\r\n".encode("ascii"),
        tare=f"{address}TARE\r\n".encode("ascii"),
    )
    value = "(?P<sign>)(?P<field>[ 0-9.+-]{8}),(?P<unit>[ a-zA-Z]{1,2})"
    layout = re.compile(address + _HEAD + value)
    return DiniArgeo(
        name, requests, _DINI, layout, lambda s, d, u: f"{s.strip('+') + d:>8},{u}", prefix=address
    )


KINDS: Final = (
    Kind(
        "kern-tm", "KERN KFN-TM, KFB, SFB", PAGE, _kern_tm,
        (Option("command_end", "none", "what follows a command letter", ("none", "cr", "crlf")),),
    ),
    Kind(
        "kern-kxs", "KERN KXS-TM, KXG-TM", PAGE, _kern_kxs,
        (Option("digits", "7", "seven- or six-digit data format", ("7", "6")),), mode="listen",
    ),
    Kind(
        "generic-stgs", "indicators that print ST,GS,+  4.876kg", PAGE, _generic,
        (Option("width", "7", "characters between sign and unit", ("6", "7", "8")),), mode="listen",
    ),
    Kind("cas-and18", "CAS indicators set to AND 18 bytes", PAGE, _cas_18, mode="listen"),
    Kind(
        "dini-argeo", "Dini Argeo standard string", PAGE, _dini,
        (Option("address", "", "two digits on RS-485, nothing otherwise", pattern="([0-9]{2})?"),),
    ),
)  # fmt: skip
