"""Commissioning: a value on the display says which word order and address base a meter has."""

import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import pytest

from acquisition.commands import commission
from acquisition.commands.commission import _in_its_unit
from acquisition.faults import BadInput
from calibration.units import parse_quantity
from drivers.errors import BadDriverSettings
from drivers.register_map import load_map
from drivers.registers import WordOrder, from_bytes
from drivers.simulated_meter import SimulatedMeter, SimulatedPipe
from drivers.word_order_fit import Candidate, candidates, check_known, places
from tests.stations import tera

PROMASS = load_map("endress-hauser-promass")
FLOW = parse_quantity("12.34 m³/h")


def fitting(found: tuple[Candidate, ...]) -> list[tuple[int, int, str]]:
    return [(c.base, c.address, ", ".join(c.orders)) for c in found if c.fits]


def read_of(value: float, order: WordOrder, base: int) -> dict[int, tuple[int, ...] | str]:
    """Return what a meter with this order and base sends for the flow at both addresses."""
    words = from_bytes(struct.pack(">f", value), order)
    other = (0x1234, 0x5678)
    return {base: words, 1 - base: other}


@pytest.mark.parametrize("order", WordOrder)
@pytest.mark.parametrize("base", [0, 1])
def test_a_known_value_finds_the_order_and_the_base(order: WordOrder, base: int) -> None:
    registers = places(PROMASS, "volume_flow")
    assert {b: r.address for b, r in registers.items()} == {0: 2009, 1: 2008}
    found = candidates(registers, read_of(12.3378, order, base), FLOW.magnitude)
    assert fitting(found) == [(base, 2009 - base, order.value)]


def test_values_that_fit_two_orders_are_ambiguous() -> None:
    """0x4241 4241 is 48.314701 in ABCD and CDAB; 0x4242 4242 is 48.564705 in all four."""
    registers = places(PROMASS, "volume_flow")
    two = candidates(registers, {1: (0x4241, 0x4241), 0: "refused"}, Decimal("48.31"))
    assert fitting(two) == [(1, 2008, "ABCD, CDAB")]
    four = candidates(registers, {1: (0x4242, 0x4242), 0: "refused"}, Decimal("48.56"))
    assert fitting(four) == [(1, 2008, "ABCD, CDAB, BADC, DCBA")]


def test_the_same_value_at_both_addresses_fits_both_bases() -> None:
    registers = places(PROMASS, "volume_flow")
    words = from_bytes(struct.pack(">f", 12.34), WordOrder.CDAB)
    found = candidates(registers, {0: words, 1: words}, FLOW.magnitude)
    assert fitting(found) == [(0, 2009, "CDAB"), (1, 2008, "CDAB")]


def test_a_value_that_fits_nothing_is_said_so_and_refusals_are_shown() -> None:
    registers = places(PROMASS, "volume_flow")
    read = {0: "illegal data address", 1: from_bytes(struct.pack(">f", 99.0), WordOrder.CDAB)}
    found = candidates(registers, read, FLOW.magnitude)
    assert fitting(found) == []
    assert found[0].decoded.fault == "illegal data address"
    assert found[0].raw == b""


def test_a_display_that_moved_on_a_little_still_fits() -> None:
    registers = places(PROMASS, "volume_flow")
    for value, fits in [(12.345, True), (12.46, True), (12.47, False), (12.21, False)]:
        found = candidates(registers, read_of(value, WordOrder.CDAB, 1), FLOW.magnitude)
        assert bool(fitting(found)) is fits, value


def test_a_high_word_beside_a_foreign_low_word_is_told_by_a_total_at_rest() -> None:
    """Three registers, 7727 4145 70a4: the middle one is a high word in either of two readings."""
    registers = places(PROMASS, "volume_flow")
    read: dict[int, tuple[int, ...] | str] = {0: (0x4145, 0x70A4), 1: (0x7727, 0x4145)}
    loose = candidates(registers, read, Decimal("12.34"))
    assert fitting(loose) == [(0, 2009, "ABCD"), (1, 2008, "CDAB")]
    exact = candidates(registers, read, Decimal("12.3400"))
    assert fitting(exact) == [(0, 2009, "ABCD")]


def test_a_sum_is_tried_as_a_whole() -> None:
    """Whole and fraction each come in the order of the meter."""
    tuf = load_map("tuf-2000")
    words = (*from_bytes(struct.pack(">i", 1234), WordOrder.CDAB),)
    words += from_bytes(struct.pack(">f", 0.5), WordOrder.CDAB)
    found = candidates(places(tuf, "totalizer_1"), {0: "no", 1: words}, Decimal("1234.5"))
    assert fitting(found) == [(1, 8, "CDAB")]


