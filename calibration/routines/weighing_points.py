"""Points that have an error: zero, weighing, eccentricity, repeatability and tare.

Knows which limit belongs to which point. Refuses to decide, and never takes an indication for the
indication prior to rounding when its interval is too coarse.
"""

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from calibration.draft import DraftPoint, Judged
from calibration.grid import plain
from calibration.mpe import Limits, repeatability_limit
from calibration.routines.weighing_law import DOCUMENT, requirement
from calibration.routines.weighing_observed import Observed, Weighings
from calibration.routines.weighing_scale import EXACT
from calibration.units import Quantity
from calibration.verification import Reason


def error_points(weighings: Weighings, seen: Observed) -> Iterator[DraftPoint]:
    """Give every point of a test with its error and limits; its place is its row of the budget."""
    if not seen.test.standard_load:
        return
    scale = weighings.scale
    errors = weighings.corrected(seen)
    for place in range(seen.load.size):
        limit, clause = point_limit(weighings, seen, place)
        load = scale.value(seen.load[place])
        yield DraftPoint(
            nominal=load,
            reference=load,
            indication=seen.shown[place],
            error=scale.value(errors[place]) if seen.known[place] else None,
            lower=-limit,
            upper=limit,
            unit=scale.unit,
            clause=clause,
            row=place,
        )


def point_limit(weighings: Weighings, seen: Observed, place: int) -> tuple[Decimal, str]:
    """Give the limit [unit] of a point's error, and its clause."""
    law, zero = weighings.table, weighings.zero(seen)
    if seen.name == "zero":
        wanted = requirement(law, "zero")
        return _times(wanted.number("limit"), seen.within.e), wanted.clause
    if seen.name == "tare" and zero is not None and zero.place == place:
        wanted = requirement(law, "tare")
        instrument = weighings.scale.instrument
        if instrument.mechanical and weighings.scale.digital:
            d = seen.within.partial[0].d
            return _times(wanted.number("mechanical_digital"), d), wanted.clause
        return _times(wanted.number("limit"), seen.within.e), wanted.clause
    return weighings.scale.value(seen.limit[place]), f"{DOCUMENT} {seen.clauses[place]}"


def range_point(weighings: Weighings, seen: Observed) -> DraftPoint | None:
    """Compare the range of the errors of one load with its limit (3.6.1)."""
    if not seen.known.all() or seen.load.size < 2:
        return None
    scale = weighings.scale
    limit, clause = range_limit(weighings, seen)
    return DraftPoint(
        nominal=scale.value(seen.load[0]),
        error=scale.value(seen.error.max() - seen.error.min()),
        lower=None,
        upper=limit,
        unit=scale.unit,
        clause=clause,
        judged=Judged.RANGE,
    )


def range_limit(weighings: Weighings, seen: Observed) -> tuple[Decimal, str]:
    """Give the limit [unit] of the range: |MPE| of the load, or what national settings state."""
    national = national_range(weighings, seen)
    if national is None or national.upper[0] is None:
        return (
            weighings.scale.value(seen.limit[0]),
            f"{DOCUMENT} 3.6.1, {seen.clauses[0]}",
        )
    return national.upper[0], national.clause[0]


def national_range(weighings: Weighings, seen: Observed) -> Limits | None:
    """Find the limit of the range that national settings state for this stage."""
    stated = weighings.table.rules["rule"].get("repeatability", {})
    if weighings.stage not in stated.get("intervals", {}):
        return None
    scale = weighings.scale
    return repeatability_limit(
        weighings.table,
        accuracy_class=scale.accuracy_class,
        values=[Quantity(scale.value(seen.load[0]), scale.unit)],
        characteristics={"e": f"{seen.partial(scale, 0).e} {scale.unit}"},
        stage=weighings.stage,
    )


def rounding_lack(weighings: Weighings, seen: Observed) -> Iterator[Reason]:
    """Say where the rounding error is not eliminated (3.5.3.2)."""
    if seen.known.all():
        return
    place = int(np.argmin(seen.known))
    wanted = requirement(weighings.table, "rounding")
    d = seen.partial(weighings.scale, place).d
    yield Reason(
        "rounding-error",
        "{test}, point {point}: the rounding error is not eliminated: with d = {d} above {share} e, "
        "find ΔL and give it as added_load ({clause}).",
        {
            "test": seen.name,
            "point": place + 1,
            "d": weighings.scale.said(d),
            "share": wanted.number("largest_direct"),
            "clause": wanted.clause,
        },
    )


def step_note(weighings: Weighings, seen: Observed) -> Iterator[Reason]:
    """Say where ΔL is no whole number of steps of 0.1 e.

    Not refused: the law says 'say 0.1 e', and finer steps are better evidence.
    """
    if seen.test.added_load is None:
        return
    scale, wanted = weighings.scale, requirement(weighings.table, "added_load")
    added = scale.column(seen.test, "added_load", seen.test.added_load)
    for place, value in enumerate(added):
        step = _times(wanted.number("step"), seen.partial(scale, place).e)
        if EXACT.remainder(value, step) != 0:
            yield Reason(
                "added-load-step",
                "{test}, point {point}: ΔL = {added} is no multiple of {step} ({clause}).",
                {
                    "test": seen.name,
                    "point": place + 1,
                    "added": scale.said(value),
                    "step": scale.said(step),
                    "clause": wanted.clause,
                },
            )
            return


def zero_note(weighings: Weighings, seen: Observed) -> Iterator[Reason]:
    """Say that no E0 correction could be made."""
    judged = seen.name != "zero" and seen.test.standard_load and seen.known.all()
    if judged and weighings.zero(seen) is None:
        yield Reason(
            "no-zero-correction",
            "{test}: no E0 correction was made, because no load at or near zero was weighed.",
            {"test": seen.name},
        )


def _times(factor: Decimal, interval: Decimal) -> Decimal:
    return plain(EXACT.multiply(factor, interval))
