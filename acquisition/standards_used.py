"""Which verdicts rest on a measurement standard: from outbox, its archives and the records store.

Knows the part of a verdict record that names its standards and its beginning. Refuses to make a
file that is not there, and to change one that is.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from acquisition.config import Store
from acquisition.faults import BadInput
from broker.failure import BrokerError, OutboxFailed
from broker.outbox import Outbox
from broker.outbox_archive import read_archive
from broker.record import decode, digest
from broker.store import RecordStore

PASSWORD = "TERA_RECORDS_PASSWORD"  # noqa: S105 - the name of the variable that holds it
"""Environment variable with the password of the records system's database."""


@dataclass(frozen=True, slots=True)
class Use:
    """One verdict that rests on a standard."""

    record: Mapping[str, Any]
    """The verdict record."""
    places: tuple[str, ...]
    """``outbox``, ``records`` and ``archive``: every place in which it lies."""

    @property
    def started(self) -> datetime:
        """Give when the verification began."""
        return datetime.fromisoformat(str(self.record["started"]))

    def to_dict(self) -> dict[str, Any]:
        """Give it as ``tera standards used --json`` prints it."""
        record = self.record
        wanted = ("id", "office", "bench", "number", "order", "started", "routine", "stage")
        return {
            **{name: record[name] for name in wanted},
            "verdict": record["verdict"],
            "legal": record["legal"],
            "trial": record["trial"],
            "instrument": record["instrument"],
            "table": record["table"],
            "standards": record["standards"],
            "found_in": list(self.places),
        }


@dataclass(frozen=True, slots=True)
class Uses:
    """What was found, and what could not be read."""

    verdicts: tuple[Use, ...]
    """In the order in which they were begun."""
    unread: tuple[Path, ...] = ()
    """Archives of the station that are not where they were, or not whole."""


def verdicts_using(
    store: Store, standard: str, since: date | None = None, until: date | None = None
) -> Uses:
    """Find the verdicts that name a standard, begun between two days of the office, both included."""
    found, unread = asyncio.run(_bodies(store, standard))
    uses: dict[str, Use] = {}
    for place, body in found:
        record = decode(body)
        if not any(entry["id"] == standard for entry in record["standards"]):
            continue
        name = str(record["id"])
        before = uses[name].places if name in uses else ()
        uses[name] = Use(record, tuple(dict.fromkeys((*before, place))))
    within = [use for use in uses.values() if _within(use.started, since, until)]
    within.sort(key=lambda use: (use.started, str(use.record["bench"])))
    return Uses(tuple(within), unread)


def _within(moment: datetime, since: date | None, until: date | None) -> bool:
    """Tell whether a moment lies on some days of the office's own clock."""
    after = since is None or moment >= datetime.combine(since, time()).astimezone()
    end = None if until is None else datetime.combine(until + timedelta(days=1), time())
    return after and (end is None or moment < end.astimezone())


async def _bodies(store: Store, standard: str) -> tuple[list[tuple[str, bytes]], tuple[Path, ...]]:
    """Read what may name the standard, wherever there is anything, each with its place."""
    text = json.dumps(standard, ensure_ascii=False).encode()
    found: list[tuple[str, bytes]] = []
    unread: list[Path] = []
    if store.outbox.exists():
        outbox = await Outbox.open(store.outbox)
        try:
            found += [("outbox", row.body) for row in await outbox.verdicts_holding(text)]
            archives = await outbox.archives()
        finally:
            await outbox.close()
        for file in archives:
            try:
                found += [("archive", body) for body in _archived(file, text)]
            except BrokerError:
                unread.append(file)
    if not isinstance(store.records, Path) or store.records.exists():
        records = await RecordStore.open(store.records, password=_password(store))
        try:
            found += [("records", row.body) for row in await records.verdicts_holding(text)]
        finally:
            await records.close()
    return found, tuple(unread)


def _archived(file: Path, text: bytes) -> list[bytes]:
    """Read the verdicts of an archive that hold a text; one that is altered is none of them."""
    records = [record for record in read_archive(file) if record.kind == "verdict"]
    if any(digest(record.body) != record.digest for record in records):
        raise OutboxFailed("{file} is damaged and cannot be mended: {why}", file=file, why="digest")
    return [record.body for record in records if text in record.body]


def _password(store: Store) -> str | None:
    """Take the database's password from its file or from the environment, never from settings."""
    file = store.records_password_file
    if file is None:
        return os.environ.get(PASSWORD)
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("cannot read {file}: {why}", file=file, why=error) from None
