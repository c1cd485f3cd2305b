"""A verdict is derived again from the bytes of its lines, by the same code, to the last digit."""

import asyncio
import json
import time
import zipfile
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

import acquisition.witness
import drivers.capture
from acquisition.bundle import Bundle, read_bundle, write_bundle
from acquisition.differences import differences
from acquisition.faults import Abandoned, BadInput
from acquisition.replaying import derive
from acquisition.session import PointObserved, run
from acquisition.station import Running, running, software
from drivers.capture import chunks_in
from drivers.captured_time import ReplayEnded
from drivers.indication import Origin
from tests.stations import (
    METER_BENCH,
    hand_on,
    job_of,
    scale_at,
    scale_bench,
    settings_of,
    tera,
    verdict_of,
)
from tests.test_session import bench_of
from tests.test_surroundings import ROOM

CAPTURES = '[store]\ncaptures = "captures"\n'
pytestmark = pytest.mark.timeout(60)


def bundles(folder: Path) -> list[Path]:
    return sorted((folder / "data" / "bundles").glob("*.bundle.zip"))


Disturb = Callable[[Running, int], None]


async def verified(
    folder: Path, bench: str, name: str = "timbangan-1", disturb: Disturb | None = None
) -> Path:
    """Verify an instrument of a station that writes bundles; return the bundle."""
    async with (
        running(settings_of(folder, bench, more=CAPTURES)) as station,
        aclosing(run(job_of(station, name))) as events,
    ):
        async for event in events:
            if isinstance(event, PointObserved) and disturb is not None:
                disturb(station, event.index)
    [bundle] = bundles(folder)
    return bundle


def the_same(file: Path) -> Bundle:
    """Derive again; return the bundle once nothing differs."""
    bundle = read_bundle(file)
    derived = derive(bundle, software())
    assert differences(bundle.record, derived.record, legal=derived.legal) == []
    assert (derived.record["origin"], derived.record["trial"]) == (Origin.REPLAY, True)
    assert derived.record["legal"] is False
    return bundle


# ---- the same


SCALES = {
    "polled": scale_bench(),
    "streaming": scale_bench(mode="listen", settle=0.02),
    "by added loads": scale_bench(d="5 g"),
    "worn": scale_bench(span=700),
    "noisy": scale_bench(noise="0.3 g", d="1 g"),
    "silence ends a frame": bench_of(
        "yaohua-xk3190",
        '[bench.instrument.settings]\nformat = "reversed"\nunit = "g"\n',
        settle=0.05,
    ),
    "checked": bench_of("yaohua-xk3190", '[bench.instrument.settings]\nunit = "g"\n', settle=0.02),
    "radwag": bench_of("radwag"),
    "cas": bench_of("cas22", settle=0.02),
}


@pytest.mark.parametrize("bench", SCALES.values(), ids=SCALES)
async def test_the_verdict_on_a_scale_is_derived_again(tmp_path: Path, bench: str) -> None:
    file = await verified(tmp_path, bench)
    began = time.monotonic()
    await asyncio.to_thread(the_same, file)
    assert time.monotonic() - began < 5


async def test_the_verdict_on_a_meter_is_derived_again(tmp_path: Path) -> None:
    await asyncio.to_thread(the_same, await verified(tmp_path, METER_BENCH, "meter-uji"))


def in_the_middle(what: Callable[[Running], None]) -> Disturb:
    def disturb(station: Running, index: int) -> None:
        if index == 8:
            what(station)

    return disturb


def for_a_moment(fault: str) -> Disturb:
    """Have the scale suffer for a moment in the middle of the run."""

    def disturb(station: Running) -> None:
        scale = station.workshop.scales["timbangan-1"]
        scale.fail(fault)
        asyncio.get_running_loop().call_later(0.5, scale.recover)

    return in_the_middle(disturb)


@pytest.mark.parametrize("fault", ["silence", "noise", "overload"])
@pytest.mark.parametrize("mode", ["poll", "listen"])
async def test_a_fault_in_the_middle_of_a_run_is_lived_through_again(
    tmp_path: Path, fault: str, mode: str
) -> None:
    bench = scale_bench(mode=mode, settle=0.05)
    file = await verified(tmp_path, bench, disturb=for_a_moment(fault))
    await asyncio.to_thread(the_same, file)


