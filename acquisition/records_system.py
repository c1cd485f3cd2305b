"""Where the records system keeps what it gets, and how a store, an archive or an outbox is read."""

import os
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from acquisition.config import Premises
from acquisition.faults import BadInput
from acquisition.station import secret_in
from broker.outbox_archive import read_archive
from broker.record import encode
from broker.store import RecordStore
from broker.stored import Conflict, StoredRecord

_TOGETHER = 500
"""Records of a store that are read at once."""


async def open_store(settings: Premises) -> RecordStore:
    """Open the configured store, making it when it is not there yet."""
    where = settings.store.records
    if isinstance(where, Path):
        try:
            where.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(
                "cannot write {file}: {why}", place="store.records", file=where, why=error.strerror
            ) from None
    return await RecordStore.open(where, password=_password(settings))


def _password(settings: Premises) -> str | None:
    """Return the password of the database, from its file or TERA_RECORDS_PASSWORD."""
    file = settings.store.records_password_file
    if file is not None:
        return secret_in(file, "store.records_password_file")
    return os.environ.get("TERA_RECORDS_PASSWORD")


async def find(place: Premises | Path, **asked: Any) -> Sequence[StoredRecord]:
    """Return the records of the configured store, or of a file, that are what is asked for."""
    outbox = _outbox_among(place)
    if outbox is not None:
        return _chosen(read_archive(outbox), **asked)
    async with _opened(place) as store:
        return await store.list(**asked)


async def find_instrument(
    place: Premises | Path, serial: str, **asked: Any
) -> Sequence[StoredRecord]:
    """Return the verdicts on the instruments with a serial number that are what is asked for."""
    outbox = _outbox_among(place)
    if outbox is None:
        async with _opened(place) as store:
            held = await store.verdicts_holding(encode({"serial": serial})[1:-1])
    else:
        held = tuple(read_archive(outbox))
    own = [r for r in held if r.record.get("instrument", {}).get("serial") == serial]
    return _chosen(own, **{**asked, "kind": "verdict"})


async def find_one(place: Premises | Path, which: str) -> Sequence[StoredRecord]:
    """Return start and outcome of one verification, by its identity or a stored number."""
    outbox = _outbox_among(place)
    if outbox is not None:
        everything = list(read_archive(outbox))
        names = {record.id for record in everything if which in (record.id, str(record.stored))}
        return [record for record in everything if record.id in names]
    async with _opened(place) as store:
        found = await store.show(which)
        return found or (await store.show(int(which)) if which.isdecimal() else ())


async def conflicts(settings: Premises) -> Sequence[Conflict]:
    """Return what contradicts the records of the configured store."""
    if _outbox_among(settings) is not None:
        return ()
    async with _opened(settings) as store:
        return await store.conflicts()


async def read_all(file: Path) -> AsyncIterator[StoredRecord]:
    """Yield every record of a store, an archive or an outbox, a few at a time."""
    outbox = _outbox_among(file)
    if outbox is not None:
        for record in read_archive(outbox):
            yield record
        return
    async with _opened(file) as store:
        after = 0
        while found := await store.list(after=after, limit=_TOGETHER):
            for record in found:
                yield record
            after = found[-1].stored


@asynccontextmanager
async def _opened(place: Premises | Path) -> AsyncIterator[RecordStore]:
    store = await (RecordStore.open(place) if isinstance(place, Path) else open_store(place))
    try:
        yield store
    finally:
        await store.close()


def _outbox_among(place: Premises | Path) -> Path | None:
    """Return the file that is asked for if it is an outbox; a file that is missing is not made."""
    where = place if isinstance(place, Path) else place.store.records
    if not isinstance(where, Path):
        return None
    if not where.exists() and place is not where:
        raise BadInput(
            "nothing is stored yet: `tera records serve` makes {file}; --from names another file",
            file=where,
        )
    if not where.exists():
        raise BadInput("no such file: {file}", file=where)
    return where if _is_outbox(where) else None


def _is_outbox(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"file:{file.resolve()}?mode=ro", uri=True)) as db:
            names = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        raise BadInput(
            "{file} is damaged or no such database: keep it and call for help ({why})",
            file=file,
            why=error,
        ) from None
    if "stored" not in names and "record" not in names:
        raise BadInput("{file} is no store, no archive and no outbox", file=file)
    return "record" in names


def _chosen(records: Iterable[StoredRecord], **asked: Any) -> Sequence[StoredRecord]:
    """Choose as the store does, from a file that knows no office and no verdict by itself."""
    same = ("kind", "bench", "verdict", "trial")
    found = [
        record
        for record in records
        if all(asked.get(name) in (None, getattr(record, name)) for name in same)
        and (asked.get("since") or "") <= record.received_at
        and record.received_at < (asked.get("before") or "~")
    ]
    limit = asked.get("limit")
    return found if limit is None else found[-limit:]
