"""What bytes say to every protocol: how sure that is, and that no dialect is chosen in silence."""

from decimal import Decimal

import pytest

from drivers.indication import Condition
from drivers.probe_heard import Certainty, Dialect, dialects, readings, strictness, whole
from drivers.simulated_speech import Speech

LOADS = ("12.345", "12.350", "0.250")


def spoken_by(dialect: Dialect) -> bytes:
    known = list(dialect.codec.units.values())
    speech = Speech(dialect.codec, "kg" if "kg" in known else known[0], Decimal("0.005"))
    shown = [speech.weight(Decimal(load), Condition.STABLE) for load in LOADS]
    return b"".join(speech.frame(one) or b"" for one in shown)


def named(data: bytes) -> list[str]:
    return list(dict.fromkeys(reading.dialect.name for reading in readings(data)))


@pytest.mark.parametrize(
    "dialect", dialects(), ids=lambda d: " ".join((d.name, *d.settings.values()))
)
def test_every_dialect_is_among_those_that_read_what_it_sends(dialect: Dialect) -> None:
    data = spoken_by(dialect)
    ours = next(reading for reading in readings(data) if reading.dialect is dialect)
    assert [said.text for said in ours.shown] == list(LOADS)
    assert ours.share == 1
    assert ours.certainty >= Certainty.STRUCTURE
    best = readings(data)[0]
    assert (best.valued, best.certainty) >= (True, ours.certainty)


def test_a_checksum_is_known_by_what_the_protocol_refuses() -> None:
    checked = {d.name for d in dialects() if readings(spoken_by(d))[0].certainty is Certainty.CHECK}
    assert checked == {"toledo-cont", "yaohua-xk3190"}


def test_a_protocol_that_takes_any_number_is_less_sure() -> None:
    (cas10,) = [d for d in dialects() if d.name == "cas10"]
    (sics,) = [d for d in dialects() if d.name == "mt-sics"]
    assert strictness(cas10, b"0012.345") < strictness(sics, b"S S     12.345 kg")
    assert readings(b"0012.345\r\n")[0].certainty is Certainty.GUESS


def test_dialects_that_read_alike_are_all_named() -> None:
    assert named(b"S S     12.345 kg\r\n") == ["mt-sics", "kern-kcp", "ohaus-mt-sics"]
    assert named(b"ST,GS,0012.345kg\r\n") == ["kern-tm", "cas-and18"]
    assert {"sartorius-sbi", "sartorius-sbi16", "ohaus"} == set(named(b"+   12.345 kg \r\n"))


def test_a_frame_without_its_checksum_reads_less_sure_than_with_it() -> None:
    with_sum = b"\x02-0  12345     0\r\x05" * 3
    first, *others = readings(with_sum)
    assert first.certainty is Certainty.CHECK
    without = next(r for r in others if r.dialect.settings.get("checksum") == "none")
    assert (without.certainty, without.share < 1) == (Certainty.STRUCTURE, True)


def test_noise_and_half_frames_do_not_hide_a_protocol() -> None:
    frame = b"S S     12.345 kg\r\n"
    cut = b"  12.345 kg\r\n\xff\x00" + 4 * frame + b"S S   "
    assert named(cut)[:3] == ["mt-sics", "kern-kcp", "ohaus-mt-sics"]


@pytest.mark.parametrize("data", [b"", b"\x00" * 40, b"\xff\xfe\x80\x81" * 20, b"hello\r\n" * 5])
def test_what_is_no_frame_is_read_by_nobody(data: bytes) -> None:
    assert readings(data) == ()


def test_an_instrument_that_does_not_understand_has_answered() -> None:
    reading = readings(b"ES\r\n")[0]
    assert (reading.refused, reading.shown, reading.certainty) == (True, (), Certainty.GUESS)


def test_a_whole_indication_ends_the_waiting_and_half_of_one_does_not() -> None:
    assert whole(b"S S     12.345 kg\r\n")
    assert not whole(b"S S     12.345")
    assert not whole(b"ES\r\n")
