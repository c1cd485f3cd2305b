"""Tests of an empty observation sheet: what the law wants to be observed, before it is observed.

Knows the shape: which keys of a ``[[test]]`` are known beforehand and which are to be filled in.
Refuses to know a routine's law: each routine proposes its own tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from calibration.grid import plain

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
    within: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Keys whose value is right between two ends: a flow rate; an empty end is open."""


def rounded_between(low: Fraction, high: Fraction) -> Decimal:
    """Give the value with the fewest digits well between two ends, as near to the middle as it can.

    >>> rounded_between(Fraction("2.25"), Fraction("2.5"))
    Decimal('2.4')
    """
    for places in range(-12, 30):
        step = Fraction(10) ** -places
        count = round((low + high) / 2 / step)
        if low < count * step < high:
            return plain(Decimal(count).scaleb(-places))
    raise ValueError("nothing lies between the two ends")
