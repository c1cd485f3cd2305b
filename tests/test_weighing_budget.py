"""The uncertainty of weighing errors: every component where it belongs, and GTC beside it."""

import math
from decimal import Decimal
from typing import Any

import GTC
import numpy as np
import pytest

from calibration.air import air_density
from calibration.case import Case
from calibration.draft import DraftTest
from calibration.legal_table import legal_table
from calibration.routines.weighing import weighing_findings
from calibration.sheet import parse_sheet
from calibration.uncertainty import Budget
from tests.nawi import CONFORMING, NONCONFORMING, decided, example, one, only, sheet

ROOT3 = math.sqrt(3)
WEIGHTS = [
    {
        "id": "A",
        "class": "M1",
        "weights": ["10 kg", "5 kg", "2 kg", "500 g"],
        "density": "7800 kg/m³",
        "drift": "0.1 g",
        "due": "2027-06-30",
    },
    {"id": "B", "expanded_uncertainty": "0.004 %", "density": "7950 kg/m³", "due": "2027-06-30"},
]
ROOM = {"temperature": "28 °C", "humidity": "75 %", "pressure": "1005 hPa"}


def drafted(given: dict[str, Any]) -> dict[str, DraftTest]:
    read = parse_sheet(given)
    standards = tuple(named.standard for named in read.standards)
    table = legal_table("r76@2006")
    found = weighing_findings(
        Case(read.body, read.stage, read.date, table, standards, read.environment)
    )
    return {test.name: test for test in found.tests}


def budget_of(test: DraftTest) -> Budget:
    assert test.budget is not None
    return test.budget


def measured(**more: Any) -> dict[str, Any]:
    tests = [
        one("weighing", load=["0 g", "2500 g", "15 kg"], indication=["0 g", "2500 g", "15005 g"],
            added_load=["2.0 g", "2.5 g", "3.0 g"]),
        one("repeatability", load="12 kg", indication=["12000 g", "12005 g", "12000 g"],
            added_load=["1.0 g", "4.5 g", "2.0 g"]),
    ]  # fmt: skip
    given = sheet(*tests)
    given["standards"] = WEIGHTS
    given["environment"] = ROOM
    return given | more


def test_a_budget_agrees_with_gtc() -> None:
    budget = budget_of(drafted(measured())["weighing"])
    found = budget.expanded_uncertainty()
    # E = I + e/2 - ΔL - L - E0 at 15 kg, in g
    step = 0.5
    errors = [12000 + 2.5 - 1.0 - 12000, 12005 + 2.5 - 4.5 - 12000, 12000 + 2.5 - 2.0 - 12000]
    s = float(np.std(errors, ddof=1))
    rho = float(air_density(28.0, 1005.0, 75.0).density[0])
    buoyancy = abs(rho - 1.2) * abs(1 / 7800 - 1 / 8000)
    class_limit = 0.5 + 0.25  # M1: 10 kg and 5 kg
    load = (
        GTC.ureal(15000, class_limit / ROOT3)
        + GTC.ureal(0, 0.1 / ROOT3)  # drift
        + GTC.ureal(0, 0.6 / 2)  # 0.004 % of 15 kg with k = 2
        + GTC.ureal(0, buoyancy * 15000 / ROOT3)
    )
    indication = GTC.ureal(15005 + 2.5 - 3.0, step / math.sqrt(12)) + GTC.ureal(0, s, 2)
    zero = GTC.ureal(0.5, step / math.sqrt(12))
    error = indication - load - zero
    assert float(error.x) == pytest.approx(4.0)
    assert found.combined[2] == pytest.approx(float(error.u), rel=1e-9)
    assert found.dof[2] == pytest.approx(float(error.df), rel=1e-9)
    assert found.coverage_factor[2] == pytest.approx(
        GTC.reporting.k_factor(math.floor(error.df), 95.44997361036416), rel=1e-6
    )


def rows(budget: Budget, point: int) -> dict[str, float]:
    return {row["quantity"]: float(row["standard_uncertainty"]) for row in budget.table(point)}


