"""Fuel dispensers: what is asked beside the errors, and what national settings change."""

import copy
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.evaluation import evaluate
from calibration.legal_table import legal_table
from calibration.national import national_settings
from calibration.refusal import Refused
from calibration.sheet import parse_sheet
from calibration.verification import TestResult as Result
from calibration.verification import Verdict, Verification

EXAMPLE = Path(__file__).parent.parent / "examples" / "fuel-dispenser.toml"
CONFORMING, NONCONFORMING, INDETERMINATE = Verdict
APPROVED = (
    legal_table("r117@2007").digest,
    *(national_settings(f"id-pubbm@{year}").digest for year in (2014, 2020, 2026)),
)


def example(**changes: Any) -> dict[str, Any]:
    return {**tomllib.loads(EXAMPLE.read_text(), parse_float=Decimal), **changes}


def decided(sheet: dict[str, Any]) -> Verification:
    return evaluate(parse_sheet(sheet), standards={}, approved=APPROVED)


def only(result: Verification, name: str) -> Result:
    (test,) = (test for test in result.tests if test.name == name)
    return test


def test_of(sheet: dict[str, Any], name: str) -> dict[str, Any]:
    return next(test for test in sheet["test"] if test["name"] == name)


test_of.__test__ = False  # type: ignore[attr-defined]


def codes(result: Verification) -> list[str]:
    return [reason.code for reason in result.reasons]


def test_the_example_conforms_and_is_legal() -> None:
    result = decided(example())
    assert (result.verdict, result.legal, result.routine) == (CONFORMING, True, "fuel-dispenser")
    assert codes(result) == ["meter-factor"]
    assert {test.name for test in result.tests} == {
        *("accuracy", "repeatability", "zero", "price", "interlock", "anti_drain", "hose"),
    }


@pytest.mark.parametrize(("shown", "verdict"), [("0.00 L", CONFORMING), ("0.01 L", NONCONFORMING)])
def test_the_display_returns_to_zero(shown: str, verdict: Verdict) -> None:
    sheet = example()
    test_of(sheet, "zero")["indication"][1] = shown
    assert only(decided(sheet), "zero").verdict is verdict


@pytest.mark.parametrize(
    ("price", "verdict"),
    [
        ("200000", CONFORMING),
        ("200200", CONFORMING),  # Emin 20 mL at Rp 10000 per litre
        ("200201", NONCONFORMING),
        ("199800", CONFORMING),
        ("199799.99", NONCONFORMING),
    ],
)
def test_the_price_agrees_within_the_price_of_emin(price: str, verdict: Verdict) -> None:
    sheet = example()
    test_of(sheet, "price")["price"][0] = price
    test = only(decided(sheet), "price")
    assert test.verdict is verdict
    assert test.points[0].unit == "Rp"
    if verdict is NONCONFORMING:
        assert "error-beyond-limit" in codes(decided(sheet))


@pytest.mark.parametrize("name", ["interlock", "anti_drain", "hose"])
def test_a_check_that_was_not_passed_decides(name: str) -> None:
    sheet = example()
    test_of(sheet, name)["passed"] = False
    result = decided(sheet)
    assert result.verdict is NONCONFORMING
    assert str(result.reasons[0]).startswith(f"{name}: the check was not passed (R 117-1 ")
    assert only(result, name).points[0].error is None
    assert only(result, "hose").conditions["remark"] == "no bulge, no leak"


@pytest.mark.parametrize("name", ["zero", "price"])
def test_a_test_that_the_law_wants_leaves_the_verdict_open(name: str) -> None:
    sheet = example()
    sheet["test"] = [test for test in sheet["test"] if test["name"] != name]
    result = decided(sheet)
    assert result.verdict is INDETERMINATE
    assert [r.values["test"] for r in result.reasons if r.code == "test-missing"] == [name]


def test_a_dispenser_that_shows_no_price_needs_no_test_of_it() -> None:
    sheet = example()
    sheet["instrument"]["price"] = False
    sheet["test"] = [test for test in sheet["test"] if test["name"] != "price"]
    assert decided(sheet).verdict is CONFORMING


def test_checks_by_eye_are_recorded_only_when_they_are_made() -> None:
    sheet = example()
    sheet["test"] = [
        t for t in sheet["test"] if t["name"] not in ("interlock", "anti_drain", "hose")
    ]
    assert decided(sheet).verdict is CONFORMING


