"""The reference volume by a reference meter in series with the meter under test.

Knows that its correction is one for all flow rates, or a calibration curve over the flow rate,
linear between its points. Refuses a flow rate at which it was not calibrated.
"""

from collections.abc import Sequence
from decimal import Context, Decimal, Inexact

import numpy as np

from calibration.calibration_curve import calibrated_at, rounded_exactly
from calibration.component import Component, certified, limited, resolution
from calibration.refusal import Refused
from calibration.routines.reference_sheet import MeterReadings
from calibration.routines.reference_volume import (
    REFERENCE_SENSITIVITY,
    ReferenceVolumes,
    interval_of,
    named_standard,
    of_certificate,
    of_drift,
)
from calibration.routines.volume_sheet import MeterTest
from calibration.standard import Standard, correction_percent
from calibration.units import Quantity, same_kind
from calibration.verification import Reason

PLACE = -5
"""An interpolated correction is rounded to this digit [%], half of which is 5·10^-8 of the volume."""
_FLOW = "L/min"
_EXACT = Context(prec=80, traps=[Inexact])


def volumes_by_meter(
    test: MeterTest,
    readings: MeterReadings,
    standards: Sequence[Standard],
    indicated: Sequence[Decimal],
    unit: str,
) -> ReferenceVolumes:
    """Correct what the reference meter indicated: V = V(reference) (1 + c/100).

    ``indicated`` is ``readings`` [unit]; c in %, one for all or that of the test's flow rate.
    """
    values = np.array([float(value) for value in indicated])
    stating = (s for s in standards if s.interval and same_kind(s.interval.unit, unit))
    step = interval_of(readings.resolution, next(stating, None), readings.reference, unit)
    digits = resolution(
        "indication of the reference", unit, step, sensitivity=REFERENCE_SENSITIVITY
    )
    curve = _with_curve(test, standards)
    if curve is not None:
        percent, found = _of_curve(curve, test.flow_rate, unit, values, test.key)
        return ReferenceVolumes(
            _corrected(indicated, percent), (*found, digits) if found else (), whole=bool(found)
        )
    illegal: tuple[Reason, ...] = ()
    used = standards
    if test.standard is not None:
        used = [standard for standard in standards if standard.id == test.standard]
        illegal = () if used else (_unknown(test.standard),)
    components = [
        component
        for standard in used
        for component in of_certificate(
            standard, unit, values, corrected=standard.correction is not None
        )
    ]
    return ReferenceVolumes(
        _corrected(indicated, correction_percent(used)),
        (*components, digits) if components else (),
        illegal=illegal,
    )


def _corrected(indicated: Sequence[Decimal], percent: Decimal) -> tuple[Decimal, ...]:
    factor = _EXACT.add(Decimal(1), percent.scaleb(-2))
    return tuple(_EXACT.multiply(value, factor) for value in indicated)


def _with_curve(test: MeterTest, standards: Sequence[Standard]) -> Standard | None:
    """Find the reference meter that has a calibration curve over the flow rate."""
    curves = [
        standard
        for standard in standards
        if standard.points and same_kind(standard.points[0].nominal.unit, _FLOW)
    ]
    if test.standard is not None:
        curves = [standard for standard in curves if standard.id == test.standard]
    if not curves:
        return None
    standard = named_standard(curves, test.standard, _FLOW, test.key)
    if standard.correction is not None:
        raise Refused(
            "standard {standard} states both one correction and points: leave one of them out.",
            key="standards.correction",
            standard=standard.id,
        )
    return standard


def _of_curve(
    standard: Standard, flow_rate: Quantity, unit: str, values: np.ndarray, key: str
) -> tuple[Decimal, list[Component]]:
    """Give the correction [%] and the components of a calibration curve at a flow rate."""
    try:
        found = calibrated_at(standard, flow_rate, relative=True)
    except Refused as refused:
        raise Refused(refused.template, key=f"{key}.flow_rate", **refused.evidence) from None
    percent = rounded_exactly(found.correction, PLACE)
    components: list[Component] = []
    if found.expanded_uncertainty is not None:
        components.append(
            certified(
                f"calibration of {standard.id}",
                unit,
                0.0,
                np.abs(values) * float(found.expanded_uncertainty) / 100,
                coverage_factor=float(standard.coverage_factor),
                sensitivity=REFERENCE_SENSITIVITY,
            )
        )
        if percent != found.correction:
            half = np.abs(values) * 10.0 ** (PLACE - 2) / 2
            name = "rounding of the correction"
            components.append(limited(name, unit, half, sensitivity=REFERENCE_SENSITIVITY))
        components += of_drift(standard, unit, values)
    return percent, components


def _unknown(standard: str) -> Reason:
    return Reason(
        "standard-unknown",
        "standard {standard} is not in the register.",
        {"standard": standard},
    )
