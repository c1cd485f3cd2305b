"""Framings of seven bits are heard and spoken by a port that is set to eight."""

import pytest

from drivers.probe_wire import PLAIN, SEVEN_BITS, heard_as, sent_as, set_for
from tests.probe_cable import bits, carried, received

TEXT = b"ST,+0012.345 kg\r\n"


@pytest.mark.parametrize("framing", SEVEN_BITS)
def test_seven_bits_with_parity_are_the_same_levels_as_eight_without(framing: str) -> None:
    assert bits(sent_as(TEXT, framing), PLAIN) == bits(TEXT, framing)


@pytest.mark.parametrize("framing", SEVEN_BITS)
def test_what_an_instrument_of_seven_bits_sends_is_known_by_its_parity(framing: str) -> None:
    heard = received(bits(TEXT, framing), 9600, 9600, PLAIN)
    assert heard_as(heard)[0] == (framing, TEXT)


def test_eight_bits_are_not_taken_for_seven() -> None:
    assert heard_as(TEXT) == ((PLAIN, TEXT),)
    lamps = b"ST,GS,1\xc4,0012.345 kg\r\n"
    assert heard_as(lamps) == ((PLAIN, lamps),)


def test_one_character_of_noise_does_not_hide_the_parity() -> None:
    heard = received(bits(TEXT, "7E1"), 9600, 9600, PLAIN)
    assert heard_as(heard[:5] + bytes([heard[5] ^ 4]) + heard[6:])[0][0] == "7E1"


def test_a_port_is_set_for_eleven_bits_and_not_for_ten() -> None:
    assert [set_for(f) for f in ("7E1", "7O1", "7N2", "8N1", "8N2", "8E1")] == [
        *["8N1"] * 5,
        "8E1",
    ]


def test_the_cable_of_these_tests_garbles_what_two_speeds_carry() -> None:
    assert carried(TEXT, 9600, "8N1", 9600, "8N1") == TEXT
    assert carried(TEXT, 9600, "7E1", 9600, "7E1") == TEXT
    assert carried(TEXT, 9600, "8N1", 9600, "8E1") != TEXT
    for speed in (1200, 4800, 19200, 115200):
        assert carried(TEXT, 9600, "8N1", speed, "8N1") != TEXT
