"""A protocol as its users meet it: name, settings, and what its page in the docs says.

Knows strings: ``--set KEY=VALUE`` and ``[bench.instrument.settings]`` give nothing else. Refuses a
setting that a protocol does not have, and a value that it does not take.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from drivers.codecs.codec import Codec
from drivers.errors import BadDriverSettings

_YES: Final = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class Option:
    """One setting of a protocol."""

    key: str
    default: str
    help: str
    """One clause for people, without a full stop."""
    choices: tuple[str, ...] = ()
    """The values it takes; empty when ``pattern`` says."""
    pattern: str = ".*"
    """What a value without choices must look like."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one instrument: every option has a value that it takes."""

    values: Mapping[str, str]

    def __getitem__(self, key: str) -> str:
        """Return a setting as written."""
        return self.values[key]

    def yes(self, key: str) -> bool:
        """Return a setting that is ``yes`` or ``no``."""
        return _YES[self.values[key]]

    def number(self, key: str) -> int:
        """Return a setting that its pattern keeps to digits."""
        return int(self.values[key])


@dataclass(frozen=True, slots=True)
class Page:
    """What a technician reads of a family of protocols; ``drivers.codecs.pages`` prints it."""

    title: str
    file: str
    """Name of the page, without its ending."""
    makers: str
    about: str
    cabling: str
    instrument: str
    """Settings to make on the instrument."""
    layout: str
    """The frame, as text that is shown as it is."""
    statuses: tuple[tuple[str, str], ...]
    """As the instrument writes it, and what comes of it."""
    slips: str
    """What a damaged frame can still pass for."""
    sources: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    """What no source establishes, and what is done about it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One name that ``driver =`` takes."""

    name: str
    what: str
    """One line for a list."""
    page: Page
    make: Callable[[str, Settings], Codec]
    options: tuple[Option, ...] = ()
    mode: Literal["poll", "listen"] = "poll"
    """How an instrument of this protocol is read unless its settings say otherwise."""

    def codec(self, given: Mapping[str, str]) -> Codec:
        """Build the codec for an instrument with these settings."""
        known = {option.key: option for option in self.options}
        for key, value in given.items():
            if key not in known:
                raise _unknown(self.name, key, tuple(known))
            _check(self.name, known[key], value)
        defaults = {option.key: option.default for option in self.options}
        return self.make(self.name, Settings(defaults | dict(given)))


def _unknown(name: str, key: str, known: tuple[str, ...]) -> BadDriverSettings:
    if not known:
        return BadDriverSettings(
            "The protocol {name} has no setting {key}: it has none.", name=name, key=key
        )
    return BadDriverSettings(
        "The protocol {name} has no setting {key}: it has {known}.",
        name=name,
        key=key,
        known=", ".join(known),
    )


def _check(name: str, option: Option, value: str) -> None:
    if option.choices and value not in option.choices:
        raise BadDriverSettings(
            "{value} is no {key} of the protocol {name}: choose from {known}.",
            value=value,
            key=option.key,
            name=name,
            known=", ".join(filter(None, option.choices)),
        )
    if not option.choices and not re.fullmatch(option.pattern, value):
        raise BadDriverSettings(
            "{value} is no {key} of the protocol {name}: {help}.",
            value=value,
            key=option.key,
            name=name,
            help=option.help,
        )
