"""``tera verify``: one instrument's routine in the terminal, step by step."""

import argparse
import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from acquisition.config import Bench, Instrument, Station, load_station
from acquisition.faults import CONFORMING, NONCONFORMING, BadInput, sentence
from acquisition.hands import BothHands, Hand, ReadingHand, TechnicianHand, name_of_technician
from acquisition.instruments import is_read_by_eye, is_simulated
from acquisition.journal import ForPeople
from acquisition.language import choose, t
from acquisition.output import number, print_json
from acquisition.routine import Point
from acquisition.session import (
    Event,
    IndicationSeen,
    NotTaken,
    PointObserved,
    Recorded,
    Started,
    Verified,
    run,
)
from acquisition.setting_types import name_of_person
from acquisition.station import Running, running
from acquisition.training import debriefing
from acquisition.verdict_page import show_verification
from broker.outbox import Outbox
from calibration.refusal import Refused

_RECEIPT_WITHIN = 3.0
"""How long a receipt is waited for before the terminal is given back [s]."""
_BROKER_WITHIN = 1.0
"""How long the broker is waited for where the run was over before it had answered [s]."""


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    settings = load_station(arguments.config)
    choose(settings.console.language)
    say = logging.StreamHandler()
    say.setFormatter(ForPeople())
    logging.basicConfig(level=logging.ERROR, handlers=[say])  # a broker away is said at the end
    return asyncio.run(_verify(settings, arguments))


def _find(settings: Station, name: str) -> tuple[Bench, Instrument] | None:
    for bench in settings.bench:
        for instrument in bench.instrument:
            if instrument.name == name and instrument.role == "under_test":
                return bench, instrument
    return None


async def _ordered(settings: Station, name: str) -> tuple[str, str]:
    """Return (order, instrument) for an order that has arrived."""
    if settings.store.outbox.exists():
        outbox = await Outbox.open(settings.store.outbox)
        try:
            for order in await outbox.orders():
                if order.order == name:
                    left = order.remaining or order.instruments  # asked for once more by hand
                    return name, next((i for i in left if _find(settings, i)), left[0])
        finally:
            await outbox.close()
    known = [i.name for b in settings.bench for i in b.instrument if i.role == "under_test"]
    raise BadInput(
        "{name} is neither an order nor an instrument under test; instruments are {known}",
        name=name,
        known=", ".join(known),
    )


async def _verify(settings: Station, arguments: argparse.Namespace) -> int:
    order: str | None = None
    found = _find(settings, arguments.subject)
    if found is None:
        order, name = await _ordered(settings, arguments.subject)
        found = _find(settings, name)
        if found is None:
            raise BadInput(
                "order {order} names {name}, which this station does not have",
                order=order,
                name=name,
            )
    bench, subject = found
    _can_be_typed(subject, arguments)
    # Only this bench is opened: the others may be at work under `tera run`.
    narrowed = settings.model_copy(update={"bench": (bench,)})
    async with running(narrowed) as station:
        return await _guide(station, bench, subject, order, arguments)


def _can_be_typed(subject: Instrument, arguments: argparse.Namespace) -> None:
    """Refuse what belongs to an instrument that is read by eye where it is none, and scripts."""
    if not is_read_by_eye(subject):
        if arguments.by is not None:
            raise BadInput(
                "{name} has an interface: nobody reads it by eye", place="--by", name=subject.name
            )
    elif arguments.unattended:
        raise BadInput(
            "{name} is read by eye, and simulated hands have none",
            place="--unattended",
            name=subject.name,
        )
    elif not (sys.stdin and sys.stdin.isatty()):
        raise BadInput(
            "{name} is read by eye and typed at a terminal, and this is none: what stands on paper "
            "goes into an observation sheet (tera sheet nawi)",
            name=subject.name,
        )


def _named(given: str | None) -> str:
    try:
        return "" if given is None else name_of_person(given)
    except Refused as refused:
        raise BadInput(refused.template, place="--by") from None


