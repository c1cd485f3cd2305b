"""What went wrong, in one sentence and one exit code.

Exit codes are the contract's: 2 for input or configuration that must be corrected, 3 for an
instrument, broker or store that did not answer. A fault of the program itself is 70, so that it
can never be taken for a verdict.
"""

from acquisition.language import t
from broker.failure import BadSecret, BrokerError
from calibration.refusal import Refused
from drivers.errors import BadDriverSettings, DriverError

CONFORMING, NONCONFORMING, BAD_INPUT, NO_ANSWER, PROGRAM_FAULT, INTERRUPTED = 0, 1, 2, 3, 70, 130


class BadInput(Exception):
    """Input or configuration that must be corrected; ``place`` names file, line and key."""

    def __init__(self, template: str, /, *, place: str = "", **evidence: object) -> None:
        super().__init__(f"{place}: " * bool(place) + template.format(**evidence))
        self.template = template
        self.evidence = evidence
        self.place = place


class Abandoned(Exception):
    """A run that ended without a verdict; it stays visible as abandoned, with this reason."""

    def __init__(self, template: str, /, **evidence: object) -> None:
        super().__init__(template.format(**evidence))
        self.template = template
        self.evidence = evidence


type_of_known = (BadInput, Abandoned, DriverError, Refused, BrokerError)


def sentence(error: BaseException) -> str:
    """Say the error in one sentence, in the language in force."""
    if isinstance(error, type_of_known):
        text = t(error.template, **error.evidence)
        place = getattr(error, "place", "") or getattr(error, "key", "") or ""
        return f"{place}: {text}" if place else text
    return f"{type(error).__name__}: {error}"


def english(error: BaseException) -> str:
    """Say the error in English, as records do."""
    return str(error) if isinstance(error, type_of_known) else f"{type(error).__name__}: {error}"


def exit_code(error: BaseException) -> int:
    """Return the contract's exit code for an error."""
    if isinstance(error, BadInput | Refused | BadDriverSettings | BadSecret):
        return BAD_INPUT
    if isinstance(error, DriverError | BrokerError | Abandoned):
        return NO_ANSWER
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return PROGRAM_FAULT
