"""CAS indicators: 22 bytes with device and lamps, 10 bytes of weight alone, and the commands.

    22 = HH , KK , I L , 8 value  blank  unit CR LF     I 0x30 + device, L lamps; needs 8 data bits
    10 = 8 value CR LF                                  no unit, no status
    command = dd RW | MZ | MT CR LF                     answers: a frame, the command again, ! or ?

L: b7 = 1, b6 stable, b5 either, b4 hold, b3 print, b2 gross, b1 tare, b0 zero.
"""

import re
from dataclasses import dataclass
from typing import Final

from drivers.codecs.codec import Answer, Decoded, Requests
from drivers.codecs.frame_codec import (
    CENTRE_OF_ZERO,
    HELD,
    NET,
    NO_REQUESTS,
    OVERLOAD,
    UNDERLOAD,
    UNIT,
    FrameCodec,
    marks_of,
    number_in,
    printed,
    signed,
    text_of,
    weight,
    without_value,
)
from drivers.codecs.kind import Kind, Option, Page, Settings
from drivers.indication import Condition

_UNITS: Final = {"kg": "kg", "t": "t", "g": "g", "lb": "lb"}
_FRAME_22: Final = re.compile(
    rb"(?P<head>ST|US|OL),(?P<kind>GS|NT),(?P<device>[0-~])(?P<lamps>[\x80-\xff]),"
    rb"(?P<value>[ 0-9.+-]{8})(?P<relay>.)(?P<unit>kg| t|t | g|g |lb)",
    re.DOTALL,
)
_ECHO: Final = re.compile(r"(?P<command>[0-9]{2}(?:MZ|MT))")
_ERRORS: Final = {"!": "not executable now", "?": "unknown command"}
_STABLE_LAMP, _HOLD_LAMP, _GROSS_LAMP, _TARE_LAMP, _ZERO_LAMP = 0x40, 0x10, 0x04, 0x02, 0x01


@dataclass(frozen=True, slots=True)
class Cas22(FrameCodec):
    """The 22-byte frame."""

    device: int | None
    """Only frames of this device are taken; None takes any."""
    relay: bool
    """The blank before the unit carries relay states."""

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what a frame means."""
        match = _FRAME_22.fullmatch(frame)
        if match is None or (match["relay"] != b" " and not self.relay):
            return None
        if self.device is not None and match["device"][0] != 0x30 + self.device:
            return None
        lamps = match["lamps"][0]
        text = number_in(match["value"].decode("ascii"))
        if match["head"] == b"OL":
            if b"-" in match["value"]:
                return without_value(Condition.UNDERLOAD, UNDERLOAD)
            return without_value(Condition.OVERLOAD, OVERLOAD)
        if text is None:
            return None
        if lamps & _HOLD_LAMP:
            return without_value(Condition.FAULT, HELD)
        stable = match["head"] == b"ST" and lamps & _STABLE_LAMP
        return weight(
            text,
            _UNITS[match["unit"].decode("ascii").strip(" ")],
            Condition.STABLE if stable else Condition.DYNAMIC,
            NET if match["kind"] == b"NT" else "",
            CENTRE_OF_ZERO if lamps & _ZERO_LAMP else "",
        )

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a frame."""
        if isinstance(message, Answer) or message.quantity != "weight":
            return None
        marks = marks_of(message)
        unit = printed(self.units, message.unit or "kg")
        sign, digits = signed(message.text or "0", plus="0")
        if unit is None or len(digits) > 7 + (sign == "0"):
            return None
        if message.condition is Condition.UNDERLOAD:
            sign = "-"
        beyond = message.condition in (Condition.OVERLOAD, Condition.UNDERLOAD)
        stable = message.condition is Condition.STABLE
        lamps = 0x80 | (_TARE_LAMP if NET in marks else _GROSS_LAMP)
        lamps |= _STABLE_LAMP if stable else 0
        lamps |= _ZERO_LAMP if CENTRE_OF_ZERO in marks else 0
        lamps |= _HOLD_LAMP if message.condition is Condition.FAULT else 0
        head = "OL" if beyond else "ST" if stable else "US"
        value = f"{sign}{digits:0>7}" if len(digits) <= 7 else digits
        kind = "NT" if NET in marks else "GS"
        device = 1 if self.device is None else self.device
        return (
            f"{head},{kind},{chr(0x30 + device)}".encode("ascii")
            + bytes([lamps])
            + f",{value} {unit:>2}\r\n".encode("ascii")
        )


@dataclass(frozen=True, slots=True)
class Cas10(FrameCodec):
    """The weight alone."""

    unit: str

    @property
    def tells_stability(self) -> bool:
        """Say no: there is no status."""
        return False

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what a frame means."""
        shown = text_of(frame)
        text = None if shown is None or len(shown) != 8 else number_in(shown)
        return None if text is None else weight(text, self.unit or None, Condition.DYNAMIC)

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write a frame."""
        if isinstance(message, Answer):
            return None
        sign, digits = signed(message.text, plus="0")
        value = f"{sign}{digits:0>7}" if len(digits) <= 7 else digits
        return f"{value}\r\n".encode("ascii")


