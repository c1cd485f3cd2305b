"""A search on a line with its own clock: every dialect, speed and framing, and never too long."""

from collections.abc import Mapping
from itertools import cycle

import pytest

from drivers.probe_heard import Dialect, dialects
from drivers.probe_plan import BUDGET, Patience, ScaleTry, line_plan
from drivers.probe_search import Search, search_for
from tests.probe_cable import FarEnd, VirtualLine

LINES = [
    (9600, "8N1"),
    (9600, "7E1"),
    (2400, "7E1"),
    (19200, "8N1"),
    (1200, "7O1"),
    (2400, "7N2"),
    (115200, "8N1"),
    (57600, "8N1"),
    (9600, "8E1"),
]
LOADS = {"12.345", "12.350", "0.250"}
OF_EIGHT_BITS = ("cas22", "cas-cmd")


def dialect_of(name: str, settings: Mapping[str, str] | None = None) -> Dialect:
    return next(d for d in dialects() if d.name == name and d.settings == (settings or {}))


def searched(line: VirtualLine) -> Search:
    search = search_for("/dev/ttyUSB0", Patience(), line.left)
    line.run(search)
    return search


def far_end(dialect: Dialect, baudrate: int, framing: str) -> FarEnd:
    asked = dialect.codec.requests.poll is not None
    return FarEnd(dialect.codec, baudrate, framing, every=None if asked else 0.3)


@pytest.mark.parametrize(("baudrate", "framing"), LINES)
def test_every_dialect_is_found_at_its_speed_and_framing(baudrate: int, framing: str) -> None:
    first = LINES.index((baudrate, framing))
    for dialect in dialects()[first if first > 2 else 0 :: 3 if first > 2 else 1]:
        if framing[0] == "7" and dialect.name in OF_EIGHT_BITS:
            continue
        line = VirtualLine(far_end(dialect, baudrate, framing), strict=framing == "8E1")
        search = searched(line)
        assert search.scales is not None
        fits = [fit for fit in search.scales.best if fit.dialect.name == dialect.name]
        assert fits, (dialect.name, dialect.settings)
        assert {(fit.baudrate, fit.framing) for fit in fits} == {(baudrate, framing)}
        assert {fit.mode for fit in fits} == {"poll" if dialect.codec.requests.poll else "listen"}
        right = [fit for fit in fits if {said.text for said in fit.shown} <= LOADS]
        assert right, (dialect.name, dialect.settings, fits)
        assert line.now <= BUDGET + 0.5


def test_nothing_is_sent_to_an_instrument_that_streams() -> None:
    for dialect, baudrate in zip(dialects(), cycle((9600, 1200, 38400)), strict=False):
        line = VirtualLine(FarEnd(dialect.codec, baudrate, every=1.0))
        search = searched(line)
        assert search.scales is not None
        assert dialect.name in {fit.dialect.name for fit in search.scales.best}
        assert {fit.mode for fit in search.scales.best} == {"listen"}
        assert line.sent == []


def test_digits_in_either_direction_are_both_named() -> None:
    """A Yaohua line reads forward and reversed when its weights end in 0: the display decides."""
    far = FarEnd(
        dialect_of("yaohua-xk3190", {"format": "reversed"}).codec, every=0.3, loads=("12.350",)
    )
    search = searched(VirtualLine(far))
    assert search.scales is not None
    shown = {fit.dialect.settings["format"]: fit.shown[0].text for fit in search.scales.best}
    assert shown == {"reversed": "12.350", "forward": "53.2100"}


def test_an_instrument_that_prints_seldom_is_found_and_known_to_print() -> None:
    line = VirtualLine(FarEnd(dialect_of("weightronix-wi120").codec, every=4.0))
    search = searched(line)
    assert search.scales is not None
    assert [(fit.dialect.name, fit.mode) for fit in search.scales.best] == [
        ("weightronix-wi120", "listen")
    ]


