"""Risks of wrong decisions, guard bands, and decisions on exact digits."""

import doctest
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration import decision_rule, risk
from calibration.decision_rule import (
    AcceptanceLimits,
    DecisionRule,
    acceptance_limits,
    decide,
)
from calibration.grid import off_grid, on_grid
from calibration.prior import GammaPrior, NormalPrior
from calibration.refusal import Refused
from calibration.risk import (
    global_risk,
    guard_band_for_consumer_risk,
    guard_band_for_specific_risk,
    probability_of_conformity,
    probability_of_nonconformity,
    specific_risk,
)
from calibration.verification import NO_LOWER, NO_UPPER, Verdict

SIMPLE, GUARDED, R111 = DecisionRule.SIMPLE_ACCEPTANCE, DecisionRule.GUARD_BAND_U, DecisionRule.R111
RADIAL_ERROR = GammaPrior(4, 4)
"""Radial error of ball bearings of JCGM 106:2012 9.5.4 [µm]; their upper limit is 2 µm."""


def test_ball_bearings_of_jcgm_106_9_5_4() -> None:
    untested = float(RADIAL_ERROR.outside(np.array(-math.inf), np.array(2.0)))
    assert untested == pytest.approx(0.04238011, abs=1e-5)
    assert untested == pytest.approx(0.04238011199168396, rel=1e-9)
    (consumer,) = global_risk(RADIAL_ERROR, 0.25, upper=2.0).consumer
    assert consumer == pytest.approx(0.00801911, abs=1e-5)
    assert consumer == pytest.approx(0.008019111884287177, rel=1e-9)
    (w,) = guard_band_for_consumer_risk(RADIAL_ERROR, 0.25, 0.001, upper=2.0)
    assert w == pytest.approx(0.32817123, abs=1e-5)
    assert w == pytest.approx(0.3281712284443465, rel=1e-9)


@pytest.mark.parametrize(
    ("prior", "u", "lower", "upper", "w", "consumer", "producer"),
    [
        # mpmath 1.4.1, adaptive quadrature with 25 digits
        (RADIAL_ERROR, 0.25, None, 2.0, 0.0, 0.008019111884287177, 0.01744456922978359),
        (RADIAL_ERROR, 0.25, None, 2.0, -0.3, 0.02130847090749926, 0.002136205644953751),
        (RADIAL_ERROR, 0.01, None, 2.0, 0.02, 9.640243495386817e-06, 0.0023727856456999532),
        (RADIAL_ERROR, 2.0, None, 2.0, 1.0, 0.01071592690763691, 0.46740843338982446),
        (NormalPrior(0, 1), 0.3, -1.0, 1.0, 0.6, 0.0011089202141770207, 0.3854214080443307),
        (NormalPrior(0.2, 0.5), 0.1, -1.0, 1.0, 0.0, 0.008610941440268532, 0.013247811157193989),
        (NormalPrior(0, 1), 0.001, -1.0, 1.0, 0.002, 4.10760706501781e-06, 0.0009732003570289201),
        (NormalPrior(0, 3), 0.3, -1.0, 1.0, 0.6, 0.0006329822461608388, 0.15620338601710523),
        (NormalPrior(0, 0.01), 0.3, -1.0, 1.0, 0.0, 0.0, 0.0008638456888080345),
    ],
)
def test_global_risks_agree_with_adaptive_quadrature(
    prior: Any,
    u: float,
    lower: float | None,
    upper: float,
    w: float,
    consumer: float,
    producer: float,
) -> None:
    found = global_risk(prior, u, lower=lower, upper=upper, guard_band=w)
    assert found.consumer[0] == pytest.approx(consumer, rel=1e-12, abs=1e-17)
    assert found.producer[0] == pytest.approx(producer, rel=1e-12)


