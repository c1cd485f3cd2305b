"""The observation sheet (cerapan): one instrument, what was observed, nothing decided.

Knows what every sheet has: routine, stage, day, identity, standards, environment. What its tests
are is the routine's own affair, read by its ``*_sheet`` module. Every other key is refused, with
its path. Refuses to know the law.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from calibration.refusal import Refused
from calibration.routines.capacity_sheet import CapacitySheet, read_capacity
from calibration.routines.general_sheet import GeneralSheet, read_general
from calibration.routines.length_sheet import LengthSheet, read_length
from calibration.routines.volume_sheet import MeterSheet, read_dispenser, read_meter
from calibration.routines.water_bench import bench_key, bench_sheets, is_bench
from calibration.routines.water_meter_sheet import WaterMeterSheet, read_water_meter
from calibration.routines.weighing_sheet import WeighingSheet, read_weighing
from calibration.routines.weights_sheet import WeightsSheet, read_weights
from calibration.sheet_keys import IDENTITY, Keys, require_kind
from calibration.standard import NamedStandard
from calibration.standard_keys import read_standard
from calibration.units import PERCENT, Quantity

STAGES = ("initial", "subsequent", "in_service")
"""tera, tera ulang, pengamatan."""

Body = (
    WeighingSheet
    | MeterSheet
    | WeightsSheet
    | WaterMeterSheet
    | CapacitySheet
    | LengthSheet
    | GeneralSheet
)
"""What only one routine's sheet has."""
READERS: Mapping[str, Callable[[Keys], Body]] = MappingProxyType(
    {
        "nawi": read_weighing,
        "weights": read_weights,
        "volume-meter": read_meter,
        "fuel-dispenser": read_dispenser,
        "water-meter": read_water_meter,
        "capacity-measure": read_capacity,
        "length-measure": read_length,
        "general": read_general,
    }
)
ROUTINES = tuple(READERS)

_ENVIRONMENT = {
    "temperature": "°C",
    "humidity": PERCENT,
    "pressure": "hPa",
    "temperature_uncertainty": "K",
    "humidity_uncertainty": PERCENT,
    "pressure_uncertainty": "hPa",
}
"""Quantities and their expanded uncertainties (k = 2), with an example of their unit."""
_KEYS = (
    *("routine", "stage", "date", "table", "setting"),
    *("instrument", "standards", "environment", "test"),
)
_MORE = {
    "weights": ("comparator",),
    "volume-meter": ("liquid",),
    "fuel-dispenser": ("liquid",),
    "capacity-measure": ("liquid",),
}
"""Keys of a sheet that only one routine knows."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One observation sheet."""

    routine: str
    stage: str
    """One of STAGES."""
    date: datetime.date
    """Day of the verification."""
    table: str | None
    """Legal table and edition asked for (``r76@2006``); None: the routine's own."""
    setting: str | None
    """National settings asked for (``id-tbo@2015``); None: the office's own."""
    identity: Mapping[str, str]
    """Kind, serial number, maker, model and owner of the instrument under test."""
    standards: tuple[NamedStandard, ...]
    environment: Mapping[str, Quantity]
    body: Body
    """The instrument's characteristics and its tests."""
    instrument: Mapping[str, object] = field(default_factory=dict, compare=False)
    """``[instrument]`` as it was given, for whoever asks a legal table about it."""


def parse_sheet(mapping: Mapping[str, Any]) -> Sheet:
    """Read a sheet from a TOML or JSON mapping; a Refused names the key that is wrong."""
    keys = Keys(mapping, "")
    routine = keys.choice("routine", ROUTINES)
    keys.only(*_KEYS, *_MORE.get(routine, ()))
    return Sheet(
        routine=routine,
        stage=keys.choice("stage", STAGES),
        date=keys.date("date"),
        table=keys.optional_text("table"),
        setting=keys.optional_text("setting"),
        identity=_identity(keys.table("instrument")),
        standards=tuple(
            read_standard(Keys.of(entry, key)) for key, entry in keys.tables("standards")
        ),
        environment=_environment(keys),
        body=READERS[routine](keys),
        instrument=MappingProxyType(dict(mapping["instrument"])),
    )


def sheets_of(mapping: Mapping[str, Any]) -> tuple[Sheet, ...]:
    """Read every sheet that a file holds: one, or one for each meter of a bench."""
    if mapping.get("routine") != "water-meter" or not is_bench(mapping):
        return (parse_sheet(mapping),)
    sheets = []
    for number, one in enumerate(bench_sheets(mapping)):
        try:
            sheets.append(parse_sheet(one))
        except Refused as refused:
            key = bench_key(number, refused.key, mapping)
            raise Refused(refused.template, key=key, **refused.evidence) from None
    return tuple(sheets)


def _identity(given: Keys) -> Mapping[str, str]:
    stated = {name: given.optional_text(name) for name in IDENTITY}
    for name in ("kind", "serial"):
        given.text(name)
    return MappingProxyType({name: text for name, text in stated.items() if text is not None})


def _environment(sheet: Keys) -> Mapping[str, Quantity]:
    if "environment" not in sheet:
        return MappingProxyType({})
    keys = sheet.table("environment")
    keys.only(*_ENVIRONMENT)
    found: dict[str, Quantity] = {}
    for name, unit in _ENVIRONMENT.items():
        quantity = keys.optional_quantity(name)
        if quantity is not None:
            require_kind(quantity, unit, keys.path(name))
            if name.endswith("_uncertainty") and quantity.magnitude <= 0:
                raise Refused("{value} is not more than 0.", key=keys.path(name), value=quantity)
            found[name] = quantity
    return MappingProxyType(found)
