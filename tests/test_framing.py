"""Lines out of bytes in any pieces: the same lines, whatever the pieces."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.framing import LineFramer

CASES: list[tuple[list[bytes], list[bytes], bytes]] = [
    ([], [], b""),
    ([b""], [], b""),
    ([b"S I\r\n"], [b"S I"], b""),
    ([b"S I\r", b"\n"], [b"S I"], b""),
    ([b"S", b" ", b"I", b"\r\n"], [b"S I"], b""),
    ([b"one\r\ntwo\r\n"], [b"one", b"two"], b""),
    ([b"one\r\ntw", b"o\r\nth"], [b"one", b"two"], b"th"),
    ([b"\r\n\r\n"], [b"", b""], b""),
    ([b"a\rb\nc\r\n"], [b"a\rb\nc"], b""),
    ([b"a\r\r\n"], [b"a\r"], b""),
    ([b"a\n\r"], [], b"a\n\r"),
    ([b"\0\xff\r\n"], [b"\0\xff"], b""),
]


@pytest.mark.parametrize(("chunks", "lines", "pending"), CASES)
def test_chunks_give_lines(chunks: list[bytes], lines: list[bytes], pending: bytes) -> None:
    framer = LineFramer()
    assert [line for chunk in chunks for line in framer.feed(chunk)] == lines
    assert framer.pending == pending
    assert framer.dropped == 0


@pytest.mark.parametrize(
    ("length", "kept"), [(0, True), (15, True), (16, True), (17, False), (18, False), (500, False)]
)
def test_a_line_longer_than_the_limit_is_dropped_and_counted(length: int, kept: bool) -> None:
    stream = b"x" * length + b"\r\nnext\r\n"
    for size in (1, 2, 3, 16, 17, len(stream)):
        framer = LineFramer(limit=16)
        chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
        lines = [line for chunk in chunks for line in framer.feed(chunk)]
        assert lines == [b"x" * length] * kept + [b"next"]
        assert framer.dropped == (0 if kept else length)


def test_the_end_of_an_overlong_run_is_never_taken_for_a_line() -> None:
    """A frame at the end of noise is no more believed when the noise came in pieces."""
    framer = LineFramer(limit=16)
    assert framer.feed(b"x" * 20 + b"S") == []
    assert framer.feed(b" I\r\nS +\r\n") == [b"S +"]
    assert framer.dropped == 23


def test_reset_forgets_the_line_begun_and_the_run_that_was_too_long() -> None:
    framer = LineFramer(limit=16)
    for begun in (b"S ", b"x" * 17, b"x" * 17 + b"\r"):
        framer.feed(begun)
        framer.reset()
        assert framer.pending == b""
        assert framer.feed(b"S I\r\n") == [b"S I"]


def test_an_endless_run_takes_no_memory() -> None:
    framer = LineFramer(limit=16)
    for _ in range(1000):
        assert framer.feed(b"x" * 1000) == []
        assert len(framer.pending) <= 17
    assert framer.dropped == 1_000_000


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from([b"\r\n", b"\n", b"\x03", b"\r\r\n", b"\r\n\r"]),
    st.lists(st.sampled_from([b"\r", b"\n", b"x", b"\x03", b"xxxxx"]), max_size=60).map(b"".join),
    st.lists(st.integers(0, 300), max_size=10),
)
def test_how_the_bytes_are_cut_never_matters(
    terminator: bytes, stream: bytes, cuts: list[int]
) -> None:
    limit = 8
    stream += b"y" + terminator
    *everything, rest = stream.split(terminator)
    assert rest == b""
    framer = LineFramer(terminator, limit)
    lines = []
    for begin, end in pairwise([0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]):
        lines += framer.feed(stream[begin:end])
        assert len(framer.pending) < limit + len(terminator)
    assert lines == [line for line in everything if len(line) <= limit]
    assert framer.dropped == sum(len(line) for line in everything if len(line) > limit)
    assert framer.pending == b""
