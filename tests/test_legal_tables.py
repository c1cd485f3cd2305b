"""The tables against what was typed a second time from the reference, and what they refuse."""

from decimal import Decimal
from fractions import Fraction
from importlib import resources
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from calibration.edition import CONFIDENCES, PROVISIONAL
from calibration.grid import off_grid
from calibration.legal_table import LegalTable, read_table
from calibration.limit_curve import CUT, LimitCurve
from calibration.mpe import (
    Limits,
    absolute_limits,
    accuracy_class_of,
    legal_table,
    limit_curve,
    maximum_permissible_error,
    tables,
)
from calibration.refusal import Refused
from calibration.rules.spelling import NONE, spelled
from calibration.units import parse_quantity

WATER = {"q3": "2.5", "ratio": "80"}
GAS = {"qmin": "0.016", "qt": "0.25", "qmax": "2.5"}
CURRENT = {"ist": "0.02", "imin": "0.25", "itr": "0.5", "imax": "60"}
WAGON = {"d": "20 kg", "max": "80 t"}
TRAIN = {**WAGON, "wagons": "12", "reference_wagons": "8"}


def limits(
    name: str, accuracy_class: str, value: str, stage: str = "initial", **characteristics: str
) -> Limits:
    return maximum_permissible_error(
        legal_table(name),
        accuracy_class=accuracy_class,
        stage=stage,
        values=[parse_quantity(text) for text in value.split(";")],
        characteristics=characteristics,
    )


@pytest.mark.parametrize(
    ("column", "cells", "total"),
    [
        ("E1", 24, "44.551"),
        ("E2", 28, "3000.329"),
        ("F1", 30, "44445.475"),
        ("F2", 30, "140003.29"),
        ("M1", 30, "444454.75"),
        ("M1-2", 7, "885000"),
        ("M2", 24, "1400028.1"),
        ("M2-3", 7, "2766000"),
        ("M3", 21, "4444513"),
    ],
)
def test_each_column_of_table_1_of_r111_adds_up(column: str, cells: int, total: str) -> None:
    rule = legal_table("r111").rules["rule"]
    place = 1 + rule["columns"].index(column)
    numbers = [Decimal(row[place]) for row in rule["rows"] if row[place] != ""]
    assert (len(numbers), sum(numbers)) == (cells, Decimal(total))


def test_table_1_of_r111_grows_with_the_class_and_with_the_nominal_value() -> None:
    rule = legal_table("r111").rules["rule"]
    columns = list(zip(*(row[1:] for row in rule["rows"]), strict=True))
    for column in columns:  # rows descend
        numbers = [number for number in column if number != ""]
        assert numbers == sorted(numbers, reverse=True)
        filled = [number != "" for number in column]
        assert filled == sorted(filled, reverse=column[0] != "") or column[0] == ""
    for row in rule["rows"]:
        numbers = [number for number in row[1:] if number != ""]
        assert all(less < more for less, more in pairwise(numbers))