async def _guide(
    station: Running,
    bench: Bench,
    subject: Instrument,
    order: str | None,
    arguments: argparse.Namespace,
) -> int:
    hand: Hand = TechnicianHand(subject.name)
    technician = ""
    if arguments.unattended:
        hand = station.simulated_hand(bench, subject)
    elif is_read_by_eye(subject):
        technician = _named(arguments.by) or bench.technician or await name_of_technician()
        line = station.lines.typed(subject, station.ports[subject.name])
        hand = ReadingHand(subject.name, line, subject.shown_unit())
    elif all(is_simulated(instrument) for instrument in bench.instrument):
        hand = BothHands(hand, station.simulated_hand(bench, subject))
    if (training := station.settings.training) is not None:
        print(t("Exercise: {title}", title=training.title), file=sys.stderr)
        print(training.task.strip(), file=sys.stderr)
    begun: list[int] = []
    try:
        job = station.job(bench, subject, hand, order=order, technician=technician)
        await station.publisher.compare_numbers(bench.name)
        async with aclosing(run(job)) as events:
            return await _view(events, station, bench, subject, arguments, begun)
    finally:
        for counter in begun:
            said = t("verification {number} ends without a verdict, on record", number=counter)
            print(f"\n{said}", file=sys.stderr)


async def _view(
    events: AsyncIterator[Event],
    station: Running,
    bench: Bench,
    subject: Instrument,
    arguments: argparse.Namespace,
    begun: list[int],
) -> int:
    """Show the events of a run; ``begun`` holds its number while it has no verdict."""
    over = "\r\x1b[K" if sys.stderr.isatty() else ""  # over the line before
    total = 0
    code = NONCONFORMING
    said: list[str] = []
    async for event in events:
        match event:
            case Started(_, counter, points):
                total = points
                begun.append(counter)
                print(
                    t(
                        "verification {number} of bench {bench}: {points} points",
                        number=counter,
                        bench=bench.name,
                        points=points,
                    ),
                    file=sys.stderr,
                )
            case IndicationSeen(seen) if sys.stderr.isatty():
                print(
                    f"{over}  {seen.text or t(seen.detail or '')} {seen.unit or ''}",
                    end="",
                    file=sys.stderr,
                    flush=True,
                )
            case NotTaken(seen, refusal):
                print(
                    f"{over}  {sentence(refusal) if refusal else t(seen.detail or '')}",
                    file=sys.stderr,
                )
            case PointObserved(index, point, seen, added):
                extra = "" if added is None else f"  ΔL {number(added)}"
                shown = f"{seen.text} {seen.unit}" if seen.unit else t(seen.text)
                print(
                    f"{over}  {index + 1}/{total} {_label(point)}: {shown}{extra}",
                    file=sys.stderr,
                )
            case Verified(result):
                said = [t(r.template, **r.values) for r in result.reasons]
            case Recorded(record):
                begun.clear()
                code = CONFORMING if record["verdict"] == "conforming" else NONCONFORMING
                if arguments.json:
                    print_json([record])
                else:  # the record and not the evaluation: it knows what was simulated
                    more = [t(reason) for reason in record["reasons"][len(said) :]]
                    show_verification(record, subject.name, [*said, *more])
                    print(await _what_became_of_it(station, record))
                if station.settings.training is not None:
                    print(debriefing(station.settings.training, record), file=sys.stderr)
            case _:
                pass
    return code


def _label(point: Point) -> str:
    """Name a point's test and what was done there."""
    step = point.instruction
    if step.flow_rate is not None:
        return f"{t('accuracy')} {step.flow_rate}"
    where = f", {t('position')} {step.position}" if step.position else ""
    return f"{t(point.test)} {step.quantity}{where}"


async def _what_became_of_it(station: Running, record: Mapping[str, Any]) -> str:
    """Wait a moment for the receipt, and say where the verdict is now."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_BROKER_WITHIN):
            await station.publisher.connected.wait()
        async with asyncio.timeout(_RECEIPT_WITHIN):
            await station.outbox.wait_until_receipted()
    stored = await station.outbox.stored_number(record["id"])
    if stored is not None:
        return t(
            "committed as number {number}, stored as {stored}",
            number=record["number"],
            stored=stored,
        )
    return t(
        "committed as number {number}; it goes out when the broker is there",
        number=record["number"],
    )
