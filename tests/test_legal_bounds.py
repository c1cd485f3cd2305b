"""Both sides of every bound of every table, generated from the tables and checked by hand."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import ceil, floor
from typing import Any

import numpy as np
import pytest

from calibration.grid import off_grid
from calibration.legal_table import LegalTable
from calibration.limit_curve import CUT
from calibration.mpe import legal_table, limit_curve, maximum_permissible_error
from calibration.refusal import Refused
from calibration.units import PERCENT, Quantity
from tests.law_by_hand import UNITS, Case, raw_tables

RAW = raw_tables()
FINEST = -9
"""One finest digit: 10^-9 of the unit of the file."""
GIVEN: dict[str, list[dict[str, str]]] = {
    "r49": [
        {"q3": "2.5", "ratio": "80"},
        {"q3": "160", "ratio": "315"},  # Q1 and Q2 have no finite digits
        {"q3": "100", "ratio": "63"},
    ],
    "r137": [{"qmin": "0.016", "qt": "0.25", "qmax": "2.5"}],
    "r46": [{"ist": "0.02", "imin": "0.25", "itr": "0.5", "imax": "60"}],
}
"""Characteristics that zones need; every other table stands by itself."""
IN_CASE = {
    "to_30": ("temperature", "30"),
    "above_30": ("temperature", "30.000001"),
    "unity": ("pf", "1"),
    "other": ("pf", "0.5i"),
}
"""A value of the characteristic in each case: on the bound, or just past it."""


def cases() -> Iterator[Any]:
    """Give every class, stage, choice and case of every table with what must be given for it."""
    for name, data in RAW.items():
        known = data.get("given", {})
        choices = {n: g["choices"] for n, g in known.items() if "choices" in g}
        if data["rule"]["kind"] == "percent with minimum quantity":
            choices = {"line": ["A", "B"]}
        ranges = {n: [case["key"] for case in g["cases"]] for n, g in known.items() if "cases" in g}
        for key, stage in product(data["class"], data["stage"]):
            entry = {**data["rule"], **data["class"][key]}
            used = {n: c for n, c in choices.items() if _mentions(entry, c)}
            for picked in product(*used.values(), *ranges.values()):
                for given in GIVEN.get(data["id"], [{}]):
                    for x in ("1", "0.5") if "(x)" in key else ("1",):
                        yield _case(name, data, key, stage, used, ranges, picked, given, x)


def _mentions(entry: Any, keys: list[str]) -> bool:
    if isinstance(entry, dict):
        return bool(set(entry) & set(keys)) or any(_mentions(v, keys) for v in entry.values())
    return isinstance(entry, list) and any(_mentions(v, keys) for v in entry)


def _case(
    name: str,
    data: dict[str, Any],
    key: str,
    stage: str,
    used: dict[str, list[str]],
    ranges: dict[str, list[str]],
    picked: tuple[str, ...],
    given: dict[str, str],
    x: str,
) -> Any:
    made = {
        **given,
        **dict(zip(used, picked, strict=False)),
        **dict(IN_CASE[case] for case in picked[len(used) :]),
    }
    places = {n: Fraction(text) for n, text in given.items()}
    oracle = Case(data, key, stage, picked, places, Fraction(x))
    said = key.replace("(x)", f"({x})")
    return pytest.param(name, said, made, oracle, id=f"{name} {said} {stage} {made}")


EVERY = list(cases())


def around(bound: Fraction) -> list[Decimal]:
    """Give the last value before a bound, the bound where it has digits, the first after it."""
    scaled = bound / Fraction(10) ** FINEST
    counts = {floor(scaled) - (scaled.denominator == 1), floor(scaled), ceil(scaled)}
    counts |= {ceil(scaled) + (scaled.denominator == 1)}
    return [Decimal(count).scaleb(FINEST) for count in sorted(counts)]


def answered(
    table: LegalTable, name: str, stage: str, value: Decimal, unit: str, given: dict[str, str]
) -> tuple[Fraction | None, Fraction | None]:
    """Ask the program: lower and upper limit, in the unit of the value or in %."""
    found = maximum_permissible_error(
        table,
        accuracy_class=name,
        stage=stage,
        values=[Quantity(value, unit)],
        characteristics=given,
    )
    sides = []
    for limit in (found.lower[0], found.upper[0]):
        exact = None if limit is None else Fraction(limit)
        if exact is not None and found.unit == PERCENT and not found.percent_of:
            exact = exact * Fraction(value) / 100
        elif exact is not None and found.unit != PERCENT:
            exact = exact * UNITS[found.unit] / UNITS[unit]
        sides.append(exact)
    return sides[0], sides[1]


@pytest.mark.parametrize(("name", "said", "given", "oracle"), EVERY)
def test_both_sides_of_every_bound_are_as_in_the_file(
    name: str, said: str, given: dict[str, str], oracle: Case
) -> None:
    table, unit, stage = legal_table(name), oracle.unit, oracle.stage
    sides = oracle.entry.get("sides", "both")
    for value in [v for bound in oracle.bounds() for v in around(bound)]:
        expected = oracle.limit(Fraction(value))
        if expected is None:
            with pytest.raises(Refused):
                answered(table, said, stage, value, unit, given)
            continue
        lower, upper = answered(table, said, stage, value, unit, given)
        assert upper is not None
        if oracle.data["id"] == "r46":  # p * Imin / I: cut, never rounded up
            assert 0 <= expected - upper < Fraction(10) ** CUT
            expected = upper
        assert upper == expected, value
        assert lower == {"both": -expected, "upward": Fraction(0), "spread": None}[sides], value


@pytest.mark.parametrize(("name", "said", "given", "oracle"), EVERY)
def test_a_column_of_values_has_the_limits_of_each(
    name: str, said: str, given: dict[str, str], oracle: Case
) -> None:
    values = [value for bound in oracle.bounds() for value in around(bound)]
    good = [value for value in values if oracle.limit(Fraction(value)) is not None]
    if not good:
        return
    curve = limit_curve(
        legal_table(name),
        accuracy_class=said,
        stage=oracle.stage,
        unit=oracle.unit,
        characteristics=given,
    )
    counts = np.array([int(value.scaleb(-FINEST)) for value in good], dtype=np.int64)
    found = curve.limits(counts, FINEST)
    for value, limit in zip(good, off_grid(found.counts, found.exponent), strict=True):
        exact = oracle.limit(Fraction(value))
        assert exact is not None
        assert 0 <= exact - Fraction(limit) < (Fraction(10) ** CUT if curve.reciprocals else 1)
        if not curve.reciprocals:
            assert Fraction(limit) == exact


def test_every_table_class_and_stage_is_among_the_generated_cases() -> None:
    seen = {(p.values[0], p.values[3].accuracy_class, p.values[3].stage) for p in EVERY}
    assert seen == {
        (name, key, stage)
        for name, data in RAW.items()
        for key, stage in product(data["class"], data["stage"])
    }
    assert {name for name, _, _ in seen} == set(RAW)
    assert len(EVERY) > 250


def test_zones_that_do_not_grow_are_refused() -> None:
    for given in (
        {"qmin": "0.25", "qt": "0.25", "qmax": "2.5"},
        {"qmin": "0.016", "qt": "3", "qmax": "2.5"},
    ):
        with pytest.raises(Refused, match="zones that grow"):
            answered(legal_table("r137"), "1", "initial", Decimal(1), "m³/h", given)
    with pytest.raises(Refused, match="zones that grow"):
        answered(
            legal_table("r49"), "2", "initial", Decimal(1), "m³/h", {"q3": "2.5", "ratio": "1.2"}
        )
