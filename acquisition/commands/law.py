"""``tera mpe``: the legal limit at values, without instruments."""

import argparse
from datetime import date
from pathlib import Path

from acquisition.faults import CONFORMING, BadInput
from acquisition.language import choose_from, t
from acquisition.output import console, limits, number, print_json, table
from calibration.edition import PROVISIONAL
from calibration.legal_table import LegalTable, applied, legal_table
from calibration.mpe import Limits, accuracy_class_of, maximum_permissible_error
from calibration.national import national_settings
from calibration.units import Quantity, parse_quantity


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    choose_from(Path("config.toml"))
    on = None if arguments.on is None else day(arguments.on)
    chosen = legal_table(arguments.table, on=on)
    if arguments.setting is not None:
        chosen = applied(chosen, national_settings(arguments.setting, on=on))
    values = [parse_quantity(value) for value in arguments.values]
    found = maximum_permissible_error(
        chosen,
        accuracy_class=arguments.accuracy_class,
        stage=arguments.stage,
        values=values,
        characteristics=_characteristics(arguments.characteristics),
    )
    name = accuracy_class_of(chosen, arguments.accuracy_class)
    if not arguments.json:
        _show(chosen, name, arguments.stage, values, found)
        return CONFORMING
    print_json(
        {
            "table": chosen.id,
            "edition": chosen.edition,
            "clause": found.clause[index],
            "class": name,
            "stage": arguments.stage,
            "value": value.magnitude,
            "unit": value.unit,
            "lower": found.lower[index],
            "upper": found.upper[index],
            "limit_unit": found.unit,
            "provisional": found.confidence[index] in PROVISIONAL,
        }
        for index, value in enumerate(values)
    )
    return CONFORMING


def day(text: str) -> date:
    """Read a date given with --on."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput("{text} is not a date like 2026-11-24", place="--on", text=text) from None


def _characteristics(pairs: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals:
            raise BadInput("{pair} is not NAME=VALUE", place="--with", pair=pair)
        if name in found:
            raise BadInput("{name} is given twice", place="--with", name=name)
        found[name] = value
    return found


def _show(chosen: LegalTable, name: str, stage: str, values: list[Quantity], found: Limits) -> None:
    """Print the limits for people; what is little sure is marked."""
    unsure = [sure in PROVISIONAL for sure in found.confidence]
    notes = []
    if found.percent_of:
        notes.append(t("limits in % of {what}", what=found.percent_of))
    if any(unsure):
        notes.append(f"* {t('provisional: not confirmed from the law itself')}")
    under = "" if chosen.settings is None else f" · {chosen.settings.name}"
    out = console()
    out.print(f"{chosen.document}{under} · {t('class')} {name} · {t(stage)}")
    drawn = table(
        "",
        [(t("value"), "right"), (t("limit"), "right"), (t("unit"), "left"), (t("clause"), "left")],
    )
    for index, value in enumerate(values):
        drawn.add_row(
            f"{number(value.magnitude)} {value.unit}",
            limits(found.lower[index], found.upper[index]) + " *" * unsure[index],
            found.unit,
            found.clause[index],
        )
    out.print(drawn)
    for note in notes:
        out.print(note)
