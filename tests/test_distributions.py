"""Quantiles and probabilities, and who pays for scipy."""

import doctest
import math
import subprocess
import sys

import numpy as np
import pytest

from calibration import distributions
from calibration.distributions import (
    gamma_cdf,
    gamma_pdf,
    gamma_quantile,
    normal_cdf,
    normal_pdf,
    normal_quantile,
    student_t_coverage_factor,
)
from calibration.refusal import Refused
from calibration.uncertainty import COVERAGE_9545


@pytest.mark.parametrize(
    ("dof", "at_9545", "at_95", "at_99"),
    [
        (1, 13.97, 12.71, 63.66),
        (2, 4.53, 4.30, 9.92),
        (3, 3.31, 3.18, 5.84),
        (8, 2.37, 2.31, 3.36),
        (10, 2.28, 2.23, 3.17),
        (20, 2.13, 2.09, 2.85),
        (50, 2.05, 2.01, 2.68),
        (100, 2.025, 1.984, 2.626),
        (math.inf, 2.000, 1.960, 2.576),
    ],
)
def test_coverage_factors_of_gum_table_g_2(
    dof: float, at_9545: float, at_95: float, at_99: float
) -> None:
    for probability, published in ((COVERAGE_9545, at_9545), (0.95, at_95), (0.99, at_99)):
        found = float(student_t_coverage_factor(probability, dof))
        assert found == pytest.approx(published, abs=0.0051 if dof <= 50 else 0.00051)


def test_two_standard_uncertainties_cover_95_45_percent_exactly() -> None:
    assert float(student_t_coverage_factor(COVERAGE_9545, math.inf)) == 2


@pytest.mark.parametrize(
    ("probability", "dof", "exact"),
    [
        # mpmath 1.4.1, 30 digits
        (0.95, 1.0, 12.706204736174705),
        (0.95, 16.7, 2.1127064206595908),
        (0.99, 999.0, 2.5807596372676368),
        (0.99, 1234.5, 2.579817729733322),
        (0.99, 1e8, 2.5758293527143776),
    ],
)
def test_a_factor_is_right_where_it_is_looked_up_and_where_not(
    probability: float, dof: float, exact: float
) -> None:
    assert float(student_t_coverage_factor(probability, dof)) == pytest.approx(exact, rel=1e-12)


def test_a_factor_is_the_same_alone_and_in_a_batch() -> None:
    dof = np.array([1, 1.5, 7, 999, 1000, 1000.5, 1e6, np.inf])
    batch = student_t_coverage_factor(0.95, dof)
    assert [float(student_t_coverage_factor(0.95, nu)) for nu in dof] == batch.tolist()
    assert (np.diff(batch) < 0).all()


@pytest.mark.parametrize("dof", [0.999, 0, -1, math.nan])
def test_less_than_one_degree_of_freedom_is_refused(dof: float) -> None:
    with pytest.raises(Refused, match="at least 1 degree"):
        student_t_coverage_factor(0.95, [3.0, dof])


@pytest.mark.parametrize("probability", [0, 1, -0.1, 95, math.nan])
def test_a_probability_lies_between_0_and_1(probability: float) -> None:
    with pytest.raises(Refused, match="between 0 and 1"):
        student_t_coverage_factor(probability, 3.0)


def test_each_tail_keeps_its_digits() -> None:
    z = np.array([-37.0, -8.0, -1.0, 0.0, 1.0, 8.0])
    assert normal_cdf(z) == pytest.approx(0.5 * np.array([math.erfc(-x / 2**0.5) for x in z]))
    assert normal_quantile(normal_cdf(z)[:5]) == pytest.approx(z[:5], rel=1e-14)
    share = np.array([1e-15, 0.01, 0.5])
    for upper in (False, True):
        x = gamma_quantile(share, 4, 2.5, upper=upper)
        assert gamma_cdf(x, 4, 2.5, upper=upper) == pytest.approx(share, rel=1e-12)


def test_a_density_is_the_slope_of_its_distribution() -> None:
    x, step = np.linspace(0.1, 3, 30), 1e-5
    slope = (gamma_cdf(x + step, 4, 4) - gamma_cdf(x - step, 4, 4)) / (2 * step)
    assert gamma_pdf(x, 4, 4) == pytest.approx(slope, rel=1e-8)
    slope = (normal_cdf(x + step) - normal_cdf(x - step)) / (2 * step)
    assert normal_pdf(x) == pytest.approx(slope, rel=1e-8)
    assert gamma_pdf([-1.0, 0.0], 1, 2).tolist() == [0, 2]


@pytest.mark.parametrize(
    "code",
    [
        "import calibration.uncertainty, calibration.risk, calibration.decision_rule",
        "from acquisition.cli import main; main(['--help'])",
        "from acquisition.cli import main; main(['mpe', 'r76', '--class', 'III', '100e'])",
    ],
)
def test_a_limit_does_not_wait_for_scipy(code: str) -> None:
    """What needs no quantile does not load scipy.special (pint imports scipy, a stub, itself)."""
    check = f"""
import sys
try:
    {code}
except SystemExit as end:
    assert not end.code, end.code
assert 'scipy.special' not in sys.modules
"""
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, timeout=60)


def test_the_examples_in_the_docstrings_hold() -> None:
    results = doctest.testmod(distributions)
    assert results.attempted > 0
    assert results.failed == 0
