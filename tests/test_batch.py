"""A day's points judged together are judged as each sheet alone, and no limit is guessed."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.batch import Batch, verify_batch
from calibration.evaluation import evaluate
from calibration.grid import off_grid, on_grid
from calibration.limit_curve import LimitCurve
from calibration.limit_grid import LimitGrid
from calibration.mpe import legal_table, limit_curve
from calibration.refusal import Refused
from calibration.sheet import parse_sheet
from calibration.uncertainty import expanded_uncertainty
from calibration.units import Quantity

GRID = -2
R76 = legal_table("r76@2006")
KINDS = [
    ("III", 1, 3000),
    ("III", 5, 3000),
    ("III", 20, 6000),
    ("IIII", 10, 500),
    ("III", 2, 10000),
]
"""Class, e [g] and number of intervals."""
ZERO = Decimal(0)


def curve(kind: tuple[str, int, int]) -> LimitCurve:
    name, e, n = kind
    given = {"e": f"{e} g", "max": f"{e * n} g"}
    return limit_curve(R76, accuracy_class=name, stage="initial", unit="g", characteristics=given)


CURVES = [curve(kind) for kind in KINDS]


@st.composite
def instruments(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw a day of instruments, each with loads, indications and added loads of one test."""
    day = []
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.integers(0, len(KINDS) - 1))
        _, e, n = KINDS[kind]
        steps = draw(st.lists(st.integers(1, n), min_size=1, max_size=5))
        loads = [ZERO, *(Decimal(step * e) for step in steps)]
        near = st.integers(-2, 2)
        shown = [load + draw(near) * e for load in loads]
        added = [draw(st.integers(0, 10)) * Decimal(e) / 10 for _ in loads]
        day.append({"kind": kind, "loads": loads, "shown": shown, "added": added})
    return day


def as_sheet(one: dict[str, Any]) -> dict[str, Any]:
    name, e, n = KINDS[one["kind"]]
    scale = {"kind": "scale", "serial": "1", "class": name, "max": f"{e * n} g", "e": f"{e} g"}
    test = {
        "name": "weighing",
        "load": [f"{load} g" for load in one["loads"]],
        "indication": [f"{shown} g" for shown in one["shown"]],
        "added_load": [f"{added} g" for added in one["added"]],
    }
    base = {"routine": "nawi", "stage": "initial", "date": "2026-11-24"}
    return {**base, "instrument": scale, "test": [test]}


def as_batch(day: list[dict[str, Any]]) -> Batch:
    rows = [(i, one["kind"]) for i, one in enumerate(day) for _ in one["loads"]]
    number = np.array([row[0] for row in rows], dtype=np.int64)
    kind = np.array([row[1] for row in rows], dtype=np.intp)
    e = np.array([KINDS[k][1] for k in kind], dtype=np.int64) * 10**-GRID
    first = np.searchsorted(number, number)

    def column(name: str) -> Any:
        return on_grid([value for one in day for value in one[name]], GRID)

    return Batch(
        reference=column("loads"),
        indication=column("shown"),
        curve=kind,
        limits=LimitGrid.of(CURVES, GRID),
        test=number,
        instrument=number,
        tests=len(day),
        instruments=len(day),
        half_interval=e // 2,
        added_load=column("added"),
        zero=first,
    )


@given(instruments())
def test_a_batch_of_many_equals_the_sheets_one_by_one(day: list[dict[str, Any]]) -> None:
    result = verify_batch(as_batch(day))
    errors = result.errors()
    upper = off_grid(result.upper, result.exponent)
    place = 0
    for number, one in enumerate(day):
        (test,) = evaluate(parse_sheet(as_sheet(one)), standards={}, approved=()).tests
        for point in test.points:
            assert point.error == errors[place]
            assert (point.upper, point.lower) == (upper[place], -upper[place])
            assert (point.verdict == "conforming") == result.verified.conforming[place]
            place += 1
        conforms = all(point.verdict == "conforming" for point in test.points)
        assert bool(result.verified.instrument_conforming[number]) == conforms


@given(instruments())
def test_a_batch_of_many_equals_batches_of_one(day: list[dict[str, Any]]) -> None:
    together = verify_batch(as_batch(day))
    alone = [verify_batch(as_batch([one])) for one in day]
    assert together.errors() == tuple(error for one in alone for error in one.errors())
    assert together.verified.conforming.tolist() == [
        good for one in alone for good in one.verified.conforming.tolist()
    ]


def test_the_risk_stands_beside_the_decision_and_does_not_move_it() -> None:
    one = {"kind": 1, "loads": [ZERO, Decimal(2500)], "added": [Decimal("2.5"), ZERO]}
    batch = as_batch([{**one, "shown": [ZERO, Decimal(2500)]}])  # exactly at the limit of 2.5 g
    uncertain = expanded_uncertainty([np.array([0.5, 0.5])], [1.0], [np.inf])
    result = verify_batch(batch, uncertain)
    assert result.verified.conforming.tolist() == [True, True]
    assert result.risk is not None
    assert result.risk[0] < 1e-6
    assert result.risk[1] == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_a_table_of_limits_answers_as_its_curves(kind: int) -> None:
    _, e, n = KINDS[kind]
    grid = LimitGrid.of(CURVES, GRID)
    bounds = [bound for bound in CURVES[kind].bounds if bound < e * n]
    values = on_grid(
        [ZERO, *(b + step for b in bounds for step in (-Decimal("0.01"), ZERO, Decimal("0.01")))],
        GRID,
    )
    lower, upper = grid.limits(values, np.full(values.shape, kind, dtype=np.intp))
    found = CURVES[kind].limits(values, GRID)
    assert off_grid(upper, grid.fine) == off_grid(found.counts, found.exponent)
    assert (lower == -upper).all()


def test_a_value_outside_the_limits_is_refused() -> None:
    grid = LimitGrid.of(CURVES, GRID)
    for value in (-1, 3000 * 100 + 1):
        with pytest.raises(Refused, match="outside"):
            grid.limits(np.array([value], dtype=np.int64), np.array([0]))


def test_limits_that_are_no_table_of_integers_are_refused() -> None:
    r35 = limit_curve(legal_table("r35"), accuracy_class="II", stage="initial", unit="mm")
    with pytest.raises(Refused, match="this shape"):
        LimitGrid.of([r35], GRID)
    with pytest.raises(Refused, match="one unit"):
        LimitGrid.of([CURVES[0], r35], GRID)


def test_a_share_of_the_value_is_looked_up_exactly() -> None:
    r117 = limit_curve(
        legal_table("r117"),
        accuracy_class="0.5",
        stage="initial",
        unit="L",
        characteristics={"mmq": "5 L"},
    )
    grid = LimitGrid.of([r117], -3)
    values = on_grid([Decimal(v) for v in ("5", "10", "10.001", "100.123")], -3)
    _, upper = grid.limits(values, np.zeros(4, dtype=np.intp))
    wanted = ["0.05", "0.05", "0.050005", "0.500615"]
    assert [Quantity(v, "L").magnitude for v in off_grid(upper, grid.fine)] == [
        Decimal(w) for w in wanted
    ]
