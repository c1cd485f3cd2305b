"""Nothing that the probe sends zeros, tares or writes: at no speed, in no framing, in no protocol.

A slower instrument samples bits of several characters as one; some balances obey single letters. So
every request of every try is carried to every speed and framing, by strict and by careless UARTs.
"""

import pytest
from pymodbus.framer import FramerRTU

from drivers.codecs import CODECS
from drivers.probe_heard import dialects
from drivers.probe_plan import (
    PROBED,
    SPEEDS,
    BusTry,
    Patience,
    ScaleTry,
    Send,
    line_plan,
    spoken,
    volley,
)
from drivers.probe_wire import set_for
from tests.probe_cable import bits, received

FRAMINGS = ("8N1", "7E1", "7O1", "7N2", "8E1", "8O1")
KNOWN = {
    command.strip(b"\r\n")
    for dialect in dialects()
    for command in (dialect.codec.requests.zero, dialect.codec.requests.tare)
    if command
}
ASKS = [one for one in line_plan(speeds=True) if isinstance(one, ScaleTry)]
BUSES = [one for one in line_plan(speeds=True) if isinstance(one, BusTry)]


def misheard(data: bytes, baudrate: int, framing: str) -> list[tuple[int, str, bytes]]:
    """Return where bytes that go out in one go are heard as a command: speed, framing, command."""
    levels = bits(data, framing)
    found = []
    for speed in (600, *SPEEDS):
        for theirs in FRAMINGS:
            for strict in (True, False):
                heard = received(levels, baudrate, speed, theirs, strict=strict)
                for bytes_or_ascii in (heard, bytes(byte & 0x7F for byte in heard)):
                    found += [(speed, theirs, c) for c in KNOWN if c in bytes_or_ascii]
    return found


def test_the_commands_that_change_an_instrument_are_known() -> None:
    assert {b"T", b"Z", b"t", b"\x1bU", b"\x1bV", b"ZERO", b"TARE", b"01MZ"} <= KNOWN


def test_only_requests_for_an_indication_are_sent() -> None:
    polls = {d.codec.requests.poll for d in dialects()}
    assert set(volley()) <= polls
    for kind in CODECS.values():
        if kind.name != "pattern":
            poll = kind.codec({}).requests.poll
            assert poll is None or any(sent.startswith(poll) for sent in volley())


@pytest.mark.parametrize("one", ASKS, ids=lambda one: f"{one.baudrate} {one.framing}")
def test_no_instrument_of_any_speed_hears_a_command_in_a_request(one: ScaleTry) -> None:
    for request in volley():
        send = spoken(request, one.framing, Patience().apart)
        for part in send.parts:
            assert not misheard(part, one.baudrate, set_for(one.framing)), request
        assert isinstance(send, Send)
        assert not send.apart or send.apart >= 10 / 600


@pytest.mark.parametrize("one", BUSES, ids=lambda one: f"{one.baudrate} {one.framing}")
def test_no_scale_hears_a_command_in_a_request_for_registers(one: BusTry) -> None:
    for unit in one.units:
        body = bytes((unit, 3)) + PROBED[0].to_bytes(2, "big") + PROBED[1].to_bytes(2, "big")
        frame = body + FramerRTU.compute_CRC(body).to_bytes(2, "big")
        assert not misheard(frame, one.baudrate, one.framing)


def test_without_the_pauses_a_slower_balance_would_have_been_tared() -> None:
    """The reason for them: the requests in one go are heard as T, Z or t somewhere."""
    assert any(misheard(b"01RW\r\n", 9600, "8N1"))
    assert any(misheard(b"Q\r\n", 9600, "8N1"))
