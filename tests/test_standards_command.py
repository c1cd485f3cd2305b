"""``tera standards``: due dates, certificates, and which verdicts rest on a standard."""

import asyncio
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from acquisition.cli import main
from acquisition.config import Store
from acquisition.standards_used import verdicts_using
from broker.outbox import Outbox
from broker.outbox_archive import archive
from broker.record import encode
from broker.store import RecordStore
from tests.records import receipt, start, verdict

TODAY = date.today()  # noqa: DTZ011 - a due date is a day at the office


def register() -> str:
    """Write a station with some standards: one old, one soon due, one with a certificate's points."""
    return f"""
[office]
code = "3516"
[console]
language = "en"
[store]
outbox = "outbox.sqlite"
records = "records.sqlite"
[[standards]]
id = "W-07"
kind = "weights"
class = "M1"
certificate = "K-1"
due = {TODAY + timedelta(days=400)}
mpe = "0.75 g"
weights = ["10 kg", "5 kg"]
[[standards]]
id = "FM-01"
kind = "reference flow meter"
certificate = "K-2"
due = {TODAY + timedelta(days=10)}
expanded_uncertainty = "0.05 %"
coverage_factor = 2.1
[[standards.point]]
nominal = "10 L/min"
correction = "0.10 %"
expanded_uncertainty = "0.06 %"
[[standards.point]]
nominal = "50 L/min"
correction = "-0.05 %"
drift = "0.02 %"
[[standards]]
id = "OLD-1"
kind = "weights"
certificate = "K-3"
due = {TODAY - timedelta(days=1)}
[[bench]]
name = "meja-1"
routine = "nawi"
standards = ["W-07", "OLD-1"]
[[bench.instrument]]
name = "timbangan-1"
driver = "mt-sics"
port = "/dev/ttyUSB0"
"""


