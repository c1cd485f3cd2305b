"""Weights: differences free of drift, buoyancy, the guard band of R 111, and what it refuses."""

import copy
import json
import math
import tomllib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import GTC
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.case import Case
from calibration.draft import Findings
from calibration.evaluation import evaluate
from calibration.grid import off_grid
from calibration.legal_table import legal_table
from calibration.mass import REFERENCE_DENSITY
from calibration.national import national_settings
from calibration.refusal import Refused
from calibration.rounding import rounded_up
from calibration.routines.weights import weights_findings
from calibration.sheet import parse_sheet
from calibration.standard import Standard
from calibration.units import parse_quantity
from calibration.verification import PointResult, Verdict, Verification

EXAMPLE = Path(__file__).parent.parent / "examples" / "weights.toml"
CONFORMING, NONCONFORMING, INDETERMINATE = Verdict
R111 = legal_table("r111@2004").digest

ROOM = {
    "temperature": "20 °C",
    "temperature_uncertainty": "0.4 K",
    "pressure": "1005 hPa",
    "pressure_uncertainty": "1 hPa",
    "humidity": "55 %",
    "humidity_uncertainty": "5 %",
}
COMPARATOR = {
    "id": "K",
    "d": "0.01 mg",
    "eccentricity": "0.02 mg",
    "standard_deviation": "0.05 mg",
    "degrees_of_freedom": 20,
}
STEEL = {"density": "7950 kg/m³", "density_uncertainty": "140 kg/m³"}


def reference(nominal: str = "1 kg", u: str = "0.5 mg", **more: Any) -> dict[str, Any]:
    point = {"nominal": nominal, "correction": "0 mg", "expanded_uncertainty": u}
    return {
        "id": "R",
        "class": "E2",
        "due": "2027-01-01",
        **STEEL,
        "point": [{**point, "drift": "0.1 mg"}],
        **more,
    }


def abba(*differences: str, nominal: str = "1 kg", unit: str = "mg", **more: Any) -> dict[str, Any]:
    """Make a test whose cycles come to these differences."""
    zero, shown = [f"0 {unit}"] * len(differences), [f"{value} {unit}" for value in differences]
    columns = {"A1": zero, "B1": shown, "B2": shown, "A2": zero}
    return {
        "name": "conventional mass",
        "nominal": nominal,
        "cycle": "ABBA",
        **columns,
        **more,
    }


def sheet(*tests: dict[str, Any], **more: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "routine": "weights",
        "stage": "initial",
        "date": "2026-11-24",
        "instrument": {"kind": "anak timbangan", "serial": "1", "class": "F1", **STEEL},
        "comparator": [dict(COMPARATOR)],
        "standards": [reference()],
        "environment": dict(ROOM),
        "test": list(tests),
    }
    return {**base, **more}


def of_class(accuracy_class: str, **more: str) -> dict[str, str]:
    return {"kind": "anak timbangan", "serial": "1", "class": accuracy_class, **more}


def decided(given_sheet: dict[str, Any], *register: Standard, approved: Any = ()) -> Verification:
    known = {standard.id: standard for standard in register}
    return evaluate(parse_sheet(given_sheet), standards=known, approved=approved)


def found(given_sheet: dict[str, Any]) -> Findings:
    parsed = parse_sheet(given_sheet)
    standards = tuple(entry.standard for entry in parsed.standards)
    table = legal_table(parsed.table or "r111")
    return weights_findings(
        Case(parsed.body, parsed.stage, parsed.date, table, standards, parsed.environment)
    )


def only(result: Verification) -> PointResult:
    (test,) = result.tests
    (point,) = test.points
    return point


def codes(result: Verification) -> list[str]:
    return [reason.code for reason in result.reasons]


# ---- the worked example EA-4/02 S2: 10 kg of class M1 against class F2


def ea_s2(**comparator: str) -> dict[str, Any]:
    """Make the sheet of EA-4/02 S2: mS 10 000.005 g, three ABBA cycles, mean difference 0.020 g.

    Published figures are the mean and the budget; single indications that come to that mean are
    from general knowledge of the example.
    """
    point = {"nominal": "10 kg", "value": "10000.005 g", "expanded_uncertainty": "45 mg"}
    standard = {"id": "S", "class": "F2", "due": "2027-01-01", "drift": "15 mg", "point": [point]}
    columns = {
        "A1": ["0.010 g", "0.025 g", "0.025 g"],
        "B1": ["0.020 g", "0.050 g", "0.045 g"],
        "B2": ["0.025 g", "0.055 g", "0.040 g"],
        "A2": ["0.015 g", "0.020 g", "0.020 g"],
    }
    test = {
        "name": "conventional mass",
        "nominal": "10000 g",
        "cycle": "ABBA",
        **columns,
        "buoyancy_limit": "10 mg",
    }
    scale = {
        "id": "K",
        "eccentricity": "10 mg",
        "standard_deviation": "25 mg",
        "degrees_of_freedom": 100,
        **comparator,
    }
    return sheet(test, instrument=of_class("M1"), standards=[standard], comparator=[scale])


