"""A test measure (bejana ukur standar) as its certificate states it, and how it was emptied.

Knows the certified volume at a reading of the neck scale, its uncertainty, and the drip time that
certificate or law want. Refuses a measure that states no reference temperature, expansion or
certified volume: none of them is ever assumed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from fractions import Fraction
from typing import Any

import numpy as np

from calibration.calibration_curve import calibrated_at, rounded_exactly
from calibration.component import Component, certified, limited
from calibration.edition import PROVISIONAL
from calibration.grid import finest_exponent, plain
from calibration.refusal import Refused
from calibration.routines.reference_sheet import Fillings
from calibration.routines.reference_volume import of_drift
from calibration.standard import Standard
from calibration.units import PERCENT, Quantity, parse_quantity
from calibration.verification import Reason

NECK = 10
"""A neck scale does not reach past 1/10 of the nominal volume: beyond it a reading is a mistake."""
_EXACT = Context(prec=80, traps=[Inexact])


@dataclass(frozen=True, slots=True, eq=False)
class NeckMeasure:
    """A test measure with what a computation needs of it."""

    standard: Standard
    unit: str
    """Unit symbol of its volumes here."""
    nominal: Quantity
    reference_temperature: float
    """[°C]"""
    expansion: float
    """γ [1/K]"""
    expansion_half_digit: float
    """Half of the last digit in which γ is stated [1/K]."""

    @classmethod
    def of(cls, standard: Standard, unit: str) -> "NeckMeasure":
        """Take a standard as a test measure; a Refused names what its certificate lacks."""
        gamma = _stated(standard, "expansion", standard.expansion)
        temperature = _stated(standard, "reference_temperature", standard.reference_temperature)
        last = Quantity(Decimal(1).scaleb(finest_exponent([gamma.magnitude])), gamma.unit)
        return cls(
            standard,
            unit,
            _stated(standard, "nominal", standard.nominal).to(unit),
            float(temperature.exactly("°C")),
            float(gamma.exactly("1/K")),
            float(last.exactly("1/K")) / 2,
        )

    def readings(self, column: Sequence[Quantity], key: str) -> list[Decimal]:
        """Take readings of the neck scale [unit], which count from the nominal mark."""
        found = []
        for place, reading in enumerate(column):
            value = reading.to(self.unit).magnitude
            if NECK * abs(value) >= self.nominal.magnitude:
                raise Refused(
                    "{value} is no reading of the neck of {standard}: it counts from the mark of "
                    "{nominal}.",
                    key=f"{key}[{place}]",
                    value=reading,
                    standard=self.standard.id,
                    nominal=self.nominal,
                )
            found.append(value)
        return found

    def contents(self, readings: Sequence[Decimal], exponent: int) -> list[Decimal]:
        """Give what it holds at every reading, at its reference temperature [unit].

        Digits finer than 10^(exponent - 3), which only an interpolation has, are rounded away.
        """
        nominal, points = Fraction(self.nominal.magnitude), self.standard.points
        if len(points) == 1 and points[0].nominal.exactly(self.unit) != nominal:
            raise Refused(
                "the certificate of {standard} has its point at {point}, and its nominal volume is "
                "{nominal}.",
                key="standards.point",
                standard=self.standard.id,
                point=points[0].nominal,
                nominal=self.nominal,
            )
        correction = self.standard.correction
        found = []
        for reading in readings:
            if points:
                # One point is the mark itself: it holds for the whole neck.
                moved = reading if len(points) > 1 else Decimal(0)
                at = Quantity(_EXACT.add(self.nominal.magnitude, moved), self.unit)
                added = calibrated_at(self.standard, at, relative=False).correction
            elif correction is not None:
                added = self._share(correction)
            elif self.standard.mpe is not None:
                added = Fraction(0)
            else:
                raise Refused(
                    "test measure {standard} states neither its certified volume (a point or a "
                    "correction) nor its maximum permissible error.",
                    key="standards.point",
                    standard=self.standard.id,
                )
            content = nominal + Fraction(reading) + added
            found.append(plain(rounded_exactly(content, exponent - 3)))
        return found

    def components(self) -> tuple[Component, ...]:
        """Make the components of its certified volume [unit]; empty when it states no uncertainty."""
        standard = self.standard
        own = [
            point.expanded_uncertainty or standard.expanded_uncertainty for point in standard.points
        ]
        stated = own or [standard.expanded_uncertainty]
        nominal = float(self.nominal.magnitude)
        found: list[Component] = []
        known = [quantity for quantity in stated if quantity is not None]
        corrected = bool(standard.points) or standard.correction is not None
        if corrected and len(known) == len(stated):
            u = float(max(self._share(quantity) for quantity in known))
            k = float(standard.coverage_factor)
            name = f"calibration of {standard.id}"
            found.append(certified(name, self.unit, nominal, u, coverage_factor=k))
        elif standard.mpe is not None:
            name = f"maximum permissible error of {standard.id}"
            width = float(self._share(standard.mpe))
            found.append(limited(name, self.unit, width, value=nominal))
        if not found:
            return ()
        return (*found, *of_drift(standard, self.unit, np.array([nominal])))

    def _share(self, quantity: Quantity) -> Fraction:
        """Give a quantity that is absolute or in % of the nominal volume [unit]."""
        if quantity.unit == PERCENT:
            return Fraction(quantity.magnitude) * Fraction(self.nominal.magnitude) / 100
        return quantity.exactly(self.unit)


@dataclass(frozen=True, slots=True)
class Emptied:
    """Whether a measure was emptied as its certificate and the law want."""

    lacking: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()
    provisional: bool = False


def emptied(
    measure: NeckMeasure,
    fillings: Fillings,
    requirements: Mapping[str, Mapping[str, Any]],
    flow_rate: str,
) -> Emptied:
    """Compare size, wetting and drip time with the certificate of the measure and with the law.

    A measure that dripped longer is hardly emptier than its certificate means: only a shorter time
    is found lacking.
    """
    small = _too_small(measure, requirements)
    found = _wetting(measure, fillings, requirements, flow_rate)
    return Emptied((*small, *found.lacking), found.notes, found.provisional)


def _wetting(
    measure: NeckMeasure,
    fillings: Fillings,
    requirements: Mapping[str, Mapping[str, Any]],
    flow_rate: str,
) -> Emptied:
    standard = measure.standard
    values: dict[str, object] = {"flow_rate": flow_rate, "standard": standard.id}
    if standard.wetted is not None and standard.wetted != fillings.wetted:
        template = (
            "accuracy at {flow_rate}: {standard} was wetted, and its certificate holds for a measure "
            "wiped dry."
            if fillings.wetted
            else "accuracy at {flow_rate}: {standard} was wiped dry, and its certificate holds for a "
            "wetted measure."
        )
        return Emptied((Reason("measure-wetting", template, values),))
    notes: tuple[Reason, ...] = ()
    if standard.wetted is None:
        unknown = Reason(
            "measure-wetting-unknown",
            "the certificate of {standard} does not say whether it holds for a wetted measure or for "
            "one wiped dry.",
            {"standard": standard.id},
        )
        notes = (unknown,)
    if not fillings.wetted:
        return Emptied(notes=notes)
    wanted, clause, unsure = _drip_time(measure, requirements)
    shortest = min(fillings.drip_time, key=lambda time: time.exactly("s"))
    values |= {"time": str(shortest), "clause": clause, "wanted": str(wanted)}
    if wanted is None:
        reason = Reason(
            "drip-time-unknown",
            "accuracy at {flow_rate}: {standard} dripped for {time}, and neither its certificate nor "
            "the table says how long it should.",
            values,
        )
        return Emptied((reason,), notes)
    if shortest.exactly("s") < wanted.exactly("s"):
        reason = Reason(
            "drip-time-too-short",
            "accuracy at {flow_rate}: {standard} dripped for {time} and {wanted} are wanted "
            "({clause}).",
            values,
        )
        return Emptied((reason,), notes, unsure)
    return Emptied((), notes, unsure)


def _too_small(
    measure: NeckMeasure, requirements: Mapping[str, Mapping[str, Any]]
) -> tuple[Reason, ...]:
    """Want a measure of the size that national settings name."""
    stated = requirements.get("test", {})
    least = stated.get("measure_from")
    if least is None or measure.nominal.exactly("L") >= parse_quantity(least).exactly("L"):
        return ()
    values = {
        "standard": measure.standard.id,
        "nominal": str(measure.nominal),
        "least": least,
        "clause": stated["clause"],
    }
    template = "test measure {standard} of {nominal} is smaller than {least} ({clause})."
    return (Reason("measure-too-small", template, values),)


def _drip_time(
    measure: NeckMeasure, requirements: Mapping[str, Mapping[str, Any]]
) -> tuple[Quantity | None, str, bool]:
    """Find how long a measure of this size drips: by its certificate, else by the law."""
    own = measure.standard
    if own.drip_time is not None:
        return own.drip_time, f"{own.id} {own.certificate}".strip(), False
    stated = requirements.get("drip_time")
    if stated is None:
        return None, "", False
    nominal = measure.nominal.exactly("L")
    clause, unsure = str(stated["clause"]), stated["confidence"] in PROVISIONAL
    if nominal > parse_quantity(stated["small_upto"]).exactly("L"):
        return parse_quantity(stated["larger"]), clause, unsure
    if "small_from" in stated and nominal < parse_quantity(stated["small_from"]).exactly("L"):
        return None, "", False
    return parse_quantity(stated["small"]), clause, unsure


def _stated(standard: Standard, name: str, quantity: Quantity | None) -> Quantity:
    if quantity is None:
        raise Refused(
            "test measure {standard} states no {name}, and none is assumed.",
            key=f"standards.{name}",
            standard=standard.id,
            name=name,
        )
    return quantity
