"""The volume-meter routine: a meter for liquids against a reference meter (OIML R 117-1:2007).

Knows how errors of a meter are found from two volumes, and which flow rates and runs are wanted.
Refuses to decide errors: it drafts points with errors and limits. Volumes decide, exactly; an
error in % is printed and never compared.
"""

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact
from fractions import Fraction

from calibration.case import Case
from calibration.draft import DraftPoint, DraftTest, Findings, Judged
from calibration.error import measurement_error, relative_error_percent
from calibration.grid import finest_exponent, off_grid, on_grid, plain
from calibration.legal_table import PROVISIONAL, LegalTable
from calibration.limit_curve import LimitCurve
from calibration.mpe import limit_curve, repeatability_limit
from calibration.refusal import Refused
from calibration.routines.volume_sheet import MeterInstrument, MeterSheet, MeterTest
from calibration.standard import Realised, correction_percent
from calibration.units import PERCENT, Quantity
from calibration.verification import Reason

STANDARDS_CLAUSE = "R 117-1"
FLOW_RATES = 3
"""Fewest flow rates: maximum, medium and slow (R 117 wants maximum and near minimum)."""
RUNS = 3
"""Fewest runs from which a repeatability is found."""
_RATE = "L/h"
"""Flow rates are compared here: from L/min, L/s and m³/h it is reached exactly."""
_EXACT = Context(prec=80, traps=[Inexact])
_PRINTED = Context(prec=28, rounding=ROUND_HALF_EVEN)


def volume_findings(case: Case[MeterSheet]) -> Findings:
    """Draft every flow rate with errors, limits and what is lacking."""
    instrument, table = case.body.instrument, case.table
    correction = correction_percent(case.standards)
    unit = instrument.mmq.unit
    characteristics = {"mmq": str(instrument.mmq), "line": instrument.line}
    if instrument.resolution is not None:
        characteristics["resolution"] = str(instrument.resolution)
    try:
        curve = limit_curve(
            table,
            accuracy_class=instrument.accuracy_class,
            stage=case.stage,
            unit=unit,
            characteristics=characteristics,
        )
    except Refused as refused:
        key = f"instrument.{refused.key}" if refused.key else "instrument"
        raise Refused(refused.template, key=key, **refused.evidence) from None
    tests: list[DraftTest] = []
    notes: list[Reason] = []
    lacking: list[Reason] = []
    realised: list[Realised] = []
    repeated = False
    for test in case.body.tests:
        _check_flow_rate(test, instrument)
        points = tuple(_points(test, curve, instrument, correction))
        tests.append(DraftTest("accuracy", points, conditions=_at(test)))
        realised += [Realised(_of(p.reference), _of(p.upper), unit) for p in points]
        repeatability = _repeatability(test, points, instrument, table)
        if isinstance(repeatability, DraftTest):
            tests.append(repeatability)
            repeated = True
        else:
            notes.append(repeatability)
    flow_rates = {test.flow_rate.to(_RATE) for test in case.body.tests}
    if len(flow_rates) < FLOW_RATES:
        lacking.append(
            Reason(
                "flow-rates-too-few",
                "{count} flow rates were tested and {wanted} are wanted: maximum, medium and slow "
                "(R 117-1: maximum and near minimum).",
                {"count": len(flow_rates), "wanted": FLOW_RATES},
            )
        )
    if not repeated:
        values = {"test": "repeatability", "clause": "R 117-1, 2/5 of line A"}
        lacking.append(Reason("test-missing", "test {test} is missing ({clause}).", values))
    rules = table.rules
    return Findings(
        tests=tuple(tests),
        lacking=tuple(lacking),
        notes=tuple(notes),
        realised=tuple(realised),
        provisional=table.provisional
        or rules["stage"][case.stage]["confidence"] in PROVISIONAL
        or (repeated and rules["rule"]["repeatability"]["confidence"] in PROVISIONAL),
    )


def _at(test: MeterTest) -> dict[str, str]:
    return {"flow_rate": str(test.flow_rate)}


