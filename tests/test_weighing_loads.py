"""Which loads the law wants: eccentricity by receptor, series, steps of the limits, steps of ΔL."""

from decimal import Decimal
from typing import Any

import pytest

from calibration.refusal import Refused
from calibration.verification import Verdict
from tests.nawi import (
    CONFORMING,
    INDETERMINATE,
    NONCONFORMING,
    codes,
    decided,
    one,
    only,
    sheet,
    under_settings,
)


def eccentric(load: str, shown: list[str], **more: Any) -> dict[str, Any]:
    return one("eccentricity", load=load, indication=shown, **more)


@pytest.mark.parametrize(
    ("receptor", "additive", "load", "positions", "code"),
    [
        ({}, None, "5 kg", 4, None),
        ({}, None, "4.5 kg", 4, None),  # 90 % passes for 'corresponding to'
        ({}, None, "4499 g", 4, "eccentricity-load"),
        ({}, None, "5 kg", 3, "positions-missing"),
        ({}, "6 kg", "7 kg", 4, None),  # (15 + 6) / 3
        ({}, "6 kg", "6 kg", 4, "eccentricity-load"),
        ({"supports": 1}, None, "5 kg", 4, None),  # one load cell, four segments
        ({"supports": 6}, None, "3 kg", 6, None),  # 15 / 5
        ({"supports": 6}, None, "3 kg", 5, "positions-missing"),
        ({"supports": 6}, None, "2.6 kg", 6, "eccentricity-load"),
        ({"supports": 6}, "10 kg", "5 kg", 6, None),
        ({"receptor": "tank", "supports": 3}, None, "1.5 kg", 3, None),
        ({"receptor": "tank", "supports": 4}, None, "1.5 kg", 3, "positions-missing"),
        ({"receptor": "tank", "supports": 4}, None, "1.3 kg", 4, "eccentricity-load"),
        ({"receptor": "rolling"}, None, "12 kg", 3, None),
        ({"receptor": "rolling"}, None, "1 kg", 3, None),  # the usual load is the user's
        ({"receptor": "rolling", "directions": 2}, None, "12 kg", 5, "positions-missing"),
        ({"receptor": "rolling", "directions": 2, "sections": 2}, None, "12 kg", 12, None),
    ],
)
def test_receptor_and_additive_tare_give_load_and_positions(
    receptor: dict[str, Any], additive: str | None, load: str, positions: int, code: str | None
) -> None:
    instrument = {} if additive is None else {"additive_tare": additive}
    given = sheet(eccentric(load, [load] * positions, **receptor), d="1 g", **instrument)
    result = decided(given)
    assert only(result, "eccentricity").verdict is (CONFORMING if code is None else INDETERMINATE)
    assert code is None or code in codes(result)


@pytest.mark.parametrize(("load", "lawful"), [("12 kg", True), ("12.005 kg", False)])
def test_a_rolling_load_is_at_most_eight_tenths_of_max(load: str, lawful: bool) -> None:
    given = sheet(eccentric(load, [load] * 3, receptor="rolling"), d="1 g")
    if lawful:
        assert only(decided(given), "eccentricity").verdict is CONFORMING
        return
    with pytest.raises(Refused) as refused:
        decided(given)
    assert refused.value.key == "test[0].load[0]"


@pytest.mark.parametrize(
    ("load", "shown", "verdict"),
    [
        ("5 kg", "5006 g", NONCONFORMING),
        ("5.5 kg", "5506 g", NONCONFORMING),  # still about Max/3
        ("5.6 kg", "5606 g", INDETERMINATE),  # more than the law wants: no instrument fails by that
        ("5.6 kg", "5605 g", CONFORMING),
    ],
)
def test_a_load_above_the_wanted_one_accepts_but_does_not_reject(
    load: str, shown: str, verdict: Verdict
) -> None:
    result = decided(sheet(eccentric(load, [load, load, load, shown]), d="1 g"))
    assert only(result, "eccentricity").verdict is verdict
    assert ("eccentricity-load-large" in codes(result)) is (verdict is INDETERMINATE)


def test_nor_does_it_reject_by_the_probe() -> None:
    test = eccentric("6 kg", ["6000 g", "6000 g", "6000 g", "6010 g"], method="probe")
    given = sheet(test, kind="timbangan elektronik")
    assert only(under_settings(given), "eccentricity").verdict is INDETERMINATE
    test |= {"load": "5 kg", "indication": ["5000 g", "5000 g", "5000 g", "5010 g"]}
    assert only(under_settings(given), "eccentricity").verdict is NONCONFORMING


def test_every_position_is_judged_not_its_difference_from_the_centre() -> None:
    # all positions 6 g off: no difference between them, and nonconforming
    result = decided(sheet(eccentric("5 kg", ["5006 g"] * 5), d="1 g"))
    assert only(result, "eccentricity").verdict is NONCONFORMING