SPOTS = [
    # table, class, value, characteristics, initial, in service, unit: typed from the reference
    ("r49", "1", "0.03125 m³/h", {**WATER, "temperature": "20"}, "3", "6", "%"),
    ("r49", "1", "2.5 m³/h", {**WATER, "temperature": "30"}, "1", "2", "%"),
    ("r49", "1", "2.5 m³/h", {**WATER, "temperature": "31"}, "2", "4", "%"),
    ("r49", "2", "0.04 m³/h", {**WATER, "temperature": "45"}, "5", "10", "%"),
    ("r49", "2", "3.125 m³/h", {**WATER, "temperature": "30"}, "2", "4", "%"),
    ("r49", "2", "3.125 m³/h", {**WATER, "temperature": "30.1"}, "3", "6", "%"),
    ("r50", "0.2", "1 t", {}, "0.10", "0.20", "%"),
    ("r107", "1", "1 t", {}, "0.50", "1.00", "%"),
    ("r106", "2", "1 t", {}, "1.00", "2.00", "%"),
    ("r134", "0.5", "1 t", {}, "0.25", "0.50", "%"),
    ("r134", "10", "1 t", {}, "5.00", "10.00", "%"),
    ("r134", "A", "1 t", {}, "0.25", "0.50", "%"),
    ("r134", "F", "1 t", {}, "4.00", "8.00", "%"),
    ("r51", "XI", "50000 e", {}, "0.5", "1", "e"),
    ("r51", "XII", "5001 e", {}, "1", "2", "e"),
    ("r51", "XIII", "10000 e", {}, "1.5", "3", "e"),
    ("r51", "XIIII", "50.1 e", {}, "1", "2", "e"),
    ("r51", "Y(I)", "1 e", {}, "1", "1.5", "e"),
    ("r51", "Y(II)", "20000 e", {}, "1.5", "2.5", "e"),
    ("r51", "Y(a)", "2001 e", {}, "2", "3.5", "e"),
    ("r51", "Y(b)", "1000 e", {}, "2", "3.5", "e"),
    ("r51", "X(1)", "50 g", {}, "0.24", "0.3", "g"),
    ("r51", "X(1)", "100 g", {}, "0.24", "0.3", "g"),
    ("r51", "X(1)", "200 g", {}, "0.48", "0.6", "g"),
    ("r51", "X(1)", "300 g", {}, "0.48", "0.6", "g"),
    ("r51", "X(1)", "500 g", {}, "0.8", "1", "g"),
    ("r51", "X(1)", "1 kg", {}, "0.8", "1", "g"),
    ("r51", "X(1)", "10 kg", {}, "8", "10", "g"),
    ("r51", "X(1)", "15 kg", {}, "8", "10", "g"),
    ("r51", "X(1)", "100 kg", {}, "53", "67", "g"),
    ("r51", "X(0.2)", "100 kg", {}, "10.6", "13.4", "g"),
    ("r61@2004", "X(1)", "10 g", {}, "0.72", "0.9", "g"),
    ("r61@2004", "X(1)", "75 g", {}, "3.6", "4.5", "g"),
    ("r61@2004", "X(1)", "250 g", {}, "7.2", "9", "g"),
    ("r61@2004", "X(1)", "450 g", {}, "10.8", "13.5", "g"),
    ("r61@2004", "X(1)", "12 kg", {}, "120", "150", "g"),
    ("r61@2004", "X(1)", "100 kg", {}, "800", "1000", "g"),
    ("r61@2004", "X(2)", "100 kg", {}, "1600", "2000", "g"),
    ("r61@2004", "X(0.01)", "100 kg", {}, "8", "10", "g"),
    ("r61@2004", "X(1)", "100 kg", {"quantity": "preset"}, "250", "250", "g"),
    ("r61@1996", "X(1)", "10 g", {}, "0.63", "0.9", "g"),
    ("r61@1996", "X(1)", "12 kg", {}, "105", "150", "g"),
    ("r61@1996", "X(1)", "100 kg", {}, "700", "1000", "g"),
    ("r35", "I", "1 m", {}, "0.2", "0.4", "mm"),
    ("r35", "II", "1.001 m", {}, "0.7", "1.4", "mm"),
    ("r35", "III", "10 m", {}, "4.6", "9.2", "mm"),
    ("r35", "III", "10 m", {"begins": "surface"}, "4.9", "9.8", "mm"),
    ("r35", "II", "1 mm", {"between": "consecutive"}, "0.2", "0.4", "mm"),
    ("r35", "II", "1 cm", {"between": "consecutive"}, "0.4", "0.8", "mm"),
    ("r137", "0.5", "0.016 m³/h", GAS, "1", "2", "%"),
    ("r137", "1.5", "0.24 m³/h", GAS, "3", "6", "%"),
    ("r137", "1.5", "2.5 m³/h", GAS, "1.5", "3", "%"),
    ("r139", "1.5", "5 kg", {}, "1.5", "2", "%"),
    ("r139", "1.5", "5 kg", {"part": "meter"}, "1", None, "%"),
    ("r120", "-", "5 L", {}, "2.5", None, "mL"),
    ("r120", "-", "20 L", {}, "10", None, "mL"),
    ("r138", "transfer", "1 L", {}, "30", None, "mL"),
    ("r138", "transfer", "99.999 mL", {"mark": "brim"}, "4", None, "mL"),
    ("r138", "transfer", "1 L", {"mark": "brim"}, "60", None, "mL"),
    ("r138", "drinking", "100 mL", {}, "5", None, "mL"),
    ("r138", "drinking", "100 mL", {"mark": "brim"}, "10", None, "mL"),
    ("r138", "drinking", "1 L", {"mark": "brim"}, "60", None, "mL"),
    ("r138", "bottle", "150 mL", {}, "4.5", None, "mL"),
    ("r138", "cask-metal", "20 L", {}, "0.1", None, "L"),
    ("r138", "cask-metal", "30 L", {}, "0.15", None, "L"),
    ("r46", "A", "60 A", {**CURRENT, "pf": "1"}, "2.0", None, "%"),
    ("r46", "C", "60 A", {**CURRENT, "pf": "0.8c"}, "0.6", None, "%"),
    ("r46", "D", "0.3 A", {**CURRENT, "pf": "0.6i"}, "0.5", None, "%"),
    ("r46", "A", "0.3 A", {**CURRENT, "pf": "0.5i"}, "2.5", None, "%"),
    ("r46", "D", "0.1 A", {**CURRENT, "pf": "1"}, "1", None, "%"),  # 0.4 * 0.25 / 0.1
    ("r46", "B", "20 mA", {**CURRENT, "pf": "1"}, "18.75", None, "%"),
    ("r21", "-", "1 h", {}, "3.6", None, "s"),
    ("r21", "-", "100 s", {"mounting": "installed"}, "0.2", None, "s"),
    ("r21", "-", "100 m", {"mounting": "installed"}, "2", None, "m"),
    ("r71", "vertical", "10 m³", {}, "0.2", None, "%"),
    ("id-evse", "2.5", "10 kWh", {}, "2.5", None, "%"),
]


