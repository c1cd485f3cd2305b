"""Kinds of weighing instruments: several ranges, auxiliary indication, scales read by eye, steelyards."""

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
    example,
    one,
    only,
    sheet,
)

TWO = {"ranges": "3kg:1g,15kg:5g", "multiple_range": True, "max": "15 kg", "e": "1 g", "d": "0.1 g"}


def test_the_example_with_two_ranges_conforms_and_each_range_has_its_own_limits() -> None:
    result = decided(example("nawi-dua-rentang"))
    assert result.verdict is CONFORMING
    limits = [
        (test.conditions["range"], test.points[-1].nominal, test.points[4].upper)
        for test in result.tests
        if test.name == "weighing"
    ]
    assert limits == [("1", 0, Decimal("1.5")), ("2", 0, Decimal("7.5"))]


@pytest.mark.parametrize("number", ["1", "2"])
@pytest.mark.parametrize("name", ["zero", "weighing", "eccentricity", "repeatability"])
def test_each_range_wants_every_test_as_if_it_were_an_instrument(name: str, number: str) -> None:
    given = example("nawi-dua-rentang")
    given["test"] = [
        test for test in given["test"] if (test["name"], str(test["range"])) != (name, number)
    ]
    result = decided(given)
    assert result.verdict is INDETERMINATE
    said = f"test {name} is missing in range {number} (R 76-1 8.3.3)."
    assert said in [str(reason) for reason in result.reasons]


@pytest.mark.parametrize(
    ("shown", "verdict"),
    [("2001.0 g", CONFORMING), ("2001.1 g", NONCONFORMING), ("1998.9 g", NONCONFORMING)],
)
def test_a_load_is_judged_by_the_e_of_the_range_in_use(shown: str, verdict: Verdict) -> None:
    def weighed(number: int) -> Verdict:
        test = one("weighing", range=number, load=["0 g", "2 kg"], indication=["0 g", shown])
        return only(decided(sheet(test, **TWO)), "weighing").points[1].verdict

    assert weighed(1) is verdict
    assert weighed(2) is CONFORMING  # 400 e of 5 g: the limit is 2.5 g


@pytest.mark.parametrize(
    ("test", "instrument", "key"),
    [
        (one("zero", load="0 g", indication="0 g"), TWO, "test[0].range"),
        (one("zero", load="0 g", indication="0 g", range=3), TWO, "test[0].range"),
        (one("zero", load="0 g", indication="0 g", range=1), {}, "test[0].range"),
        (one("weighing", load="3.1 kg", indication="3100 g", range=1), TWO, "test[0].load[0]"),
        (one("zero", load="0 g", indication="0 g", range=1), {"multiple_range": True},
         "instrument.ranges"),
        (one("zero", load="0 g", indication="0 g", range=1), TWO | {"ranges": "15kg:5g,3kg:1g"},
         "instrument.ranges"),
        (one("zero", load="0 g", indication="0 g", range=1), TWO | {"ranges": "3kg:5g,15kg:5g"},
         "instrument.ranges"),
        (one("zero", load="0 g", indication="0 g", range=1), TWO | {"max": "16 kg"},
         "instrument.ranges"),
        (one("zero", load="0 g", indication="0 g", range=1), TWO | {"ranges": "0.4kg:1g,2kg:5g",
         "max": "2 kg"}, "instrument"),  # n = 400 of class III with e = 5 g
        (one("zero", load="0 g", indication="0 g"), {"ranges": "2kg:1g,15kg:5g", "e": "1 g"},
         "instrument.ranges"),  # multi-interval: Max1 = 400 e2, Table 4 wants 500
    ],
)  # fmt: skip
def test_ranges_that_no_instrument_has_are_refused(
    test: dict[str, Any], instrument: dict[str, Any], key: str
) -> None:
    with pytest.raises(Refused) as refused:
        decided(sheet(test, **instrument))
    assert refused.value.key == key


def test_a_test_in_high_resolution_states_its_own_interval() -> None:
    fine = one("weighing", load=["0 g", "10 kg"], indication=["0 g", "10004.5 g"], d="0.5 g")
    coarse = one("discrimination", load="5 kg", indication="5000 g", indication_after="5005 g")
    result = decided(sheet(fine, coarse))
    assert only(result, "weighing").points[1].error == Decimal("4.5")
    assert only(result, "weighing").conditions == {"d": "0.5 g"}
    assert only(result, "discrimination").points[0].lower == 5
    fine["d"] = "1.5 g"
    with pytest.raises(Refused, match="cannot be displayed"):
        decided(sheet(fine))
    with pytest.raises(Refused, match=r"test\[0\]\.d: d = 10 is more than e"):
        decided(sheet(fine | {"d": "10 g"}))


