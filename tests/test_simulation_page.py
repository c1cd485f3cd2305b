"""docs/simulation.md says what the code says: every key, every command, every fault."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from acquisition.simulated_meter_keys import MeterSimulation
from acquisition.simulated_scale_keys import ScaleSimulation
from drivers.simulated_faults import OF_METERS, OF_SCALES

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_simulation", DOCS / "draw_simulation.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text() -> str:
    return (DOCS / "simulation.md").read_text(encoding="utf-8")


def test_its_tables_are_up_to_date(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERA_LANG", "en")
    assert script.page(text()) == text(), "run: python docs/draw_simulation.py"
    for name in script.tables():
        assert f"<!-- {name} -->" in text()


def test_every_fault_is_on_it_with_who_suffers_it() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| (.+ \| .+) \|$", text(), re.MULTILINE))
    assert rows.keys() == set(OF_METERS)
    for fault in OF_METERS:
        scales, meters = rows[fault].split(" | ")
        assert (scales != "no") == (fault in OF_SCALES)
        assert meters != "no"


@pytest.mark.parametrize("model", [ScaleSimulation, MeterSimulation])
def test_every_key_says_what_it_is_and_in_which_unit(
    model: type[ScaleSimulation] | type[MeterSimulation],
) -> None:
    for name, field in model.model_fields.items():
        said = field.description or ""
        assert said.endswith("."), name
        if name.endswith("_ppm"):
            assert "ppm" in said or "per K" in said or "load" in model.__doc__, name  # type: ignore[operator]
        if name.endswith(("_time", "_cycle", "_window", "_every", "_lasts")):
            assert "[s]" in said, name


def test_the_picture_can_be_drawn_anew(script: ModuleType, tmp_path: Path) -> None:
    script.picture(tmp_path / "simulation.svg")
    assert (tmp_path / "simulation.svg").stat().st_size > 20_000
    assert (DOCS / "simulation.svg").exists()