def test_components_are_there_where_they_belong() -> None:
    budget = budget_of(drafted(measured())["weighing"])
    at_zero, small, full = (rows(budget, point) for point in range(3))
    assert at_zero["weights A, largest error"] == at_zero["drift of weights A"] == 0
    assert at_zero["step of ΔL at zero"] == 0  # E0 is judged by itself
    assert small["step of ΔL at zero"] == full["step of ΔL at zero"] > 0
    assert small["weights A, largest error"] == pytest.approx(0.125 / ROOT3, rel=1e-5)
    assert full["weights B"] == pytest.approx(0.3)
    assert set(full) == {
        "weights A, largest error", "drift of weights A", "weights B",
        "buoyancy of the weights", "step of ΔL at the load", "step of ΔL at zero", "repeatability",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("instrument", "added", "name", "width"),
    [
        ({}, True, "step of ΔL at the load", 0.5),
        ({"d": "1 g"}, False, "digit of the indication at the load", 1.0),
        ({"indicating": "analogue", "reading": "1 g"}, False, "reading by eye at the load", 1.0),
        ({"indicating": "analogue"}, False, "reading by eye at the load", 2.0),  # ± 0.2 e
        ({"indicating": "non-self-indicating"}, False, "equilibrium at the load", 2 * 0.4 * 5),
    ],
)
def test_the_reading_is_as_fine_as_the_way_it_was_made(
    instrument: dict[str, str], added: bool, name: str, width: float
) -> None:
    test = one("weighing", load=["0 g", "10 kg"], indication=["0 g", "10 kg"])
    if added:
        test["added_load"] = ["2.5 g", "2.5 g"]
    given = sheet(test, **instrument)
    given["standards"] = [{"id": "W", "mpe": "0.5 g"}]
    found = rows(budget_of(drafted(given)["weighing"]), 1)
    assert found[name] == pytest.approx(width / math.sqrt(12), rel=1e-5)


def test_what_is_not_known_is_left_out_and_shows_in_the_rows() -> None:
    given = measured(environment={"temperature": "28 °C"})
    del given["test"][1]
    found = rows(budget_of(drafted(given)["weighing"]), 2)
    assert "repeatability" not in found
    assert "buoyancy of the weights" not in found
    freezer = ROOM | {"temperature": "-10 °C"}  # outside every formula for the density of air
    assert "buoyancy of the weights" not in rows(
        budget_of(drafted(measured(environment=freezer))["weighing"]), 2
    )


def test_without_a_standard_that_states_its_error_there_is_no_uncertainty() -> None:
    given = measured(standards=[])
    assert drafted(given)["weighing"].budget is None
    points = only(decided(given), "weighing").points
    assert {point.expanded_uncertainty for point in points} == {None}


def test_the_largest_deviation_of_several_series_counts() -> None:
    given = measured()
    quiet = one("repeatability", load="12 kg", indication=["12 kg"] * 3, added_load=["2.5 g"] * 3)
    given["test"].append(quiet)
    (repeatability,) = (
        row for row in budget_of(drafted(given)["weighing"]).table(2)
        if row["quantity"] == "repeatability"
    )  # fmt: skip
    assert float(repeatability["standard_uncertainty"]) > 1
    assert repeatability["degrees_of_freedom"] == 2


@pytest.mark.parametrize(
    ("added", "verdict"), [("0 g", CONFORMING), ("5.0 g", CONFORMING), ("4.9 g", NONCONFORMING)]
)
def test_uncertainty_moves_no_verdict_but_tells_the_risk(added: str, verdict: Any) -> None:
    given = measured()
    weighing = given["test"][0]
    weighing["added_load"] = ["2.5 g", "2.5 g", added]
    weighing["indication"][2] = "15005 g" if added == "0 g" else "15010 g"
    point = only(decided(given), "weighing").points[2]
    assert point.verdict is verdict
    assert point.expanded_uncertainty is not None
    assert point.k is not None
    risk = point.false_acceptance if verdict is CONFORMING else point.false_rejection
    assert risk is not None
    if added == "5.0 g":  # exactly at the limit: as likely beyond as not
        assert risk == Decimal("0.5")


def test_every_point_of_the_example_has_its_uncertainty() -> None:
    for name in ("nawi", "nawi-dua-rentang", "nawi-jembatan-timbang", "nawi-dacin"):
        result = decided(example(name))
        for test in result.tests:
            if test.name in ("zero", "weighing", "eccentricity", "tare"):
                assert all(point.expanded_uncertainty is not None for point in test.points), name
