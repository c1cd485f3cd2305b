"""The reference of any instrument: what a standard indicated, corrected by its certificate.

Knows that a certificate is stated over the quantity itself or over the one at which a test was done (a
flow rate, a current). Refuses to correct by a certificate that is stated over neither.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from calibration.calibration_curve import calibrated_at
from calibration.component import Component, certified, limited, observed
from calibration.distributions import Floats
from calibration.refusal import Refused
from calibration.routines.exact_limits import scale
from calibration.routines.general_sheet import GeneralTest
from calibration.routines.reference_volume import interval_of, of_certificate, of_drift
from calibration.standard import Standard
from calibration.uncertainty import expanded_uncertainty
from calibration.units import PERCENT, Quantity, same_kind
from calibration.verification import Reason

_TEMPERATURES = ("°C", "K", "Δ°C")
REFERENCE_SENSITIVITY = -1.0
"""∂E/∂R of the error E = I - R."""


@dataclass(frozen=True, slots=True, eq=False)
class Referenced:
    """A column by a standard, corrected."""

    values: tuple[Fraction, ...]
    """[unit of the test]"""
    components: tuple[Component, ...]
    """Of the error, a row per value [unit]; empty: the standard states no uncertainty."""
    standard: Standard | None
    illegal: tuple[Reason, ...] = ()

    def expanded(self) -> tuple[float, ...] | None:
        """Give U of every value, k = 2 [unit]; None when it is not known."""
        if not self.components:
            return None
        known = expanded_uncertainty(
            [component.standard_uncertainty for component in self.components],
            [component.sensitivity for component in self.components],
            [component.dof for component in self.components],
        )
        return tuple((2 * np.broadcast_to(known.combined, (len(self.values),))).tolist())


def referenced(
    test: GeneralTest, name: str, column: Sequence[Quantity], standards: Sequence[Standard]
) -> Referenced:
    """Correct a column that a standard gave, exactly."""
    standard, illegal = _standard(test, standards)
    read = [value.exactly(test.unit) for value in column]
    if standard is None:
        return Referenced(tuple(read), (), None, illegal)
    values: list[Fraction] = []
    widths: list[Fraction | None] = []
    for row, value in enumerate(read):
        try:
            corrected, width = _corrected(standard, test, column[row], value, row)
        except Refused as refused:
            key = refused.key or f"{test.key}.{name}[{row}]"
            raise Refused(refused.template, key=key, **refused.evidence) from None
        values.append(corrected)
        widths.append(width)
    known = [float(width) for width in widths if width is not None]
    at = np.array([float(value) for value in values])
    own = _components(standard, test.unit, at, np.array(known) if known else None)
    if not own or (standard.points and len(known) != len(widths)):
        return Referenced(tuple(values), (), standard, illegal)
    digit = interval_of(test.reference_resolution, standard, column, test.unit)
    reading = limited(
        "indication of the reference",
        test.unit,
        digit / 2,
        value=at,
        sensitivity=REFERENCE_SENSITIVITY,
    )
    return Referenced(tuple(values), (*own, reading), standard, illegal)


def indicated(test: GeneralTest) -> Component:
    """Make the component of the digit of the instrument under test."""
    digit = interval_of(test.indication_resolution, None, test.indication, test.unit)
    return limited("indication", test.unit, digit / 2)


def scattered(values: Sequence[Fraction], unit: str, sensitivity: float = 1.0) -> Component:
    """Make the component of the mean of several observations."""
    each = [float(value) for value in values]
    return observed("repeatability", unit, each, sensitivity=sensitivity)


def _standard(
    test: GeneralTest, standards: Sequence[Standard]
) -> tuple[Standard | None, tuple[Reason, ...]]:
    if test.standard is not None:
        for standard in standards:
            if standard.id == test.standard:
                return standard, ()
        values = {"standard": test.standard}
        template = "standard {standard} is not in the register."
        return None, (Reason("standard-unknown", template, values),)
    possible = [standard for standard in standards if not _thermometer(standard)]
    if len(possible) > 1:
        raise Refused(
            "several standards may give the reference, {standards}: say which one did.",
            key=f"{test.key}.standard",
            standards=", ".join(standard.id for standard in possible),
        )
    return (possible[0] if possible else None), ()


def _thermometer(standard: Standard) -> bool:
    stated = (standard.expanded_uncertainty, standard.mpe)
    return any(quantity is not None and quantity.unit in _TEMPERATURES for quantity in stated)


def _corrected(
    standard: Standard, test: GeneralTest, indication: Quantity, value: Fraction, row: int
) -> tuple[Fraction, Fraction | None]:
    """Give a value with its correction, and U of the correction [unit] where points state it."""
    if standard.points:
        over = standard.points[0].nominal.unit
        if same_kind(over, test.unit):
            # Looked up where it indicates, in the unit of the certificate: that conversion has an end.
            found = calibrated_at(standard, indication.to(over), relative=False)
            into = scale(over, test.unit)
            u = found.expanded_uncertainty
            return value + found.correction * into, None if u is None else u * into
        if not test.at or not same_kind(over, test.at[0].unit):
            raise Refused(
                "the certificate of standard {standard} is stated over {unit}, and the test is not.",
                key=f"{test.key}.standard",
                standard=standard.id,
                unit=over,
            )
        at = test.at[row if len(test.at) > 1 else 0]
        found = calibrated_at(standard, at, relative=True)
        u = found.expanded_uncertainty
        share = value * found.correction / 100
        return value + share, None if u is None else abs(value) * u / 100
    stated = standard.correction
    if stated is None:
        return value, None
    if stated.unit == PERCENT:
        return value + value * Fraction(stated.magnitude) / 100, None
    return value + stated.exactly(test.unit), None


def _components(
    standard: Standard, unit: str, values: Floats, expanded: Floats | None
) -> list[Component]:
    """Make the components of the standard, one row per value."""
    if not standard.points:
        corrected = standard.correction is not None
        return of_certificate(standard, unit, values, corrected=corrected)
    if expanded is None or expanded.shape != values.shape:
        return []
    calibration = certified(
        f"calibration of {standard.id}",
        unit,
        0.0,
        expanded,
        coverage_factor=float(standard.coverage_factor),
        sensitivity=REFERENCE_SENSITIVITY,
    )
    return [calibration, *of_drift(standard, unit, values)]
