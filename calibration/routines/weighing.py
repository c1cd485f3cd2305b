"""The NAWI routine: what the observations of a weighing instrument are worth (OIML R 76-1:2006).

Knows which tests the law wants, how each finds its error, and which limit applies to it. Refuses
to decide: it drafts points with errors and limits, `calibration.judgement` decides them. Never
takes an indication for the indication prior to rounding when its interval is too coarse.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import numpy as np

from calibration.case import Case
from calibration.draft import DraftPoint, DraftTest, Findings, Judged
from calibration.grid import Counts, off_grid, plain
from calibration.legal_table import PROVISIONAL
from calibration.refusal import Refused
from calibration.routines.weighing_scale import Observed, Scale, corrected
from calibration.routines.weighing_sheet import WeighingSheet
from calibration.standard import Realised, correction_percent
from calibration.verification import Reason

STANDARDS_CLAUSE = "R 76-1 3.7.1"
REQUIRED = ("zero", "weighing", "eccentricity", "repeatability")
"""Tests that 8.3.3 wants at every stage; `tare` too where the instrument has the device."""
WANTED_BY = {"initial": "8.3.3", "subsequent": "8.4.1, 8.3.3", "in_service": "8.4.2, 8.3.3"}
LOAD_POINTS = 5
"""Fewest different loads of the weighing test at verification (A.4.4.1)."""
RUNS = {"I": 6, "II": 6, "III": 3, "IIII": 3}
"""Weighings of the repeatability test at verification (8.3.3, A.4.10)."""
_NEARLY = Decimal("0.9")
"""Share of the eccentricity load that passes for it: the law says 'corresponding to'."""
_QUARTER = Decimal("0.25")


def weighing_findings(case: Case[WeighingSheet]) -> Findings:
    """Draft every test of the sheet with errors, limits and what is lacking."""
    if correction_percent(case.standards):
        raise Refused(
            "weights take no correction in %: state their conventional mass as the load.",
            key="standards.correction",
        )
    instrument, table = case.body.instrument, case.table
    scale = Scale.of(case)
    observed = [scale.observe(test) for test in case.body.tests]
    zeros = [_error_at_zero(scale, seen) for seen in observed]
    weighed = [seen for seen in observed if seen.test.name == "weighing"]
    common = next(
        (
            zero
            for seen, zero in zip(observed, zeros, strict=True)
            if seen.test.name == "weighing" and zero is not None
        ),
        None,
    )
    tests: list[DraftTest] = []
    notes: list[Reason] = []
    for seen, own in zip(observed, zeros, strict=True):
        name = seen.test.name
        zero = None if name in ("zero", "discrimination") else own
        if zero is None and name in ("eccentricity", "repeatability") and common is not None:
            zero = (common[0], -1)
        if zero is None and seen.known.all() and name not in ("zero", "discrimination"):
            notes.append(
                Reason(
                    "no-zero-correction",
                    "{test}: no E0 correction was made, because no load at or near zero was weighed.",
                    {"test": name},
                )
            )
        lacking = list(_rounding(scale, seen))
        if name == "weighing" and seen is weighed[0]:
            lacking += _weighing_lacks(scale, weighed)
        elif name == "eccentricity":
            lacking += _eccentricity_lacks(scale, seen)
        elif name == "repeatability":
            lacking += _repeatability_lacks(scale, seen)
        tests.append(DraftTest(name, tuple(_points(scale, seen, zero)), tuple(lacking)))
    wanted = REQUIRED + (("tare",) if instrument.tare else ())
    present = {test.name for test in tests}
    lacking_tests = tuple(
        Reason(
            "test-missing",
            "test {test} is missing ({clause}).",
            {"test": name, "clause": f"R 76-1 {WANTED_BY[case.stage]}"},
        )
        for name in wanted
        if name not in present
    )
    return Findings(
        tests=tuple(tests),
        lacking=lacking_tests,
        notes=tuple(notes),
        realised=tuple(_realised(scale, observed)),
        provisional=table.provisional
        or table.rules["stage"][case.stage]["confidence"] in PROVISIONAL,
    )


def _error_at_zero(scale: Scale, seen: Observed) -> tuple[int, int] | None:
    """Find E0 [count] and its point: the first with the smallest load, at most 10 e (A.4.4.3)."""
    place = int(np.argmin(seen.load))
    if int(seen.load[place]) > scale.near_zero or not seen.known[place]:
        return None
    return int(seen.error[place]), place


def _points(scale: Scale, seen: Observed, zero: tuple[int, int] | None) -> Iterator[DraftPoint]:
    name = seen.test.name
    if name == "discrimination":
        yield from _discrimination_points(scale, seen)
        return
    quarter = plain(scale.e * _QUARTER)
    errors = corrected(seen, zero)
    for place in range(seen.load.size):
        limit, clause = scale.value(seen.limit[place]), seen.clauses[place]
        at_zero = int(seen.load[place]) <= scale.near_zero
        if name == "zero":
            limit, clause = quarter, "4.5.2"
        elif name == "tare" and zero is not None and place == zero[1] and at_zero:
            limit, clause = quarter, "4.6.3"
        yield DraftPoint(
            nominal=scale.value(seen.load[place]),
            reference=scale.value(seen.load[place]),
            indication=seen.shown[place],
            error=scale.value(errors[place]) if seen.known[place] else None,
            lower=-limit,
            upper=limit,
            unit=scale.unit,
            clause=f"R 76-1 {clause}",
        )
    if name == "repeatability" and seen.known.all() and seen.load.size > 1:
        yield DraftPoint(
            nominal=scale.value(seen.load[0]),
            error=scale.value(seen.error.max() - seen.error.min()),
            lower=None,
            upper=scale.value(seen.limit[0]),
            unit=scale.unit,
            clause=f"R 76-1 3.6.1, {seen.clauses[0]}",
            judged=Judged.RANGE,
        )


def _discrimination_points(scale: Scale, seen: Observed) -> Iterator[DraftPoint]:
    """Want the extra load of 1.4 d to change the indication by at least d (3.8.2.2, A.4.8)."""
    for place, change in enumerate(off_grid(seen.after - seen.indication, scale.exponent)):
        yield DraftPoint(
            nominal=scale.value(seen.load[place]),
            reference=scale.value(seen.load[place]),
            indication=seen.shown[place],
            error=plain(change),
            lower=scale.value(seen.interval[place]),
            upper=None,
            unit=scale.unit,
            clause="R 76-1 3.8.2.2",
            judged=Judged.CHANGE,
        )


def _rounding(scale: Scale, seen: Observed) -> Iterator[Reason]:
    if seen.test.name == "discrimination" or seen.known.all():
        return
    place = int(np.argmin(seen.known))
    yield Reason(
        "rounding-error",
        "{test}, point {point}: the rounding error is not eliminated: with d = {d} above 0.2 e, "
        "find ΔL and give it as added_load (R 76-1 3.5.3.2).",
        {
            "test": seen.test.name,
            "point": place + 1,
            "d": f"{scale.value(seen.interval[place]):f} {scale.unit}",
        },
    )


def _weighing_lacks(scale: Scale, weighed: Sequence[Observed]) -> Iterator[Reason]:
    """Want five loads, one at most Min and one at Max, over all weighing tests (A.4.4.1)."""
    loads: Counts = np.unique(np.concatenate([seen.load for seen in weighed]))
    if loads.size < LOAD_POINTS:
        yield Reason(
            "loads-too-few",
            "weighing: {count} different loads were weighed and {wanted} are wanted "
            "(R 76-1 A.4.4.1).",
            {"count": int(loads.size), "wanted": LOAD_POINTS},
        )
    if scale.value(loads[0]) > scale.minimum:
        yield Reason(
            "load-min-missing",
            "weighing: no load up to Min = {minimum} was weighed (R 76-1 A.4.4.1).",
            {"minimum": f"{scale.minimum:f} {scale.unit}"},
        )
    if scale.value(loads[-1]) < scale.maximum:
        yield Reason(
            "load-max-missing",
            "weighing: Max = {maximum} was not weighed (R 76-1 A.4.4.1).",
            {"maximum": f"{scale.maximum:f} {scale.unit}"},
        )


def _eccentricity_lacks(scale: Scale, seen: Observed) -> Iterator[Reason]:
    """Want every segment or support, with a load of Max/3 or Max/(n - 1) (3.6.2.1, 3.6.2.2)."""
    supports = seen.test.supports
    positions, share, clause = (
        (4, 3, "3.6.2.1") if supports <= 4 else (supports, supports - 1, "3.6.2.2")
    )
    eccentric = int((seen.load > scale.near_zero).sum())
    if eccentric < positions:
        yield Reason(
            "positions-missing",
            "eccentricity: {count} positions were loaded and {wanted} are wanted "
            "(R 76-1 {clause}).",
            {"count": eccentric, "wanted": positions, "clause": clause},
        )
    loaded = seen.load[seen.load > scale.near_zero]
    smallest = scale.value(loaded.min()) if loaded.size else Decimal(0)
    if smallest * share < _NEARLY * scale.maximum:
        yield Reason(
            "eccentricity-load",
            "eccentricity: {load} is less than the wanted load of Max/{share} (R 76-1 {clause}).",
            {"load": f"{smallest:f} {scale.unit}", "share": share, "clause": clause},
        )


def _repeatability_lacks(scale: Scale, seen: Observed) -> Iterator[Reason]:
    """Want 3 weighings (6 in classes I and II) of at least half of Max (8.3.3, A.4.10)."""
    wanted = RUNS[scale.accuracy_class]
    if seen.load.size < wanted:
        yield Reason(
            "weighings-too-few",
            "repeatability: {count} weighings were made and {wanted} are wanted "
            "(R 76-1 8.3.3, A.4.10).",
            {"count": int(seen.load.size), "wanted": wanted},
        )
    load = scale.value(seen.load[0])
    if 2 * load < scale.maximum:
        yield Reason(
            "repeatability-load",
            "repeatability: {load} is less than half of Max; about 0.8 Max is wanted "
            "(R 76-1 A.4.10).",
            {"load": f"{load:f} {scale.unit}"},
        )


def _realised(scale: Scale, observed: Sequence[Observed]) -> Iterator[Realised]:
    for seen in observed:
        if seen.test.name in ("weighing", "eccentricity", "tare"):
            for load, limit in zip(seen.load.tolist(), seen.limit.tolist(), strict=True):
                if load:
                    yield Realised(scale.value(load), scale.value(limit), scale.unit)
