"""The empty sheet of weights: the weighing cycles that the class wants at each nominal value.

Knows which columns a cycle has. How many cycles are wanted is the table's (R 111-1 Table C.2).
"""

from calibration.blank import BlankTest, Given
from calibration.legal_table import LegalTable
from calibration.refusal import Refused
from calibration.routines.weights_law import MG, WeightClass
from calibration.routines.weights_sheet import (
    ABBA,
    CONVENTIONAL_MASS,
    CYCLES,
    SERIES,
    columns_of,
)
from calibration.sheet_keys import Keys, require_kind
from calibration.units import parse_quantity


def blank_tests(
    table: LegalTable, instrument: Keys, stage: str, wished: Keys
) -> tuple[BlankTest, ...]:
    """Propose the comparison of one weight of each nominal value, or a series of two."""
    law = WeightClass.of(table, instrument.text("class"), stage)
    wished.only("nominal", "cycle")
    cycle = wished.choice("cycle", CYCLES) if "cycle" in wished else ABBA
    return tuple(_blank(law, text.strip(), cycle) for text in wished.text("nominal").split(","))


def _blank(law: WeightClass, text: str, cycle: str) -> BlankTest:
    nominal = parse_quantity(text, key="test.nominal")
    require_kind(nominal, MG, "test.nominal")
    try:
        law.limit(nominal.to(MG).magnitude)
    except Refused as refused:
        raise Refused(refused.template, key="test.nominal", **refused.evidence) from None
    cycles = law.fewest_cycles(cycle)
    asked = dict.fromkeys(columns_of(cycle, 2), cycles if cycles > 1 else 0)
    given: dict[str, Given] = {"nominal": str(nominal)}
    given["cycle"] = cycle
    marks = {"identification": 2} if cycle == SERIES else {}
    return BlankTest(
        CONVENTIONAL_MASS, given, {**marks, "comparator": 0, **asked}, law.clause("cycles")
    )
