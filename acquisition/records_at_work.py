"""What ``tera doctor`` finds at a records system that is at work: what its own numbers tell."""

from acquisition.at_work import Service, clock_findings, duration, stuck_findings
from acquisition.config import Premises
from acquisition.exposition import from_text
from acquisition.finding import Finding
from acquisition.language import t
from acquisition.scrape import ask


def records_at_work(settings: Premises) -> list[Finding]:
    """Say whether the records system of this configuration gets on; nothing where it is elsewhere."""
    listen = settings.records.metrics
    if listen is None:
        return []
    page = ask(listen)
    if page is None:
        said = t("it shows no numbers at {value}", value=listen)
        advice = t("start it with `tera records serve`, or systemctl start tante-sari-records")
        return [Finding(t("records system"), "fault", said, advice)]
    return findings_of(Service(frozenset(), listen, from_text(page)))


def findings_of(service: Service) -> list[Finding]:
    """Say what the numbers of a records system at work tell."""
    what = t("records system")
    count = int(service.number("tera_records_stored_total") or 0)
    return [
        Finding(what, "ok", t("at work; {count} new records since it began", count=count)),
        *stuck_findings(service, t("start it again: systemctl restart tante-sari-records")),
        *_troubles(service, what),
        *_benches(service),
        *clock_findings(service),
    ]


def _troubles(service: Service, what: str) -> list[Finding]:
    findings = []
    if service.number("tera_store_writable") == 0:
        said = t("the store cannot be written: no receipt is given; its log says why")
        findings.append(Finding(what, "fault", said))
    if service.number("tera_broker_connected") == 0:
        findings.append(Finding(what, "fault", t("not connected to the broker; its log says why")))
    if doubled := service.number("tera_numbers_claimed_twice_total"):
        said = t(
            "{count} records came under a number that another verification bears",
            count=int(doubled),
        )
        advice = t("somebody else spoke for a bench, or an outbox was copied: its log names each")
        findings.append(Finding(t("numbers"), "note", said, advice))
    refused = service.number("tera_messages_refused_total")
    denied = service.number("tera_messages_denied_total")
    if refused or denied:
        said = t(
            "{refused} messages were no record, {denied} answers the broker did not permit; its log"
            " says which",
            refused=int(refused or 0),
            denied=int(denied or 0),
        )
        findings.append(Finding(t("messages"), "note", said))
    return findings


def _benches(service: Service) -> list[Finding]:
    findings = []
    for labels, missing in service.numbers.get("tera_bench_missing_numbers", ()):
        if missing:
            said = t("{count} of its numbers lack a record", count=int(missing))
            advice = t("the bench is asked for them by itself: look whether its station runs")
            findings.append(
                Finding(t("bench {bench}", bench=labels["bench"]), "note", said, advice)
            )
    silent = service.numbers.get("tera_bench_silent_seconds", ())
    if silent:
        labels, longest = max(silent, key=lambda sample: sample[1])
        said = t(
            "{count} delivered; {bench} is silent the longest, for {age}",
            count=len(silent),
            bench=labels["bench"],
            age=duration(longest),
        )
        findings.append(Finding(t("benches"), "ok", said))
    return findings