@pytest.mark.parametrize(("name", "cls", "value", "given", "initial", "service", "unit"), SPOTS)
def test_a_spot_of_each_table_is_as_in_the_reference(
    name: str,
    cls: str,
    value: str,
    given: dict[str, str],
    initial: str,
    service: str | None,
    unit: str,
) -> None:
    found = limits(name, cls, value, **given)
    assert (found.upper, found.unit) == ((Decimal(initial),), unit)
    if service is None:
        with pytest.raises(Refused):
            limits(name, cls, value, "in_service", **given)
    else:
        assert limits(name, cls, value, "in_service", **given).upper == (Decimal(service),)


def test_the_in_service_limits_of_category_y_are_not_twice_the_initial_ones() -> None:
    for load in ("1 e", "501 e", "2001 e"):
        initial, service = (
            limits("r51", "Y(a)", load, s).upper[0] for s in ("initial", "in_service")
        )
        assert initial is not None
        assert service is not None
        assert initial < service < 2 * initial


@pytest.mark.parametrize(
    ("value", "given", "kilograms"),
    [
        ("60 t", WAGON, "160"),  # 0.25 % = 150 kg: 7.5 d, a tie, rounds up
        ("59.9 t", WAGON, "140"),  # 149.75 kg
        ("80 t", WAGON, "200"),
        ("1 t", WAGON, "80"),  # 35 % of 80 t = 28 t -> 70 kg: 3.5 d, a tie
        ("1 t", {"d": "200 kg", "max": "80 t"}, "200"),  # one scale interval
        ("900 t", TRAIN, "2260"),  # 2250 kg rounded to 20 kg: 112.5 d
        ("100 t", TRAIN, "560"),  # 35 % * 80 t * 8 wagons = 224 t -> 560 kg
        ("100 t", {**TRAIN, "reference_wagons": "12"}, "700"),  # ten wagons count
        ("10 t", {**TRAIN, "max": "1 t"}, "200"),  # 12 wagons: 10 d
        ("10 t", {**TRAIN, "max": "1 t", "wagons": "9"}, "180"),
    ],
)
def test_the_limit_of_a_wagon_or_train_is_rounded_and_has_its_floors(
    value: str, given: dict[str, str], kilograms: str
) -> None:
    found = limits("r106", "0.5", value, **given)
    assert (found.unit, found.upper) == ("kg", (Decimal(kilograms),))
    assert found.lower == (-Decimal(kilograms),)


