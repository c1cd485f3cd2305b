"""A backup that is made while the station works is whole, or it is refused."""

import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from acquisition.backup_file import read_backup
from acquisition.faults import BadInput
from broker.outbox import Outbox
from broker.store import RecordStore
from tests.stations import (
    ENVIRONMENT,
    ROOT,
    line_with,
    scale_bench,
    tera,
    tera_at_work,
    write_station,
)

COMMIT = """
import asyncio, sys
from pathlib import Path
from broker.outbox import Outbox
from broker.record import encode
from broker.store import RecordStore
from tests.records import verify_once
async def bench(outbox, store, name):
    while True:
        record = await verify_once(outbox, name)
        await store.accept(encode(record))
        print(record["id"], flush=True)
async def main(folder):
    outbox = await Outbox.open(folder / "outbox.sqlite")
    store = await RecordStore.open(folder / "records.sqlite")
    async with asyncio.TaskGroup() as group:
        for n in range(8):
            group.create_task(bench(outbox, store, f"meja-{n}"))
asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_backup_under_load_holds_every_verdict_that_was_committed_before_it(
    tmp_path: Path,
) -> None:
    config = write_station(tmp_path, scale_bench())
    data = tmp_path / "data"
    data.mkdir()
    writer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMIT, str(data)),
        stdout=subprocess.PIPE,
        env=os.environ | ENVIRONMENT,
        cwd=ROOT,
    )
    assert writer.stdout is not None
    before: list[set[str]] = []
    ids: set[str] = set()
    files = [tmp_path / f"{n}.backup" for n in range(2)]
    try:
        for file in files:
            for _ in range(200):
                ids.add((await writer.stdout.readline()).decode().strip())
            before.append(set(ids))
            backup = asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "acquisition", "backup", str(file)),
                *("--config", str(config), "--json"),
                stdout=subprocess.PIPE,
                env=os.environ | ENVIRONMENT,
            )
            process = await backup
            done = asyncio.ensure_future(process.communicate())
            while not done.done():  # verdicts go on being committed meanwhile
                ids.add((await writer.stdout.readline()).decode().strip())
            assert process.returncode == 0
    finally:
        writer.kill()
        await writer.wait()
    assert len(ids) > len(before[-1]) > len(before[0])
    for number, file in enumerate(files):
        folder = tmp_path / f"restored-{number}"
        restored = tera("restore", file, "--to", folder, "--json")
        assert restored.returncode == 0, restored.stderr.decode()
        about = json.loads(restored.stdout)
        for name in ("outbox.sqlite", "records.sqlite"):
            with closing(sqlite3.connect(folder / "data" / name)) as database:
                assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        outbox = await Outbox.open(folder / "data" / "outbox.sqlite")
        rows = await outbox.pending(100_000)
        counts = await outbox.counts()
        await outbox.close()
        assert before[number] <= {row.id for row in rows if row.kind == "verdict"}
        assert counts.starts - counts.verdicts <= 8
        assert about["outbox"]["verdicts"] == counts.verdicts
        for bench in {row.bench for row in rows}:
            started = [r.number for r in rows if (r.bench, r.kind) == (bench, "start")]
            assert started == list(range(1, len(started) + 1))
        store = await RecordStore.open(folder / "data" / "records.sqlite")
        assert before[number] <= {record.id for record in await store.verdicts()}
        await store.close()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a station with one verdict and a capture."""
    folder = tmp_path_factory.mktemp("station")
    more = '[store]\ncaptures = "captures"\n'
    config = write_station(folder, scale_bench(), more=more)
    done = tera("verify", "timbangan-1", "--unattended", "--config", config)
    assert done.returncode == 0, done.stderr.decode()
    return folder


