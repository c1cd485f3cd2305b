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
    assert beam["discrimination"]["visible"] == [""] * 3
    dial = by_name(sheet(capsys, "nawi", *SCALE, "--set", "indicating=analogue"))["discrimination"]
    assert set(dial) == {"name", "load", "indication", "extra_load", "indication_after"}


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


WATER = ("--set", "class=2", "--set", "q3=2.5 m³/h", "--set", "ratio=80")
FUEL = ("--set", "class=0.5", "--set", "mmq=2L", "--set", "qmin=4L/min", "--set", "qmax=40L/min")
WEIGHTS = ("--set", "class=E2", "--set", "nominal=1 kg,500g")


def test_a_water_meter_gets_the_flow_rates_of_verification(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tests = sheet(capsys, "water-meter", *WATER)["test"]
    assert [test["flow_rate"] for test in tests] == ["33 L/h", "52 L/h", "2.4 m³/h"]
    assert (tests[0]["method"], tests[0]["reference"]) == ("reference-meter", "")
    said = ran(capsys, "water-meter", *WATER)[1]
    assert re.search(r'flow_rate = "52 L/h" +# from 50 L/h to 55 L/h', said)
    more = ("--set", "setting=id-meter-air", "--set", "method=tank")
    national = sheet(capsys, "water-meter", *WATER, *more)["test"]
    assert [test["flow_rate"] for test in national] == ["2.4 m³/h", "52 L/h", "33 L/h"]
    assert national[0]["tank_temperature"] == ""


def test_a_dispenser_gets_its_flow_rates_runs_and_further_tests(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = sheet(capsys, "fuel-dispenser", *FUEL)
    rates = [test["flow_rate"] for test in found["test"] if test["name"] == "accuracy"]
    assert rates == ["40 L/min", "20 L/min", "4 L/min"]
    assert [test["name"] for test in found["test"][3:]] == ["zero", "price"]
    assert found["test"][0]["indication"] == ["", "", ""]
    assert found["test"][0]["wetted"] == ""
    assert found["liquid"]["name"] == ""
    assert re.search(r'volume = "" +# 10 L or more', ran(capsys, "fuel-dispenser", *FUEL)[1])
    setting = ("--set", "setting=id-pubbm@2014", "--set", "displays=2")
    national = sheet(capsys, "fuel-dispenser", *FUEL, *setting)
    rates = [test["flow_rate"] for test in national["test"] if test["name"] == "accuracy"]
    assert rates == ["40 L/min", "25 L/min", "8 L/min"]
    assert [test["name"] for test in national["test"][3:]] == ["zero", "price", "front_back"]
    assert re.search(r"# 20 L or more", ran(capsys, "fuel-dispenser", *FUEL, *setting)[1])


def test_weights_get_the_cycles_of_their_class(capsys: pytest.CaptureFixture[str]) -> None:
    found = sheet(capsys, "weights", *WEIGHTS)
    assert [(test["nominal"], test["A1"]) for test in found["test"]] == [
        ("1 kg", ["", ""]),
        ("500 g", ["", ""]),
    ]
    series = sheet(capsys, "weights", *WEIGHTS, "--set", "cycle=AB1..BnA")["test"][0]
    assert (series["identification"], series["B2"]) == (["", ""], ["", "", ""])


def test_no_check_is_passed_before_it_was_made(capsys: pytest.CaptureFixture[str]) -> None:
    for test in sheet(capsys, "fuel-dispenser")["test"]:
        assert test.get("passed", "") == ""
        assert test.get("wetted", "") == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("water-meter", *WATER[:4]), "--set ratio=...: this key is missing"),
        (("water-meter", *WATER, "--set", "method=bucket"), "--set method: 'bucket' is none of"),
        (("water-meter", *WATER, "--set", "cycle=ABA"), "--set cycle: this key is not known"),
        (("fuel-dispenser", *FUEL, "--set", "qmin=40L/min"), "--set qmax: 40 L/min is not more"),
        (("weights", "--set", "class=M1", "--set", "nominal=250g"), "--set nominal: no limit"),
        (("weights", "--set", "class=M1"), "--set nominal=...: this key is missing"),
        (("nawi", *SCALE, "--set", "cycle=ABA"), "--set cycle: this key is not known"),
        (
            ("nawi", *SCALE, "--set", "method=imbuh"),
            "--set method: 'imbuh' is none of change, probe",
        ),
        (
            ("nawi", *SCALE, "--set", "d=1g", "--set", "method=probe"),
            "--set method=...: a probe of",
        ),
    ],
)
def test_what_proposes_nothing_is_refused_by_its_key(
    arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ran(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


IDEAL = {
    "volume": "20 L",
    "indication": "20 L",
    "reference": "20 L",
    "start": "0 L",
    "end": "20 L",
    "temperature": "20 °C",
    "currency": "Rp",
    "unit_price": "10000",
    "price": "200000",
    "front": "20 L",
    "back": "20 L",
    "identification": "x",
    "A1": "0 mg",
    "A2": "0 mg",
    "B1": "0.1 mg",
    "B2": "0 mg",
    "comparator": "K",
}
"""What an ideal instrument would show at each key."""


def filled_ideally(found: dict[str, Any]) -> dict[str, Any]:
    for test in found["test"]:
        for key, value in test.items():
            if value == "" or (isinstance(value, list) and "" in value):
                ideal = "0 L" if test["name"] == "zero" else IDEAL[key]
                test[key] = [ideal] * len(value) if isinstance(value, list) else ideal
    identity = {"kind": "x", "serial": "1", "maker": "x", "model": "y", "resolution": "0.001 L"}
    given = {key: value for key, value in found["instrument"].items() if value}
    known = identity if found["routine"] != "weights" else {"kind": "x", "serial": "1"}
    found["instrument"] = known | given
    found["standards"] = [{"id": "S-1"}]
    found["environment"] = {"temperature": "20 °C", "pressure": "1013 hPa", "humidity": "50 %"}
    found.pop("liquid", None)
    if "comparator" in found:
        found["environment"] |= {
            "temperature_uncertainty": "0.1 K",
            "pressure_uncertainty": "0.1 hPa",
            "humidity_uncertainty": "1 %",
        }
        found["comparator"] = [{"id": "K", "d": "0.01 mg"}]
        mass = {"correction": "0 mg", "expanded_uncertainty": "0.01 mg"}
        found["standards"][0] |= {
            "kind": "weights",
            "class": "E1",
            "certificate": "x",
            "due": "2027-06-30",
            "point": [{"nominal": m, **mass} for m in ("500 g", "1 kg")],
        }
    return found


@pytest.mark.parametrize(
    ("routine", "arguments"),
    [
        *(("water-meter", ("--set", f"class={c}", *WATER[2:], *more))
          for c in "12" for more in ((), ("--set", "setting=id-meter-air"))),
        ("water-meter", ("--set", "class=1", "--set", "q3=160", "--set", "ratio=315")),
        ("volume-meter", FUEL),
        *(("fuel-dispenser", (*FUEL, "--set", "method=reference-meter", *more))
          for more in ((), ("--set", "setting=id-pubbm@2014"))),
        *(("weights", ("--set", f"class={c}", *WEIGHTS[2:], "--set", f"cycle={cycle}"))
          for c in ("E1", "E2", "F1", "F2", "M1", "M3") for cycle in ("ABBA", "ABA", "AB1..BnA")),
    ],
)  # fmt: skip
def test_points_that_are_proposed_are_those_that_the_law_wants(
    routine: str,
    arguments: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = tuple(word.replace("q3=160", "q3=160 m³/h") for word in arguments)
    found = filled_ideally(sheet(capsys, routine, *arguments))
    path = tmp_path / "filled.json"
    path.write_text(json.dumps(found, default=str), encoding="utf-8")
    (read,) = sources_of(path)[0].sheets()
    codes = {reason.code for reason in evaluate(read, standards={}, approved=()).reasons}
    assert not {code for code in codes if "missing" in code or "few" in code or "order" in code}


def test_a_scale_is_probed_as_the_national_settings_want_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--set", "method=probe", "--set", "setting=id-tbo@2015", "--set", "tare=true")
    found = sheet(capsys, "nawi", *SCALE, *words)
    for test in found["test"]:
        count = len(test["indication"]) if isinstance(test["indication"], list) else 0
        loads = test["load"] if isinstance(test["load"], list) else [test["load"]] * (count or 1)
        test["indication"] = loads if count else loads[0]
        steady = [load if load == "50 g" else "-" for load in loads]
        changed = ["55 g" if load == "50 g" else "-" for load in loads]
        for key, column in (("indication_after", steady), ("indication_further", changed)):
            if key in test:
                test[key] = column if count else column[0]
    tests = by_name(found)
    assert tests["zero"]["load"] == "50 g"
    assert tests["tare"]["load"][0] == "50 g"
    assert "indication_after" not in tests["repeatability"]
    assert not any("added_load" in test for test in found["test"])
    found["instrument"] |= {"kind": "x", "serial": "A-1", "maker": "x", "model": "y"}
    found |= {"standards": [{"id": "W-07"}], "environment": {"temperature": "28 °C"}}
    path = tmp_path / "probed.json"
    path.write_text(json.dumps(found, default=str), encoding="utf-8")
    (read,) = sources_of(path)[0].sheets()
    result = evaluate(read, standards={}, approved=())
    assert result.verdict is Verdict.CONFORMING, result.reasons
    assert {reason.code for reason in result.reasons} <= {
        *("table-not-approved", "settings-not-approved", "standard-unknown", "provisional"),
    }


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
    given = SCALE if routine == "nawi" else ()
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
