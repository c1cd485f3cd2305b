"""What `tera doctor` finds at a records system without benches: keys, certificate, store, broker."""

from pathlib import Path

from acquisition.computer_findings import clock_finding, disk_finding
from acquisition.config import Premises
from acquisition.delivery_findings import broker_findings, own_key_finding
from acquisition.faults import sentence
from acquisition.finding import Finding
from acquisition.language import t
from acquisition.records_at_work import records_at_work
from acquisition.records_system import open_store
from acquisition.tls_findings import tls_findings
from broker.access import RECORDS


async def examine_records_system(settings: Premises) -> list[Finding]:
    """Check everything that a records system needs."""
    findings = [Finding(t("configuration"), "ok", t("read without errors"))]
    findings.append(own_key_finding(settings.records.keys))
    findings += tls_findings(settings)
    findings.append(clock_finding())
    if isinstance(settings.store.records, Path):
        findings.append(disk_finding(settings.store.records))
    findings += await _store(settings)
    findings += records_at_work(settings)
    findings += await broker_findings(settings, [RECORDS])
    return findings


async def _store(settings: Premises) -> list[Finding]:
    what = t("store")
    where = settings.store.records
    if isinstance(where, Path) and not where.exists():
        return [Finding(what, "ok", t("will be made at the first start"))]
    try:
        store = await open_store(settings)
        try:
            holds = await store.probe()
            benches = await store.benches(settings.office.code)
        finally:
            await store.close()
    except Exception as error:  # noqa: BLE001 - one fault never hides another
        return [Finding(what, "fault", sentence(error), t("do not delete it; call for help"))]
    text = t("{count} records", count=holds.records)
    if benches:
        bench, _, moment = max(benches, key=lambda entry: entry[2])
        text = t(
            "{count} records of {benches} benches, the newest of {bench}, received {moment}",
            count=holds.records,
            benches=len(benches),
            bench=bench,
            moment=moment.replace("T", " ")[:16],
        )
    findings = [Finding(what, "ok", text)]
    if holds.conflicts:
        text = t("{count} records contradict what is stored", count=holds.conflicts)
        advice = t("a person must look at them: `tera records conflicts`")
        findings.append(Finding(t("conflicts"), "note", text, advice))
    return findings