@pytest.mark.parametrize(
    ("accuracy_class", "e", "maximum", "runs"),
    [("I", "1 mg", "100 g", 6), ("II", "0.1 g", "600 g", 6), ("III", "5 g", "15 kg", 3),
     ("IIII", "50 g", "50 kg", 3)],
)  # fmt: skip
@pytest.mark.parametrize("short", [0, 1])
def test_the_class_gives_the_number_of_weighings(
    accuracy_class: str, e: str, maximum: str, runs: int, short: int
) -> None:
    test = one("repeatability", load=maximum, indication=[maximum] * (runs - short))
    fine = {"1 mg": "0.1 mg", "0.1 g": "0.01 g", "5 g": "1 g", "50 g": "10 g"}[e]
    given = sheet(test, class_=accuracy_class, e=e, max=maximum, d=fine)
    assert ("weighings-too-few" in codes(decided(given))) is bool(short)


def test_one_sufficient_series_is_enough_and_lighter_ones_may_stand_beside_it() -> None:
    heavy = one("repeatability", load="12 kg", indication=["12 kg"] * 3)
    light = one("repeatability", load="2 kg", indication=["2 kg"] * 2)
    result = decided(sheet(light, heavy, d="1 g"))
    assert [test.verdict for test in result.tests] == [CONFORMING] * 2
    result = decided(sheet(light, d="1 g"))
    assert {"weighings-too-few", "repeatability-load"} <= set(codes(result))
    heavy["indication"] = ["12 kg"] * 2
    result = decided(sheet(light, heavy, d="1 g"))
    assert codes(result).count("weighings-too-few") == 1
    assert "repeatability-load" not in codes(result)


@pytest.mark.parametrize(
    ("maximum", "e", "loads", "runs", "missing"),
    [
        ("15 kg", "5 g", ["7.5 kg", "15 kg"], 10, []),
        ("15 kg", "5 g", ["7.5 kg", "14 kg"], 10, []),  # close to Max
        ("15 kg", "5 g", ["7.5 kg"], 10, ["repeatability-series-missing"]),
        ("15 kg", "5 g", ["7.5 kg", "15 kg"], 9, ["weighings-too-few"] * 2),
        ("1000 kg", "0.5 kg", ["500 kg", "1000 kg"], 3, []),
        ("1000 kg", "0.5 kg", ["500 kg", "1000 kg"], 2, ["weighings-too-few"] * 2),
    ],
)
def test_type_evaluation_has_two_series(
    maximum: str, e: str, loads: list[str], runs: int, missing: list[str]
) -> None:
    tests = [
        one("repeatability", series="type", load=load, indication=[load] * runs) for load in loads
    ]
    fine = {"5 g": "1 g", "0.5 kg": "0.1 kg"}[e]
    found = codes(decided(sheet(*tests, max=maximum, e=e, d=fine)))
    of_series = [code for code in found if "weighings" in code or "repeatability" in code]
    assert of_series == missing


def test_a_step_of_the_limits_without_a_load_near_it_is_noted() -> None:
    loads = ["0 g", "100 g", "5 kg", "9.5 kg", "15 kg"]
    result = decided(sheet(one("weighing", load=loads, indication=loads), d="1 g"))
    noted = [reason for reason in result.reasons if reason.code == "load-step-missing"]
    assert [reason.values["step"] for reason in noted] == ["2500 g"]
    assert only(result, "weighing").verdict is CONFORMING


@pytest.mark.parametrize(
    ("added", "noted"), [("2.5 g", False), ("2.0 g", False), ("2.4 g", True), ("0.25 g", True)]
)
def test_a_change_found_between_two_steps_is_noted_and_used(added: str, noted: bool) -> None:
    test = one("weighing", load=["0 g", "5 kg"], indication=["0 g", "5 kg"])
    result = decided(sheet(test | {"added_load": ["2.5 g", added]}))
    assert ("added-load-step" in codes(result)) is noted
    point = only(result, "weighing").points[1]
    assert point.error == Decimal("2.5") - Decimal(added.removesuffix(" g"))
    if noted:
        said = next(str(r) for r in result.reasons if r.code == "added-load-step")
        assert "is no multiple of 0.5 g (R 76-1 A.4.4.3)" in said


CREEP = ["0 min", "5 min", "15 min", "30 min"]


def creep(shown: list[str], time: list[str] | None = None, load: str = "15 kg") -> dict[str, Any]:
    return one("creep", load=load, time=time or CREEP[: len(shown)], indication=shown)


@pytest.mark.parametrize(
    ("shown", "verdict", "code"),
    [
        (["15000 g", "15001 g", "15001.5 g", "15002.5 g"], CONFORMING, None),
        (["15000 g", "15001 g", "15002 g", "15002.6 g"], INDETERMINATE, "creep-long"),
        (
            ["15000 g", "15000 g", "15001 g", "15002.1 g"],
            INDETERMINATE,
            "creep-long",
        ),  # 0.22 e late
        (["15000 g", "15000 g", "15001 g", "15007.6 g"], NONCONFORMING, None),
        (["15000 g", "15001 g", "15001 g"], INDETERMINATE, "creep-times"),
    ],
)
def test_creep_is_half_of_e_in_half_an_hour(
    shown: list[str], verdict: Verdict, code: str | None
) -> None:
    result = decided(sheet(creep(shown), d="0.1 g"))
    assert only(result, "creep").verdict is verdict
    assert code is None or code in codes(result)


