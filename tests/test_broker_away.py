"""The short form of ``make backlog``: the broker is away, verdicts wait, and then all of them arrive."""

from pathlib import Path

import pytest

from benchmarks.bench_delivery import drain
from tests.mosquitto import MISSING, PROGRAM

VERDICTS = 1_500
"""Some 30 MB: what held them in memory would be noticed."""


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
def test_what_waited_for_the_broker_arrives_complete_in_order_and_through_little_memory(
    tmp_path: Path,
) -> None:
    found = drain(tmp_path, VERDICTS, benches=4)
    assert found.troubles == ()
    assert found.verdicts >= VERDICTS
    assert found.size > 10_000  # real verdicts, not small ones
    assert found.peak < 150
    assert found.peak - found.settled < 20
