"""The half-e probe of Indonesian practice (imbuh 0,5 e) instead of steps of 0.1 e.

Knows how indication, load and one probe decide a point: the formula of R 76 with ΔL bracketed at
0.5 e, without E0. On the plus side it rejects an error of exactly k e, which R 76 accepts. Refuses
loads that are no whole number of e, and limits that its source has no rule for.
"""

from decimal import Decimal

from calibration.draft import DraftPoint, Judged
from calibration.grid import plain
from calibration.refusal import Refused
from calibration.routines.weighing_law import Probe, requirement
from calibration.routines.weighing_observed import Observed, Weighings, check_displayed
from calibration.routines.weighing_points import national_range, point_limit, range_limit
from calibration.routines.weighing_scale import EXACT, Scale
from calibration.verification import Reason


def probe_points(
    weighings: Weighings, seen: Observed, probe: Probe
) -> tuple[list[DraftPoint], list[Reason]]:
    """Decide every point by the probe, and say where one is lacking."""
    scale = weighings.scale
    preload = EXACT.multiply(probe.at_zero.number("preload"), seen.within.e)
    columns = _Columns(scale, seen)
    points, lacking = [], []
    for place in range(seen.load.size):
        _check_point(scale, seen, place)
        at_zero = seen.name in ("zero", "tare") and scale.value(seen.load[place]) == preload
        if seen.name == "zero" and not at_zero:
            raise Refused(
                "the probe at zero has a preload of {preload} ({clause}).",
                key=f"{seen.test.key}.load[{place}]",
                preload=scale.said(preload),
                clause=probe.at_zero.clause,
            )
        conforms = (
            columns.at_zero(place) if at_zero else _at_load(weighings, seen, place, probe, columns)
        )
        if conforms is None:
            clause = (probe.at_zero if at_zero else probe.at_load).clause
            lacking.append(
                Reason(
                    "probe-missing",
                    "{test}, point {point}: the probe that decides it was not made ({clause}).",
                    {"test": seen.name, "point": place + 1, "clause": clause},
                )
            )
        points.append(_point(weighings, seen, place, probe, at_zero=at_zero, conforms=conforms))
    if seen.name == "tare" and not any(scale.value(load) == preload for load in seen.load.tolist()):
        lacking.append(
            Reason(
                "tare-accuracy-missing",
                "tare: its accuracy was not probed with a preload of {preload} ({clause}).",
                {"preload": scale.said(preload), "clause": probe.at_zero.clause},
            )
        )
    return points, lacking


def probe_range(weighings: Weighings, seen: Observed) -> DraftPoint | Reason:
    """Compare the range of the indications themselves with the limit of the national settings."""
    scale = weighings.scale
    if national_range(weighings, seen) is None:
        return Reason(
            "range-not-judged",
            "repeatability: the range of indications that are not freed of rounding has no limit at "
            "this stage.",
        )
    limit, clause = range_limit(weighings, seen)
    return DraftPoint(
        nominal=scale.value(seen.load[0]),
        error=plain(EXACT.subtract(max(seen.shown), min(seen.shown))),
        lower=None,
        upper=limit,
        unit=scale.unit,
        clause=clause,
        judged=Judged.RANGE,
    )


class _Columns:
    """Indications after the probes; None where none was made."""

    def __init__(self, scale: Scale, seen: Observed) -> None:
        self._scale, self._seen = scale, seen
        self.after = self._read("indication_after")
        self.further = self._read("indication_further")

    def changed(self, place: int, column: list[Decimal | None]) -> bool | None:
        """Tell whether the indication rose by one interval; None when no probe was made."""
        if (value := column[place]) is None:
            return None
        before = self._seen.shown[place]
        if value not in (before, before + self._seen.partial(self._scale, place).d):
            name = "indication_after" if column is self.after else "indication_further"
            raise Refused(
                "a probe below one interval cannot change {before} to {after}: a typing error?",
                key=f"{self._seen.test.key}.{name}[{place}]",
                before=self._scale.said(before),
                after=self._scale.said(value),
            )
        return value != before

    def at_zero(self, place: int) -> bool | None:
        """Want 0.25 e more not to change the indication of the preload, and 0.5 e further to."""
        if self._seen.indication[place] != self._seen.load[place]:
            return False
        first, further = self.changed(place, self.after), self.changed(place, self.further)
        if first:
            return False
        return None if first is None or further is None else further

    def _read(self, name: str) -> list[Decimal | None]:
        test = self._seen.test
        given = getattr(test, name)
        if given is None:
            return [None] * self._seen.load.size
        values = iter(self._scale.column(test, name, given))
        column = [None if quantity is None else next(values) for quantity in given]
        check_displayed(self._scale, test, name, [value for value in column if value is not None])
        return column


def _at_load(
    weighings: Weighings, seen: Observed, place: int, probe: Probe, columns: _Columns
) -> bool | None:
    """Decide |I - L| against the limit; a tie at k e is decided by 0.5 e more."""
    scale, law = weighings.scale, probe.at_load
    e = seen.partial(scale, place).e
    limit = point_limit(weighings, seen, place)[0] / e
    difference = (seen.shown[place] - scale.value(seen.load[place])) / e
    for row in law.stated["clear"]:
        if limit == row["limit"]:
            return bool(abs(difference) <= row["difference"])
    if limit != limit.to_integral_value():
        raise Refused(
            "the probe has no rule for a limit of {limit} e ({clause}).",
            key=f"{seen.test.key}.method",
            limit=plain(limit),
            clause=law.clause,
        )
    if abs(difference) != limit:
        return bool(abs(difference) < limit)
    changed = columns.changed(place, columns.after)
    if changed is None:
        return None
    return not changed if difference > 0 else changed


def _point(
    weighings: Weighings,
    seen: Observed,
    place: int,
    probe: Probe,
    *,
    at_zero: bool,
    conforms: bool | None,
) -> DraftPoint:
    scale = weighings.scale
    limit, clause = point_limit(weighings, seen, place)
    if at_zero and seen.name == "tare":
        wanted = requirement(weighings.table, "tare")
        limit = plain(EXACT.multiply(wanted.number("limit"), seen.within.e))
        clause = wanted.clause
    clause = f"{clause}, {(probe.at_zero if at_zero else probe.at_load).clause}"
    load = scale.value(seen.load[place])
    error = plain(EXACT.subtract(seen.shown[place], load))
    return DraftPoint(
        nominal=load,
        reference=load,
        indication=seen.shown[place],
        error=None if conforms is None else error,
        lower=-limit,
        upper=limit,
        unit=scale.unit,
        clause=clause,
        conforms=conforms,
        failure=Reason(
            "probe-rejects",
            "{test}, point {point} at {nominal}: the indication differs by {error}, and the probe "
            "finds the error beyond {limit} ({clause}).",
            {
                "test": seen.name,
                "point": place + 1,
                "nominal": scale.said(load),
                "error": scale.said(error),
                "limit": scale.said(limit),
                "clause": clause,
            },
        ),
    )


def _check_point(scale: Scale, seen: Observed, place: int) -> None:
    one = seen.partial(scale, place)
    if not scale.digital or one.d != one.e:
        raise Refused(
            "the probe is for digital indications with d = e.", key=f"{seen.test.key}.method"
        )
    if EXACT.remainder(scale.value(seen.load[place]), one.e) != 0:
        raise Refused(
            "{load} is no whole number of e: the probe cannot decide there.",
            key=f"{seen.test.key}.load[{place}]",
            load=scale.said(scale.value(seen.load[place])),
        )
