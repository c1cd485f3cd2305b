"""What the machine itself can do to a station: each gets one clear sentence, and what is committed stays."""

import errno
import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from broker.disk_trouble import explain_disk
from broker.failure import OutboxFailed
from broker.outbox import Counts, Outbox
from tests.mosquitto import MISSING, PROGRAM, PUBLISH, SUBSCRIBE, Mosquitto
from tests.stations import (
    line_with,
    order,
    publish_order,
    scale_bench,
    tera,
    tera_at_work,
    write_station,
)

NO_MOSQUITTO = pytest.mark.skipif(None in (PROGRAM, PUBLISH, SUBSCRIBE), reason=MISSING)
ROOT_ONLY = pytest.mark.skipif(
    os.geteuid() != 0, reason="a small file system is mounted only by root"
)
PRLIMIT = shutil.which("prlimit")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Give a folder with a small file system of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def sentence(done: subprocess.CompletedProcess[bytes], code: int = 3) -> str:
    """Return the one line that was said."""
    assert done.returncode == code, done.stderr.decode()
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("tera: ")
    return line


async def counts_of(outbox_file: Path) -> Counts:
    outbox = await Outbox.open(outbox_file)
    try:
        return await outbox.counts()
    finally:
        await outbox.close()


@ROOT_ONLY
async def test_on_a_read_only_disk_no_run_starts_and_what_is_committed_stays(
    tmp_path: Path, small: Path
) -> None:
    more = f'[store]\noutbox = "{small}/outbox.sqlite"\n'
    config = write_station(tmp_path, scale_bench(), more=more)
    verify = ("verify", "timbangan-1", "--unattended", "--config", config, "--json")
    first = tera(*verify)
    assert first.returncode == 0, first.stderr.decode()
    remount = ["mount", "-o", "remount,{}", str(small)]
    subprocess.run([part.format("ro") for part in remount], check=True)
    said = sentence(tera(*verify))
    assert said == (
        f"tera: the disk with {small}/outbox.sqlite is read-only: check it and mount it writable;"
        " what is committed stays"
    )
    rows = [json.loads(x) for x in tera("doctor", "--config", config, "--json").stdout.splitlines()]
    states = {row["check"]: row["state"] for row in rows}
    assert states["disk"] == "fault"
    subprocess.run([part.format("rw") for part in remount], check=True)
    again = tera(*verify)
    assert [json.loads(done.stdout)["number"] for done in (first, again)] == [1, 2]


@ROOT_ONLY
@NO_MOSQUITTO
async def test_a_disk_that_fills_up_under_the_service_stops_new_runs_until_there_is_room(
    tmp_path: Path, small: Path
) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    more = f'[store]\noutbox = "{small}/outbox.sqlite"\n'
    config = write_station(tmp_path, scale_bench(), broker=broker.port, more=more)
    filler = small / "filler"
    try:
        async with tera_at_work("run", "--config", config) as service:
            await line_with(service.stderr, "the station runs")
            await publish_order(broker, order("P-1", "timbangan-1"))
            await line_with(service.stderr, "timbangan-1 is conforming")
            with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
                while True:
                    file.write(b"\0" * 4096)
            await publish_order(broker, order("P-2", "timbangan-1"))
            full = await line_with(service.stderr, "is full: make room; what is committed stays")
            assert "Traceback" not in full
            filler.unlink()
            await publish_order(broker, order("P-3", "timbangan-1"))
            await line_with(service.stderr, "P-3: timbangan-1 is conforming")
            service.send_signal(signal.SIGTERM)
            assert await service.wait() == 0
    finally:
        broker.kill()
    counts = await counts_of(small / "outbox.sqlite")
    assert counts.verdicts >= 2
    assert counts.unfinished == 0


