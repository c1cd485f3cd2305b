"""A small part of regular expressions, taken apart: bounded in time, and written as well as read.

    sequence = item ...            alternatives are separated by |
    item     = character | . | [class] | escape, each with ? * + {n} {n,m}; or a group, with ?
    group    = (?P<name>sequence|...) | (?:sequence|...)

Refused are repeated groups, look-around and back-references: without them the ways in which a
frame of known length can match are countable, and too many of them are refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import comb
from typing import Final

from drivers.errors import BadDriverSettings

MOST_WAYS: Final = 100_000
"""Steps that matching one frame may take at worst."""
_SAMPLES: Final = " 0" + "".join(map(chr, range(33, 127))) + "\t\x02\x03"
_TRIES: Final = 200


@dataclass(frozen=True, slots=True)
class Repeat:
    """A character, escape or class, and how often it may come."""

    regex: str
    least: int
    most: int | None
    """None without an end."""


@dataclass(frozen=True, slots=True)
class Group:
    """Alternatives, under a name or none."""

    name: str | None
    choices: tuple[tuple["Repeat | Group", ...], ...]
    optional: bool
    regex: str
    """The group as written, without what follows it."""


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.names: list[str] = []

    def refuse(self, why: str) -> BadDriverSettings:
        return BadDriverSettings(
            "The pattern cannot be used at character {at}: {why}.", at=self.at + 1, why=why
        )

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def choices(self) -> tuple[tuple[Repeat | Group, ...], ...]:
        found: list[tuple[Repeat | Group, ...]] = []
        items: list[Repeat | Group] = []
        while self.peek() not in ("", ")"):
            if self.peek() == "|":
                self.at += 1
                found.append(tuple(items))
                items = []
            else:
                items.append(self.group() if self.peek() == "(" else self.repeat())
        return (*found, tuple(items))

    def group(self) -> Group:
        start = self.at
        opening = re.compile(r"\((?:\?:|\?P<([a-z]+)>)").match(self.text, self.at)
        if opening is None:
            raise self.refuse("a group is written (?P<name>...) or (?:...)")
        if opening[1] is not None:
            if opening[1] in self.names:
                raise self.refuse("a name may stand only once")
            self.names.append(opening[1])
        self.at = opening.end()
        choices = self.choices()
        if self.peek() != ")":
            raise self.refuse("a group is not closed")
        self.at += 1
        regex = self.text[start : self.at]
        optional = self.peek() == "?"
        self.at += optional
        if self.peek() in tuple("*+{?"):
            raise self.refuse("a group may not be repeated")
        return Group(opening[1], choices, optional, regex)

    def repeat(self) -> Repeat:
        atom = re.compile(
            r"\[\^?(?:\\x[0-9a-fA-F]{2}|\\[^xbBAZ0-9]|[^\]\\\[])+\]|\\x[0-9a-fA-F]{2}|"
            r"\\[dswrnt]|\\[^0-9A-Za-z]|[^\\\[\](){}*+?^$]"
        ).match(self.text, self.at)
        if atom is None:
            raise self.refuse("this sign is not known here")
        self.at = atom.end()
        count = re.compile(r"[?*+]|\{([0-9]{1,3})(?:(,)([0-9]{1,3})?)?\}").match(self.text, self.at)
        if count is None:
            return Repeat(atom[0], 1, 1)
        self.at = count.end()
        if self.peek() in tuple("?*+{"):
            raise self.refuse("a repetition may not be repeated")
        if count[1] is None:
            least, most = {"?": (0, 1), "*": (0, None), "+": (1, None)}[count[0]]
            return Repeat(atom[0], least, most)
        if count[2] is None:
            return Repeat(atom[0], int(count[1]), int(count[1]))
        return Repeat(atom[0], int(count[1]), int(count[3]) if count[3] else None)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that was found sound for frames of at most ``length`` characters."""

    regex: "re.Pattern[str]"
    names: tuple[str, ...]
    choices: tuple[tuple[Repeat | Group, ...], ...]
    length: int

    def written(self, fields: Mapping[str, Sequence[str]]) -> Iterator[str]:
        """Write frames that carry one text of each field, the likeliest first; not all need match."""
        return islice(self._alternatives(self.choices, fields), _TRIES)

    def _alternatives(
        self, choices: tuple[tuple[Repeat | Group, ...], ...], fields: Mapping[str, Sequence[str]]
    ) -> Iterator[str]:
        for items in choices:
            yield from self._sequence(items, fields)

    def _sequence(
        self, items: tuple[Repeat | Group, ...], fields: Mapping[str, Sequence[str]]
    ) -> Iterator[str]:
        if not items:
            yield ""
            return
        for head in self._item(items[0], fields):
            for tail in self._sequence(items[1:], fields):
                yield head + tail

    def _item(self, item: Repeat | Group, fields: Mapping[str, Sequence[str]]) -> Iterator[str]:
        if isinstance(item, Repeat):
            sample = next((c for c in _SAMPLES if re.fullmatch(item.regex, c, re.ASCII)), "")
            yield sample * item.least
        elif item.name is None:
            yield from self._alternatives(item.choices, fields)
        elif item.name in fields:
            for text in fields[item.name]:
                yield from _fitted(item.regex, text, self.length)
        if isinstance(item, Group) and item.optional:
            yield ""


def _fitted(regex: str, text: str, length: int) -> Iterator[str]:
    """Yield a text as it stands or padded, in the widths that a group takes."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    for width in range(len(text), length + 1):
        for padded in (
            text.rjust(width),
            sign + digits.rjust(width - len(sign), "0"),
            text.ljust(width),
        ):
            if re.fullmatch(regex, padded, re.ASCII):
                yield padded


def parse(text: str, length: int) -> Pattern:
    """Take a pattern apart; refuse one that is none, or that could keep a reader busy."""
    reader = _Reader(text)
    choices = reader.choices()
    if reader.peek():
        raise reader.refuse("a group is closed that was not opened")
    if _ways(choices, length) > MOST_WAYS:
        raise BadDriverSettings(
            "The pattern can match in too many ways: give counts such as {{8}} instead of * and +, "
            "or a smaller length."
        )
    try:
        regex = re.compile(text, re.ASCII)
    except re.error as error:
        raise BadDriverSettings(
            "The pattern cannot be used at character {at}: {why}.",
            at=(error.pos or 0) + 1,
            why=error.msg,
        ) from error
    return Pattern(regex, tuple(reader.names), choices, length)


def _ways(choices: tuple[tuple[Repeat | Group, ...], ...], length: int) -> int:
    """Return how many ways there are at most to match a frame of this length."""
    total = 0
    for items in choices:
        found, free = _counted(items, length)
        total += found * comb(length + free, free)
    return total


def _counted(items: tuple[Repeat | Group, ...], length: int) -> tuple[int, int]:
    """Return the ways of the bounded items, and how many items have no bound."""
    found, free = 1, 0
    for item in items:
        if isinstance(item, Group):
            parts = [_counted(choice, length) for choice in item.choices]
            found *= sum(ways for ways, _ in parts) + item.optional
            free += max(open_ends for _, open_ends in parts)
        elif item.most is None or item.most - item.least >= length:
            free += 1
        else:
            found *= max(item.most - item.least, 0) + 1
    return found, free