@pytest.fixture
def station(finished: Path, tmp_path: Path) -> Path:
    """Give the configuration of such a station."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return tmp_path / "config.toml"


async def test_a_restored_station_goes_on_with_the_next_number_once_somebody_says_so(
    station: Path, tmp_path: Path
) -> None:
    file, folder = tmp_path / "a.backup", tmp_path / "restored"
    made = tera("backup", file, "--config", station, "--captures")
    assert made.returncode == 0, made.stderr.decode()
    assert "keys and passwords are not in it" in made.stdout.decode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    listed = subprocess.run(["tar", "-tf", str(file)], capture_output=True, text=True, check=True)
    names = listed.stdout.splitlines()
    assert names[:2] == ["config.toml", "data/outbox.sqlite"]
    assert names[-1] == "manifest.json"
    assert [name for name in names if name.startswith("captures/")]
    assert [p.name for p in tmp_path.iterdir() if "backup" in p.name] == ["a.backup"]
    restored = tera("restore", file, "--to", folder)
    assert restored.returncode == 0, restored.stderr.decode()
    assert "no run begins before the records system has said" in restored.stdout.decode()
    assert (folder / "config.toml").read_bytes() == station.read_bytes()
    verify = ("verify", "timbangan-1", "--unattended", "--json", "--config")
    refused = tera(*verify, folder / "config.toml")  # nobody says what was given since
    assert refused.returncode == 3
    assert "this outbox is from a backup of" in refused.stderr.decode()
    async with tera_at_work("run", "--go-on", "--config", folder / "config.toml") as service:
        await line_with(service.stderr, "bench meja-1: numbers go on with 2")
        await line_with(service.stderr, "the station runs")
        service.send_signal(signal.SIGTERM)
        assert await service.wait() == 0
    done = tera(*verify, folder / "config.toml")
    assert json.loads(done.stdout)["number"] == 2
    assert json.loads(tera(*verify, station).stdout)["number"] == 2  # it is the copy that knew


def test_a_backup_with_any_byte_altered_or_cut_is_refused_and_lays_nothing_down(
    station: Path, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    assert tera("backup", file, "--config", station).returncode == 0
    whole = file.read_bytes()
    draw = random.Random(5)
    places = [0, 100, 148, 257, len(whole) - 1, len(whole) - 70, len(whole) - 74, len(whole) - 80]
    places += [draw.randrange(len(whole)) for _ in range(150)]
    damaged = [
        whole[:n] + bytes([whole[n] ^ (1 << draw.randrange(8))]) + whole[n + 1 :] for n in places
    ]
    damaged += [whole[: draw.randrange(len(whole))] for _ in range(100)]
    damaged += [b"", whole[:-1], whole + b"\n", b"\n" + whole]
    for number, content in enumerate(damaged):
        file.write_bytes(content)
        folder = tmp_path / "unpacked"
        folder.mkdir()
        with pytest.raises(BadInput, match="is no whole backup"):
            read_backup(file, folder)
        assert not list(folder.iterdir()), number
        folder.rmdir()
    done = tera("restore", file, "--to", tmp_path / "restored")
    assert done.returncode == 2
    [said] = done.stderr.decode().splitlines()
    assert said.startswith(f"tera: {file} is no whole backup: ")
    assert not (tmp_path / "restored").exists()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".restored")]


async def test_nothing_is_ever_overwritten_and_least_of_all_a_station_at_work(
    station: Path, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    assert tera("backup", file, "--config", station).returncode == 0
    content = file.read_bytes()
    again = tera("backup", file, "--config", station)
    assert again.returncode == 2
    assert "is there already: a backup never overwrites" in again.stderr.decode()
    assert file.read_bytes() == content
    stopped = tera("restore", file, "--to", station.parent)
    assert stopped.returncode == 2
    assert "is not empty: a restore never overwrites" in stopped.stderr.decode()
    async with tera_at_work("run", "--config", station) as service:
        await line_with(service.stderr, "the station runs")
        running = await asyncio.to_thread(tera, "restore", file, "--to", station.parent)
        assert running.returncode == 3
        assert f"a station is at work in {station.parent}: stop it" in running.stderr.decode()
        at_work = await asyncio.to_thread(
            tera, "backup", tmp_path / "b.backup", "--config", station
        )
        assert at_work.returncode == 0, at_work.stderr.decode()
        service.send_signal(signal.SIGTERM)
        assert await service.wait() == 0


def test_a_folder_keeps_the_newest_backups_of_its_office_and_nothing_else_is_touched(
    station: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    others = [folder / "notes.txt", folder / "tante-sari-9999-20200101T000000Z.backup"]
    old = [folder / f"tante-sari-3516-2020010{day}T000000Z.backup" for day in range(1, 6)]
    for made in (*others, *old):
        made.write_bytes(b"")
    done = tera("backup", folder, "--config", station, "--keep", "3", "--json")
    assert done.returncode == 0, done.stderr.decode()
    fresh = Path(json.loads(done.stdout)["file"])
    assert fresh.parent == folder
    assert {p.name for p in folder.iterdir()} == {p.name for p in (*others, *old[-2:], fresh)}


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["nowhere/a.backup"], 2, "there is no folder nowhere"),
        (["a.backup", "--keep", "3"], 2, "a.backup is none"),
        ([".", "--keep", "0"], 2, "a number from 1 on"),
    ],
)
def test_a_backup_that_cannot_be_is_told_in_one_sentence(
    station: Path, tmp_path: Path, arguments: list[str], code: int, named: str
) -> None:
    done = tera("backup", *arguments, "--config", station, cwd=tmp_path)
    assert done.returncode == code
    [said] = done.stderr.decode().splitlines()
    assert named in said


def test_a_records_system_without_benches_is_backed_up_too(station: Path, tmp_path: Path) -> None:
    store = tmp_path / "data" / "records.sqlite"
    shutil.copy(tmp_path / "data" / "outbox.sqlite", store)  # any database
    (tmp_path / "data" / "outbox.sqlite").unlink()
    alone = tmp_path / "records.toml"
    alone.write_text('[office]\ncode = "3516"\n', encoding="utf-8")
    done = tera("backup", tmp_path / "a.backup", "--config", alone, "--json")
    assert done.returncode == 0, done.stderr.decode()
    made = json.loads(done.stdout)
    assert [part["name"] for part in made["files"]] == ["records.toml", "data/records.sqlite"]
    assert made["outbox"] is None


def test_a_station_without_records_and_a_damaged_outbox_are_told(
    station: Path, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    outbox = tmp_path / "data" / "outbox.sqlite"
    content = bytearray(outbox.read_bytes())
    content[4096:12288] = os.urandom(8192)
    outbox.write_bytes(content)
    done = tera("backup", file, "--config", station)
    assert done.returncode == 2
    assert f"the database {outbox} is damaged: keep it and call for help" in done.stderr.decode()
    shutil.rmtree(tmp_path / "data")
    done = tera("backup", file, "--config", station)
    assert done.returncode == 2
    assert "there is nothing to back up yet" in done.stderr.decode()
    assert not file.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system is mounted only by root")
def test_a_backup_for_which_there_is_no_room_leaves_nothing_behind(
    station: Path, tmp_path: Path
) -> None:
    small = tmp_path / "usb"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(small)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a file system")
    try:
        done = tera("backup", small / "a.backup", "--config", station)
        assert done.returncode == 3, done.stderr.decode()
        assert len(done.stderr.decode().splitlines()) == 1
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