def test_ea_4_02_s2_comes_out_of_the_routine() -> None:
    (draft,) = found(ea_s2()).tests
    assert draft.budget is not None
    assert draft.points[0].error == 25
    assert np.asarray(draft.budget.value) == pytest.approx(10_000_025, rel=1e-15)
    evaluated = draft.budget.expanded_uncertainty()
    assert evaluated.combined[0] == pytest.approx(29.261749776799, rel=1e-9)
    result = decided(ea_s2(d="1 mg"))
    (test,) = result.tests
    assert test.conditions["conventional_mass"].startswith("10000.025 g ± 5")
    assert only(result).expanded_uncertainty in (58, 59)
    assert result.verdict is CONFORMING


def test_a_resolution_that_is_not_stated_leaves_the_verdict_open() -> None:
    result = decided(ea_s2())
    assert result.verdict is INDETERMINATE
    assert codes(result)[0] == "comparator-unstated"


# ---- the decision: R 111-1 5.2 and 5.3


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(
    ("accuracy_class", "limit", "more"),
    [("M1", "50", {"buoyancy_limit": "1 mg"}), ("M2", "160", {"buoyancy_limit": "0 mg"})],
)
def test_the_limit_less_u_itself_conforms_and_the_next_digit_does_not(
    side: int, accuracy_class: str, limit: str, more: dict[str, str]
) -> None:
    def at(error: Decimal) -> Verification:
        test = abba(f"{error:f}", **more)
        return decided(sheet(test, instrument=of_class(accuracy_class)))

    (draft,) = found(sheet(abba("0", **more), instrument=of_class(accuracy_class))).tests
    assert draft.budget is not None
    (u,) = off_grid(*rounded_up(draft.budget.expanded_uncertainty().expanded))
    edge = (Decimal(limit) - u) // Decimal("0.01") * Decimal("0.01")  # last digit of the scale
    at_edge, past = at(side * edge), at(side * (edge + Decimal("0.01")))
    assert only(at_edge).error == side * edge
    assert (at_edge.verdict, past.verdict) == (CONFORMING, NONCONFORMING)
    assert past.reasons[0].code == "error-beyond-guarded-limit"
    assert "at 1 kg" in str(past.reasons[0])
    beyond_mpe = at(side * (Decimal(limit) + Decimal("0.01")))
    assert beyond_mpe.verdict is NONCONFORMING


@pytest.mark.parametrize(
    ("u", "difference", "verdict", "code"),
    [
        ("1.6 mg", "0", CONFORMING, None),
        ("1.7 mg", "0", INDETERMINATE, "uncertainty-too-large"),
        ("1.7 mg", "4.9", INDETERMINATE, "uncertainty-too-large"),
        ("1.7 mg", "6.5", INDETERMINATE, "uncertainty-too-large"),
        ("1.7 mg", "7.5", NONCONFORMING, "error-beyond-guarded-limit"),
    ],
)
def test_an_uncertainty_above_a_third_of_the_limit_decides_only_what_is_plain(
    u: str, difference: str, verdict: Verdict, code: str | None
) -> None:
    result = decided(sheet(abba(difference), standards=[reference(u=u)]))
    assert result.verdict is verdict
    assert result.decision_rule == "R 111"
    assert code is None or code in codes(result)


