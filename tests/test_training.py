"""Every exercise, done by simulated hands through the real lines, ends in the verdict it states."""

import asyncio
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from acquisition.config import load_station
from acquisition.faults import BadInput
from acquisition.station import running
from acquisition.training import Training, debriefing, failed_tests
from broker.address import BrokerAddress
from tests.stations import NOBODY, ROOT, job_of, tera, verdict_of

FOLDER = ROOT / "examples" / "training"
EXERCISES = sorted(FOLDER.glob("*.toml"))
AWAY = BrokerAddress(host="127.0.0.1", port=NOBODY)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERA_LANG", "en")


def copied(file: Path, folder: Path) -> Path:
    """Return the exercise in a folder of its own, with its store beside it."""
    text = file.read_text(encoding="utf-8").replace("../../data/training/", "")
    (folder / file.name).write_text(text, encoding="utf-8")
    return folder / file.name


@pytest.mark.timeout(90)
@pytest.mark.parametrize("file", EXERCISES, ids=[file.stem for file in EXERCISES])
async def test_an_exercise_ends_in_the_verdict_that_it_states_and_is_a_trial(
    file: Path, tmp_path: Path
) -> None:
    settings = load_station(copied(file, tmp_path))
    training = settings.training
    assert training is not None
    (subject,) = (i.name for b in settings.bench for i in b.instrument if i.role == "under_test")
    async with running(settings, AWAY) as station:
        record = await verdict_of(job_of(station, subject))
        failed = set(failed_tests(record))
    assert (record["verdict"], record["trial"], record["legal"]) == (training.expect, True, False)
    assert "simulated" in record["origin"]
    if subject_paces := re.search(r"^pace =", file.read_text(), re.MULTILINE):
        assert failed >= set(training.fails), subject_paces
    else:  # nothing depends on how fast this machine is
        assert failed == set(training.fails)
    assert debriefing(training, record).startswith("The exercise wanted this verdict: ")
    wrong = record | {"verdict": "indeterminate"}
    assert debriefing(training, wrong).startswith("The exercise wanted another verdict: ")


async def test_one_of_them_conforms_and_others_fail_each_in_its_own_way() -> None:
    stated = [Training.model_validate(tomllib.loads(f.read_text())["training"]) for f in EXERCISES]
    assert {one.expect for one in stated} == {"conforming", "nonconforming"}
    assert {one.fails for one in stated} >= {(), ("weighing",), ("eccentricity",), ("accuracy",)}
    assert all((one.expect == "conforming") == (not one.fails) for one in stated)
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    for file in EXERCISES:
        assert f"(../examples/training/{file.name})" in text
        (named,) = re.findall(r"tera verify (\S+) --config (\S+)", file.read_text())
        assert named[1] == f"examples/training/{file.name}"


def test_an_exercise_never_uses_a_real_instrument(tmp_path: Path) -> None:
    file = copied(FOLDER / "sudut.toml", tmp_path)
    text = file.read_text().replace('port = "simulated"', 'port = "tcp://127.0.0.1:1"')
    file.write_text(
        text.replace('driver = "mt-sics"', 'driver = "modbus"\nmap = "siemens-mag6000"')
    )
    with pytest.raises(BadInput, match="an exercise is on simulated instruments: timbangan is"):
        load_station(file)
    for key in ("title", "expect", "because", "task"):
        shutil.copy(copied(FOLDER / "sudut.toml", tmp_path), tmp_path / "x.toml")
        broken = re.sub(
            rf"^{key} =", f"{key}x =", (tmp_path / "x.toml").read_text(), flags=re.MULTILINE
        )
        (tmp_path / "x.toml").write_text(broken)
        with pytest.raises(BadInput, match=rf"training\.{key}x: this key is not known"):
            load_station(tmp_path / "x.toml")


async def test_the_trainee_is_told_the_task_before_and_the_lesson_after(tmp_path: Path) -> None:
    file = copied(FOLDER / "rayapan.toml", tmp_path)
    done = await asyncio.to_thread(tera, "verify", "timbangan", "--unattended", "--config", file)
    said = done.stderr.decode()
    assert done.returncode == 1, said
    assert said.index("Exercise: timbangan yang merayap") < said.index("Uji timbangan ini")
    assert said.index("Uji timbangan ini") < said.index("The exercise wanted this verdict")
    assert said.rstrip().endswith("menit pada 0,5 e.")
    assert "trial" in done.stdout.decode()
