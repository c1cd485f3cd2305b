"""The volume-meter routine: a meter for liquids, or a fuel dispenser (OIML R 117-1:2007).

Knows how errors of a meter are found from two volumes, and which flow rates and runs are wanted.
Refuses to decide errors: it drafts points with errors and limits. Volumes decide, exactly; an
error in % is printed and never compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact
from fractions import Fraction

import numpy as np

from calibration.case import Case
from calibration.component import Component
from calibration.draft import DraftPoint, DraftTest, Findings
from calibration.edition import PROVISIONAL
from calibration.error import measurement_error, relative_error_percent
from calibration.grid import finest_exponent, off_grid, on_grid, plain
from calibration.limit_curve import LimitCurve
from calibration.mpe import limit_curve
from calibration.refusal import Refused
from calibration.routines.dispenser import dispensed
from calibration.routines.meter_factor import MeterFactor, meter_factor, overall
from calibration.routines.reference_sheet import Fillings, MeterReadings
from calibration.routines.reference_volume import ReferenceVolumes, interval_of
from calibration.routines.volume_by_measure import volumes_by_measure
from calibration.routines.volume_by_meter import volumes_by_meter
from calibration.routines.volume_by_weighing import volumes_by_weighing
from calibration.routines.volume_plan import lacking_flow_rates, wanted_runs
from calibration.routines.volume_repeatability import clause_of, repeatability
from calibration.routines.volume_sheet import MeterInstrument, MeterSheet, MeterTest
from calibration.standard import Realised
from calibration.uncertainty import Budget
from calibration.units import Quantity
from calibration.verification import Reason

STANDARDS_CLAUSE = "R 117-1"
_BELOW = 4
"""A computed correction is rounded so many digits below the first digit of Emin."""
_RATE = "L/h"
"""Flow rates are compared here: from L/min, L/s and m³/h it is reached exactly."""
_EXACT = Context(prec=80, traps=[Inexact])


@dataclass(slots=True)
class _Found:
    tests: list[DraftTest] = field(default_factory=list)
    notes: list[Reason] = field(default_factory=list)
    illegal: list[Reason] = field(default_factory=list)
    realised: list[Realised] = field(default_factory=list)
    factors: list[MeterFactor] = field(default_factory=list)
    repeated: bool = False
    provisional: bool = False


def volume_findings(case: Case[MeterSheet]) -> Findings:
    """Draft every flow rate with errors, limits and what is lacking."""
    instrument, table, rules = case.body.instrument, case.table, case.table.rules
    curve = _limit_curve(case)
    further = dispensed(case.body, table, curve)
    found = _Found(provisional=further.provisional)
    for test in case.body.tests:
        _check_flow_rate(test, instrument)
        _accuracy(test, case, curve, found)
    lacking = [*lacking_flow_rates(case.body, table), *further.lacking]
    if not found.repeated:
        clause = "R 117-1, 2/5 of line A"
        if table.settings is not None:
            clause = clause_of(table, rules["rule"]["repeatability"]["clause"])
        values = {"test": "repeatability", "clause": clause}
        lacking.append(Reason("test-missing", "test {test} is missing ({clause}).", values))
    notes = [*found.notes, *further.notes]
    if found.factors:
        notes.append(
            Reason(
                "meter-factor",
                "proposed meter factor over all flow rates: {factor}. It does not change the verdict.",
                {"factor": overall(found.factors)},
            )
        )
    return Findings(
        tests=(*found.tests, *further.tests),
        lacking=tuple(lacking),
        notes=_once(notes),
        realised=tuple(found.realised),
        provisional=table.provisional
        or found.provisional
        or rules["stage"][case.stage]["confidence"] in PROVISIONAL
        or (found.repeated and rules["rule"]["repeatability"]["confidence"] in PROVISIONAL),
        illegal=_once(found.illegal),
    )


def _once(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Say the same thing of many flow rates once."""
    return tuple({str(reason): reason for reason in reasons}.values())


def _limit_curve(case: Case[MeterSheet]) -> LimitCurve:
    instrument = case.body.instrument
    characteristics = {"mmq": str(instrument.mmq), "line": instrument.line}
    if instrument.resolution is not None:
        characteristics["resolution"] = str(instrument.resolution)
    try:
        return limit_curve(
            case.table,
            accuracy_class=instrument.accuracy_class,
            stage=case.stage,
            unit=instrument.mmq.unit,
            characteristics=characteristics,
        )
    except Refused as refused:
        key = f"instrument.{refused.key}" if refused.key else "instrument"
        raise Refused(refused.template, key=key, **refused.evidence) from None


def _accuracy(test: MeterTest, case: Case[MeterSheet], curve: LimitCurve, found: _Found) -> None:
    """Draft the errors of one flow rate, their repeatability and the meter factor."""
    unit, instrument = curve.unit, case.body.instrument
    shown = _volumes(test, "indication", test.indication, unit)
    reference = _reference(test, case, curve)
    for run, volume in enumerate(reference.values):
        if volume <= 0:
            key = f"{test.key}.reference[{run}]"
            raise Refused("{volume} is no delivered volume.", key=key, volume=f"{volume} {unit}")
    points = tuple(_points(test, reference, shown, curve, instrument))
    factor = meter_factor(
        reference.values,
        shown,
        reference.standard_uncertainties() if reference.components else None,
        _interval(test, instrument, unit),
    )
    conditions = {"flow_rate": str(test.flow_rate), **reference.conditions}
    if factor is not None:
        found.factors.append(factor)
        conditions["meter_factor"] = str(factor)
    budget = _budget(test, reference, points, shown, instrument, unit)
    found.tests.append(DraftTest("accuracy", points, reference.lacking, conditions, budget))
    found.realised += _realised(points, reference, unit)
    found.illegal += reference.illegal
    found.notes += reference.notes
    found.provisional |= reference.provisional
    runs = wanted_runs(case.table)
    repeated = repeatability(test, points, instrument, case.table, case.stage, runs)
    if isinstance(repeated, DraftTest):
        found.tests.append(repeated)
        found.repeated = True
    else:
        found.notes.append(repeated)


