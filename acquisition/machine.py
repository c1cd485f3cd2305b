"""Which computer this is, which start of it, and how long it has been up; asked of the kernel.

The order of what happens comes from here and not from the wall clock, which may be set: a start of
the computer has an id of its own, and its uptime only grows, also while it sleeps.
"""

import hashlib
import time
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MACHINE = Path("/etc/machine-id")

UNKNOWN = ""
"""Id of a computer that has none, as some containers."""


@cache
def boot_id() -> str:
    """Return the id of this start of the computer, 32 hexadecimal digits."""
    try:
        return _BOOT.read_text("ascii").strip().replace("-", "")
    except OSError:
        return UNKNOWN


@cache
def machine_id() -> str:
    """Return 16 digits that tell this computer from others.

    Not the id of /etc/machine-id itself, which machine-id(5) asks not to show to strangers.
    """
    try:
        own = _MACHINE.read_text("ascii").strip()
    except OSError:
        own = ""
    if len(own) != 32:  # empty, or "uninitialized": the computer does not know itself yet
        return UNKNOWN
    return hashlib.sha256(f"tante-sari {own}".encode()).hexdigest()[:16]


def owner_id(file: Path) -> str:
    """Return who works on a file at present: this start of this computer, and this very file.

    A copy of the file has another id, on another computer and on this one too.
    """
    status = file.stat()
    own = f"{machine_id()} {boot_id()} {status.st_dev} {status.st_ino}"
    return "s-" + hashlib.sha256(own.encode()).hexdigest()[:16]


def uptime() -> float:
    """Return how long the computer has been up, sleep included [s]."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def moment() -> dict[str, Any]:
    """Return now as records order it: this start of the computer, and its uptime [s]."""
    return {"boot": boot_id(), "uptime": Decimal(f"{uptime():.3f}")}
