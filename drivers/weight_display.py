"""How a signal becomes digits: intervals, ranges, and a pointer that somebody reads.

Multi-interval (R 76-1:2006, 3.3): the interval follows the net value up and down. Multiple range
(T.3.2.7): a coarser range comes in by itself and stays until the receptor is empty. A reader
interpolates between the marks of a dial, each load with a reading error of its own.
"""

import random
from decimal import ROUND_HALF_EVEN, Decimal

from drivers.scale_traits import ScaleTraits


class WeightDisplay:
    """One display; what it remembers is its range and the present load's reading error."""

    def __init__(self, traits: ScaleTraits) -> None:
        self._finest = traits.d
        self._ranges = tuple(traits.ranges) or ((traits.max, traits.d),)
        self._stays = traits.multiple_range
        self._range = 0
        self._step = Decimal(traits.pointer_step)
        self._reads = float(traits.reading_error) * float(traits.d) if self._step else 0.0
        self._random = random.Random(traits.seed)  # noqa: S311 - physics, not secrets
        self._misread = 0.0

    def placed(self, gross: float) -> None:
        """Take note of a load: its range, and how the reader sees it."""
        if self._reads:
            self._misread = self._random.gauss(0.0, self._reads)
        if self._stays:
            empty = abs(gross) <= float(self._finest) / 2
            least = 0 if empty else self._range
            self._range = max(least, self._range_of(gross))

    def reset(self) -> None:
        """Begin in the finest range, as after power on."""
        self._range = 0

    def _range_of(self, value: float) -> int:
        tops = [float(top) for top, _ in self._ranges[:-1]]
        return sum(abs(value) > top for top in tops)

    def interval(self, net: float) -> Decimal:
        """Return the interval that is shown at a net value."""
        if len(self._ranges) == 1:
            return self._finest
        return self._ranges[self._range if self._stays else self._range_of(net)][1]

    def digits(self, value: float) -> Decimal:
        """Return what is shown for a value: the nearest multiple of the interval, half to even.

        The digits after the point are those of the finest interval.
        """
        interval = finest = self.interval(value)
        if self._step:
            interval = finest = interval * self._step
            value += self._misread
        if len(self._ranges) > 1:
            finest = self._finest * (self._step or 1)
        counts = (Decimal(value) / interval).to_integral_value(ROUND_HALF_EVEN)
        shown = (counts * interval).quantize(finest)
        return shown or abs(shown)
