"""A counter that begins at 0 again: the total since the first look, and restarts made visible.

Knows one register with its modulus. Refuses to bridge what it cannot know: a counter that fell
without having been near its end was restarted, and what passed meanwhile is lost, not zero.
"""

from decimal import Decimal
from math import ceil
from typing import Final

from drivers.registers import Decoded, Register, measured, worth

_NEAR: Final = 16
"""Without a known rate, a step of more than 1/16 of the modulus is no counting."""


class PulseCount:
    """The counts of one register since the first look at it."""

    def __init__(self, register: Register) -> None:
        if register.modulus is None:
            raise ValueError(f"{register.quantity} has no modulus")
        self._register = register
        self._modulus = register.modulus
        self._last: int | None = None
        self._seen_ns = 0
        self._total = 0
        self.stretch = 0
        """Grows when counts were lost: totals of two stretches have no difference."""

    def add(self, raw: int, sent_ns: int, arrived_ns: int) -> Decoded:
        """Take the next raw number, asked for and arrived at monotonic times [ns]."""
        last, self._last = self._last, raw
        # The request before may have been read at once and this one at the last moment.
        passed = (arrived_ns - self._seen_ns) / 1e9
        self._seen_ns = sent_ns
        if raw >= self._modulus:
            return self._restarted(f"{raw} is more than the counter can show")
        if last is None:
            return self._shown()
        step = (raw - last) % self._modulus
        if step > self._most(passed):
            return self._restarted(f"the counter went from {last} to {raw}: it was restarted")
        self._total += step
        return self._shown()

    def _most(self, passed: float) -> int:
        """Give the largest number of counts that can have come in some time [s]."""
        near = self._modulus // _NEAR
        rate: Decimal | None = self._register.max_rate
        return near if rate is None else min(self._modulus // 2, ceil(float(rate) * passed) + 1)

    def _restarted(self, why: str) -> Decoded:
        self.stretch += 1
        self._total = 0
        if self._last is not None and self._last >= self._modulus:
            self._last = None
        return Decoded(self._register.quantity, "", None, None, why)

    def _shown(self) -> Decoded:
        return measured(self._register, worth(self._register, self._total))
