"""The length of a measure between its marks, from what a reference tape or bench indicates.

Knows the certificate of the reference and what temperature does to reference and measure. Refuses
a reference that states no reference temperature or no expansion: neither is ever assumed. What
temperature changes is float64, rounded onto a grid, and the rounding is counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.component import Component, Distribution, certified, limited, observed
from calibration.distributions import Floats
from calibration.expansion import at_reference_temperature, at_temperature
from calibration.grid import finest_exponent
from calibration.refusal import Refused
from calibration.rounding import rounded_correction
from calibration.routines.exact_points import mean
from calibration.routines.length_certificate import (
    UNIT,
    certificate_of,
    correction_at,
    growth,
    of_reference,
)
from calibration.routines.length_sheet import LengthInstrument, LengthTest
from calibration.routines.reference_volume import (
    Thermometry,
    degrees,
    interval_of,
    named_standard,
    thermometry,
)
from calibration.standard import Standard
from calibration.uncertainty import Budget, expanded_uncertainty, propagate
from calibration.units import Quantity
from calibration.verification import Reason


@dataclass(frozen=True, slots=True, eq=False)
class FoundLengths:
    """Lengths at the reference temperature of the measure, one per mark."""

    values: tuple[Fraction, ...]
    """Mean over the runs [mm]."""
    budget: Budget | None
    """Of the error at every mark [mm]; None when the reference states no uncertainty."""
    expanded: tuple[float, ...] | None
    """U of the length without the scatter of the readings, k = 2 [mm]."""
    standard: Standard
    notes: tuple[Reason, ...] = ()
    illegal: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """One test as columns, a row per reading."""

    test: LengthTest
    standard: Standard
    instrument: LengthInstrument
    read: Floats
    """Corrected indication of the reference [mm]."""
    measure: tuple[Quantity, ...]
    """Temperature of the measure."""
    reference: tuple[Quantity, ...]
    """Temperature of the reference."""

    @property
    def marks(self) -> int:
        """Tell how many marks were read in each run."""
        return len(self.test.reference) // self.test.runs

    @property
    def constants(self) -> tuple[float, float, float, float]:
        """Give α, t_0 of the measure and α_r, t_r0 of the reference [1/K, °C]."""
        own = self.instrument
        alpha, t_0 = own.expansion.exactly("1/K"), own.reference_temperature.exactly("°C")
        return float(alpha), float(t_0), *growth(self.standard)

    def factor(self) -> Floats:
        """Give what temperature makes of what was read, one per row."""
        alpha, t_0, alpha_r, t_r0 = self.constants
        grown = at_temperature(1.0, alpha_r, degrees(self.reference), reference_temperature=t_r0)
        return at_reference_temperature(
            grown, alpha, degrees(self.measure), reference_temperature=t_0
        )

    def by_mark(self, column: Floats) -> Floats:
        """Average a column over the runs."""
        return np.asarray(column.reshape(-1, self.marks).mean(axis=0))


def lengths(
    test: LengthTest,
    instrument: LengthInstrument,
    standards: Sequence[Standard],
    environment: Mapping[str, Quantity],
    exponent: int,
) -> FoundLengths:
    """Find L = (R + C)(1 + α_r (t_r - t_r0))/(1 + α (t - t_0)) at every mark.

    R is what the reference indicates, C its correction; α_r and t_r0 of the reference, α and t_0 of
    the measure; t_r and t measured. What temperature changes is rounded to 10^``exponent`` [mm].
    """
    standard = named_standard(standards, test.standard, "m", test.key)
    certificate = certificate_of(standard, test)
    corrected = [
        value.exactly(UNIT)
        + correction_at(standard, certificate, value, f"{test.key}.reference[{row}]")
        for row, value in enumerate(test.reference)
    ]
    measure, reference, notes = _temperatures(test, environment)
    read = np.array([float(value) for value in corrected])
    rows = _Rows(test, standard, instrument, read, measure, reference)
    factor = rows.factor()
    change = rounded_correction("rounding of the correction", UNIT, read * (factor - 1), exponent)
    at_reference = [
        value + Fraction(added) for value, added in zip(corrected, change.digits(), strict=True)
    ]
    columns = [at_reference[mark :: rows.marks] for mark in range(rows.marks)]
    found = tuple(mean(column) for column in columns)
    warmth = thermometry(standards)
    own = of_reference(standard, certificate, test, rows.marks)
    if not own:
        return FoundLengths(found, None, None, standard, notes, warmth.illegal)
    components = (
        *_propagated(own, rows, warmth),
        _reading(rows, factor),
        change.component,
    )
    budget = Budget("error", _errors(test, found), UNIT, (*components, *_scatter(columns)))
    return FoundLengths(
        found, budget, _expanded(components, rows.marks), standard, notes, warmth.illegal
    )


def _errors(test: LengthTest, found: Sequence[Fraction]) -> Floats:
    pairs = zip(test.nominal, found, strict=True)
    return np.array([float(nominal.exactly(UNIT) - length) for nominal, length in pairs])


def _expanded(components: Sequence[Component], marks: int) -> tuple[float, ...]:
    """Give U of every length, k = 2, without the scatter of the readings [mm]."""
    known = expanded_uncertainty(
        [component.standard_uncertainty for component in components],
        [component.sensitivity for component in components],
        [component.dof for component in components],
    )
    return tuple((2 * np.broadcast_to(known.combined, (marks,))).tolist())


def _temperatures(
    test: LengthTest, environment: Mapping[str, Quantity]
) -> tuple[tuple[Quantity, ...], tuple[Quantity, ...], tuple[Reason, ...]]:
    """Take the temperatures of measure and reference in every row."""
    rows = len(test.reference)
    room = environment.get("temperature")
    measure = test.temperature or (() if room is None else (room,) * rows)
    if not measure:
        raise Refused(
            "the temperature of the measure is not stated, nor that of the environment.",
            key=f"{test.key}.temperature",
        )
    if test.standard_temperature:
        return measure, test.standard_temperature, ()
    note = Reason(
        "standard-temperature",
        "{test}: the reference was taken to be as warm as the measure.",
        {"test": test.name},
    )
    return measure, measure, (note,)


def _propagated(
    own: Sequence[Component], rows: _Rows, warmth: Thermometry
) -> tuple[Component, ...]:
    """Propagate the reference, both temperatures and both expansions to E = N - L."""
    alpha, t_0, alpha_r, t_r0 = rows.constants
    length = rows.by_mark(rows.read)
    t, t_r = (rows.by_mark(degrees(column)) for column in (rows.measure, rows.reference))
    inputs = (
        *own,
        warmth.component("temperature of the measure", rows.measure, t),
        warmth.component("temperature of the reference", rows.reference, t_r),
        _expansion(rows.instrument, alpha),
        limited(
            "expansion of the reference",
            "1/K",
            _half_digit(rows.standard.expansion),
            value=alpha_r,
        ),
    )
    many = len(own)
    start = [np.asarray(component.value, dtype=np.float64) for component in own]

    def error(*x: NDArray[Any]) -> NDArray[Any]:
        m, r, a, a_r = x[many:]
        found = length + sum((x[i] - start[i] for i in range(many)), np.zeros(1))
        return np.asarray(-found * (1 + a_r * (r - t_r0)) / (1 + a * (m - t_0)))

    return propagate("error", UNIT, error, inputs).components


def _expansion(instrument: LengthInstrument, alpha: float) -> Component:
    name, stated = "expansion of the measure", instrument.expansion_uncertainty
    if stated is not None:
        return certified(name, "1/K", alpha, float(stated.exactly("1/K")))
    return limited(name, "1/K", _half_digit(instrument.expansion), value=alpha)


def _half_digit(stated: Quantity | None) -> float:
    """Give half of the last digit in which a coefficient is stated [1/K]."""
    if stated is None:
        return 0.0
    last = Decimal(1).scaleb(finest_exponent([stated.magnitude]))
    return float(Quantity(last, stated.unit).exactly("1/K")) / 2


def _reading(rows: _Rows, factor: Floats) -> Component:
    """Make the component of the readings at both ends, each within half an interval."""
    test = rows.test
    return limited(
        "reading at both ends",
        UNIT,
        interval_of(test.resolution, rows.standard, test.reference, UNIT),
        distribution=Distribution.TRIANGULAR,
        sensitivity=-rows.by_mark(factor),
    )


def _scatter(columns: Sequence[Sequence[Fraction]]) -> tuple[Component, ...]:
    if len(columns[0]) < 2:
        return ()
    each = np.array([[float(value) for value in column] for column in columns])
    return (observed("repeatability", UNIT, each),)
