"""``tera evaluate``: verdicts from observation sheets, without instruments."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from acquisition.archive import Outcome, Work, examined, units_of
from acquisition.archive_page import show_archive, show_comparisons
from acquisition.commands.law import day
from acquisition.config import station_if_there
from acquisition.evaluating import Asked
from acquisition.faults import BAD_INPUT, CONFORMING, NONCONFORMING, BadInput
from acquisition.language import choose, current, t
from acquisition.output import progress_console
from acquisition.sheet_file import Source, files_of, sources_of
from acquisition.sheet_writer import to_csv, to_json, to_toml
from acquisition.verdict_page import show_budgets, show_verification
from calibration.legal_table import legal_table
from calibration.national import STAGES, national_settings
from calibration.refusal import Refused

Unit = Path | Source | Outcome


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    station = station_if_there(arguments.config)
    if station is not None:
        choose(station.console.language)
    _take_budget_for_path(arguments)
    asked = _asked(arguments)
    files = files_of(arguments.sheets)
    if arguments.to is not None:
        return _convert(files, arguments.to)
    units: list[Unit] = list(units_of(files))
    if len(units) == 1 and isinstance(units[0], Path):
        units = list(sources_of(units[0]))
    many = _is_many(units)
    _check_plot(arguments.plot, many=many)
    if many and arguments.budget is not None:
        raise BadInput("budgets are printed of one sheet: name one", place="--budget")
    work = Work(
        config=arguments.config,
        asked=asked,
        compare=arguments.compare or len(asked) > 1,
        json=arguments.json,
        many=many,
        plot=arguments.plot,
        language=current(),
    )
    outcomes = _run(units, work)
    if not many and outcomes[0].bad:
        print(f"tera: {outcomes[0].bad}", file=sys.stderr)
        return BAD_INPUT
    if not work.json:
        _show(outcomes, work, arguments)
    for outcome in outcomes:
        if outcome.bad:
            print(f"tera: {outcome.bad}", file=sys.stderr)
    return _exit_code(outcomes, work)


def _take_budget_for_path(arguments: argparse.Namespace) -> None:
    """Give back the sheet that ``--budget`` took for a point."""
    if arguments.budget and (":" not in arguments.budget or Path(arguments.budget).exists()):
        arguments.sheets.insert(0, Path(arguments.budget))
        arguments.budget = ""
    if not arguments.sheets:
        raise BadInput("no observation sheet is named: write tera evaluate SHEET")


def _asked(arguments: argparse.Namespace) -> tuple[Asked, ...]:
    """Check every name before work begins."""
    on = None if arguments.on is None else day(arguments.on)
    try:
        for name in arguments.table:
            legal_table(name)
    except Refused as refused:
        raise BadInput(refused.template, place="--table", **refused.evidence) from None
    try:
        if arguments.setting is not None:
            national_settings(arguments.setting)
    except Refused as refused:
        raise BadInput(refused.template, place="--setting", **refused.evidence) from None
    if arguments.stage is not None and arguments.stage not in STAGES:
        raise BadInput(
            "{value!r} is none of {known}.",
            place="--stage",
            value=arguments.stage,
            known=", ".join(STAGES),
        )
    tables: list[str | None] = list(dict.fromkeys(arguments.table))
    found = tuple(Asked(name, arguments.setting, arguments.stage, on) for name in tables or [None])
    if arguments.compare and found[0].nothing:
        raise BadInput(
            "name what to compare with: --table, --setting, --stage or --on", place="--compare"
        )
    if (arguments.compare or len(found) > 1) and (arguments.plot or arguments.budget is not None):
        raise BadInput("a comparison is neither drawn nor printed as budgets", place="--compare")
    return found


def _is_many(units: Sequence[Unit]) -> bool:
    """Tell whether there is more than one sheet; meters of a bench are sheets."""
    if len(units) > 1:
        return True
    return isinstance(units[0], Source) and len(units[0].sheets()) > 1


def _check_plot(plot: Path | None, *, many: bool) -> None:
    if plot is None:
        return
    from acquisition.plot import ENDINGS

    if not many and plot.suffix.lower() not in ENDINGS:
        raise BadInput("{file} must end in .svg, .png or .pdf", place="--plot", file=plot)
    if many and plot.suffix.lower() in ENDINGS:
        raise BadInput("many sheets are drawn into a folder, not into one file", place="--plot")
    try:
        (plot if many else plot.parent).mkdir(parents=many, exist_ok=True)
    except OSError as error:
        raise BadInput("cannot write {file}: {why}", file=plot, why=error.strerror) from None


def _convert(files: Sequence[Path], kind: str) -> int:
    """Print sheets in another form; each is read first, so that a bad one is named."""
    sources = [source for file in files for source in sources_of(file)]
    for source in sources:
        source.sheets()
    if kind == "toml" and len(sources) > 1:
        raise BadInput("a TOML file holds one sheet: name one, or write --to csv", place="--to")
    if kind == "csv":
        named = [(source.part or source.file.stem, source.mapping) for source in sources]
        if len(dict(named)) < len(named):
            named = [(source.name, source.mapping) for source in sources]
        text = to_csv(named)
    else:
        write = to_toml if kind == "toml" else to_json
        text = "".join(write(source.mapping) for source in sources)
    sys.stdout.write(text)
    return CONFORMING


def _run(units: Sequence[Unit], work: Work) -> list[Outcome]:
    """Evaluate everything, with a progress bar where somebody looks at a terminal."""
    outcomes: list[Outcome] = []
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=progress_console(),
        transient=True,
        disable=not (work.many and sys.stderr.isatty()),
    )
    with bar:
        task = bar.add_task(t("sheets"), total=len(units))
        for found in examined(units, work):
            outcomes += found
            bar.advance(task)
            for outcome in found:
                for line in outcome.lines:
                    print(line)
    return outcomes


def _show(outcomes: Sequence[Outcome], work: Work, arguments: argparse.Namespace) -> None:
    if work.compare:
        show_comparisons(outcomes)
        return
    if work.many:
        show_archive(outcomes)
        return
    (outcome,) = outcomes
    if outcome.body is None:
        return
    show_verification(outcome.body, Path(outcome.sheet).stem, outcome.reasons)
    if arguments.budget is not None:
        wanted = _point(arguments.budget)
        if not show_budgets(outcome.body, wanted):
            raise BadInput(
                "no uncertainty is evaluated there: name a point as in weighing:3",
                place="--budget",
            )


def _point(text: str) -> tuple[tuple[str, int], ...]:
    """Read ``weighing:3``; nothing is every point."""
    if not text:
        return ()
    test, _, number = text.rpartition(":")
    if not number.isdecimal():
        raise BadInput("name a point as in weighing:3", place="--budget")
    return ((test, int(number)),)


def _exit_code(outcomes: Sequence[Outcome], work: Work) -> int:
    if any(outcome.bad for outcome in outcomes):
        return BAD_INPUT
    if work.compare:
        changed = any(one["changed"] for outcome in outcomes for one in outcome.comparisons)
        return NONCONFORMING if changed else CONFORMING
    good = all(outcome.verdict == "conforming" for outcome in outcomes)
    return CONFORMING if good else NONCONFORMING
