"""Legal limits at values of R 76 and R 117, and what every table has in common."""

import datetime
import doctest
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from importlib import resources
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration import error, grid, mpe, units, verification
from calibration import limit_curve as limit_curve_module
from calibration.grid import off_grid, on_grid
from calibration.legal_table import read_table
from calibration.mpe import (
    Limits,
    absolute_limits,
    legal_table,
    limit_curve,
    maximum_permissible_error,
    repeatability_limit,
    tables,
)
from calibration.refusal import Refused
from calibration.rules import wagons
from calibration.units import parse_quantity

FINEST = Decimal("0.000001")
"""Finest digit used for `one finest digit past a bound`."""


def limits(
    name: str, accuracy_class: str, value: str, stage: str = "initial", **given: str
) -> Limits:
    return maximum_permissible_error(
        legal_table(name),
        accuracy_class=accuracy_class,
        stage=stage,
        values=[parse_quantity(value)],
        characteristics=given,
    )


def bands() -> Iterator[Any]:
    """Give every bound of every R 76 class with the limits on both its sides, per stage."""
    table = legal_table("r76")
    for name, entry in table.rules["class"].items():
        for stage, factor in table.rules["stage"].items():
            for index, bound in enumerate(entry["upto"]):
                beyond = entry["limit"][index + 1] if index + 1 < len(entry["limit"]) else None
                times = factor["factor"]
                yield pytest.param(
                    name,
                    stage,
                    Decimal(bound),
                    entry["limit"][index] * times,
                    None if beyond is None else beyond * times,
                    id=f"{name} {stage} {bound} e",
                )


@pytest.mark.parametrize("e", ["e", "1 g", "0.005 kg", "20 g", "0.01 g", "0.001 g"])
@pytest.mark.parametrize(("name", "stage", "bound", "inside", "beyond"), list(bands()))
def test_a_bound_belongs_to_the_band_below_it(
    name: str, stage: str, bound: Decimal, inside: Decimal, beyond: Decimal | None, e: str
) -> None:
    given = {} if e == "e" else {"e": e}
    interval = parse_quantity("1 e" if e == "e" else e)
    try:
        limits("r76", name, f"0 {interval.unit}", stage, **given)
    except Refused as refused:
        assert "no instruments with e" in str(refused)
        return

    def at(load: Decimal) -> Decimal:
        value = load * interval.magnitude
        (upper,) = limits("r76", name, f"{value:f} {interval.unit}", stage, **given).upper
        assert upper is not None
        return upper / interval.magnitude

    assert at(bound - FINEST) == at(bound) == inside
    if beyond is None:
        with pytest.raises(Refused, match="no limit is defined"):
            at(bound + FINEST)
    else:
        assert at(bound + FINEST) == beyond


@pytest.mark.parametrize(
    ("load", "limit"),
    [
        ("0", "0.5"),
        ("400", "0.5"),
        ("500", "0.5"),
        ("500.001", "1"),
        ("1600", "1"),
        ("2000", "1"),
        ("2000.001", "2"),
        ("2001", "2"),
        ("2100", "2"),
        ("4000", "2"),
        ("4000.001", "3"),
        ("4250", "3"),
        ("5000", "3"),
        ("5000.001", "10"),
        ("5100", "10"),
        ("15000", "10"),
    ],
)
def test_multi_interval_example_of_r76_3_3(load: str, limit: str) -> None:
    found = limits("r76", "III", f"{load} g", ranges="2kg:1g,5kg:2g,15kg:10g")
    assert found.upper == (Decimal(limit),)
    assert "3.3" in found.clause[0]


