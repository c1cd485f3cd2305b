"""A records system keeps every record once, and what contradicts aside: on SQLite and PostgreSQL."""

import asyncio
import importlib.resources
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.failure import BadRecord, BadSecret, ConflictingRecord, StoreFailed
from broker.record import decode, digest, encode
from broker.store import Arrival, Gap, RecordStore, Totals
from broker.stored import Missing, missing_in
from tests.postgres import PASSWORD, Postgres
from tests.records import TIME, receipt, start, verdict

ROOT = Path(__file__).parents[1]
RAISED = (sqlite3.IntegrityError, psycopg.Error)


@pytest.fixture
async def store(where: Path | str) -> AsyncIterator[RecordStore]:
    opened = await RecordStore.open(where)
    yield opened
    await opened.close()


def connected(where: Path | str) -> Any:
    """Connect to a store past this program, as a curious person does."""
    return psycopg.connect(where) if isinstance(where, str) else sqlite3.connect(where)


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


async def test_records_that_come_together_are_answered_one_by_one(store: RecordStore) -> None:
    begun = {**start("meja"), "number": 1}
    ended = verdict(begun, 1)
    other = {**ended, "verdict": "nonconforming"}
    items = [Arrival.of(record, encode(record)) for record in (begun, ended, other, ended, begun)]
    numbers = await store.keep_all(items)
    assert (*numbers[:2], *numbers[3:]) == (1, 2, 2, 1)
    assert isinstance(numbers[2], ConflictingRecord)
    assert store.taken == {"start": 1, "verdict": 1, "again": 2, "conflict": 1}
    assert await store.keep_all([]) == ()
    more = [{**start("meja"), "number": n} for n in range(2, 400)]
    assert await store.keep_all([Arrival.of(m, encode(m)) for m in more]) == tuple(range(3, 401))


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
    assert await store.probe() == Totals(records=1, conflicts=2)
    assert await store.accept(encode(begun)) == 2


@pytest.mark.parametrize("body", [b"", b"{}", b'{"schema":"tera/verdict/1"}'])
async def test_what_is_no_record_is_refused(store: RecordStore, body: bytes) -> None:
    with pytest.raises(BadRecord):
        await store.accept(body)
    with pytest.raises(BadRecord, match="no record"):
        await store.accept(encode(receipt(verdict(start("m"), 1), "sha256:" + "0" * 64)))
    assert await store.count() == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"number":1', b'"number":9223372036854775808'), (b'"meja"', b'"me\\ud800ja"')],
    ids=["a number that no database holds", "half a character"],
)
async def test_what_no_database_can_hold_is_refused_before_it_meets_others(
    store: RecordStore, old: bytes, new: bytes
) -> None:
    good = encode({**start("meja"), "number": 1})
    with pytest.raises(BadRecord):
        await store.accept(good.replace(old, new))
    assert await store.accept(good) == 1


async def test_missing_unfinished_and_double_numbers_of_a_bench_are_found(
    store: RecordStore,
) -> None:
    for number in (1, 2, 4, 4, 6):
        begun = {**start("meja"), "number": number}
        await store.accept(encode(begun))
        if number != 2:
            await store.accept(encode(verdict(begun, number)))
    whole = {**start("tiruan", trial=True), "number": 1}
    await store.accept(encode(whole))
    await store.accept(encode(verdict(whole, 1)))
    assert await store.gaps() == (
        Gap("3516", "meja", missing=(3, 5), unfinished=(2,), double=(4,)),
    )
    assert await store.missing("3516", "meja") == Missing(1, 6, ((2, 3), (5, 5)))
    invented = {**start("meja"), "number": 9000}
    assert [await store.latest("3516", "meja", given) for given in (0, 3, 6, 8)] == [6, 6, 6, 8]
    await store.accept(encode(invented))  # so far behind that it is none of the bench's own
    assert [await store.latest("3516", "meja", given) for given in (0, 6, 8)] == [6, 6, 8]
    assert await store.missing("3516", "tiruan") == Missing(1, 1, ())
    assert await store.missing("3516", "nowhere") == Missing(0, 0, ())
    assert {(name, trial) for name, trial, _ in await store.benches("3516")} == {
        ("meja", False),
        ("tiruan", True),
    }


