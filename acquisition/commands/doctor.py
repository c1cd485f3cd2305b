"""``tera doctor``: what is wrong at this station or records system, and what to do about it.

Each check answers for itself, so that one fault never hides another.
"""

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

from rich.text import Text

from acquisition.at_work import (
    Service,
    by_eye_finding,
    instrument_finding,
    queue_finding,
    service_findings,
)
from acquisition.computer_findings import clock_finding, computer_findings, disk_finding
from acquisition.config import Instrument, Premises, Station, load_records_system
from acquisition.delivery_findings import (
    broker_findings,
    damage_findings,
    key_findings,
    number_findings,
    order_findings,
)
from acquisition.faults import BadInput, sentence
from acquisition.finding import Finding
from acquisition.instruments import Lines, is_read_by_eye, is_simulated, make_driver
from acquisition.language import choose, english_for_programs, t
from acquisition.output import console, print_json, table
from acquisition.records_at_work import records_at_work
from acquisition.records_findings import examine_records_system
from acquisition.register import approved_digests
from acquisition.simulated_workshop import SimulatedWorkshop
from acquisition.tls_findings import tls_findings
from calibration.mpe import legal_table
from drivers.indication import Condition, Indication

_ANSWER_WITHIN = 5.0
"""How long an instrument may take to show its first indication [s]."""

_ROUTINE_TABLES = {"nawi": "r76", "volume-meter": "r117"}


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    if arguments.probe is not None:
        from acquisition import probing

        return probing.main(arguments)
    if arguments.commission is not None:
        from acquisition.commands import commission

        return commission.main(arguments)
    if arguments.value is not None or arguments.settings:
        raise BadInput("--value and --set belong to --commission")
    settings = load_records_system(arguments.config)
    choose(settings.console.language)
    with english_for_programs() if arguments.json else contextlib.nullcontext():
        findings = asyncio.run(_examine(settings))
    if arguments.json:
        print_json(
            {"check": f.what, "state": f.state, "text": f.text, "advice": f.advice}
            for f in findings
        )
    else:
        station = isinstance(settings, Station)
        _show(
            t("Examination of the station") if station else t("Examination of the records system"),
            findings,
        )
    return 3 if any(f.state == "fault" for f in findings) else 0


async def _examine(settings: Premises) -> list[Finding]:
    if isinstance(settings, Station):
        return await _examine_station(settings)
    return await examine_records_system(settings)


async def _examine_station(settings: Station) -> list[Finding]:
    findings = [Finding(t("configuration"), "ok", t("read without errors"))]
    findings += _standards(settings)
    findings += _tables(settings)
    findings += key_findings(settings)
    findings += tls_findings(settings)
    findings.append(clock_finding())
    findings.append(disk_finding(settings.store.outbox))
    findings += computer_findings(settings.store.outbox)
    service = Service.of(settings)
    findings += service_findings(service)
    findings += records_at_work(settings)
    findings.append(await _outbox(service, settings.store.outbox))
    findings += await damage_findings(settings.store.outbox, at_work=bool(service.benches))
    findings += await number_findings(settings.store.outbox)
    findings += await broker_findings(settings, [bench.name for bench in settings.bench])
    findings += await order_findings(settings)
    workshop, lines = SimulatedWorkshop(), Lines()
    try:
        checks = [
            _instrument(instrument, workshop, lines)
            for bench in settings.bench
            for instrument in bench.instrument
            if bench.name not in service.benches
        ]
        findings += [
            instrument_finding(service, bench, instrument)
            for bench in settings.bench
            for instrument in bench.instrument
            if bench.name in service.benches
        ]
        findings += await asyncio.gather(*checks)
    finally:
        await lines.aclose()
        await workshop.stop()
    return findings


