"""When to try a broker again after its line broke, and what to say of it.

Knows moments, errors and how short a line was. Refuses to know who connects, and why.
"""

import logging
import time

from broker.connection import first, taken_over

_SOON = 5.0
"""A line that breaks so soon [s] after it was made is called short: somebody pushes us out, or the
broker ends each line on which something was denied, as Mosquitto 2.0.11 does."""
_CAREFUL = 3
"""As many tries are taken as done, at most, after short lines: 0.8 s until the next."""


class Comeback:
    """The tries of one who wants to stay connected."""

    def __init__(self) -> None:
        self.short = 0
        """Lines in a row that broke soon."""
        self._tries = 0
        self._begun = 0.0
        self._said: set[str] = set()

    def made(self) -> None:
        """Note that there is a line."""
        self._tries, self._begun = min(self.short, _CAREFUL), time.monotonic()
        if not self.short:
            self._said = set()

    def broke(self, error: BaseException) -> tuple[int, BaseException]:
        """Note why there is none; return at which level to say so, and what: news is a warning."""
        why = taken_over(error) or first(error)
        level = logging.DEBUG if str(why) in self._said else logging.WARNING
        self._said.add(str(why))
        if self._begun:
            self.short = self.short + 1 if time.monotonic() - self._begun < _SOON else 0
            self._begun = 0.0
        return level, why

    def pause(self) -> float:
        """Return the pause [s] before the next try: 0.1, 0.2, 0.4 ... 30."""
        tries, self._tries = self._tries, self._tries + 1
        return float(min(30.0, 0.1 * 2 ** min(tries, 10)))
