"""Torn writes: a station starts whatever happened to its files, and keeps what was committed.

    python -m tests.torn [--places 1000] [--seed N]

Each place is a fresh copy of a station's files of which one (sometimes two) is cut, flipped, zeroed
or overwritten at a random place; then ``tera run`` starts on it, a real process, and is asked to stop.
"""

import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.forks import Forks
from tests.torn_station import (
    State,
    Tear,
    bundle_or_sentence,
    bundles_in,
    lost_chunks,
    make_station,
    tear,
    violations,
)

_SIDE_BY_SIDE = 3


@dataclass(slots=True)
class Tally:
    """What became of the places."""

    seed: int
    places: int = 0
    wrong: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    """How often the station started, started with a mended outbox, or refused."""
    torn: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    """Records whose bytes are gone, by the file that was damaged."""
    records: int = 0
    """Records committed before, over all places."""
    seconds: float = 0.0

    def summary(self) -> str:
        lines = [
            f"seed {self.seed}: {self.places} places in {self.seconds:.0f} s,"
            f" {len(self.wrong)} violations",
            "the station " + ", ".join(f"{what}: {n}" for what, n in sorted(self.ends.items())),
            "damaged " + ", ".join(f"{what}: {n}" for what, n in sorted(self.torn.items())),
            f"bytes destroyed of {self.lost.total()} of {self.records} records, each named by its number: "
            + (", ".join(f"{what}: {n}" for what, n in sorted(self.lost.items())) or "none"),
        ]
        return "\n".join(lines + self.wrong)


async def torn(places: int, seed: int, folder: Path, *, progress: bool = False) -> Tally:
    """Damage a station at so many places; the seed gives the same places again."""
    tally = Tally(seed)
    made = folder / "made"
    made.mkdir()
    before = await make_station(made)
    began = time.monotonic()
    forks = await Forks.open()
    work = iter(range(places))

    async def worker() -> None:
        for place in work:
            here = folder / f"place-{place}"
            await _one(forks, made, before, here, random.Random(f"{seed}/{place}"), tally)
            if progress and tally.places % 25 == 0:
                print(f"{tally.places}/{places} places, {len(tally.wrong)} violations", flush=True)  # noqa: T201

    try:
        await asyncio.gather(*(worker() for _ in range(_SIDE_BY_SIDE)))
    finally:
        await forks.close()
    tally.seconds = time.monotonic() - began
    return tally


async def _one(
    forks: Forks, made: Path, before: State, here: Path, dice: random.Random, tally: Tally
) -> None:
    here.mkdir()
    shutil.copy(made / "config.toml", here)
    data = here / "data"
    shutil.copytree(made / dice.choice(("as left", "as left", "as closed")), data)
    tears = [tear(data, dice) for _ in range(2 if dice.random() < 0.1 else 1)]
    torn_files = here / "torn"
    shutil.copytree(data, torn_files)
    said = here / "said"
    station = await forks.start("run", "--config", here / "config.toml", says=said)
    runs = await station.says_or_ends("the station runs")
    station.signal(signal.SIGTERM)
    code = await station.wait()
    text = station.text()
    wrong = []
    if "Traceback" in text:
        wrong.append("it crashed")
    if runs:
        found, lost = violations(before, data / "outbox.sqlite", text, tears)
        wrong += found + lost_chunks(torn_files, data)
        if code != 0:
            wrong.append(f"it ended with {code}")
        mended = "the outbox was damaged" in text
        tally.ends["started with a mended outbox" if mended else "started"] += 1
        if lost:
            tally.lost[" and ".join(sorted({_name(t) for t in tears}))] += lost
        if lost and not mended:
            wrong.append("it lost something and did not say that it was damaged")
    else:
        tally.ends[f"refused with {code}"] += 1
        sentences = [line for line in text.splitlines() if line.startswith("tera: ")]
        if code not in (2, 3) or len(sentences) != 1:
            wrong.append(f"it refused with {code} and {len(sentences)} sentences")
    wrong += _bundles(made / "as left", data)
    tally.places += 1
    tally.records += len(before.records)
    for one in tears:
        tally.torn[_name(one)] += 1
    if wrong:
        what = "; ".join(map(str, tears))
        tally.wrong.append(f"{here.name} ({what}): {'; '.join(wrong[:5])}\n{text[-1500:]}")
    shutil.rmtree(here)


def _name(one: Tear) -> str:
    return one.file.partition("/")[0]


def _bundles(before: Path, after: Path) -> list[str]:
    """A bundle is what it was, or it is refused."""
    wrong = []
    for file in bundles_in(after):
        record = bundle_or_sentence(file)
        if record is not None and record != bundle_or_sentence(before / "bundles" / file.name):
            wrong.append(f"{file.name} tells another verdict")
    return wrong


def main() -> int:
    """Run the long form."""
    parser = argparse.ArgumentParser(prog="python -m tests.torn", description=__doc__)
    parser.add_argument("--places", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    given = parser.parse_args()
    for end in (signal.SIGINT, signal.SIGTERM):  # all that was started is ended too
        signal.signal(end, signal.default_int_handler)
    print(f"seed {given.seed}: give it with --seed to have the same places again", flush=True)  # noqa: T201
    with tempfile.TemporaryDirectory(prefix="tera-torn-") as folder:
        tally = asyncio.run(torn(given.places, given.seed, Path(folder), progress=True))
    print(tally.summary())  # noqa: T201
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
