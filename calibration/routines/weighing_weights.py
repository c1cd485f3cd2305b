"""The standard weights behind each load: which make it, and how wrong it may be (R 76-1 3.7.1).

Knows a set by its nominal values and class (limits of R 111 in force), or by what it states as a
whole. Refuses a load that no weights of the set make. Errors of weights used together add.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from calibration.case import Case
from calibration.grid import finest_exponent, plain
from calibration.legal_table import LegalTable, legal_table
from calibration.mpe import accuracy_class_of, maximum_permissible_error
from calibration.refusal import Refused
from calibration.routines.weighing_law import requirement
from calibration.routines.weighing_scale import EXACT, at
from calibration.routines.weighing_sheet import WeighingSheet
from calibration.standard import Standard
from calibration.units import PERCENT, Quantity, same_kind

WEIGHTS_TABLE = "r111"
_LARGEST_SEARCH = 200_000
"""Combinations of weights that are tried before a load counts as one that cannot be built."""


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight of a set."""

    nominal: Decimal
    """[unit]"""
    error: Decimal
    """Largest error, or expanded uncertainty where that is what counts [unit]."""
    by_uncertainty: bool
    """The error is an expanded uncertainty."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one standard contributes to the error of a load."""

    standard: Standard
    error: Decimal
    """[unit]"""
    by_uncertainty: bool


@dataclass(frozen=True, slots=True)
class Stated:
    """A standard that states its error as a whole."""

    standard: Standard
    fixed: Decimal
    """Part that every load has [unit]."""
    percent: Decimal
    """Part that is proportional to the load [%]."""
    by_uncertainty: bool


@dataclass(frozen=True, slots=True)
class WeighingStandards:
    """The standards of one sheet as errors of loads."""

    unit: str
    stated: tuple[Stated, ...]
    sets: tuple[tuple[Standard, tuple[Weight, ...]], ...]
    """Sets of weights, each known by its weights."""
    tables: tuple[LegalTable, ...]
    """The table of R 111 where a class was looked up."""

    @classmethod
    def of(cls, case: Case[WeighingSheet], unit: str) -> "WeighingStandards":
        """Read what every standard of mass says of its error; others take no part."""
        law = requirement(case.table, "standards")
        stated, sets = [], []
        for standard in case.standards:
            certain = standard.accuracy_class in law.stated["by_uncertainty"]
            if (whole := _stated(standard, unit, by_uncertainty=certain)) is not None:
                stated.append(whole)
            elif standard.weights and (standard.accuracy_class or standard.points):
                with at(f"standards {standard.id}"):
                    sets.append((standard, _weights(case, standard, unit)))
        looked_up = any(standard.accuracy_class for standard, _ in sets)
        tables = (legal_table(WEIGHTS_TABLE, case.date),) if looked_up else ()
        return cls(unit, tuple(stated), tuple(sets), tables)

    @property
    def assessed(self) -> bool:
        """Tell whether anything is known of the error of a load."""
        return bool(self.stated or self.sets)

    def parts(self, load: Decimal, key: str) -> tuple[Part, ...]:
        """Give what each standard contributes at a load; ``key`` names it in the sheet."""
        if not load:
            return ()
        parts = [
            Part(
                one.standard,
                EXACT.add(one.fixed, EXACT.multiply(one.percent, load).scaleb(-2)),
                one.by_uncertainty,
            )
            for one in self.stated
        ]
        for standard, used in self.made_of(load, key):
            parts.append(
                Part(
                    standard,
                    sum((weight.error for weight in used), Decimal(0)),
                    all(weight.by_uncertainty for weight in used),
                )
            )
        return tuple(parts)

    def error(self, load: Decimal, key: str) -> Decimal:
        """Give the largest error of a load [unit]: the errors of its weights add."""
        return plain(sum((part.error for part in self.parts(load, key)), Decimal(0)))

    def made_of(self, load: Decimal, key: str) -> list[tuple[Standard, list[Weight]]]:
        """Find the weights of each set that make a load, the largest first, or refuse it."""
        if not self.sets:
            return []
        pool = sorted(
            (
                (weight, number)
                for number, (_, weights) in enumerate(self.sets)
                for weight in weights
            ),
            key=lambda one: one[0].nominal,
            reverse=True,
        )
        chosen = _chosen([weight.nominal for weight, _ in pool], load)
        if chosen is None:
            raise Refused(
                "{load} cannot be built from the weights of {standards}.",
                key=key,
                load=f"{load:f} {self.unit}",
                standards=", ".join(standard.id for standard, _ in self.sets),
            )
        used: dict[int, list[Weight]] = {}
        for place in chosen:
            weight, number = pool[place]
            used.setdefault(number, []).append(weight)
        return [(self.sets[number][0], weights) for number, weights in used.items()]


