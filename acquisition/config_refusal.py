"""What is wrong in a configuration, in one sentence, and on which line it stands.

Knows how pydantic names a place. Refuses to know what a key means.
"""

import re
from typing import Any

from pydantic import ValidationError

from calibration.refusal import Refused
from drivers.errors import BadDriverSettings


class WrongSetting(ValueError):
    """What a driver says of a setting, with the key of the setting."""

    def __init__(self, error: BadDriverSettings, key: str) -> None:
        super().__init__(str(error))
        self.template, self.evidence, self.key = error.template, error.evidence, key


def refusal_of(error: ValidationError) -> tuple[tuple[int | str, ...], tuple[str, dict[str, Any]]]:
    """Pick the error to show, a misspelt key before the missing one beside it: place, sentence."""
    errors = error.errors(include_url=False)
    first: Any = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    loc = tuple(step for step in first["loc"] if step != "[key]")
    match first.get("ctx", {}).get("error"):
        case WrongSetting() as wrong:
            return (*loc, *wrong.key.split(".")), (wrong.template, dict(wrong.evidence))
        case Refused() as refused:
            loc = (*loc, *([refused.key] if refused.key else []))
            return loc, (refused.template, dict(refused.evidence))
    return loc, ("{why}", {"why": _why(first)})


def _why(detail: Any) -> str:
    if detail["type"] == "extra_forbidden":
        return "this key is not known"
    if detail["type"] == "missing":
        return "this key is missing"
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    message: str = detail["msg"]
    return f"{message[0].lower()}{message[1:]}"


def key_path(loc: tuple[int | str, ...]) -> str:
    """Write a place in the settings as ``bench[0].instrument[1].port``."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in loc).lstrip(".")


_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"""^\s*("[^"]*"|'[^']*'|[\w-]+)\s*=""")


def line_of(text: str, loc: tuple[int | str, ...]) -> int:
    """Return the line on which a place of the settings stands, or its nearest table's header."""
    table: tuple[int | str, ...] = ()
    counts: dict[tuple[int | str, ...], int] = {}
    best, best_depth = 1, -1
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            parts = [p.strip().strip("\"'") for p in header[2].split(".")]
            table = ()
            for i, part in enumerate(parts):
                table = (*table, part)
                last = i == len(parts) - 1
                if last and header[1] == "[[":
                    counts[table] = counts.get(table, -1) + 1
                if table in counts:
                    table = (*table, counts[table])
            place = table
        elif key := _KEY.match(line):
            place = (*table, key[1].strip("\"'"))
        else:
            continue
        if place == loc[: len(place)] and len(place) > best_depth:
            best, best_depth = number, len(place)
    return best
