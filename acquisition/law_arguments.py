"""Arguments of the commands that need the law and no instrument: mpe, tables, evaluate, ...

Knows names, defaults and help, as `acquisition.cli` does of all others. Imports nothing heavy.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from acquisition.language import t

Command = Callable[[str, str, str, str], argparse.ArgumentParser]
Configured = Callable[[argparse.ArgumentParser], argparse.ArgumentParser]


def add_law_commands(command: Command, configured: Configured) -> None:
    """Add the commands to the program's parser."""
    _add_mpe(command)
    _add_tables(command, configured)
    _add_evaluate(command, configured)
    _add_standards(command, configured)
    _add_sheet(command)


def _add_mpe(command: Command) -> None:
    mpe = command(
        "mpe",
        "law",
        t("the legal limit at each value"),
        "tera mpe r76 --class III --with e=5g 2500g 10005g",
    )
    mpe.add_argument("table", metavar=t("TABLE"), help=t("table id, for example r76 or r76@2006"))
    mpe.add_argument(
        "--class",
        dest="accuracy_class",
        required=True,
        metavar=t("CLASS"),
        help=t("accuracy class"),
    )
    mpe.add_argument(
        "--stage",
        default="initial",
        metavar=t("STAGE"),
        help=t("initial, subsequent or in_service"),
    )
    mpe.add_argument("--on", metavar=t("DATE"), help=t("the law of this day (YYYY-MM-DD)"))
    mpe.add_argument(
        "--with",
        dest="characteristics",
        action="append",
        default=[],
        metavar=t("NAME=VALUE"),
        help=t(
            "a characteristic, for example e=5g or mmq=5L; tera tables r49 lists those of a table"
        ),
    )
    mpe.add_argument(
        "--setting",
        metavar=t("NAME"),
        help=t("national settings to apply, for example id-tbo; without them the OIML limits"),
    )
    mpe.add_argument(
        "values", nargs="+", metavar=t("VALUE"), help=t("a value with its unit, for example 2500g")
    )


def _add_tables(command: Command, configured: Configured) -> None:
    tables = configured(
        command(
            "tables",
            "tables",
            t("every legal table: source, validity, digest, approved or not"),
            "tera tables\n  tera tables r49\n  tera tables approve r76 --by 'Kepala UPT'",
        )
    )
    tables.add_argument(
        "words",
        nargs="*",
        metavar=t("TABLE"),
        help=t("nothing: list all; a table or setting: show it; approve TABLE: approve it"),
    )
    tables.add_argument("--by", metavar=t("NAME"), help=t("who approves"))
    tables.add_argument(
        "--on", metavar=t("DATE"), help=t("day of the approval (YYYY-MM-DD); today when not given")
    )


def _add_evaluate(command: Command, configured: Configured) -> None:
    evaluate = configured(
        command(
            "evaluate",
            "evaluate",
            t("verdicts from observation sheets (cerapan)"),
            "tera evaluate examples/nawi.toml --plot nawi.svg\n"
            "  tera evaluate arsip/2025 --table r61@1996 --compare",
        )
    )
    evaluate.add_argument(
        "sheets",
        type=Path,
        nargs="*",
        metavar=t("SHEET"),
        help=t("observation sheets (TOML, JSON or CSV), or folders of them"),
    )
    evaluate.add_argument(
        "--table",
        action="append",
        default=[],
        metavar=t("TABLE"),
        help=t("another table or edition, for example r61@1996; several are compared"),
    )
    evaluate.add_argument(
        "--setting", metavar=t("NAME"), help=t("other national settings, for example id-tbo@2015")
    )
    evaluate.add_argument("--stage", metavar=t("STAGE"), help=t("another stage"))
    evaluate.add_argument(
        "--on", metavar=t("DATE"), help=t("the law and the certificates of this day (YYYY-MM-DD)")
    )
    evaluate.add_argument(
        "--compare",
        action="store_true",
        help=t("list which verdicts change against the law of each sheet; exit 1 if any does"),
    )
    evaluate.add_argument(
        "--plot",
        type=Path,
        metavar=t("FILE"),
        help=t("draw errors and limits to FILE (.svg, .png, .pdf), of many sheets to a folder"),
    )
    evaluate.add_argument(
        "--budget",
        nargs="?",
        const="",
        metavar=t("TEST:POINT"),
        help=t("print the uncertainty budget of every point, or of one as in weighing:3"),
    )
    evaluate.add_argument(
        "--to",
        choices=("csv", "json", "toml"),
        help=t("print the sheets in another form and evaluate nothing"),
    )


def _add_standards(command: Command, configured: Configured) -> None:
    standards = configured(
        command(
            "standards",
            "standards",
            t("measurement standards: certificates, due dates, and which verdicts used them"),
            "tera standards\n  tera standards show W-07\n"
            "  tera standards used W-07 --from 2026-01-01 --to 2026-03-31",
        )
    )
    standards.add_argument(
        "words",
        nargs="*",
        metavar=t("STANDARD"),
        help=t("nothing: list all; show ID: its certificate; used ID: the verdicts that used it"),
    )
    standards.add_argument(
        "--from", dest="since", metavar=t("DATE"), help=t("verdicts begun on this day or later")
    )
    standards.add_argument(
        "--to", dest="until", metavar=t("DATE"), help=t("verdicts begun on this day or earlier")
    )


def _add_sheet(command: Command) -> None:
    sheet = command(
        "sheet",
        "empty_sheet",
        t("an empty observation sheet with the points that the law wants"),
        "tera sheet nawi --set class=III --set max=15kg --set e=5g > cerapan.toml",
    )
    sheet.add_argument("routine", metavar=t("ROUTINE"), help=t("routine, for example nawi"))
    sheet.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar=t("KEY=VALUE"),
        help=t("a characteristic, for example max=15kg; other keys as stage=subsequent"),
    )
    sheet.add_argument(
        "--to",
        choices=("toml", "csv"),
        default="toml",
        help=t("form of the sheet (default: toml)"),
    )
