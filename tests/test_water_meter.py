"""Water meters: actual volumes by three methods, limits of R 49, and what the law wants besides."""

import tomllib
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.evaluation import ROUTINES, evaluate
from calibration.legal_table import legal_table
from calibration.national import national_settings
from calibration.refusal import Refused
from calibration.sheet import parse_sheet
from calibration.standard import SHARE
from calibration.verification import Verdict, Verification

EXAMPLE = Path(__file__).parent.parent / "examples" / "water-meter.toml"
CONFORMING, NONCONFORMING, INDETERMINATE = Verdict
TANK = {
    "id": "BUS-100",
    "nominal": "100 L",
    "due": "2030-01-01",
    "expanded_uncertainty": "0.05 %",
    "reference_temperature": "28 °C",
    "expansion": "0.0000477 1/K",
    "drip_time": "30 s",
}
METER = {"id": "RM", "due": "2030-01-01", "expanded_uncertainty": "0.1 %"}
BALANCE = {"id": "TB", "due": "2030-01-01", "expanded_uncertainty": "5 g", "interval": "1 g"}
THERMOMETER = {"id": "TM", "due": "2030-01-01", "expanded_uncertainty": "0.2 K"}
RATES = {"q3": "1.6 m³/h", "q2": "51.2 L/h", "q1": "32 L/h"}
"""Flow rates of a meter with Q3 = 1.6 m³/h and R = 50."""


def run(rate: str, reference: Any, indication: Any, **more: Any) -> dict[str, Any]:
    return {
        "name": "accuracy",
        "method": "reference-meter",
        "flow_rate": rate,
        "reference": reference,
        "indication": indication,
        "temperature": "28 °C",
        **more,
    }


def sheet(*tests: dict[str, Any], standards: Any = (METER,), **instrument: Any) -> dict[str, Any]:
    meter = {
        "kind": "meter air",
        "serial": "1",
        "class": "2",
        "q3": "1.6 m³/h",
        "ratio": 50,
        "resolution": "0.02 L",
        **instrument,
    }
    base = {"routine": "water-meter", "stage": "initial", "date": "2026-11-24"}
    return {**base, "instrument": meter, "standards": list(standards), "test": list(tests)}


def three(errors: tuple[str, str, str] = ("0", "0", "0"), **more: Any) -> list[dict[str, Any]]:
    """Runs of 100 L at Q3, Q2, Q1 with these errors in L."""
    return [
        run(rate, "100 L", f"{Decimal(100) + Decimal(error)} L", **more)
        for rate, error in zip(RATES.values(), errors, strict=True)
    ]


def decided(given_sheet: dict[str, Any], **more: Any) -> Verification:
    return evaluate(parse_sheet(given_sheet), standards={}, approved=(), **more)


def codes(result: Verification) -> list[str]:
    return [reason.code for reason in result.reasons]


def reason(result: Verification, code: str) -> str:
    (found,) = (reason for reason in result.reasons if reason.code == code)
    return str(found)


def example() -> dict[str, Any]:
    return tomllib.loads(EXAMPLE.read_text("utf-8"), parse_float=Decimal)


def test_the_example_conforms_and_is_legal_once_its_table_is_approved() -> None:
    table = legal_table("r49@2013")
    given_sheet = example()
    result = evaluate(parse_sheet(given_sheet), standards={}, approved=(table.digest,))
    assert result.verdict is CONFORMING
    assert result.legal
    assert not result.provisional
    assert [test.conditions["flow_rate"] for test in result.tests] == [
        "2.4 m³/h",
        "52 L/h",
        "32 L/h",
    ]
    for test in result.tests:
        (point,) = test.points
        assert point.expanded_uncertainty is not None
        assert point.k is not None
        assert point.false_acceptance is not None
        assert {row["quantity"] for row in point.budget} >= {
            "indication of the meter",
            "calibration of MA-REF-1",
            "drift of MA-REF-1",
        }
    given_sheet["test"][2]["end"] = "1.323 m³"  # 9.04 L for 10.06 L
    assert decided(given_sheet).verdict is NONCONFORMING


