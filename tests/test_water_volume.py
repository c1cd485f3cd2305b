"""Actual volumes of water meters by reference meter, tank and weighing; budgets against GTC."""

import math
from decimal import Decimal
from typing import Any

import pytest
from GTC import reporting, type_b, uncertainty, ureal, value

from calibration.evaluation import evaluate
from calibration.refusal import Refused
from calibration.sheet import parse_sheet
from calibration.verification import PointResult, Verdict, Verification
from calibration.water import water_density
from tests.test_water_meter import (
    BALANCE,
    METER,
    RATES,
    TANK,
    THERMOMETER,
    codes,
    decided,
    reason,
    run,
    sheet,
    three,
)

CURVE = {
    "id": "RM",
    "due": "2030-01-01",
    "interval": "0.01 L",
    "point": [
        {"nominal": "0.03 m³/h", "correction": "0.4 %", "expanded_uncertainty": "0.3 %"},
        {"nominal": "60 L/h", "correction": "-0.2 %", "expanded_uncertainty": "0.1 %"},
        {"nominal": "2 m³/h", "correction": "0.1 %", "expanded_uncertainty": "0.1 %"},
    ],
}
ROOM = {"temperature": "28 °C", "humidity": "75 %", "pressure": "1005 hPa"}


def tank(reference: Any, indication: Any, warm: str = "28 °C", **more: Any) -> dict[str, Any]:
    return run(
        RATES["q3"],
        reference,
        indication,
        **{"method": "tank", "tank_temperature": warm, "drip_time": "30 s", **more},
    )


def weighed(empty: Any, full: Any, indication: Any, **more: Any) -> dict[str, Any]:
    test = run(RATES["q3"], None, indication, method="gravimetric", empty=empty, full=full, **more)
    del test["reference"]
    return test


def point(given_sheet: dict[str, Any]) -> PointResult:
    return decided(given_sheet).tests[0].points[0]


def components(found: PointResult) -> dict[str, float]:
    """The contribution of each row to u [L]."""
    return {str(row["quantity"]): float(str(row["contribution"])) for row in found.budget}


def combined(found: PointResult) -> float:
    return math.sqrt(sum(c * c for c in components(found).values()))


# ---- reference meter


def test_the_calibration_curve_is_interpolated_at_the_flow_rate_exactly() -> None:
    at_60 = point(sheet(run("60 L/h", "20 L", "20 L"), standards=(CURVE,)))
    assert (at_60.reference, at_60.error) == (Decimal("19.96"), Decimal("0.04"))
    at_45 = point(sheet(run("45 L/h", "20 L", "20 L"), standards=(CURVE,)))
    assert at_45.reference == Decimal("20.02")  # half way: +0.1 %
    assert components(at_45)["calibration of RM"] == pytest.approx(-20 * 0.003 / 2)
    # (2 - 0.06)/(2 - 0.06) m³/h leaves no finite digits at 1 m³/h: rounded to 10^-7 of the volume
    at_1 = point(sheet(run("1 m³/h", "20 L", "20 L"), standards=(CURVE,)))
    share = Decimal("-0.2") + Decimal("0.3") * Decimal("0.94") / Decimal("1.94")
    assert at_1.reference == (20 * (1 + share / 100)).quantize(Decimal("1e-6"))
    assert "rounding of the correction" in components(at_1)


def test_nothing_is_extrapolated_beyond_the_calibration() -> None:
    at_the_end = point(sheet(run("2 m³/h", "20 L", "20 L"), q3="2 m³/h", standards=(CURVE,)))
    assert at_the_end.reference == Decimal("20.02")
    with pytest.raises(Refused, match="outside the calibration") as refused:
        decided(sheet(run("2.1 m³/h", "20 L", "20 L"), q3="2 m³/h", standards=(CURVE,)))
    assert refused.value.key == "test[0]"


