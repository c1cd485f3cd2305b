"""A protocol that nobody has named: a pattern with named fields, set up in the configuration alone.

Fields: ``value`` (its sign may be in it), ``sign``, ``unit``, ``status``, ``mode``. What stands in
a field is looked up in the settings, and anything that is not there is refused rather than guessed.
Without a ``status`` nothing is ever stable.
"""

import re
from dataclasses import dataclass
from typing import Final

from drivers.codecs.by_pattern_page import PAGE
from drivers.codecs.codec import Answer, Decoded, Requests
from drivers.codecs.frame_codec import (
    NET,
    NUMBER,
    OVERLOAD,
    UNDERLOAD,
    UNIT,
    FrameCodec,
    digits_of,
    marks_of,
    printed,
    signed,
    weight,
    without_value,
)
from drivers.codecs.kind import Kind, Option, Settings
from drivers.codecs.pattern_syntax import Pattern, parse
from drivers.errors import BadDriverSettings
from drivers.framing import CountedFramer, Framer, LineFramer, RecordFramer
from drivers.indication import Condition

EXAMPLE: Final = r"(?P<status>S|D) (?P<value>[ 0-9.-]{8}) (?P<unit>kg)"
"""A pattern for where one is needed and no instrument is at hand."""
_FIELDS: Final = ("value", "sign", "unit", "status", "mode")
_VALUE: Final = re.compile(rf" *(?P<sign>[+-]?) *(?P<number>{NUMBER}) *")
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([rnt\\]))")
_NAMED: Final = {"r": "\r", "n": "\n", "t": "\t", "\\": "\\"}
_BLANK: Final = "blank"
_FAULT: Final = "instrument error"
_CONDITIONS: Final = {
    "overload": (Condition.OVERLOAD, OVERLOAD),
    "underload": (Condition.UNDERLOAD, UNDERLOAD),
    "fault": (Condition.FAULT, _FAULT),
}


@dataclass(frozen=True, slots=True)
class General(FrameCodec):
    """One instrument as its settings describe it."""

    pattern: Pattern
    settings: Settings
    start: bytes
    end: bytes

    @property
    def tells_stability(self) -> bool:
        """Whether a marker says stable."""
        return "status" in self.pattern.names and bool(self.settings["stable"])

    def framer(self) -> Framer:
        """Return a new framer."""
        length = self.settings.number("length")
        if not self.start:
            return LineFramer(self.end, length)
        if not self.end:
            return CountedFramer(self.start, length)
        return RecordFramer(self.start, self.end, length)

    def read(self, frame: bytes) -> Decoded | Answer | None:
        """Say what a frame means."""
        if len(frame) > self.pattern.length:
            return None
        match = self.pattern.regex.fullmatch(frame.decode("latin-1"))
        if match is None:
            return None
        fields = {name: (text or "") for name, text in match.groupdict().items()}
        status = self._marker(fields, "status", ("stable", "dynamic", *_CONDITIONS))
        if status in _CONDITIONS:
            return without_value(*_CONDITIONS[status])
        mode = self._marker(fields, "mode", ("gross", "net", "tare"))
        minus = self._marker(fields, "sign", ("plus", "minus"))
        text, unit = self._text(fields["value"], minus), self._unit(fields)
        if None in (status, mode, minus, text) or unit is None:
            return None
        return weight(
            text or "",
            unit or None,
            Condition.STABLE if status == "stable" else Condition.DYNAMIC,
            NET if mode == "net" else "",
            quantity="tare" if mode == "tare" else "weight",
        )

    def _marker(self, fields: dict[str, str], field: str, settings: tuple[str, ...]) -> str | None:
        """Return the setting whose markers a field holds; empty without the field."""
        if field not in fields:
            return ""
        shown = fields[field].strip(" ") or _BLANK
        return next((key for key in settings if shown in self._markers(key)), None)

    def _markers(self, key: str) -> list[str]:
        return [marker for marker in self.settings[key].split("|") if marker]

    def _text(self, value: str, minus: str | None) -> str | None:
        """Return the digits as displayed; None when the field holds no number."""
        value = value[::-1] if self.settings.yes("reversed") else value
        match = _VALUE.fullmatch(value)
        if match is None or (match["sign"] and minus):
            return None
        number, decimals = match["number"], self.settings.number("decimals")
        if decimals:
            if "." in number:
                return None
            number = number.zfill(decimals + 1)
            number = f"{number[:-decimals]}.{number[-decimals:]}"
        return digits_of("-" if minus == "minus" else match["sign"], number)

    def _unit(self, fields: dict[str, str]) -> str | None:
        """Return the unit's symbol, empty where nothing says it; None for one that is not known."""
        shown = fields.get("unit", "").strip(" ")
        return self.units.get(shown) if shown else self.settings["unit"]

    def write(self, message: Decoded | Answer) -> bytes | None:
        """Write the first frame that reads as this message."""
        if isinstance(message, Answer):
            return None
        marks = marks_of(message)
        key = {v: k for k, v in _CONDITIONS.items()}.get((message.condition, message.detail or ""))
        mode = "tare" if message.quantity == "tare" else "net" if NET in marks else "gross"
        sign, digits = signed(message.text or "0", plus="")
        decimals = self.settings.number("decimals")
        digits = digits.replace(".", "") if decimals else digits
        value = digits if "sign" in self.pattern.names else sign + digits
        unit = printed(self.units, message.unit)
        fields = {
            "value": self._values(value),
            "sign": self._written("minus" if sign else "plus"),
            "status": self._written(key or message.condition.value),
            "mode": self._written(mode),
            "unit": [unit] if unit else ["", *self.units],
        }
        for line in self.pattern.written(fields):
            frame = line.encode("latin-1")
            if self.read(frame) == message:
                return self.start + frame + self.end
        return None

    def _values(self, value: str) -> list[str]:
        """Return how a value may be sent; lowest digit first, zeros fill it up at the end."""
        if not self.settings.yes("reversed"):
            return [value]
        sign, digits = signed(value, plus="")
        widths = range(len(digits), self.pattern.length + 1)
        return [(sign + digits.rjust(width, "0"))[::-1] for width in widths]

    def _written(self, key: str) -> list[str]:
        return ["" if marker == _BLANK else marker for marker in self._markers(key)] or [""]


