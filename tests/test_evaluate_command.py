"""``tera evaluate``: one sheet, folders of thousands, another law, and what is said of bad ones."""

import errno
import io
import json
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from acquisition import archive
from acquisition.archive import Work, examined
from acquisition.cli import main
from acquisition.evaluating import worst_share
from acquisition.language import catalogue, t
from acquisition.office_law import law_file
from acquisition.sheet_file import files_of, sources_of
from acquisition.verdict_page import VerificationTable, compact, limit_of, risk
from calibration.evaluation import evaluate
from calibration.verification import (
    PointResult,
    TableReference,
    TestResult,
    Verdict,
    Verification,
)

EXAMPLES = Path(__file__).parent.parent / "examples"
TOMLS = sorted(EXAMPLES.glob("*.toml"), key=lambda path: path.name)

FILLER = """
routine = "general"
stage = "initial"
date = 2026-11-24
table = "r61@2004"
[instrument]
kind = "mesin pengisi gravimetri"
serial = "MP-1"
class = "X(1)"
[[standards]]
id = "TK-1"
kind = "scale"
certificate = "contoh"
due = 2027-06-30
expanded_uncertainty = "0.05 g"
[[test]]
name = "accuracy"
indication = ["1011 g", "989 g", "1000 g", "1000 g", "1000 g", "1000 g", "1000 g", "1000 g"]
"""
"""Fills that deviate by 11 g from 1000 g: R 61 allowed 10.5 g in 1996 and allows 12 g since 2004."""


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TERA_LANG", "en")
    monkeypatch.chdir(tmp_path)  # no station here: nothing is approved, no standard registered


def nawi(serial: str = "A-1042") -> str:
    return (EXAMPLES / "nawi.toml").read_text(encoding="utf-8").replace("A-1042", serial)


