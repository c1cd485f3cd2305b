"""Which program has a run in hand, so that a second one does not take it for left behind."""

import os
from pathlib import Path


def this_program() -> str:
    """Return process id and start of this program."""
    return f"{os.getpid()}:{_begun_at(os.getpid())}"


def in_other_hands(owner: str | None) -> bool:
    """Say whether a run belongs to another program that is still alive."""
    if not owner or owner == this_program():
        return False
    process, _, begun = owner.partition(":")
    return bool(begun) and _begun_at(int(process)) == begun


def _begun_at(process: int) -> str:
    """Return when a process was started [clock ticks], so that a reused id is told apart."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
