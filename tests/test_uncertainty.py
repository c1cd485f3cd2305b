"""Budgets: the worked examples, agreement with GTC, and what is refused."""

import doctest
import math
from decimal import Decimal
from typing import Any

import GTC
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration import component, rounding, uncertainty
from calibration.component import (
    Component,
    Distribution,
    certified,
    dof_of_uncertainty,
    limited,
    observed,
    pooled_standard_deviation,
    repeatability,
    resolution,
)
from calibration.grid import off_grid
from calibration.refusal import Refused
from calibration.rounding import (
    reported,
    reported_value,
    rounded_correction,
    rounded_up,
    significant,
)
from calibration.uncertainty import (
    COVERAGE_99,
    Budget,
    ExpandedUncertainty,
    expanded_uncertainty,
    propagate,
)

INF = math.inf


def gum_h1() -> Budget:
    """Make the end-gauge budget of JCGM 100:2008 H.1 [nm]."""
    rows = (
        Component("standard", 50_000_623.0, "nm", 25.0, dof=18.0),
        Component("difference", 215.0, "nm", 5.8, dof=24.0),
        Component("random effects of the comparator", 0.0, "nm", 3.9, dof=5.0),
        Component("systematic effects of the comparator", 0.0, "nm", 6.7, dof=8.0),
        limited("expansion of the standard", "1/°C", 2e-6, value=11.5e-6),
        limited("difference of expansions", "1/°C", 1e-6, dof=dof_of_uncertainty(0.10)),
        limited("difference of temperatures", "°C", 0.05, dof=dof_of_uncertainty(0.50)),
        Component("mean temperature of the bed", -0.1, "°C", 0.2),
        limited("cycling of the temperature", "°C", 0.5, distribution=Distribution.ARCSINE),
    )

    def model(*x: Any) -> Any:
        ls, d0, d1, d2, alpha, d_alpha, d_theta, mean, cycling = x
        return ls + d0 + d1 + d2 - ls * (d_alpha * (mean + cycling) + alpha * d_theta)

    return propagate("length of the end gauge", "nm", model, rows)


def test_end_gauge_of_gum_h_1() -> None:
    found = gum_h1().expanded_uncertainty(COVERAGE_99)
    (uc,), (dof,), (expanded,) = found.combined, found.dof, found.expanded
    assert uc == pytest.approx(32, abs=0.5)
    assert uc == pytest.approx(31.663879111008633, rel=1e-9)
    assert math.floor(dof) == 16
    assert dof == pytest.approx(16.751855737627242, rel=1e-9)
    # The GUM prints 93 from k times the rounded uc.
    assert found.coverage_factor[0] * 32 == pytest.approx(93, abs=0.5)
    assert expanded == pytest.approx(92.48327620212403, rel=1e-9)
    assert float(np.asarray(gum_h1().value)[0]) == 50_000_838


def test_the_budget_of_gum_h_1_as_a_table() -> None:
    rows = {row["quantity"]: row for row in gum_h1().table()}
    temperature = rows["difference of temperatures"]
    assert temperature["contribution"] == Decimal("-16.599")
    assert temperature["degrees_of_freedom"] == 2
    assert rows["expansion of the standard"]["sensitivity"] == 0
    assert rows["expansion of the standard"]["degrees_of_freedom"] is None
    assert rows["cycling of the temperature"]["distribution"] == "arcsine"
    assert sum(row["share"] for row in rows.values()) == pytest.approx(100, abs=0.1)


def test_nominal_10_kg_weight_of_ea_4_02_s2() -> None:
    budget = Budget(
        "conventional mass",
        10_000_025.0,
        "mg",
        (
            certified("standard", "mg", 10_000_005.0, 45.0),
            limited("drift of the standard", "mg", 15.0),
            repeatability("difference", "mg", 25.0, observations=3, dof=INF, value=20.0),
            limited("eccentricity", "mg", 10.0),
            limited("buoyancy", "mg", 10.0),
        ),
    )
    found = budget.expanded_uncertainty()
    assert found.combined[0] == pytest.approx(29.261749776799064, rel=1e-9)
    assert found.coverage_factor[0] == 2
    assert 58 <= found.expanded[0] <= 59
    assert reported(float(found.expanded[0])) == 59
    assert reported_value(Decimal("10000025.4"), float(found.expanded[0])) == 10_000_025
    assert sum(row["value"] for row in budget.table()) == 10_000_025


positive = st.floats(1e-3, 1e3)
dofs = st.one_of(st.just(INF), st.integers(1, 200).map(float), st.floats(1, 60))