def _reference(test: MeterTest, case: Case[MeterSheet], curve: LimitCurve) -> ReferenceVolumes:
    """Find the reference volumes by the method of the test."""
    stated, standards, unit = test.reference, case.standards, curve.unit
    exponent = curve.floor.adjusted() - _BELOW
    try:
        if isinstance(stated, MeterReadings):
            indicated = _volumes(test, "reference", stated.reference, unit)
            return volumes_by_meter(test, stated, standards, indicated, unit)
        liquid = case.body.liquid
        if isinstance(stated, Fillings):
            requirements = case.table.rules["requirement"]
            return volumes_by_measure(test, stated, standards, liquid, requirements, unit, exponent)
        return volumes_by_weighing(
            test, stated, standards, liquid, case.environment, unit, exponent
        )
    except Refused as refused:
        raise Refused(refused.template, key=refused.key or test.key, **refused.evidence) from None


def _points(
    test: MeterTest,
    found: ReferenceVolumes,
    shown: Sequence[Decimal],
    curve: LimitCurve,
    instrument: MeterInstrument,
) -> Iterator[DraftPoint]:
    """Find the error of every run: E = V(indicated) - V(reference), V in the unit of the MMQ."""
    unit, reference, mmq = curve.unit, found.values, instrument.mmq.magnitude
    # At the minimum quantity itself the delivery may end a drop below it: the limit there is Emin.
    looked_up = [
        mmq if value < mmq <= other else value
        for value, other in zip(reference, shown, strict=True)
    ]
    exponent = finest_exponent(reference, shown, [mmq])
    try:
        errors = measurement_error(on_grid(shown, exponent), on_grid(reference, exponent))
        limited = curve.limits(on_grid(looked_up, exponent), exponent)
    except Refused as refused:
        key = f"{test.key}.reference"
        raise Refused(refused.template, key=key, **refused.evidence) from None
    limits = off_grid(limited.counts, limited.exponent)
    for run, (error, limit) in enumerate(
        zip(off_grid(errors, exponent), map(plain, limits), strict=True)
    ):
        clause = curve.clauses[int(limited.band[run])]
        nominal = reference[run] if test.volume is None else test.volume.to(unit).magnitude
        yield DraftPoint(
            nominal=nominal,
            reference=reference[run],
            indication=shown[run],
            error=plain(error),
            lower=-limit,
            upper=limit,
            unit=unit,
            clause=f"R 117-1 {curve.floor_clause if bool(limited.at_floor[run]) else clause}",
            relative_error=relative_error_percent(error, reference[run]),
            row=run if found.components else None,
        )


def _budget(
    test: MeterTest,
    found: ReferenceVolumes,
    points: Sequence[DraftPoint],
    shown: Sequence[Decimal],
    instrument: MeterInstrument,
    unit: str,
) -> Budget | None:
    """Make the budget of the error of every run: the reference, and the digit of the meter."""
    if not found.components:
        return None
    digit = Component(
        "indication of the meter",
        np.array([float(value) for value in shown]),
        unit,
        _interval(test, instrument, unit) / np.sqrt(12),
    )
    errors = np.array([float(point.error or 0) for point in points])
    return Budget("error", errors, unit, (digit, *found.components))


def _interval(test: MeterTest, instrument: MeterInstrument, unit: str) -> float:
    return interval_of(instrument.resolution, None, test.indication, unit)


def _realised(
    points: Sequence[DraftPoint], found: ReferenceVolumes, unit: str
) -> Iterator[Realised]:
    expanded = found.expanded_uncertainties() if found.whole else (None,) * len(points)
    for point, u in zip(points, expanded, strict=True):
        if point.reference is not None and point.upper is not None:
            yield Realised(point.reference, point.upper, unit, u)


def _volumes(test: MeterTest, name: str, values: tuple[Quantity, ...], unit: str) -> list[Decimal]:
    found = []
    for run, quantity in enumerate(values):
        key = f"{test.key}.{name}[{run}]"
        try:
            volume = quantity.to(unit).magnitude
        except Refused as refused:
            raise Refused(refused.template, key=key, **refused.evidence) from None
        if volume < 0 or (name == "reference" and not volume):
            raise Refused("{volume} is no delivered volume.", key=key, volume=quantity)
        found.append(volume)
    return found


def _check_flow_rate(test: MeterTest, instrument: MeterInstrument) -> None:
    rate = Fraction(test.flow_rate.to(_RATE).magnitude)
    for limit, sign in ((instrument.qmin, 1), (instrument.qmax, -1)):
        if limit is not None and sign * rate < sign * Fraction(limit.to(_RATE).magnitude):
            raise Refused(
                "{flow_rate} is outside the flow rates of the meter.",
                key=f"{test.key}.flow_rate",
                flow_rate=test.flow_rate,
            )
