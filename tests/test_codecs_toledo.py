"""Toledo continuous: checksums, bits, parity, and where a frame ends that does not say so."""

from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs import Decoded
from drivers.indication import Condition
from tests.test_codecs import codec_of, said

LONG = b"\x02,0   1234     0\r"
SHORT = b"\x02,0   1234\r"
TWELVE = Decoded("12.34", Decimal("12.34"), "kg", Condition.STABLE)


def with_check(frame: bytes, kind: str = "toledo") -> bytes:
    total = sum(frame)
    return frame + bytes([-total & 0x7F if kind == "toledo" else total & 0xFF])


def even(data: bytes) -> bytes:
    """Set bit 7 as a line of 7E1 does that is read as 8N1."""
    return bytes(b | (b.bit_count() % 2) << 7 for b in data)


def heard(chunks: Iterable[bytes], **settings: str) -> list[Decoded]:
    return [m for m in said(codec_of("toledo-cont", **settings), chunks) if isinstance(m, Decoded)]


@pytest.mark.parametrize("frame", [LONG, SHORT])
@pytest.mark.parametrize(
    ("setting", "sent"),
    [
        ("auto", None), ("auto", "toledo"), ("none", None), ("toledo", "toledo"),
        ("fairbanks", "fairbanks"),
    ],
)  # fmt: skip
def test_long_and_short_frames_are_read_with_each_checksum(
    frame: bytes, setting: str, sent: str | None
) -> None:
    whole = frame if sent is None else with_check(frame, sent)
    assert heard([whole * 3], checksum=setting) == [TWELVE] * 3
    assert heard([even(whole) * 3], checksum=setting) == [TWELVE] * 3
    for cut in range(len(whole)):
        assert heard([whole[:cut], whole[cut:]], checksum=setting) == [TWELVE]


@pytest.mark.parametrize("setting", ["auto", "toledo"])
@pytest.mark.parametrize("frame", [LONG, SHORT])
def test_one_changed_bit_never_passes_a_checksum(setting: str, frame: bytes) -> None:
    whole = with_check(frame)
    for at in range(len(whole)):
        for bit in range(7):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << bit
            assert heard([bytes(damaged)], checksum=setting) == []


@pytest.mark.parametrize("setting", ["auto", "toledo", "fairbanks", "none"])
def test_a_lost_or_doubled_byte_never_passes(setting: str) -> None:
    kinds = {"none": None, "auto": "toledo"}
    kind = kinds.get(setting, setting)
    whole = with_check(LONG, kind) if kind else LONG
    for at in range(len(whole)):
        for damaged in (whole[:at] + whole[at + 1 :], whole[:at] + whole[at : at + 1] + whole[at:]):
            found = heard([damaged + whole + whole], checksum=setting)
            assert found
            assert set(found) == {TWELVE}


def test_the_other_makers_sum_is_refused() -> None:
    assert heard([with_check(LONG, "fairbanks")], checksum="toledo") == []
    assert heard([with_check(LONG, "toledo")], checksum="fairbanks") == []
    assert heard([LONG * 3], checksum="toledo") == []


def test_without_a_checksum_a_frame_is_known_by_the_next_one() -> None:
    codec = codec_of("toledo-cont")
    framer = codec.framer()
    assert framer.feed(LONG) == []
    assert framer.feed(LONG[:1]) == []
    assert framer.feed(LONG[1:]) == [LONG]
    assert framer.finish() == [LONG]
    at_once = codec_of("toledo-cont", checksum="none").framer()
    assert at_once.feed(LONG) == [LONG]


def frame_whose_check_is_stx() -> bytes:
    return next(
        frame
        for tare in range(0, 999_999, 1111)
        for weight in range(0, 99_999, 111)
        if with_check(frame := b"\x02,0 %6d%6d\r" % (weight, tare))[-1:] == b"\x02"
    )