def test_what_cannot_tell_is_refused_before_anything_is_read() -> None:
    with pytest.raises(BadDriverSettings, match="0 fits every word order"):
        check_known(PROMASS, "volume_flow", Decimal("0.00"))
    with pytest.raises(BadDriverSettings, match="is a status"):
        check_known(PROMASS, "system_condition", Decimal(1))
    with pytest.raises(BadDriverSettings, match="no quantity flow"):
        check_known(PROMASS, "flow", Decimal(1))


def test_a_register_at_the_edge_has_one_base() -> None:
    assert list(places(load_map("controlbox-th340"), "temperature")) == [0]


def test_the_unit_of_the_display_is_the_menus_or_is_converted() -> None:
    known, value = _in_its_unit(PROMASS, "mass_flow", parse_quantity("3 kg/min"))
    assert (known.register("mass_flow").unit, value) == ("kg/min", Decimal(3))
    krohne = load_map("krohne-mfc300")
    assert _in_its_unit(krohne, "volume_flow", parse_quantity("36 m³/h"))[1] == Decimal("0.01")
    with pytest.raises(BadInput, match="cannot be 3 kg"):
        _in_its_unit(krohne, "volume_flow", parse_quantity("3 kg"))


# ---------------------------------------------------------------- the command, on a real line


@asynccontextmanager
async def strange_meter(order: WordOrder, base: int) -> AsyncIterator[str]:
    """A Promass that was set to another order, behind a gateway that counts otherwise."""
    known = PROMASS.with_units({"totalizer_1": "L"})
    known = known.with_word_order(order).with_address_base(base)
    pipe = SimulatedPipe(settling_time=0.0)
    meter = SimulatedMeter(known, pipe=pipe)
    await pipe.deliver(1234.567, 12, within=0.01)
    yield await meter.start()
    await meter.stop()


async def run(*arguments: str) -> tuple[int, str]:
    import asyncio

    done = await asyncio.to_thread(tera, "doctor", *arguments)
    return done.returncode, done.stdout.decode() + done.stderr.decode()


@pytest.mark.parametrize(("order", "base"), [(WordOrder.BADC, 1), (WordOrder.ABCD, 0)])
async def test_doctor_prints_the_lines_to_paste(order: WordOrder, base: int) -> None:
    async with strange_meter(order, base) as url:
        code, said = await run(
            *("--commission", url, "--set", "map=endress-hauser-promass", "--set", "unit=1"),
            *("--value", "totalizer_1=1234.567 L"),
        )
        assert code == 0, said
        assert f'word_order = "{order}"' in said
        assert f"address_base = {base}" in said
        assert 'units = { totalizer_1 = "L" }' in said
        code, said = await run(
            *("--commission", url, "--set", "map=endress-hauser-promass", "--json"),
            *("--value", "totalizer_1=1234.567 L"),
        )
    rows = [json.loads(line) for line in said.splitlines()]
    assert [(r["address_base"], r["word_order"]) for r in rows if r["fits"]] == [(base, [order])]


async def test_doctor_says_when_nothing_fits_and_when_the_question_is_wrong() -> None:
    async with strange_meter(WordOrder.CDAB, 1) as url:
        meter = ("--commission", url, "--set", "map=endress-hauser-promass")
        code, said = await run(*meter, "--value", "volume_flow=77 m³/h")
        assert (code, "no word order and no address base" in said) == (1, True)
        for value, wanted in [
            ("volume_flow", "give the quantity"),
            ("volume_flow=12", "has no unit"),
            ("flow=12 m³/h", "no quantity flow"),
            ("volume_flow=0 m³/h", "fits every word order"),
            ("totalizer_1=1 L", "too few digits"),
        ]:
            code, said = await run(*meter, "--value", value)
            assert (code, wanted in said) == (2, True), said
        code, said = await run("--value", "volume_flow=1 m³/h")
        assert (code, "belong to --commission" in said) == (2, True)
    code, said = await run(*meter, "--value", "volume_flow=12.34 m³/h")
    assert (code, "cannot be reached" in said) == (3, True)


def test_what_was_found_is_taken_from_the_configuration() -> None:
    from acquisition.config import instrument_settings

    settings = instrument_settings(
        name="m", driver="modbus", port="tcp://127.0.0.1:1502", map="endress-hauser-promass",
        word_order="BADC", address_base=0, units={"volume_flow": "L/min"},
    )  # fmt: skip
    register = settings.register_map().register("volume_flow")
    assert (register.address, register.word_order, register.unit) == (2009, "BADC", "L/min")
    with pytest.raises(BadInput) as caught:
        instrument_settings(
            name="m", driver="modbus", port="tcp://127.0.0.1:1502", map="controlbox-th340",
            address_base=1,
        )  # fmt: skip
    assert caught.value.place == "address_base"
    assert commission.main  # the command that finds them
    assert replace(register, word_order=WordOrder.CDAB) != register