@pytest.mark.parametrize(
    ("accuracy_class", "cycle", "wanted"),
    [
        *[(name, "ABBA", n) for name, n in (("E1", 3), ("E2", 2), ("F1", 1), ("F2", 1))],
        *[(name, "ABA", n) for name, n in (("E1", 5), ("E2", 3), ("F1", 2), ("F2", 1))],
        *[(name, "AB1..BnA", n) for name, n in (("E1", 5), ("E2", 3), ("F1", 2), ("F2", 1))],
        *[(name, cycle, 1) for name in ("M1", "M2", "M3") for cycle in ("ABBA", "ABA", "AB1..BnA")],
    ],
)
def test_each_class_wants_its_cycles(accuracy_class: str, cycle: str, wanted: int) -> None:
    columns = ["A1", "B1", "B2", "A2"] if cycle == "ABBA" else ["A1", "B1", "A2"]
    for cycles in range(max(1, wanted - 1), wanted + 2):
        test: dict[str, Any] = {
            "name": "conventional mass",
            "nominal": "1 kg",
            "identification": "1",
            "cycle": cycle,
            **{name: ["0 mg"] * cycles for name in columns},
        }
        instrument = of_class(accuracy_class, **STEEL)
        quiet = {**COMPARATOR, "d": "0.001 mg", "standard_deviation": "0.005 mg"}
        quiet["eccentricity"] = "0 mg"
        point = {"nominal": "1 kg", "correction": "0 mg", "expanded_uncertainty": "0.05 mg"}
        standard = reference(point=[{**point, "drift": "0.01 mg"}])
        del standard["class"]
        result = decided(
            sheet(test, instrument=instrument, comparator=[quiet], standards=[standard])
        )
        if cycles < wanted:
            assert result.verdict is INDETERMINATE
            assert f"{cycles} cycles {cycle} were weighed and class {accuracy_class} wants" in str(
                result.reasons[0]
            )
            assert "C.2" in str(result.reasons[0])
        else:
            assert result.verdict is CONFORMING


def test_a_set_fails_with_one_weight_and_says_which() -> None:
    data = example()
    assert decided(copy.deepcopy(data)).verdict is CONFORMING
    data["test"][2]["B2"] = ["-0.010 g", "-0.011 g", "-0.010 g"]
    result = decided(data)
    assert [test.verdict for test in result.tests] == [
        CONFORMING,
        CONFORMING,
        NONCONFORMING,
        CONFORMING,
    ]
    assert [point.verdict for point in result.tests[2].points] == [CONFORMING, NONCONFORMING]
    assert str(result.reasons[0]).startswith("conventional mass, point 2 at 200 g 200, 200*: ")
    assert result.verdict is NONCONFORMING


# ---- the weighings


def test_linear_drift_of_the_comparator_leaves_no_trace() -> None:
    still = abba("1.20", "1.30")
    drifting = copy.deepcopy(still)
    for place, name in enumerate(("A1", "B1", "B2", "A2")):
        shown = [Decimal(text.split()[0]) + place * Decimal("0.07") for text in still[name]]
        drifting[name] = [f"{value} mg" for value in shown]
    assert only(decided(sheet(drifting))).error == only(decided(sheet(still))).error


def test_a_series_gives_each_weight_what_a_cycle_of_its_own_gives() -> None:
    columns = {"A1": ["0 mg", "0 mg"], "B1": ["1.00 mg", "1.10 mg"], "B2": ["2.00 mg", "2.02 mg"]}
    series = {
        "name": "conventional mass",
        "nominal": "1 kg",
        "identification": ["a", "b"],
        "cycle": "AB1..BnA",
        **columns,
        "A2": ["0 mg", "0 mg"],
    }
    (test,) = decided(sheet(series)).tests
    for point, name in zip(test.points, ("B1", "B2"), strict=True):
        single = {**series, "cycle": "ABA", "identification": name, "B1": columns[name]}
        del single["B2"]
        alone = only(decided(sheet(single)))
        assert (point.error, point.expanded_uncertainty) == (
            alone.error,
            alone.expanded_uncertainty,
        )


def test_a_sensitivity_weight_scales_the_difference_and_its_doubt() -> None:
    weight = {
        "sensitivity_weight": "100 mg",
        "sensitivity_weight_uncertainty": "0.2 mg",
        "sensitivity_change": "98 mg",
    }
    plainly = only(decided(sheet(abba("0.98"))))
    scaled = only(decided(sheet(abba("0.98", **weight))))
    assert plainly.error is not None
    assert scaled.error is not None
    assert scaled.error - plainly.error == Decimal("0.02")
    (row,) = (r for r in scaled.budget if r["quantity"] == "sensitivity of the comparator")
    change = 0.01 / math.sqrt(6) / 98  # two indications of resolution d
    doubt = 1.0 * math.hypot(0.1 / 100, change)
    assert float(row["standard_uncertainty"]) == pytest.approx(doubt, rel=1e-5)  # type: ignore[arg-type]


