"""What a simulated instrument can be told to suffer, and what that does to its bytes.

Knows bytes and chance, seeded. Refuses to know protocols: what a wrong checksum or a second
instrument would say is asked of whoever speaks.
"""

import random
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from drivers.errors import BadDriverSettings


class Fault(StrEnum):
    """A fault that comes on command; each instrument knows which of them it can suffer."""

    SILENCE = "silence"
    """It hears nothing and says nothing."""
    NOISE = "noise"
    """Random bytes instead of answers, as a wrong baud rate gives."""
    OVERLOAD = "overload"
    """Too much load, or too much flow."""
    STALE = "stale"
    """The answers of the moment when the fault began, again and again: a gateway's memory."""
    LATE = "late"
    """Answers come, but too late."""
    HALF = "half"
    """The first half of each frame."""
    CHECKSUM = "checksum"
    """Whole frames that are not what was sent: only their checksum tells."""
    COLLISION = "collision"
    """A second instrument answers too: over this one or right after it."""
    CABLE = "cable"
    """The cable is pulled at the instrument: the port stays, nothing gets through."""
    ADAPTER = "adapter"
    """The port itself is gone until recovery, as when a USB adapter is pulled."""
    POWER = "power"
    """Off and on again; it ends by itself when the instrument has started."""
    EXCEPTION = "exception"
    """Every request gets Modbus exception 4, device failure."""
    SENSOR = "sensor"
    """Every value is the map's sensor-fault pattern, NaN for floats."""
    ALARM = "alarm"
    """The status register says that the meter is not in order."""


OF_SCALES: Final = (
    *(Fault.SILENCE, Fault.NOISE, Fault.OVERLOAD, Fault.STALE, Fault.LATE, Fault.HALF),
    *(Fault.CHECKSUM, Fault.COLLISION, Fault.CABLE, Fault.ADAPTER, Fault.POWER),
)
OF_METERS: Final = (*OF_SCALES, Fault.EXCEPTION, Fault.SENSOR, Fault.ALARM)
DEAF: Final = (Fault.SILENCE, Fault.CABLE, Fault.ADAPTER, Fault.POWER)
"""Faults in which no request arrives."""

_NOISE_LENGTH: Final = 20


def without_a_name() -> BadDriverSettings:
    """Return what to say where a port that is gone could not come back as the same."""
    return BadDriverSettings(
        "A port without a name of its own cannot be pulled: start it on pty:/path/to/link or TCP."
    )


class Damage:
    """What a line does to frames on their way out."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - noise, not secrets

    def to(
        self,
        frame: bytes,
        fault: Fault | None,
        *,
        spoiled: Callable[[bytes], bytes],
        other: Callable[[], bytes],
    ) -> bytes:
        """Return what is heard of a frame.

        ``spoiled`` makes its checksum wrong; ``other`` is what a second instrument would say.
        """
        match fault:
            case Fault.NOISE:
                return self._random.randbytes(_NOISE_LENGTH)
            case Fault.HALF:
                return frame[: max(len(frame) // 2, 1)]
            case Fault.CHECKSUM:
                return spoiled(frame)
            case Fault.COLLISION:
                return self._collided(frame, other())
            case _ if fault in DEAF:
                return b""
            case _:
                return frame

    def _collided(self, frame: bytes, other: bytes) -> bytes:
        """Let two drivers pull one pair of wires: a 0 of either wins; or let one be slower."""
        late = self._random.randrange(len(frame) + 1)
        if late == len(frame):
            return frame + other
        heard = bytearray(max(len(frame), late + len(other)))
        for index in range(len(heard)):
            one = frame[index] if index < len(frame) else 0xFF
            two = other[index - late] if late <= index < late + len(other) else 0xFF
            heard[index] = one & two
        return bytes(heard)
