"""Reference volumes of a meter: a calibration curve, a test measure, a scale; and their budgets."""

import copy
import math
import tomllib
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import GTC
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.evaluation import evaluate
from calibration.expansion import at_temperature, gravimetric_volume
from calibration.legal_table import legal_table
from calibration.refusal import Refused
from calibration.sheet import parse_sheet
from calibration.verification import TestResult as Result
from calibration.verification import Verdict, Verification
from calibration.water import water_density

EXAMPLES = Path(__file__).parent.parent / "examples"
CONFORMING, NONCONFORMING, INDETERMINATE = Verdict
R117 = legal_table("r117@2007").digest


def example(name: str) -> dict[str, Any]:
    return tomllib.loads((EXAMPLES / f"{name}.toml").read_text(), parse_float=Decimal)


def decided(sheet: dict[str, Any]) -> Verification:
    return evaluate(parse_sheet(sheet), standards={}, approved=(R117,))


def accuracy(result: Verification) -> list[Result]:
    return [test for test in result.tests if test.name == "accuracy"]


def codes(result: Verification) -> list[str]:
    return [reason.code for reason in result.reasons]


THERMOMETER = {"id": "T", "due": "2027-01-01", "expanded_uncertainty": "0.2 °C"}
MEASURE: dict[str, Any] = {
    "id": "BUS",
    "due": "2027-01-01",
    "nominal": "20 L",
    "interval": "2 mL",
    "reference_temperature": "28 °C",
    "expansion": "0.0000477 1/K",
    "wetted": True,
    "point": [{"nominal": "20 L", "value": "20.0012 L", "expanded_uncertainty": "4 mL"}],
}
PETROL = {
    "name": "petrol",
    "expansion": "0.0012 1/K",
    "expansion_uncertainty": "0.0001 1/K",
    "source": "test",
}


def sheet(
    test: dict[str, Any], *standards: dict[str, Any], liquid: dict[str, Any] | None = None
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "routine": "volume-meter",
        "stage": "initial",
        "date": "2026-11-24",
        "instrument": {
            "kind": "meter",
            "serial": "1",
            "class": "0.5",
            "mmq": "2 L",
            "resolution": "0.01 L",
        },
        "standards": list(standards),
        "test": [{"name": "accuracy", "flow_rate": "30 L/min", **test}],
    }
    if liquid is not None:
        found["liquid"] = liquid
    return copy.deepcopy(found)


def filled(**changes: Any) -> dict[str, Any]:
    return {
        "method": "test-measure",
        "indication": ["20.00 L"],
        "reading": ["0 mL"],
        "measure_temperature": "28.0 °C",
        "meter_temperature": "28.0 °C",
        "drip_time": "30 s",
        "wetted": True,
        **changes,
    }


def without(given: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key not in names}


# ---- a reference meter with a calibration curve

CURVE = {
    "id": "FM",
    "due": "2027-01-01",
    "point": [
        {"nominal": "10 L/min", "correction": "0.1 %", "expanded_uncertainty": "0.05 %"},
        {"nominal": "40 L/min", "correction": "0.4 %", "expanded_uncertainty": "0.08 %"},
    ],
}


def metered(rate: str, indication: str, reference: str = "100.000 L") -> dict[str, Any]:
    return {"flow_rate": rate, "reference": [reference], "indication": [indication]}


@pytest.mark.parametrize(
    ("rate", "reference", "at_limit", "past"),
    [
        ("10 L/min", "100.1", "100.6005 L", "100.6006 L"),
        ("20 L/min", "100.2", "100.701 L", "100.702 L"),
        ("20 L/min", "100.2", "99.699 L", "99.698 L"),
        ("2.4 m³/h", "100.4", "100.902 L", "100.903 L"),
    ],
)
def test_the_curve_of_the_reference_is_interpolated_by_flow_rate(
    rate: str, reference: str, at_limit: str, past: str
) -> None:
    for indication, verdict in ((at_limit, CONFORMING), (past, NONCONFORMING)):
        (test,) = accuracy(decided(sheet(metered(rate, indication), CURVE)))
        assert test.points[0].reference == Decimal(reference)
        assert test.verdict is verdict


