"""The half-e probe of Indonesian practice: its rules, where it differs from R 76, and when it counts."""

from typing import Any

import pytest

from calibration.mpe import legal_table
from calibration.national import national_settings
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
    under_settings,
)

ELECTRONIC = {"kind": "timbangan elektronik"}


def probed(
    load: str, shown: str, after: str = "-", stage: str = "initial", name: str = "weighing"
) -> Verdict:
    test = one(name, method="probe", load=load, indication=shown, indication_after=after)
    result = under_settings(sheet(test, stage=stage, **ELECTRONIC))
    return only(result, name).points[0].verdict


@pytest.mark.parametrize(
    ("load", "shown", "after", "stage", "verdict"),
    [
        # limit 0.5 e at tera: the indication is the load
        ("2500 g", "2500 g", "-", "initial", CONFORMING),
        ("2500 g", "2505 g", "-", "initial", NONCONFORMING),
        ("2500 g", "2495 g", "-", "initial", NONCONFORMING),
        # limit 1 e at tera
        ("5 kg", "5000 g", "-", "initial", CONFORMING),
        ("5 kg", "5005 g", "5005 g", "initial", CONFORMING),
        ("5 kg", "5005 g", "5010 g", "initial", NONCONFORMING),
        ("5 kg", "4995 g", "5000 g", "initial", CONFORMING),
        ("5 kg", "4995 g", "4995 g", "initial", NONCONFORMING),
        ("5 kg", "5010 g", "-", "initial", NONCONFORMING),
        ("5 kg", "5005 g", "-", "initial", INDETERMINATE),
        # limit 1.5 e at tera: off by 1 e at most, no probe
        ("15 kg", "15005 g", "-", "initial", CONFORMING),
        ("15 kg", "14995 g", "-", "initial", CONFORMING),
        ("15 kg", "15010 g", "-", "initial", NONCONFORMING),
        # tera ulang: 1 e, 2 e and 3 e
        ("2500 g", "2505 g", "2505 g", "subsequent", CONFORMING),
        ("2500 g", "2505 g", "2510 g", "subsequent", NONCONFORMING),
        ("10 kg", "9990 g", "9995 g", "subsequent", CONFORMING),
        ("10 kg", "9990 g", "9990 g", "subsequent", NONCONFORMING),
        ("15 kg", "15010 g", "-", "subsequent", CONFORMING),
        ("15 kg", "15015 g", "15015 g", "subsequent", CONFORMING),
        ("15 kg", "15015 g", "15020 g", "subsequent", NONCONFORMING),
        ("15 kg", "15020 g", "-", "subsequent", NONCONFORMING),
    ],
)
@pytest.mark.parametrize("name", ["weighing", "tare"])
def test_the_rules_of_the_probe(
    load: str, shown: str, after: str, stage: str, verdict: Verdict, name: str
) -> None:
    if name == "tare":
        test = one(name, method="probe", load=load, indication=shown, indication_after=after,
                   tare="1 g", )  # fmt: skip
        given = sheet(test, stage=stage, additive_tare="1 kg", **ELECTRONIC)
        assert only(under_settings(given), name).points[0].verdict is verdict
        return
    assert probed(load, shown, after, stage, name) is verdict


@pytest.mark.parametrize("added", ["0.5 g", "2.0 g", "2.4 g", "2.5 g", "2.6 g", "3.0 g", "4.9 g"])
@pytest.mark.parametrize("side", [1, -1])
def test_probe_and_r_76_differ_at_exactly_k_e_on_the_plus_side_only(added: str, side: int) -> None:
    # limit 1 e at 5 kg; E = I + 0.5 e - ΔL - L, without E0
    shown = f"{5000 + side * 5} g"
    changed = float(added.removesuffix(" g")) <= 2.5
    after = f"{5000 + side * 5 + (5 if changed else 0)} g"
    by_change = one("weighing", load="5 kg", indication=shown, added_load=added)
    r76 = only(decided(sheet(by_change)), "weighing").points[0]
    by_probe = probed("5 kg", shown, after)
    if side == 1 and added == "2.5 g":
        assert r76.error == 5
        assert (r76.verdict, by_probe) == (CONFORMING, NONCONFORMING)
    else:
        assert by_probe is r76.verdict


@pytest.mark.parametrize(
    ("shown", "after", "further", "verdict"),
    [
        ("50 g", "50 g", "55 g", CONFORMING),
        ("50 g", "55 g", "-", NONCONFORMING),  # changed with 0.25 e: the error is above +0.25 e
        ("50 g", "50 g", "50 g", NONCONFORMING),  # not even with 0.75 e: below -0.25 e
        ("55 g", "55 g", "60 g", NONCONFORMING),
        ("50 g", "50 g", "-", INDETERMINATE),
        ("50 g", "-", "-", INDETERMINATE),
    ],
)
@pytest.mark.parametrize("name", ["zero", "tare"])
def test_zero_and_tare_are_probed_with_a_quarter_and_three_quarters_of_e(
    name: str, shown: str, after: str, further: str, verdict: Verdict
) -> None:
    test = one(
        name,
        method="probe",
        load="50 g",
        indication=shown,
        indication_after=after,
        indication_further=further,
    )
    if name == "tare":
        test["tare"] = "5 kg"
    result = under_settings(sheet(test, **ELECTRONIC))
    assert only(result, name).verdict is verdict
    assert only(result, name).points[0].upper == 1.25
    if verdict is INDETERMINATE:
        assert "probe-missing" in codes(result)


