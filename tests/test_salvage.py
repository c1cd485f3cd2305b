"""What a damaged outbox still holds comes back byte by byte; what it lost keeps its number."""

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from broker.counterfoil import counterfoil_of, read_lines
from broker.examination import beside, examine
from broker.failure import OutboxFailed
from broker.outbox import Outbox
from broker.outbox_archive import archive
from broker.outbox_hold import Hold
from broker.record import digest, encode
from broker.salvage import Lost, Mended, kept_aside, mend
from tests.records import receipt, start, verdict, verify_once
from tests.stations import ROOT, line_with, order, scale_bench, tera, tera_at_work, write_station
from tests.torn_station import held_in


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


async def filled(file: Path, count: int = 12, *, delivered: int = 0) -> list[dict[str, Any]]:
    """Commit verdicts of one bench, some with bytes that need pages of their own."""
    outbox = await Outbox.open(file)
    made = []
    for index in range(count):
        begun = start("meja")
        number = await outbox.begin("meja", begun["id"], begun)
        record = verdict(begun, number, cerapan={"pad": "x" * 3000 * (index % 3)})
        await outbox.put(record)
        if index < delivered:
            known = {**begun, "number": number}
            await outbox.stamp_receipt(receipt(known, digest(known), 2 * index + 1))
            await outbox.stamp_receipt(receipt(record, digest(record), 2 * index + 2))
        made.append(record)
    await outbox.put_order(order("P-1", "timbangan-1"))
    await outbox.close()
    return made


