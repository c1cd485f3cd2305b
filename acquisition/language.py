"""Bahasa Indonesia for whoever stands at the bench, English on choice.

The code says every sentence in English; ``bahasa.toml`` holds the same sentence in Indonesian.
``TERA_LANG=en`` or ``[console] language = "en"`` chooses English. A missing translation shows the
English sentence: a test keeps that from happening. Records stay in English, and what comes filled
in already (a driver's fault, a message of Python) is recognised by the words between its places.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from string import Formatter
from typing import Literal, get_args

Language = Literal["id", "en"]

SPOKEN = frozenset(
    {"detail", "found", "kind", "last", "message", "most", "reason", "state", "test"}
    | {"wanted", "what", "where", "why"}
)
"""Places that hold words of ours; any other holds a number, a name or what somebody typed."""

_chosen: list[Language] = []
_for_programs: list[Language] = []


def choose(language: Language) -> None:
    """Set the language for this process; the environment's TERA_LANG wins over the configuration."""
    _chosen[:] = [language]


def choose_from(file: Path) -> None:
    """Set the language that a configuration names, for a command that needs nothing else of it."""
    try:
        named = tomllib.loads(file.read_text(encoding="utf-8"))["console"]["language"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return  # whoever needs the configuration says what is wrong with it
    for language in get_args(Language):
        if named == language:
            choose(language)


@contextmanager
def english_for_programs() -> Iterator[None]:
    """Speak English meanwhile, whatever the environment says: programs compare what is printed."""
    _for_programs.append("en")
    try:
        yield
    finally:
        _for_programs.pop()


def current() -> Language:
    """Return the language in force."""
    if _for_programs:
        return _for_programs[-1]
    named = os.environ.get("TERA_LANG", "")[:2]
    if named == "en":
        return "en"
    if named == "id":
        return "id"
    return _chosen[0] if _chosen else "id"


@cache
def catalogue() -> dict[str, str]:
    """Return English sentence -> Indonesian sentence."""
    text = resources.files("acquisition").joinpath("bahasa.toml").read_text(encoding="utf-8")
    tables: dict[str, dict[str, str]] = tomllib.loads(text)
    return {english: said for table in tables.values() for english, said in table.items()}


def t(template: str, /, **values: object) -> str:
    """Say the template in the language in force, filled with values (themselves translated).

    A template without values may also be a word, or a sentence that was filled in before.
    """
    if current() == "id":
        if not values:
            return _said(template)
        template = catalogue().get(template, template)
        values = {name: _value(name, value) for name, value in values.items()}
    return template.format(**values) if values else template


def _value(name: str, value: object) -> object:
    if name in SPOKEN and isinstance(value, str | Exception):
        return _said(getattr(value, "strerror", None) or str(value))
    if isinstance(value, str) and " " in value:  # a phrase is ours wherever it stands
        return catalogue().get(value, value)
    return value


@lru_cache(maxsize=1024)
def _said(text: str) -> str:
    """Say a word, or a sentence that was filled in already; what is not ours stays as it is."""
    if text in catalogue():
        return catalogue()[text]
    for shape, said in _shapes():
        if found := shape.fullmatch(text):
            return _filled(said, found.groupdict())
    return text


@lru_cache(maxsize=1024)
def _filling(text: str) -> tuple[tuple[str, str], ...]:
    for shape, _ in _shapes():
        if found := shape.fullmatch(text):
            return tuple(found.groupdict().items())
    return ()


def recognised(text: str) -> dict[str, str]:
    """Return what fills the places of a sentence of ours that was filled in already."""
    return dict(_filling(text))


@cache
def _shapes() -> tuple[tuple["re.Pattern[str]", str], ...]:
    """Return what filled sentences look like, those with the most words first."""
    shapes = []
    for english, said in catalogue().items():
        parts = list(Formatter().parse(english))
        words = "".join(literal for literal, *_ in parts)
        if (len(parts) < 2 and parts[0][1] is None) or not re.search(r"[^\W\d_]{3}", words):
            continue
        shapes.append((len(words), re.compile(_pattern(english), re.DOTALL), said))
    shapes.sort(key=lambda shape: -shape[0])
    return tuple((pattern, said) for _, pattern, said in shapes)


def _pattern(template: str) -> str:
    pattern, seen = "", set()
    for literal, name, *_ in Formatter().parse(template):
        pattern += re.escape(literal)
        if name is not None:
            pattern += f"(?P={name})" if name in seen else f"(?P<{name}>.+?)"
            seen.add(name)
    return pattern


def _filled(template: str, texts: Mapping[str, str]) -> str:
    """Fill a template with texts that were formatted already."""
    return "".join(
        literal + ("" if name is None else str(_value(name, texts[name])))
        for literal, name, *_ in Formatter().parse(template)
    )
