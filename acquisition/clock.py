"""Whether the kernel's clock is disciplined; asked of the kernel itself."""

import ctypes
from enum import StrEnum
from functools import cache

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


class ClockState(StrEnum):
    """What a verdict says of its times."""

    SYNCHRONISED = "synchronised"
    UNSYNCHRONISED = "unsynchronised"
    UNKNOWN = "unknown"


def clock_state() -> ClockState:
    """Ask the kernel with a read-only adjtimex(2)."""
    timex = ctypes.create_string_buffer(1024)  # all zero: modes = 0 changes nothing
    try:
        answer = _kernel().adjtimex(timex)
    except (OSError, AttributeError):
        return ClockState.UNKNOWN
    if answer < 0:
        return ClockState.UNKNOWN
    return ClockState.UNSYNCHRONISED if answer == _TIME_ERROR else ClockState.SYNCHRONISED


@cache
def _kernel() -> ctypes.CDLL:
    return ctypes.CDLL(None)  # each one is a class and its functions, which stay in memory
