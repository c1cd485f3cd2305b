"""Indications for dashboards: lossy by design, and honest about how lossy."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from broker.record import encode, timestamp


class LiveBuffer:
    """The newest indications of one instrument that were not sent yet."""

    def __init__(self, office: str, bench: str, instrument: str, depth: int) -> None:
        self._names = {"office": office, "bench": bench, "instrument": instrument}
        self._waiting: deque[Mapping[str, Any]] = deque(maxlen=depth)
        self._dropped = 0
        self._blocks = 0
        self.dropped = 0
        """Indications lost since the beginning."""

    def offer(self, indication: Mapping[str, Any]) -> None:
        """Add an indication; when full, the oldest one is dropped and counted."""
        if len(self._waiting) == self._waiting.maxlen:
            self._dropped += 1
            self.dropped += 1
        self._waiting.append(indication)

    def take_block(self) -> bytes | None:
        """Return what waits as one live block, None when nothing does."""
        if not self._waiting:
            return None
        self._blocks += 1
        block = {
            "schema": "tera/live/1",
            **self._names,
            "block": self._blocks,
            "sent": timestamp(),
            "dropped": self._dropped,
            "indications": list(self._waiting),
        }
        self._waiting.clear()
        self._dropped = 0
        return encode(block)
