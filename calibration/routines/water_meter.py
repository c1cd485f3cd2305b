"""The water-meter routine: errors of a meter for cold and hot water (OIML R 49-1).

Knows how errors follow from indicated and actual volumes and which limit holds at each flow rate and
temperature. Refuses to decide errors: it drafts points with errors and limits. Volumes decide,
exactly; an error in % is printed and never compared.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np

from calibration.calibration_curve import rounded_exactly
from calibration.case import Case
from calibration.component import Distribution, limited
from calibration.draft import DraftPoint, DraftTest, Findings
from calibration.edition import PROVISIONAL
from calibration.error import relative_error_percent
from calibration.grid import finest_exponent, off_grid, on_grid, plain
from calibration.limit_curve import LimitCurve
from calibration.mpe import limit_curve
from calibration.refusal import Refused
from calibration.rounding import significant
from calibration.routines.actual_volume import EXACT, UNIT, ActualVolume, floats
from calibration.routines.water_meter_sheet import WaterMeterSheet, WaterMeterTest
from calibration.routines.water_rules import (
    RATE,
    Ruled,
    dripped,
    flow_ranges,
    flow_rates_tested,
    recorded,
    same_sign,
    scale_resolved,
    temperatures_in_class,
)
from calibration.routines.water_volume import actual_volume
from calibration.standard import Realised
from calibration.uncertainty import Budget
from calibration.units import Quantity, finite
from calibration.verification import Reason

STANDARDS_CLAUSE = "R 49-2"


@dataclass(frozen=True, slots=True)
class Limit:
    """The limit of one run."""

    percent: Decimal
    """[% of the actual volume]"""
    clause: str
    confidence: str


def water_meter_findings(case: Case[WaterMeterSheet]) -> Findings:
    """Draft every flow rate with errors, limits and what is lacking."""
    curve = _curve(case, None, "")
    ranges = flow_ranges(case.table, case.body.instrument.q3, curve)
    tests: list[DraftTest] = []
    realised: list[Realised] = []
    volumes: list[ActualVolume] = []
    confidences: set[str] = set()
    rules = [
        flow_rates_tested(case, ranges),
        temperatures_in_class(case),
        scale_resolved(case, curve),
    ]
    for test in case.body.tests:
        limits = _limits(case, test)
        confidences |= {limit.confidence for limit in limits}
        found = actual_volume(test, case)
        rule = dripped(case, test, found.standard)
        draft = _draft(case, test, found, limits, rule)
        tests.append(draft)
        volumes.append(found)
        realised += _realised(found, draft)
        rules.append(replace(rule, lacking=()))
    rules.append(same_sign(case, tests, complete=not rules[0].lacking))
    return Findings(
        tests=(*tests, *(rule.test for rule in rules if rule.test is not None)),
        lacking=tuple(reason for rule in rules for reason in rule.lacking),
        notes=(
            *_once(reason for found in volumes for reason in found.notes),
            *(reason for rule in rules for reason in rule.notes),
            *recorded(case),
        ),
        realised=tuple(realised),
        provisional=case.table.provisional
        or bool(confidences & PROVISIONAL)
        or any(rule.provisional for rule in rules),
        illegal=_once(reason for found in volumes for reason in found.illegal),
    )


def _curve(case: Case[WaterMeterSheet], temperature: Quantity | None, place: str) -> LimitCurve:
    instrument = case.body.instrument
    characteristics = {"q3": str(instrument.q3), "ratio": f"{instrument.ratio:f}"}
    if temperature is not None:
        characteristics["temperature"] = str(temperature)
    try:
        return limit_curve(
            case.table,
            accuracy_class=instrument.accuracy_class,
            stage=case.stage,
            unit=RATE,
            characteristics=characteristics,
        )
    except Refused as refused:
        key = f"instrument.{refused.key}" if refused.key else "instrument"
        if refused.key == "temperature":
            key = f"{place}.temperature"
        elif case.stage not in case.table.stages:
            key = "stage"
        raise Refused(refused.template, key=key, **refused.evidence) from None


def _limits(case: Case[WaterMeterSheet], test: WaterMeterTest) -> list[Limit]:
    """Find the limit of every run: it depends on the temperature of the water."""
    curves = {t: _curve(case, t, test.key) for t in dict.fromkeys(test.temperature)}
    limits = []
    try:
        rate = test.flow_rate.to(RATE).magnitude
        exponent = finest_exponent([rate])
        for curve in (curves[t] for t in test.temperature):
            found = curve.limits(on_grid([rate], exponent), exponent)
            (percent,) = off_grid(found.counts, found.exponent)
            band = int(found.band[0])
            limits.append(Limit(percent, f"R 49-1 {curve.clauses[band]}", curve.confidence(band)))
    except Refused as refused:
        key = f"{test.key}.flow_rate"
        raise Refused(refused.template, key=key, **refused.evidence) from None
    return limits


def _draft(
    case: Case[WaterMeterSheet],
    test: WaterMeterTest,
    found: ActualVolume,
    limits: list[Limit],
    rule: Ruled,
) -> DraftTest:
    """Find the error of every run: E = Vi - Va, against p % of Va."""
    points = []
    for run, (actual, limit) in enumerate(zip(found.volume, limits, strict=True)):
        indicated = test.indication[run].to(UNIT).magnitude
        error = EXACT.subtract(indicated, actual)
        largest = plain(EXACT.multiply(limit.percent, actual).scaleb(-2, EXACT))
        points.append(
            DraftPoint(
                nominal=actual if test.volume is None else test.volume.to(UNIT).magnitude,
                reference=actual,
                indication=indicated,
                error=plain(error),
                lower=-largest,
                upper=largest,
                unit=UNIT,
                clause=limit.clause,
                relative_error=relative_error_percent(error, actual),
                row=None if found.budget is None else run,
            )
        )
    budget = None if found.budget is None else _error_budget(case, found.budget, points)
    return DraftTest(
        "accuracy",
        tuple(points),
        lacking=rule.lacking,
        conditions=_conditions(test, found, points),
        budget=budget,
    )


def _error_budget(case: Case[WaterMeterSheet], actual: Budget, points: list[DraftPoint]) -> Budget:
    """Make the budget of E = Vi - Va: two readings of the meter, each within half an interval."""
    reading = limited(
        "indication of the meter",
        UNIT,
        float(case.body.instrument.resolution.exactly(UNIT)),
        distribution=Distribution.TRIANGULAR,
        value=floats(point.indication for point in points if point.indication is not None),
    )
    others = (replace(c, sensitivity=-np.asarray(c.sensitivity)) for c in actual.components)
    errors = floats(point.error for point in points if point.error is not None)
    return Budget("error", errors, UNIT, (reading, *others))


def _realised(found: ActualVolume, draft: DraftTest) -> list[Realised]:
    """State the actual volumes with the larger of what the standard states and their U."""
    u = np.zeros(len(found.volume))
    if found.budget is not None:
        u = u + found.budget.expanded_uncertainty().expanded
    return [
        Realised(
            volume,
            point.upper or Decimal(0),
            UNIT,
            None if stated is None else max(_decimal(stated), significant(float(u[run]))),
        )
        for run, (volume, stated, point) in enumerate(
            zip(found.volume, found.stated, draft.points, strict=True)
        )
    ]


def _conditions(
    test: WaterMeterTest, found: ActualVolume, points: list[DraftPoint]
) -> dict[str, str]:
    """List what the test was done at, with units."""
    given = {
        "flow_rate": str(test.flow_rate),
        "method": str(test.method),
        "standard": None if found.standard is None else found.standard.id,
        "temperature": ", ".join(map(str, dict.fromkeys(test.temperature))),
        "pressure": test.pressure,
        "drip_time": test.drip_time,
        "starting_flow_rate": test.starting_flow_rate,
        "repeatability": _repeatability(points),
    }
    return {name: str(value) for name, value in given.items() if value is not None}


def _repeatability(points: list[DraftPoint]) -> str | None:
    """Give the range of the errors in % (ketidaktetapan): recorded, as no limit of it was read."""
    if len(points) < 2:
        return None
    ratios = [Fraction(p.error or 0) / Fraction(p.reference or 1) for p in points]
    return f"{rounded_exactly(100 * (max(ratios) - min(ratios)), -3):f} %"


def _once(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple({str(reason): reason for reason in reasons}.values())


def _decimal(value: Fraction) -> Decimal:
    exact = finite(value)
    return significant(float(value), 12) if exact is None else exact