async def test_a_disk_that_the_kernel_has_made_read_only_is_named_by_the_service(
    tmp_path: Path, disk: Path
) -> None:
    config = write_station(
        tmp_path, scale_bench(), more=f'[store]\noutbox = "{disk}/outbox.sqlite"\n'
    )
    often = {"WATCHDOG_USEC": "3000000"}
    async with tera_at_work("run", "--config", config, environment=often) as service:
        await line_with(service.stderr, "the station runs")
        subprocess.run(["mount", "-o", "remount,abort", str(disk)], check=True)
        said = await line_with(service.stderr, "the outbox cannot be written")
        assert f"the disk with {disk}/outbox.sqlite is read-only: check it and mount it" in said
        service.send_signal(signal.SIGTERM)
        assert await service.wait() == 0


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "is full: make room; what is committed stays"),
        (errno.EDQUOT, "is full: make room; what is committed stays"),
        (errno.EROFS, "is read-only: check it and mount it writable; what is committed stays"),
        (errno.EMFILE, "raise LimitNOFILE of the service"),
        (errno.EIO, "reports errors: save what is on it and replace it"),
        (errno.EACCES, "cannot write outbox.sqlite: Permission denied"),
    ],
)
def test_what_the_system_says_of_a_disk_becomes_a_sentence(number: int, said: str) -> None:
    error = OSError(number, os.strerror(number))
    assert said in str(explain_disk(error, Path("outbox.sqlite"), OutboxFailed))


def test_an_outbox_that_another_program_holds_locked_is_named_after_a_patient_wait(
    tmp_path: Path,
) -> None:
    config = write_station(tmp_path, scale_bench())
    verify = ("verify", "timbangan-1", "--unattended", "--config", config, "--json")
    assert tera(*verify).returncode == 0
    file = tmp_path / "data" / "outbox.sqlite"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        said = sentence(tera(*verify))
        other.execute("ROLLBACK")
    assert f"another program holds {file} locked: end it; what is committed stays" in said
    again = tera(*verify)
    assert json.loads(again.stdout)["number"] == 2


@NO_MOSQUITTO
async def test_a_lock_under_the_service_delays_an_order_and_loses_nothing(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    config = write_station(tmp_path, scale_bench(), broker=broker.port)
    file = tmp_path / "data" / "outbox.sqlite"
    often = {"WATCHDOG_USEC": "3000000"}  # the outbox is looked at every second
    try:
        async with tera_at_work("run", "--config", config, environment=often) as service:
            await line_with(service.stderr, "connected")
            with closing(sqlite3.connect(file, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                await line_with(service.stderr, "the outbox cannot be written: another program")
                other.execute("ROLLBACK")
            await line_with(service.stderr, "the outbox can be written again")
            await publish_order(broker, order("P-1", "timbangan-1"))
            await line_with(service.stderr, "timbangan-1 is conforming")
            service.send_signal(signal.SIGTERM)
            assert await service.wait() == 0
    finally:
        broker.kill()


@pytest.mark.skipif(PRLIMIT is None, reason="prlimit is not installed (Debian: util-linux)")
def test_a_limit_of_open_files_that_is_too_low_is_named_before_anything_starts(
    tmp_path: Path,
) -> None:
    config = write_station(tmp_path, scale_bench())
    low = ("prlimit", "--nofile=40:40")
    verify = ("verify", "timbangan-1", "--unattended", "--config", config)
    said = sentence(tera(*verify, under=low), 2)
    assert said == (
        "tera: this program may have 40 files open and needs 74: raise LimitNOFILE of the service,"
        " or ulimit -n"
    )
    assert not (tmp_path / "data").exists()
    soft = tera(*verify, under=("prlimit", "--nofile=40:1024"))  # which we may raise ourselves
    assert soft.returncode == 0, soft.stderr.decode()


@NO_MOSQUITTO
@pytest.mark.skipif(PRLIMIT is None, reason="prlimit is not installed (Debian: util-linux)")
async def test_a_service_without_free_descriptors_says_so_and_recovers(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    config = write_station(tmp_path, scale_bench(1), broker=broker.port)
    try:
        async with tera_at_work("run", "--config", config) as service:
            await line_with(service.stderr, "connected")
            used = max(int(p.name) for p in Path(f"/proc/{service.pid}/fd").iterdir())
            limit = ["prlimit", f"--pid={service.pid}"]
            subprocess.run([*limit, "--nofile=5:4096"], check=True)
            assert used > 5
            broker.kill()
            await broker.start()
            said = await line_with(service.stderr, "Too many open files")
            assert "verdicts wait on disk" in said or "outbox" in said
            subprocess.run([*limit, "--nofile=4096:4096"], check=True)
            await line_with(service.stderr, "connected", within=60)
            await publish_order(broker, order("P-1", "timbangan-1"))
            await line_with(service.stderr, "timbangan-1 is conforming")
            service.send_signal(signal.SIGTERM)
            _, rest = await service.communicate()
            assert service.returncode == 0
            assert b"Traceback" not in rest
    finally:
        broker.kill()
