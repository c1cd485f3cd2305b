"""What a bench was sent and did not take: all of it counted, each thing named once."""

import logging

from broker.failure import BrokerError

log = logging.getLogger(__name__)

_EACH = 5
"""Most sentences of one kind that are said; whoever floods a bench shall not flood its log."""


class Refusals:
    """What was refused: all of it is counted, each kind of it is named a few times and no more."""

    def __init__(self) -> None:
        self.count = 0
        self._named: dict[str, set[str]] = {}

    def note(self, bench: str, topic: str, error: BrokerError) -> None:
        """Count a refusal and say it, unless it was said before or its kind was said often."""
        self.count += 1
        named = self._named.setdefault(error.template, set())
        said = f"{topic}: {error}"
        if said in named or len(named) >= _EACH:
            log.debug("bench %s: refused on %s", bench, said)
            return
        named.add(said)
        log.warning("bench %s: refused on %s: %s", bench, topic, error)
