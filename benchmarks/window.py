"""What one process used between two moments, by the system's own accounting."""

import json
import os
import resource
import sys
import time
from typing import Any


def task() -> dict[str, Any]:
    """Read what this process shall do from its command line and go to its CPU."""
    wanted: dict[str, Any] = json.loads(sys.argv[1])
    if wanted["cpu"] is not None:
        os.sched_setaffinity(0, {wanted["cpu"]})
    return wanted


class Window:
    """Opened when the work is under way, closed before it ends."""

    def __init__(self, samples: int) -> None:
        """Begin now, when so many samples have been taken."""
        self._samples = samples
        self._began_ns, self._cpu = time.monotonic_ns(), _cpu_seconds()

    def close(self, samples: int, **more: object) -> None:
        """End now and report as one line of JSON."""
        cpu, ended_ns = _cpu_seconds(), time.monotonic_ns()
        report = {
            "samples": samples - self._samples,
            "cpu": cpu - self._cpu,
            "began_ns": self._began_ns,
            "ended_ns": ended_ns,
        }
        print(json.dumps(report | more), flush=True)


def _cpu_seconds() -> float:
    """Give the CPU time [s] of every thread of this process, in user and in system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
