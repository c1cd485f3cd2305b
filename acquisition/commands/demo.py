"""``tera demo``: the main job, start to end, on simulated instruments with everything else real.

Real ptys and Modbus servers, the real drivers, the real outbox, an MQTT broker (embedded), and a
records system that stores and acknowledges. Everything is a trial, and says so.
"""

import argparse
import asyncio
import logging
import re
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from acquisition.config import Bench, Instrument, Records, Station, load_station
from acquisition.faults import Abandoned, BadInput, sentence
from acquisition.language import choose, t
from acquisition.output import console, print_json, progress_console, table, word
from acquisition.session import PointObserved, Recorded, Started, run
from acquisition.station import Running, is_trial, running
from acquisition.verdict_page import VerificationTable
from broker.embedded import embedded_broker
from broker.keyring import Signer, as_setting, in_charge, make_key, read_keys
from broker.store import RecordStore
from broker.subscriber import Subscriber

_RECEIPTS_WITHIN = 15.0
"""How long the records system may take to acknowledge everything [s]."""


@dataclass(slots=True)
class Outcome:
    """What became of one instrument."""

    instrument: str
    record: Mapping[str, Any] | None = None
    fault: str = ""
    stored: int | None = None
    notes: list[str] = field(default_factory=list)


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    settings = load_station(arguments.config)
    choose(settings.console.language)
    logging.basicConfig(level=logging.ERROR)
    simulated = tuple(b for b in settings.bench if is_trial(b))
    if not simulated:
        raise BadInput(
            'no bench in {file} is simulated: the demo needs instruments with port = "simulated"',
            file=arguments.config,
        )
    folder = settings.store.outbox.parent / "demo"
    store = settings.store.model_copy(
        update={"outbox": folder / "outbox.sqlite", "records": folder / "records.sqlite"}
    )
    signer = _own_keys(folder / "keys")
    return asyncio.run(
        _demo(
            settings.model_copy(
                update={"bench": simulated, "store": store, "records": _trusting(signer)}
            ),
            signer,
            arguments.json,
            arguments.svg,
        )
    )


def _own_keys(folder: Path) -> Signer:
    """Make the keys of the demonstration's records system, unless an earlier one made them."""
    today = datetime.now(UTC).date()
    if not folder.is_dir() or in_charge(read_keys(folder), today) is None:
        make_key(folder, today, today + timedelta(days=365))
    return Signer(folder)


def _trusting(signer: Signer) -> Records:
    """Return the settings of a station that trusts the demonstration's keys and no other."""
    return Records.model_validate({"trusted": [as_setting(key) for key in signer.known]})


async def _demo(settings: Station, signer: Signer, as_json: bool, picture: Path | None) -> int:
    records = Path(settings.store.records)
    records.parent.mkdir(parents=True, exist_ok=True)
    store = await RecordStore.open(records)
    try:
        async with embedded_broker() as address:
            subscriber = Subscriber(store, address, settings.office.code, signer.key)
            receiving = asyncio.create_task(subscriber.run(), name="records system")
            try:
                async with asyncio.timeout(_RECEIPTS_WITHIN):
                    await subscriber.ready.wait()
                async with running(settings, address) as station:
                    outcomes = await _verify_all(station)
                    await _receipts(station, store, outcomes)
            finally:
                receiving.cancel()
                await asyncio.gather(receiving, return_exceptions=True)
    finally:
        await store.close()
    if as_json:
        print_json(o.record for o in outcomes if o.record is not None)
    else:
        _show(outcomes, records, picture)
    complete = all(o.record is not None and o.stored is not None for o in outcomes)
    return 0 if complete else 3


async def _verify_all(station: Running) -> list[Outcome]:
    """Verify every instrument under test: benches side by side, instruments of a bench in turn."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=progress_console(),
    )
    outcomes: list[Outcome] = []

    async def work(bench: Bench) -> None:
        for subject in bench.instrument:
            if subject.role == "under_test":
                outcome = Outcome(subject.name)
                outcomes.append(outcome)
                await _verify(station, bench, subject, outcome, progress)

    with progress:
        async with asyncio.TaskGroup() as group:
            for bench in station.settings.bench:
                group.create_task(work(bench), name=bench.name)
    order = [i.name for b in station.settings.bench for i in b.instrument]
    return sorted(outcomes, key=lambda o: order.index(o.instrument))


async def _verify(
    station: Running, bench: Bench, subject: Instrument, outcome: Outcome, progress: Progress
) -> None:
    bar = progress.add_task(subject.name, total=None)
    try:
        job = station.job(bench, subject, station.simulated_hand(bench, subject))
        async with aclosing(run(job)) as events:
            async for event in events:
                match event:
                    case Started(_, _, points):
                        progress.update(bar, total=points)
                    case PointObserved():
                        progress.advance(bar)
                    case Recorded(record):
                        outcome.record = record
                    case _:
                        pass
    except Abandoned as error:
        outcome.fault = sentence(error)


async def _receipts(station: Running, store: RecordStore, outcomes: list[Outcome]) -> None:
    """Wait until the records system has acknowledged every verdict."""
    try:
        async with asyncio.timeout(_RECEIPTS_WITHIN):
            await station.outbox.wait_until_receipted()
    except TimeoutError:
        pass  # the table below shows which verdict has no receipt
    for outcome in outcomes:
        if outcome.record is not None:
            outcome.stored = await station.outbox.stored_number(outcome.record["id"])


def _show(outcomes: list[Outcome], records: Path, picture: Path | None) -> None:
    out = console(record=picture is not None)
    out.print()
    for outcome in outcomes:
        if outcome.record is None:
            out.print(f"{outcome.instrument}: {t('abandoned')}: {outcome.fault}", style="red")
            continue
        out.print()
        out.print(VerificationTable(outcome.record, outcome.instrument))
    summary = table(
        t("Verdicts"),
        [
            (t("instrument"), "left"),
            (t("verdict"), "left"),
            (t("legal table"), "left"),
            (t("number"), "right"),
            (t("stored as"), "right"),
            (t("status"), "left"),
        ],
    )
    for outcome in outcomes:
        record = outcome.record
        if record is None:
            continue
        summary.add_row(
            outcome.instrument,
            word(record["verdict"]),
            f"{record['table']['id']}@{record['table']['edition']}",
            str(record["number"]),
            "–" if outcome.stored is None else str(outcome.stored),
            t("TRIAL, not legal") if record["trial"] else "",
        )
    out.print(summary)
    out.print(
        t("All instruments are simulated: every verdict is a trial and legally void."),
        style="yellow",
    )
    out.print(t("Stored and acknowledged in {file}", file=_short(records)))
    if picture is not None:
        plain = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
        out.save_svg(str(picture), title="tera demo", code_format=plain)  # fetches no fonts


def _short(path: Path) -> str:
    """Write a path relative to here where it lies below here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
