"""What an office does with the law: lists it, reads it, approves it, and decides over settings."""

import json
import os
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from acquisition.cli import main
from acquisition.config import load_station
from acquisition.faults import BadInput, exit_code
from acquisition.language import choose
from acquisition.law_page import law_texts
from acquisition.office_law import approval_of, approve, law_file, law_files
from acquisition.register import approved_digests
from calibration import legal_table as legal_table_module
from calibration.edition import packaged
from calibration.legal_table import LegalTable, legal_table, tables
from calibration.national import all_settings, national_settings

CONFIG = (Path(__file__).parent.parent / "config.toml").read_text("utf-8")
DAY = date(2026, 11, 24)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TERA_LANG", "en")
    yield
    choose("id")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(CONFIG, "utf-8")
    return file


def tera(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line, parse_float=Decimal) for line in text.splitlines()]


def test_every_table_and_setting_is_listed(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = tera(capsys, "tables", "--config", config, "--json")
    listed = rows(out)
    assert code == 0
    assert [f"{row['table']}@{row['edition']}" for row in listed] == [
        *(table.name for table in tables()),
        *(settings.name for settings in all_settings()),
    ]
    by_name = {row["table"]: row for row in listed}
    assert by_name["r49"]["kind"] == "table"
    assert by_name["id-tbo"] | {"digest": ""} == {
        "kind": "setting",
        "table": "id-tbo",
        "edition": "2015",
        "document": "SK Dirjen SPK 131/SPK/KEP/10/2015",
        "title": "Non-automatic weighing instruments",
        "clause": "SK Dirjen SPK 131/SPK/KEP/10/2015",
        "for": "r76",
        "valid_from": "2015-10-19",
        "valid_to": None,
        "confidence": "V2",
        "provisional": True,
        "digest": "",
        "approved": False,
        "approved_by": None,
        "approved_on": None,
    }
    _, out, _ = tera(capsys, "tables", "--config", config)
    for row in listed:
        assert f"{row['table']}@{row['edition']}" in out
        assert row["digest"] in out


@pytest.mark.parametrize("name", [entry.name for entry in (*tables(), *all_settings())])
def test_each_is_shown_whole(
    name: str, config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = tera(capsys, "tables", name, "--config", config)
    assert code == 0
    assert law_file(name).digest in out
    assert "Source" in out
    assert "Transcription" in out
    _, line, _ = tera(capsys, "tables", name, "--config", config, "--json")
    (body,) = rows(line)
    assert body["notes"]
    assert body["source"]
    monkeypatch.setenv("TERA_LANG", "id")
    _, said, _ = tera(capsys, "tables", name, "--config", config)
    assert law_file(name).title_id in " ".join(said.split())


def test_every_note_and_requirement_has_an_indonesian_text() -> None:
    said = set()
    for entry in law_files():
        stated = entry.rules if isinstance(entry, LegalTable) else entry.stated
        requirements = stated.get("requirement", {})
        said |= {*entry.notes, *(requirement["text"] for requirement in requirements.values())}
    assert not said - law_texts().keys()
    assert not law_texts().keys() - said


def test_one_table_has_its_classes_stages_names_and_limits(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, line, _ = tera(capsys, "tables", "r49", "--config", config, "--json")
    (body,) = rows(line)
    assert body["classes"] == ["1", "2"]
    assert body["stages"] == ["initial", "in_service"]
    assert list(body["with"]) == ["q3", "ratio", "temperature"]
    assert body["limits"][-1] == {
        "class": "2",
        "case": "",
        "values": "Q2 ≤ Q ≤ Q4",
        "initial": "±2 % (T ≤ 30 °C); ±3 % (T > 30 °C)",
        "in_service": "±4 % (T ≤ 30 °C); ±6 % (T > 30 °C)",
    }
    _, out, _ = tera(capsys, "tables", "r137", "--config", config)
    assert "±4 % *" in out  # in service is little sure
    assert "* provisional" in out


@pytest.mark.parametrize("name", ["r76", "r61@1996", "id-tbo@2015", "id-evse"])
def test_an_approval_is_written_and_counts(
    name: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("tables", "approve", name, "--by", 'Kepala "UPT" Mojokerto', "--on", "2026-11-24")
    code, out, _ = tera(capsys, *words, "--config", config)
    assert code == 0
    entry = law_file(name)
    assert entry.digest in out
    assert 'Kepala "UPT" Mojokerto' in out
    assert str(config) in out
    text = config.read_text("utf-8")
    assert text.startswith(CONFIG)  # comments and all
    station = load_station(config)
    (made,) = station.approval
    assert (made.table, made.digest, made.on) == (entry.name, entry.digest, DAY)
    assert made.by == 'Kepala "UPT" Mojokerto'
    assert entry.digest in approved_digests(station)
    _, out, _ = tera(capsys, "tables", "--config", config, "--json")
    approved = [row for row in rows(out) if row["approved"]]
    assert [f"{row['table']}@{row['edition']}" for row in approved] == [entry.name]
    assert (approved[0]["approved_by"], approved[0]["approved_on"]) == (made.by, "2026-11-24")
    _, out, _ = tera(capsys, "tables", name, "--config", config)
    assert "approved by" in out


def test_approvals_add_up_and_none_is_made_twice(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("r76", "r117", "id-tbo"):
        assert tera(capsys, "tables", "approve", name, "--by", "A", "--config", config)[0] == 0
    before = config.read_bytes()
    code, out, err = tera(capsys, "tables", "approve", "r76@2006", "--by", "B", "--config", config)
    assert (code, out) == (2, "")
    assert "r76@2006 was approved already, by A" in err
    assert config.read_bytes() == before
    assert len(load_station(config).approval) == 3


def test_an_approval_prints_one_json_line(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("tables", "approve", "r35", "--by", "A", "--on", "2026-01-02", "--json")
    _, out, _ = tera(capsys, *words, "--config", config)
    assert rows(out) == [
        {
            "table": "r35@2007",
            "digest": legal_table("r35").digest,
            "by": "A",
            "on": "2026-01-02",
            "config": str(config),
        }
    ]


def test_an_edited_table_loses_its_approval(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    approve(config, "r49", by="A", on=DAY)
    approve(config, "r50", by="A", on=DAY)
    was = legal_table("r49")

    def edited(folder: str) -> list[tuple[str, bytes]]:
        return [
            (name, content.replace(b"percent = 5 }", b"percent = 6 }"))
            if name == "r49_2013.toml"
            else (name, content)
            for name, content in packaged(folder)
        ]

    monkeypatch.setattr(legal_table_module, "packaged", edited)
    tables.cache_clear()
    try:
        now = legal_table("r49")
        assert now.digest != was.digest
        station = load_station(config)
        assert now.digest not in approved_digests(station)
        assert approval_of(station, now) is None
        _, out, _ = tera(capsys, "tables", "--config", config, "--json")
        assert [row["table"] for row in rows(out) if row["approved"]] == ["r50"]
        _, out, _ = tera(capsys, "tables", "r49", "--config", config)
        assert "changed since it was approved on 2026-11-24: not approved" in out
        approve(config, "r49", by="B", on=DAY)  # the office may look again and approve
        assert approval_of(load_station(config), now) is not None
    finally:
        monkeypatch.undo()
        tables.cache_clear()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("approve", "r99", "--by", "A"),
            "there is no legal table and no setting 'r99': there are",
        ),
        (("approve", "r76@1992", "--by", "A"), "there is no legal table 'r76@1992'"),
        (("approve", "id-tbo@1", "--by", "A"), "there are no national settings 'id-tbo@1'"),
        (("approve", "r76"), "write: tera tables approve TABLE --by NAME"),
        (("approve", "--by", "A"), "write: tera tables approve TABLE --by NAME"),
        (("approve", "r76", "r117", "--by", "A"), "write: tera tables approve TABLE --by NAME"),
        (("approve", "r76", "--by", " "), "who approves is missing"),
        (("approve", "r76", "--by", "A", "--on", "24-11-2026"), "is not a date"),
        (("r76", "r117"), "write one table"),
        (("r99",), "there is no legal table and no setting 'r99'"),
        (("r76", "--by", "A"), "this belongs to: tera tables approve TABLE"),
        (("--on", "2026-11-24"), "this belongs to: tera tables approve TABLE"),
    ],
)
def test_what_cannot_be_approved_or_shown_is_refused(
    words: tuple[str, ...], sentence: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = config.read_bytes()
    code, out, err = tera(capsys, "tables", *words, "--config", config)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert config.read_bytes() == before


def test_a_missing_configuration_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none.toml"
    code, _, err = tera(capsys, "tables", "approve", "r76", "--by", "A", "--config", missing)
    assert code == 2
    assert "none.toml" in err
    assert not missing.exists()


def test_a_configuration_that_does_not_load_is_left_alone(config: Path) -> None:
    config.write_text(CONFIG.replace('code = "3516"', 'code = "35/16"'), "utf-8")
    before = config.read_bytes()
    with pytest.raises(BadInput, match=r"office\.code"):
        approve(config, "r76", by="A", on=DAY)
    assert config.read_bytes() == before


def test_approvals_written_as_one_list_are_left_alone(config: Path) -> None:
    listed = (
        f'approval = [{{ table = "x", digest = "sha256:{"0" * 64}", by = "A", on = 2026-01-01 }}]\n'
    )
    config.write_text(listed + CONFIG, "utf-8")
    before = config.read_bytes()
    with pytest.raises(BadInput, match="this is not TOML") as caught:
        approve(config, "r76", by="A", on=DAY)
    assert exit_code(caught.value) == 2
    assert config.read_bytes() == before


@pytest.mark.parametrize("ending", ["", "\n", "\n\n", "\n# the end"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_file_keeps_its_line_ends_whatever_its_end(
    config: Path, ending: str, newline: str
) -> None:
    text = CONFIG.rstrip("\n").replace("\n", newline) + ending.replace("\n", newline)
    config.write_bytes(text.encode())
    approve(config, "r76", by="A", on=DAY)
    written = config.read_bytes().decode()
    assert written.startswith(text)
    assert written.count("\n") == written.count(newline)
    assert len(load_station(config).approval) == 1


def test_a_link_stays_a_link_and_the_mode_stays(config: Path, tmp_path: Path) -> None:
    config.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(config)
    approve(link, "r76", by="A", on=DAY)
    assert link.is_symlink()
    assert config.stat().st_mode & 0o777 == 0o640
    assert len(load_station(config).approval) == 1


def test_a_file_that_cannot_be_written_is_named(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = config.read_bytes()
    opened = Path.open

    def refuse(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if "+" in mode or "w" in mode or "a" in mode:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, mode, *rest, **more)

    monkeypatch.setattr(Path, "open", refuse)
    code, _, err = tera(capsys, "tables", "approve", "r76", "--by", "A", "--config", config)
    assert code == 2
    assert "cannot write" in err
    assert "config.toml" in err
    assert config.read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_file_stays_as_it_is(config: Path) -> None:
    config.chmod(0o440)
    with pytest.raises(BadInput, match="cannot write"):
        approve(config, "r76", by="A", on=DAY)


LAW = """
[law]
settings = ["id-tbo@2015", "id-pubbm@2026"]

[[law.override]]
setting = "id-tbo"
key = "stage.subsequent.factor"
value = 1
reason = "SK 131 pasal 5"
by = "Kepala UPT"
on = 2026-11-24
"""


def test_an_office_chooses_settings_and_decides_over_them(config: Path) -> None:
    config.write_text(CONFIG + LAW, "utf-8")
    tbo, pubbm = load_station(config).law.in_force()
    assert tbo.stated["stage"]["subsequent"]["factor"] == 1
    assert tbo.overrides[0].by == "Kepala UPT"
    assert pubbm == national_settings("id-pubbm@2026")
    config.write_text(CONFIG + LAW.replace("value = 1", "value = 1.5"), "utf-8")
    assert load_station(config).law.in_force()[0].overrides[0].value == Decimal("1.5")
    assert load_station(config).law.in_force()[0].stated["stage"]["initial"]["factor"] == 1


def test_no_settings_are_chosen_by_default(config: Path) -> None:
    assert load_station(config).law.in_force() == ()
    assert "# settings" in CONFIG


@pytest.mark.parametrize(
    ("old", "new", "place", "sentence"),
    [
        ('"id-tbo@2015"', '"id-tbo@2016"', "law.settings", "there are no national settings"),
        ("settings = [", "setings = [", "law.setings", "this key is not known"),
        ('"id-tbo@2015", ', "", "law.override", "id-tbo@2015 is overridden but not chosen"),
        ('"id-pubbm@2026"', '"id-pubbm@2026", "id-pubbm@2014"', "law.settings", "choose one"),
        ('"id-pubbm@2026"', '"id-tbo@2015"', "law.settings", "choose one"),
        ('setting = "id-tbo"', 'setting = "id-tob"', "law.override[0].setting", "there are no"),
        ("subsequent.factor", "tera.factor", "law.override[0].key", "to override: there are"),
        ("value = 1", "value = 0", "law.override[0].key", "not more than 0"),
        ("value = 1", 'value = "1"', "law.override[0].key", "is a number"),
        ("value = 1", "value = true", "law.override[0].value", "a number, or a text"),
        ('reason = "SK 131 pasal 5"', 'reason = ""', "law.override[0].reason", "at least 1"),
        ('reason = "SK 131 pasal 5"\n', "", "law.override[0].reason", "missing"),
        ("on = 2026-11-24", "on = 24", "law.override[0].on", "date"),
        ('by = "Kepala UPT"', 'bye = "Kepala UPT"', "law.override[0].bye", "not known"),
    ],
)
def test_a_wrong_setting_or_override_is_named_with_its_line(
    old: str, new: str, place: str, sentence: str, config: Path
) -> None:
    assert old in LAW
    config.write_text(CONFIG + LAW.replace(old, new), "utf-8")
    with pytest.raises(BadInput, match=sentence) as caught:
        load_station(config)
    assert caught.value.place.endswith(f": {place}")
    assert int(caught.value.place.removeprefix(f"{config}:").partition(":")[0]) > CONFIG.count("\n")


@pytest.mark.parametrize(
    ("words", "upper", "provisional"),
    [
        (("--stage", "subsequent"), "1", False),
        (("--stage", "subsequent", "--setting", "id-tbo"), "2", True),
        (("--stage", "initial", "--setting", "id-tbo@2015"), "1", False),
    ],
)
def test_mpe_takes_settings_only_when_they_are_named(
    words: tuple[str, ...], upper: str, provisional: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = tera(capsys, "mpe", "r76", "--class", "iii", *words, "--json", "501e")
    (answer,) = rows(out)
    assert (str(answer["upper"]), answer["provisional"], answer["class"]) == (
        upper,
        provisional,
        "III",
    )


def test_mpe_prints_for_people_what_is_unsure_and_what_a_per_cent_is_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ("--with", "q3=2.5", "--with", "ratio = 80", "--with", "temperature=28")
    words = ("mpe", "r49", "--class", "2", *given, "--setting", "id-meter-air")
    code, out, _ = tera(capsys, *words, "--stage", "subsequent", "2.5m3/h", "0.03125m3/h")
    assert code == 0
    assert "±4 *" in out
    assert "±10 *" in out
    assert "id-meter-air@undated" in out
    assert "in % of the volume passed" in out
    assert "* provisional" in out
    _, out, _ = tera(capsys, *words, "2.5m3/h")
    assert "provisional" not in out
    _, out, _ = tera(capsys, "mpe", "r138", "--class", "transfer", "--with", "mark=brim", "50mL")
    assert "0 … +4" in out
    _, out, _ = tera(capsys, "mpe", "r51", "--class", "X(1)", "50 g")
    assert "≤ 0.24" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("r76", "--class", "III", "--setting", "id-pubbm", "5e"), "for table r117, not for r76"),
        (("r76", "--class", "III", "--setting", "tbo", "5e"), "no national settings 'tbo'"),
        (("r76", "--class", "III", "--with", "e=5g", "--with", "e=2g", "5e"), "e is given twice"),
        (("r61@1996", "--class", "X(1)", "--on", "2026-01-01", "5g"), "in force on 2026-01-01"),
        (("r50", "--class", "0.5", "--stage", "subsequent", "5t"), "there are initial, in_service"),
        (("r111", "--class", "M1", "250 g"), "no nominal value"),
        (("r80", "--class", "-", "5 L"), "there is no legal table 'r80'"),
    ],
)
def test_mpe_refuses_in_one_sentence(
    words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = tera(capsys, "mpe", *words)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_the_edition_of_a_day_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    for day, edition, upper in (("2000-06-01", "1996", "6.3"), ("2010-06-01", "2004", "7.2")):
        words = ("mpe", "r61", "--class", "X(1)", "--on", day, "--json", "100 g")
        _, out, _ = tera(capsys, *words)
        (answer,) = rows(out)
        assert answer["edition"] == edition
        assert answer["upper"] * 2 == Decimal(upper)
