"""National settings: what a country's decrees change about a legal table, as data with sources.

Knows per kind of instrument the factor of each stage (tera, tera ulang, pengamatan), methods,
re-verification interval, the decree that a certificate cites, and limits of its own; how sure
each is; and what an office overrides, by whom and why. Refuses to choose: an office names the
settings it works under. The files lie in ``calibration/national``; none is ever edited.
"""

import datetime
import tomllib
from collections.abc import Iterable, Mapping
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
from calibration.refusal import Refused

SCHEMA = "tera/national-setting/1"
STAGES = ("initial", "subsequent", "in_service")
"""Tera, tera ulang, pengamatan."""
_PARTS = frozenset({"regulation", "decree", "interval", "method", "stage", "repeatability"}) | {
    "requirement"
}
_KEYS = _PARTS | {
    *("schema", "id", "edition", "document", "title", "judul", "table", "kinds"),
    *("valid_from", "valid_to", "confidence", "notes"),
}
_TEXTS = frozenset({"decree.cites", "regulation.cites"})
"""Keys that an office overrides with a text; all others are numbers above 0."""


@dataclass(frozen=True, slots=True)
class Override:
    """What an office decided otherwise than the file says."""

    key: str
    """``stage.subsequent.factor``"""
    value: Decimal | str
    reason: str
    """The decree or the instruction that says so."""
    by: str
    on: datetime.date


@dataclass(frozen=True, slots=True)
class NationalSettings:
    """The settings for some kinds of instruments under one decree."""

    id: str
    """``id-tbo``"""
    edition: str
    """``2015``"""
    document: str
    title: str
    title_id: str
    """The title in Bahasa Indonesia."""
    table: str
    """Legal table that the settings change: ``r76``."""
    kinds: tuple[str, ...]
    """Kinds of instruments, as the office calls them."""
    valid_from: datetime.date | None
    """None where the source has no date."""
    valid_to: datetime.date | None
    confidence: str
    digest: str
    """``sha256:`` of the file's bytes."""
    notes: tuple[str, ...]
    transcription: str
    stated: Mapping[str, Any] = field(compare=False, repr=False)
    """Everything the file states, the office's overrides over it."""
    overrides: tuple[Override, ...] = ()

    @property
    def name(self) -> str:
        """Give the name that picks exactly these settings, as in ``id-tbo@2015``."""
        return f"{self.id}@{self.edition}"

    @property
    def provisional(self) -> bool:
        """Tell whether anything in the settings is little sure."""
        return bool(confidences_in({**self.stated, "confidence": self.confidence}) & PROVISIONAL)

    @property
    def decree(self) -> str | None:
        """Give the technical decree that a certificate cites as its method."""
        cites: str | None = self.stated.get("decree", {}).get("cites")
        return cites

    @property
    def regulation(self) -> str | None:
        """Give the regulation on verification that a certificate cites."""
        cites: str | None = self.stated.get("regulation", {}).get("cites")
        return cites

    @property
    def methods(self) -> tuple[str, ...]:
        """List the methods of test that are in use beside those of the Recommendation."""
        return tuple(self.stated.get("method", {}).get("names", ()))

    def interval_years(self, kind: str | None = None) -> Decimal | None:
        """Give the years until the next verification; None where no source says."""
        years = self.stated.get("interval", {}).get("years")
        if isinstance(years, Mapping):
            years = years.get(kind)
        return None if years is None else Decimal(years)

    def valid(self, on: datetime.date) -> bool:
        """Tell whether the settings are in force on a day."""
        return in_force(self, on)


@cache
def all_settings() -> tuple[NationalSettings, ...]:
    """List every packaged settings file, ordered by id and edition."""
    return tuple(
        read_settings(content, name)
        for name, content in packaged("national")
        if f'schema = "{SCHEMA}"'.encode() in content
    )


