"""The routine for any table: gas and energy meters, automatic scales, taximeters, tanks, SPKLU."""

import datetime
import math
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import GTC
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.evaluation import evaluate
from calibration.legal_table import tables
from calibration.refusal import Refused
from calibration.sheet import parse_sheet
from calibration.verification import TestResult, Verdict, Verification

EXAMPLE = Path(__file__).parent.parent / "examples" / "general.toml"
CONFORMING, NONCONFORMING, INDETERMINATE = Verdict
APPROVED = [table.digest for table in tables()]
GOOD = {"id": "S", "due": "2030-01-01", "expanded_uncertainty": "0.01 %"}
GAS = {"qmin": "0.016 m³/h", "qt": "0.25 m³/h", "qmax": "2.5 m³/h"}
ZONES = ["2.5 m³/h", "0.25 m³/h", "0.016 m³/h"]


def sheet(table: str, *tests: dict[str, Any], name: str = "-", **more: Any) -> dict[str, Any]:
    characteristics = more.pop("characteristics", {})
    return {
        "routine": "general",
        "table": table,
        "stage": "initial",
        "date": "2026-11-24",
        "instrument": {"kind": "alat", "serial": "1", "class": name, **characteristics},
        "standards": [GOOD],
        "test": [{"name": "accuracy", **test} for test in tests],
        **more,
    }


def gas(errors: list[str], *, at: list[str] | None = None, name: str = "1.5", **more: Any) -> Any:
    """A gas meter that passed 100 L at each flow rate, with errors in L."""
    shown = [f"{100 + Decimal(error)} L" for error in errors]
    test = {"at": at or ZONES, "reference": "100 L", "indication": shown}
    return sheet("r137@2012", test, name=name, characteristics=GAS, **more)


def decided(given_sheet: dict[str, Any], **more: Any) -> Verification:
    return evaluate(parse_sheet(given_sheet), standards={}, approved=APPROVED, **more)


def named(result: Verification, name: str) -> TestResult:
    (found,) = (test for test in result.tests if test.name == name)
    return found


def codes(result: Verification) -> list[str]:
    return [reason.code for reason in result.reasons]


def refused(given_sheet: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(Refused) as raised:
        decided(given_sheet)
    return str(raised.value.key), str(raised.value)


def example() -> dict[str, Any]:
    return tomllib.loads(EXAMPLE.read_text("utf-8"), parse_float=Decimal)


def test_the_example_conforms_and_says_what_it_rests_on() -> None:
    result = decided(example())
    assert result.verdict is CONFORMING
    assert result.legal
    assert result.provisional  # the weighted mean error
    accuracy = named(result, "accuracy")
    # corrected by the certificate at 2.5 m³/h: 0.05 - 0.15 * 2.25/2.75 %
    assert float(accuracy.points[0].reference or 0) == pytest.approx(
        100.12 * (1 + (0.05 - 0.15 * 2.25 / 2.75) / 100), rel=1e-7
    )
    for point in accuracy.points:
        assert point.expanded_uncertainty is not None
        assert point.false_acceptance is not None
    worse = example()
    worse["test"][0]["indication"][0] = "101.6 L"
    assert decided(worse).verdict is NONCONFORMING


@pytest.mark.parametrize(
    ("flow", "limit"), [("2.5 m³/h", "1.5"), ("0.25 m³/h", "1.5"), ("0.249 m³/h", "3")]
)
def test_the_limit_is_looked_up_at_the_flow_rate_and_is_a_share_of_the_volume(
    flow: str, limit: str
) -> None:
    past = str(Decimal(limit) + Decimal("0.001"))
    for error, verdict in ((limit, CONFORMING), (past, NONCONFORMING), (f"-{past}", NONCONFORMING)):
        result = decided(gas([error], at=[flow]))
        assert named(result, "accuracy").verdict is verdict


def test_in_service_the_limits_are_twice_and_provisional() -> None:
    result = decided(gas(["3", "-3", "6"], stage="in_service"))
    assert named(result, "accuracy").verdict is CONFORMING
    assert result.provisional
    assert key_of(gas(["0"], stage="subsequent")) == "stage"


def key_of(given_sheet: dict[str, Any]) -> str:
    return refused(given_sheet)[0]


def test_a_zone_without_a_point_leaves_it_open() -> None:
    result = decided(gas(["0", "0"], at=["2.5 m³/h", "0.25 m³/h"]))
    assert result.verdict is INDETERMINATE
    assert "no point was tested from 0.016 m³/h to 0.25 m³/h (R 137-1 5.3 Table)." in map(
        str, result.reasons
    )
    assert decided(gas(["0", "0"], at=["1 m³/h", "0.1 m³/h"])).verdict is CONFORMING


# ---- rules over all points


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [
        (["0.5", "0.5", "2"], CONFORMING),
        (["0.5", "0.501", "2"], NONCONFORMING),
        (["-0.501", "-0.1", "2"], NONCONFORMING),
        (["0.9", "-0.001", "2"], None),  # not of the same sign
        (["0.9", "0", "2"], None),
    ],
)
def test_errors_of_the_same_sign_are_smaller_in_class_1(
    errors: list[str], verdict: Verdict | None
) -> None:
    result = decided(gas(errors, name="1"))
    found = [test for test in result.tests if test.name == "same-sign"]
    assert [test.verdict for test in found] == ([] if verdict is None else [verdict])
    assert not [test for test in decided(gas(errors)).tests if test.name == "same-sign"]
    later = decided(gas(errors, name="1", stage="in_service"))
    assert ("same-sign-other-stage" in codes(later)) is (verdict is not None)


