"""MT-SICS: every published frame, every cut of it, and nothing out of noise."""

import csv
import doctest
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import drivers.codecs.mt_sics
from drivers.codecs import CODECS, codec_named
from drivers.codecs.codec import Answer, Decoded
from drivers.codecs.mt_sics import UNITS, MtSics
from drivers.errors import BadDriverSettings, Garbled
from drivers.indication import Condition
from tests.wire import at_wrong_speed

CODEC = MtSics()


def rows() -> Iterator[dict[str, str]]:
    with (Path(__file__).parent / "data" / "frames.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["protocol"] in ("mt-sics", "kern-kcp"):
                row["frame"] = row["frame"].encode("ascii").decode("unicode_escape")
                yield row


ROWS = list(rows())
FRAMES = [row["frame"].encode("latin-1") for row in ROWS]
each_row = pytest.mark.parametrize("row", ROWS, ids=[repr(f)[2:-1] for f in FRAMES])
each_frame = pytest.mark.parametrize("frame", FRAMES, ids=[repr(f)[2:-1] for f in FRAMES])


def said(chunks: Iterable[bytes]) -> list[Decoded | Answer]:
    """Return what bytes say that arrive in these chunks; garbled frames are dropped."""
    framer = CODEC.framer()
    messages = []
    for chunk in chunks:
        for line in framer.feed(chunk):
            try:
                messages.append(CODEC.decode(line))
            except Garbled as error:
                assert error.evidence["raw"] == line
    return messages


def weight(text: str, unit: str = "g", condition: Condition = Condition.STABLE) -> Decoded:
    return Decoded(text, Decimal(text), unit, condition)


def test_the_table_of_published_frames_is_there() -> None:
    assert len([r for r in ROWS if r["protocol"] == "mt-sics"]) >= 12
    assert any(r["protocol"] == "kern-kcp" for r in ROWS)


@each_row
def test_every_published_frame_means_what_its_columns_say(row: dict[str, str]) -> None:
    message, *more = said([row["frame"].encode("latin-1")])
    assert not more
    if row["value"]:
        condition = Condition.STABLE if row["stable"] == "yes" else Condition.DYNAMIC
        assert message == weight(row["value"], row["unit"], condition)
    elif row["stable"] == "no":
        assert isinstance(message, Decoded)
        assert (message.text, message.value, message.unit) == ("", None, None)
        wanted = "overload" if row["status"] == "overload" else "fault"
        assert message.condition == wanted
        assert message.detail is not None
    else:
        assert isinstance(message, Answer)
        line = row["frame"].removesuffix("\r\n")
        if line in ("ES", "ET", "EL"):
            assert (message.command, message.error) == (line, True)
            assert row["status"].startswith(message.text)
        else:
            command, status, *text = line.split(" ")
            assert message == Answer(command, status, " ".join(text).strip('"'))


@each_frame
def test_a_frame_cut_anywhere_into_two_chunks_says_the_same(frame: bytes) -> None:
    whole = said([frame])
    for cut in range(len(frame) + 1):
        assert said([frame[:cut], frame[cut:]]) == whole
    assert said(frame[at : at + 1] for at in range(len(frame))) == whole


@each_frame
def test_a_line_that_began_in_the_middle_is_never_taken_for_a_shorter_one(frame: bytes) -> None:
    for cut in range(1, len(frame) - 2):
        assert said([frame[cut:]]) == []


@each_frame
@settings(deadline=None, max_examples=50)
@given(noise=st.binary(max_size=300), cuts=st.lists(st.integers(0, 400), max_size=4))
def test_after_noise_the_next_frame_is_read_and_nothing_is_invented(
    frame: bytes, noise: bytes, cuts: list[int]
) -> None:
    assume(not said([noise, b"\r\n"]))
    (message,) = said([frame])
    stream = noise + frame + frame
    ends = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    # noise without a terminator takes the first frame with it, never the second
    messages = said(stream[a:b] for a, b in pairwise(ends))
    assert messages[-1] == message
    assert len(messages) <= 2
    for first in messages[:-1]:
        # noise may end in "I4 A ", which makes a text for people of whatever follows, and no more
        assert first == message or (isinstance(first, Answer) and first.command.startswith("I"))
    assert said([noise, b"\r\n", frame]) == [message]


MESSAGES = [
    ("S S     100.00 g", weight("100.00")),
    ("S D     100.00 g", weight("100.00", condition=Condition.DYNAMIC)),
    ("S S          0 g", weight("0")),
    ("S S      -0.05 kg", weight("-0.05", "kg")),
    ("S S      -0.00 g", weight("-0.00")),
    ("S S 1234567.89 mg", weight("1234567.89", "mg")),
    ("S S -12345.678 g", weight("-12345.678")),
    ("S S 1109.000001 g", weight("1109.000001")),  # a mass comparator's eleven characters
    ("S S    12.3456 ug", weight("12.3456", "µg")),
    ("S S     25.000 t", weight("25.000", "t")),
    ("S S     500.00 ct", weight("500.00", "ct")),
    ("S S      5.000 lb", weight("5.000", "lb")),
    ("S S       80.0 oz", weight("80.0", "oz")),
    (
        "S I",
        Decoded("", None, None, Condition.FAULT, "not executable now, or not stable in time"),
    ),
    ("S L", Decoded("", None, None, Condition.FAULT, "wrong parameter")),
    ("S +", Decoded("", None, None, Condition.OVERLOAD, "overload")),
    ("S -", Decoded("", None, None, Condition.UNDERLOAD, "underload")),
    ("ES", Answer("ES", "", "syntax error", error=True)),
    ("ET", Answer("ET", "", "transmission error", error=True)),
    ("EL", Answer("EL", "", "logical error", error=True)),
    ("Z A", Answer("Z", "A")),
    ("Z I", Answer("Z", "I")),
    ("Z +", Answer("Z", "+")),
    ("Z -", Answer("Z", "-")),
    ("ZI D", Answer("ZI", "D")),
    ("T S     500.00 g", Answer("T", "S", "    500.00 g")),
    ("TI L", Answer("TI", "L")),
    ("TA A       0.00 g", Answer("TA", "A", "      0.00 g")),
    ("TAC A", Answer("TAC", "A")),
    ("D A", Answer("D", "A")),
    ("DW A", Answer("DW", "A")),
    ("K I", Answer("K", "I")),
    ('I0 B 0 "I0"', Answer("I0", "B", '0 "I0"')),
    ('I0 A 1 "TI"', Answer("I0", "A", '1 "TI"')),
    ('I1 A "01"', Answer("I1", "A", "01")),
    ('I2 A "XS204 Excellence 210.0090 g"', Answer("I2", "A", "XS204 Excellence 210.0090 g")),
    ('I4 A ""', Answer("I4", "A")),
    ("@ I", Answer("@", "I")),
]


@pytest.mark.parametrize(("line", "message"), MESSAGES)
def test_a_line_is_read_and_written_alike(line: str, message: Decoded | Answer) -> None:
    assert CODEC.decode(line.encode()) == message
    if line != 'I4 A ""':  # an empty text is not written
        assert CODEC.encode(message) == line.encode() + b"\r\n"


@pytest.mark.parametrize("echo", ["S", "SI", "SR", "SIR"])
@pytest.mark.parametrize(
    ("status", "condition"),
    [("I", "fault"), ("L", "fault"), ("+", "overload"), ("-", "underload")],
)
def test_a_device_that_echoes_the_request_is_understood_and_never_imitated(
    echo: str, status: str, condition: str
) -> None:
    message = CODEC.decode(f"{echo} {status}".encode())
    assert isinstance(message, Decoded)
    assert message.condition == condition
    assert CODEC.encode(message) == f"S {status}\r\n".encode()
    shown = CODEC.decode(f"{echo} D     100.00 g".encode())
    assert shown == weight("100.00", condition=Condition.DYNAMIC)
    assert CODEC.encode(shown) == b"S D     100.00 g\r\n"


def test_an_answer_of_many_lines_comes_line_by_line_to_its_end() -> None:
    lines = b'I0 B 0 "I0"\r\nI0 B 0 "SI"\r\nI0 A 1 "T"\r\n'
    answers = [Answer("I0", "B", '0 "I0"'), Answer("I0", "B", '0 "SI"'), Answer("I0", "A", '1 "T"')]
    assert said([lines]) == answers


REFUSED = {
    "the value field lost a character": b"S S    100.00 g",
    "the value field gained one": b"S S      100.00 g",
    "a digit came twice": b"S S     1100.00 g",
    "no value": b"S S            g",
    "sign away from the digits": b"S S    - 1.00 g",
    "plus sign": b"S S     +1.000 g",
    "two signs": b"S S     --1.00 g",
    "decimal comma": b"S S     100,00 g",
    "two points": b"S S     1.0.00 g",
    "no digit before the point": b"S S        .50 g",
    "no digit after the point": b"S S       100. g",
    "an exponent": b"S S       1E+3 g",
    "not a number": b"S S        NaN g",
    "digits of another script": "S S     १००.०० g".encode(),
    "unknown unit": b"S S     100.00 GN",
    "unit in capitals": b"S S     100.00 KG",
    "unit of another kind": b"S S     100.00 m",
    "no unit": b"S S     100.00",
    "unit cut off": b"S S     100.00 ",
    "unit not ASCII": "S S     100.00 µg".encode(),
    "two spaces before the unit": b"S S     100.00  g",
    "something behind the unit": b"S S     100.00 g ",
    "something before the line": b" S S     100.00 g",
    "a control character before it": b"\x02S S     100.00 g",
    "a control character in a text": b'I4 A "\x07"',
    "a lone CR in it": b"S S     100.00\r g",
    "a lone LF in it": b"S S     100.00 g\n",
    "lower case": b"s s     100.00 g",
    "unknown status": b"S X     100.00 g",
    "unknown status of a command": b"Z Q",
    "a status without its command": b" A",
    "something behind a status": b"Z A S S     100.00 g",
    "a frame behind a command": b"T S S     100.00 g",
    "a tare that lost a character": b"T S    100.00 g",
    "a tare that gained one": b"T S      100.00 g",
    "a tare of an unknown unit": b"T S     100.00 x",
    "a tare that was not taken": b"T I     100.00 g",
    "a command without a status": b"Z",
    "an unknown command": b"QQ A",
    "an error with something behind it": b"ES ",
    "an unknown error": b"EX",
    "parity left in bit 8": bytes(b | 0x80 for b in b"S S     100.00 g"),
    "nothing": b"",
}


@pytest.mark.parametrize("line", REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(Garbled, match="is no MT-SICS line") as refused:
        CODEC.decode(line)
    assert refused.value.evidence["raw"] == line


@pytest.mark.parametrize("status", ["S", "D"])
def test_a_lost_or_doubled_character_is_noticed(status: str) -> None:
    line = f"S {status}    -129.07 g".encode()
    assert CODEC.decode(line)
    for at in range(len(line)):
        for damaged in (line[:at] + line[at + 1 :], line[: at + 1] + line[at:]):
            with pytest.raises(Garbled):
                CODEC.decode(damaged)


@pytest.mark.parametrize("ratio", [1 / 4, 1 / 2, 0.8, 1.25, 2, 4, 8])
def test_a_wrong_speed_gives_no_indication(ratio: float) -> None:
    stream = b"".join(FRAMES) * 5
    assert at_wrong_speed(stream, 1.0) == stream
    assert said([at_wrong_speed(stream, ratio)]) == []


numbers = st.from_regex(r"\A-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,9})?\Z").filter(lambda t: len(t) <= 16)
weights = st.builds(
    weight,
    numbers,
    st.sampled_from(sorted(UNITS.values())),
    st.sampled_from([Condition.STABLE, Condition.DYNAMIC]),
)
answers = st.one_of(
    st.builds(
        Answer,
        st.sampled_from(["I0", "I1", "I2", "I3", "I4", "I5"]),
        st.sampled_from("ABIL"),
        st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"')).filter(
            bool
        ),
    ),
    st.builds(
        Answer,
        st.sampled_from(["Z", "ZI", "T", "TI", "TA", "TAC", "D", "DW", "K", "@"]),
        st.sampled_from("ABDILS+-"),
    ),
    st.builds(
        lambda command, status, mass: Answer(command, status, mass[4:-2].decode()),
        st.sampled_from(["T", "TI", "TA"]),
        st.sampled_from("SDA"),
        weights.map(CODEC.encode),
    ),
)
letters = st.lists(st.sampled_from(b'SIRDZTALE@I4+-. 0123456789gk"'), max_size=40)


@settings(deadline=None)
@given(st.lists(st.one_of(weights, answers), max_size=5), st.data())
def test_what_is_written_is_read_again_however_it_is_cut(
    messages: list[Decoded | Answer], data: st.DataObject
) -> None:
    stream = b"".join(CODEC.encode(message) for message in messages)
    cut = data.draw(st.integers(0, len(stream)))
    assert said([stream[:cut], stream[cut:]]) == messages


@settings(deadline=None)
@given(weights)
def test_a_weight_is_written_right_aligned_in_ten_characters(message: Decoded) -> None:
    line = CODEC.encode(message)
    assert line[4:].startswith(message.text.rjust(10).encode() + b" ")


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(FRAMES),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 255)), max_size=3),
)
def test_a_changed_byte_gives_another_sound_line_or_is_refused(
    frame: bytes, changes: list[tuple[int, int]]
) -> None:
    line = bytearray(frame[:-2])
    for at, byte in changes:
        line[at % len(line)] = byte
    try:
        message = CODEC.decode(bytes(line))
    except Garbled:
        return
    if isinstance(message, Decoded) and message.value is not None:
        assert message.unit in UNITS.values()
        assert message.value == Decimal(message.text)


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(max_size=256), letters.map(bytes)))
def test_arbitrary_bytes_raise_nothing_but_garbled(line: bytes) -> None:
    try:
        CODEC.decode(line)
    except Garbled as error:
        assert error.evidence["raw"] == line


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", [b" ", b"1", b"-", b"1 ", b"1.", b'"', b"S S ", b"S S     1.0"])
def test_no_line_keeps_the_codec_busy(piece: bytes) -> None:
    line = b"S S " + piece * (200_000 // len(piece))
    for end in (b"", b" g", b" ", b"\x00"):
        with pytest.raises(Garbled) as refused:
            CODEC.decode(line + end)
        assert len(str(refused.value)) < 400


def test_a_text_that_the_line_cannot_carry_is_written_as_far_as_it_can() -> None:
    assert CODEC.encode(Answer("I4", "A", "Ä-1")) == b'I4 A "?-1"\r\n'


def test_the_requests_are_lines() -> None:
    requests = CODEC.requests
    assert (requests.poll, requests.stream) == (b"SI\r\n", b"SIR\r\n")
    assert (requests.zero, requests.tare) == (b"Z\r\n", b"T\r\n")
    assert requests.identity == (b"I1\r\n", b"I2\r\n", b"I3\r\n", b"I4\r\n")


def test_the_protocol_is_found_by_its_name_and_no_other() -> None:
    assert codec_named("mt-sics") == CODEC
    with pytest.raises(BadDriverSettings, match=r"choose from .*mt-sics"):
        codec_named("mt-sicks")
    assert all(name == codec.name for name, codec in CODECS.items())


def test_the_examples_hold() -> None:
    found = doctest.testmod(drivers.codecs.mt_sics)
    assert found.attempted > 0
    assert found.failed == 0
