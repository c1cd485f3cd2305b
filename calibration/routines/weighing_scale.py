"""One weighing instrument as numbers: its ranges with intervals, limits and the grid of the sheet.

Knows single- and multi-interval instruments, and multiple range ones, of which each range is an
instrument. Refuses characteristics that no instrument of its class has.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Context, Decimal, Inexact
from itertools import chain, pairwise

import numpy as np

from calibration.case import Case
from calibration.grid import finest_exponent, off_grid, plain
from calibration.legal_table import LegalTable
from calibration.limit_curve import LimitCurve
from calibration.mpe import accuracy_class_of, limit_curve
from calibration.refusal import Refused
from calibration.routines.weighing_columns import WeighingTest
from calibration.routines.weighing_law import in_unit, requirement
from calibration.routines.weighing_sheet import Indicating, WeighingInstrument, WeighingSheet
from calibration.units import INTERVAL, SCALE_INTERVAL, Quantity, parse_quantity

EXACT = Context(prec=80, traps=[Inexact])


@dataclass(frozen=True, slots=True)
class Partial:
    """A partial range with its intervals."""

    maximum: Decimal
    """[unit]"""
    e: Decimal
    """Verification scale interval [unit]."""
    d: Decimal
    """Interval of the indication used [unit]."""


@dataclass(frozen=True, slots=True, eq=False)
class WeighingRange:
    """A range that the law treats as an instrument: the whole of it, or one of several."""

    number: int
    """From 1."""
    maximum: Decimal
    """Max [unit]."""
    minimum: Decimal
    """Min [unit]."""
    partial: tuple[Partial, ...]
    """One, or those of a multi-interval instrument."""
    curve: LimitCurve

    @property
    def e(self) -> Decimal:
        """Give e of the first partial range [unit]."""
        return self.partial[0].e

    def at(self, load: Decimal) -> Partial:
        """Give the partial range that holds a load."""
        return next((one for one in self.partial if abs(load) <= one.maximum), self.partial[-1])

    def limit(self, load: Decimal) -> tuple[Decimal, str]:
        """Give the magnitude of the limit at a load, and its clause."""
        exponent = finest_exponent([load])
        found = self.curve.limits(np.array([int(load.scaleb(-exponent))], dtype=np.int64), exponent)
        (value,) = off_grid(found.counts, found.exponent)
        return plain(value), self.curve.clauses[int(found.band[0])]


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """A weighing instrument in the unit of its e."""

    accuracy_class: str
    unit: str
    """Unit symbol of every number here."""
    ranges: tuple[WeighingRange, ...]
    additive_tare: Decimal
    """Largest additive tare effect [unit]."""
    exponent: int
    """Grid of the whole sheet: counts of 10^exponent [unit]."""
    instrument: WeighingInstrument

    @classmethod
    def of(cls, case: Case[WeighingSheet]) -> "Scale":
        """Express the instrument in the unit of e and find the grid of the whole sheet."""
        instrument, unit = case.body.instrument, case.body.instrument.e.unit
        ranges = scale_ranges(case.table, instrument, case.stage)
        with at("instrument.additive_tare"):
            additive = instrument.additive_tare
            additive_tare = Decimal(0) if additive is None else additive.to(unit).magnitude
        accuracy_class = accuracy_class_of(case.table, instrument.accuracy_class)
        draft = cls(accuracy_class, unit, ranges, additive_tare, 0, instrument)
        intervals = {
            interval
            for test in case.body.tests
            for one in draft.range_of(test).partial
            for interval in (one.e, one.d)
        }
        exponent = finest_exponent(
            (plain(constant) for one in ranges for constant in one.curve.constants),
            (EXACT.divide(interval, Decimal(4)) for interval in intervals),
            chain.from_iterable(draft._values(test) for test in case.body.tests),
        )
        return replace(draft, exponent=exponent)

    @property
    def digital(self) -> bool:
        """Tell whether indications are whole numbers of d."""
        return self.instrument.indicating is Indicating.DIGITAL

    def value(self, count: int | np.int64) -> Decimal:
        """Turn a count back into a value [unit], without trailing zeros."""
        return plain(off_grid(np.array([count], dtype=np.int64), self.exponent)[0])

    def said(self, value: Decimal) -> str:
        """Write a value with its unit."""
        return f"{plain(value):f} {self.unit}"

    def range_of(self, test: WeighingTest) -> WeighingRange:
        """Find the range that a test was made in, with the interval that it used."""
        key = f"{test.key}.range"
        if self.instrument.multiple_range and test.range is None:
            raise Refused("every test of a multiple range instrument states its range.", key=key)
        if not self.instrument.multiple_range and test.range is not None:
            raise Refused("only a multiple range instrument has ranges to choose from.", key=key)
        number = 1 if test.range is None else test.range
        if number > len(self.ranges):
            raise Refused(
                "there is no range {number}: there are {count}.",
                key=key,
                number=number,
                count=len(self.ranges),
            )
        found = self.ranges[number - 1]
        if test.d is None:
            return found
        d = in_unit(test.d, self.unit, f"{test.key}.d")
        _check_interval(d, found.e, f"{test.key}.d")
        return replace(found, partial=tuple(replace(one, d=d) for one in found.partial))

    def column(
        self, test: WeighingTest, name: str, values: Iterable[Quantity | None]
    ) -> tuple[Decimal, ...]:
        """Express a column in the unit of the scale; e and d are those of the test's range."""
        within = self.range_of(test)
        found = []
        for place, quantity in enumerate(values):
            if quantity is not None:
                with at(f"{test.key}.{name}[{place}]"):
                    found.append(self._mass(quantity, within))
        return tuple(found)

    def _mass(self, quantity: Quantity, within: WeighingRange) -> Decimal:
        if quantity.unit not in (INTERVAL, SCALE_INTERVAL):
            return quantity.to(self.unit).magnitude
        if len(within.partial) > 1:
            raise Refused("e differs from range to range: state the load in a unit of mass.")
        one = within.partial[0]
        return EXACT.multiply(quantity.magnitude, one.e if quantity.unit == INTERVAL else one.d)

    def _values(self, test: WeighingTest) -> Iterator[Decimal]:
        columns = ("load", "indication", "added_load", "indication_after", "indication_further")
        for name in (*columns, "substitution", "indication_second"):
            yield from self.column(test, name, getattr(test, name) or ())


