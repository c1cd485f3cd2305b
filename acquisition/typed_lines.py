"""What somebody types while a program runs: line by line, without stopping the event loop.

Knows a terminal, a pipe and a file. Refuses to read a terminal that another job has.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Final

_LOOKS_AGAIN: Final = 1.0
"""A terminal that another job has is looked at again after this [s]."""


async def typed_lines() -> AsyncIterator[str]:
    """Yield the lines of standard input as they are typed, until its end."""
    try:
        descriptor = sys.stdin.fileno()
    except (AttributeError, ValueError, OSError):  # there is none
        return
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    rest = b""

    def readable() -> None:
        nonlocal rest
        if _is_anothers(descriptor):
            loop.remove_reader(descriptor)
            loop.call_later(_LOOKS_AGAIN, listen)
            return
        data = os.read(descriptor, 4096)
        *whole, rest = (rest + data).split(b"\n")
        for line in whole if data else [rest]:
            lines.put_nowait(line.decode("utf-8", "replace"))
        if not data:
            loop.remove_reader(descriptor)
            lines.put_nowait(None)

    def listen() -> None:
        if not loop.is_closed():
            loop.add_reader(descriptor, readable)

    try:
        listen()
    except PermissionError:  # a file cannot be waited for, and need not be
        for line in sys.stdin:
            yield line
        return
    try:
        while (line := await lines.get()) is not None:
            yield line
    finally:
        loop.remove_reader(descriptor)


def _is_anothers(descriptor: int) -> bool:
    """Say whether the descriptor is a terminal in which this program is in the background."""
    try:
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) != os.getpgrp()
    except OSError:  # a terminal that governs no jobs
        return False
