"""What `tera doctor` says of the computer itself: its clock, its disk, and whose outbox lies there."""

import os
import shutil
from pathlib import Path

from acquisition.clock import ClockState, clock_state
from acquisition.faults import sentence
from acquisition.finding import Finding
from acquisition.language import t
from acquisition.premises import is_of_another_computer
from broker.disk_trouble import disk_error, explain_disk
from broker.failure import OutboxFailed

_LITTLE_SPACE = 500_000_000
"""Free disk below which committed verdicts are in danger [byte]."""


def clock_finding() -> Finding:
    """Say whether the clock is synchronised."""
    state = clock_state()
    if state is ClockState.SYNCHRONISED:
        return Finding(t("clock"), "ok", t("synchronised"))
    return Finding(
        t("clock"),
        "note",
        t("not synchronised: verdicts will say so"),
        t("switch on NTP, for example with timedatectl set-ntp true"),
    )


def disk_finding(file: Path) -> Finding:
    """Say whether the disk of an outbox or a store can be written, and what is free on it."""
    folder = next(p for p in file.parents if p.exists())
    free = shutil.disk_usage(folder).free
    text = t("{free} GB free", free=f"{free / 1e9:.1f}")
    trouble = disk_error(file) if folder == file.parent else None
    if trouble is not None:
        said = sentence(explain_disk(trouble, file, OutboxFailed))
        return Finding(t("disk"), "fault", said)
    if not os.access(folder, os.W_OK):
        return Finding(
            t("disk"),
            "fault",
            t("{folder} cannot be written", folder=folder),
            t("give it to the user who runs tera, or name another folder under [store]"),
        )
    if free < _LITTLE_SPACE:
        return Finding(t("disk"), "fault", text, t("make room: without it no run can start"))
    return Finding(t("disk"), "ok", text)


def computer_findings(outbox: Path) -> list[Finding]:
    """Say when the outbox was copied from another computer: the station would not start."""
    if not is_of_another_computer(outbox):
        return []
    return [
        Finding(
            t("computer"),
            "fault",
            t("{file} was made on another computer, which may still be at work", file=outbox),
            t("if that one is out of service, start here once with `tera run --take-over`"),
        )
    ]
