"""The reference temperature of a measure: that of the law, or another that is marked on it.

Knows the requirement of a table that names the temperature. Refuses to assume one: it is stated for
every measure.
"""

from fractions import Fraction

from calibration.draft import DraftPoint, DraftTest
from calibration.legal_table import LegalTable
from calibration.routines.exact_limits import requirement_clause, stated
from calibration.units import Quantity, parse_quantity
from calibration.verification import Reason

NAME = "reference-temperature"


def marked_temperature(
    table: LegalTable, requirement: str, temperature: Quantity, marked: bool | None
) -> DraftTest | Reason | None:
    """Want another reference temperature than that of the law marked on the measure.

    None where the temperature is that of the law, or the law names none; a Reason where the sheet
    does not say whether it is marked.
    """
    lawful = stated(table, requirement).get("temperature")
    if lawful is None or _degrees(temperature) == _degrees(parse_quantity(lawful)):
        return None
    values = {
        "temperature": str(temperature),
        "lawful": lawful,
        "clause": requirement_clause(table, requirement),
    }
    if marked is None:
        return Reason(
            "reference-temperature-marking-unknown",
            "the reference temperature is {temperature} and not {lawful}: say with "
            "reference_temperature_marked whether the measure is marked with it ({clause}).",
            values,
        )
    failure = Reason(
        "reference-temperature-not-marked",
        "the reference temperature is {temperature} and not {lawful}, and the measure is not marked "
        "with it ({clause}).",
        values,
    )
    point = DraftPoint(
        nominal=None,
        error=None,
        lower=None,
        upper=None,
        unit="",
        clause=str(values["clause"]),
        conforms=marked,
        failure=failure,
    )
    return DraftTest(NAME, (point,))


def _degrees(temperature: Quantity) -> Fraction:
    return temperature.exactly("°C")
