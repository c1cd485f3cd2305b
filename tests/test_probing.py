"""``tera doctor --probe``: the lines it prints load, and it says what it saw when nothing fits."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from acquisition.cli import main
from acquisition.config import Instrument, read_station
from acquisition.faults import BadInput
from acquisition.language import catalogue
from acquisition.probing import show
from acquisition.probing_lines import stable_name
from acquisition.probing_said import _SURE, Found, findings, hints
from drivers.codecs import CODECS
from drivers.modbus_wire import Outcome, Reply
from drivers.probe_bus import UnitFound
from drivers.probe_heard import dialects
from drivers.probe_maps import MapFit, fit
from drivers.probe_plan import Ask, Hear, Patience, maps
from drivers.probe_scale import Noise
from drivers.probe_search import Search, search_for
from tests.probe_cable import FarEnd, VirtualLine
from tests.stations import tera
from tests.test_probe_port import simulated

PORT = "/dev/serial/by-id/usb-FTDI_FT232R_A1-if00-port0"
OFFICE = '[office]\ncode = "3516"\nname = "UPT"\n\n[[bench]]\nname = "meja"\nroutine = "nawi"\n\n'


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERA_LANG", "en")


def loaded(*blocks: str) -> tuple[Instrument, ...]:
    """Paste the blocks into a configuration and load it."""
    return read_station(OFFICE + "\n\n".join(blocks), Path("config.toml")).bench[0].instrument


def searched(line: VirtualLine, port: str = PORT) -> Search:
    search = search_for(port, Patience(), line.left)
    line.run(search)
    return search


def far_end(name: str, **more: object) -> FarEnd:
    codec = next(d.codec for d in dialects() if d.name == name)
    every = None if codec.requests.poll else 0.3
    return FarEnd(codec, **({"every": every} | more))  # type: ignore[arg-type]


def found_at(far: FarEnd, port: str = PORT) -> list[Found]:
    return findings(searched(VirtualLine(far), port), port)


# ---- lines for the configuration


@pytest.mark.parametrize("name", [name for name in CODECS if name != "pattern"])
def test_the_lines_of_every_protocol_load_and_mean_what_was_found(name: str) -> None:
    found = found_at(far_end(name))
    for one in found:
        assert one.block is not None
        (instrument,) = loaded(one.block.text)
        assert (instrument.baudrate, instrument.framing) == (9600, "8N1")
        assert (instrument.port, instrument.mode) == (PORT, one.block.about["mode"])
        assert instrument.settings == one.block.about.get("settings", {})
        assert json.loads(json.dumps(one.as_json()))["config"] == one.block.text
    assert name in {driver for one in found for driver in one.facts["alike"]}


def test_dialects_that_read_alike_stand_beside_the_first_with_what_tells_them_apart() -> None:
    (one,) = found_at(far_end("mt-sics"))
    assert one.block is not None
    assert '\ndriver = "mt-sics"\n# driver = "kern-kcp"   # KERN KCP: the same' in one.block.text
    (one,) = found_at(far_end("cas22"))
    assert one.block is not None
    assert '# driver = "cas-cmd"   # CAS commands: reads the same, asks otherwise' in one.block.text
    for other in ("kern-kcp", "ohaus-mt-sics"):
        (block,) = [b.block for b in found_at(far_end("mt-sics")) if b.block]
        uncommented = block.text.replace(f'# driver = "{other}"', f'driver = "{other}"')
        assert loaded(uncommented.replace('driver = "mt-sics"\n', ""))[0].driver == other


@pytest.mark.parametrize(
    ("name", "other", "hint"),
    [
        ("cas10", "cas-cmd", 'settings: frame = "10"'),
        ("ohaus-scoutpro", "ohaus", 'settings: width = "12"'),
    ],
)
def test_a_dialect_that_needs_other_settings_says_which(name: str, other: str, hint: str) -> None:
    (one,) = found_at(far_end(name))
    assert one.block is not None
    (line,) = [x for x in one.block.text.splitlines() if x.startswith(f'# driver = "{other}"')]
    assert line.endswith(hint)


def test_readings_that_differ_cannot_be_pasted_together() -> None:
    codec = next(d.codec for d in dialects() if d.settings == {"format": "reversed"})
    found = found_at(FarEnd(codec, every=0.3, loads=("12.350",)))
    texts = [one.block.text for one in found if one.block]
    assert len(texts) == 2
    with pytest.raises(BadInput, match="given twice"):
        loaded(*texts)
    assert any("2 readings fit" in line for line in found[0].said)


def test_a_unit_that_no_frame_carries_is_left_to_the_display() -> None:
    (one,) = found_at(far_end("cas10"))
    assert one.block is not None
    assert '# unit = "kg"   # no frame says the unit' in one.block.text
    filled = one.block.text.replace('# unit = "kg"', 'unit = "kg"')
    assert loaded(filled)[0].settings["unit"] == "kg"


def test_behind_a_serial_server_the_server_has_speed_and_framing() -> None:
    (one,) = found_at(far_end("mt-sics", framing="7E1"), "socket://192.168.1.50:4001")
    assert one.block is not None
    (instrument,) = loaded(one.block.text)
    assert (instrument.baudrate, instrument.framing) == (None, None)
    assert any("set the serial server to 7E1" in line for line in one.said)


def test_a_second_instrument_on_the_line_is_named() -> None:
    found = found_at(far_end("and-std", second="7.100"))
    assert found[0].facts["second_instrument"]
    assert any("a second instrument answers too" in line for line in found[0].said)


def test_text_of_no_protocol_gets_a_pattern_that_loads() -> None:
    search = search_for(PORT, Patience(), lambda: 1.0)
    assert search.scales is not None
    text = b"BERAT   12.345 kg\r\nBERAT   12.350 kg\r\nBERAT    0.250 kg\r\n"
    search.scales.noise.append(Noise(4800, "8N1", text, asked=False))
    (one,) = findings(search, PORT)
    assert one.block is not None
    (instrument,) = loaded(one.block.text)
    assert (instrument.driver, instrument.baudrate) == ("pattern", 4800)
    assert "12.345 kg" in " ".join(one.said)


# ---- meters


def meter(*names: str, code: int = 0) -> Search:
    """Return a search that found unit 7 and these maps."""
    search = search_for(f"rtu://{PORT}", Patience(), lambda: 1.0)
    known = {known.id: known for known in maps()}
    fits = tuple(MapFit(known[name], (), float(4 - at)) for at, name in enumerate(names))
    search.bus.asked.append(7)
    search.bus.found.append(UnitFound(7, 19200, "8E1", code, fits))
    return search


@pytest.mark.parametrize("known", maps(), ids=lambda known: known.id)
def test_the_lines_of_every_map_load(known: object) -> None:
    search = meter(known.id)  # type: ignore[attr-defined]
    (one,) = findings(search, f"rtu://{PORT}")
    assert one.block is not None
    (instrument,) = loaded(one.block.text)
    assert (instrument.map, instrument.unit) == (known.id, 7)  # type: ignore[attr-defined]
    assert (instrument.port, instrument.baudrate) == (f"rtu://{PORT}", 19200)
    assert (instrument.framing, instrument.driver) == ("8E1", "modbus")


@pytest.mark.parametrize(
    ("port", "written"),
    [
        (PORT, f"rtu://{PORT}"),
        ("socket://h:4001", "rtu+tcp://h:4001"),
        ("tcp://h:502", "tcp://h:502"),
        ("rtu+tcp://h:4001", "rtu+tcp://h:4001"),
    ],
)
def test_the_port_of_a_meter_is_written_as_its_driver_takes_it(port: str, written: str) -> None:
    (one,) = findings(meter("krohne-mfc400"), port)
    assert one.block is not None
    assert loaded(one.block.text)[0].port == written


def test_maps_that_fit_are_all_named_and_three_written_out() -> None:
    names = ("tuf-2000", "xy-md02", "sierra-240", "abb-266")
    found = findings(meter(*names), f"rtu://{PORT}")
    assert len(found) == 3
    assert f"4 register maps fit ({', '.join(names)})" in " ".join(found[0].said)
    assert found[0].facts["maps"] == list(names)


def test_a_unit_without_a_map_is_found_all_the_same() -> None:
    (one,) = findings(meter(code=2), f"rtu://{PORT}")
    assert one.block is None
    said = " ".join(one.said)
    assert "unit 7 (19200 8E1)" in said
    assert "illegal data address" in said
    assert "no register map fits" in said


def test_registers_that_no_instrument_can_hold_speak_against_a_map() -> None:
    known = next(one for one in maps() if one.id == "krohne-mfc400")
    assert fit(known, lambda telegram: tuple(range(1000, 1000 + telegram.count))) is None
    quiet = fit(known, lambda telegram: (0,) * telegram.count)
    assert quiet is not None
    assert quiet.weight < 1


# ---- what is said when nothing fits


def test_silence_says_what_to_look_at() -> None:
    said = " ".join(hints(searched(VirtualLine()), PORT, []))
    assert "not one byte" in said
    assert "swap RX and TX" in said
    assert f"tera doctor --probe rtu://{PORT}" in said


def test_bytes_of_no_protocol_are_shown() -> None:
    line = VirtualLine(noise=bytes((i * 167 + 13) % 256 for i in range(60)))
    said = " ".join(hints(searched(line), PORT, []))
    assert "0d b4 5b 02" in said
    assert "RS-485" in said


def test_a_gateway_without_units_is_told() -> None:
    search = search_for("tcp://h:502", Patience(), lambda: 1.0)
    absent = Reply(Outcome.EXCEPTION, (), 11, "", 0, 0)
    drive(search, lambda _: absent)
    assert not search.found
    assert "a gateway answers" in " ".join(hints(search, "tcp://h:502", []))


def drive(search: Search, answer: Callable[[Ask], Reply]) -> None:
    """Do the steps of a search of a bus at once."""
    steps = search.steps()
    action = next(steps)
    try:
        while True:
            assert isinstance(action, Ask) or not isinstance(action, Hear)
            action = steps.send(answer(action))  # type: ignore[arg-type]
    except StopIteration:
        pass


def test_how_sure_it_is_is_said_in_indonesian_too() -> None:
    assert set(_SURE.values()) <= catalogue().keys()


# ---- stable names


def test_a_device_is_written_by_its_stable_name(tmp_path: Path) -> None:
    device, folder = tmp_path / "ttyUSB0", tmp_path / "by-id"
    device.touch()
    folder.mkdir()
    (folder / "usb-one").symlink_to(tmp_path / "ttyUSB9")
    (folder / "usb-two").symlink_to(device)
    assert stable_name(str(device), folder) == str(folder / "usb-two")
    assert stable_name(f"rtu://{device}", folder) == f"rtu://{folder / 'usb-two'}"
    assert stable_name(str(folder / "usb-two"), folder) == str(folder / "usb-two")
    assert stable_name("/dev/ttyS7", folder) == "/dev/ttyS7"
    assert stable_name("socket://h:1", folder) == "socket://h:1"
    assert stable_name(str(device), tmp_path / "none") == str(device)
    assert stable_name("ttyUSB9", folder) == str(Path.cwd() / "ttyUSB9")  # as a bus needs it


# ---- the command


@pytest.fixture
def silent() -> Iterator[str]:
    master, slave = os.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--probe", "foo://x"),
        ("--probe", "/dev/x", "--commission", "tcp://h:1"),
        ("--probe", "/dev/x", "--value", "a=1"),
        ("--probe", "/dev/x", "--set", "a=1"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *arguments]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("tera: ")


def test_a_port_that_is_not_there_is_exit_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--probe", "/dev/no-such-port"]) == 3
    assert "There is no port /dev/no-such-port" in capsys.readouterr().err


async def test_a_scale_that_streams_is_found_and_its_lines_printed() -> None:
    async with simulated("toledo-cont") as address:
        done = await asyncio.to_thread(tera, "doctor", "--probe", address, "--json")
    assert done.returncode == 0, done.stderr
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (row["found"], row["certainty"]) == ("scale", "check")
    assert row["indications"][0]["text"] == "12.345"
    assert loaded(row["config"])[0].driver == "toledo-cont"
    assert b"s left: " in done.stderr


def test_ctrl_c_ends_it_cleanly(silent: str) -> None:
    command = [sys.executable, "-m", "acquisition", "doctor", "--probe", silent]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b"s left" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=10)
    assert process.returncode == 130
    assert b"Traceback" not in rest


def test_nothing_found_is_a_value_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    search = searched(VirtualLine())
    show(search, PORT, [], as_json=True)
    row = json.loads(capsys.readouterr().out)
    assert (row["found"], row["port"], row["heard"]) == (None, PORT, [])
    assert row["hints"]
