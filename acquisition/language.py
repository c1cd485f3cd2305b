"""Bahasa Indonesia for whoever stands at the bench, English on choice.

The code says every sentence in English; ``bahasa.toml`` holds the same sentence in Indonesian.
``TERA_LANG=en`` or ``[console] language = "en"`` chooses English. A missing translation shows the
English sentence: a test keeps that from happening.
"""

import os
import tomllib
from functools import cache
from importlib import resources
from typing import Literal

Language = Literal["id", "en"]

_chosen: list[Language] = []


def choose(language: Language) -> None:
    """Set the language for this process; the environment's TERA_LANG wins over the configuration."""
    _chosen[:] = [language]


def current() -> Language:
    """Return the language in force."""
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
    sentences: dict[str, str] = tomllib.loads(text)
    return sentences


def t(template: str, /, **values: object) -> str:
    """Say the template in the language in force, filled with values (themselves translated)."""
    if current() == "id":
        words = catalogue()
        template = words.get(template, template)
        values = {k: words.get(v, v) if isinstance(v, str) else v for k, v in values.items()}
    return template.format(**values) if values else template
