"""Everything a technician sees has an Indonesian sentence with the same places to fill."""

import ast
import string
from pathlib import Path

import pytest

from acquisition.language import catalogue, choose, t
from drivers.indication import Condition, Origin

ROOT = Path(__file__).parent.parent
ROOMS = ("acquisition", "drivers", "calibration", "broker")
SAYS = {"t"}
"""Calls whose first argument is a sentence for people."""
CARRIES = {
    "BadInput",
    "Abandoned",
    "Refused",
    "Reason",
    "LinkLost",
    "NoAnswer",
    "Garbled",
    "InstrumentRefused",
    "BadDriverSettings",
    "BrokerAway",
    "OutboxFailed",
    "ConflictingRecord",
    "BadRecord",
    "StoreFailed",
}
"""Values that carry a sentence to be said later."""


def sentences() -> dict[str, str]:
    """Return every sentence in the code with the place where it stands."""
    found = {}
    for room in ROOMS:
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name not in SAYS | CARRIES:
                    continue
                for argument in node.args[: 2 if name == "Reason" else 1]:
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        found[argument.value] = f"{file.relative_to(ROOT)}:{node.lineno}"
    for word in (*Condition, *Origin, "conforming", "nonconforming", "indeterminate"):
        found[str(word)] = "a word of the records"
    return found


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_every_sentence_has_an_indonesian_one() -> None:
    words = catalogue()
    missing = {s: place for s, place in sentences().items() if s not in words and " " in s}
    assert not missing, "\n".join(f"{place}: {s!r}" for s, place in missing.items())


def test_both_sentences_fill_the_same_places() -> None:
    differing = [s for s, said in catalogue().items() if fields(s) != fields(said)]
    assert not differing


def test_no_translation_is_left_over_from_a_sentence_that_is_gone() -> None:
    code = "\n".join(
        f.read_text(encoding="utf-8") for room in ROOMS for f in (ROOT / room).rglob("*.py")
    )
    known = sentences()
    left = [s for s in catalogue() if s not in known and s[:20] not in code]
    assert not left


def test_indonesian_is_the_default_and_english_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TERA_LANG", raising=False)
    choose("id")
    assert t("conforming") == catalogue()["conforming"] != "conforming"
    monkeypatch.setenv("TERA_LANG", "en")
    assert t("conforming") == "conforming"
    monkeypatch.delenv("TERA_LANG")
    choose("en")
    assert t("conforming") == "conforming"
    choose("id")
