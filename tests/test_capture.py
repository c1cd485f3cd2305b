"""A capture keeps every whole record, whatever happened to the file after it."""

import contextlib
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drivers.capture
from drivers.capture import Capture, Chunk, read_capture
from drivers.errors import BadDriverSettings, DriverError

RECORDS = [("sent", b"SI\r\n"), ("received", b"S S     100.00 g\r\n"), ("received", b"")]
HEAD, CRC = 1 + 8 + 8 + 8 + 4, 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "line.capture"


def write(path: Path, records: list[tuple[str, bytes]] = RECORDS) -> list[Chunk]:
    capture = Capture(path)
    for direction, data in records:
        capture.record(direction, data)
    capture.close()
    return list(read_capture(path))


def ends(chunks: list[Chunk]) -> list[int]:
    """Return where each record ends in the file, by the format at the top of drivers/capture.py."""
    at, found = 8, []
    for chunk in chunks:
        at += HEAD + len(chunk.data) + CRC
        found.append(at)
    return found


def said(chunks: list[Chunk]) -> list[tuple[str, bytes]]:
    return [(c.direction, c.data) for c in chunks if c.direction != "session"]


def test_what_was_recorded_is_read_again_in_order_with_its_times(path: Path) -> None:
    before, utc_before = time.monotonic_ns(), time.time_ns()
    session, *chunks = write(path)
    after, utc_after = time.monotonic_ns(), time.time_ns()
    boot = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    assert (session.direction, session.data) == ("session", boot)
    assert said(chunks) == RECORDS
    times = [c.monotonic_ns for c in chunks]
    assert before <= session.monotonic_ns <= times[0]
    assert times == sorted(times)
    assert times[-1] <= after
    assert all(utc_before <= c.utc_ns <= utc_after for c in chunks)
    assert path.stat().st_size == ends([session, *chunks])[-1]


records = st.lists(
    st.tuples(st.sampled_from(["sent", "received"]), st.binary(max_size=40)), max_size=6
)


@settings(deadline=None, max_examples=50)
@given(first=records, second=records)
def test_a_file_that_is_opened_again_is_continued(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[tuple[str, bytes]],
    second: list[tuple[str, bytes]],
) -> None:
    path = tmp_path_factory.mktemp("capture") / "line.capture"
    old = write(path, first)
    both = write(path, second)
    assert both[: len(old)] == old
    assert [c.direction for c in both].count("session") == 2
    assert said(both) == first + second


def test_a_chunk_is_in_the_file_before_the_capture_is_closed(path: Path) -> None:
    capture = Capture(path)
    capture.record("received", b"S I\r\n")
    assert said(list(read_capture(path))) == [("received", b"S I\r\n")]
    capture.close()
    capture.close()


def test_a_file_cut_anywhere_keeps_the_records_before_the_cut_and_can_be_continued(
    path: Path,
) -> None:
    chunks = write(path)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        kept = [c for c, end in zip(chunks, ends(chunks), strict=True) if end <= cut]
        if cut < 8:
            with pytest.raises(BadDriverSettings, match="no capture"):
                list(read_capture(path))
        else:
            assert list(read_capture(path)) == kept
        continued = write(path, [("received", b"more")])
        assert continued[: len(kept)] == kept
        assert [c.direction for c in continued[len(kept) :]] == ["session", "received"]
        assert continued[-1].data == b"more"
        assert path.stat().st_size == ends(continued)[-1]


@pytest.mark.parametrize("bit", [0x01, 0x80])
def test_a_damaged_byte_ends_the_file_at_its_record_and_hides_nothing_for_ever(
    path: Path, bit: int
) -> None:
    chunks = write(path)
    whole = path.read_bytes()
    for at in range(8, len(whole)):
        damaged = whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :]
        path.write_bytes(damaged)
        kept = [c for c, end in zip(chunks, ends(chunks), strict=True) if end <= at]
        assert list(read_capture(path)) == kept
        continued = write(path, [("sent", b"more")])
        aside = path.with_name("line.000001.capture")
        if at < ends(chunks)[-2]:  # whole records stand behind it
            assert aside.read_bytes() == damaged
            assert said(continued) == [("sent", b"more")]
            aside.unlink()
        else:
            assert continued[: len(kept)] == kept
            assert said(continued[len(kept) :]) == [("sent", b"more")]
            assert not aside.exists()


