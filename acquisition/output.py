"""What people and programs get to see: tables by default, one JSON value per line with --json.

Results go to standard output, progress and logs to standard error.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, NoReturn

import simplejson
from rich.console import Console, ConsoleOptions, RenderResult
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


_NARROW = 64
"""On a terminal with fewer columns a table whose words do not fit is written row by row."""


class _Table(Table):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, or a paragraph for each row where the terminal would cut its words."""
        wanted = self.__rich_measure__(console, options.update_width(1000)).minimum
        if options.max_width >= _NARROW or wanted <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        if self.title:
            yield Text(str(self.title), style="italic")
        yield Text(" · ".join(str(c.header) for c in self.columns if c.header), style="bold")
        for row in zip(*(column.cells for column in self.columns), strict=True):
            cells = [cell if isinstance(cell, Text) else Text(str(cell)) for cell in row]
            yield Text("- ").append_text(Text(" · ").join(cell for cell in cells if cell))
        if self.caption:
            yield Text(str(self.caption), style="dim")


def table(title: str, columns: Sequence[tuple[str, str]], *, caption: str | None = None) -> Table:
    """Return an empty table; a column is (heading, "left" | "right"); numbers are never broken."""
    made = _Table(title=title, title_justify="left", caption=caption, caption_justify="left")
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