@st.composite
def correlation(draw: st.DrawFn, size: int) -> Any:
    """Draw a correlation matrix that is far enough from singular to compare 9 digits."""
    row = st.lists(st.floats(-1, 1), min_size=size, max_size=size)
    factors = np.array(draw(st.lists(row, min_size=size, max_size=size)))
    matrix = factors @ factors.T + 0.5 * np.identity(size)
    scale = np.sqrt(np.diagonal(matrix))
    matrix = np.round(matrix / np.outer(scale, scale), 6)
    np.fill_diagonal(matrix, 1)
    return matrix


def of_gtc(result: Any) -> tuple[float, float]:
    return float(result.u), float(result.df)


@settings(deadline=None)  # the first call loads scipy
@given(st.lists(st.tuples(positive, positive, st.sampled_from([1, -1]), dofs), min_size=2))
def test_independent_budgets_agree_with_gtc(rows: list[tuple[float, float, int, float]]) -> None:
    u = [row[0] for row in rows]
    c = [row[1] * row[2] for row in rows]
    dof = [row[3] for row in rows]
    total = sum(
        (x * GTC.ureal(0.0, y, nu) for x, y, nu in zip(c, u, dof, strict=True)), GTC.constant(0)
    )
    found = expanded_uncertainty(u, c, dof, probability=0.95, whole_dof=False)
    wanted, wanted_dof = of_gtc(total)
    assert found.combined[0] == pytest.approx(wanted, rel=1e-9)
    assert found.dof[0] == pytest.approx(wanted_dof, rel=1e-9)
    if wanted_dof < GTC.inf_dof:
        k = GTC.reporting.k_factor(wanted_dof, 95)
        assert found.coverage_factor[0] == pytest.approx(k, rel=1e-9)
        assert found.expanded[0] == pytest.approx(k * wanted, rel=1e-9)


@settings(deadline=None)  # the first call loads scipy
@given(st.data())
def test_correlated_budgets_agree_with_gtc(data: st.DataObject) -> None:
    """Three kinds together: correlated without end of dof, observed together, and alone."""
    sizes = [
        data.draw(st.integers(0, 3)),
        data.draw(st.integers(2, 4)),
        data.draw(st.integers(2, 3)),
    ]
    count = sum(sizes)
    r = np.identity(count)
    begin = 0
    blocks = []
    for size in sizes:
        blocks.append(range(begin, begin + size))
        if size:
            block = slice(begin, begin + size)
            r[block, block] = data.draw(correlation(size))
        begin += size
    columns = st.lists(positive, min_size=count, max_size=count)
    u, c = data.draw(columns), data.draw(columns)
    c = [x * data.draw(st.sampled_from([1, -1])) for x in c]
    finite = [float(data.draw(st.integers(1, 60))) for _ in range(2)]
    dof = [INF] * sizes[0] + [finite[0]] * sizes[1] + [finite[1]] * sizes[2]
    ensembles = [""] * sizes[0] + ["first"] * sizes[1] + ["second"] * sizes[2]
    members = [GTC.ureal(0.0, u[i], INF, independent=False) for i in blocks[0]]
    for block, nu in zip(blocks[1:], finite, strict=True):
        members += GTC.multiple_ureal([0.0] * len(block), [u[i] for i in block], nu)
    for i in range(count):
        for j in range(i + 1, count):
            if r[i, j]:
                GTC.set_correlation(float(r[i, j]), members[i], members[j])
    alone = GTC.ureal(0.0, 1.0, 7)
    total = sum((x * member for x, member in zip(c, members, strict=True)), alone)
    bordered = np.identity(count + 1)
    bordered[:count, :count] = r
    found = expanded_uncertainty(
        [*u, 1.0], [*c, 1.0], [*dof, 7.0], correlation=bordered, ensembles=[*ensembles, ""]
    )
    wanted, wanted_dof = of_gtc(total)
    assert found.combined[0] == pytest.approx(wanted, rel=1e-9)
    assert found.dof[0] == pytest.approx(wanted_dof, rel=1e-9)


