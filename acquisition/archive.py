"""Many sheets: one after the other or over processes, in the order in which they were named.

Knows that a bad sheet stops no other, and that results come back in order whatever the number of
processes. Refuses to print: it gives one outcome for each sheet.
"""

import math
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from acquisition.config import station_if_there
from acquisition.evaluating import Asked, Office, compared, worst_share
from acquisition.faults import BadInput, sentence
from acquisition.language import Language, choose, t
from acquisition.output import json_line
from acquisition.panel import Drawn
from acquisition.plot import draw
from acquisition.sheet_file import Source, sources_of
from calibration.refusal import Refused
from calibration.sheet import Sheet
from calibration.verification import Verification

WORTH_PROCESSES = 150
"""So many sheets and more are shared among processes: fewer are done before those have begun."""
_CHUNK = 32
"""Most sheets that a process is given at once."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked of every sheet; goes to every process."""

    config: Path
    asked: tuple[Asked, ...] = (Asked(),)
    """One, or with ``compare`` each that the sheet's own law is compared with."""
    compare: bool = False
    json: bool = False
    many: bool = False
    plot: Path | None = None
    """A file for one sheet, a folder for many."""
    language: Language = "id"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one sheet; plain values, so that processes can hand it over."""

    sheet: str
    instrument: str = ""
    verdict: str = ""
    legal: bool = False
    worst: Decimal | None = None
    """Largest error in % of its limit."""
    bad: str = ""
    """Why there is no verdict, in one sentence with its place."""
    lines: tuple[str, ...] = ()
    """What ``--json`` prints."""
    body: dict[str, Any] | None = None
    """The whole result, of a single sheet."""
    reasons: tuple[str, ...] = ()
    comparisons: tuple[dict[str, Any], ...] = ()
    apart: bool = False
    """It stayed under its own law: what was asked is not for its kind."""


@dataclass(slots=True)
class Examiner:
    """One process with what the station vouches for."""

    work: Work
    office: Office = field(default_factory=Office)

    @classmethod
    def of(cls, work: Work) -> "Examiner":
        """Read the configuration."""
        choose(work.language)
        return cls(work, Office.of(station_if_there(work.config)))

    def examine(self, unit: Path | Source | Outcome) -> list[Outcome]:
        """Evaluate every sheet of a file, or of a source that was read before."""
        if isinstance(unit, Outcome):
            return [unit]
        name = str(unit) if isinstance(unit, Path) else unit.name
        try:
            sources = sources_of(unit) if isinstance(unit, Path) else (unit,)
            return [outcome for source in sources for outcome in self._source(source)]
        except BadInput as error:
            return [Outcome(name, bad=sentence(error))]

    def _source(self, source: Source) -> Iterator[Outcome]:
        sheets = source.sheets()
        for number, sheet in enumerate(sheets):
            serial = sheet.identity["serial"]
            name = f"{source.name}#{serial}" if len(sheets) > 1 else source.name
            try:
                yield self._sheet(sheet, name)
            except Refused as refused:
                yield Outcome(name, bad=self._sentence(source, refused, number))
            except BadInput as error:
                yield Outcome(name, bad=sentence(error))

    def _sentence(self, source: Source, refused: Refused, number: int) -> str:
        """Say what is wrong with a sheet, or with what was asked of it."""
        for asked in self.work.asked:
            if refused.key in ("table", "setting") and getattr(asked, refused.key) is not None:
                place = f"{source.name}: --{refused.key}"
                return sentence(BadInput(refused.template, place=place, **refused.evidence))
        return sentence(source.bad(refused, number))

    def _sheet(self, sheet: Sheet, name: str) -> Outcome:
        work = self.work
        if work.compare:
            return self._compared(sheet, name)
        asked, apart = work.asked[0], False
        if work.many and not self.office.concerns(sheet, asked):
            asked, apart = Asked(), True
        result = self.office.evaluate(sheet, asked)
        if work.plot is not None:
            self._draw(sheet, asked, result, name)
        return self._outcome(sheet, name, result, apart=apart)

    def _outcome(
        self,
        sheet: Sheet,
        name: str,
        result: Verification,
        *,
        apart: bool = False,
        comparisons: tuple[dict[str, Any], ...] = (),
    ) -> Outcome:
        work = self.work
        single = not (work.many or work.compare)
        body = result.to_dict() if single or work.json else {}
        objects = comparisons if work.compare else (body,)
        named = {"sheet": name} if work.many or work.compare else {}
        return Outcome(
            name,
            f"{sheet.identity['kind']} {sheet.identity['serial']}",
            str(result.verdict),
            result.legal,
            worst_share(result),
            lines=tuple(json_line({**named, **one}) for one in objects) if work.json else (),
            body=body if single else None,
            reasons=()
            if work.many
            else tuple(t(reason.template, **reason.values) for reason in result.reasons),
            comparisons=comparisons,
            apart=apart,
        )

    def _compared(self, sheet: Sheet, name: str) -> Outcome:
        own = self.office.evaluate(sheet, Asked())
        others = [
            asked
            for asked in self.work.asked
            if not self.work.many or self.office.concerns(sheet, asked)
        ]
        found = tuple(compared(self.office, sheet, own, asked).to_dict() for asked in others)
        return self._outcome(sheet, name, own, apart=not others, comparisons=found)

    def _draw(self, sheet: Sheet, asked: Asked, result: Verification, name: str) -> None:
        if self.work.plot is None:
            return
        law = self.office.law(sheet, asked)
        file = plot_file(self.work.plot, name) if self.work.many else self.work.plot
        drawn = Drawn(result.to_dict(), sheet, law, asked.stage or sheet.stage)
        draw(drawn, file)


def plot_file(folder: Path, name: str) -> Path:
    """Name the plot of one of many sheets."""
    safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in name.lstrip("./"))
    return folder / f"{safe}.png"


def examined(units: Sequence[Path | Source | Outcome], work: Work) -> Iterator[list[Outcome]]:
    """Give the outcomes of every unit, in order; over processes where there are many."""
    workers = min(_cores(), math.ceil(len(units) / WORTH_PROCESSES))
    if workers < 2:
        examiner = Examiner.of(work)
        yield from map(examiner.examine, units)
        return
    # Processes of a forkserver: a fork of this one could inherit a lock that a thread holds.
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(workers, context, _begin, (work,))
    try:
        chunk = max(1, min(_CHUNK, len(units) // (4 * workers)))
        yield from pool.map(_examine, units, chunksize=chunk)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def units_of(files: Iterable[Path]) -> Iterator[Path | Source | Outcome]:
    """Cut files into what is evaluated apart: a CSV file into its sheets, others as they are."""
    for file in files:
        if file.suffix.lower() != ".csv":
            yield file
            continue
        try:
            yield from sources_of(file)
        except BadInput as error:
            yield Outcome(str(file), bad=sentence(error))


_here: list[Examiner] = []


def _begin(work: Work) -> None:
    """Make a process ready; an interrupt is the first program's affair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _here[:] = [Examiner.of(work)]


def _examine(unit: Path | Source | Outcome) -> list[Outcome]:
    return _here[0].examine(unit)


def _cores() -> int:
    """Count the cores that this program may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
