"""The command line as its users run it: real lines, real brokers, real signals."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from acquisition.cli import main
from broker.outbox import Outbox
from broker.record import decode, validate
from calibration.mpe import legal_table
from drivers.register_map import load_map
from tests.mosquitto import MISSING, PROGRAM, PUBLISH, SUBSCRIBE, Mosquitto
from tests.stations import (
    ENVIRONMENT,
    METER_BENCH,
    NOBODY,
    ROOT,
    line_with,
    order,
    publish_order,
    scale_at,
    scale_bench,
    tera,
    tera_at_work,
    write_station,
)

MAP = "endress-hauser-promass"
MODBUS = ("read", "--driver", "modbus", "--port", "tcp://h:1")
Done = subprocess.CompletedProcess[bytes]


def rows(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line, parse_float=Decimal) for line in done.stdout.splitlines()]


def sentence(done: Done, code: int) -> str:
    """Return the only thing that was said: one sentence, with this exit code."""
    said = done.stderr.decode().strip()
    assert done.returncode == code, said
    assert not done.stdout
    assert len(said.splitlines()) == 1, said
    assert said.startswith("tera: ")
    return said


# ---- tera read


@contextmanager
def dead_line(folder: Path) -> Iterator[str]:
    """Give a pty at whose other end nobody answers."""
    master, slave = os.openpty()
    tty.setraw(slave)
    link = folder / "ttyDEAD"
    link.symlink_to(os.ttyname(slave))
    try:
        yield str(link)
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(
    ("more", "said"),
    [((), "did not answer within 0.2 s"), (("--set", "mode=listen"), "nothing arrived at")],
    ids=["poll", "listen"],
)
def test_a_silent_scale_gets_one_sentence_and_exit_code_3(
    tmp_path: Path, more: tuple[str, ...], said: str
) -> None:
    with dead_line(tmp_path) as port:
        quick = ("--set", "timeout=0.2", "--seconds", "1", *more)
        done = tera("read", "--driver", "mt-sics", "--port", port, *quick)
    assert said in sentence(done, 3)
    assert port in sentence(done, 3)


def test_a_silent_meter_gets_one_sentence_and_exit_code_3(tmp_path: Path) -> None:
    with dead_line(tmp_path) as port:
        quick = ("--set", f"map={MAP}", "--set", "timeout=0.2")
        done = tera("read", "--driver", "modbus", "--port", f"rtu://{port}", *quick)
    said = sentence(done, 3)
    assert port in said
    assert "did not answer within 0.2 s" in said


@pytest.mark.parametrize(
    ("driver", "port", "named"),
    [
        ("mt-sics", "/dev/ttyNOWHERE", "There is no port /dev/ttyNOWHERE"),
        ("mt-sics", "/dev/null", "/dev/null cannot be opened"),
        ("mt-sics", "socket://127.0.0.1:1", "Connection refused"),
        ("modbus", "tcp://127.0.0.1:1", "tcp://127.0.0.1:1 cannot be reached"),
        ("modbus", "rtu+tcp://127.0.0.1:1", "rtu+tcp://127.0.0.1:1 cannot be reached"),
        ("modbus", "rtu:///dev/ttyNOWHERE", "rtu:///dev/ttyNOWHERE cannot be reached"),
    ],
)
def test_a_wrong_port_gets_one_sentence_and_exit_code_3(
    driver: str, port: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = ("--set", f"map={MAP}") if driver == "modbus" else ()
    arguments = ("read", "--driver", driver, "--port", port, "--count", "1", *extra)
    assert named in sentence(in_here(capsys, *arguments), 3)


def in_here(capsys: pytest.CaptureFixture[str], *arguments: str) -> Done:
    """Run the command line without a process of its own, where only what it says matters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERA_LANG", "en")
        code = main(arguments)
    out, said = capsys.readouterr()
    return Done(arguments, code, out.encode(), said.encode())


