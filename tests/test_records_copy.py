"""``tera records copy``: a store moves to another database; what a station cannot send comes by file."""

import asyncio
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from broker.outbox import Outbox
from broker.outbox_archive import archive
from broker.record import encode
from broker.store import RecordStore
from tests.postgres import MISSING as NO_POSTGRES
from tests.postgres import PASSWORD, PROGRAMS, Postgres
from tests.records import receipt, start, verdict, verify_once
from tests.stations import tera


def write_config(folder: Path, where: Path | str) -> Path:
    file = folder / "config.toml"
    file.write_text(
        f'[office]\ncode = "3516"\n[console]\nlanguage = "en"\n[store]\nrecords = "{where}"\n',
        encoding="utf-8",
    )
    return file


async def filled(path: Path) -> Path:
    """Make a store whose numbers begin late, as after a copy that is gone."""
    store = await RecordStore.open(path)
    for number in range(1, 4):
        begun = {**start("meja"), "number": number}
        await store.accept(encode(begun))
        await store.accept(encode(verdict(begun, number)))
    await store.close()
    with closing(sqlite3.connect(path)) as db:
        db.executescript("DROP TRIGGER never_changed; UPDATE stored SET stored = stored + 40")
        db.executescript("UPDATE stored SET received_at = '2026-01-02T03:04:05.678Z'")
    return path


async def rows(where: Path | str, password: str | None = None) -> list[tuple[int, str, bytes]]:
    store = await RecordStore.open(where, password=password)
    try:
        assert await store.gaps() == ()
        return [(r.stored, r.received_at, r.body) for r in await store.list()]
    finally:
        await store.close()


@pytest.mark.skipif(PROGRAMS is None, reason=NO_POSTGRES)
async def test_a_store_moves_to_postgresql_with_its_numbers_and_times(tmp_path: Path) -> None:
    source, server = await filled(tmp_path / "old.sqlite"), Postgres()
    try:
        await asyncio.to_thread(server.start)
        where = server.database()
        config = write_config(tmp_path, where)
        os.environ["TERA_RECORDS_PASSWORD"] = PASSWORD
        copy = ("records", "copy", "--from", source, "--config", config, "--json")
        for new, again in ((6, 0), (0, 6)):
            done = await asyncio.to_thread(tera, *copy)
            assert done.returncode == 0, done.stderr.decode()
            told = {"copied": new, "again": again, "conflicts": 0, "damaged": 0}
            assert json.loads(done.stdout) == told
        assert await rows(where, PASSWORD) == await rows(source)
    finally:
        os.environ.pop("TERA_RECORDS_PASSWORD", None)
        server.remove()


async def test_records_of_an_outbox_and_of_its_archives_come_by_file(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    outbox = await Outbox.open(path)
    made = [await verify_once(outbox, "meja") for _ in range(2)]
    for row in await outbox.pending(9):
        of = {"bench": "meja", "id": row.id, "schema": f"tera/{row.kind}/1"}
        await outbox.stamp_receipt(receipt(of, row.digest, stored=row.seq + 70))
    [moved] = archive(path, "9999-01-01", tmp_path / "old")
    made.append(await verify_once(outbox, "meja"))
    await outbox.close()
    where = tmp_path / "records.sqlite"
    config = write_config(tmp_path, where)
    for file, new in ((moved.file, 4), (path, 2), (path, 0)):
        done = tera("records", "copy", "--from", file, "--config", config)
        assert done.returncode == 0, done.stderr.decode()
        assert f"{new} records copied" in done.stdout.decode()
    found = await rows(where)
    assert [stored for stored, _, _ in found] == [71, 72, 73, 74, 75, 76]
    assert {body for _, _, body in found} >= {encode(record) for record in made}


async def test_what_contradicts_is_kept_aside_and_what_is_damaged_is_not_copied(
    tmp_path: Path,
) -> None:
    source, where = await filled(tmp_path / "old.sqlite"), tmp_path / "records.sqlite"
    store = await RecordStore.open(where)
    [ended, *_] = await (old := await RecordStore.open(source)).verdicts()
    await old.close()
    await store.accept(encode({**ended.record, "verdict": "nonconforming"}))
    await store.close()
    with closing(sqlite3.connect(source)) as db:
        db.execute("UPDATE stored SET body = CAST(body || ' ' AS BLOB) WHERE stored = 46")
        db.commit()
    config = write_config(tmp_path, where)
    done = tera("records", "copy", "--from", source, "--config", config)
    assert done.returncode == 1
    assert done.stdout.decode().splitlines() == [
        "4 records copied, 0 were there already",
        "1 records contradict what is stored",
        "1 records are damaged and were not copied",
    ]
    assert "its bytes are not those of its digest" in done.stderr.decode()
    missing = tera("records", "copy", "--from", tmp_path / "nowhere", "--config", config)
    assert missing.returncode == 2
