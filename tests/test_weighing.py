"""Weighing instruments: errors by A.4.4.3, limits by 3.5.1, and what the law wants to be tested."""

from decimal import Decimal
from typing import Any

import pytest

from calibration.refusal import Refused
from calibration.verification import Verdict
from tests.nawi import (
    CONFORMING,
    INDETERMINATE,
    NONCONFORMING,
    decided,
    example,
    one,
    only,
    sheet,
)


def contract() -> dict[str, Any]:
    return example("nawi-cerapan-kontrak")


@pytest.mark.parametrize(
    ("place", "indication", "at_limit", "past"),
    [
        (0, "5 g", "5.0 g", "4.9 g"),  # E0 itself is judged, not hidden by its own correction
        (1, "2500 g", "0 g", None),
        (1, "2500 g", "5.0 g", None),
        (1, "2505 g", "5.0 g", "4.9 g"),
        (1, "2495 g", "0 g", "0.1 g"),
        (2, "5005 g", "2.5 g", "2.4 g"),
        (2, "4995 g", "2.5 g", "2.6 g"),
        (3, "10005 g", "2.5 g", "2.4 g"),
        (3, "9995 g", "2.5 g", "2.6 g"),
        (4, "15010 g", "5.0 g", "4.9 g"),
        (4, "15005 g", "0 g", None),
        (4, "14990 g", "0 g", "0.1 g"),
        (4, "14995 g", "5.0 g", None),
    ],
)
def test_the_limit_itself_conforms_and_the_next_digit_does_not(
    place: int, indication: str, at_limit: str, past: str | None
) -> None:
    given_sheet = contract()
    weighing = given_sheet["test"][0]
    weighing["indication"][place] = indication
    weighing["added_load"][place] = at_limit
    if place == 0:  # E0 = +2.5 g is taken from every other error too
        weighing["indication"] = ["5 g", "2500 g", "5000 g", "10005 g", "15005 g"]
    assert only(decided(given_sheet), "weighing").verdict is CONFORMING
    if past is not None:
        weighing["added_load"][place] = past
        result = decided(given_sheet)
        assert result.verdict is NONCONFORMING
        points = only(result, "weighing").points
        assert [p.verdict for p in points][place] is NONCONFORMING


def test_worked_example_a_4_4_3() -> None:
    # e = 5 g, L = 1 kg, I = 1000 g, ΔL = 1.5 g, E0 = +0.5 g: P = 1001 g, E = +1 g, Ec = +0.5 g
    test = one(
        "weighing", load=["0 g", "1 kg"], indication=["0 g", "1000 g"], added_load=["2 g", "1.5 g"]
    )
    zero, point = only(decided(sheet(test)), "weighing").points
    assert (zero.error, point.error) == (Decimal("0.5"), Decimal("0.5"))
    test = one("weighing", load="1 kg", indication="1000 g", added_load="1.5 g")
    result = decided(sheet(test))
    assert only(result, "weighing").points[0].error == 1
    assert "no-zero-correction" in [reason.code for reason in result.reasons]


def test_multi_interval_example_3_3() -> None:
    # class III, Max 2/5/15 kg, e = 1/2/10 g
    loads = ["0 g", "400 g", "1600 g", "2100 g", "4250 g", "5100 g", "15000 g"]
    test = one("weighing", load=loads, indication=[*loads[:3], "2100 g", *loads[4:]])
    result = decided(sheet(test, ranges="2kg:1g,5kg:2g,15kg:10g", e="1 g", d="0.1 g"))
    upper = [point.upper for point in only(result, "weighing").points]
    assert upper == [Decimal("0.5"), Decimal("0.5"), 1, 2, 3, 10, 10]
    added = [*["0.5 g"] * 3, "1 g", "1 g", "5 g", "5 g"]
    displayed = one("weighing", load=loads, indication=loads, added_load=added)
    result = decided(sheet(displayed, ranges="2kg:1g,5kg:2g,15kg:10g", e="1 g"))
    assert [point.error for point in only(result, "weighing").points] == [0] * 7


@pytest.mark.parametrize(("d", "verdict"), [("1 g", CONFORMING), ("2 g", INDETERMINATE)])
def test_an_indication_is_taken_itself_only_up_to_an_interval_of_a_fifth_of_e(
    d: str, verdict: Verdict
) -> None:
    loads = ["0 g", "2 kg", "5 kg", "10 kg", "15 kg"]
    result = decided(sheet(one("weighing", load=loads, indication=loads), d=d))
    assert only(result, "weighing").verdict is verdict
    if verdict is INDETERMINATE:
        assert result.reasons[0].code == "rounding-error"
        assert "3.5.3.2" in str(result.reasons[0])
        assert [p.error for p in only(result, "weighing").points] == [None] * 5