@pytest.mark.parametrize(
    ("accuracy_class", "value", "given", "sentence"),
    [
        ("III", "10000.000001 e", {}, "beyond 10000 e"),
        ("III", "-0.000001 e", {}, "below 0 e"),
        ("III", "2.5 kg", {}, "--with e="),
        ("III", "15.001 kg", {"e": "5 g", "max": "15 kg"}, "beyond 15 kg"),
        ("III", "3001 e", {"e": "5 g", "max": "15 kg"}, "beyond 3000 e"),
        ("I", "300001 e", {"e": "1 mg", "max": "300 g"}, "beyond 300000 e"),
        ("III", "15.001 kg", {"ranges": "2kg:1g,5kg:2g,15kg:10g"}, "beyond 15 kg"),
        ("III", "1 kg", {"ranges": "2kg:1g,5kg"}, "list of ranges"),
        ("III", "1 kg", {"ranges": "2kg:1g,2kg:2g"}, "grow"),
        ("III", "1 kg", {"ranges": "2kg:2g,5kg:2g"}, "grow"),
        ("III", "1 e", {"ranges": "2kg:1g,5kg:2g"}, "unit of mass"),
        ("III", "1 kg", {"ranges": "2kg:1g,5kg:2g", "e": "2 g"}, "contradicts"),
        ("III", "1 kg", {"ranges": "2kg:1g,5kg:2g", "max": "6 kg"}, "contradicts"),
        ("III", "1 kg", {"ranges": "20kg:1g,50kg:20g"}, "n = Max/e"),
        ("III", "1 kg", {"e": "3 g"}, "1, 2 or 5"),
        ("III", "1 kg", {"e": "0 g"}, "not more than 0"),
        ("III", "1 kg", {"e": "5 L"}, "cannot be expressed"),
        ("III", "1 L", {"e": "5 g"}, "cannot be expressed"),
        ("III", "1 kg", {"e": "0.05 g"}, "no instruments with e"),
        ("IIII", "1 kg", {"e": "2 g"}, "no instruments with e"),
        ("I", "1 g", {"e": "0.1 mg"}, "no instruments with e"),
        ("III", "1 kg", {"e": "5 g", "max": "60 kg"}, "n = Max/e"),
        ("III", "1 kg", {"e": "5 g", "max": "2 kg"}, "n = Max/e"),
        ("III", "1 kg", {"E": "5 g"}, "takes no characteristic 'E'"),
        ("V", "1 e", {}, "there are I, II, III, IIII"),
        ("", "1 e", {}, "there are I, II, III, IIII"),
    ],
)
def test_where_r76_defines_no_limit_there_is_none(
    accuracy_class: str, value: str, given: dict[str, str], sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        limits("r76", accuracy_class, value, **given)


@pytest.mark.parametrize(
    ("value", "e", "unit", "limit"),
    [
        ("10005 g", "5 g", "g", "7.5"),
        ("10.005 kg", "5 g", "kg", "0.0075"),
        ("2001 e", "5 g", "e", "1.5"),
        ("60 t", "20 kg", "t", "0.03"),
    ],
)
def test_limits_come_in_the_unit_of_the_load(value: str, e: str, unit: str, limit: str) -> None:
    found = limits("r76", "III", value, e=e)
    assert (found.unit, found.upper, found.lower) == (unit, (Decimal(limit),), (-Decimal(limit),))


@pytest.mark.parametrize("accuracy_class", ["0.3", "0.5", "1.0", "1.5", "2.5"])
@pytest.mark.parametrize("line", ["A", "B"])
@pytest.mark.parametrize(
    ("bound", "below", "at"),
    [
        # factor applied to litres: just below the bound, and at it (Table 3)
        ("0.1", "0.4", "0.4"),
        ("0.2", None, "0.8"),
        ("0.4", "0.8", "0.8"),
        ("1", None, "2"),
        ("2", "2", None),
    ],
)
def test_small_volumes_have_the_limits_of_table_3(
    accuracy_class: str, line: str, bound: str, below: str | None, at: str | None
) -> None:
    percent = legal_table("r117").rules["class"][accuracy_class][line]

    def limit(volume: Decimal) -> Decimal:
        found = limits("r117", accuracy_class, f"{volume:f} L", line=line)
        (upper,) = absolute_limits(found, [parse_quantity(f"{volume:f} L")]).upper
        assert upper is not None
        return upper if found.unit == "mL" else upper * 1000

    edge = Decimal(bound)
    times = {"0.2": 4, "1": 2}.get(bound, 1)
    expected_below = Decimal(below) if below else times * (edge - FINEST)
    assert limit(edge - FINEST) == percent * 10 * expected_below
    # at 0.2 L and 1 L the next band's fixed quantity begins; at 2 L Table 2
    expected_at = Decimal(at) if at else edge
    assert limit(edge) == percent * 10 * expected_at


@pytest.mark.parametrize(
    ("volume", "litres"),
    [
        ("0.05", "0.4"),
        ("0.15", "0.6"),
        ("0.200001", "0.8"),
        ("0.3", "0.8"),
        ("0.399999", "0.8"),
        ("0.7", "1.4"),
        ("1.000001", "2"),
        ("1.5", "2"),
    ],
)
def test_inside_a_band_of_table_3_the_limit_is_that_of_the_band(volume: str, litres: str) -> None:
    assert limits("r117", "1.0", f"{volume} L").upper == (Decimal(litres) * 10,)


@pytest.mark.parametrize(
    ("accuracy_class", "line", "percent"),
    [
        ("0.3", "A", "0.3"),
        ("0.5", "A", "0.5"),
        ("1.0", "A", "1"),
        ("1.5", "A", "1.5"),
        ("2.5", "A", "2.5"),
        ("0.3", "B", "0.2"),
        ("0.5", "B", "0.3"),
        ("1.0", "B", "0.6"),
        ("1.5", "B", "1"),
        ("2.5", "B", "1.5"),
    ],
)
def test_every_cell_of_table_2_is_as_published(
    accuracy_class: str, line: str, percent: str
) -> None:
    found = limits("r117", accuracy_class, "20 L", line=line)
    assert (found.unit, found.upper) == ("%", (Decimal(percent),))


@pytest.mark.parametrize(
    ("accuracy_class", "e", "smallest", "largest"),
    [
        ("I", "0.001 g", "50 g", None),
        ("II", "0.05 g", "5 g", "5 kg"),
        ("II", "0.1 g", "500 g", "10 kg"),
        ("III", "0.1 g", "10 g", "1 kg"),
        ("III", "2 g", "200 g", "20 kg"),
        ("III", "5 g", "2.5 kg", "50 kg"),
        ("IIII", "5 g", "500 g", "5 kg"),
    ],
)
def test_the_numbers_of_intervals_of_table_3_are_inclusive(
    accuracy_class: str, e: str, smallest: str, largest: str | None
) -> None:
    interval = parse_quantity(e)
    for maximum, sign in ((smallest, -1), (largest, 1)):
        if maximum is None:
            continue
        inside = parse_quantity(maximum).to("g").magnitude
        assert limits("r76", accuracy_class, "0 g", e=e, max=f"{inside:f} g").upper
        beyond = inside + sign * interval.to("g").magnitude
        with pytest.raises(Refused, match="n = Max/e"):
            limits("r76", accuracy_class, "0 g", e=e, max=f"{beyond:f} g")


@pytest.mark.parametrize(
    ("mmq", "volume", "limit", "clause"),
    [
        ("5 L", "5 L", "50", "2.5.3"),
        ("5 L", "9.999999 L", "50", "2.5.3"),
        ("5 L", "10 L", "50", "2.5.1 Table 2 line A"),
        ("5 L", "10.000001 L", "50.000005", "2.5.1 Table 2 line A"),
        ("5 L", "20 L", "100", "2.5.1 Table 2 line A"),
        ("2 L", "2 L", "20", "2.5.3"),
        ("0.5 L", "0.5 L", "10", "2.5.3"),  # twice the 5 mL of Table 3
        ("0.5 L", "1 L", "10", "2.5.2 Table 3 line A"),
        ("0.5 L", "3 L", "15", "2.5.1 Table 2 line A"),
    ],
)
def test_no_limit_is_smaller_than_emin(mmq: str, volume: str, limit: str, clause: str) -> None:
    found = limits("r117", "0.5", volume, mmq=mmq)
    assert (found.unit, found.upper, found.clause) == ("mL", (Decimal(limit),), (clause,))


def test_emin_of_a_meter_alone_is_that_of_the_measuring_system() -> None:
    assert limits("r117", "0.5", "5 L", mmq="5 L", line="B").upper == (Decimal(50),)
    assert limits("r117", "0.5", "50 L", mmq="5 L", line="B").upper == (Decimal(150),)


@pytest.mark.parametrize(
    ("value", "given", "sentence"),
    [
        ("4.999999 L", {"mmq": "5 L"}, "below 5000 mL"),
        ("-1 L", {}, "below 0 mL"),
        ("5 L", {"mmq": "5 L", "resolution": "25.000001 mL"}, "too coarse"),
        ("5 L", {"line": "C"}, "there are A, B"),
        ("5 L", {"e": "5 g"}, "takes no characteristic"),
        ("5 L", {"mmq": "0 L"}, "not more than 0"),
        ("5 kg", {}, "cannot be expressed"),
    ],
)
def test_where_r117_defines_no_limit_there_is_none(
    value: str, given: dict[str, str], sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        limits("r117", "0.5", value, **given)


def test_a_resolution_of_half_emin_is_fine_enough() -> None:
    assert limits("r117", "0.5", "5 L", mmq="5 L", resolution="25 mL").upper == (Decimal(50),)


def test_relative_and_absolute_limits_are_not_mixed() -> None:
    with pytest.raises(Refused, match="mmq"):
        maximum_permissible_error(
            legal_table("r117"),
            accuracy_class="0.5",
            stage="initial",
            values=[parse_quantity("1 L"), parse_quantity("2 L")],
        )


def test_a_class_may_be_written_without_its_zero() -> None:
    assert limits("r117", "1", "20 L").upper == limits("r117", "1.0", "20 L").upper == (Decimal(1),)


def test_repeatability_begins_at_five_minimum_quantities() -> None:
    def at(value: str) -> Limits:
        return repeatability_limit(
            legal_table("r117"),
            accuracy_class="0.5",
            values=[parse_quantity(value)],
            characteristics={"mmq": "5 L"},
        )

    found = at("25 L")
    assert (found.unit, found.lower, found.upper) == ("%", (None,), (Decimal("0.2"),))
    assert absolute_limits(found, [parse_quantity("25 L")]).upper == (Decimal("0.05"),)
    with pytest.raises(Refused, match="below 25 L"):
        at("24.999 L")


def test_a_table_without_its_own_repeatability_limit_says_so() -> None:
    with pytest.raises(Refused, match="r76@2006 has no repeatability"):
        repeatability_limit(
            legal_table("r76"), accuracy_class="III", values=[parse_quantity("1 e")]
        )


@pytest.mark.parametrize(
    ("name", "stage", "factor", "provisional"),
    [
        ("r76", "initial", 1, False),
        ("r76", "subsequent", 1, False),
        ("r76", "in_service", 2, False),
        ("r117", "initial", 1, False),
        ("r117", "subsequent", 1, False),
        ("r117", "in_service", 1, True),
    ],
)
def test_the_stage_sets_the_factor_and_says_how_sure_it_is(
    name: str, stage: str, factor: int, provisional: bool
) -> None:
    accuracy_class, value = ("III", "600 e") if name == "r76" else ("1.0", "20 L")
    found = limits(name, accuracy_class, value, stage)
    assert (found.upper, found.provisional) == ((Decimal(factor),), provisional)


def test_an_unknown_stage_is_refused_with_those_there_are() -> None:
    with pytest.raises(Refused, match="there are initial, subsequent, in_service"):
        limits("r76", "III", "1 e", "tera")


def test_no_value_has_no_limit() -> None:
    with pytest.raises(Refused, match="no value"):
        maximum_permissible_error(
            legal_table("r76"), accuracy_class="III", stage="initial", values=[]
        )


def test_a_table_is_found_by_id_edition_and_day() -> None:
    r76 = legal_table("r76")
    assert r76 is legal_table("r76@2006")
    assert r76 is legal_table("r76", datetime.date(2006, 1, 1))
    assert (r76.document, r76.clause, r76.confidence) == ("OIML R 76-1:2006", "3.5.1 Table 6", "V2")
    assert "two independent" in r76.transcription
    with pytest.raises(Refused, match="in force on 2005-12-31: r76@2006 from 2006-01-01"):
        legal_table("r76", datetime.date(2005, 12, 31))
    for unknown in ("r76@1992", "r1", "", "r76@", "@2006"):
        with pytest.raises(Refused, match="there are r21@2007, r35@2007"):
            legal_table(unknown)


@pytest.mark.parametrize("table", tables(), ids=lambda table: table.name)
def test_a_digest_is_that_of_the_file(table: mpe.LegalTable) -> None:
    folder = "legal" if table.id.startswith("r") else "national"
    file = resources.files("calibration") / folder / f"{table.id}_{table.edition}.toml"
    assert table.digest == f"sha256:{sha256(file.read_bytes()).hexdigest()}"
    assert read_table(file.read_bytes(), "again") == table
    assert read_table(file.read_bytes() + b"\n", "changed") != table


@pytest.mark.parametrize("content", [b"\xff", b"id = ", b'id = "r76"'])
def test_a_broken_table_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(Refused, match=r"broken\.toml"):
        read_table(content, "broken.toml")


@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=30), st.sampled_from(["a", "b"]))
def test_the_limits_of_many_are_the_limits_of_each(counts: list[int], which: str) -> None:
    if which == "a":
        given = {"ranges": "2kg:1g,5kg:2g,10kg:10g"}
        curve = limit_curve(
            legal_table("r76"), accuracy_class="III", stage="initial", unit="g",
            characteristics=given,
        )  # fmt: skip
    else:
        counts = [count + 5_000_000 for count in counts]
        given = {"mmq": "5 L"}
        curve = limit_curve(
            legal_table("r117"), accuracy_class="0.5", stage="initial", unit="mL",
            characteristics=given,
        )  # fmt: skip
    found = curve.limits(np.array(counts, dtype=np.int64), -3)
    table, name = ("r76", "III") if which == "a" else ("r117", "0.5")
    for count, limit in zip(counts, off_grid(found.counts, found.exponent), strict=True):
        value = f"{Decimal(count).scaleb(-3):f} {curve.unit}"
        assert limits(table, name, value, **given).upper == (limit,)


