"""What the records system measures of itself, gathered at the moment somebody asks.

All of it lies in memory, so that asking costs the same however many records are stored. Counters
begin anew with the program, as Prometheus expects of them.
"""

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from acquisition.exposition import Family
from acquisition.gauges import age_of, of_disk, of_service
from acquisition.records_service import Receiving
from broker.keyring import today
from broker.record import KINDS


def gather(records: Receiving) -> list[Family]:
    """Return every number of a records system at work."""
    where = records.settings.store.records
    return [
        *_store(records),
        *(of_disk(where) if isinstance(where, Path) else ()),
        *_broker(records),
        *_benches(records),
        *_keys(records),
        *of_service(records.settings, records.clock, records.heart),
    ]


def _one(name: str, help_: str, value: float | None) -> Family:
    family = Family(name, "counter" if name.endswith("_total") else "gauge", help_)
    if value is not None:
        family.add(value)
    return family


def _store(records: Receiving) -> list[Family]:
    taken, heart = records.store.taken, records.heart
    holds = heart.holds
    stored = Family("tera_records_stored_total", "counter", "New records, by kind.")
    for kind in KINDS:
        stored.add(taken[kind], kind=kind)
    return [
        stored,
        _one("tera_records_again_total", "Records whose bytes were there.", taken["again"]),
        _one(
            "tera_records_conflicting_total",
            "Records that contradict a stored one and were kept aside.",
            taken["conflict"],
        ),
        _one(
            "tera_records_uncommitted_total",
            "Records the store could not commit.",
            records.subscriber.failed,
        ),
        _one(
            "tera_store_records", "Records in the store.", None if holds is None else holds.records
        ),
        _one(
            "tera_store_conflicts",
            "What the store keeps aside; no more than 1000 are counted.",
            None if holds is None else holds.conflicts,
        ),
        _one("tera_store_writable", "1 when the store can be written.", int(heart.trouble is None)),
    ]


def _broker(records: Receiving) -> list[Family]:
    subscriber = records.subscriber
    return [
        _one(
            "tera_broker_connected",
            "1 while records are subscribed to.",
            int(subscriber.ready.is_set()),
        ),
        _one(
            "tera_broker_connections_total",
            "Times it was connected.",
            subscriber.connections,
        ),
        _one(
            "tera_messages_refused_total",
            "Messages that are no record of this office.",
            subscriber.refused - records.store.taken["conflict"],
        ),
        _one(
            "tera_messages_denied_total",
            "Messages the broker did not let us publish.",
            subscriber.denied,
        ),
        _one(
            "tera_receipts_published_total",
            "Records whose receipt was published.",
            subscriber.receipted,
        ),
        _one("tera_questions_total", "Questions for missing numbers.", subscriber.asked),
    ]


def _benches(records: Receiving) -> list[Family]:
    highest = Family("tera_bench_highest_number", "gauge", "Highest number that is stored.")
    missing = Family("tera_bench_missing_numbers", "gauge", "Numbers that lack a record.")
    silent = Family("tera_bench_silent_seconds", "gauge", "Time since a record of it came.")
    for name, bench in records.subscriber.benches.items():
        highest.add(bench.highest, bench=name)
        missing.add(bench.missing, bench=name)
        if bench.last:
            silent.add(round(age_of(bench.last), 3), bench=name)
    doubled = _one(
        "tera_numbers_claimed_twice_total",
        "Records whose number another verification of their bench bears.",
        records.subscriber.doubled,
    )
    return [highest, missing, silent, doubled]


def _keys(records: Receiving) -> list[Family]:
    signs = Family("tera_key_signs", "gauge", "1 for the key that signs today.")
    left = Family("tera_key_left_seconds", "gauge", "Time until a key that is not revoked ends.")
    key = records.signer.key()
    for known in records.signer.known:
        signs.add(int(key is not None and known.id == key.id), key=known.id)
        if known.revoked is None and known.valid_until >= today():
            ends = datetime.combine(known.valid_until + timedelta(days=1), time(), UTC)
            left.add(round((ends - datetime.now(UTC)).total_seconds()), key=known.id)
    return [signs, left]