def test_an_interpolated_correction_without_end_is_rounded_and_counted() -> None:
    (test,) = accuracy(decided(sheet(metered("11 L/min", "100 L"), CURVE)))
    assert test.points[0].reference == Decimal("100.11")
    curve = {**CURVE, "point": [*CURVE["point"]]}
    curve["point"][1] = {**curve["point"][1], "nominal": "39 L/min"}
    (test,) = accuracy(decided(sheet(metered("11 L/min", "100 L"), curve)))
    assert test.points[0].reference == Decimal("100.11034")  # 0.1 + 0.3/29 = 0.110344... %
    names = [row["quantity"] for row in test.points[0].budget]
    assert names == [
        "indication of the meter",
        "calibration of FM",
        "rounding of the correction",
        "indication of the reference",
    ]


@pytest.mark.parametrize("rate", ["9.9 L/min", "40.1 L/min"])
def test_outside_its_calibration_a_reference_meter_is_none(rate: str) -> None:
    with pytest.raises(Refused, match="outside the calibration of standard FM") as refused:
        decided(sheet(metered(rate, "100 L"), CURVE))
    assert refused.value.key == "test[0].flow_rate"


def test_one_correction_and_a_curve_contradict_one_another() -> None:
    with pytest.raises(Refused, match="both one correction and points"):
        decided(sheet(metered("20 L/min", "100 L"), {**CURVE, "correction": "0.1 %"}))


def test_of_two_reference_meters_the_test_names_one() -> None:
    other = {**CURVE, "id": "FM-2", "point": [{**p, "correction": "0 %"} for p in CURVE["point"]]}
    with pytest.raises(Refused, match="FM, FM-2") as refused:
        decided(sheet(metered("20 L/min", "100 L"), CURVE, other))
    assert refused.value.key == "test[0].standard"
    test = {**metered("20 L/min", "100 L"), "standard": "FM-2"}
    (found,) = accuracy(decided(sheet(test, CURVE, other)))
    assert found.points[0].reference == 100
    result = decided(sheet({**test, "standard": "FM-3"}, CURVE, other))
    assert "standard-unknown" in codes(result)


@pytest.mark.parametrize(("u", "adequate"), [("0.166 %", True), ("0.168 %", False)])
def test_the_uncertainty_of_the_curve_is_at_most_a_third_of_the_limit(
    u: str, adequate: bool
) -> None:
    points = [{**point, "expanded_uncertainty": u} for point in CURVE["point"]]
    result = decided(sheet(metered("20 L/min", "100 L"), {**CURVE, "point": points}))
    assert ("standard-inadequate" not in codes(result)) is adequate


def test_a_reference_that_states_no_uncertainty_gives_none() -> None:
    points = [without(point, "expanded_uncertainty") for point in CURVE["point"]]
    result = decided(sheet(metered("20 L/min", "100 L"), {**CURVE, "point": points}))
    (point,) = accuracy(result)[0].points
    assert point.expanded_uncertainty is None
    assert "standard-not-assessed" in codes(result)


# ---- a test measure


@pytest.mark.parametrize(
    ("reading", "at_limit", "past"),
    [
        # V = 20.0012 L + reading; limit 0.5 % of V
        ("-1.2 mL", "20.1 L", "20.1001 L"),
        ("-1.2 mL", "19.9 L", "19.8999 L"),
        ("98.8 mL", "20.2005 L", "20.2006 L"),
        ("98.8 mL", "19.9995 L", "19.9994 L"),
    ],
)
def test_the_limit_itself_conforms_and_the_next_digit_does_not(
    reading: str, at_limit: str, past: str
) -> None:
    for indication, verdict in ((at_limit, CONFORMING), (past, NONCONFORMING)):
        test = filled(reading=[reading], indication=[indication])
        (found,) = accuracy(decided(sheet(test, MEASURE, THERMOMETER)))
        assert found.verdict is verdict


def test_temperatures_of_measure_and_liquid_are_corrected_for() -> None:
    # 20.0212 (1 + 0.0000477 × 2) (1 + 0.0012 × 0.3) by hand = 20.03031797...
    test = filled(reading=["20 mL"], measure_temperature=["30.0 °C"], meter_temperature=["30.3 °C"])
    (found,) = accuracy(decided(sheet(test, MEASURE, THERMOMETER, liquid=PETROL)))
    exact = (
        Fraction("20.0212")
        * (1 + Fraction("0.0000477") * 2)
        * (1 + Fraction("0.0012") * Fraction(3, 10))
    )
    assert found.points[0].reference == Decimal("20.030318")
    assert abs(Fraction(found.points[0].reference or 0) - exact) <= Fraction(1, 2_000_000)
    assert found.conditions["liquid"] == "petrol"


