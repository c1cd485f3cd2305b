"""Measurement standards: whether a legal verdict may rest on them.

Knows certificates, due dates and the 1/3 rule. A standard that states neither its maximum
permissible error nor its expanded uncertainty is reported as not assessed, never taken as good.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from calibration.refusal import Refused
from calibration.units import PERCENT, Quantity, same_kind
from calibration.verification import Reason

SHARE = 3
"""A standard's error or uncertainty, times this, is at most the MPE (R 76-1:2006 3.7.1; R 117)."""


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """One line of a calibration certificate."""

    nominal: Quantity
    """Value at which the standard was calibrated."""
    correction: Quantity
    """To be added to what the standard indicates or realises (VIM 2.53): absolute or ``%``."""
    expanded_uncertainty: Quantity | None
    """Of the correction, with the standard's coverage factor: absolute or ``%``."""
    drift: Quantity | None = None
    """Largest change here since the calibration, where it differs from the standard's own."""


@dataclass(frozen=True, slots=True)
class Standard:
    """One measurement standard with its certificate; a quantity is absolute or ``%`` of the value."""

    id: str
    """Name in the office's register, for example ``W-07``."""
    kind: str = ""
    """What it is, in the office's words."""
    accuracy_class: str | None = None
    """Class, for example ``M1``."""
    certificate: str = ""
    """Number of the calibration certificate."""
    due: datetime.date | None = None
    """Last day on which the certificate holds; None when unknown."""
    expanded_uncertainty: Quantity | None = None
    """Expanded uncertainty of the whole standard as used."""
    coverage_factor: Decimal = Decimal(2)
    """k of every expanded uncertainty of this certificate."""
    mpe: Quantity | None = None
    """Largest error of the standard as used."""
    correction: Quantity | None = None
    """One correction for all values, in ``%`` of what the standard indicates (VIM 2.53)."""
    points: tuple[CalibrationPoint, ...] = ()
    """The certificate's own values, ascending; linear between them."""
    drift: Quantity | None = None
    """Largest change since the calibration that must be reckoned with (rectangular)."""
    nominal: Quantity | None = None
    """Nominal value of a standard that realises one: a test measure, a weight."""
    weights: tuple[Quantity, ...] = ()
    """Nominal values of the weights in a set, each as often as it is there."""
    density: Quantity | None = None
    """Density of the material of weights."""
    density_uncertainty: Quantity | None = None
    """Expanded uncertainty of the density, with the standard's coverage factor."""
    reference_temperature: Quantity | None = None
    """Temperature for which its values hold; never assumed."""
    expansion: Quantity | None = None
    """Cubical (volume) or linear (length) thermal expansion coefficient [1/K]."""
    interval: Quantity | None = None
    """Smallest interval of its own display or scale."""
    drip_time: Quantity | None = None
    """Time that a test measure drips before it counts as empty, as its certificate says."""
    wetted: bool | None = None
    """A test measure holds its value wetted and drained (true) or wiped dry (false)."""


@dataclass(frozen=True, slots=True)
class NamedStandard:
    """A standard as the observation sheet names it."""

    standard: Standard
    in_full: bool
    """False: only the id stands in the sheet, the rest in the register."""


@dataclass(frozen=True, slots=True)
class Realised:
    """A value that the standards realised, and the limit that was decided with it."""

    value: Decimal
    """Reference value [unit]."""
    mpe: Decimal
    """Magnitude of the maximum permissible error there [unit]."""
    unit: str
    expanded_uncertainty: Decimal | None = None
    """Of the value, or its largest error, where a routine found it [unit]; None: the errors that
    the standards state add."""


def resolved(
    named: Sequence[NamedStandard], register: Mapping[str, Standard]
) -> tuple[tuple[Standard, ...], tuple[Reason, ...]]:
    """Look every named standard up: the register wins over what a sheet says of it."""
    found: list[Standard] = []
    reasons: list[Reason] = []
    if not named:
        reasons.append(Reason("standard-none", "no measurement standard is named."))
    for entry in named:
        name = entry.standard.id
        registered = register.get(name)
        if registered is None and not entry.in_full:
            reasons.append(
                Reason(
                    "standard-unknown",
                    "standard {standard} is not in the register.",
                    {"standard": name},
                )
            )
            continue
        if registered is not None and entry.in_full and registered != entry.standard:
            reasons.append(
                Reason(
                    "standard-contradicts",
                    "standard {standard} is described otherwise in the register.",
                    {"standard": name},
                )
            )
        found.append(entry.standard if registered is None else registered)
    return tuple(found), tuple(reasons)


