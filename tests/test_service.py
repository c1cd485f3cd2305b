"""The station as a service: when it is ready, when it is alive, and how it ends."""

import asyncio
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from acquisition.config import load_station
from acquisition.scrape import ask
from broker.record import decode
from tests.mosquitto import MISSING, PROGRAM, PUBLISH, SUBSCRIBE, Mosquitto, free_port
from tests.service_manager import Manager
from tests.stations import (
    line_with,
    order,
    publish_order,
    scale_bench,
    tera,
    tera_at_work,
    write_station,
)
from tests.test_commands import listening
from tests.test_station import records_system

NO_MOSQUITTO = pytest.mark.skipif(None in (PROGRAM, PUBLISH, SUBSCRIBE), reason=MISSING)


async def test_the_manager_is_told_when_the_station_is_ready_lives_and_stops(
    tmp_path: Path,
) -> None:
    config = write_station(tmp_path, scale_bench())
    with Manager.listening(tmp_path, watchdog=0.9) as manager:
        async with tera_at_work(
            "run", "--config", config, environment=manager.environment
        ) as service:
            ready = await manager.until("READY=1")
            assert "STATUS=the station runs: 1 benches, 1 instruments" in ready
            began = time.monotonic()
            for _ in range(4):  # three times a period
                assert await manager.told() == "WATCHDOG=1"
            assert time.monotonic() - began < 4 * 0.9
            service.send_signal(signal.SIGTERM)
            await manager.until("STOPPING=1")
            assert await service.wait() == 0


async def test_nobody_is_told_where_nobody_asks_and_a_watchdog_of_another_process_is_not_ours(
    tmp_path: Path,
) -> None:
    config = write_station(tmp_path, scale_bench())
    with Manager.listening(tmp_path, watchdog=0.1) as manager:
        other = manager.environment | {"WATCHDOG_PID": "1"}
        async with tera_at_work("run", "--config", config, environment=other) as service:
            await manager.until("READY=1")
            with pytest.raises(TimeoutError):
                await manager.told(within=1.0)
            service.send_signal(signal.SIGTERM)
            assert await service.wait() == 0


async def test_the_watchdog_is_not_fed_while_the_disk_of_the_outbox_hangs(
    tmp_path: Path, disk: Path
) -> None:
    more = f'[store]\noutbox = "{disk}/outbox.sqlite"\n'
    config = write_station(tmp_path, scale_bench(), more=more)
    with Manager.listening(tmp_path, watchdog=0.9) as manager:
        async with tera_at_work(
            "run", "--config", config, environment=manager.environment
        ) as service:
            await manager.until("WATCHDOG=1")
            subprocess.run(["fsfreeze", "-f", str(disk)], check=True)
            said = await line_with(service.stderr, "has not moved for")
            assert "outbox has not moved for" in said
            manager.forget()
            with pytest.raises(TimeoutError):
                await manager.told(within=1.5)
            subprocess.run(["fsfreeze", "-u", str(disk)], check=True)
            assert await manager.told() == "WATCHDOG=1"  # it comes back by itself
            service.send_signal(signal.SIGTERM)
            assert await service.wait() == 0


