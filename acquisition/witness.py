"""What a run leaves behind so that its verdict can be derived again: the bundle.

Hears each step that hands are asked for and each moment from which indications count, and takes the
lines' bytes from their captures at the end. Changes nothing: what fails here is logged.
"""

import asyncio
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acquisition.bundle import Bundle, BundledLine, write_bundle
from acquisition.config import Bench, Instrument
from acquisition.hands import Hand, TakenBack
from acquisition.journal import Journal
from acquisition.routine import Instruction
from drivers.capture import Capture, Place
from drivers.errors import DriverError

log = Journal(__name__)

_BEFORE = 1.0
"""How much of a line from before the start belongs to a bundle [s]."""


@dataclass(frozen=True, slots=True)
class WatchedLine:
    """One line of the bench, and where its capture stood a little before the start."""

    port: str
    instruments: tuple[str, ...]
    capture: Capture
    begin: Place


class RunWitness:
    """Stands between the session and the hands of one run."""

    def __init__(
        self,
        hand: Hand,
        bench: Bench,
        subject: Instrument,
        source: tuple[str, Path],
        ports: Mapping[str, str],
        captures: Mapping[str, Capture],
        folder: Path,
    ) -> None:
        """Begin to watch; ``ports`` are the instruments', ``captures`` the ports'."""
        self._hand, self._bench, self._subject = hand, bench, subject
        self._source, self._folder = source, folder
        self._steps: list[tuple[str, Any]] = []
        self._lines = [
            WatchedLine(
                port,
                tuple(name for name, its in ports.items() if its == port),
                captures[port],
                captures[port].place(_BEFORE),
            )
            for port in dict.fromkeys(ports.values())
        ]

    async def do(self, instruction: Instruction) -> None:
        """Have a step done, and note that it was asked for, and whether it was taken back."""
        self._steps.append(("do", written(instruction)))
        try:
            await self._hand.do(instruction)
        except TakenBack:
            self._steps.append(("back", None))
            raise

    async def moment(self) -> int:
        """Return the monotonic clock [ns], and note it."""
        now_ns = time.monotonic_ns()
        self._steps.append(("moment", now_ns))
        return now_ns

    async def keep(self, record: Mapping[str, Any]) -> None:
        """Write the bundle, now that the verdict is committed."""
        name = f"{record['bench']}-{record['number']:06}.bundle.zip"
        try:
            config, maps = _with_maps(*self._source)
            bundle = Bundle(
                verification=record["id"],
                number=record["number"],
                bench=self._bench.name,
                subject=self._subject.name,
                config=config,
                maps=maps,
                lines=tuple(
                    BundledLine(line.port, line.instruments, line.capture.since(line.begin))
                    for line in self._lines
                ),
                steps=tuple(self._steps),
                cerapan=record["cerapan"],
                record=record,
                utc_offset=_utc_offset(),
            )
            await asyncio.to_thread(write_bundle, self._folder / name, bundle)
        except (OSError, DriverError) as error:
            log.warning(
                "the bundle {file} could not be written: {why}",
                event="bundle_failed",
                file=name,
                why=error,
            )


def written(instruction: Instruction) -> dict[str, Any]:
    """Write an instruction as bundles have it."""
    rate = instruction.flow_rate
    return {
        "action": instruction.action.value,
        "quantity": str(instruction.quantity),
        "position": instruction.position,
        "flow_rate": None if rate is None else str(rate),
    }


def _utc_offset() -> float:
    return float(time.localtime().tm_gmtoff)


def _with_maps(text: str, file: Path) -> tuple[str, dict[str, bytes]]:
    """Return the configuration with every map of the technician's own in ``maps/``, and those."""
    maps: dict[str, bytes] = {}
    names: dict[str, str] = {}
    for bench in tomllib.loads(text).get("bench", ()):
        for instrument in bench.get("instrument", ()):
            given = instrument.get("map", "")
            if given.endswith(".toml") and given not in names:
                names[given] = f"maps/{len(names) + 1}.toml"
                maps[names[given]] = (file.parent / given).read_bytes()
    for given, name in names.items():
        for quote in "\"'":
            text = text.replace(f"{quote}{given}{quote}", f"{quote}{name}{quote}")
    return text, maps