@pytest.mark.parametrize(
    ("rate", "reference", "at_limit", "past", "more"),
    [
        (RATES["q3"], "100 L", "102 L", "102.001 L", {}),
        (RATES["q3"], "100 L", "98 L", "97.999 L", {}),
        (RATES["q2"], "10.03 L", "10.2306 L", "10.2307 L", {}),  # Q2 itself: the upper zone
        ("51.19 L/h", "10.03 L", "10.5315 L", "10.5316 L", {}),
        (RATES["q1"], "20.3 L", "19.285 L", "19.284 L", {}),
        ("2 m³/h", "100 L", "102 L", "102.1 L", {}),  # Q4
        (RATES["q3"], "100 L", "103 L", "103.1 L", {"temperature": "30.1 °C"}),
        (RATES["q3"], "100 L", "102 L", "102.1 L", {"temperature": "30 °C"}),
    ],
)
def test_the_limit_itself_conforms_and_the_next_digit_does_not(
    rate: str, reference: str, at_limit: str, past: str, more: dict[str, Any]
) -> None:
    for indication, verdict in ((at_limit, CONFORMING), (past, NONCONFORMING)):
        result = decided(sheet(run(rate, reference, indication, **more), temperature_class="T50"))
        assert result.tests[0].verdict is verdict


@pytest.mark.parametrize(
    ("accuracy_class", "stage", "at_limit", "past"),
    [
        ("1", "initial", "101 L", "101.01 L"),
        ("2", "in_service", "104 L", "104.01 L"),
        ("1", "in_service", "98 L", "97.99 L"),
    ],
)
def test_class_and_stage_give_the_limit(
    accuracy_class: str, stage: str, at_limit: str, past: str
) -> None:
    for indication, verdict in ((at_limit, CONFORMING), (past, NONCONFORMING)):
        given_sheet = sheet(run(RATES["q3"], "100 L", indication), **{"class": accuracy_class})
        assert decided({**given_sheet, "stage": stage}).tests[0].verdict is verdict


@pytest.mark.parametrize(
    ("start", "end", "tank", "percent"),
    [
        # training sheet "Contoh Pengujian Meter Air dengan Bejana Ukur Standar" (scribd 714148630)
        ("1234.56710 m³", "1234.57200 m³", "4984 mL", "-1.685"),
        ("1234.58210 m³", "1234.59200 m³", "10017.5 mL", "-1.173"),
    ],
)
def test_worked_examples_of_the_indonesian_training_hold(
    start: str, end: str, tank: str, percent: str
) -> None:
    test = {
        "name": "accuracy",
        "method": "tank",
        "flow_rate": "32 L/h",
        "reference": tank,
        "start": start,
        "end": end,
        "temperature": "28 °C",
        "tank_temperature": "28 °C",
        "drip_time": "30 s",
    }
    standards = ({**TANK, "nominal": "10 L"}, THERMOMETER)
    (point,) = decided(sheet(test, standards=standards)).tests[0].points
    assert point.relative_error == Decimal(percent)


def test_each_flow_rate_is_wanted_within_its_range() -> None:
    assert decided(sheet(*three())).verdict is CONFORMING
    for place in range(3):
        tests = three()
        del tests[place]
        result = decided(sheet(*tests))
        assert result.verdict is INDETERMINATE
        assert "flow-rate-missing" in codes(result)
    result = decided(sheet(*three()[:2]))
    assert reason(result, "flow-rate-missing") == (
        "no run was made at Q1, from 0.032 m³/h to 0.0352 m³/h (R 49-1 initial verification)."
    )


@pytest.mark.parametrize(
    ("place", "rate", "counts"),
    [
        (0, "1.44 m³/h", True),
        (0, "1.4399 m³/h", False),
        (0, "1.6001 m³/h", False),
        (1, "56.32 L/h", True),
        (1, "56.33 L/h", False),
        (1, "51.19 L/h", False),
        (2, "35.2 L/h", True),
        (2, "35.21 L/h", False),
    ],
)
def test_both_ends_of_each_range_of_flow_rates_count(place: int, rate: str, counts: bool) -> None:
    tests = three()
    tests[place]["flow_rate"] = rate
    assert (decided(sheet(*tests)).verdict is CONFORMING) is counts