async def retained(broker: Mosquitto, topic: str) -> dict[str, Any]:
    """Return what a broker keeps on a topic."""
    peer = await asyncio.create_subprocess_exec(
        *(str(SUBSCRIBE), "-h", "127.0.0.1", "-p", str(broker.port), "-C", "1", "-t", topic),
        stdout=subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(peer.communicate(), 10)
    return decode(out.strip())


@NO_MOSQUITTO
async def test_at_sigterm_a_run_ends_visibly_what_waits_goes_out_and_the_bench_is_offline(
    tmp_path: Path,
) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    config = write_station(tmp_path, scale_bench(settle=5), broker=broker.port)
    settings = load_station(config)
    settings.store.records.parent.mkdir()
    try:
        async with (
            records_system(settings, broker) as store,
            tera_at_work("run", "--config", config) as service,
        ):
            await line_with(service.stderr, "connected")
            await publish_order(broker, order("P-1", "timbangan-1"))
            await line_with(service.stderr, "is verified as number 1 of bench meja-1")
            assert (await retained(broker, "tera/v1/3516/trial/state/meja-1"))["state"] == "online"
            service.send_signal(signal.SIGTERM)
            await line_with(service.stderr, "stopped; 0 records wait for their receipt")
            assert await service.wait() == 0
            kept = await store.list()
        assert [(r.kind, r.number) for r in kept] == [("start", 1), ("abandonment", 1)]
        assert kept[1].record["reason"] == "the run was interrupted"
        state = await retained(broker, "tera/v1/3516/trial/state/meja-1")
        assert state["state"] == "offline"
    finally:
        broker.kill()


@NO_MOSQUITTO
async def test_a_second_sigterm_hurries(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)  # and no records system: nobody gives receipts
    await broker.start()
    config = write_station(tmp_path, scale_bench(), broker=broker.port)
    assert tera("verify", "timbangan-1", "--unattended", "--config", config).returncode == 0
    took = []
    try:
        for signals in (1, 2):
            with Manager.listening(tmp_path) as manager:
                run = ("run", "--config", config)
                async with (
                    listening(broker, "tera/v1/3516/trial/verdicts/+") as verdicts,
                    tera_at_work(*run, environment=manager.environment) as service,
                ):
                    await asyncio.wait_for(verdicts.readline(), 20)
                    service.send_signal(signal.SIGTERM)
                    await manager.until("STOPPING=1")
                    began = time.monotonic()
                    if signals == 2:
                        service.send_signal(signal.SIGTERM)
                    await line_with(service.stderr, "stopped; 2 records wait")
                    took.append(time.monotonic() - began)
                    assert await service.wait() == 0
            (tmp_path / "notify").unlink()
    finally:
        broker.kill()
    assert took[0] > 1.9  # it waited for receipts, and not for ever
    assert took[1] < 1.5


async def lines_until(service: asyncio.subprocess.Process, *words: str) -> list[str]:
    """Return the lines of a log up to where each word has come."""
    said: list[str] = []
    while not all(any(word in line for line in said) for word in words):
        said.append(await line_with(service.stderr, ""))
    return said


async def test_the_log_for_programs_is_one_json_object_a_line(tmp_path: Path) -> None:
    more = '[log]\nformat = "json"\n'
    config = write_station(tmp_path, scale_bench(port="/dev/ttyNOWHERE"), more=more)
    async with tera_at_work("run", "--config", config) as service:
        said = await lines_until(service, "/dev/ttyNOWHERE", "verdicts wait on disk")
        service.send_signal(signal.SIGTERM)
        _, rest = await service.communicate()
    lines = [json.loads(line) for line in (*said, *rest.decode().splitlines())]
    fault = next(line for line in lines if line["event"] == "instrument_fault")
    assert (fault["level"], fault["bench"], fault["instrument"]) == (
        "warning",
        "meja-1",
        "timbangan-1",
    )
    boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip().replace("-", "")
    assert {line["boot"] for line in lines} == {boot}
    assert [line["uptime"] for line in lines] == sorted(line["uptime"] for line in lines)
    assert lines[-1]["event"] == "stopped"
    away = next(line for line in lines if line["logger"].startswith("broker"))
    assert away["bench"] == "meja-1"  # known by its words


def test_programs_are_told_as_json_too_why_a_station_cannot_start(tmp_path: Path) -> None:
    outbox = tmp_path / "data" / "outbox.sqlite"
    outbox.parent.mkdir()
    outbox.write_bytes(b"this is no database, and it has been here for a long time" * 100)
    config = write_station(tmp_path, scale_bench(), more='[log]\nformat = "json"\n')
    done = tera("run", "--config", config)
    assert done.returncode == 3
    [line] = [json.loads(line) for line in done.stderr.decode().splitlines()]
    assert (line["event"], line["level"]) == ("failed", "error")
    assert f"{outbox} is damaged or no such database" in line["message"]


async def test_the_log_speaks_the_language_of_technicians(tmp_path: Path) -> None:
    config = write_station(tmp_path, scale_bench(port="/dev/ttyNOWHERE"))
    async with tera_at_work("run", "--config", config, environment={"TERA_LANG": "id"}) as service:
        said = await lines_until(service, "alat timbangan-1", "meja meja-1")
        service.send_signal(signal.SIGTERM)
        _, rest = await service.communicate()
    said += rest.decode().splitlines()
    fault = "alat timbangan-1: Port /dev/ttyNOWHERE tidak ada: periksa kabel dan nama port."
    assert any(fault in line for line in said)
    assert any("hasil uji menunggu di diska" in line for line in said)
    assert "berhenti; 0 catatan menunggu" in said[-1]


@NO_MOSQUITTO
async def test_the_numbers_are_read_by_prometheus_and_by_the_doctor(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    listen = f"127.0.0.1:{free_port()}"
    more = f'[metrics]\nlisten = "{listen}"\n'
    benches = (scale_bench(1), scale_bench(2, port="/dev/ttyNOWHERE"))
    config = write_station(tmp_path, *benches, broker=broker.port, more=more)
    try:
        async with tera_at_work("run", "--config", config) as service:
            await line_with(service.stderr, "the station runs")
            await publish_order(broker, order("P-1", "timbangan-1"))
            await line_with(service.stderr, "timbangan-1 is conforming")
            page = await asyncio.to_thread(ask, listen)
            doctor = await asyncio.to_thread(tera, "doctor", "--config", config, "--json")
            service.send_signal(signal.SIGTERM)
            assert await service.wait() == 0
    finally:
        broker.kill()
    assert page is not None
    found: dict[str, list[Any]] = {}
    for family in text_string_to_metric_families(page):
        assert family.documentation
        assert family.type in ("gauge", "counter")
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)

    def value(name: str, **labels: str) -> float:
        [sample] = [s for s in found[name] if labels.items() <= s.labels.items()]
        return float(sample.value)

    assert value("tera_outbox_waiting_records") == 2
    assert 0 < value("tera_outbox_oldest_waiting_seconds") < 60
    assert value("tera_outbox_records_total", kind="verdict") == 1
    assert value("tera_receipts_total") == 0
    assert value("tera_instrument_fault", instrument="timbangan-1") == 0
    assert value("tera_instrument_fault", instrument="timbangan-2") == 1
    assert value("tera_instrument_faults_total", instrument="timbangan-2") == 1
    shown = "tera_instrument_indications_total"
    assert value(shown, instrument="timbangan-1", condition="stable") > 20
    assert value(shown, instrument="timbangan-2", condition="fault") == 1
    assert value("tera_instrument_garbled_frames_total", instrument="timbangan-1") == 0
    assert value("tera_broker_connected", bench="meja-1") == 1
    assert value("tera_broker_connections_total", bench="meja-1") == 1
    assert value("tera_live_dropped_indications_total", bench="meja-1") >= 0
    assert value("tera_disk_free_bytes") > 0
    assert sum(s.value for s in found["tera_clock_state"]) == 1
    assert value("tera_clock_jumps_total") == 0
    assert value("tera_watchdog_stuck") == 0
    assert value("process_open_fds") > 5
    if (promtool := shutil.which("promtool")) is not None:
        linted = subprocess.run(
            [promtool, "check", "metrics"], input=page.encode(), capture_output=True, check=False
        )
        assert linted.returncode == 0, linted.stdout + linted.stderr
    rows = [json.loads(line) for line in doctor.stdout.splitlines()]
    said = {row["check"]: row for row in rows}
    assert said["service"]["text"] == "at work on 2 benches"
    assert said["outbox"]["text"].startswith("2 records wait for their receipt, the oldest for ")
    assert "in use by the service: " in said["instrument timbangan-1"]["text"]
    assert said["instrument timbangan-2"]["state"] == "fault"
    assert doctor.returncode == 3


async def test_whoever_asks_for_something_else_gets_a_short_answer(tmp_path: Path) -> None:
    port = free_port()
    more = f'[metrics]\nlisten = "127.0.0.1:{port}"\n'
    config = write_station(tmp_path, scale_bench(), more=more)
    answers = []
    async with tera_at_work("run", "--config", config) as service:
        await line_with(service.stderr, "the station runs")
        for question in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"POST /metrics HTTP/1.1\r\n\r\n",
            b"HEAD /metrics HTTP/1.0\r\n\r\n",
            b"\0\xff\r\n\r\n",
            b"A" * 20000,
            b"",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(question)
            writer.write_eof()
            answers.append((await reader.read()).partition(b"\r\n")[0])
            writer.close()
        taken = await asyncio.to_thread(tera, "run", "--config", other_station(tmp_path, port))
        assert await asyncio.to_thread(ask, f"127.0.0.1:{port}") is not None
        service.send_signal(signal.SIGTERM)
        _, said = await service.communicate()
    assert [a.split(b" ")[1] if a else b"" for a in answers] == [
        b"404",
        b"405",
        b"200",
        b"404",
        b"",
        b"",
    ]
    assert b"Traceback" not in said
    assert taken.returncode == 2
    assert "tera: metrics.listen: cannot listen at 127.0.0.1:" in taken.stderr.decode()


def other_station(folder: Path, port: int) -> Path:
    """Write a second station that wants the same port for its numbers."""
    other = folder / "other"
    other.mkdir()
    more = f'[metrics]\nlisten = "127.0.0.1:{port}"\n'
    return write_station(other, scale_bench(), more=more)


def test_a_wrong_address_for_the_numbers_is_named_with_its_line(tmp_path: Path) -> None:
    config = write_station(tmp_path, scale_bench(), more='[metrics]\nlisten = "9464"\n')
    done = tera("run", "--config", config)
    assert done.returncode == 2
    line = config.read_text().splitlines().index('listen = "9464"') + 1
    assert f"{config}:{line}: metrics.listen: 9464 is no address and port" in done.stderr.decode()
    assert not (tmp_path / "data").exists()
