"""The legal tables that travel with the program, as data with their sources and digests.

Knows which documents and editions exist, since when they are valid and how sure their numbers
are. Refuses to know what a rule means (`calibration.rules`) and whether an office approved it.
Recommendations lie in ``calibration/legal``, national tables in ``calibration/national``.
"""

import datetime
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from hashlib import sha256
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from calibration.refusal import Refused

if TYPE_CHECKING:
    from calibration.national import NationalSettings

CONFIDENCES = ("V", "V2", "K-high", "K-med", "K-low")
"""How a number was confirmed, surest first; the tables' headers say what each means."""
PROVISIONAL = frozenset({"K-med", "K-low"})
"""Confidences whose numbers make a result provisional."""
SCHEMA = "tera/legal-table/1"
_PARTS = frozenset({"rule", "stage", "class", "given", "bound", "requirement"})
_KEYS = _PARTS | {
    *("schema", "id", "edition", "document", "title", "judul", "clause"),
    *("valid_from", "valid_to", "confidence", "notes"),
}


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
    """Rule, stages, classes, characteristics and further requirements as in the file, numbers
    with a point as Decimal."""
    title_id: str = ""
    """The title in Bahasa Indonesia."""
    settings: "NationalSettings | None" = None
    """National settings that were applied to it; their digest needs approval too."""

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
    found = [
        read_table(content, name)
        for folder in ("legal", "national")
        for name, content in packaged(folder)
        if f'schema = "{SCHEMA}"'.encode() in content
    ]
    return tuple(sorted(found, key=_order))


def packaged(folder: str) -> list[tuple[str, bytes]]:
    """Read the text files of a folder beside this module, by name."""
    entries = (resources.files("calibration") / folder).iterdir()
    return sorted((e.name, e.read_bytes()) for e in entries if e.name.endswith(".toml"))


def _order(table: LegalTable) -> tuple[tuple[int, str], ...]:
    """Order r21 before r111, and national tables last."""
    parts = re.findall(r"[0-9]+|[^0-9]+", f"{table.id}@{table.edition}")
    national = (int(not table.id.startswith("r")), "")
    return (national, *((int(part) if part.isdecimal() else 0, part) for part in parts))


def legal_table(name: str, on: datetime.date | None = None) -> LegalTable:
    """Find ``r76`` (the newest edition, or the newest in force on a day) or ``r76@2006``."""
    identity, _, edition = name.strip().lower().partition("@")
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
            digest=digest_of(content),
            notes=tuple(data["notes"]),
            transcription=header_of(text),
            rules=MappingProxyType(
                {
                    "rule": data["rule"],
                    "stage": data["stage"],
                    "class": data["class"],
                    "given": data.get("given", {}),
                    "bound": data.get("bound", {}),
                    "requirement": data.get("requirement", {}),
                }
            ),
            title_id=data.get("judul", ""),
        )
    except (ValueError, KeyError) as error:
        raise Refused("{file} is no legal table: {error}.", file=file, error=error) from error
    if data.get("schema") != SCHEMA or (unknown := sorted(data.keys() - _KEYS)):
        why = "schema" if data.get("schema") != SCHEMA else ", ".join(unknown)
        raise Refused("{file} is no legal table: {error}.", file=file, error=why)
    if not confidences_in(data) <= set(CONFIDENCES):
        raise Refused("{file} has an unknown confidence.", file=file)
    return table


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
