"""The legal tables that travel with the program, as data with their sources and digests.

Knows which documents and editions exist, since when they are valid and how sure their numbers
are. Refuses to know what a rule means (`calibration.mpe`) and whether an office approved it.
"""

import datetime
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from hashlib import sha256
from importlib import resources
from types import MappingProxyType
from typing import Any

from calibration.refusal import Refused

CONFIDENCES = ("V", "V2", "K-high", "K-med", "K-low")
"""How a number was confirmed, surest first; the tables' headers say what each means."""
PROVISIONAL = frozenset({"K-med", "K-low"})
"""Confidences whose numbers make a result provisional."""


@dataclass(frozen=True, slots=True)
class LegalTable:
    """One document and edition."""

    id: str
    """``r76``"""
    edition: str
    """``2006``"""
    document: str
    """``OIML R 76-1:2006``"""
    title: str
    clause: str
    """The clause that carries the main table."""
    valid_from: datetime.date
    valid_to: datetime.date | None
    """Last day of validity; None while it is in force."""
    confidence: str
    """One of CONFIDENCES."""
    digest: str
    """``sha256:`` of the file's bytes."""
    notes: tuple[str, ...]
    """What a reader of a result should know of the table."""
    transcription: str
    """Where the numbers were read: the comment at the top of the file."""
    rules: Mapping[str, Any] = field(compare=False, repr=False)
    """Rule, stages and classes as in the file, numbers with a point as Decimal."""

    @property
    def name(self) -> str:
        """Give the name that picks exactly this edition, as in ``r76@2006``."""
        return f"{self.id}@{self.edition}"

    @property
    def provisional(self) -> bool:
        """Tell whether every result from this table is provisional."""
        return self.confidence in PROVISIONAL

    @property
    def classes(self) -> tuple[str, ...]:
        """List the accuracy classes."""
        return tuple(self.rules["class"])

    @property
    def stages(self) -> tuple[str, ...]:
        """List the stages of legal control."""
        return tuple(self.rules["stage"])

    def valid(self, on: datetime.date) -> bool:
        """Tell whether the edition is in force on a day."""
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)


@cache
def tables() -> tuple[LegalTable, ...]:
    """List every packaged legal table, ordered by id and edition."""
    folder = resources.files("calibration.legal")
    found = [
        read_table(entry.read_bytes(), entry.name)
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    ]
    return tuple(sorted(found, key=lambda table: (table.id, table.edition)))


def legal_table(name: str, on: datetime.date | None = None) -> LegalTable:
    """Find ``r76`` (the newest edition, or the newest in force on a day) or ``r76@2006``."""
    identity, _, edition = name.partition("@")
    editions = [
        table
        for table in tables()
        if table.id == identity and (not edition or table.edition == edition)
    ]
    if not editions or name.endswith("@"):
        raise Refused(
            "there is no legal table {name!r}: there are {known}.",
            name=name,
            known=", ".join(table.name for table in tables()),
        )
    in_force = [table for table in editions if on is None or table.valid(on)]
    if not in_force:
        raise Refused(
            "no edition of {name} is in force on {on}: {known}.",
            name=name,
            on=on,
            known=", ".join(
                f"{table.name} from {table.valid_from} to {table.valid_to or 'now'}"
                for table in editions
            ),
        )
    return in_force[-1]


def read_table(content: bytes, file: str) -> LegalTable:
    """Read one table from the bytes of its file."""
    try:
        text = content.decode("utf-8")
        data = tomllib.loads(text, parse_float=Decimal)
        table = LegalTable(
            id=data["id"],
            edition=data["edition"],
            document=data["document"],
            title=data["title"],
            clause=data["clause"],
            valid_from=data["valid_from"],
            valid_to=data.get("valid_to"),
            confidence=data["confidence"],
            digest=f"sha256:{sha256(content).hexdigest()}",
            notes=tuple(data["notes"]),
            transcription=_header(text),
            rules=MappingProxyType(
                {"rule": data["rule"], "stage": data["stage"], "class": data["class"]}
            ),
        )
    except (ValueError, KeyError) as error:
        raise Refused("{file} is no legal table: {error}.", file=file, error=error) from error
    confidences = {table.confidence, *(stage["confidence"] for stage in data["stage"].values())}
    if not confidences <= set(CONFIDENCES):
        raise Refused("{file} has an unknown confidence.", file=file)
    return table


def _header(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return "\n".join(lines)
