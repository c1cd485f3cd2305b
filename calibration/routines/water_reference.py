"""What the standards of a water meter bench say of themselves at one value.

Knows which standard gave the volume, its correction there, and the components that it brings into a
budget. Refuses to choose between several, and to take a correction where it was not calibrated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from calibration.calibration_curve import calibrated_at
from calibration.component import Component, certified, limited
from calibration.refusal import Refused
from calibration.routines.water_meter_sheet import Method, WaterMeterTest
from calibration.standard import Standard
from calibration.units import PERCENT, Quantity, same_kind
from calibration.verification import Reason

_NECK = 10
"""A reading further from a tank's nominal value than 1/10 of it was taken on another tank."""
_DEGREES = frozenset({"°C", "K", "Δ°C"})


@dataclass(frozen=True, slots=True)
class Referred:
    """What a standard states at one of its indications."""

    correction: Fraction
    """To be added to the indication [unit]."""
    expanded_uncertainty: Fraction | None
    """Of the correction, with the standard's k [unit]; None when not stated."""
    mpe: Fraction | None
    """Largest error [unit]; None when not stated."""
    drift: Fraction | None
    """Largest change since the calibration [unit]; None when not stated."""

    @property
    def stated(self) -> Fraction | None:
        """Give the larger of error and U [unit]; None when the standard states neither."""
        known = [v for v in (self.expanded_uncertainty, self.mpe) if v is not None]
        return max(known, default=None)


def volume_standard(
    test: WaterMeterTest, standards: Sequence[Standard]
) -> tuple[Standard | None, tuple[Reason, ...]]:
    """Find the standard that gave the volume: the one that is named, or the only one."""
    if test.standard is not None:
        for standard in standards:
            if standard.id == test.standard:
                return standard, ()
        values = {"standard": test.standard}
        template = "standard {standard} is not in the register."
        return None, (Reason("standard-unknown", template, values),)
    possible = [standard for standard in standards if _thermometer(standard) is None]
    if len(possible) > 1:
        raise Refused(
            "several standards are named, {standards}: say which one gave the volume.",
            key=f"{test.key}.standard",
            standards=", ".join(standard.id for standard in possible),
        )
    return (possible[0] if possible else None), ()


def referred(standard: Standard, value: Decimal, unit: str, test: WaterMeterTest) -> Referred:
    """Find what a standard states where it indicates ``value`` [unit]."""
    correction = Fraction(0)
    uncertainty = standard.expanded_uncertainty
    expanded = None if uncertainty is None else _amount(uncertainty, value, unit, standard)
    if standard.points and standard.correction is not None:
        raise Refused(
            "standard {standard} states one correction for all values and points too.",
            key="standards.correction",
            standard=standard.id,
        )
    if standard.points:
        correction, expanded = _at_points(standard, value, unit, test)
    elif standard.correction is not None:
        correction = _amount(standard.correction, value, unit, standard)
    return Referred(
        correction,
        expanded,
        None if standard.mpe is None else _amount(standard.mpe, value, unit, standard),
        None if standard.drift is None else _amount(standard.drift, value, unit, standard),
    )


def of_standard(
    standard: Standard, found: Sequence[Referred], unit: str, where: str = ""
) -> list[Component]:
    """Make the components of a standard, one row per run; none when it states nothing."""
    corrections = np.array([float(entry.correction) for entry in found])
    name = f"calibration of {standard.id}{where}"
    parts = []
    expanded = [e.expanded_uncertainty for e in found if e.expanded_uncertainty is not None]
    largest = [entry.mpe for entry in found if entry.mpe is not None]
    if len(expanded) == len(found):
        u = np.array([float(value) for value in expanded])
        k = float(standard.coverage_factor)
        parts.append(certified(name, unit, corrections, u, coverage_factor=k))
    elif len(largest) == len(found):
        a = np.array([float(value) for value in largest])
        parts.append(limited(name, unit, a, value=corrections))
    drifts = [entry.drift for entry in found if entry.drift is not None]
    if drifts:
        width = np.array([float(value) for value in drifts])
        parts.append(limited(f"drift of {standard.id}{where}", unit, width))
    return parts


def temperature_uncertainty(standards: Sequence[Standard]) -> float | None:
    """Give the standard uncertainty of the coarsest thermometer [°C]; None when none is named."""
    return max((u for s in standards if (u := _thermometer(s)) is not None), default=None)


def no_thermometer(test: WaterMeterTest) -> Reason:
    """Say that temperature enters the volume and nobody knows how well it was measured."""
    return Reason(
        "thermometer-none",
        "{flow_rate}: temperature enters the volume, and no thermometer among the standards states "
        "its uncertainty.",
        {"flow_rate": str(test.flow_rate)},
    )


def _at_points(
    standard: Standard, value: Decimal, unit: str, test: WaterMeterTest
) -> tuple[Fraction, Fraction | None]:
    nominal = standard.points[0].nominal
    if same_kind(nominal.unit, unit):
        at = Quantity(value, unit)
        if len(standard.points) == 1 and test.method is Method.TANK:
            # The one value of a tank's certificate is that of its neck.
            at = nominal.to(unit)
            _check_neck(standard, at, value, unit)
        found = calibrated_at(standard, at, relative=False)
        return found.correction, found.expanded_uncertainty
    if test.method is Method.REFERENCE_METER and same_kind(nominal.unit, test.flow_rate.unit):
        found = calibrated_at(standard, test.flow_rate, relative=True)
        share = Fraction(value) / 100
        expanded = found.expanded_uncertainty
        return found.correction * share, None if expanded is None else expanded * share
    raise Refused(
        "the points of standard {standard} are no values of {unit} or of a flow rate.",
        key="standards.point",
        standard=standard.id,
        unit=unit,
    )


def _check_neck(standard: Standard, nominal: Quantity, value: Decimal, unit: str) -> None:
    if abs(value - nominal.magnitude) * _NECK > nominal.magnitude:
        raise Refused(
            "{value} was not read on standard {standard}, which holds {nominal}.",
            value=Quantity(value, unit),
            standard=standard.id,
            nominal=nominal,
        )


def _amount(quantity: Quantity, value: Decimal, unit: str, standard: Standard) -> Fraction:
    """Give what is stated in % of the value, or absolutely, in a unit."""
    if quantity.unit == PERCENT:
        return Fraction(value) * Fraction(quantity.magnitude) / 100
    if not same_kind(quantity.unit, unit):
        raise Refused(
            "standard {standard} states {stated}: it does not give a value in {unit}.",
            key="standards",
            standard=standard.id,
            stated=quantity,
            unit=unit,
        )
    return quantity.exactly(unit)


def _thermometer(standard: Standard) -> float | None:
    """Give the standard uncertainty of a thermometer [°C]; None for any other standard."""
    uncertainty, mpe = standard.expanded_uncertainty, standard.mpe
    if uncertainty is not None and uncertainty.unit in _DEGREES:
        return float(uncertainty.magnitude) / float(standard.coverage_factor)
    if mpe is not None and mpe.unit in _DEGREES:
        return float(mpe.magnitude) / math.sqrt(3)
    return None
