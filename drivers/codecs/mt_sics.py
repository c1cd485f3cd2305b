"""MT-SICS levels 0 and 1, as Mettler Toledo, Ohaus and KERN instruments speak it.

Grammar (Mettler Toledo MT-SICS reference for XPR/XSR; KERN FTC manual p. 39; replies as quoted in
Atlantis-Software/mt-sics test/sics0Test.js):

    weight  = ID SP status SP value SP unit CR LF      ID "S" (some devices echo "SI" or "SIR")
              status S stable, D dynamic; value 10 characters, right aligned, "-" next to a digit
              (mass comparators need more: up to 16 then, without padding)
    no weight = ID SP (I | L | + | -)                  not executable, wrong parameter, over, under
    answer  = command SP status                        status A done, B more lines follow, S, D, I, L, +, -
              T, TI and TA also with SP value SP unit; I0 to I5 with any text, which is for people
    error   = ES | ET | EL                             syntax, transmission, logical

Everything else is refused as garbled. The protocol has no checksum: the width of the value field
is what catches a lost character; a changed digit cannot be seen.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from drivers.codecs.codec import Answer, Decoded, Requests
from drivers.errors import Garbled
from drivers.framing import LineFramer
from drivers.indication import Condition

UNITS: Final = {
    "g": "g", "kg": "kg", "mg": "mg", "ug": "µg", "t": "t", "ct": "ct", "lb": "lb", "oz": "oz",
}  # fmt: skip
"""Unit as the instrument prints it -> symbol; another unit is refused rather than guessed."""
PRINTED: Final = {symbol: printed for printed, symbol in UNITS.items()}
"""And back."""

_MASS: Final = r"(?P<field>(?=.{10,16} ) *-?[0-9]+(?:\.[0-9]+)?) (?P<unit>[A-Za-z]{1,5})"
_WEIGHT = re.compile(rf"(?P<id>S|SI|SIR|SR) (?P<status>[SD]) {_MASS}")
_NO_WEIGHT = re.compile(r"(?:S|SI|SIR|SR) (?P<status>[IL+-])")
_ANSWER = re.compile(
    rf"(?:Z|ZI|T|TI|TA|TAC|D|DW|K|SR|SIR|@) [ABSDIL+-]|(?:T|TI|TA) [SDA] {_MASS}"
    r"|I[0-5] [ABSDIL+-](?: .*)?"
)
_ERRORS: Final = {"ES": "syntax error", "ET": "transmission error", "EL": "logical error"}

_CONDITIONS: Final = {
    "I": (Condition.FAULT, "not executable now, or not stable in time"),
    "L": (Condition.FAULT, "wrong parameter"),
    "+": (Condition.OVERLOAD, "overload"),
    "-": (Condition.UNDERLOAD, "underload"),
}
_LETTERS: Final = {Condition.OVERLOAD: "+", Condition.UNDERLOAD: "-", Condition.FAULT: "I"}
_WRONG_PARAMETER: Final = _CONDITIONS["L"]
_WIDTH: Final = 10


_REQUESTS: Final = Requests(
    poll=b"SI\r\n",
    stream=b"SIR\r\n",
    zero=b"Z\r\n",
    tare=b"T\r\n",
    identity=(b"I1\r\n", b"I2\r\n", b"I3\r\n", b"I4\r\n"),
)


@dataclass(frozen=True, slots=True)
class MtSics:
    """The codec; it keeps nothing between frames."""

    name: str = "mt-sics"
    requests: Requests = _REQUESTS

    @property
    def units(self) -> Mapping[str, str]:
        """Unit as the instrument prints it -> symbol."""
        return UNITS

    @property
    def tells_stability(self) -> bool:
        """Say yes: every weight is ``S`` or ``D``."""
        return True

    def framer(self) -> LineFramer:
        """Return a new framer: lines that end with CR LF."""
        return LineFramer(b"\r\n")

    def done(self, request: bytes, *, accepted: bool) -> tuple[Answer, ...]:
        """Return the one answer: A or, with the tare, S."""
        command = request.decode("ascii")
        done = "S" if command.startswith("T") else "A"
        return (Answer(command, done if accepted else "I"),)

    def decode(self, frame: bytes) -> Decoded | Answer:
        """Say what a line means.

        >>> MtSics().decode(b"S S     100.00 g").text
        '100.00'
        """
        if not frame.isascii() or not (line := frame.decode("ascii")).isprintable():
            raise _garbled(frame)
        if match := _WEIGHT.fullmatch(line):
            return self._weight(match, frame)
        if match := _NO_WEIGHT.fullmatch(line):
            condition, detail = _CONDITIONS[match["status"]]
            return Decoded("", None, None, condition, detail)
        if line in _ERRORS:
            return Answer(line, "", _ERRORS[line], error=True)
        if (match := _ANSWER.fullmatch(line)) and (match["unit"] is None or _sound(match)):
            command, _, rest = line.partition(" ")
            status, _, text = rest.partition(" ")
            return Answer(command, status, _unquoted(text))
        raise _garbled(frame)

    @staticmethod
    def _weight(match: "re.Match[str]", frame: bytes) -> Decoded:
        if not _sound(match):
            raise _garbled(frame)
        condition = Condition.STABLE if match["status"] == "S" else Condition.DYNAMIC
        text = match["field"].lstrip(" ")
        return Decoded(text, Decimal(text), UNITS[match["unit"]], condition)

    def encode(self, message: Decoded | Answer) -> bytes:
        """Write the line an instrument sends; the reply's ID is always ``S``, never ``SI``."""
        if isinstance(message, Answer):
            return _encode_answer(message)
        if message.value is None:
            wrong = (message.condition, message.detail) == _WRONG_PARAMETER
            return f"S {'L' if wrong else _LETTERS[message.condition]}\r\n".encode("ascii")
        status = "S" if message.condition is Condition.STABLE else "D"
        return f"S {status} {message.text:>{_WIDTH}} {PRINTED[message.unit or '']}\r\n".encode(
            "ascii"
        )


def _encode_answer(answer: Answer) -> bytes:
    if answer.error:
        return f"{answer.command}\r\n".encode("ascii")
    quoted = answer.command.startswith("I") and answer.command != "I0"
    text = f'"{answer.text}"' if quoted else answer.text
    line = f"{answer.command} {answer.status}{' ' * bool(text)}{text}\r\n"
    return line.encode("ascii", "replace")


def _sound(match: "re.Match[str]") -> bool:
    """Say whether the value is as wide as it must be and its unit known."""
    padded_too_far = len(match["field"]) > _WIDTH and match["field"][0] == " "
    return not padded_too_far and match["unit"] in UNITS


def _garbled(frame: bytes) -> Garbled:
    return Garbled("{frame} is no MT-SICS line.", frame=ascii(frame[:60]), raw=frame)


def _unquoted(text: str) -> str:
    whole = len(text) >= 2 and text[0] == text[-1] == '"' and '"' not in text[1:-1]
    return text[1:-1] if whole else text
