"""One weighing instrument as numbers, and its observations as errors on one grid.

Knows intervals, ranges and the way from displayed digits to the error before correction. Refuses
what no such instrument can show or carry: it is a typing error, and its key is named.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact

import numpy as np
from numpy.typing import NDArray

from calibration.case import Case
from calibration.error import corrected_error, indication_before_rounding, measurement_error
from calibration.grid import Counts, finest_exponent, off_grid, on_grid, plain, regrid
from calibration.legal_table import LegalTable
from calibration.limit_curve import LimitCurve
from calibration.mpe import accuracy_class_of, limit_curve
from calibration.refusal import Refused
from calibration.routines.weighing_sheet import (
    WeighingInstrument,
    WeighingSheet,
    WeighingTest,
)
from calibration.units import INTERVAL, SCALE_INTERVAL, Quantity, parse_quantity

_EXACT = Context(prec=80, traps=[Inexact])
NEAR_ZERO = 10
"""A load up to so many e counts as near zero (A.4.4.3, A.4.2.3)."""
EXTRA = Decimal("1.4")
"""Extra load of the discrimination test [d] (A.4.8)."""


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """One test with its errors; all counts on the grid of the scale."""

    test: WeighingTest
    shown: tuple[Decimal, ...]
    """Indications with their digits as displayed [unit]."""
    load: Counts
    """Load, net of tare [count], shape (points,)."""
    indication: Counts
    """Indication [count], shape (points,)."""
    after: Counts
    """Indication after the extra load [count]; empty outside the discrimination test."""
    interval: Counts
    """Interval d of the indication at each point [count], shape (points,)."""
    error: Counts
    """Error before the E0 correction [count]; 0 where it is not known, shape (points,)."""
    known: NDArray[np.bool_]
    """The rounding error is eliminated, shape (points,)."""
    limit: Counts
    """Magnitude of the MPE at the load [count], shape (points,)."""
    clauses: tuple[str, ...]
    """Clause of each limit."""


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """A weighing instrument in the unit of its e."""

    accuracy_class: str
    unit: str
    """Unit symbol of every number here."""
    maximum: Decimal
    """Max [unit]."""
    minimum: Decimal
    """Min [unit]."""
    e: Decimal
    """Verification scale interval of the first partial range [unit]."""
    ranges: tuple[tuple[Decimal, Decimal, Decimal], ...]
    """Max, e and d of each partial range [unit]."""
    exponent: int
    """Grid of the whole sheet: counts of 10^exponent [unit]."""
    near_zero: int
    """10 e [count]."""
    curve: LimitCurve
    instrument: WeighingInstrument

    @classmethod
    def of(cls, case: Case[WeighingSheet]) -> "Scale":
        """Express the instrument in the unit of e and find the grid of the whole sheet."""
        instrument, table = case.body.instrument, case.table
        unit = instrument.e.unit
        given = {"e": str(instrument.e), "max": str(instrument.maximum)}
        if instrument.ranges:
            given["ranges"] = ",".join(f"{top}:{e}" for top, e in instrument.ranges)
        with _at("instrument"):
            curve = limit_curve(
                table,
                accuracy_class=instrument.accuracy_class,
                stage=case.stage,
                unit=unit,
                characteristics=given,
            )
            accuracy_class = accuracy_class_of(table, instrument.accuracy_class)
        with _at("instrument.max"):
            maximum = instrument.maximum.to(unit).magnitude
        with _at("instrument.ranges"):
            tops = [(top.to(unit).magnitude, e.to(unit).magnitude) for top, e in instrument.ranges]
        with _at("instrument.d"):
            d = None if instrument.d is None else instrument.d.to(unit).magnitude
        ranges = tuple(
            (top, e, e if d is None else d)
            for top, e in tops or [(maximum, instrument.e.magnitude)]
        )
        e = ranges[0][1]
        if d is not None and d > e:
            raise Refused("d = {d} is more than e = {e}.", key="instrument.d", d=d, e=e)
        with _at("instrument.min"):
            least = _min_load(table, accuracy_class, instrument.e)
            minimum = (
                least * e if instrument.minimum is None else instrument.minimum.to(unit).magnitude
            )
        if minimum > maximum:
            raise Refused("Min is more than Max.", key="instrument.min")
        draft = cls(accuracy_class, unit, maximum, minimum, e, ranges, 0, 0, curve, instrument)
        exponent = finest_exponent(
            (plain(constant) for constant in curve.constants),
            (_EXACT.divide(interval, Decimal(4)) for row in ranges for interval in row[1:]),
            draft._values(case.body),
        )
        near_zero = int(on_grid([NEAR_ZERO * e], exponent)[0])
        return cls(
            accuracy_class,
            unit,
            maximum,
            minimum,
            e,
            ranges,
            exponent,
            near_zero,
            curve,
            instrument,
        )

    def value(self, count: int | np.int64) -> Decimal:
        """Turn a count back into a value [unit], without trailing zeros."""
        return plain(off_grid(np.array([count], dtype=np.int64), self.exponent)[0])

    def observe(self, test: WeighingTest) -> Observed:
        """Find the errors of one test before correction, or refuse what cannot have been."""
        load = self._column(test, "load", test.load)
        shown = self._column(test, "indication", test.indication)
        self._check_loads(test, load)
        rows = [self._range_at(value) for value in load]
        for place, value in enumerate(shown):
            self._check_grid(value, f"{test.key}.indication[{place}]")
        counts, indicated = on_grid(load, self.exponent), on_grid(shown, self.exponent)
        interval = on_grid([d for _, _, d in rows], self.exponent)
        known = np.array([5 * d <= e for _, e, d in rows], dtype=np.bool_)
        prior = indicated
        if test.added_load is not None:
            added = self._column(test, "added_load", test.added_load)
            self._check_added(test, added, rows)
            delta = on_grid(added, self.exponent)
            prior = np.zeros_like(indicated)
            for d in np.unique(interval).tolist():
                here = interval == d
                prior[here] = indication_before_rounding(indicated[here], delta[here], d)
            known = np.ones_like(known)
        error = measurement_error(prior, counts)
        error[~known] = 0
        found = self.curve.limits(counts, self.exponent)
        return Observed(
            test=test,
            shown=tuple(shown),
            load=counts,
            indication=indicated,
            after=self._after(test),
            interval=interval,
            error=error,
            known=known,
            limit=regrid(found.counts, found.exponent, self.exponent),
            clauses=tuple(self.curve.clauses[band] for band in found.band.tolist()),
        )

    def _after(self, test: WeighingTest) -> Counts:
        if test.indication_after is None:
            return np.zeros(0, dtype=np.int64)
        values = self._column(test, "indication_after", test.indication_after)
        for place, value in enumerate(values):
            self._check_grid(value, f"{test.key}.indication_after[{place}]")
        return on_grid(values, self.exponent)

    def _values(self, sheet: WeighingSheet) -> Iterator[Decimal]:
        for test in sheet.tests:
            yield from self._column(test, "load", test.load)
            yield from self._column(test, "indication", test.indication)
            yield from self._column(test, "added_load", test.added_load or ())
            yield from self._column(test, "indication_after", test.indication_after or ())

    def _column(
        self, test: WeighingTest, name: str, values: Iterable[Quantity]
    ) -> tuple[Decimal, ...]:
        found = []
        for place, quantity in enumerate(values):
            with _at(f"{test.key}.{name}[{place}]"):
                found.append(self._mass(quantity))
        return tuple(found)

    def _mass(self, quantity: Quantity) -> Decimal:
        if quantity.unit not in (INTERVAL, SCALE_INTERVAL):
            return quantity.to(self.unit).magnitude
        if len(self.ranges) > 1:
            raise Refused("e differs from range to range: state the load in a unit of mass.")
        _, e, d = self.ranges[0]
        return _EXACT.multiply(quantity.magnitude, e if quantity.unit == INTERVAL else d)

    def _range_at(self, value: Decimal) -> tuple[Decimal, Decimal, Decimal]:
        return next((row for row in self.ranges if abs(value) <= row[0]), self.ranges[-1])

    def _check_loads(self, test: WeighingTest, load: tuple[Decimal, ...]) -> None:
        tare = Decimal(0)
        if test.tare is not None:
            with _at(f"{test.key}.tare"):
                tare = test.tare.to(self.unit).magnitude
        for place, value in enumerate(load):
            key = f"{test.key}.load[{place}]"
            said = f"{value:f} {self.unit}"
            if value < 0:
                raise Refused("{load} is less than nothing.", key=key, load=said)
            if value + tare > self.maximum:
                raise Refused(
                    "{load} is beyond Max = {maximum}.",
                    key=key,
                    load=f"{value + tare:f} {self.unit}",
                    maximum=f"{self.maximum:f} {self.unit}",
                )
            if test.name == "zero" and value > NEAR_ZERO * self.e:
                raise Refused("{load} is more than 10 e: not near zero.", key=key, load=said)
            if test.name == "repeatability" and value != load[0]:
                raise Refused("{load} is not the load of this series.", key=key, load=said)

    def _check_grid(self, value: Decimal, key: str) -> None:
        _, _, d = self._range_at(value)
        if _EXACT.remainder(value, d) != 0:
            raise Refused(
                "{indication} cannot be displayed with d = {d}: a typing error?",
                key=key,
                indication=f"{value:f} {self.unit}",
                d=f"{d:f} {self.unit}",
            )

    def _check_added(
        self,
        test: WeighingTest,
        added: tuple[Decimal, ...],
        rows: list[tuple[Decimal, Decimal, Decimal]],
    ) -> None:
        for place, (value, (_, _, d)) in enumerate(zip(added, rows, strict=True)):
            if not 0 <= value <= d:
                raise Refused(
                    "ΔL = {added} cannot be: the indication changes within one interval d = {d}.",
                    key=f"{test.key}.added_load[{place}]",
                    added=f"{value:f} {self.unit}",
                    d=f"{d:f} {self.unit}",
                )


def corrected(seen: Observed, zero: tuple[int, int] | None) -> Counts:
    """Correct the errors for E0 [count]: Ec = E - E0, but E0 itself stays to be judged.

    ``zero`` is E0 and the point that gave it, or -1 when another test gave it (A.4.4.3).
    """
    if zero is None:
        return seen.error
    offset = np.full_like(seen.error, zero[0])
    if zero[1] >= 0:
        offset[zero[1]] = 0
    return corrected_error(seen.error, offset)


def _min_load(table: LegalTable, accuracy_class: str, e: Quantity) -> Decimal:
    """Give Min [e] of the class (Table 3)."""
    for row in table.rules["class"][accuracy_class]["intervals"]:
        smallest = parse_quantity(row["e_min"])
        largest = parse_quantity(row["e_max"]) if "e_max" in row else None
        value = e.to(smallest.unit).magnitude
        if value >= smallest.magnitude and (
            largest is None or value <= largest.to(smallest.unit).magnitude
        ):
            return Decimal(row["min_load"])
    return Decimal(0)


@contextmanager
def _at(key: str) -> Iterator[None]:
    """Name the key of a refusal."""
    try:
        yield
    except Refused as refused:
        inner = f"{key}.{refused.key}" if refused.key else key
        raise Refused(refused.template, key=inner, **refused.evidence) from None