def overwrite(file: Path, at: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(data)


def place_of(file: Path, record: dict[str, Any]) -> int:
    """Return where bytes of a verdict lie in a file that no other record has."""
    body = encode(record)
    at = body.index(record["id"].encode())
    at = file.read_bytes().find(body[at - 20 : at + 30])
    assert at > 0
    return at


async def next_number(file: Path) -> int:
    outbox = await Outbox.open(file)
    try:
        return int((await verify_once(outbox, "meja"))["number"])
    finally:
        await outbox.close()


def mended(file: Path) -> Mended:
    found = mend(file)
    assert found is not None
    assert examine(file) is None
    assert mend(file) is None
    return found


async def test_a_whole_outbox_is_left_alone(file: Path) -> None:
    await filled(file)
    before = file.read_bytes()
    assert mend(file) is None
    assert file.read_bytes() == before
    assert mend(file.with_name("none.sqlite")) is None
    assert kept_aside(file) == []


@pytest.mark.parametrize(
    ("at", "length"), [(0, 16), (0, 100), (16, 2), (100, 8), (0, 4096)], ids=str
)
async def test_an_outbox_whose_head_is_destroyed_comes_back_whole(
    file: Path, at: int, length: int
) -> None:
    await filled(file, delivered=5)
    before = held_in(file)
    overwrite(file, at, b"\xa5" * length)
    damaged = file.read_bytes()
    found = mended(file)
    assert (found.kept, found.lost) == (24, ())
    assert held_in(file) == before
    assert (found.aside / file.name).read_bytes() == damaged
    assert await next_number(file) == 13


async def test_bytes_that_were_altered_are_lost_by_name_and_keep_their_number(file: Path) -> None:
    made = await filled(file)
    overwrite(file, place_of(file, made[-1]) + 2, b"!")
    found = mended(file)
    assert found.lost == (Lost("meja", 12, "verdict", None),)
    assert "the bytes of the verdict of number 12 are altered" in str(found.why)
    outbox = await Outbox.open(file)
    assert await outbox.lost() == [("meja", 12, "verdict")]
    assert await outbox.abandon_unfinished("meja", "the station stopped") == []
    sent = {row.id for row in await outbox.pending(100) if row.kind == "verdict"}
    assert sent == {record["id"] for record in made[:-1]}
    await outbox.close()
    assert await next_number(file) == 13


async def test_what_the_records_system_has_is_not_called_lost_for_ever(file: Path) -> None:
    made = await filled(file, delivered=12)
    overwrite(file, place_of(file, made[0]) + 2, b"!")
    found = mended(file)
    assert found.lost == (Lost("meja", 1, "verdict", 2),)
    outbox = await Outbox.open(file)
    assert await outbox.lost() == []
    assert (await outbox.counts()).waiting == 0
    await outbox.close()


async def killed(file: Path) -> None:
    """Leave an outbox as a program that was killed leaves it: the last records in the WAL."""
    await filled(file, 6)
    outbox = await Outbox.open(file)
    for _ in range(6):
        await verify_once(outbox, "meja")
    shutil.copytree(file.parent, file.parent / "killed", ignore=shutil.ignore_patterns("killed"))
    await outbox.close()
    for old in file.parent.glob("outbox*"):
        old.unlink()
    for new in (file.parent / "killed").iterdir():
        new.rename(file.parent / new.name)
    (file.parent / "killed").rmdir()


def cut_wal(file: Path) -> None:
    wal = beside(file, "-wal")
    wal.write_bytes(wal.read_bytes()[: 32 + 3 * 4120])


def spoil_wal_head(file: Path) -> None:
    overwrite(beside(file, "-wal"), 0, b"\0" * 32)


def spoil_first_frame(file: Path) -> None:
    overwrite(beside(file, "-wal"), 32 + 8, b"\xff")


def remove_wal(file: Path) -> None:
    beside(file, "-wal").unlink()


@pytest.mark.parametrize(
    ("spoil", "all_comes_back"),
    [(cut_wal, False), (spoil_wal_head, True), (spoil_first_frame, True), (remove_wal, False)],
)
async def test_numbers_that_a_damaged_wal_held_are_never_given_again(
    file: Path, spoil: Callable[[Path], None], all_comes_back: bool
) -> None:
    await killed(file)
    before = held_in(file)
    spoil(file)
    found = mended(file)
    assert ("is gone" in str(found.why)) or "missing" in found.why
    after = held_in(file)
    assert after.records.keys() == before.records.keys()
    if all_comes_back:
        assert after == before
        assert found.lost == ()
    else:
        assert {lost.number for lost in found.lost} <= set(range(7, 13))
        assert found.lost
    assert await next_number(file) == 13


async def test_nothing_opens_a_damaged_wal_before_it_was_looked_at(file: Path) -> None:
    await killed(file)
    spoil_first_frame(file)
    before = beside(file, "-wal").read_bytes()
    with pytest.raises(OutboxFailed, match=r"is damaged .*: start the station, which recovers"):
        await Outbox.open(file)
    with pytest.raises(OutboxFailed, match="is damaged"):
        archive(file, "9999", file.parent)
    assert beside(file, "-wal").read_bytes() == before
    assert mended(file).lost == ()


async def test_an_outbox_that_vanished_gives_no_number_twice(file: Path) -> None:
    await filled(file, 3)
    file.unlink()
    found = mended(file)
    assert (found.kept, len(found.lost)) == (0, 6)
    assert await next_number(file) == 4


async def test_a_mending_that_is_killed_at_any_instant_is_finished_by_the_next(
    tmp_path: Path,
) -> None:
    made = tmp_path / "made"
    made.mkdir()
    await killed(made / "outbox.sqlite")
    before = held_in(made / "outbox.sqlite")
    spoil_first_frame(made / "outbox.sqlite")
    overwrite(made / "outbox.sqlite", 0, b"\0" * 100)
    dice, interrupted, usual = random.Random(15), 0, 60.0
    for life in range(10):
        file = tmp_path / f"{life}" / "outbox.sqlite"
        shutil.copytree(made, file.parent)
        process = subprocess.Popen(
            [sys.executable, "-c", _MEND, str(file)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"begin\n"
        began = time.monotonic()
        with suppress(subprocess.TimeoutExpired):
            process.wait(
                usual if life == 0 else dice.uniform(0.0, usual)
            )  # the instant is the test
        usual = min(usual, time.monotonic() - began) if life == 0 else usual
        process.kill()
        process.communicate()
        interrupted += process.returncode != 0
        mend(file)
        assert examine(file) is None
        assert held_in(file) == before
        assert (kept_aside(file)[-1] / f"{file.name}-wal").exists()
    assert interrupted > 0


_MEND = """
import sys
from pathlib import Path
from broker.salvage import mend
print("begin", flush=True)
mend(Path(sys.argv[1]))
"""


async def test_without_a_counterfoil_what_fits_its_digest_comes_back(file: Path) -> None:
    await filled(file, delivered=5)
    before = held_in(file)
    counterfoil_of(file).unlink()
    overwrite(file, 0, b"\0" * 100)
    found = mended(file)
    assert found.lost == ()
    assert held_in(file) == before
    assert len(list(read_lines(counterfoil_of(file)))) == 24


async def test_records_that_were_archived_are_not_lost(file: Path, tmp_path: Path) -> None:
    await filled(file, delivered=6)
    archive(file, "9999-01-01", tmp_path / "archives")
    before = held_in(file)
    overwrite(file, 0, b"\0" * 100)
    assert mended(file).lost == ()
    assert held_in(file) == before


async def test_a_death_while_the_file_was_made_is_no_damage(file: Path) -> None:
    """Its rollback journal is played back, which a connection that only reads may not do."""
    making = file.with_name("making.sqlite")
    with closing(sqlite3.connect(making, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")
        db.execute("CREATE TABLE half (made TEXT)")
        db.execute("BEGIN")
        db.executemany("INSERT INTO half VALUES (?)", [("x" * 3000,)] * 100)
        shutil.copy(making, file)
        shutil.copy(beside(making, "-journal"), beside(file, "-journal"))
    assert beside(file, "-journal").stat().st_size > 0
    assert mend(file) is None
    assert await next_number(file) == 1


async def test_a_counterfoil_that_is_damaged_is_written_anew(file: Path) -> None:
    await filled(file, 3)
    counterfoil = counterfoil_of(file)
    good = counterfoil.read_bytes()
    overwrite(counterfoil, 30, b"?")
    assert mend(file) is None
    assert counterfoil.read_bytes() == good


async def test_the_counterfoil_has_a_line_for_each_record_before_anybody_is_answered(
    file: Path,
) -> None:
    outbox = await Outbox.open(file)
    record = await verify_once(outbox, "meja")
    lines = list(read_lines(counterfoil_of(file)))
    assert [(line.kind, line.id, line.number) for line in lines if line] == [
        ("start", record["id"], 1),
        ("verdict", record["id"], 1),
    ]
    assert lines[1] is not None
    assert lines[1].digest == digest(record)
    other = await Outbox.open(file)
    await verify_once(other, "lain")
    await verify_once(outbox, "meja")
    await other.close()
    await outbox.close()
    seqs = {line.seq for line in read_lines(counterfoil_of(file)) if line}
    assert seqs == set(range(1, 7))


def test_a_foreign_file_is_refused_and_left_alone(file: Path) -> None:
    file.write_bytes(b"[office]\ncode = 1\n" * 1000)
    before = file.read_bytes()
    with pytest.raises(OutboxFailed, match="damaged or no such database"):
        mend(file)
    assert file.read_bytes() == before
    assert kept_aside(file) == []


async def test_nobody_mends_what_another_program_has_open(file: Path) -> None:
    await filled(file, 2)
    outbox = await Outbox.open(file)
    overwrite(file, 24, b"\xff" * 8)
    assert mend(file) is None
    await outbox.close()
    alone = Hold.alone(file, within=0)
    assert alone is not None
    with pytest.raises(OutboxFailed, match="another program examines"):
        await Outbox.open(file, busy_timeout=0.1)
    alone.release()


async def test_altered_bytes_never_go_out_although_the_station_is_at_work(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = await filled(file, 4)
    with closing(sqlite3.connect(file)) as db:
        db.execute("DROP TRIGGER content_never_changed")
        db.execute(
            "UPDATE content SET body = CAST(replace(body, '2500', '2501') AS BLOB) WHERE seq ="
            " (SELECT seq FROM record WHERE id = ? AND kind = 'verdict')",
            (made[0]["id"],),
        )
        db.commit()
    outbox = await Outbox.open(file)
    assert [row.number for row in await outbox.pending(2)] == [1, 2]
    assert [row.kind for row in await outbox.pending(1, after=1)] == ["start"]
    assert len(await outbox.pending(100)) == 7
    assert len(await outbox.numbered("meja", [(1, 1)], 10)) == 1
    await outbox.close()
    said = [r.getMessage() for r in caplog.records if "damaged on the disk" in r.getMessage()]
    assert said == [
        "bench meja: the verdict of number 1 is damaged on the disk and is not published"
    ]


async def test_the_doctor_and_the_station_say_what_was_damaged(tmp_path: Path) -> None:
    config = write_station(tmp_path, scale_bench())
    file = tmp_path / "data" / "outbox.sqlite"
    file.parent.mkdir()
    made = await filled(file)
    overwrite(file, place_of(file, made[-1]) + 2, b"!")
    said = tera("doctor", "--config", config, "--json").stdout.decode()
    assert "damaged: bench meja: the bytes of the verdict of number 12 are altered" in said
    async with tera_at_work("run", "--config", config) as service:
        line = await line_with(service.stderr, "the outbox was damaged")
        assert "23 records are whole again, 1 are lost" in line
        await line_with(service.stderr, "the verdict of number 12 is lost")
        await line_with(service.stderr, "the station runs")
    said = tera("doctor", "--config", config, "--json").stdout.decode()
    assert "it was damaged 1 times" in said
    assert "1 records lost their bytes, the first is the verdict of number 12 of bench meja" in said
