"""A station starts whatever happened to its files, and keeps and names what was committed."""

from pathlib import Path

import pytest

from tests.torn import torn


@pytest.mark.timeout(300)
async def test_a_station_starts_on_torn_files_and_keeps_what_was_committed(tmp_path: Path) -> None:
    """The short form of ``make torn``."""
    tally = await torn(60, 20, tmp_path)
    assert tally.wrong == []
    assert tally.places == 60
    assert tally.ends["started"] > 10
    assert tally.ends["started with a mended outbox"] > 10
    assert 0 < tally.lost.total() < tally.records / 5