def national_settings(name: str, on: datetime.date | None = None) -> NationalSettings:
    """Find ``id-tbo`` (the newest edition, or the newest in force on a day) or ``id-tbo@2015``."""
    return chosen(
        name, all_settings(), on, "there are no national settings {name!r}: there are {known}."
    )


def overridable(settings: NationalSettings) -> tuple[str, ...]:
    """List the keys that an office may override."""
    stated = settings.stated
    repeatability = stated.get("repeatability", {})
    return (
        "decree.cites",
        "regulation.cites",
        *(f"interval.years.{kind}" for kind in _by_kind(stated)),
        *(() if _by_kind(stated) else ("interval.years",)),
        *(f"stage.{stage}.factor" for stage in STAGES),
        *(("repeatability.percent",) if "percent" in repeatability else ()),
        *(f"repeatability.intervals.{stage}" for stage in repeatability.get("intervals", ())),
    )


def overridden(settings: NationalSettings, overrides: Iterable[Override]) -> NationalSettings:
    """Give the settings with an office's decisions over them; they are remembered."""
    made = tuple(overrides)
    stated = dict(settings.stated)
    for override in made:
        if override.key not in overridable(settings):
            raise Refused(
                "{settings} has no {name!r} to override: there are {known}.",
                settings=settings.name,
                name=override.key,
                known=", ".join(overridable(settings)),
            )
        if (override.key in _TEXTS) != isinstance(override.value, str):
            sort = "a text in quotes" if override.key in _TEXTS else "a number"
            raise Refused("a decision over {name} is {sort}.", name=override.key, sort=sort)
        if isinstance(override.value, Decimal) and override.value <= 0:
            raise Refused("{value} is not more than 0.", value=override.value)
        part, _, rest = override.key.partition(".")
        stated[part] = _with(stated.get(part, {}), part, rest, override)
    return replace(settings, stated=MappingProxyType(stated), overrides=made)


def _with(entry: Mapping[str, Any], part: str, rest: str, override: Override) -> dict[str, Any]:
    """Put one decision over a part of the settings; the office vouches for it."""
    says = f"{override.reason} ({override.by}, {override.on})"
    vouched = {"clause": says, "confidence": "V", "source": says}
    first, _, second = rest.partition(".")
    if part == "stage":
        return {**entry, first: {"factor": override.value, **vouched}}
    value = {**entry[first], second: override.value} if second else override.value
    return {**entry, first: value, **vouched}


def _by_kind(stated: Mapping[str, Any]) -> tuple[str, ...]:
    years = stated.get("interval", {}).get("years")
    return tuple(years) if isinstance(years, Mapping) else ()


def read_settings(content: bytes, file: str) -> NationalSettings:
    """Read one settings file from its bytes."""
    try:
        text = content.decode("utf-8")
        data = tomllib.loads(text, parse_float=Decimal)
        settings = NationalSettings(
            id=data["id"],
            edition=data["edition"],
            document=data["document"],
            title=data["title"],
            title_id=data["judul"],
            table=data["table"],
            kinds=tuple(data["kinds"]),
            valid_from=data.get("valid_from"),
            valid_to=data.get("valid_to"),
            confidence=data["confidence"],
            digest=digest_of(content),
            notes=tuple(data["notes"]),
            transcription=header_of(text),
            stated=MappingProxyType({key: data[key] for key in sorted(_PARTS & data.keys())}),
        )
    except (ValueError, KeyError) as error:
        raise Refused("{file} is no settings file: {error}.", file=file, error=error) from error
    problems = sorted(data.keys() - _KEYS)
    if data.get("schema") != SCHEMA:
        problems.append("schema")
    problems += [stage for stage in data.get("stage", {}) if stage not in STAGES]
    problems += sorted(confidences_in(data) - set(CONFIDENCES))
    for part in _PARTS - {"stage", "requirement"}:
        problems += [f"{part}.source" for _ in [0] if part in data and "source" not in data[part]]
    if problems:
        raise Refused("{file} is no settings file: {error}.", file=file, error=", ".join(problems))
    return settings