@dataclass(frozen=True, slots=True)
class CasCommands(FrameCodec):
    """Commands and what they are answered with."""

    frames: FrameCodec
    """What the indicator is set to send on RW."""

    @property
    def tells_stability(self) -> bool:
        """Say what the frames do."""
        return self.frames.tells_stability

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what an answer means."""
        line = frame.decode("latin-1")
        if line in _ERRORS:
            return Answer(line, "", _ERRORS[line], error=True)
        if match := _ECHO.fullmatch(line):
            return Answer(match["command"], "A")
        return self.frames.read(frame)

    def done(self, request: bytes, *, accepted: bool) -> tuple[Answer, ...]:
        """Return the command again, or that it cannot be done."""
        if accepted:
            return (Answer(request.decode("ascii"), "A"),)
        return (Answer("!", "", _ERRORS["!"], error=True),)

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write an answer."""
        if isinstance(message, Answer):
            return f"{message.command}\r\n".encode("ascii")
        return self.frames.write(message)


PAGE: Final = Page(
    title="CAS 22 bytes, 10 bytes and commands",
    file="cas",
    makers="CAS (CI-150A, CI-400, CI-600D, NT-200, NT-500 and others).",
    about="`cas22` and `cas10` are streams; `cas-cmd` asks with the device number and gets the "
    "frame that the indicator is set to.",
    cabling="Three wires (transmit, receive, ground), crossed or straight as the manual says. Speed "
    "as set; 8 data bits without parity: the lamp byte of 22 bytes has bit 7 set, and on a 7-bit "
    "line no frame is accepted.",
    instrument="Output format CAS 22 bytes where there is a choice; stream mode for `cas22`, "
    "command mode and a device number for `cas-cmd`. With 10 bytes neither unit nor stability is "
    "sent: set `unit` as the display shows it.",
    layout="""\
ST,GS,1L,000013.5 kg␍␊      header, gross or net, device, lamps, value, blank or relays, unit
000013.5␍␊                  10 bytes
01RW␍␊  01MZ␍␊  01MT␍␊      commands of device 01""",
    statuses=(
        ("`ST` and the stable lamp", "stable; one without the other is dynamic"),
        ("`US`", "dynamic"),
        ("`OL`", "overload; underload with a minus sign"),
        ("`NT`", "net"),
        ("zero lamp", "mark `centre of zero`"),
        ("hold lamp", "fault: the display is held"),
        ("`01MZ`, `01MT`", "done"),
        ("`!`, `?`", "not executable now; unknown command"),
        ("10 bytes", "always dynamic, unit only if `unit` is set"),
    ),
    slips="No checksum: a changed digit, sign or point passes. The fixed length catches a lost or "
    "added character; two bits for stability catch a damaged one.",
    sources=("CAS CI-600D p. 75, 77; CI-400 p. 104, 106; CI-150A p. 55; NT-200 p. 49",),
    unknown=(
        "What stands in the value in overload: not looked at but for a minus sign.",
        "The LIMIT form of 22 bytes carries no unit: refused.",
    ),
)


def _make_22(name: str, settings: Settings) -> Cas22:
    device = settings.number("device") if settings["device"] else None
    return Cas22(name, NO_REQUESTS, _UNITS, device, settings.yes("relay"))


def _make_10(name: str, settings: Settings) -> Cas10:
    return Cas10(name, NO_REQUESTS, _UNITS, settings["unit"])


def _make_commands(name: str, settings: Settings) -> CasCommands:
    device = f"{settings.number('device'):02}"
    requests = Requests(
        poll=f"{device}RW\r\n".encode("ascii"),
        zero=f"{device}MZ\r\n".encode("ascii"),
        tare=f"{device}MT\r\n".encode("ascii"),
    )
    frames: FrameCodec = Cas22(name, NO_REQUESTS, _UNITS, None, relay=settings.yes("relay"))
    if settings["frame"] == "10":
        frames = Cas10(name, NO_REQUESTS, _UNITS, settings["unit"])
    return CasCommands(name, requests, _UNITS, frames)


_DEVICE: Final = Option(
    "device", "", "device number 0 to 78; empty takes any", pattern="[0-9]{0,2}"
)
_RELAY: Final = Option("relay", "no", "relay states stand before the unit", ("no", "yes"))

KINDS: Final = (
    Kind("cas22", "CAS 22 bytes", PAGE, _make_22, (_DEVICE, _RELAY), mode="listen"),
    Kind("cas10", "CAS 10 bytes", PAGE, _make_10, (UNIT,), mode="listen"),
    Kind(
        "cas-cmd",
        "CAS commands",
        PAGE,
        _make_commands,
        (
            Option("device", "1", "device number 0 to 99", pattern="[0-9]{1,2}"),
            Option("frame", "22", "what the indicator is set to send", ("22", "10")),
            _RELAY,
            UNIT,
        ),
    ),
)