def test_what_was_found_at_a_start_is_told(path: Path) -> None:
    write(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    cut = Capture(path)
    cut.close()
    assert (cut.cut, cut.damaged) == (HEAD + CRC - 3, None)
    path.write_bytes(whole[:20] + b"?" + whole[21:])
    damaged = Capture(path)
    damaged.close()
    assert damaged.damaged == path.with_name("line.000001.capture")


@pytest.mark.parametrize(
    "content", [b"T", b"x", b"TERACAP1", b"TERACAP0" + b"\0" * 50, b"\0" * 8, b"[office]\n"]
)
def test_a_foreign_file_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(BadDriverSettings, match="is no capture of tante-sari"):
        list(read_capture(path))
    if content != b"T":  # may be a header that was cut
        with pytest.raises(BadDriverSettings, match="is no capture of tante-sari"):
            Capture(path)
        assert path.read_bytes() == content


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond ``size`` bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_when_the_disk_is_full_no_half_record_hides_what_follows(path: Path) -> None:
    assert signal.getsignal(signal.SIGXFSZ) is signal.SIG_IGN
    capture = Capture(path)
    capture.record("received", b"first")
    size = path.stat().st_size
    for room in (0, 1, HEAD, HEAD + CRC):
        with room_for(size + room):
            with pytest.raises(DriverError, match=r"cannot be written \(.+\): make room") as full:
                capture.record("received", b"second")
            assert full.value.evidence["file"] == path
        assert path.stat().st_size == size
    capture.record("received", b"third")
    capture.close()
    assert said(list(read_capture(path))) == [("received", b"first"), ("received", b"third")]


def test_no_descriptor_is_left_open(path: Path) -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    write(path)
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_times_that_are_given_are_kept(path: Path) -> None:
    capture = Capture(path)
    capture.record("received", b"S I\r\n", 2_000, 1_000)
    capture.record("lost", b"hung up", 3_000)
    capture.close()
    _, received, lost = read_capture(path)
    assert (received.monotonic_ns, received.since_ns) == (2_000, 1_000)
    assert (lost.direction, lost.monotonic_ns, lost.since_ns) == ("lost", 3_000, 3_000)


# ---- full files


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def test_a_full_file_gets_a_number_and_the_next_goes_on(path: Path) -> None:
    capture = Capture(path, limit=400)
    for n in range(30):
        capture.record("received", b"frame %2d" % n)
    capture.close()
    assert len(files(path)) > 3
    assert files(path)[:2] == ["line.000001.capture", "line.000002.capture"]
    in_order = [chunk for name in files(path) for chunk in read_capture(path.with_name(name))]
    assert said(in_order) == [("received", b"frame %2d" % n) for n in range(30)]
    assert all(path.with_name(name).stat().st_size < 400 + 100 for name in files(path))


def test_a_capture_that_is_opened_again_goes_on_counting(path: Path) -> None:
    for _ in range(3):
        capture = Capture(path, limit=150)
        for n in range(4):
            capture.record("received", b"frame %d" % n)
        capture.close()
    numbers = [int(name.split(".")[1]) for name in files(path) if name != path.name]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_oldest_files_are_deleted_beyond_the_number_that_is_kept(path: Path) -> None:
    capture = Capture(path, limit=150, keep=2)
    for n in range(40):
        capture.record("received", b"frame %2d" % n)
    capture.close()
    full = [name for name in files(path) if name != path.name]
    assert len(full) == 2
    assert int(full[0].split(".")[1]) > 5


def test_opening_reads_one_file_however_many_there_are(path: Path) -> None:
    capture = Capture(path, limit=150)
    for n in range(20):
        capture.record("received", b"frame %2d" % n)
    capture.close()
    for name in files(path):
        if name != path.name:
            path.with_name(name).write_bytes(b"never looked at")
    Capture(path, limit=150).close()


def test_what_came_since_a_place_is_a_capture_of_its_own(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drivers.capture, "_BETWEEN_PLACES", 0)
    capture = Capture(path, limit=300)
    for n in range(10):
        capture.record("received", b"before %d" % n)
    place = capture.place(0)
    for n in range(10):
        capture.record("received", b"after %d" % n)
    again = path.with_name("again.capture")
    again.write_bytes(capture.since(place))
    found = [data for _, data in said(list(read_capture(again)))]
    assert found[-10:] == [b"after %d" % n for n in range(10)]
    assert len(found) <= 11
    assert capture.place(3600) != place  # as far as is known
    capture.close()


def test_a_place_whose_file_was_deleted_is_named(path: Path) -> None:
    capture = Capture(path, limit=150, keep=1)
    place = capture.place(0)
    for n in range(20):
        capture.record("received", b"frame %2d" % n)
    with pytest.raises(DriverError, match=r"line\.000001\.capture cannot be read"):
        capture.since(place)
    capture.close()