@pytest.mark.parametrize("kind", ["pompa ukur BBM", "Pompa Ukur bbm ", "fuel dispenser"])
def test_a_dispenser_is_known_by_its_kind_under_any_routine(kind: str) -> None:
    sheet = example(routine="volume-meter")
    sheet["instrument"]["kind"] = kind
    assert decided(sheet).verdict is CONFORMING
    sheet["test"] = [test for test in sheet["test"] if test["name"] != "zero"]
    assert decided(sheet).verdict is INDETERMINATE


def test_another_meter_has_no_such_tests() -> None:
    sheet = example(routine="volume-meter")
    sheet["instrument"]["kind"] = "meter arus"
    with pytest.raises(Refused, match="belongs to a fuel dispenser"):
        decided(sheet)


@pytest.mark.parametrize("accuracy_class", ["0.3", "1.0", "x"])
def test_a_fuel_dispenser_is_of_class_05(accuracy_class: str) -> None:
    sheet = example()
    sheet["instrument"]["class"] = accuracy_class
    with pytest.raises(Refused) as refused:
        decided(sheet)
    assert refused.value.key in ("instrument.class", "instrument")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"name": "zero"}, "test[3].indication"),
        (
            {"name": "price", "currency": "Rp", "unit_price": "1", "indication": "1 L"},
            "test[3].price",
        ),
        (
            {"name": "price", "unit_price": "1", "indication": "1 L", "price": "1"},
            "test[3].currency",
        ),
        (
            {
                "name": "price",
                "currency": "Rp",
                "unit_price": "0",
                "indication": "1 L",
                "price": "1",
            },
            "test[3].unit_price[0]",
        ),
        (
            {
                "name": "price",
                "currency": "Rp",
                "unit_price": "1",
                "indication": "1 L",
                "price": "-1",
            },
            "test[3].price[0]",
        ),
        (
            {
                "name": "price",
                "currency": "Rp",
                "unit_price": "1",
                "indication": "1 L",
                "price": "x",
            },
            "test[3].price[0]",
        ),
        (
            {
                "name": "price",
                "currency": "Rp",
                "unit_price": ["1", "2"],
                "indication": ["1 L"],
                "price": ["1"],
            },
            "test[3].unit_price",
        ),
        ({"name": "interlock"}, "test[3].passed"),
        ({"name": "interlock", "passed": "yes"}, "test[3].passed"),
        ({"name": "front_back", "front": ["20 L"], "back": ["20 L", "20 L"]}, "test[3].back"),
        ({"name": "zero", "indication": "0 kg"}, "test[3].indication"),
        ({"name": "zero", "indication": "0 L", "passed": True}, "test[3].passed"),
        ({"name": "leak"}, "test[3].name"),
    ],
)
def test_what_is_no_test_is_refused_by_its_key(change: dict[str, Any], key: str) -> None:
    sheet = example()
    sheet["test"][3] = change
    with pytest.raises(Refused) as refused:
        decided(sheet)
    assert refused.value.key == key


# ---- national settings


def in_2014(**changes: Any) -> dict[str, Any]:
    sheet = example(setting="id-pubbm@2014", **changes)
    both = {"name": "front_back", "front": ["20.00 L"], "back": ["20.01 L"]}
    sheet["test"] = [*sheet["test"], both]
    return sheet


@pytest.mark.parametrize(
    ("back", "verdict"),
    [
        ("20.02 L", CONFORMING),
        ("20.021 L", NONCONFORMING),
        ("19.98 L", CONFORMING),
        ("19.979 L", NONCONFORMING),
    ],
)
def test_the_displays_of_both_sides_differ_by_at_most_20_millilitres(
    back: str, verdict: Verdict
) -> None:
    sheet = in_2014()
    test_of(sheet, "front_back")["back"] = [back]
    test = only(decided(sheet), "front_back")
    assert test.verdict is verdict
    assert test.points[0].upper == Decimal("0.02")


def test_the_limit_of_the_displays_is_stated_at_20_litres_only() -> None:
    sheet = in_2014()
    test_of(sheet, "front_back").update(front=["10.00 L"], back=["10.00 L"])
    result = decided(sheet)
    assert only(result, "front_back").verdict is INDETERMINATE
    assert "front-back-volume" in codes(result)


def test_displays_are_wanted_where_the_settings_state_a_limit() -> None:
    sheet = in_2014()
    sheet["test"].pop()
    result = decided(sheet)
    assert [r.values["test"] for r in result.reasons if r.code == "test-missing"] == ["front_back"]
    sheet["instrument"]["displays"] = 1
    assert "test-missing" not in codes(decided(sheet))


