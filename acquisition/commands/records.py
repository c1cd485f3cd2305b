"""``tera records``: the reference records system, which stores what stations deliver.

``serve`` is what a station delivers to: it stores, signs the receipt with its own key, and asks
again for numbers that are missing. ``list`` and ``show`` read the store, or an archive, and
``conflicts`` what was kept aside.
``archive`` belongs to the station: it moves from its outbox what is receipted and old.
"""

import argparse
import asyncio
import gc
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.text import Text

from acquisition.commands.order import order
from acquisition.commands.records_copy import copy_records
from acquisition.config import Premises, load_records_system
from acquisition.exposition import to_text
from acquisition.faults import CONFORMING, NONCONFORMING, BadInput
from acquisition.journal import Journal, open_journal
from acquisition.language import choose, t
from acquisition.notify import notify
from acquisition.output import console, print_json, table, word
from acquisition.records_gauges import gather
from acquisition.records_service import receiving
from acquisition.records_system import conflicts, find, find_instrument, find_one
from acquisition.scrape import metrics_page
from acquisition.stopping import stop_signal
from acquisition.verdict_page import show_verification
from broker.keyring import Signer
from broker.outbox_archive import archive
from broker.record import decode, digest
from broker.stored import StoredRecord

log = Journal(__name__)

SELDOM = (50_000, 20, 100)
"""When garbage is looked for: records are many small objects and no cycles. An eighth of the time."""


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    file: Path | None = getattr(arguments, "file", None)
    if (
        file is not None
        and arguments.config == Path("config.toml")
        and not arguments.config.exists()
        and arguments.action != "copy"
    ):
        return _look(file, arguments)  # an archive, on any computer
    settings = load_records_system(arguments.config)
    choose(settings.console.language)
    match arguments.action:
        case "serve":
            return _serve(settings, arguments.name)
        case "list" | "show":
            return _look(file or settings, arguments)
        case "order":
            return order(settings, arguments)
        case "conflicts":
            return _conflicts(settings, arguments)
        case "archive":
            return _archive(settings, arguments)
        case "copy":
            return asyncio.run(copy_records(settings, arguments))
    raise BadInput(
        "certificates are not made yet: `tera records show` prints what one would rest on",
        place="tera records certificate",
    )


def _serve(settings: Premises, name: str) -> int:
    try:
        open_journal(settings.log)
    except OSError as error:
        raise BadInput(
            "cannot write {file}: {why}",
            place="log.file",
            file=settings.log.file,
            why=error.strerror,
        ) from None
    signer = Signer(settings.records.keys)  # before anything starts: without a key it is of no use
    gc.set_threshold(*SELDOM)
    return asyncio.run(_receive(settings, signer, name))


async def _receive(settings: Premises, signer: Signer, name: str) -> int:
    stopped = stop_signal()
    async with receiving(settings, signer, name) as records, AsyncExitStack() as more:
        if settings.records.metrics is not None:

            async def page() -> str:
                return to_text(gather(records))

            listen = settings.records.metrics
            await more.enter_async_context(metrics_page(listen, page, "records.metrics"))
        log.info(
            "the records system of office {office} runs on {file}; SIGTERM stops it",
            event="started",
            office=settings.office.code,
            file=records.store.name,
        )
        notify("READY=1")
        try:
            code = await stopped
        finally:
            notify("STOPPING=1")
    log.info(
        "stopped; {accepted} records stored or found again, {refused} refused",
        event="stopped",
        accepted=records.subscriber.accepted,
        refused=records.subscriber.refused,
    )
    return code


def _day(text: str | None, place: str) -> str | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise BadInput("{text} is not a date like 2026-11-24", place=place, text=text) from None


def _look(place: Premises | Path, arguments: argparse.Namespace) -> int:
    return (_list if arguments.action == "list" else _show)(place, arguments)


def _list(place: Premises | Path, arguments: argparse.Namespace) -> int:
    if arguments.limit < 0:
        raise BadInput("must be greater than 0", place="--limit")
    if arguments.trials and arguments.no_trials:
        raise BadInput("write --trials or --no-trials, not both", place="tera records list")
    asked = {
        "kind": arguments.kind or ("verdict" if arguments.verdict else None),
        "bench": arguments.bench,
        "verdict": arguments.verdict,
        "trial": True if arguments.trials else False if arguments.no_trials else None,
        "since": _day(arguments.since, "--since"),
        "before": _day(arguments.before, "--before"),
        "limit": arguments.limit or None,
        "newest": True,
    }
    if arguments.serial is None:
        found = asyncio.run(find(place, **asked))
    else:
        found = asyncio.run(find_instrument(place, arguments.serial, **asked))
    if arguments.json:
        print_json(_listed(record) for record in found)
    else:
        _print(found)
    return _whole(found)


