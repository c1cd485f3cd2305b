"""What the operating system says of the disk under a file, as one sentence that tells what to do."""

import errno
import os
from pathlib import Path

from broker.failure import BrokerError

_LITTLE = 100_000
"""Free disk [byte] with which SQLite itself may only speak of an input/output error."""


def explain_disk(error: OSError, file: Path, failure: type[BrokerError]) -> BrokerError:
    """Return the sentence for an error at a file, as a failure of that kind."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        text = "the disk or {file} is full: make room; what is committed stays"
    elif error.errno == errno.EROFS:
        text = "the disk with {file} is read-only: check it and mount it writable; what is committed stays"
    elif error.errno in (errno.EMFILE, errno.ENFILE):
        text = (
            "no more files can be opened for {file}: raise LimitNOFILE of the service, or ulimit -n"
        )
    elif error.errno == errno.EIO:
        text = "the disk with {file} reports errors: save what is on it and replace it ({why})"
    else:
        text = "cannot write {file}: {why}"
    return failure(text, file=file, why=error.strerror or error)


def disk_error(file: Path) -> OSError | None:
    """Return what is wrong with the disk under a file, as far as it says so itself."""
    try:
        disk = os.statvfs(file.parent)
    except FileNotFoundError:  # no fault of the disk: whoever wants the file says it better
        return None
    except OSError as error:
        return error
    if disk.f_flag & os.ST_RDONLY:
        return OSError(errno.EROFS, os.strerror(errno.EROFS))
    if disk.f_bavail * disk.f_frsize < _LITTLE:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return None
