"""Maps of real instruments: sums, ranges, counts, statuses, and what a wrong map is told."""

import struct
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.units import unit_symbol
from drivers.errors import BadDriverSettings
from drivers.map_file import MEASURES
from drivers.modbus_manners import Sleep
from drivers.register_encoding import encode, encode_pattern
from drivers.register_map import RegisterMap, load_map, map_ids, parse_map
from drivers.registers import Register, WordOrder, decode, from_bytes

HEAD = """
id = "maker-model"
title = "An instrument"
address_base = 0
function = "input"
word_order = "ABCD"
[sources]
manual = "The manual"
"""
BODY = """
[[register]]
quantity = "total"
address = 10
type = "uint32"
unit = "m³"
document = "manual"
page = "p. 1"
"""


def own_map(*more: str, head: str = "", body: str = BODY) -> RegisterMap:
    """Return a map whose last register has more keys."""
    return parse_map(head + HEAD + body + "\n".join(more), "own.toml")


def only(*more: str, head: str = "", body: str = BODY) -> Register:
    return own_map(*more, head=head, body=body).registers[-1]


def float32(value: float, order: str = "ABCD") -> tuple[int, ...]:
    return from_bytes(struct.pack(">f", value), WordOrder(order))


# ---------------------------------------------------------------- sums


def test_a_total_above_seven_digits_is_the_sum_and_its_overflow() -> None:
    """Promass: 2 overflows are 2E7 kg; the effective quantity is OVERFLOW plus SUM (p. 56)."""
    total = load_map("endress-hauser-promass").register("totalizer_1")
    words = (*float32(1234567.0, "CDAB"), *float32(2e7, "CDAB"))
    assert decode(total, words).text == "21234567"
    assert encode(total, Decimal(21234567)) == words
    assert (total.address, total.count) == (2609, 4)


def test_a_total_in_whole_and_fraction_is_added_exactly() -> None:
    total = load_map("tuf-2000").register("totalizer_1")
    whole = from_bytes(struct.pack(">i", 2_000_000_001), WordOrder.CDAB)
    decoded = decode(total, (*whole, *float32(0.1, "CDAB")))
    assert decoded.text == "2000000001.1"  # more digits than a float32 or a binary sum keeps
    assert encode(total, Decimal("2000000001.1")) == (*whole, *float32(0.1, "CDAB"))


def test_a_sum_with_one_part_lost_is_a_fault() -> None:
    total = load_map("tuf-2000").register("totalizer_1")
    assert decode(total, (1, 0, *float32(float("nan"), "CDAB"))).fault == "not a number"


@given(st.integers(0, 10**14), st.integers(0, 7))
def test_a_sum_in_thousands_comes_back_digit_for_digit(counts: int, places: int) -> None:
    register = only(
        'plus = [{ address = 8, type = "uint32", scale = "1000", step = "1000" }]',
        'scale = "0.0000001"',
        body=BODY.replace("uint32", "uint64"),
    )
    assert (register.address, register.at, register.count) == (8, 2, 6)
    value = Decimal(counts % (2**32 * 1000)) + Decimal(counts % 10**places).scaleb(-places)
    assert decode(register, encode(register, value)).value == value


# ---------------------------------------------------------------- ranges, factors


def test_a_range_coded_value_runs_from_end_to_end() -> None:
    adam = load_map("advantech-adam4015").with_ranges({"temperature_2": "0x20"})
    first, second = adam.register("temperature_1"), adam.register("temperature_2")
    assert decode(first, (0x8000,)).text == "50.001"  # 32768 / 65535 of 100 °C
    assert decode(second, (0x8000,)).text == "50.002"  # of -50 .. 150 °C
    assert decode(first, (0,)).fault == "at or below the range"
    assert decode(first, (0xFFFF,)).fault == "at or above the range"
    with pytest.raises(BadDriverSettings, match="no range 0x99"):
        adam.with_ranges({"temperature_1": "0x99"})
    with pytest.raises(BadDriverSettings, match="has no ranges"):
        load_map("pixsys-atr401").with_ranges({"temperature_1": "0x20"})