@pytest.mark.parametrize(
    ("fill", "particle", "grams"),
    [
        # in service, class X(1): limit in service + 1.5 times the particle, at most 9 %
        ("40 g", "0.5 g", "3.6"),  # 9 % and no more
        ("60 g", "1 g", "5.4"),  # 4.5 + 1.5 = 6.0, but 9 % is 5.4
        ("100 g", "1 g", "6"),
        ("150 g", "1 g", "8.25"),
        ("333 g", "1 g", "11.49"),  # 0.1 of 9.99 g is less than 1 g
        ("334 g", "1 g", "10.02"),  # 0.1 of 10.02 g is not
        ("300 g", "0.9 g", "9"),  # 0.1 of 9 g is not exceeded by 0.9 g
        ("299 g", "0.91 g", "10.365"),
        ("20 kg", "100 g", "350"),
        ("100 kg", "100 g", "1000"),  # at 1000 g * 0.1 the particle is no longer coarse
    ],
)
def test_coarse_material_has_larger_limits_up_to_a_cap(
    fill: str, particle: str, grams: str
) -> None:
    found = limits("r61", "X(1)", fill, "in_service", particle=particle)
    assert found.upper == (Decimal(grams),)
    assert not found.provisional
    half = limits("r61", "X(0.5)", fill, "in_service", particle=str(parse_quantity(particle)))
    assert half.upper[0] is not None
    assert half.upper[0] <= Decimal(grams)
    at_first = limits("r61", "X(1)", fill, particle=particle)
    coarse = "particle" in at_first.clause[0]
    assert at_first.provisional is coarse


@given(st.integers(1, 200_000), st.integers(1, 50_000), st.sampled_from(["1", "0.2", "2"]))
def test_the_correction_for_particles_is_the_rule_of_the_law(
    fill: int, particle: int, x: str
) -> None:
    """Compute the rule once more, value by value, and compare."""
    mass = Fraction(particle, 100)
    plainly = limits("r61", f"X({x})", f"{fill} g", "in_service").upper[0]
    assert plainly is not None
    expected = Fraction(plainly)
    if mass > expected / 10:
        expected = min(expected + mass * 3 / 2, Fraction(x) * 9 * fill / 100)
    found = limits(
        "r61", f"X({x})", f"{fill} g", "in_service", particle=f"{Decimal(particle) / 100} g"
    )
    assert found.upper[0] is not None
    assert Fraction(found.upper[0]) == expected


def test_a_limit_without_finite_digits_is_cut_and_never_rounded_up() -> None:
    found = limits("r46", "B", "0.07 A;0.06 A;0.03 A", **CURRENT, pf="1")
    for limit, current in zip(found.upper, ("0.07", "0.06", "0.03"), strict=True):
        exact = Fraction("1.5") * Fraction("0.25") / Fraction(current)
        assert limit is not None
        assert 0 <= exact - Fraction(limit) < Fraction(10) ** CUT
    assert found.upper[2] == Decimal("12.5")
    assert found.upper[0] == Decimal("5.357142857")  # 5.357142857142857...


