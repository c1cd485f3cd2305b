"""Quantities are read strictly and converted exactly or not at all."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.refusal import Refused
from calibration.units import Quantity, parse_quantity, same_kind, unit_symbol


@pytest.mark.parametrize(
    ("text", "magnitude", "unit"),
    [
        ("2.5 kg", "2.5", "kg"),
        ("10005g", "10005", "g"),
        ("500.5 e", "500.5", "e"),
        ("500.5e", "500.5", "e"),
        ("1e3 g", "1E+3", "g"),
        ("-0.50 g", "-0.50", "g"),
        ("100.00 %", "100.00", "%"),
        ("0.2 d", "0.2", "d"),
        ("28.4 °C", "28.4", "°C"),
        (" 6 m3/h ", "6", "m³/h"),
        ("6 m³/h", "6", "m³/h"),
        ("40 L/min", "40", "L/min"),
        ("40 l/min", "40", "L/min"),
        ("50 ml", "50", "mL"),
        ("2 kilogram", "2", "kg"),
        ("998.2 kg/m3", "998.2", "kg/m³"),
        ("1005 hPa", "1005", "hPa"),
        ("3 t", "3", "t"),
        ("0.000033 1/K", "0.000033", "1/K"),
    ],
)
def test_a_quantity_is_one_number_and_one_unit(text: str, magnitude: str, unit: str) -> None:
    quantity = parse_quantity(text)
    assert (str(quantity.magnitude), quantity.unit) == (magnitude, unit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kg",
        "5",
        "2,5 kg",
        "1.000.000 g",
        "NaN kg",
        "inf kg",
        "1 2 kg",
        "5 KG",
        "5 kilogrm",
        "5 kg**9",
        "5 __import__('os')",
        "5 kg^99",
        "١ kg",
        "1e999 g",
        "0." + "1" * 60 + " g",
        "9" * 200 + " g",
        "5 m/m",
    ],
)
def test_anything_else_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_quantity(text)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["2,5 kg", "-0,5g", "1.002,50 g", "1,000 g", "2,5"])
def test_a_comma_in_a_number_is_said_to_be_one(text: str) -> None:
    with pytest.raises(Refused, match="has a comma in the number"):
        parse_quantity(text)


def test_a_refusal_names_its_place() -> None:
    with pytest.raises(Refused) as refused:
        parse_quantity("5 KG", key="test[0].load[1]")
    assert refused.value.key == "test[0].load[1]"
    assert str(refused.value).startswith("test[0].load[1]: ")


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("2.5 kg", "g", "2500"),
        ("15005 g", "kg", "15.005"),
        ("7.5 g", "kg", "0.0075"),
        ("60 t", "kg", "60000"),
        ("1 mg", "kg", "0.000001"),
        ("10.01 L", "mL", "10010"),
        ("0.001 m³", "L", "1"),
        ("6 m³/h", "L/min", "100"),
        ("28.4 °C", "K", "301.55"),
        ("301.55 K", "°C", "28.4"),
        ("1 lb", "kg", "0.45359237"),
        ("30 min", "h", "0.5"),
        ("5 e", "e", "5"),
        ("2.50 kg", "kg", "2.50"),
    ],
)
def test_a_conversion_is_exact(text: str, unit: str, expected: str) -> None:
    converted = parse_quantity(text).to(unit)
    assert converted.unit == unit_symbol(unit)
    assert converted.magnitude == Decimal(expected)


@pytest.mark.parametrize(
    ("text", "unit", "sentence"),
    [
        ("100 °C", "°F", ""),
        ("1 L/min", "m³/s", "no exact value"),
        ("1 kg", "lb", "no exact value"),
        ("1 kg", "L", "cannot be expressed"),
        ("1 e", "g", "cannot be expressed"),
        ("1 d", "h", "cannot be expressed"),
        ("1 %", "g", "cannot be expressed"),
    ],
)
def test_what_has_no_exact_value_is_refused(text: str, unit: str, sentence: str) -> None:
    if not sentence:
        assert parse_quantity(text).to(unit).magnitude == 212
        return
    with pytest.raises(Refused, match=sentence):
        parse_quantity(text).to(unit)


@given(
    st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=7),
    st.sampled_from([("kg", "mg"), ("t", "g"), ("m³", "mL"), ("°C", "K"), ("m³/h", "L/h")]),
)
def test_there_and_back_loses_no_digit(magnitude: Decimal, units: tuple[str, str]) -> None:
    here, there = units
    assert Quantity(magnitude, here).to(there).to(here).magnitude == magnitude


def test_the_scale_interval_is_no_charge_and_no_day() -> None:
    assert not same_kind("e", "C")
    assert not same_kind("d", "h")
    assert same_kind("kg", "t")
    assert not same_kind("kg", "L")
