"""``tera demo``: the main job from bytes to receipts, as a visitor runs it."""

import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from broker.record import validate
from broker.store import RecordStore
from tests.stations import ROOT, scale_bench, tera, write_station


def faster() -> str:
    """Return the shipped configuration with faster instruments."""
    text = (ROOT / "config.toml").read_text(encoding="utf-8")
    scale = "[bench.instrument.scale]"
    for old, new in (
        ("settle = 0.1", "settle = 0.02"),
        ("interval = 0.01", "interval = 0.002"),
        ("interval = 0.03", "interval = 0.01"),
        (scale, f"{scale}\nsettling_time = 0.002\ndisplay_cycle = 0.002\n#"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    return text


@dataclass(frozen=True)
class Demos:
    """What two demonstrations left behind."""

    shipped: Path
    as_json: subprocess.CompletedProcess[bytes]
    printed: str
    picture: str


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Demos:
    """Run the demo as shipped for programs and a faster one for people, side by side."""
    shipped, quick = tmp_path_factory.mktemp("shipped"), tmp_path_factory.mktemp("quick")
    shutil.copy(ROOT / "config.toml", shipped)
    (quick / "config.toml").write_text(faster(), encoding="utf-8")
    with ThreadPoolExecutor() as threads:
        as_json = threads.submit(tera, "demo", "--json", cwd=shipped, timeout=60)
        printed = threads.submit(tera, "demo", "--svg", "demo.svg", cwd=quick, timeout=60)
    assert printed.result().returncode == 0, printed.result().stderr.decode()
    picture = (quick / "demo.svg").read_text(encoding="utf-8")
    return Demos(shipped, as_json.result(), printed.result().stdout.decode(), picture)


@pytest.fixture
def printed(demos: Demos) -> str:
    """Return what the demo prints for people."""
    return demos.printed


async def test_the_shipped_station_verifies_and_delivers_everything_as_a_trial(
    demos: Demos,
) -> None:
    done = demos.as_json
    assert done.returncode == 0, done.stderr.decode()
    records = [json.loads(line, parse_float=Decimal) for line in done.stdout.splitlines()]
    assert {validate(record) for record in records} == {"verdict"}
    assert {(r["routine"], r["verdict"]) for r in records} == {
        (routine, verdict)
        for routine in ("nawi", "volume-meter")
        for verdict in ("conforming", "nonconforming")
    }
    assert {(r["trial"], r["legal"], r["origin"]) for r in records} == {(True, False, "simulated")}
    store = await RecordStore.open(demos.shipped / "data" / "demo" / "records.sqlite")
    try:
        stored = await store.verdicts()
        assert await store.gaps() == ()
        assert await store.conflicts() == ()
    finally:
        await store.close()
    assert sorted(r.id for r in stored) == sorted(r["id"] for r in records)
    assert {r.trial for r in stored} == {True}


def test_the_picture_shows_the_same_and_fetches_nothing(demos: Demos) -> None:
    assert "nonconforming" in demos.picture
    assert "@font-face" not in demos.picture


def test_the_tables_show_each_error_against_its_limit(printed: str) -> None:
    rows = [re.split(r"\s{2,}", line.strip()) for line in printed.splitlines() if "±" in line]
    assert len(rows) == 2 * 18 + 2 * 9  # what has a limit on both sides: loads and deliveries
    for row in rows:
        error, verdict = row[2], row[-1]
        (limit,) = (cell for cell in row if "±" in cell)
        allowed, unit = limit.replace("±", "").split()
        assert unit in ("g", "L")
        assert (verdict.strip() == "conforming") == (abs(Decimal(error)) <= Decimal(allowed))
    assert {row[-1] for row in rows} == {"conforming", "nonconforming"}


def test_the_last_table_lists_every_verdict_as_a_trial_with_its_stored_number(printed: str) -> None:
    summary = printed[printed.index("Verdicts") :]
    listed = re.findall(r"│ (\S+) +│ (\w+) +│ (\S+) +│ +(\d+) │ +(\d+) │ ([^│]+?) +│", summary)
    assert {(name, verdict) for name, verdict, *_ in listed} == {
        ("timbangan-1", "conforming"),
        ("timbangan-2", "nonconforming"),
        ("meter-uji-1", "conforming"),
        ("meter-uji-2", "nonconforming"),
    }
    assert {status for *_, status in listed} == {"TRIAL, not legal"}
    assert len({stored for *_, stored, _ in listed}) == 4
    assert "every verdict is a trial and legally void" in summary


def test_a_station_without_simulated_instruments_has_no_demo(tmp_path: Path) -> None:
    done = tera("demo", "--config", write_station(tmp_path, scale_bench(port="/dev/ttyUSB0")))
    assert done.returncode == 2, done.stderr.decode()
    assert "simulated" in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