def test_ratios_without_end_are_kept_as_fractions() -> None:
    # Q1 = 2.5/315 m³/h = 7.936507... L/h
    tests = three()
    rates = ("2.5 m³/h", "13 L/h", "7.94 L/h")
    for test, rate in zip(tests, rates, strict=True):
        test["flow_rate"] = rate
    meter = {"q3": "2.5 m³/h", "ratio": 315}
    assert decided(sheet(*tests, **meter)).verdict is CONFORMING
    tests[2]["flow_rate"] = "7.936 L/h"
    with pytest.raises(Refused) as refused:
        decided(sheet(*tests, **meter))
    assert refused.value.key == "test[2].flow_rate"


@pytest.mark.parametrize(
    ("errors", "verdict", "provisional"),
    [
        (("1.001", "1.9", "4"), NONCONFORMING, True),
        (("1.0", "1.9", "4"), CONFORMING, False),  # half of the limit is within half
        (("-1.9", "-1.9", "-2.501"), NONCONFORMING, True),
        (("-1.9", "-1.9", "-2.5"), CONFORMING, False),
        (("1.9", "-1.9", "4"), CONFORMING, False),
        (("1.9", "1.9", "0"), CONFORMING, False),
        (("2.1", "1.9", "4"), NONCONFORMING, True),
    ],
)
def test_of_errors_with_the_same_sign_one_is_within_half_of_its_limit(
    errors: tuple[str, str, str], verdict: Verdict, provisional: bool
) -> None:
    result = decided(sheet(*three(errors)))
    assert result.verdict is verdict
    assert result.provisional is provisional
    assert ("same-sign" in codes(result)) is provisional


def test_the_same_sign_rule_says_how_far_and_is_not_used_in_service() -> None:
    given_sheet = sheet(*three(("1.5", "1.9", "4")))
    result = decided(given_sheet)
    assert reason(result, "same-sign") == (
        "all errors have the same sign, and the smallest is 75.0 % of its limit, more than 50 % "
        "(R 49-1 all errors of the same sign)."
    )
    (point,) = result.tests[-1].points
    assert (point.error, point.upper, point.unit) == (Decimal("75.0"), Decimal(50), "%")
    assert decided({**given_sheet, "stage": "in_service"}).verdict is CONFORMING
    beyond = {**sheet(*three(("3", "3", "9"))), "stage": "in_service"}
    result = decided(beyond)
    assert result.verdict is CONFORMING
    assert "same-sign-not-judged" in codes(result)


def test_the_same_sign_rule_waits_for_all_flow_rates() -> None:
    result = decided(sheet(*three(("1.5", "1.9", "4"))[:2]))
    assert result.verdict is INDETERMINATE
    assert "same-sign" not in codes(result)


def test_a_share_that_prints_like_its_limit_gets_more_places() -> None:
    result = decided(sheet(*three(("1.00001", "1.9", "4"))))
    (point,) = result.tests[-1].points
    assert point.error is not None
    assert point.error > 50


@pytest.mark.parametrize(
    ("resolution", "accuracy_class", "fine"),
    [
        ("0.24 L", "2", True),  # 0.5 % of 48 L
        ("0.241 L", "2", False),
        ("0.12 L", "1", True),
        ("0.121 L", "1", False),
    ],
)
def test_the_scale_is_fine_enough_for_an_hour_and_a_half_at_q1(
    resolution: str, accuracy_class: str, fine: bool
) -> None:
    given_sheet = sheet(*three(), resolution=resolution, **{"class": accuracy_class})
    result = decided(given_sheet)
    assert result.verdict is (CONFORMING if fine else INDETERMINATE)
    assert ("resolution-coarse" in codes(result)) is not fine
    assert result.provisional is not fine


@pytest.mark.parametrize(
    ("temperature", "named", "lacking"),
    [
        ("30 °C", None, False),
        ("30.1 °C", None, True),
        ("30.1 °C", "T30", True),
        ("30.1 °C", "T50", False),
        ("29.9 °C", "T30/90", True),
        ("50 °C", "T50", False),
        ("50.1 °C", "T50", True),
    ],
)
def test_water_outside_the_temperature_class_leaves_it_open(
    temperature: str, named: str | None, lacking: bool
) -> None:
    more = {} if named is None else {"temperature_class": named}
    result = decided(sheet(*three(temperature=temperature), **more))
    assert ("temperature-outside-class" in codes(result)) is lacking
    assert result.verdict is (INDETERMINATE if lacking else CONFORMING)


