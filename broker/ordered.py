"""Orders as they rest in an outbox: what is asked for, and what of it is still to be verified.

An instrument of an order is done when a run for it has a verdict; a run that was abandoned, by a
power cut or by a person, leaves it to be done. Knows SQL; opens no file and commits nothing.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.record import decode, timestamp

_DONE = """
SELECT s.subject FROM record AS s JOIN record AS v ON v.id = s.id AND v.kind = 'verdict'
WHERE s.order_id = ?1 AND s.kind = 'start' AND s.subject IS NOT NULL AND s.seq > ?2
UNION SELECT NULL FROM record
WHERE order_id = ?1 AND kind = 'start' AND subject IS NULL AND seq > ?2
"""
"""Instruments of an order with a verdict; NULL for a start of version 0.1.0, which names none."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a records system asks for."""

    order: str
    """Identity of the order."""
    instruments: tuple[str, ...]
    """Names of the instruments to verify."""
    owner: str
    """The records system's reference to the owner."""
    received: str
    """When the office received the instruments, UTC."""
    remaining: tuple[str, ...]
    """Those of the instruments that have no verdict yet."""
    opening: int
    """Counts how often the order was published anew or with other contents."""


def keep_order(db: sqlite3.Connection, order: Mapping[str, Any], body: bytes) -> bool:
    """Keep an order; False when it is open already, with the same contents.

    One that was withdrawn and is published again is a new request: verdicts from before do not
    count for it. One that is changed while it is open keeps what is done.
    """
    changed = db.execute(
        "INSERT INTO ordered (order_id, body, received_at) VALUES (?1, ?2, ?3)"
        " ON CONFLICT (order_id) DO UPDATE SET body = excluded.body,"
        " received_at = excluded.received_at, closed_at = NULL, opening = opening + 1,"
        " since_seq = CASE WHEN closed_at IS NULL THEN since_seq"
        " ELSE (SELECT coalesce(max(seq), 0) FROM record) END"
        " WHERE body <> excluded.body OR closed_at IS NOT NULL",
        (order["order"], body, timestamp()),
    )
    return changed.rowcount > 0


def close_order(db: sqlite3.Connection, order: str) -> None:
    """Note that the records system has withdrawn an order as finished."""
    db.execute(
        "UPDATE ordered SET closed_at = ? WHERE order_id = ? AND closed_at IS NULL",
        (timestamp(), order),
    )


def open_orders(db: sqlite3.Connection) -> list[Order]:
    """Return the orders that are not withdrawn, oldest first."""
    found = db.execute(
        "SELECT order_id, body, opening, since_seq FROM ordered WHERE closed_at IS NULL"
        " ORDER BY received_at, order_id"
    ).fetchall()
    orders = []
    for name, body, opening, after in found:
        order = decode(body)
        instruments = tuple(dict.fromkeys(order["instruments"]))
        done = {subject for (subject,) in db.execute(_DONE, (name, after))}
        remaining = () if None in done else tuple(i for i in instruments if i not in done)
        orders.append(
            Order(
                name, instruments, order.get("owner") or "", order["received"], remaining, opening
            )
        )
    return orders
