"""The error tree of the way of a verdict, drawn by who must act.

Every error carries its sentence as an English template and its evidence as named values, so that
a viewer can say it in another language and a test can look at the facts.
"""


class BrokerError(Exception):
    """Base of everything this package raises: ``template`` filled with ``evidence``."""

    def __init__(self, template: str, /, **evidence: object) -> None:
        super().__init__(template.format(**evidence))
        self.template = template
        self.evidence = evidence


class BrokerAway(BrokerError):
    """The MQTT broker did not answer or refused: look at the network, the broker, the password."""


class TakenOver(BrokerError):
    """Somebody else uses our client identifier: look at the broker's log for who that is."""


class NotPermitted(BrokerError):
    """The broker refuses what we publish or ask for: correct its access file, or our certificate."""


class OutboxFailed(BrokerError):
    """The station's disk is full, its outbox locked or broken: no new run may start."""


class OlderOutbox(BrokerError):
    """The outbox ends below numbers that it once gave: a person says where they go on."""


class StoreFailed(BrokerError):
    """The records system's disk is full, its store locked or broken: no receipt is given."""


class ConflictingRecord(BrokerError):
    """Two different contents claim one identity: a person must look at both."""


class BadRecord(BrokerError):
    """Bytes or values that are no message of the contract: correct whoever wrote them."""


class Untrusted(BrokerError):
    """A message that nobody we trust has signed: compare the keys, or look for the forger."""


class BadSecret(BrokerError):
    """A key or password file that is damaged, missing or readable by others: correct it."""


class Cloned(BrokerError):
    """Another computer speaks for the same bench: a person must say which of the two counts."""