def test_the_global_risks_of_many_are_those_of_each() -> None:
    u = np.array([0.05, 0.25, 0.4, 1.0])
    upper, w = np.array([2.0, 2.0, 1.5, 3.0]), np.array([0.0, 0.1, 0.5, -0.2])
    batch = global_risk(RADIAL_ERROR, u, upper=upper, guard_band=w)
    bands = guard_band_for_consumer_risk(RADIAL_ERROR, u, 1e-3, upper=upper)
    for i in range(4):
        one = global_risk(RADIAL_ERROR, u[i], upper=upper[i], guard_band=w[i])
        assert one.consumer[0] == pytest.approx(batch.consumer[i], rel=1e-13)
        assert one.producer[0] == pytest.approx(batch.producer[i], rel=1e-13)
        band = guard_band_for_consumer_risk(RADIAL_ERROR, u[i], 1e-3, upper=upper[i])
        assert band[0] == pytest.approx(bands[i], rel=1e-12, abs=1e-15)


@settings(deadline=None)  # the first call loads scipy
@given(st.floats(0.05, 1), st.floats(1e-6, 0.02), st.booleans())
def test_a_guard_band_gives_the_risk_it_was_made_for(
    u: float, wanted: float, two_sided: bool
) -> None:
    limits = {"lower": -1.0 if two_sided else None, "upper": 1.0}
    (w,) = guard_band_for_consumer_risk(NormalPrior(0, 0.6), u, wanted, **limits)
    (found,) = global_risk(NormalPrior(0, 0.6), u, guard_band=w, **limits).consumer
    if w:
        assert found == pytest.approx(wanted, rel=1e-9)
    else:
        assert found <= wanted


def test_a_guard_band_trades_the_producer_for_the_consumer() -> None:
    w = np.linspace(0, 0.9, 10)
    found = global_risk(NormalPrior(0, 0.6), 0.2, lower=-1.0, upper=1.0, guard_band=w)
    assert (np.diff(found.consumer) < 0).all()
    assert (np.diff(found.producer) > 0).all()
    nothing = global_risk(NormalPrior(0, 0.6), 0.2, lower=-1.0, upper=1.0, guard_band=1.1)
    inside = 1 - float(NormalPrior(0, 0.6).outside(np.array(-1.0), np.array(1.0)))
    assert nothing.consumer[0] == 0
    assert nothing.producer[0] == pytest.approx(inside, rel=1e-12)


@pytest.mark.parametrize(
    ("y", "lower", "upper", "conforming"),
    [
        (2.0, None, 2.0, 0.5),
        (1.5, None, 2.0, 0.9772498680518208),  # two standard uncertainties inside
        (2.5, None, 2.0, 0.022750131948179195),
        (-1.5, -2.0, None, 0.9772498680518208),
        (0.0, -0.25, 0.25, 0.6826894921370859),
        (0.0, -0.5, 0.5, 0.9544997361036416),
        (7.0, None, None, 1.0),
    ],
)
def test_the_probability_of_conformity_of_one_measured_value(
    y: float, lower: float | None, upper: float | None, conforming: float
) -> None:
    found = probability_of_conformity(y, 0.25, lower, upper)
    assert float(found) == pytest.approx(conforming, rel=1e-12)
    assert float(probability_of_nonconformity(y, 0.25, lower, upper)) == pytest.approx(
        1 - conforming, abs=1e-15
    )


@settings(deadline=None)  # the first call loads scipy
@given(st.floats(-5, 5), st.floats(0.01, 2))
def test_conformity_and_nonconformity_share_all(y: float, u: float) -> None:
    conforming = probability_of_conformity(y, u, -1.0, 1.0)
    assert float(conforming + probability_of_nonconformity(y, u, -1.0, 1.0)) == pytest.approx(1)
    assert float(probability_of_conformity(-y, u, -1.0, 1.0)) == pytest.approx(
        float(conforming), rel=1e-9
    )


def test_the_specific_risk_is_that_of_the_decision_taken() -> None:
    y = np.array([1.5, 2.5, 2.5, 1.5])
    accepted = np.array([True, False, True, False])
    found = specific_risk(y, 0.25, accepted, upper=2.0)
    assert found == pytest.approx([0.02275013, 0.02275013, 0.97724987, 0.97724987])
    for i in range(4):
        assert found[i] == specific_risk(y[i], 0.25, accepted[i], upper=2.0)


