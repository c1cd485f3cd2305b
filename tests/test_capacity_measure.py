"""Measures of capacity: R 120 and R 138 by weighing and by comparison, their rules and refusals."""

import math
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import GTC
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.evaluation import evaluate
from calibration.legal_table import tables
from calibration.national import national_settings
from calibration.refusal import Refused
from calibration.sheet import parse_sheet
from calibration.standard import SHARE
from calibration.verification import TestResult, Verdict, Verification

EXAMPLES = Path(__file__).parent.parent / "examples"
CONFORMING, NONCONFORMING, INDETERMINATE = Verdict
APPROVED = [table.digest for table in tables()]
FLASK = {
    "id": "LU",
    "due": "2030-01-01",
    "nominal": "1 L",
    "reference_temperature": "20 °C",
    "expansion": "0.0000099 1/K",
    "correction": "0 mL",
    "expanded_uncertainty": "0.0001 mL",
    "interval": "0.0001 mL",
    "wetted": True,
    "drip_time": "30 s",
}
BALANCE = {
    "id": "TB",
    "due": "2030-01-01",
    "correction": "0 g",
    "expanded_uncertainty": "0.2 g",
    "interval": "0.1 g",
}
THERMOMETER = {"id": "TM", "due": "2030-01-01", "expanded_uncertainty": "0.1 K"}
WATER = {"name": "air", "water": True, "density_uncertainty": "0.02 kg/m³"}


