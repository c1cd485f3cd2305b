"""What a records system keeps, as values; and what the numbers of a bench tell of what it lacks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from broker.record import decode, digest, kind_of


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is kept of a record that was validated: its bytes, and what it is found by.

    The record itself is let go: hundreds of them at once are slow to walk through and to give back.
    """

    kind: str
    """start, verdict or abandonment."""
    id: str
    """Identity of the verification."""
    office: str
    """Code of the unit."""
    bench: str
    """Name of the bench."""
    number: int
    """Number of the verification on its bench."""
    trial: bool
    """Whether it is simulated or replayed."""
    verdict: str | None
    """conforming, nonconforming or indeterminate; None unless a verdict."""
    digest: str
    """``sha256:`` of the body."""
    body: bytes
    """The bytes as they came."""

    @classmethod
    def of(cls, record: Mapping[str, Any], body: bytes) -> Self:
        """Take what is needed of a record."""
        return cls(
            kind_of(record),
            record["id"],
            record["office"],
            record["bench"],
            int(record["number"]),
            bool(record["trial"]),
            record.get("verdict"),
            digest(body),
            body,
        )


@dataclass(frozen=True, slots=True)
class StoredRecord(Arrival):
    """A record as it was received."""

    stored: int
    """Number of the record in this store, from 1."""
    received_at: str
    """When it was first received, UTC."""

    @property
    def record(self) -> dict[str, Any]:
        """Return the record itself."""
        return decode(self.body)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A record that contradicts one that is stored."""

    kind: str
    """start, verdict or abandonment."""
    id: str
    """Identity that both claim."""
    digest: str
    """``sha256:`` of the body that was kept aside."""
    received_at: str
    """When it was first received, UTC."""
    body: bytes
    """The bytes as they were received."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is missing or double in the numbers of one bench."""

    office: str
    """Code of the unit."""
    bench: str
    """Name of the bench."""
    missing: tuple[int, ...]
    """Numbers below the highest one that have no start."""
    unfinished: tuple[int, ...]
    """Numbers with a start and no outcome."""
    double: tuple[int, ...]
    """Numbers that more than one verification claims."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Highest numbers of a bench that were receipted, as the bench says; 0 where there is none."""

    started: int = 0
    """Of a start."""
    ended: int = 0
    """Of an outcome."""


NOTHING = Delivered()


@dataclass(frozen=True, slots=True)
class Missing:
    """What should have come from one bench by now."""

    complete: int
    """Up to this number everything is here."""
    highest: int
    """Highest number that was heard of."""
    stretches: tuple[tuple[int, int], ...]
    """First and last number of each stretch of which something is missing."""


def stored_record(row: tuple[Any, ...]) -> StoredRecord:
    """Return a database row as a value."""
    stored, kind, name, office, bench, number, trial, verdict, own, received_at, body = row
    return StoredRecord(
        kind, name, office, bench, number, bool(trial), verdict, own, body, stored, received_at
    )


def missing_in(
    seen: Iterable[tuple[int, str]],
    complete: int,
    most: int,
    delivered: Delivered = NOTHING,
) -> Missing:
    """Find what is missing above ``complete`` in numbers and kinds that come in order.

    A number lacks something without its start, and without its outcome once a later number has
    begun: a bench has one run at a time. So does what a bench has receipts for and is not seen. At
    most ``most`` stretches are named, the lowest first.
    """
    kinds: dict[int, set[str]] = {}
    stretches: list[tuple[int, int]] = []
    last = complete

    def lacks(first: int, until: int) -> None:
        if stretches and stretches[-1][1] == first - 1:
            stretches[-1] = (stretches[-1][0], until)
        elif len(stretches) < most:
            stretches.append((first, until))

    def settle(number: int) -> None:
        found = kinds.pop(number, set())
        if "start" not in found or len(found) < 2:
            lacks(number, number)

    for number, kind in seen:
        if number != last:
            if last in kinds:
                settle(last)
            if number > last + 1:
                lacks(last + 1, number - 1)
            last = number
        kinds.setdefault(number, set()).add("start" if kind == "start" else "outcome")
    over = last <= max(delivered.ended, delivered.started - 1)
    if last in kinds and ("start" not in kinds[last] or (over and len(kinds[last]) < 2)):
        lacks(last, last)
    if (highest := max(delivered.started, delivered.ended)) > last:
        lacks(last + 1, highest)
    open_at = last - 1 if kinds.get(last, set()) == {"start"} else last
    done = stretches[0][0] - 1 if stretches else open_at
    return Missing(max(done, complete), last, tuple(stretches))


def gap(
    office: str, bench: str, start: Mapping[int, set[str]], outcome: Mapping[int, set[str]]
) -> Gap:
    """Compare the numbers of starts and outcomes of one bench."""
    numbers = set(start) | set(outcome)
    return Gap(
        office,
        bench,
        missing=tuple(n for n in range(1, max(numbers) + 1) if n not in start),
        unfinished=tuple(sorted(set(start) - set(outcome))),
        double=tuple(
            sorted(n for n in numbers if len(start.get(n, set()) | outcome.get(n, set())) > 1)
        ),
    )