@pytest.mark.parametrize(
    ("last", "verdict"), [("15007.5 g", CONFORMING), ("15007.6 g", NONCONFORMING)]
)
def test_creep_beyond_that_keeps_within_the_limit_for_four_hours(
    last: str, verdict: Verdict
) -> None:
    test = creep(["15000 g", "15003 g", "15004 g", last], ["0 min", "15 min", "30 min", "240 min"])
    assert only(decided(sheet(test, d="0.1 g")), "creep").verdict is verdict


@pytest.mark.parametrize(
    ("shown", "kept", "verdict"),
    [
        (["0 g", "2.5 g"], "30 min", CONFORMING),
        (["1 g", "-1.5 g"], "30 min", CONFORMING),
        (["0 g", "2.6 g"], "30 min", NONCONFORMING),
        (["0 g", "-2.6 g"], "30 min", NONCONFORMING),
        (["0 g", "0 g"], "29 min", INDETERMINATE),
    ],
)
def test_zero_returns_within_half_of_e(shown: list[str], kept: str, verdict: Verdict) -> None:
    test = one("zero_return", kept_load="15 kg", time=kept, indication=shown)
    assert only(decided(sheet(test, d="0.1 g")), "zero_return").verdict is verdict


def tilted(rows: list[tuple[str, str, str]]) -> dict[str, Any]:
    position, load, shown = map(list, zip(*rows, strict=True))
    return one("tilt", position=position, load=load, indication=shown)


@pytest.mark.parametrize(
    ("zero", "full", "verdict"),
    [
        ("10 g", "15017.5 g", CONFORMING),  # 2 e at zero, and a span that grew by 7.5 g
        ("10.1 g", "15010 g", NONCONFORMING),
        ("0 g", "15007.6 g", NONCONFORMING),
        ("5 g", "14997.4 g", NONCONFORMING),
    ],
)
def test_tilt_moves_zero_by_2_e_and_the_span_by_the_limit(
    zero: str, full: str, verdict: Verdict
) -> None:
    rows = [
        ("level", "0 g", "0 g"),
        ("level", "15 kg", "15000 g"),
        ("front", "0 g", zero),
        ("front", "15 kg", full),
    ]
    assert only(decided(sheet(tilted(rows), d="0.1 g")), "tilt").verdict is verdict


@pytest.mark.parametrize(
    ("moved", "verdict"),
    [
        ({"zero_setting": "600 g"}, CONFORMING),
        ({"zero_setting": "600.1 g"}, NONCONFORMING),
        ({"initial_zero_setting": "3 kg"}, CONFORMING),
        ({"initial_zero_setting": "3.1 kg"}, INDETERMINATE),
    ],
)
def test_zero_is_set_within_4_percent_and_at_first_20_percent_of_max(
    moved: dict[str, str], verdict: Verdict
) -> None:
    assert only(decided(sheet(one("zero_range", **moved))), "zero_range").verdict is verdict


@pytest.mark.parametrize(
    ("test", "instrument", "key"),
    [
        (creep(["15 kg", "15 kg"], ["5 min", "30 min"]), {}, "test[0].time[0]"),
        (creep(["15 kg"] * 3, ["0 min", "30 min", "15 min"]), {}, "test[0].time[2]"),
        (creep(["100 g"] * 4, load="100 g"), {"class_": "I", "max": "200 g", "e": "1 mg"},
         "test[0]"),
        (one("zero_return", time="30 min", indication=["0 g"]), {}, "test[0].indication"),
        (one("zero_return", indication=["0 g", "0 g"]), {}, "test[0].time"),
        (one("zero_return", time="30 min", load="1 kg", indication=["1 kg", "1 kg"]), {},
         "test[0].load[0]"),
        (tilted([("front", "0 g", "0 g"), ("front", "5 kg", "5 kg")]), {}, "test[0].position"),
        (tilted([("level", "0 g", "0 g"), ("front", "0 g", "0 g"), ("front", "5 kg", "5 kg")]), {},
         "test[0].load[2]"),
        (one("zero_range"), {}, "test[0].zero_setting"),
        (one("eccentricity", load="5 kg", indication="5 kg", receptor="hook"), {},
         "test[0].receptor"),
    ],
)  # fmt: skip
def test_what_such_a_test_cannot_be_is_refused(
    test: dict[str, Any], instrument: dict[str, str], key: str
) -> None:
    with pytest.raises(Refused) as refused:
        decided(sheet(test, **instrument))
    assert refused.value.key == key


def test_a_change_of_rounded_indications_decides_nothing() -> None:
    result = decided(sheet(creep(["15 kg"] * 4)))
    assert only(result, "creep").verdict is INDETERMINATE
    assert "rounding-of-change" in codes(result)


def test_creep_is_tested_close_to_max() -> None:
    assert "creep-load" in codes(decided(sheet(creep(["5 kg"] * 4, load="5 kg"), d="0.1 g")))