WEIGHING = ["0 g", "2 kg", "5 kg", "10 kg", "15 kg"]


@pytest.mark.parametrize(
    ("loads", "code"),
    [
        (WEIGHING, None),
        (["100 g", *WEIGHING[1:]], None),
        ([*WEIGHING[1:], "12 kg"], "load-min-missing"),
        ([*WEIGHING[:4], "14 kg"], "load-max-missing"),
        (["0 g", "0 g", "5 kg", "10 kg", "15 kg"], "loads-too-few"),
    ],
)
def test_weighing_wants_five_loads_from_min_to_max(loads: list[str], code: str | None) -> None:
    result = decided(sheet(one("weighing", load=loads, indication=loads), d="1 g"))
    assert only(result, "weighing").verdict is (CONFORMING if code is None else INDETERMINATE)
    assert code is None or code in [reason.code for reason in result.reasons]


@pytest.mark.parametrize(
    ("load", "shown", "verdict", "code"),
    [
        ("5 kg", ["5000 g"] * 4, CONFORMING, None),
        ("5 kg", ["5005 g", "4995 g", "5000 g", "5000 g"], CONFORMING, None),
        ("5 kg", ["5006 g", "5000 g", "5000 g", "5000 g"], NONCONFORMING, "error-beyond-limit"),
        ("5 kg", ["5000 g"] * 3, INDETERMINATE, "positions-missing"),
        ("4.4 kg", ["4400 g"] * 4, INDETERMINATE, "eccentricity-load"),
    ],
)
def test_eccentricity_judges_every_position_against_the_mpe_of_its_load(
    load: str, shown: list[str], verdict: Verdict, code: str | None
) -> None:
    result = decided(sheet(one("eccentricity", load=load, indication=shown), d="1 g"))
    assert only(result, "eccentricity").verdict is verdict
    assert code is None or code in [reason.code for reason in result.reasons]


def test_more_than_four_supports_want_a_position_each_and_a_smaller_load() -> None:
    six = one("eccentricity", load="3 kg", indication=["3000 g"] * 6, supports=6)
    assert only(decided(sheet(six, d="1 g")), "eccentricity").verdict is CONFORMING
    six["indication"] = ["3000 g"] * 5
    assert only(decided(sheet(six, d="1 g")), "eccentricity").verdict is INDETERMINATE


def test_eccentricity_takes_the_zero_error_of_the_weighing_test() -> None:
    weighing = one("weighing", load=["0 g", "15 kg"], indication=["2 g", "15002 g"])
    tilted = one("eccentricity", load="5 kg", indication=["5007 g"] * 4)
    result = decided(sheet(weighing, tilted, d="1 g"))
    assert [p.error for p in only(result, "eccentricity").points] == [5] * 4
    assert only(result, "eccentricity").verdict is CONFORMING


@pytest.mark.parametrize(
    ("accuracy_class", "shown", "verdict", "code"),
    [
        ("III", ["12000 g"] * 3, CONFORMING, None),
        ("III", ["12000 g"] * 2, INDETERMINATE, "weighings-too-few"),
        ("III", ["11997 g", "12004 g", "12000 g"], CONFORMING, None),
        ("III", ["11996 g", "12004 g", "12000 g"], NONCONFORMING, "range-beyond-limit"),
        ("III", ["12008 g"] * 3, NONCONFORMING, "error-beyond-limit"),
    ],
)
def test_repeatability_compares_the_range_with_the_mpe_of_its_load(
    accuracy_class: str, shown: list[str], verdict: Verdict, code: str | None
) -> None:
    test = one("repeatability", load="12 kg", indication=shown)
    result = decided(sheet(test, d="1 g", class_=accuracy_class))
    assert only(result, "repeatability").verdict is verdict
    assert code is None or code in [reason.code for reason in result.reasons]


@pytest.mark.parametrize(("runs", "verdict"), [(5, INDETERMINATE), (6, CONFORMING)])
def test_classes_i_and_ii_want_six_weighings(runs: int, verdict: Verdict) -> None:
    test = one("repeatability", load="500 g", indication=["500.00 g"] * runs)
    result = decided(sheet(test, class_="II", max="600 g", e="0.1 g", d="0.01 g"))
    assert only(result, "repeatability").verdict is verdict


def test_repeatability_at_a_small_load_proves_nothing() -> None:
    test = one("repeatability", load="5 kg", indication=["5000 g"] * 3)
    result = decided(sheet(test, d="1 g"))
    assert only(result, "repeatability").verdict is INDETERMINATE


