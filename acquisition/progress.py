"""Who must show that it gets on, and who has not for too long.

Progress is shown by evidence that differs, such as a counter; nobody is believed because his task
still exists. Knows moments on a monotonic clock and nothing of what the work is.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Expected:
    evidence: Callable[[], object]
    patience: float
    last: object
    at: float


class Progress:
    """Those who are expected to get on."""

    def __init__(self) -> None:
        self._expected: dict[str, _Expected] = {}

    def expect(self, name: str, patience: float, evidence: Callable[[], object]) -> None:
        """Expect that ``evidence()`` differs within every ``patience`` [s]."""
        self._expected[name] = _Expected(evidence, patience, evidence(), time.monotonic())

    def stuck(self) -> dict[str, float]:
        """Look at all of them; return who does not get on, and for how long [s]."""
        now = time.monotonic()
        found = {}
        for name, one in self._expected.items():
            shown = one.evidence()
            if shown != one.last:
                one.last, one.at = shown, now
            elif now - one.at > one.patience:
                found[name] = now - one.at
        return found
