"""The error tree of the drivers, drawn by who must act.

Every error carries its sentence as an English template and its evidence as named values, so that
a viewer can say it in another language and a test can look at the facts.
"""


class DriverError(Exception):
    """Base of everything a driver raises: ``template`` filled with ``evidence``."""

    def __init__(self, template: str, /, **evidence: object) -> None:
        super().__init__(template.format(**evidence))
        self.template = template
        self.evidence = evidence


class LinkLost(DriverError):
    """The port, cable, adapter or server is away: reconnect, or look at the cable."""


class NoAnswer(DriverError):
    """The line is open and the instrument is silent: look at the instrument and its settings."""


class Garbled(DriverError):
    """Bytes arrive that are no frame of this protocol: look at speed, framing and protocol."""


class InstrumentRefused(DriverError):
    """The instrument understood and said no: act on what it said."""


class BadDriverSettings(DriverError):
    """A driver, map or setting that does not exist or does not fit: correct the configuration."""
