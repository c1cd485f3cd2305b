"""The units for systemd: understood by systemd itself, and no more open than docs/operation.md says."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from acquisition.cli import main
from acquisition.exposition import Family

ROOT = Path(__file__).parent.parent
GAUGES = [ROOT / "acquisition" / name for name in ("gauges.py", "records_gauges.py")]
UNITS = sorted((ROOT / "deploy").glob("*.service"))
OPERATION = (ROOT / "docs" / "operation.md").read_text(encoding="utf-8")
ANALYZE = shutil.which("systemd-analyze")
NO_SYSTEMD = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def settings(unit: Path) -> dict[str, list[str]]:
    """Return the settings of a unit."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@NO_SYSTEMD
def test_systemd_understands_every_unit(tmp_path: Path) -> None:
    for unit in (ROOT / "deploy").iterdir():
        if unit.suffix in (".service", ".timer"):
            text = unit.read_text(encoding="utf-8")  # the program lies elsewhere here
            text = text.replace("/opt/tante-sari/.venv/bin/tera", "/bin/true")
            (tmp_path / unit.name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"SYSTEMD_LOG_LEVEL": "warning"},
    )
    said = [
        line for line in done.stderr.splitlines() if str(tmp_path) in line or "tante-sari" in line
    ]
    assert not said, "\n".join(said)
    assert done.returncode == 0, done.stderr


@NO_SYSTEMD
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_no_more_exposed_than_the_page_for_operators_says(unit: Path) -> None:
    stated = re.search(rf"\| `{unit.name}` \| (\d\.\d) \|", OPERATION)
    assert stated is not None
    version = subprocess.run(
        [str(ANALYZE), "--version"], capture_output=True, text=True, check=True
    )
    if int(version.stdout.split()[1]) < 250:
        pytest.skip("this systemd-analyze cannot look at a file")
    done = subprocess.run(
        [str(ANALYZE), "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"SYSTEMD_COLORS": "0", "LC_ALL": "C.UTF-8"},
    )
    found = re.search(r"Overall exposure level for \S+: (\d\.\d)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    # Other versions of systemd weigh a little differently.
    assert float(found[1]) <= float(stated[1]) + 0.3


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_every_unit_runs_a_command_that_there_is_as_a_user_without_privileges(
    unit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = settings(unit)
    [command] = found["ExecStart"]
    words = command.split()
    assert words[0] == "/opt/tante-sari/.venv/bin/tera"
    with pytest.raises(SystemExit) as end:
        main([words[1], "--help"])
    assert end.value.code == 0
    capsys.readouterr()
    assert found["User"] == ["tante-sari"]
    assert found["CapabilityBoundingSet"] == [""]
    for key in ("NoNewPrivileges", "PrivateTmp", "MemoryDenyWriteExecute", "RestrictNamespaces"):
        assert found[key] == ["yes"], key
    assert found["ProtectSystem"] == ["strict"]


def test_the_station_may_ask_the_kernel_whether_its_clock_is_synchronised() -> None:
    found = settings(ROOT / "deploy" / "tante-sari.service")
    assert "ProtectClock" not in found  # it would forbid the very call that reads the state
    assert "clock_adjtime" in found["SystemCallFilter"][-1]
    assert "ProcSubset" not in found  # it would hide which start of the computer this is


def test_every_number_and_every_file_of_the_services_is_described_to_operators() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in GAUGES)
    names = set(re.findall(r'"(tera_\w+|process_\w+)"', text))
    assert len(names) > 40
    assert not {name for name in names if f"`{name}`" not in OPERATION}
    assert not {file.name for file in (ROOT / "deploy").iterdir() if file.name not in OPERATION}
    for name in names:
        kind = "counter" if name.endswith("_total") else "gauge"
        assert Family(name, kind, "").kind == kind  # type: ignore[arg-type]
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
