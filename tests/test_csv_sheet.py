"""Sheets as tables: what a spreadsheet can write, read as the same sheet in TOML is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from acquisition.faults import BadInput
from acquisition.sheet_csv import RawSheet, read_table
from acquisition.sheet_file import sources_of
from acquisition.sheet_rows import understood
from acquisition.sheet_writer import to_csv, to_json, to_toml
from calibration.evaluation import evaluate
from calibration.sheet import Sheet

EXAMPLES = Path(__file__).parent.parent / "examples"
TOMLS = sorted(EXAMPLES.glob("*.toml"), key=lambda path: path.name)
NAMES = [path.stem for path in TOMLS]


def sheets(path: Path) -> list[Sheet]:
    return [sheet for source in sources_of(path) for sheet in source.sheets()]


def written(tmp_path: Path, text: str | bytes, name: str = "cerapan.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def nawi_csv() -> str:
    return (EXAMPLES / "nawi.csv").read_text(encoding="utf-8")


def verdict(sheet: Sheet) -> dict[str, Any]:
    return evaluate(sheet, standards={}, approved=()).to_dict()


def test_the_example_as_a_table_has_the_verdict_of_the_example() -> None:
    (as_table,), (as_toml,) = sheets(EXAMPLES / "nawi.csv"), sheets(EXAMPLES / "nawi.toml")
    assert as_table == as_toml
    assert verdict(as_table) == verdict(as_toml)


@pytest.mark.parametrize("example", TOMLS, ids=NAMES)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_every_example_survives_the_way_through_a_table(
    example: Path, separator: str, tmp_path: Path
) -> None:
    (source,) = sources_of(example)
    own = source.sheets()
    table = written(tmp_path, to_csv([("", source.mapping)], separator))
    assert tuple(sheets(table)) == own


@pytest.mark.parametrize("example", TOMLS, ids=NAMES)
def test_every_example_survives_the_way_through_table_and_back_to_toml_and_json(
    example: Path, tmp_path: Path
) -> None:
    (source,) = sources_of(example)
    own = source.sheets()
    (table,) = sources_of(written(tmp_path, to_csv([("", source.mapping)])))
    table.sheets()
    for name, text in (("a.toml", to_toml(table.mapping)), ("a.json", to_json(table.mapping))):
        assert tuple(sheets(written(tmp_path, text, name))) == own
    assert sources_of(written(tmp_path, to_toml(source.mapping), "b.toml"))[0].mapping == (
        source.mapping
    )


def test_several_sheets_stand_in_one_file(tmp_path: Path) -> None:
    named = [(path.stem, sources_of(path)[0]) for path in TOMLS]
    table = written(tmp_path, to_csv([(name, source.mapping) for name, source in named]))
    found = sources_of(table)
    assert [source.part for source in found] == NAMES
    for source, (_, own) in zip(found, named, strict=True):
        assert source.sheets() == own.sheets()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", "\t").encode(),
        lambda text: b"sep=;\r\n" + text.replace(",", ";").encode(),
        lambda text: ("\n\n" + text + ",,,\n\n").encode(),
        lambda text: text.partition("\nroutine")[2].join(["routine", ""]).encode(),  # no comments
    ],
)
def test_what_spreadsheets_do_to_a_file_is_tolerated(change: Any, tmp_path: Path) -> None:
    assert sheets(written(tmp_path, change(nawi_csv()))) == sheets(EXAMPLES / "nawi.toml")


def decimal_commas(text: str) -> str:
    """Write numbers as a spreadsheet of Indonesia does."""
    return re.sub(r"(?<=[;\n])(-?\d+)\.(\d+)(?=[ ;\n])", r"\1,\2", text.replace(",", ";"))


def test_decimal_commas_are_read_where_semicolons_separate(tmp_path: Path) -> None:
    text = decimal_commas(nawi_csv())
    assert ";2,5 kg;" in text
    assert ";2,0;" in text
    assert sheets(written(tmp_path, text)) == sheets(EXAMPLES / "nawi.toml")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (";2500 g;", ";2.500 g;", "decimal comma"),
        (";2,5 kg;", ";2,500,0 kg;", "comma in the number"),
        ("A-1042", "1,042", ""),  # a name of digits stays a name
    ],
)
def test_a_number_that_could_be_another_is_refused_among_decimal_commas(
    old: str, new: str, says: str, tmp_path: Path
) -> None:
    text = decimal_commas(nawi_csv())
    assert old in text
    path = written(tmp_path, text.replace(old, new))
    if not says:
        assert sheets(path)[0].identity["serial"] == new
        return
    with pytest.raises(BadInput, match=says):
        sheets(path)


def test_commas_that_may_stand_between_thousands_are_no_decimal_commas(tmp_path: Path) -> None:
    text = table("weighing,0 g,0 g", "weighing,5 kg,5000 g").replace(",", ";")
    with pytest.raises(BadInput, match="comma in the number"):
        sheets(written(tmp_path, text.replace("5000 g", "5,000 g").replace("5 kg", "5,000 g")))


HEAD = "routine,stage,date,instrument.kind,instrument.serial,instrument.class,instrument.max,instrument.e,standards.id"
CELLS = "nawi,initial,2026-11-24,timbangan,A-1,III,15 kg,5 g,W-07"


def table(
    *rows: str, columns: str = "test.name,test.load,test.indication", repeat: bool = True
) -> str:
    """Write a table whose header stands on every row, or on the first alone."""
    blank = "," * CELLS.count(",")
    heads = [CELLS if repeat or not number else blank for number in range(len(rows))]
    lines = [f"{head},{row}" for head, row in zip(heads, rows, strict=True)]
    return "\n".join([f"{HEAD},{columns}", *lines]) + "\n"


ROWS = ("weighing,0 kg,0 g", "weighing,5 kg,5000 g", "zero,0 g,0 g")


@pytest.mark.parametrize("repeat", [True, False])
def test_header_cells_stand_on_every_row_or_on_the_first(repeat: bool, tmp_path: Path) -> None:
    (sheet,) = sheets(written(tmp_path, table(*ROWS, repeat=repeat)))
    assert sheet.identity == {"kind": "timbangan", "serial": "A-1"}
    assert [(t.name, len(t.load)) for t in sheet.body.tests] == [("weighing", 2), ("zero", 1)]
    assert [s.standard.id for s in sheet.standards] == ["W-07"]


def test_a_unit_in_the_heading_goes_to_plain_numbers_only(tmp_path: Path) -> None:
    text = table(
        "weighing,0,0",
        "weighing,2.50,2500",
        "weighing,5000 g,5000",
        columns="test.name,test.load (kg),test.indication [g]",
    )
    (sheet,) = sheets(written(tmp_path, text))
    assert [str(q) for q in sheet.body.tests[0].load] == ["0 kg", "2.50 kg", "5000 g"]
    assert [str(q) for q in sheet.body.tests[0].indication] == ["0 g", "2500 g", "5000 g"]


def test_a_name_given_once_begins_a_test_and_again_another(tmp_path: Path) -> None:
    text = table("weighing,0 g,0 g", ",5 kg,5000 g", "weighing,1 kg,1000 g", repeat=False)
    (sheet,) = sheets(written(tmp_path, text))
    assert [len(test.load) for test in sheet.body.tests] == [2, 1]


def test_numbers_tell_tests_of_one_name_apart(tmp_path: Path) -> None:
    columns = "test,test.name,test.load,test.indication"
    rows = ("1,weighing,0 g,0 g", "2,weighing,5 kg,5000 g", "2,weighing,6 kg,6000 g")
    (sheet,) = sheets(written(tmp_path, table(*rows, columns=columns)))
    assert [len(test.load) for test in sheet.body.tests] == [1, 2]


def test_a_condition_repeated_on_every_row_is_one_value(tmp_path: Path) -> None:
    columns = "test.name,test.tare,test.load,test.indication,test.supports,test.standard_load"
    text = table(
        "tare,5 kg,0 g,0 g,,",
        "tare,5 kg,5 kg,5000 g,,",
        "eccentricity,,5 kg,5000 g,6,",
        "eccentricity,,5 kg,5000 g,6,",
        "repeatability,,5 kg,5000 g,,FALSE",
        "repeatability,,5 kg,5000 g,,FALSE",
        columns=columns,
    )
    for _ in range(2):  # what the reader wants is learnt in the first and known in the second
        (sheet,) = sheets(written(tmp_path, text))
        tare, eccentricity, repeatability = sheet.body.tests
        assert (str(tare.tare), len(tare.load)) == ("5 kg", 2)
        assert (eccentricity.supports, len(eccentricity.indication)) == (6, 2)
        assert (repeatability.standard_load, len(repeatability.indication)) == (False, 2)


def test_certificate_points_stand_on_the_rows_of_their_standard(tmp_path: Path) -> None:
    text = to_csv([("", sources_of(EXAMPLES / "water-meter-bench.toml")[0].mapping)])
    assert "standards.point.nominal" in text.splitlines()[0].split(",")
    first, *_ = sheets(written(tmp_path, text))
    assert [len(s.standard.points) for s in first.standards] == [3, 0]


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("", "cerapan.csv", "empty"),
        ("# a comment\n\n", "cerapan.csv", "empty"),
        (HEAD + "\n", "cerapan.csv", "no row"),
        (table(*ROWS) + ",,,,,,,,,,,,more\n", "cerapan.csv:5", "13 cells"),
        (table(*ROWS, columns="test.name,test.load,"), "cerapan.csv:2: L2", "no heading"),
        (table(*ROWS, columns="test.name,test load,test.indication"), "cerapan.csv:1: K", "no heading"),
        (table(*ROWS, columns="test.name,test.load,test.load"), "cerapan.csv:1: L", "twice"),
        (table(*ROWS, columns="test.name,test.lod,test.indication"), "cerapan.csv:2: K2 test.lod", "not known"),
        (table("weighing,0 g", columns="test.name,test.load"), "cerapan.csv:2: J2 test.name", "missing"),
        (table('weighing,0 g,"0 g'), "cerapan.csv:2", "quotation"),
        (table(ROWS[0], 'weighing,"2,5 kg",2500 g'), "cerapan.csv:3: K3 test.load", "decimal point"),
        (table(ROWS[0], 'weighing,"1.002,5",1000 g', columns="test.name,test.load (g),test.indication"), "cerapan.csv:3: K3 test.load", "decimal point"),
        (table(ROWS[0], "weighing,2,5,2500 g"), "cerapan.csv:3", "decimal"),
        (table(ROWS[0], "weighing,2.5 kgg,2500 g"), "cerapan.csv:3: K3 test.load", "kgg"),
        (table(ROWS[0], "weighing,,5 g", "weighing,5 kg,5 g"), "cerapan.csv:4: K4 test.load", "empty above"),
        (table(ROWS[0], "weighing,5 kg,"), "cerapan.csv:2: L2 test.indication", "1 values"),
        (table(*ROWS).replace("A-1", "A-2", 1), "cerapan.csv:3: E3 instrument.serial", "line 2 says A-2"),
        (table(*ROWS).replace("5 g,W", "3 e,W"), "cerapan.csv:2: H2 instrument.e", "3 e"),
        (table(*ROWS).replace("nawi", "navi"), "cerapan.csv:2: A2 routine", "navi"),
        (table(*ROWS).replace("2026-11-24", "24/11/2026"), "cerapan.csv:2: C2 date", "24/11/2026"),
        (table("tare,0 g,0 g,5 kg", "tare,1 kg,1000 g,6 kg", columns="test.name,test.load,test.indication,test.tare"), "cerapan.csv:3: M3 test.tare", "line 2 says 5 kg"),
        (table("1,weighing,0 g,0 g", "2,zero,0 g,0 g", "1,weighing,5 kg,5 kg", columns="test,test.name,test.load,test.indication"), "cerapan.csv:4: J4 test", "number 1"),
        (table(*ROWS).encode().replace(b"timbangan", b"tera\xb0"), "cerapan.csv:2", "UTF-8"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_file_line_and_column(
    text: str | bytes, place: str, says: str, tmp_path: Path
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        sheets(path)
    said = str(caught.value)
    assert said.startswith(str(path.parent / place)), said
    assert says in said.removeprefix(str(path.parent)), said
    assert "\n" not in said


def test_rows_of_one_sheet_stand_together(tmp_path: Path) -> None:
    text = "sheet,routine\na,nawi\nb,nawi\na,nawi\n"
    with pytest.raises(BadInput, match=r":4: sheet a began in line 2"):
        sheets(written(tmp_path, text))


texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
values = st.one_of(texts, st.booleans(), st.lists(st.one_of(texts, st.booleans()), max_size=3))
"""A whole number or a date comes back as its text: what it is to be, the reader of a sheet says."""


def keys(first: str) -> st.SearchStrategy[str]:
    """Name values, tables and lists apart, as in every sheet: a key is always the one or the other."""
    return st.from_regex(rf"{first}[a-z0-9_]{{0,4}}", fullmatch=True)


def a_table(*further: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    own = st.dictionaries(keys("v"), values, min_size=1, max_size=4)
    return st.tuples(own, *further).map(
        lambda parts: {k: v for part in parts for k, v in part.items()}
    )


def listed(entry: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(keys("l"), st.lists(entry, min_size=1, max_size=3), max_size=2)


mappings = a_table(
    st.dictionaries(keys("t"), a_table(), max_size=2), listed(a_table(listed(a_table())))
)


def built(raw: RawSheet) -> dict[str, Any]:
    return understood(raw, "x.csv", lambda mapping: mapping)[0].mapping


@settings(max_examples=300)
@given(mapping=mappings, separator=st.sampled_from([",", ";", "\t"]))
def test_any_mapping_survives_the_way_through_a_table(
    mapping: dict[str, Any], separator: str
) -> None:
    text = to_csv([("", mapping)], separator)
    assume("sheet" not in mapping and separator in text.splitlines()[0])
    (raw,) = read_table(text, "x.csv")
    assert built(raw) == mapping


@settings(max_examples=200)
@given(mapping=mappings)
def test_any_mapping_survives_the_way_through_toml_and_json(mapping: dict[str, Any]) -> None:
    import tomllib

    assert tomllib.loads(to_toml(mapping)) == mapping
    assert json.loads(to_json(mapping)) == mapping
