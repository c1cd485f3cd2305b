"""Discrimination, sensitivity, and the agreement of several indicating devices.

Knows how a small extra load must show on digital, analogue and non-self-indicating instruments
(R 76-1 3.8, 6.1) and how far two indications may differ (3.6.3). Refuses an extra load that is not
the one of the law: a larger one would prove nothing.
"""

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from calibration.draft import DraftPoint, DraftTest, Judged
from calibration.grid import plain
from calibration.legal_table import LegalTable
from calibration.refusal import Refused
from calibration.routines.weighing_columns import WeighingTest
from calibration.routines.weighing_law import DOCUMENT, Requirement, requirement
from calibration.routines.weighing_observed import Observed, Weighings, check_displayed
from calibration.routines.weighing_scale import EXACT, Scale
from calibration.routines.weighing_sheet import Indicating
from calibration.units import parse_quantity
from calibration.verification import Reason


def discrimination(weighings: Weighings, seen: Observed) -> DraftTest:
    """Draft the discrimination test by the kind of indication (3.8)."""
    indicating = weighings.scale.instrument.indicating
    if indicating is Indicating.DIGITAL:
        return DraftTest(seen.name, tuple(_digital(weighings, seen)))
    loads = requirement(weighings.table, "discrimination_loads")
    count = int(np.unique(seen.load).size)
    lacking = []
    if count < loads.number("loads"):
        lacking.append(
            Reason(
                "discrimination-loads",
                "discrimination: {count} different loads were tested and {wanted} are wanted "
                "({clause}).",
                {"count": count, "wanted": int(loads.number("loads")), "clause": loads.clause},
            )
        )
    draft = _analogue if indicating is Indicating.ANALOGUE else _non_self_indicating
    return DraftTest(seen.name, tuple(draft(weighings, seen)), tuple(lacking))


def _digital(weighings: Weighings, seen: Observed) -> Iterator[DraftPoint]:
    """Want 1.4 d more load to change the indication by at least d (3.8.2.2, A.4.8)."""
    law, scale, test = (
        requirement(weighings.table, "discrimination_digital"),
        weighings.scale,
        seen.test,
    )
    after = _after(scale, test)
    check_displayed(scale, test, "indication_after", after)
    for place, shown in enumerate(after):
        d = seen.partial(scale, place).d
        if d < law.mass("least_d", scale.unit):
            raise Refused(
                "no discrimination is defined for d = {d}: the law begins at {least} ({clause}).",
                key=test.key,
                d=scale.said(d),
                least=law.stated["least_d"],
                clause=law.clause,
            )
        if test.extra_load is not None:
            _check_extra(scale, test, place, EXACT.multiply(law.number("extra"), d), law.clause)
        yield _changed(
            scale, seen, place, shown, EXACT.multiply(law.number("change"), d), law.clause
        )


def _analogue(weighings: Weighings, seen: Observed) -> Iterator[DraftPoint]:
    """Want |MPE| more load to move the indication for good by 0.7 of it (3.8.2.1)."""
    law, scale = requirement(weighings.table, "discrimination_analogue"), weighings.scale
    for place, shown in enumerate(_after(scale, seen.test)):
        extra = _extra(scale.unit, law, scale.value(seen.limit[place]))
        _check_extra(scale, seen.test, place, extra, law.clause)
        yield _changed(
            scale, seen, place, shown, EXACT.multiply(law.number("part"), extra), law.clause
        )


def _changed(
    scale: Scale, seen: Observed, place: int, shown: Decimal, least: Decimal, clause: str
) -> DraftPoint:
    load = scale.value(seen.load[place])
    return DraftPoint(
        nominal=load,
        reference=load,
        indication=seen.shown[place],
        error=plain(EXACT.subtract(shown, seen.shown[place])),
        lower=plain(least),
        upper=None,
        unit=scale.unit,
        clause=clause,
        judged=Judged.CHANGE,
    )


def _non_self_indicating(weighings: Weighings, seen: Observed) -> Iterator[DraftPoint]:
    """Want 0.4 |MPE| more load to move the indicating element visibly (3.8.1)."""
    law, scale = requirement(weighings.table, "discrimination_non_self_indicating"), weighings.scale
    if seen.test.visible is None:
        raise Refused("this key is missing.", key=f"{seen.test.key}.visible")
    for place, visible in enumerate(seen.test.visible):
        extra = _extra(scale.unit, law, scale.value(seen.limit[place]))
        _check_extra(scale, seen.test, place, extra, law.clause)
        load = scale.value(seen.load[place])
        yield DraftPoint(
            nominal=load,
            reference=load,
            indication=seen.shown[place],
            error=None,
            lower=None,
            upper=None,
            unit=scale.unit,
            clause=law.clause,
            conforms=visible,
            failure=Reason(
                "no-visible-movement",
                "{test}, point {point} at {nominal}: {extra} more load gave no visible movement "
                "({clause}).",
                {
                    "test": seen.name,
                    "point": place + 1,
                    "nominal": scale.said(load),
                    "extra": scale.said(extra),
                    "clause": law.clause,
                },
            ),
        )


