"""Frames per second through framer and codec, against a bare ``split`` and regular expression."""

import re
import statistics
import time
from decimal import Decimal

from drivers.codecs import codec_named

FRAME = b"S S     100.00 g\r\n"
_BARE = re.compile(rb"S ([SD]) +(-?[\d.]+) (\w+)")


def main(rounds: int) -> None:
    """Measure chunks as a line delivers them."""
    frames = 20_000
    codec = codec_named("mt-sics")
    stream = FRAME * frames
    print(f"{'what':<34}{'frames/s (median)':>20}{'ratio':>9}")

    def bare() -> int:
        found = 0
        for line in stream.split(b"\r\n"):
            if match := _BARE.fullmatch(line):
                Decimal(match[2].decode())
                found += 1
        return found

    def ours(size: int) -> int:
        framer, found = codec.framer(), 0
        for at in range(0, len(stream), size):
            for frame in framer.feed(stream[at : at + size]):
                codec.decode(frame)
                found += 1
        return found

    base = 0.0
    for name, work in (
        ("bare split and regular expression", bare),
        ("framer and codec, 4096-byte chunks", lambda: ours(4096)),
        ("framer and codec, 16-byte chunks", lambda: ours(16)),
    ):
        rates = []
        for _ in range(rounds):
            began = time.perf_counter()
            found = work()
            rates.append(frames / (time.perf_counter() - began))
            if found != frames:
                raise SystemExit(f"{name}: {found} of {frames} frames were decoded")
        rate = statistics.median(rates)
        base = base or rate
        print(f"{name:<34}{rate:>20,.0f}{rate / base:>9.2f}")