def test_water_needs_no_coefficient() -> None:
    water = {"name": "air", "water": True}
    test = filled(measure_temperature="30 °C", meter_temperature="20 °C")
    (found,) = accuracy(decided(sheet(test, MEASURE, THERMOMETER, liquid=water)))
    held = 20.0012 * (1 + 0.0000477 * 2)
    expected = held * float(water_density(30.0)) / float(water_density(20.0))
    assert float(found.points[0].reference or 0) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("end", ["0 °C", "40 °C"])
def test_water_reaches_both_ends_of_its_table(end: str) -> None:
    water = {"name": "air", "water": True}
    test = filled(measure_temperature=end, meter_temperature=end)
    (found,) = accuracy(decided(sheet(test, MEASURE, THERMOMETER, liquid=water)))
    held = 20.0012 * (1 + 0.0000477 * (float(end.split()[0]) - 28))
    assert float(found.points[0].reference or 0) == pytest.approx(held, abs=1e-6)


def test_fillings_of_a_smaller_measure_add_up() -> None:
    test = filled(
        fills=3,
        indication=["60.00 L", "60.02 L"],
        reading=["1 mL", "2 mL", "3 mL", "4 mL", "-5 mL", "6 mL"],
        measure_temperature=["28 °C", "29 °C", "30 °C", "28 °C", "28 °C", "28 °C"],
    )
    (found,) = accuracy(decided(sheet(test, MEASURE, THERMOMETER, liquid=PETROL)))
    first = sum(
        Fraction(v) * (1 + Fraction("0.0000477") * k) * (1 - Fraction("0.0012") * k)
        for k, v in enumerate(("20.0022", "20.0032", "20.0042"))
    )
    assert abs(Fraction(found.points[0].reference or 0) - first) <= Fraction(1, 2_000_000)
    assert found.points[1].reference == Decimal("60.0086")
    assert found.conditions["fills"] == "3"


def test_a_neck_that_was_calibrated_is_interpolated() -> None:
    points = [
        {"nominal": "19.9 L", "correction": "2 mL", "expanded_uncertainty": "4 mL"},
        {"nominal": "20.1 L", "correction": "4 mL", "expanded_uncertainty": "4 mL"},
    ]
    measure = {**MEASURE, "point": points}
    (found,) = accuracy(decided(sheet(filled(reading=["50 mL"]), measure, THERMOMETER)))
    assert found.points[0].reference == Decimal("20.0535")
    with pytest.raises(Refused, match="outside the calibration of standard BUS"):
        decided(sheet(filled(reading=["101 mL"]), measure, THERMOMETER))


def test_a_measure_known_only_by_its_class_is_taken_at_its_mark() -> None:
    measure = {**without(MEASURE, "point"), "mpe": "0.05 %"}
    (found,) = accuracy(decided(sheet(filled(), measure, THERMOMETER)))
    assert found.points[0].reference == 20
    row = found.points[0].budget[1]
    assert row["quantity"] == "maximum permissible error of BUS"
    assert row["standard_uncertainty"] == Decimal("0.0057735")  # 10 mL/√3