@pytest.mark.parametrize("mode", ["poll", "listen"])
async def test_a_cable_pulled_in_the_middle_of_a_run_is_pulled_again(
    tmp_path: Path, mode: str
) -> None:
    name = tmp_path / "scale"
    async with scale_at(f"pty:{name}") as (port, scale):
        settings = settings_of(
            tmp_path, scale_bench(port=port, mode=mode, settle=0.05), more=CAPTURES
        )
        async with (
            running(settings) as station,
            aclosing(run(job_of(station, "timbangan-1", hand_on(scale)))) as events,
        ):
            async for event in events:
                if isinstance(event, PointObserved) and event.index == 5:
                    await scale.stop()
                    while "timbangan-1" not in station.faults:
                        await asyncio.sleep(0.005)
                    await scale.start(f"pty:{name}")
    [file] = bundles(tmp_path)
    bundle = await asyncio.to_thread(the_same, file)
    kinds = [chunk.direction for chunk, _ in chunks_in(bundle.lines[0].capture)]
    assert {"lost", "opened"} <= set(kinds)


@pytest.mark.parametrize("scheme", ["rtu", "rtu+tcp"])
async def test_meters_on_one_serial_line_get_their_own_answers_again(
    tmp_path: Path, scheme: str
) -> None:
    from drivers.simulated_meter import SimulatedBus, SimulatedMeter, SimulatedPipe

    pipe = SimulatedPipe()
    line = SimulatedBus(*(SimulatedMeter(unit=n, pipe=pipe) for n in (1, 2)))
    url = await line.start("pty" if scheme == "rtu" else "rtu+tcp://127.0.0.1:0")
    bench = METER_BENCH.replace('port = "simulated"', f'port = "{url}"\nbaudrate = 115200')
    bench = bench.replace('role = "reference"', 'role = "reference"\nunit = 2')

    class Hand:
        async def do(self, instruction: Any) -> None:
            await pipe.deliver(instruction.quantity.to("L").magnitude, 3.0)

    try:
        async with running(settings_of(tmp_path, bench, more=CAPTURES)) as station:
            await verdict_of(job_of(station, "meter-uji", Hand()))
    finally:
        await line.stop()
    [file] = bundles(tmp_path)
    bundle = await asyncio.to_thread(the_same, file)
    assert [line.instruments for line in bundle.lines] == [("meter-acuan", "meter-uji")]


@pytest.mark.parametrize("mode", ["poll", "listen"])
async def test_each_run_has_a_bundle_of_its_own_that_begins_in_the_middle_of_the_line(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acquisition.witness, "_BEFORE", 0.1)
    monkeypatch.setattr(drivers.capture, "_BETWEEN_PLACES", 10_000_000)
    settings = settings_of(tmp_path, scale_bench(mode=mode, settle=0.02), more=CAPTURES)
    async with running(settings) as station:
        for _ in range(2):
            with station.feeds["timbangan-1"].listening() as listener:
                for _ in range(150):
                    await listener.next_before(asyncio.get_running_loop().time() + 5)
            await verdict_of(job_of(station, "timbangan-1"))
    files = bundles(tmp_path)
    assert [file.name for file in files] == [
        "meja-1-000001.bundle.zip",
        "meja-1-000002.bundle.zip",
    ]
    for file in files:
        bundle = await asyncio.to_thread(the_same, file)
        directions = [chunk.direction for chunk, _ in chunks_in(bundle.lines[0].capture)]
        assert "opened" not in directions


async def test_without_captures_nothing_is_written(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, scale_bench())) as station:
        await verdict_of(job_of(station, "timbangan-1"))
    assert bundles(tmp_path) == []


