"""Where two records of one verification differ, to the last digit.

Knows which fields a replay makes anew: what it is called, when it was, by which program, and that
it is a replay. Everything else must be the same text.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import simplejson

MADE_ANEW: Final = (
    "id",
    "started",
    "decided",
    "moment",
    "clock",
    "origin",
    "trial",
    "legal",
    "raw[].time",
    "software",
)
"""Fields that are not compared."""
_ABSENT: Final = "–"
_OWN_REASONS: Final = ("trial: simulated or replayed indications", "the clock of the station ")
"""How reasons begin that speak of the run and not of the instrument."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not the same."""

    place: str
    then: str
    now: str


def differences(
    then: Mapping[str, Any], now: Mapping[str, Any], *, legal: bool
) -> list[Difference]:
    """Compare the record of a verification with one that was derived again.

    ``legal`` is what the core said now, before the origin made it a trial.
    """
    found = list(_between(_comparable(then), _comparable(now), ""))
    would_be = legal and not then["trial"]
    if would_be is not then["legal"]:
        found.append(Difference("legal", _text(then["legal"]), _text(would_be)))
    return found


def _comparable(record: Mapping[str, Any]) -> Any:
    plain = json.loads(simplejson.dumps(record, use_decimal=True, default=str), parse_float=Decimal)
    for name in MADE_ANEW:
        plain.pop(name, None)
    for evidence in plain["raw"]:
        evidence.pop("time", None)
    plain["reasons"] = [one for one in plain["reasons"] if not one.startswith(_OWN_REASONS)]
    return plain


def _between(then: Any, now: Any, place: str) -> Iterator[Difference]:
    if isinstance(then, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*then, *now]):
            there = f"{place}.{key}".lstrip(".")
            if key in then and key in now:
                yield from _between(then[key], now[key], there)
            else:
                yield Difference(
                    there,
                    _text(then[key]) if key in then else _ABSENT,
                    _text(now[key]) if key in now else _ABSENT,
                )
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for index, (before, after) in enumerate(zip(then, now, strict=True)):
            yield from _between(before, after, f"{place}[{index}]")
    elif _text(then) != _text(now):
        yield Difference(place, _text(then), _text(now))


def _text(value: Any) -> str:
    """Write a value as its record has it: 5 and 5.0 are not the same."""
    return simplejson.dumps(value, use_decimal=True, ensure_ascii=False)