def test_the_weighted_mean_error_is_an_exact_ratio() -> None:
    # weights: 0.4 at Qmax, 0.1 at Qt, 0.0064 at Qmin; class 1.5 within 0.6 %
    at_limit = gas(["0.6", "0.6", "0.6"])
    found = named(decided(at_limit), "weighted-mean-error")
    assert (found.verdict, found.points[0].error) == (CONFORMING, Decimal("0.6"))
    past = named(decided(gas(["0.6", "0.6", "0.601"])), "weighted-mean-error")
    assert past.verdict is NONCONFORMING
    assert decided(gas(["0.6", "0.6", "0.601"])).provisional
    negative = named(decided(gas(["-0.6", "-0.6", "-0.601"])), "weighted-mean-error")
    assert negative.verdict is NONCONFORMING
    # 0.7 Qmax: weight 0.7 from below, and above it 1.4 - Q/Qmax falls
    flows = ["1.75 m³/h", "2 m³/h", "0.016 m³/h"]
    found = named(decided(gas(["0", "1.5", "0"], at=flows)), "weighted-mean-error")
    share = Decimal("0.6") / (Decimal("0.7") + Decimal("0.6") + Decimal("0.0064"))
    assert float(found.points[0].error or 0) == pytest.approx(float(share) * 1.5, rel=1e-6)
    assert "weighted-mean-not-judged" in codes(decided(gas(["0"], at=["2.5 m³/h"])))


def test_runs_at_one_flow_rate_count_once_in_the_weighted_mean() -> None:
    once = gas(["0.6", "0"], at=["2.5 m³/h", "0.1 m³/h"])
    thrice = gas(["0.6", "0.5", "0.7", "0"], at=["2.5 m³/h"] * 3 + ["0.1 m³/h"])
    errors = [named(decided(s), "weighted-mean-error").points[0].error for s in (once, thrice)]
    assert errors[0] == errors[1]


# ---- what other tables judge


def catch(indications: list[str], name: str = "XIII", **more: Any) -> dict[str, Any]:
    test = {"reference": "500 g", "indication": indications, **more}
    return sheet("r51@2006", test, name=name, characteristics={"e": "1 g"})


