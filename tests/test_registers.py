"""What registers mean: types, word orders, exact digits, sensor faults, strict map files."""

import doctest
import math
import struct
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drivers.registers
from drivers.errors import BadDriverSettings
from drivers.register_encoding import encode
from drivers.register_map import load_map, map_ids, parse_map
from drivers.registers import (
    DATA_TYPES,
    Register,
    WordOrder,
    decode,
    from_bytes,
    shortest_float32,
    to_bytes,
)

PLAIN = Register(
    quantity="volume_flow",
    address=0,
    kind="holding",
    type="float32",
    word_order=WordOrder.ABCD,
    unit="m³/h",
    unit_from_meter=False,
    scale=Decimal(1),
    offset=Decimal(0),
    faults={},
    ok=None,
    source="test",
)
GOOD = """
id = "maker-model"
title = "A meter"
address_base = 1
function = "input"
word_order = "ABCD"
[sources]
manual = "The manual"
[[register]]
quantity = "volume_flow"
address = 11
type = "float32"
unit = "m³/h"
document = "manual"
page = "p. 1"
"""


@pytest.mark.parametrize(
    ("order", "two", "four"),
    [
        ("ABCD", (0x4142, 0x4344), (0x4142, 0x4344, 0x4546, 0x4748)),
        ("CDAB", (0x4344, 0x4142), (0x4748, 0x4546, 0x4344, 0x4142)),
        ("BADC", (0x4241, 0x4443), (0x4241, 0x4443, 0x4645, 0x4847)),
        ("DCBA", (0x4443, 0x4241), (0x4847, 0x4645, 0x4443, 0x4241)),
    ],
)
def test_the_four_word_orders_of_a_known_value(
    order: str, two: tuple[int, ...], four: tuple[int, ...]
) -> None:
    assert from_bytes(b"ABCD", WordOrder(order)) == two
    assert to_bytes(two, WordOrder(order)) == b"ABCD"
    assert from_bytes(b"ABCDEFGH", WordOrder(order)) == four
    assert to_bytes(four, WordOrder(order)) == b"ABCDEFGH"


@pytest.mark.parametrize(
    ("data_type", "registers", "text"),
    [
        ("int16", (0xFFFE,), "-2"),
        ("uint16", (0xFFFE,), "65534"),
        ("int32", (0xFFFF, 0xFFFE), "-2"),
        ("uint32", (0x0001, 0x0000), "65536"),
        ("int64", (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE), "-2"),
        ("uint64", (0x8000, 0, 0, 1), "9223372036854775809"),
        ("float32", (0x42C8, 0x0000), "100"),
        ("float32", (0x3DCC, 0xCCCD), "0.1"),
        ("float32", (0x42C7, 0xFFFF), "99.99999"),
        ("float32", (0x8000, 0x0000), "0"),
        ("float32", (0x5015, 0x02F9), "10000000000"),
        ("float64", (0x3FB9, 0x9999, 0x9999, 0x999A), "0.1"),
        ("float64", (0x40C8, 0x1CD6, 0xE631, 0xF8A1), "12345.6789"),
    ],
)
def test_each_type_decodes_to_the_digits_it_carries(
    data_type: str, registers: tuple[int, ...], text: str
) -> None:
    decoded = decode(replace(PLAIN, type=data_type), registers)
    assert (decoded.text, decoded.value) == (text, Decimal(text))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_digits_of_a_float_register_read_back_as_the_same_register(value: float) -> None:
    text = shortest_float32(value)
    assert struct.pack(">f", float(text)) == struct.pack(">f", value)
    shortest = len(Decimal(str(np.float32(value))).normalize().as_tuple().digits)
    assert len(Decimal(text).normalize().as_tuple().digits) == shortest


@given(st.integers(0, 9_999_999), st.integers(0, 6), st.sampled_from(WordOrder))
def test_a_display_of_up_to_six_digits_comes_back_digit_for_digit(
    counts: int, places: int, order: WordOrder
) -> None:
    value = Decimal(counts % 1_000_000).scaleb(-places)
    register = replace(PLAIN, word_order=order)
    assert decode(register, encode(register, value)).value == value


