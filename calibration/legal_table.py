"""The legal tables that travel with the program, as data with their sources and digests.

Knows which documents and editions exist, since when they are valid and how sure their numbers
are. Refuses to know what a rule means (`calibration.rules`) and whether an office approved it.
Recommendations lie in ``calibration/legal``, national tables in ``calibration/national``.
"""

import datetime
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Any

from calibration.edition import (
    CONFIDENCES,
    PROVISIONAL,
    chosen,
    confidences_in,
    digest_of,
    header_of,
    in_force,
    packaged,
)
from calibration.national import NationalSettings
from calibration.refusal import Refused

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
    settings: NationalSettings | None = None
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
        return in_force(self, on)


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


def _order(table: LegalTable) -> tuple[tuple[int, str], ...]:
    """Order r21 before r111, and national tables last."""
    parts = re.findall(r"[0-9]+|[^0-9]+", f"{table.id}@{table.edition}")
    national = (int(not table.id.startswith("r")), "")
    return (national, *((int(part) if part.isdecimal() else 0, part) for part in parts))


def legal_table(name: str, on: datetime.date | None = None) -> LegalTable:
    """Find ``r76`` (the newest edition, or the newest in force on a day) or ``r76@2006``."""
    return chosen(name, tables(), on, "there is no legal table {name!r}: there are {known}.")


def applied(table: LegalTable, settings: NationalSettings) -> LegalTable:
    """Give the table as the settings change it; it remembers them."""
    own, _, edition = settings.table.partition("@")
    if table.id != own or (edition and table.edition != edition):
        raise Refused(
            "settings {settings} are for table {own}, not for {table}.",
            settings=settings.name,
            own=settings.table,
            table=table.name,
        )
    if table.settings is not None:
        raise Refused(
            "{table} already has settings {settings}.",
            table=table.name,
            settings=table.settings.name,
        )
    stages = dict(table.rules["stage"])
    base = stages["initial"]
    for stage, stated in settings.stated.get("stage", {}).items():
        says = ", ".join(filter(None, (base["clause"], f"{settings.name}: {stated['clause']}")))
        stages[stage] = {
            "factor": Decimal(stated["factor"]),
            "clause": says,
            "confidence": stated["confidence"],
            "setting": settings.name,
        }
    rule = dict(table.rules["rule"])
    if "repeatability" in settings.stated:
        stated = settings.stated["repeatability"]
        says = f"{settings.name}: {stated['clause']}"
        rule["repeatability"] = {**rule.get("repeatability", {}), **stated, "clause": says}
    requirements = {**table.rules["requirement"], **settings.stated.get("requirement", {})}
    changed = {**table.rules, "stage": stages, "rule": rule, "requirement": requirements}
    return replace(table, rules=MappingProxyType(changed), settings=settings)


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