def test_a_checkweigher_is_judged_by_mean_and_standard_deviation() -> None:
    both = catch(["500.5 g", "500.5 g", "500.5 g"])
    both["test"].append({**both["test"][0], "class": "X(1)"})
    result = decided(both)
    assert [test.name for test in result.tests] == ["mean-error", "standard-deviation"]
    assert result.verdict is CONFORMING
    mean_past = catch(["500.5 g", "500.5 g", "500.501 g"])
    assert named(decided(mean_past), "mean-error").verdict is NONCONFORMING
    alone = decided(catch(["500 g", "500 g"]))
    assert alone.verdict is INDETERMINATE
    assert "an instrument of class XIII is tested in one of X(x) too." in map(str, alone.reasons)


def test_a_standard_deviation_is_compared_by_its_square() -> None:
    # X(1) at 500 g: 0.16 % = 0.8 g; of 499.2, 500 and 500.8 g it is exactly 0.8 g
    for shown, verdict in (("500.8", CONFORMING), ("500.8001", NONCONFORMING)):
        result = decided(catch(["499.2 g", "500 g", f"{shown} g"], "X(1)"))
        found = named(result, "standard-deviation")
        assert found.verdict is verdict
        error = found.points[0].error
        assert error is not None
        assert (error <= Decimal("0.8")) is (verdict is CONFORMING)
    assert decided(catch(["500 g"] * 4, "X(1)")).tests[0].points[0].error == 0


def test_of_category_y_each_weighing_is_judged() -> None:
    test = {"reference": "500 g", "indication": ["501 g", "499 g", "500.5 g"]}
    given_sheet = sheet("r51@2006", test, name="Y(a)", characteristics={"e": "1 g"})
    found = named(decided(given_sheet), "accuracy")
    assert [point.verdict for point in found.points] == [CONFORMING] * 3
    given_sheet["test"][0]["indication"][0] = "501.001 g"
    assert decided(given_sheet).verdict is NONCONFORMING


def fills(masses: list[str], **more: Any) -> dict[str, Any]:
    return sheet("r61@2004", {"indication": masses, **more}, name="X(1)")


def test_fills_are_compared_with_their_mean() -> None:
    # at 1000 g: 12 g at initial verification
    good = decided(fills(["1012 g", "988 g", "1000 g"]))
    assert [point.error for point in named(good, "deviation").points] == [12, -12, 0]
    assert good.verdict is CONFORMING
    assert decided(fills(["1012.001 g", "988 g", "999.999 g"])).verdict is NONCONFORMING
    assert refused(fills(["1000 g"])) == (
        "test[0].indication",
        "test[0].indication: at least 2 values are wanted here.",
    )
    assert key_of(fills(["1000 g", "1001 g"], reference="1000 g")) == "test[0].reference"
    # a mean of three has no end: 1000.33... g, the last deviation exactly -12 g and a third more
    thirds = decided(fills(["1006 g", "1006 g", "988 g"]))
    assert named(thirds, "deviation").points[2].error == -12


def test_a_preset_value_is_compared_with_the_mean_of_the_fills() -> None:
    # 0.25 of 15 g in service: 3.75 g
    for preset, verdict in (("1003.75 g", CONFORMING), ("1003.751 g", NONCONFORMING)):
        test = {
            "characteristics": {"quantity": "preset"},
            "reference": ["999 g", "1001 g"],
            "indication": preset,
        }
        result = decided(sheet("r61@2004", test, name="X(1)"))
        assert named(result, "preset-error").verdict is verdict
    test["indication"] = ["1000 g", "1000 g"]
    assert key_of(sheet("r61@2004", test, name="X(1)")) == "test[0].indication"


WAGON = {"d": "20 kg", "max": "80 t"}


def wagons(errors: list[int], coupled: bool = True, **more: Any) -> dict[str, Any]:
    """Wagons of 60 t, class 1: 0.5 % is 300 kg."""
    shown = [f"{60_000 + error} kg" for error in errors]
    test = {"reference": "60000 kg", "indication": shown, "coupled": coupled}
    return sheet("r106@2011", test, name="1", characteristics=WAGON, **more)


