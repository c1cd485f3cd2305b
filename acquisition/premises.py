"""What must be so before a station begins: room on the disk, descriptors, nobody else on its benches.

An outbox that was damaged is mended first, and what was found is said.

Each fault is one sentence that says what to do. Knows the files beside the outbox: a lock for each
bench, and the computer that the outbox belongs to.
"""

import errno
import fcntl
import os
import re
import resource
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from acquisition.config import Station
from acquisition.faults import Abandoned, BadInput
from acquisition.journal import Journal
from acquisition.machine import UNKNOWN, machine_id
from broker.disk_trouble import explain_disk
from broker.failure import OutboxFailed
from broker.salvage import Lost, Mended, mend

log = Journal(__name__)

_LEAST_SPACE = 1_000_000
"""Free disk [byte] that one run and the outbox itself need at least."""
_FILES = 64
"""Descriptors that any station needs; and what one instrument and one bench add at most."""
_FILES_OF_INSTRUMENT, _FILES_OF_BENCH = 6, 4
_SHAPE_OF_ID = re.compile("[0-9a-f]{16}")


@contextmanager
def premises(settings: Station, *, take_over: bool = False, ours: bool = True) -> Iterator[None]:
    """Hold what a station needs for itself until the block ends, or say what is in the way.

    ``take_over``: the outbox comes from another computer, which is out of service. ``ours`` is
    False where it does not matter whose outbox it is.
    """
    outbox = settings.store.outbox
    _may_open_enough(settings)
    with ExitStack() as locks:
        try:
            outbox.parent.mkdir(parents=True, exist_ok=True)
            for bench in settings.bench:
                locks.enter_context(_alone_on(bench.name, outbox))
            if ours:
                _on_its_computer(outbox, take_over)
        except OSError as error:
            raise _refusal(outbox, error) from None
        if shutil.disk_usage(outbox.parent).free < _LEAST_SPACE:
            raise _refusal(outbox, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        mended = mend(outbox)
        if mended is not None:
            _say(mended)
        yield


def lock_of(outbox: Path, bench: str) -> Path:
    """Return the file that whoever works on a bench has locked."""
    return Path(f"{outbox}.{bench}.lock")


def benches_at_work(outbox: Path) -> list[str]:
    """Return the benches on which a program works with this outbox."""
    found = []
    for file in sorted(outbox.parent.glob(f"{outbox.name}.*.lock")):
        with file.open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found.append(file.name.removeprefix(f"{outbox.name}.").removesuffix(".lock"))
    return found


def computer_of(outbox: Path) -> Path:
    """Return the file that says which computer an outbox belongs to."""
    return Path(f"{outbox}.computer")


def is_of_another_computer(outbox: Path) -> bool:
    """Say whether an outbox was copied here from another computer."""
    own, noted = machine_id(), _noted(outbox)
    known = own != UNKNOWN and _SHAPE_OF_ID.fullmatch(noted) is not None
    return known and noted != own and outbox.exists()


def _noted(outbox: Path) -> str:
    note = computer_of(outbox)
    return note.read_text("utf-8", "replace").strip() if note.exists() else ""


@contextmanager
def _alone_on(bench: str, outbox: Path) -> Iterator[None]:
    """Hold a bench for this program; another one that wants it is told."""
    with lock_of(outbox, bench).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Abandoned(
                "bench {bench} is at work in another program of this station: end that first",
                bench=bench,
            ) from None
        yield


def _on_its_computer(outbox: Path, take_over: bool) -> None:
    """Refuse an outbox that was copied here from another computer, which may still be at work."""
    own, note = machine_id(), computer_of(outbox)
    if own == UNKNOWN or _noted(outbox) == own:
        return
    if is_of_another_computer(outbox) and not take_over:
        raise Abandoned(
            "{file} was copied from another computer, which may still be at work: two stations with one"
            " identity give one number to two verdicts; if the other one is out of service, start here"
            " once with `tera run --take-over`",
            file=outbox,
        )
    note.write_text(own + "\n", "utf-8")


def _say(mended: Mended) -> None:
    """Say that the outbox was damaged, what is left of it, and by its number all that is not."""
    log.error(
        "the outbox was damaged ({why}): {kept} records are whole again, {count} are lost;"
        " the damaged files are kept in {folder}",
        event="outbox_mended",
        why=mended.why,
        kept=mended.kept,
        count=len(mended.lost),
        folder=mended.aside,
    )
    for (bench, kind), numbers in _by_bench(mended.lost, stored=False).items():
        log.error(
            "bench {bench}: the {kind} of number {number} is lost with the damaged outbox: look"
            " for it at the records system, or verify again",
            event="record_lost",
            bench=bench,
            kind=kind,
            number=numbers,
        )
    for (bench, kind), numbers in _by_bench(mended.lost, stored=True).items():
        log.warning(
            "bench {bench}: the {kind} of number {number} is gone here; the records system has it",
            event="record_gone_here",
            bench=bench,
            kind=kind,
            number=numbers,
        )


def _by_bench(lost: Iterable[Lost], *, stored: bool) -> dict[tuple[str, str], str]:
    """Write the numbers of lost records down, stretches of them as "3-7"."""
    numbers: dict[tuple[str, str], list[list[int]]] = {}
    for one in sorted(lost, key=lambda one: one.number):
        if (one.stored is not None) != stored:
            continue
        stretches = numbers.setdefault((one.bench, one.kind), [])
        if stretches and stretches[-1][1] >= one.number - 1:
            stretches[-1][1] = one.number
        else:
            stretches.append([one.number, one.number])
    return {
        key: ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in stretches)
        for key, stretches in numbers.items()
    }


def _may_open_enough(settings: Station) -> None:
    """Raise the limit of open files to what the station needs, where the system lets us."""
    instruments = sum(len(bench.instrument) for bench in settings.bench)
    needed = _FILES + instruments * _FILES_OF_INSTRUMENT + len(settings.bench) * _FILES_OF_BENCH
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = needed if most == resource.RLIM_INFINITY else min(needed, most)
    if now < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    if allowed < needed:
        raise BadInput(
            "this program may have {limit} files open and needs {needed}: raise LimitNOFILE of the"
            " service, or ulimit -n",
            limit=allowed,
            needed=needed,
        )


def _refusal(outbox: Path, error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
        return explain_disk(error, outbox, OutboxFailed)
    return BadInput(
        "cannot write {file}: {why}", place="store.outbox", file=outbox, why=error.strerror
    )
