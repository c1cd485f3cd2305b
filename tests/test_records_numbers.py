"""What a records system tells of itself: to Prometheus, to the doctor, and to whoever started it."""

import asyncio
import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from acquisition.at_work import Service
from acquisition.exposition import Family, from_text, to_text
from acquisition.records_at_work import findings_of
from acquisition.scrape import ask
from broker.address import Topics
from broker.connection import Connector
from broker.record import encode
from tests.mosquitto import MISSING, PROGRAM, Mosquitto, free_port
from tests.records import start, verdict
from tests.service_manager import Manager
from tests.stations import line_with, tera, tera_at_work
from tests.test_records_commands import lines, write_config

Value = Callable[..., float]


def read(page: str) -> Value:
    """Read a page as Prometheus does; return a function that gives one number of it."""
    found: dict[str, list[Any]] = {}
    for family in text_string_to_metric_families(page):
        assert family.documentation
        assert family.type in ("gauge", "counter")
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)

    def value(name: str, **labels: str) -> float:
        [sample] = [s for s in found[name] if labels.items() <= s.labels.items()]
        return float(sample.value)

    return value


async def page_once(listen: str, ready: Callable[[Value], bool]) -> tuple[str, Value]:
    """Return the page once it shows what is waited for."""
    async with asyncio.timeout(30):
        while True:
            page = await asyncio.to_thread(ask, listen)
            if page is not None and ready(value := read(page)):
                return page, value
            await asyncio.sleep(0.1)


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
async def test_the_numbers_tell_what_came_what_lacks_and_which_bench_is_silent(
    tmp_path: Path, where: Path | str
) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    listen = f"127.0.0.1:{free_port()}"
    more = f'[store]\nrecords = "{where}"\n[records]\nmetrics = "{listen}"\n'
    config = write_config(tmp_path, more, broker=broker.port)
    serve = ("records", "serve", "--config", config)
    [key] = lines(tera("keys", "make", "--config", config, "--json"))
    topics = Topics("3516")
    first, third = ({**start("meja"), "number": number} for number in (1, 3))
    ended = verdict(first, 1)
    copied = {**start("meja"), "number": 1}
    whole = {**start("lain"), "number": 1}
    records = (first, ended, first, {**ended, "verdict": "nonconforming"}, third, copied, whole)
    try:
        async with (
            tera_at_work(*serve) as serving,
            Connector(broker.address()).connect("bench") as client,
        ):
            await page_once(listen, lambda value: value("tera_broker_connected") == 1)
            for record in records:
                kind = str(record["schema"]).split("/")[1]
                await client.publish(topics.record(kind, record["id"]), encode(record), qos=1)
            await client.publish(topics.start("x"), b"{", qos=1)
            page, value = await page_once(listen, lambda value: value("tera_questions_total") > 0)
            taken = await asyncio.to_thread(tera, *serve, "--name", "dua")
            doctor = await asyncio.to_thread(tera, "doctor", "--config", config, "--json")
            serving.send_signal(signal.SIGTERM)
            assert await serving.wait() == 0
        async with tera_at_work(*serve) as serving:
            _, again = await page_once(listen, lambda value: value("tera_broker_connected") == 1)
            _, again = await page_once(
                listen, lambda value: value("tera_bench_highest_number", bench="meja") == 3
            )
    finally:
        broker.kill()
    stored = "tera_records_stored_total"
    assert [value(stored, kind=k) for k in ("start", "verdict", "abandonment")] == [4, 1, 0]
    assert value("tera_records_again_total") == 1
    assert value("tera_records_conflicting_total") == 1
    assert value("tera_records_uncommitted_total") == 0
    assert value("tera_numbers_claimed_twice_total") == 1
    assert value("tera_messages_refused_total") == 1
    assert value("tera_messages_denied_total") == 0
    assert value("tera_receipts_published_total") == 6
    assert value("tera_bench_highest_number", bench="meja") == 3
    assert value("tera_bench_missing_numbers", bench="meja") == 1
    assert value("tera_bench_missing_numbers", bench="lain") == 0
    assert 0 <= value("tera_bench_silent_seconds", bench="lain") < 30
    assert value("tera_broker_connections_total") == 1
    assert value("tera_store_writable") == 1
    assert value("tera_key_signs", key=key["id"]) == 1
    assert 0 < value("tera_key_left_seconds", key=key["id"]) < 800 * 86400
    assert value("tera_watchdog_stuck") == 0
    assert ("tera_disk_free_bytes" in page) == isinstance(where, Path)
    if (promtool := shutil.which("promtool")) is not None:
        linted = subprocess.run(
            [promtool, "check", "metrics"], input=page.encode(), capture_output=True, check=False
        )
        assert linted.returncode == 0, linted.stdout + linted.stderr
    assert taken.returncode == 2
    [said] = taken.stderr.decode().splitlines()[-1:]
    assert said.startswith(f"tera: records.metrics: cannot listen at {listen}: ")
    found = {row["check"]: row for row in map(json.loads, doctor.stdout.splitlines())}
    assert found["own keys"]["state"] == found["broker"]["state"] == "ok"
    assert found["records system"]["text"] == "at work; 5 new records since it began"
    assert found["bench meja"]["text"] == "1 of its numbers lack a record"
    assert found["numbers"]["state"] == "note"
    assert found["benches"]["text"].startswith("2 delivered; ")
    assert doctor.returncode == 0
    # What was there before is known from the store: nobody is silent because we slept.
    assert again("tera_store_records") == 5
    assert value("tera_bench_silent_seconds", bench="meja") < again(
        "tera_bench_silent_seconds", bench="meja"
    )


