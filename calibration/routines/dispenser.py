"""What a fuel dispenser is asked beside its errors: zero, price, displays, checks by eye.

Knows which tests the law wants of a fuel dispenser, from the requirements of its table. Refuses to
know a limit: where table and national settings state none, what was observed is not judged.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact
from typing import Any

from calibration.draft import DraftPoint, DraftTest
from calibration.edition import PROVISIONAL
from calibration.grid import plain
from calibration.legal_table import LegalTable
from calibration.limit_curve import LimitCurve
from calibration.refusal import Refused
from calibration.routines.dispenser_sheet import (
    DisplaysTest,
    FurtherTest,
    PriceTest,
    VisualCheck,
    ZeroTest,
)
from calibration.routines.volume_sheet import MeterInstrument, MeterSheet
from calibration.units import Quantity, parse_quantity
from calibration.verification import Reason

OF_KIND = "fuel_dispenser"
"""The requirement that says what a fuel dispenser is and which tests it wants."""
_EXACT = Context(prec=80, traps=[Inexact])
_ZERO = Decimal(0)


@dataclass(slots=True)
class Dispensed:
    """What was found beside the errors."""

    tests: list[DraftTest] = field(default_factory=list)
    lacking: list[Reason] = field(default_factory=list)
    notes: list[Reason] = field(default_factory=list)
    provisional: bool = False


def is_dispenser(body: MeterSheet, table: LegalTable) -> bool:
    """Tell whether it is a fuel dispenser, by the routine or by its kind."""
    kinds = _requirement(table, OF_KIND).get("kinds", ())
    own = body.instrument.kind.strip().casefold()
    return body.dispenser or own in {str(kind).casefold() for kind in kinds}


def dispensed(body: MeterSheet, table: LegalTable, curve: LimitCurve) -> Dispensed:
    """Draft every test beside the errors, and list those that the law wants and nobody made."""
    found = Dispensed()
    if not is_dispenser(body, table):
        if body.further:
            raise Refused(
                "test {test} belongs to a fuel dispenser: take routine fuel-dispenser.",
                key="test",
                test=body.further[0].name,
            )
        return found
    wanted = _requirement(table, OF_KIND)
    _check_class(body.instrument, wanted)
    for test in body.further:
        stated = _requirement(table, _LIMIT_OF.get(test.name, test.name))
        if not stated:
            found.notes.append(_not_judged(test))
            continue
        found.provisional |= stated["confidence"] in PROVISIONAL
        found.tests.append(_drafted(test, stated, curve))
    found.lacking += _missing(body, table)
    return found


_LIMIT_OF = {"front_back": "front_back_difference"}
"""Requirement that holds the limit of a test, where it has another name."""


def _requirement(table: LegalTable, name: str) -> Mapping[str, Any]:
    stated: Mapping[str, Any] = table.rules["requirement"].get(name, {})
    return stated


def _drafted(test: FurtherTest, stated: Mapping[str, Any], curve: LimitCurve) -> DraftTest:
    clause = str(stated["clause"])
    match test:
        case ZeroTest():
            return DraftTest(test.name, tuple(_zeros(test, curve.unit, clause)))
        case PriceTest():
            return DraftTest(test.name, tuple(_prices(test, stated, curve)))
        case DisplaysTest():
            return _displays(test, stated, curve)
        case VisualCheck():
            return _checked(test, clause)


def _zeros(test: ZeroTest, unit: str, clause: str) -> Iterator[DraftPoint]:
    for shown in test.indication:
        volume = shown.to(unit).magnitude
        yield DraftPoint(
            nominal=_ZERO,
            reference=_ZERO,
            indication=volume,
            error=plain(volume),
            lower=_ZERO,
            upper=_ZERO,
            unit=unit,
            clause=clause,
        )


def _prices(test: PriceTest, stated: Mapping[str, Any], curve: LimitCurve) -> Iterator[DraftPoint]:
    """Want |price - unit price × volume| at most the price of Emin."""
    emin = Quantity(curve.floor, curve.unit).to("L").magnitude
    rows = zip(test.unit_price, test.indication, test.price, strict=True)
    for unit_price, indication, price in rows:
        calculated = _EXACT.multiply(unit_price, indication.to("L").magnitude)
        limit = plain(_EXACT.multiply(_EXACT.multiply(unit_price, emin), Decimal(stated["emin"])))
        yield DraftPoint(
            nominal=plain(calculated),
            reference=plain(calculated),
            indication=price,
            error=plain(_EXACT.subtract(price, calculated)),
            lower=-limit,
            upper=limit,
            unit=test.currency,
            clause=str(stated["clause"]),
        )


def _displays(test: DisplaysTest, stated: Mapping[str, Any], curve: LimitCurve) -> DraftTest:
    """Want the displays of both sides to differ by at most the limit, at the volume it is for."""
    unit = curve.unit
    limit = plain(parse_quantity(stated["limit"]).to(unit).magnitude)
    at = parse_quantity(stated["at"])
    points: list[DraftPoint] = []
    lacking: list[Reason] = []
    for front, back in zip(test.front, test.back, strict=True):
        main, other = front.to(unit).magnitude, back.to(unit).magnitude
        if abs(main - at.to(unit).magnitude) > curve.floor and not lacking:
            values = {"shown": str(front), "at": str(at), "clause": stated["clause"]}
            lacking.append(
                Reason(
                    "front-back-volume",
                    "front_back: {shown} were delivered, and the limit is stated at {at} ({clause}).",
                    values,
                )
            )
        points.append(
            DraftPoint(
                nominal=at.to(unit).magnitude,
                reference=main,
                indication=other,
                error=plain(other - main),
                lower=-limit,
                upper=limit,
                unit=unit,
                clause=str(stated["clause"]),
            )
        )
    return DraftTest(test.name, tuple(points), tuple(lacking))


def _checked(test: VisualCheck, clause: str) -> DraftTest:
    values = {"test": test.name, "clause": clause}
    point = DraftPoint(
        nominal=None,
        error=None,
        lower=None,
        upper=None,
        unit="",
        clause=clause,
        conforms=test.passed,
        failure=Reason("check-failed", "{test}: the check was not passed ({clause}).", values),
    )
    remark = {} if test.remark is None else {"remark": test.remark}
    return DraftTest(test.name, (point,), conditions={"clause": clause, **remark})


def wanted_tests(
    table: LegalTable, displays: int | None, *, price: bool
) -> Iterator[tuple[str, str]]:
    """List the tests that are wanted of a dispenser beside its errors, with the clause of each."""
    names = list(_requirement(table, "fuel_dispenser").get("tests", ()))
    if _requirement(table, _LIMIT_OF["front_back"]) and displays != 1:
        names.append("front_back")
    for name in names:
        if name != "price" or price:
            yield name, str(_requirement(table, _LIMIT_OF.get(name, name)).get("clause", "-"))


def _missing(body: MeterSheet, table: LegalTable) -> Iterator[Reason]:
    present = {test.name for test in body.further}
    for name, clause in wanted_tests(table, body.instrument.displays, price=body.instrument.price):
        if name not in present:
            yield Reason(
                "test-missing",
                "test {test} is missing ({clause}).",
                {"test": name, "clause": clause},
            )


def _check_class(instrument: MeterInstrument, wanted: Mapping[str, Any]) -> None:
    name = wanted.get("class")
    if name is not None and Decimal(name) != _number(instrument.accuracy_class):
        raise Refused(
            "a fuel dispenser is of class {wanted}, not {value} ({clause}).",
            key="instrument.class",
            wanted=name,
            value=instrument.accuracy_class,
            clause=wanted["clause"],
        )


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text.strip())
    except ArithmeticError:
        return None


def _not_judged(test: FurtherTest) -> Reason:
    return Reason(
        "test-not-judged",
        "test {test} was not judged: neither table nor national settings state a limit.",
        {"test": test.name},
    )
