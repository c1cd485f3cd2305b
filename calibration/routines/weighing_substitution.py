"""Substitution loads: any constant load in the place of weights, under the conditions of 3.7.3.

Knows how large the part of the standards must be for the repeatability error that was found, and
that each substitution load was compared with standards before. Refuses to know what the material is.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from calibration.grid import Counts, on_grid
from calibration.refusal import Refused
from calibration.routines.weighing_law import NEARLY, requirement
from calibration.routines.weighing_observed import Observed, Weighings
from calibration.routines.weighing_scale import EXACT, Scale
from calibration.verification import Reason


def substitution(scale: Scale, seen: Observed) -> Counts:
    """Give the part of every load that is substitution material [count]."""
    test = seen.test
    if test.substitution is None:
        return seen.load * 0
    values = scale.column(test, "substitution", test.substitution)
    for place, (value, load) in enumerate(zip(values, seen.load.tolist(), strict=True)):
        if not 0 <= value <= scale.value(load):
            raise Refused(
                "{substitution} of substitution material is no part of {load}.",
                key=f"{test.key}.substitution[{place}]",
                substitution=scale.said(value),
                load=scale.said(scale.value(load)),
            )
    return on_grid(values, scale.exponent)


def substitutions(scale: Scale, weighed: Sequence[Observed]) -> list[Decimal]:
    """Give the different substitution loads of a range, ascending [unit]."""
    found = {value for seen in weighed for value in substitution(scale, seen).tolist()}
    return [scale.value(value) for value in sorted(found - {0})]


def largest_standards(scale: Scale, weighed: Sequence[Observed]) -> Decimal:
    """Give the largest load that was of standards alone beside the substitution material [unit]."""
    parts = [seen.load - substitution(scale, seen) for seen in weighed]
    return scale.value(max(int(part.max()) for part in parts))


def substitution_lacks(weighings: Weighings, weighed: Sequence[Observed]) -> Iterator[Reason]:
    """Say which condition of 3.7.3 the weighing tests of a range do not fulfil."""
    scale = weighings.scale
    values = substitutions(scale, weighed)
    if not values:
        return
    law, within = requirement(weighings.table, "substitution"), weighed[0].within
    standards = largest_standards(scale, weighed)
    found = _repeatability_error(weighings, weighed[0], values[0], int(law.number("placements")))
    e = within.at(values[0]).e
    allowed = [
        portion
        for portion in law.stated["portions"]
        if "range" not in portion
        or (found is not None and found <= EXACT.multiply(Decimal(portion["range"]), e))
    ]
    part = max(portion["part"] for portion in allowed)
    if standards * part < within.maximum:
        yield Reason(
            "standards-too-small",
            "weighing: weights of {standards} were used, and at least Max/{part} is wanted beside "
            "substitution material with a repeatability error of {found} ({clause}).",
            {
                "standards": scale.said(standards),
                "part": part,
                "found": "-" if found is None else scale.said(found),
                "clause": law.clause,
            },
        )
    yield from _not_compared(scale, weighed, values, law.clause)


def _repeatability_error(
    weighings: Weighings, weighed: Observed, load: Decimal, placements: int
) -> Decimal | None:
    """Find the largest range of a series at about the substitution load; None where there is none."""
    scale = weighings.scale
    ranges = [
        scale.value(seen.error.max() - seen.error.min())
        for seen in weighings.of("repeatability", weighed.within)
        if seen.known.all()
        and seen.load.size >= placements
        and NEARLY * load <= scale.value(seen.load[0]) <= load / NEARLY
    ]
    return max(ranges, default=None)


def _not_compared(
    scale: Scale, weighed: Sequence[Observed], values: list[Decimal], clause: str
) -> Iterator[Reason]:
    """Want every substitution load to be as large as a load that was weighed with less of it."""
    rows = [
        (scale.value(part), scale.value(load))
        for seen in weighed
        for part, load in zip(substitution(scale, seen).tolist(), seen.load.tolist(), strict=True)
    ]
    for value in values:
        if not any(
            part < value and NEARLY * value <= load <= value / NEARLY for part, load in rows
        ):
            yield Reason(
                "substitution-not-compared",
                "weighing: the substitution load of {load} was never compared with standards: weigh "
                "that load with less material first ({clause}).",
                {"load": scale.said(value), "clause": clause},
            )
