"""A service that runs for months: what was freed goes back to the system."""

import asyncio
import gc
from pathlib import Path

import pytest

from acquisition.memory import give_back
from tests.records import until

PAGES = Path("/proc/self/statm")


def resident() -> float:
    """Return the memory of this process [MiB]."""
    return int(PAGES.read_text("ascii").split()[1]) / 256


async def test_what_was_freed_between_blocks_in_use_is_given_back() -> None:
    blocks = [bytes(3_000) for _ in range(30_000)]
    full = resident()
    kept = blocks[::100]  # holes, each behind something that stays
    del blocks
    gc.collect()
    assert resident() > full - 20, "the C library gives them back by itself: this is of no use"
    task = asyncio.create_task(give_back(0.01))
    try:
        await until(lambda: resident() < full - 60, 10)
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(kept) == 300
