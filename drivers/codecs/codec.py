"""What every protocol's codec offers, and the values it speaks in."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from drivers.framing import Framer
from drivers.indication import Condition


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one frame says of the measurand."""

    text: str
    """The digits as displayed; empty when none were."""
    value: Decimal | None
    """The same digits; None unless stable or dynamic."""
    unit: str | None
    """Unit symbol as pint prints it; None unless stable or dynamic."""
    condition: Condition
    detail: str | None = None
    """Which overload, underload or fault; with a value, what else is marked, joined by ``; ``."""
    quantity: str = "weight"


@dataclass(frozen=True, slots=True)
class Answer:
    """A frame that is no indication: the reply to a command, or an unasked announcement."""

    command: str
    """Which command is answered: ``Z``, ``I4``, or ``ES`` and the like for errors."""
    status: str
    """The protocol's status letter; empty for errors."""
    text: str = ""
    """Whatever follows, without quotation marks."""
    error: bool = False
    """Whether the instrument says that it did not understand."""


@dataclass(frozen=True, slots=True)
class Requests:
    """The bytes that make an instrument speak; None where the protocol has no such request."""

    poll: bytes | None
    """Ask for one indication at once."""
    stream: bytes | None = None
    """Ask for indications without end."""
    zero: bytes | None = None
    tare: bytes | None = None
    identity: tuple[bytes, ...] = ()


class Codec(Protocol):
    """One protocol, sans-IO."""

    @property
    def name(self) -> str:
        """Name in ``driver =``."""

    @property
    def requests(self) -> Requests:
        """What to send."""

    @property
    def units(self) -> Mapping[str, str]:
        """Unit as the instrument prints it -> symbol; any other is refused rather than guessed."""

    @property
    def tells_stability(self) -> bool:
        """Whether the instrument says of an indication that it is stable."""

    def framer(self) -> Framer:
        """Return a new framer for one line."""

    def done(self, request: bytes, *, accepted: bool) -> tuple[Answer, ...] | None:
        """Return what an instrument answers to zero or tare, the last answer being the outcome.

        ``request`` is without line ends. Nothing when there is no answer; None when the answer is
        the weight.
        """

    def decode(self, frame: bytes) -> Decoded | Answer:
        """Say what a whole frame means; Garbled when it is none of this protocol."""

    def encode(self, message: Decoded | Answer) -> bytes:
        """Write a frame with its terminator."""