def _points(
    test: MeterTest, curve: LimitCurve, instrument: MeterInstrument, correction: Decimal
) -> Iterator[DraftPoint]:
    """Find the error of every run: E = V(indicated) - V(reference), V in the unit of the MMQ."""
    unit = curve.unit
    factor = _EXACT.add(Decimal(1), correction.scaleb(-2))
    references = _volumes(test, "reference", test.reference, unit)
    reference = [_EXACT.multiply(value, factor) for value in references]
    shown = _volumes(test, "indication", test.indication, unit)
    mmq = instrument.mmq.magnitude
    # At the minimum quantity itself the delivery may end a drop below it: the limit there is Emin.
    looked_up = [
        mmq if value < mmq <= other else value
        for value, other in zip(reference, shown, strict=True)
    ]
    exponent = finest_exponent(reference, shown, [mmq])
    try:
        errors = measurement_error(on_grid(shown, exponent), on_grid(reference, exponent))
        found = curve.limits(on_grid(looked_up, exponent), exponent)
    except Refused as refused:
        key = f"{test.key}.reference"
        raise Refused(refused.template, key=key, **refused.evidence) from None
    limits = off_grid(found.counts, found.exponent)
    for run, (error, limit) in enumerate(
        zip(off_grid(errors, exponent), map(plain, limits), strict=True)
    ):
        clause = curve.clauses[int(found.band[run])]
        nominal = reference[run] if test.volume is None else test.volume.to(unit).magnitude
        yield DraftPoint(
            nominal=nominal,
            reference=reference[run],
            indication=shown[run],
            error=plain(error),
            lower=-limit,
            upper=limit,
            unit=unit,
            clause=f"R 117-1 {curve.floor_clause if bool(found.at_floor[run]) else clause}",
            relative_error=relative_error_percent(error, reference[run]),
        )


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


def _repeatability(
    test: MeterTest, points: tuple[DraftPoint, ...], instrument: MeterInstrument, table: LegalTable
) -> DraftTest | Reason:
    """Compare the range of the relative errors with 2/5 of line A, as exact ratios."""
    references = [_of(point.reference) for point in points]
    unit = instrument.mmq.unit
    smallest = Quantity(min(references), unit)
    try:
        limits = repeatability_limit(
            table,
            accuracy_class=instrument.accuracy_class,
            values=[smallest],
            characteristics={"mmq": str(instrument.mmq)},
        )
    except Refused:
        return Reason(
            "repeatability-undefined",
            "repeatability at {flow_rate} was not judged: no limit is defined for {volume}.",
            {"flow_rate": str(test.flow_rate), "volume": str(smallest)},
        )
    if len(points) < RUNS:
        lacking = Reason(
            "runs-too-few",
            "repeatability at {flow_rate}: {count} runs were made and {wanted} are wanted.",
            {"flow_rate": str(test.flow_rate), "count": len(points), "wanted": RUNS},
        )
        return DraftTest("repeatability", (), (lacking,), _at(test))
    ratios = [
        Fraction(_of(point.error)) / Fraction(reference)
        for point, reference in zip(points, references, strict=True)
    ]
    spread = 100 * (max(ratios) - min(ratios))
    limit = _of(limits.upper[0])
    conforms = spread <= Fraction(limit)
    # As many places as it takes for the printed numbers not to contradict the verdict.
    printed = next(
        (
            value
            for places in (3, 6, 12)
            if ((value := _percent(spread, places)) <= limit) == conforms
        ),
        _percent(spread, 20),
    )
    point = DraftPoint(
        nominal=None,
        error=printed,
        lower=None,
        upper=limit,
        unit=PERCENT,
        clause=f"R 117-1 {limits.clause[0]}",
        judged=Judged.RANGE,
        relative_error=printed,
        conforms=conforms,
    )
    return DraftTest("repeatability", (point,), conditions=_at(test))


def _percent(value: Fraction, places: int) -> Decimal:
    printed = _PRINTED.divide(Decimal(value.numerator), Decimal(value.denominator))
    return printed.quantize(Decimal(1).scaleb(-places), context=_PRINTED)


def _check_flow_rate(test: MeterTest, instrument: MeterInstrument) -> None:
    rate = Fraction(test.flow_rate.to(_RATE).magnitude)
    for limit, sign in ((instrument.qmin, 1), (instrument.qmax, -1)):
        if limit is not None and sign * rate < sign * Fraction(limit.to(_RATE).magnitude):
            raise Refused(
                "{flow_rate} is outside the flow rates of the meter.",
                key=f"{test.key}.flow_rate",
                flow_rate=test.flow_rate,
            )


def _of(value: Decimal | None) -> Decimal:
    if value is None:
        raise Refused("a point without a value cannot be judged.")
    return value
