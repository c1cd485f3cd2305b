"""What an examination of the station found, one check at a time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One check."""

    what: str
    state: str
    """``ok``, ``note`` (works, with a limit that matters) or ``fault``."""
    text: str
    advice: str = ""