@pytest.mark.parametrize(
    ("shown", "stage", "verdict", "upper"),
    [
        (["12005 g", "12000 g", "12000 g"], "initial", CONFORMING, 5),
        (["12005 g", "11995 g", "12000 g"], "initial", NONCONFORMING, 5),
        (["12005 g", "11995 g", "12000 g"], "subsequent", CONFORMING, 10),
        (["12005 g", "11990 g", "12000 g"], "subsequent", NONCONFORMING, 10),
    ],
)
@pytest.mark.parametrize("method", ["probe", "change"])
def test_the_range_is_at_most_e_and_at_tera_ulang_2_e(
    shown: list[str], stage: str, verdict: Verdict, upper: int, method: str
) -> None:
    test = one("repeatability", load="12 kg", indication=shown)
    given = sheet(test, stage=stage, **ELECTRONIC)
    if method == "probe":
        test["method"] = "probe"
    else:
        test["added_load"] = ["2.5 g"] * 3
    result = under_settings(given)
    spread = only(result, "repeatability").points[-1]
    assert (spread.upper, spread.verdict) == (upper, verdict)
    assert spread.reference is None


def test_of_a_load_of_unknown_value_only_the_range_is_judged() -> None:
    shown = ["12105 g", "12100 g", "12105 g"]
    test = one("repeatability", load="12 kg", indication=shown, method="probe", standard_load=False)
    (spread,) = only(under_settings(sheet(test, **ELECTRONIC)), "repeatability").points
    assert (spread.error, spread.upper, spread.verdict) == (5, 5, CONFORMING)


def test_settings_that_state_no_range_for_a_stage_leave_that_of_r_76() -> None:
    test = one("repeatability", load="12 kg", indication=["12000 g"] * 3, added_load=["2.5 g"] * 3)
    result = under_settings(sheet(test, stage="in_service", **ELECTRONIC))
    assert only(result, "repeatability").points[-1].upper == 15
    test = one("repeatability", load="12 kg", indication=["12000 g"] * 3, method="probe")
    result = under_settings(sheet(test, stage="in_service", **ELECTRONIC))
    assert "range-not-judged" in codes(result)


def test_the_example_conforms_and_is_legal_where_the_settings_are_in_force() -> None:
    given = example("nawi-imbuh")
    digests = [
        legal_table("r76@2006").digest,
        legal_table("r111@2004").digest,
        national_settings("id-tbo@2015").digest,
    ]
    result = decided(given, approved=tuple(digests))
    assert (result.verdict, result.legal) == (CONFORMING, True)
    for left_out, code in enumerate(["table", "table", "settings"]):
        approved = tuple(d for place, d in enumerate(digests) if place != left_out)
        result = decided(given, approved=approved)
        assert codes(result)[-1] == f"{code}-not-approved"


def test_without_settings_that_list_it_the_probe_decides_but_not_legally() -> None:
    given = example("nawi-imbuh")
    del given["setting"]
    given["stage"] = "initial"
    for test in given["test"]:
        if test["name"] == "weighing":
            test["indication"] = ["100 g", "2500 g", "7505 g", "10 kg", "15 kg"]
            test["indication_after"] = ["-", "-", "7505 g", "-", "-"]
        if test["name"] == "eccentricity":
            test["indication_after"] = ["-", "5005 g", "5005 g", "5000 g", "-"]
    approved = (legal_table("r76@2006").digest, legal_table("r111@2004").digest)
    result = decided(given, approved=approved)
    assert not result.legal
    assert codes(result)[-1] == "method-not-in-force"
    assert "id-tbo@2015" in str(result.reasons[-1])
    # the range of rounded indications has a limit only in those settings
    assert result.verdict is INDETERMINATE
    assert "range-not-judged" in codes(result)


def test_a_probe_has_no_zero_correction_and_no_budget() -> None:
    test = one("weighing", method="probe", load=["0 g", "5 kg"], indication=["0 g", "5000 g"])
    given = sheet(test, **ELECTRONIC)
    given["standards"] = [{"id": "W", "mpe": "0.5 g"}]
    result = under_settings(given)
    assert only(result, "weighing").points[1].expanded_uncertainty is None
    assert only(result, "weighing").conditions == {"method": "probe"}
    assert "no-zero-correction" not in codes(result)


@pytest.mark.parametrize(
    ("test", "instrument", "key"),
    [
        (one("weighing", load="5001 g", indication="5000 g"), {}, "test[0].load[0]"),
        (one("weighing", load="5 kg", indication="5000 g"), {"d": "1 g"}, "test[0].method"),
        (one("weighing", load="5 kg", indication="5005 g", indication_after="5015 g"), {},
         "test[0].indication_after[0]"),
        (one("weighing", load="5 kg", indication="5005 g", indication_after="5007 g"), {},
         "test[0].indication_after[0]"),
        (one("weighing", load="5 kg", indication="5005 g", added_load="1 g"), {},
         "test[0].added_load"),
        (one("zero", load="0 g", indication="0 g"), {}, "test[0].load[0]"),
        (one("weighing", load=["5 kg", "6 kg"], indication=["5 kg", "6 kg"],
             indication_after=["-"]), {}, "test[0].indication_after"),
        (one("weighing", load="5 kg", indication="5 kg", indication_after="5 m"), {},
         "test[0].indication_after"),
        (one("weighing", load="5 kg", indication="5 kg", method="guess"), {}, "test[0].method"),
    ],
)  # fmt: skip
def test_what_the_probe_cannot_decide_is_refused(
    test: dict[str, Any], instrument: dict[str, str], key: str
) -> None:
    test.setdefault("method", "probe")
    with pytest.raises(Refused) as refused:
        under_settings(sheet(test, **ELECTRONIC, **instrument))
    assert refused.value.key == key


def test_columns_of_the_probe_belong_to_the_probe() -> None:
    test = one("weighing", load="5 kg", indication="5 kg", indication_after="5 kg")
    with pytest.raises(Refused, match=r"test\[0\]\.indication_after: this key belongs to"):
        decided(sheet(test))