def scale_ranges(
    table: LegalTable, instrument: WeighingInstrument, stage: str, place: str = "instrument"
) -> tuple[WeighingRange, ...]:
    """Give the ranges of an instrument with their limits, or refuse what no class has.

    ``place`` is the key path of the characteristics.
    """
    unit = instrument.e.unit
    with at(place):
        accuracy_class = accuracy_class_of(table, instrument.accuracy_class)
    with at(f"{place}.max"):
        maximum = instrument.maximum.to(unit).magnitude
    with at(f"{place}.ranges"):
        tops = [(top.to(unit).magnitude, e.to(unit).magnitude) for top, e in instrument.ranges]
    with at(f"{place}.d"):
        d = None if instrument.d is None else instrument.d.to(unit).magnitude
    parts = [Partial(top, e, e if d is None else d) for top, e in tops] or [
        Partial(maximum, instrument.e.magnitude, instrument.e.magnitude if d is None else d)
    ]
    if d is not None:
        _check_interval(d, parts[0].e, f"{place}.d")
    given: list[tuple[dict[str, str], tuple[Partial, ...]]]
    if instrument.multiple_range:
        _check_growing(parts, instrument, unit, f"{place}.ranges")
        given = [({"e": f"{p.e} {unit}", "max": f"{p.maximum} {unit}"}, (p,)) for p in parts]
    else:
        one = {"e": str(instrument.e), "max": str(instrument.maximum)}
        if instrument.ranges:
            one["ranges"] = ",".join(f"{top}:{e}" for top, e in instrument.ranges)
        given = [(one, tuple(parts))]
    ranges = []
    for number, (characteristics, partial) in enumerate(given, 1):
        with at(place):
            curve = limit_curve(
                table,
                accuracy_class=accuracy_class,
                stage=stage,
                unit=unit,
                characteristics=characteristics,
            )
        e = Quantity(partial[0].e, unit)
        with at(f"{place}.min"):
            minimum = _min_load(table, accuracy_class, e) * e.magnitude
            if instrument.minimum is not None and number == 1:
                minimum = instrument.minimum.to(unit).magnitude
            if minimum > partial[-1].maximum:
                raise Refused("Min is more than Max.")
        ranges.append(WeighingRange(number, partial[-1].maximum, minimum, partial, curve))
    if len(parts) > 1 and not instrument.multiple_range:
        _check_partial(table, accuracy_class, parts, f"{place}.ranges")
    if instrument.auxiliary:
        _check_auxiliary(table, accuracy_class, parts[0], unit, place)
    return tuple(ranges)


