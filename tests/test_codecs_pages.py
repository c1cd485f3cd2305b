"""The pages of the protocols are what the code says, and each answers a technician's questions."""

from pathlib import Path

import pytest

from drivers.codecs import CODECS
from drivers.codecs.pages import main, pages

FOLDER = Path(__file__).parent.parent / "docs" / "protocols"


def test_the_pages_are_up_to_date() -> None:
    written = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.md")}
    assert written == dict(pages()), "run: python -m drivers.codecs.pages"


@pytest.mark.parametrize("name", sorted(CODECS))
def test_every_protocol_has_its_page(name: str) -> None:
    text = pages()[f"{CODECS[name].page.file}.md"]
    for heading in (
        "Cable",
        "Settings on the instrument",
        "Frame",
        "What is read of it",
        "How to check",
        "Sources",
    ):
        assert f"## {heading}\n" in text
    assert f"| `{name}` |" in text
    for option in CODECS[name].options:
        assert f"| `{option.key}` | `{name}` |" in text


def test_pages_that_no_protocol_has_any_more_are_removed(tmp_path: Path) -> None:
    (tmp_path / "gone.md").write_text("old")
    main(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == set(pages())