@given(st.lists(st.integers(0, 100_000), min_size=2, max_size=30))
def test_a_limit_never_shrinks_as_the_load_grows(loads: list[int]) -> None:
    curve = limit_curve(legal_table("r76"), accuracy_class="II", stage="initial", unit="e")
    assert (np.diff(curve.limits(np.array(sorted(loads), dtype=np.int64), 0).counts) >= 0).all()


def test_a_column_too_large_for_int64_is_refused() -> None:
    curve = limit_curve(legal_table("r117"), accuracy_class="0.5", stage="initial", unit="mL")
    with pytest.raises(Refused, match="64-bit"):
        curve.limits(on_grid([Decimal(2**59)], 0), 0)


def test_a_misspelt_characteristic_is_refused_for_repeatability_too() -> None:
    with pytest.raises(Refused, match="takes no characteristic 'MMQ'"):
        repeatability_limit(
            legal_table("r117"),
            accuracy_class="0.5",
            values=[parse_quantity("25 L")],
            characteristics={"MMQ": "5 L"},
        )


@pytest.mark.parametrize(
    "module",
    [units, grid, error, limit_curve_module, mpe, verification, wagons],
    ids=lambda module: str(module.__name__),
)
def test_the_examples_in_the_docstrings_hold(module: Any) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
