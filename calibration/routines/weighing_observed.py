"""The observations of a weighing instrument as errors on one grid, and E0.

Knows the way from displayed digits to the error before correction (A.4.4.3). Refuses what no such
instrument can show or carry: it is a typing error, and its key is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from calibration.error import corrected_error, indication_before_rounding, measurement_error
from calibration.grid import Counts, on_grid, regrid
from calibration.legal_table import LegalTable
from calibration.refusal import Refused
from calibration.routines.weighing_columns import ERRORS, Method, WeighingTest
from calibration.routines.weighing_law import in_unit, requirement
from calibration.routines.weighing_scale import EXACT, Partial, Scale, WeighingRange

OBSERVED = (*ERRORS, "discrimination", "indicators", "creep", "zero_return", "tilt")
"""Tests that have loads and indications."""
_SAME_LOAD = ("repeatability", "creep", "zero_return")


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """One test with its errors; all counts on the grid of the scale, shape (points,)."""

    test: WeighingTest
    within: WeighingRange
    """The range that it was made in."""
    shown: tuple[Decimal, ...]
    """Indications with their digits as displayed [unit]."""
    load: Counts
    """Load, net of tare [count]."""
    indication: Counts
    """Indication [count]."""
    prior: Counts
    """Indication prior to rounding P where that is known [count]."""
    error: Counts
    """Error before the E0 correction [count]; 0 where it is not known."""
    known: NDArray[np.bool_]
    """The rounding error is eliminated, or there is none."""
    limit: Counts
    """Magnitude of the MPE at the load [count]."""
    clauses: tuple[str, ...]
    """Clause of each limit."""
    near_zero: int
    """Largest load that counts as near zero [count]."""

    @property
    def name(self) -> str:
        """Give the name of the test."""
        return self.test.name

    def partial(self, scale: Scale, place: int) -> Partial:
        """Give the partial range with its intervals at a point."""
        return self.within.at(scale.value(self.load[place]))


@dataclass(frozen=True, slots=True)
class Zero:
    """E0 and where it was found."""

    count: int
    """E0 [count]."""
    source: Observed
    place: int
    """Point of the source."""


@dataclass(frozen=True, slots=True, eq=False)
class Weighings:
    """Everything that was observed of one instrument."""

    table: LegalTable
    stage: str
    scale: Scale
    observed: tuple[Observed, ...]

    def of(self, name: str, within: WeighingRange) -> tuple[Observed, ...]:
        """Give the tests of a name in a range."""
        return tuple(
            seen
            for seen in self.observed
            if seen.name == name and seen.within.number == within.number
        )

    def zero(self, seen: Observed) -> Zero | None:
        """Find E0 for a test: its own, or for tests at one load that of the weighing test."""
        if seen.name in ("zero", "discrimination") or seen.test.method is Method.PROBE:
            return None
        own = _error_at_zero(seen)
        if own is None and seen.name in ("eccentricity", "repeatability"):
            others = (_error_at_zero(other) for other in self.of("weighing", seen.within))
            return next((zero for zero in others if zero is not None), None)
        return own

    def corrected(self, seen: Observed) -> Counts:
        """Correct the errors of a test: Ec = E - E0, but E0 itself stays to be judged (A.4.4.3)."""
        zero = self.zero(seen)
        if zero is None:
            return seen.error
        offset = np.full_like(seen.error, zero.count)
        if zero.source is seen:
            offset[zero.place] = 0
        return corrected_error(seen.error, offset)


def _error_at_zero(seen: Observed) -> Zero | None:
    """Find E0: the first point with the smallest load, at most 10 e (A.4.4.3)."""
    place = int(np.argmin(seen.load))
    if int(seen.load[place]) > seen.near_zero or not seen.known[place]:
        return None
    return Zero(int(seen.error[place]), seen, place)


def observe(table: LegalTable, scale: Scale, test: WeighingTest) -> Observed:
    """Find the errors of one test before correction, or refuse what cannot have been."""
    within = scale.range_of(test)
    near = EXACT.multiply(requirement(table, "near_zero").number("intervals"), within.e)
    load = scale.column(test, "load", test.load)
    shown = scale.column(test, "indication", test.indication)
    _check_loads(scale, test, within, load, near)
    rows = [within.at(value) for value in load]
    check_displayed(scale, test, "indication", shown)
    counts, indicated = on_grid(load, scale.exponent), on_grid(shown, scale.exponent)
    direct = requirement(table, "rounding").number("largest_direct")
    known = np.array([not scale.digital or one.d <= direct * one.e for one in rows], dtype=np.bool_)
    prior = indicated
    if test.added_load is not None:
        prior = _prior(scale, test, indicated, rows)
        known = np.ones_like(known)
    elif test.method is Method.PROBE:
        known = np.zeros_like(known)
    error = measurement_error(prior, counts)
    error[~known] = 0
    found = within.curve.limits(counts, scale.exponent)
    return Observed(
        test=test,
        within=within,
        shown=tuple(shown),
        load=counts,
        indication=indicated,
        prior=prior,
        error=error,
        known=known,
        limit=regrid(found.counts, found.exponent, scale.exponent),
        clauses=tuple(within.curve.clauses[band] for band in found.band.tolist()),
        near_zero=int(on_grid([near], scale.exponent)[0]),
    )


def _prior(scale: Scale, test: WeighingTest, indicated: Counts, rows: Sequence[Partial]) -> Counts:
    """Find P = I + d/2 - ΔL at every point."""
    if not scale.digital:
        raise Refused(
            "only a digital indication changes by steps: state the equilibrium as the indication.",
            key=f"{test.key}.added_load",
        )
    added = scale.column(test, "added_load", test.added_load or ())
    for place, (value, one) in enumerate(zip(added, rows, strict=True)):
        if not 0 <= value <= one.d:
            raise Refused(
                "ΔL = {added} cannot be: the indication changes within one interval d = {d}.",
                key=f"{test.key}.added_load[{place}]",
                added=f"{value:f} {scale.unit}",
                d=f"{one.d:f} {scale.unit}",
            )
    delta = on_grid(added, scale.exponent)
    interval = on_grid([one.d for one in rows], scale.exponent)
    prior = np.zeros_like(indicated)
    for d in np.unique(interval).tolist():
        here = interval == d
        prior[here] = indication_before_rounding(indicated[here], delta[here], d)
    return prior


def check_displayed(scale: Scale, test: WeighingTest, name: str, values: Sequence[Decimal]) -> None:
    """Refuse digits that no display with this d can show."""
    if not scale.digital:
        return
    within = scale.range_of(test)
    for place, value in enumerate(values):
        d = within.at(value).d
        if EXACT.remainder(value, d) != 0:
            raise Refused(
                "{indication} cannot be displayed with d = {d}: a typing error?",
                key=f"{test.key}.{name}[{place}]",
                indication=f"{value:f} {scale.unit}",
                d=f"{d:f} {scale.unit}",
            )


def _check_loads(
    scale: Scale,
    test: WeighingTest,
    within: WeighingRange,
    load: tuple[Decimal, ...],
    near_zero: Decimal,
) -> None:
    tare = Decimal(0)
    if test.tare is not None:
        tare = in_unit(test.tare, scale.unit, f"{test.key}.tare")
    for place, value in enumerate(load):
        key = f"{test.key}.load[{place}]"
        said = f"{value:f} {scale.unit}"
        if value < 0:
            raise Refused("{load} is less than nothing.", key=key, load=said)
        gross = max(value, value + tare - scale.additive_tare)
        if gross > within.maximum:
            raise Refused(
                "{load} is beyond Max = {maximum}.",
                key=key,
                load=f"{value + tare:f} {scale.unit}",
                maximum=f"{within.maximum:f} {scale.unit}",
            )
        if test.name in ("zero", "zero_return") and value > near_zero:
            raise Refused("{load} is more than 10 e: not near zero.", key=key, load=said)
        if test.name in _SAME_LOAD and value != load[0]:
            raise Refused("{load} is not the load of this series.", key=key, load=said)
