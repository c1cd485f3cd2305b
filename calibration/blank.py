"""Tests of an empty observation sheet: what the law wants to be observed, before it is observed.

Knows the shape: which keys of a ``[[test]]`` are known beforehand and which are to be filled in.
Refuses to know a routine's law: each routine proposes its own tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Given = str | int | bool | tuple[str, ...]
"""What stands at a key: one value, or one for each observation."""


@dataclass(frozen=True, slots=True)
class BlankTest:
    """One test as it is to be done."""

    name: str
    given: Mapping[str, Given]
    """Keys that are known beforehand: loads, flow rates."""
    asked: Mapping[str, int]
    """Keys to fill in, with the number of values; 0 is one value that is no list."""
    clause: str
    """Clause that wants the test so."""