@pytest.mark.parametrize(
    ("instrument", "lawful"),
    [
        ({"class_": "II", "max": "600 g", "e": "0.1 g", "d": "0.01 g"}, True),
        ({"class_": "I", "max": "200 g", "e": "1 mg", "d": "0.1 mg"}, True),
        ({"class_": "I", "max": "200 g", "e": "1 mg", "d": "0.01 mg"}, True),  # d < 1 mg: e = 1 mg
        ({"class_": "II", "max": "600 g", "e": "0.1 g", "d": "0.001 g"}, False),
        ({"class_": "II", "max": "600 g", "e": "0.05 g", "d": "0.01 g"}, False),
        ({"class_": "II", "max": "600 g", "e": "0.1 g", "d": "0.1 g"}, False),
        ({"class_": "III", "max": "600 g", "e": "0.1 g", "d": "0.01 g"}, False),
    ],
)
def test_an_auxiliary_indicating_device_has_a_finer_d_in_classes_i_and_ii(
    instrument: dict[str, str], lawful: bool
) -> None:
    test = one("weighing", load="100 g", indication="100 g")
    given = sheet(test, auxiliary=True, **instrument)
    if lawful:
        assert only(decided(given), "weighing").points[0].error == 0
        return
    with pytest.raises(Refused) as refused:
        decided(given)
    assert refused.value.key == "instrument.auxiliary"


DIAL = {"max": "10 kg", "e": "20 g", "indicating": "analogue", "class_": "III", "mechanical": True}


@pytest.mark.parametrize(
    ("shown", "verdict"),
    [
        ("5003 g", CONFORMING),  # between the marks of 20 g
        ("5010 g", CONFORMING),
        ("5010.1 g", NONCONFORMING),
        ("4990 g", CONFORMING),
        ("4989.9 g", NONCONFORMING),
    ],
)
def test_an_indication_read_by_eye_is_interpolated_and_judged_to_its_limit(
    shown: str, verdict: Verdict
) -> None:
    test = one("weighing", load=["0 g", "5 kg"], indication=["0 g", shown])
    point = only(decided(sheet(test, **DIAL)), "weighing").points[1]
    assert (point.upper, point.verdict) == (10, verdict)  # 250 e
    assert point.error == Decimal(shown.removesuffix(" g")) - 5000


@pytest.mark.parametrize(
    ("after", "extra", "verdict"),
    [
        ("5014 g", "20 g", CONFORMING),  # in service: |MPE| = 20 g, 0.7 of it is 14 g
        ("5013.9 g", "20 g", NONCONFORMING),
        ("5014 g", "10 g", None),
        ("5014 g", None, None),
    ],
)
def test_discrimination_of_a_dial_wants_seven_tenths_of_an_extra_load_as_large_as_the_limit(
    after: str, extra: str | None, verdict: Verdict | None
) -> None:
    test = one(
        "discrimination",
        load=["200 g", "5 kg", "10 kg"],
        indication=["200 g", "5000 g", "10 kg"],
        indication_after=["215 g", after, "10.02 kg"],
        extra_load=["20 g", extra, "20 g"],
    )
    if extra is None:
        del test["extra_load"]
    given = sheet(test, stage="in_service", **DIAL)
    if verdict is None:
        with pytest.raises(Refused, match=r"extra_load"):
            decided(given)
        return
    assert only(decided(given), "discrimination").verdict is verdict


def test_discrimination_is_wanted_of_a_dial_and_at_three_loads() -> None:
    result = decided(sheet(**DIAL))
    assert "test discrimination is missing (R 76-1 8.3.3)." in map(str, result.reasons)
    test = one(
        "discrimination",
        load="5 kg",
        indication="5 kg",
        indication_after="5010 g",
        extra_load="10 g",
    )
    result = decided(sheet(test, **DIAL))
    assert "discrimination-loads" in codes(result)
    assert only(result, "discrimination").verdict is INDETERMINATE
    assert "discrimination" not in str([str(r) for r in decided(sheet()).reasons])


def test_a_change_of_indication_is_not_sought_on_a_dial() -> None:
    test = one("weighing", load="5 kg", indication="5 kg", added_load="5 g")
    with pytest.raises(Refused, match=r"test\[0\]\.added_load"):
        decided(sheet(test, **DIAL))
    with pytest.raises(Refused, match=r"instrument\.reading"):
        decided(sheet(reading="1 g"))


def test_the_example_of_a_steelyard_conforms() -> None:
    assert decided(example("nawi-dacin")).verdict is CONFORMING


@pytest.mark.parametrize("name", ["discrimination", "sensitivity"])
def test_a_steelyard_wants_discrimination_and_sensitivity(name: str) -> None:
    given = example("nawi-dacin")
    given["test"] = [test for test in given["test"] if test["name"] != name]
    assert decided(given).verdict is INDETERMINATE


def steelyard(name: str, column: str, row: int, value: Any) -> dict[str, Any]:
    given = example("nawi-dacin")
    (test,) = (test for test in given["test"] if test["name"] == name)
    test[column][row] = value
    return given


def test_no_visible_movement_fails_a_steelyard() -> None:
    result = decided(steelyard("discrimination", "visible", 1, False))
    assert result.verdict is NONCONFORMING
    assert "gave no visible movement" in str(result.reasons[0])
    assert only(result, "discrimination").points[1].verdict is NONCONFORMING


