"""Before the first load: would the core take the sheet of a perfect instrument?

A misspelt characteristic, an unknown class or a standard in a wrong unit is refused now and not
after an hour of work. Knows plan and sheet; touches no instrument and commits nothing.
"""

from acquisition.faults import BadInput
from acquisition.job import Job
from acquisition.notes import Notes, to_cerapan, write_delivery, write_weighing
from acquisition.routine import NawiCharacteristics, Point, nawi_plan, volume_plan
from calibration.evaluation import evaluate
from calibration.refusal import Refused
from calibration.sheet import parse_sheet
from calibration.units import parse_quantity


def rehearsed_plan(job: Job) -> tuple[Point, ...]:
    """Return the points of a run whose sheet can be evaluated; BadInput names what cannot."""
    notes = Notes()
    try:
        parse_sheet(to_cerapan(job, notes, job.now()))
        plan = _plan(job)
        for point in plan:
            _observe_perfectly(job, point, notes)
        sheet = parse_sheet(to_cerapan(job, notes, job.now()))
        evaluate(sheet, standards=job.standards, approved=job.approved, settings=job.settings)
    except Refused as refused:
        key = (refused.key or "").replace("instrument.", "characteristics.", 1)
        place = ": ".join(filter(None, (job.subject.name, key)))
        raise BadInput(refused.template, place=place, **refused.evidence) from None
    return plan


def _plan(job: Job) -> tuple[Point, ...]:
    if job.bench.routine == "nawi":
        return nawi_plan(NawiCharacteristics.of(job.subject.characteristics))
    return volume_plan(
        [(parse_quantity(f.rate), parse_quantity(f.volume), f.runs) for f in job.bench.flow]
    )


def _observe_perfectly(job: Job, point: Point, notes: Notes) -> None:
    value = str(point.instruction.quantity)
    if point.instruction.flow_rate is not None:
        write_delivery(notes, point, value, value)
        return
    half = NawiCharacteristics.of(job.subject.characteristics).e / 2
    write_weighing(notes, point, value, half if point.by_added_load else None)