def sensitivity(weighings: Weighings, test: WeighingTest) -> list[DraftTest]:
    """Draft the sensitivity of a non-self-indicating instrument, a test for each load (6.1)."""
    law, scale = requirement(weighings.table, "movement"), weighings.scale
    if scale.instrument.indicating is not Indicating.NON_SELF_INDICATING:
        raise Refused("only a non-self-indicating instrument has a sensitivity.", key=test.key)
    within = scale.range_of(test)
    heavy = scale.accuracy_class in law.stated["heavy_classes"] and within.maximum > law.mass(
        "heavy_above", scale.unit
    )
    light = law.by_class("displacement", scale.accuracy_class)
    least = parse_quantity(law.stated["heavy_displacement"] if heavy else light).to("mm").magnitude
    loads = scale.column(test, "load", test.load)
    tests = []
    for place, (load, moved) in enumerate(zip(loads, test.displacement or (), strict=True)):
        if not 0 <= load <= within.maximum:
            raise Refused(
                "{load} is beyond Max = {maximum}.",
                key=f"{test.key}.load[{place}]",
                load=scale.said(load),
                maximum=scale.said(within.maximum),
            )
        extra = _extra(scale.unit, law, within.limit(load)[0])
        _check_extra(scale, test, place, extra, law.clause)
        displacement = moved.to("mm").magnitude
        failure = Reason(
            "displacement-too-small",
            "sensitivity at {nominal}: {extra} more load displaced the indicating element by "
            "{displacement} mm, less than {least} mm ({clause}).",
            {
                "nominal": scale.said(load),
                "extra": scale.said(extra),
                "displacement": f"{displacement:f}",
                "least": f"{least:f}",
                "clause": law.clause,
            },
        )
        point = DraftPoint(
            nominal=None,
            error=displacement,
            lower=least,
            upper=None,
            unit="mm",
            clause=law.clause,
            judged=Judged.CHANGE,
            failure=failure,
        )
        tests.append(DraftTest(test.name, (point,), conditions={"load": scale.said(load)}))
    return tests


def sensitivity_lacks(weighings: Weighings, test: WeighingTest) -> Iterator[Reason]:
    """Want the loads of A.4.9."""
    law = requirement(weighings.table, "movement")
    count = len(set(weighings.scale.column(test, "load", test.load)))
    if count < law.number("loads"):
        yield Reason(
            "sensitivity-loads",
            "sensitivity: {count} different loads were tested and {wanted} are wanted ({clause}).",
            {"count": count, "wanted": int(law.number("loads")), "clause": law.clause},
        )


def indicators(weighings: Weighings, seen: Observed) -> DraftTest:
    """Compare the indications of two devices for the same loads (3.6.3)."""
    law, scale, test = requirement(weighings.table, "indicators"), weighings.scale, seen.test
    other = scale.column(test, "indication_second", test.indication_second or ())
    points = []
    for place, shown in enumerate(other):
        limit = law.number("digital") if test.digital else scale.value(seen.limit[place])
        clause = law.clause if test.digital else f"{law.clause}, {DOCUMENT} {seen.clauses[place]}"
        points.append(
            DraftPoint(
                nominal=scale.value(seen.load[place]),
                reference=seen.shown[place],
                indication=shown,
                error=plain(EXACT.subtract(shown, seen.shown[place])),
                lower=-limit,
                upper=limit,
                unit=scale.unit,
                clause=clause,
            )
        )
    return DraftTest(seen.name, tuple(points))


def _after(scale: Scale, test: WeighingTest) -> tuple[Decimal, ...]:
    if test.indication_after is None or None in test.indication_after:
        raise Refused("this key is missing.", key=f"{test.key}.indication_after")
    return scale.column(test, "indication_after", test.indication_after)


_EXTRA = {
    ("discrimination", Indicating.ANALOGUE): "discrimination_analogue",
    ("discrimination", Indicating.NON_SELF_INDICATING): "discrimination_non_self_indicating",
    ("sensitivity", Indicating.NON_SELF_INDICATING): "movement",
}
"""Which requirement says how much more load a test of an instrument that is read by eye takes."""


def extra_load(
    table: LegalTable, test: str, indicating: Indicating, limit: Decimal, unit: str
) -> Decimal | None:
    """Give the extra load [unit] of a test at a load with this limit; None where it takes none."""
    name = _EXTRA.get((test, indicating))
    return None if name is None else _extra(unit, requirement(table, name), limit)


def _extra(unit: str, law: Requirement, limit: Decimal) -> Decimal:
    """Give the extra load: a share of the limit, and at least what the law says."""
    return plain(max(EXACT.multiply(law.number("extra"), limit), law.mass("least", unit)))


def _check_extra(
    scale: Scale, test: WeighingTest, place: int, wanted: Decimal, clause: str
) -> None:
    if test.extra_load is None:
        raise Refused("this key is missing.", key=f"{test.key}.extra_load")
    extra = scale.column(test, "extra_load", test.extra_load)[place]
    if extra != wanted:
        raise Refused(
            "the extra load is {extra}; the law wants {wanted} ({clause}).",
            key=f"{test.key}.extra_load[{place}]",
            extra=scale.said(extra),
            wanted=scale.said(wanted),
            clause=clause,
        )
