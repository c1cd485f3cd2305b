"""Every protocol: the published frames, every cut of them, noise around them, and both ways."""

import csv
import doctest
import json
import sys
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import drivers.codecs.frame_codec
import drivers.codecs.toledo_framer
import drivers.codecs.yaohua
from acquisition.cli import main
from calibration.units import unit_symbol
from drivers.codecs import CODECS, Answer, Codec, Decoded, codec_named
from drivers.errors import BadDriverSettings, Garbled
from drivers.indication import Condition

STABLE, DYNAMIC = Condition.STABLE, Condition.DYNAMIC
Message = Decoded | Answer
NEEDS = {
    "pattern": {
        "pattern": r"(?P<status>S|D) (?P<value>[ 0-9.-]{8}) (?P<unit>k?g)",
        "stable": "S",
        "dynamic": "D",
    }
}
"""What a protocol cannot do without."""


def rows() -> Iterator[dict[str, Any]]:
    """Read the published frames.

    ``value`` and ``unit`` are what the frame carries; ``stable`` says whether the instrument calls
    it so (``unknown``: the protocol does not say, which is dynamic). No value but ``no`` is a
    condition, and nothing at all is the answer to a command. A weight that is sent although the
    scale is over its capacity is never a number here: the condition wins over the column.
    """
    with (Path(__file__).parent / "data" / "frames.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            frame = row["frame"].encode("ascii").decode("unicode_escape").encode("latin-1")
            yield row | {"bytes": frame}


ROWS = list(rows())
NAMES = [row["protocol"] + repr(row["bytes"])[1:] for row in ROWS]
each_row = pytest.mark.parametrize("row", ROWS, ids=NAMES)
OVER = ("overload", "over capacity", "max threshold", "high limit", "out of range")
UNDER = ("underload", "min threshold", "low limit")


def codec_of(name: str, **given: str) -> Codec:
    return codec_named(name, NEEDS.get(name, {}) | given)


def said(codec: Codec, chunks: Iterable[bytes]) -> list[Message]:
    """Return what bytes say that arrive in these chunks and then end; garbled frames are dropped."""
    framer = codec.framer()
    frames = [frame for chunk in chunks for frame in framer.feed(chunk)]
    messages = []
    for frame in [*frames, *framer.finish()]:
        try:
            messages.append(codec.decode(frame))
        except Garbled as error:
            assert error.evidence["raw"] == frame
    return messages


def wanted(row: dict[str, Any]) -> Condition | None:
    """Return the condition that a row's columns mean; None for an answer."""
    if any(word in row["status"] for word in OVER):
        return Condition.OVERLOAD
    if any(word in row["status"] for word in UNDER):
        return Condition.UNDERLOAD
    if row["value"]:
        return STABLE if row["stable"] == "yes" else DYNAMIC
    return Condition.FAULT if row["stable"] == "no" else None


def refused(row: dict[str, Any]) -> bool:
    return "must be rejected" in row["status"]


@pytest.mark.parametrize("name", sorted({row["protocol"] for row in ROWS}))
def test_every_published_protocol_is_a_driver(name: str) -> None:
    assert codec_of(name).name == name


@each_row
def test_every_published_frame_means_what_its_columns_say(row: dict[str, Any]) -> None:
    messages = said(codec_of(row["protocol"]), [row["bytes"]])
    if refused(row):
        assert messages == []
        return
    (message,) = messages
    condition = wanted(row)
    if condition is None:
        assert isinstance(message, Answer)
        assert message.error == ("error" in row["status"] or "unrecognised" in row["status"])
        return
    assert isinstance(message, Decoded)
    assert message.condition is condition
    if condition in (STABLE, DYNAMIC):
        assert message.text == row["value"]
        assert message.value == Decimal(row["value"])
        assert str(message.value) == row["value"]
        assert message.unit == (row["unit"] or None)
    else:
        assert (message.text, message.value, message.unit) == ("", None, None)
        assert message.detail


@each_row
def test_a_frame_cut_anywhere_says_the_same(row: dict[str, Any]) -> None:
    codec, frame = codec_of(row["protocol"]), row["bytes"]
    whole = said(codec, [frame])
    for cut in range(len(frame) + 1):
        assert said(codec, [frame[:cut], frame[cut:]]) == whole
    assert said(codec, (frame[at : at + 1] for at in range(len(frame)))) == whole


STARTED = {"sma", "ricelake-iq355", "toledo-cont", "rinstrum-fmt1", "rinstrum-fmt2"}
"""Protocols whose frames have a start byte: noise right before it harms nothing."""


@each_row
def test_a_frame_is_read_between_noise(row: dict[str, Any]) -> None:
    codec, frame = codec_of(row["protocol"]), row["bytes"]
    whole = said(codec, [frame])
    noise = b"\xff\x00 7.5 kg?\x80"
    before = noise if row["protocol"] in STARTED else noise + b"\r\n"
    assert said(codec, [before + frame]) == whole
    if row["protocol"] != "toledo-cont":  # there a byte behind CR is a checksum
        assert said(codec, [before + frame + noise]) == whole


@each_row
@settings(deadline=None, max_examples=30)
@given(
    noise=st.binary(max_size=100),
    after=st.binary(max_size=40),
    cuts=st.lists(st.integers(0, 250), max_size=4),
)
def test_in_noise_frames_are_found_again_and_nothing_is_invented(
    row: dict[str, Any], noise: bytes, after: bytes, cuts: list[int]
) -> None:
    codec, frame = codec_of(row["protocol"]), row["bytes"]
    assume(not said(codec, [noise, b"\r\n\r"]) and not said(codec, [after, b"\r\n\r"]))
    indications = [m for m in said(codec, [frame]) if isinstance(m, Decoded)]
    stream = noise + frame * 3 + after
    ends = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    found = said(codec, (stream[a:b] for a, b in pairwise(ends)))
    # noise without an end takes one frame with it, never two
    assert [m for m in found if isinstance(m, Decoded)] in [indications * n for n in (2, 3)]


SAME = {
    "SI S     0.0000 g\r\n",  # an echo that is never imitated
    "Stat   Cal. Ext.    \r\n",  # column of the word
    "OL,+999999.9  g\r\n",  # the digits of an overload
    "    176.30 g ? 00:00:15\r\n",  # the time
    "       12.73 g    ?\r\n",  # column of the mark
    "S    -      8.5 g  \r\n", "SU   -  172.135 N  \r\n", "SUI? -   58.237 kg \r\n",  # which request
    "S E\r\n", "S ^\r\n", "S v\r\n", "SI ^    220.000 g  \r\n", "SI v -    0.500 g  \r\n",
    "\x02*4 999999     0\rM", "\x02,0   1234     0\r", " 01234.0lbGOC\r",
    "\nT1N  ----------   \r",
}  # fmt: skip
"""Frames that say something which is not kept, and are written otherwise."""


@each_row
def test_a_frame_is_written_as_its_source_prints_it(row: dict[str, Any]) -> None:
    codec = codec_of(row["protocol"])
    for message in said(codec, [row["bytes"]]):
        written = codec.encode(message)
        assert said(codec, [written]) == [message]
        if row["bytes"].decode("latin-1") not in SAME:
            assert written == row["bytes"]


DETAILS = (
    None, "net", "high resolution", "net; high resolution", "centre of zero", "net; centre of zero",
    "range 2", "below zero", "zero not set", "tare 2.34", "net; tare 12", "comparator HI",
    "digits not verified: 1", "net; digits not verified: 2",
)  # fmt: skip
numbers = st.from_regex(r"\A-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?\Z").filter(lambda t: len(t) <= 11)
conditions = st.sampled_from(
    [
        (Condition.OVERLOAD, "overload"),
        (Condition.UNDERLOAD, "underload"),
        *((Condition.FAULT, detail) for detail in (
            "instrument error", "instrument error 54", "zero error", "not stable in time",
            "not executable now", "the instrument counts pieces", "the display is held",
            "the display is expanded", "no weight is displayed", "external calibration",
        )),
    ]
)  # fmt: skip


def messages_of(codec: Codec) -> st.SearchStrategy[Decoded]:
    values = st.builds(
        lambda text, unit, condition, detail, quantity: Decoded(
            text, Decimal(text), unit, condition, detail, quantity
        ),
        numbers,
        st.sampled_from([*codec.units.values(), None]),
        st.sampled_from([STABLE, DYNAMIC]),
        st.sampled_from(DETAILS),
        st.sampled_from(["weight", "weight", "tare"]),
    )
    return st.one_of(values, conditions.map(lambda c: Decoded("", None, None, *c)))


OURS = sorted(CODECS.keys() - {"mt-sics", "kern-kcp", "ohaus-mt-sics"})
"""MT-SICS has its own tests."""


@pytest.mark.parametrize("name", OURS)
@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_what_a_protocol_can_carry_is_read_as_it_was_written(
    name: str, data: st.DataObject
) -> None:
    codec = codec_of(name)
    message = data.draw(messages_of(codec))
    try:
        frame = codec.encode(message)
    except BadDriverSettings:
        return
    cut = data.draw(st.integers(0, len(frame)))
    assert said(codec, [frame[:cut], frame[cut:]]) == [message]
    assert message.condition is not STABLE or codec.tells_stability


@pytest.mark.parametrize("name", sorted(CODECS))
def test_a_protocol_can_carry_a_weight_and_its_negative(name: str) -> None:
    codec = codec_of(name)
    condition = STABLE if codec.tells_stability else DYNAMIC
    sent = CODECS[name].options
    units = (
        [*codec.units.values(), None]
        if any(o.key == "unit" for o in sent)
        else [*codec.units.values()]
    )
    carried = set()
    for unit in units:
        for text in ("0", "12", "-12", "1234"):
            message = Decoded(text, Decimal(text), unit, condition)
            try:
                frame = codec.encode(message)
            except BadDriverSettings:
                continue
            assert said(codec, [frame]) == [message]
            carried.add(text)
    assert carried == {"0", "12", "-12", "1234"}


@pytest.mark.parametrize("name", sorted(CODECS))
def test_units_are_printed_as_pint_does(name: str) -> None:
    for symbol in codec_of(name).units.values():
        assert unit_symbol(symbol) == symbol


@pytest.mark.parametrize("name", sorted(CODECS))
def test_every_protocol_can_be_read_in_its_own_mode(name: str) -> None:
    kind, codec = CODECS[name], codec_of(name)
    assert kind.mode == "listen" or codec.requests.poll is not None
    assert kind.what
    assert codec.name == kind.name == name
    framer = codec.framer()
    assert (framer.pending, framer.dropped, framer.finish()) == (b"", 0, [])
    framer.feed(b"\x02=S")
    framer.reset()
    assert (framer.pending, framer.finish()) == (b"", [])


@pytest.mark.parametrize("name", sorted(CODECS))
def test_memory_is_bounded_whatever_comes(name: str) -> None:
    framer = codec_of(name).framer()
    for byte in (b"\x02", b"=", b"\n", b"S", b"\x00", b"\r"):
        for _ in range(20):
            framer.feed(byte * 1000)
            assert len(framer.pending) <= 300
        framer.feed(byte + b"x" * 70_000)
        assert len(framer.pending) <= 300


@pytest.mark.parametrize("protocol", sorted({row["protocol"] for row in ROWS}))
def test_tera_decode_prints_what_the_columns_say(
    protocol: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    mine = [row for row in ROWS if row["protocol"] == protocol]
    stream = tmp_path / "stream"
    stream.write_bytes(b"".join(row["bytes"] for row in mine))
    monkeypatch.setenv("TERA_LANG", "en")
    with stream.open(encoding="latin-1") as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert main(["decode", "--driver", protocol, "--json"]) == 0
    printed = [
        json.loads(line, parse_float=Decimal) for line in capsys.readouterr().out.splitlines()
    ]
    shown = [row for row in mine if wanted(row) and not refused(row)]
    assert [line["condition"] for line in printed] == [wanted(row) for row in shown]
    for line, row in zip(printed, shown, strict=True):
        has_value = wanted(row) in (STABLE, DYNAMIC)
        assert line["text"] == (row["value"] if has_value else "")
        assert line["value"] == (Decimal(row["value"]) if has_value else None)
        assert line["unit"] == ((row["unit"] or None) if has_value else None)
        assert (line["instrument"], line["origin"]) == (protocol, "replay")
        assert set(line) == {
            "time", "instrument", "quantity", "text", "value", "unit", "condition", "detail", "origin",
        }  # fmt: skip


def test_marks_are_printed_one_by_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stream = tmp_path / "stream"
    stream.write_bytes(b"\x02,9   1000   234\rr")
    for language, words in (("en", "(net; tare 2.34)"), ("id", "(neto; tara 2.34)")):
        monkeypatch.setenv("TERA_LANG", language)
        with stream.open(encoding="latin-1") as file:
            monkeypatch.setattr(sys, "stdin", file)
            assert main(["decode", "--driver", "toledo-cont"]) == 0
        assert words in capsys.readouterr().out


REFUSED_SETTINGS = [
    ("radwag", {"speed": "9600"}, "The protocol radwag has no setting speed: it has none."),
    ("cas22", {"id": "1"}, "The protocol cas22 has no setting id: it has device, relay."),
    ("cas10", {"unit": "furlong"}, "furlong is no unit of the protocol cas10: choose from mg, g,"),
    ("cas22", {"device": "x"}, "x is no device of the protocol cas22: device number 0 to 78"),
    ("toledo-cont", {"checksum": "crc"}, "choose from auto, none, toledo, fairbanks."),
    ("yaohua-xk3190", {"address": "a"}, "a is no address of the protocol yaohua-xk3190"),
    ("nothing", {}, "There is no protocol nothing: choose from mt-sics"),
]


@pytest.mark.parametrize(("name", "given_settings", "sentence"), REFUSED_SETTINGS)
def test_a_wrong_setting_is_refused_and_named(
    name: str, given_settings: dict[str, str], sentence: str
) -> None:
    with pytest.raises(BadDriverSettings) as caught:
        codec_named(name, given_settings)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("name", sorted(CODECS))
def test_every_default_is_a_value_that_the_option_takes(name: str) -> None:
    kind = CODECS[name]
    defaults = {option.key: option.default for option in kind.options}
    assert codec_named(name, defaults | NEEDS.get(name, {})).requests == codec_of(name).requests
    assert len(defaults) == len(kind.options)


def test_the_examples_hold() -> None:
    for module in (drivers.codecs.frame_codec, drivers.codecs.toledo_framer, drivers.codecs.yaohua):
        found = doctest.testmod(module)
        assert found.attempted > 0
        assert found.failed == 0
