"""``[training]``: what an exercise is about, which verdict it should end in, and what it teaches.

Knows words and a record. Refuses to move anything: the exercise is an ordinary run on an ordinary
bench of simulated instruments, and its verdict a trial.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from acquisition.language import t
from acquisition.setting_types import Settings

Text = Annotated[str, Field(min_length=1)]


class Training(Settings):
    """One exercise."""

    title: Text
    task: Text
    """What the trainee does and looks at."""
    expect: Literal["conforming", "nonconforming", "indeterminate"]
    """The verdict of whoever does it right."""
    fails: tuple[str, ...] = ()
    """The tests that do not conform."""
    because: Text
    """What it teaches; shown after the verdict."""


def failed_tests(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the tests of a record that do not conform, in their order."""
    return tuple(test["name"] for test in record["tests"] if test["verdict"] == "nonconforming")


def debriefing(training: Training, record: Mapping[str, Any]) -> str:
    """Say whether the verdict is the one of the exercise, and what it teaches."""
    right = record["verdict"] == training.expect
    lines = [
        t("The exercise wanted this verdict: {verdict}.", verdict=t(training.expect))
        if right
        else t(
            "The exercise wanted another verdict: {verdict}. Look at what was observed.",
            verdict=t(training.expect),
        ),
        training.because.strip(),
    ]
    return "\n".join(lines)
