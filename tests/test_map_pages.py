"""The pages of the register maps are what the maps say, and each answers a technician's questions."""

from pathlib import Path

import pytest

from drivers.map_pages import main, pages
from drivers.register_map import load_map, map_ids

ROOT = Path(__file__).parent.parent
FOLDER, MAPS = ROOT / "docs" / "maps", ROOT / "drivers" / "maps"


def test_the_pages_are_up_to_date() -> None:
    written = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.md")}
    assert written == dict(pages()), "run: python -m drivers.map_pages"


@pytest.mark.parametrize("name", map_ids())
def test_every_map_has_its_page(name: str) -> None:
    known, text = load_map(name), pages()[f"{name}.md"]
    for heading in ("Registers", "Telegrams", "Cable", "Settings here", "Faults", "How to check"):
        assert f"## {heading}\n" in text
    for register in known.registers:
        assert f"| `{register.quantity}` | {register.printed} | {register.address}" in text
        assert register.source in text
        for detail in (*register.faults.values(), *register.bits.values()):
            assert detail in text
    assert ("**Provisional.**" in text) == known.provisional
    assert f"--set map={name}" in text
    assert f"[`{name}`]({name}.md)" in pages()["README.md"]


def test_every_key_of_the_grammar_is_on_the_page_about_maps_of_ones_own() -> None:
    text = pages()["README.md"]
    for name in map_ids():
        for line in (MAPS / f"{name}.toml").read_text(encoding="utf-8").splitlines():
            key = line.partition(" = ")[0] if " = " in line else ""
            if key.isidentifier() and not line.startswith(" "):
                assert f"`{key}`" in text or f"`[{key}]`" in text or key in _SOURCES, (name, key)


_SOURCES = {
    line.partition(" = ")[0]
    for name in map_ids()
    for line in (MAPS / f"{name}.toml")
    .read_text(encoding="utf-8")
    .partition("[sources]")[2]
    .partition("[[register]]")[0]
    .splitlines()
}
"""Names that maps give to their documents."""


def test_pages_that_no_map_has_any_more_are_removed(tmp_path: Path) -> None:
    (tmp_path / "gone.md").write_text("old")
    main(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == set(pages())