@given(
    st.dictionaries(st.integers(1, 12), st.sampled_from(["start", "verdict", "both"])),
    st.integers(0, 3),
    st.integers(1, 9),
)
def test_what_is_named_missing_is_what_is_not_there_below_the_highest_number(
    there: dict[int, str], before: int, most: int
) -> None:
    there |= dict.fromkeys(range(1, before + 1), "both")
    seen = [
        (number, kind)
        for number in sorted(there)
        if number > before
        for kind in (("start", "verdict") if there[number] == "both" else (there[number],))
    ]
    found = missing_in(seen, before, 99)
    highest = max(there, default=0)
    lacking = {
        n
        for n in range(1, highest + 1)
        if there.get(n) != "both" and (n, there.get(n)) != (highest, "start")
    }
    assert {n for a, b in found.stretches for n in range(a, b + 1)} == lacking
    assert found.highest == highest
    assert all(there.get(n) == "both" for n in range(1, found.complete + 1))
    assert list(found.stretches) == sorted(found.stretches)
    fewer = missing_in(seen, before, most)
    assert fewer.stretches == found.stretches[:most]
    assert fewer.complete == found.complete


async def test_records_are_listed_by_what_they_are(store: RecordStore) -> None:
    for number in (1, 2, 3):
        begun = {**start("meja", trial=number == 3), "number": number}
        await store.accept(encode(begun))
        word = "conforming" if number % 2 else "nonconforming"
        await store.accept(encode(verdict(begun, number, verdict=word)))

    async def listed(**asked: Any) -> list[int]:
        return [record.stored for record in await store.list(**asked)]

    assert await listed() == [1, 2, 3, 4, 5, 6]
    assert await listed(limit=2) == [1, 2]
    assert await listed(limit=2, newest=True) == [5, 6]
    assert await listed(verdict="nonconforming") == [4]
    assert await listed(trial=True) == [5, 6]
    assert await listed(trial=False, kind="verdict", bench="meja", office="3516") == [2, 4]
    assert await listed(bench="other") == []
    assert await listed(since="2020-01-01", before="9999-01-01") == [1, 2, 3, 4, 5, 6]
    assert await listed(before="2020-01-01") == []


async def test_records_survive_the_closing_and_cannot_be_changed(where: Path | str) -> None:
    store = await RecordStore.open(where)
    ended = verdict(start("meja"), 1)
    body = encode(ended)
    await store.accept(body)
    with pytest.raises(ConflictingRecord):
        await store.accept(encode({**ended, "verdict": "nonconforming"}))
    await store.close()
    await store.close()
    with pytest.raises(StoreFailed, match="is closed"):
        await store.accept(body)
    statements = [
        f"{what} {table}{how}"
        for table in ("stored", "conflict")
        for what, how in (("DELETE FROM", ""), ("UPDATE", " SET digest = 'x'"))
    ]
    if isinstance(where, Path):
        statements.append(
            "REPLACE INTO stored SELECT 1, kind, id, office, bench, 7, trial, verdict,"
            " digest, received_at, body FROM stored"
        )
    else:
        statements.append("TRUNCATE stored")
    for statement in statements:
        other = connected(where)
        try:
            with pytest.raises(RAISED, match="records are never"):
                other.execute(statement)
        finally:
            other.close()
    store = await RecordStore.open(where)
    try:
        assert await store.accept(body) == 1
        assert [r.body for r in await store.list(bench="meja", limit=5)] == [body]
        assert len(await store.conflicts()) == 1
    finally:
        await store.close()


async def test_a_locked_store_is_said_in_one_sentence(where: Path | str) -> None:
    store = await RecordStore.open(where, busy_timeout=0.2)
    try:
        other = connected(where)
        if isinstance(where, Path):
            other.execute("BEGIN IMMEDIATE")
        else:
            other.execute("LOCK TABLE stored IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreFailed, match="another program holds"):
            await store.accept(encode(verdict(start("meja"), 1)))
        other.close()
        assert await store.accept(encode(verdict(start("meja"), 1))) == 1
    finally:
        await store.close()


_STORES = """
import asyncio, sys
from broker.record import encode
from broker.store import RecordStore
from tests.records import start
async def main():
    where, bench, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    store = await RecordStore.open(where)
    async def one(number):
        return await store.accept(encode({**start(bench), "number": number}))
    numbers = await asyncio.gather(*(one(n) for n in range(1, count + 1)))
    print(*numbers)
    await store.close()
asyncio.run(main())
"""


async def test_several_programs_on_one_store_number_without_gaps(where: Path | str) -> None:
    await (await RecordStore.open(where)).close()
    programs = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _STORES, str(where), f"meja-{n}", "60"),
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        for n in range(3)
    ]
    given_out: list[int] = []
    for program in programs:
        out, _ = await program.communicate()
        assert program.returncode == 0
        given_out += map(int, out.split())
    assert sorted(given_out) == list(range(1, 181))