def test_a_correction_for_all_flow_rates_is_exact_at_the_limit() -> None:
    standard = {**METER, "correction": "-0.03 %"}
    for indication, verdict in (("102.0000 L", True), ("102.0001 L", False)):
        # Va = 99.97 L: the limit is 101.9694 L
        found = decided(
            sheet(
                run(RATES["q3"], "100 L", f"{Decimal(indication[:-2]) - Decimal('0.0306')} L"),
                standards=(standard,),
            )
        )
        assert (found.tests[0].verdict is Verdict.CONFORMING) is verdict


def test_a_temperature_at_the_reference_meter_of_its_own_changes_the_volume() -> None:
    test = run(RATES["q3"], "100 L", "100 L", reference_temperature="26 °C")
    found = point(sheet(test, standards=(METER, THERMOMETER)))
    expected = 100 * float(water_density(26.0) / water_density(28.0))
    assert found.reference is not None
    assert float(found.reference) == pytest.approx(expected, abs=1e-5)
    assert "temperature of the water at the reference meter" in components(found)
    result = decided(sheet(test))
    assert "thermometer-none" in codes(result)
    assert "reference-temperature" in codes(decided(sheet(run(RATES["q3"], "100 L", "100 L"))))


# ---- tank


def test_a_tank_is_corrected_to_the_temperature_of_the_water_in_it_and_at_the_meter() -> None:
    standards = ({**TANK, "correction": "0.02 %"}, THERMOMETER)
    found = point(sheet(tank("100.04 L", "100 L", "31.5 °C"), standards=standards))
    content = 100.04 * 1.0002 * (1 + 4.77e-5 * 3.5)
    expected = content * float(water_density(31.5) / water_density(28.0))
    assert found.reference is not None
    assert float(found.reference) == pytest.approx(expected, abs=6e-6)
    assert found.reference.as_tuple().exponent == -6


def test_the_one_value_of_a_tanks_certificate_is_that_of_its_neck() -> None:
    certificate = [{"nominal": "100 L", "value": "100.012 L", "expanded_uncertainty": "20 mL"}]
    own = {"id": "BUS", "due": "2030-01-01", "point": certificate}
    rest = {key: TANK[key] for key in ("reference_temperature", "expansion")}
    found = point(sheet(tank("99.96 L", "100 L"), standards=({**own, **rest}, THERMOMETER)))
    assert found.reference == Decimal("99.972")
    with pytest.raises(Refused, match="was not read on standard"):
        point(sheet(tank("20 L", "20 L"), standards=({**own, **rest}, THERMOMETER)))


@pytest.mark.parametrize("missing", ["expansion", "reference_temperature"])
def test_a_tank_that_lacks_what_the_volume_needs_is_refused(missing: str) -> None:
    lame = {key: entry for key, entry in TANK.items() if key != missing}
    with pytest.raises(Refused, match="ever assumed") as refused:
        decided(sheet(tank("100 L", "100 L"), standards=(lame, THERMOMETER)))
    assert refused.value.key == "standards"
    with pytest.raises(Refused, match="name the tank"):
        decided(sheet(tank("100 L", "100 L"), standards=(THERMOMETER,)))


@pytest.mark.parametrize(
    ("dripped", "certificate", "code"),
    [
        ("30 s", "30 s", None),
        ("29.9 s", "30 s", "drip-time-short"),
        (None, "30 s", "drip-time-missing"),
        (None, None, None),
    ],
)
def test_a_tank_drips_as_long_as_its_certificate_says(
    dripped: str | None, certificate: str | None, code: str | None
) -> None:
    test, standard = tank("100 L", "100 L"), dict(TANK)
    del test["drip_time"], standard["drip_time"]
    if dripped is not None:
        test["drip_time"] = dripped
    if certificate is not None:
        standard["drip_time"] = certificate
    result = decided(sheet(test, standards=(standard, THERMOMETER)))
    found = {"drip-time-short", "drip-time-missing"} & set(codes(result))
    assert found == (set() if code is None else {code})
    assert result.tests[0].verdict is (
        Verdict.CONFORMING if code is None else Verdict.INDETERMINATE
    )


