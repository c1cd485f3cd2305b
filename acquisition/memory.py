"""What a service that runs for months does about its memory."""

import asyncio
import ctypes
import gc

_EVERY = 300.0
"""Pause [s] between two times that free memory is given back."""


def leave_out_of_collections() -> None:
    """Leave what the start made, which stays to the end, out of every later garbage collection.

    With it a full one takes 20 to 50 ms, in which nobody reads a line. What an indication makes is
    freed without any, so they need not come often.
    """
    gc.set_threshold(10_000, 20, 50)
    gc.collect()
    gc.freeze()


async def give_back(every: float = _EVERY) -> None:
    """Give free memory back to the system, again and again, until cancelled.

    Verdicts of 50 benches are made and freed in any order by several threads, and the C library keeps
    the holes between them.
    """
    # glibc has it, other C libraries may not
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while trim is not None:
        await asyncio.sleep(every)
        await asyncio.to_thread(trim, 0)