@pytest.mark.parametrize("name", ["zero", "tare"])
@pytest.mark.parametrize(
    ("added", "verdict"),
    [
        ("1.25 g", CONFORMING),
        ("1.24 g", NONCONFORMING),
        ("3.75 g", CONFORMING),
        ("3.76 g", NONCONFORMING),
    ],
)
def test_zero_and_tare_are_accurate_to_a_quarter_of_e(
    name: str, added: str, verdict: Verdict
) -> None:
    test = one(name, load="0 g", indication="0 g", added_load=added)
    if name == "tare":
        test["tare"] = "5 kg"
    assert only(decided(sheet(test)), name).verdict is verdict


def test_net_values_are_judged_by_the_net_load() -> None:
    test = one("tare", tare="10 kg", load=["0 g", "2.5 kg"], indication=["0 g", "2503 g"])
    result = decided(sheet(test, d="1 g"))
    assert only(result, "tare").points[1].upper == Decimal("2.5")
    assert result.verdict is NONCONFORMING


@pytest.mark.parametrize(("after", "verdict"), [("5005 g", CONFORMING), ("5000 g", NONCONFORMING)])
def test_discrimination_wants_a_change_of_one_interval(after: str, verdict: Verdict) -> None:
    test = one("discrimination", load="5 kg", indication="5000 g", indication_after=after)
    assert only(decided(sheet(test)), "discrimination").verdict is verdict


def test_limits_double_in_service_but_not_the_accuracy_of_zero() -> None:
    zero = one("zero", load="0 g", indication="0 g", added_load="1.24 g")
    given_sheet = sheet(zero, one("weighing", load="15 kg", indication="15 kg", added_load="0 g"))
    given_sheet["stage"] = "in_service"
    result = decided(given_sheet)
    assert only(result, "weighing").points[0].upper == 15
    assert only(result, "zero").verdict is NONCONFORMING


@pytest.mark.parametrize(
    ("test", "instrument", "key"),
    [
        (one("zero", load="0 g", indication="2502 g", added_load="1 g"), {}, "test[0].indication[0]"),
        (one("zero", load="0 g", indication="0 g", added_load="5.1 g"), {}, "test[0].added_load[0]"),
        (one("zero", load="0 g", indication="0 g", added_load="-1 g"), {}, "test[0].added_load[0]"),
        (one("zero", load="51 g", indication="50 g", added_load="1 g"), {}, "test[0].load[0]"),
        (one("weighing", load="15.001 kg", indication="15 kg"), {}, "test[0].load[0]"),
        (one("weighing", load="-1 kg", indication="0 kg"), {}, "test[0].load[0]"),
        (
            one("repeatability", load=["12 kg", "13 kg"], indication=["12 kg", "13 kg"]),
            {},
            "test[0].load[1]",
        ),
        (
            one("tare", tare="10 kg", load="6 kg", indication="6 kg", added_load="1 g"),
            {},
            "test[0].load[0]",
        ),
        (
            one("discrimination", load="5 kg", indication="5 kg", indication_after="5003 g"),
            {},
            "test[0].indication_after[0]",
        ),
        (one("weighing", load="1 e", indication="0 g"), {"ranges": "2kg:1g,15kg:2g", "e": "1 g"},
         "test[0].load[0]"),
        (one("weighing", load="1 kg", indication="1 kg"), {"d": "10 g"}, "instrument.d"),
        (one("weighing", load="1 kg", indication="1 kg"), {"e": "3 g"}, "instrument"),
        (one("weighing", load="1 kg", indication="1 kg"), {"max": "60 kg"}, "instrument"),
        (one("weighing", load="1 kg", indication="1 kg"), {"class_": "V"}, "instrument"),
        (one("weighing", load="1 kg", indication="1 kg"), {"min": "16 kg"}, "instrument.min"),
    ],
)  # fmt: skip
def test_what_no_such_scale_can_show_or_carry_is_refused_by_its_key(
    test: dict[str, Any], instrument: dict[str, str], key: str
) -> None:
    with pytest.raises(Refused) as refused:
        decided(sheet(test, **instrument))
    assert refused.value.key == key


def test_loads_may_be_written_in_e() -> None:
    test = one("weighing", load=["0 e", "500 e"], indication=["0 d", "2500 g"],
               added_load=["0.5 e", "0.5 d"])  # fmt: skip
    points = only(decided(sheet(test)), "weighing").points
    assert [(p.nominal, p.error) for p in points] == [(0, 0), (2500, 0)]