async def test_a_wrong_baud_rate_gets_one_sentence_and_exit_code_3(tmp_path: Path) -> None:
    async with scale_at(f"pty:{tmp_path}/scale") as (port, scale):
        scale.fail("noise")  # what arrives at a wrong speed
        quick = ("--port", port, "--set", "timeout=0.3")
        done = await asyncio.to_thread(tera, "read", "--driver", "mt-sics", *quick)
    assert "check speed, framing and protocol" in sentence(done, 3)


async def test_a_port_that_another_program_holds_is_named(tmp_path: Path) -> None:
    async with scale_at(f"pty:{tmp_path}/scale") as (port, _):
        read = ("read", "--driver", "mt-sics", "--port", port, "--set", "interval=0.05")
        async with tera_at_work(*read) as first:
            await line_with(first.stdout, "stable")
            done = await asyncio.to_thread(tera, *read, "--count", "1")
    assert "in use by another program" in sentence(done, 3)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("read", "--driver", "mt-sics", "--port", "x", "--count", "0"), "--count"),
        (("read", "--driver", "mt-sics", "--port", "x", "--seconds", "0"), "--seconds"),
        (("read", "--driver", "mt-sics", "--port", "x", "--set", "port=y"), "--set port"),
        (("read", "--driver", "mt-sics", "--port", "x", "--set", "driver=y"), "--set driver"),
        (("read", "--driver", "mt-sics", "--port", "x", "--set", "interval=0"), "interval"),
        (("read", "--driver", "mt-sics", "--port", "x", "--set", "framing=9N1"), "framing"),
        (("read", "--driver", "mt-sics", "--port", "x", "--set", "baudrate=12345"), "baudrate"),
        (("read", "--driver", "mt-sics", "--port", "tcp://h:1"), "port"),
        ((*MODBUS, "--set", f"map={MAP}", "--set", "unit=256"), "unit"),
        ((*MODBUS, "--set", f"map={MAP}", "--set", "totalizer_9.unit=L"), "totalizer_9"),
        ((*MODBUS, "--set", "map=none"), "map"),
        (("decode", "--driver", "modbus"), "decode"),
        (("simulate", "mt-sics", "--port", "tcp://127.0.0.1:0", "--set", "d=5 L"), "scale.d"),
        (("simulate", "mt-sics", "--port", "tcp://127.0.0.1:0", "--set", "load=5"), "no unit"),
        (("simulate", "nothing", "--port", "tcp://127.0.0.1:0"), "nothing"),
        (("simulate", MAP, "--port", "tcp://127.0.0.1:0", "--set", "flow=5 kg"), "kg"),
    ],
)
def test_bad_settings_get_one_sentence_that_names_them_and_exit_code_2(
    arguments: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert named in sentence(in_here(capsys, *arguments), 2)


def test_decode_finds_the_frames_in_noise_and_nothing_else() -> None:
    draw = random.Random(7)
    frames = [f"S S {n:>10} g\r\n".encode() for n in range(40)]
    noise = [draw.randbytes(draw.randrange(60)).replace(b"\n", b"") + b"\r\n" for _ in frames]
    stream = b"".join(n + f for n, f in zip(noise, frames, strict=True)) + frames[0][:-1]
    done = tera("decode", "--driver", "mt-sics", "--json", stdin=stream)
    assert done.returncode == 0
    assert [row["value"] for row in rows(done)] == list(range(40))
    assert {row["condition"] for row in rows(done)} == {"stable"}
    assert "Traceback" not in done.stderr.decode()
    last = done.stderr.decode().splitlines()[-1]
    assert f"{len(frames[0]) - 1} bytes at the end are no whole frame" in last


# ---- tera simulate, and tera read on it


@pytest.mark.parametrize("port", ["pty:{folder}/scale", "tcp://127.0.0.1:0"])
async def test_a_simulated_scale_is_read_with_the_load_that_lies_on_it(
    tmp_path: Path, port: str
) -> None:
    simulate = ("simulate", "mt-sics", "--port", port.format(folder=tmp_path), "--json")
    async with tera_at_work(*simulate, "--set", "load=5 kg") as process:
        told = json.loads(await line_with(process.stdout, "port"))
        read = ("read", "--driver", "mt-sics", "--port", told["port"])
        done = await asyncio.to_thread(
            tera, *read, "--set", "interval=0.01", "--count", "3", "--json"
        )
        table = await asyncio.to_thread(tera, *read, "--count", "1", "--seconds", "9")
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert done.returncode == 0, done.stderr.decode()
    assert [set(row) for row in rows(done)] == 3 * [
        {"time", "instrument", "quantity", "text", "value", "unit", "condition", "detail", "origin"}
    ]
    assert [(r["text"], r["value"], r["unit"]) for r in rows(done)] == 3 * [("5000", 5000, "g")]
    assert {(r["condition"], r["origin"]) for r in rows(done)} == {("stable", "simulated")}
    heading, line = table.stdout.decode().splitlines()
    assert heading.split() == ["time", "quantity", "indication", "unit", "condition"]
    assert line.split()[1:] == ["weight", "5000", "g", "stable"]
    assert heading.index("condition") == line.index("stable")
    assert not (tmp_path / "scale").is_symlink()  # its line went with it


@pytest.mark.parametrize("kind", ["tcp", "rtu"])
async def test_a_simulated_meter_is_read_quantity_by_quantity(tmp_path: Path, kind: str) -> None:
    port = "tcp://127.0.0.1:0" if kind == "tcp" else f"pty:{tmp_path}/meter"
    simulate = ("simulate", MAP, "--port", port, "--set", "flow=30 L/min", "--json")
    async with tera_at_work(*simulate) as process:
        told = json.loads(await line_with(process.stdout, "port"))
        assert told["port"].startswith(f"{kind}://")
        read = ("read", "--driver", "modbus", "--port", told["port"], "--set", f"map={MAP}")
        count = len(load_map(MAP).measurands)
        more = ("--set", "unit=1", "--set", "totalizer_1.unit=L", "--json")
        done = await asyncio.to_thread(tera, *read, *more, "--count", 2 * count)
    assert done.returncode == 0, done.stderr.decode()
    first, second = rows(done)[:count], rows(done)[count:]
    assert [row["quantity"] for row in first] == list(load_map(MAP).measurands)
    assert {row["origin"] for row in rows(done)} == {"simulated"}
    flow = {row["quantity"]: row for row in second}
    assert flow["volume_flow"]["unit"] == "m³/h"
    assert 0 < flow["volume_flow"]["value"] <= Decimal("1.81")
    assert flow["totalizer_1"]["unit"] == "L"
    totals = [row["value"] for row in rows(done) if row["quantity"] == "totalizer_1"]
    assert totals[0] < totals[1]  # 30 L/min and a second between them


async def test_a_meter_whose_sensor_is_at_fault_is_read_as_faults_and_not_as_silence(
    tmp_path: Path,
) -> None:
    from drivers.simulated_meter import SimulatedMeter

    meter = SimulatedMeter(load_map(MAP).with_units({"totalizer_1": "L"}))
    port = await meter.start()
    try:
        meter.fail("sensor")
        read = ("read", "--driver", "modbus", "--port", port, "--set", f"map={MAP}", "--json")
        done = await asyncio.to_thread(tera, *read, "--count", "2")
    finally:
        await meter.stop()
    assert done.returncode == 0, done.stderr.decode()
    assert [(r["condition"], r["value"], r["unit"]) for r in rows(done)] == 2 * [
        ("fault", None, None)
    ]
    assert all(row["detail"] for row in rows(done))


@pytest.mark.parametrize("command", ["read", "simulate"])
async def test_ctrl_c_ends_with_130_and_without_a_traceback(tmp_path: Path, command: str) -> None:
    async with scale_at(f"pty:{tmp_path}/scale") as (port, _):
        arguments = {
            "read": ("read", "--driver", "mt-sics", "--port", port, "--json"),
            "simulate": ("simulate", "mt-sics", "--port", f"pty:{tmp_path}/other", "--json"),
        }[command]
        async with tera_at_work(*arguments) as process:
            await line_with(process.stdout, "{")
            process.send_signal(signal.SIGINT)
            _, said = await process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in said


# ---- tera doctor


def shipped(folder: Path, *changes: tuple[str, str], broker: int = NOBODY) -> Path:
    """Write the shipped configuration with changes."""
    text = (ROOT / "config.toml").read_text(encoding="utf-8")
    for old, new in (("port = 1883", f"port = {broker}"), *changes):
        assert old in text, old
        text = text.replace(old, new, 1)
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
async def test_doctor_finds_nothing_wrong_with_the_shipped_station(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    try:
        done = tera("doctor", "--config", shipped(tmp_path, broker=broker.port), "--json")
    finally:
        broker.kill()
    assert done.returncode == 0, done.stdout.decode()
    found = rows(done)
    assert {tuple(row) for row in found} == {("check", "state", "text", "advice")}
    names = {row["check"] for row in found}
    instruments = ("timbangan-1", "timbangan-2", "meter-acuan", "meter-uji-1", "meter-uji-2")
    assert names >= {f"instrument {name}" for name in instruments}
    assert names >= {"configuration", "standard W-07", "clock", "disk", "outbox", "broker"}
    assert {row["state"] for row in found} <= {"ok", "note"}
    assert "MQTT 5" in next(row["text"] for row in found if row["check"] == "broker")
    assert not (tmp_path / "data").exists()  # it looks and leaves nothing behind


def test_doctor_names_every_fault_and_what_to_do_and_none_hides_another(tmp_path: Path) -> None:
    config = shipped(
        tmp_path,
        ('# password_file = "/etc/tante-sari/broker-password"', 'password_file = "nowhere"'),
        ("due = 2027-06-30", "due = 2020-06-30"),
        ('port = "simulated"', 'port = "/dev/ttyNOWHERE"'),
        ('outbox = "data/outbox.sqlite"', 'outbox = "no-outbox.sqlite"'),
    )
    (tmp_path / "no-outbox.sqlite").write_text("this is no database, however long it may be")
    done = tera("doctor", "--config", config, "--json")
    assert done.returncode == 3, done.stderr.decode()
    faults = {row["check"]: row for row in rows(done) if row["state"] == "fault"}
    assert {name: row["text"] for name, row in faults.items() if name != "outbox"} == {
        "standard W-07": "its certificate ended on 2020-06-30",
        "broker": f"broker.password_file: cannot read {tmp_path}/nowhere: No such file or directory",
        "instrument timbangan-1": "There is no port /dev/ttyNOWHERE: check the cable and the name.",
        "damage of the outbox": "damaged: SQLite finds: file is not a database",
    }
    assert "no such database" in faults["outbox"]["text"]
    assert all(row["advice"] for row in faults.values())
    well = [row for row in rows(done) if row["check"].startswith("instrument")]
    assert [row["state"] for row in well] == ["fault", "note", "note", "note", "note"]


# ---- tera run


@asynccontextmanager
async def listening(broker: Mosquitto, topic: str) -> AsyncIterator[asyncio.StreamReader]:
    """Run mosquitto_sub and give the bodies it prints."""
    peer = await asyncio.create_subprocess_exec(
        *(str(SUBSCRIBE), "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1"),
        *("-t", topic, "-F", "%p"),
        stdout=subprocess.PIPE,
        limit=2**24,
    )
    try:
        assert peer.stdout is not None
        yield peer.stdout
    finally:
        peer.kill()
        await peer.wait()


@pytest.mark.skipif(None in (PROGRAM, PUBLISH, SUBSCRIBE), reason=MISSING)
async def test_the_service_works_off_an_order_and_ends_at_sigterm(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    slow = scale_bench(2, settle=5)  # its run takes longer than anyone waits here
    config = write_station(tmp_path, scale_bench(1), slow, broker=broker.port)
    try:
        async with (
            listening(broker, "tera/v1/3516/trial/starts/+") as starts,
            listening(broker, "tera/v1/3516/trial/verdicts/+") as verdicts,
            tera_at_work("run", "--config", config) as service,
            asyncio.timeout(40),
        ):
            await line_with(service.stderr, "2 benches, 2 instruments")
            await publish_order(broker, order("P-7", "timbangan-1"))
            record = decode(await verdicts.readline())
            assert validate(record) == "verdict"
            assert (record["order"], record["trial"]) == ("P-7", True)
            await publish_order(broker, order("P-8", "timbangan-2"))
            begun = [decode(await starts.readline()) for _ in range(2)]
            assert [start["order"] for start in begun] == ["P-7", "P-8"]
            service.send_signal(signal.SIGTERM)
            _, said = await service.communicate()
            assert service.returncode == 0, said.decode()
            assert "stopped; " in said.decode()
            assert "Traceback" not in said.decode()
            assert "WARNING" not in said.decode(), said.decode()
    finally:
        broker.kill()
    outbox = await Outbox.open(tmp_path / "data" / "outbox.sqlite")
    try:
        records = [decode(row.body) for row in await outbox.pending(100)]
        assert (await outbox.counts()).unfinished == 0
    finally:
        await outbox.close()
    assert [(r["order"], r["reason"]) for r in records if "reason" in r] == [
        ("P-8", "the run was interrupted")
    ]


async def test_the_service_starts_without_its_broker_and_ctrl_c_ends_it_with_130(
    tmp_path: Path,
) -> None:
    config = write_station(tmp_path, scale_bench())
    async with tera_at_work("run", "--config", config) as service:
        await line_with(service.stderr, "the station runs")
        service.send_signal(signal.SIGINT)
        _, said = await service.communicate()
    assert service.returncode == 130
    assert b"Traceback" not in said


# ---- tera verify

APPROVED = f"""
[[approval]]
table = "r76@2006"
digest = "{legal_table("r76").digest}"
by = "Kepala UPT"
on = 2026-11-24
"""


@pytest.mark.parametrize(("span", "code"), [(100, 0), (700, 1)])
def test_verify_unattended_gives_a_valid_record_and_its_exit_code(
    tmp_path: Path, span: int, code: int
) -> None:
    config = write_station(tmp_path, scale_bench(span=span))
    done = tera("verify", "timbangan-1", "--unattended", "--config", config, "--json")
    assert done.returncode == code, done.stderr.decode()
    [record] = rows(done)
    assert validate(record) == "verdict"
    assert record["verdict"] == ("nonconforming" if code else "conforming")
    assert "18/18 repeatability" in done.stderr.decode()


def test_verify_never_calls_a_simulated_instrument_legal_and_says_why(tmp_path: Path) -> None:
    """Everything else is in order here: an approved table, a known and adequate standard."""
    config = write_station(tmp_path, scale_bench(), more=APPROVED)
    done = tera("verify", "timbangan-1", "--unattended", "--config", config)
    assert done.returncode == 0, done.stderr.decode()
    said = done.stdout.decode()
    assert "Verdict: conforming · not legal" in said
    assert "trial: simulated or replayed indications never give a legal verdict" in said
    assert "committed as number 1; it goes out when the broker is there" in said


def test_a_meter_is_verified_by_name_and_each_delivery_is_shown(tmp_path: Path) -> None:
    head, _, rest = METER_BENCH.partition('[[bench.flow]]\nrate = "30 L/min"')
    one_flow = head + rest[rest.index("[[bench.instrument]]") :]
    config = write_station(tmp_path, one_flow.replace("runs = 3", "runs = 1"))
    done = tera("verify", "meter-uji", "--unattended", "--config", config, "--json")
    assert done.returncode == 1, done.stderr.decode()
    assert rows(done)[0]["verdict"] == "indeterminate"  # the law wants more than one flow rate
    assert "1/1 accuracy 50 L/min: " in done.stderr.decode()


def test_a_technician_is_asked_for_each_load_and_enter_means_done(tmp_path: Path) -> None:
    config = write_station(tmp_path, scale_bench())
    done = tera("verify", "timbangan-1", "--config", config, "--json", stdin=b"\n" * 18)
    assert done.returncode == 0, done.stderr.decode()
    said = done.stderr.decode()
    assert said.count("Enter: done, b: back, q: quit") == 18
    assert "timbangan-1: place 15000 g in the centre" in said
    assert "timbangan-1: place 5000 g on position 4" in said
    anew = (
        "take the load off, set to zero if it does not show zero, then place 12000 g in the centre"
    )
    assert said.count(f"timbangan-1: {anew}") == 3  # a series is no series without unloading
    assert "place 0 g" not in said


@pytest.mark.parametrize("typed", [b"\n\nq\n", b"\n\n"], ids=["q", "end of input"])
async def test_a_technician_who_leaves_abandons_the_run(tmp_path: Path, typed: bytes) -> None:
    config = write_station(tmp_path, scale_bench())
    done = tera("verify", "timbangan-1", "--config", config, stdin=typed)
    assert done.returncode == 3
    assert "tera: the technician ended the run" in done.stderr.decode()
    assert await last_reason(tmp_path) == "the technician ended the run"


async def last_reason(folder: Path) -> str:
    """Return why the last run of a station was abandoned."""
    outbox = await Outbox.open(folder / "data" / "outbox.sqlite")
    try:
        last = decode((await outbox.pending(100))[-1].body)
    finally:
        await outbox.close()
    assert validate(last) == "abandonment"
    return str(last["reason"])


async def test_ctrl_c_in_the_middle_of_a_run_abandons_it_and_ends_with_130(tmp_path: Path) -> None:
    config = write_station(tmp_path, scale_bench(settle=1))
    async with tera_at_work("verify", "timbangan-1", "--unattended", "--config", config) as process:
        await line_with(process.stderr, "1/18")
        process.send_signal(signal.SIGINT)
        _, said = await process.communicate()
    assert process.returncode == 130, said.decode()
    assert b"Traceback" not in said
    assert await last_reason(tmp_path) == "the run was interrupted"


async def test_an_order_is_verified_by_its_name(tmp_path: Path) -> None:
    config = write_station(tmp_path, scale_bench())
    (tmp_path / "data").mkdir()
    outbox = await Outbox.open(tmp_path / "data" / "outbox.sqlite")
    try:
        await outbox.put_order(order("P-7", "timbangan-1"))
        await outbox.put_order(order("P-8", "timbangan-99"))
    finally:
        await outbox.close()
    verify = ("--unattended", "--config", config, "--json")
    done = tera("verify", "P-7", *verify)
    assert done.returncode == 0, done.stderr.decode()
    assert rows(done)[0]["order"] == "P-7"
    assert "timbangan-99" in sentence(tera("verify", "P-8", *verify), 2)


def test_simulated_hands_never_touch_a_real_instrument(tmp_path: Path) -> None:
    config = write_station(tmp_path, scale_bench(port="/dev/ttyNOWHERE"))
    done = tera("verify", "timbangan-1", "--unattended", "--config", config)
    assert "a technician loads them in `tera verify timbangan-1`" in sentence(done, 2)


async def test_a_technician_at_a_line_that_gives_only_noise_is_told_so(tmp_path: Path) -> None:
    """The line ends in this machine, as behind a serial server on it: the hands are real."""
    async with scale_at("tcp://127.0.0.1:0") as (port, scale):
        scale.fail("noise")
        config = write_station(tmp_path, scale_bench(port=port, patience=1))
        verify = ("verify", "timbangan-1", "--config", config)
        done = await asyncio.to_thread(tera, *verify, stdin=b"\n")
    assert done.returncode == 3, done.stderr.decode()
    last = done.stderr.decode().splitlines()[-1]
    assert "tera: no steady indication from timbangan-1 within 1.0 s" in last
    assert "check speed, framing and protocol" in last


def test_output_that_nobody_reads_is_not_taken_for_a_conforming_instrument(tmp_path: Path) -> None:
    config = write_station(tmp_path, scale_bench(span=700))
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "acquisition", "verify", "timbangan-1", "--unattended"),
            *("--json", "--config", str(config)),
        ],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=os.environ | ENVIRONMENT,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 130, done.stderr.decode()
    assert b"Traceback" not in done.stderr
