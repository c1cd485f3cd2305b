"""A sheet is read strictly: what is misspelt, missing or of another kind is named by its key."""

import copy
import datetime
import json
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from calibration.evaluation import evaluate
from calibration.refusal import Refused
from calibration.routines.volume_sheet import MeterInstrument
from calibration.routines.weighing_sheet import WeighingInstrument
from calibration.sheet import parse_sheet
from calibration.units import Quantity

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name: str) -> dict[str, Any]:
    return tomllib.loads((EXAMPLES / f"{name}.toml").read_text(), parse_float=Decimal)


def put(sheet: dict[str, Any], path: str, value: object) -> None:
    """Set a key by its path; None deletes it."""
    *way, last = [int(step) if step.isdecimal() else step for step in path.split("/")]
    place: Any = sheet
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value


def test_the_sheet_of_the_contract_is_read_with_its_digits() -> None:
    sheet = parse_sheet(example("nawi-cerapan-kontrak"))
    assert isinstance(sheet.body.instrument, WeighingInstrument)
    assert sheet.date == datetime.date(2026, 11, 24)
    assert sheet.body.instrument.maximum == Quantity(Decimal(15), "kg")
    assert sheet.body.instrument.d is None
    assert str(sheet.body.tests[0].added_load[2]) == "2.0 g"  # type: ignore[index]
    assert sheet.environment["temperature"] == Quantity(Decimal("28.4"), "°C")
    assert sheet.standards[0].standard.id == "W-07"
    assert not sheet.standards[0].in_full


def test_a_meter_sheet_is_read_with_its_flow_rates() -> None:
    sheet = parse_sheet(example("volume-meter"))
    assert isinstance(sheet.body.instrument, MeterInstrument)
    assert [str(test.flow_rate) for test in sheet.body.tests] == [
        "50 L/min", "30 L/min", "10 L/min",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["nawi", "nawi-cerapan-kontrak", "volume-meter"])
def test_json_gives_the_same_sheet_as_toml(name: str) -> None:
    toml = example(name)
    assert parse_sheet(json.loads(json.dumps(toml, default=str))) == parse_sheet(toml)


def test_one_load_stands_for_every_position_and_run() -> None:
    sheet = parse_sheet(example("nawi"))
    eccentricity = sheet.body.tests[2]
    assert eccentricity.load == (Quantity(Decimal(5), "kg"),) * 5


def test_an_instrument_with_ranges_has_its_e_and_max_from_them() -> None:
    given = example("nawi")
    given["instrument"] |= {"ranges": "2kg:1g,5kg:2g,15kg:10g"}
    del given["instrument"]["e"], given["instrument"]["max"]
    instrument = parse_sheet(given).body.instrument
    assert isinstance(instrument, WeighingInstrument)
    assert (str(instrument.e), str(instrument.maximum)) == ("1 g", "15 kg")


NAWI = [
    ("rutine", "nawi", "rutine", "not known"),
    ("routine", None, "routine", "missing"),
    ("routine", "spoons", "routine", "none of nawi"),
    ("stage", "tera", "stage", "none of initial"),
    ("date", None, "date", "missing"),
    ("date", "24-11-2026", "date", "no date"),
    ("date", 20261124.5, "date", "no date"),
    ("instrument", None, "instrument", "missing"),
    ("instrument", "A-1042", "instrument", "table"),
    ("instrument/clas", "III", "instrument.clas", "not known"),
    ("instrument/serial", None, "instrument.serial", "missing"),
    ("instrument/serial", 1042, "instrument.serial", "text in quotes"),
    ("instrument/e", None, "instrument.e", "missing"),
    ("instrument/e", "5", "instrument.e", "no unit"),
    ("instrument/e", "5 mL", "instrument.e", "another kind"),
    ("instrument/max", "0 kg", "instrument.max", "not more than 0"),
    ("instrument/max", None, "instrument.max", "missing"),
    ("instrument/ranges", "15 kg", "instrument.ranges", "no list of ranges"),
    ("instrument/tare", "yes", "instrument.tare", "true or false"),
    ("standards/0/id", None, "standards[0].id", "missing"),
    ("standards/0/duee", "2026-01-01", "standards[0].duee", "not known"),
    ("standards/0/mpe", "small", "standards[0].mpe", "no quantity"),
    ("environment/temperature", "28.4 g", "environment.temperature", "another kind"),
    ("environment/air", "1 kg", "environment.air", "not known"),
    ("test", {"name": "zero"}, "test", "list of tables"),
    ("test/1/name", "wieghing", "test[1].name", "none of zero, weighing"),
    ("test/1/load", None, "test[1].load", "missing"),
    ("test/1/load", [], "test[1].load", "empty"),
    ("test/1/load/3", 5, "test[1].load[3]", "text in quotes"),
    ("test/1/load/3", "5 L", "test[1].load[3]", "another kind"),
    ("test/1/load/3", "5 %", "test[1].load[3]", "another kind"),
    ("test/1/indication", ["0 g"], "test[1].indication", "1 values stand here and 11"),
    ("test/1/added_load", ["2 g", "2 g"], "test[1].added_load", "2 values stand here and 11"),
    ("test/1/added_laod", [], "test[1].added_laod", "not known"),
    ("test/1/method", "guess", "test[1].method", "none of change, probe"),
    ("test/2/supports", 0, "test[2].supports", "whole number"),
    ("test/2/indication_after", [], "test[2].indication_after", "belongs to method = probe"),
    ("test/4/indication_after", None, "test[4].indication_after", "missing"),
    ("test/5/tare", None, "test[5].tare", "missing"),
]
METER = [
    ("instrument/mmq", None, "instrument.mmq", "missing"),
    ("instrument/e", "5 g", "instrument.e", "not known"),
    ("test/0/name", "weighing", "test[0].name", "none of accuracy"),
    ("test/0/flow_rate", None, "test[0].flow_rate", "missing"),
    ("test/0/flow_rate", "50 L", "test[0].flow_rate", "another kind"),
    ("test/0/indication", ["100 L"], "test[0].indication", "1 values stand here and 3"),
    ("test/0/reference/1", "100 kg", "test[0].reference[1]", "another kind"),
]


@pytest.mark.parametrize(
    ("name", "path", "value", "key", "said"),
    [("nawi", *row) for row in NAWI] + [("volume-meter", *row) for row in METER],
)
def test_what_is_wrong_is_refused_by_its_key(
    name: str, path: str, value: object, key: str, said: str
) -> None:
    sheet = copy.deepcopy(example(name))
    put(sheet, path, value)
    with pytest.raises(Refused) as refused:
        parse_sheet(sheet)
    assert refused.value.key == key
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "value",
    [["9" * 5000], "9" * 5000, "a\nb", {"a": ["b"] * 900}],
    ids=["list", "digits", "lines", "table"],
)
@pytest.mark.parametrize("key", ["date", "stage", "instrument.e", "instrument.class"])
def test_a_refusal_repeats_little_of_what_was_given_and_on_one_line(key: str, value: Any) -> None:
    given = example("nawi")
    table, _, name = key.rpartition(".")
    (given[table] if table else given)[name] = value
    with pytest.raises(Refused) as refused:
        evaluate(parse_sheet(given), standards={}, approved=())
    said = str(refused.value)
    assert len(said) < 400
    assert "\n" not in said