@pytest.mark.parametrize(
    ("name", "cls", "value", "given", "sentence"),
    [
        ("r111", "M1", "250 g", {}, r"no nominal value of this class; nearest: 200 g, 500 g"),
        ("r111", "M1", "0.5 mg", {}, "no nominal value of this class; nearest: 1 mg"),
        ("r111", "E1", "100 kg", {}, "beyond 50 kg"),
        ("r111", "M3", "500 mg", {}, "nearest: 1000 mg"),
        ("r111", "M1-2", "20 kg", {}, "nearest: 50 kg"),
        ("r111", "M1", "0 g", {}, "no nominal value"),
        ("r111", "M4", "1 kg", {}, "there are E1, E2, F1, F2, M1, M1-2, M2, M2-3, M3"),
        ("r111", "M1", "1 kg", {"e": "1 g"}, "takes no characteristic at all"),
        ("r49", "2", "1 m³/h", {}, "needs q3: give it with --with q3="),
        ("r49", "2", "1 m³/h", {"q3": "2.5"}, "needs ratio"),
        ("r49", "2", "1 m³/h", WATER, "depends on temperature"),
        ("r49", "2", "0.03124 m³/h", WATER, "below 0.03125 m³/h"),
        ("r49", "2", "3.126 m³/h", {**WATER, "temperature": "9"}, "beyond 3.125 m³/h"),
        ("r49", "2", "1 kg/h", WATER, "cannot be expressed"),
        ("r49", "2", "1 m³/h", {**WATER, "q3": "0"}, "not more than 0"),
        ("r49", "2", "1 m³/h", {**WATER, "ratio": "80 m"}, "no plain number"),
        ("r49", "2", "1 m³/h", {**WATER, "Temperature": "9"}, "takes no characteristic 'Temp"),
        ("r49", "3", "1 m³/h", WATER, "there are 1, 2"),
        ("r49@2006", "1", "1 m³/h", WATER, "begins at 100 m³/h, not at 2.5"),
        ("r137", "1", "1 m³/h", {"qt": "0.25", "qmax": "2.5"}, "needs qmin"),
        ("r46", "A", "0.1 A", {**CURRENT, "pf": "0.5i"}, "states none for this case"),
        ("r46", "A", "1 A", CURRENT, "depends on pf"),
        ("r46", "A", "1 A", {**CURRENT, "pf": "0.4i"}, "PF 1, PF 0.5i … 0.8c"),
        ("r46", "A", "1 A", {**CURRENT, "pf": "0.9"}, "no power factor"),
        ("r46", "A", "1 A", {**CURRENT, "pf": "1i"}, "no power factor"),
        ("r46", "A", "0.019 A", {**CURRENT, "pf": "1"}, "below 0.02 A"),
        ("r138", "bottle", "49.9 mL", {}, "below 50 mL"),
        ("r138", "bottle", "5001 mL", {}, "beyond 5000 mL"),
        ("r138", "bottle", "1 L", {"mark": "brim"}, "knows no mark"),
        ("r138", "drinking", "1 L", {"mark": "rim"}, "there are line, brim"),
        ("r138", "-", "1 L", {}, "there are transfer, drinking, bottle, cask-metal"),
        ("r138", "transfer", "0 mL", {}, "limits begin above 0 mL"),
        ("r35", "I", "0 m", {}, "limits begin above 0 m"),
        ("r35", "I", "11 mm", {"between": "consecutive"}, "beyond 10 mm"),
        ("r61", "X(3)", "1 g", {}, "1, 2 or 5 times a power of ten"),
        ("r61", "X(x)", "1 g", {}, "has no accuracy class"),
        ("r61", "X", "1 g", {}, "there are X(x), Ref(x)"),
        ("r61", "X(1)", "1 g", {"quantity": "preset", "particle": "1 g"}, "no correction"),
        ("r61", "X(1)", "1 g", {"particle": "0 g"}, "not more than 0"),
        ("r51", "XIII", "0 e", {}, "limits begin above 0 e"),
        ("r51", "XIII", "10001 e", {}, "beyond 10000 e"),
        ("r51", "XIII", "1 kg", {"e": "0.05 g"}, "no instruments with e"),
        ("r51", "X(1)", "1 kg", {"e": "5 g"}, "takes no characteristic"),
        ("r51", "XIII", "1 kg", {}, "--with e="),
        ("r106", "1", "1 t", {"max": "80 t"}, "max counts only together with d"),
        ("r106", "1", "1 t", {"d": "20"}, "needs max"),
        ("r106", "1", "81 t", WAGON, "beyond 80 t"),
        ("r106", "1", "81 t", {**WAGON, "reference_wagons": "2"}, "only together with wagons"),
        ("r106", "1", "81 t", {**WAGON, "wagons": "2"}, "needs reference_wagons"),
        ("r106", "1", "81 t", {**TRAIN, "wagons": "7"}, "no more reference wagons"),
        ("r106", "1", "81 t", {**TRAIN, "wagons": "8.5"}, "no whole number"),
        ("r21", "-", "5 kg", {}, "needs quantity: there are time, distance"),
        ("r21", "-", "5 s", {"quantity": "distance"}, "cannot be expressed"),
        ("r50", "0.5", "0 kg", {}, "limits begin above 0 kg"),
        ("r50", "0.5", "-1 kg", {}, "limits begin above 0 kg"),
        ("r120", "1", "5 L", {}, "there are -"),
    ],
)
def test_where_a_table_defines_no_limit_there_is_none(
    name: str, cls: str, value: str, given: dict[str, str], sentence: str
) -> None:
    with pytest.raises(Refused) as refused:
        limits(name, cls, value, **given)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "stage", "known"),
    [
        ("r50", "subsequent", "initial, in_service"),
        ("r120", "in_service", "initial"),
        ("r46", "tera", "initial"),
    ],
)
def test_a_stage_that_a_table_does_not_state_is_refused(name: str, stage: str, known: str) -> None:
    table = legal_table(name)
    with pytest.raises(Refused, match=f"there are {known}"):
        limits(name, table.classes[0], "1 kg", stage)
    with pytest.raises(Refused, match="has no stage 'in_service': there are initial"):
        limits("r61", "Ref(1)", "1 g", "in_service")


