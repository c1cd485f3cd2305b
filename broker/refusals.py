"""What was sent to us and not taken: all of it counted, each thing named once.

Whoever floods a bench or a records system shall not flood its log, where the next one who really
needs to be heard would drown.
"""

import time

from broker.failure import BrokerError

_EACH = 5
"""Most sentences of one kind that are said within a while."""
_WHILE = 3600.0
"""After so long [s] everything is news again."""


class Refusals:
    """What was refused by one program."""

    def __init__(self) -> None:
        self.count = 0
        self._named: dict[str, set[str]] = {}
        self._since = time.monotonic()

    def is_news(self, topic: str, error: BrokerError) -> bool:
        """Count a refusal; say whether it should be said."""
        self.count += 1
        now = time.monotonic()
        if now - self._since > _WHILE:
            self._named, self._since = {}, now
        named = self._named.setdefault(error.template, set())
        said = f"{topic}: {error}"
        if said in named or len(named) >= _EACH:
            return False
        named.add(said)
        return True
