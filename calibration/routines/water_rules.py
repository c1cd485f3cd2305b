"""What the law wants of a water meter's tests beyond the limit at each flow rate.

Knows the flow rates of verification, the scale, temperature classes, errors of the same sign and
what the national settings want recorded. Every number is the table's (``[requirement]``). Refuses to
hold a rule at a stage for which the table does not state it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from calibration.calibration_curve import rounded_exactly
from calibration.case import Case
from calibration.draft import DraftPoint, DraftTest
from calibration.edition import PROVISIONAL
from calibration.legal_table import LegalTable
from calibration.limit_curve import LimitCurve, said
from calibration.mpe import accuracy_class_of
from calibration.refusal import Refused
from calibration.routines.water_meter_sheet import Method, WaterMeterSheet, WaterMeterTest
from calibration.standard import Standard
from calibration.units import PERCENT, Quantity, finite, parse_quantity
from calibration.verification import Reason

RATE = "m³/h"
"""Flow rates are looked up here."""
_LITRES = 1000
"""L in a m³."""


@dataclass(frozen=True, slots=True)
class FlowRange:
    """A range of flow rates in which the law wants a run, both ends included."""

    name: str
    """``q1``"""
    low: Fraction
    """[m³/h]"""
    high: Fraction
    """[m³/h]"""

    def holds(self, flow_rate: Quantity) -> bool:
        """Tell whether a flow rate lies in the range."""
        return self.low <= flow_rate.exactly(RATE) <= self.high


@dataclass(frozen=True, slots=True)
class Ruled:
    """What a rule found."""

    lacking: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()
    test: DraftTest | None = None
    provisional: bool = False
    """A number of low confidence decided."""


def flow_ranges(table: LegalTable, q3: Quantity, curve: LimitCurve) -> tuple[FlowRange, ...]:
    """List the flow rates of initial verification; they are wanted at every stage."""
    places = {
        "q1": Fraction(curve.least),
        "q2": Fraction(curve.bounds[0]),
        "q3": q3.exactly(RATE),
    }
    return tuple(
        FlowRange(name, places[name] * Fraction(low), places[name] * Fraction(high))
        for name, low, high in _stated(table, "flow_rates")["initial"]
    )


def flow_rates_tested(case: Case[WaterMeterSheet], ranges: Sequence[FlowRange]) -> Ruled:
    """Want a run in each range, and in the order of the national settings."""
    tests = case.body.tests
    lacking = tuple(
        Reason(
            "flow-rate-missing",
            "no run was made at {name}, from {low} to {high} ({clause}).",
            {
                "name": wanted.name.upper(),
                "low": _rate(wanted.low),
                "high": _rate(wanted.high),
                "clause": clause_of(case.table, "flow_rates"),
            },
        )
        for wanted in ranges
        if not any(wanted.holds(test.flow_rate) for test in tests)
    )
    run = list(dict.fromkeys(r.name for t in tests for r in ranges if r.holds(t.flow_rate)))
    order = case.table.rules["requirement"].get("order", {}).get("order", run)
    if run == [name for name in order if name in run]:
        return Ruled(lacking)
    names = {"order": ", ".join(name.upper() for name in order)}
    values = {**names, "clause": clause_of(case.table, "order")}
    template = "the flow rates were not run in the order {order} ({clause})."
    return Ruled(lacking, (Reason("flow-rate-order", template, values),))


def scale_resolved(case: Case[WaterMeterSheet], curve: LimitCurve) -> Ruled:
    """Want the scale fine enough: one interval within p % of the volume of some hours at Q1."""
    instrument, stated = case.body.instrument, _stated(case.table, "resolution")
    percent = stated["percent"][accuracy_class_of(case.table, instrument.accuracy_class)]
    volume = Fraction(curve.least) * Fraction(stated["hours"]) * _LITRES
    largest = volume * Fraction(percent) / 100
    if instrument.resolution.exactly("L") <= largest:
        return Ruled()
    reason = Reason(
        "resolution-coarse",
        "the meter is read to {resolution}, more than {largest}: {percent} % of the volume that "
        "passes in {hours} h at Q1 ({clause}).",
        {
            "resolution": str(instrument.resolution),
            "largest": f"{said(_bound(largest))} L",
            "percent": percent,
            "hours": stated["hours"],
            "clause": clause_of(case.table, "resolution"),
        },
    )
    return Ruled((reason,), provisional=stated["confidence"] in PROVISIONAL)


def temperatures_in_class(case: Case[WaterMeterSheet]) -> Ruled:
    """Want the water within the temperatures for which the meter is made."""
    stated, name = _stated(case.table, "temperature_class"), case.body.instrument.temperature_class
    if name is not None and name not in stated["upto"]:
        raise Refused(
            "{value!r} is none of {known}.",
            key="instrument.temperature_class",
            value=name,
            known=", ".join(stated["upto"]),
        )
    # A meter of the first class need not say so: beyond it, a meter that says nothing is unknown.
    known = next(iter(stated["upto"])) if name is None else name
    low, high = (parse_quantity(stated[end][known]) for end in ("from", "upto"))
    lacking = []
    for test in case.body.tests:
        outside = [
            t for t in test.temperature if not low.magnitude <= t.exactly("°C") <= high.magnitude
        ]
        if not outside:
            continue
        values = {
            "flow_rate": str(test.flow_rate),
            "temperature": str(outside[0]),
            "low": str(low),
            "high": str(high),
            "name": known,
            "clause": clause_of(case.table, "temperature_class"),
        }
        if name is None:
            template = (
                "{flow_rate}: the water was at {temperature} and temperature_class is not stated: a "
                "meter of {name} is made for {low} to {high} ({clause})."
            )
        else:
            template = (
                "{flow_rate}: the water was at {temperature}, and a meter of {name} is made for {low} "
                "to {high} ({clause})."
            )
        lacking.append(Reason("temperature-outside-class", template, values))
    return Ruled(tuple(lacking))


def same_sign(case: Case[WaterMeterSheet], tests: Sequence[DraftTest], *, complete: bool) -> Ruled:
    """Want one error within half of its limit where all have the same sign, as exact ratios."""
    stated = case.table.rules["requirement"].get("same_sign")
    points = [point for test in tests for point in test.points]
    errors = [point.error or Decimal(0) for point in points]
    alike = all(e > 0 for e in errors) or all(e < 0 for e in errors)
    if stated is None or not complete or not points or not alike:
        return Ruled()
    share = min(
        abs(Fraction(error)) / Fraction(point.upper or 0)
        for error, point in zip(errors, points, strict=True)
    )
    most = Fraction(1) / Fraction(stated["largest_part_of_limit"])
    conforms = share <= most
    printed = _printed(100 * share, 100 * most)
    upper = _bound(100 * most)
    values = {
        "share": f"{printed:f} %",
        "largest": f"{said(upper)} %",
        "clause": clause_of(case.table, "same_sign"),
    }
    failure = Reason(
        "same-sign",
        "all errors have the same sign, and the smallest is {share} of its limit, more than {largest} "
        "({clause}).",
        values,
    )
    if case.stage not in stated["stages"]:
        if conforms:
            return Ruled()
        return Ruled(
            notes=(
                Reason(
                    "same-sign-not-judged",
                    "all errors have the same sign, and the smallest is {share} of its limit: the rule "
                    "is not stated for this stage and was not used ({clause}).",
                    values,
                ),
            )
        )
    point = DraftPoint(
        nominal=None,
        error=printed,
        lower=None,
        upper=upper if isinstance(upper, Decimal) else printed,
        unit=PERCENT,
        clause=clause_of(case.table, "same_sign"),
        conforms=conforms,
        failure=failure,
    )
    unsure = stated["confidence"] in PROVISIONAL
    return Ruled(test=DraftTest("same-sign", (point,)), provisional=unsure and not conforms)


def dripped(case: Case[WaterMeterSheet], test: WaterMeterTest, tank: Standard | None) -> Ruled:
    """Want a tank to have dripped as long as its certificate says, or else the settings."""
    if test.method is not Method.TANK:
        return Ruled()
    stated: Mapping[str, Any] | None = case.table.rules["requirement"].get("drip_time")
    certificate = None if tank is None else tank.drip_time
    wanted, clause = certificate, "" if tank is None else tank.id
    if wanted is None and stated is not None:
        small = _content(test, tank) <= parse_quantity(stated["small_upto"]).exactly("L")
        wanted = parse_quantity(stated["small" if small else "larger"])
        clause = clause_of(case.table, "drip_time")
    if wanted is None:
        return Ruled()
    values = {"flow_rate": str(test.flow_rate), "wanted": str(wanted), "clause": clause}
    if test.drip_time is None:
        template = (
            "{flow_rate}: how long the tank dripped is not stated, {wanted} are wanted ({clause})."
        )
        reason = Reason("drip-time-missing", template, values)
        return Ruled((reason,)) if certificate is not None else Ruled(notes=(reason,))
    if test.drip_time.exactly("s") >= wanted.exactly("s"):
        return Ruled()
    template = "{flow_rate}: the tank dripped for {drip_time} and {wanted} are wanted ({clause})."
    values["drip_time"] = str(test.drip_time)
    return Ruled((Reason("drip-time-short", template, values),))


def _content(test: WaterMeterTest, tank: Standard | None) -> Fraction:
    """Give the nominal content of a tank [L], or what was read on it."""
    if tank is not None and tank.nominal is not None:
        return tank.nominal.exactly("L")
    if tank is not None and len(tank.points) == 1:
        return tank.points[0].nominal.exactly("L")
    return min(volume.exactly("L") for volume in test.reference)


def recorded(case: Case[WaterMeterSheet]) -> Iterator[Reason]:
    """Say what the settings want recorded and the sheet does not have."""
    stated = case.table.rules["requirement"].get("recorded")
    dn = case.body.instrument.dn
    if stated is None or dn is None:
        return
    wanted = parse_quantity(stated["starting_flow_rate_of"])
    missing = all(test.starting_flow_rate is None for test in case.body.tests)
    if missing and dn.exactly("mm") == wanted.exactly("mm"):
        yield Reason(
            "starting-flow-rate-missing",
            "starting_flow_rate is recorded for DN {dn} and is not stated ({clause}).",
            {"dn": str(dn), "clause": clause_of(case.table, "recorded")},
        )


def _stated(table: LegalTable, name: str) -> Mapping[str, Any]:
    requirements: Mapping[str, Any] = table.rules["requirement"]
    if name not in requirements:
        raise Refused("{table} states no {name}.", table=table.name, name=name)
    stated: Mapping[str, Any] = requirements[name]
    return stated


def clause_of(table: LegalTable, name: str) -> str:
    """Name a requirement's clause, with the table where it is the table's own."""
    settings = table.settings
    own = settings is None or name not in settings.stated.get("requirement", {})
    clause = str(_stated(table, name)["clause"])
    return f"R 49-1 {clause}" if own else f"{settings.name if settings else ''}: {clause}"


def _rate(rate: Fraction) -> str:
    return f"{said(_bound(rate))} {RATE}"


def _bound(value: Fraction) -> Decimal | Fraction:
    exact = finite(value)
    return value if exact is None else exact


def _printed(share: Fraction, limit: Fraction) -> Decimal:
    """Round for people, with as many places as it takes not to contradict the decision."""
    for places in (1, 3, 6, 12):
        printed = rounded_exactly(share, -places)
        if (Fraction(printed) <= limit) == (share <= limit):
            return printed
    return rounded_exactly(share, -20)
