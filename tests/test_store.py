"""A records system keeps every record once, and what contradicts aside."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.failure import BadRecord, ConflictingRecord, StoreFailed
from broker.record import decode, digest, encode
from broker.store import Gap, RecordStore
from tests.records import receipt, start, verdict


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RecordStore]:
    opened = await RecordStore.open(tmp_path / "records.sqlite")
    yield opened
    await opened.close()


async def test_the_same_bytes_again_get_the_same_number(store: RecordStore) -> None:
    begun = {**start("meja"), "number": 1}
    ended = verdict(begun, 1)
    numbers = [await store.accept(encode(r)) for r in (begun, ended, begun, ended, ended)]
    assert numbers == [1, 2, 1, 2, 2]
    assert await store.count() == 2
    assert [r.kind for r in await store.show(begun["id"])] == ["start", "verdict"]
    [stored] = await store.verdicts()
    assert stored.body == encode(ended)
    assert stored.record == decode(encode(ended))
    assert (stored.verdict, stored.trial, stored.bench) == ("conforming", False, "meja")
    assert stored.digest == digest(ended)


async def test_what_contradicts_is_kept_aside_and_gets_no_number(store: RecordStore) -> None:
    begun = {**start("meja"), "number": 1}
    ended = verdict(begun, 1)
    abandoned = {
        **begun,
        "schema": "tera/abandonment/1",
        "abandoned": begun["started"],
        "reason": "power cut",
    }
    await store.accept(encode(ended))
    for other in ({**ended, "verdict": "nonconforming"}, abandoned, abandoned):
        with pytest.raises(ConflictingRecord, match="kept aside"):
            await store.accept(encode(other))
    assert await store.count() == 1
    assert sorted(c.kind for c in await store.conflicts()) == ["abandonment", "verdict"]
    assert await store.accept(encode(begun)) == 2


@pytest.mark.parametrize("body", [b"", b"{}", b'{"schema":"tera/verdict/1"}'])
async def test_what_is_no_record_is_refused(store: RecordStore, body: bytes) -> None:
    with pytest.raises(BadRecord):
        await store.accept(body)
    with pytest.raises(BadRecord, match="no record"):
        await store.accept(encode(receipt(verdict(start("m"), 1), "sha256:" + "0" * 64)))
    assert await store.count() == 0


async def test_missing_unfinished_and_double_numbers_of_a_bench_are_found(
    store: RecordStore,
) -> None:
    for number in (1, 2, 4, 4, 6):
        begun = {**start("meja"), "number": number}
        await store.accept(encode(begun))
        if number != 2:
            await store.accept(encode(verdict(begun, number)))
    whole = {**start("tiruan"), "number": 1}
    await store.accept(encode(whole))
    await store.accept(encode(verdict(whole, 1)))
    assert await store.gaps() == (
        Gap("3516", "meja", missing=(3, 5), unfinished=(2,), double=(4,)),
    )


async def test_records_survive_the_closing_and_cannot_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    store = await RecordStore.open(path)
    body = encode(verdict(start("meja"), 1))
    await store.accept(body)
    await store.close()
    await store.close()
    with pytest.raises(StoreFailed, match="is closed"):
        await store.accept(body)
    other = sqlite3.connect(path)
    try:
        for statement in ("DELETE FROM stored", "UPDATE stored SET body = x'00'"):
            with pytest.raises(sqlite3.IntegrityError, match="records are never"):
                other.execute(statement)
    finally:
        other.close()
    store = await RecordStore.open(path)
    try:
        assert await store.accept(body) == 1
        assert [r.body for r in await store.list(bench="meja", limit=5)] == [body]
    finally:
        await store.close()


async def test_a_locked_store_is_said_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    store = await RecordStore.open(path, busy_timeout=0.2)
    try:
        other = sqlite3.connect(path)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreFailed, match="another program holds"):
            await store.accept(encode(verdict(start("meja"), 1)))
        other.close()
        assert await store.accept(encode(verdict(start("meja"), 1))) == 1
    finally:
        await store.close()
