"""What is receipted and old can move to a file of its own, and is nowhere missing meanwhile."""

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from broker import outbox_archive
from broker.failure import ConflictingRecord, OutboxFailed
from broker.outbox import Outbox
from broker.outbox_archive import archive, read_archive
from broker.record import digest, encode
from tests.records import receipt, start, verify_once

ROOT = Path(__file__).parents[1]
LATER = "9999-01-01"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


@pytest.fixture
async def outbox(path: Path) -> AsyncIterator[Outbox]:
    opened = await Outbox.open(path)
    yield opened
    await opened.close()


async def receipted(outbox: Outbox, bench: str, count: int) -> list[dict[str, Any]]:
    """Commit verdicts and stamp whatever waits at their bench."""
    made = [await verify_once(outbox, bench) for _ in range(count)]
    for row in await outbox.pending(999, bench=bench):
        of = {"bench": bench, "id": row.id, "schema": f"tera/{row.kind}/1"}
        await outbox.stamp_receipt(receipt(of, row.digest, stored=row.seq + 100))
    return made


def bytes_in(path: Path) -> dict[str, bytes]:
    """Return every record's bytes in a file, by its digest."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        found = db.execute("SELECT digest, body FROM record JOIN content USING (seq)").fetchall()
    db.close()
    assert all(digest(body) == own for own, body in found)
    return dict(found)


async def test_only_what_has_ended_is_receipted_and_old_is_moved(
    tmp_path: Path, path: Path, outbox: Outbox
) -> None:
    made = await receipted(outbox, "meja", 3)
    half = await verify_once(outbox, "meja")  # its start is receipted, its verdict is not
    begun = next(row for row in await outbox.pending(9) if row.kind == "start")
    await outbox.stamp_receipt(receipt(start("meja", half["id"]), begun.digest, stored=99))
    running = start("meja")
    await outbox.begin("meja", running["id"], running)
    [row] = await outbox.numbered("meja", [(5, 5)], 9)
    await outbox.stamp_receipt(receipt(running, row.digest, stored=98))
    before = bytes_in(path)

    assert archive(path, "2020-01-01", tmp_path / "old") == []
    assert not (tmp_path / "old").exists()
    [moved] = archive(path, LATER, tmp_path / "old")
    assert moved.records == 6
    assert archive(path, LATER, tmp_path / "old") == []

    here, there = bytes_in(path), bytes_in(moved.file)
    assert here | there == before
    assert not here.keys() & there.keys()
    assert [r.id for r in read_archive(moved.file) if r.kind == "verdict"] == [
        record["id"] for record in made
    ]
    assert [r.stored for r in read_archive(moved.file)] == list(range(101, 107))
    assert (await outbox.counts()).waiting == 1
    assert [p.name for p in moved.file.parent.iterdir()] == [moved.file.name]


async def test_what_was_moved_still_counts(tmp_path: Path, path: Path, outbox: Outbox) -> None:
    made = await receipted(outbox, "meja", 2)
    [moved] = archive(path, LATER, tmp_path / "old")
    assert await outbox.stored_number(made[1]["id"]) == 104
    await outbox.put(made[1])  # the same again is nothing
    with pytest.raises(ConflictingRecord, match="ended before"):
        await outbox.put({**made[1], "verdict": "nonconforming"})
    with pytest.raises(ConflictingRecord, match="started before"):
        again = start("meja", made[0]["id"])
        await outbox.begin("meja", again["id"], again)
    record = await verify_once(outbox, "meja")
    assert record["number"] == 3
    assert [row.number for row in await outbox.numbered("meja", [(1, 9)], 99)] == [3, 3]
    rows, away = await outbox.archived("meja", [(2, 2), (3, 9)], 99)
    assert [(row.kind, row.number) for row in rows] == [("start", 2), ("verdict", 2)]
    assert (rows[1].body, away) == (encode(made[1]), [])
    assert len((await outbox.archived("meja", [(1, 9)], 3))[0]) == 3
    moved.file.rename(tmp_path / "elsewhere")
    assert await outbox.archived("meja", [(1, 1)], 99) == ([], [str(moved.file)])
    assert await outbox.archived("meja", [(3, 9)], 99) == ([], [])
    stamped = await outbox.stamp_receipt(receipt(made[1], digest(made[1]), stored=104))
    assert len(stamped.seqs) == 1


async def test_an_archive_is_an_outbox_that_cannot_be_changed_and_is_read_without_writing(
    tmp_path: Path, path: Path, outbox: Outbox
) -> None:
    made = await receipted(outbox, "meja", 2)
    [moved] = archive(path, LATER, tmp_path / "old")
    moved.file.parent.chmod(0o500)
    moved.file.chmod(0o400)
    try:
        assert [r.body for r in read_archive(moved.file)][1::2] == [encode(r) for r in made]
    finally:
        moved.file.parent.chmod(0o700)
    moved.file.chmod(0o600)
    with sqlite3.connect(moved.file) as db:
        for statement in ("DELETE FROM content", "UPDATE record SET number = 9"):
            with pytest.raises(sqlite3.IntegrityError, match="are never"):
                db.execute(statement)
    db.close()


async def test_a_copy_that_went_wrong_removes_nothing(
    tmp_path: Path, path: Path, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await receipted(outbox, "meja", 3)
    before = bytes_in(path)

    def flip(file: Path) -> None:
        content = bytearray(file.read_bytes())
        at = content.rindex(b'"conforming"')
        content[at + 1] ^= 1
        file.write_bytes(content)

    monkeypatch.setattr(outbox_archive, "_sync", flip)
    with pytest.raises(OutboxFailed, match="nothing was removed"):
        archive(path, LATER, tmp_path / "old")
    assert bytes_in(path) == before
    monkeypatch.undo()
    [moved] = archive(path, LATER, tmp_path / "old")
    assert bytes_in(moved.file) == before


async def test_a_folder_that_cannot_be_written_is_said_and_nothing_is_removed(
    tmp_path: Path, path: Path, outbox: Outbox
) -> None:
    await receipted(outbox, "meja", 1)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutboxFailed, match=r"cannot write .*file: "):
        archive(path, LATER, tmp_path / "file")
    assert len(bytes_in(path)) == 2


_DIES = """
import os, signal, sys
from pathlib import Path
from broker import outbox_archive
outbox_archive._TOGETHER = 3
left = int(sys.argv[1])
def count(frame, event, argument):
    global left
    if frame.f_code.co_filename != outbox_archive.__file__:
        return None
    left -= event == "line"
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return count
sys.settrace(count)
outbox_archive.archive(Path(sys.argv[2]), "9999-01-01", Path(sys.argv[3]))
sys.settrace(None)
print("done")
"""


@pytest.mark.parametrize("step", [*range(5, 40, 7), *range(40, 160, 9)])
async def test_a_power_cut_at_any_line_loses_no_byte_and_the_next_request_finishes(
    tmp_path: Path, path: Path, step: int
) -> None:
    outbox = await Outbox.open(path)
    await receipted(outbox, "meja", 6)
    before = bytes_in(path)
    folder = tmp_path / "old"
    done = subprocess.run(
        [sys.executable, "-c", _DIES, str(step), str(path), str(folder)],
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in (0, -9), done.stderr.decode()

    def everywhere() -> dict[str, bytes]:
        found = bytes_in(path)
        for file in folder.glob("outbox-*.sqlite"):  # what has its name is whole
            found |= bytes_in(file)
        return found

    assert everywhere() == before
    fresh = await verify_once(outbox, "meja")  # the station goes on
    assert fresh["number"] == 7
    archive(path, LATER, folder)
    await outbox.close()
    left = {own for own in bytes_in(path) if own in before}
    assert not left
    assert everywhere().keys() >= before.keys()
    outbox = await Outbox.open(path)
    assert (await outbox.counts()).verdicts == 7
    await outbox.close()


async def test_an_archive_that_vanished_before_it_was_marked_is_made_again(
    tmp_path: Path, path: Path, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await receipted(outbox, "meja", 3)

    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(outbox_archive, "_let_go", power_cut)
    with pytest.raises(KeyboardInterrupt):
        archive(path, LATER, tmp_path / "old")
    monkeypatch.undo()
    [lost] = (tmp_path / "old").iterdir()
    lost.unlink()
    [moved] = archive(path, LATER, tmp_path / "old")
    assert (moved.records, len(bytes_in(moved.file))) == (6, 6)
