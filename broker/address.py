"""Where a broker is and what the topics are called.

Knows names only. Refuses to connect, and refuses names that would be a wildcard or a level more.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from broker.failure import BadRecord

Protocol = Literal["auto", "5", "3.1.1"]


@dataclass(frozen=True, slots=True)
class Tls:
    """How a connection is secured, and who we are on it."""

    ca_file: Path | None = None
    """Authorities that vouch for the broker, PEM; None: those that the system knows."""
    name: str = ""
    """Name that our own certificate must bear: ``bench@office``."""
    certificate_file: Path | None = None
    """Our own certificate, PEM, with those between it and the authority; None: none is shown."""
    key_file: Path | None = None
    """Its key, PEM without a passphrase, readable by its owner only."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """An MQTT broker and how to greet it."""

    host: str
    """Name or IP address."""
    port: int = 1883
    """TCP port."""
    protocol: Protocol = "auto"
    """MQTT version; auto: 5 first, 3.1.1 when that is refused."""
    username: str | None = None
    """User name, None for none."""
    password: str | None = field(default=None, repr=False)
    """Password, never printed."""
    client_id: str = "tera"
    """What every client identifier begins with."""
    tls: Tls | None = None
    """How the connection is secured; None: anybody on the network reads and alters it."""

    def __str__(self) -> str:
        """Name host and port."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one office; ``trial`` ones lie one level deeper."""

    office: str
    """Code of the unit, for example 3516."""
    trial: bool = False
    """Whether these are the topics of simulated and replayed things."""

    @property
    def root(self) -> str:
        """Return what every topic begins with, without the last slash."""
        return f"tera/v1/{level(self.office)}" + "/trial" * self.trial

    def live(self, bench: str, instrument: str) -> str:
        """Return the topic of an instrument's blocks of indications."""
        return f"{self.root}/live/{level(bench)}/{level(instrument)}"

    def state(self, bench: str) -> str:
        """Return the topic of a bench's state and last will; ``+`` for all."""
        return f"{self.root}/state/{_level_or_all(bench)}"

    def order(self, order: str) -> str:
        """Return the topic of an order; ``+`` for all."""
        return f"{self.root}/orders/{_level_or_all(order)}"

    def start(self, verification: str) -> str:
        """Return the topic of a start, and of its abandonment; ``+`` for all."""
        return f"{self.root}/starts/{_level_or_all(verification)}"

    def verdict(self, verification: str) -> str:
        """Return the topic of a verdict; ``+`` for all."""
        return f"{self.root}/verdicts/{_level_or_all(verification)}"

    def record(self, kind: str, verification: str) -> str:
        """Return the topic on which a record of this kind travels."""
        return self.verdict(verification) if kind == "verdict" else self.start(verification)

    def receipts(self, bench: str) -> str:
        """Return the topic of a bench's receipts."""
        return f"{self.root}/receipts/{level(bench)}"


def topics(office: str, trial: bool) -> Topics:
    """Return the topics of an office, or of its trials."""
    return Topics(office, trial)


def level(name: str) -> str:
    """Return a name that may stand as one level of a topic; BadRecord otherwise."""
    if not name or len(name) > 200 or set(name) & set("/+#\0"):
        raise BadRecord(
            "{name} cannot be part of an MQTT topic: it is empty, too long, or has / + or # in it",
            name=repr(name)[:80],
        )
    return name


def _level_or_all(name: str) -> str:
    return name if name == "+" else level(name)