@pytest.mark.parametrize(
    ("name", "written", "printed"),
    [
        ("r76", "iii", "III"),
        ("r76", " IIII ", "IIII"),
        ("r117", "1", "1.0"),
        ("r50", "1.0", "1"),
        ("r50", "0.50", "0.5"),
        ("r111", "m1–2", "M1-2"),
        ("r111", "e1", "E1"),
        ("r134", "a", "A"),
        ("r134", "10.0", "10"),
        ("r61", "x(0.50)", "X(0.5)"),
        ("r61", "X( .2 )", "X(0.2)"),
        ("r61", "ref(1)", "Ref(1)"),
        ("r51", "y(A)", "Y(a)"),
        ("r51", "xiii", "XIII"),
        ("r120", "-", "-"),
        ("r139", "-", "1.5"),
        ("R139@2014", "1.50", "1.5"),
    ],
)
def test_a_class_is_found_however_it_is_written(name: str, written: str, printed: str) -> None:
    assert accuracy_class_of(legal_table(name), written) == printed


@pytest.mark.parametrize(
    ("text", "limit"),
    [("20", "2"), ("30 °C", "2"), ("30C", "2"), ("303.15 K", "2"), ("31 °C", "3")],
)
def test_a_number_without_a_unit_has_the_one_that_the_law_fixes(text: str, limit: str) -> None:
    found = limits("r49", "2", "1 m3/h", q3="2500 L/h", ratio="80", temperature=text)
    assert found.upper == (Decimal(limit),)


def test_each_answer_says_how_sure_its_own_entry_is() -> None:
    sure = limits("r61", "X(1)", "50 g;400 g").confidence
    assert sure == ("V", "K-high")
    for name, cls, value, stage, confidence in (
        ("r137", "1", "1 m³/h", "initial", "V2"),
        ("r137", "0.5", "1 m³/h", "initial", "K-high"),
        ("r137", "1", "1 m³/h", "in_service", "K-med"),
        ("r134", "5", "1 t", "in_service", "K-high"),
        ("r134", "C", "1 t", "initial", "K-med"),
        ("r107", "1", "1 t", "initial", "K-high"),
        ("r107", "1", "1 t", "in_service", "V"),
        ("r35", "I", "1 m", "initial", "V"),
        ("r35", "I", "1 m", "in_service", "K-med"),
        ("r111", "M1", "1 kg", "initial", "V2"),
        ("r111", "M1", "1 kg", "subsequent", "K-med"),
        ("r51", "Y(a)", "1 e", "initial", "V"),
        ("r51", "Y(a)", "1 e", "in_service", "K-high"),
        ("r51", "XIII", "1 e", "initial", "K-high"),
    ):
        found = limits(name, cls, value, stage, **(GAS if name == "r137" else {}))
        assert found.confidence == (confidence,), (name, cls, stage)
        assert found.provisional is (confidence in PROVISIONAL)


def test_a_limit_in_per_cent_of_something_else_is_not_applied_to_the_value() -> None:
    found = limits("r49", "2", "1 m³/h", **WATER, temperature="20")
    assert found.percent_of == "the volume passed"
    with pytest.raises(Refused, match="in % of the volume passed, not of this value"):
        absolute_limits(found, [parse_quantity("1 m³/h")])
    assert limits("r50", "1", "1 t").percent_of == ""


@pytest.mark.parametrize("table", tables(), ids=lambda table: table.name)
def test_every_table_says_where_its_numbers_were_read(table: LegalTable) -> None:
    assert "Transcription:" in table.transcription
    assert "Confidence:" in table.transcription
    assert table.title
    assert table.title_id
    assert table.notes
    assert table.confidence in CONFIDENCES
    assert table.name.startswith(f"{table.id}@")
    for stated in table.rules["requirement"].values():
        assert {"text", "clause", "confidence"} <= stated.keys()


@pytest.mark.parametrize("table", tables(), ids=lambda table: table.name)
def test_every_table_can_be_printed_with_a_limit_for_each_class(table: LegalTable) -> None:
    lines = spelled(table)
    assert {line.accuracy_class for line in lines} == set(table.classes)
    for line in lines:
        assert set(line.limits) == set(table.stages)
        assert line.limits["initial"] != NONE
        assert "None" not in f"{line}"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('schema = "tera/legal-table/1"', 'schema = "tera/legal-table/2"', "schema"),
        ('title = "Gas meters"', 'title = "Gas meters"\nlimit = 3', "limit"),
        ('confidence = "V2"\nband', 'confidence = "sure"\nband', "confidence"),
        ('clause = "5.3 Table"', "", "clause"),
    ],
)
def test_a_file_with_a_strange_key_is_no_table(old: str, new: str, problem: str) -> None:
    text = (resources.files("calibration") / "legal" / "r137_2012.toml").read_text("utf-8")
    assert old in text
    with pytest.raises(Refused, match=problem):
        read_table(text.replace(old, new).encode(), "strange.toml")


