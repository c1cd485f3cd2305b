"""What a calibration certificate says between its points.

Knows linear interpolation between the points of a certificate, exactly. Refuses to extrapolate:
outside the calibrated range nothing is known of a standard.
"""

from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

from calibration.refusal import Refused
from calibration.standard import CalibrationPoint, Standard
from calibration.units import PERCENT, Quantity

_EXACT = Context(prec=80)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What a certificate says at one value."""

    correction: Fraction
    """To be added (VIM 2.53) [unit of the value, or % of it]."""
    expanded_uncertainty: Fraction | None
    """Of the correction: the larger of the neighbouring points' [same unit]; None: not stated."""


def calibrated_at(standard: Standard, value: Quantity, *, relative: bool) -> Calibrated:
    """Interpolate the certificate of a standard at a value: C = C1 + (C2 - C1)(x - x1)/(x2 - x1).

    ``relative``: correction and uncertainty come in % of the point's nominal value, else in the unit
    of ``value``. Points without an uncertainty have that of the whole standard. Refused outside the
    points: they are where the standard was calibrated.

    >>> points = (CalibrationPoint(Quantity(Decimal(10), "L/min"), Quantity(Decimal("0.1"), "%"), None),
    ...           CalibrationPoint(Quantity(Decimal(40), "L/min"), Quantity(Decimal("0.4"), "%"), None))
    >>> meter = Standard("FM-01", points=points)
    >>> calibrated_at(meter, Quantity(Decimal(20), "L/min"), relative=True).correction
    Fraction(1, 5)
    """
    points = standard.points
    if not points:
        raise Refused(
            "the certificate of standard {standard} states no points.", standard=standard.id
        )
    nominal = [point.nominal.exactly(value.unit) for point in points]
    at = Fraction(value.magnitude)
    if not nominal[0] <= at <= nominal[-1]:
        raise Refused(
            "{value} lies outside the calibration of standard {standard}, {low} to {high}.",
            value=value,
            standard=standard.id,
            low=points[0].nominal,
            high=points[-1].nominal,
        )
    above = next(index for index, end in enumerate(nominal) if at <= end)
    if nominal[above] == at:
        return _at_point(standard, points[above], value.unit, relative)
    below = above - 1
    ends = [_at_point(standard, points[index], value.unit, relative) for index in (below, above)]
    share = (at - nominal[below]) / (nominal[above] - nominal[below])
    first, second = ends
    correction = first.correction + share * (second.correction - first.correction)
    if first.expanded_uncertainty is None or second.expanded_uncertainty is None:
        return Calibrated(correction, None)
    return Calibrated(correction, max(first.expanded_uncertainty, second.expanded_uncertainty))


def rounded_exactly(value: Fraction, exponent: int) -> Decimal:
    """Round an exact number to the digit 10^exponent, halves to even; nothing passes a float.

    >>> rounded_exactly(Fraction(2, 3), -3), rounded_exactly(Fraction(1, 2000), -3)
    (Decimal('0.667'), Decimal('0.000'))
    """
    return Decimal(round(value / Fraction(10) ** exponent)).scaleb(exponent, _EXACT)


def _at_point(standard: Standard, point: CalibrationPoint, unit: str, relative: bool) -> Calibrated:
    stated = point.expanded_uncertainty or standard.expanded_uncertainty
    nominal = point.nominal.exactly(unit)
    return Calibrated(
        _as(point.correction, nominal, unit, relative),
        None if stated is None else _as(stated, nominal, unit, relative),
    )


def _as(quantity: Quantity, nominal: Fraction, unit: str, relative: bool) -> Fraction:
    """Give a quantity in % of the nominal value or in its unit."""
    if quantity.unit == PERCENT:
        share = Fraction(quantity.magnitude)
        return share if relative else share * nominal / 100
    amount = quantity.exactly(unit)
    if not relative:
        return amount
    if not nominal:
        raise Refused("an error relative to 0 is not defined.")
    return 100 * amount / nominal