@pytest.mark.parametrize(
    ("nominal", "dripped", "short"),
    [("100 L", "29 s", True), ("100 L", "30 s", False), ("10 L", "10 s", False)],
)
def test_without_a_certificate_the_national_settings_say_how_long(
    nominal: str, dripped: str, short: bool
) -> None:
    standard = {**TANK, "nominal": nominal}
    del standard["drip_time"]
    test = tank(nominal, nominal, drip_time=dripped)
    given_sheet = {**sheet(test, standards=(standard, THERMOMETER)), "setting": "id-meter-air"}
    assert ("drip-time-short" in codes(decided(given_sheet))) is short


# ---- weighing


def test_the_volume_of_weighed_water_is_that_of_the_published_formula() -> None:
    standards = (BALANCE, THERMOMETER)
    given_sheet = sheet(weighed("2 kg", "51.853 kg", "50 L"), standards=standards)
    given_sheet["environment"] = ROOM
    found = point(given_sheet)
    rho_a = next(row for row in found.budget if row["quantity"] == "air density")["value"]
    rho = float(water_density(28.0))
    expected = 49.853 * 1000 * (1 - float(str(rho_a)) / 8000) / (rho - float(str(rho_a)))
    assert found.reference is not None
    assert float(found.reference) == pytest.approx(expected, abs=6e-7 * 10)
    assert 1.14 < float(str(rho_a)) < 1.16


def test_the_balance_is_corrected_at_both_ends() -> None:
    balance = {
        "id": "TB",
        "due": "2030-01-01",
        "point": [
            {"nominal": "0 kg", "correction": "1 g", "expanded_uncertainty": "2 g"},
            {"nominal": "100 kg", "correction": "-9 g", "expanded_uncertainty": "2 g"},
        ],
    }
    plainly = point(sheet(weighed("10 kg", "60 kg", "50 L"), standards=(BALANCE, THERMOMETER)))
    curved = point(sheet(weighed("10 kg", "60 kg", "50 L"), standards=(balance, THERMOMETER)))
    assert plainly.reference is not None
    assert curved.reference is not None
    # corrections 0 g at 10 kg and -5 g at 60 kg
    ratio = curved.reference / plainly.reference
    assert float(ratio) == pytest.approx(1 - 0.005 / 50, abs=1e-8)


def test_an_air_density_that_was_not_measured_is_said_to_be_so() -> None:
    result = decided(sheet(weighed("0 kg", "50 kg", "50 L"), standards=(BALANCE, THERMOMETER)))
    assert "air-density-unmeasured" in codes(result)
    assert result.tests[0].verdict is Verdict.CONFORMING


@pytest.mark.parametrize(
    ("empty", "full"), [("50 kg", "50 kg"), ("50 kg", "49 kg"), ("-1 kg", "49 kg")]
)
def test_no_water_is_refused(empty: str, full: str) -> None:
    with pytest.raises(Refused, match="no water") as refused:
        decided(sheet(weighed(empty, full, "50 L"), standards=(BALANCE, THERMOMETER)))
    assert refused.value.key == "test[0].full[0]"


def test_water_too_hot_for_the_table_of_densities_is_refused_where_density_enters() -> None:
    hot = {"temperature": "45 °C"}
    with pytest.raises(Refused, match="density of water") as refused:
        decided(sheet(weighed("0 kg", "50 kg", "50 L", **hot), standards=(BALANCE, THERMOMETER)))
    assert refused.value.key == "test[0]"
    result = decided(sheet(*three(temperature="45 °C"), temperature_class="T50"))
    assert result.verdict is Verdict.CONFORMING


# ---- which standard, and whether it is good enough


