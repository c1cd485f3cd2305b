"""What benches say of themselves, as a records system hears it.

A bench states which of its numbers were receipted: a store that was restored or made anew learns from
it what it once had, also when no later number ever comes. Believes nothing: it only asks for more.
"""

from dataclasses import dataclass

from broker.address import Topics
from broker.failure import BadRecord
from broker.record import decode, validate
from broker.stored import NOTHING, Delivered


@dataclass(frozen=True, slots=True)
class Said:
    """What one bench said."""

    bench: str
    trial: bool
    delivered: Delivered
    """Numbers that it has receipts for."""
    given: int
    """Highest number that it knows to be given."""
    came: bool
    """Whether it has come online since it was heard last: it is told what is stored of it."""


class BenchStates:
    """The states of the benches of an office."""

    def __init__(self, office: str) -> None:
        self._office = office
        self._topics = {Topics(office, trial).state("+")[:-1]: trial for trial in (False, True)}
        self._came: dict[tuple[str, bool], tuple[str, str]] = {}

    @property
    def filters(self) -> list[str]:
        """Return what to subscribe to."""
        return [f"{prefix}+" for prefix in self._topics]

    def is_one(self, topic: str) -> bool:
        """Say whether a state is spoken on a topic."""
        return f"{topic.rpartition('/')[0]}/" in self._topics

    def forget(self) -> None:
        """Have every bench that is online count as one that came: it may have missed what we said."""
        self._came.clear()

    def read(self, topic: str, body: bytes) -> Said:
        """Read a state; BadRecord when it is none of this topic."""
        said = decode(body)
        if validate(said) != "state":
            raise BadRecord(
                "a {kind} was expected here, not a {found}", kind="state", found="record"
            )
        prefix, _, bench = topic.rpartition("/")
        if (said["office"], said["bench"]) != (self._office, bench):
            raise BadRecord("the state of bench {bench} is not its own", bench=bench)
        trial = self._topics[f"{prefix}/"]
        numbers = said.get("numbers", {})  # without them it does not listen yet, or never does
        since = (said.get("station", ""), said["connected"])
        online = said["state"] == "online" and bool(numbers)
        came = online and self._came.get((bench, trial)) != since
        if came:
            self._came[bench, trial] = since
        delivered = Delivered(numbers["started"], numbers["ended"]) if numbers else NOTHING
        return Said(bench, trial, delivered, numbers.get("given", 0), came)