def test_resistance_and_reactance_of_gum_h_2_agree_with_gtc() -> None:
    x, u = [4.999, 19.661e-3, 1.04446], [3.2e-3, 9.5e-6, 7.5e-4]
    pairs = ((0, 1, -0.36), (0, 2, 0.86), (1, 2, -0.65))
    r = np.identity(3)
    members = GTC.multiple_ureal(x, u, 4)
    for i, j, value in pairs:
        r[i, j] = r[j, i] = value
        GTC.set_correlation(value, members[i], members[j])
    rows = [
        Component(name, value, unit, spread, dof=4.0, ensemble="five sets")
        for name, value, unit, spread in zip("VIφ", x, ("V", "A", "rad"), u, strict=True)
    ]
    budget = propagate(
        "resistance", "Ω", lambda v, i, phi: v / i * np.cos(phi), rows, correlation=r
    )
    v, i, phi = members
    wanted, wanted_dof = of_gtc(v / i * GTC.cos(phi))
    found = budget.expanded_uncertainty()
    assert found.combined[0] == pytest.approx(wanted, rel=1e-9)
    assert found.combined[0] == pytest.approx(0.071, abs=0.002)
    assert found.dof[0] == pytest.approx(wanted_dof, rel=1e-9) == 4
    # Negative correlation explains some of it away, and the sum is 100 all the same.
    shares = [row["share"] for row in budget.table()]
    assert min(shares) < 0
    assert sum(shares) == pytest.approx(100, abs=0.5)


def columns(points: int) -> tuple[Any, Any, Any]:
    random = np.random.default_rng(3)
    u, c = random.uniform(0.1, 2, (9, points)), random.uniform(-2, 2, (9, points))
    dof = random.integers(1, 40, (9, points)).astype(float)
    dof[::2] = INF
    return u, c, dof


@pytest.mark.parametrize("correlated", [False, True])
def test_the_batch_of_many_is_many_batches_of_one(correlated: bool) -> None:
    points = 20_000  # more than one block
    u, c, dof = columns(points)
    r = np.identity(9)
    ensembles = [""] * 9
    if correlated:
        r[0, 2] = r[2, 0] = 0.4
        r[1, 3] = r[3, 1] = -0.7
        ensembles[1] = ensembles[3] = "together"
        dof[3] = dof[1]
    batch = expanded_uncertainty(u, c, dof, correlation=r, ensembles=ensembles)
    for point in (0, 1, 777, 16_383, 16_384, points - 1):
        one: ExpandedUncertainty = expanded_uncertainty(
            u[:, point], c[:, point], dof[:, point], correlation=r, ensembles=ensembles
        )
        for name in ("combined", "dof", "coverage_factor", "expanded"):
            assert getattr(one, name)[0] == getattr(batch, name)[point]


def test_one_value_for_all_points_is_the_same_as_a_column_of_it() -> None:
    u, c, dof = columns(50)
    short = expanded_uncertainty([*u[:8], 0.5], [*c[:8], 1.0], [*dof[:8], INF])
    u[8], c[8], dof[8] = 0.5, 1.0, INF
    assert (short.expanded == expanded_uncertainty(u, c, dof).expanded).all()


@settings(deadline=None)  # the first call loads scipy
@given(st.floats(1e-6, 1e6), st.integers(1, 5))
def test_a_budget_scales_with_its_unit(factor: float, count: int) -> None:
    u, c, dof = columns(count)
    plain, scaled = expanded_uncertainty(u, c, dof), expanded_uncertainty(u * factor, c, dof)
    assert scaled.expanded == pytest.approx(plain.expanded * factor, rel=1e-12)


def test_full_correlation_adds_and_cancels() -> None:
    r = np.ones((2, 2))
    assert expanded_uncertainty([3.0, 4.0], [1, 1], [INF, INF], correlation=r).combined[0] == 7
    found = expanded_uncertainty([0.1, 0.1], [1, -1], [INF, INF], correlation=r)
    assert (found.combined[0], found.expanded[0], found.dof[0]) == (0, 0, INF)


def test_nothing_uncertain_has_no_uncertainty() -> None:
    found = expanded_uncertainty([0.0], [1.0], [3.0])
    assert (found.combined[0], found.dof[0], found.coverage_factor[0]) == (0, INF, 2)


@pytest.mark.parametrize("dof", range(1, 60))
def test_whole_degrees_of_freedom_are_not_cut_by_float_noise(dof: int) -> None:
    found = expanded_uncertainty([0.1 * dof], [0.7], [float(dof)])
    exactly = expanded_uncertainty([0.1 * dof], [0.7], [float(dof)], whole_dof=False)
    assert found.coverage_factor[0] == pytest.approx(exactly.coverage_factor[0], rel=1e-12)