def test_one_cycle_without_a_known_scatter_decides_nothing() -> None:
    scale = {k: v for k, v in COMPARATOR.items() if "deviation" not in k and "degrees" not in k}
    for difference in ("0", "90"):
        result = decided(sheet(abba(difference), comparator=[scale]))
        assert result.verdict is INDETERMINATE
        assert codes(result)[0] == "scatter-unknown"
        assert only(result).expanded_uncertainty is None
    # three cycles know it: s/√3 with two degrees of freedom, and the t quantile that belongs to them
    cycles, standard = abba("0.1", "0.2", "0.3"), reference(u="0.05 mg")
    result = decided(sheet(cycles, comparator=[scale], standards=[standard]))
    assert result.verdict is CONFORMING
    (row,) = (r for r in only(result).budget if r["quantity"] == "weighed difference")
    assert (row["standard_uncertainty"], row["degrees_of_freedom"]) == (Decimal("0.057735"), 2)
    assert only(result).k > 2  # type: ignore[operator]


def test_weighings_that_scatter_more_than_the_pooled_deviation_allows_decide_nothing() -> None:
    # F_0.95(1, 20) = 4.351: s up to 0.05 mg * 2.086 = 0.1043 mg, differences up to 0.1475 mg apart
    calm, wild = (decided(sheet(abba("0.00", apart))) for apart in ("0.14", "0.15"))
    assert calm.verdict is CONFORMING
    assert wild.verdict is INDETERMINATE
    assert codes(wild)[0] == "scatter-too-large"
    assert wild.provisional  # the number of the F test is not confirmed
    assert not calm.provisional
    far = decided(sheet(abba("90.00", "90.15")))
    assert far.verdict is INDETERMINATE  # an uncertainty that is not known decides neither way


# ---- reference weight, air and densities


def test_a_drift_that_is_not_stated_leaves_the_verdict_open() -> None:
    standard = reference()
    del standard["point"][0]["drift"]
    result = decided(sheet(abba("0"), standards=[standard]))
    assert result.verdict is INDETERMINATE
    assert codes(result)[0] == "drift-unstated"
    standard["drift"] = "0.1 mg"
    assert decided(sheet(abba("0"), standards=[standard])).verdict is CONFORMING


def test_the_value_of_the_reference_weight_counts() -> None:
    point = {"nominal": "1 kg", "value": "1000.0012 g", "expanded_uncertainty": "0.5 mg"}
    standard = reference(point=[{**point, "drift": "0.1 mg"}])
    with_value = only(decided(sheet(abba("0"), standards=[standard])))
    without = only(decided(sheet(abba("0"))))
    assert with_value.reference == Decimal("1000001.2")
    assert with_value.error == without.error + Decimal("1.2")  # type: ignore[operator]
    single = {**reference(), "nominal": "1 kg", "correction": "1.2 mg", "drift": "0.1 mg"}
    single["expanded_uncertainty"] = "0.5 mg"
    del single["point"]
    assert only(decided(sheet(abba("0"), standards=[single]))).error == with_value.error


def test_a_reference_known_by_its_class_is_its_nominal_value_within_the_limit() -> None:
    weight = {"id": "R", "class": "E2", "due": "2027-01-01", "nominal": "1 kg"}
    test = abba("10", buoyancy_limit="1 mg")
    result = decided(sheet(test, instrument=of_class("M1"), standards=[weight]))
    (row, *_) = only(result).budget
    assert row["quantity"] == "reference weight R, nominal value"
    assert row["standard_uncertainty"] == Decimal("0.92376")  # 1.6 mg / √3
    assert result.verdict is CONFORMING
    weight["mpe"] = "3 mg"
    (row, *_) = only(decided(sheet(test, instrument=of_class("M1"), standards=[weight]))).budget
    assert row["standard_uncertainty"] == Decimal("1.73205")


