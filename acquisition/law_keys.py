"""What an office decided about the law, in ``config.toml``: approvals and national settings.

Has the numeric core look at each decision.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, PlainValidator, model_validator

from acquisition.setting_types import Settings
from calibration.national import NationalSettings, Override, national_settings, overridden
from calibration.refusal import Refused


class Approval(Settings):
    """The office approves one legal table or settings file, by the digest of its file."""

    table: str
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    by: str
    on: date


def _decided(value: Any) -> Decimal | str:
    """Take a number as it is written, or a text."""
    if isinstance(value, str | Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    raise Refused("this is a number, or a text in quotes.")


class LawOverride(Settings):
    """One decision of the office over a national settings file."""

    setting: str
    key: str
    """As in the file: ``stage.subsequent.factor``."""
    value: Annotated[Decimal | str, PlainValidator(_decided)]
    reason: Annotated[str, Field(min_length=1)]
    """The decree or instruction that says so."""
    by: Annotated[str, Field(min_length=1)]
    on: date

    @model_validator(mode="after")
    def _can_be(self) -> "LawOverride":
        key = "setting"
        try:
            settings = national_settings(self.setting)
            key = "key"
            overridden(settings, [self.decision])
        except Refused as refused:
            raise Refused(refused.template, key=key, **refused.evidence) from None
        return self

    @property
    def decision(self) -> Override:
        """Give the override as the numeric core takes it."""
        return Override(self.key, self.value, self.reason, self.by, self.on)


class Law(Settings):
    """The national settings that the office works under."""

    settings: tuple[str, ...] = ()
    override: tuple[LawOverride, ...] = ()

    @model_validator(mode="after")
    def _agree(self) -> "Law":
        try:
            chosen = [national_settings(name) for name in self.settings]
        except Refused as refused:
            raise Refused(refused.template, key="settings", **refused.evidence) from None
        for index, later in enumerate(chosen):
            for earlier in chosen[:index]:
                if earlier.table == later.table and set(earlier.kinds) & set(later.kinds):
                    raise Refused(
                        "{first} and {second} are for the same kind of instrument: choose one.",
                        key="settings",
                        first=earlier.name,
                        second=later.name,
                    )
        names = {entry.name for entry in chosen}
        for decision in self.override:
            if (name := national_settings(decision.setting).name) not in names:
                raise Refused(
                    "{name} is overridden but not chosen: add it to settings.",
                    key="override",
                    name=name,
                )
        return self

    def in_force(self) -> tuple[NationalSettings, ...]:
        """Give the settings that were chosen, with the office's decisions over them."""
        return tuple(
            overridden(
                entry,
                [
                    made.decision
                    for made in self.override
                    if national_settings(made.setting).name == entry.name
                ],
            )
            for entry in map(national_settings, self.settings)
        )