def test_effective_dof_are_cut_to_a_whole_number_before_k() -> None:
    found = expanded_uncertainty([3.0, 4.0], [1, 1], [INF, 9.0])
    assert found.dof[0] == pytest.approx(21.97, abs=0.01)
    assert found.coverage_factor[0] == expanded_uncertainty([1.0], [1], [21.0]).coverage_factor[0]


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        ([[1, 0.5]], "a row and a column"),
        ([[1, 0.5], [0.4, 1]], "symmetric"),
        ([[1, math.nan], [math.nan, 1]], "symmetric"),
        ([[1, 0.5], [0.5, 0.9]], "fully correlated with itself"),
        ([[1, 1.01], [1.01, 1]], "between -1 and"),
    ],
)
def test_an_impossible_correlation_is_refused(matrix: list[list[float]], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        expanded_uncertainty([1.0, 1.0], [1, 1], [INF, INF], correlation=matrix)


def test_a_matrix_of_no_quantities_is_refused() -> None:
    r = [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]
    with pytest.raises(Refused, match="positive semi-definite"):
        expanded_uncertainty([1.0] * 3, [1.0] * 3, [INF] * 3, correlation=r)


@pytest.mark.parametrize(
    ("dof", "ensembles", "sentence"),
    [
        ([INF, 5.0], [], "not observed together"),
        ([5.0, 5.0], ["a", "b"], "not observed together"),
        ([5.0, 6.0], ["a", "a"], "same degrees of freedom"),
        ([5.0, 5.0], ["a"], "one word per component"),
    ],
)
def test_correlation_with_finite_dof_needs_common_observation(
    dof: list[float], ensembles: list[str], sentence: str
) -> None:
    r = [[1, 0.5], [0.5, 1]]
    with pytest.raises(Refused, match=sentence):
        expanded_uncertainty([1.0, 1.0], [1, 1], dof, correlation=r, ensembles=ensembles)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(Refused, match="2, 3 points"):
        expanded_uncertainty([np.ones(2), np.ones(3)], [1.0, 1.0], [INF, INF])
    with pytest.raises(Refused, match="for each component"):
        expanded_uncertainty([1.0], [1.0, 1.0], [INF])
    with pytest.raises(Refused, match="for each component"):
        expanded_uncertainty([], [], [])
    with pytest.raises(Refused, match="2, 3 points"):
        two, three = (Component("x", np.zeros(n), "g", 1.0) for n in (2, 3))
        Budget("y", 0.0, "g", (two, three))


@pytest.mark.parametrize(
    "wrong",
    [
        {"standard_uncertainty": -1.0},
        {"standard_uncertainty": math.nan},
        {"standard_uncertainty": INF},
        {"value": math.nan},
        {"sensitivity": INF},
        {"dof": 0.5},
        {"dof": math.nan},
        {"dof": np.array([3.0, 0.0])},
        {"value": np.zeros((2, 2))},
    ],
)
def test_a_component_that_is_no_number_is_refused(wrong: dict[str, Any]) -> None:
    given_: dict[str, Any] = {"value": 0.0, "standard_uncertainty": 1.0, **wrong}
    with pytest.raises(Refused, match="drift"):
        Component("drift", unit="g", **given_)


def test_what_is_known_becomes_a_standard_uncertainty() -> None:
    assert limited("a", "g", 1.0).standard_uncertainty == pytest.approx(1 / 3**0.5)
    for distribution, share in ((Distribution.TRIANGULAR, 6), (Distribution.ARCSINE, 2)):
        found = limited("a", "g", 1.0, distribution=distribution)
        assert found.standard_uncertainty == pytest.approx(share**-0.5)
    with pytest.raises(Refused, match="no limits"):
        limited("a", "g", 1.0, distribution=Distribution.NORMAL)
    assert resolution("d", "g", 1.0).standard_uncertainty == pytest.approx(12**-0.5)
    assert certified("m", "g", 0.0, 3.0, coverage_factor=3.0).standard_uncertainty == 1
    with pytest.raises(Refused, match="coverage factor"):
        certified("m", "g", 0.0, 3.0, coverage_factor=0.0)


def test_repeated_observations_have_a_mean_and_one_dof_less() -> None:
    found = observed("I", "g", [[1.0, 2.0, 3.0], [5.0, 5.0, 8.0]])
    assert np.asarray(found.value).tolist() == [2, 6]
    assert np.asarray(found.standard_uncertainty) == pytest.approx([3**-0.5, 1.0])
    assert (found.dof, found.evaluation) == (2, "A")
    for few in ([1.0], 1.0):
        with pytest.raises(Refused, match="2 observations"):
            observed("I", "g", few)
    with pytest.raises(Refused, match="2 observations"):
        repeatability("I", "g", 0.1, observations=1)
    assert repeatability("I", "g", 0.1, observations=1, dof=9.0).standard_uncertainty == 0.1


def test_standard_deviations_are_pooled_by_their_dof() -> None:
    s, dof = pooled_standard_deviation([[1.0, 3.0], [2.0, 4.0]], [[1], [3]])
    assert s == pytest.approx([(13 / 4) ** 0.5, (57 / 4) ** 0.5])
    assert dof.tolist() == [4, 4]
    with pytest.raises(Refused, match="pooling"):
        pooled_standard_deviation([1.0], [0])
    with pytest.raises(Refused, match="no degree of freedom"):
        dof_of_uncertainty(0.8)


@pytest.mark.parametrize(
    ("expanded", "digits", "printed"),
    [
        (58.523499, 2, "59"),
        (0.0010499, 2, "0.0010"),
        (10.5, 2, "11"),
        (10.499, 2, "10"),
        (9.96, 2, "10"),
        (0.0996, 2, "0.10"),
        (1234.0, 2, "1200"),
        (0.3, 2, "0.30"),
        (1.4, 1, "2"),  # 1 would be 29 % less
        (1.04, 1, "1"),
        (1.06, 1, "2"),
        (0.0, 2, "0"),
        (5e-7, 2, "5.0E-7"),
        (5.04e30, 2, "5" + "0" * 30),  # of a sheet with a mistyped exponent
    ],
)
def test_an_expanded_uncertainty_is_reported_to_two_digits(
    expanded: float, digits: int, printed: str
) -> None:
    assert str(reported(expanded, digits)) == printed


@given(st.floats(1e-12, 1e12), st.integers(1, 3))
def test_rounding_never_lowers_an_uncertainty_by_more_than_5_percent(u: float, digits: int) -> None:
    rounded = reported(u, digits)
    assert Decimal("0.95") * Decimal(repr(u)) <= rounded
    assert len(significant(float(rounded), 12).as_tuple().digits) <= max(
        digits, rounded.adjusted() + 1
    )


def test_a_value_ends_with_its_uncertainty() -> None:
    assert reported_value(Decimal("1000.0125"), 0.0031) == Decimal("1000.0125")
    assert reported_value(Decimal("1000.0125"), 0.031) == Decimal("1000.012")
    assert str(reported_value(Decimal(123456), 1234.0)) == "123500"


@pytest.mark.parametrize("wrong", [-1.0, math.nan, INF])
def test_what_is_no_uncertainty_is_not_reported(wrong: float) -> None:
    for report in (reported, rounded_up):
        with pytest.raises(Refused, match="no uncertainty"):
            report(wrong)
    if wrong != -1:
        with pytest.raises(Refused, match="not a number"):
            significant(wrong)


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=9))
def test_a_guard_is_never_smaller_than_the_uncertainty(u: list[float]) -> None:
    digits = off_grid(*rounded_up(np.array(u)))
    for exact, up in zip(u, digits, strict=True):
        # Past the 12th digit a float is noise.
        assert Decimal(repr(exact)) * (1 - Decimal("1e-12")) <= up
        assert up <= Decimal(repr(exact)) * Decimal("1.0100001")