@given(st.integers(1, 0xFFFE), st.sampled_from(["0x20", "0x21", "0x22", "0x23", "0x24"]))
def test_the_digits_of_a_range_coded_value_give_the_raw_number_back(raw: int, code: str) -> None:
    adam = load_map("advantech-adam4015").with_ranges({"temperature_1": code})
    register = adam.register("temperature_1")
    decoded = decode(register, (raw,))
    assert decoded.value is not None
    assert encode(register, decoded.value) == (raw,)
    low, high = register.ranges[code]
    exact = Fraction(low) + Fraction(raw * (high - low)) / 65535
    assert abs(Fraction(decoded.value) - exact) < Fraction(high - low) / 65535 / 2


def test_a_count_is_a_count_until_somebody_says_what_it_is_worth() -> None:
    adam = load_map("advantech-adam6050")
    raw = from_bytes((4321).to_bytes(4, "big"), WordOrder.CDAB)
    bare = decode(adam.register("count_1"), raw)
    assert (bare.text, bare.unit) == ("4321", "count")
    for factor, text in [
        ((Decimal("0.01"), False, "L"), "43.21"),
        ((Decimal(1000), True, "L"), "4.321"),
        ((Decimal(3), True, "L"), "1440.3333"),  # to less than a thousandth of a pulse
        ((Decimal("1234.56"), True, "L"), "3.5000324"),
    ]:
        register = adam.with_factors({"count_1": factor}).register("count_1")
        decoded = decode(register, raw)
        assert (decoded.text, decoded.unit) == (text, "L")
        assert decoded.value is not None
        assert encode(register, decoded.value) == raw


@given(st.integers(0, 2**32 - 1), st.decimals("0.001", "100000", places=4))
def test_pulses_per_unit_are_exact_to_a_thousandth_of_a_pulse(counts: int, k: Decimal) -> None:
    factor = {"count_1": (k, True, "L")}
    register = load_map("advantech-adam6050").with_factors(factor).register("count_1")
    decoded = decode(register, from_bytes(counts.to_bytes(4, "big"), WordOrder.CDAB))
    assert decoded.value is not None
    assert abs(Fraction(decoded.value) * Fraction(k) - counts) <= Fraction(1, 1000)


@pytest.mark.parametrize(
    ("quantity", "factor", "said"),
    [("count_1", (Decimal(0), False, "L"), "above 0"), ("count_9", (Decimal(1), False, "L"), "no")],
)
def test_a_factor_that_says_nothing_is_refused(
    quantity: str, factor: tuple[Decimal, bool, str], said: str
) -> None:
    with pytest.raises(BadDriverSettings, match=said):
        load_map("advantech-adam6050").with_factors({quantity: factor})
    with pytest.raises(BadDriverSettings, match="is fixed"):
        load_map("xylem-magflux").with_factors({"totalizer_1": (Decimal(1), False, "L")})


# ---------------------------------------------------------------- statuses, faults, limits


def test_every_bit_of_a_status_that_means_a_fault_is_named() -> None:
    status = load_map("badger-m2000").register("meter_status")
    assert decode(status, (0,)).fault is None
    assert decode(status, (0x0018,)).fault is None  # rollover bits say nothing of the flow
    assert decode(status, (0x0003,)).fault == "detector error; empty pipe"
    assert status.status
    assert status.unit is None


def test_a_status_is_read_for_the_quantities_it_vouches_for() -> None:
    mfc = load_map("krohne-mfc400")
    asked = [r.quantity for t in mfc.plan(["density"]) for r in t.members]
    assert asked == ["density", "density_status"]
    assert decode(mfc.register("density_status"), (0x84,)).fault == "failure"
    assert decode(mfc.register("density_status"), (0x04,)).fault is None  # maintenance required


def test_a_status_before_the_measurands_gets_a_telegram_of_its_own() -> None:
    plan = load_map("abb-aquamaster3").plan()
    assert [(t.kind, t.address, t.count) for t in plan][-1] == ("input", 1022, 1)


