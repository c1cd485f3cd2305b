"""Limits by bands of the value: a constant, a share of the value, or both, with a floor.

Knows bands that end at quantities, at characteristics of the instrument (Qmin, Qt, Qmax) or at
what follows from them (Q2 = 1.6 * Q3 / R); values rounded up to a step; limits in % of the value
or of another quantity; one-sided limits. A table's file says all of it, see the keys below.

``band``: list of bands, or none: the class itself is the only band. In each ``upto`` (the end
belongs to the band) or ``below`` (it does not), and the limit as the sum of ``limit`` (a
quantity), ``percent`` (of the value), ``slope`` (a quantity for each ``per``) and ``plus``; with
``times`` the limit is multiplied by that characteristic and divided by the value.
``from`` or ``above``: where limits begin. ``at_least``: the floor. ``percent_of``: names the
quantity that percentages are of when it is not the value. ``step``: values are rounded up to it.
``sides``: upward or spread. Numbers may stand under stages, cases and choices.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from calibration.limit_curve import Bound, LimitCurve, Sides
from calibration.refusal import Refused
from calibration.rules.particle import with_particles
from calibration.rules.question import Question
from calibration.units import PERCENT, Quantity, finite, parse_quantity, same_digits

PERCENT_OF = ("the volume passed", "the energy passed")
"""What a percentage can be of when it is not the value."""


def value_unit(question: Question, unit: str) -> str:
    """Give the unit in which values are looked up: their own where that keeps their digits."""
    stated = str(question.entry["value"])
    return unit if same_digits(unit, stated) else stated


def answer_unit(question: Question, curve: LimitCurve) -> str:
    """Give the unit in which limits are answered; % when they are a share of the value."""
    return str(question.entry["limit_in"])


def curve(question: Question, unit: str) -> LimitCurve:
    """Build the limits of one class, stage and instrument."""
    entry = question.entry
    relative = entry.get("percent_of") in PERCENT_OF
    bands = [_band(question, band, unit, relative) for band in _bands(entry)]
    ends = [end for band in bands if (end := _end(question, band.stated, unit))]
    least = _least(question, unit)
    _check_growth(question, least, [bound for bound, _ in ends], unit)
    floor = entry.get("at_least")
    made = LimitCurve(
        unit=unit,
        bounds=tuple(bound for bound, _ in ends),
        inclusive=tuple(inclusive for _, inclusive in ends),
        constants=tuple(band.constant for band in bands),
        slopes=tuple(band.slope for band in bands),
        reciprocals=tuple(band.reciprocal for band in bands)
        if any(band.reciprocal for band in bands)
        else (),
        clauses=tuple(
            question.clause(band.stated.get("clause", entry.get("clause", question.table.clause)))
            for band in bands
        ),
        confidences=tuple(question.confidence(band.stated.get("confidence")) for band in bands),
        lacking=tuple(band.lacking for band in bands) if any(b.lacking for b in bands) else (),
        least=least,
        above="above" in entry and "from" not in entry,
        relative=relative,
        sides=Sides(entry.get("sides", "both")),
        value_step=None if "step" not in entry else _of(entry["step"], unit),
        floor=Decimal(0) if floor is None else _of(floor, unit) * question.factor,
        floor_clause=question.clause(entry.get("at_least_clause", "")) if floor else "",
        floor_confidence=question.confidence() if floor else "",
    )
    if "particle" not in question.given:
        return made
    plainly = replace(question.given, texts={})
    in_service = replace(question, entry={**entry, "numbers": "in_service"}, given=plainly)
    return with_particles(question, made, curve(in_service, unit))


@dataclass(frozen=True, slots=True)
class _Band:
    stated: Mapping[str, Any]
    constant: Decimal
    slope: Decimal
    reciprocal: Decimal
    lacking: str


def _bands(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    bands: list[Mapping[str, Any]] = entry.get("band", [{}])
    return bands


def _band(question: Question, stated: Mapping[str, Any], unit: str, relative: bool) -> _Band:
    constant = slope = reciprocal = Decimal(0)
    for key, number, lacking in _numbers(question, stated):
        if lacking:
            return _Band(stated, Decimal(0), Decimal(0), Decimal(0), lacking)
        if key == "percent":
            share = Decimal(number) * question.factor
            if "times" in stated:
                reciprocal += share * _finite(_place(question, stated["times"], unit), unit)
            elif relative:
                constant += share
            else:
                slope += share.scaleb(-2)
        elif key == "slope":
            per = _of(question.entry["per"], unit)
            slope += _of(number, unit) * question.factor / per
        else:
            constant += _of(number, unit) * question.factor
    return _Band(stated, constant, slope, reciprocal, "")


def _numbers(question: Question, stated: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Give each part of a band's limit: its key, its number and what is lacking for it.

    A part stands in the band or, for all bands, in the class.
    """
    parts = {
        key: stated.get(key, question.entry.get(key))
        for key in ("limit", "percent", "slope", "plus")
    }
    for key, part in parts.items():
        if part is not None:
            yield (key, *question.number(part))


def _end(question: Question, stated: Mapping[str, Any], unit: str) -> tuple[Bound, bool] | None:
    """Give the upper end of a band and whether it belongs to the band; None when it is open."""
    for key in ("upto", "below"):
        if key in stated:
            return _bound(_place(question, stated[key], unit)), key == "upto"
    return None


def _least(question: Question, unit: str) -> Bound:
    text = question.entry.get("from", question.entry.get("above"))
    return Decimal(0) if text is None else _bound(_place(question, text, unit))


def _place(question: Question, text: str, unit: str) -> Fraction:
    """Find a place on the axis of values: a characteristic, what follows from it, a quantity."""
    derived = question.table.rules["bound"].get(text)
    if derived is not None:
        place = _place(question, derived["of"], unit) * Fraction(derived.get("times", 1))
        return place / question.given.above_zero(derived["per"]) if "per" in derived else place
    if text in question.given.known:
        return question.given.above_zero(text, unit)
    return parse_quantity(text).exactly(unit)


def _check_growth(question: Question, least: Bound, bounds: list[Bound], unit: str) -> None:
    ends = [least, *bounds]
    if any(after <= before for before, after in pairwise(ends)):
        names = [
            str(b[key]) for b in _bands(question.entry) for key in ("upto", "below") if key in b
        ]
        raise Refused(
            "the limits of {table} need zones that grow, and these do not: {zones}.",
            table=question.table.name,
            zones=", ".join([str(question.entry.get("from", "0")), *names]),
        )


def _bound(exact: Fraction) -> Bound:
    found = finite(exact)
    return exact if found is None else found


def _finite(exact: Fraction, unit: str) -> Decimal:
    found = finite(exact)
    if found is None:
        raise Refused(
            "{value} has no exact value in {unit}: state it in {unit}.", value=exact, unit=unit
        )
    return found


def _of(text: str, unit: str) -> Decimal:
    return parse_quantity(text).to(unit).magnitude


def percent_of_value(curve: LimitCurve) -> bool:
    """Tell whether every limit is a share of the value and nothing else."""
    return (
        not curve.relative
        and not any(curve.constants)
        and not curve.floor
        and curve.limit_step is None
        and curve.value_step is None
    )


def answered(curve: LimitCurve, unit: str, limit: Decimal) -> Decimal:
    """Turn a limit of the curve into the unit of the answer."""
    return (
        limit if unit in (PERCENT, curve.unit) else Quantity(limit, curve.unit).to(unit).magnitude
    )
