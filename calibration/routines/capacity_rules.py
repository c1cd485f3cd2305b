"""What the law wants of a measure of capacity beside its error: glass, wetting, draining, marks.

Every number is the table's (``[requirement]``) or that of national settings. Refuses to hold a rule
that neither states.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from calibration.case import Case
from calibration.draft import DraftPoint, DraftTest, Judged
from calibration.edition import PROVISIONAL
from calibration.refusal import Refused
from calibration.routines.capacity_sheet import CapacitySheet, CapacityTest, GaugeMarkTest
from calibration.routines.exact_limits import requirement_clause, stated
from calibration.routines.exact_points import exact_point, printed
from calibration.rules.question import find_class
from calibration.units import Quantity, parse_quantity
from calibration.verification import Reason

CapacityCase = Case[CapacitySheet]


def refuse_glass(case: CapacityCase) -> None:
    """Refuse to verify a vessel of glass again where the law does not."""
    wanted = stated(case.table, "glass")
    if case.body.instrument.glass and case.stage in wanted.get("never", ()):
        raise Refused(
            "vessels of glass have no subsequent verification ({clause}).",
            key="stage",
            clause=requirement_clause(case.table, "glass"),
        )


def emptied_as_made(case: CapacityCase, test: CapacityTest) -> Iterator[Reason]:
    """Want a measure tested as it is made: to deliver, wetted and drained, or to contain, dry."""
    instrument, wanted = case.body.instrument, stated(case.table, "capacity")
    values: dict[str, object] = {"nominal": str(test.nominal)}
    if wanted:
        name = find_class(case.table, instrument.accuracy_class).key
        delivers = name in wanted["delivered"]
        if instrument.wetted != delivers:
            values |= {"name": name, "clause": requirement_clause(case.table, "capacity")}
            template = (
                "the capacity of a measure of kind {name} is the volume that it delivers, wetted and "
                "drained ({clause})."
                if delivers
                else "the capacity of a measure of kind {name} is the volume that it contains, wiped "
                "dry ({clause})."
            )
            yield Reason("capacity-otherwise", template, values)
    if test.wetted != instrument.wetted:
        template = (
            "capacity at {nominal}: the measure was wetted, and it holds its capacity wiped dry."
            if test.wetted
            else "capacity at {nominal}: the measure was wiped dry, and it holds its capacity wetted."
        )
        yield Reason("capacity-wetting", template, values)


def dripped_time(case: CapacityCase, test: CapacityTest) -> tuple[Reason | None, bool, bool]:
    """Compare the drip time with the marking of the measure, or else with the law.

    Gives what is said, whether it leaves the test open, and whether a little sure number decided.
    """
    if not test.wetted:
        return None, False, False
    shortest = min(test.drip_time, key=lambda time: time.exactly("s"))
    values = {"nominal": str(test.nominal), "time": str(shortest)}
    own = case.body.instrument.drip_time
    draining = stated(case.table, "draining")
    unsure = False
    if own is not None:
        wanted, clause = own, "marked on the measure"
    elif draining:
        wanted = parse_quantity(draining["time"])
        clause = requirement_clause(case.table, "draining")
    else:
        found = _by_size(stated(case.table, "drip_time"), test)
        if found is None:
            template = (
                "capacity at {nominal}: the measure dripped for {time}, and neither its marking nor the "
                "table says how long it should."
            )
            return Reason("capacity-drip-unknown", template, values), True, False
        wanted, clause = found, requirement_clause(case.table, "drip_time")
        unsure = stated(case.table, "drip_time")["confidence"] in PROVISIONAL
    if shortest.exactly("s") >= wanted.exactly("s"):
        return None, False, unsure
    values |= {"wanted": str(wanted), "clause": clause}
    template = (
        "capacity at {nominal}: the measure dripped for {time} and {wanted} are wanted ({clause})."
    )
    # R 138 since its Amendment of 2009 wants no time any more: there a shorter one is only said.
    return Reason("capacity-drip-short", template, values), own is not None or not draining, unsure


def _by_size(wanted: Mapping[str, Any], test: CapacityTest) -> Quantity | None:
    """Find the drip time of a measure of this size; None where the law says nothing of it."""
    if not wanted:
        return None
    size = test.nominal.exactly("L")
    if size > parse_quantity(wanted["small_upto"]).exactly("L"):
        return parse_quantity(wanted["larger"])
    if size < parse_quantity(wanted["small_from"]).exactly("L"):
        return None
    return parse_quantity(wanted["small"])


def unusual_capacities(case: CapacityCase) -> Iterator[Reason]:
    """Say which nominal capacities are not among those of the law: national rules may allow them."""
    wanted = stated(case.table, "nominal_capacity")
    if not wanted:
        return
    name = find_class(case.table, case.body.instrument.accuracy_class).key
    for test in case.body.tests:
        if not _usual(wanted, name, test.nominal.exactly("L")):
            yield Reason(
                "capacity-unusual",
                "a nominal capacity of {nominal} is not among those of the law; national rules may "
                "allow it ({clause}).",
                {
                    "nominal": str(test.nominal),
                    "clause": requirement_clause(case.table, "nominal_capacity"),
                },
            )


def _usual(wanted: Mapping[str, Any], name: str, litres: Fraction) -> bool:
    if name not in wanted["from"]:
        step = next(
            row["step"]
            for row in wanted["casks"]
            if "upto" not in row or litres <= parse_quantity(row["upto"]).exactly("L")
        )
        return litres % parse_quantity(step).exactly("L") == 0
    low, high = (
        parse_quantity(text).exactly("L") for text in (wanted["from"][name], wanted["upto"])
    )
    if not low <= litres <= high:
        return False
    powers = [Fraction(10) ** power for power in range(-3, 2)]
    return any(litres == Fraction(digit) * power for digit in wanted["digits"] for power in powers)


def gauge_mark(case: CapacityCase, test: GaugeMarkTest, magnitude: Fraction) -> DraftTest:
    """Want the level to move far enough when the contents change by the limit (R 138 4.4).

    ``magnitude`` of the limit [L]; what was added need not be the limit itself: in proportion.
    """
    wanted = stated(case.table, "gauge_mark")
    if not wanted:
        raise Refused("{table} asks nothing of a gauge mark.", key=test.key, table=case.table.name)
    moved = test.moved.exactly("mm") * magnitude / test.added.exactly("L")
    least = parse_quantity(wanted["least"]).exactly("mm")
    clause = requirement_clause(case.table, "gauge_mark")
    failure = Reason(
        "gauge-mark-coarse",
        "gauge mark at {nominal}: the limit moves the level by {moved}, less than {least} ({clause}).",
        {
            "nominal": str(test.nominal),
            "moved": f"{printed(moved):f} mm",
            "least": wanted["least"],
            "clause": clause,
        },
    )
    point = exact_point(
        error=moved,
        lower=least,
        upper=None,
        unit="mm",
        clause=clause,
        judged=Judged.CHANGE,
        failure=failure,
    )
    return DraftTest("gauge-mark", (point,), conditions={"nominal": str(test.nominal)})


def neck_scale(case: CapacityCase) -> DraftTest | None:
    """Want the scale of the neck to reach far enough on both sides, where settings say how far."""
    instrument, wanted = case.body.instrument, stated(case.table, "neck_scale")
    sides = (("below", instrument.neck_below), ("above", instrument.neck_above))
    covered = [(side, volume) for side, volume in sides if volume is not None]
    if not wanted or not covered or not case.body.tests:
        return None
    largest = max((test.nominal for test in case.body.tests), key=lambda q: q.exactly("L"))
    least = largest.exactly(largest.unit) * Fraction(wanted["percent"]) / 100
    clause = requirement_clause(case.table, "neck_scale")
    points: list[DraftPoint] = []
    for side, volume in covered:
        template = (
            "the scale of the neck covers {volume} below the mark, less than {least} ({clause})."
            if side == "below"
            else "the scale of the neck covers {volume} above the mark, less than {least} ({clause})."
        )
        values = {
            "volume": str(volume),
            "least": f"{printed(least):f} {largest.unit}",
            "clause": clause,
        }
        failure = Reason("neck-scale-short", template, values)
        points.append(
            exact_point(
                error=volume.exactly(largest.unit),
                lower=least,
                upper=None,
                unit=largest.unit,
                clause=clause,
                nominal=largest.exactly(largest.unit),
                judged=Judged.CHANGE,
                failure=failure,
            )
        )
    return DraftTest("neck-scale", tuple(points))