UNITS = {
    "r35": (("I", "II", "III"), ("mm", "cm", "m", "km")),
    "r61": (("X(1)", "X(0.2)"), ("mg", "g", "kg", "t")),
    "r138": (("transfer", "drinking", "cask-other"), ("mL", "cL", "L", "m³")),
    "r51": (("X(1)",), ("g", "kg")),
    "r120": (("-",), ("mL", "L", "dm³")),
    "r21": (("-",), ("m", "km")),
}


@given(st.data())
def test_the_unit_of_a_value_never_changes_its_limit(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(UNITS)))
    classes, units = UNITS[name]
    cls = data.draw(st.sampled_from(classes))
    unit, other = data.draw(st.sampled_from(units)), data.draw(st.sampled_from(units))
    value = Decimal(data.draw(st.integers(1, 10**9))).scaleb(data.draw(st.integers(-6, 0)))
    quantity = parse_quantity(f"{value:f} {unit}")
    assume(10**-9 < quantity.to(units[0]).magnitude < 10**9)
    again = quantity.to(other)
    try:
        first = limits(name, cls, str(quantity))
    except Refused as refused:
        with pytest.raises(Refused):
            limits(name, cls, str(again))
        assert "64-bit" in str(refused) or "no limit" in str(refused)
        return
    assert limits(name, cls, str(again)) == first


MONOTONE = [
    ("r61", "X(1)", "g"),
    ("r51", "X(1)", "g"),
    ("r51", "Y(a)", "e"),
    ("r35", "II", "mm"),
    ("r138", "transfer", "mL"),
    ("r138", "drinking", "mL"),
    ("r138", "cask-metal", "mL"),
    ("r117", "0.5", "mL"),
    ("r50", "1", "kg"),
    ("r21", "-", "s"),
    ("r120", "-", "mL"),
]


@given(
    st.sampled_from(MONOTONE),
    st.lists(st.integers(1, 9_000_000), min_size=2, max_size=40),
    st.integers(-3, 0),
)
def test_a_larger_value_never_has_a_smaller_limit(
    which: tuple[str, str, str], counts: list[int], exponent: int
) -> None:
    name, cls, unit = which
    curve = limit_curve(legal_table(name), accuracy_class=cls, stage="initial", unit=unit)
    column = np.array(sorted(counts), dtype=np.int64)
    if curve.bounds and unit == "e":
        column = column[column <= int(curve.bounds[-1] / Decimal(10) ** exponent)]
    assert (np.diff(curve.limits(column, exponent).counts) >= 0).all()


@given(st.lists(st.integers(25_000, 60_000_000), min_size=1, max_size=40), st.integers(0, 3))
def test_a_finer_grid_never_changes_a_limit(counts: list[int], finer: int) -> None:
    curve = limit_curve(
        legal_table("r46"),
        accuracy_class="A",
        stage="initial",
        unit="A",
        characteristics={**CURRENT, "pf": "1"},
    )
    column = np.array(counts, dtype=np.int64)
    coarse = curve.limits(column, -6)
    fine = curve.limits(column * 10**finer, -6 - finer)
    for one, other in zip(
        off_grid(coarse.counts, coarse.exponent), off_grid(fine.counts, fine.exponent), strict=True
    ):
        assert one == other


def test_one_sided_limits_are_so_in_the_vectorised_path_too() -> None:
    def at(name: str, cls: str, unit: str, **given: str) -> LimitCurve:
        return limit_curve(
            legal_table(name), accuracy_class=cls, stage="initial", unit=unit, characteristics=given
        )

    column = np.array([50, 500], dtype=np.int64)
    brim = at("r138", "transfer", "mL", mark="brim")
    found = brim.limits(column, 0)
    lower = brim.lower(found)
    assert lower is not None
    assert lower.tolist() == [0, 0]
    spread = at("r51", "X(1)", "g")
    assert spread.lower(spread.limits(column, 0)) is None
    line = at("r138", "transfer", "mL")
    found = line.limits(column, 0)
    lower = line.lower(found)
    assert lower is not None
    assert (lower == -found.counts).all()