def test_of_coupled_wagons_a_tenth_may_exceed_the_limit_and_none_twice() -> None:
    for errors, verdict in (
        ([300] * 10, CONFORMING),
        ([320] + [0] * 9, CONFORMING),
        ([320, 320] + [0] * 8, NONCONFORMING),
        ([320, -320] + [0] * 17, NONCONFORMING),
        ([320, -320] + [0] * 18, CONFORMING),
        ([600] + [0] * 9, CONFORMING),
        ([620] + [0] * 9, NONCONFORMING),
    ):
        result = decided(wagons(errors))
        assert result.verdict is verdict, errors
        assert ("coupled-wagons" in codes(result)) is (max(map(abs, errors)) > 300)
    assert decided(wagons([320] + [0] * 9, coupled=False)).verdict is NONCONFORMING
    assert key_of(wagons([0], stage="in_service")) == "test[0].coupled"
    assert decided(wagons([600], coupled=False, stage="in_service")).verdict is CONFORMING


def test_a_light_wagon_and_a_train_have_their_least_limits() -> None:
    light = {"reference": "10000 kg", "indication": ["10140 kg", "9860 kg"]}  # 35 % of 80 t: 140 kg
    assert decided(sheet("r106@2011", light, name="1", characteristics=WAGON)).verdict is CONFORMING
    light["indication"] = ["10160 kg", "9860 kg"]
    assert (
        decided(sheet("r106@2011", light, name="1", characteristics=WAGON)).verdict is NONCONFORMING
    )
    train = {
        "characteristics": {"wagons": 12, "reference_wagons": "8"},
        "reference": "100 t",
        "indication": ["101.12 t", "101.14 t"],  # 35 % * 80 t * 8 * 0.5 % = 1120 kg
    }
    found = decided(sheet("r106@2011", train, name="1", characteristics=WAGON))
    assert [point.verdict for point in found.tests[0].points] == [CONFORMING, NONCONFORMING]


def test_a_taximeter_is_judged_by_time_distance_and_fare() -> None:
    taxi = sheet(
        "r21@2007",
        {"reference": "600 s", "indication": "600.6 s"},
        {"reference": "5000 m", "indication": "5010 m"},
        {"reference": "1000 m", "indication": "996 m"},
    )
    fare = {
        "name": "fare",
        "currency": "IDR",
        "digit": 50,
        "reference": ["7000", "150000"],
        "indication": ["7050", "149850"],
    }
    taxi["test"].append(fare)
    result = decided(taxi)
    assert result.verdict is CONFORMING
    assert [point.upper for point in named(result, "fare").points] == [50, 150]
    for test, column, worse in (
        (0, "indication", "600.601 s"),
        (1, "indication", "5010.1 m"),
        (2, "indication", "995.9 m"),
        (3, "indication", ["7051", "150000"]),
        (3, "indication", ["7000", "150151"]),
    ):
        changed = sheet("r21@2007")
        changed["test"] = [dict(entry) for entry in taxi["test"]]
        changed["test"][test][column] = worse
        assert decided(changed).verdict is NONCONFORMING
    alone = sheet("r21@2007")
    alone["test"] = [{**fare, "digit": "0"}]
    assert key_of(alone) == "test[0].digit"
    alone["test"] = [fare]
    assert decided(alone).verdict is CONFORMING
    assert key_of({**alone, "table": "r46@2012"}) == "test[0]"


def test_a_tank_has_a_share_of_the_capacity_that_its_table_indicates() -> None:
    tank = {"reference": "998 L", "indication": "1000 L"}  # 0.2 % of 1000 L
    found = decided(sheet("r71@2008", tank, name="vertical"))
    assert found.verdict is CONFORMING
    assert found.tests[0].points[0].upper == 2
    tank["reference"] = "997.999 L"
    assert decided(sheet("r71@2008", tank, name="vertical")).verdict is NONCONFORMING


