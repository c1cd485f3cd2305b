"""What `tera doctor` says of the way of a verdict: keys of receipts, the broker, orders that wait."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from acquisition.config import Premises, Station
from acquisition.faults import BadInput, sentence
from acquisition.finding import Finding
from acquisition.language import t
from acquisition.station import broker_address, is_trial, unknown_instruments
from broker.examination import examine
from broker.failure import BrokerError
from broker.keyring import in_charge, read_keys, today
from broker.outbox import Outbox
from broker.publisher import reach
from broker.salvage import kept_aside

_SOON = timedelta(days=30)
_ANSWER_WITHIN = 5.0
"""How long the broker may take to answer [s]."""


def key_findings(settings: Station) -> list[Finding]:
    """Say whether receipts can be taken, and whether our own keys are private and valid."""
    findings = [_trusted(settings)]
    if settings.records.keys.is_dir():
        findings.append(own_key_finding(settings.records.keys))
    return findings


def _trusted(settings: Station) -> Finding:
    what = t("keys of receipts")
    advice = t("enter what `tera keys show` prints at the records system under [[records.trusted]]")
    keys = [trusted.key() for trusted in settings.records.trusted]
    able = [key for key in keys if key.revoked is None and key.valid_until >= today()]
    if not able:
        void = all(is_trial(bench) for bench in settings.bench)
        text = t("no key is trusted: no receipt can be taken, and every verdict waits")
        return Finding(what, "note" if void else "fault", text, advice)
    last = max(key.valid_until for key in able)
    text = t("trusted until {day}", day=last)
    return (
        Finding(what, "note", text, advice) if last - today() < _SOON else Finding(what, "ok", text)
    )


def own_key_finding(folder: Path) -> Finding:
    """Say whether a key of this records system signs, and for how long."""
    what = t("own keys")
    try:
        keys = read_keys(folder)
        pair = in_charge(keys, today())
    except BrokerError as error:
        return Finding(what, "fault", sentence(error))
    advice = t("make one with `tera keys rotate`")
    if pair is None:
        return Finding(what, "fault", t("no key signs today"), advice)
    last = max(pair.known.valid_until for pair in keys if pair.known.revoked is None)
    text = t("{key} signs until {day}", key=pair.known.id, day=pair.known.valid_until)
    return (
        Finding(what, "note", text, advice) if last - today() < _SOON else Finding(what, "ok", text)
    )


async def broker_findings(settings: Premises, names: Sequence[str]) -> list[Finding]:
    """Reach the broker; where there are certificates, as each of those who have one."""
    tls = settings.broker.tls
    asking = names if tls is not None and tls.folder is not None else names[:1]
    found = await asyncio.gather(*(_broker_for(settings, name) for name in asking))
    return list(dict.fromkeys(found))  # what is the same for all is said once


async def _broker_for(settings: Premises, who: str) -> Finding:
    what = t("broker")
    try:
        version = await reach(broker_address(settings, who), within=_ANSWER_WITHIN)
    except Exception as error:  # noqa: BLE001 - one fault never hides another
        # Bad input is a file of ours, and not the network.
        advice = (
            t("see the certificates above, and [broker]")
            if isinstance(error, BadInput)
            else t("verdicts wait on disk until it is back; check [broker] and the network")
        )
        return Finding(what, "fault", sentence(error), advice)
    secured = settings.broker.tls is not None
    text = t(
        "answers with MQTT {version} over TLS" if secured else "answers with MQTT {version}",
        version=version,
    )
    return Finding(what, "ok", text)


async def damage_findings(outbox: Path, *, at_work: bool) -> list[Finding]:
    """Say whether the outbox is damaged, was damaged before, or has records without bytes.

    An outbox at work was examined when the work began.
    """
    what = t("damage of the outbox")
    try:
        why = None if at_work else await asyncio.to_thread(examine, outbox)
        lost = [] if why is not None else await _lost(outbox)
    except BrokerError:
        return []  # the outbox has a finding of its own
    if why is not None:
        advice = t("start the station: it recovers what can be read and keeps the damaged files")
        return [Finding(what, "fault", t("damaged: {why}", why=sentence(why)), advice)]
    findings = []
    if aside := kept_aside(outbox):
        day = aside[0].name.rpartition("-")[2][:8]
        text = t(
            "it was damaged {count} times, the last time on {day}; the files are kept in {folder}",
            count=len(aside),
            day=f"{day[:4]}-{day[4:6]}-{day[6:]}",
            folder=aside[0],
        )
        advice = t("keep the folder for whoever examines it, or delete it once nobody needs it")
        findings.append(Finding(what, "note", text, advice))
    if lost:
        bench, number, kind = lost[0]
        text = t(
            "{count} records lost their bytes, the first is the {kind} of number {number} of bench"
            " {bench}",
            count=len(lost),
            kind=t(kind),
            number=number,
            bench=bench,
        )
        advice = t("look for them at the records system; what is not there must be verified again")
        findings.append(Finding(what, "fault", text, advice))
    return findings


async def _lost(path: Path) -> list[tuple[str, int, str]]:
    if not path.exists():  # noqa: ASYNC240 - one look at a local disk
        return []
    outbox = await Outbox.open(path)
    try:
        return await outbox.lost()
    finally:
        await outbox.close()


async def number_findings(outbox: Path) -> list[Finding]:
    """Name the benches that give no number, since they gave some that are not here."""
    if not outbox.exists():  # noqa: ASYNC240 - one look at a local disk
        return []
    try:
        opened = await Outbox.open(outbox)
        try:
            held_up = await opened.held_up_benches()
        finally:
            await opened.close()
    except BrokerError:
        return []  # the outbox has a finding of its own
    return [
        Finding(
            t("numbers of bench {bench}", bench=older.evidence["bench"]), "fault", sentence(older)
        )
        for older in held_up
    ]


async def order_findings(settings: Station) -> list[Finding]:
    """Name the orders of which something is left, and what no bench of this station has."""
    if not settings.store.outbox.exists():
        return []
    try:
        outbox = await Outbox.open(settings.store.outbox)
        try:
            orders = [order for order in await outbox.orders() if order.remaining]
        finally:
            await outbox.close()
    except BrokerError:
        return []  # the outbox has a finding of its own
    findings = []
    elsewhere = []
    for order in orders:
        what = t("order {order}", order=order.order)
        strange = unknown_instruments(settings, order)
        left = t("still to be verified: {names}", names=", ".join(order.remaining))
        if len(strange) == len(order.remaining):
            elsewhere.append(order.order)
        elif strange:
            text = t("no bench here has {names}", names=", ".join(strange))
            advice = t("correct the order, or let the station verify it that has them")
            findings.append(Finding(what, "note", f"{left}; {text}", advice))
        else:
            findings.append(Finding(what, "ok", left))
    if elsewhere:
        text = t(
            "{count} name no instrument of this station, the last is {order}",
            count=len(elsewhere),
            order=elsewhere[-1],
        )
        findings.append(Finding(t("orders of other stations"), "ok", text))
    return findings