@given(st.data(), st.sampled_from(DATA_TYPES), st.sampled_from(WordOrder))
def test_encoding_is_the_inverse_of_decoding(
    data: st.DataObject, data_type: str, order: WordOrder
) -> None:
    register = replace(PLAIN, type=data_type, word_order=order)
    words = data.draw(st.tuples(*[st.integers(0, 0xFFFF)] * register.count))
    decoded = decode(register, words)
    if decoded.value is not None and decoded.value != 0:
        assert encode(register, decoded.value) == words


@pytest.mark.parametrize(
    ("data_type", "registers", "fault"),
    [
        ("int16", (0x8000,), "sensor break"),
        ("float32", (0x7FC0, 0x0000), "not a number"),
        ("float32", (0xFF80, 0x0000), "infinite"),
        ("float64", (0x7FF8, 0, 0, 1), "not a number"),
    ],
)
def test_a_sensor_fault_value_is_a_condition_and_never_a_number(
    data_type: str, registers: tuple[int, ...], fault: str
) -> None:
    register = replace(PLAIN, type=data_type, faults={0x8000: "sensor break"})
    decoded = decode(register, registers)
    assert (decoded.fault, decoded.value, decoded.text, decoded.unit) == (fault, None, "", None)


def test_scale_and_offset_keep_the_digits_of_the_instrument() -> None:
    tenths = replace(PLAIN, type="int16", scale=Decimal("0.1"))
    assert decode(tenths, (200,)).text == "20.0"
    kelvin = replace(PLAIN, type="float32", offset=Decimal("-273.15"))
    assert decode(kelvin, encode(kelvin, Decimal("20.25"))).text == "20.25"


def test_a_value_too_large_for_its_register_is_refused() -> None:
    with pytest.raises(BadDriverSettings, match="does not fit"):
        encode(replace(PLAIN, type="uint16"), Decimal(70000))
    assert math.isnan(struct.unpack(">f", to_bytes(encode(PLAIN, math.nan), WordOrder.ABCD))[0])


def test_every_map_that_ships_names_a_source_for_every_register() -> None:
    assert "endress-hauser-promass" in map_ids()
    for name in map_ids():
        register_map = load_map(name)
        assert register_map.id == name
        assert register_map.measurands
        assert all(r.source for r in register_map.registers)
        assert not register_map.provisional or register_map.note


def test_the_promass_decimals_are_one_based_and_its_floats_low_word_first() -> None:
    promass = load_map("endress-hauser-promass")
    wire = {r.quantity: (r.address, r.count) for r in promass.registers}
    assert wire == {
        "mass_flow": (2006, 2),
        "volume_flow": (2008, 2),
        "temperature": (2016, 2),
        "totalizer_1": (2609, 4),
        "system_condition": (6858, 1),
    }
    flow = promass.register("mass_flow")
    assert decode(flow, (0x0000, 0x42C8)).text == "100"  # 1-0-3-2
    status = promass.register("system_condition")
    assert decode(status, (1,)).fault is None
    assert decode(status, (36,)).fault == "system_condition = 36"


def test_adjacent_registers_share_a_telegram_and_gaps_are_not_read() -> None:
    promass = load_map("endress-hauser-promass")
    assert [(t.address, t.count) for t in promass.plan()] == [
        (2006, 4),
        (2016, 2),
        (2609, 4),
        (6858, 1),
    ]
    assert [(t.address, t.count) for t in replace(promass, max_gap=6).plan()] == [
        (2006, 12),
        (2609, 4),
        (6858, 1),
    ]
    assert [t.address for t in promass.plan(["totalizer_1"])] == [2609, 6858]
    assert [t.count for t in replace(promass, max_registers=2).plan(["mass_flow"])] == [2, 1]