@pytest.mark.parametrize(
    ("maximum", "moved", "verdict"),
    [
        ("50 kg", "5 mm", CONFORMING),
        ("50 kg", "4.9 mm", NONCONFORMING),
        ("30 kg", "2 mm", CONFORMING),
        ("30 kg", "1.9 mm", NONCONFORMING),
    ],
)
def test_sensitivity_wants_millimetres_by_class_and_max(
    maximum: str, moved: str, verdict: Verdict
) -> None:
    test = one(
        "sensitivity",
        load=["0 kg", "30 kg"],
        extra_load=["25 g", "50 g"],
        displacement=["6 mm", moved],
    )
    given = sheet(test, max=maximum, e="50 g", indicating="non-self-indicating")
    result = decided(given)
    assert [t.verdict for t in result.tests] == [CONFORMING, verdict]
    if verdict is NONCONFORMING:
        assert f"by {moved}, less than" in str(result.reasons[0])


@pytest.mark.parametrize(
    ("accuracy_class", "e", "maximum", "extra"),
    [("I", "1 mg", "100 g", ["1 mg", "1 mg"]), ("II", "0.1 g", "600 g", ["50 mg", "0.1 g"])],
)
def test_the_extra_load_is_the_limit_and_at_least_a_milligram(
    accuracy_class: str, e: str, maximum: str, extra: list[str]
) -> None:
    test = one(
        "sensitivity", load=["0 g", maximum], extra_load=extra, displacement=["1 mm", "0.9 mm"]
    )
    kind = {"class_": accuracy_class, "e": e, "max": maximum, "indicating": "non-self-indicating"}
    result = decided(sheet(test, **kind))
    assert [t.verdict for t in result.tests] == [CONFORMING, NONCONFORMING]


@pytest.mark.parametrize(
    ("test", "key"),
    [
        (one("sensitivity", load="5 kg", extra_load="5 g", displacement="5 mm"), "test[0]"),
        (one("sensitivity", load="5 kg", extra_load="5 g"), "test[0].displacement"),
        (one("discrimination", load="5 kg", indication="5 kg"), "test[0].indication_after"),
        (one("discrimination", load="5 kg", indication="5 kg", indication_after="5005 g",
             extra_load="8 g"), "test[0].extra_load[0]"),
    ],
)  # fmt: skip
def test_what_a_digital_scale_cannot_be_asked_is_refused(test: dict[str, Any], key: str) -> None:
    with pytest.raises(Refused) as refused:
        decided(sheet(test))
    assert refused.value.key == key


def test_discrimination_below_five_milligrams_has_no_limit_and_gets_none() -> None:
    test = one("discrimination", load="100 g", indication="100 g", indication_after="100.001 g")
    with pytest.raises(Refused, match="the law begins at 5 mg"):
        decided(sheet(test, class_="I", max="200 g", e="1 mg"))


@pytest.mark.parametrize(
    ("second", "digital", "verdict"),
    [
        ("10000 g", True, CONFORMING),
        ("10005 g", True, NONCONFORMING),
        ("10005 g", False, CONFORMING),
        ("9994 g", False, NONCONFORMING),
    ],
)
def test_digital_displays_agree_and_others_within_the_limit(
    second: str, digital: bool, verdict: Verdict
) -> None:
    test = one(
        "indicators", load="10 kg", indication="10 kg", indication_second=second, digital=digital
    )
    assert only(decided(sheet(test)), "indicators").verdict is verdict


@pytest.mark.parametrize(
    ("mechanical", "shown", "verdict"),
    [
        (False, "1.2 g", CONFORMING),
        (False, "1.4 g", NONCONFORMING),
        (True, "0.2 g", NONCONFORMING),
    ],
)
def test_taring_is_accurate_to_half_of_d_on_mechanical_digital_scales(
    mechanical: bool, shown: str, verdict: Verdict
) -> None:
    test = one("tare", tare="5 kg", load="0 g", indication=shown)
    given = sheet(test, mechanical=mechanical, d="0.2 g")
    assert only(decided(given), "tare").verdict is verdict


@pytest.mark.parametrize("added", ["0 g", "5.0 g"])
def test_half_of_d_is_all_that_rounding_can_make(added: str) -> None:
    test = one("tare", tare="5 kg", load="0 g", indication="0 g", added_load=added)
    assert only(decided(sheet(test, mechanical=True)), "tare").verdict is CONFORMING
    assert only(decided(sheet(test)), "tare").verdict is NONCONFORMING


@pytest.mark.parametrize(
    ("additive", "load", "lawful"),
    [(None, "10 kg", True), (None, "10.005 kg", False), ("5 kg", "15 kg", True)],
)
def test_additive_tare_leaves_the_whole_range_to_net_loads(
    additive: str | None, load: str, lawful: bool
) -> None:
    test = one("tare", tare="5 kg", load=["0 g", load], indication=["0 g", load], d="1 g")
    given = sheet(test, **({} if additive is None else {"additive_tare": additive}))
    if lawful:
        assert only(decided(given), "tare").points[1].error == 0
        return
    with pytest.raises(Refused, match=r"test\[0\]\.load\[1\].*beyond Max"):
        decided(given)
