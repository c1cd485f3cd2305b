"""How one unit on a Modbus bus wants to be asked: its speed, its pauses, its sleep.

Knows figures of manuals. Refuses to send anything: `drivers.modbus` keeps to them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sleep:
    """A unit that sleeps loses the request that wakes it, and wants a second one soon after."""

    after: float
    """Silence after which it sleeps [s]."""
    wait: float
    """Longest that it takes for an answer when awake [s]: nothing by then means it slept."""
    within: float
    """The second request must follow the first within this time [s]."""


@dataclass(frozen=True, slots=True)
class UnitManners:
    """What the map of an instrument says of asking it; None leaves it to the bus."""

    baudrate: int | None = None
    """Factory speed of its serial line [Bd]."""
    framing: str | None = None
    """Factory data bits, parity and stop bits: ``8E1``."""
    unit: int | None = None
    """Factory unit identifier."""
    timeout: float | None = None
    """How long its answer may take beyond the time on the line [s]."""
    turnaround: float = 0.0
    """Least pause after its answer before it can take the next request [s]."""
    sleep: Sleep | None = None
