"""What an instrument shows, as a value that never changes again.

Knows the words of an indication and where it came from. Refuses to know the law: whether an
indication may enter a verdict is decided elsewhere.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Condition(StrEnum):
    """What the instrument says of its indication."""

    STABLE = "stable"
    """The instrument itself declares the indication stable (or in equilibrium)."""
    DYNAMIC = "dynamic"
    """A valid value that the instrument does not declare stable."""
    OVERLOAD = "overload"
    UNDERLOAD = "underload"
    FAULT = "fault"
    """No value: the instrument, its sensor or its line is at fault; ``detail`` says which."""


class Origin(StrEnum):
    """Where an indication came from; anything but wire and manual makes a verdict a trial."""

    WIRE = "wire"
    MANUAL = "manual"
    REPLAY = "replay"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Indication:
    """One indication of one quantity by one instrument (VIM 4.1)."""

    instrument: str
    """Name of the instrument in the station."""
    quantity: str
    """Measurand in the instrument's own terms: ``weight``, ``volume_flow``, ``totalizer_1`` ..."""
    text: str
    """The digits as displayed, trailing zeros kept; empty when nothing was displayed."""
    value: Decimal | None
    """Exactly the displayed digits; None unless stable or dynamic."""
    unit: str | None
    """Unit symbol as pint prints it (``g``, ``kg``, ``m³/h``); None unless stable or dynamic."""
    condition: Condition
    detail: str | None
    """Which overload, underload or fault, in the protocol's words; None otherwise."""
    origin: Origin
    time: datetime
    """UTC wall-clock time of arrival: for people, never for order."""
    since_ns: int
    """Monotonic clock [ns]: the indication cannot have been asked for or begun before this.

    A polled indication: when the request was sent. A streamed one: when the frame before it
    had arrived. An indication is fresh after an event when ``since_ns`` lies after the event.
    """
    arrived_ns: int
    """Monotonic clock [ns] when the last byte had arrived."""
    sequence: int
    """Counts the indications of this driver from 0 without gaps."""
    raw: bytes
    """The bytes (or registers, big-endian) that carried it."""
    stretch: int = 0
    """Grows when a counter was restarted: totals of two stretches have no difference."""
