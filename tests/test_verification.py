"""Verdicts at and beside the limit, in batches of any size."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.error import measurement_error, relative_limit
from calibration.grid import Counts, finest_exponent, on_grid, regrid, times
from calibration.refusal import Refused
from calibration.verification import (
    NO_LOWER,
    NO_UPPER,
    PointColumns,
    PointResult,
    Reason,
    TableReference,
    TestResult,
    Verdict,
    Verification,
    Verified,
    combined,
    verify,
)

Points = list[tuple[int, int, int, int]]
"""Error, lower, upper and test of each point."""


def columns(points: Points, scale: int = 1) -> PointColumns:
    """Put points into a batch in which every instrument has two tests."""
    error, lower, upper, test = np.array(points, dtype=np.int64).reshape(-1, 4).T
    size = int(test.max()) + 1 if len(test) else 0
    return PointColumns(
        times(error, scale),
        times(lower, scale),
        times(upper, scale),
        test.copy(),
        test // 2,
        size,
        -(-size // 2),
    )


def one(error: Counts, lower: Counts, upper: Counts) -> Verified:
    zero = np.zeros_like(error)
    return verify(PointColumns(error, lower, upper, zero, zero, 1, 1))


@pytest.mark.parametrize(
    ("indication", "reference", "limit"),
    [("20.3", "20.0", "0.3"), ("100.7", "100.0", "0.7"), ("15.0075", "15.0", "0.0075")],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_an_error_at_the_limit_conforms_and_one_digit_past_it_does_not(
    indication: str, reference: str, limit: str, sign: int
) -> None:
    def verdict(shown: Decimal) -> bool:
        true, mpe = Decimal(reference), Decimal(limit)
        exponent = finest_exponent([shown, true, mpe])
        error = measurement_error(on_grid([shown], exponent), on_grid([true], exponent))
        limits = on_grid([mpe], exponent)
        return bool(one(error, -limits, limits).instrument_conforming[0])

    true, at = Decimal(reference), Decimal(indication)
    digit = Decimal(1).scaleb(finest_exponent([at]))
    if sign < 0:
        at = 2 * true - at
    assert abs(float(indication) - float(reference)) > float(limit)  # what floats would reject
    assert verdict(at)
    assert not verdict(at + sign * digit)
    assert verdict(at - sign * digit)


@pytest.mark.parametrize(
    ("indication", "reference", "percent", "conforms"),
    [
        ("20.1", "20", "0.5", True),
        ("20.10001", "20", "0.5", False),
        ("19.9", "20", "0.5", True),
        ("19.89", "20", "0.5", False),
        ("10.06005", "10.01", "0.5", True),
        ("10.06006", "10.01", "0.5", False),
    ],
)
def test_a_limit_in_percent_is_compared_without_dividing(
    indication: str, reference: str, percent: str, conforms: bool
) -> None:
    shown, true = Decimal(indication), Decimal(reference)
    exponent = finest_exponent([shown, true])
    counts = on_grid([true], exponent)
    limit, finer = relative_limit(Decimal(percent), counts, exponent)
    error = regrid(measurement_error(on_grid([shown], exponent), counts), exponent, finer)
    assert bool(one(error, -limit, limit).conforming[0]) is conforms


point = st.tuples(
    st.integers(-1000, 1000), st.integers(-900, 0), st.integers(0, 900), st.integers(0, 7)
)


@given(st.lists(point, max_size=40))
def test_a_batch_of_many_is_many_batches_of_one(points: Points) -> None:
    batch = verify(columns(points))
    alone = [one(*(np.array([count]) for count in given[:3])) for given in points]
    assert batch.conforming.tolist() == [bool(single.conforming[0]) for single in alone]
    groups: list[tuple[Counts, int]] = [(batch.test_points, 1), (batch.instrument_points, 2)]
    verdicts = (batch.test_conforming, batch.instrument_conforming)
    for (members, per), conforming in zip(groups, verdicts, strict=True):
        for index, verdict in enumerate(conforming.tolist()):
            own = [given[:3] for given in points if given[3] // per == index]
            assert members[index] == len(own)
            if own:
                error, lower, upper = np.array(own, dtype=np.int64).T.copy()
                assert verdict == bool(one(error, lower, upper).instrument_conforming[0])
            else:
                assert not verdict


@given(st.lists(point, max_size=40), st.integers(0, 12))
def test_powers_of_ten_never_change_a_verdict(points: Points, power: int) -> None:
    plain, scaled = verify(columns(points)), verify(columns(points, 10**power))
    assert plain.conforming.tolist() == scaled.conforming.tolist()
    assert plain.test_conforming.tolist() == scaled.test_conforming.tolist()
    assert plain.instrument_conforming.tolist() == scaled.instrument_conforming.tolist()


@given(st.lists(point, min_size=1, max_size=40), st.data())
def test_a_worse_indication_never_makes_an_instrument_conform(
    points: Points, data: st.DataObject
) -> None:
    worse = [
        (error + data.draw(st.integers(0, 500)) * (1 if error >= 0 else -1), *rest)
        for error, *rest in points
    ]
    before, after = verify(columns(points)), verify(columns(worse))  # type: ignore[arg-type]
    assert not (after.conforming & ~before.conforming).any()
    assert not (after.test_conforming & ~before.test_conforming).any()
    assert not (after.instrument_conforming & ~before.instrument_conforming).any()


def test_a_side_without_a_limit_accepts_every_error() -> None:
    extreme = np.array([NO_LOWER, NO_UPPER, 0], dtype=np.int64)
    none = one(extreme, np.full(3, NO_LOWER), np.full(3, NO_UPPER))
    assert none.conforming.all()
    upper_only = one(extreme, np.full(3, NO_LOWER), np.zeros(3, dtype=np.int64))
    assert upper_only.conforming.tolist() == [True, False, True]


def test_a_test_without_a_point_does_not_conform() -> None:
    nothing = np.array([], dtype=np.int64)
    verified = verify(PointColumns(nothing, nothing, nothing, nothing, nothing, 2, 1))
    assert verified.test_conforming.tolist() == [False, False]
    assert verified.instrument_conforming.tolist() == [False]
    assert verified.test_points.tolist() == [0, 0]


COUNT = np.array([0], dtype=np.int64)


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        (PointColumns(np.array([0.0]), COUNT, COUNT, COUNT, COUNT, 1, 1), "float64"),  # type: ignore[arg-type]
        (PointColumns(COUNT, np.array([0, 0]), COUNT, COUNT, COUNT, 1, 1), "lower"),
        (PointColumns(COUNT, COUNT, COUNT, COUNT + 1, COUNT, 1, 1), "test numbers"),
        (PointColumns(COUNT, COUNT, COUNT, COUNT, COUNT - 1, 1, 1), "instrument numbers"),
        (PointColumns(COUNT, COUNT + 1, COUNT, COUNT, COUNT, 1, 1), "above its upper"),
    ],
)
def test_columns_that_do_not_fit_are_refused(points: PointColumns, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        verify(points)


def test_a_million_points_are_decided_without_a_loop_per_point() -> None:
    size = 1_000_000
    error = np.arange(size, dtype=np.int64) % 2001 - 1000
    limit = np.full(size, 999, dtype=np.int64)
    test = np.arange(size, dtype=np.int64) // 10
    verified = verify(PointColumns(error, -limit, limit, test, test // 5, size // 10, size // 50))
    assert int(verified.conforming.sum()) == int((np.abs(error) <= 999).sum())


C, N, I = Verdict.CONFORMING, Verdict.NONCONFORMING, Verdict.INDETERMINATE  # noqa: E741


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [([C, C], C), ([C, I], I), ([I, N], N), ([C, N], N), ([I], I), ([], I)],
)
def test_one_nonconforming_decides_and_one_open_question_leaves_it_open(
    verdicts: list[Verdict], expected: Verdict
) -> None:
    assert combined(verdicts) is expected


def test_a_verification_prints_the_object_of_the_contract() -> None:
    point = PointResult(
        nominal=Decimal(10000),
        reference=Decimal(10000),
        indication=Decimal(10005),
        error=Decimal("7.5"),
        lower=Decimal("-7.5"),
        upper=Decimal("7.5"),
        unit="g",
        verdict=Verdict.CONFORMING,
    )
    verification = Verification(
        verdict=Verdict.INDETERMINATE,
        routine="nawi",
        table=TableReference("r76", "2006", "3.5.1 Table 6", "sha256:00"),
        stage="initial",
        founded=True,
        tests=(TestResult("weighing", Verdict.CONFORMING, (point,)),),
        reasons=(Reason("test-missing", "the test {test} is missing.", {"test": "tare"}),),
    )
    assert verification.to_dict() == {
        "verdict": "indeterminate",
        "routine": "nawi",
        "table": {
            "id": "r76",
            "edition": "2006",
            "clause": "3.5.1 Table 6",
            "digest": "sha256:00",
        },
        "stage": "initial",
        "legal": False,
        "tests": [
            {
                "name": "weighing",
                "verdict": "conforming",
                "points": [
                    {
                        "nominal": Decimal(10000),
                        "reference": Decimal(10000),
                        "indication": Decimal(10005),
                        "error": Decimal("7.5"),
                        "lower": Decimal("-7.5"),
                        "upper": Decimal("7.5"),
                        "expanded_uncertainty": None,
                        "k": None,
                        "unit": "g",
                        "verdict": "conforming",
                    }
                ],
            }
        ],
        "reasons": ["the test tare is missing."],
        "decision_rule": "simple acceptance",
        "provisional": False,
        "settings": None,
    }