async def test_programs_that_start_together_make_the_tables_once(where: Path | str) -> None:
    stores = await asyncio.gather(*(RecordStore.open(where) for _ in range(5)))
    try:
        body = encode({**start("meja"), "number": 1})
        assert set(await asyncio.gather(*(store.accept(body) for store in stores))) == {1}
    finally:
        await asyncio.gather(*(store.close() for store in stores))


async def test_a_store_of_a_newer_version_is_refused(where: Path | str) -> None:
    await (await RecordStore.open(where)).close()
    other = connected(where)
    other.execute("INSERT INTO migration VALUES (99, '0099_more.sql', 'then')")
    other.commit()
    other.close()
    with pytest.raises(StoreFailed, match="written by a newer version"):
        await RecordStore.open(where)


async def test_a_store_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    body = encode(verdict(start("meja"), 1))
    record = decode(body)
    files = importlib.resources.files("broker.migrations")
    with sqlite3.connect(path) as old:
        old.executescript(files.joinpath("store_sqlite", "0001_records.sql").read_text("utf-8"))
        old.execute(
            "INSERT INTO stored VALUES (7, 'verdict', ?, '3516', 'meja', 1, 0, 'conforming', ?, ?, ?)",
            (record["id"], digest(body), TIME, body),
        )
    old.close()
    store = await RecordStore.open(path)
    try:
        assert await store.accept(body) == 7
        assert await store.accept(encode({**start("meja"), "number": 2})) == 8
    finally:
        await store.close()


async def test_a_failing_migration_changes_nothing(
    where: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from broker import migration

    family = "store_sqlite" if isinstance(where, Path) else "store_postgresql"
    known = migration.migrations(family)
    broken = migration.Migration(2, "0002_broken.sql", "CREATE TABLE half (n INTEGER); NO SQL;")
    monkeypatch.setattr(migration, "migrations", lambda _: (known[0], broken))
    with pytest.raises(StoreFailed, match="syntax error"):
        await RecordStore.open(where)
    monkeypatch.undo()
    other = connected(where)
    try:
        with pytest.raises(
            (sqlite3.OperationalError, psycopg.Error), match=r"no such table|not exist"
        ):
            other.execute("SELECT * FROM stored")
    finally:
        other.close()
    await (await RecordStore.open(where)).close()


async def refused(make: Callable[[], Any]) -> str:
    with pytest.raises((StoreFailed, BadSecret)) as caught:
        await make()
    return str(caught.value)


async def test_a_database_that_cannot_be_had_is_said_in_one_sentence(postgres: Postgres) -> None:
    url = postgres.database()
    by_password = postgres.by_password(url)
    nobody = by_password.replace(f":{postgres.port}", ":1")
    for where, password, said in (
        (by_password, None, "does not answer"),
        (by_password, "wrong", "does not answer"),
        (nobody, None, "does not answer"),
        (url.replace("/t", "/nowhere"), None, "does not answer"),
        (by_password.replace("tera@", f"tera:{PASSWORD}@"), None, "password does not belong"),
    ):
        sentence = await refused(lambda: RecordStore.open(where, password=password))  # noqa: B023
        assert said in sentence
        assert PASSWORD not in sentence
        assert "\n" not in sentence
    store = await RecordStore.open(by_password, password=PASSWORD)
    try:
        assert PASSWORD not in repr(store.name)
        assert await store.accept(encode({**start("meja"), "number": 1})) == 1
    finally:
        await store.close()


async def test_a_database_server_that_dies_loses_nothing_that_was_answered() -> None:
    from tests.postgres import MISSING, PROGRAMS

    if PROGRAMS is None:
        pytest.skip(MISSING)
    server = Postgres()
    try:
        server.start()
        store = await RecordStore.open(server.database(), busy_timeout=2.0)
        try:
            answered: dict[str, int] = {}
            for life in range(3):
                for number in range(20):
                    begun = {**start("meja"), "number": 20 * life + number + 1}
                    answered[begun["id"]] = await store.accept(encode(begun))
                server.kill()
                with pytest.raises(StoreFailed, match="does not answer"):
                    await store.accept(encode({**start("meja"), "number": 999}))
                with pytest.raises(StoreFailed, match="does not answer"):
                    await store.count()
                server.start()
                assert {r.id: r.stored for r in await store.list()} == answered
            assert sorted(answered.values()) == list(range(1, 61))
        finally:
            await store.close()
    finally:
        server.remove()
