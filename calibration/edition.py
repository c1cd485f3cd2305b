"""What the files of law have in common: tables and national settings alike.

Knows where they lie, their digests, how sure their numbers are, and which edition is meant by a
name and a day. Refuses to know what stands in them.
"""

import datetime
from collections.abc import Iterable
from hashlib import sha256
from importlib import resources
from typing import Protocol, TypeVar

from calibration.refusal import Refused

CONFIDENCES = ("V", "V2", "K-high", "K-med", "K-low")
"""How a number was confirmed, surest first; the tables' headers say what each means."""
PROVISIONAL = frozenset({"K-med", "K-low"})
"""Confidences whose numbers make a result provisional."""


class Edition(Protocol):
    """One document and edition."""

    @property
    def id(self) -> str:
        """Name without the edition."""

    @property
    def edition(self) -> str:
        """Year, or what else tells editions apart."""

    @property
    def name(self) -> str:
        """Name that picks exactly this edition."""

    @property
    def valid_from(self) -> datetime.date | None:
        """First day of validity; None where no source says."""

    @property
    def valid_to(self) -> datetime.date | None:
        """Last day of validity; None while it is in force."""


_Edition = TypeVar("_Edition", bound=Edition)


def in_force(edition: Edition, on: datetime.date) -> bool:
    """Tell whether an edition is in force on a day."""
    began = edition.valid_from is None or edition.valid_from <= on
    return began and (edition.valid_to is None or on <= edition.valid_to)


def chosen(
    name: str, among: Iterable[_Edition], on: datetime.date | None, unknown: str
) -> _Edition:
    """Find ``r76`` (the newest edition, or the newest in force on a day) or ``r76@2006``.

    ``among`` has older editions first; ``unknown`` is the sentence when there is no such name.
    """
    known = tuple(among)
    identity, _, edition = name.strip().lower().partition("@")
    editions = [one for one in known if one.id == identity and edition in ("", one.edition)]
    if not editions or name.endswith("@"):
        raise Refused(unknown, name=name, known=", ".join(one.name for one in known))
    found = [one for one in editions if on is None or in_force(one, on)]
    if not found:
        raise Refused(
            "no edition of {name} is in force on {on}: {known}.",
            name=name,
            on=on,
            known=", ".join(
                f"{one.name} from {one.valid_from or '?'} to {one.valid_to or 'now'}"
                for one in editions
            ),
        )
    return found[-1]


def packaged(folder: str) -> list[tuple[str, bytes]]:
    """Read the text files of a folder beside this module, by name."""
    entries = (resources.files("calibration") / folder).iterdir()
    return sorted((e.name, e.read_bytes()) for e in entries if e.name.endswith(".toml"))


def digest_of(content: bytes) -> str:
    """Give the digest that an office approves: it changes with every byte of the file."""
    return f"sha256:{sha256(content).hexdigest()}"


def confidences_in(data: object) -> set[str]:
    """Collect every confidence stated anywhere in a file."""
    found: set[str] = set()
    if isinstance(data, dict):
        for key, value in data.items():
            if key == "confidence":
                found |= set(value.values()) if isinstance(value, dict) else {value}
            else:
                found |= confidences_in(value)
    elif isinstance(data, list):
        for value in data:
            found |= confidences_in(value)
    return found


def weakest(*confidences: str) -> str:
    """Give the least sure of some confidences."""
    known = [CONFIDENCES.index(confidence) for confidence in confidences if confidence]
    return CONFIDENCES[max(known)] if known else ""


def header_of(text: str) -> str:
    """Give the comment at the top of a file: where its numbers were read."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return "\n".join(lines)
