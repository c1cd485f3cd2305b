"""The empty sheet of a water meter: the flow rates that the law wants, the rest to fill in.

Knows which columns each method of finding the actual volume has. Which flow rates are wanted is
`water_rules`' affair.
"""

from fractions import Fraction

from calibration.blank import BlankTest, rounded_between
from calibration.legal_table import LegalTable
from calibration.limit_curve import said
from calibration.mpe import limit_curve
from calibration.refusal import Refused
from calibration.routines.water_meter_sheet import Method
from calibration.routines.water_rules import RATE, clause_of, flow_ranges
from calibration.sheet_keys import Keys

_SMALL, _LITRES = "L/h", 1000
"""Unit of flow rates below 1 m³/h, and how many of it are 1 m³/h."""
_ASKED = {
    Method.REFERENCE_METER: ("reference",),
    Method.TANK: ("reference", "tank_temperature", "drip_time"),
    Method.GRAVIMETRIC: ("empty", "full"),
}


def blank_tests(
    table: LegalTable, instrument: Keys, stage: str, wished: Keys
) -> tuple[BlankTest, ...]:
    """Propose a run at each flow rate of verification, in the order of the national settings."""
    q3, ratio = instrument.needed("q3", RATE), instrument.optional_decimal("ratio")
    if ratio is None:
        raise Refused("this key is missing.", key=instrument.path("ratio"))
    wished.only("method")
    method = Method.REFERENCE_METER
    if "method" in wished:
        method = Method(wished.choice("method", tuple(Method)))
    curve = limit_curve(
        table,
        accuracy_class=instrument.text("class"),
        stage=stage,
        unit=RATE,
        characteristics={"q3": str(q3), "ratio": f"{ratio:f}"},
    )
    ranges = flow_ranges(table, q3, curve)
    order = table.rules["requirement"].get("order", {}).get("order", [one.name for one in ranges])
    ordered = sorted(ranges, key=lambda one: order.index(one.name))
    return tuple(_blank(one.low, one.high, method, table) for one in ordered)


def _blank(low: Fraction, high: Fraction, method: Method, table: LegalTable) -> BlankTest:
    unit, times = (_SMALL, _LITRES) if high < 1 else (RATE, 1)
    ends = (low * times, high * times)
    return BlankTest(
        "accuracy",
        {"method": str(method), "flow_rate": f"{rounded_between(*ends):f} {unit}"},
        dict.fromkeys(("volume", *_ASKED[method], "start", "end", "temperature"), 0),
        clause_of(table, "flow_rates"),
        within={"flow_rate": (f"{said(ends[0])} {unit}", f"{said(ends[1])} {unit}")},
    )