REFUSED: list[
    tuple[str, dict[str, Any], tuple[dict[str, Any], ...], dict[str, Any] | None, str]
] = [
    ("no measure", filled(), (THERMOMETER,), None, "standards"),
    (
        "two measures",
        filled(),
        (MEASURE, {**MEASURE, "id": "BUS-2"}, THERMOMETER),
        None,
        "test[0].standard",
    ),
    ("unknown measure", filled(standard="X"), (MEASURE, THERMOMETER), None, "test[0].standard"),
    (
        "no reference temperature",
        filled(),
        (without(MEASURE, "reference_temperature"),),
        None,
        "standards.reference_temperature",
    ),
    ("no expansion", filled(), (without(MEASURE, "expansion"),), None, "standards.expansion"),
    ("no nominal", filled(), (without(MEASURE, "nominal"),), None, "standards.nominal"),
    ("no certified volume", filled(), (without(MEASURE, "point"),), None, "standards.point"),
    (
        "a point elsewhere",
        filled(),
        ({**MEASURE, "nominal": "10 L"},),
        None,
        "standards.point",
    ),
    (
        "a volume as a reading",
        filled(reading=["20.005 L"]),
        (MEASURE,),
        None,
        "test[0].reading[0]",
    ),
    (
        "no temperature",
        without(filled(), "measure_temperature"),
        (MEASURE,),
        None,
        "test[0].measure_temperature",
    ),
    (
        "no temperature at the meter",
        without(filled(), "meter_temperature"),
        (MEASURE,),
        None,
        "test[0].meter_temperature",
    ),
    (
        "an impossible temperature",
        filled(measure_temperature="80 °C", meter_temperature="80 °C"),
        (MEASURE,),
        None,
        "test[0]",
    ),
    (
        "different temperatures of an unknown liquid",
        filled(meter_temperature="29 °C"),
        (MEASURE,),
        None,
        "liquid",
    ),
    (
        "different temperatures of a liquid without expansion",
        filled(meter_temperature="29 °C"),
        (MEASURE,),
        {"name": "petrol"},
        "liquid.expansion",
    ),
    (
        "an expansion without its uncertainty",
        filled(),
        (MEASURE,),
        without(PETROL, "expansion_uncertainty"),
        "liquid.expansion_uncertainty",
    ),
    (
        "an expansion without a source",
        filled(),
        (MEASURE,),
        without(PETROL, "source"),
        "liquid.source",
    ),
    ("no drip time", without(filled(), "drip_time"), (MEASURE,), None, "test[0].drip_time"),
    ("no word on wetting", without(filled(), "wetted"), (MEASURE,), None, "test[0].wetted"),
    ("dry and dripping", filled(wetted=False), (MEASURE,), None, "test[0].drip_time"),
    ("a filling is missing", filled(fills=2), (MEASURE,), None, "test[0].reading"),
    ("no reading", without(filled(), "reading"), (MEASURE,), None, "test[0].reading"),
    (
        "a column of another method",
        filled(reference=["20 L"]),
        (MEASURE,),
        None,
        "test[0].reference",
    ),
    ("an unknown method", filled(method="guess"), (MEASURE,), None, "test[0].method"),
    ("a negative time", filled(drip_time="-1 s"), (MEASURE,), None, "test[0].drip_time[0]"),
]


@pytest.mark.parametrize(
    ("test", "standards", "liquid", "key"),
    [row[1:] for row in REFUSED],
    ids=[row[0] for row in REFUSED],
)
def test_what_gives_no_volume_is_refused_by_its_key(
    test: dict[str, Any],
    standards: tuple[dict[str, Any], ...],
    liquid: dict[str, Any] | None,
    key: str,
) -> None:
    with pytest.raises(Refused) as refused:
        decided(sheet(test, *standards, liquid=liquid))
    assert refused.value.key == key


TEN = {
    "nominal": "10 L",
    "point": [{"nominal": "10 L", "correction": "0 mL", "expanded_uncertainty": "2 mL"}],
}
FIVE = {
    "nominal": "5 L",
    "point": [{"nominal": "5 L", "correction": "0 mL", "expanded_uncertainty": "1 mL"}],
}


@pytest.mark.parametrize(
    ("measure", "changes", "code"),
    [
        ({}, {"drip_time": "30 s"}, None),
        ({}, {"drip_time": "0.5 min"}, None),
        ({}, {"drip_time": "29 s"}, "drip-time-too-short"),
        ({"drip_time": "60 s"}, {"drip_time": "59 s"}, "drip-time-too-short"),
        ({"drip_time": "10 s"}, {"drip_time": "10 s"}, None),
        (TEN, {"drip_time": "10 s", "indication": ["10.00 L"]}, None),
        (TEN, {"drip_time": "9 s", "indication": ["10.00 L"]}, "drip-time-too-short"),
        (FIVE, {"drip_time": "60 s", "indication": ["5.00 L"]}, "drip-time-unknown"),
        (FIVE | {"drip_time": "10 s"}, {"drip_time": "10 s", "indication": ["5.00 L"]}, None),
        ({"wetted": False}, {}, "measure-wetting"),
        ({}, {"wetted": False, "drip_time": None}, "measure-wetting"),
        ({"wetted": False}, {"wetted": False, "drip_time": None}, None),
    ],
)
def test_how_the_measure_was_emptied_is_compared(
    measure: dict[str, Any], changes: dict[str, Any], code: str | None
) -> None:
    test = {key: value for key, value in filled(**changes).items() if value is not None}
    result = decided(sheet(test, MEASURE | measure, THERMOMETER))
    (found,) = accuracy(result)
    assert found.verdict is (CONFORMING if code is None else INDETERMINATE)
    assert code is None or code in codes(result)


def test_an_error_beyond_the_limit_decides_although_the_measure_dripped_too_short() -> None:
    test = filled(indication=["20.20 L"], drip_time="1 s")
    assert accuracy(decided(sheet(test, MEASURE, THERMOMETER)))[0].verdict is NONCONFORMING