def _stated(standard: Standard, unit: str, *, by_uncertainty: bool) -> Stated | None:
    """Read the error that a standard of mass states as a whole: the larger of MPE and U.

    ``by_uncertainty``: of its class only U counts, where it is stated.
    """
    usable = [
        (quantity, uncertain)
        for quantity, uncertain in ((standard.expanded_uncertainty, True), (standard.mpe, False))
        if quantity is not None and (quantity.unit == PERCENT or same_kind(quantity.unit, unit))
    ]
    if by_uncertainty and any(uncertain for _, uncertain in usable):
        usable = [pair for pair in usable if pair[1]]
    if not usable:
        return None
    fixed = max((q.to(unit).magnitude for q, _ in usable if q.unit != PERCENT), default=Decimal(0))
    percent = max((q.magnitude for q, _ in usable if q.unit == PERCENT), default=Decimal(0))
    return Stated(standard, fixed, percent, all(uncertain for _, uncertain in usable))


def _weights(case: Case[WeighingSheet], standard: Standard, unit: str) -> tuple[Weight, ...]:
    """Find the error of every weight: the limit of its class, or what its certificate says."""
    law = requirement(case.table, "standards")
    table = legal_table(WEIGHTS_TABLE, case.date)
    name = standard.accuracy_class
    known = None if name is None else accuracy_class_of(table, name)
    for nominal in standard.weights:
        if nominal.magnitude <= 0:
            raise Refused("{value} is not more than 0.", value=nominal)
    limits = {} if known is None else _class_limits(table, known, standard.weights, unit)
    weights = []
    for nominal in standard.weights:
        calibrated = _calibrated(standard, nominal, unit)
        certain = known is None or known in law.stated["by_uncertainty"]
        if certain and calibrated is not None:
            deviation, uncertainty = calibrated
            error = uncertainty if known is not None else abs(deviation) + uncertainty
            by_uncertainty = True
        elif known is not None:
            error, by_uncertainty = limits[nominal], False
        else:
            raise Refused(
                "weight {nominal} has neither a class nor a calibrated value with its uncertainty.",
                nominal=nominal,
            )
        weights.append(Weight(nominal.to(unit).magnitude, error, by_uncertainty))
    return tuple(weights)


def _class_limits(
    table: LegalTable, name: str, nominals: Sequence[Quantity], unit: str
) -> dict[Quantity, Decimal]:
    """Look up the limit of a class at every nominal value of a set [unit]."""
    different = list(dict.fromkeys(nominals))
    limits = maximum_permissible_error(
        table, accuracy_class=name, stage="initial", values=different
    )
    return {
        nominal: Quantity(upper, limits.unit).to(unit).magnitude
        for nominal, upper in zip(different, limits.upper, strict=True)
        if upper is not None
    }


def _calibrated(standard: Standard, nominal: Quantity, unit: str) -> tuple[Decimal, Decimal] | None:
    """Give deviation and expanded uncertainty of a weight by its certificate [unit]."""
    wanted = nominal.to(unit).magnitude
    for point in standard.points:
        if not same_kind(point.nominal.unit, unit) or point.nominal.to(unit).magnitude != wanted:
            continue
        if point.expanded_uncertainty is None:
            return None
        return (
            _absolute(point.correction, wanted, unit),
            _absolute(point.expanded_uncertainty, wanted, unit),
        )
    return None


def _absolute(quantity: Quantity, value: Decimal, unit: str) -> Decimal:
    if quantity.unit == PERCENT:
        return EXACT.multiply(quantity.magnitude, value).scaleb(-2)
    return quantity.to(unit).magnitude


def _chosen(nominals: Sequence[Decimal], load: Decimal) -> list[int] | None:
    """Choose weights that make the load exactly, always trying the largest first.

    ``nominals`` descend. Steps back where the largest do not lead to the load: 6 is 3 + 3, though
    5 fits first.
    """
    exponent = finest_exponent(nominals, [load])
    counts = [int(value.scaleb(-exponent)) for value in nominals]
    rest = [0] * (len(counts) + 1)
    for place in range(len(counts) - 1, -1, -1):
        rest[place] = rest[place + 1] + counts[place]
    tried = 0
    failed: set[tuple[int, int]] = set()
    stack: list[tuple[int, int, list[int]]] = [(0, int(load.scaleb(-exponent)), [])]
    while stack:
        place, wanted, chosen = stack.pop()
        if wanted == 0:
            return chosen
        tried += 1
        if place == len(counts) or wanted > rest[place] or (place, wanted) in failed:
            continue
        if tried > _LARGEST_SEARCH:
            return None
        failed.add((place, wanted))
        # The last pushed is tried first: take this weight if it fits, else go on without it.
        equal = next(
            (p for p in range(place, len(counts)) if counts[p] != counts[place]), len(counts)
        )
        stack.append((equal, wanted, chosen))
        if counts[place] <= wanted:
            stack.append((place + 1, wanted - counts[place], [*chosen, place]))
    return None