def test_of_several_standards_the_test_names_its_own() -> None:
    small = {**TANK, "id": "BUS-10", "nominal": "10 L", "correction": "1 %"}
    standards = (TANK, small, THERMOMETER)
    test = tank("10 L", "10 L")
    with pytest.raises(Refused, match="BUS-100, BUS-10") as refused:
        decided(sheet(test, standards=standards))
    assert refused.value.key == "test[0].standard"
    found = point(sheet({**test, "standard": "BUS-10"}, standards=standards))
    assert found.reference == Decimal("10.1")
    result = decided(sheet(run(RATES["q3"], "10 L", "10 L", standard="X"), standards=(METER,)))
    assert "standard-unknown" in codes(result)


@pytest.mark.parametrize(
    ("stated", "adequate"),
    [
        ({"mpe": "0.5 %"}, True),
        ({"mpe": "0.67 %"}, False),
        ({"expanded_uncertainty": "0.66 %"}, True),
        ({"expanded_uncertainty": "0.667 %"}, False),
        # known well enough of itself, but not with its drift
        ({"expanded_uncertainty": "0.5 %", "drift": "0.5 %"}, False),
    ],
)
def test_the_actual_volume_is_known_to_a_third_of_the_limit(
    stated: dict[str, str], adequate: bool
) -> None:
    standard = {"id": "RM", "due": "2030-01-01", "interval": "0.01 L", **stated}
    result = decided(sheet(run(RATES["q3"], "100 L", "100 L"), standards=(standard,)))
    assert ("standard-inadequate" not in codes(result)) is adequate


def test_a_wider_limit_at_q1_allows_a_coarser_reference_there() -> None:
    standard = {"id": "RM", "due": "2030-01-01", "expanded_uncertainty": "1.6 %"}
    at_q1 = decided(sheet(run(RATES["q1"], "100.00 L", "100 L"), standards=(standard,)))
    assert "standard-inadequate" not in codes(at_q1)
    at_q2 = decided(sheet(run(RATES["q2"], "100.00 L", "100 L"), standards=(standard,)))
    assert "standard-inadequate" in codes(at_q2)


def test_a_bad_standard_leaves_the_verdict_without_legal_force() -> None:
    for standards, code in (
        ([{**METER, "due": "2026-11-23"}], "standard-expired"),
        ([{"id": "RM", "due": "2030-01-01", "interval": "1 L"}], "standard-not-assessed"),
        ([{"id": "RM"}], "standard-unknown"),
        ([], "standard-none"),
        ([{**METER, "due": None}], "standard-undated"),
    ):
        given_sheet = sheet(*three(), standards=standards)
        for entry in given_sheet["standards"]:
            if entry.get("due", "") is None:
                del entry["due"]
        result = decided(given_sheet)
        assert result.verdict is Verdict.CONFORMING
        assert not result.legal
        assert code in codes(result)


def test_a_thermometer_is_wanted_where_temperature_enters_the_volume() -> None:
    result = decided(sheet(tank("100 L", "100 L"), standards=(TANK,)))
    assert reason(result, "thermometer-none") == (
        "1.6 m³/h: temperature enters the volume, and no thermometer among the standards states its "
        "uncertainty."
    )
    assert result.tests[0].points[0].expanded_uncertainty is None
    assert "thermometer-none" not in codes(decided(sheet(run(RATES["q3"], "100 L", "100 L"))))


def test_standards_that_do_not_fit_are_refused() -> None:
    of_mass = {"id": "TB", "due": "2030-01-01", "expanded_uncertainty": "5 g"}
    with pytest.raises(Refused, match="does not give a value in L"):
        decided(sheet(run(RATES["q3"], "100 L", "100 L"), standards=(of_mass,)))
    of_length = {"id": "X", "point": [{"nominal": "1 m", "correction": "0 m"}]}
    with pytest.raises(Refused, match="no values of L"):
        decided(sheet(run(RATES["q3"], "100 L", "100 L"), standards=(of_length,)))
    both = {**CURVE, "correction": "0.1 %"}
    with pytest.raises(Refused, match="and points too"):
        decided(sheet(run("60 L/h", "100 L", "100 L"), standards=(both,)))


