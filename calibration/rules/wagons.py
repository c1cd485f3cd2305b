"""Limits of a rail-weighbridge (R 106): a share of the mass, rounded to d, with two floors.

Without the scale interval d the limit is the plain share in %. With it, the limit of a wagon is
the greatest of the share rounded to d, the rounded share of 35 % of the maximum wagon weight, and
d; that of a train (``wagons`` given) counts reference wagons and wagons, each up to ten.
"""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from math import floor

from calibration.limit_curve import LimitCurve
from calibration.refusal import Refused
from calibration.rules import value_bands
from calibration.rules.question import Question
from calibration.units import PERCENT, finite, parse_quantity, unit_symbol

value_unit = value_bands.value_unit


def answer_unit(question: Question, curve: LimitCurve) -> str:
    """Give % without a scale interval, and else its unit."""
    if "d" not in question.given:
        return PERCENT
    text = question.given.texts["d"]
    given_unit = question.given.known["d"].unit
    return unit_symbol(given_unit) if text.strip()[-1:].isdigit() else parse_quantity(text).unit


def curve(question: Question, unit: str) -> LimitCurve:
    """Build the limits of a wagon or of a train."""
    plainly = value_bands.curve(question, unit)
    given, rule = question.given, question.entry["wagon"]
    if "d" not in given:
        for name in given.texts:
            raise Refused("{name} counts only together with d.", key=name, name=name)
        return plainly
    (share,) = plainly.slopes
    d, maximum = given.above_zero("d", unit), given.above_zero("max", unit)
    counted, intervals = 1, 1
    if "wagons" in given:
        most = question.entry["train"]["most"]
        wagons, counted = (_whole(question, name) for name in ("wagons", "reference_wagons"))
        if counted > wagons:
            raise Refused("a train has no more reference wagons than wagons.", key="wagons")
        counted, intervals = min(counted, most), min(wagons, most)
    elif "reference_wagons" in given:
        raise Refused(
            "{name} counts only together with wagons.", key="wagons", name="reference_wagons"
        )
    weight = maximum * Fraction(rule["of_maximum"]) * counted
    at_share = nearest(Fraction(share) * weight, d)
    least = max(at_share, d * intervals)
    clause = rule["clause"] if "wagons" not in given else question.entry["train"]["clause"]
    return replace(
        plainly,
        bounds=() if "wagons" in given else (_decimal(maximum),),
        inclusive=True,
        limit_step=_decimal(d),
        floor=_decimal(least),
        floor_clause=question.clause(clause),
        floor_confidence=question.confidence(),
    )


def nearest(value: Fraction, step: Fraction) -> Fraction:
    """Round to the nearest multiple of a step, a tie upwards.

    >>> nearest(Fraction(25), Fraction(10))
    Fraction(30, 1)
    """
    return floor(value / step + Fraction(1, 2)) * step


def _whole(question: Question, name: str) -> int:
    value = question.given.above_zero(name)
    if value.denominator != 1:
        raise Refused("{value} is no whole number.", key=name, value=question.given.texts[name])
    return int(value)


def _decimal(exact: Fraction) -> Decimal:
    found = finite(exact)
    if found is None:
        raise Refused("{value} does not fit a 64-bit grid.", value=exact)
    return found
