"""``tera records copy``: the records of another store, an archive or an outbox, into the configured store.

For a store that moves to another database, and for records that their station cannot send again:
those of archives that lie elsewhere, of benches that are no more, of a computer that is out of service.
Nothing is believed because it is there: each record is read from its bytes, which fit their digest.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from acquisition.config import Premises
from acquisition.faults import CONFORMING, NONCONFORMING, sentence
from acquisition.language import t
from acquisition.output import print_json
from acquisition.records_system import open_store, read_all
from broker.failure import BadRecord, BrokerError, ConflictingRecord
from broker.record import KINDS, decode, digest, validate
from broker.store import RecordStore
from broker.stored import Arrival, StoredRecord

_TOGETHER = 200
"""Most records of one transaction."""


async def copy_records(settings: Premises, arguments: argparse.Namespace) -> int:
    """Run the command."""
    source: Path = arguments.file
    damaged = 0
    batch: list[StoredRecord] = []
    store = await open_store(settings)
    try:
        async for record in read_all(source):
            try:
                batch.append(_from_its_bytes(record))
            except BrokerError as error:
                damaged += 1
                print(f"{t(record.kind)} {record.id}: {sentence(error)}", file=sys.stderr)
            if len(batch) == _TOGETHER:
                await _keep(store, batch)
                batch.clear()
        await _keep(store, batch)
    finally:
        await store.close()
    _tell(store.taken, damaged, as_json=arguments.json)
    return NONCONFORMING if damaged or store.taken["conflict"] else CONFORMING


async def _keep(store: RecordStore, batch: Sequence[StoredRecord]) -> None:
    for answer in await store.keep_all(batch):
        if isinstance(answer, ConflictingRecord):
            print(sentence(answer), file=sys.stderr)


def _from_its_bytes(record: StoredRecord) -> StoredRecord:
    if digest(record.body) != record.digest:
        raise BadRecord("its bytes are not those of its digest: it is not copied")
    said = decode(record.body)
    kind = validate(said)
    if kind not in KINDS:
        raise BadRecord("a {kind} message is no record", kind=kind)
    own = Arrival.of(said, record.body)
    return replace(record, **{field.name: getattr(own, field.name) for field in fields(Arrival)})


def _tell(taken: Counter[str], damaged: int, *, as_json: bool) -> None:
    new = sum(taken[kind] for kind in KINDS)
    if as_json:
        found = {"copied": new, "again": taken["again"], "conflicts": taken["conflict"]}
        print_json([{**found, "damaged": damaged}])
        return
    print(t("{new} records copied, {again} were there already", new=new, again=taken["again"]))
    if taken["conflict"]:
        print(t("{count} records contradict what is stored", count=taken["conflict"]))
    if damaged:
        print(t("{count} records are damaged and were not copied", count=damaged))