@pytest.fixture(autouse=True)
def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TERA_LANG", "en")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(register(), encoding="utf-8")
    return tmp_path


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["standards", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def objects(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def local(day: date, hour: int, minute: int = 0) -> str:
    """Give a moment on the office's clock as records write it."""
    moment = datetime(day.year, day.month, day.day, hour, minute).astimezone()
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def used(name: str, started: str, *standards: str) -> dict[str, Any]:
    begun = start("meja-1", name, started=started)
    return verdict(begun, 1, standards=[{"id": one} for one in standards])


async def _commit(folder: Path, records: Iterable[dict[str, Any]], *, both: set[str]) -> None:
    outbox = await Outbox.open(folder / "outbox.sqlite")
    store = await RecordStore.open(folder / "records.sqlite")
    for record in records:
        begun = {key: record[key] for key in start("meja-1") if key in record}
        begun["schema"] = "tera/start/1"
        number = await outbox.begin("meja-1", record["id"], begun)
        await outbox.put({**record, "number": number})
        if record["id"] in both:
            await store.accept(encode({**begun, "number": number}))
            await store.accept(encode({**record, "number": number}))
    await outbox.close()
    await store.close()


@pytest.fixture
def committed(station: Path) -> Path:
    """Commit verdicts around two days: at both ends of the first, and on the second."""
    first, second = date(2026, 3, 1), date(2026, 3, 2)
    records = [
        used("v-before", local(first - timedelta(days=1), 23, 59), "W-07"),
        used("v-first", local(first, 0, 0), "W-07", "FM-01"),
        used("v-last", local(first, 23, 59), "W-07"),
        used("v-after", local(second, 0, 0), "W-07"),
        used("v-other", local(first, 12), "FM-01"),
        used("v-gone", local(first, 13), "LAMA-9"),
        used("v-alike", local(first, 14), "W-07-B"),
    ]
    asyncio.run(_commit(station, records, both={"v-first", "v-last"}))
    return station


def test_the_register_is_listed_with_days_left_and_benches(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = ran(capsys, "--json")
    assert code == 0
    found = {one["id"]: one for one in objects(out)}
    assert {name: one["state"] for name, one in found.items()} == {
        "W-07": "valid",
        "FM-01": "due soon",
        "OLD-1": "expired",
    }
    assert [one["days_left"] for one in found.values()] == [400, 10, -1]
    assert found["W-07"]["benches"] == ["meja-1"]
    assert found["FM-01"]["benches"] == []
    assert (found["FM-01"]["points"], found["FM-01"]["expanded_uncertainty"]) == (2, "0.05 %")
    shown = ran(capsys)[1]
    for words in ("W-07", "K-2", "10 days left", "1 days ago", "expired", "meja-1", "2 points"):
        assert words in shown


def test_one_standard_is_shown_with_its_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    out = ran(capsys, "show", "FM-01")[1]
    for words in ("K-2", "coverage_factor = 2.1", "10 L/min", "+0.10 %", "-0.05 %", "0.02 %"):
        assert words in out
    assert "no bench uses it" in out
    (body,) = objects(ran(capsys, "show", "W-07", "--json")[1])
    assert (body["mpe"], body["weights"], body["point"]) == ("0.75 g", "10 kg, 5 kg", [])


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], ["v-before", "v-first", "v-last", "v-after"]),
        (["--from", "2026-03-01", "--to", "2026-03-01"], ["v-first", "v-last"]),
        (["--from", "2026-03-02"], ["v-after"]),
        (["--to", "2026-02-28"], ["v-before"]),
        (["--from", "2027-01-01"], []),
    ],
)
def test_the_verdicts_that_used_a_standard_between_two_days_of_the_office(
    options: list[str],
    names: list[str],
    committed: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = ran(capsys, "used", "W-07", *options, "--json")
    assert code == 0
    assert [one["id"] for one in objects(out)] == names
    shown = ran(capsys, "used", "W-07", *options)[1]
    assert (f"{len(names)} verdicts" in shown) if names else ("no verdict used W-07" in shown)


def test_a_verdict_is_listed_once_with_every_place_it_lies_in(
    committed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {one["id"]: one for one in objects(ran(capsys, "used", "W-07", "--json")[1])}
    assert found["v-first"]["found_in"] == ["outbox", "records"]
    assert found["v-before"]["found_in"] == ["outbox"]
    assert [one["id"] for one in found["v-first"]["standards"]] == ["W-07", "FM-01"]
    (committed / "outbox.sqlite").rename(committed / "away.sqlite")  # the records system alone
    found = {one["id"]: one for one in objects(ran(capsys, "used", "W-07", "--json")[1])}
    assert set(found) == {"v-first", "v-last"}
    assert not (committed / "outbox.sqlite").exists()


async def _archived(folder: Path) -> Path:
    """Stamp everything and move it into an archive."""
    outbox = await Outbox.open(folder / "outbox.sqlite")
    for row in await outbox.pending(999):
        of = {"bench": row.bench, "id": row.id, "schema": f"tera/{row.kind}/1"}
        await outbox.stamp_receipt(receipt(of, row.digest, stored=row.seq))
    await outbox.close()
    (moved,) = archive(folder / "outbox.sqlite", "9999-01-01", folder / "old")
    return moved.file


def test_verdicts_in_an_archive_of_the_station_are_listed_too(
    committed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = objects(ran(capsys, "used", "W-07", "--json")[1])
    file = asyncio.run(_archived(committed))
    code, out, err = ran(capsys, "used", "W-07", "--json")
    found = {one["id"]: one["found_in"] for one in objects(out)}
    assert (code, err) == (0, "")
    assert list(found) == [one["id"] for one in before]
    assert found["v-before"] == ["archive"]
    assert found["v-first"] == ["archive", "records"]
    assert ran(capsys, "used", "LAMA-9")[0] == 0

    file.chmod(0o600)
    file.write_bytes(file.read_bytes().replace(b'"W-07"', b'"W-08"'))  # an altered verdict is none
    code, out, err = ran(capsys, "used", "W-07", "--json")
    assert {one["id"] for one in objects(out)} == {"v-first", "v-last"}
    file.unlink()
    assert (code, err) == (ran(capsys, "used", "W-07", "--json")[0], err)
    assert code == 3
    assert err.count("\n") == 1
    assert str(file) in err
    assert not file.exists()


def test_a_standard_that_left_the_register_still_has_its_verdicts(
    committed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = ran(capsys, "used", "LAMA-9")
    assert code == 0
    assert "LAMA-9 is no longer in the register" in out
    code, out, _ = ran(capsys, "used", "LAMA-9", "--from", "2027-01-01")
    assert code == 0
    assert "no verdict used LAMA-9" in out


def test_looking_makes_no_file(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "used", "W-07")
    assert code == 0
    assert "no verdict used W-07" in out
    assert [path.name for path in station.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["show", "w-7"], "there is no standard w-7: is it W-07?"),
        (["used", "FM-1"], "there is no standard FM-1: is it FM-01?"),
        (["show", "xyz"], "there is no standard xyz: choose from W-07, FM-01, OLD-1."),
        (["used"], "write: tera standards"),
        (["W-07"], "write: tera standards"),
        (["show", "W-07", "--from", "2026-01-01"], "--from: this belongs to"),
        (["used", "W-07", "--from", "1/1/2026"], "1/1/2026 is not a date"),
        (["used", "W-07", "--from", "2026-02-01", "--to", "2026-01-01"], "--to: 2026-01-01 lies before"),
        (["--config", "nothing.toml"], "no such configuration file: nothing.toml"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ran(capsys, *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.splitlines()) == 1


def test_a_register_without_standards_says_so(
    station: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = register()
    begin, end = text.index("[[standards]]"), text.index("[[bench]]")
    text = (text[:begin] + text[end:]).replace('standards = ["W-07", "OLD-1"]\n', "")
    (station / "config.toml").write_text(text, encoding="utf-8")
    assert "no standard is in the register" in ran(capsys)[1]


@pytest.mark.parametrize("arguments", [[], ["show", "FM-01"], ["used", "W-07"]])
def test_the_register_speaks_indonesian(
    arguments: list[str],
    committed: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERA_LANG", "id")
    out = ran(capsys, *arguments)[1]
    english = {"left", "benches", "expired", "valid", "certificate", "verdict", "begun", "legal"}
    assert not english & set(out.replace("·", " ").split())


def test_both_files_find_the_verdicts_that_hold_a_text(committed: Path) -> None:
    async def found() -> tuple[list[str], list[str]]:
        outbox = await Outbox.open(committed / "outbox.sqlite")
        store = await RecordStore.open(committed / "records.sqlite")
        try:
            rows = await outbox.verdicts_holding(b'"W-07"')
            kept = await store.verdicts_holding(b'"W-07"')
        finally:
            await outbox.close()
            await store.close()
        return [row.id for row in rows], [row.id for row in kept]

    assert asyncio.run(found()) == (
        ["v-before", "v-first", "v-last", "v-after"],
        ["v-first", "v-last"],
    )
    store = Store(outbox=committed / "outbox.sqlite", records=committed / "records.sqlite")
    assert len(verdicts_using(store, "W-07").verdicts) == 4
