"""What people and programs get to see: tables by default, one JSON value per line with --json.

Results go to standard output, progress and logs to standard error.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, NoReturn

import simplejson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from acquisition.language import t

STYLES = {
    "conforming": "bold green",
    "nonconforming": "bold red",
    "indeterminate": "bold yellow",
    "stable": "green",
    "dynamic": "yellow",
    "overload": "red",
    "underload": "red",
    "fault": "bold red",
}


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Leave the exit code to the command line: Rich's own, 1, would say nonconforming."""
        raise BrokenPipeError


def console(*, record: bool = False) -> Console:
    """Return a console for standard output; wide when nobody looks at a terminal."""
    width = None if sys.stdout.isatty() and not record else 128
    return _Console(width=width, highlight=False, markup=False, record=record)


def progress_console() -> Console:
    """Return a console for standard error."""
    return _Console(stderr=True, highlight=False, markup=False)


def _plain(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value)


def print_json(values: Iterable[Mapping[str, Any]]) -> None:
    """Print one JSON value per line, decimals exactly as they are."""
    for value in values:
        sys.stdout.write(json_line(value) + "\n")
        sys.stdout.flush()


def json_line(value: Mapping[str, Any]) -> str:
    """Write a JSON object on one line, decimals exactly as they are."""
    return simplejson.dumps(value, use_decimal=True, ensure_ascii=False, default=_plain)


def number(value: Decimal | None, *, signed: bool = False) -> str:
    """Write a number without an exponent; a dash when there is none."""
    if value is None:
        return "–"
    return f"{value:+f}" if signed and value else f"{value:f}"


def word(value: str) -> Text:
    """Say a verdict or a condition in its colour."""
    return Text(t(value), style=STYLES.get(value, ""))


def table(title: str, columns: Sequence[tuple[str, str]], *, caption: str | None = None) -> Table:
    """Return an empty table; a column is (heading, "left" | "right"); numbers are never broken."""
    made = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    for heading, side in columns:
        justify: Literal["left", "right"] = "right" if side == "right" else "left"
        made.add_column(heading, justify=justify, overflow="fold", no_wrap=side == "right")
    return made


def limits(lower: Decimal | None, upper: Decimal | None) -> str:
    """Write a pair of limits the way a technician reads them."""
    if lower is not None and upper is not None and lower == -upper:
        return f"±{upper:f}"
    if lower is None and upper is not None:
        return f"≤ {upper:f}"
    if upper is None and lower is not None:
        return f"≥ {lower:f}"
    return f"{number(lower, signed=True)} … {number(upper, signed=True)}"
