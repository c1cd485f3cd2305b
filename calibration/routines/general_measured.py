"""What a table judges of several indications: each error, their mean, how they scatter or deviate.

Knows the measured quantities that a table's file names (``measured``). Means and standard
deviations stay fractions; nothing passes a float before the decision.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from calibration.refusal import Refused
from calibration.routines.exact_limits import AskedTable
from calibration.routines.general_job import Job, Measured, realised
from calibration.routines.general_reference import indicated, referenced
from calibration.routines.general_several import (
    deviations,
    mean_error,
    preset_error,
    standard_deviation,
)
from calibration.routines.general_sheet import GeneralTest
from calibration.standard import Standard
from calibration.uncertainty import Budget


def measured(test: GeneralTest, asked: AskedTable, standards: Sequence[Standard]) -> Measured:
    """Judge a test as its table does; a Refused names the column that does not fit."""
    return _BY_NAME[asked.measured](Job(test, asked, standards))


def _each(job: Job) -> Measured:
    """E = I - R of every row."""
    test, rows = job.test, len(job.test.indication)
    _columns(test, "reference", test.reference, rows)
    column = test.reference * rows if len(test.reference) == 1 else test.reference
    found = referenced(test, "reference", column, job.standards)
    points, limits, bounds, errors = [], [], [], []
    known = bool(found.components)
    for row, (reference, indication) in enumerate(zip(found.values, test.indication, strict=True)):
        shown = indication.exactly(test.unit)
        by_indication = job.asked.entry.get("value_is") == "indication"
        limit, magnitude = job.limit(row, shown if by_indication else reference, reference)
        error = shown - reference
        points.append(
            job.point(
                limit,
                magnitude,
                error,
                row,
                reference=reference,
                indication=shown,
                row=row if known else None,
            )
        )
        limits.append(limit)
        bounds.append(magnitude)
        errors.append(error)
    budget = None
    if known:
        each = np.array([float(error) for error in errors])
        budget = Budget("error", each, test.unit, (indicated(test), *found.components))
    return Measured(
        tuple(points),
        tuple(limits),
        budget,
        realised(found, found.values, bounds, test.unit),
        found.standard,
        found.illegal,
        tuple(errors),
        found.values,
        tuple(bounds),
    )


_BY_NAME: Mapping[str, Callable[[Job], Measured]] = MappingProxyType(
    {
        "error": _each,
        "mean": mean_error,
        "standard deviation": standard_deviation,
        "deviation": deviations,
        "preset": preset_error,
    }
)
"""By ``measured``, as the file of a table writes it."""


def _columns(test: GeneralTest, name: str, column: Sequence[object], rows: int) -> None:
    if not column:
        raise Refused("this key is missing.", key=f"{test.key}.{name}")
    for other, given in ((name, column), ("at", test.at)):
        if len(given) not in ((1, rows) if given else (0,)):
            raise Refused(
                "{count} values stand here and there are {rows} rows: give one for all, or one for "
                "each.",
                key=f"{test.key}.{other}",
                count=len(given),
                rows=rows,
            )
