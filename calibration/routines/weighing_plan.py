"""The points that the law wants of a weighing instrument, proposed from its characteristics.

Knows the loads of each test: Min, the steps of the limits as the legal table has them, Max; the
eccentricity load of the receptor; series and counts by class; tare. Proposes the law's minimum
and decides nothing; `weighing_wanted` says what is lacking of what was done.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from calibration.legal_table import LegalTable
from calibration.mpe import accuracy_class_of
from calibration.routines.weighing_columns import WeighingTest
from calibration.routines.weighing_discrimination import extra_load
from calibration.routines.weighing_eccentricity import wanted_load
from calibration.routines.weighing_law import requirement
from calibration.routines.weighing_scale import EXACT, WeighingRange, scale_ranges
from calibration.routines.weighing_sheet import Indicating, WeighingInstrument
from calibration.routines.weighing_wanted import limit_steps, wanted_tests

_FILLERS = (Decimal("0.5"), Decimal("0.25"), Decimal("0.75"))
"""Shares of Max that bring the loads up to the wanted number where the limit has few steps: ours."""


@dataclass(frozen=True, slots=True)
class ProposedTest:
    """One test with its loads, in the order in which they are weighed."""

    name: str
    range: int
    """Range of a multiple range instrument, from 1."""
    loads: tuple[Decimal, ...]
    """Net loads [unit of e]; for eccentricity and repeatability one for each indication."""
    unit: str
    clause: str
    by_added_load: bool
    """ΔL is to be found: the interval is too coarse to take the indication itself (3.5.3.2)."""
    tare: Decimal | None = None
    """Tare load [unit]."""
    limits: tuple[Decimal, ...] = ()
    """Magnitude of the MPE at each load [unit]."""
    extra: tuple[Decimal, ...] = ()
    """How much more load shall move an instrument that is read by eye, at each load [unit]."""


def proposed_tests(
    table: LegalTable,
    instrument: WeighingInstrument,
    stage: str,
    *,
    receptor: WeighingTest | None = None,
) -> tuple[ProposedTest, ...]:
    """Propose every test of 8.3.3 for an instrument; each range of several gets its own.

    ``receptor`` is an eccentricity test that states kind and supports of the load receptor; None:
    a platform on up to four supports.
    """
    ranges = scale_ranges(table, instrument, stage)
    unit = instrument.e.unit
    additive = instrument.additive_tare
    planner = _Planner(
        table,
        instrument,
        accuracy_class_of(table, instrument.accuracy_class),
        unit,
        Decimal(0) if additive is None else additive.to(unit).magnitude,
        receptor or WeighingTest("", "eccentricity"),
    )
    return tuple(
        test
        for within in ranges
        for name in wanted_tests(instrument)
        for test in planner.propose(name, within)
    )


def weighing_loads(table: LegalTable, within: WeighingRange, unit: str) -> tuple[Decimal, ...]:
    """Give the loads of the weighing test, ascending: zero, Min, the steps of the limits, Max."""
    law = requirement(table, "weighing")
    loads = {Decimal(0), within.maximum, *limit_steps(within.curve.bounds, within.maximum)}
    if within.minimum >= law.mass("min_from", unit):
        loads.add(within.minimum)
    for share in _FILLERS:
        if len(loads) < law.number("loads"):
            loads.add(_whole(within, EXACT.multiply(within.maximum, share), ROUND_FLOOR))
    return tuple(sorted(loads))


@dataclass(frozen=True, slots=True)
class _Planner:
    table: LegalTable
    instrument: WeighingInstrument
    accuracy_class: str
    unit: str
    additive_tare: Decimal
    receptor: WeighingTest

    def propose(self, name: str, within: WeighingRange) -> Iterator[ProposedTest]:
        """Propose one test of a range."""
        loads, clause, tare = getattr(self, f"_{name}")(within)
        coarse = any(5 * one.d > one.e for one in within.partial)
        indicating = self.instrument.indicating
        digital = indicating is Indicating.DIGITAL
        limits = tuple(within.limit(load)[0] for load in loads)
        extra = (extra_load(self.table, name, indicating, at, self.unit) for at in limits)
        yield ProposedTest(
            *(name, within.number, loads, self.unit, clause, digital and coarse, tare, limits),
            extra=tuple(one for one in extra if one is not None),
        )

    def _zero(self, within: WeighingRange) -> "_Proposal":
        return (Decimal(0),), requirement(self.table, "zero").clause, None

    def _weighing(self, within: WeighingRange) -> "_Proposal":
        up = weighing_loads(self.table, within, self.unit)
        return (*up, *reversed(up[:-1])), requirement(self.table, "weighing").clause, None

    def _eccentricity(self, within: WeighingRange) -> "_Proposal":
        wanted = wanted_load(self.table, within, self.additive_tare, self.unit, self.receptor)
        if wanted.part is None:
            load = _whole(within, min(wanted.most or within.maximum, within.maximum), ROUND_FLOOR)
        else:
            load = _whole(within, wanted.total / wanted.part, ROUND_CEILING)
        return (load,) * wanted.positions, wanted.clause, None

    def _repeatability(self, within: WeighingRange) -> "_Proposal":
        law = requirement(self.table, "repeatability")
        about = EXACT.multiply(law.number("load"), within.maximum)
        runs = int(law.by_class("weighings", self.accuracy_class))
        return (_whole(within, about, ROUND_FLOOR),) * runs, law.clause, None

    def _tare(self, within: WeighingRange) -> "_Proposal":
        law = requirement(self.table, "tare_weighing")
        largest = self.additive_tare or within.maximum
        tare = _whole(within, largest / law.number("part"), ROUND_CEILING)
        net = within.maximum if self.additive_tare else within.maximum - tare
        loads = [load for load in weighing_loads(self.table, within, self.unit) if load < net]
        return (*loads, net), f"{requirement(self.table, 'tare').clause}, {law.clause}", tare

    def _discrimination(self, within: WeighingRange) -> "_Proposal":
        half = _whole(within, within.maximum / 2, ROUND_FLOOR)
        clause = requirement(self.table, "discrimination_loads").clause
        return (within.minimum, half, within.maximum), clause, None

    def _sensitivity(self, within: WeighingRange) -> "_Proposal":
        return (Decimal(0), within.maximum), requirement(self.table, "movement").clause, None


_Proposal = tuple[tuple[Decimal, ...], str, Decimal | None]
"""Loads, clause, tare."""


def _whole(within: WeighingRange, load: Decimal, rounding: str) -> Decimal:
    e = within.at(load).e
    return (load / e).to_integral_value(rounding) * e
