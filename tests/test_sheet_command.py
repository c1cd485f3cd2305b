"""``tera sheet``: an empty sheet with the points that the law wants, ready to be filled in."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from acquisition.cli import main
from acquisition.sheet_file import sources_of
from calibration.evaluation import ROUTINES, evaluate
from calibration.verification import Verdict

EXAMPLES = Path(__file__).parent.parent / "examples"
SCALE = ("--set", "class=III", "--set", "max=15kg", "--set", "e=5g")


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERA_LANG", "en")


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["sheet", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def sheet(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    code, out, err = ran(capsys, *arguments)
    assert (code, err) == (0, "")
    return tomllib.loads(out)


def by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {test["name"]: test for test in found["test"]}


def test_a_scale_gets_the_loads_of_the_law(capsys: pytest.CaptureFixture[str]) -> None:
    tests = by_name(sheet(capsys, "nawi", *SCALE))
    assert list(tests) == ["zero", "weighing", "eccentricity", "repeatability"]
    up = ["0 g", "100 g", "2500 g", "10000 g", "15000 g"]
    assert tests["weighing"]["load"] == [*up, *reversed(up[:-1])]
    assert tests["weighing"]["indication"] == [""] * 9
    assert tests["weighing"]["added_load"] == [""] * 9
    assert (tests["eccentricity"]["load"], tests["eccentricity"]["indication"]) == (
        "5000 g",
        [""] * 4,
    )
    assert len(tests["repeatability"]["indication"]) == 3


def test_characteristics_change_what_is_proposed(capsys: pytest.CaptureFixture[str]) -> None:
    fine = by_name(sheet(capsys, "nawi", *SCALE, "--set", "d=0.5g", "--set", "tare=true"))
    assert "added_load" not in fine["weighing"]
    assert fine["tare"]["tare"] == "5000 g"
    ranges = (
        "--set",
        "class=III",
        "--set",
        "ranges=3kg:1g,15kg:5g",
        "--set",
        "multiple_range=true",
    )
    found = sheet(capsys, "nawi", *ranges)
    assert [test["range"] for test in found["test"]] == [1, 1, 1, 1, 2, 2, 2, 2]
    beam = by_name(sheet(capsys, "nawi", *SCALE, "--set", "indicating=non-self-indicating"))
    assert beam["weighing"]["load"] == [""] * 9
    assert beam["weighing"]["indication"][1] == "100 g"
    assert beam["sensitivity"]["displacement"] == ["", ""]


def filled(found: dict[str, Any]) -> dict[str, Any]:
    """Fill in what an ideal scale would show."""
    found["instrument"] |= {
        "kind": "timbangan elektronik",
        "serial": "A-1",
        "maker": "x",
        "model": "y",
    }
    found["standards"] = [{"id": "W-07"}]
    found["environment"] = {"temperature": "28 °C"}
    for test in found["test"]:
        load = test["load"]
        many = len(test["indication"]) if isinstance(test["indication"], list) else 0
        loads = load if isinstance(load, list) else [load] * (many or 1)
        test["indication"] = loads if many else loads[0]
        if "added_load" in test:
            test["added_load"] = ["2.5 g"] * many if many else "2.5 g"
    return found


def test_the_sheet_filled_in_lacks_nothing_that_the_law_wants(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in ((), ("--set", "tare=true"), ("--set", "d=0.5g"), ("--set", "stage=in_service")):
        found = filled(sheet(capsys, "nawi", *SCALE, *more))
        path = tmp_path / "filled.json"
        path.write_text(json.dumps(found, default=str), encoding="utf-8")
        (read,) = sources_of(path)[0].sheets()
        assert evaluate(read, standards={}, approved=()).verdict is Verdict.CONFORMING


def test_what_is_left_open_is_refused_by_its_key_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ran(capsys, "nawi", *SCALE)[1]
    path = tmp_path / "cerapan.toml"
    path.write_text(out, encoding="utf-8")
    assert main(["evaluate", str(path)]) == 2
    said = capsys.readouterr().err
    assert re.search(r"cerapan\.toml:\d+: instrument\.\w+: this text is empty\.", said)


@pytest.mark.parametrize("routine", sorted(ROUTINES))
def test_every_routine_has_an_empty_sheet_of_its_keys(
    routine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = SCALE if ROUTINES[routine].propose else ()
    found = sheet(capsys, routine, *given, "--set", "serial=X-1", "--set", "date=2026-11-24")
    assert (found["routine"], str(found["date"])) == (routine, "2026-11-24")
    assert found["instrument"]["serial"] == "X-1"
    if not given:
        example = tomllib.loads((EXAMPLES / f"{routine}.toml").read_text(encoding="utf-8"))
        assert list(found["test"][0]) == list(example["test"][0])
        assert found["test"][0]["name"] == example["test"][0]["name"]
        words = ran(capsys, routine)[1]
        assert f"# example: {example['instrument']['serial']}" in words
    code, out, _ = ran(capsys, routine, *given, "--to", "csv")
    assert code == 0
    assert out.splitlines()[0].startswith("routine,stage,date")
    assert '""' not in out.splitlines()[1]


def test_an_empty_table_is_filled_in_a_spreadsheet_and_evaluated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import csv
    import io

    out = ran(capsys, "nawi", *SCALE, "--to", "csv")[1]
    rows = list(csv.DictReader(io.StringIO(out)))
    rows[0] |= {"instrument.kind": "timbangan", "instrument.serial": "A-1", "standards.id": "W-07"}
    load = ""
    for row in rows:
        load = row["test.load"] or load
        row["test.indication"], row["test.added_load"] = load, "2.5 g"
    for name in ("instrument.maker", "instrument.model", "environment.temperature"):
        rows[0][name] = "28 °C" if name.startswith("env") else "x"
    path = tmp_path / "filled.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    (read,) = sources_of(path)[0].sheets()
    assert evaluate(read, standards={}, approved=()).verdict is Verdict.CONFORMING


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["navi"], "there is no routine navi: choose from nawi"),
        (["nawi"], "--set e=...: this key is missing"),
        (["nawi", "--set", "class=III", "--set", "max=15kg"], "--set e=...: this key is missing"),
        (["nawi", *SCALE, "--set", "colour=red"], "--set colour: this key is not known"),
        (["nawi", *SCALE, "--set", "e=3g"], "e is 1, 2 or 5 times a power of ten"),
        (["nawi", *SCALE, "--set", "max=15"], "'15' has no unit"),
        (["nawi", *SCALE, "--set", "date=24/11"], "24/11 is no date"),
        (["nawi", *SCALE, "--set", "table=r99"], "there is no legal table 'r99'"),
        (["nawi", *SCALE, "--set", "stage=tera"], "tera"),
        (["nawi", "--set", "class"], "--set: class is not KEY=VALUE"),
    ],
)
def test_bad_input_gets_one_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ran(capsys, *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.splitlines()) == 1


def test_the_comments_are_in_the_language_in_force(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "# weighing · R 76-1 A.4.4.1" in ran(capsys, "nawi", *SCALE)[1]
    monkeypatch.setenv("TERA_LANG", "id")
    out = ran(capsys, "nawi", *SCALE)[1]
    assert "# kebenaran penunjukan · R 76-1 A.4.4.1" in out
    comments = " ".join(line.partition("# ")[2] for line in out.splitlines())
    assert not {"the", "with", "fill", "digits", "day"} & set(comments.split())
    assert "# contoh: MA-100231" in ran(capsys, "water-meter")[1]


def test_the_sheet_is_given_as_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = ran(capsys, "nawi", *SCALE, "--json")[1].splitlines()
    found = json.loads(line)
    assert found["test"][1]["load"][-1] == "0 g"