def test_the_errors_of_several_runs_are_judged_one_by_one_and_their_range_recorded() -> None:
    test = run(RATES["q3"], ["100 L", "50 L", "25 L"], ["101 L", "50 L", "24.9 L"])
    result = decided(sheet(test))
    assert result.tests[0].conditions["repeatability"] == "1.400 %"
    assert result.to_dict()["tests"][0]["repeatability"] == "1.400 %"
    assert [point.nominal for point in result.tests[0].points] == [100, 50, 25]
    test["indication"][1] = "51.01 L"
    result = decided(sheet(test))
    assert [p.verdict for p in result.tests[0].points] == [CONFORMING, NONCONFORMING, CONFORMING]


def test_tera_ulang_under_the_national_settings_doubles_the_limits() -> None:
    settings = national_settings("id-meter-air")
    given_sheet = {**sheet(*three(("4", "-4", "10"))), "stage": "subsequent"}
    with pytest.raises(Refused, match="subsequent") as refused:
        decided(given_sheet)
    assert refused.value.key == "stage"
    result = decided(given_sheet, settings=(settings,))
    assert result.verdict is CONFORMING
    assert result.provisional
    assert [test.points[0].upper for test in result.tests] == [4, 4, 10]
    for errors in (("4.01", "0", "0"), ("0", "-4.01", "0"), ("0", "0", "10.01")):
        given_sheet["test"] = three(errors)
        assert decided(given_sheet, settings=(settings,)).verdict is NONCONFORMING


def test_the_national_settings_ask_for_an_order_and_for_what_is_recorded() -> None:
    settings = (national_settings("id-meter-air"),)
    given_sheet = {**sheet(*three(), dn="15 mm"), "stage": "subsequent"}
    result = decided(given_sheet, settings=settings)
    assert "starting-flow-rate-missing" in codes(result)
    assert "flow-rate-order" not in codes(result)
    given_sheet["test"][2]["starting_flow_rate"] = "0.15 L/min"
    given_sheet["test"].reverse()
    result = decided(given_sheet, settings=settings)
    assert "starting-flow-rate-missing" not in codes(result)
    assert reason(result, "flow-rate-order") == (
        "the flow rates were not run in the order Q3, Q2, Q1 "
        "(id-meter-air@undated: software of Kabupaten Tangerang)."
    )
    assert result.verdict is CONFORMING
    assert result.tests[0].conditions["starting_flow_rate"] == "0.15 L/min"
    del given_sheet["instrument"]["dn"]
    assert "starting-flow-rate-missing" not in codes(decided(given_sheet, settings=settings))


def test_the_table_asks_for_what_the_program_checks() -> None:
    for edition in ("r49@2006", "r49@2013"):
        requirements = legal_table(edition).rules["requirement"]
        assert requirements["standard"]["largest_part_of_limit"] == SHARE
    assert ROUTINES["water-meter"].tables == ("r49",)