def test_the_budget_agrees_with_gtc() -> None:
    data = example()
    data["test"] = [data["test"][3]]  # 10 g, ABA, sensitivity weight, air of each cycle
    (draft,) = found(data).tests
    assert draft.budget is not None
    t, p, h = GTC.ureal(0, 0.25), GTC.ureal(1005, 0.5), GTC.ureal(74, 2.5)
    cycles = [_cipm2007(temperature + t, p, h) for temperature in (28.3, 28.5)]
    # beyond 27 °C the formula knows 1e-4, and the worst of the cycles stands for the mean
    doubt = max(math.hypot(cycle.u, 1e-4 * cycle.x) for cycle in cycles)
    air = GTC.ureal(sum(cycle.x for cycle in cycles) / 2, doubt)
    test, ref, mcr = GTC.ureal(8400, 85), GTC.ureal(7950, 70), GTC.ureal(10_000.08, 0.1)
    factor = GTC.ureal(20, 0.01) / GTC.ureal(20.01, 0.01 / math.sqrt(6))
    # the pooled deviation is of a difference in mg, not of one still to be scaled
    shown = GTC.ureal((0.605 + 0.62) / 2, 0.03 / math.sqrt(2) / factor.x, 27)
    wanted = mcr * (1 + (air - 1.2) * (1 / test - 1 / ref)) + shown * factor
    product = 10_000.08 * doubt * math.hypot(85 / 8400**2, 70 / 7950**2)
    for further in (
        product,
        0.05 / math.sqrt(3),  # drift
        0.01 / math.sqrt(6),  # resolution of two indications
        0.02 / math.sqrt(3),  # eccentricity
        0.5e-6 / math.sqrt(3),  # rounding of the correction
        0.5e-6 / math.sqrt(3),  # rounding of the mean
    ):
        wanted += GTC.ureal(0, further)
    evaluated = draft.budget.expanded_uncertainty()
    assert np.asarray(draft.budget.value)[0] == pytest.approx(wanted.x, rel=1e-12)
    assert evaluated.combined[0] == pytest.approx(wanted.u, rel=1e-9)
    assert evaluated.dof[0] == pytest.approx(wanted.df, rel=1e-9)


def _cipm2007(t: Any, p: Any, h: Any) -> Any:
    """Evaluate CIPM-2007 with GTC numbers: an independent reading of Picard 2008, Appendix A.1."""
    kelvin, pascal = t + 273.15, p * 100
    psv = GTC.exp(
        1.2378847e-5 * kelvin**2 - 1.9121316e-2 * kelvin + 33.93711047 - 6343.1645 / kelvin
    )
    f = 1.00062 + 3.14e-8 * pascal + 5.6e-7 * t**2
    xv = h / 100 * f * psv / pascal
    z = (
        1
        - pascal / kelvin
        * (
            1.58123e-6 - 2.9331e-8 * t + 1.1043e-10 * t**2
            + (5.707e-6 - 2.051e-8 * t) * xv
            + (1.9898e-4 - 2.376e-6 * t) * xv**2
        )
        + (pascal / kelvin) ** 2 * (1.83e-11 - 0.765e-8 * xv**2)
    )  # fmt: skip
    return pascal * 28.96546e-3 / (z * 8.314472 * kelvin) * (1 - xv * (1 - 18.01528 / 28.96546))


def test_a_density_known_only_by_its_class_costs_what_the_law_lets_it_cause() -> None:
    """Air 10 % away from 1.2 kg/m³ causes a quarter of the limit at most (10.2.1)."""
    instrument = of_class("F1")
    (draft,) = found(sheet(abba("0"), instrument=instrument)).tests
    assert draft.budget is not None
    rows = {row.name: row for row in draft.budget.components}
    air = float(np.asarray(rows["air density"].value).flat[0])
    u_air = float(np.asarray(rows["air density"].standard_uncertainty).flat[0])
    doubt = 5 / 4 * math.hypot(air - 1.2, u_air) / 0.12 / math.sqrt(3)
    row = rows["density of the weight under test, within its class"]
    assert row.standard_uncertainty == pytest.approx(doubt, rel=1e-12)
    assert rows["density of the weight under test"].value == REFERENCE_DENSITY
    result = decided(sheet(abba("0"), instrument=instrument))
    assert "density-of-class" in codes(result)
    # the same bound as the densities of Table 5 at 100 g and more: 7390 to 8730 kg/m³ in class F1
    for density in (7390.0, 8730.0):
        caused = 1e6 * 0.12 * abs(1 / density - 1 / 8000)
        assert caused == pytest.approx(5 / 4, rel=0.02)


@pytest.mark.parametrize(
    ("material", "density"),
    [("brass", 8400), ("stainless steel", 7950), ("grey cast iron", 7100), ("aluminium", 2700)],
)
def test_a_material_has_the_density_of_table_b_7(material: str, density: int) -> None:
    result = decided(sheet(abba("0"), instrument=of_class("M1", material=material)))
    (row,) = (r for r in only(result).budget if r["quantity"] == "density of the weight under test")
    assert row["value"] == density


