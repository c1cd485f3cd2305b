"""A year of one office in memory: points/s of the whole decision, against one point at a time.

47,164 weighing instruments of ten points: errors from indications and added loads, E0 correction,
limits by class and load, exact decision, and with it the uncertainty of every point and the risk of
a wrong decision. The naive loop decides the same points in Decimal, without the uncertainty.
"""

import statistics
import time
from collections.abc import Callable
from decimal import Decimal

import numpy as np

from calibration.batch import Batch, verify_batch
from calibration.limit_grid import LimitGrid
from calibration.mpe import legal_table, limit_curve
from calibration.uncertainty import ExpandedUncertainty, expanded_uncertainty

YEAR = 47_164
"""Instruments that one office verified in a year."""
POINTS = 10
_GRID = -1
_KINDS = [(e, n) for e in (1, 2, 5, 10, 20, 50) for n in (3000, 6000, 10000)]
"""e [g] and number of intervals, class III."""


def year(instruments: int) -> Batch:
    """Make so many instruments, of 18 kinds, a twelfth of their points beyond a limit."""
    r76 = legal_table("r76")
    curves = [
        limit_curve(
            r76,
            accuracy_class="III",
            stage="initial",
            unit="g",
            characteristics={"e": f"{e} g", "max": f"{e * n} g"},
        )
        for e, n in _KINDS
    ]
    random = np.random.default_rng(7)
    number = np.repeat(np.arange(instruments, dtype=np.int64), POINTS)
    kind = np.repeat(random.integers(0, len(_KINDS), instruments), POINTS)
    e = np.array([e for e, _ in _KINDS], dtype=np.int64)[kind] * 10
    n = np.array([n for _, n in _KINDS], dtype=np.int64)[kind]
    point = np.tile(np.arange(POINTS, dtype=np.int64), instruments)
    load = n * point // (POINTS - 1) * e
    return Batch(
        reference=load,
        indication=load + random.integers(-1, 2, load.size) * e,
        curve=kind,
        limits=LimitGrid.of(curves, _GRID),
        test=number,
        instrument=number,
        tests=instruments,
        instruments=instruments,
        half_interval=e // 2,
        added_load=random.integers(0, 11, load.size) * e // 10,
        zero=number * POINTS,
    )


def uncertainty(batch: Batch) -> ExpandedUncertainty:
    """Evaluate a budget of four components at every point."""
    e = batch.half_interval if batch.half_interval is not None else batch.reference
    interval = e * (2 * 10.0**_GRID)
    columns = [
        batch.reference * (10.0**_GRID * 5e-5 / 3**0.5),  # weights of class M1
        interval * (0.1 / 12**0.5),  # step of the added load, at the load and at zero
        interval * (0.1 / 12**0.5),
        interval * 0.1,  # repeatability of three weighings
    ]
    return expanded_uncertainty(columns, [1.0] * 4, [np.inf, np.inf, np.inf, 2.0])


Point = tuple[Decimal, Decimal, Decimal, Decimal, Decimal]
"""e, load, indication, added load and E0 [g]."""


def naive_points(batch: Batch) -> list[Point]:
    """Write the points of a batch as digits, E0 found beforehand."""
    if batch.half_interval is None or batch.added_load is None:
        raise SystemExit("the batch has no added loads")
    columns = (2 * batch.half_interval, batch.reference, batch.indication, batch.added_load)
    rows = [tuple(Decimal(int(v)).scaleb(_GRID) for v in row) for row in zip(*columns, strict=True)]
    found = []
    zero = Decimal(0)
    for place, (e, load, indication, added) in enumerate(rows):
        first = place % POINTS == 0
        found.append((e, load, indication, added, Decimal(0) if first else zero))
        if first:
            zero = indication + e / 2 - added - load
    return found


def conforms(e: Decimal, load: Decimal, shown: Decimal, added: Decimal, zero: Decimal) -> bool:
    """Decide one point of class III, OIML R 76-1:2006 A.4.4.3 and Table 6."""
    error = shown + e / 2 - added - load - zero
    limit = Decimal("0.5") if load <= 500 * e else 1 if load <= 2000 * e else Decimal("1.5")
    return abs(error) <= limit * e


def main(rounds: int) -> None:
    """Measure growing batches, and the naive loop."""
    print(f"{'what':<52}{'points/s (median)':>18}{'ratio':>9}")
    small = year(1_000)
    points = naive_points(small)
    decided = [conforms(*point) for point in points]
    if decided != verify_batch(small).verified.conforming.tolist():
        raise SystemExit("the naive loop and the batch decide differently")
    base = 0.0

    def row(name: str, points: int, work: Callable[[], object]) -> None:
        nonlocal base
        repeat = max(1, 200_000 // points)
        work()
        rates = []
        for _ in range(rounds):
            began = time.perf_counter()
            for _ in range(repeat):
                work()
            rates.append(points * repeat / (time.perf_counter() - began))
        rate = statistics.median(rates)
        base = base or rate
        print(f"{name:<52}{rate:>18,.0f}{rate / base:>9.1f}")

    row(
        "Decimal, point by point",
        len(points),
        lambda: [conforms(*point) for point in points],
    )
    for instruments in (100, 10_000, YEAR, 100_000):
        batch = year(instruments)
        points = instruments * POINTS
        row(f"{instruments:,} instruments, {points:,} points", points, lambda: verify_batch(batch))  # noqa: B023
    batch = year(YEAR)
    row(
        f"the year with uncertainty and risk, {YEAR * POINTS:,} points",
        YEAR * POINTS,
        lambda: verify_batch(batch, uncertainty(batch)),
    )