async def test_a_bundle_that_cannot_be_written_does_not_touch_the_verdict(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(settings_of(tmp_path, scale_bench(), more=CAPTURES)) as station:
        (tmp_path / "data" / "bundles").write_text("in the way")
        record = await verdict_of(job_of(station, "timbangan-1"))
        assert (await station.outbox.counts()).verdicts == 1
    assert record["verdict"] == "conforming"
    assert "bundle meja-1-000001.bundle.zip could not be written" in caplog.text


async def test_the_air_of_each_point_is_the_same(tmp_path: Path) -> None:
    bundle = await asyncio.to_thread(the_same, await verified(tmp_path, scale_bench() + ROOM))
    assert {name for line in bundle.lines for name in line.instruments} == {"timbangan-1", "ruang"}
    assert bundle.record["environment"]["temperature"] == "27.4 °C"


async def test_a_map_of_the_technicians_own_is_in_the_bundle(tmp_path: Path) -> None:
    own = resources.files("drivers.maps").joinpath("endress-hauser-promass.toml").read_bytes()
    (tmp_path / "own.toml").write_bytes(own)
    bench = METER_BENCH.replace('map = "endress-hauser-promass"', "map = 'own.toml'")
    file = await verified(tmp_path, bench, "meter-uji")
    (tmp_path / "own.toml").unlink()
    bundle = await asyncio.to_thread(the_same, file)
    assert bundle.maps == {"maps/1.toml": own}


# ---- not the same


@pytest.fixture
async def sound(tmp_path: Path) -> Bundle:
    return read_bundle(await verified(tmp_path, scale_bench()))


def line_changed(bundle: Bundle, change: Callable[[bytes], bytes]) -> Bundle:
    """Change what came over the line, with the checks made right again, as a forger would."""
    import zlib

    [line] = bundle.lines
    out, at = bytearray(line.capture[:8]), 8
    for chunk, end in chunks_in(line.capture):
        record = line.capture[at:end]
        if chunk.direction == "received":
            head, data = record[:25], change(chunk.data)
            body = head + len(data).to_bytes(4, "big") + data
            record = body + zlib.crc32(body).to_bytes(4, "big")
        out += record
        at = end
    return replace(bundle, lines=(replace(line, capture=bytes(out)),))


async def test_one_digit_of_the_line_that_differs_is_listed_where_it_matters(
    sound: Bundle,
) -> None:
    taken = bytes.fromhex(sound.record["raw"][5]["hex"])
    digit = taken[-3] ^ 1  # 0 becomes 1, and 1 becomes 0
    other = taken[:-3] + bytes([digit]) + taken[-2:]
    changed = line_changed(sound, lambda data: data.replace(taken, other))
    derived = await asyncio.to_thread(derive, changed, software())
    found = differences(sound.record, derived.record, legal=derived.legal)
    places = [one.place for one in found]
    assert "raw[5].hex" in places
    assert any(place.startswith("cerapan.test[") for place in places)
    assert any(place.endswith(".error") for place in places)
    assert other.hex() in {one.now.strip('"') for one in found}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("verdict",), "nonconforming"),
        (("tests", 0, "points", 0, "indication"), "0.1"),
        (("cerapan", "instrument", "serial"), "A-2"),
        (("raw", 3, "hex"), "00"),
        (("reasons",), ["nobody said so"]),
        (("legal",), True),
        (("table", "digest"), "sha256:0"),
    ],
)
async def test_a_record_that_was_changed_by_one_field_is_found(
    sound: Bundle, place: tuple[Any, ...], value: Any
) -> None:
    record = json.loads(json.dumps(sound.record, default=str))
    there = record
    for step in place[:-1]:
        there = there[step]
    there[place[-1]] = value
    derived = await asyncio.to_thread(derive, sound, software())
    found = differences(record, derived.record, legal=derived.legal)
    written = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in place).lstrip(".")
    assert any(one.place.startswith(written) for one in found)


async def test_what_a_replay_makes_anew_is_not_compared(sound: Bundle) -> None:
    derived = await asyncio.to_thread(derive, sound, software())
    assert derived.record["id"] != sound.record["id"]
    assert derived.record["number"] == sound.record["number"]
    assert derived.record["started"] == sound.record["started"]
    assert derived.record["cerapan"]["date"] == sound.record["cerapan"]["date"]


async def test_a_sheet_is_dated_where_the_station_stood(sound: Bundle) -> None:
    record = dict(sound.record) | {"started": "2026-11-24T20:30:00.000Z"}
    derived = await asyncio.to_thread(
        derive, replace(sound, record=record, utc_offset=7 * 3600.0), software()
    )
    assert derived.record["cerapan"]["date"] == "2026-11-25"


