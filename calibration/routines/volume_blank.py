"""The empty sheet of a meter for liquids or a fuel dispenser: flow rates, runs, further tests.

Knows which columns each way of finding the reference volume has. What is wanted is the table's; the
flow rate in the middle is ours where no national settings say where it lies.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from calibration.blank import BlankTest, rounded_between
from calibration.legal_table import LegalTable
from calibration.limit_curve import said
from calibration.mpe import accuracy_class_of
from calibration.refusal import Refused
from calibration.routines.dispenser import wanted_tests
from calibration.routines.reference_sheet import (
    GRAVIMETRIC,
    METHODS,
    REFERENCE_METER,
    TEST_MEASURE,
)
from calibration.sheet_keys import Keys
from calibration.units import Quantity, parse_quantity

_ASKED = {
    REFERENCE_METER: ("reference",),
    TEST_MEASURE: ("reading", "measure_temperature", "meter_temperature"),
    GRAVIMETRIC: ("empty", "full", "liquid_temperature", "meter_temperature"),
}
"""Columns of each method, one value for each run."""
_ONCE = {TEST_MEASURE: ("drip_time", "wetted")}
"""Keys of each method with one value for all runs."""
_FURTHER = {
    "zero": {"indication": 3},
    "price": {"currency": 0, "unit_price": 0, "indication": 2, "price": 2},
    "front_back": {"front": 3, "back": 3},
}
"""Columns of the tests of a fuel dispenser; how many values is ours."""


def blank_meter(
    table: LegalTable, instrument: Keys, stage: str, wished: Keys
) -> tuple[BlankTest, ...]:
    """Propose flow rates and runs of a meter for liquids."""
    return tuple(_flow_rates(table, instrument, wished, REFERENCE_METER))


def blank_dispenser(
    table: LegalTable, instrument: Keys, stage: str, wished: Keys
) -> tuple[BlankTest, ...]:
    """Propose flow rates, runs and the further tests of a fuel dispenser."""
    displays = instrument.whole("displays", 1) if "displays" in instrument else None
    price = instrument.flag("price") if "price" in instrument else True
    return (
        *_flow_rates(table, instrument, wished, TEST_MEASURE),
        *(
            BlankTest(name, {}, _FURTHER.get(name, {"passed": 0}), clause)
            for name, clause in wanted_tests(table, displays, price=price)
        ),
    )


def _flow_rates(
    table: LegalTable, instrument: Keys, wished: Keys, usual: str
) -> Iterator[BlankTest]:
    accuracy_class_of(table, instrument.text("class"))
    wished.only("method", "volume")
    method = wished.choice("method", METHODS) if "method" in wished else usual
    volume = wished.optional_quantity("volume")
    qmin, qmax = instrument.needed("qmin", "L/min"), instrument.needed("qmax", "L/min")
    least = _least_volume(table, instrument.needed("mmq", "L"), method)
    wanted: Mapping[str, Any] = table.rules["requirement"]["flow_rates"]
    runs = int(wanted["runs"])
    known: dict[str, str] = {} if volume is None else {"volume": str(volume)}
    asked = {"volume": 0} if volume is None else {}
    asked |= dict.fromkeys(("indication", *_ASKED[method]), runs)
    asked |= dict.fromkeys(_ONCE.get(method, ()), 0)
    clause, rates = _rates(table, qmin, qmax)
    for target, within in rates:
        yield BlankTest(
            "accuracy",
            {"method": method, "flow_rate": target, **known},
            asked,
            clause,
            within={"flow_rate": within, "volume": (least, "")},
        )


_Rates = list[tuple[str, tuple[str, str]]]
"""A flow rate to aim at, and between which it is right; empty where it is to be that one."""


def _rates(table: LegalTable, qmin: Quantity, qmax: Quantity) -> tuple[str, _Rates]:
    """Give the largest flow rate, and below it those of the settings or a medium and the smallest."""
    unit, low, high = qmax.unit, qmin.exactly(qmax.unit), Fraction(qmax.magnitude)
    rates: _Rates = [(str(qmax), ("", ""))]
    own: Mapping[str, Any] = table.rules["requirement"].get("test", {})
    shares = own.get("shares_of_largest")
    if high <= low:
        raise Refused(
            "{qmax} is not more than qmin, {qmin}.", key="instrument.qmax", qmax=qmax, qmin=qmin
        )
    if shares is None:
        ends = (f"{said(low)} {unit}", f"{said(high)} {unit}")
        rates += [(f"{rounded_between(low, high):f} {unit}", ends), (str(qmin), ("", ""))]
        return str(table.rules["requirement"]["flow_rates"]["clause"]), rates
    for share in shares:
        begin, end = (Fraction(one) * high for one in share)
        if (begin := max(begin, low)) < end:  # below the smallest flow rate nothing is measured
            ends = (f"{said(begin)} {unit}", f"{said(end)} {unit}")
            rates.append((f"{rounded_between(begin, end):f} {unit}", ends))
    return str(own["clause"]), rates


def _least_volume(table: LegalTable, mmq: Quantity, method: str) -> str:
    """Give the volume from which repeatability has a limit; settings may want a larger measure."""
    times = table.rules["rule"]["repeatability"]["minimum_quantities"]
    least = Quantity(mmq.magnitude * times, mmq.unit)
    own: Mapping[str, Any] = table.rules["requirement"].get("test", {})
    if method == TEST_MEASURE and "measure_from" in own:
        least = max(least, parse_quantity(own["measure_from"]), key=lambda one: one.exactly("L"))
    return str(least)
