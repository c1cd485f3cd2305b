"""Measures of length: errors at marks, between them and of intervals, temperature, force, refusals."""

import math
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import GTC
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.evaluation import evaluate
from calibration.legal_table import legal_table
from calibration.refusal import Refused
from calibration.sheet import parse_sheet
from calibration.units import parse_quantity
from calibration.verification import TestResult, Verdict, Verification

EXAMPLE = Path(__file__).parent.parent / "examples" / "length-measure.toml"
CONFORMING, NONCONFORMING, INDETERMINATE = Verdict
R35 = legal_table("r35@2007").digest
BENCH = {
    "id": "B",
    "due": "2030-01-01",
    "reference_temperature": "20 °C",
    "expansion": "0.0000115 1/K",
    "correction": "0 mm",
    "expanded_uncertainty": "0.01 mm",
    "interval": "0.01 mm",
}
THERMOMETER = {"id": "T", "due": "2030-01-01", "expanded_uncertainty": "0.2 K"}


def sheet(*tests: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A rigid rule of 2 m at 20 °C, class II, unless said otherwise."""
    standards = more.pop("standards", (BENCH, THERMOMETER))
    stage = more.pop("stage", "initial")
    instrument = {
        "kind": "meter kayu",
        "serial": "1",
        "class": "II",
        "length": "2 m",
        "form": "rigid",
        "material": "kayu",
        "expansion": "0.000005 1/K",
        "expansion_source": "contoh",
        "reference_temperature": "20 °C",
    }
    return {
        "routine": "length-measure",
        "stage": stage,
        "date": "2026-11-24",
        "instrument": {**instrument, **more},
        "standards": list(standards),
        "test": list(tests),
    }


def marks(nominal: Any, deviation: Any, **more: Any) -> dict[str, Any]:
    test = {"name": "marks", "begins": "mark", "nominal": nominal, "temperature": "20 °C"}
    return {**test, "deviation": deviation, "standard_temperature": "20 °C", **more}


def intervals(nominal: str, lengths: list[str], **more: Any) -> dict[str, Any]:
    test = {"name": "intervals", "nominal": nominal, "temperature": "20 °C"}
    return {**test, "reference": lengths, "standard_temperature": "20 °C", **more}


def decided(given_sheet: dict[str, Any]) -> Verification:
    return evaluate(parse_sheet(given_sheet), standards={}, approved=[R35])


def named(result: Verification, name: str) -> TestResult:
    return next(test for test in result.tests if test.name == name)


def codes(result: Verification) -> list[str]:
    return [reason.code for reason in result.reasons]


def key_of(given_sheet: dict[str, Any]) -> str:
    with pytest.raises(Refused) as refused:
        decided(given_sheet)
    return str(refused.value.key)


def example() -> dict[str, Any]:
    return tomllib.loads(EXAMPLE.read_text("utf-8"), parse_float=Decimal)


def test_the_example_conforms_and_is_legal() -> None:
    result = decided(example())
    assert result.verdict is CONFORMING
    assert result.legal
    assert [test.name for test in result.tests] == [
        "marks", "between-marks", "intervals", "interval-differences",
    ]  # fmt: skip
    for point in named(result, "marks").points:
        assert point.expanded_uncertainty is not None
        assert point.budget
    worse = example()
    worse["test"][0]["deviation"][0] = "1.30 mm"  # the mean of both runs is beyond 0.7 mm
    assert decided(worse).verdict is NONCONFORMING


@pytest.mark.parametrize(
    ("name", "nominal", "begins", "stage", "limit"),
    [
        ("I", "1 m", "mark", "initial", "0.2"),
        ("I", "2 m", "surface", "initial", "0.4"),
        ("II", "1 m", "mark", "initial", "0.5"),
        ("II", "1001 mm", "mark", "initial", "0.7"),  # L rounds up to 2 m
        ("II", "50 cm", "surface", "initial", "0.7"),
        ("III", "2 m", "mark", "initial", "1.4"),
        ("III", "2 m", "surface", "in_service", "3.4"),
    ],
)
def test_the_limit_itself_conforms_and_the_next_digit_does_not(
    name: str, nominal: str, begins: str, stage: str, limit: str
) -> None:
    past = Decimal(limit) + Decimal("0.0001")
    for error, verdict in (
        (Decimal(limit), CONFORMING),
        (-Decimal(limit), CONFORMING),
        (past, NONCONFORMING),
        (-past, NONCONFORMING),
    ):
        test = marks(nominal, f"{error} mm", begins=begins)
        result = decided(sheet(test, stage=stage, **{"class": name}))
        assert named(result, "marks").verdict is verdict
        assert named(result, "marks").points[0].error == -error  # the mark lies beyond: too long
        assert result.provisional is (stage == "in_service")


def test_between_two_marks_the_limit_holds_too() -> None:
    # right at 1 m and at 2 m from the beginning, and 1.1 mm too short between them
    result = decided(sheet(marks(["1 m", "2 m"], ["0.5 mm", "-0.6 mm"])))
    assert named(result, "marks").verdict is CONFORMING
    assert named(result, "between-marks").verdict is NONCONFORMING
    assert result.verdict is NONCONFORMING
    assert str(result.reasons[0]) == (
        "the distance between the marks at 1000 mm and 2000 mm: the error 1.1 mm is beyond 0.5 mm "
        "(R 35-1 MPE a + bL)."
    )
    at_limit = decided(sheet(marks(["1 m", "2 m"], ["0.2 mm", "-0.3 mm"])))
    assert at_limit.verdict is CONFORMING
    # the worst pair need not be that of neighbours: limit 0.5 over 0.5 m and over 1 m
    far = decided(
        sheet(marks(["0.5 m", "1 m", "1.5 m", "2 m"], ["0.3 mm", "0 mm", "-0.3 mm", "0 mm"]))
    )
    assert [p.verdict for p in named(far, "between-marks").points] == [
        CONFORMING, NONCONFORMING, CONFORMING,
    ]  # fmt: skip


def test_a_terminal_surface_widens_no_distance_between_marks() -> None:
    test = marks(["1 m", "2 m"], ["0.7 mm", "0.1 mm"], begins="surface")
    result = decided(sheet(test))
    assert named(result, "marks").verdict is CONFORMING
    assert named(result, "between-marks").points[0].upper == Decimal("0.5")
    assert result.verdict is NONCONFORMING


@pytest.mark.parametrize(
    ("name", "interval", "limit"),
    [("I", "1 mm", "0.1"), ("II", "1 cm", "0.4"), ("III", "1.1 mm", "0.6"), ("III", "1 mm", "0.3")],
)
def test_consecutive_marks_have_their_own_limit(name: str, interval: str, limit: str) -> None:
    size = parse_quantity(interval).to("mm").magnitude
    whole = marks("2 m", "0 mm")
    for error in (Decimal(limit), Decimal(limit) + Decimal("0.0001")):
        shown = [f"{size} mm", f"{size + error} mm"]
        result = decided(sheet(intervals(interval, shown), whole, **{"class": name}))
        verdict = CONFORMING if error == Decimal(limit) else NONCONFORMING
        assert named(result, "intervals").verdict is verdict
        assert named(result, "interval-differences").verdict is verdict


def test_neighbouring_intervals_may_not_differ_by_more_than_the_limit() -> None:
    shown = ["1.15 mm", "0.94 mm", "1 mm"]
    result = decided(sheet(intervals("1 mm", shown), marks("2 m", "0 mm")))
    assert named(result, "intervals").verdict is CONFORMING
    found = named(result, "interval-differences")
    assert [point.verdict for point in found.points] == [NONCONFORMING, CONFORMING]
    assert "intervals 1 and 2 differ by -0.21 mm, more than 0.2 mm (R 35-1 Table 2)." in map(
        str, result.reasons
    )
    assert key_of(sheet(intervals("2 cm", ["20 mm"]))) == "test[0].nominal[0]"
    assert key_of(sheet(intervals("1 mm", ["1 mm"], begins="mark"))) == "test[0].begins"


# ---- temperature


def test_both_expansions_and_temperatures_enter_the_length() -> None:
    steel = {**BENCH, "expansion": "0.0000115 1/K"}
    test = marks("2 m", "0 mm", temperature="30 °C", standard_temperature="28 °C")
    found = decided(sheet(test, standards=(steel, THERMOMETER))).tests[0].points[0]
    length = 2000 * (1 + 11.5e-6 * 8) / (1 + 5e-6 * 10)
    assert float(found.reference or 0) == pytest.approx(length, abs=1e-5)
    assert float(found.error or 0) == pytest.approx(2000 - length, abs=1e-5)


def test_of_the_same_material_at_the_same_temperature_nothing_is_left() -> None:
    test = marks("2 m", "0.1 mm", temperature="31 °C", standard_temperature="31 °C")
    found = decided(sheet(test, expansion="0.0000115 1/K")).tests[0].points[0]
    assert found.error == Decimal("-0.1")


def test_the_room_may_give_the_temperature_and_a_guess_is_said() -> None:
    test = marks("2 m", "0 mm")
    del test["temperature"], test["standard_temperature"]
    given_sheet = sheet(test)
    assert key_of(given_sheet) == "test[0].temperature"
    given_sheet["environment"] = {"temperature": "25 °C"}
    result = decided(given_sheet)
    assert "standard-temperature" in codes(result)
    length = 2000 * (1 + 11.5e-6 * 5) / (1 + 5e-6 * 5)
    assert float(result.tests[0].points[0].reference or 0) == pytest.approx(length, abs=1e-5)


@pytest.mark.parametrize(
    ("marked", "verdict", "code"),
    [
        ({}, INDETERMINATE, "reference-temperature-marking-unknown"),
        (
            {"reference_temperature_marked": False},
            NONCONFORMING,
            "reference-temperature-not-marked",
        ),
        ({"reference_temperature_marked": True}, CONFORMING, None),
    ],
)
def test_another_reference_temperature_is_marked_on_the_measure(
    marked: dict[str, bool], verdict: Verdict, code: str | None
) -> None:
    test = marks("2 m", "0 mm", temperature="28 °C")
    result = decided(sheet(test, reference_temperature="28 °C", **marked))
    assert result.verdict is verdict
    assert code is None or code in codes(result)
    assert not [t for t in decided(sheet(test)).tests if t.name == "reference-temperature"]


# ---- what the law wants


@pytest.mark.parametrize(
    ("instrument", "applied", "code"),
    [
        ({"form": "tape", "length": "5 m"}, {"tension": "50 N"}, None),
        ({"form": "tape", "length": "5 m"}, {"tension": "0.05 kN"}, None),
        ({"form": "tape", "length": "5 m"}, {}, "tension-missing"),
        ({"form": "tape", "length": "5 m"}, {"tension": "49 N"}, "tension-other"),
        (
            {"form": "tape", "length": "5 m", "tension": "20 N"},
            {"tension": "50 N"},
            "tension-other",
        ),
        ({"form": "tape", "length": "5 m", "tension": "20 N"}, {"tension": "20 N"}, None),
        ({"form": "tape", "length": "4.999 m"}, {}, None),
        ({"form": "tape", "length": "3 m", "tension": "20 N"}, {}, "tension-missing"),
        ({"form": "rigid", "length": "5 m"}, {}, None),
        ({"form": "semi-rigid", "length": "5 m"}, {}, None),
    ],
)
def test_a_long_tape_is_pulled(
    instrument: dict[str, str], applied: dict[str, str], code: str | None
) -> None:
    test = marks(instrument["length"], "0 mm", **applied)
    result = decided(sheet(test, **instrument))
    assert result.verdict is (CONFORMING if code is None else INDETERMINATE)
    assert code is None or code in codes(result)


def test_the_whole_length_is_wanted() -> None:
    result = decided(sheet(marks("1 m", "0 mm")))
    assert result.verdict is INDETERMINATE
    assert "the whole length of 2 m was not tested (R 35-1 MPE a + bL)." in map(str, result.reasons)
    assert decided(sheet()).verdict is INDETERMINATE
    beyond = decided(sheet(marks("1 m", "0.6 mm")))
    assert beyond.verdict is NONCONFORMING


def test_the_mean_of_runs_is_judged_as_an_exact_ratio() -> None:
    three = marks(["1 m", "2 m"], ["0.5 mm", "0 mm"] * 3, runs=3)
    assert decided(sheet(three)).verdict is CONFORMING
    three["deviation"][4] = "0.5001 mm"  # the mean is beyond by a third of the last digit
    result = decided(sheet(three))
    assert result.verdict is NONCONFORMING
    error = named(result, "marks").points[0].error
    assert error is not None
    assert error < Decimal("-0.5")


# ---- refusals


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"nominal": ["2 m", "1 m"], "deviation": ["0 mm"] * 2}, "test[0].nominal[1]"),
        ({"nominal": ["1 m", "1 m"], "deviation": ["0 mm"] * 2}, "test[0].nominal[1]"),
        ({"nominal": "0 m"}, "test[0].nominal[0]"),
        ({"nominal": "2.001 m"}, "test[0].nominal[0]"),
        ({"nominal": "2 kg"}, "test[0].nominal"),
        ({"deviation": ["0 mm", "0 mm"]}, "test[0].deviation"),
        ({"deviation": ["0 mm"] * 3, "runs": 2}, "test[0].deviation"),
        ({"deviation": "-2.1 m"}, "test[0].deviation[0]"),
        ({"reference": "2 m"}, "test[0]"),
        ({"begins": "hook"}, "test[0].begins"),
        ({"temperature": ["20 °C", "21 °C"]}, "test[0].temperature"),
        ({"temperature": "80 °C"}, "test[0]"),
        ({"pull": "50 N"}, "test[0].pull"),
        ({"standard": "Z"}, "test[0].standard"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(change: dict[str, Any], key: str) -> None:
    assert key_of(sheet({**marks("2 m", "0 mm"), **change})) == key


def test_marks_that_go_back_on_the_reference_are_refused() -> None:
    test = marks(["1 m", "2 m"], None)
    del test["deviation"]
    assert key_of(sheet({**test, "reference": ["2000 mm", "1000 mm"]})) == "test[0].reference[1]"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"class": "IV"}, "instrument.class"),
        ({"stage": "subsequent"}, "stage"),
        ({"form": "string"}, "instrument.form"),
        ({"length": "0 m"}, "instrument.length"),
    ],
)
def test_an_instrument_that_the_law_does_not_know_is_refused(
    change: dict[str, Any], key: str
) -> None:
    assert key_of(sheet(marks("2 m", "0 mm"), **change)) == key


@pytest.mark.parametrize(
    "missing", ["length", "expansion", "expansion_source", "reference_temperature", "material"]
)
def test_what_is_never_assumed_is_wanted(missing: str) -> None:
    given_sheet = sheet(marks("2 m", "0 mm"))
    del given_sheet["instrument"][missing]
    assert key_of(given_sheet) == f"instrument.{missing}"


@pytest.mark.parametrize("missing", ["expansion", "reference_temperature"])
def test_a_reference_of_unknown_growth_is_refused(missing: str) -> None:
    bare = {name: text for name, text in BENCH.items() if name != missing}
    with pytest.raises(Refused, match="neither is ever assumed"):
        decided(sheet(marks("2 m", "0 mm"), standards=(bare, THERMOMETER)))


# ---- standards


CERTIFICATE = {
    **{name: text for name, text in BENCH.items() if name != "correction"},
    "point": [
        {"nominal": "1 m", "value": "1000.1 mm", "expanded_uncertainty": "0.02 mm"},
        {"nominal": "2 m", "correction": "0.3 mm", "expanded_uncertainty": "0.04 mm"},
    ],
}


def test_the_certificate_is_interpolated_and_begins_at_zero() -> None:
    nominal = ["0.5 m", "1.5 m", "2 m"]
    test = marks(nominal, ["0 mm"] * 3)
    del test["deviation"]
    test["reference"] = ["500 mm", "1500 mm", "1999.9 mm"]
    points = decided(sheet(test, standards=(CERTIFICATE, THERMOMETER))).tests[0].points
    assert [point.reference for point in points] == [
        Decimal("500.05"), Decimal("1500.2"), Decimal("2000.19998"),
    ]  # fmt: skip
    assert (
        key_of(sheet(marks("2 m", "0.1 mm"), standards=(CERTIFICATE, THERMOMETER)))
        == "test[0].reference[0]"
    )  # 2000.1 mm lies beyond the certificate


@pytest.mark.parametrize(
    ("standards", "code"),
    [
        (({**BENCH, "due": "2026-11-23"}, THERMOMETER), "standard-expired"),
        (({**BENCH, "expanded_uncertainty": "0.24 mm"}, THERMOMETER), "standard-inadequate"),
        ((BENCH,), "thermometer-none"),
    ],
)
def test_a_bad_standard_gives_no_legal_verdict(standards: Any, code: str) -> None:
    result = decided(sheet(marks("2 m", "0 mm"), standards=standards))
    assert result.verdict is CONFORMING
    assert not result.legal
    assert code in codes(result)


def test_a_reference_without_an_uncertainty_is_not_assessed() -> None:
    bare = {name: text for name, text in BENCH.items() if name != "expanded_uncertainty"}
    result = decided(sheet(marks("2 m", "0 mm"), standards=(bare, THERMOMETER)))
    assert "standard-not-assessed" in codes(result)
    assert result.tests[0].points[0].expanded_uncertainty is None
    by_class = {**bare, "mpe": "0.05 mm"}
    del by_class["correction"]
    result = decided(sheet(marks("2 m", "0 mm"), standards=(by_class, THERMOMETER)))
    assert result.legal
    del by_class["mpe"]
    with pytest.raises(Refused, match="neither a correction nor"):
        decided(sheet(marks("2 m", "0 mm"), standards=(by_class, THERMOMETER)))


def test_the_budget_agrees_with_gtc() -> None:
    standard = {**CERTIFICATE, "drift": "0.02 mm"}
    test = marks("2 m", "0 mm", temperature="30.1 °C", standard_temperature="28.4 °C")
    result = decided(
        sheet(test, standards=(standard, THERMOMETER), expansion_uncertainty="0.000001 1/K")
    )
    point = result.tests[0].points[0]
    u_t = math.hypot(0.1, 0.1 / math.sqrt(12))
    read = GTC.ureal(2000.3, 0.02) + GTC.ureal(0, 0.02 / math.sqrt(3))
    read += GTC.ureal(0, 0.01 / math.sqrt(6))
    a_r, a = GTC.ureal(1.15e-5, 5e-8 / math.sqrt(3)), GTC.ureal(5e-6, 5e-7)
    t_r, t = GTC.ureal(28.4, u_t), GTC.ureal(30.1, u_t)
    length = read * (1 + a_r * (t_r - 20)) / (1 + a * (t - 20))
    error = 2000 - length - GTC.ureal(0, 1e-5 / math.sqrt(12))
    assert float(point.error or 0) == pytest.approx(GTC.value(error), abs=1e-5)
    u = math.sqrt(sum(float(str(row["contribution"])) ** 2 for row in point.budget))
    assert u == pytest.approx(GTC.uncertainty(error), rel=1e-5)


# ---- laws


@given(
    st.lists(st.integers(-900, 900), min_size=2, max_size=4),
    st.sampled_from(["I", "II", "III"]),
    st.sampled_from(["mark", "surface"]),
)
def test_units_never_change_a_verdict(errors: list[int], name: str, begins: str) -> None:
    nominal = [Decimal(500 * (place + 1)) for place in range(len(errors))]

    def verdict(convert: Callable[[Decimal], str]) -> Verdict:
        deviations = [convert(Decimal(error) / 1000) for error in errors]
        test = marks([convert(n) for n in nominal], deviations, begins=begins)
        return decided(sheet(test, length=convert(nominal[-1]), **{"class": name})).verdict

    in_mm = verdict(lambda n: f"{n} mm")
    assert in_mm is verdict(lambda n: f"{n.scaleb(-3):f} m")
    assert in_mm is verdict(lambda n: f"{n.scaleb(-1):f} cm")
    assert in_mm is verdict(lambda n: f"{n.scaleb(3):f} µm")


@given(st.integers(0, 1500), st.integers(1, 500), st.sampled_from([1, -1]))
def test_a_worse_mark_never_turns_nonconforming_into_conforming(
    error: int, more: int, sign: int
) -> None:
    found = [
        decided(sheet(marks("2 m", f"{sign * Decimal(n) / 1000} mm"))).verdict
        for n in (error, error + more)
    ]
    assert found != [NONCONFORMING, CONFORMING]
