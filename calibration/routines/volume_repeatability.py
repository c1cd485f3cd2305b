"""Repeatability of a meter for liquids: how far the errors of one flow rate lie apart.

Knows relative errors as exact ratios. Divides only to print, with as many digits as it takes for the
printed numbers not to contradict the verdict.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

from calibration.draft import DraftPoint, DraftTest, Judged
from calibration.legal_table import LegalTable
from calibration.mpe import repeatability_limit
from calibration.refusal import Refused
from calibration.routines.volume_sheet import MeterInstrument, MeterTest
from calibration.units import PERCENT, Quantity
from calibration.verification import Reason

_PRINTED = Context(prec=28, rounding=ROUND_HALF_EVEN)


def repeatability(
    test: MeterTest,
    points: tuple[DraftPoint, ...],
    instrument: MeterInstrument,
    table: LegalTable,
    stage: str,
    runs: int,
) -> DraftTest | Reason:
    """Compare the range of the relative errors with its limit, as exact ratios.

    ``runs``: so many are wanted. A Reason where no limit is defined for the volume.
    """
    references = [_of(point.reference) for point in points]
    smallest = Quantity(min(references), instrument.mmq.unit)
    at: Mapping[str, str] = {"flow_rate": str(test.flow_rate)}
    try:
        limits = repeatability_limit(
            table,
            accuracy_class=instrument.accuracy_class,
            values=[smallest],
            characteristics={"mmq": str(instrument.mmq)},
            stage=stage,
        )
    except Refused:
        return Reason(
            "repeatability-undefined",
            "repeatability at {flow_rate} was not judged: no limit is defined for {volume}.",
            {**at, "volume": str(smallest)},
        )
    if len(points) < runs:
        lacking = Reason(
            "runs-too-few",
            "repeatability at {flow_rate}: {count} runs were made and {wanted} are wanted.",
            {**at, "count": len(points), "wanted": runs},
        )
        return DraftTest("repeatability", (), (lacking,), at)
    ratios = [
        Fraction(_of(point.error)) / Fraction(reference)
        for point, reference in zip(points, references, strict=True)
    ]
    spread = 100 * (max(ratios) - min(ratios))
    limit = _of(limits.upper[0])
    conforms = spread <= Fraction(limit)
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
        clause=clause_of(table, limits.clause[0]),
        judged=Judged.RANGE,
        relative_error=printed,
        conforms=conforms,
    )
    return DraftTest("repeatability", (point,), conditions=at)


def clause_of(table: LegalTable, clause: str) -> str:
    """Name the document of a clause, unless national settings already do."""
    if table.settings is not None and clause.startswith(table.settings.name):
        return clause
    return f"R 117-1 {clause}"


def _percent(value: Fraction, places: int) -> Decimal:
    printed = _PRINTED.divide(Decimal(value.numerator), Decimal(value.denominator))
    return printed.quantize(Decimal(1).scaleb(-places), context=_PRINTED)


def _of(value: Decimal | None) -> Decimal:
    if value is None:
        raise Refused("a point without a value cannot be judged.")
    return value