def _show(place: Premises | Path, arguments: argparse.Namespace) -> int:
    found = asyncio.run(find_one(place, arguments.which))
    if not found:
        raise BadInput("there is no record {which}", which=arguments.which)
    if arguments.json:
        print_json({**_listed(record), "record": record.record} for record in found)
        return _whole(found)
    _print(found)
    print(f"{t('identity')}: {found[0].id}")
    for stored in found:
        if stored.kind == "verdict":
            record = _exact(stored.record)
            name = str(record["instrument"].get("serial", stored.id))
            show_verification(record, name, [t(reason) for reason in record["reasons"]])
        elif stored.kind == "abandonment":
            console().print(f"{t('abandoned')}: {t(stored.record['reason'])}")
    return _whole(found)


def _conflicts(settings: Premises, arguments: argparse.Namespace) -> int:
    """Print what contradicts a stored record, for a person to look at; 1 when there is any."""
    found = asyncio.run(conflicts(settings))
    if arguments.json:
        print_json(
            {
                "kind": one.kind,
                "id": one.id,
                "received": one.received_at,
                "digest": one.digest,
                "record": decode(one.body),
            }
            for one in found
        )
        return NONCONFORMING if found else CONFORMING
    drawn = table(
        t("Kept aside, since it contradicts what is stored"),
        [
            (t("received"), "left"),
            (t("bench"), "left"),
            (t("number"), "right"),
            (t("kind"), "left"),
            (t("identity"), "left"),
        ],
    )
    for one in found:
        record = decode(one.body)
        bench, number = str(record.get("bench", "")), str(record.get("number", ""))
        drawn.add_row(_moment(one.received_at), bench, number, t(one.kind), one.id)
    console().print(drawn)
    if found:
        text = t("`tera records show IDENTITY` shows what is stored, --json here what was refused")
        print(text, file=sys.stderr)
    return NONCONFORMING if found else CONFORMING


def _moment(received: str) -> str:
    return received.replace("T", " ")[:19]


def _exact(value: Any) -> Any:
    """Return a record with its whole numbers as the decimals they were before JSON."""
    if isinstance(value, Mapping):
        return {name: _exact(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_exact(inner) for inner in value]
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _listed(record: StoredRecord) -> Mapping[str, Any]:
    return {
        "stored": record.stored or None,
        "received": record.received_at or None,
        "kind": record.kind,
        "id": record.id,
        "office": record.office,
        "bench": record.bench,
        "number": record.number,
        "trial": record.trial,
        "verdict": record.verdict,
        "digest": record.digest,
        "whole": digest(record.body) == record.digest,
    }


def _print(found: Sequence[StoredRecord]) -> None:
    drawn = table(
        t("Records"),
        [
            (t("stored as"), "right"),
            (t("received"), "left"),
            (t("bench"), "left"),
            (t("number"), "right"),
            (t("kind"), "left"),
            (t("verdict"), "left"),
            (t("status"), "left"),
        ],
    )
    for record in found:
        trial = t("TRIAL, not legal") if record.trial else ""
        damaged = digest(record.body) != record.digest
        drawn.add_row(
            str(record.stored) if record.stored else "–",
            _moment(record.received_at) or "–",
            record.bench,
            str(record.number),
            t(record.kind),
            Text("") if record.verdict is None else word(record.verdict),
            Text(t("DAMAGED"), style="bold red") if damaged else Text(trial),
        )
    console().print(drawn)


def _whole(found: Sequence[StoredRecord]) -> int:
    """Return 1 when a record is not what its digest says."""
    return NONCONFORMING if any(digest(r.body) != r.digest for r in found) else CONFORMING


def _archive(settings: Premises, arguments: argparse.Namespace) -> int:
    before = _day(arguments.before, "--before") or ""
    if not settings.store.outbox.exists():
        raise BadInput("no such file: {file}", place="store.outbox", file=settings.store.outbox)
    moved = archive(settings.store.outbox, before, arguments.to)
    if arguments.json:
        print_json({"file": str(entry.file), "records": entry.records} for entry in moved)
        return 0
    for entry in moved:
        print(t("{records} records are now in {file}", records=entry.records, file=entry.file))
    if not moved:
        print(t("nothing that is receipted is older than {day}", day=before))
    return 0
