"""The time in which simulated instruments live: ours, faster, or with a leap."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class SimulatedClock:
    """Seconds of a life that runs ``pace`` times as fast as ours."""

    def __init__(self, pace: float = 1.0) -> None:
        self.pace = pace
        self._origin = time.monotonic()
        self._leapt = 0.0
        self._leap = asyncio.Event()
        self._held: float | None = None

    def __call__(self) -> float:
        """Return the time [s]."""
        if self._held is not None:
            return self._held
        return self._origin + (time.monotonic() - self._origin) * self.pace + self._leapt

    @contextmanager
    def at(self, moment: float) -> Iterator[None]:
        """Let it be this moment [s] for what is done at once; nothing is awaited meanwhile."""
        self._held = moment
        try:
            yield
        finally:
            self._held = None

    def leap(self, seconds: float) -> None:
        """Let this time pass at once."""
        self._leapt += seconds
        passed, self._leap = self._leap, asyncio.Event()
        passed.set()

    async def until(self, moment: float) -> None:
        """Wait for a moment of this clock; one that is past is waited for no more."""
        while (left := moment - self()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left / self.pace):
                    await self._leap.wait()
