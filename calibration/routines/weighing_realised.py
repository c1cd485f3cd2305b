"""What the standards realised at each load, substitution included, and whether that is enough.

Knows at which points the value of the load counts, and one third of the limit there (R 76-1
3.7.1). A substitution load is as wrong as the standards that it was compared with, at each step.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np

from calibration.grid import Counts, plain
from calibration.routines.weighing_columns import ERRORS
from calibration.routines.weighing_observed import Observed, Weighings
from calibration.routines.weighing_substitution import (
    largest_standards,
    substitution,
    substitutions,
)
from calibration.routines.weighing_weights import Part, WeighingStandards, Weight
from calibration.standard import Realised
from calibration.verification import Reason


@dataclass(frozen=True, slots=True, eq=False)
class Portions:
    """Standards and substitution material behind every load."""

    weighings: Weighings
    standards: WeighingStandards
    _found: dict[str, list[tuple[Part, ...]]] = field(default_factory=dict)
    """Parts by test: a search through the weights is made once."""

    def steps(self, seen: Observed) -> Counts:
        """Count the substitutions behind every load of a test."""
        scale = self.weighings.scale
        material = substitution(scale, seen)
        if not material.any():
            return material
        values = substitutions(scale, self._weighed(seen))
        return np.array(
            [sum(value <= scale.value(part) for value in values) if part else 0
             for part in material.tolist()],
            dtype=np.int64,
        )  # fmt: skip

    def parts(self, seen: Observed) -> list[tuple[Part, ...]]:
        """Give what each standard contributes to the error of every load of a test."""
        if seen.test.key not in self._found:
            self._found[seen.test.key] = self._parts(seen)
        return self._found[seen.test.key]

    def _parts(self, seen: Observed) -> list[tuple[Part, ...]]:
        scale, found = self.weighings.scale, []
        standards = seen.load - substitution(scale, seen)
        steps = self.steps(seen).tolist()
        for place, (count, number) in enumerate(zip(standards.tolist(), steps, strict=True)):
            key = f"{seen.test.key}.load[{place}]"
            own = self.standards.parts(scale.value(count), key)
            if number:
                largest = largest_standards(scale, self._weighed(seen))
                own += tuple(
                    replace(part, error=part.error * number)
                    for part in self.standards.parts(largest, key)
                )
            found.append(own)
        return found

    def realised(self) -> Iterator[Realised]:
        """Give every load whose value counts, with its limit and the error of the standards."""
        scale = self.weighings.scale
        for seen in self.weighings.observed:
            if seen.name not in ERRORS or not seen.test.standard_load:
                continue
            errors: Sequence[Decimal | None] = [None] * seen.load.size
            if self.standards.assessed:
                errors = [
                    plain(sum((part.error for part in point), Decimal(0)))
                    for point in self.parts(seen)
                ]
            for place, load in enumerate(seen.load.tolist()):
                if load:
                    limit = scale.value(seen.limit[place])
                    yield Realised(scale.value(load), limit, scale.unit, errors[place])

    def note(self) -> Iterator[Reason]:
        """Say which weights make the load where they leave the least of the limit."""
        if not self.standards.sets:
            return
        scale = self.weighings.scale
        worst: tuple[Decimal, Decimal, Decimal, str] | None = None
        for seen in self.weighings.observed:
            if seen.name not in ERRORS or not seen.test.standard_load:
                continue
            material = substitution(scale, seen)
            for place, load in enumerate((seen.load - material).tolist()):
                key = f"{seen.test.key}.load[{place}]"
                error, limit = self.standards.error(scale.value(load), key), seen.limit[place]
                share = error / scale.value(limit)
                if load and (worst is None or share > worst[0]):
                    worst = (share, scale.value(load), error, key)
        if worst is not None:
            _, load, error, key = worst
            used = self.standards.made_of(load, key)
            names = [
                f"{standard.id}: {_sum_of(weights)} {scale.unit}" for standard, weights in used
            ]
            yield Reason(
                "weights-used",
                "the weights come closest to one third of the limit at {load}: {weights}; their errors "
                "add to {error}.",
                {
                    "load": scale.said(load),
                    "weights": "; ".join(names),
                    "error": scale.said(error),
                },
            )

    def _weighed(self, seen: Observed) -> tuple[Observed, ...]:
        return self.weighings.of("weighing", seen.within)


def _sum_of(weights: Sequence[Weight]) -> str:
    """Write weights as a sum: 2 × 200 + 50."""
    many = Counter(f"{plain(weight.nominal):f}" for weight in weights)
    return " + ".join(text if count == 1 else f"{count} × {text}" for text, count in many.items())
