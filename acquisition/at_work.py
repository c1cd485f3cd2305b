"""What ``tera doctor`` finds at a station that is at work: its own numbers, or else its files.

An instrument that the service reads is not read a second time: its line has one reader.
"""

from dataclasses import dataclass, field
from pathlib import Path

from acquisition.config import Bench, Instrument, Station
from acquisition.exposition import from_text
from acquisition.finding import Finding
from acquisition.gauges import age_of
from acquisition.instruments import is_read_by_eye
from acquisition.language import t
from acquisition.premises import benches_at_work
from acquisition.scrape import ask
from broker.outbox import Outbox

_LONG = 24 * 3600.0
"""A record that waits longer for its receipt [s] needs somebody to look."""


@dataclass(slots=True)
class Service:
    """The service, as far as it can be seen from here."""

    benches: frozenset[str]
    """Benches of this station on which a program works."""
    listen: str | None
    """Where it shows its numbers."""
    numbers: dict[str, list[tuple[dict[str, str], float]]] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Station) -> "Service":
        """Look whether it is at work, and ask for its numbers."""
        listen = settings.metrics.listen
        known = {bench.name for bench in settings.bench}
        working = frozenset(benches_at_work(settings.store.outbox)) & known
        page = ask(listen) if listen is not None and working else None
        return cls(working, listen, {} if page is None else from_text(page))

    def number(self, name: str, **labels: str) -> float | None:
        """Return the sum of a number over what fits the labels; None when there is none."""
        fitting = [
            value for own, value in self.numbers.get(name, ()) if labels.items() <= own.items()
        ]
        return sum(fitting) if fitting else None


def service_findings(service: Service) -> list[Finding]:
    """Say whether the service is at work and gets on."""
    what = t("service")
    if not service.benches:
        said = t("not at work: start it with `tera run`, or systemctl start tante-sari")
        return [Finding(what, "note", said)]
    if not service.numbers:
        if service.listen is None:
            said = t(
                "at work, and it shows no numbers: add [metrics] listen to see them here",
            )
            return [Finding(what, "ok", said)]
        said = t("at work, but it shows no numbers at {value}", value=service.listen)
        return [Finding(what, "note", said)]
    findings = [Finding(what, "ok", t("at work on {count} benches", count=len(service.benches)))]
    findings += stuck_findings(service, t("start it again: systemctl restart tante-sari"))
    if service.number("tera_outbox_writable") == 0:
        findings.append(Finding(what, "fault", t("the outbox cannot be written")))
    findings += clock_findings(service)
    if dropped := service.number("tera_live_dropped_indications_total"):
        said = t(
            "{count} indications found no room in live blocks: dashboards have gaps, verdicts do not",
            count=int(dropped),
        )
        findings.append(Finding(t("live blocks"), "ok", said))
    refused = service.number("tera_messages_refused_total") or 0.0
    denied = service.number("tera_messages_denied_total") or 0.0
    if refused or denied:
        said = t(
            "{refused} messages to the benches were refused, {denied} of theirs the broker did not"
            " permit; the log of the service says which",
            refused=int(refused),
            denied=int(denied),
        )
        findings.append(Finding(t("messages"), "note", said))
    return findings


def stuck_findings(service: Service, restart: str) -> list[Finding]:
    """Say how many parts of a service do not get on; ``restart`` says how it is started again."""
    if not (stuck := service.number("tera_watchdog_stuck")):
        return []
    said = t("{count} parts of it do not get on", count=int(stuck))
    return [Finding(t("service"), "fault", said, restart)]


def clock_findings(service: Service) -> list[Finding]:
    """Say whether somebody set the clock under a service."""
    if not (jumps := service.number("tera_clock_jumps_total")):
        return []
    last = service.number("tera_clock_last_jump_seconds") or 0.0
    said = t(
        "the clock jumped {count} times since the service began, the last time by {seconds} s",
        count=int(jumps),
        seconds=f"{last:+.1f}",
    )
    return [Finding(t("clock"), "note", said)]


async def queue_finding(service: Service, outbox: Path) -> Finding:
    """Say what waits for its receipt, and for how long."""
    waiting = service.number("tera_outbox_waiting_records")
    age = service.number("tera_outbox_oldest_waiting_seconds")
    if waiting is None or age is None:
        waiting, age = await _from_file(outbox)
    what = t("outbox")
    if not waiting:
        said = t("{waiting} records wait for their receipt", waiting=0)
        return Finding(what, "ok", said)
    said = t(
        "{waiting} records wait for their receipt, the oldest for {age}",
        waiting=int(waiting),
        age=duration(age),
    )
    if age < _LONG:
        return Finding(what, "ok", said)
    advice = t(
        "the records system gives no receipts: look whether it runs and trusts the same keys"
    )
    return Finding(what, "note", said, advice)


def instrument_finding(service: Service, bench: Bench, instrument: Instrument) -> Finding:
    """Say what the service sees of an instrument."""
    if is_read_by_eye(instrument):
        return by_eye_finding(instrument)
    what = t("instrument {name}", name=instrument.name)
    where = {"bench": bench.name, "instrument": instrument.name}
    fault = service.number("tera_instrument_fault", **where)
    if fault is None:
        return Finding(what, "ok", t("in use by the service"))
    if fault:
        said = t("at fault; the log of the service says why")
        return Finding(what, "fault", said)
    said = t(
        "in use by the service: {shown} indications, {faults} faults, {garbled} garbled frames",
        shown=int(service.number("tera_instrument_indications_total", **where) or 0),
        faults=int(service.number("tera_instrument_faults_total", **where) or 0),
        garbled=int(service.number("tera_instrument_garbled_frames_total", **where) or 0),
    )
    return Finding(what, "ok", said)


def by_eye_finding(instrument: Instrument) -> Finding:
    """Say that an instrument without an interface needs none."""
    said = t("read by eye: nothing to connect; `tera verify {name}` asks", name=instrument.name)
    return Finding(t("instrument {name}", name=instrument.name), "ok", said)


async def _from_file(path: Path) -> tuple[float, float]:
    outbox = await Outbox.open(path)
    try:
        counts = await outbox.counts()
        return counts.waiting, age_of(await outbox.oldest_waiting())
    finally:
        await outbox.close()


def duration(seconds: float) -> str:
    """Say how long something lasts."""
    if seconds < 120:
        return t("{count} seconds", count=int(seconds))
    if seconds < 2 * 3600:
        return t("{count} minutes", count=int(seconds / 60))
    if seconds < 2 * 86400:
        return t("{count} hours", count=int(seconds / 3600))
    return t("{count} days", count=int(seconds / 86400))