def test_class_m_may_leave_the_air_unmeasured_at_its_price() -> None:
    def u(environment: dict[str, str], **more: str) -> tuple[float, list[str]]:
        given_sheet = sheet(abba("1", **more), instrument=of_class("M1", material="grey cast iron"))
        result = decided({**given_sheet, "environment": environment})
        assert result.verdict is CONFORMING
        return float(only(result).expanded_uncertainty or 0), codes(result)

    measured, _ = u(dict(ROOM))
    unmeasured, said = u({})
    assert "air-not-measured" in said
    assert unmeasured > measured
    partly, said = u({name: ROOM[name] for name in ("temperature", "pressure", "humidity")})
    assert "air-uncertainty-unknown" in said
    assert partly > measured
    warm = {**ROOM, "temperature": "31 °C", "humidity": "85 %"}
    _, said = u(warm)
    assert "air-beyond-formula" in said
    _, said = u({}, buoyancy_limit="2 mg")
    assert "buoyancy-bounded" in said


def test_where_both_densities_are_alike_the_product_of_doubts_stays_in_the_budget() -> None:
    """With ρ_a = 1.2 and equal densities every first-order term is 0; the doubt is not."""
    steel = {"density": "7950 kg/m³", "density_uncertainty": "140 kg/m³"}
    given_sheet = sheet(abba("0"), instrument=of_class("M1", **steel), environment={})
    (draft,) = found(given_sheet).tests
    assert draft.budget is not None
    (row,) = (r for r in draft.budget.components if r.name == "air and weight densities together")
    assert row.standard_uncertainty == pytest.approx(
        1e6 * 0.12 / math.sqrt(3) * math.sqrt(2) * 70 / 7950**2, rel=1e-9
    )


@pytest.mark.parametrize("accuracy_class", ["E1", "E2", "F1", "F2"])
@pytest.mark.parametrize("lacking", ["temperature", "pressure_uncertainty"])
def test_better_classes_want_their_air_measured(accuracy_class: str, lacking: str) -> None:
    environment = {name: value for name, value in ROOM.items() if name != lacking}
    given_sheet = sheet(abba("0"), instrument=of_class(accuracy_class), environment=environment)
    with pytest.raises(Refused) as refused:
        decided(given_sheet)
    assert refused.value.key == f"environment.{lacking}"


# ---- what is refused