@pytest.mark.parametrize(
    ("name", "quantity", "raw", "fault"),
    [
        ("modmux-pm6rtd", "temperature_1", 0x8000, "sensor break, upscale"),
        ("modmux-pm6rtd", "temperature_6", 0x8001, "sensor break, downscale"),
        ("comet-t7410", "humidity", 0x8000, "outside the measuring range"),
        ("comet-t7410", "pressure", 0, "outside the measuring range"),
        ("xy-md02", "humidity", 0xFFFF, "outside the measuring range"),
        ("xy-md02", "temperature", 0x7FFF, "outside the measuring range"),
    ],
)
def test_a_sensor_fault_is_never_a_temperature_or_humidity(
    name: str, quantity: str, raw: int, fault: str
) -> None:
    assert decode(load_map(name).register(quantity), (raw,)).fault == fault


def test_a_number_beyond_every_instrument_is_a_fault() -> None:
    register = only(body=BODY.replace("uint32", "float32"))
    assert decode(register, float32(1.5e30)).fault == "larger than any instrument shows"
    assert decode(register, float32(-1.5e30)).fault == "larger than any instrument shows"
    assert decode(register, float32(1e-40)).fault is None


# ---------------------------------------------------------------- commissioning


def test_word_order_and_address_base_can_be_set_as_they_were_found() -> None:
    mag = load_map("xylem-magflux")
    moved = mag.with_address_base(1).with_word_order(WordOrder.ABCD)
    assert [r.address for r in moved.registers] == [599, 603, 609]
    assert {r.word_order for r in moved.registers} == {WordOrder.ABCD}
    assert moved.with_address_base(0).registers[0].address == 600
    with pytest.raises(BadDriverSettings, match="outside 0 to 65535"):
        load_map("controlbox-th340").with_address_base(1)
    with pytest.raises(BadDriverSettings, match="write 0 or 1"):
        mag.with_address_base(2)


def test_a_second_address_base_is_read_where_the_map_knows_one() -> None:
    ifc = load_map("krohne-ifc300")
    assert [r.address for r in ifc.at_second_base().registers] == [
        r.address - 30000 for r in ifc.registers
    ]
    with pytest.raises(BadDriverSettings, match="no second address base"):
        load_map("krohne-mfc300").at_second_base()


# ---------------------------------------------------------------- the maps that ship


@pytest.mark.parametrize("name", map_ids())
def test_every_map_that_ships_is_sourced_and_speaks_units_that_pint_knows(name: str) -> None:
    known = load_map(name)
    assert known.id == name
    assert known.measures in MEASURES
    assert known.measurands
    for register in known.registers:
        assert register.source
        assert "TODO" not in register.source
        if register.unit is not None:
            assert unit_symbol(register.unit) == register.unit
        else:
            assert register.status
        assert register.count <= known.max_registers
    if known.provisional:
        assert any(
            word in known.note.lower() for word in ("compare", "check", "see", "let", "unplug")
        )


@pytest.mark.parametrize("name", map_ids())
def test_every_value_of_a_map_comes_back_through_its_registers(name: str) -> None:
    for register in load_map(name).registers:
        if register.status:
            continue
        for text in ("0", "1", "12", "20"):
            value = Decimal(text)
            if register.valid is not None:
                value = max(value, register.valid[0])
            decoded = decode(register, encode(register, value))
            if register.type.startswith("float") and register.offset:
                assert decoded.value is not None
                assert abs(decoded.value - value) < Decimal("0.0001")
            elif register.range is None:
                assert decoded.value == value, register.quantity


def test_aquamaster_sleeps_as_its_source_has_it() -> None:
    manners = load_map("abb-aquamaster3").manners
    assert manners.sleep == Sleep(after=10, wait=0.8, within=1)
    assert manners.timeout == 1


