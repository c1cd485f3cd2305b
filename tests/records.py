"""Real messages for the tests of the way of a verdict."""

import asyncio
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from broker.outbox import Outbox
from broker.record import new_id
from broker.seal import PublicKey, SigningKey, Trust, sign

TIME = "2026-11-24T08:00:00.000Z"
SOFTWARE = {"name": "tante-sari", "version": "0.1.0"}

KEY = SigningKey.generate()
"""The key of the tests' records system."""
KNOWN = PublicKey(KEY.id, KEY.public, date(2026, 1, 1), date(2099, 12, 31))
TRUST = Trust([KNOWN])


def the_key() -> SigningKey:
    """Return the key that signs at the moment."""
    return KEY


def start(bench: str, verification: str | None = None, **other: Any) -> dict[str, Any]:
    """Return a start record without its number."""
    return {
        "schema": "tera/start/1",
        "id": verification or new_id(),
        "office": "3516",
        "bench": bench,
        "order": None,
        "routine": "nawi",
        "stage": "initial",
        "started": TIME,
        "trial": False,
        "instrument": {"kind": "timbangan elektronik", "serial": "A-1042", "e": "5 g"},
        "software": SOFTWARE,
        **other,
    }


def verdict(begun: dict[str, Any], number: int, **other: Any) -> dict[str, Any]:
    """Return a verdict record that ends the run of a start record."""
    point = {
        "nominal": Decimal(2500),
        "reference": Decimal(2500),
        "indication": Decimal("2500.0"),
        "error": Decimal("0.00"),
        "lower": Decimal("-2.50"),
        "upper": Decimal("2.50"),
        "expanded_uncertainty": None,
        "k": None,
        "unit": "g",
        "verdict": "conforming",
    }
    return {
        **begun,
        "schema": "tera/verdict/1",
        "number": number,
        "decided": TIME,
        "clock": "synchronised",
        "origin": "simulated" if begun["trial"] else "wire",
        "legal": not begun["trial"],
        "verdict": "conforming",
        "table": {
            "id": "r76",
            "edition": "2006",
            "clause": "3.5.1, table 6",
            "digest": "sha256:" + "0" * 64,
        },
        "decision_rule": "simple acceptance",
        "provisional": False,
        "standards": [{"id": "W-07"}],
        "environment": {"temperature": "28.4 °C"},
        "tests": [{"name": "weighing", "verdict": "conforming", "points": [point]}],
        "reasons": [],
        "cerapan": {"routine": "nawi", "stage": "initial"},
        "raw": [
            {
                "point": "weighing[0]",
                "instrument": "timbangan-1",
                "text": "2500.0",
                "time": TIME,
                "hex": "532053202020323530302e3020670d0a",
            }
        ],
        **other,
    }


def receipt(
    record: dict[str, Any],
    digest: str,
    stored: int = 1,
    *,
    key: SigningKey = KEY,
    received: str = TIME,
    **other: Any,
) -> dict[str, Any]:
    """Return the signed receipt for a record."""
    unsigned = {
        "schema": "tera/receipt/1",
        "office": "3516",
        "bench": record["bench"],
        "kind": record["schema"].split("/")[1],
        "id": record["id"],
        "digest": digest,
        "stored": stored,
        "received": received,
        **other,
    }
    return sign(unsigned, key)


async def verify_once(outbox: Outbox, bench: str, **other: Any) -> dict[str, Any]:
    """Commit a start and its verdict; return the verdict."""
    begun = start(bench, **other)
    number = await outbox.begin(bench, begun["id"], begun)
    record = verdict(begun, number)
    await outbox.put(record)
    return record


async def until(condition: Callable[[], bool], within: float = 30.0) -> None:
    """Wait until something that has no event has come true."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)