def certificate_reasons(standards: Sequence[Standard], on: datetime.date) -> list[Reason]:
    """List the standards whose certificate does not hold on the day of the verification."""
    reasons: list[Reason] = []
    for standard in standards:
        if standard.due is None:
            reasons.append(
                Reason(
                    "standard-undated",
                    "standard {standard} has no due date.",
                    {"standard": standard.id},
                )
            )
        elif standard.due < on:
            reasons.append(
                Reason(
                    "standard-expired",
                    "the certificate of standard {standard} ended on {due}, before {date}.",
                    {
                        "standard": standard.id,
                        "due": standard.due.isoformat(),
                        "date": on.isoformat(),
                    },
                )
            )
    return reasons


def adequacy_reasons(
    standards: Sequence[Standard], realised: Sequence[Realised], clause: str
) -> list[Reason]:
    """Find where the standards together are too coarse: sum of errors > MPE / 3.

    Errors of standards used together add (two weights on one receptor), unless the routine found
    the uncertainty of the value itself. A standard of another kind of quantity, such as a
    thermometer, takes no part; one that states nothing is reported.
    """
    if not realised:
        return []
    unit = realised[0].unit
    fixed, percent = Decimal(0), Decimal(0)
    assessed = False
    evaluated = all(point.expanded_uncertainty is not None for point in realised)
    reasons: list[Reason] = []
    for standard in standards:
        stated = _stated(standard)
        if not stated and evaluated and standard.weights and standard.accuracy_class:
            continue  # its class states the error of each weight, and the routine used that
        if not stated:
            values = {"standard": standard.id, "clause": clause}
            reasons.append(
                Reason(
                    "standard-not-assessed",
                    "standard {standard} is not assessed: neither its maximum permissible error nor "
                    "its expanded uncertainty is stated ({clause}).",
                    values,
                )
            )
            continue
        usable = [q for q in stated if q.unit == PERCENT or same_kind(q.unit, unit)]
        relative = [q.magnitude for q in usable if q.unit == PERCENT]
        absolute = [q.to(unit).magnitude for q in usable if q.unit != PERCENT]
        percent += max(relative, default=Decimal(0))
        fixed += max(absolute, default=Decimal(0))
        assessed = assessed or bool(usable)
    if standards and not assessed and not reasons and not evaluated:
        reasons.append(
            Reason(
                "standard-unfit",
                "none of the standards realises the measurand ({clause}).",
                {"clause": clause},
            )
        )
    for point in realised:
        error = point.expanded_uncertainty
        if error is None:
            error = fixed + (percent * point.value).scaleb(-2)
        if SHARE * error > point.mpe:
            values = {
                "value": f"{point.value:f} {unit}",
                "error": f"{error:f} {unit}",
                "limit": f"{point.mpe:f} {unit}",
                "clause": clause,
            }
            reasons.append(
                Reason(
                    "standard-inadequate",
                    "the standards are too coarse at {value}: their error {error} exceeds one third of "
                    "the limit {limit} ({clause}).",
                    values,
                )
            )
            break
    return reasons


def correction_percent(standards: Sequence[Standard]) -> Decimal:
    """Give the correction of the reference [% of its indication]; 0 when none is stated."""
    stated = [(s.id, s.correction) for s in standards if s.correction is not None]
    if not stated:
        return Decimal(0)
    if len(stated) > 1:
        raise Refused(
            "only one reference has a correction; here are {standards}.",
            key="standards",
            standards=", ".join(name for name, _ in stated),
        )
    quantity = stated[0][1]
    if quantity.unit != PERCENT or abs(quantity.magnitude) >= 100:
        raise Refused(
            "the correction of standard {standard} is stated in % of its indication.",
            key="standards.correction",
            standard=stated[0][0],
        )
    return quantity.magnitude


def _stated(standard: Standard) -> list[Quantity]:
    of_points = [point.expanded_uncertainty for point in standard.points]
    whole = (standard.mpe, standard.expanded_uncertainty, *of_points)
    return [quantity for quantity in whole if quantity is not None]
