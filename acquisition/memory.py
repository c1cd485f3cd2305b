"""What a service that runs for months does about its memory."""

import asyncio
import ctypes
import gc

_EVERY = 300.0
"""Pause [s] between two times that free memory is given back."""

# Parameters of mallopt in <malloc.h> of the GNU C library.
_ARENA_MAX = -8
_MMAP_THRESHOLD = -3


def keep_together() -> bool:
    """Have the C library keep what is allocated close together; call it before the first thread.

    By itself it makes eight heaps for each processor, for threads that wait for each other in Python
    anyway, and once a large block was freed it puts the next ones among the small ones. What either
    leaves behind are holes, and they become more for days. Two heaps and blocks of 64 KiB by
    themselves leave few.

    Returns:
        Whether it will; other C libraries cannot be told.
    """
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    return tell is not None and all((tell(_ARENA_MAX, 2), tell(_MMAP_THRESHOLD, 64 * 1024)))


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
