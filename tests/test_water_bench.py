"""A bench of water meters: one file, a verdict for each meter."""

import tomllib
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from calibration.evaluation import evaluate
from calibration.refusal import Refused
from calibration.routines.water_bench import bench_sheets
from calibration.sheet import parse_sheet, sheets_of
from calibration.verification import Verdict

EXAMPLES = Path(__file__).parent.parent / "examples"
CONFORMING, NONCONFORMING, _ = Verdict


def example(name: str = "water-meter-bench") -> dict[str, Any]:
    return tomllib.loads((EXAMPLES / f"{name}.toml").read_text("utf-8"), parse_float=Decimal)


def verdicts(mapping: dict[str, Any]) -> dict[str, Verdict]:
    return {
        sheet.identity["serial"]: evaluate(sheet, standards={}, approved=()).verdict
        for sheet in sheets_of(mapping)
    }


def test_the_example_gives_five_verdicts_of_which_one_does_not_conform() -> None:
    assert verdicts(example()) == {
        "B-7001": CONFORMING,
        "B-7002": CONFORMING,
        "B-7003": NONCONFORMING,
        "B-7004": CONFORMING,
        "B-7005": CONFORMING,
    }


def test_a_bench_of_one_is_the_sheet_of_that_meter() -> None:
    mapping = example()
    for number, meter in enumerate(mapping["meter"]):
        alone = {**mapping, "meter": [meter]}
        assert sheets_of(alone) == (sheets_of(mapping)[number],)
        (single,) = bench_sheets(alone)
        assert parse_sheet(single) == sheets_of(mapping)[number]


def test_a_sheet_without_a_bench_is_one_sheet() -> None:
    for name in ("water-meter", "nawi", "volume-meter"):
        assert sheets_of(example(name)) == (parse_sheet(example(name)),)


def test_a_meter_may_differ_from_what_the_others_share() -> None:
    mapping = example()
    mapping["meter"][1] |= {"class": "1", "maker": "other"}
    sheets = sheets_of(mapping)
    assert [getattr(sheet.body.instrument, "accuracy_class", None) for sheet in sheets] == [
        *("2", "1", "2", "2", "2")
    ]
    assert sheets[1].identity["maker"] == "other"
    assert sheets[0].identity["maker"] == "contoh"


def test_several_runs_at_a_flow_rate_are_lists_in_a_list() -> None:
    mapping = example()
    mapping["test"][2] |= {"empty": ["2 kg", "2 kg"], "full": ["12 kg", "12 kg"]}
    for meter in mapping["meter"]:
        del meter["start"], meter["end"]
        meter["indication"] = ["50.1 L", "10 L", ["10 L", "10.1 L"]]
    for sheet in sheets_of(mapping):
        tests = evaluate(sheet, standards={}, approved=()).tests
        assert [len(test.points) for test in tests if test.name == "accuracy"] == [1, 1, 2]


def test_the_meters_of_a_bench_do_not_know_one_another() -> None:
    mapping = example()
    before = verdicts(mapping)
    mapping["meter"][2]["end"][2] = "0.61990 m³"
    after = verdicts(mapping)
    assert {name for name in before if before[name] is not after[name]} == {"B-7003"}


@pytest.mark.parametrize(
    ("place", "name", "new", "key"),
    [
        (("instrument",), "serial", "1", "instrument.serial"),
        (("meter", 1), "serial", "B-7001", "meter[1].serial"),
        (("meter", 1), "serial", None, "meter[1].serial"),
        (("meter", 1), "colour", "blue", "meter[1].colour"),
        (("meter", 1), "ratio", "many", "meter[1].ratio"),
        (("instrument",), "ratio", "many", "instrument.ratio"),
        (("meter", 1), "start", ["1 L", "2 L"], "meter[1].start"),
        (("meter", 1), "start", "1 L", "meter[1].start"),
        (("meter", 1), "end", ["1 L", "2 L", "3 L"], "meter[1].end[0][0]"),
        (("meter", 3), "start", None, "meter[3].start[0]"),
        (("meter", 0, "start"), 1, "3.15290", "meter[0].start[1]"),
        (("test", 0), "indication", "50 L", "test[0].indication"),
        (("test", 1), "flow_rate", "53", "test[1].flow_rate"),
        ((), "meter", [], "meter"),
        ((), "meter", "B-7001", "meter"),
        ((), "meter", ["B-7001"], "meter[0]"),
        ((), "instrument", "B-7001", "instrument"),
        ((), "stage", "first", "stage"),
        (("instrument",), "kind", None, "meter[0].kind"),
    ],
)
def test_what_is_wrong_is_named_where_it_stands_in_the_bench_sheet(
    place: tuple[str | int, ...], name: str, new: Any, key: str
) -> None:
    mapping = deepcopy(example())
    where: Any = mapping
    for step in place:
        where = where[step]
    if new is None:
        del where[name]
    else:
        where[name] = new
    with pytest.raises(Refused) as refused:
        sheets_of(mapping)
    assert refused.value.key == key
