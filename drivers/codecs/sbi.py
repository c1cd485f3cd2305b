"""Sartorius SBI: lines of 16 or, with an identification code, 22 characters.

    16 = sign  2..10 value  11 space  12..14 unit  CR LF       22 = 6 characters of ID + the 16

A blank unit says that the balance is not stable. Digits in brackets are not verified; they stand
only in printer mode.
"""

import re
from dataclasses import dataclass
from typing import Final

from drivers.codecs.codec import Answer, Decoded, Requests
from drivers.codecs.frame_codec import (
    NET,
    OVERLOAD,
    PIECES,
    UNDERLOAD,
    UNIT,
    FrameCodec,
    digits_of,
    marks_of,
    printed,
    signed,
    text_of,
    weight,
    without_value,
)
from drivers.codecs.kind import Kind, Page, Settings
from drivers.indication import Condition

_UNITS: Final = {
    "g": "g", "kg": "kg", "mg": "mg", "ct": "ct", "lb": "lb", "oz": "oz", "ozt": "toz",
    "dwt": "dwt", "GN": "gr", "gr": "gr", "%": "%",
}  # fmt: skip
_REQUESTS: Final = Requests(poll=b"\x1bP\r\n", zero=b"\x1bV\r\n", tare=b"\x1bU\r\n")
_FIELD: Final = re.compile(r" *(?P<verified>[0-9]*\.?[0-9]*)(?:\[(?P<rest>\.?[0-9]+)\])? {0,2}")
_NUMBER: Final = re.compile(r"[0-9]*\.?[0-9]+|[0-9]+\.")
_ERROR: Final = re.compile(r"(?:Err|ERR|E) +(?P<code>[0-9]{1,3})|(?P<word>(?:APP|DIS|PRT)\.ERR?)")
_WORDS: Final = {
    "H": (Condition.OVERLOAD, OVERLOAD),
    "HH": (Condition.OVERLOAD, OVERLOAD),
    "High": (Condition.OVERLOAD, OVERLOAD),
    "L": (Condition.UNDERLOAD, UNDERLOAD),
    "LL": (Condition.UNDERLOAD, UNDERLOAD),
    "Low": (Condition.UNDERLOAD, UNDERLOAD),
    "C": (Condition.FAULT, "calibration"),
    "Cal.Ext.": (Condition.FAULT, "external calibration"),
    "Cal. Ext.": (Condition.FAULT, "external calibration"),
    "Cal.Int.": (Condition.FAULT, "internal calibration"),
    "Cal. Int.": (Condition.FAULT, "internal calibration"),
    "--": (Condition.FAULT, "no weight is displayed"),
    "OFF": (Condition.FAULT, "no weight is displayed"),
    "": (Condition.FAULT, "no weight is displayed"),
}
_TARES: Final = ("T", "T1", "T2", "PT2")
_GROSS: Final = ("", "G", "G#")


@dataclass(frozen=True, slots=True)
class Sbi(FrameCodec):
    """One of the two line formats, or both."""

    lengths: tuple[int, ...]
    unit: str

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what a line means."""
        line = text_of(frame)
        if line is None or len(line) not in self.lengths:
            return None
        if len(line) == 14:
            return self._special(line.strip(" ")) or self._value(line, "")
        name = line[:6].rstrip(" ")
        if name == "Stat":
            return self._special(line[4:].strip(" "))
        return self._value(line[6:], name)

    def _special(self, word: str) -> Decoded | None:
        if word in _WORDS:
            return without_value(*_WORDS[word])
        if error := _ERROR.fullmatch(word):
            code = error["code"] or error["word"]
            return without_value(Condition.FAULT, f"instrument error {code}")
        return None

    def _value(self, line: str, name: str) -> Decoded | Answer | None:
        sign, unit = line[0], line[11:].rstrip(" ")
        match = _FIELD.fullmatch(line[1:11])
        if match is None or sign not in "+- " or name.startswith(" "):
            return None
        number = match["verified"] + (match["rest"] or "")
        if not _NUMBER.fullmatch(number) or (unit and unit not in (*_UNITS, "pcs")):
            return None
        if unit == "pcs" or name == "Qnt":
            return without_value(Condition.FAULT, PIECES)
        if name not in (*_GROSS, *_TARES, "N"):
            return Answer(name, "", line.strip(" "))
        unverified = len((match["rest"] or "").lstrip("."))
        return weight(
            digits_of(sign, number),
            _UNITS[unit] if unit else self.unit or None,
            Condition.STABLE if unit else Condition.DYNAMIC,
            NET if name == "N" else "",
            f"digits not verified: {unverified}" if unverified else "",
            quantity="tare" if name in _TARES else "weight",
        )

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a line; with identification where something must be said by it."""
        if isinstance(message, Answer):
            return None
        marks = marks_of(message)
        name = "N" if NET in marks else "T" if message.quantity == "tare" else "G"
        bare = 14 in self.lengths and (len(self.lengths) == 1 or name == "G")
        if message.value is None:
            line = self._write_special(message, bare=bare)
        else:
            line = self._write_value(message, marks)
            line = line if bare or line is None else f"{name:<6}{line}"
        return None if line is None else f"{line}\r\n".encode("ascii")

    def _write_special(self, message: Decoded, *, bare: bool) -> str | None:
        what = (message.condition, message.detail or "")
        words = [w for w, said in _WORDS.items() if said == what]
        word = (words[0] if bare else words[-1]) if words else None
        if word is None and what[1].startswith("instrument error "):
            word = f"Err {what[1].removeprefix('instrument error '):>3}"
        if word is None:
            return None
        return f"{'':6}{word:<8}" if bare else f"Stat{'':5}{word:<11}"

    def _write_value(self, message: Decoded, marks: list[str]) -> str | None:
        sign, digits = signed(message.text)
        field = f"{digits:>9} "
        for mark in marks:
            if mark.startswith("digits not verified: "):
                count = int(mark.removeprefix("digits not verified: "))
                field = f"{f'{digits[:-count]}[{digits[-count:]}]':>10}"
        unit = printed(self.units, message.unit)
        if message.condition is Condition.DYNAMIC:
            unit = ""
        return None if unit is None else f"{sign}{field}{unit:<3}"