def test_an_energy_meter_is_judged_at_its_current_and_power_factor() -> None:
    currents = {"ist": "0.02", "imin": "0.25", "itr": "0.5", "imax": "60"}

    def energy(shown: str, pf: Any) -> dict[str, Any]:
        one = {"at": "10 A", "reference": "1 kWh", "characteristics": {"pf": pf}}
        low = {"at": "0.3 A", "reference": "1 kWh", "characteristics": {"pf": 1}}
        return sheet(
            "r46@2012",
            {**one, "indication": shown},
            {**low, "indication": "1 kWh"},
            name="B",
            characteristics=currents,
        )

    assert decided(energy("1010 Wh", 1)).verdict is CONFORMING
    assert decided(energy("1010.1 Wh", 1)).verdict is NONCONFORMING
    assert decided(energy("1.015 kWh", "0.5i")).verdict is CONFORMING
    assert key_of(energy("1 kWh", "0.4i")) == "test[0].characteristics.pf"


def test_a_charger_has_its_national_table() -> None:
    test = {"reference": "20 kWh", "indication": ["20.2 kWh", "19.8 kWh"]}
    assert decided(sheet("id-evse@2026", test, name="1")).verdict is CONFORMING
    test["indication"] = ["20.2001 kWh", "19.8 kWh"]
    assert decided(sheet("id-evse@2026", test, name="1")).verdict is NONCONFORMING
    early = sheet("id-evse", test, name="1", date="2026-05-24")
    assert key_of(early) == "table"


def test_repeatability_is_judged_where_the_table_has_a_limit() -> None:
    test = {
        "reference": "20 L",
        "indication": ["20 L", "20.04 L", "20.02 L"],
        "repeated": True,
    }
    fuel = sheet("r117@2007", test, name="0.5", characteristics={"mmq": "2 L"})
    assert named(decided(fuel), "repeatability").verdict is CONFORMING  # 0.2 %
    fuel["test"][0]["indication"][1] = "20.0401 L"
    assert named(decided(fuel), "repeatability").verdict is NONCONFORMING
    other = sheet(
        "r50@2014", {**test, "reference": "20 t", "indication": ["20 t", "20 t"]}, name="1"
    )
    assert "repeatability-none" in codes(decided(other))


