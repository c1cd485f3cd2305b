"""The correction for coarse material (R 61): larger limits where one particle weighs much.

Knows one rule: where the mass of the reference particle exceeds a share of the in-service limit,
the limit grows by a multiple of that mass, up to a cap in % of the fill. The rule depends on the
fill, so it splits bands; where it begins and where the cap ends may have no finite digits.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from calibration.limit_curve import Bound, LimitCurve
from calibration.refusal import Refused
from calibration.rules.question import Question
from calibration.units import finite

Piece = tuple[Bound | None, bool, Decimal, Decimal, bool]
"""Upper end and whether it belongs, constant, slope, and whether the correction is in it."""


def with_particles(question: Question, made: LimitCurve, in_service: LimitCurve) -> LimitCurve:
    """Split the bands of a curve where the correction begins and where its cap ends."""
    rule = question.entry["particle"]
    if not rule:
        raise Refused(
            "{table} has no correction for particles here.",
            key="particle",
            table=question.table.name,
        )
    mass = finite(question.given.above_zero("particle", made.unit))
    if mass is None:
        raise Refused(
            "{value} has no exact value in {unit}: state it in {unit}.",
            key="particle",
            value=question.given.texts["particle"],
            unit=made.unit,
        )
    cap = Decimal(rule["cap_percent"]).scaleb(-2) * question.accuracy_class.x
    pieces = [
        (band, piece)
        for band in range(len(made.constants))
        for piece in _pieces(made, in_service, band, mass, rule["share"], rule["times"], cap)
    ]
    clause, sure = rule["clause"], question.confidence(rule["confidence"])
    return replace(
        made,
        bounds=tuple(end for _, (end, *_) in pieces if end is not None),
        inclusive=tuple(within for _, (end, within, *_) in pieces if end is not None),
        constants=tuple(constant for _, (_, _, constant, _, _) in pieces),
        slopes=tuple(slope for _, (_, _, _, slope, _) in pieces),
        clauses=tuple(
            f"{made.clauses[band]}, {clause}" if corrected else made.clauses[band]
            for band, (*_, corrected) in pieces
        ),
        confidences=tuple(
            sure if corrected else made.confidences[band] for band, (*_, corrected) in pieces
        ),
    )


def _pieces(
    made: LimitCurve,
    in_service: LimitCurve,
    band: int,
    mass: Decimal,
    share: Decimal,
    times: Decimal,
    cap: Decimal,
) -> Iterator[Piece]:
    """Give the pieces of one band, in order."""
    low = Fraction(made.bounds[band - 1]) if band else Fraction(made.least)
    high = made.bounds[band] if band < len(made.bounds) else None
    within = made.inclusive if isinstance(made.inclusive, bool) else (*made.inclusive, False)[band]
    constant, slope = made.constants[band], made.slopes[band]
    # Corrected while share * limit in service < mass: below `ends`, nowhere or everywhere.
    flat, rise = Fraction(in_service.constants[band]), Fraction(in_service.slopes[band])
    enough = Fraction(mass) / Fraction(share)
    ends = (enough - flat) / rise if rise else None
    everywhere = ends is None and flat < enough
    # Capped where cap * m is the smaller: below `capped`, or everywhere.
    larger = constant + Decimal(times) * mass
    capped = Fraction(larger) / Fraction(cap - slope) if cap > slope else None
    cuts = {cut for cut in (ends, capped) if cut is not None and cut > low}
    inside = sorted(cut for cut in cuts if high is None or cut < high or (cut == high and within))
    start = low
    for end in [*inside, None]:
        upper = end if end is not None else (None if high is None else Fraction(high))
        middle = start + 1 if upper is None else (start + upper) / 2
        if end is None and high is not None and start == high:
            middle = start
        corrected = everywhere or (ends is not None and middle < ends)
        if not corrected:
            numbers = (constant, slope)
        elif capped is None or middle < capped:
            numbers = (Decimal(0), cap)
        else:
            numbers = (larger, slope)
        if end is None:
            yield high, within, *numbers, corrected
        else:
            yield finite(end) or end, False, *numbers, corrected
            start = end
