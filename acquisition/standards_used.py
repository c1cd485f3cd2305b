"""Which verdicts rest on a measurement standard: from the station's outbox and the records store.

Knows the part of a verdict record that names its standards and its beginning. Refuses to make a
file that is not there, and to change one that is.
"""

import asyncio
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from acquisition.config import Store
from acquisition.faults import BadInput
from broker.outbox import Outbox
from broker.record import decode
from broker.store import RecordStore

PASSWORD = "TERA_RECORDS_PASSWORD"  # noqa: S105 - the name of the variable that holds it
"""Environment variable with the password of the records system's database."""


@dataclass(frozen=True, slots=True)
class Use:
    """One verdict that rests on a standard."""

    record: Mapping[str, Any]
    """The verdict record."""
    places: tuple[str, ...]
    """``outbox``, ``records`` or both."""

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


def verdicts_using(
    store: Store, standard: str, since: date | None = None, until: date | None = None
) -> list[Use]:
    """Find the verdicts that name a standard, begun between two days of the office, both included."""
    found = asyncio.run(_bodies(store, standard))
    uses: dict[str, Use] = {}
    for place, bodies in found.items():
        for body in bodies:
            record = decode(body)
            if not any(entry["id"] == standard for entry in record["standards"]):
                continue
            name = str(record["id"])
            before = uses[name].places if name in uses else ()
            uses[name] = Use(record, (*before, place))
    within = [use for use in uses.values() if _within(use.started, since, until)]
    return sorted(within, key=lambda use: (use.started, str(use.record["bench"])))


def _within(moment: datetime, since: date | None, until: date | None) -> bool:
    """Tell whether a moment lies on some days of the office's own clock."""
    after = since is None or moment >= datetime.combine(since, time()).astimezone()
    end = None if until is None else datetime.combine(until + timedelta(days=1), time())
    return after and (end is None or moment < end.astimezone())


async def _bodies(store: Store, standard: str) -> dict[str, Iterable[bytes]]:
    """Read what may name the standard, wherever there is anything."""
    text = json.dumps(standard, ensure_ascii=False).encode()
    found: dict[str, Iterable[bytes]] = {}
    if store.outbox.exists():
        outbox = await Outbox.open(store.outbox)
        try:
            found["outbox"] = [row.body for row in await outbox.verdicts_holding(text)]
        finally:
            await outbox.close()
    if not isinstance(store.records, Path) or store.records.exists():
        records = await RecordStore.open(store.records, password=_password(store))
        try:
            found["records"] = [row.body for row in await records.verdicts_holding(text)]
        finally:
            await records.close()
    return found


def _password(store: Store) -> str | None:
    """Take the database's password from its file or from the environment, never from settings."""
    file = store.records_password_file
    if file is None:
        return os.environ.get(PASSWORD)
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("cannot read {file}: {why}", file=file, why=error) from None
