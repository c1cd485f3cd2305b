"""A short run of the Modbus fuzzer, and proof that it notices a client that takes anything."""

import pytest
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from drivers import modbus_wire
from drivers.modbus_wire import Outcome
from tests.fuzz_modbus import PARTS, crc, run

SHORT = 150_000


@pytest.mark.parametrize("name", PARTS)
def test_random_and_mutated_bytes_give_no_registers_that_no_frame_carried(name: str) -> None:
    figures = run(name, SHORT, seed=2)
    assert figures.bytes >= SHORT
    if name == "decode":
        assert set(figures.outcomes) == {"faults", "values"}
    else:
        assert figures.outcomes[Outcome.REGISTERS.value] > 50
        assert figures.outcomes[Outcome.FOREIGN.value] > 20
        assert figures.outcomes[Outcome.GARBLED.value] > 200


def test_the_check_of_the_fuzzer_is_that_of_the_specification() -> None:
    """Modbus over Serial Line V1.02, 6.2.2: 02 07 has the check 41 12, low byte first."""
    assert crc(b"\x02\x07") == b"\x41\x12"
    assert crc(bytes.fromhex("010300000002")) == bytes.fromhex("c40b")


def test_the_fuzzer_notices_a_client_without_a_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FramerRTU, "check_CRC", classmethod(lambda *_: True))
    with pytest.raises(AssertionError):
        run("rtu", 20 * SHORT, seed=2)


def test_the_fuzzer_notices_a_client_that_takes_any_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """pymodbus alone ignores what an answer holds beyond what it says it holds."""
    monkeypatch.setattr(modbus_wire._Answers, "decode", DecodePDU.decode)
    with pytest.raises(AssertionError):
        run("tcp", 20 * SHORT, seed=2)


def test_the_fuzzer_notices_a_client_that_takes_any_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        modbus_wire,
        "_judged",
        lambda request, response, count: (
            Outcome.REGISTERS, tuple(response.registers) or (0,) * count, 0, "",
        ),
    )  # fmt: skip
    with pytest.raises(AssertionError):
        run("tcp", SHORT, seed=2)
