"""``docs/coverage.md`` names tests that exist, tables that are shipped, and every routine."""

import re
from pathlib import Path

from calibration.evaluation import ROUTINES
from calibration.legal_table import tables
from calibration.national import all_settings

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_exists() -> None:
    names = set(re.findall(r"`(test_\w+(?:\.\.\.)?)`", PAGE))
    source = "".join(file.read_text(encoding="utf-8") for file in ROOT.glob("tests/test_*.py"))
    known = set(re.findall(r"def (test_\w+)\(", source))
    assert len(names) > 100
    for name in names:
        start = name.removesuffix("...")
        assert name in known or (name != start and any(one.startswith(start) for one in known)), (
            name
        )


def test_every_file_that_the_page_names_exists() -> None:
    for name in re.findall(r"`((?:tests/)?test_\w+\.py)`", PAGE):
        assert (ROOT / "tests" / name.removeprefix("tests/")).exists(), name


def test_every_table_setting_and_routine_has_its_place_on_the_page() -> None:
    for table in tables():
        number = re.fullmatch(r"r(\d+)", table.id)
        if number:
            assert re.search(rf"^\| R {number[1]}-?[\w/-]*:.*", PAGE, re.MULTILINE), table.name
            assert table.edition in PAGE
        else:
            assert "SPKLU" in PAGE
    for settings in all_settings():
        assert re.search(rf"\b{re.escape(settings.id)}\b", PAGE), settings.name
    for routine in ROUTINES:
        assert re.search(rf"^### .*\b{routine}\b", PAGE, re.MULTILINE), routine
