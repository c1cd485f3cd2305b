"""Brings the tables of a database up to date: numbered files, each applied once, in order.

Knows which were applied, because each is noted in the transaction that applies it. Refuses a
database that a newer version of this program has written.
"""

import importlib.resources
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from broker.failure import BrokerError
from broker.record import timestamp
from broker.rows_seam import Rows, Script

_NOTES = (
    "CREATE TABLE IF NOT EXISTS migration"
    " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)"
)


class NewerTables(BrokerError):
    """The tables are of a newer version of this program than we are."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step."""

    number: int
    """From 1, without gaps."""
    name: str
    """Name of its file."""
    script: str
    """Its statements."""


@cache
def migrations(family: str) -> tuple[Migration, ...]:
    """Return the steps of a family of tables, in order."""
    files = importlib.resources.files("broker.migrations").joinpath(family).iterdir()
    found = sorted((f for f in files if f.name.endswith(".sql")), key=lambda f: f.name)
    return tuple(
        Migration(int(file.name[:4]), file.name, file.read_text("utf-8")) for file in found
    )


def migrate(rows: Rows, run: Script, family: str) -> Iterator[Migration]:
    """Apply what is missing, inside the caller's transaction; yield each step that was applied."""
    rows.execute(_NOTES)
    [(last,)] = rows.execute("SELECT max(number) FROM migration").fetchall()
    known = migrations(family)
    if (last or 0) > len(known):
        raise NewerTables("its tables are those of a newer version of this program")
    for step in known[last or 0 :]:
        run(step.script)
        rows.execute(
            "INSERT INTO migration (number, name, applied_at) VALUES (?, ?, ?)",
            (step.number, step.name, timestamp()),
        )
        yield step