def test_a_certificate_silent_on_wetting_is_said() -> None:
    result = decided(sheet(filled(), without(MEASURE, "wetted"), THERMOMETER))
    assert "measure-wetting-unknown" in codes(result)
    assert accuracy(result)[0].verdict is CONFORMING


def test_without_a_thermometer_the_verdict_is_not_legal() -> None:
    assert decided(sheet(filled(), MEASURE, THERMOMETER)).founded
    result = decided(sheet(filled(), MEASURE))
    assert not result.legal
    assert "thermometer-none" in codes(result)
    assert accuracy(result)[0].verdict is CONFORMING


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"due": "2026-11-23"}, "standard-expired"),
        ({"due": None}, "standard-undated"),
        (
            {"point": [{**MEASURE["point"][0], "expanded_uncertainty": "34 mL"}]},
            "standard-inadequate",
        ),
        (
            {"point": [without(MEASURE["point"][0], "expanded_uncertainty")]},
            "standard-not-assessed",
        ),
    ],
)
def test_a_bad_measure_makes_no_legal_verdict(changes: dict[str, Any], code: str) -> None:
    measure = {k: v for k, v in (MEASURE | changes).items() if v is not None}
    result = decided(sheet(filled(), measure, THERMOMETER))
    assert not result.legal
    assert code in codes(result)
    assert accuracy(result)[0].verdict is CONFORMING


def test_a_measure_of_more_fillings_is_less_sure() -> None:
    # 8 mL of U per filling is fully common to all: 5 fillings have 40 mL, more than 100 mL × 0.33
    point = {**MEASURE["point"][0], "expanded_uncertainty": "40 mL"}
    test = filled(fills=5, indication=["100.00 L"], reading=["0 mL"] * 5)
    result = decided(sheet(test, {**MEASURE, "point": [point]}, THERMOMETER))
    (found,) = accuracy(result)
    assert found.points[0].expanded_uncertainty == Decimal("0.20")
    assert "standard-inadequate" in codes(result)


def test_the_budget_of_fillings_agrees_with_gtc() -> None:
    test = filled(
        fills=2,
        indication=["40.00 L"],
        reading=["12 mL", "-6 mL"],
        measure_temperature=["30.1 °C", "30.4 °C"],
        meter_temperature=["30.9 °C"],
    )
    measure = {**MEASURE, "drift": "1 mL"}
    (found,) = accuracy(decided(sheet(test, measure, THERMOMETER, liquid=PETROL)))
    u_t = math.hypot(0.1, 0.1 / math.sqrt(12))
    v0 = GTC.ureal(20.0012, 0.002)
    drift = GTC.ureal(0, 0.001 / math.sqrt(3))
    gamma = GTC.ureal(4.77e-5, 5e-8 / math.sqrt(3))
    beta = GTC.ureal(1.2e-3, 5e-5)
    d_measure, t_meter = GTC.ureal(0, u_t), GTC.ureal(30.9, u_t)
    volume = sum(
        (v0 + drift + GTC.ureal(reading, 0.002 / math.sqrt(12)))
        * (1 + gamma * (t + d_measure - 28))
        * (1 + beta * (t_meter - (t + d_measure)))
        for reading, t in ((0.012, 30.1), (-0.006, 30.4))
    )
    error = GTC.ureal(40.0, 0.01 / math.sqrt(12)) - volume - GTC.ureal(0, 1e-6 / math.sqrt(12))
    assert float(found.points[0].error or 0) == pytest.approx(GTC.value(error), abs=1e-6)
    assert float(found.points[0].expanded_uncertainty or 0) == pytest.approx(
        2 * GTC.uncertainty(error), rel=0.05
    )
    contributions = [float(str(row["contribution"])) for row in found.points[0].budget]
    assert math.sqrt(math.fsum(c * c for c in contributions)) == pytest.approx(
        GTC.uncertainty(error), rel=1e-5
    )


# ---- weighing

SCALE: dict[str, Any] = {
    "id": "TIM",
    "due": "2027-01-01",
    "interval": "5 g",
    "point": [
        {"nominal": "0 kg", "correction": "0 g", "expanded_uncertainty": "4 g"},
        {"nominal": "100 kg", "correction": "20 g", "expanded_uncertainty": "10 g"},
    ],
}
WATER = {"name": "air", "water": True, "density_uncertainty": "0.1 kg/m³"}
DIESEL = {
    "name": "solar",
    "density": "832.4 kg/m³",
    "density_uncertainty": "0.2 kg/m³",
    "density_temperature": "15 °C",
    "expansion": "0.00083 1/K",
    "expansion_uncertainty": "0.00002 1/K",
    "source": "test",
}


