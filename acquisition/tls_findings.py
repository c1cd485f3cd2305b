"""What `tera doctor` says of the way to the broker: whether it is secured, and each certificate."""

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from acquisition.config import Premises, Station
from acquisition.faults import BadInput, sentence
from acquisition.finding import Finding
from acquisition.language import t
from acquisition.secured import checked_tls, tls_of
from broker.access import RECORDS
from broker.authority import Certificate, read_certificate
from broker.failure import BadSecret

_SOON = timedelta(days=30)


def tls_findings(settings: Premises) -> list[Finding]:
    """Say of each certificate whether it will do, and until when."""
    tls = settings.broker.tls
    if tls is None:
        return [] if _is_here(settings.broker.host) else [_open_to_all()]
    findings = []
    ca_file = tls.ca_file or (tls.folder and tls.folder / "ca.crt")
    if ca_file is not None:
        findings.append(_dated(t("authority {file}", file=ca_file), ca_file))
    if tls.folder is not None:
        names = [b.name for b in settings.bench] if isinstance(settings, Station) else []
        if not names or settings.records.keys.is_dir():
            names.append(RECORDS)
        findings += [_own(settings, name) for name in names]
        # Where the folder may not be looked into, the certificates have said so.
        if os.access(tls.folder / "ca.key", os.F_OK):
            findings.append(_authority_here(tls.folder))
    return findings


def _own(settings: Premises, who: str) -> Finding:
    tls = tls_of(settings, who)
    assert tls is not None  # noqa: S101 - the only caller has looked
    assert tls.certificate_file is not None  # noqa: S101
    what = t("certificate {name}", name=tls.name)
    try:
        checked_tls(settings, who)
    except BadInput as error:
        advice = t("without it nothing is delivered: `tera broker issue` at the office makes one")
        return Finding(what, "fault", sentence(error), advice)
    return _dated(what, tls.certificate_file)


def _dated(what: str, file: Path) -> Finding:
    try:
        return _counts(what, read_certificate(file), datetime.now(UTC))
    except BadSecret as error:
        return Finding(what, "fault", sentence(error), t("copy it here from the office"))


def _counts(what: str, found: Certificate, now: datetime) -> Finding:
    advice = t("have a new one made with `tera broker issue` at the office")
    match found.state(now):
        case "ended":
            return Finding(what, "fault", t("it ended on {day}", day=found.ends.date()), advice)
        case "waits":
            text = t("it counts from {day} only", day=found.begins.date())
            return Finding(what, "fault", text, t("look at the clock of this computer"))
    text = t("valid until {due}", due=found.ends.date())
    if found.ends - now < _SOON:
        return Finding(what, "note", text, advice)
    return Finding(what, "ok", text)


def _open_to_all() -> Finding:
    return Finding(
        t("way to the broker"),
        "note",
        t("it is not secured: whoever is on the network reads what is sent, and can withhold it"),
        t("set up TLS: `tera broker make`, then [broker.tls]"),
    )


def _authority_here(folder: Path) -> Finding:
    return Finding(
        t("authority {file}", file=folder),
        "note",
        t(
            "its key ca.key lies on this computer: who steals the disk makes certificates for anybody"
        ),
        t("keep it on a computer of the office, and copy only what is needed here"),
    )


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
