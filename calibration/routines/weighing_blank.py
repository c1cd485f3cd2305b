"""The empty sheet of a weighing instrument: the loads that the law wants, the rest to fill in.

Knows which columns each test of the sheet has. What loads are wanted is `weighing_plan`'s affair.
"""

from calibration.blank import BlankTest, Given
from calibration.grid import plain
from calibration.legal_table import LegalTable
from calibration.refusal import Refused
from calibration.routines.weighing_columns import Method
from calibration.routines.weighing_law import probe_of
from calibration.routines.weighing_plan import ProposedTest, proposed_tests
from calibration.routines.weighing_sheet import (
    ONE_LOAD_TESTS,
    Indicating,
    WeighingInstrument,
    read_instrument,
)
from calibration.sheet_keys import Keys
from calibration.units import Quantity

_DISCRIMINATION = {
    Indicating.DIGITAL: ("indication_after",),
    Indicating.ANALOGUE: ("extra_load", "indication_after"),
    Indicating.NON_SELF_INDICATING: ("extra_load", "visible"),
}
"""What is observed of it (R 76-1:2006, 3.8)."""
_SENSITIVITY = ("extra_load", "displacement")


def blank_tests(
    table: LegalTable, instrument: Keys, stage: str, wished: Keys
) -> tuple[BlankTest, ...]:
    """Propose every test that the law wants of an instrument; a Refused names what is missing."""
    wished.only("method")
    method = wished.choice("method", tuple(Method)) if "method" in wished else Method.CHANGE
    scale = read_instrument(instrument)
    tests = proposed_tests(table, scale, stage)
    if method == Method.CHANGE:
        return tuple(_blank(test, scale) for test in tests)
    if scale.indicating is not Indicating.DIGITAL or not all(test.by_added_load for test in tests):
        raise Refused("a probe of 0.5 e is for a digital display with d = e.", key="test.method")
    preload = probe_of(table).at_zero.number("preload") * scale.e.magnitude
    return tuple(_probed(test, scale, Quantity(plain(preload), scale.e.unit)) for test in tests)


def _blank(test: ProposedTest, scale: WeighingInstrument) -> BlankTest:
    loads = tuple(str(Quantity(load, test.unit)) for load in test.loads)
    many = len(loads) if len(loads) > 1 else 0
    given: dict[str, Given] = {}
    asked: dict[str, int] = {}
    if scale.multiple_range:
        given["range"] = test.range
    if test.tare is not None:
        given["tare"] = str(Quantity(test.tare, test.unit))
    # On a beam the indication is set and the load that balances it is found.
    sought = scale.indicating is Indicating.NON_SELF_INDICATING and test.name not in ONE_LOAD_TESTS
    known = "indication" if sought and test.name != "sensitivity" else "load"
    given[known] = loads[0] if test.name in ONE_LOAD_TESTS or not many else loads
    if test.name != "sensitivity":
        asked["load" if known == "indication" else "indication"] = many
    if test.by_added_load:
        asked["added_load"] = many
    if test.name == "discrimination":
        asked |= dict.fromkeys(_DISCRIMINATION[scale.indicating], many)
    elif test.name == "sensitivity":
        asked |= dict.fromkeys(_SENSITIVITY, many)
    return BlankTest(test.name, given, asked, test.clause)


def _probed(test: ProposedTest, scale: WeighingInstrument, preload: Quantity) -> BlankTest:
    """Ask for indications and probes instead of ΔL; at zero and for taring under a preload."""
    blank = _blank(test, scale)
    given: dict[str, Given] = {"method": str(Method.PROBE), **blank.given}
    asked = {key: many for key, many in blank.asked.items() if key != "added_load"}
    if test.name == "zero":
        given["load"] = str(preload)
    if test.name == "tare" and isinstance(given["load"], tuple):
        given["load"] = (str(preload), *given["load"])
        asked["indication"] += 1
    if test.name != "repeatability":
        asked["indication_after"] = asked["indication"]
    if test.name in ("zero", "tare"):
        asked["indication_further"] = asked["indication"]
    return BlankTest(test.name, given, asked, blank.clause)