def weighed(**changes: Any) -> dict[str, Any]:
    return {
        "method": "gravimetric",
        "indication": ["50.00 L"],
        "empty": ["10.000 kg"],
        "full": ["59.740 kg"],
        "liquid_temperature": "28.5 °C",
        "meter_temperature": "28.5 °C",
        **changes,
    }


def test_weighed_water_is_a_volume_at_the_meter() -> None:
    test = weighed(meter_temperature="28.0 °C")
    (found,) = accuracy(decided(sheet(test, SCALE, THERMOMETER, liquid=WATER)))
    mass = (59.740 + 0.0119480) - (10.000 + 0.002)
    rho = float(water_density(28.5))
    volume = gravimetric_volume(mass, rho, 1.2, 8000.0, 0.0, 28.5, reference_temperature=28.5)
    expected = 1000 * float(volume) * rho / float(water_density(28.0))
    assert float(found.points[0].reference or 0) == pytest.approx(expected, abs=1e-6)


def test_a_stated_density_is_carried_to_the_temperature_of_weighing() -> None:
    test = weighed(indication=["50.00 L"], full=["51.250 kg"], meter_temperature="29.0 °C")
    (found,) = accuracy(decided(sheet(test, SCALE, THERMOMETER, liquid=DIESEL)))
    mass = 51.250 * 1.0002 - 10.002
    rho = 832.4 / (1 + 0.00083 * 13.5)
    on_scale = 1000 * mass * (1 - 1.2 / 8000) / (rho - 1.2)
    expected = float(at_temperature(on_scale, 0.00083, 29.0, reference_temperature=28.5))
    assert float(found.points[0].reference or 0) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("test", "standards", "liquid", "key"),
    [
        (weighed(), (THERMOMETER,), WATER, "standards"),
        (weighed(), (SCALE,), None, "liquid"),
        (weighed(), (SCALE,), PETROL, "liquid.density"),
        (weighed(), (SCALE,), without(WATER, "density_uncertainty"), "liquid.density_uncertainty"),
        (weighed(), (SCALE,), without(DIESEL, "density_uncertainty"), "liquid.density_uncertainty"),
        (weighed(), (SCALE,), without(DIESEL, "source"), "liquid.source"),
        (
            weighed(),
            (SCALE,),
            without(DIESEL, "expansion", "expansion_uncertainty"),
            "liquid.expansion",
        ),
        (weighed(), (SCALE,), {**WATER, "density": "998 kg/m³"}, "liquid.density"),
        (weighed(full=["10.000 kg"]), (SCALE,), WATER, "test[0].full[0]"),
        (weighed(full=["9.000 kg"]), (SCALE,), WATER, "test[0].full[0]"),
        (weighed(full=["100.005 kg"]), (SCALE,), WATER, "test[0].full[0]"),
        (weighed(), (without(SCALE, "point"),), WATER, "standards.point"),
        (weighed(liquid_temperature="41 °C"), (SCALE,), WATER, "test[0]"),
        (without(weighed(), "empty"), (SCALE,), WATER, "test[0].empty"),
        (weighed(empty=["1 kg", "1 kg"]), (SCALE,), WATER, "test[0].empty"),
    ],
)
def test_what_gives_no_weighed_volume_is_refused_by_its_key(
    test: dict[str, Any],
    standards: tuple[dict[str, Any], ...],
    liquid: dict[str, Any] | None,
    key: str,
) -> None:
    with pytest.raises(Refused) as refused:
        decided(sheet(test, *standards, liquid=liquid))
    assert refused.value.key == key


@pytest.mark.parametrize(
    ("changes", "adequate"),
    [
        ({}, True),
        ({"expanded_uncertainty": "57 g"}, True),
        ({"expanded_uncertainty": "60 g"}, False),
    ],
)
def test_a_scale_is_adequate_by_the_volume_it_gives(
    changes: dict[str, Any], adequate: bool
) -> None:
    points = [{**SCALE["point"][0]}, {**SCALE["point"][1], **changes}]
    result = decided(sheet(weighed(), {**SCALE, "point": points}, THERMOMETER, liquid=WATER))
    assert ("standard-inadequate" not in codes(result)) is adequate
    assert "standard-unfit" not in codes(result)


