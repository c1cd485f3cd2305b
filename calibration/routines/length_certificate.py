"""What a reference tape or bench states of itself: corrections, uncertainty, how it grows.

Knows linear interpolation between the points of a certificate, and that a reference has no
correction at its own beginning. Refuses what the certificate does not cover.
"""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np

from calibration.calibration_curve import calibrated_at
from calibration.component import Component, certified, limited
from calibration.distributions import Floats
from calibration.refusal import Refused
from calibration.routines.length_sheet import MARKS, LengthTest
from calibration.routines.reference_volume import amount
from calibration.standard import CalibrationPoint, Standard
from calibration.units import PERCENT, Quantity

UNIT = "mm"
"""Lengths are compared here."""


def growth(standard: Standard) -> tuple[float, float]:
    """Give expansion [1/K] and reference temperature [°C] of the reference."""
    if standard.expansion is None or standard.reference_temperature is None:
        raise Refused(
            "the reference {standard} states no expansion or no reference temperature: neither is "
            "ever assumed.",
            key="standards",
            standard=standard.id,
        )
    return (
        float(standard.expansion.exactly("1/K")),
        float(standard.reference_temperature.exactly("°C")),
    )


def certificate_of(standard: Standard, test: LengthTest) -> Standard:
    """Give the reference with its zero: there nothing is corrected, as lengths begin there."""
    points = standard.points
    if not points or points[0].nominal.magnitude <= 0 or test.name != MARKS:
        return standard
    first = points[0]
    zero = CalibrationPoint(
        Quantity(Decimal(0), first.nominal.unit),
        Quantity(Decimal(0), first.correction.unit),
        _at_zero(first.expanded_uncertainty, first),
    )
    return replace(standard, points=(zero, *points))


def _at_zero(u: Quantity | None, first: CalibrationPoint) -> Quantity | None:
    """Give U at the first point as a length: a share of nothing would be nothing."""
    if u is None or u.unit != PERCENT:
        return u
    return Quantity(u.magnitude.scaleb(-2) * first.nominal.magnitude, first.nominal.unit)


def correction_at(standard: Standard, certificate: Standard, value: Quantity, key: str) -> Fraction:
    """Give the correction of the reference at one indication [mm]."""
    if standard.points:
        try:
            return calibrated_at(certificate, value.to(UNIT), relative=False).correction
        except Refused as refused:
            raise Refused(refused.template, key=key, **refused.evidence) from None
    stated = standard.correction
    if stated is not None:
        share = stated.unit == PERCENT
        of_value = value.exactly(UNIT) * Fraction(stated.magnitude) / 100
        return of_value if share else stated.exactly(UNIT)
    if standard.mpe is None:
        raise Refused(
            "the reference {standard} states neither a correction nor its maximum permissible error.",
            key="standards.point",
            standard=standard.id,
        )
    return Fraction(0)


def of_reference(
    standard: Standard, certificate: Standard, test: LengthTest, marks: int
) -> list[Component]:
    """Make the components of the reference, one row per mark [mm]; none when it states nothing."""
    values = np.array([float(q.exactly(UNIT)) for q in test.reference[:marks]])
    found: list[Component] = []
    k = float(standard.coverage_factor)
    name = f"calibration of {standard.id}"
    u: Floats | None = None
    if standard.points:
        each = [
            calibrated_at(certificate, q.to(UNIT), relative=False).expanded_uncertainty
            for q in test.reference[:marks]
        ]
        known = [float(value) for value in each if value is not None]
        u = np.array(known) if len(known) == marks else None
    elif standard.expanded_uncertainty is not None:
        u = amount(standard.expanded_uncertainty, UNIT, values)
    if u is not None:
        found.append(certified(name, UNIT, values, u, coverage_factor=k))
    corrected = bool(standard.points) or standard.correction is not None
    if standard.mpe is not None and not corrected:
        width = amount(standard.mpe, UNIT, values)
        if width is not None:
            name = f"maximum permissible error of {standard.id}"
            found.append(limited(name, UNIT, width, value=values))
    stated = [standard.drift, *(point.drift for point in standard.points)]
    drifts = [amount(drift, UNIT, values) for drift in stated if drift is not None]
    widths = [width for width in drifts if width is not None]
    if found and widths:
        found.append(limited(f"drift of {standard.id}", UNIT, np.max(widths, axis=0)))
    return found
