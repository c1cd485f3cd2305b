"""Before the first load: would the core take the sheet of a perfect instrument?

A misspelt characteristic, an unknown class or a standard in a wrong unit is refused now and not
after an hour of work. Knows plan and sheet; touches no instrument and commits nothing.
"""

from acquisition.faults import BadInput
from acquisition.instruments import is_read_by_eye
from acquisition.job import Job
from acquisition.notes import Notes, to_cerapan, write_delivery, write_weighing
from acquisition.routine import Asks, NawiCharacteristics, Point, nawi_plan, volume_plan
from calibration.evaluation import evaluate, law_of
from calibration.legal_table import LegalTable
from calibration.refusal import Refused
from calibration.sheet import parse_sheet
from calibration.units import Quantity, parse_quantity


def rehearsed_plan(job: Job) -> tuple[Point, ...]:
    """Return the points of a run whose sheet can be evaluated; BadInput names what cannot."""
    notes = Notes()
    try:
        sheet = parse_sheet(to_cerapan(job, notes, job.now()))
        plan = _plan(job, law_of(sheet, settings=job.settings))
        for point in plan:
            _observe_perfectly(job, point, notes)
        sheet = parse_sheet(to_cerapan(job, notes, job.now()))
        evaluate(sheet, standards=job.standards, approved=job.approved, settings=job.settings)
    except Refused as refused:
        key = (refused.key or "").replace("instrument.", "characteristics.", 1)
        place = ": ".join(filter(None, (job.subject.name, key)))
        raise BadInput(refused.template, place=place, **refused.evidence) from None
    return plan


def _plan(job: Job, law: LegalTable) -> tuple[Point, ...]:
    if job.bench.routine == "nawi":
        scale = NawiCharacteristics.of(job.subject.characteristics)
        return nawi_plan(scale, law, job.bench.stage, by_eye=is_read_by_eye(job.subject))
    return volume_plan(
        [(parse_quantity(f.rate), parse_quantity(f.volume), f.runs) for f in job.bench.flow]
    )


def _observe_perfectly(job: Job, point: Point, notes: Notes) -> None:
    value = str(point.instruction.quantity)
    if point.instruction.flow_rate is not None:
        write_delivery(notes, point, value, value)
        return
    row: dict[str, str | bool] = {}
    if point.instruction.asks is not Asks.NOTHING:
        row["indication"] = value
    if point.by_added_load:
        scale = NawiCharacteristics.of(job.subject.characteristics)
        row["added_load"] = str(Quantity(scale.e / 2, scale.unit))
    if point.more is not None:
        moved = point.instruction.quantity.magnitude + point.more.quantity.magnitude
        row["extra_load"] = str(point.more.quantity)
        if point.more.asks is Asks.INDICATION:
            row["indication_after"] = f"{moved:f} {point.more.quantity.unit}"
        elif point.more.asks is Asks.MOVED:
            row["visible"] = True
        else:
            row["displacement"] = "10 mm"
    write_weighing(notes, point, row)