def test_a_checksum_may_look_like_a_start() -> None:
    frame = with_check(frame_whose_check_is_stx())
    for stream in (frame, frame * 3, LONG + frame, frame + LONG):
        found = heard([stream])
        assert len(found) == stream.count(b"\r")
        assert heard(stream[i : i + 1] for i in range(len(stream))) == found


WORDS = [
    (0, "1234", "123400"), (1, "1234", "12340"), (2, "1234", "1234"), (3, "1234", "123.4"),
    (4, "1234", "12.34"), (5, "1234", "1.234"), (6, "1234", "0.1234"), (7, "1234", "0.01234"),
    (0, "0", "0"), (4, "5", "0.05"), (4, "0", "0.00"), (7, "000000", "0.00000"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "digits", "text"), WORDS)
def test_the_point_stands_where_the_status_word_says(code: int, digits: str, text: str) -> None:
    frame = bytes([2, 0x28 | code]) + b"0 " + f"{digits:>6}     0\r".encode()
    (message,) = heard([with_check(frame)])
    assert (message.text, message.value) == (text, Decimal(text))


@pytest.mark.parametrize(
    ("b", "c", "unit"),
    [(0x20, 0x20, "lb"), (0x30, 0x20, "kg"), (0x20, 0x21, "g"), (0x30, 0x22, "t")],
)
def test_units(b: int, c: int, unit: str) -> None:
    (message,) = heard([with_check(bytes([2, 0x2A, b, c]) + b"    12     0\r")])
    assert message.unit == unit


@pytest.mark.parametrize("c", [0x23, 0x24, 0x25, 0x26, 0x27])
def test_a_unit_that_no_source_gives_is_refused(c: int) -> None:
    assert heard([with_check(bytes([2, 0x2A, 0x30, c]) + b"    12     0\r")]) == []


@pytest.mark.parametrize(
    ("b", "condition"),
    [(0x34, Condition.OVERLOAD), (0x36, Condition.UNDERLOAD), (0x3C, Condition.OVERLOAD)],
)
@pytest.mark.parametrize("field", [b"999999", b"      ", b"^^^^^^"])
def test_out_of_range_is_a_condition_whatever_the_digits(
    b: int, condition: Condition, field: bytes
) -> None:
    (message,) = heard([with_check(bytes([2, 0x2A, b, 0x20]) + field + b"     0\r")])
    assert (message.condition, message.value, message.unit) == (condition, None, None)


def test_an_expanded_display_is_a_fault() -> None:
    (message,) = heard([with_check(bytes([2, 0x2A, 0x30, 0x30]) + b"    12     0\r")])
    assert (message.condition, message.detail) == (Condition.FAULT, "the display is expanded")


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_status_word_without_its_constant_bit_is_no_frame(at: int) -> None:
    frame = bytearray(LONG)
    frame[at] &= ~0x20
    assert heard([with_check(bytes(frame))]) == []


def test_the_bits_of_a_clone_are_a_setting() -> None:
    kilograms = with_check(bytes([2, 0x6C, 0x30, 0x30]) + b"  1234     0\r")
    pounds = with_check(bytes([2, 0x64, 0x3B, 0x31]) + b"  1234     0\r")
    assert heard([kilograms]) == []
    assert heard([kilograms], bits="luw2001") == [TWELVE]
    (message,) = heard([pounds], bits="luw2001")
    assert (message.text, message.unit, message.detail) == ("-12.34", "lb", "net")
    assert message.condition is Condition.DYNAMIC


@given(st.integers(-999_999, 999_999), st.integers(0, 5), st.sampled_from(["kg", "lb", "g", "t"]))
def test_every_weight_is_written_and_read_alike(counts: int, places: int, unit: str) -> None:
    value = Decimal(counts).scaleb(-places)
    message = Decoded(f"{value:f}", value, unit, Condition.STABLE)
    codec = codec_of("toledo-cont")
    frame = codec.encode(message)
    assert len(frame) == 18
    assert said(codec, [frame]) == [message]
