"""Yaohua XK3190: each format, its check, and nothing that no source establishes."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs import Answer, Decoded
from drivers.codecs.yaohua import check
from drivers.errors import BadDriverSettings
from drivers.indication import Condition
from tests.test_codecs import codec_of, said

NAME = "yaohua-xk3190"
FORMATS = ("tf0", "command", "reversed", "forward", "wg", "ww")


def shown(
    text: str, unit: str | None = "kg", detail: str | None = None, quantity: str = "weight"
) -> Decoded:
    return Decoded(text, Decimal(text), unit, Condition.DYNAMIC, detail, quantity)


OVER = Decoded("", None, None, Condition.OVERLOAD, "overload")
UNDER = Decoded("", None, None, Condition.UNDERLOAD, "underload")
CASES: list[tuple[dict[str, str], bytes, list[Decoded | Answer]]] = [
    # an A9+ emulator, and a capture of an A9
    ({"unit": "kg"}, b"\x02+023960015\x03", [shown("23960")]),
    ({"unit": "kg"}, b"\x02+003290013\x03", [shown("3290")]),
    ({}, b"\x02+003290013\x03", [shown("3290", None)]),
    ({"unit": "t"}, b"\x02-00012531B\x03", []),
    ({"unit": "t"}, b"\x02-0001253" + check(b"-0001253").encode() + b"\x03", [shown("-0.125", "t")]),
    ({"unit": "kg"}, b"\x02+0239600\x03", []),
    ({"unit": "kg"}, b"\x02+023960" + b"515" + b"\x03", []),
    # command mode: gross, tare and net of address A, and the handshake
    ({"format": "command", "unit": "kg"}, b"\x02AB+0239600" + check(b"AB+0239600").encode() + b"\x03", [shown("23960")]),
    ({"format": "command", "unit": "kg"}, b"\x02AD-0001252" + check(b"AD-0001252").encode() + b"\x03", [shown("-1.25", detail="net")]),
    ({"format": "command", "unit": "kg"}, b"\x02AC+0010000" + check(b"AC+0010000").encode() + b"\x03", [shown("1000", quantity="tare")]),
    ({"format": "command"}, b"\x02AA00\x03", [Answer("A", "A", "A")]),
    ({"format": "command", "address": "B"}, b"\x02AB+0239600" + check(b"AB+0239600").encode() + b"\x03", []),
    ({"format": "command"}, b"\x02+023960015\x03", []),
    # the two examples of the A23p and A26 manuals, and a stream of them
    ({"format": "reversed", "unit": "kg"}, b"=000.3000" * 3, [shown("3.000")] * 3),
    ({"format": "reversed", "unit": "kg"}, b"=00.1000-" * 3, [shown("-1.00")] * 3),
    ({"format": "forward", "unit": "kg"}, b"=0003.000" * 3, [shown("3.000")] * 3),
    ({"format": "forward", "unit": "kg"}, b"=-0001.00" * 3, [shown("-1.00")] * 3),
    ({"format": "reversed", "unit": "kg"}, b"=000.300=000.3000=000.3000", [shown("3.000")] * 2),
    ({"format": "reversed", "unit": "kg"}, b"=000.30000=000.3000", [shown("3.000")]),
    ({"format": "reversed", "unit": "kg"}, b"garbage=000.3000\r\n=000.3000", [shown("3.000")]),
    # A12(E): the manual's example and its two conditions
    ({"format": "wg"}, b"WG004.139kg3D\r\n", [shown("4.139")]),
    ({"format": "wg"}, b"         OL23\r\n", [OVER]),
    ({"format": "wg"}, b"         LO23\r\n", [UNDER]),
    ({"format": "wg"}, b"WN-04.139kg" + check(b"WN-04.139kg").encode() + b"\r\n", [shown("-4.139", detail="net")]),
    ({"format": "wg"}, b"WG004139 kg" + check(b"WG004139 kg").encode() + b"\r\n", [shown("4139")]),
    ({"format": "wg"}, b"WG004.139kg3E\r\n", []),
    ({"format": "wg"}, b"WG004.138kg3D\r\n", []),
    # A12: lines seen by three drivers
    ({"format": "ww"}, b"ww000.000lb\r\n", [shown("0.000", "lb")]),
    ({"format": "ww"}, b"wn-0000.1kg\r\n", [shown("-0.1", detail="net")]),
    ({"format": "ww"}, b"wn0003.17kg\r\n", [shown("3.17", detail="net")]),
    ({"format": "ww"}, b"wt000.500kg\r\n", [shown("0.500", quantity="tare")]),
    ({"format": "ww"}, b"ww03.17kg\r\n", []),
    ({"format": "ww", "width": "9"}, b"ww-0015.000kg\r\n", [shown("-15.000")]),
    ({"format": "ww", "width": "8"}, b"ww0000.000kg\r\n", [shown("0.000")]),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "stream", "messages"), CASES)
def test_each_format_is_read_as_its_sources_show_it(
    settings: dict[str, str], stream: bytes, messages: list[Decoded | Answer]
) -> None:
    codec = codec_of(NAME, **settings)
    assert said(codec, [stream]) == messages
    for cut in range(len(stream)):
        assert said(codec, [stream[:cut], stream[cut:]]) == messages


@pytest.mark.parametrize(
    ("settings", "frame"),
    [(s, f) for s, f, m in CASES if len(m) == 1 and s.get("format") != "reversed"],
)
def test_each_format_is_written_as_its_sources_show_it(
    settings: dict[str, str], frame: bytes
) -> None:
    codec = codec_of(NAME, **settings)
    (message,) = said(codec, [frame])
    assert codec.encode(message) == frame


@pytest.mark.parametrize(
    ("settings", "frame"),
    [
        ({"unit": "kg"}, b"\x02+023960015\x03"),
        ({"format": "command"}, b"\x02AB+0239600" + check(b"AB+0239600").encode() + b"\x03"),
        ({"format": "wg"}, b"WG004.139kg3D\r\n"),
    ],
)
def test_one_changed_bit_never_passes_the_check(settings: dict[str, str], frame: bytes) -> None:
    codec = codec_of(NAME, **settings)
    assert said(codec, [frame])
    for at in range(len(frame)):
        for bit in range(8):
            damaged = bytearray(frame)
            damaged[at] ^= 1 << bit
            assert said(codec, [bytes(damaged)]) == []


@pytest.mark.parametrize("form", FORMATS)
@given(st.integers(-9_999, 99_999), st.integers(0, 3))
def test_what_a_format_can_carry_is_read_as_it_was_written(
    form: str, counts: int, places: int
) -> None:
    value = Decimal(counts).scaleb(-places)
    codec = codec_of(NAME, format=form, unit="kg")
    message = shown(f"{value:f}")
    try:
        frame = codec.encode(message)
    except BadDriverSettings:
        assert form in ("reversed", "forward", "wg", "ww")  # seven characters with the point
        assert len(message.text) > 6
        return
    assert said(codec, [frame]) == [message]


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_claims_stability(form: str) -> None:
    codec = codec_of(NAME, format=form, unit="kg")
    assert not codec.tells_stability
    with pytest.raises(BadDriverSettings, match="cannot carry"):
        codec.encode(Decoded("1", Decimal(1), "kg", Condition.STABLE))


@pytest.mark.parametrize(
    "frame",
    [b"\x02 -----00\x03", b"\x02+------0" + check(b"+------0").encode() + b"\x03", b"\x02+0239605" + check(b"+0239605").encode() + b"\x03"],
)  # fmt: skip
def test_what_no_source_establishes_is_refused(frame: bytes) -> None:
    assert said(codec_of(NAME), [frame]) == []
