"""Limits in per cent with a minimum measured quantity (R 117).

Knows bands of the volume with factors of Table 2, some applied to a fixed volume, and Emin: no
limit is smaller than twice that of line A at the minimum measured quantity.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from calibration.grid import finest_exponent, off_grid, on_grid, plain
from calibration.limit_curve import LimitCurve
from calibration.refusal import Refused
from calibration.rules.characteristics import Characteristic, positive
from calibration.rules.question import Question
from calibration.units import PERCENT, Quantity, parse_quantity

KNOWN = {
    known.name: known
    for known in (
        Characteristic("mmq", "minimum measured quantity", "kuantitas terukur minimum", "5L"),
        Characteristic(
            "line",
            "A: the complete measuring system; B: the meter alone",
            "A: sistem ukur lengkap; B: meter saja",
            "A",
            choices=("A", "B"),
            default="A",
        ),
        Characteristic(
            "resolution", "smallest interval of the display", "interval terkecil penunjukan", "10mL"
        ),
    )
}


def value_unit(question: Question, unit: str) -> str:
    """Give the unit in which volumes are looked up."""
    return str(question.entry["unit"])


def answer_unit(question: Question, curve: LimitCurve) -> str:
    """Give the unit in which limits are answered: absolute with a minimum quantity, else %."""
    return curve.unit if "mmq" in question.given else PERCENT


def relative_from(question: Question) -> Quantity:
    """Give the volume from which a limit without a minimum quantity is stated in %."""
    return parse_quantity(question.entry["relative_from"])


def curve(question: Question, unit: str) -> LimitCurve:
    """Build the limits: max(factor * p/100 * V or its fixed quantity, Emin)."""
    line = str(question.given.choice("line", unit))
    made = _percent_bands(question, unit, line)
    if "mmq" not in question.given:
        return made
    minimum, texts = question.entry["minimum_quantity"], question.given.texts
    mmq = positive("mmq", texts["mmq"]).to(unit)
    at_mmq = _percent_bands(question, unit, minimum["line"]).limits(
        on_grid([mmq.magnitude], exponent := finest_exponent([mmq.magnitude])), exponent
    )
    (limit,) = off_grid(at_mmq.counts, at_mmq.exponent)
    emin = Quantity(plain(minimum["factor"] * limit), unit)
    if "resolution" in question.given:
        _check_resolution(minimum, positive("resolution", texts["resolution"]), mmq, emin)
    return replace(
        made,
        least=mmq.magnitude,
        floor=emin.magnitude,
        floor_clause=question.clause(minimum["clause"]),
        floor_confidence=question.confidence(),
    )


def _percent_bands(question: Question, unit: str, line: str) -> LimitCurve:
    bounds: list[Decimal] = []
    constants: list[Decimal] = []
    slopes: list[Decimal] = []
    stated = question.entry["band"]
    for band in stated:
        slope = (band["factor"] * question.factor * question.entry[line]).scaleb(-2)
        fixed = "applied_to" in band
        slopes.append(Decimal(0) if fixed else slope)
        constants.append(
            slope * parse_quantity(band["applied_to"]).to(unit).magnitude if fixed else Decimal(0)
        )
        if "below" in band:
            bounds.append(parse_quantity(band["below"]).to(unit).magnitude)
    return LimitCurve(
        unit=unit,
        bounds=tuple(bounds),
        inclusive=False,
        constants=tuple(constants),
        slopes=tuple(slopes),
        clauses=tuple(question.clause(f"{band['clause']} line {line}") for band in stated),
        confidences=(question.confidence(),) * len(stated),
    )


def _check_resolution(
    minimum: Mapping[str, Any], resolution: Quantity, mmq: Quantity, emin: Quantity
) -> None:
    # A condition on the instrument, not a wider limit: a coarse display earns no larger error.
    if not _exceeds(parse_quantity(minimum["resolution_from"]), mmq) and _exceeds(
        Quantity(minimum["resolutions"] * resolution.magnitude, resolution.unit), emin
    ):
        raise Refused(
            "a resolution of {resolution} is too coarse for a minimum measured quantity of {mmq}: "
            "{times} of it exceed Emin = {emin} ({clause}).",
            resolution=resolution,
            mmq=mmq,
            times=minimum["resolutions"],
            emin=emin,
            clause=minimum["clause"],
        )


def _exceeds(quantity: Quantity, other: Quantity) -> bool:
    return quantity.to(other.unit).magnitude > other.magnitude
