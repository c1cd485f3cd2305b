"""Points per second of ``verify`` against one decision at a time in Decimal, in the same run."""

import statistics
import time
from decimal import Decimal

import numpy as np

from calibration.verification import PointColumns, verify


def columns(points: int, per_instrument: int = 10) -> PointColumns:
    """Make a batch of instruments with ten points each, a third of them near their limits."""
    random = np.random.default_rng(7)
    limit = random.choice(np.array([25, 50, 75], dtype=np.int64), points)
    error = random.integers(-80, 80, points, dtype=np.int64)
    instrument = np.arange(points, dtype=np.int64) // per_instrument
    count = int(instrument[-1]) + 1
    return PointColumns(error, -limit, limit, instrument, instrument, count, count)


def main(rounds: int) -> None:
    """Measure three batch sizes and the naive loop."""
    naive_points = 20_000
    batch = columns(naive_points)
    errors = [Decimal(int(e)).scaleb(-1) for e in batch.error]
    limits = [Decimal(int(u)).scaleb(-1) for u in batch.upper]
    print(f"{'what':<34}{'points/s (median)':>20}{'ratio':>9}")
    loop = []
    for _ in range(rounds):
        began = time.perf_counter()
        [abs(e) <= u for e, u in zip(errors, limits, strict=True)]
        loop.append(naive_points / (time.perf_counter() - began))
    base = statistics.median(loop)
    print(f"{'Decimal, point by point':<34}{base:>20,.0f}{1.0:>9.2f}")
    for points in (1_000, 100_000, 1_000_000):
        batch = columns(points)
        repeat = max(1, 200_000 // points)
        rates = []
        for _ in range(rounds):
            began = time.perf_counter()
            for _ in range(repeat):
                verify(batch)
            rates.append(points * repeat / (time.perf_counter() - began))
        rate = statistics.median(rates)
        print(f"{f'verify, {points:,} points a batch':<34}{rate:>20,.0f}{rate / base:>9.2f}")