async def test_the_watchdog_is_not_fed_while_the_disk_of_the_store_hangs(
    tmp_path: Path, disk: Path
) -> None:
    config = write_config(tmp_path, f'[store]\nrecords = "{disk}/records.sqlite"\n')
    assert tera("keys", "make", "--config", config).returncode == 0
    with Manager.listening(tmp_path, watchdog=0.9) as manager:
        async with tera_at_work(
            "records", "serve", "--config", config, environment=manager.environment
        ) as serving:
            await manager.until("WATCHDOG=1")
            subprocess.run(["fsfreeze", "-f", str(disk)], check=True)
            await line_with(serving.stderr, "store has not moved for")
            manager.forget()
            with pytest.raises(TimeoutError):
                await manager.told(within=1.5)
            subprocess.run(["fsfreeze", "-u", str(disk)], check=True)
            assert await manager.told() == "WATCHDOG=1"
            serving.send_signal(signal.SIGTERM)
            await manager.until("STOPPING=1")
            assert await serving.wait() == 0


def test_the_doctor_says_that_nobody_shows_numbers(tmp_path: Path) -> None:
    config = write_config(tmp_path, f'[records]\nmetrics = "127.0.0.1:{free_port()}"\n')
    done = tera("doctor", "--config", config, "--json")
    found = {row["check"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert found["records system"]["state"] == "fault"
    assert "tera records serve" in found["records system"]["advice"]
    assert "tera keys make" in found["own keys"]["text"]
    assert done.returncode == 3


@pytest.mark.parametrize(
    ("numbers", "state", "said"),
    [
        ({"tera_watchdog_stuck": 1}, "fault", "1 parts of it do not get on"),
        ({"tera_store_writable": 0}, "fault", "the store cannot be written"),
        ({"tera_broker_connected": 0}, "fault", "not connected to the broker"),
        ({"tera_numbers_claimed_twice_total": 3}, "note", "3 records came under a number"),
        ({"tera_messages_refused_total": 4}, "note", "4 messages were no record, 0 answers"),
        ({"tera_clock_jumps_total": 1}, "note", "the clock jumped 1 times"),
    ],
)
def test_what_does_not_go_well_is_said(
    numbers: dict[str, float], state: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERA_LANG", "en")
    well, found = findings_of(service(**numbers))
    assert well.text == "at work; 7 new records since it began"
    assert (found.state, found.text[: len(said)]) == (state, said)


def service(**numbers: float) -> Service:
    """Return a records system that shows these numbers."""
    families = []
    usual = {
        "tera_records_stored_total": 7.0,
        "tera_store_writable": 1.0,
        "tera_broker_connected": 1.0,
    }
    for name, value in {**usual, **numbers}.items():
        family = Family(name, "gauge", "A number.")
        family.add(value)
        families.append(family)
    return Service(frozenset(), None, from_text(to_text(families)))
