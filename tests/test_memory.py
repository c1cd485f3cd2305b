"""A service that runs for months: what was freed goes back to the system."""

import asyncio
import gc
import subprocess
import sys
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


HEAPS = """
import ctypes, sys, threading
from acquisition.memory import keep_together
if sys.argv[1] == "together":
    assert keep_together()
together = threading.Barrier(12)
def work():
    kept = bytes(3_000)
    together.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
for each in threads:
    each.start()
for each in threads:
    each.join()
ctypes.CDLL(None).malloc_stats()
"""
"""Twelve threads at once; ``malloc_stats`` of the C library names each of its heaps."""


def heaps(how: str) -> int:
    """Return how many heaps the C library made for twelve threads."""
    ran = subprocess.run([sys.executable, "-c", HEAPS, how], capture_output=True, check=True)
    return ran.stderr.count(b"Arena ")


def test_threads_share_two_heaps() -> None:
    assert heaps("together") <= 2 < heaps("as they are")
