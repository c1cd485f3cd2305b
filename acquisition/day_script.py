"""What a simulated instrument is told while it runs, and when: commands, and days of them.

    load 5 kg at 2        one command, as typed to ``tera simulate``
    0:05 fault silence    one line of a day: after 5 s; also 5, 0:00:05, and +5 after the line before

Knows words, quantities and times. Refuses whatever it does not understand before anything moves;
what a command does is said in acquisition/simulated_controls.py.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from acquisition.language import t
from calibration.refusal import Refused
from calibration.units import Quantity, parse_quantity, same_kind
from drivers.simulated_faults import OF_METERS, OF_SCALES


@dataclass(frozen=True, slots=True)
class Command:
    """One command, understood."""

    word: str
    first: Quantity | None = None
    """What it begins with: a load, a volume, a flow rate, a temperature, a time."""
    second: Quantity | None = None
    """What follows ``at`` or ``for``: a flow rate or a time."""
    number: int | None = None
    """A position on the receptor."""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """How one command is written."""

    usage: str
    """An example, as it is typed."""
    pattern: str
    """What follows the word: ``first``, ``second``, ``number``, ``fault``."""
    first: str = ""
    """An example of the quantity that comes first."""
    second: str = ""
    """An example of the quantity that comes second."""


_LATER: Final = r"(?P<fault>\w+)(?:\s+for\s+(?P<second>.+))?"
_BOTH: Final = {
    "temperature": Word("temperature 30 °C", r"(?P<first>.+)", first="30 °C"),
    "fault": Word("fault silence for 5 s", _LATER, second="5 s"),
    "recover": Word("recover", ""),
    "power": Word("power", ""),
    "skip": Word("skip 30 min", r"(?P<first>.+)", first="30 min"),
    "stop": Word("stop", ""),
}
OF_A_SCALE: Final[Mapping[str, Word]] = {
    "load": Word("load 5 kg at 2", r"(?P<first>.+?)(?:\s+at\s+(?P<number>\d{1,3}))?", "5 kg"),
    "add": Word("add 0.5 g", r"(?P<first>.+)", "0.5 g"),
    "position": Word("position 2", r"(?P<number>\d{1,3})"),
    "zero": Word("zero", ""),
    "tare": Word("tare", ""),
    "shake": Word("shake 20 g for 3 s", r"(?P<first>.+?)(?:\s+for\s+(?P<second>.+))?", "20 g", "3 s"),
    **_BOTH,
}  # fmt: skip
OF_A_METER: Final[Mapping[str, Word]] = {
    "flow": Word("flow 30 L/min", r"(?P<first>.+)", "30 L/min"),
    "deliver": Word("deliver 20 L at 30 L/min", r"(?P<first>.+?)(?:\s+at\s+(?P<second>.+))?", "20 L", "30 L/min"),
    "leak": Word("leak 0.1 L/min", r"(?P<first>.+)", "0.1 L/min"),
    **_BOTH,
}  # fmt: skip


def understood(line: str, words: Mapping[str, Word]) -> Command:
    """Read one command; Refused says how it is written."""
    name, _, rest = " ".join(line.split()).partition(" ")
    word = words.get(name)
    if word is None:
        raise Refused(
            "{word} is no command here: {known}, help.", word=name, known=", ".join(words)
        )
    match = re.fullmatch(word.pattern, rest)
    if match is None:
        raise Refused("{line} is not understood: write {usage}.", line=line, usage=word.usage)
    found = match.groupdict()
    number, fault = found.get("number"), found.get("fault") or ""
    faults = OF_SCALES if words is OF_A_SCALE else OF_METERS
    if fault and fault not in faults:
        raise Refused("there is no fault {fault}: {known}.", fault=fault, known=", ".join(faults))
    return Command(
        name,
        _quantity(found.get("first"), word.first),
        _quantity(found.get("second"), word.second),
        None if number is None else int(number),
        fault,
    )


def _quantity(text: str | None, example: str) -> Quantity | None:
    if text is None:
        return None
    given, wanted = parse_quantity(text), parse_quantity(example).unit
    if not same_kind(given.unit, wanted):
        raise Refused(
            "{value} is of another kind of quantity: write it as in {example}.",
            value=given,
            example=example,
        )
    if given.magnitude < 0 and not same_kind(wanted, "°C") and not same_kind(wanted, "g"):
        raise Refused("must not be less than 0")
    return given


def help_on(words: Mapping[str, Word]) -> Iterator[tuple[str, str]]:
    """Yield how each command is written and what it does."""
    does = {
        "load": t("put this load in all on the receptor; position 0 is the centre"),
        "add": t("put more on, or take off with a minus"),
        "position": t("move the load to a position"),
        "zero": t("press the zero key, once it stands still"),
        "tare": t("press the tare key"),
        "shake": t("let a truck pass"),
        "flow": t("open the valve to a flow rate; 0 closes it"),
        "deliver": t("let a volume pass from standstill to standstill"),
        "leak": t("let the closed valve leak"),
        "temperature": t("change the temperature of room or liquid"),
        "fault": t(
            "suffer a fault: {known}", known=", ".join(OF_METERS if "flow" in words else OF_SCALES)
        ),
        "recover": t("be healthy again"),
        "power": t("lose power and start again"),
        "skip": t("let time pass at once"),
        "stop": t("end the simulation"),
    }
    for name, word in words.items():
        yield word.usage, does[name]


_TIME: Final = re.compile(r"(\+?)(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")


def day(text: str, words: Mapping[str, Word]) -> tuple[tuple[float, Command], ...]:
    """Read a day: seconds from its beginning and what happens then, in order; ``#`` begins a remark."""
    happens: list[tuple[float, Command]] = []
    for number, line in enumerate(text.splitlines(), 1):
        said = line.partition("#")[0].strip()
        if not said:
            continue
        time, _, rest = said.partition(" ")
        last = happens[-1][0] if happens else 0.0
        match = _TIME.fullmatch(time)
        if match is None:
            raise Refused(
                "line {number}: {time} is no time: write it as in 0:05 load 5 kg.",
                number=number,
                time=time,
            )
        plus, hours, minutes, seconds = match.groups()
        at = int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)
        at += last if plus else 0.0
        if at < last:
            raise Refused("line {number}: the day goes back in time.", number=number)
        try:
            happens.append((at, understood(rest, words)))
        except Refused as refused:
            raise Refused(
                "line {number}: {what}",
                number=number,
                what=t(refused.template, **refused.evidence),
            ) from None
    return tuple(happens)


def checked_day(words: Mapping[str, Word]) -> Callable[[str], str]:
    """Return what checks the text of a day and hands it on as it stands."""

    def check(text: str) -> str:
        day(text, words)
        return text

    return check
