"""Eccentric loading: which load belongs where, by the kind of load receptor (R 76-1 3.6.2).

Knows platforms on few and on many supports, tanks and rolling loads. Every indication is judged
by the limit of its load. A load above the wanted one can accept an instrument but not reject it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from calibration.draft import DraftPoint
from calibration.legal_table import LegalTable
from calibration.refusal import Refused
from calibration.routines.weighing_columns import Receptor, WeighingTest
from calibration.routines.weighing_law import NEARLY, requirement
from calibration.routines.weighing_observed import Observed, Weighings
from calibration.routines.weighing_scale import EXACT, Scale, WeighingRange
from calibration.verification import Reason


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the law wants of the eccentricity test of an instrument."""

    positions: int
    part: int | None
    """The load is (Max + T+)/part; None: the usual load, up to ``most``."""
    most: Decimal | None
    """Largest rolling load [unit]."""
    total: Decimal
    """Max + T+ [unit]."""
    text: str
    """The load as the law writes it."""
    clause: str


def wanted_load(
    table: LegalTable,
    within: WeighingRange,
    additive_tare: Decimal,
    unit: str,
    test: WeighingTest,
) -> Wanted:
    """Find load and positions by the receptor that the test states."""
    total = within.maximum + additive_tare
    whole = "Max" if not additive_tare else f"(Max + {additive_tare:f} {unit})"
    if test.receptor is Receptor.ROLLING:
        law = requirement(table, "eccentricity_rolling")
        share = law.number("largest")
        positions = int(law.number("positions")) * test.directions * test.sections
        most = EXACT.multiply(share, total)
        return Wanted(positions, None, most, total, f"{share} {whole}", law.clause)
    if test.receptor is Receptor.TANK:
        law = requirement(table, "eccentricity_tank")
        part, positions = int(law.number("part")), test.supports
    elif test.supports <= requirement(table, "eccentricity").number("supports"):
        law = requirement(table, "eccentricity")
        part, positions = int(law.number("part")), int(law.number("segments"))
    else:
        law = requirement(table, "eccentricity_supports")
        part, positions = test.supports - int(law.number("fewer")), test.supports
    return Wanted(positions, part, None, total, f"{whole}/{part}", law.clause)


def not_rejecting(
    weighings: Weighings, seen: Observed, points: list[DraftPoint]
) -> tuple[list[DraftPoint], list[Reason]]:
    """Take the limits from points that fail at a load above the wanted one: the law sets none there.

    The reasons say which load to repeat them with; they keep the test indeterminate.
    """
    wanted = _wanted(weighings, seen)
    kept, lacking = list(points), []
    for place, point in enumerate(points):
        load, error, upper = point.nominal, point.error, point.upper
        if load is None or error is None or upper is None:
            continue
        fails = abs(error) > upper if point.conforms is None else not point.conforms
        if fails and wanted.part is not None and load * NEARLY * wanted.part > wanted.total:
            kept[place] = replace(point, lower=None, upper=None, conforms=None)
            lacking.append(
                Reason(
                    "eccentricity-load-large",
                    "eccentricity, point {point}: the error {error} exceeds {limit}, but {load} is "
                    "more than the wanted load {wanted}: repeat it with that ({clause}).",
                    {
                        "point": place + 1,
                        "error": weighings.scale.said(error),
                        "limit": weighings.scale.said(upper),
                        "load": weighings.scale.said(load),
                        "wanted": wanted.text,
                        "clause": wanted.clause,
                    },
                )
            )
    return kept, lacking


def eccentricity_lacks(weighings: Weighings, seen: Observed) -> Iterator[Reason]:
    """Want every segment or support, and no less than the load of the law; refuse a larger roll."""
    scale, wanted = weighings.scale, _wanted(weighings, seen)
    loaded = [place for place, load in enumerate(seen.load.tolist()) if load > seen.near_zero]
    if len(loaded) < wanted.positions:
        yield Reason(
            "positions-missing",
            "eccentricity: {count} positions were loaded and {wanted} are wanted ({clause}).",
            {"count": len(loaded), "wanted": wanted.positions, "clause": wanted.clause},
        )
    loads = [scale.value(seen.load[place]) for place in loaded]
    if wanted.most is not None:
        _check_rolling(scale, seen, wanted, wanted.most)
    elif wanted.part is not None and min(loads, default=0) * wanted.part < NEARLY * wanted.total:
        yield Reason(
            "eccentricity-load",
            "eccentricity: {load} is less than the wanted load {wanted} ({clause}).",
            {
                "load": scale.said(min(loads, default=Decimal(0))),
                "wanted": wanted.text,
                "clause": wanted.clause,
            },
        )


def _wanted(weighings: Weighings, seen: Observed) -> Wanted:
    scale = weighings.scale
    return wanted_load(weighings.table, seen.within, scale.additive_tare, scale.unit, seen.test)


def _check_rolling(scale: Scale, seen: Observed, wanted: Wanted, most: Decimal) -> None:
    for place, load in enumerate(seen.load.tolist()):
        if scale.value(load) > most:
            raise Refused(
                "{load} is more than a rolling load may be: {wanted} ({clause}).",
                key=f"{seen.test.key}.load[{place}]",
                load=scale.said(scale.value(load)),
                wanted=wanted.text,
                clause=wanted.clause,
            )