def nonconforming(serial: str) -> str:
    text = nawi(serial)
    assert '"15005 g"' in text
    return text.replace('"15005 g"', '"15015 g"')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder of four good sheets in three forms, one of them nonconforming."""
    (tmp_path / "arsip" / "2025").mkdir(parents=True)
    root = tmp_path / "arsip"
    (root / "b.toml").write_text(nonconforming("B-2"), encoding="utf-8")
    (root / "2025" / "a.toml").write_text(nawi("B-1"), encoding="utf-8")
    (root / "c.csv").write_bytes((EXAMPLES / "nawi.csv").read_bytes())
    (root / "bench.toml").write_bytes((EXAMPLES / "water-meter-bench.toml").read_bytes())
    (root / "notes.txt").write_text("no sheet")
    (root / ".hidden.toml").write_text("no sheet")
    return root


def ran(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["evaluate", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def objects(out: str) -> list[dict[str, Any]]:
    return [json.loads(line, parse_float=Decimal) for line in out.splitlines()]


def test_a_folder_is_evaluated_sheet_by_sheet_in_order(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ran(capsys, folder, "--json")
    assert (code, err) == (1, "")
    found = {Path(one["sheet"]).name: one["verdict"] for one in objects(out)}
    assert found == {
        "a.toml": "conforming",
        "b.toml": "nonconforming",
        "bench.toml#B-7001": "conforming",
        "bench.toml#B-7002": "conforming",
        "bench.toml#B-7003": "nonconforming",
        "bench.toml#B-7004": "conforming",
        "bench.toml#B-7005": "conforming",
        "c.csv": "conforming",
    }
    assert list(found) == sorted(found)
    (single,) = objects(ran(capsys, folder / "b.toml", "--json")[1])
    (many,) = [one for one in objects(out) if one["sheet"].endswith("b.toml")]
    assert "sheet" not in single
    assert {key: value for key, value in many.items() if key != "sheet"} == single


def test_the_exit_code_is_0_only_if_every_sheet_conforms(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(capsys, folder / "2025", folder / "c.csv")[0] == 0
    assert ran(capsys, folder / "2025", folder / "b.toml")[0] == 1


def test_a_bad_sheet_is_named_in_one_sentence_and_stops_no_other(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad-1.toml").write_text(nawi().replace('"5000 g"', '"5001 g"'), encoding="utf-8")
    (folder / "bad-2.toml").write_text("routine = 'nawi'\nrutine = 1", encoding="utf-8")
    (folder / "bad-3.json").write_text("{", encoding="utf-8")
    (folder / "bad-4.csv").write_text("routine;stage\nnawi;tera\n", encoding="utf-8")
    (folder / "bad-5.csv").write_text("", encoding="utf-8")
    code, out, err = ran(capsys, folder)
    assert code == 2
    said = err.splitlines()
    assert len(said) == 5
    assert all(line.startswith("tera: ") for line in said)
    for line, wanted in zip(
        said,
        ["bad-1.toml:45: test[1].indication", "bad-2.toml:2: rutine", "bad-3.json", "bad-4.csv:2: B2 stage", "bad-5.csv"],
        strict=True,
    ):  # fmt: skip
        assert wanted in line
    assert "13 sheets: 6 conforming, 2 nonconforming, 5 bad sheet" in out
    for name in ("a.toml", "b.toml", "bad-1.toml", "bad-5.csv", "c.csv"):
        assert name in out


def test_processes_give_the_same_in_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        text = nonconforming(f"S-{number}") if number % 3 else nawi(f"S-{number}")
        (tmp_path / f"{number:02d}.toml").write_text(text, encoding="utf-8")
    (tmp_path / "05.toml").write_text("no sheet", encoding="utf-8")
    files = files_of([tmp_path])
    work = Work(Path("config.toml"), json=True, many=True, language="en")
    alone = list(examined(files, work))
    monkeypatch.setattr(archive, "WORTH_PROCESSES", 4)
    monkeypatch.setattr(archive, "_cores", lambda: 2)
    together = list(examined(files, work))
    assert together == alone
    assert [outcome.bad != "" for (outcome,) in alone] == [n == 5 for n in range(12)]


def test_no_more_processes_than_cores_and_none_for_a_few_sheets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[int] = []

    class Pool:
        def __init__(self, workers: int, *_: object) -> None:
            started.append(workers)

        def map(self, _: object, units: list[object], chunksize: int) -> list[object]:
            assert 1 <= chunksize <= len(units)
            return []

        def shutdown(self, **_: object) -> None:
            pass

    monkeypatch.setattr(archive, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(archive, "_cores", lambda: 3)
    work = Work(Path("config.toml"), many=True)
    for count in (archive.WORTH_PROCESSES + 1, 100 * archive.WORTH_PROCESSES):
        list(examined([Path("x.toml")] * count, work))
    assert started == [2, 3]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--table", "r76@1492"], "--table: there is no legal table 'r76@1492'"),
        (["--setting", "id-tbo@1492"], "--setting: there are no national settings"),
        (["--stage", "tera"], "--stage: 'tera' is none of initial"),
        (["--on", "yesterday"], "--on: yesterday is not a date"),
        (["--compare"], "--compare: name what to compare with"),
        (["--plot", "x.gif"], "--plot: x.gif must end in .svg"),
        (["--budget", "weighing:99"], "--budget: no uncertainty is evaluated there"),
        (["--budget", "weighing:x"], "--budget: name a point as in weighing:3"),
        (["--table", "r49"], "--table: routine nawi is decided by r76"),
        (["--setting", "id-meter-air"], "--setting: settings id-meter-air"),
        (["--stage", "in_service", "--compare", "--plot", "x.svg"], "--compare: a comparison"),
    ],
)
def test_what_is_asked_wrongly_is_said_before_anything_is_printed(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = ran(capsys, EXAMPLES / "nawi.toml", *arguments)
    assert code == 2
    assert says in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("x.json", '{"routine": "nawi", "routine": "weights"}', "routine stands twice"),
        ("x.json", '{"instrument": {"class": "III", "class": "IIII"}}', "class stands twice"),
        ("x.json", "[" * 100_000, "nested too deeply"),
        ("x.toml", "x = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("x.toml", "# 28 \n\xb0C", "x.toml:2: this file is not in UTF-8"),
        ("x.csv", "a\n" + "[" * 50_000, "key is missing"),
    ],
)
def test_a_file_that_is_no_sheet_is_one_sentence(
    name: str, text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    code, out, err = ran(capsys, tmp_path / name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


@pytest.mark.parametrize(
    ("words", "legal"),
    [
        ((), True),
        (("--table", "r76"), True),
        (("--stage", "initial"), True),
        (("--on", "2026-11-24"), True),
        (("--stage", "in_service"), False),
        (("--setting", "id-tbo"), False),
        (("--on", "2026-11-25"), False),
    ],
)
def test_a_verdict_under_another_law_than_the_sheets_own_is_never_legal(
    words: tuple[str, ...],
    legal: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    config = (EXAMPLES.parent / "config.toml").read_text(encoding="utf-8")
    for name in ("r76", "id-tbo"):
        digest = law_file(name).digest
        config += (
            f'\n[[approval]]\ntable = "{name}"\ndigest = "{digest}"\nby = "x"\non = 2026-01-01\n'
        )
    (tmp_path / "config.toml").write_text(config, encoding="utf-8")
    code, out, _ = ran(capsys, EXAMPLES / "nawi.toml", "--json", *words)
    (found,) = objects(out)
    assert (code, found["verdict"]) == (0, "conforming")
    assert found["legal"] is legal
    assert any("comparison only" in reason for reason in found["reasons"]) is not legal


def test_names_are_checked_before_any_sheet_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ran(capsys, "no-such-folder", "--table", "r99")
    assert (code, out) == (2, "")
    assert "r99" in err
    assert main(["evaluate"]) == 2
    assert "no observation sheet is named" in capsys.readouterr().err


def test_a_link_that_leads_nowhere_is_a_bad_sheet_and_a_loop_of_folders_none(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = len(files_of([folder]))
    (folder / "gone.toml").symlink_to("nowhere.toml")
    (folder / "round.toml").symlink_to("round.toml")
    (folder / "2025" / "back").symlink_to(folder)
    code, _, err = ran(capsys, folder)
    assert code == 2
    gone, looped = err.splitlines()
    assert gone == f"tera: no such observation sheet: {folder / 'gone.toml'}"
    assert looped.startswith(f"tera: cannot read {folder / 'round.toml'}: Too many levels")
    assert len(files_of([folder])) == sound + 2


def test_a_folder_that_cannot_be_read_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scandir = os.scandir

    def refusing(path: Any) -> Any:  # root may read every folder, so no mode keeps it out
        if Path(path).name == "2025":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    code, out, err = ran(capsys, folder)
    assert (code, out) == (2, "")
    assert f"cannot read {folder / '2025'}" in err


def test_an_empty_folder_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").mkdir()
    code, _, err = ran(capsys, tmp_path / "x")
    assert code == 2
    assert "no observation sheet is in the folder" in err


def test_another_edition_changes_the_verdict_of_an_archive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "filler.toml").write_text(FILLER, encoding="utf-8")
    (tmp_path / "nawi.toml").write_text(nawi(), encoding="utf-8")
    code, out, _ = ran(capsys, tmp_path, "--table", "r61@1996", "--compare")
    assert code == 1
    assert "r61@2004 conforming → r61@1996 nonconforming" in out
    assert "1 · 1000 g: error +11 g; ±12 g conforming → ±10.5 g nonconforming" in out
    assert "1 verdicts compared, 1 of them change" in out
    assert "1 sheets of another kind stay under their own law" in out
    code, out, _ = ran(capsys, tmp_path, "--table", "r61@1996", "--table", "r61@2004", "--json")
    assert code == 1
    changed, same = objects(out)
    assert (changed["changed"], same["changed"]) == (True, False)
    assert (changed["own"]["law"], changed["other"]["law"]) == ("r61@2004", "r61@1996")
    assert [point["point"] for point in changed["points"]] == [1, 2]
    assert changed["points"][0]["other"] == {
        "lower": Decimal("-10.5"),
        "upper": Decimal("10.5"),
        "verdict": "nonconforming",
    }
    assert same["points"] == []


def test_the_sheet_is_evaluated_under_another_law_without_comparing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "filler.toml"
    sheet.write_text(FILLER, encoding="utf-8")
    (own,) = objects(ran(capsys, sheet, "--json")[1])
    (other,) = objects(ran(capsys, sheet, "--json", "--table", "r61@1996")[1])
    assert (own["verdict"], own["table"]["edition"]) == ("conforming", "2004")
    assert (other["verdict"], other["table"]["edition"]) == ("nonconforming", "1996")
    (tmp_path / "nawi.toml").write_text(nawi(), encoding="utf-8")
    code, out, _ = ran(capsys, tmp_path, "--table", "r76@2006", "--json")
    assert (code, objects(out)[0]["table"]["id"]) == (0, "r61")  # not the kind of this sheet


def test_another_stage_setting_or_day_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    imbuh = EXAMPLES / "nawi-imbuh.toml"
    code, out, _ = ran(capsys, imbuh, "--stage", "initial", "--compare")
    assert code == 1
    assert "r76@2006 + id-tbo@2015 initial" in out
    (body,) = objects(ran(capsys, EXAMPLES / "nawi.toml", "--stage", "in_service", "--json")[1])
    assert body["stage"] == "in_service"
    assert max(p["upper"] for p in body["tests"][1]["points"]) == 15
    (body,) = objects(ran(capsys, EXAMPLES / "nawi.toml", "--on", "2028-01-01", "--json")[1])
    assert any("ended on 2027-06-30, before 2028-01-01" in reason for reason in body["reasons"])
    arguments = (EXAMPLES / "nawi.toml", "--setting", "id-tbo@2015", "--stage", "subsequent")
    (body,) = objects(ran(capsys, *arguments, "--json")[1])
    assert (body["settings"]["id"], body["tests"][1]["points"][0]["upper"]) == ("id-tbo", 5)


def test_a_law_that_does_not_know_the_instrument_makes_a_bad_sheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.toml").write_text(FILLER, encoding="utf-8")
    (tmp_path / "b.toml").write_text(nawi(), encoding="utf-8")
    code, out, err = ran(capsys, tmp_path, "--setting", "id-tbo@2015", "--json")
    assert code == 2
    assert [Path(one["sheet"]).name for one in objects(out)] == ["b.toml"]
    assert "a.toml: --setting: settings id-tbo@2015 are for table r76, not for r61@2004." in err


def test_budgets_are_printed_of_every_point_or_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    sheet = EXAMPLES / "nawi.toml"
    code, out, _ = ran(capsys, sheet, "--budget")
    (body,) = objects(ran(capsys, sheet, "--json")[1])
    budgets = [point for test in body["tests"] for point in test["points"] if point.get("budget")]
    assert code == 0
    assert out.count("uncertainty budget:") == len(budgets) > 20
    one = ran(capsys, sheet, "--budget", "weighing:6")[1]
    assert one.count("uncertainty budget:") == 1
    assert "uncertainty budget: weighing 6 · 15000 g" in one
    assert "U = 1.2 g (k = 2.09)" in one
    swapped = ran(capsys, "--budget", sheet)
    assert swapped[:2] == (0, out)


def test_every_row_of_a_budget_is_said_in_indonesian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERA_LANG", "id")
    rows = {
        str(row[name])
        for path in TOMLS
        for source in sources_of(path)
        for sheet in source.sheets()
        for test in evaluate(sheet, standards={}, approved=()).tests
        for point in test.points
        for row in point.budget
        for name in ("quantity", "distribution")
    }
    unsaid = {row for row in rows if t(row) == row and row not in {"t", *catalogue()}}
    assert not unsaid


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("path", TOMLS, ids=lambda path: path.stem)
def test_every_example_is_shown_in_80_columns_without_losing_a_digit(
    path: Path, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERA_LANG", language)
    for sheet in sources_of(path)[0].sheets():
        body = evaluate(sheet, standards={}, approved=()).to_dict()
        out = io.StringIO()
        Console(file=out, width=80, markup=False).print(VerificationTable(body, path.stem))
        shown = out.getvalue()
        assert max(map(len, shown.splitlines())) <= 80
        words = set(shown.split())
        for test in body["tests"]:
            for point in test["points"]:
                for name in ("reference", "indication"):
                    assert point[name] is None or f"{point[name]:f}" in words
                assert point["error"] is None or f"{point['error']:f}" in shown


@pytest.mark.parametrize("path", TOMLS, ids=lambda path: path.stem)
def test_on_a_narrow_terminal_each_verdict_stays_beside_its_error_and_limit(path: Path) -> None:
    for sheet in sources_of(path)[0].sheets():
        body = evaluate(sheet, standards={}, approved=()).to_dict()
        out = io.StringIO()
        Console(file=out, width=40, markup=False).print(VerificationTable(body, path.stem))
        shown = iter(out.getvalue().splitlines())
        for test in body["tests"]:
            for point in test["points"]:
                mark = {"conforming": "✓", "nonconforming": "✗", "indeterminate": "?"}
                line = next(s for s in shown if s[:1] == mark[point["verdict"]])
                assert point["error"] is None or f"{point['error']:f}" in line
                assert limit_of(point) in line


def point(error: str | None, lower: str | None, upper: str | None, **more: Any) -> PointResult:
    numbers = [None if text is None else Decimal(text) for text in (error, lower, upper)]
    return PointResult(None, None, None, *numbers, "g", Verdict.CONFORMING, **more)


@pytest.mark.parametrize(
    ("points", "share"),
    [
        ([("0.5", "-1", "1"), ("-0.8", "-1", "1")], "80.0"),
        ([("1", "-1", "1")], "100.0"),
        ([("1.0000001", "-1", "1")], "100.1"),
        ([("0.9999999", "-1", "1")], "99.9"),
        ([("-3", "-2", "5")], "150.0"),
        ([("5", "5", None), (None, "-1", "1")], None),
        ([("0", "0", "0")], None),
        ([("0", "-1", "1")], "0.0"),
        ([("0.3", None, "0.4")], "75.0"),
    ],
)
def test_the_worst_error_is_a_share_of_its_own_limit_and_never_rounds_across_it(
    points: list[tuple[str | None, str | None, str | None]], share: str | None
) -> None:
    test = TestResult("weighing", Verdict.CONFORMING, tuple(point(*p) for p in points))
    table = TableReference("r76", "2006", "", "")
    result = Verification(Verdict.CONFORMING, "nawi", table, "initial", False, (test,))
    assert worst_share(result) == (None if share is None else Decimal(share))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "<0.01 %"),
        ("1e-30", "<0.01 %"),
        ("0.0036", "0.36 %"),
        ("0.5", "50 %"),
        ("0.123", "12 %"),
    ],
)
def test_a_risk_is_said_to_two_digits(value: str, text: str) -> None:
    assert risk(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.144338", "0.1443"),
        ("1234567.8", "1235000"),
        ("0.0000001234", "1.234·10^-7"),
        ("12", "12"),
        ("0", "0"),
    ],
)
def test_a_number_of_a_budget_is_short(value: str, text: str) -> None:
    assert compact(Decimal(value)) == text


def test_a_limit_keeps_its_digits_unless_they_are_many() -> None:
    short = {
        "reference": Decimal(100),
        "indication": Decimal(100),
        "error": Decimal(0),
        "unit": "g",
    }
    assert limit_of({**short, "lower": Decimal("-2.5"), "upper": Decimal("2.5")}) == "±2.5 g"
    long = {**short, "error": Decimal("0.001"), "unit": "L"}
    side = Decimal("0.500506175")
    assert limit_of({**long, "lower": -side, "upper": side}) == "±0.500 L"
    assert limit_of({**long, "lower": None, "upper": None}) == ""


@pytest.mark.parametrize("kind", ["toml", "json", "csv"])
def test_a_sheet_is_converted_and_evaluates_the_same(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("nawi.toml", "nawi.csv", "weights.toml", "water-meter-bench.toml"):
        code, text, _ = ran(capsys, EXAMPLES / name, "--to", kind)
        assert code == 0
        other = tmp_path / f"other.{kind}"
        other.write_text(text, encoding="utf-8")
        own, new = (
            [sheet for source in sources_of(path) for sheet in source.sheets()]
            for path in (EXAMPLES / name, other)
        )
        assert new == own


def test_many_sheets_are_converted_into_one_table(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text, _ = ran(capsys, folder, "--to", "csv")
    assert code == 0
    table = folder / "all.csv"
    table.write_text(text, encoding="utf-8")
    assert [source.part for source in sources_of(table)] == ["a", "b", "bench", "c"]
    code, _, err = ran(capsys, folder, "--to", "toml")
    assert code == 2
    assert "--to: a TOML file holds one sheet" in err


def test_many_verdicts_are_a_line_each_where_there_is_room(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ran(capsys, folder.name)[1]
    (line,) = [line for line in out.splitlines() if line.startswith("arsip/b.toml")]
    assert re.split(r"\s{2,}", line)[1:] == [
        "timbangan elektronik B-2",
        "nonconforming",
        "no",
        "200.0",
    ]