@pytest.mark.parametrize(
    ("scale", "mass", "u"),
    [
        ({"correction": "0.02 %", "expanded_uncertainty": "0.01 %"}, "49.749948", "0.0029871"),
        ({"correction": "10 g", "expanded_uncertainty": "12 g"}, "49.740", "0.006"),
        ({"mpe": "10 g"}, "49.740", "0.0057735"),
        ({"correction": "10 g", "mpe": "10 g"}, "49.740", "0.0057735"),
    ],
)
def test_a_scale_may_state_one_correction_or_its_class(
    scale: dict[str, Any], mass: str, u: str
) -> None:
    whole = {**without(SCALE, "point"), **scale}
    (point,) = accuracy(decided(sheet(weighed(), whole, THERMOMETER, liquid=WATER)))[0].points
    rho = float(water_density(28.5))
    volume = 1000 * float(
        gravimetric_volume(float(mass), rho, 1.2, 8000.0, 0.0, 28.5, reference_temperature=28.5)
    )
    assert float(point.reference or 0) == pytest.approx(volume, abs=1e-6)
    full = next(row for row in point.budget if str(row["quantity"]).endswith("TIM, full"))
    assert float(str(full["standard_uncertainty"])) == pytest.approx(float(u), rel=1e-3)


def test_the_budget_of_a_weighing_agrees_with_gtc() -> None:
    given_sheet = example("volume-meter-gravimetric")
    first = accuracy(decided(given_sheet))[0].points[0]
    t, t_m = (
        GTC.ureal(28.6, math.hypot(0.1, 0.1 / math.sqrt(12))),
        GTC.ureal(28.4, math.hypot(0.1, 0.1 / math.sqrt(12))),
    )

    def tanaka(t: Any) -> Any:
        return 999.974950 * (1 - (t - 3.983035) ** 2 * (t + 301.797) / (522528.9 * (t + 69.34881)))

    rows = {str(row["quantity"]): row for row in first.budget}
    air = GTC.ureal(
        float(str(rows["air density"]["value"])),
        float(str(rows["air density"]["standard_uncertainty"])),
    )
    assert GTC.value(air) == pytest.approx(1.1503, abs=1e-4)
    empty = GTC.ureal(18.250 * (1 + 1e-4), 0.005) + GTC.ureal(0, 0.005 / math.sqrt(12))
    c_full = 0.006 - 0.011 * (117.685 - 60) / 90
    full = GTC.ureal(117.685 + c_full, 0.006) + GTC.ureal(0, 0.005 / math.sqrt(12))
    density = tanaka(t) + GTC.ureal(0, 0.05) + GTC.ureal(0, 4.5e-4)
    volume = 1000 * (full - empty) * (1 - air / 8000) / (density - air) * tanaka(t) / tanaka(t_m)
    error = GTC.ureal(100.12, 0.01 / math.sqrt(12)) - volume - GTC.ureal(0, 1e-6 / math.sqrt(12))
    assert float(first.error or 0) == pytest.approx(GTC.value(error), abs=1e-6)
    contributions = [float(str(row["contribution"])) for row in first.budget]
    assert math.sqrt(math.fsum(c * c for c in contributions)) == pytest.approx(
        GTC.uncertainty(error), rel=1e-4
    )


def test_air_that_was_not_measured_is_taken_within_ten_percent_and_said() -> None:
    given_sheet = example("volume-meter-gravimetric")
    del given_sheet["environment"]["pressure_uncertainty"]
    result = decided(given_sheet)
    assert "air-density-unmeasured" in codes(result)
    row = next(
        r for r in accuracy(result)[0].points[0].budget if "air density" in str(r["quantity"])
    )
    assert row["value"] == Decimal("1.2")


# ---- what all have in common


def test_the_meter_factor_is_proposed_with_its_uncertainty() -> None:
    test = filled(indication=["20.00 L", "20.02 L"], reading=["0 mL", "18.8 mL"])
    result = decided(sheet(test, MEASURE, THERMOMETER, liquid=PETROL))
    factor = accuracy(result)[0].conditions["meter_factor"]
    assert factor == "1.00003 ± 0.00050 (k = 2)"
    ratios = np.array([20.0012 / 20.00, 20.02 / 20.02])
    assert float(factor.split()[0]) == pytest.approx(float(ratios.mean()), abs=1e-5)
    assert "meter-factor" in codes(result)
    bare = {"flow_rate": "30 L/min", "reference": ["20 L"], "indication": ["20.01 L"]}
    assert accuracy(decided(sheet(bare)))[0].conditions["meter_factor"] == "0.9995"


