"""The routine for any table, run on every table, class, stage and case that there is.

Generated from the files: at its limit an instrument conforms, one digit past it does not, so that no
kind of instrument with a table stays without a routine.
"""

import doctest
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from calibration.evaluation import ROUTINES, evaluate
from calibration.legal_table import legal_table, tables
from calibration.refusal import Refused
from calibration.routines import exact_limits, exact_points
from calibration.routines.exact_limits import AskedTable
from calibration.sheet import parse_sheet
from calibration.units import finite
from calibration.verification import Verdict
from tests.law_by_hand import UNITS, Case
from tests.test_legal_bounds import EVERY

CONFORMING, NONCONFORMING, _ = Verdict
DIGIT = Fraction(1, 10**12)
"""One finest digit of an indication."""
MEASURED = {"m³/h": "L", "A": "kWh"}
"""What passes at a flow rate or a current: limits are in % of it."""
APPROVED = [table.digest for table in tables()]


def value_of(oracle: Case) -> Fraction | None:
    """Choose a value that has a limit, between two bounds [unit of the file]."""
    bounds = sorted(oracle.bounds())
    if oracle.entry["kind"] == "nominal values":
        good = [bound for bound in bounds if oracle.limit(bound) is not None]
        return good[len(good) // 2]
    ends = [*bounds, bounds[-1] + max(bounds[-1], Fraction(1))]
    middles = [Fraction(round((a + b) * 500), 1000) for a, b in pairwise(ends)]
    good = [middle for middle in middles if middle > 0 and oracle.limit(middle) is not None]
    return good[-1] if good else None


@dataclass(frozen=True)
class Kind:
    """One class of a table at one stage, with a value and the limit of its error there."""

    name: str
    said: str
    given: dict[str, str]
    oracle: Case
    value: Fraction
    """Reference value [unit]."""
    limit: Fraction
    """[unit]"""
    unit: str
    at: dict[str, str]
    """Where limits are looked up, when that is another quantity."""

    def observed(self, error: Fraction) -> dict[str, Any]:
        """Give observations of which the table judges exactly this error."""
        value, apart = self.value, 7 * DIGIT
        match self.oracle.entry.get("measured", "error"):
            case "mean":
                shown = [value + error - apart, value + error + apart]
                return {"reference": self.text(value), "indication": list(map(self.text, shown))}
            case "standard deviation":  # of R + s, R and R - s it is s
                shown = [value + error, value, value - error]
                return {"reference": self.text(value), "indication": list(map(self.text, shown))}
            case "deviation":
                fills = [value + error, value - error, value, value]
                return {"indication": list(map(self.text, fills))}
            case "preset":
                fills = [value - apart, value + apart]
                shown = [value + error]
                return {
                    "reference": list(map(self.text, fills)),
                    "indication": list(map(self.text, shown)),
                }
        return {"reference": self.text(value), "indication": self.text(value + error)}

    def text(self, value: Fraction) -> str:
        digits = finite(value)
        assert digits is not None, value
        return f"{digits:f} {self.unit}"

    def verdict(self, error: Fraction) -> Verdict:
        sheet = {
            "routine": "general",
            "table": self.name,
            "stage": self.oracle.stage,
            "date": "2026-11-24",
            "instrument": {
                "kind": "alat",
                "serial": "1",
                "class": self.said,
                "characteristics": self.given,
            },
            "standards": [{"id": "S", "due": "2030-01-01", "expanded_uncertainty": "0.000001 %"}],
            "test": [{"name": "accuracy", **self.observed(error), **self.at}],
        }
        return evaluate(parse_sheet(sheet), standards={}, approved=APPROVED).tests[0].verdict


def kinds() -> Iterator[Any]:
    for parameter in EVERY:
        name, said, given, oracle = parameter.values
        if oracle.stage not in oracle.entry.get("stages", (oracle.stage,)):
            continue
        if (place := value_of(oracle)) is not None:
            yield pytest.param(kind(name, said, given, oracle, place), id=parameter.id)


def kind(name: str, said: str, given: dict[str, str], oracle: Case, place: Fraction) -> Kind:
    limit, unit = oracle.limit(place), oracle.unit
    assert limit is not None
    digits = finite(place)
    if oracle.entry.get("percent_of"):
        if finite(limit) is None:  # p * Imin / I is cut after nine decimals
            limit = Fraction(int(limit * 10**9), 10**9)
        at = {"at": f"{digits:f} {unit}"}
        return Kind(name, said, given, oracle, Fraction(100), limit, MEASURED[unit], at)
    if unit == "e":
        e = oracle.entry["intervals"][0].get("e_max", oracle.entry["intervals"][0]["e_min"])
        size = Fraction(e.removesuffix(" g"))
        return Kind(name, said, {**given, "e": e}, oracle, place * size, limit * size, "g", {})
    nominal = oracle.entry["kind"] == "nominal values"
    at = {"at": f"{digits:f} {unit}"} if nominal else {}
    return Kind(name, said, given, oracle, place, limit, unit, at)


KINDS = list(kinds())


@pytest.mark.parametrize("it", KINDS)
def test_every_table_judges_its_instruments_to_the_last_digit(it: Kind) -> None:
    entry = it.oracle.entry
    if entry.get("value_is") == "indication":  # |E| <= p I, I = R + E: looked up at what is shown
        share = it.limit / it.value
        for sign in (1, -1):
            largest = it.value * share / (1 - sign * share)  # its digits may have no end
            inside = Fraction(int(largest / DIGIT)) * DIGIT
            assert it.verdict(sign * inside) is CONFORMING
            assert it.verdict(sign * (inside + DIGIT)) is NONCONFORMING
        return
    assert it.verdict(it.limit) is CONFORMING
    assert it.verdict(it.limit + DIGIT) is NONCONFORMING
    match entry.get("sides", "both"):
        case "both":
            assert it.verdict(-it.limit) is CONFORMING
            assert it.verdict(-it.limit - DIGIT) is NONCONFORMING
        case "upward":
            assert it.verdict(Fraction(0)) is CONFORMING
            assert it.verdict(-DIGIT) is NONCONFORMING


@pytest.mark.parametrize(("name", "said", "given", "oracle"), EVERY)
def test_limits_at_fractions_are_those_of_the_law_by_hand(
    name: str, said: str, given: dict[str, str], oracle: Case
) -> None:
    """Values beside every bound, some with digits that have no end."""
    table, unit = legal_table(name), oracle.unit
    if oracle.stage not in oracle.entry.get("stages", (oracle.stage,)):
        return
    try:
        asked = AskedTable.of(table, said, oracle.stage, unit, given)
    except Refused:
        assert all(oracle.limit(bound + DIGIT) is None for bound in oracle.bounds())
        return
    for bound in oracle.bounds():
        for value in (bound - DIGIT, bound, bound + DIGIT, bound + Fraction(1, 3 * 10**9)):
            if oracle.entry["kind"] == "nominal values" and value != bound:
                with pytest.raises(Refused):
                    asked.at(value, unit)
                continue
            expected = oracle.limit(value)
            if expected is None:
                with pytest.raises(Refused):
                    asked.at(value, unit)
                continue
            found = asked.at(value, unit).magnitude
            if not asked.curve.relative:
                found *= UNITS[asked.curve.unit] / UNITS[unit]
            if oracle.data["id"] == "r46":  # p * Imin / I is cut after nine decimals
                assert 0 <= expected - found < Fraction(2, 10**9)
            else:
                assert found == expected


def test_no_kind_of_instrument_with_a_table_stays_without() -> None:
    done = {(it.name, it.said, it.oracle.stage) for (it,) in (entry.values for entry in KINDS)}
    every = {
        (name, said, oracle.stage) for name, said, _, oracle in (entry.values for entry in EVERY)
    }
    assert {name for name, *_ in done} == {table.name for table in tables()}
    # What is left the law itself does not have: Ref(x) is stated at initial verification only.
    assert every - done == {
        ("r61@2004", "Ref(1)", "in_service"),
        ("r61@2004", "Ref(0.5)", "in_service"),
    }
    assert ROUTINES["general"].tables == ()


@pytest.mark.parametrize("module", [exact_limits, exact_points])
def test_the_examples_in_the_documentation_hold(module: Any) -> None:
    results = doctest.testmod(module)
    assert results.attempted
    assert not results.failed