# ---- what is refused, and what is not legal


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda s: s.pop("table"), "table"),
        (lambda s: s["test"][0].pop("at"), "test[0].at"),
        (lambda s: s["test"][0].pop("reference"), "test[0].reference"),
        (lambda s: s["test"][0].update(at=ZONES[:2]), "test[0].at"),
        (lambda s: s["test"][0].update(reference=["100 L", "100 L"]), "test[0].reference"),
        (lambda s: s["test"][0].update(at=["3 m³/h"]), "test[0].at[0]"),
        (lambda s: s["test"][0].update(at=["9e20 m³/h"]), "test[0].at[0]"),
        (lambda s: s["test"][0].update(at=["0.015999999999999 m³/h"]), "test[0].at[0]"),
        (lambda s: s["test"][0].update(reference="100 kg"), "test[0].reference"),
        (lambda s: s["test"][0].update(indication=["1 L", "1 kg", "1 L"]), "test[0].indication[1]"),
        (lambda s: s["test"][0].update(speed="1"), "test[0].speed"),
        (lambda s: s["instrument"].update({"class": "7"}), "instrument.class"),
        (lambda s: s["test"][0].update({"class": "7"}), "test[0].class"),
        (lambda s: s["instrument"].update(qmix="1 m³/h"), "instrument.qmix"),
        (lambda s: s["instrument"].update(qt="9 m³/h"), "test[0]"),
        (lambda s: s["instrument"].update(characteristics={"qt": "1 m³/h"}), "instrument.qt"),
        (lambda s: s["instrument"].pop("qmax"), "test[0]"),
        (lambda s: s["test"][0].update(standard="Z"), None),
        (lambda s: s["standards"].append({**GOOD, "id": "T"}), "test[0].standard"),
        (lambda s: s["test"][0].update(coupled=True), "test[0].coupled"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(change: Any, key: str | None) -> None:
    given_sheet = gas(["0", "0", "0"])
    change(given_sheet)
    if key is None:
        assert "standard-unknown" in codes(decided(given_sheet))
        return
    assert key_of(given_sheet) == key


def test_a_limit_over_the_measured_value_is_looked_up_nowhere_else() -> None:
    test = {"reference": "20 t", "indication": "20 t", "at": "25 t"}
    assert key_of(sheet("r50@2014", test, name="1")) == "test[0].at"
    weight = {"reference": "1.0000002 kg", "indication": "1 kg"}
    assert key_of(sheet("r111@2004", weight, name="M1")) == "test[0].at"


@pytest.mark.parametrize(
    ("standards", "code"),
    [
        ([{**GOOD, "due": "2026-11-23"}], "standard-expired"),
        ([{**GOOD, "expanded_uncertainty": "0.501 %"}], "standard-inadequate"),
        ([{"id": "S", "due": "2030-01-01", "interval": "1 L"}], "standard-not-assessed"),
        ([], "standard-none"),
    ],
)
def test_a_bad_standard_gives_no_legal_verdict(standards: Any, code: str) -> None:
    result = decided(gas(["0", "0", "0"], standards=standards))
    assert result.verdict is CONFORMING
    assert not result.legal
    assert code in codes(result)


def test_a_standard_of_exactly_a_third_of_the_limit_will_do() -> None:
    for u, code in (("0.5 %", None), ("0.5001 %", "standard-inadequate")):
        standards = [{**GOOD, "expanded_uncertainty": u, "interval": "0.000001 L"}]
        result = decided(gas(["0", "0", "0"], standards=standards))
        assert result.legal is (code is None)
        assert code is None or code in codes(result)


def test_a_table_with_a_routine_of_its_own_has_no_legal_verdict_here() -> None:
    scale = {"reference": "10 kg", "indication": "10.005 kg"}
    characteristics = {"e": "5 g", "max": "15 kg"}
    result = decided(sheet("r76@2006", scale, name="III", characteristics=characteristics))
    assert result.verdict is CONFORMING
    assert not result.legal
    assert "routine-of-its-own" in codes(result)
    assert "routine-of-its-own" not in codes(decided(gas(["0", "0", "0"])))


def test_a_sheet_without_tests_decides_nothing() -> None:
    result = decided(sheet("r50@2014", name="1"))
    assert result.verdict is INDETERMINATE
    assert "test-missing" in codes(result)


def test_a_certificate_over_another_quantity_is_refused() -> None:
    points = [{"nominal": f"{n} °C", "correction": "0 °C"} for n in (10, 30)]
    standards = [{"id": "S", "due": "2030-01-01", "point": points}]
    key, said = refused(gas(["0", "0", "0"], standards=standards))
    assert key == "test[0].standard"
    assert "over °C" in said


def test_a_certificate_over_the_quantity_itself_corrects_it() -> None:
    points = [
        {"nominal": "10 t", "correction": "4 kg", "expanded_uncertainty": "2 kg"},
        {"nominal": "30 t", "correction": "8 kg", "expanded_uncertainty": "3 kg"},
    ]
    standards = [{"id": "S", "due": "2030-01-01", "point": points, "interval": "1 kg"}]
    test = {"reference": "20000 kg", "indication": "20006 kg"}
    point = decided(sheet("r50@2014", test, name="1", standards=standards)).tests[0].points[0]
    assert (point.reference, point.error) == (20006, 0)
    test["reference"] = "31000 kg"
    assert key_of(sheet("r50@2014", test, name="1", standards=standards)) == "test[0].reference[0]"


def test_a_correction_of_many_digits_is_decided_all_the_same() -> None:
    points = [
        {"nominal": "1.1 t", "correction": "0.000000123456789 kg", "expanded_uncertainty": "1 g"},
        {"nominal": "33 t", "correction": "0.000000987654321 kg", "expanded_uncertainty": "1 g"},
    ]
    standards = [{"id": "S", "due": "2030-01-01", "point": points, "interval": "1 g"}]
    for shown, verdict in (("20100", CONFORMING), ("20100.00001", NONCONFORMING)):
        test = {"reference": "20000 kg", "indication": [f"{shown} kg", "30000000 g"]}
        test["reference"] = ["20000 kg", "30000 kg"]
        result = decided(sheet("r50@2014", test, name="1", standards=standards))
        point = result.tests[0].points[0]
        assert point.verdict is verdict
        assert point.upper is not None
        assert ((point.error or 0) <= point.upper) is (verdict is CONFORMING)
    far = {"reference": "1.1 t", "indication": "1100.000000000000000000001 kg"}
    assert decided(sheet("r50@2014", far, name="1", standards=standards)).verdict is CONFORMING


def test_the_budget_agrees_with_gtc() -> None:
    points = [
        {"nominal": "0.01 m³/h", "correction": "0.2 %", "expanded_uncertainty": "0.3 %"},
        {"nominal": "3 m³/h", "correction": "-0.1 %", "expanded_uncertainty": "0.2 %"},
    ]
    meter = {
        "id": "S",
        "due": "2030-01-01",
        "point": points,
        "drift": "0.05 %",
        "interval": "0.02 L",
    }
    given_sheet = gas(["0.4", "0", "0"], standards=[meter])
    given_sheet["test"][0]["indication_resolution"] = "0.1 L"
    result = decided(given_sheet)
    point = named(result, "accuracy").points[0]
    reference = float(point.reference or 0)
    r = GTC.ureal(reference, 100 * 0.003 / 2)  # the larger U of the neighbours
    drift = GTC.ureal(0, reference * 0.0005 / math.sqrt(3))
    digit = GTC.ureal(0, 0.02 / math.sqrt(12))
    shown = GTC.ureal(100.4, 0.1 / math.sqrt(12))
    error = shown - (r + drift + digit)
    assert float(point.error or 0) == pytest.approx(GTC.value(error), rel=1e-6)
    u = math.sqrt(sum(float(str(row["contribution"])) ** 2 for row in point.budget))
    assert u == pytest.approx(GTC.uncertainty(error), rel=1e-5)


# ---- laws


@given(
    st.integers(-400, 400).map(lambda n: Decimal(n) / 100),
    st.integers(-3, 3),
    st.sampled_from(["r50@2014", "r107@2007", "r134@2006"]),
)
def test_scaling_by_a_power_of_ten_never_changes_a_verdict(
    percent: Decimal, power: int, table: str
) -> None:
    def verdict(scale: int, unit: str) -> Verdict:
        reference = Decimal(200).scaleb(scale)
        shown = reference + percent * 2 * Decimal(1).scaleb(scale)
        test = {"reference": f"{reference:f} {unit}", "indication": f"{shown:f} {unit}"}
        return decided(sheet(table, test, name="1")).verdict

    assert verdict(0, "kg") is verdict(power, "kg") is verdict(3, "g") is verdict(-3, "t")


@given(st.integers(0, 3000), st.integers(1, 500), st.sampled_from([1, -1]))
def test_a_worse_indication_never_turns_nonconforming_into_conforming(
    error: int, more: int, sign: int
) -> None:
    small, large = (sign * Decimal(n) / 1000 for n in (error, error + more))
    verdicts = [decided(gas([str(e), "0", "0"])).verdict for e in (small, large)]
    assert verdicts != [NONCONFORMING, CONFORMING]


@given(st.lists(st.integers(-60, 60), min_size=2, max_size=6), st.integers(0, 5))
def test_the_order_of_indications_never_matters(errors: list[int], turn: int) -> None:
    turned = errors[turn % len(errors) :] + errors[: turn % len(errors)]
    found = [
        decided(catch([f"{500 + Decimal(e) / 100} g" for e in column], name)).tests[0].verdict
        for name in ("XIII", "X(1)")
        for column in (errors, turned)
    ]
    assert found[0] is found[1]
    assert found[2] is found[3]


def test_a_day_before_the_table_is_asked_for_its_edition() -> None:
    given_sheet = gas(["0", "0", "0"])
    given_sheet["table"] = "r137"
    assert decided(given_sheet, on=datetime.date(2026, 11, 24)).table.edition == "2012"
    with pytest.raises(Refused, match="no edition of r137 is in force"):
        decided(given_sheet, on=datetime.date(2011, 12, 31))