def sheet(*tests: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A wetted measure of R 120 that holds its capacity at 20 °C, unless said otherwise."""
    top = {
        name: more.pop(name)
        for name in ("table", "stage", "standards", "liquid", "environment", "setting")
        if name in more
    }
    instrument = {
        "kind": "bejana ukur",
        "serial": "1",
        "material": "baja",
        "glass": False,
        "wetted": True,
        "expansion": "0.0000477 1/K",
        "expansion_source": "contoh",
        "reference_temperature": "20 °C",
    }
    return {
        "routine": "capacity-measure",
        "table": "r120@2010",
        "stage": "initial",
        "date": "2026-11-24",
        "instrument": {**instrument, **more},
        "standards": [FLASK, THERMOMETER],
        "liquid": WATER,
        "test": list(tests),
        **top,
    }


def filled(nominal: str, readings: Any, fills: int = 1, **more: Any) -> dict[str, Any]:
    """Fillings of the flask of 1 L at 20 °C, with its readings; ``None`` leaves a key out."""
    test = {
        "name": "capacity",
        "method": "volumetric",
        "nominal": nominal,
        "wetted": True,
        "drip_time": "30 s",
        "temperature": "20 °C",
        "fills": fills,
        "standard_reading": readings,
        "standard_temperature": "20 °C",
        "standard_wetted": True,
        "standard_drip_time": "30 s",
        **more,
    }
    return {name: value for name, value in test.items() if value is not None}


def serving(mark: str, readings: Any, nominal: str = "1 L", **more: Any) -> dict[str, Any]:
    name = more.pop("name", "transfer")
    test = filled(nominal, readings, mark=mark)
    return sheet(test, table="r138@2007", **{"class": name, "kind": "takaran basah"}, **more)


def decided(given_sheet: dict[str, Any], **more: Any) -> Verification:
    return evaluate(parse_sheet(given_sheet), standards={}, approved=APPROVED, **more)


def named(result: Verification, name: str) -> TestResult:
    return next(test for test in result.tests if test.name == name)


def codes(result: Verification) -> list[str]:
    return [reason.code for reason in result.reasons]


def key_of(given_sheet: dict[str, Any]) -> str:
    with pytest.raises(Refused) as refused:
        decided(given_sheet)
    return str(refused.value.key)


def example(name: str) -> dict[str, Any]:
    return tomllib.loads((EXAMPLES / f"{name}.toml").read_text("utf-8"), parse_float=Decimal)


@pytest.mark.parametrize("name", ["capacity-measure", "capacity-measure-takaran"])
def test_the_examples_conform_and_are_legal(name: str) -> None:
    result = decided(example(name))
    assert result.verdict is CONFORMING
    assert result.legal
    for point in named(result, "capacity").points:
        assert point.expanded_uncertainty is not None
        assert point.false_acceptance is not None


def test_both_marks_of_a_takaran_stand_in_one_test() -> None:
    found = named(decided(example("capacity-measure-takaran")), "capacity")
    assert [point.nominal for point in found.points] == [Decimal("0.5"), 1]
    assert found.conditions["marks"] == "0.5 L (line), 1 L (line)"
    worse = example("capacity-measure-takaran")
    worse["test"][1]["standard_reading"] = ["30 mL", "4.5 mL"] * 3
    verdicts = [point.verdict for point in named(decided(worse), "capacity").points]
    assert verdicts == [CONFORMING, NONCONFORMING]


# ---- limits


@pytest.mark.parametrize(
    ("nominal", "fills", "limit"), [("1 L", 1, "0.5"), ("5 L", 5, "2.5"), ("20 L", 20, "10")]
)
def test_a_standard_measure_has_a_two_thousandth_on_either_side(
    nominal: str, fills: int, limit: str
) -> None:
    for sign in (1, -1):
        for error, verdict in (
            (Decimal(limit), CONFORMING),
            (Decimal(limit) + Decimal("0.0001"), NONCONFORMING),
        ):
            readings = [f"{sign * error} mL"] + ["0 mL"] * (fills - 1)
            result = decided(sheet(filled(nominal, readings, fills), drip_time="30 s"))
            (point,) = named(result, "capacity").points
            assert point.verdict is verdict
            assert (point.error or 0) * 1000 == sign * error


@pytest.mark.parametrize(
    ("name", "mark", "nominal", "low", "high"),
    [
        ("transfer", "line", "1 L", "-30", "30"),
        ("transfer", "line", "50 mL", "-2", "2"),
        ("transfer", "brim", "1 L", "0", "60"),
        ("drinking", "line", "0.2 L", "-10", "10"),
        ("drinking", "brim", "500 mL", "0", "35"),
        ("bottle", None, "1 L", "-10", "10"),
        ("cask-metal", None, "10 L", "-100", "100"),
        ("cask-metal", None, "50 L", "-250", "250"),
        ("cask-other", None, "10 L", "-150", "150"),
    ],
)
def test_vessels_have_the_limits_of_their_kind(
    name: str, mark: str | None, nominal: str, low: str, high: str
) -> None:
    wetted = name in ("transfer", "drinking")
    flask = {**FLASK, "nominal": nominal}
    for text, step in ((low, Decimal("-0.01")), (high, Decimal("0.01"))):
        for error, verdict in ((Decimal(text), CONFORMING), (Decimal(text) + step, NONCONFORMING)):
            test = filled(
                nominal,
                [f"{error} mL"],
                mark=mark,
                wetted=wetted,
                drip_time="30 s" if wetted else None,
            )
            result = decided(
                sheet(
                    test,
                    table="r138@2007",
                    standards=[flask, THERMOMETER],
                    wetted=wetted,
                    **{"class": name},
                )
            )
            assert named(result, "capacity").verdict is verdict


def test_filled_to_the_brim_nothing_may_be_missing() -> None:
    assert decided(serving("brim", ["0 mL"])).verdict is CONFORMING
    short = decided(serving("brim", ["-0.0001 mL"]))
    assert short.verdict is NONCONFORMING
    assert named(short, "capacity").points[0].lower == 0


def test_whether_line_or_brim_is_never_assumed() -> None:
    given_sheet = serving("line", ["0 mL"])
    del given_sheet["test"][0]["mark"]
    assert key_of(given_sheet) == "test[0].mark"
    assert key_of(sheet(filled("1 L", ["0 mL"], mark="line"))) == "test[0].mark"  # R 120 has none
    bottle = serving("line", ["0 mL"], name="bottle", wetted=False)
    assert key_of(bottle) == "test[0].mark"


# ---- what the law wants besides


def test_vessels_of_glass_are_not_verified_again() -> None:
    office = [national_settings("id-takaran")]
    given_sheet = serving("line", ["0 mL"], glass=True, stage="subsequent")
    with pytest.raises(
        Refused, match="vessels of glass have no subsequent verification"
    ) as refused:
        decided(given_sheet, settings=office)
    assert refused.value.key == "stage"
    given_sheet["instrument"]["glass"] = False
    assert key_of(given_sheet) == "stage"  # R 138 states no limits there
    assert decided(serving("line", ["0 mL"], glass=True)).verdict is CONFORMING


@pytest.mark.parametrize(
    ("marked", "verdict"), [(None, INDETERMINATE), (False, NONCONFORMING), (True, CONFORMING)]
)
def test_another_reference_temperature_stands_next_to_the_volume(
    marked: bool | None, verdict: Verdict
) -> None:
    more: dict[str, Any] = {"reference_temperature": "28 °C"}
    if marked is not None:
        more["reference_temperature_marked"] = marked
    result = decided(serving("line", ["0 mL"], **more))
    assert result.verdict is verdict
    # R 120 leaves it to each measure
    free = decided(sheet(filled("1 L", ["0 mL"]), reference_temperature="28 °C", drip_time="30 s"))
    assert free.verdict is CONFORMING


def test_serving_measures_deliver_and_bottles_contain() -> None:
    dry = filled("1 L", ["0 mL"], mark="line", wetted=False, drip_time=None)
    more = {"table": "r138@2007", "wetted": False}
    result = decided(sheet(dry, **more, **{"class": "transfer"}))
    assert result.verdict is INDETERMINATE
    assert "capacity-otherwise" in codes(result)
    del dry["mark"]
    assert decided(sheet(dry, **more, **{"class": "bottle"})).verdict is CONFORMING
    more["wetted"] = True
    result = decided(sheet(filled("1 L", ["0 mL"]), **more, **{"class": "bottle"}))
    assert "capacity-otherwise" in codes(result)


def test_a_measure_is_tested_as_it_is_made() -> None:
    dry = filled("1 L", ["0 mL"], wetted=False, drip_time=None)
    result = decided(sheet(dry))
    assert result.verdict is INDETERMINATE
    assert "capacity-wetting" in codes(result)
    result = decided(sheet(filled("1 L", ["0 mL"]), wetted=False, drip_time="30 s"))
    assert "capacity-wetting" in codes(result)


@pytest.mark.parametrize(
    ("nominal", "marked", "time", "code"),
    [
        ("20 L", None, "30 s", None),
        ("20 L", None, "29 s", "capacity-drip-short"),
        ("10 L", None, "10 s", None),
        ("10 L", None, "9 s", "capacity-drip-short"),
        ("5 L", None, "60 s", "capacity-drip-unknown"),
        ("5 L", "15 s", "15 s", None),
        ("5 L", "15 s", "14.9 s", "capacity-drip-short"),
        ("20 L", "60 s", "30 s", "capacity-drip-short"),
    ],
)
def test_how_long_it_dripped_is_compared_with_its_marking_or_the_law(
    nominal: str, marked: str | None, time: str, code: str | None
) -> None:
    fills = int(nominal.removesuffix(" L"))
    test = filled(nominal, ["0 mL"] * fills, fills, drip_time=time)
    more = {} if marked is None else {"drip_time": marked}
    result = decided(sheet(test, **more))
    assert result.verdict is (CONFORMING if code is None else INDETERMINATE)
    assert [c for c in codes(result) if c.startswith("capacity-drip")] == ([code] if code else [])


def test_since_2009_r138_wants_no_draining_time_and_a_short_one_is_said() -> None:
    given_sheet = serving("line", ["0 mL"])
    given_sheet["test"][0]["drip_time"] = "20 s"
    result = decided(given_sheet)
    assert result.verdict is CONFORMING
    assert "capacity-drip-short" in codes(result)


def test_the_standard_measure_drips_too() -> None:
    short = filled("1 L", ["0 mL"], standard_drip_time="20 s")
    result = decided(sheet(short, drip_time="30 s"))
    assert result.verdict is INDETERMINATE
    assert "drip-time-too-short" in codes(result)


@pytest.mark.parametrize(("moved", "verdict"), [("2 mm", CONFORMING), ("1.999 mm", NONCONFORMING)])
def test_the_limit_moves_the_level_at_a_gauge_mark_by_two_millimetres(
    moved: str, verdict: Verdict
) -> None:
    given_sheet = serving("line", ["0 mL"])
    added = {"name": "gauge-mark", "nominal": "1 L", "added": "30 mL", "moved": moved}
    given_sheet["test"].append(added)
    assert named(decided(given_sheet), "gauge-mark").verdict is verdict
    half = {**added, "added": "15 mL", "moved": f"{Decimal(moved.split()[0]) / 2} mm"}
    given_sheet["test"][1] = half
    assert named(decided(given_sheet), "gauge-mark").verdict is verdict
    other = sheet(filled("1 L", ["0 mL"]), added)
    assert key_of(other) == "test[1]"  # nothing was read of a gauge mark in R 120


@pytest.mark.parametrize(
    ("name", "nominal", "usual"),
    [
        ("transfer", "250 mL", True),
        ("transfer", "0.33 L", False),
        ("drinking", "20 mL", True),
        ("drinking", "15 mL", False),
        ("transfer", "5 L", True),
        ("cask-other", "95 L", True),
        ("cask-other", "101 L", False),
        ("cask-metal", "150 L", True),
    ],
)
def test_an_unusual_nominal_capacity_is_said(name: str, nominal: str, usual: bool) -> None:
    flask = {**FLASK, "nominal": nominal}
    wetted = name in ("transfer", "drinking")
    test = filled(
        nominal,
        ["0 mL"],
        mark="line" if wetted else None,
        wetted=wetted,
        drip_time="30 s" if wetted else None,
    )
    result = decided(
        sheet(
            test,
            table="r138@2007",
            standards=[flask, THERMOMETER],
            wetted=wetted,
            **{"class": name},
        )
    )
    assert ("capacity-unusual" not in codes(result)) is usual


@pytest.mark.parametrize(
    ("below", "above", "verdict"),
    [
        ("10 mL", "10 mL", CONFORMING),
        ("9.99 mL", "10 mL", NONCONFORMING),
        ("10 mL", "0.0099 L", NONCONFORMING),
    ],
)
def test_national_settings_want_the_neck_to_cover_one_per_cent(
    below: str, above: str, verdict: Verdict
) -> None:
    test = filled("1 L", ["0 mL"])
    more = {"neck_below": below, "neck_above": above, "drip_time": "30 s"}
    given_sheet = sheet(test, **more)
    assert decided(given_sheet).verdict is CONFORMING  # R 120 itself was not read
    result = decided({**given_sheet, "setting": "id-bejana-ukur@2010"})
    assert named(result, "neck-scale").verdict is verdict
    assert result.settings is not None
    assert result.settings.decree == "SK DJPDN No. 23/PDN/KEP/3/2010"


# ---- by weighing


def weighed(full: Any = "9.9653 kg", **more: Any) -> dict[str, Any]:
    test = {
        "name": "capacity",
        "method": "gravimetric",
        "nominal": "10 L",
        "wetted": True,
        "drip_time": "30 s",
        "temperature": "25 °C",
        "empty": "0 kg" if isinstance(full, str) else ["0 kg"] * len(full),
        "full": full,
        **more,
    }
    return sheet(
        {name: value for name, value in test.items() if value is not None},
        standards=[BALANCE, THERMOMETER],
        expansion="0.0000099 1/K",
        environment={
            "temperature": "25 °C",
            "temperature_uncertainty": "0.5 K",
            "humidity": "40 %",
            "humidity_uncertainty": "5 %",
            "pressure": "1013.25 hPa",
            "pressure_uncertainty": "1 hPa",
        },
    )


def test_weighed_water_is_the_volume_of_iso_4787() -> None:
    (point,) = decided(weighed()).tests[0].points
    # 10.004675 L with air of 1.1787 kg/m³ (doctest of `gravimetric_volume`); here by CIPM-2007
    assert float(point.reference or 0) == pytest.approx(10.004675, abs=2e-5)
    assert point.verdict is CONFORMING
    nonconforming = decided(weighed("9.966 kg"))
    assert nonconforming.verdict is NONCONFORMING


def test_what_the_neck_shows_is_taken_off() -> None:
    with_reading = weighed()
    with_reading["test"][0]["reading"] = "4 mL"
    values = [decided(s).tests[0].points[0].error for s in (weighed(), with_reading)]
    assert values[0] is not None
    assert values[0] - Decimal("0.004") == values[1]
    with_reading["test"][0]["reading"] = "1 L"
    assert key_of(with_reading) == "test[0].reading[0]"


def test_the_mean_of_the_runs_is_judged() -> None:
    full = ["9.9653 kg", "9.9656 kg", "9.9650 kg"]
    result = decided(weighed(full))
    (point,) = result.tests[0].points
    single = decided(weighed()).tests[0].points[0]
    assert float(point.error or 0) == pytest.approx(float(single.error or 0), abs=1e-6)
    assert "capacity-one-run" in codes(decided(weighed()))
    assert "capacity-one-run" not in codes(result)
    by_name = {str(row["quantity"]): row for row in point.budget}
    spread = np.std([9.9653, 9.9656, 9.9650], ddof=1) / math.sqrt(3)
    assert float(str(by_name["repeatability"]["standard_uncertainty"])) == pytest.approx(
        spread * 1.004, rel=1e-3
    )


def test_the_budget_agrees_with_gtc() -> None:
    given_sheet = weighed()
    given_sheet["instrument"]["expansion_uncertainty"] = "0.000002 1/K"
    given_sheet["test"][0]["resolution"] = "1 mL"
    (point,) = decided(given_sheet).tests[0].points

    def density(t: Any) -> Any:
        return 999.974950 * (1 - (t - 3.983035) ** 2 * (t + 301.797) / (522528.9 * (t + 69.34881)))

    by_name = {str(row["quantity"]): row for row in point.budget}
    air = by_name["air density"]
    rho_a = GTC.ureal(float(str(air["value"])), float(str(air["standard_uncertainty"])))
    mass = GTC.ureal(9.9653, 0.0001) - GTC.ureal(0, 0.0001)
    mass += GTC.ureal(0, 1e-4 / math.sqrt(12)) + GTC.ureal(0, 1e-4 / math.sqrt(12))
    t = GTC.ureal(25, math.hypot(0.05, 1 / math.sqrt(12)))
    rho_w = density(t) + GTC.ureal(0, 0.01) + GTC.ureal(0, 4.5e-4)
    gamma = GTC.ureal(9.9e-6, 1e-6)
    volume = 1000 * mass * (1 - rho_a / 8000) / (rho_w - rho_a) * (1 - gamma * (t - 20))
    volume += GTC.ureal(0, 1e-7 / math.sqrt(12)) + GTC.ureal(0, 1e-3 / math.sqrt(12))
    error = volume - 10
    assert float(point.error or 0) == pytest.approx(GTC.value(error), abs=1e-6)
    u = math.sqrt(sum(float(str(row["contribution"])) ** 2 for row in point.budget))
    assert u == pytest.approx(GTC.uncertainty(error), rel=1e-5)
    sensitivity = GTC.rp.sensitivity(error, t)
    assert float(str(by_name["temperature"]["sensitivity"])) == pytest.approx(sensitivity, rel=1e-5)


def test_the_comparison_agrees_with_gtc() -> None:
    test = filled(
        "2 L",
        ["1 mL", "2 mL"],
        2,
        temperature="27.9 °C",
        standard_temperature="28.4 °C",
        resolution="0.5 mL",
    )
    flask = {**FLASK, "expanded_uncertainty": "0.1 mL", "interval": "0.2 mL"}
    (point,) = (
        decided(sheet(test, standards=[flask, THERMOMETER], drip_time="30 s")).tests[0].points
    )
    u_t = math.hypot(0.05, 0.1 / math.sqrt(12))
    v0, gamma_s = GTC.ureal(1, 5e-5), GTC.ureal(9.9e-6, 5e-8 / math.sqrt(3))
    gamma, t_s, t = (
        GTC.ureal(4.77e-5, 5e-8 / math.sqrt(3)),
        GTC.ureal(28.4, u_t),
        GTC.ureal(27.9, u_t),
    )

    def density(c: float) -> float:
        return 999.974950 * (1 - (c - 3.983035) ** 2 * (c + 301.797) / (522528.9 * (c + 69.34881)))

    beta = (density(28.4) / density(27.9) - 1) / (27.9 - 28.4)
    volume = 0
    for reading in (0.001, 0.002):
        content = v0 + reading + GTC.ureal(0, 2e-4 / math.sqrt(12))
        volume += content * (1 + gamma_s * (t_s - 20)) * (1 + beta * (t - t_s))
    capacity = volume / (1 + gamma * (t - 20))
    error = capacity - 2 + GTC.ureal(0, 1e-8 / math.sqrt(12)) + GTC.ureal(0, 5e-4 / math.sqrt(12))
    assert float(point.error or 0) == pytest.approx(GTC.value(error), abs=1e-7)
    u = math.sqrt(sum(float(str(row["contribution"])) ** 2 for row in point.budget))
    assert u == pytest.approx(GTC.uncertainty(error), rel=1e-4)


# ---- refusals and standards


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda s: s["test"][0].update(full="0 kg"), "test[0].full[0]"),
        (lambda s: s["test"][0].update(empty="-1 kg"), "test[0].full[0]"),
        (lambda s: s["test"][0].update(full=["9 kg", "9 kg"]), "test[0].empty"),
        (lambda s: s["test"][0].update(temperature="50 °C"), "test[0]"),
        (lambda s: s["test"][0].pop("temperature"), "test[0].temperature"),
        (lambda s: s["test"][0].pop("wetted"), "test[0].wetted"),
        (lambda s: s["test"][0].pop("drip_time"), "test[0].drip_time"),
        (lambda s: s["test"][0].update(wetted=False), "test[0].drip_time"),
        (lambda s: s["test"][0].update(nominal="0 L"), "test[0].nominal"),
        (lambda s: s["test"][0].update(nominal="10 kg"), "test[0].nominal"),
        (lambda s: s["test"][0].update(fills=2), "test[0].fills"),
        (lambda s: s["test"][0].update(method="guess"), "test[0].method"),
        (lambda s: s["liquid"].pop("density_uncertainty"), "liquid.density_uncertainty"),
        (lambda s: s.pop("liquid"), "liquid"),
        (lambda s: s["liquid"].update(water=False), "liquid.water"),
        (lambda s: s.update(table="r138@2007"), "instrument.class"),
        (lambda s: s.update(table="r117"), "table"),
        (lambda s: s.update(stage="subsequent"), "stage"),
        (lambda s: s.update(standards=[THERMOMETER]), "standards"),
        (lambda s: s["standards"][0].pop("correction"), "standards.point"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(change: Any, key: str) -> None:
    given_sheet = weighed()
    given_sheet["standards"] = [dict(entry) for entry in given_sheet["standards"]]
    given_sheet["liquid"] = dict(given_sheet["liquid"])
    change(given_sheet)
    assert key_of(given_sheet) == key


@pytest.mark.parametrize(
    "missing",
    ["material", "glass", "wetted", "expansion", "expansion_source", "reference_temperature"],
)
def test_what_is_never_assumed_is_wanted(missing: str) -> None:
    given_sheet = weighed()
    del given_sheet["instrument"][missing]
    assert key_of(given_sheet) == f"instrument.{missing}"


@pytest.mark.parametrize("missing", ["expansion", "reference_temperature", "nominal"])
def test_a_standard_measure_of_unknown_growth_is_refused(missing: str) -> None:
    bare = {name: text for name, text in FLASK.items() if name != missing}
    test = filled("1 L", ["0 mL"], standard="LU")
    assert key_of(sheet(test, standards=[bare, THERMOMETER])) == f"standards.{missing}"


def test_different_temperatures_want_the_liquid() -> None:
    given_sheet = sheet(filled("1 L", ["0 mL"], temperature="21 °C"))
    del given_sheet["liquid"]
    assert key_of(given_sheet) == "liquid"


@pytest.mark.parametrize(
    ("standards", "code"),
    [
        ([{**FLASK, "due": "2026-11-23"}, THERMOMETER], "standard-expired"),
        ([{**FLASK, "expanded_uncertainty": "0.17 mL"}, THERMOMETER], "standard-inadequate"),
        ([FLASK], "thermometer-none"),
    ],
)
def test_a_bad_standard_gives_no_legal_verdict(standards: Any, code: str) -> None:
    result = decided(sheet(filled("1 L", ["0 mL"]), standards=standards, drip_time="30 s"))
    assert result.verdict is CONFORMING
    assert not result.legal
    assert code in codes(result)


def test_a_third_of_the_limit_is_that_of_the_tables() -> None:
    for table in tables():
        wanted = table.rules["requirement"].get("standard", {})
        assert wanted.get("largest_part_of_limit", SHARE) == SHARE


def test_of_a_brim_half_of_the_interval_counts() -> None:
    # from 0 to +60 mL is as wide as 30 mL on either side: U at most 10 mL
    for u, legal in (("9.9 mL", True), ("10.1 mL", False)):
        flask = {**FLASK, "expanded_uncertainty": u}
        result = decided(serving("brim", ["30 mL"], standards=[flask, THERMOMETER]))
        assert result.legal is legal


def test_a_sheet_without_a_capacity_decides_nothing() -> None:
    result = decided(sheet())
    assert result.verdict is INDETERMINATE
    assert "test-missing" in codes(result)


# ---- laws


@given(st.integers(-9000, 9000), st.integers(-2, 2))
def test_scaling_by_a_power_of_ten_never_changes_a_verdict(error: int, power: int) -> None:
    def verdict(scale: int) -> Verdict:
        flask = {
            name: f"{Decimal(text.split()[0]).scaleb(scale):f} {text.split()[1]}"
            if name in ("nominal", "correction", "expanded_uncertainty", "interval")
            else text
            for name, text in FLASK.items()
            if isinstance(text, str)
        }
        reading = (Decimal(error) / 10_000).scaleb(scale)
        test = filled(
            f"{Decimal(1).scaleb(scale):f} L",
            [f"{reading:f} mL"],
            temperature="24.3 °C",
            standard_temperature="24.1 °C",
        )
        standards = [{**flask, "wetted": True}, THERMOMETER]
        return decided(sheet(test, standards=standards, drip_time="30 s")).verdict

    assert verdict(0) is verdict(power)


@given(st.integers(-700, 700), st.sampled_from(["g", "t"]), st.sampled_from(["mL", "m³", "cm³"]))
def test_units_never_change_a_verdict(error: int, mass: str, volume: str) -> None:
    kilograms = Decimal("9.96") + Decimal(error) / 100_000

    def verdict(mass_unit: str, volume_unit: str) -> Verdict:
        shift = {"kg": 0, "g": 3, "t": -3}[mass_unit]
        litres = {"L": 0, "mL": 3, "cm³": 3, "m³": -3}[volume_unit]
        given_sheet = weighed(f"{kilograms.scaleb(shift):f} {mass_unit}")
        test = given_sheet["test"][0]
        test["empty"] = f"0 {mass_unit}"
        test["nominal"] = f"{Decimal(10).scaleb(litres):f} {volume_unit}"
        return decided(given_sheet).verdict

    assert verdict("kg", "L") is verdict(mass, volume)


@given(st.integers(0, 900), st.integers(1, 900), st.sampled_from([1, -1]))
def test_a_worse_capacity_never_turns_nonconforming_into_conforming(
    error: int, more: int, sign: int
) -> None:
    found = [
        decided(sheet(filled("1 L", [f"{sign * Decimal(n) / 1000} mL"]), drip_time="30 s")).verdict
        for n in (error, error + more)
    ]
    assert found != [NONCONFORMING, CONFORMING]
