"""Points per second of a six-component budget, against GTC one point at a time, in the same run."""

import statistics
import time

import GTC
import numpy as np

from calibration.uncertainty import expanded_uncertainty

COMPONENTS = 6
"""Standard, drift, resolution, repeatability, eccentricity, buoyancy."""
DOF = (50.0, float("inf"), float("inf"), 9.0, float("inf"), float("inf"))
PROBABILITY = 0.9545


def columns(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Make standard uncertainties and sensitivities, shape (components, points)."""
    random = np.random.default_rng(7)
    shape = (COMPONENTS, points)
    return random.uniform(0.1, 1, shape), random.uniform(-1, 1, shape)


def one_by_one(u: np.ndarray, c: np.ndarray) -> list[float]:
    """Evaluate the same budgets with GTC: combined uncertainty, effective dof, k, U."""
    expanded = []
    for of_point, weights in zip(u.T.tolist(), c.T.tolist(), strict=True):
        total = GTC.constant(0.0)
        for x, weight, dof in zip(of_point, weights, DOF, strict=True):
            total = total + weight * GTC.ureal(0.0, x, dof)
        expanded.append(GTC.reporting.k_factor(total.df, 100 * PROBABILITY) * total.u)
    return expanded


def main(rounds: int) -> None:
    """Measure GTC and three batch sizes; both must agree before speed counts."""
    dof = [np.array([nu]) for nu in DOF]
    few = 1_000
    u, c = columns(few)
    found = expanded_uncertainty(u, c, dof, probability=PROBABILITY, whole_dof=False)
    # GTC takes more than 1e5 degrees of freedom as infinitely many, which is 1e-5 of k.
    exact = found.dof < GTC.inf_dof
    wanted = np.array(one_by_one(u, c))
    assert np.allclose(found.expanded[exact], wanted[exact], rtol=1e-9, atol=0)
    print(f"{'what':<42}{'points/s (median)':>20}{'ratio':>9}")
    loop = []
    for _ in range(rounds):
        began = time.perf_counter()
        one_by_one(u, c)
        loop.append(few / (time.perf_counter() - began))
    base = statistics.median(loop)
    print(f"{'GTC, point by point':<42}{base:>20,.0f}{1.0:>9.2f}")
    for whole, kind in ((True, "whole ν_eff"), (False, "real ν_eff, as GTC")):
        for points in (1_000, 100_000, 1_000_000):
            u, c = columns(points)
            repeat = max(1, 100_000 // points)
            rates = []
            for _ in range(rounds):
                began = time.perf_counter()
                for _ in range(repeat):
                    expanded_uncertainty(u, c, dof, probability=PROBABILITY, whole_dof=whole)
                rates.append(points * repeat / (time.perf_counter() - began))
            rate = statistics.median(rates)
            print(f"{f'{points:,} points a batch, {kind}':<42}{rate:>20,.0f}{rate / base:>9.2f}")
