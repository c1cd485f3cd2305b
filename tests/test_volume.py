"""Meters for liquids: errors of volumes, limits of R 117, repeatability as exact ratios."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.evaluation import evaluate
from calibration.refusal import Refused
from calibration.sheet import parse_sheet
from calibration.standard import Standard
from calibration.units import parse_quantity
from calibration.verification import TestResult as Result
from calibration.verification import Verdict, Verification

EXAMPLE = Path(__file__).parent.parent / "examples" / "volume-meter.toml"
CONFORMING, NONCONFORMING, INDETERMINATE = Verdict


def example() -> dict[str, Any]:
    return tomllib.loads(EXAMPLE.read_text(), parse_float=Decimal)


def flow(reference: list[str], indication: list[str], rate: str = "50 L/min") -> dict[str, Any]:
    return {
        "name": "accuracy",
        "flow_rate": rate,
        "reference": reference,
        "indication": indication,
    }


def sheet(*tests: dict[str, Any], **instrument: str) -> dict[str, Any]:
    meter = {"kind": "meter", "serial": "1", "class": "0.5", "mmq": "5 L", **instrument}
    base = {"routine": "volume-meter", "stage": "initial", "date": "2026-11-24"}
    meter = {key.strip("_"): value for key, value in meter.items()}
    return {**base, "instrument": meter, "test": list(tests)}


def decided(given_sheet: dict[str, Any], *register: Standard) -> Verification:
    known = {standard.id: standard for standard in register}
    return evaluate(parse_sheet(given_sheet), standards=known, approved=())


def only(result: Verification, name: str) -> Result:
    (test,) = (test for test in result.tests if test.name == name)
    return test


@pytest.mark.parametrize(
    ("reference", "at_limit", "past", "instrument"),
    [
        ("20.000 L", "20.100 L", "20.101 L", {}),
        ("20.000 L", "19.900 L", "19.899 L", {}),
        ("100.0 L", "100.5 L", "100.6 L", {}),  # in binary floats 100.5 - 100.0 <= 0.5 is luck
        ("20.3 L", "20.4015 L", "20.4016 L", {}),
        ("5.000 L", "5.050 L", "5.051 L", {}),  # Emin = 50 mL, not 0.5 %
        ("4.999 L", "5.049 L", "5.050 L", {}),  # a drop below the minimum quantity
        ("20.000 L", "20.060 L", "20.061 L", {"line": "B"}),
        ("20.000 L", "20.200 L", "20.201 L", {"class_": "1.0"}),
    ],
)
def test_the_limit_itself_conforms_and_the_next_digit_does_not(
    reference: str, at_limit: str, past: str, instrument: dict[str, str]
) -> None:
    if "class_" in instrument:
        instrument = {"class": instrument["class_"]}
    for indication, verdict in ((at_limit, CONFORMING), (past, NONCONFORMING)):
        result = decided(sheet(flow([reference], [indication]), **instrument))
        assert only(result, "accuracy").verdict is verdict


def test_a_failure_names_flow_rate_error_and_limit() -> None:
    given_sheet = example()
    given_sheet["test"][2]["indication"][1] = "24.90 L"
    result = decided(given_sheet)
    assert result.verdict is NONCONFORMING
    assert str(result.reasons[0]) == (
        "accuracy, point 2 at 10 L/min: the error -0.13 L is not within -0.12515 L to 0.12515 L "
        "(R 117-1 2.5.1 Table 2 line A)."
    )
    body = result.to_dict()["tests"][4]
    assert body["flow_rate"] == "10 L/min"
    assert body["points"][1]["relative_error"] == Decimal("-0.519")


@pytest.mark.parametrize(
    ("last", "verdict"), [("100.20 L", CONFORMING), ("100.2001 L", NONCONFORMING)]
)
def test_repeatability_is_two_fifths_of_line_a_to_the_last_digit(
    last: str, verdict: Verdict
) -> None:
    test = flow(["100 L", "100 L", "100 L"], ["100 L", "100.1 L", last])
    result = decided(sheet(test))
    repeatability = only(result, "repeatability")
    assert repeatability.verdict is verdict
    (point,) = repeatability.points
    assert (point.unit, point.upper) == ("%", Decimal("0.2"))
    assert point.error is not None
    assert (point.error <= Decimal("0.2")) is (verdict is CONFORMING)


def test_ratios_without_end_are_compared_without_dividing() -> None:
    # 0.06/30 is exactly 0.2 %, although 1/3 of anything has no decimals
    test = flow(["30 L", "33 L", "36 L"], ["30.06 L", "33 L", "36.05 L"])
    assert only(decided(sheet(test)), "repeatability").verdict is CONFORMING
    test["indication"][1] = "32.9999 L"
    assert only(decided(sheet(test)), "repeatability").verdict is NONCONFORMING


def test_two_runs_are_no_repeatability() -> None:
    result = decided(sheet(flow(["100 L"] * 2, ["100 L"] * 2)))
    assert only(result, "repeatability").verdict is INDETERMINATE
    assert "runs-too-few" in [reason.code for reason in result.reasons]


def test_below_five_minimum_quantities_no_repeatability_is_defined() -> None:
    result = decided(sheet(flow(["24.9 L"] * 3, ["24.9 L"] * 3)))
    assert [test.name for test in result.tests] == ["accuracy"]
    codes = [reason.code for reason in result.reasons]
    assert {"repeatability-undefined", "test-missing"} <= set(codes)
    assert result.verdict is INDETERMINATE


@pytest.mark.parametrize(
    ("rates", "verdict"),
    [
        (["50 L/min", "30 L/min", "10 L/min"], CONFORMING),
        (["50 L/min", "3 m³/h", "10 L/min"], INDETERMINATE),  # 3 m³/h is 50 L/min
        (["50 L/min", "10 L/min"], INDETERMINATE),
    ],
)
def test_three_flow_rates_are_wanted(rates: list[str], verdict: Verdict) -> None:
    tests = [flow(["100 L"] * 3, ["100.1 L"] * 3, rate) for rate in rates]
    assert decided(sheet(*tests)).verdict is verdict


def test_the_correction_of_the_reference_is_applied_exactly() -> None:
    given_sheet = sheet(flow(["100 L"], ["100.05 L"]))
    given_sheet["standards"] = [{"id": "FM-01"}]
    reference = Standard(
        id="FM-01",
        correction=parse_quantity("0.05 %"),
        expanded_uncertainty=parse_quantity("0.05 %"),
    )
    (point,) = only(decided(given_sheet, reference), "accuracy").points
    assert (point.reference, point.error) == (Decimal("100.05"), 0)


@pytest.mark.parametrize(("uncertainty", "adequate"), [("0.1 %", True), ("0.17 %", False)])
def test_the_reference_is_known_to_a_third_of_the_limit(uncertainty: str, adequate: bool) -> None:
    given_sheet = sheet(flow(["100 L"], ["100 L"]))
    given_sheet["standards"] = [{"id": "FM-01"}]
    reference = Standard(id="FM-01", expanded_uncertainty=parse_quantity(uncertainty))
    result = decided(given_sheet, reference)
    assert ("standard-inadequate" not in [r.code for r in result.reasons]) is adequate


@pytest.mark.parametrize(
    ("test", "instrument", "key"),
    [
        (flow(["4.9 L"], ["4.9 L"]), {}, "test[0].reference"),
        (flow(["0 L"], ["5 L"]), {}, "test[0].reference[0]"),
        (flow(["20 L"], ["-20 L"]), {}, "test[0].indication[0]"),
        (flow(["20 L"], ["20 L"]), {"qmax": "40 L/min"}, "test[0].flow_rate"),
        (flow(["20 L"], ["20 L"]), {"qmin": "4 m³/h"}, "test[0].flow_rate"),
        (flow(["20 L"], ["20 L"]), {"line": "C"}, "instrument.line"),
        (flow(["20 L"], ["20 L"]), {"class": "0.4"}, "instrument"),
        (flow(["20 L"], ["20 L"]), {"resolution": "1 L"}, "instrument"),
    ],
)
def test_what_the_law_does_not_know_is_refused_by_its_key(
    test: dict[str, Any], instrument: dict[str, str], key: str
) -> None:
    with pytest.raises(Refused) as refused:
        decided(sheet(test, **instrument))
    assert refused.value.key == key


@given(
    st.lists(
        st.tuples(st.integers(5_000, 200_000), st.integers(-1_200, 1_200)), min_size=3, max_size=5
    ),
    st.sampled_from([("mL", 0), ("L", -3), ("m³", -6), ("cm³", 0)]),
)
def test_units_never_change_a_verdict(rows: list[tuple[int, int]], unit: tuple[str, int]) -> None:
    def verdicts(name: str, shift: int) -> list[str]:
        references = [f"{Decimal(v).scaleb(shift):f} {name}" for v, _ in rows]
        indications = [f"{Decimal(v + error).scaleb(shift):f} {name}" for v, error in rows]
        result = decided(sheet(flow(references, indications)))
        return [f"{test.name} {test.verdict}" for test in result.tests]

    assert verdicts(*unit) == verdicts("mL", 0)
