"""Proposed points: from the legal table, at the law's minimum, and enough for the routine itself."""

from decimal import Decimal
from typing import Any

import pytest

from calibration.mpe import legal_table
from calibration.routines.weighing_columns import Receptor, WeighingTest
from calibration.routines.weighing_plan import ProposedTest, proposed_tests
from calibration.routines.weighing_sheet import read_instrument
from calibration.sheet_keys import Keys
from tests.nawi import CONFORMING, decided, one, sheet

FIFTEEN = {"class": "III", "max": "15 kg", "e": "5 g"}
KINDS: list[dict[str, Any]] = [
    FIFTEEN,
    FIFTEEN | {"tare": True, "d": "1 g"},
    FIFTEEN | {"tare": True, "additive_tare": "6 kg"},
    {"class": "II", "max": "600 g", "e": "0.01 g"},
    {"class": "I", "max": "200 g", "e": "0.001 g"},
    {"class": "I", "max": "200 g", "e": "0.001 g", "min": "10 mg"},
    {"class": "IIII", "max": "50 kg", "e": "50 g"},
    {"class": "III", "ranges": "2kg:1g,5kg:2g,15kg:10g", "tare": True},
    {"class": "III", "ranges": "3kg:1g,15kg:5g", "multiple_range": True},
    {"class": "III", "max": "10 kg", "e": "20 g", "indicating": "analogue"},
    {"class": "III", "max": "50 kg", "e": "50 g", "indicating": "non-self-indicating"},
]


def proposed(given: dict[str, Any], receptor: WeighingTest | None = None) -> list[ProposedTest]:
    instrument = read_instrument(Keys.of(given, "instrument"))
    return list(proposed_tests(legal_table("r76"), instrument, "initial", receptor=receptor))


def loads(tests: list[ProposedTest], name: str) -> list[Decimal]:
    return [load for test in tests if test.name == name for load in test.loads]


def test_loads_are_zero_min_the_steps_of_the_limits_and_max() -> None:
    tests = proposed(FIFTEEN)
    up = [0, 100, 2500, 10000, 15000]
    assert loads(tests, "weighing") == [*up, *reversed(up[:-1])]
    assert loads(tests, "eccentricity") == [5000] * 4
    assert loads(tests, "repeatability") == [12000] * 3
    assert [test.name for test in tests] == ["zero", "weighing", "eccentricity", "repeatability"]
    assert {test.clause for test in tests} == {
        "R 76-1 4.5.2", "R 76-1 A.4.4.1", "R 76-1 3.6.2.1", "R 76-1 8.3.3, A.4.10",
    }  # fmt: skip


def test_steps_of_a_multi_interval_instrument_are_those_of_its_table() -> None:
    tests = proposed({"class": "III", "ranges": "2kg:1g,5kg:2g,15kg:10g"})
    assert sorted(set(loads(tests, "weighing"))) == [0, 20, 500, 2000, 4000, 5000, 15000]


def test_min_below_a_hundred_milligrams_is_not_among_them() -> None:
    given = {"class": "I", "max": "200 g", "e": "0.001 g", "min": "99 mg"}
    assert Decimal("0.099") not in loads(proposed(given), "weighing")
    assert Decimal("0.1") in loads(proposed(given | {"min": "100 mg"}), "weighing")


@pytest.mark.parametrize(
    ("receptor", "load", "positions"),
    [
        ({"supports": 6}, 3000, 6),
        ({"receptor": Receptor.TANK, "supports": 3}, 1500, 3),
        ({"receptor": Receptor.ROLLING, "directions": 2}, 12000, 6),
    ],
)
def test_the_receptor_gives_the_eccentricity_load(
    receptor: dict[str, Any], load: int, positions: int
) -> None:
    tests = proposed(FIFTEEN, WeighingTest("", "eccentricity", **receptor))
    assert loads(tests, "eccentricity") == [load] * positions


def test_subtractive_tare_takes_from_the_net_loads_and_additive_does_not() -> None:
    (test,) = (t for t in proposed(FIFTEEN | {"tare": True}) if t.name == "tare")
    assert (test.tare, test.loads[-1]) == (5000, 10000)
    given = FIFTEEN | {"tare": True, "additive_tare": "6 kg"}
    (test,) = (t for t in proposed(given) if t.name == "tare")
    assert (test.tare, test.loads[-1]) == (2000, 15000)


@pytest.mark.parametrize("given", KINDS)
def test_an_instrument_that_is_perfect_at_every_proposed_point_conforms(
    given: dict[str, Any],
) -> None:
    """The proposal is enough: nothing is lacking, and every load can have been."""
    unit = read_instrument(Keys.of(given, "instrument")).e.unit
    written = []
    for test in proposed(given):
        columns = written_columns(test, unit, given)
        if given.get("multiple_range"):
            columns["range"] = test.range
        written.append(one(test.name, **columns))
    result = decided(sheet(*written, **{"max": None, "e": None} | given | {"kind": "scale"}))
    assert result.verdict is CONFORMING, [str(reason) for reason in result.reasons]
    assert "load-step-missing" not in [reason.code for reason in result.reasons]


def written_columns(test: ProposedTest, unit: str, given: dict[str, Any]) -> dict[str, Any]:
    shown = [f"{load:f} {unit}" for load in test.loads]
    columns: dict[str, Any] = {"load": shown, "indication": shown}
    if test.tare is not None:
        columns["tare"] = f"{test.tare:f} {unit}"
    if test.by_added_load:
        columns["added_load"] = [
            f"{half_interval(test, load, given):f} {unit}" for load in test.loads
        ]
    if test.name == "sensitivity":
        return {"load": shown, "extra_load": ["25 g", "50 g"], "displacement": ["5 mm", "5 mm"]}
    if test.name == "discrimination" and given["indicating"] == "analogue":
        after = [f"{load + 10} {unit}" for load in test.loads]
        columns |= {"extra_load": ["10 g"] * 3, "indication_after": after}
    elif test.name == "discrimination":
        columns |= {"extra_load": ["10 g", "10 g", "20 g"], "visible": [True] * 3}
    return columns


def half_interval(test: ProposedTest, load: Decimal, given: dict[str, Any]) -> Decimal:
    instrument = read_instrument(Keys.of(given, "instrument"))
    unit = instrument.e.unit
    ranges = instrument.ranges or ((instrument.maximum, instrument.e),)
    if instrument.multiple_range:
        ranges = (ranges[test.range - 1],)
    e = next(e for top, e in ranges if load <= top.to(unit).magnitude)
    return e.to(unit).magnitude / 2
