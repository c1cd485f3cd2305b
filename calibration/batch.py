"""Many instruments at once: from indications on one grid to verdicts, no Python step per point.

Knows a whole day's points as columns of integers, the way `calibration.verification` decides them
and what their uncertainties come to. Refuses to know sheets: `evaluate` judges those one by one,
and a tested law says that both decide alike.
"""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from calibration.distributions import Floats
from calibration.error import corrected_error, measurement_error
from calibration.grid import Counts, checked, off_grid, regrid
from calibration.limit_grid import LimitGrid
from calibration.refusal import Refused
from calibration.risk import specific_risk
from calibration.uncertainty import ExpandedUncertainty
from calibration.verification import PointColumns, Verified, verify


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Points of many instruments of one kind, all columns of shape (points,), one unit."""

    reference: Counts
    """Reference value (load, volume) [count of the grid of `limits`]."""
    indication: Counts
    """Indication as displayed [count]."""
    curve: NDArray[np.intp]
    """Which row of `limits` each point belongs to."""
    limits: LimitGrid
    test: Counts
    """Which test of the batch, from 0."""
    instrument: Counts
    """Which instrument of the batch, from 0."""
    tests: int
    instruments: int
    half_interval: Counts | None = None
    """e/2 where ΔL was sought [count]; 0 where the indication itself is taken."""
    added_load: Counts | None = None
    """ΔL up to the change of indication [count]; 0 where the indication itself is taken."""
    zero: NDArray[np.intp] | None = None
    """The point that gives E0, or -1 where no correction is made; it is not corrected itself."""


@dataclass(frozen=True, slots=True, eq=False)
class BatchResult:
    """What became of a batch; counts are of 10^exponent [unit]."""

    error: Counts
    """Error that was judged, corrected for E0 [count], shape (points,)."""
    lower: Counts
    """[count], shape (points,)"""
    upper: Counts
    """[count], shape (points,)"""
    exponent: int
    verified: Verified
    risk: Floats | None = None
    """Probability that the decision on the point is wrong (JCGM 106), shape (points,)."""

    def errors(self) -> tuple[Decimal, ...]:
        """Give the errors as digits [unit]."""
        return off_grid(self.error, self.exponent)


def verify_batch(batch: Batch, uncertainty: ExpandedUncertainty | None = None) -> BatchResult:
    """Decide every point of a batch: E = I + e/2 - ΔL - L, Ec = E - E0, lower <= Ec <= upper.

    ``uncertainty`` of each error [unit], for the risk beside the verdict: it moves no limit (simple
    acceptance, R 76, R 117, R 49). OIML R 76-1:2006 A.4.4.3, 3.5.1; JCGM 106:2012 3.3.13.
    """
    grid = batch.limits.exponent
    prior = checked(batch.indication)
    if batch.added_load is not None:
        if batch.half_interval is None:
            raise Refused("added loads need the interval of every indication.")
        prior = prior + checked(batch.half_interval) - checked(batch.added_load)
    error = measurement_error(prior, batch.reference)
    if batch.zero is not None:
        corrects = (batch.zero >= 0) & (batch.zero != np.arange(error.size))
        error = corrected_error(error, np.where(corrects, error[batch.zero], 0))
    lower, upper = batch.limits.limits(batch.reference, batch.curve)
    fine = min(grid, batch.limits.fine)
    error = regrid(error, grid, fine)
    lower, upper = (regrid(side, batch.limits.fine, fine) for side in (lower, upper))
    verified = verify(
        PointColumns(
            error, lower, upper, batch.test, batch.instrument, batch.tests, batch.instruments
        )
    )
    if uncertainty is None:
        return BatchResult(error, lower, upper, fine, verified)
    scale = 10.0**fine
    risk = specific_risk(
        error * scale, uncertainty.combined, verified.conforming, lower * scale, upper * scale
    )
    return BatchResult(error, lower, upper, fine, verified, risk)
