"""What was published and has no receipt yet: how much more may go out, and what goes out again.

Knows places in a sequence and moments on a monotonic clock; touches neither disk nor network.
"""

from dataclasses import dataclass

_STUCK = 4
"""After so many tries, while later records are receipted, a record no longer blocks the others."""


@dataclass(slots=True)
class _Sent:
    tries: int
    first: float
    due: float


class Backlog:
    """The records of one bench that are out at present."""

    def __init__(self, window: int, first_pause: float, longest_pause: float) -> None:
        self._window = window
        self._first = first_pause
        self._longest = longest_pause
        self._out: dict[int, _Sent] = {}
        self._receipted = 0
        self._latency = 0.0
        self.last = 0
        """Highest place in the sequence that was published."""

    @property
    def room(self) -> int:
        """Return how many new records may go out [records].

        When all that is out was tried often in vain, one more may go: perhaps it is they, and not
        the records system.
        """
        blocking = [
            sent.tries
            for seq, sent in self._out.items()
            if not (sent.tries >= _STUCK and seq < self._receipted)
        ]
        if len(blocking) >= self._window:
            return int(min(blocking) >= _STUCK)
        return self._window - len(blocking)

    @property
    def out(self) -> int:
        """Return how many records are out [records]."""
        return len(self._out)

    def sent(self, seq: int, now: float) -> None:
        """Note that a record went out at ``now`` [s]; the next time is twice as far away.

        Nothing goes out again before receipts usually take, twice over: on a slow line or with a
        broker that is behind, repetitions would only make it slower.
        """
        known = self._out.get(seq)
        tries = 1 if known is None else known.tries + 1
        pause = self._pause() * 2 ** min(tries - 1, 20)
        first = now if known is None else known.first
        self._out[seq] = _Sent(tries, first, now + min(self._longest, pause))
        self.last = max(self.last, seq)

    def hurry(self, now: float) -> None:
        """Have everything go out again soon: the records system has come, after we do not know what."""
        soon = now + self._pause()
        for sent in self._out.values():
            sent.due = min(sent.due, soon)

    def _pause(self) -> float:
        return max(self._first, 2 * self._latency)

    def receipted(self, seq: int, now: float) -> None:
        """Note a receipt that came at ``now`` [s]."""
        known = self._out.pop(seq, None)
        if known is not None:
            self._latency += (now - known.first - self._latency) / 8
        self._receipted = max(self._receipted, seq)

    def due(self, now: float) -> tuple[int, ...]:
        """Return, in order, what should go out again."""
        return tuple(sorted(seq for seq, sent in self._out.items() if sent.due <= now))

    def forget(self, seq: int) -> None:
        """Note that a record needs nothing more: another program saw its receipt."""
        self._out.pop(seq, None)

    def next_due(self, now: float) -> float:
        """Return how long [s] until something is due; the longest pause when nothing is out."""
        return min((sent.due for sent in self._out.values()), default=now + self._longest) - now