def test_nothing_delivered_has_no_meter_factor() -> None:
    bare = {"flow_rate": "30 L/min", "reference": ["20 L"], "indication": ["0 L"]}
    result = decided(sheet(bare))
    assert "meter_factor" not in accuracy(result)[0].conditions
    assert result.verdict is NONCONFORMING


VOLUMES = ("mmq", "resolution", "nominal", "interval", "value", "expanded_uncertainty")


def scaled(found: Any, power: int) -> Any:
    """Multiply every volume and mass of a sheet by a power of ten."""
    if isinstance(found, dict):
        return {key: scaled(value, power) for key, value in found.items()}
    if isinstance(found, list):
        return [scaled(value, power) for value in found]
    text = str(found)
    number, _, unit = text.rpartition(" ")
    if unit not in ("L", "mL", "kg", "g"):
        return found
    return f"{Decimal(number).scaleb(power):f} {unit}"


@given(
    st.lists(
        st.tuples(st.integers(-1500, 1500), st.integers(18900, 21100)), min_size=1, max_size=3
    ),
    st.integers(200, 350),
    st.integers(200, 350),
    st.integers(1, 4),
)
def test_scaling_by_a_power_of_ten_never_changes_a_verdict(
    runs: list[tuple[int, int]], t_s: int, t_m: int, power: int
) -> None:
    test = filled(
        indication=[f"{Decimal(shown).scaleb(-3)} L" for _, shown in runs],
        reading=[f"{reading} mL" for reading, _ in runs],
        measure_temperature=f"{Decimal(t_s).scaleb(-1)} °C",
        meter_temperature=f"{Decimal(t_m).scaleb(-1)} °C",
    )
    base = sheet(test, MEASURE, THERMOMETER, liquid=PETROL)
    for given_sheet in (base, sheet(test, {**MEASURE, "drift": "0.01 %"}, liquid=PETROL)):
        first, second = decided(given_sheet), decided(scaled(given_sheet, power))
        assert [t.verdict for t in first.tests] == [t.verdict for t in second.tests]
        assert codes(first) == codes(second)


@given(st.integers(49_000, 51_000), st.integers(0, 400), st.integers(1, 3))
def test_scaling_never_changes_a_weighed_verdict(shown: int, t: int, power: int) -> None:
    test = weighed(
        indication=[f"{Decimal(shown).scaleb(-3)} L"],
        liquid_temperature=f"{Decimal(t).scaleb(-1)} °C",
    )
    base = sheet(test, SCALE, THERMOMETER, liquid=WATER)
    first, second = decided(base), decided(scaled(base, power))
    assert [t.verdict for t in first.tests] == [t.verdict for t in second.tests]


@given(
    st.integers(-90, 90),
    st.integers(19_800, 20_200),
    st.integers(20, 40),
    st.integers(20, 40),
    st.sampled_from([("mL", 0), ("L", -3), ("m³", -6), ("cm³", 0)]),
)
def test_units_never_change_a_verdict(
    reading: int, shown: int, t_s: int, t_m: int, unit: tuple[str, int]
) -> None:
    def verdicts(name: str, shift: int) -> list[str]:
        test = filled(
            indication=[f"{Decimal(shown).scaleb(shift):f} {name}"],
            reading=[f"{Decimal(reading).scaleb(shift):f} {name}"],
            measure_temperature=f"{t_s} °C",
            meter_temperature=f"{Decimal(t_m) + Decimal('273.15')} K",
        )
        result = decided(sheet(test, MEASURE, THERMOMETER, liquid=PETROL))
        return [f"{t.name} {t.verdict} {t.points[0].error}" for t in result.tests if t.points]

    assert verdicts(*unit) == verdicts("mL", 0)[: len(verdicts(*unit))]


@given(st.integers(-150, 150), st.integers(0, 300), st.integers(1, 300), st.sampled_from([1, -1]))
def test_a_worse_indication_never_becomes_conforming(
    reading: int, error: int, worse: int, sign: int
) -> None:
    def verdict(away: int) -> Verdict:
        shown = Decimal(20_001_200 + 1000 * reading + sign * away * 1000).scaleb(-6)
        test = filled(reading=[f"{reading} mL"], indication=[f"{shown} L"])
        return accuracy(decided(sheet(test, MEASURE, THERMOMETER)))[0].verdict

    if verdict(error) is NONCONFORMING:
        assert verdict(error + worse) is NONCONFORMING