# ---------------------------------------------------------------- wrong maps


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ("scale = 1", "register[0].scale"),
        ('valid = ["1"]', "register[0].valid"),
        ('valid = ["2", "1"]', "register[0].valid"),
        ("valid = [1, 2]", "register[0].valid"),
        ('plus = "x"', "register[0].plus"),
        ('plus = [{ address = 11, type = "uint16" }]', "register[0].plus"),
        ('plus = [{ address = 13, type = "uint16" }]', "register[0].plus"),
        ("plus = [{ address = 12 }]", "register[0].plus[0].type"),
        ('plus = [{ address = 12, type = "uint16", step = "-1" }]', "register[0].plus[0].step"),
        ('plus = [{ address = 12, type = "uint16", size = 1 }]', "register[0].plus[0].size"),
        ('range = "0x20"', "register[0].range"),
        ("factor_from_meter = 1", "register[0].factor_from_meter"),
        ("modulus = 1", "register[0].modulus"),
        ("modulus = 4294967297", "register[0].modulus"),
        ('modulus = 100\nfaults = { "0xFFFF" = "broken" }', "register[0].modulus"),
        ('modulus = 100\nmax_rate = "-1"', "register[0].max_rate"),
        ('max_rate = "5"', "register[0].max_rate"),
        ('governs = ["total"]', "register[0].governs"),
        ('faults = { "0x100000000" = "broken" }', "register[0].faults.0x100000000"),
    ],
)
def test_a_wrong_key_of_a_register_is_named(more: str, key: str) -> None:
    with pytest.raises(BadDriverSettings) as info:
        own_map(more)
    assert info.value.evidence["key"] == key
    assert str(info.value).startswith("own.toml: ")


@pytest.mark.parametrize(
    ("head", "key"),
    [
        ('measures = "weather"', "measures"),
        ("max_registers = 1", "register[0].type"),
        ("second_base = 70000", "second_base"),
        ("second_base = -11", "second_base"),
        ("[line]\nbaudrate = 5", "line.baudrate"),
        ('[line]\nframing = "9E1"', "line.framing"),
        ("[line]\nunit = 256", "line.unit"),
        ("[line]\ntimeout = 1", "line.timeout"),
        ('[line]\ntimeout = "-1"', "line.timeout"),
        ('[line]\nspeed = "1"', "line.speed"),
        ('[line.sleep]\nafter = "1"\nwait = "1"\nwithin = "1"', "line.sleep.wait"),
        ('[line.sleep]\nafter = "1"\nwait = "0.5"', "line.sleep.within"),
        ('[ranges]\n"0x20" = ["1", "1"]', "ranges.0x20"),
        ('[ranges]\n"0x20" = ["1", "x"]', "ranges.0x20"),
    ],
)
def test_a_wrong_key_of_the_file_is_named(head: str, key: str) -> None:
    top, _, tables = head.partition("[")
    text = top + HEAD + (f"[{tables}" if tables else "") + BODY
    with pytest.raises(BadDriverSettings) as info:
        parse_map(text, "own.toml")
    assert info.value.evidence["key"] == key


def test_a_status_vouches_only_for_quantities_that_are_measured() -> None:
    status = '[[register]]\nquantity = "state"\naddress = 1\ntype = "uint16"\ndocument = "manual"\n'
    status += 'page = "p. 2"\nbits = { "0x01" = "broken" }\n'
    assert own_map(body=BODY + status + 'governs = ["total"]').registers[1].governs == {"total"}
    for wrong, key in [
        ('governs = ["totl"]', "register[1].governs"),
        ("governs = [1]", "register[1].governs"),
        ('plus = [{ address = 2, type = "uint16" }]', "register[1].type"),
        ('bits2 = { "0x02" = "x" }', "register[1].bits2"),
    ]:
        with pytest.raises(BadDriverSettings) as info:
            own_map(body=BODY + status + wrong)
        assert info.value.evidence["key"] == key
    with pytest.raises(BadDriverSettings, match=r"bits\.0 must be"):
        own_map(body=BODY + status.replace("0x01", "0"))


def test_a_map_file_that_is_no_text_is_said_in_one_sentence(tmp_path: object) -> None:
    file = f"{tmp_path}/own.toml"
    with open(file, "wb") as out:  # noqa: PTH123
        out.write(b"\xff\xfe")
    with pytest.raises(BadDriverSettings, match="cannot be read"):
        load_map(file)


def test_a_pattern_is_encoded_as_the_instrument_sends_it() -> None:
    register = replace(only(), word_order=WordOrder.CDAB)
    assert encode_pattern(register, 0x12345678) == (0x5678, 0x1234)