def test_silence_ends_in_time_and_everything_was_tried() -> None:
    line = VirtualLine()
    search = searched(line)
    assert not search.found
    assert line.now <= BUDGET + 0.5
    tried = [one for one in search.tried if isinstance(one, ScaleTry)]
    planned = [one for one in line_plan(speeds=True) if isinstance(one, ScaleTry)]
    assert tried == planned[: len(tried)]
    assert len(tried) >= len(planned) - 2
    assert search.left_out == search.plan[len(search.tried) :]


def test_noise_is_never_a_scale_and_ends_in_time() -> None:
    noise = bytes((i * 167 + 13) % 256 for i in range(60))
    line = VirtualLine(noise=noise)
    search = searched(line)
    assert search.scales is not None
    assert (search.found, search.scales.streams, line.sent) == (False, True, [])
    assert {one.baudrate for one in search.scales.noise} >= {9600, 1200, 115200}
    assert line.now <= BUDGET + 0.5


def test_a_search_that_has_a_moment_left_keeps_what_it_has() -> None:
    line = VirtualLine(FarEnd(dialect_of("cas10").codec, every=0.5))
    search = search_for("/dev/ttyUSB0", Patience(), lambda: line.left(0.4))
    line.run(search)
    assert search.out_of_time
    assert line.now <= 2


def test_a_disturbance_is_no_stream() -> None:
    """One burst when the cable is plugged in: the instrument is asked all the same."""
    line = VirtualLine(FarEnd(dialect_of("mt-sics").codec))
    line.disturb(0.5, b"\x00\xff\x00")
    search = searched(line)
    assert search.scales is not None
    assert search.scales.best[0].dialect.name == "mt-sics"
    assert not search.scales.streams


def test_an_instrument_that_answers_late_is_still_found() -> None:
    far = FarEnd(dialect_of("sartorius-sbi").codec, takes=0.33)
    search = searched(VirtualLine(far))
    assert search.scales is not None
    assert search.scales.best[0].dialect.name == "sartorius-sbi"


def test_two_instruments_that_answer_are_told() -> None:
    far = FarEnd(dialect_of("and-std").codec, second="7.100")
    search = searched(VirtualLine(far))
    assert search.scales is not None
    assert {said.text for said in search.scales.best[0].others} == {"7.100"}


def test_an_instrument_that_says_it_does_not_understand_is_asked_on() -> None:
    far = FarEnd(dialect_of("dini-argeo").codec, unknown=b"huh?\r\n")
    search = searched(VirtualLine(far))
    assert search.scales is not None
    assert [fit.dialect.name for fit in search.scales.best] == ["dini-argeo"]


def test_an_adapter_that_hears_itself_is_no_instrument_and_hides_none() -> None:
    line = VirtualLine(FarEnd(dialect_of("and-std").codec, echo=True))
    search = searched(line)
    assert search.scales is not None
    assert search.scales.best[0].dialect.name == "and-std"
    assert search.scales.echo


def test_an_instrument_of_eight_bits_that_takes_seven_is_one_of_eight() -> None:
    """It looks away from the highest bit; its own characters show that it has none to spare."""
    plain = dialect_of("mt-sics").codec
    line = VirtualLine(FarEnd(plain, 2400, "8N1", masks=True))
    search = searched(line)
    assert search.scales is not None
    assert {(fit.baudrate, fit.framing) for fit in search.scales.best} == {(2400, "8N1")}


def test_behind_a_serial_server_there_is_one_speed_only() -> None:
    line = VirtualLine(FarEnd(dialect_of("and-std").codec, 9600, "7E1"))
    search = search_for("socket://192.168.1.50:4001", Patience(), line.left)
    line.run(search)
    assert search.scales is not None
    assert search.scales.best[0].framing == "7E1"
    assert {one.baudrate for one in search.plan} == {9600}


@pytest.mark.parametrize(
    ("port", "scales"),
    [
        ("/dev/ttyUSB0", True),
        ("socket://h:1", True),
        ("rtu:///dev/ttyUSB0", False),
        ("rtu+tcp://h:1", False),
        ("tcp://h:502", False),
    ],
)
def test_a_bus_is_asked_for_registers_only(port: str, scales: bool) -> None:
    search = search_for(port, Patience(), lambda: 1.0)
    assert (search.scales is not None) is scales
    assert any(isinstance(one, ScaleTry) for one in search.plan) is scales
