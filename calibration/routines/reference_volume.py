"""The reference volume of every run of a meter's test, with its uncertainty.

Knows what the three methods have in common: which standard gave the volume, how its certificate and
a thermometer enter the budget of the error. Refuses to compute with a standard that is not known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from calibration.component import Component, certified, limited
from calibration.distributions import Floats
from calibration.grid import finest_exponent, off_grid
from calibration.refusal import Refused
from calibration.rounding import rounded_up
from calibration.standard import Standard
from calibration.uncertainty import expanded_uncertainty
from calibration.units import PERCENT, Quantity, same_kind
from calibration.verification import Reason

REFERENCE_SENSITIVITY = -1.0
"""∂E/∂V of the error E = V(indicated) - V(reference)."""
_TEMPERATURES = ("°C", "K", "Δ°C")


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceVolumes:
    """What one test's references come to, a value per run."""

    values: tuple[Decimal, ...]
    """Volume at the temperature of the meter, exact digits [unit of the test]."""
    components: tuple[Component, ...] = ()
    """Of the error E, with their sensitivities [unit]; empty: the uncertainty is not known."""
    whole: bool = False
    """The components are all there is to the reference: its uncertainty is judged by them."""
    lacking: tuple[Reason, ...] = ()
    """Why the test stays indeterminate."""
    notes: tuple[Reason, ...] = ()
    illegal: tuple[Reason, ...] = ()
    """Why the verdict is not legal."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """How the reference was found, for the result."""
    provisional: bool = False

    def standard_uncertainties(self) -> Floats:
        """Give u(V) of every run [unit], shape (runs,)."""
        found = expanded_uncertainty(
            [component.standard_uncertainty for component in self.components],
            [component.sensitivity for component in self.components],
            [component.dof for component in self.components],
        )
        return np.broadcast_to(found.combined, (len(self.values),))

    def expanded_uncertainties(self) -> tuple[Decimal, ...]:
        """Give U(V) of every run, k = 2, rounded up to three digits [unit]."""
        counts, exponent = rounded_up(2 * self.standard_uncertainties())
        return off_grid(counts, exponent)


def named_standard(
    standards: Sequence[Standard], name: str | None, unit: str, key: str
) -> Standard:
    """Find the standard that gave the reference: the one named, or the only one of its kind."""
    if name is not None:
        for standard in standards:
            if standard.id == name:
                return standard
        raise Refused(
            "standard {standard} is not among the standards that are known.",
            key=f"{key}.standard",
            standard=name,
        )
    possible = [standard for standard in standards if _is_of(standard, unit)]
    if not possible:
        raise Refused(
            "no standard is known that gives the reference: name it under [[standards]] with its "
            "certificate.",
            key="standards",
        )
    if len(possible) > 1:
        raise Refused(
            "several standards may give the reference, {standards}: say which one did.",
            key=f"{key}.standard",
            standards=", ".join(standard.id for standard in possible),
        )
    return possible[0]


def _is_of(standard: Standard, unit: str) -> bool:
    stated = (standard.nominal, standard.interval, standard.mpe, standard.expanded_uncertainty)
    nominal = [point.nominal for point in standard.points]
    return any(q is not None and same_kind(q.unit, unit) for q in (*stated, *nominal))


def amount(quantity: Quantity, unit: str, values: Floats) -> Floats | None:
    """Give a quantity that is absolute or in % of some values in their unit; None: another kind."""
    if quantity.unit == PERCENT:
        return np.asarray(float(quantity.magnitude) / 100 * np.abs(values))
    if not same_kind(quantity.unit, unit):
        return None
    return np.full(values.shape, float(quantity.exactly(unit)))


def of_certificate(
    standard: Standard, unit: str, values: Floats, *, corrected: bool
) -> list[Component]:
    """Make the components of a standard as a whole: U, drift, and its MPE where nothing corrects.

    ``values`` are what it realises [unit], shape (runs,). Empty when it states neither U nor MPE.
    """
    found: list[Component] = []
    sensitivity = REFERENCE_SENSITIVITY
    if standard.expanded_uncertainty is not None:
        u = amount(standard.expanded_uncertainty, unit, values)
        if u is not None:
            k = float(standard.coverage_factor)
            name = f"calibration of {standard.id}"
            found.append(certified(name, unit, 0.0, u, coverage_factor=k, sensitivity=sensitivity))
    if standard.mpe is not None and not corrected:
        width = amount(standard.mpe, unit, values)
        if width is not None:
            name = f"maximum permissible error of {standard.id}"
            found.append(limited(name, unit, width, sensitivity=sensitivity))
    return [*found, *of_drift(standard, unit, values)] if found else []


def of_drift(standard: Standard, unit: str, values: Floats) -> list[Component]:
    """Make the component of the standard's drift since its calibration, if it states one."""
    width = None if standard.drift is None else amount(standard.drift, unit, values)
    if width is None:
        return []
    return [limited(f"drift of {standard.id}", unit, width, sensitivity=REFERENCE_SENSITIVITY)]


def interval_of(
    stated: Quantity | None, standard: Standard | None, column: Sequence[Quantity], unit: str
) -> float:
    """Give the interval of a reading: that of the sheet, of the standard, or its last digit."""
    own = None if standard is None else standard.interval
    for quantity in (stated, own):
        if quantity is not None and same_kind(quantity.unit, unit):
            return float(quantity.exactly(unit))
    return max(
        float(Quantity(Decimal(1).scaleb(finest_exponent([q.magnitude])), q.unit).exactly(unit))
        for q in column
    )


@dataclass(frozen=True, slots=True)
class Thermometry:
    """How well temperatures are known."""

    standard_uncertainty: float
    """Of the thermometer, without the last digit [K]; 0 when none is known."""
    illegal: tuple[Reason, ...]

    def component(self, name: str, column: Sequence[Quantity], value: Floats) -> Component:
        """Make the component of a column of temperatures; ``value`` one per run [°C]."""
        digit = max(float(Decimal(1).scaleb(finest_exponent([q.magnitude]))) for q in column)
        u = float(np.hypot(self.standard_uncertainty, digit / np.sqrt(12)))
        return Component(name, value, "°C", u)


def thermometry(standards: Sequence[Standard]) -> Thermometry:
    """Take the coarsest thermometer that is named; none at all makes a verdict not legal."""
    known: list[float] = []
    for standard in standards:
        u, mpe = standard.expanded_uncertainty, standard.mpe
        if u is not None and u.unit in _TEMPERATURES:
            known.append(float(u.magnitude) / float(standard.coverage_factor))
        if mpe is not None and mpe.unit in _TEMPERATURES:
            known.append(float(mpe.magnitude) / float(np.sqrt(3)))
    if known:
        return Thermometry(max(known), ())
    reason = Reason(
        "thermometer-none",
        "no thermometer with its uncertainty is named, so that of the temperatures is not known.",
    )
    return Thermometry(0.0, (reason,))


def degrees(column: Sequence[Quantity]) -> NDArray[np.float64]:
    """Give a column of temperatures [°C]."""
    return np.array([float(quantity.exactly("°C")) for quantity in column])
