"""Which number a bench gives next, and what it may tell others of its numbers.

An outbox that was restored from a backup, or whose disk lost what it had confirmed, knows fewer
numbers than it once gave. Who else knows them is asked: the broker, which retains what the bench said
last, and the records system. A number that may have been given before is not given again: a person
says that they go on behind it. Knows SQL; opens no file and commits nothing.
"""

import sqlite3
from dataclasses import dataclass

from broker.failure import OlderOutbox
from broker.record import timestamp
from broker.stored import NOTHING, Delivered


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a bench says of its numbers; 0 where there is none."""

    given: int = 0
    """Highest number that was given, here or as far as others know."""
    delivered: Delivered = NOTHING
    """Highest numbers whose receipts are in."""

    def to_message(self) -> dict[str, int]:
        """Write it as the state of the bench has it."""
        return {
            "given": self.given,
            "started": self.delivered.started,
            "ended": self.delivered.ended,
        }


def numbers_of(db: sqlite3.Connection, bench: str) -> Numbers:
    """Return what is known of the numbers of a bench."""
    elsewhere, _ = _elsewhere(db, bench)
    return Numbers(
        max(_last(db, bench), elsewhere),
        Delivered(_receipted(db, bench, "= 'start'"), _receipted(db, bench, "<> 'start'")),
    )


def next_number(db: sqlite3.Connection, bench: str) -> int:
    """Return the next number of a bench; OlderOutbox when it may have been given before."""
    older = what_holds_up(db, bench)
    if older is not None:
        raise older
    return max(_last(db, bench), _elsewhere(db, bench)[0]) + 1


def what_holds_up(db: sqlite3.Connection, bench: str) -> OlderOutbox | None:
    """Return why a bench gives no number; None when it does."""
    last = _last(db, bench)
    elsewhere, accepted = _elsewhere(db, bench)
    if elsewhere > last and not accepted:
        return OlderOutbox(
            "bench {bench}: numbers up to {number} were given before, and this outbox ends at {last}:"
            " it is from a backup, or its disk lost what it had written. No run begins; look at `tera"
            " records list --bench {bench}`, then start once with `tera run --go-on`, and {next} comes"
            " next",
            bench=bench,
            number=elsewhere,
            last=last,
            next=elsewhere + 1,
        )
    found = db.execute("SELECT made_at FROM copied WHERE bench = ?", (bench,)).fetchone()
    if found is not None:
        return OlderOutbox(
            "bench {bench}: this outbox is from a backup of {made} and ends at {last}; the records"
            " system has not said yet what was given since. No run begins until it does; if it cannot"
            " be reached and {last} was the last number, start once with `tera run --go-on`",
            bench=bench,
            made=found[0],
            last=last,
        )
    return None


def note_given(db: sqlite3.Connection, bench: str, number: int, *, stored: bool) -> None:
    """Note that a number of a bench was given before; ``stored``: the records system has no higher."""
    if stored:
        db.execute("DELETE FROM copied WHERE bench = ?", (bench,))
    if number > max(_last(db, bench), _elsewhere(db, bench)[0]):
        db.execute(
            "INSERT INTO elsewhere (bench, number, heard_at) VALUES (?, ?, ?) ON CONFLICT (bench)"
            " DO UPDATE SET number = excluded.number, heard_at = excluded.heard_at,"
            " accepted_at = NULL",
            (bench, number, timestamp()),
        )


def note_copied(db: sqlite3.Connection) -> None:
    """Note that this is the copy of an outbox, which may give further numbers itself."""
    db.execute("INSERT OR REPLACE INTO copied SELECT DISTINCT bench, ? FROM record", (timestamp(),))


def go_on(db: sqlite3.Connection) -> list[tuple[str, int]]:
    """Have the numbers of every bench go on behind those known; return bench and next number."""
    held_up = held_up_benches(db)
    db.execute("UPDATE elsewhere SET accepted_at = ? WHERE accepted_at IS NULL", (timestamp(),))
    db.execute("DELETE FROM copied")
    return [
        (bench, next_number(db, bench))
        for bench in dict.fromkeys(str(older.evidence["bench"]) for older in held_up)
    ]


def held_up_benches(db: sqlite3.Connection) -> list[OlderOutbox]:
    """Return what keeps benches from giving numbers."""
    found = db.execute("SELECT bench FROM elsewhere UNION SELECT bench FROM copied ORDER BY bench")
    reasons = (what_holds_up(db, bench) for (bench,) in found.fetchall())
    return [older for older in reasons if older is not None]


def _last(db: sqlite3.Connection, bench: str) -> int:
    (last,) = db.execute("SELECT max(number) FROM record WHERE bench = ?", (bench,)).fetchone()
    return int(last or 0)


def _elsewhere(db: sqlite3.Connection, bench: str) -> tuple[int, bool]:
    found = db.execute(
        "SELECT number, accepted_at FROM elsewhere WHERE bench = ?", (bench,)
    ).fetchone()
    return (0, False) if found is None else (int(found[0]), found[1] is not None)


def _receipted(db: sqlite3.Connection, bench: str, kind: str) -> int:
    """Return the highest number of a bench of which such a record has its receipt."""
    found = db.execute(
        f"SELECT number FROM record AS r WHERE bench = ? AND kind {kind} AND EXISTS"  # noqa: S608 - our own words
        " (SELECT 1 FROM delivery WHERE seq = r.seq AND receipt IS NOT NULL)"
        " ORDER BY number DESC LIMIT 1",
        (bench,),
    ).fetchone()
    return 0 if found is None else int(found[0])
