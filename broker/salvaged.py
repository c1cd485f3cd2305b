"""What was brought out of damaged files, put together into a fresh outbox.

The counterfoil is believed first, since each of its lines carries a checksum; then rows of the
database, which must fit their own bytes. Bytes are taken when their digest is that of a known record,
wherever they were found. Stamps come back where two places tell the same. Knows no files.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any

from broker.counterfoil import Line
from broker.failure import BrokerError
from broker.outbox_archive import read_archive
from broker.record import KINDS, decode, digest, kind_of, validate
from broker.rows import acknowledged
from broker.sqlite_pages import Row

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_RECEIPT = b'{"schema":"tera/receipt'

_STAGING = """
CREATE TEMP TABLE known (seq INTEGER PRIMARY KEY, kind TEXT, id TEXT, bench TEXT, number INT,
  trial INT, order_id TEXT, subject TEXT, digest TEXT UNIQUE, committed_at TEXT, sure INT,
  UNIQUE (id, kind));
CREATE UNIQUE INDEX temp.known_number ON known (bench, number) WHERE kind = 'start';
CREATE UNIQUE INDEX temp.known_outcome ON known (id) WHERE kind <> 'start';
CREATE TEMP TABLE found (seq INTEGER PRIMARY KEY, body BLOB);
CREATE TEMP TABLE stamps (seq INTEGER PRIMARY KEY, published_at TEXT, stored INT, received TEXT,
  receipt INT, archive INT, agreed INT DEFAULT 0);
CREATE TEMP TABLE receipts (receipt INTEGER PRIMARY KEY, body BLOB);
CREATE TEMP TABLE archives (archive INTEGER PRIMARY KEY, file TEXT, made_at TEXT, records INT);
CREATE TEMP TABLE orders (order_id TEXT PRIMARY KEY, body BLOB, received_at TEXT, closed_at TEXT,
  opening INT, since_seq INT)