# ---- budgets against GTC


def of_limits(name: str, x: float, half_width: float) -> Any:
    return ureal(x, type_b.uniform(half_width), label=name)


def test_the_budget_of_a_tank_agrees_with_gtc() -> None:
    standards = ({**TANK, "correction": "0.02 %", "drift": "10 mL"}, THERMOMETER)
    test = tank("100.04 L", "101 L", "31.5 °C", pressure="3 bar")
    found = point(sheet(test, standards=standards))

    def density(t: Any) -> Any:
        return 999.974950 * (1 - (t - 3.983035) ** 2 * (t + 301.797) / (522528.9 * (t + 69.34881)))

    v = of_limits("v", 100.04, 0.005)
    c = ureal(100.04 * 0.0002, 100.04 * 0.0005 / 2)
    drift = of_limits("drift", 0, 0.010)
    t, t_m = ureal(31.5, 0.1), ureal(28, 0.1)
    actual = (v + c + drift) * (1 + 4.77e-5 * (t - 28)) * density(t) / density(t_m)
    share = float(water_density(28.0, pressure=4013.25) / water_density(28.0)) - 1
    compressed = of_limits("p", 0, 100.06 * share)
    reading = ureal(101, 0.02 / math.sqrt(6))
    rounded = of_limits("rounding", 0, 0.5e-5)
    error = reading - actual + compressed + rounded
    assert combined(found) == pytest.approx(uncertainty(error), rel=1e-5)
    assert float(found.error or 0) == pytest.approx(value(error), abs=1e-5)
    by_name = {str(row["quantity"]): row for row in found.budget}
    for name, quantity in (
        ("temperature of the water in the tank", t),
        ("temperature of the water at the meter", t_m),
        ("calibration of BUS-100", c),
    ):
        sensitivity = reporting.sensitivity(error, quantity)
        assert float(str(by_name[name]["sensitivity"])) == pytest.approx(sensitivity, rel=1e-5)


def test_the_budget_of_a_weighing_agrees_with_gtc() -> None:
    test = weighed("2.000 kg", "51.853 kg", "50.2 L")
    given_sheet = sheet(test, standards=(BALANCE, THERMOMETER))
    given_sheet["environment"] = ROOM
    found = point(given_sheet)
    air = next(row for row in found.budget if row["quantity"] == "air density")
    m = ureal(49.853, 0.001 / math.sqrt(6)) + ureal(0, 0.0025) + ureal(0, 0.0025)
    t = ureal(28, 0.1)
    rho_w = 999.974950 * (1 - (t - 3.983035) ** 2 * (t + 301.797) / (522528.9 * (t + 69.34881)))
    rho_w = rho_w + of_limits("dissolved", 0, 0.5) + ureal(0, 0.00045)
    rho_a = ureal(float(str(air["value"])), type_b.uniform(0.12))
    actual = 1000 * m * (1 - rho_a / 8000) / (rho_w - rho_a)
    error = ureal(50.2, 0.02 / math.sqrt(6)) - actual
    assert combined(found) == pytest.approx(uncertainty(error), rel=1e-5)
    assert float(found.error or 0) == pytest.approx(value(error), abs=1e-5)


def test_u_is_what_the_budget_comes_to() -> None:
    result: Verification = evaluate(
        parse_sheet(sheet(run(RATES["q3"], ["100.0 L", "50.0 L"], ["100 L", "50 L"]))),
        standards={},
        approved=(),
    )
    for found in result.tests[0].points:
        assert found.expanded_uncertainty is not None
        assert float(found.expanded_uncertainty) == pytest.approx(2 * combined(found), rel=0.05)
    first, second = result.tests[0].points
    assert components(first)["calibration of RM"] == 2 * components(second)["calibration of RM"]