def test_the_edition_of_2006_has_class_1_for_large_meters_only() -> None:
    given_sheet = {**sheet(*three(), **{"class": "1"}), "table": "r49@2006"}
    with pytest.raises(Refused, match="100 m³/h"):
        decided(given_sheet)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"instrument": {"class": "3"}}, "instrument"),
        ({"instrument": {"ratio": None}}, "instrument.ratio"),
        ({"instrument": {"ratio": 1}}, "instrument.ratio"),
        ({"instrument": {"ratio": "many"}}, "instrument.ratio"),
        ({"instrument": {"q3": "1.6 m³"}}, "instrument.q3"),
        ({"instrument": {"q3": None}}, "instrument.q3"),
        ({"instrument": {"resolution": None}}, "instrument.resolution"),
        ({"instrument": {"temperature_class": "T40"}}, "instrument.temperature_class"),
        ({"instrument": {"size": "15 mm"}}, "instrument.size"),
        ({"test": {"method": "guess"}}, "test[0].method"),
        ({"test": {"method": None}}, "test[0].method"),
        ({"test": {"name": "zero"}}, "test[0].name"),
        ({"test": {"temperature": None}}, "test[0].temperature"),
        ({"test": {"temperature": ["28 °C", "28 °C"]}}, "test[0].temperature"),
        ({"test": {"flow_rate": None}}, "test[0].flow_rate"),
        ({"test": {"flow_rate": "2.01 m³/h"}}, "test[0].flow_rate"),  # above Q4
        ({"test": {"flow_rate": "31.9 L/h"}}, "test[0].flow_rate"),  # below Q1
        ({"test": {"reference": "0 L"}}, "test[0].reference[0]"),
        ({"test": {"reference": "100 kg"}}, "test[0].reference"),
        ({"test": {"reference": None}}, "test[0].reference"),
        ({"test": {"indication": "-1 L"}}, "test[0].indication[0]"),
        ({"test": {"indication": ["1 L", "2 L"]}}, "test[0].indication"),
        ({"test": {"indication": None}}, "test[0].start"),
        ({"test": {"start": "1 L"}}, "test[0].start"),
        ({"test": {"indication": None, "start": "100 L", "end": "99 L"}}, "test[0].end[0]"),
        ({"test": {"pressure": "-1 bar"}}, "test[0].pressure"),
        ({"test": {"empty": "1 kg"}}, "test[0].empty"),
        ({"test": {"tank_temperature": "28 °C"}}, "test[0].tank_temperature"),
        ({"test": {"method": "tank"}}, "test[0].tank_temperature"),
        ({"test": {"method": "gravimetric"}}, "test[0].reference"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(change: dict[str, Any], key: str) -> None:
    given_sheet = sheet(run(RATES["q3"], "100 L", "100 L"))
    for part, values in change.items():
        place = given_sheet["instrument"] if part == "instrument" else given_sheet["test"][0]
        place.update(values)
        for name in [name for name, value in values.items() if value is None]:
            del place[name]
    with pytest.raises(Refused) as refused:
        decided(given_sheet)
    assert refused.value.key == key


@given(
    st.lists(st.integers(-1200, 1200), min_size=3, max_size=3),
    st.sampled_from([("L", 0), ("mL", 3), ("m³", -3), ("cm³", 3)]),
    st.integers(-2, 3),
)
def test_units_and_powers_of_ten_never_change_a_verdict(
    errors: list[int], unit: tuple[str, int], power: int
) -> None:
    """Errors in mL of 20 L; then every volume and flow rate written otherwise, or scaled."""
    name, shift = unit

    def tests(unit_name: str, places: int) -> list[dict[str, Any]]:
        made = []
        for (rate, reference), error in zip(rates.items(), errors, strict=True):
            volume = reference + Decimal(error).scaleb(-3)
            given, shown = (f"{v.scaleb(places):f} {unit_name}" for v in (reference, volume))
            made.append(run(f"{rate.scaleb(places - shift_back):f} m³/h", given, shown))
        return made

    rates = {
        Decimal("1.6"): Decimal(20),
        Decimal("0.052"): Decimal("20.03"),
        Decimal("0.033"): Decimal("19.97"),
    }
    shift_back = 0
    plainly = decided(sheet(*tests("L", 0)))
    shift_back = shift
    in_unit = decided(sheet(*tests(name, shift)))
    shift_back = 0
    scaled = decided(
        sheet(
            *tests("L", power),
            q3=f"{Decimal('1.6').scaleb(power):f} m³/h",
            resolution=f"{Decimal('0.02').scaleb(power):f} L",
        )
    )
    for other in (in_unit, scaled):
        assert [str(t.verdict) for t in other.tests] == [str(t.verdict) for t in plainly.tests]
        assert other.verdict is plainly.verdict
        assert other.provisional is plainly.provisional


@given(
    st.lists(st.integers(-1200, 1200), min_size=3, max_size=3),
    st.integers(0, 2),
    st.integers(0, 500),
)
def test_a_worse_indication_never_turns_nonconforming_into_conforming(
    errors: list[int], place: int, worse: int
) -> None:
    """Worse: further from 0 with the same sign."""

    def verdict(changed: list[int]) -> Verdict:
        litres = tuple(f"{Decimal(error).scaleb(-2)}" for error in changed)
        return decided(sheet(*three((litres[0], litres[1], litres[2])))).verdict

    before = verdict(errors)
    changed = deepcopy(errors)
    changed[place] += worse if errors[place] >= 0 else -worse
    if before is NONCONFORMING and errors[place]:
        assert verdict(changed) is NONCONFORMING
