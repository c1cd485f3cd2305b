"""Scales of a benchmark, in a process of their own: ``scale_peers.py COUNT RATE``.

Each streams MT-SICS on a pty of its own, one after the other in even steps. A weight is the number
of the frame and the moment at which it was sent, so that whoever reads it knows its age and what is
missing before it. Prints ``ready PORT...``; for each number on standard input it sends so many frames
per scale, says ``sent N`` and waits again.
"""

import os
import sys
import time
import tty

from drivers.codecs.codec import Decoded
from drivers.codecs.mt_sics import MtSics
from drivers.indication import Condition

NUMBERS = 9000
"""So many frames have different numbers: four digits, the first of them no zero."""
WRAP = 10**6
"""Moments [10 µs] take the other six digits and begin again after 10 s."""


def moment(now_ns: int) -> int:
    """Return a moment as the scales show it."""
    return now_ns // 10_000 % WRAP


def told(text: str) -> tuple[int, int]:
    """Return number and moment of a weight."""
    return int(text[:4]) - 1000, int(text[4:])


def main() -> None:
    """Serve until standard input ends."""
    count, rate = int(sys.argv[1]), float(sys.argv[2])
    lines = [os.openpty() for _ in range(count)]
    for master, slave in lines:
        tty.setraw(slave)
        os.set_blocking(master, False)
    print("ready", *(os.ttyname(slave) for _, slave in lines), flush=True)
    codec = MtSics()
    step = 1 / (rate * count)
    for line in sys.stdin:
        frames = int(line)
        due = time.monotonic()
        for number in range(frames):
            for master, _slave in lines:
                due += step
                time.sleep(max(0.0, due - time.monotonic()))
                text = f"{1000 + number % NUMBERS}{moment(time.monotonic_ns()):06}"
                shown = Decoded(text, None, "g", Condition.STABLE)
                os.write(master, codec.encode(_with_value(shown)))
        print("sent", frames, flush=True)


def _with_value(shown: Decoded) -> Decoded:
    return Decoded(shown.text, int(shown.text), shown.unit, shown.condition)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