def changed(path: str, value: object) -> dict[str, Any]:
    data = sheet(abba("0", "0"))
    *way, last = [int(step) if step.isdecimal() else step for step in path.split("/")]
    place: Any = data
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ("test/0/nominal", "250 g", "test[0].nominal"),
        ("test/0/nominal", "2 L", "test[0].nominal"),
        ("test/0/nominal", None, "test[0].nominal"),
        ("test/0/cycle", "BAAB", "test[0].cycle"),
        ("test/0/cycle", "AB", "test[0].cycle"),
        ("test/0/B2", None, "test[0].B2"),
        ("test/0/B3", ["0 mg", "0 mg"], "test[0].B3"),
        ("test/0/A2", ["0 mg"], "test[0].A2"),
        ("test/0/B1", ["0 mg", "0 g", "0 mg"], "test[0].B1"),
        ("test/0/B1", ["0.005 mg", "0 mg"], "test[0].B1[0]"),
        ("test/0/B1", ["0 °C", "0 mg"], "test[0].B1[0]"),
        ("test/0/identification", ["a", "b"], "test[0].identification"),
        ("test/0/name", "weighing", "test[0].name"),
        ("test/0/reference", "X", "test[0].reference"),
        ("test/0/comparator", "X", "test[0].comparator"),
        ("test/0/temperature", ["20 °C"] * 3, "test[0].temperature"),
        ("test/0/buoyancy_limit", "1 mg", "test[0].buoyancy_limit"),
        ("test/0/sensitivity_weight", "100 mg", "test[0].sensitivity_weight_uncertainty"),
        ("test/0/standard_deviation", "1 mg", "test[0].degrees_of_freedom"),
        ("test/0/density", "7900 kg/m³", "test[0].density_uncertainty"),
        ("instrument/material", "brass", "instrument.material"),
        ("instrument/class", "M4", "instrument.class"),
        ("instrument/class", None, "instrument.class"),
        ("instrument/density", "7950 g", "instrument.density"),
        ("comparator", [], "comparator"),
        ("comparator", [COMPARATOR, COMPARATOR], "comparator[1].id"),
        ("comparator/0/eccentricity", "-1 mg", "comparator[0].eccentricity"),
        ("comparator/0/e", "1 mg", "comparator[0].e"),
        ("standards", [], "test[0].nominal"),
        ("standards/0/point/0/nominal", "2 kg", "test[0].nominal"),
        ("standards/0/point/0/expanded_uncertainty", None, "standards.expanded_uncertainty"),
        ("standards/0/density_uncertainty", None, "standards.density_uncertainty"),
        ("environment/temperature", "55 °C", "environment"),
        ("environment/temperature_uncertainty", "0 K", "environment.temperature_uncertainty"),
        ("environment/humidity_uncertainty", "1 K", "environment.humidity_uncertainty"),
        ("stage", "in_service", "stage"),
        ("table", "r76", "table"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused_by_its_key(path: str, value: object, key: str) -> None:
    with pytest.raises(Refused) as refused:
        decided(changed(path, value))
    assert refused.value.key == key


def test_what_no_density_follows_from_is_refused() -> None:
    point = {"nominal": "1 kg", "correction": "0 mg", "expanded_uncertainty": "0.5 mg"}
    for standard, key in (
        ({"id": "R", "point": [point]}, "standards.density"),
        ({"id": "R", "class": "E0", "point": [point]}, "standards.class"),
        ({"id": "R", "nominal": "1 kg"}, "standards"),
        ({"id": "R", "class": "E0", "nominal": "1 kg"}, "standards.class"),
    ):
        with pytest.raises(Refused) as refused:
            decided(sheet(abba("0"), standards=[standard]))
        assert refused.value.key == key
    with pytest.raises(Refused) as refused:
        decided(sheet(abba("0"), instrument=of_class("M1", material="wood")))
    assert refused.value.key == "instrument.material"


def test_two_references_of_one_nominal_value_have_to_be_chosen_from() -> None:
    both = [reference(), {**reference(), "id": "S"}]
    with pytest.raises(Refused) as refused:
        decided(sheet(abba("0"), standards=both))
    assert refused.value.key == "test[0].reference"
    result = decided(sheet(abba("0", reference="S"), standards=both))
    assert only(result).budget[0]["quantity"] == "reference weight S"


def test_a_sheet_without_a_weighing_decides_nothing() -> None:
    result = decided(sheet())
    assert result.verdict is INDETERMINATE
    assert codes(result)[0] == "test-missing"


# ---- what is not legal


@pytest.mark.parametrize(
    ("standard", "code"),
    [
        (reference(due="2026-11-23"), "standard-expired"),
        ({k: v for k, v in reference().items() if k != "due"}, "standard-undated"),
        (reference(u="1.67 mg"), "standard-inadequate"),  # limit 5.0 mg
        (reference(**{"class": "F1"}), "reference-class"),
        (reference(**{"class": "F2"}), "reference-class"),
    ],
)
def test_a_bad_reference_weight_gives_no_legal_verdict(standard: dict[str, Any], code: str) -> None:
    result = decided(sheet(abba("0"), standards=[standard]), approved=(R111,))
    assert not result.legal
    assert code in codes(result)


def test_a_reference_is_good_up_to_exactly_a_third_whatever_its_k() -> None:
    for u, k, legal in (
        ("1.66 mg", 2, True),
        ("1.67 mg", 2, False),
        ("2.5 mg", 3, True),  # 1.6666... mg for k = 2: the third itself
        ("2.51 mg", 3, False),
    ):
        standard = reference(u=u, coverage_factor=k)
        result = decided(sheet(abba("0"), standards=[standard]), approved=(R111,))
        assert ("standard-inadequate" not in codes(result)) is legal


def test_a_good_sheet_is_legal_once_the_office_approved_the_table() -> None:
    assert decided(sheet(abba("0.5")), approved=(R111,)).legal
    result = decided(sheet(abba("0.5")))
    assert not result.legal
    assert "table-not-approved" in codes(result)


def test_an_unknown_reference_computes_nothing() -> None:
    with pytest.raises(Refused):
        decided(sheet(abba("0"), standards=[{"id": "R"}]))


def test_re_verification_is_provisional_because_its_limit_is_not_confirmed() -> None:
    result = decided(sheet(abba("0"), stage="subsequent"))
    assert result.provisional
    assert "provisional" in codes(result)
    assert not decided(sheet(abba("0"))).provisional


def test_national_settings_go_with_the_sheet() -> None:
    data = sheet(abba("0"), setting="id-anak-timbangan@2010")
    approved = (R111, national_settings("id-anak-timbangan@2010").digest)
    assert decided(data, approved=approved).legal


# ---- laws


UNITS = {"mg": 0, "g": -3, "kg": -6, "µg": 3}
digits = st.integers(-700, 700)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(digits, digits, digits, digits), min_size=1, max_size=4),
    st.sampled_from(sorted(UNITS)),
    st.sampled_from(sorted(UNITS)),
)
def test_units_never_change_a_verdict(
    cycles: list[tuple[int, int, int, int]], unit: str, other: str
) -> None:
    def said(hundredths: int, in_unit: str) -> str:
        return f"{Decimal(hundredths).scaleb(-2 + UNITS[in_unit]):f} {in_unit}"

    def outcome(first: str, second: str) -> tuple[Any, ...]:
        columns = {
            name: [said(cycle[place], first) for cycle in cycles]
            for place, name in enumerate(("A1", "B1", "B2", "A2"))
        }
        test = {**abba("0"), **columns, "nominal": said(10**8, second)}
        scale = {**COMPARATOR, "d": said(1, second), "eccentricity": said(2, first)}
        scale["standard_deviation"] = said(5, second)
        point = {"nominal": said(10**8, first), "correction": said(12, second)}
        point |= {"expanded_uncertainty": said(50, first), "drift": said(10, second)}
        result = decided(sheet(test, comparator=[scale], standards=[reference(point=[point])]))
        found_point = only(result)
        u = found_point.expanded_uncertainty
        return result.verdict, found_point.error, u, codes(result)

    assert outcome(unit, other) == outcome("mg", "mg")