@pytest.mark.parametrize("mode", ["poll", "listen"])
async def test_a_line_that_ends_too_soon_gives_no_verdict(tmp_path: Path, mode: str) -> None:
    bundle = read_bundle(await verified(tmp_path, scale_bench(mode=mode, settle=0.02)))
    [line] = bundle.lines
    ends = [end for _, end in chunks_in(line.capture)]
    cut = replace(line, capture=line.capture[: ends[len(ends) // 2]])
    with pytest.raises(Abandoned, match="no steady indication from timbangan-1"):
        await asyncio.to_thread(derive, replace(bundle, lines=(cut,)), software())


async def test_hands_that_did_something_else_end_the_replay(sound: Bundle) -> None:
    steps = list(sound.steps)
    index = next(i for i, (kind, _) in enumerate(steps) if kind == "do" and i > 6)
    steps[index] = ("do", dict(steps[index][1]) | {"quantity": "1 g"})
    with pytest.raises(ReplayEnded, match="departs from the steps"):
        await asyncio.to_thread(derive, replace(sound, steps=tuple(steps)), software())


async def test_a_driver_that_sends_something_else_ends_the_replay(sound: Bundle) -> None:
    config = sound.config.replace('driver = "mt-sics"', 'driver = "and-std"')
    with pytest.raises(ReplayEnded, match="departs from the capture"):
        await asyncio.to_thread(derive, replace(sound, config=config), software())


async def test_a_bundle_without_the_line_of_its_instrument_is_refused(sound: Bundle) -> None:
    with pytest.raises(BadInput, match="no line of timbangan-1"):
        await asyncio.to_thread(derive, replace(sound, lines=()), software())


# ---- bundles that are none


async def test_a_bundle_is_read_as_it_was_written(sound: Bundle, tmp_path: Path) -> None:
    again = tmp_path / "again.bundle.zip"
    write_bundle(again, sound)
    assert read_bundle(again) == sound
    assert [file.name for file in tmp_path.glob("again*")] == ["again.bundle.zip"]


async def test_a_bundle_cut_anywhere_or_with_a_changed_byte_is_refused_in_one_sentence(
    sound: Bundle, tmp_path: Path
) -> None:
    whole = tmp_path / "whole.zip"
    write_bundle(whole, sound)
    data = whole.read_bytes()
    damaged = tmp_path / "damaged.zip"
    for at in range(0, len(data), max(1, len(data) // 150)):
        for broken in (data[:at], data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :]):
            damaged.write_bytes(broken)
            try:
                read = read_bundle(damaged)
            except BadInput:
                continue
            assert read == sound  # a byte that nothing is made of: a date of the zip


def changed(file: Path, name: str, data: bytes | None) -> None:
    """Change one file of a bundle, and nothing else."""
    with zipfile.ZipFile(file) as packed:
        files = {entry.filename: packed.read(entry) for entry in packed.infolist()}
    with zipfile.ZipFile(file, "w") as packed:
        for entry, old in files.items():
            if entry != name or data is not None:
                packed.writestr(entry, old if entry != name else data or b"")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("record.json", b"{}", "record.json was changed"),
        ("lines/1.capture", b"", "lines/1.capture was changed"),
        ("steps.json", None, "steps.json is missing"),
        ("manifest.json", None, "manifest.json is missing"),
        ("manifest.json", b'{"schema": "tera/bundle/9"}', "its schema is tera/bundle/9"),
        ("manifest.json", b"[]", "no bundle of tera"),
        ("manifest.json", b"{", "no bundle of tera"),
    ],
)
async def test_a_bundle_of_which_a_file_was_changed_is_named(
    sound: Bundle, tmp_path: Path, name: str, data: bytes | None, said: str
) -> None:
    file = tmp_path / "b.zip"
    write_bundle(file, sound)
    changed(file, name, data)
    done = tera("replay", file)
    assert done.returncode == 2
    assert said in done.stderr.decode()
    assert len(done.stderr.decode().splitlines()) == 1
    assert not done.stdout


@pytest.mark.parametrize("content", [b"", b"TERACAP2", b"PK\x05\x06" + b"\0" * 18])
def test_a_file_that_is_no_bundle_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)
    done = tera("replay", file)
    assert done.returncode == 2
    assert len(done.stderr.decode().splitlines()) == 1


def test_a_bundle_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = tera("replay", tmp_path / "nothing.zip")
    assert done.returncode == 2
    assert "nothing.zip" in done.stderr.decode()


# ---- the command


async def test_the_command_says_that_nothing_differs(sound: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "b.zip"
    write_bundle(file, sound)
    done = tera("replay", file)
    assert done.returncode == 0, done.stderr
    assert b"the same, byte by byte" in done.stdout
    said = json.loads(tera("replay", file, "--json").stdout)
    assert (said["same"], said["differences"], said["origin"]) == (True, [], "replay")
    assert (said["verdict"], said["derived"]) == ("conforming", "conforming")


async def test_the_command_lists_what_differs_and_ends_with_1(
    sound: Bundle, tmp_path: Path
) -> None:
    file = tmp_path / "b.zip"
    write_bundle(file, replace(sound, record=dict(sound.record) | {"verdict": "nonconforming"}))
    done = tera("replay", file)
    assert done.returncode == 1
    assert b"derived again it differs" in done.stdout
    said = json.loads(tera("replay", file, "--json").stdout)
    assert said["differences"] == [
        {"place": "verdict", "then": '"nonconforming"', "now": '"conforming"'}
    ]


async def test_the_command_says_when_there_is_no_verdict(sound: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "b.zip"
    write_bundle(file, replace(sound, steps=sound.steps[:4]))
    done = tera("replay", file)
    assert done.returncode == 1
    assert b"comes to no verdict: The replay departs from the steps" in done.stdout