def test_a_guard_band_of_u_keeps_the_risk_of_every_accepted_item_below_2_3_percent() -> None:
    assert guard_band_for_specific_risk(0.25, 0.022750131948179195) == pytest.approx(0.5)
    assert guard_band_for_specific_risk([1.0, 2.0], 0.5).tolist() == [0, 0]
    for impossible in (0, 0.6, math.nan):
        with pytest.raises(Refused, match="between 0 and ½"):
            guard_band_for_specific_risk(1.0, impossible)


def test_questions_without_an_answer_are_refused() -> None:
    for u in (0.0, -1.0, math.nan):
        with pytest.raises(Refused, match="standard uncertainty"):
            probability_of_conformity(1.0, u, upper=2.0)
        with pytest.raises(Refused, match="standard uncertainty"):
            global_risk(RADIAL_ERROR, u, upper=2.0)
    with pytest.raises(Refused, match="above its upper"):
        probability_of_conformity(1.0, 1.0, 3.0, 2.0)
    with pytest.raises(Refused, match="between 0 and 1"):
        guard_band_for_consumer_risk(RADIAL_ERROR, 0.25, 0.0, upper=2.0)
    with pytest.raises(Refused, match="below 1"):
        GammaPrior(0.5, 1)
    with pytest.raises(Refused, match="no width"):
        GammaPrior(2, 0)
    with pytest.raises(Refused, match="has none"):
        NormalPrior(0, 0)


@pytest.mark.parametrize(
    ("rule", "error", "u", "verdict", "hangs_on_u"),
    [
        (SIMPLE, "5.0", 1.5, "conforming", False),
        (SIMPLE, "5.0000001", 1.5, "nonconforming", False),
        (SIMPLE, "5.0", 50.0, "conforming", False),
        (GUARDED, "3.5", 1.5, "conforming", True),  # not with U = 1.51
        (GUARDED, "3.49", 1.5, "conforming", False),
        (GUARDED, "3.505", 1.5, "nonconforming", True),
        (GUARDED, "3.51", 1.5, "nonconforming", True),
        (GUARDED, "3.511", 1.5, "nonconforming", False),
        (GUARDED, "-3.5", 1.5, "conforming", True),
        (GUARDED, "0", 5.0, "conforming", True),
        (GUARDED, "0", 5.001, "indeterminate", True),
        (GUARDED, "9", 5.1, "indeterminate", False),
        (GUARDED, "10.2", 5.1, "nonconforming", False),
        (R111, "3.4", 1.5, "conforming", False),
        (R111, "0", 1.66, "conforming", True),
        (R111, "0", 1.65, "conforming", False),
        (R111, "0", 1.67, "indeterminate", True),
        (R111, "0", 1.68, "indeterminate", False),
        (R111, "6.6", 1.68, "indeterminate", False),
        (R111, "6.7", 1.68, "nonconforming", False),
        (R111, "-6.7", 1.68, "nonconforming", False),
    ],
)
def test_an_f1_kilogram_is_decided_by_the_named_rule(
    rule: DecisionRule, error: str, u: float, verdict: str, hangs_on_u: bool
) -> None:
    found = decide(rule, Decimal(error), Decimal("-5.0"), Decimal("5.0"), u)
    assert (str(found.verdict), found.uncertainty_decides) == (verdict, hangs_on_u)
    assert found.guard_band == (0 if rule is SIMPLE else off_grid(*decision_rule.rounded_up(u))[0])


def test_a_binary_float_never_decides_in_favour() -> None:
    limit, third = Decimal("0.3"), 0.1  # 0.1 is a little more than a tenth
    assert decide(R111, Decimal("0.2"), -limit, limit, third).verdict is Verdict.CONFORMING
    noisy = decide(GUARDED, Decimal("0.2"), -limit, limit, 0.1 + 1e-9)
    assert noisy.verdict is Verdict.NONCONFORMING
    assert noisy.guard_band == Decimal("0.101")
    assert noisy.uncertainty_decides


