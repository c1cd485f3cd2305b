"""A&D balances and scales: the standard format, with a comparator, and the "MT" format.

standard = HH , sign 8 digits unit CR LF     HH: ST US OL QT; digits padded with zeros; unit 3
GC       = HH , CC , ...                     CC: OK HI LO -- when comparing
MT       = header value unit CR LF           header "S " "SD" "SI", by key "  " " D"; no zeros
"""

import re
from dataclasses import dataclass
from typing import Final

from drivers.codecs.codec import Answer, Decoded, Requests
from drivers.codecs.frame_codec import (
    NUMBER,
    OVERLOAD,
    PIECES,
    UNDERLOAD,
    FrameCodec,
    digits_of,
    full_match,
    marks_of,
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
    "dwt": "dwt", "GN": "gr", "N": "N", "%": "%",
}  # fmt: skip
_REQUESTS: Final = Requests(
    poll=b"Q\r\n", stream=b"SIR\r\n", zero=b"Z\r\n", tare=b"T\r\n", identity=(b"?ID\r\n",)
)
_STANDARD: Final = re.compile(
    r"(?P<header>ST|US|QT),(?:(?P<compared>OK|HI|LO|--),)?"
    r"(?P<sign>[+-])(?P<field>[0-9.]{8})(?P<unit>[ A-Za-z%]{3})"
)
_OVER: Final = re.compile(
    r"OL,(?:(?:OK|HI|LO|--),)?(?P<sign>[+-])(?:9{7}E\+19|[0-9.]{8}[ A-Za-z%]{3})"
)
_MT: Final = re.compile(
    rf"(?P<header>S |SD|  | D) *(?P<sign>-?)(?P<number>{NUMBER}) {{1,3}}(?P<unit>[A-Za-z%]{{1,3}})"
)
_MT_OVER: Final = re.compile(r"SI *(?P<sign>[+-])")
_ANSWER: Final = re.compile(r"EC ?, ?(?P<error>E[0-9]{1,2})|ID,(?P<id>[ -~]{1,40})")
_ERRORS: Final = {
    "E0": "transmission error", "E1": "unknown command", "E2": "not ready",
    "E4": "too many characters", "E6": "format error", "E7": "out of range",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AndD(FrameCodec):
    """One of the three formats: ``std``, ``gc`` or ``mt``."""

    form: str

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what a line means."""
        if frame == b"\x06":
            return Answer("", "A")
        if match := full_match(_ANSWER, frame):
            return _answer(match)
        if self.form == "mt":
            return self._read_mt(frame)
        if match := full_match(_OVER, frame):
            return _beyond(match["sign"])
        match = full_match(_STANDARD, frame)
        if match is None or (match["compared"] and self.form != "gc"):
            return None
        unit, text = match["unit"].lstrip(" "), number_in(match["field"], match["sign"])
        if match["header"] == "QT" or unit == "PC":
            return without_value(Condition.FAULT, PIECES)
        if unit not in self.units or text is None:
            return None
        compared = f"comparator {match['compared']}" if match["compared"] else ""
        stable = Condition.STABLE if match["header"] == "ST" else Condition.DYNAMIC
        return weight(text, self.units[unit], stable, compared)

    def _read_mt(self, frame: bytes) -> Decoded | None:
        if match := full_match(_MT_OVER, frame):
            return _beyond(match["sign"])
        match = full_match(_MT, frame)
        if match is None or match["unit"] not in (*self.units, "PC"):
            return None
        if match["unit"] == "PC":
            return without_value(Condition.FAULT, PIECES)
        stable = Condition.DYNAMIC if "D" in match["header"] else Condition.STABLE
        return weight(digits_of(match["sign"], match["number"]), self.units[match["unit"]], stable)

    def about(self, request: bytes, model: str, serial: str) -> tuple[Answer, ...]:
        """Return the identification number."""
        return (Answer("?ID", "A", serial),)

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a line."""
        line = _write_answer(message) if isinstance(message, Answer) else self._write(message)
        return None if line is None else f"{line}\r\n".encode("ascii")

    def _write(self, message: Decoded) -> str | None:
        mt = self.form == "mt"
        over = {Condition.OVERLOAD: "+", Condition.UNDERLOAD: "-"}.get(message.condition)
        if over is not None:
            return f"SI {over}" if mt else f"OL,{over}9999999E+19"
        if message.condition is Condition.FAULT:
            return f"S {'1':>10} PC" if mt else "QT,+00000001 PC"
        unit = printed(self.units, message.unit)
        if unit is None:
            return None
        stable = message.condition is Condition.STABLE
        if mt:
            return f"{'S ' if stable else 'SD'}{message.text:>10} {unit}"
        sign, digits = signed(message.text)
        compared = "".join(
            mark.removeprefix("comparator ") + ","
            for mark in marks_of(message)
            if mark.startswith("comparator ")
        )
        return f"{'ST' if stable else 'US'},{compared}{sign}{digits:0>8}{unit:>3}"


def _beyond(sign: str) -> Decoded:
    if sign == "-":
        return without_value(Condition.UNDERLOAD, UNDERLOAD)
    return without_value(Condition.OVERLOAD, OVERLOAD)


def _answer(match: "re.Match[str]") -> Answer:
    if error := match["error"]:
        meaning = _ERRORS.get(f"E{int(error[1:])}", "error")
        return Answer(error, "", meaning, error=True)
    return Answer("?ID", "A", match["id"])


def _write_answer(answer: Answer) -> str | None:
    if answer.error:
        return f"EC,{answer.command}"
    return f"ID,{answer.text}" if answer.command == "?ID" else "\x06"


PAGE: Final = Page(
    title="A&D standard, comparator and MT formats",
    file="a-and-d",
    makers="A&D (EK, EJ, GX, GF, GH, FX, FZ, FG, GC, HC, HV), and balances sold under other names.",
    about="A line on request (Q), at every display update (SIR), by key, or as a stream set on the "
    "instrument. `and-std` is the format named A&D on the instrument, `and-gc` adds a comparator "
    "result, `and-mt` is the format named MT.",
    cabling="Three wires (transmit, receive, ground), crossed or straight as the manual says, or USB "
    "with a virtual port. Speed, 7 bits with parity or 8N1 are set on the instrument; what it comes "
    "with is not established: read its menu, and try 2400 baud 7E1 first.",
    instrument="Data format A&D (`5if type 0`), terminator CR LF; no ID, date or time lines in "
    "front; acknowledgement off, or on: it is understood.",
    layout="""\
ST,+001234.5  g␍␊        header, sign and eight digits padded with zeros, unit of three
ST,OK,+0001.234 kg␍␊     and-gc with a comparator
S      71.82 g␍␊         and-mt""",
    statuses=(
        ("`ST`, MT `S `", "stable"),
        ("`US`, MT `SD`", "dynamic"),
        ("`OL` with `+`, MT `SI +`", "overload, whatever digits follow"),
        ("`OL` with `-`, MT `SI -`", "underload"),
        ("`QT`, unit `PC`", "fault: the instrument counts pieces"),
        ("`OK`, `HI`, `LO`, `--` (and-gc)", "mark `comparator …`"),
        ("`EC,E#`", "the request was refused"),
    ),
    slips="No checksum: a changed digit, sign or point passes. Standard and GC lines have a fixed "
    "length, so a lost or added character is caught; in MT format the width is not established, so "
    "a lost digit passes, and `SD` that lost its D reads as stable.",
    sources=(
        "A&D EK-L p. 28, EJ p. 24, GC p. 51, FG p. 35, GH-252 p. 42, GX p. 44, AD-4212D p. 27",
        "A&D GX-A/GF-A communication manual p. 17 (MT headers), FZ-i p. 59 (commands), HC-i p. 48 (errors)",
    ),
    unknown=(
        "Width of the value in MT format: any width is taken.",
        "Taels and mommes have several sizes: refused. DP, KF, NU and CSV formats: use `pattern`.",
    ),
)


def _make_std(name: str, _: Settings) -> AndD:
    return AndD(name, _REQUESTS, _UNITS, "std")


def _make_gc(name: str, _: Settings) -> AndD:
    return AndD(name, _REQUESTS, _UNITS, "gc")


def _make_mt(name: str, _: Settings) -> AndD:
    return AndD(name, _REQUESTS, _UNITS, "mt")


KINDS: Final = (
    Kind("and-std", "A&D standard format", PAGE, _make_std),
    Kind("and-gc", "A&D with a comparator", PAGE, _make_gc),
    Kind("and-mt", "A&D MT format", PAGE, _make_mt),
)