def test_displays_are_not_judged_where_nobody_states_a_limit() -> None:
    sheet = in_2014()
    del sheet["setting"]
    test_of(sheet, "front_back")["back"] = ["25.00 L"]
    result = decided(sheet)
    assert "front_back" not in [test.name for test in result.tests]
    assert "test-not-judged" in codes(result)
    assert result.verdict is CONFORMING


@pytest.mark.parametrize(
    ("setting", "limit", "clause"),
    [
        ("id-pubbm@2014", Decimal("0.1"), "id-pubbm@2014: ketidaktetapan"),
        ("id-pubbm@2020", Decimal("0.2"), "R 117-1 repeatability, 2/5 of Table 2 line A"),
        (None, Decimal("0.2"), "R 117-1 repeatability, 2/5 of Table 2 line A"),
    ],
)
def test_settings_override_the_repeatability(
    setting: str | None, limit: Decimal, clause: str
) -> None:
    sheet = in_2014()
    sheet["setting"] = setting
    if setting is None:
        del sheet["setting"]
    # 0.15 % apart: within R 117, beyond the training of 2014
    sheet["test"][0]["reading"] = ["0 mL", "30 mL", "0 mL"]
    result = decided(sheet)
    first = next(test for test in result.tests if test.name == "repeatability")
    assert first.points[0].upper == limit
    assert first.verdict is (NONCONFORMING if limit == Decimal("0.1") else CONFORMING)
    if first.verdict is NONCONFORMING:
        assert clause in str(result.reasons[0])


def test_settings_say_where_the_flow_rates_lie() -> None:
    sheet = in_2014()
    assert decided(sheet).verdict is CONFORMING
    sheet["test"][1]["flow_rate"] = "36 L/min"  # 25 of 38 is 0.66
    result = decided(sheet)
    assert result.verdict is INDETERMINATE
    assert "flow-rate-missing" in codes(result)
    del sheet["setting"]
    assert "flow-rate-missing" not in codes(decided(sheet))


@pytest.mark.parametrize(
    ("rates", "missing"),
    [
        (("40 L/min", "30 L/min", "10 L/min"), False),
        (("40 L/min", "20 L/min", "6 L/min"), False),
        (("40 L/min", "30.01 L/min", "10 L/min"), True),
        (("40 L/min", "30 L/min", "10.01 L/min"), True),
        (("40 L/min", "19.99 L/min", "6 L/min"), True),
        (("40 L/min", "20 L/min", "5.99 L/min"), True),
    ],
)
def test_both_ends_of_a_range_of_flow_rates_belong_to_it(
    rates: tuple[str, str, str], missing: bool
) -> None:
    sheet = in_2014()
    for test, rate in zip(sheet["test"], rates, strict=False):
        test["flow_rate"] = rate
    assert ("flow-rate-missing" in codes(decided(sheet))) is missing


def test_settings_want_a_measure_of_20_litres() -> None:
    sheet = in_2014()
    sheet["standards"][0]["nominal"] = "10 L"
    sheet["standards"][0]["point"] = [
        {"nominal": "10 L", "value": "10.0006 L", "expanded_uncertainty": "2 mL"}
    ]
    for test in sheet["test"][:3]:
        test["fills"] = 2
        for column in ("reading", "measure_temperature"):
            test[column] = [value for value in test[column] for _ in range(2)]
        test["reading"] = ["0 mL"] * 6
    result = decided(sheet)
    assert result.verdict is INDETERMINATE
    assert "measure-too-small" in codes(result)
    del sheet["setting"]
    assert "measure-too-small" not in codes(decided(sheet))


def test_the_settings_must_be_approved_too() -> None:
    sheet = in_2014()
    result = evaluate(parse_sheet(sheet), standards={}, approved=APPROVED[:1])
    assert "settings-not-approved" in codes(result)
    assert not result.legal


@given(st.integers(0, 400), st.integers(1, 400), st.sampled_from([1, -1]))
def test_a_worse_price_never_becomes_conforming(error: int, worse: int, sign: int) -> None:
    def verdict(away: int) -> Verdict:
        sheet = copy.deepcopy(example())
        test_of(sheet, "price")["price"][0] = str(200_000 + sign * away)
        return only(decided(sheet), "price").verdict

    if verdict(error) is NONCONFORMING:
        assert verdict(error + worse) is NONCONFORMING