def _standards(settings: Station) -> list[Finding]:
    today = date.today()  # noqa: DTZ011 — a due date is a day at the office
    findings = []
    for standard in settings.standards:
        what = t("standard {id}", id=standard.id)
        left = -1 if standard.due is None else (standard.due - today).days
        if left < 0:
            findings.append(
                Finding(
                    what,
                    "fault",
                    t("its certificate ended on {due}", due=standard.due),
                    t("have it calibrated; until then no verdict that uses it is legal"),
                )
            )
        else:
            state = "note" if left < 30 else "ok"
            findings.append(Finding(what, state, t("valid until {due}", due=standard.due)))
    return findings


def _tables(settings: Station) -> list[Finding]:
    approved = approved_digests(settings)
    findings = []
    for routine in dict.fromkeys(bench.routine for bench in settings.bench):
        entry = legal_table(_ROUTINE_TABLES[routine])
        what = t("legal table {id}", id=f"{entry.id}@{entry.edition}")
        if entry.digest in approved:
            findings.append(Finding(what, "ok", t("approved by the office")))
        else:
            findings.append(
                Finding(
                    what,
                    "note",
                    t("not approved by the office: its verdicts are not legal"),
                    t(
                        "compare it with the law, then: tera tables approve {id} --by NAME",
                        id=entry.id,
                    ),
                )
            )
    return findings


async def _outbox(service: Service, path: Path) -> Finding:
    what = t("outbox")
    if not path.exists():  # noqa: ASYNC240 - one look at a local disk
        return Finding(what, "ok", t("will be made at the first start"))
    try:
        return await queue_finding(service, path)
    except Exception as error:  # noqa: BLE001 - one fault never hides another
        return Finding(what, "fault", sentence(error), t("do not delete it; call for help"))


async def _instrument(settings: Instrument, workshop: SimulatedWorkshop, lines: Lines) -> Finding:
    if is_read_by_eye(settings):
        return by_eye_finding(settings)
    what = t("instrument {name}", name=settings.name)
    try:
        port = await workshop.start(settings) if is_simulated(settings) else settings.port
        driver = make_driver(settings, port, lines)
        async with contextlib.aclosing(driver.indications()) as indications:
            first = await _first(indications)
    except Exception as error:  # noqa: BLE001 - one fault never hides another
        return Finding(what, "fault", sentence(error), _advice(settings))
    if first is None:
        return Finding(
            what,
            "fault",
            t("no indication within {seconds} s", seconds=_ANSWER_WITHIN),
            _advice(settings),
        )
    if first.condition is Condition.FAULT:
        problem = driver.last_error
        text = sentence(problem) if problem else t(first.detail or "fault")
        return Finding(what, "fault", text, _advice(settings))
    shown = f"{t(first.quantity)} {first.text} {first.unit or ''} ({t(first.condition.value)}, {t(first.origin.value)})"
    if settings.unchecked_map() is not None:
        return Finding(
            what, "note", shown, t("compare every value with its display, then enter map_checked")
        )
    if is_simulated(settings):
        return Finding(
            what, "note", shown, t("only for trials: a real one has its cable under `port`")
        )
    return Finding(what, "ok", shown)


async def _first(indications: AsyncIterator[Indication]) -> Indication | None:
    try:
        async with asyncio.timeout(_ANSWER_WITHIN):
            async for indication in indications:
                return indication
    except TimeoutError:
        pass
    return None


def _advice(settings: Instrument) -> str:
    if settings.driver == "modbus":
        return t("check cable, address, unit and the meter's Modbus settings")
    return t("check cable and power, then speed and framing on the instrument's own menu")


_MARKS: dict[str, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "note": ("!", "yellow"),
    "fault": ("✗", "bold red"),
}


def _show(title: str, findings: list[Finding]) -> None:
    drawn: Any = table(
        title,
        [("", "left"), (t("check"), "left"), (t("finding"), "left"), (t("what to do"), "left")],
    )
    for finding in findings:
        mark, style = _MARKS[finding.state]
        drawn.add_row(Text(mark, style=style), finding.what, finding.text, finding.advice)
    console().print(drawn)