PAGE: Final = Page(
    title="Sartorius SBI",
    file="sartorius-sbi",
    makers="Sartorius and Minebea Intec balances and scales; the numat driver calls it SMA.",
    about="Lines sent on request, by key, or by themselves (autoprint). A balance in autoprint "
    "ignores requests: use `mode = listen`.",
    cabling="25-pin or 9-pin D-sub, or USB with a virtual port. Older balances come with 1200 baud "
    "7O1 and hardware handshake (CP323S); the numat driver uses 9600 baud 8O1.",
    instrument="Data protocol SBI; line format 16 characters (without header) or 22 (with header). "
    "In SBI mode digits that are not verified are not marked: set e = d, or printer mode, "
    "or enter d of the display in the characteristics.",
    layout="""\
+     0.00 g  ␍␊            sign, blank, value 3..10, blank, unit 12..14
N     +    0.006 g  ␍␊      six characters of identification before that
+    123.5[6]g  ␍␊          the last digit is not verified (printer mode)""",
    statuses=(
        ("unit blank", "dynamic: the balance is not stable; unit only if `unit` is set"),
        ("`N`", "net"),
        ("`G`, `G#`, blank", "gross, no mark"),
        ("`T`, `T1`, `T2`, `PT2`", "quantity `tare`"),
        ("`Qnt`, unit `pcs`", "fault: the instrument counts pieces"),
        ("other identification (`Diff`, `Nom.`, `Setp` …)", "no indication"),
        ("`H`, `HH`, `High`", "overload"),
        ("`L`, `LL`, `Low`", "underload"),
        ("`C`, `Cal. Ext.`, `Cal. Int.`, `--`, `OFF`, blank", "fault"),
        ("`Err ###`, `ERR ###`, `APP.ERR`, `DIS.ERR`, `PRT.ERR`", "fault: instrument error"),
    ),
    slips="No checksum: a changed digit, sign or decimal point passes. The fixed length catches "
    "every lost or added character.",
    sources=(
        "Sartorius GC803S p. 57, LE series p. 51-52, Entris II p. 3, Combics 1 p. 98, Combics 3 p. 94, "
        "FB p. 66 (units and codes), MSE p. 71 (commands), Quintix p. 87 (brackets)",
        "GraysonBellamy/sartoriuslib docs/sbi_data_output.md and docs/protocol.md (live captures); "
        "numat sartorius 0.7.1 driver.py (OFF), which reads what `tera simulate` sends",
    ),
    unknown=(
        "Answers to ESC x1_, x2_ and x3_ (model, serial number, software): not asked for.",
        "A request for continuous output (ESC kP_): not used; set autoprint on the balance.",
        "Taels, mommes and the other units of trade have several sizes: refused.",
    ),
)


def _make_16(name: str, settings: Settings) -> Sbi:
    return Sbi(name, _REQUESTS, _UNITS, (14,), settings["unit"])


def _make_22(name: str, settings: Settings) -> Sbi:
    return Sbi(name, _REQUESTS, _UNITS, (20,), settings["unit"])


def _make_both(name: str, settings: Settings) -> Sbi:
    return Sbi(name, _REQUESTS, _UNITS, (14, 20), settings["unit"])


KINDS: Final = (
    Kind("sartorius-sbi", "Sartorius SBI, 16 or 22 characters", PAGE, _make_both, (UNIT,)),
    Kind("sartorius-sbi16", "Sartorius SBI, 16 characters", PAGE, _make_16, (UNIT,)),
    Kind("sartorius-sbi22", "Sartorius SBI, 22 characters", PAGE, _make_22, (UNIT,)),
)