@given(st.sets(st.integers(0, 300), min_size=1), st.integers(0, 8), st.integers(4, 125))
def test_a_plan_reads_every_register_once_and_no_forbidden_gap(
    addresses: set[int], gap: int, most: int
) -> None:
    registers = tuple(replace(PLAIN, quantity=f"q{a}", address=2 * a) for a in addresses)
    base = load_map("siemens-mag6000")
    plan = replace(base, registers=registers, max_gap=gap, max_registers=most).plan()
    members = [r.quantity for t in plan for r in t.members]
    assert sorted(members) == sorted(r.quantity for r in registers)
    for telegram in plan:
        assert telegram.count <= most
        unused = telegram.count - sum(r.count for r in telegram.members)
        assert unused <= gap * (len(telegram.members) - 1)


def test_a_unit_the_meter_decides_can_be_set_and_a_fixed_one_cannot() -> None:
    promass = load_map("endress-hauser-promass").with_units({"totalizer_1": "L"})
    assert promass.register("totalizer_1").unit == "L"
    assert promass.register("mass_flow").unit == "kg/h"
    with pytest.raises(BadDriverSettings, match="fixed"):
        load_map("krohne-mfc300").with_units({"mass_flow": "kg/h"})
    with pytest.raises(BadDriverSettings, match="no quantity mas_flow"):
        promass.with_units({"mas_flow": "kg/h"})


def test_a_good_map_file_is_read() -> None:
    (register,) = parse_map(GOOD, "good.toml").registers
    assert (register.address, register.kind, register.source) == (10, "input", "The manual, p. 1")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('title = "A meter"', "", "title"),
        ('title = "A meter"', "title = 3", "title"),
        ('title = "A meter"', 'titel = "A"\ntitle = "A meter"', "titel"),
        ("address_base = 1", "address_base = 2", "address_base"),
        ("address_base = 1", "address_base = true", "address_base"),
        ('function = "input"', 'function = "coil"', "function"),
        ('word_order = "ABCD"', 'word_order = "ACBD"', "word_order"),
        ('manual = "The manual"', "manual = 1", "sources.manual"),
        ("address = 11", "address = 0", "register[0].address"),
        ("address = 11", "address = 65536", "register[0].address"),
        ("address = 11", "address = 11.0", "register[0].address"),
        ('type = "float32"', 'type = "float16"', "register[0].type"),
        ('unit = "m³/h"', "", "register[0].unit"),
        ('unit = "m³/h"', 'unit = "m³/h"\nunits = "x"', "register[0].units"),
        ('unit = "m³/h"', 'unit = "m³/h"\nscale = 0.1', "register[0].scale"),
        ('unit = "m³/h"', 'unit = "m³/h"\nscale = "0"', "register[0].scale"),
        ('unit = "m³/h"', 'unit = "m³/h"\nscale = "NaN"', "register[0].scale"),
        ('unit = "m³/h"', 'unit = "m³/h"\nok = [1]', "register[0].type"),
        ('unit = "m³/h"', 'unit = "m³/h"\nok = [true]', "register[0].ok"),
        ('unit = "m³/h"', 'unit = "m³/h"\nfaults = { "0x" = "a" }', "register[0].faults.0x"),
        ('document = "manual"', 'document = "leaflet"', "register[0].document"),
        ('page = "p. 1"', "", "register[0].page"),
    ],
)
def test_a_wrong_map_file_names_the_key_and_the_file(old: str, new: str, key: str) -> None:
    assert old in GOOD
    with pytest.raises(BadDriverSettings) as info:
        parse_map(GOOD.replace(old, new), "bad.toml")
    assert info.value.evidence["key"] == key
    assert str(info.value).startswith("bad.toml: ")


def test_no_map_and_no_toml_are_said_in_one_sentence() -> None:
    with pytest.raises(BadDriverSettings, match="endress-hauser-promass"):
        load_map("no-such-map")
    with pytest.raises(BadDriverSettings, match=r"nowhere\.toml"):
        load_map("/nowhere.toml")
    with pytest.raises(BadDriverSettings, match="no TOML"):
        parse_map("=", "x.toml")
    with pytest.raises(BadDriverSettings, match="once"):
        parse_map(GOOD + GOOD[GOOD.index("[[register]]") :], "twice.toml")


def test_the_examples_in_the_docstrings_are_right() -> None:
    assert doctest.testmod(drivers.registers).failed == 0