"""


class Salvaged:
    """What is known so far; ``db`` is the fresh outbox, empty."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        for statement in _STAGING.split(";"):
            db.execute(statement)

    def know(self, line: Line) -> None:
        """Take a line of a counterfoil."""
        self._know(astuple(line), sure=True)

    def take_row(self, row: Row) -> None:
        """Take a row of any table that belongs to a whole transaction, if it is one of ours."""
        seq, values = row
        match values:
            case (None, str(kind), str(), str(), int(number), 0 | 1, _, _, str(own), _, str()):
                if kind in KINDS and number > 0 and _DIGEST.fullmatch(own):
                    self._know((seq, *values[1:9], values[10]), sure=False)
            case (None, str(), _, _, _, _, _):
                self._take_stamps(seq, *values[2:])
            case (None, str(file), str(), int()) if file.endswith(".sqlite"):
                self._keep("archives", (seq, *values[1:]))
            case (str(name), bytes(body), str(), _, int(), int()):
                with suppress(BrokerError):
                    order = decode(body)
                    validate(order, kind="order")
                    if order["order"] == name:
                        self._keep("orders", values)
            case _:
                pass

    def take_bytes(self, row: Row) -> None:
        """Take the bytes of a known record, or a receipt; wherever they lay."""
        number, values = row
        match values:
            case (None, bytes(body)) if body.startswith(_RECEIPT):
                with suppress(BrokerError):
                    validate(decode(body))
                    self._keep("receipts", (number, body))
            case (None, bytes(body)):
                self._take_body(body)
            case _:
                pass

    def anything(self) -> bool:
        """Say whether something was found that once lay in an outbox."""
        return any(
            self._db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()  # noqa: S608 - our own names
            for table in ("known", "orders")
        )

    def write(self) -> None:
        """Fill the outbox."""
        db = self._db
        self._believe_bodies()
        self._agree_on_stamps()
        self._look_into_archives()
        db.execute(
            "INSERT INTO record SELECT seq, kind, id, bench, number, trial, order_id, subject,"
            " digest, NULL, committed_at FROM known ORDER BY seq"
        )
        db.execute("INSERT INTO content SELECT seq, body FROM found ORDER BY seq")
        agreed = "SELECT receipt FROM stamps JOIN known USING (seq) WHERE agreed"
        db.execute(f"INSERT INTO receipt SELECT * FROM receipts WHERE receipt IN ({agreed})")  # noqa: S608
        db.execute("INSERT INTO archive SELECT * FROM archives")
        db.execute(
            "INSERT INTO delivery SELECT k.seq, k.bench, s.published_at,"
            " iif(s.agreed, s.stored, NULL), iif(s.agreed, s.received, NULL),"
            " iif(s.agreed, s.receipt, NULL),"
            " iif(s.agreed AND f.seq IS NULL, a.archive, NULL)"
            " FROM known AS k LEFT JOIN stamps AS s USING (seq) LEFT JOIN found AS f USING (seq)"
            " LEFT JOIN archives AS a ON a.archive = s.archive ORDER BY k.seq"
        )
        db.execute(
            "INSERT INTO ordered (order_id, body, received_at, closed_at, opening, since_seq)"
            " SELECT order_id, body, received_at, closed_at, opening, since_seq FROM orders"
        )

    def lost(self) -> Iterator[tuple[str, int, str, int | None]]:
        """Yield bench, number, kind and stored number of each record whose bytes are gone."""
        yield from self._db.execute(
            "SELECT r.bench, number, kind, stored_number FROM record AS r"
            " JOIN delivery AS d USING (seq) LEFT JOIN content AS c USING (seq)"
            " WHERE c.seq IS NULL AND d.archive IS NULL ORDER BY r.seq"
        ).fetchall()
        seen: dict[str, set[int]] = {}
        for bench, number in self._db.execute("SELECT bench, number FROM record"):
            seen.setdefault(bench, set()).add(number)
        for bench, numbers in sorted(seen.items()):
            for number in range(1, max(numbers)):
                if number not in numbers:
                    yield bench, number, "start", None

    def _know(self, values: tuple[Any, ...], *, sure: bool) -> None:
        """Keep what is said of a record, unless something that was said before contradicts it."""
        self._db.execute(
            "INSERT OR IGNORE INTO known VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, sure)
        )

    def _keep(self, table: str, values: tuple[Any, ...]) -> None:
        places = ", ".join("?" * len(values))
        self._db.execute(f"INSERT OR IGNORE INTO {table} VALUES ({places})", values)  # noqa: S608

    def _take_stamps(
        self, seq: int, published: Any, stored: Any, received: Any, *more: Any
    ) -> None:
        """Keep the stamps of a record; a receipt that is in is never taken back."""
        self._db.execute(
            "INSERT INTO stamps (seq, published_at, stored, received, receipt, archive)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (seq) DO UPDATE SET stored = excluded.stored,"
            " received = excluded.received, receipt = excluded.receipt,"
            " archive = coalesce(excluded.archive, archive)"
            " WHERE excluded.receipt IS NOT NULL AND (receipt IS NULL OR archive IS NULL)",
            (
                seq,
                published if isinstance(published, str) else None,
                stored if isinstance(stored, int) else None,
                received if isinstance(received, str) else None,
                *(value if isinstance(value, int) else None for value in more),
            ),
        )

    def _take_body(self, body: bytes) -> None:
        own = digest(body)
        known = self._db.execute("SELECT seq FROM known WHERE digest = ?", (own,)).fetchone()
        if known is not None:
            self._keep("found", (known[0], body))

    def _believe_bodies(self) -> None:
        """Have rows of the database say what their bytes say, whose digest vouches for them."""
        for seq, body in self._db.execute(
            "SELECT seq, body FROM found JOIN known USING (seq) WHERE NOT sure"
        ).fetchall():
            record = decode(body)
            self._db.execute(
                "UPDATE OR IGNORE known SET kind = ?, id = ?, bench = ?, number = ?, trial = ?,"
                " order_id = ?, subject = ? WHERE seq = ?",
                (
                    kind_of(record),
                    *(record[name] for name in ("id", "bench", "number", "trial", "order")),
                    record.get("subject"),
                    seq,
                ),
            )

    def _agree_on_stamps(self) -> None:
        """Mark the stamps that say what their receipt says."""
        for number, body in self._db.execute("SELECT receipt, body FROM receipts").fetchall():
            receipt: Mapping[str, Any] = decode(body)
            for entry in acknowledged(receipt):
                self._db.execute(
                    "UPDATE stamps SET agreed = 1 WHERE receipt = ? AND stored = ? AND received"
                    " IS NOT NULL AND seq = (SELECT seq FROM known WHERE digest = ?)",
                    (number, int(entry["stored"]), entry["digest"]),
                )

    def _look_into_archives(self) -> None:
        """Take back from archives what nothing else is left of."""
        missing = (
            "SELECT 1 FROM known LEFT JOIN stamps AS s USING (seq) LEFT JOIN archives USING (archive)"
            " WHERE seq NOT IN (SELECT seq FROM found) AND (s.agreed IS NOT 1 OR file IS NULL)"
        )
        if self._db.execute(missing).fetchone() is None:
            return
        for (file,) in self._db.execute("SELECT file FROM archives").fetchall():
            with suppress(BrokerError):
                for record in read_archive(Path(file)):
                    self._take_body(record.body)