@pytest.mark.parametrize(
    ("u", "guard"),
    [
        (0.1 + 0.2, "0.300"),
        (0.3, "0.300"),
        (0.3001, "0.301"),
        (1000.0, "1000"),
        (999.5, "1000"),
        (0.00999, "0.00999"),
        (0.009999, "0.0100"),
        (1e-300, "1E-300"),
        (0.0, "0"),
    ],
)
def test_a_guard_is_rounded_up_to_three_digits(u: float, guard: str) -> None:
    assert off_grid(*rounded_up(u)) == (Decimal(guard),)


def test_uncertainties_that_fit_no_common_grid_are_refused() -> None:
    with pytest.raises(Refused, match="one 64-bit grid"):
        rounded_up(np.array([1e-9, 1e9]))
    assert off_grid(*rounded_up(np.array([0.0, 2.0]))) == (0, 2)


def test_a_correction_becomes_digits_and_its_rounding_a_component() -> None:
    found = rounded_correction("buoyancy", "g", [0.0125, 0.0135, -0.00049], -3, sensitivity=-1.0)
    assert found.digits() == tuple(map(Decimal, ("0.012", "0.014", "0.000")))
    assert found.component.standard_uncertainty == pytest.approx(1e-3 / 12**0.5)
    assert found.component.sensitivity == -1
    assert rounded_correction("b", "g", 1250.0, 2).digits() == (Decimal(1200),)
    for beyond in (1e10, math.nan):
        with pytest.raises(Refused, match="does not reach"):
            rounded_correction("buoyancy", "g", beyond, -9)


@pytest.mark.parametrize(
    "module", [component, uncertainty, rounding], ids=lambda module: str(module.__name__)
)
def test_the_examples_in_the_docstrings_hold(module: Any) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
