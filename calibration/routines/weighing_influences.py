"""Creep, zero return, tilt and the zero-setting range: optional tests, judged when they were made.

Knows the limits of R 76-1 3.9.1, 3.9.4 and 4.5.1. None is wanted at verification; they are part of
type evaluation.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from calibration.draft import DraftPoint, DraftTest
from calibration.grid import plain
from calibration.refusal import Refused
from calibration.routines.weighing_columns import LEVEL, WeighingTest
from calibration.routines.weighing_law import DOCUMENT, NEARLY, Requirement, in_unit, requirement
from calibration.routines.weighing_observed import Observed, Weighings
from calibration.routines.weighing_scale import EXACT, Scale
from calibration.verification import Reason


def creep(weighings: Weighings, seen: Observed) -> DraftTest:
    """Compare indications under one load with the first and with that at 15 minutes (3.9.4.1)."""
    law, scale = _of_class(weighings, seen.test, "creep"), weighings.scale
    minutes = [time.to("min").magnitude for time in seen.test.time or ()]
    _check_ascending(seen, minutes)
    points, missed = [], False
    late = minutes.index(law.number("late_from")) if law.number("late_from") in minutes else None
    for place, minute in enumerate(minutes[1:], 1):
        if minute <= law.number("minutes"):
            points.append(_drift(scale, seen, 0, place, law.number("limit"), law))
        if late is not None and minute == law.number("minutes"):
            points.append(_drift(scale, seen, late, place, law.number("late_limit"), law))
    if late is None or law.number("minutes") not in minutes:
        missed = True
    lacking = list(_creep_lacks(weighings, seen, law, missed=missed))
    if all(_within(point) for point in points):
        return DraftTest(seen.name, tuple(points), tuple(lacking))
    # Missing these limits is no failure yet: the limit of the load then counts, over four hours.
    long_limit = scale.value(seen.limit[0])
    clause = f"{law.clause}, {DOCUMENT} {seen.clauses[0]}"
    long_points = [
        replace(_drift(scale, seen, 0, place, None, law), lower=-long_limit, upper=long_limit,
                clause=clause)
        for place in range(1, len(minutes))
    ]  # fmt: skip
    if minutes[-1] < law.number("long_minutes"):
        lacking.append(
            Reason(
                "creep-long",
                "creep: the indication changed by more than {limit} e; whether it keeps within the "
                "limit of the load is seen after {minutes} minutes ({clause}).",
                {
                    "limit": law.number("limit"),
                    "minutes": law.number("long_minutes"),
                    "clause": law.clause,
                },
            )
        )
    return DraftTest(seen.name, tuple(long_points), tuple(lacking))


def zero_return(weighings: Weighings, seen: Observed) -> DraftTest:
    """Compare zero before and after half an hour under load (3.9.4.2)."""
    law, scale, test = _of_class(weighings, seen.test, "zero_return"), weighings.scale, seen.test
    if seen.load.size != 2:
        raise Refused(
            "state two indications: before the load and after it was taken off.",
            key=f"{test.key}.indication",
        )
    (kept,) = [time.to("min").magnitude for time in test.time or ()]
    lacking = list(_unrounded(seen))
    if kept < law.number("minutes"):
        lacking.append(
            Reason(
                "kept-too-short",
                "zero_return: the load was kept for {minutes} minutes and {wanted} are wanted "
                "({clause}).",
                {"minutes": kept, "wanted": law.number("minutes"), "clause": law.clause},
            )
        )
    point = _drift(scale, seen, 0, 1, law.number("limit"), law)
    if test.kept_load is not None:
        load = in_unit(test.kept_load, scale.unit, f"{test.key}.kept_load")
        point = replace(point, nominal=load)
    return DraftTest(seen.name, (point,), tuple(lacking))


def tilt(weighings: Weighings, seen: Observed) -> DraftTest:
    """Compare zero and span in each tilted position with those of the level instrument (3.9.1)."""
    law, scale, test = requirement(weighings.table, "tilt"), weighings.scale, seen.test
    positions = test.position or ()
    loads = seen.load.tolist()
    at = {
        (where, load): place
        for place, (where, load) in enumerate(zip(positions, loads, strict=True))
    }
    zero = min(loads)
    if zero > seen.near_zero or any((where, zero) not in at for where in (LEVEL, *positions)):
        raise Refused(
            "every position has a row at zero, and one position is {level}.",
            key=f"{test.key}.position",
            level=LEVEL,
        )
    points = []
    for (where, load), place in at.items():
        if where == LEVEL:
            continue
        if (LEVEL, load) not in at:
            raise Refused(
                "this load was not weighed with the instrument level.",
                key=f"{test.key}.load[{place}]",
            )
        level_zero = at[LEVEL, zero]
        if load == zero:
            points.append(_drift(scale, seen, level_zero, place, law.number("zero"), law))
            continue
        span = _change(scale, seen, at[LEVEL, load], place)
        moved = None if span is None else _change(scale, seen, level_zero, at[where, zero])
        change = None if span is None or moved is None else plain(EXACT.subtract(span, moved))
        limit = scale.value(seen.limit[place])
        points.append(
            replace(
                _drift(scale, seen, level_zero, place, None, law),
                nominal=scale.value(load),
                error=change,
                lower=-limit,
                upper=limit,
                clause=f"{law.clause}, {DOCUMENT} {seen.clauses[place]}",
            )
        )
    return DraftTest(seen.name, tuple(points), tuple(_unrounded(seen)))


def zero_range(weighings: Weighings, test: WeighingTest) -> DraftTest:
    """Compare how far zero can be set with Max (4.5.1)."""
    law, scale = requirement(weighings.table, "zero_range"), weighings.scale
    within = scale.range_of(test)
    points, lacking = [], []
    for name, percent in (("zero_setting", "percent"), ("initial_zero_setting", "initial_percent")):
        stated = getattr(test, name)
        if stated is None:
            continue
        moved = in_unit(stated, scale.unit, f"{test.key}.{name}")
        limit = plain(EXACT.multiply(law.number(percent), within.maximum).scaleb(-2))
        point = DraftPoint(
            nominal=None, error=moved, lower=None, upper=limit, unit=scale.unit, clause=law.clause
        )
        if name == "initial_zero_setting" and moved > limit:
            # Allowed if tests prove it: neither conforming nor failed on this alone.
            point = replace(point, upper=None)
            lacking.append(
                Reason(
                    "initial-zero-range",
                    "zero_range: the initial zero-setting device moves zero by {moved}, more than "
                    "{limit}: tests must show that the instrument then conforms ({clause}).",
                    {"moved": scale.said(moved), "limit": scale.said(limit), "clause": law.clause},
                )
            )
        points.append(point)
    return DraftTest(test.name, tuple(points), tuple(lacking))


def _of_class(weighings: Weighings, test: WeighingTest, name: str) -> Requirement:
    law = requirement(weighings.table, name)
    if not law.applies_to(weighings.scale.accuracy_class):
        raise Refused(
            "the law states no limit of this test for class {accuracy_class} ({clause}).",
            key=test.key,
            accuracy_class=weighings.scale.accuracy_class,
            clause=law.clause,
        )
    return law


def _creep_lacks(
    weighings: Weighings, seen: Observed, law: Requirement, *, missed: bool
) -> Iterator[Reason]:
    yield from _unrounded(seen)
    load = weighings.scale.value(seen.load[0])
    if load < NEARLY * seen.within.maximum:
        yield Reason(
            "creep-load",
            "creep: {load} is not close to Max ({clause}).",
            {"load": weighings.scale.said(load), "clause": law.clause},
        )
    if missed:
        yield Reason(
            "creep-times",
            "creep: the indications at {first} and {last} minutes are wanted ({clause}).",
            {
                "first": law.number("late_from"),
                "last": law.number("minutes"),
                "clause": law.clause,
            },
        )


def _check_ascending(seen: Observed, minutes: list[Decimal]) -> None:
    if minutes[0] != 0:
        raise Refused(
            "the first indication is that immediately after placing the load: 0 min.",
            key=f"{seen.test.key}.time[0]",
        )
    for place in range(1, len(minutes)):
        if minutes[place] <= minutes[place - 1]:
            raise Refused("the times ascend.", key=f"{seen.test.key}.time[{place}]")


def _unrounded(seen: Observed) -> Iterator[Reason]:
    if not seen.known.all():
        yield Reason(
            "rounding-of-change",
            "{test}: the rounding error is not eliminated: a change of indication needs ΔL or a finer "
            "interval.",
            {"test": seen.name},
        )


def _change(scale: Scale, seen: Observed, first: int, last: int) -> Decimal | None:
    if not (seen.known[first] and seen.known[last]):
        return None
    return scale.value(seen.error[last] - seen.error[first])


def _drift(
    scale: Scale, seen: Observed, first: int, last: int, limit: Decimal | None, law: Requirement
) -> DraftPoint:
    """Draft the change between two indications with a limit in e."""
    e = seen.partial(scale, last).e
    bound = None if limit is None else plain(EXACT.multiply(limit, e))
    return DraftPoint(
        nominal=scale.value(seen.load[last]),
        reference=seen.shown[first],
        indication=seen.shown[last],
        error=_change(scale, seen, first, last),
        lower=None if bound is None else -bound,
        upper=bound,
        unit=scale.unit,
        clause=law.clause,
    )


def _within(point: DraftPoint) -> bool:
    return point.error is None or point.upper is None or abs(point.error) <= point.upper
