"""A clock that is set while the station works: marked, told by how much, and never a new order.

libfaketime stands between the program and the C library; nothing of the program is replaced.
"""

import asyncio
import json
import re
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from acquisition.clock_watch import ClockJump, ClockWatch
from acquisition.heartbeat import compare_with_last_life, sign_of
from acquisition.machine import boot_id, uptime
from acquisition.scrape import ask
from broker.outbox import Outbox
from broker.record import decode, validate
from tests.mosquitto import MISSING, PROGRAM, PUBLISH, SUBSCRIBE, Mosquitto, free_port
from tests.stations import (
    line_with,
    order,
    publish_order,
    scale_bench,
    tera,
    tera_at_work,
    write_station,
)

LIBRARY = next(
    (
        str(file)
        for folder in Path("/usr/lib").glob("*/faketime")
        for file in folder.glob("libfaketimeMT.so.1")
    ),
    None,
)
TWO_HOURS = 7200


class Clock:
    """The wall clock of a program that a test starts."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(0)
        self.environment = {
            "LD_PRELOAD": LIBRARY or "",
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, ahead: int) -> None:
        """Set it, so many seconds ahead of what it really is."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{ahead:+d}\n", encoding="ascii")
        fresh.replace(self._file)


@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (Debian: faketime)")
@pytest.mark.skipif(None in (PROGRAM, PUBLISH, SUBSCRIBE), reason=MISSING)
async def test_a_clock_set_back_two_hours_is_marked_in_verdicts_log_and_numbers(
    tmp_path: Path,
) -> None:
    clock, broker = Clock(tmp_path), Mosquitto(tmp_path)
    await broker.start()
    listen = f"127.0.0.1:{free_port()}"
    more = f'[metrics]\nlisten = "{listen}"\n[log]\nformat = "json"\n'
    config = write_station(tmp_path, scale_bench(settle=0.05), broker=broker.port, more=more)
    try:
        async with tera_at_work(
            "run", "--config", config, environment=clock.environment
        ) as service:
            await line_with(service.stderr, "the station runs")
            await publish_order(broker, order("P-1", "timbangan-1"))
            await line_with(service.stderr, "verdict_committed")
            await publish_order(broker, order("P-2", "timbangan-1"))
            await line_with(service.stderr, "run_started")
            clock.set(-TWO_HOURS)
            jumped = json.loads(await line_with(service.stderr, "clock_jumped"))
            await line_with(service.stderr, "verdict_committed")
            await publish_order(broker, order("P-3", "timbangan-1"))
            await line_with(service.stderr, "verdict_committed")
            page = await asyncio.to_thread(ask, listen)
            service.send_signal(signal.SIGTERM)
            assert await service.wait() == 0
    finally:
        broker.kill()
    assert jumped["level"] == "warning"
    assert float(jumped["seconds"]) == pytest.approx(-TWO_HOURS, abs=1)
    assert "tera_clock_jumps_total 1\n" in (page or "")
    records = await records_of(tmp_path)
    for record in records:
        validate(record)
    assert [(r["number"], kind(r)) for r in records] == [
        (n, k) for n in (1, 2, 3) for k in ("start", "verdict")
    ]
    times = [r["started"] for r in records if kind(r) == "start"]
    assert times != sorted(times)  # the wall clock says another order,
    moments = [(r["moment"]["boot"], r["moment"]["uptime"]) for r in records]
    assert moments == sorted(moments)  # and what counts does not
    assert {boot for boot, _ in moments} == {boot_id()}
    said = [[x for x in r["reasons"] if "jumped" in x] for r in records if kind(r) == "verdict"]
    assert said[0] == []
    assert [re.sub(r"-7[12]\d\d\.\d", "-7200", x) for x in said[1]] == [
        "the clock of the station jumped by -7200 s in this run"
    ]
    assert [re.sub(r"-7[12]\d\d\.\d", "-7200", x) for x in said[2]] == [
        "the clock of the station jumped by -7200 s in the hour before this run"
    ]
    assert all(isinstance(up, Decimal) for _, up in moments)


@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (Debian: faketime)")
async def test_a_clock_that_fell_behind_while_the_station_was_off_is_told_at_its_start(
    tmp_path: Path,
) -> None:
    clock = Clock(tmp_path)
    config = write_station(tmp_path, scale_bench())
    sign = sign_of(tmp_path / "data" / "outbox.sqlite")
    async with tera_at_work("run", "--config", config, environment=clock.environment) as service:
        while not sign.exists():
            await asyncio.sleep(0.01)
        service.send_signal(signal.SIGTERM)
        assert await service.wait() == 0
    clock.set(-TWO_HOURS)
    verify = ("verify", "timbangan-1", "--unattended", "--config", config, "--json")
    done = tera(*verify, environment=clock.environment)
    assert done.returncode == 0, done.stderr.decode()
    reasons = json.loads(done.stdout)["reasons"]
    assert any("jumped by -7" in reason and "before this run" in reason for reason in reasons)


async def records_of(folder: Path) -> list[dict[str, Any]]:
    outbox = await Outbox.open(folder / "data" / "outbox.sqlite")
    try:
        return [decode(row.body) for row in await outbox.pending(100)]
    finally:
        await outbox.close()


def kind(record: dict[str, Any]) -> str:
    return str(record["schema"]).split("/")[1]


@pytest.mark.parametrize(
    ("alive", "gained"),
    [
        ({"time": 1_000_000.0, "boot": "other"}, None),  # years later, after another start: fine
        ({"time": 9e9, "boot": "other"}, -1),  # before its own last sign of life
        ({"time": 9e9, "boot": boot_id()}, -1),
        ({"time": 1_000_000.0, "boot": boot_id()}, 1),
        ({"time": "x", "boot": "other"}, None),
        ({}, None),
        ([], None),
    ],
)
def test_the_last_sign_of_life_tells_a_clock_that_went_back(
    tmp_path: Path, alive: object, gained: int | None
) -> None:
    outbox, clock = tmp_path / "outbox.sqlite", ClockWatch()
    if isinstance(alive, dict) and alive:
        alive["uptime"] = uptime()
    sign_of(outbox).write_text(json.dumps(alive), encoding="utf-8")
    compare_with_last_life(outbox, clock)
    jumps = [1 if jump.seconds > 0 else -1 for jump in clock.jumps]
    assert jumps == ([] if gained is None else [gained])


def test_a_jump_long_before_a_run_is_not_told_in_it() -> None:
    clock = ClockWatch()
    clock.jumps = [ClockJump(5.0, 100.0), ClockJump(-2.5, 200.0), ClockJump(1.0, 5000.0)]
    assert clock.reasons(10_000.0) == []
    assert clock.reasons(3_750.0) == [
        "the clock of the station jumped by +1.0 s in this run",
        "the clock of the station jumped by -2.5 s in the hour before this run",
    ]
    assert len(clock.reasons(0.0)) == 3


def test_slewing_is_no_jump_and_a_watch_looks_only_at_steps() -> None:
    clock = ClockWatch()
    for _ in range(100):
        clock.look()
    assert (clock.count, clock.jumps) == (0, [])