def test_a_side_without_a_limit_accepts_everything_there() -> None:
    found = decide(GUARDED, Decimal(-1000), None, Decimal(5), 1.0)
    assert (found.verdict, found.lower, found.upper) == (Verdict.CONFORMING, None, Decimal(4))
    assert decide(GUARDED, Decimal(1000), None, None, 1.0).verdict is Verdict.CONFORMING
    assert decide(R111, Decimal(1000), None, None, 1.0).verdict is Verdict.INDETERMINATE
    with pytest.raises(Refused, match="above its upper"):
        decide(SIMPLE, Decimal(0), Decimal(2), Decimal(1), 1.0)


errors = st.decimals(-12, 12, allow_nan=False, places=3)
uncertainties = st.floats(0.01, 20)


@given(errors, errors, uncertainties, st.sampled_from(DecisionRule))
def test_a_worse_error_never_turns_nonconforming_into_conforming(
    error: Decimal, other: Decimal, u: float, rule: DecisionRule
) -> None:
    limit = Decimal(5)
    better, worse = sorted((error, other), key=abs)
    first = decide(rule, better, -limit, limit, u).verdict
    second = decide(rule, worse, -limit, limit, u).verdict
    order = [Verdict.CONFORMING, Verdict.INDETERMINATE, Verdict.NONCONFORMING]
    assert order.index(first) <= order.index(second)


@given(errors, uncertainties, st.sampled_from(DecisionRule), st.integers(-6, 6))
def test_a_power_of_ten_changes_no_decision(
    error: Decimal, u: float, rule: DecisionRule, power: int
) -> None:
    limit = Decimal(5)
    plain = decide(rule, error, -limit, limit, u)
    scaled = decide(
        rule,
        error.scaleb(power),
        -limit.scaleb(power),
        limit.scaleb(power),
        float(Decimal(repr(u)).scaleb(power)),
    )
    assert (plain.verdict, plain.uncertainty_decides) == (
        scaled.verdict,
        scaled.uncertainty_decides,
    )


@given(
    st.lists(
        st.tuples(errors, uncertainties, st.sampled_from(["both", "low", "high"])), min_size=1
    ),
    st.sampled_from(DecisionRule),
)
def test_the_acceptance_limits_of_many_are_those_of_each(
    rows: list[tuple[Decimal, float, str]], rule: DecisionRule
) -> None:
    limit = 5000
    lower = np.array([NO_LOWER if row[2] == "high" else -limit for row in rows], dtype=np.int64)
    upper = np.array([NO_UPPER if row[2] == "low" else limit for row in rows], dtype=np.int64)
    u = np.array([row[1] for row in rows])
    found: AcceptanceLimits = acceptance_limits(rule, lower, upper, -3, u)
    error = on_grid([row[0] for row in rows], found.exponent)
    conforming = (found.lower <= error) & (error <= found.upper) & found.adequate
    for i, (value, of_one, sides) in enumerate(rows):
        low = None if sides == "high" else Decimal(-5)
        high = None if sides == "low" else Decimal(5)
        one = decide(rule, value, low, high, of_one)
        assert (one.verdict is Verdict.CONFORMING) == conforming[i]
        (w,) = off_grid(found.guard_band[i : i + 1], found.exponent)
        assert w == one.guard_band
        if one.lower is not None:
            assert off_grid(found.lower[i : i + 1], found.exponent) == (one.lower,)


def test_columns_with_crossed_limits_are_refused() -> None:
    one = np.array([1], dtype=np.int64)
    with pytest.raises(Refused, match="above its upper"):
        acceptance_limits(SIMPLE, one, -one, 0, np.array([1.0]))


@pytest.mark.parametrize("module", [risk, decision_rule], ids=lambda module: str(module.__name__))
def test_the_examples_in_the_docstrings_hold(module: Any) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