@settings(max_examples=60)
@given(digits, digits, st.integers(0, 170), st.sampled_from([-1, 1]))
def test_ten_times_everything_gives_the_same_verdict(b1: int, b2: int, u: int, power: int) -> None:
    """In class F1 the limits of 100 g, 1 kg and 10 kg are as their nominal values."""

    def verdict(scale: int) -> tuple[Any, ...]:
        def said(hundredths: int) -> str:
            return f"{Decimal(hundredths).scaleb(scale - 2):f} mg"

        test = {**abba("0", nominal=said(10**8)), "B1": [said(b1)], "B2": [said(b2)]}
        point = {"nominal": said(10**8), "correction": said(-30), "drift": said(10)}
        point["expanded_uncertainty"] = said(u + 1)
        scale_used = {**COMPARATOR, "d": said(1), "eccentricity": said(2)}
        scale_used["standard_deviation"] = said(5)
        data = sheet(test, comparator=[scale_used], standards=[reference(point=[point])])
        result = decided(data)
        error = only(result).error
        return result.verdict, error.scaleb(-scale).normalize(), codes(result)  # type: ignore[union-attr]

    assert verdict(power) == verdict(0)


@settings(max_examples=60)
@given(digits, st.integers(1, 300), st.integers(1, 250))
def test_a_worse_indication_never_conforms_again(difference: int, worse: int, u: int) -> None:
    def verdict(hundredths: int) -> Verdict:
        standard = reference(u=f"{Decimal(u).scaleb(-2)} mg")
        test = abba(f"{Decimal(hundredths).scaleb(-2)}")
        return decided(sheet(test, standards=[standard])).verdict

    order = [CONFORMING, INDETERMINATE, NONCONFORMING]
    # buoyancy moves the middle by some hundredths of a milligram: start beside it
    outward = difference + worse + 50 if difference >= 0 else difference - worse - 50
    assert order.index(verdict(outward)) >= order.index(verdict(difference))


# ---- the example


def example() -> dict[str, Any]:
    return tomllib.loads(EXAMPLE.read_text(), parse_float=Decimal)


def test_the_example_conforms_and_has_the_shape_of_the_record() -> None:
    import jsonschema_rs
    import simplejson

    from broker.schema import __file__ as schema_place

    result = decided(example(), approved=(R111,))
    assert result.verdict is CONFORMING
    assert result.legal
    plain = json.loads(simplejson.dumps(result.to_dict(), use_decimal=True))
    schema = json.loads((Path(schema_place).parent / "verdict.json").read_text())
    assert jsonschema_rs.is_valid(schema["properties"]["tests"], plain["tests"])
    (first, *_) = plain["tests"]
    assert first["conventional_mass"] == "10.000028 kg ± 58 mg"
    assert first["points"][0]["budget"]
    for reason in result.reasons:
        assert str(reason) == reason.template.format(**reason.values)


def test_the_register_wins_over_the_sheet() -> None:
    parsed = parse_sheet(example())
    (entry,) = parsed.standards
    data = example()
    data["standards"] = [{"id": "AT-F2"}]
    assert decided(data, entry.standard, approved=(R111,)).legal
    coarse = replace(entry.standard, expanded_uncertainty=parse_quantity("1 g"), points=())
    with pytest.raises(Refused):
        decided(data, coarse, approved=(R111,))