def _bytes(text: str, key: str) -> bytes:
    """Return the bytes that a setting stands for: ``\\r``, ``\\n``, ``\\t`` and ``\\x02`` are one each."""
    said = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _NAMED[m[2]], text)
    try:
        return said.encode("latin-1")
    except UnicodeEncodeError:
        raise BadDriverSettings(
            "{value} is no {key} of the protocol {name}: {help}.",
            value=text,
            key=key,
            name="pattern",
            help="write other bytes as \\x02",
        ) from None


def _make(name: str, settings: Settings) -> General:
    if not settings["pattern"]:
        raise BadDriverSettings(
            "The protocol {name} needs pattern = a regular expression with the named field value.",
            name=name,
        )
    pattern = parse(settings["pattern"], settings.number("length"))
    for field in pattern.names:
        if field not in _FIELDS:
            raise BadDriverSettings(
                "The pattern has an unknown field {field}: choose from {known}.",
                field=field,
                known=", ".join(_FIELDS),
            )
    if "value" not in pattern.names:
        raise BadDriverSettings(
            "The protocol {name} needs pattern = a regular expression with the named field value.",
            name=name,
        )
    start, end = (_bytes(settings[key], key) for key in ("start", "terminator"))
    if len(start) > 1 or (not start and not end):
        raise BadDriverSettings(
            "A frame needs a terminator, or a start of one byte: set terminator or start."
        )
    units = dict(_unit_pair(pair) for pair in settings["units"].split("|") if pair)
    asked = {
        key: _bytes(settings[key], key) or None for key in ("poll", "stream", "zero", "tare_key")
    }
    requests = Requests(asked["poll"], asked["stream"], asked["zero"], asked["tare_key"])
    return General(name, requests, units, pattern, settings, start, end)


def _unit_pair(pair: str) -> tuple[str, str]:
    shown, equals, symbol = pair.partition("=")
    symbol = symbol if equals else shown
    if symbol not in UNIT.choices or not symbol:
        raise BadDriverSettings(
            "{unit} is no unit of a scale: choose from {known}.",
            unit=symbol or pair,
            known=", ".join(UNIT.choices[1:]),
        )
    return shown, symbol


KINDS: Final = (
    Kind(
        "pattern",
        "any other indicator, by a pattern of your own",
        PAGE,
        _make,
        (
            Option("pattern", "", "regular expression of a whole frame with named fields"),
            Option("terminator", r"\r\n", "bytes that end a frame"),
            Option("start", "", "byte that begins a frame, as in \\x02"),
            Option(
                "length",
                "40",
                "longest frame in characters, 1 to 128",
                pattern="[1-9][0-9]|[1-9]|1[01][0-9]|12[0-8]",
            ),
            Option("units", "mg|g|kg|t|ct|lb|oz", "units as printed, as in KG=kg|LB=lb"),
            UNIT,
            Option("stable", "", "markers in the field status that say stable, as in ST|S"),
            Option("dynamic", "", "markers that say not stable; blank is a blank field"),
            Option("overload", "", "markers that say overload"),
            Option("underload", "", "markers that say underload"),
            Option("fault", "", "markers that say fault"),
            Option("gross", "", "markers in the field mode that say gross"),
            Option("net", "", "markers that say net"),
            Option("tare", "", "markers that say tare"),
            Option("plus", "+|blank", "markers in the field sign that say plus"),
            Option("minus", "-", "markers that say minus"),
            Option("reversed", "no", "the digits come lowest first", ("no", "yes")),
            Option("decimals", "0", "decimal places that no point marks", pattern="[0-6]"),
            Option("poll", "", "request for one indication, as in R\\r\\n"),
            Option("stream", "", "request for indications without end"),
            Option("zero", "", "request to set zero"),
            Option("tare_key", "", "request to tare"),
        ),
        mode="listen",
    ),
)
