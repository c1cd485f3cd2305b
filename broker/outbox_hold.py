"""Who has an outbox open: its file may be replaced by a mended one only when nobody else has.

SQLite's own locks cannot say it: they belong to the file, and a name may come to mean another file.
"""

import fcntl
import time
from pathlib import Path
from typing import IO

from broker.failure import OutboxFailed

_LOOK_AGAIN = 0.05
"""Pause [s] between two looks whether the outbox is free."""


class Hold:
    """An open outbox; others may hold it too, unless it is held alone."""

    def __init__(self, file: IO[bytes] | None) -> None:
        self._file = file

    @classmethod
    def of(cls, outbox: Path, *, within: float) -> "Hold":
        """Hold an outbox together with others; wait so long [s] for one who mends it."""
        hold = _locked(outbox, fcntl.LOCK_SH, within)
        if hold is None:
            raise OutboxFailed(
                "another program examines {file} at its start: wait until it is done", file=outbox
            )
        return hold

    @classmethod
    def alone(cls, outbox: Path, *, within: float) -> "Hold | None":
        """Hold an outbox alone, None when somebody else has it open for longer than that [s]."""
        return _locked(outbox, fcntl.LOCK_EX, within)

    def release(self) -> None:
        """Let go; twice is harmless."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _locked(outbox: Path, how: int, within: float) -> Hold | None:
    try:
        file = Path(f"{outbox}.open").open("ab")  # noqa: SIM115 - open for as long as the hold
    except OSError:  # no folder, or one that cannot be written: SQLite has the sentence for it
        return Hold(None)
    end = time.monotonic() + within
    while True:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                file.close()
                return None
            time.sleep(_LOOK_AGAIN)
        else:
            return Hold(file)
