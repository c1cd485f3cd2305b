"""Uncertainty budgets by the GUM, for many points at once.

Knows the law of propagation with correlation, effective degrees of freedom, coverage factors and
how an expanded uncertainty is reported. Refuses to know what was measured, and to guess: columns
that differ in length, an impossible correlation matrix, or correlated components of finite degrees
of freedom that were not observed together. Everything is float64 and unrounded: rounding is for
print (calibration.rounding), and U never decides conformity alone (calibration.decision_rule).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.component import Component, Values
from calibration.distributions import Floats, student_t_coverage_factor
from calibration.refusal import Refused
from calibration.rounding import significant

COVERAGE_9545: Final = math.erf(math.sqrt(2))
"""Coverage probability of k = 2 for a normal distribution, written 95.45 % (EA-4/02 M:2022 5.1)."""
COVERAGE_95: Final = 0.95
COVERAGE_99: Final = 0.99

_BLOCK = 16_384
"""Points worked on together: columns of a block stay in the cache."""
_STEP = 1e-100
"""Imaginary step of a derivative: its square is 0 to float64, so nothing is cut off."""
_NOISE = 1e-9
"""A matrix or a whole number is taken as what it is to within the noise of float64."""

Model = Callable[..., NDArray[Any]]
"""A measurement model y = f(x1, x2, ...): analytic, of arrays, without abs and comparisons."""


@dataclass(frozen=True, slots=True, eq=False)
class ExpandedUncertainty:
    """What a budget comes to, unrounded, shape (points,) each."""

    combined: Floats
    """Combined standard uncertainty u_c [result unit]."""
    dof: Floats
    """Effective degrees of freedom ν_eff [1], infinite where every component's are."""
    coverage_factor: Floats
    """k [1]."""
    expanded: Floats
    """U = k u_c [result unit]."""
    probability: float
    """Coverage probability p [1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Budget:
    """A measurand with the components of its uncertainty (VIM 2.33)."""

    measurand: str
    value: Values
    """Estimate y [unit], one or shape (points,): for people, exact digits are kept elsewhere."""
    unit: str
    components: tuple[Component, ...]
    correlation: Floats | None = None
    """Correlation coefficients r [1], shape (components, components); None: all 0."""

    def __post_init__(self) -> None:
        """Refuse columns of different lengths."""
        _points([_column(values) for row in self.components for values in _numbers(row)])

    def expanded_uncertainty(
        self, probability: float = COVERAGE_9545, *, whole_dof: bool = True
    ) -> ExpandedUncertainty:
        """Combine the components as `expanded_uncertainty` does."""
        return expanded_uncertainty(
            [component.standard_uncertainty for component in self.components],
            [component.sensitivity for component in self.components],
            [component.dof for component in self.components],
            correlation=self.correlation,
            ensembles=[component.ensemble for component in self.components],
            probability=probability,
            whole_dof=whole_dof,
        )

    def table(self, point: int = 0) -> tuple[dict[str, Any], ...]:
        """Give the budget at one point as rows for people, numbers to six significant digits.

        ``share`` is what a row explains of u_c² [%]; shares sum to 100 with correlation too.
        Infinite degrees of freedom are None.
        """
        rows = self.components
        c, u, x, nu = (
            np.array([float(_at(getattr(row, name), point)) for row in rows])
            for name in ("sensitivity", "standard_uncertainty", "value", "dof")
        )
        contribution = c * u
        r = np.identity(len(rows)) if self.correlation is None else self.correlation
        explained = contribution * (r @ contribution)
        total = float(explained.sum())
        share = 100 * explained / total if total > 0 else np.zeros_like(explained)
        return tuple(
            {
                "quantity": row.name,
                "value": significant(x[i], 12),
                "unit": row.unit,
                "standard_uncertainty": significant(u[i]),
                "evaluation": str(row.evaluation),
                "distribution": str(row.distribution),
                "degrees_of_freedom": significant(nu[i]) if math.isfinite(nu[i]) else None,
                "sensitivity": significant(c[i]),
                "contribution": significant(contribution[i]),
                "share": significant(share[i], 3),
            }
            for i, row in enumerate(rows)
        )


def propagate(
    measurand: str,
    unit: str,
    model: Model,
    components: Sequence[Component],
    *,
    further: Sequence[Component] = (),
    correlation: Floats | None = None,
) -> Budget:
    """Make the budget of y = f(x_1, ..., x_n) with sensitivities c_i = ∂f/∂x_i = Im f(x_i + ih)/h.

    ``model`` f takes one array per component [its unit], one or shape (points,), and gives y
    [unit]; it must be analytic, then c_i is exact to rounding, as no difference is taken.
    ``further`` components of y itself (the model's own uncertainty) keep the sensitivity that they
    state. JCGM 100:2008 5.1.2, 5.1.3; the step h of Squire & Trapp, SIAM Rev. 40 (1998) 110.

    >>> side = Component("side", 2.0, "m", 0.01)
    >>> budget = propagate("area", "m²", lambda a: a * a, [side])
    >>> budget.value, budget.components[0].sensitivity
    (array([4.]), array([4.]))
    """
    values = [np.atleast_1d(np.asarray(row.value, dtype=np.float64)) for row in components]
    weighted = []
    for index, component in enumerate(components):
        shifted: list[NDArray[Any]] = list(values)
        shifted[index] = values[index] + 1j * _STEP
        sensitivity = np.asarray(np.imag(model(*shifted)) / _STEP, dtype=np.float64)
        weighted.append(replace(component, sensitivity=sensitivity))
    value = np.asarray(model(*values), dtype=np.float64)
    return Budget(measurand, value, unit, (*weighted, *further), correlation)


def expanded_uncertainty(
    uncertainties: Sequence[Values] | Floats,
    sensitivities: Sequence[Values] | Floats,
    dof: Sequence[Values] | Floats,
    *,
    correlation: ArrayLike | None = None,
    ensembles: Sequence[str] = (),
    probability: float = COVERAGE_9545,
    whole_dof: bool = True,
) -> ExpandedUncertainty:
    """Combine components: u_c² = Σ_i Σ_j c_i c_j r_ij u_i u_j, ν_eff = u_c⁴/Σ_g (u_g⁴/ν_g), U = k u_c.

    ``uncertainties`` u [unit of the component], ``sensitivities`` c [result unit/unit of the
    component] and ``dof`` ν [1], shape (components, points), or per component one value for all
    points; ``correlation`` r [1], shape (components, components), symmetric, positive
    semi-definite; ``ensembles``: components of the same word were observed together and have the
    same ν. k is the t quantile of ``probability``, with ν_eff cut to a whole number unless
    ``whole_dof`` is false.

    A component is a group g of its own; an ensemble is one group with the variance of its members
    and their covariances (R. Willink, Metrologia 44 (2007) 340, 4.1). Any other correlation with a
    finite ν is refused: no ν_eff is known for it. JCGM 100:2008 5.2.2, G.4.1; EA-4/02 M:2022
    Annex E; k from JCGM 100:2008 G.3.2.

    >>> found = expanded_uncertainty([3.0, 4.0], [1.0, 1.0], [np.inf, 9.0])
    >>> found.combined, found.dof.round(2), found.coverage_factor.round(2)
    (array([5.]), array([21.97]), array([2.13]))
    """
    count = len(uncertainties)
    if not (count == len(sensitivities) == len(dof)) or not count:
        raise Refused("a budget needs a sensitivity and degrees of freedom for each component.")
    columns = [_column(values) for rows in (uncertainties, sensitivities, dof) for values in rows]
    points = _points(columns)
    pairs = _correlated(correlation, count)
    groups = _groups(ensembles, count)
    _check_correlated_dof(columns[2 * count :], pairs, groups)
    combined, effective = np.empty(points), np.empty(points)
    for begin in range(0, points, _BLOCK):
        block = slice(begin, begin + _BLOCK)
        rows = [row if row.size == 1 else row[block] for row in columns]
        length = min(_BLOCK, points - begin)
        combined[block], effective[block] = _combine(rows, pairs, groups, length)
    wanted = np.floor(effective * (1 + _NOISE)) if whole_dof else effective
    factor = student_t_coverage_factor(probability, np.maximum(wanted, 1))
    return ExpandedUncertainty(combined, effective, factor, factor * combined, probability)


def _combine(
    rows: Sequence[Floats],
    pairs: Sequence[tuple[int, int, float]],
    groups: Sequence[tuple[int, ...]],
    length: int,
) -> tuple[Floats, Floats]:
    """Combine one block: rows are u, c and ν of every component, each of 1 or ``length`` points.

    Sums run over components in their order, so a point has the same bits in any batch.
    """
    count = len(rows) // 3
    u, c, nu = rows[:count], rows[count : 2 * count], rows[2 * count :]
    contribution = [a * b for a, b in zip(c, u, strict=True)]
    covariance = {(i, j): 2 * r * contribution[i] * contribution[j] for i, j, r in pairs}
    variance = np.zeros(length)
    squares = []
    for group in groups:
        own = np.zeros(1)
        for i in group:
            own = own + contribution[i] * contribution[i]
        for pair in [pair for pair in covariance if pair[0] in group and pair[1] in group]:
            own = own + covariance.pop(pair)
        variance += own
        if bool(np.isfinite(nu[group[0]]).any()):
            squares.append((own, nu[group[0]]))
    for between in covariance.values():
        variance += between
    # Full correlation can cancel: what rounding leaves below 0 is 0.
    np.maximum(variance, 0, out=variance)
    inverse = np.zeros(length)
    scale = np.where(variance > 0, variance, 1)
    for own, of_group in squares:
        share = own / scale
        inverse += share * share / of_group
    with np.errstate(divide="ignore"):
        return np.sqrt(variance), 1 / inverse


def _column(values: Values) -> Floats:
    column = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if column.ndim != 1:
        raise Refused("a component is one value or one per point, not {shape}.", shape=column.shape)
    return column


def _points(columns: Sequence[Floats]) -> int:
    counts = {column.size for column in columns} - {1}
    if len(counts) > 1:
        raise Refused(
            "the components have {counts} points: each has one value or as many as the others.",
            counts=", ".join(map(str, sorted(counts))),
        )
    return counts.pop() if counts else 1


def _numbers(row: Component) -> tuple[Values, ...]:
    return row.value, row.standard_uncertainty, row.sensitivity, row.dof


def _at(values: Values, point: int) -> Any:
    column = _column(values)
    return column[0 if column.size == 1 else point]


def _correlated(correlation: ArrayLike | None, count: int) -> list[tuple[int, int, float]]:
    """Check a correlation matrix and give the pairs that are correlated."""
    if correlation is None:
        return []
    r = np.asarray(correlation, dtype=np.float64)
    if r.shape != (count, count):
        raise Refused("a correlation matrix has a row and a column for each component.")
    if not bool(np.isfinite(r).all()) or not np.array_equal(r, r.T):
        raise Refused("a correlation matrix is symmetric, r_ij = r_ji, and holds numbers.")
    if not bool((np.diagonal(r) == 1).all()):
        raise Refused("every quantity is fully correlated with itself: r_ii = 1.")
    if not bool((np.abs(r) <= 1).all()):
        raise Refused("a correlation coefficient lies between -1 and +1.")
    if float(np.linalg.eigvalsh(r).min()) < -_NOISE * count:
        raise Refused("no quantities are correlated so: the matrix is not positive semi-definite.")
    return [(i, j, float(r[i, j])) for i in range(count) for j in range(i + 1, count) if r[i, j]]


def _groups(ensembles: Sequence[str], count: int) -> list[tuple[int, ...]]:
    """Give the members of every ensemble, and every other component alone."""
    words = ensembles or [""] * count
    if len(words) != count:
        raise Refused("ensembles name one word per component, empty for none.")
    found: dict[object, list[int]] = {}
    for index, word in enumerate(words):
        found.setdefault(word or index, []).append(index)
    return [tuple(group) for group in found.values()]


def _check_correlated_dof(
    dof: Sequence[Floats],
    pairs: Sequence[tuple[int, int, float]],
    groups: Sequence[tuple[int, ...]],
) -> None:
    """Refuse what has no effective degrees of freedom."""
    for group in groups:
        for member in group[1:]:
            if not bool((dof[group[0]] == dof[member]).all()):
                raise Refused("components observed together have the same degrees of freedom.")
    together = {(i, j) for group in groups for i in group for j in group}
    for i, j, _ in pairs:
        finite = np.isfinite(dof[i]).any() or np.isfinite(dof[j]).any()
        if finite and (i, j) not in together:
            raise Refused(
                "components {first} and {second} are correlated with finite degrees of freedom but "
                "were not observed together: no effective degrees of freedom are known for them.",
                first=i + 1,
                second=j + 1,
            )
