"""An event loop whose time is that of a capture: nothing waits, everything keeps its order.

When nothing is ready the clock leaps to the next moment that somebody waits for. So timeouts,
pauses and silences of the drivers mean what they meant on the line, and a session of an hour takes
seconds. Knows no capture itself. Refuses to stand still: when nobody waits for a moment any more,
the replay has come to its end without a result.
"""

import asyncio
import selectors
from typing import NoReturn


class ReplayEnded(Exception):
    """What was written down is over, or tells of something else: the replay cannot go on.

    No fault of a line, which a driver would live through.
    """

    def __init__(self, template: str, /, **evidence: object) -> None:
        super().__init__(template.format(**evidence))
        self.template = template
        self.evidence = evidence


class CapturedTime(asyncio.SelectorEventLoop):
    """Begins at a moment of the monotonic clock [ns] and leaps from there."""

    def __init__(self, begin_ns: int) -> None:
        self._at = begin_ns / 1e9
        super().__init__(_Leaping(self))

    def time(self) -> float:
        """Return the captured time [s]."""
        return self._at

    def leap(self, seconds: float) -> None:
        """Let so much time pass at once."""
        self._at += seconds


class _Leaping(selectors.DefaultSelector):
    """Waits for nothing: it lets the loop's time pass instead."""

    def __init__(self, loop: CapturedTime) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; when nothing is, leap."""
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise ReplayEnded("The capture ends before the verification does.")
        self._loop.leap(max(0.0, timeout))
        return []


async def until(moment_ns: int) -> None:
    """Wait until a captured moment [ns]; one that has passed is not waited for."""
    loop = asyncio.get_running_loop()
    if (left := moment_ns / 1e9 - loop.time()) > 0:
        await asyncio.sleep(left)


async def for_ever() -> NoReturn:
    """Wait for what never comes."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError
