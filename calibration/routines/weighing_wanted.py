"""What the law wants to be tested: which tests, which loads, how often.

Knows what is lacking of a weighing or repeatability test, and which tests are missing. Refuses to
know any error.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import numpy as np

from calibration.grid import Counts
from calibration.limit_curve import Bound
from calibration.routines.weighing_columns import Series
from calibration.routines.weighing_law import DOCUMENT, NEARLY, requirement
from calibration.routines.weighing_observed import Observed, Weighings
from calibration.routines.weighing_sheet import Indicating, WeighingInstrument
from calibration.verification import Reason

WANTED_BY = {"initial": "8.3.3", "subsequent": "8.4.1, 8.3.3", "in_service": "8.4.2, 8.3.3"}
"""Where the tests of 8.3.3 are asked for at each stage."""


def wanted_tests(instrument: WeighingInstrument) -> tuple[str, ...]:
    """List the tests of 8.3.3 for an instrument: discrimination of a digital one is not among them."""
    return (
        *("zero", "weighing", "eccentricity", "repeatability"),
        *(("tare",) if instrument.tare else ()),
        *(("discrimination",) if instrument.indicating is not Indicating.DIGITAL else ()),
        *(("sensitivity",) if instrument.indicating is Indicating.NON_SELF_INDICATING else ()),
    )


def missing_tests(weighings: Weighings, present: set[tuple[str, int]]) -> Iterator[Reason]:
    """Say which tests are missing; each range of a multiple range instrument wants them all.

    ``present`` holds name and range of every test of the sheet.
    """
    clause = f"{DOCUMENT} {WANTED_BY[weighings.stage]}"
    many = len(weighings.scale.ranges) > 1
    for within in weighings.scale.ranges:
        for name in wanted_tests(weighings.scale.instrument):
            if (name, within.number) in present:
                continue
            if many:
                yield Reason(
                    "test-missing",
                    "test {test} is missing in range {range} ({clause}).",
                    {"test": name, "range": within.number, "clause": clause},
                )
            else:
                yield Reason(
                    "test-missing",
                    "test {test} is missing ({clause}).",
                    {"test": name, "clause": clause},
                )


def weighing_lacks(weighings: Weighings, weighed: Sequence[Observed]) -> Iterator[Reason]:
    """Want enough loads, one at most Min and one at Max, over the weighing tests of a range."""
    law, scale, within = (
        requirement(weighings.table, "weighing"),
        weighings.scale,
        weighed[0].within,
    )
    loads: Counts = np.unique(np.concatenate([seen.load for seen in weighed]))
    wanted = int(law.number("loads"))
    if loads.size < wanted:
        yield Reason(
            "loads-too-few",
            "weighing: {count} different loads were weighed and {wanted} are wanted ({clause}).",
            {"count": int(loads.size), "wanted": wanted, "clause": law.clause},
        )
    if scale.value(loads[0]) > within.minimum:
        yield Reason(
            "load-min-missing",
            "weighing: no load up to Min = {minimum} was weighed ({clause}).",
            {"minimum": scale.said(within.minimum), "clause": law.clause},
        )
    if scale.value(loads[-1]) < within.maximum:
        yield Reason(
            "load-max-missing",
            "weighing: Max = {maximum} was not weighed ({clause}).",
            {"maximum": scale.said(within.maximum), "clause": law.clause},
        )


def weighing_notes(weighings: Weighings, weighed: Sequence[Observed]) -> Iterator[Reason]:
    """Say at which steps of the limits no load was weighed: advised, and not what decides."""
    law, scale, within = (
        requirement(weighings.table, "weighing"),
        weighings.scale,
        weighed[0].within,
    )
    loads = [scale.value(load) for seen in weighed for load in seen.load.tolist()]
    for step in limit_steps(within.curve.bounds, within.maximum):
        if not any(NEARLY * step <= load <= step / NEARLY for load in loads):
            yield Reason(
                "load-step-missing",
                "weighing: no load near {step}, where the limit changes, was weighed ({clause}).",
                {"step": scale.said(step), "clause": law.clause},
            )


def limit_steps(bounds: Sequence[Bound], maximum: Decimal) -> list[Decimal]:
    """Give the loads below Max at which the limit changes."""
    return [Decimal(bound) for bound in bounds if isinstance(bound, Decimal) and bound < maximum]


def repeatability_lacks(weighings: Weighings, seen: Observed) -> Iterator[Reason]:
    """Want one series with the weighings of the class at a load of the law (8.3.3, A.4.10).

    Further series (one for a substitution load) may be lighter; what is lacking is said of the
    heaviest, once.
    """
    if seen.test.series is Series.TYPE:
        yield from _type_series_lacks(weighings, seen)
        return
    law, scale = requirement(weighings.table, "repeatability"), weighings.scale
    wanted = int(law.by_class("weighings", scale.accuracy_class))
    least = law.number("least_load") * seen.within.maximum
    series = [
        other
        for other in weighings.of("repeatability", seen.within)
        if other.test.series is Series.VERIFICATION
    ]
    heavy = [other for other in series if scale.value(other.load[0]) >= least]
    if any(other.load.size >= wanted for other in heavy):
        return
    heaviest = max(heavy or series, key=lambda other: int(other.load[0]))
    if seen is not heaviest:
        return
    yield from _too_few(seen, wanted, law.clause)
    if not heavy:
        yield Reason(
            "repeatability-load",
            "repeatability: {load} is less than {least} Max; about {about} Max is wanted ({clause}).",
            {
                "load": scale.said(scale.value(seen.load[0])),
                "least": law.number("least_load"),
                "about": law.number("load"),
                "clause": law.clause,
            },
        )


def _type_series_lacks(weighings: Weighings, seen: Observed) -> Iterator[Reason]:
    """Want both series of type evaluation, and their counts (A.4.10)."""
    law, scale = requirement(weighings.table, "repeatability_type"), weighings.scale
    heavy = seen.within.maximum >= law.mass("heavy_from", scale.unit)
    yield from _too_few(
        seen, int(law.number("weighings_heavy" if heavy else "weighings")), law.clause
    )
    others = weighings.of("repeatability", seen.within)
    loads = [scale.value(other.load[0]) for other in others if other.test.series is Series.TYPE]
    for share in law.stated["loads"]:
        wanted = share * seen.within.maximum
        if not any(NEARLY * wanted <= load <= wanted / NEARLY for load in loads):
            yield Reason(
                "repeatability-series-missing",
                "repeatability: no series of type evaluation was made at about {share} Max ({clause}).",
                {"share": share, "clause": law.clause},
            )


def _too_few(seen: Observed, wanted: int, clause: str) -> Iterator[Reason]:
    if seen.load.size < wanted:
        yield Reason(
            "weighings-too-few",
            "repeatability: {count} weighings were made and {wanted} are wanted ({clause}).",
            {"count": int(seen.load.size), "wanted": wanted, "clause": clause},
        )
