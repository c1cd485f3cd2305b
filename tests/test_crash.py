"""Stations, records systems, broker and database die at random instants: each verdict arrives once."""

from pathlib import Path

import pytest

from tests.crash import Plan, crash
from tests.mosquitto import MISSING, PROGRAM

pytestmark = [pytest.mark.skipif(PROGRAM is None, reason=MISSING), pytest.mark.timeout(300)]


async def test_whatever_is_killed_every_verdict_is_stored_once_and_no_number_is_missing(
    tmp_path: Path,
) -> None:
    """The short form of ``make crash``."""
    plan = Plan(
        kills=12,
        brokers=2,
        databases=2,
        stations=1,
        seed=11,
        orders_every=6.0,
        settle_within=150.0,
    )
    outcome = await crash(plan, tmp_path)
    assert outcome.wrong == []
    assert outcome.kills["stations"] == outcome.kills["subscribers"] == plan.kills
    assert outcome.kills["Mosquitto"] == plan.brokers
    assert min(outcome.records["start"], outcome.records["verdict"], outcome.acknowledged) > 0
    assert outcome.ordered > 0