def _check_interval(d: Decimal, e: Decimal, key: str) -> None:
    if d > e:
        raise Refused("d = {d} is more than e = {e}.", key=key, d=d, e=e)


def _check_growing(
    parts: list[Partial], instrument: WeighingInstrument, unit: str, key: str
) -> None:
    growing = all(a.maximum < b.maximum and a.e < b.e for a, b in pairwise(parts))
    text = ",".join(f"{top}:{e}" for top, e in instrument.ranges)
    if not growing:
        raise Refused("Max and e grow from range to range, and in {text!r} they do not.",
                      key=key, text=text)  # fmt: skip
    stated = (instrument.e.to(unit).magnitude, instrument.maximum.to(unit).magnitude)
    if stated != (parts[0].e, parts[-1].maximum):
        raise Refused("{value} contradicts the ranges.", key=key, value=text)


def _check_partial(table: LegalTable, accuracy_class: str, parts: list[Partial], key: str) -> None:
    """Want Max of each partial range but the last to be at least so many e of the next (Table 4)."""
    law = requirement(table, "partial_ranges")
    least = law.by_class("least", accuracy_class)
    for lower, upper in pairwise(parts):
        if lower.maximum < least * upper.e:
            raise Refused(
                "a partial range up to {maximum} ends below {least} e of the next ({clause}).",
                key=key,
                maximum=lower.maximum,
                least=least,
                clause=law.clause,
            )


def _check_auxiliary(
    table: LegalTable, accuracy_class: str, one: Partial, unit: str, place: str
) -> None:
    """Want d < e <= 10 d and e = 10^k kg, in classes I and II (3.4.2)."""
    law = requirement(table, "auxiliary_indication")
    power = Quantity(one.e, unit).to("kg").magnitude.normalize().as_tuple().digits == (1,)
    ratio = one.e <= law.number("largest_ratio") * one.d
    if accuracy_class == law.stated["fine_class"] and one.d < law.mass("fine_below", unit):
        ratio = one.e == law.mass("fine_e", unit)
    if not (law.applies_to(accuracy_class) and one.d < one.e and ratio and power):
        raise Refused(
            "no auxiliary indicating device of class {accuracy_class} has d = {d} with e = {e} "
            "({clause}).",
            key=f"{place}.auxiliary",
            accuracy_class=accuracy_class,
            d=f"{one.d:f} {unit}",
            e=f"{one.e:f} {unit}",
            clause=law.clause,
        )


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
def at(key: str) -> Iterator[None]:
    """Name the key of a refusal."""
    try:
        yield
    except Refused as refused:
        inner = f"{key}.{refused.key}" if refused.key else key
        raise Refused(refused.template, key=inner, **refused.evidence) from None
