"""What a run writes down: the observation sheet, the evidence behind it, and the records.

Knows the shapes of cerapan and verdict record. Takes nothing from a wire and decides nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from acquisition.clock import ClockState, clock_state
from acquisition.feed import timestamp
from acquisition.job import Job
from acquisition.machine import moment, uptime
from acquisition.routine import Point
from acquisition.surroundings import mean
from calibration.routines.weighing_sheet import ONE_LOAD_TESTS
from calibration.units import Quantity
from calibration.verification import Verification
from drivers.indication import Indication, Origin

NOT_REAL = {Origin.SIMULATED, Origin.REPLAY}


@dataclass(slots=True)
class Notes:
    """What a run writes down: the points of the sheet and the evidence behind each."""

    rows: list[tuple[str, Mapping[str, str], Mapping[str, str | bool]]] = field(
        default_factory=list
    )
    """Of each point: its test, what the test states once, and the values of the point."""
    taken_back: list[int] = field(default_factory=list)
    """Numbers of the points that were observed again, from 1, in that order."""
    raw: list[dict[str, Any]] = field(default_factory=list)
    origins: set[Origin] = field(default_factory=set)
    begun: float = field(default_factory=uptime)
    """When the run began [s since the computer started]."""
    air: dict[str, list[Quantity]] = field(default_factory=dict)
    """What transmitters showed of the air, point by point."""
    by: Mapping[str, str] = field(default_factory=dict)
    """Name of an instrument that is read by eye -> who reads it and types."""

    def keep(self, place: str, seen: Indication) -> None:
        self.origins.add(seen.origin)
        self.raw.append(
            {
                "point": place,
                "instrument": seen.instrument,
                "quantity": seen.quantity,
                "text": seen.text,
                "time": timestamp(seen.time),
                "hex": seen.raw.hex(),
                **({"by": self.by[seen.instrument]} if seen.instrument in self.by else {}),
            }
        )

    def take_back(self, index: int, place: str) -> None:
        """Forget the row of a point and those after it; what was seen there stays, and is marked."""
        del self.rows[index:]
        seen = [entry for entry in self.raw if str(entry["point"]).startswith(place)]
        for entry in seen:
            entry["point"] = f"taken back: {entry['point']}"
        if seen:
            self.taken_back.append(index + 1)


def write_air(notes: Notes, name: str, place: str, seen: Indication) -> None:
    """Add what a transmitter showed of the air at a point."""
    if seen.value is not None and seen.unit is not None:
        notes.air.setdefault(name, []).append(Quantity(seen.value, seen.unit))
        notes.keep(f"{place} {name}", seen)


def write_weighing(notes: Notes, point: Point, row: Mapping[str, str | bool]) -> None:
    """Note what was observed at one load; tests at one load state it once."""
    load = str(point.instruction.quantity)
    if point.test in ONE_LOAD_TESTS:
        notes.rows.append((point.test, {"name": point.test, "load": load}, row))
    else:
        notes.rows.append((point.test, {"name": point.test}, {"load": load, **row}))


def write_delivery(notes: Notes, point: Point, reference: str, shown: str) -> None:
    """Note what passed in one delivery, by the reference meter and by the meter under test."""
    rate = "" if point.instruction.flow_rate is None else str(point.instruction.flow_rate)
    row = {"reference": reference, "indication": shown}
    notes.rows.append((point.test, {"name": "accuracy", "flow_rate": rate}, row))


def tests_of(notes: Notes) -> list[dict[str, Any]]:
    """Write the points down test by test: what is stated once, and a column of each other value."""
    tests: dict[str, dict[str, Any]] = {}
    for test, stated, row in notes.rows:
        columns = tests.setdefault(test, dict(stated))
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return list(tests.values())


def to_cerapan(job: Job, notes: Notes, started: datetime) -> dict[str, Any]:
    return {
        "routine": job.bench.routine,
        "stage": job.bench.stage,
        "date": started.date().isoformat(),
        "instrument": dict(job.subject.characteristics),
        "standards": [{"id": name} for name in job.bench.standards],
        "environment": dict(job.bench.environment)
        | {name: str(mean(values)) for name, values in notes.air.items()},
        "test": tests_of(notes),
    }


def to_start(job: Job, verification: str, started: datetime) -> dict[str, Any]:
    return {
        "schema": "tera/start/1",
        "id": verification,
        "office": job.office,
        "bench": job.bench.name,
        "order": job.order,
        "subject": job.subject.name,
        "routine": job.bench.routine,
        "stage": job.bench.stage,
        "started": timestamp(started),
        "moment": moment(),
        "trial": job.trial,
        "instrument": dict(job.subject.characteristics),
        "software": dict(job.software),
        **_read_by(job),
    }


def _read_by(job: Job) -> dict[str, str]:
    """Say who read the instrument by eye, where somebody did."""
    return {"technician": job.technician} if job.technician else {}


def to_record(
    job: Job,
    verification: str,
    number: int,
    started: datetime,
    cerapan: Mapping[str, Any],
    notes: Notes,
    result: Verification,
) -> dict[str, Any]:
    """Write the verdict record: a simulated or replayed indication anywhere makes it a trial."""
    body = result.to_dict()
    trial = job.trial or bool(notes.origins & NOT_REAL)
    state = clock_state()
    unchecked = {i.name: known for i in job.bench.instrument if (known := i.unchecked_map())}
    reasons = list(body.pop("reasons"))
    reasons += [
        f"register map {known} of {name} is provisional, and map_checked names nobody who compared it"
        for name, known in unchecked.items()
    ]
    if job.technician:
        reasons.append(f"indications were read by eye and typed by {job.technician}")
    if trial:
        reasons.append("trial: simulated or replayed indications never give a legal verdict")
    if state is not ClockState.SYNCHRONISED:
        reasons.append(f"the clock of the station was {state.value}")
    if notes.taken_back:
        numbers = ", ".join(map(str, notes.taken_back))
        reasons.append(f"points taken back and observed again: {numbers}")
    reasons += job.clock.reasons(notes.begun)
    return {
        "schema": "tera/verdict/1",
        "id": verification,
        "office": job.office,
        "bench": job.bench.name,
        "number": number,
        "order": job.order,
        "started": timestamp(started),
        "decided": timestamp(job.now()),
        "moment": moment(),
        "clock": state.value,
        "origin": min(notes.origins, key=_weight, default=Origin.SIMULATED).value,
        "trial": trial,
        **body,
        "legal": bool(body["legal"]) and not trial and not unchecked,
        "instrument": dict(job.subject.characteristics),
        "standards": [{"id": name} for name in job.bench.standards],
        "environment": dict(cerapan["environment"]),
        "reasons": reasons,
        "cerapan": cerapan,
        "raw": notes.raw,
        "software": dict(job.software),
        **_read_by(job),
    }


def _weight(origin: Origin) -> int:
    """Order origins from the least trustworthy: the record names the weakest."""
    return [Origin.SIMULATED, Origin.REPLAY, Origin.MANUAL, Origin.WIRE].index(origin)
