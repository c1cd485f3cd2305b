"""Observation sheets as a table: a heading is a key of the sheet, a row is a point.

Knows separators, headings with units, and how rows become tables and lists of tables. Refuses to
know any routine: which key is one value and which a list of tables the reader of the sheet says.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby
from typing import Any

from acquisition.faults import BadInput

SEPARATORS = (",", ";", "\t")
SHEET = "sheet"
"""The column that tells apart several sheets of one file."""
_HEADING = re.compile(
    r"(?P<path>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)\s*(?:[(\[]\s*(?P<unit>[^()\[\]]+?)\s*[)\]])?"
)
_BARE = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
COMMA = re.compile(r"[+-]?[0-9][0-9.]*,[0-9]+\s*[^\d\s,]*[^,]*|[+-]?[0-9]{1,3}(?:,[0-9]{3})+.*")
"""What looks like a number with a decimal comma, or with commas between thousands."""
_BARE_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_DECIMAL_COMMA = re.compile(r"([+-]?[0-9]+),([0-9]+)(\s*[^\s\d.,;][^,]*)?")
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}(?![0-9]).*")
"""What may be a whole number with a comma between thousands."""
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]{3})+(?:\s*[^\s\d.,;][^,]*)?")
"""What is a whole number in a file of decimal commas, and a decimal one in every other."""
FLAGS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the file."""

    index: int
    path: tuple[str, ...]
    """``("test", "load")``"""
    unit: str
    """Unit of its plain numbers; empty where each cell has its own."""

    @property
    def heading(self) -> str:
        """Give the key path."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Cell:
    """A filled cell."""

    text: str
    line: int
    column: Column

    def value(self) -> Any:
        """Give what the cell says: JSON where it begins as such, true or false, else a text."""
        if self.text[0] in '[{"':
            try:
                return json.loads(self.text, parse_float=Decimal, object_pairs_hook=one_of_each)
            except (ValueError, RecursionError):
                return self.text
        if self.column.unit and _BARE.fullmatch(self.text):
            return f"{self.text} {self.column.unit}"
        return FLAGS.get(self.text.lower(), self.text)


Row = dict[tuple[str, ...], Cell]
"""The filled cells of one row, by path."""


@dataclass(frozen=True, slots=True)
class RawSheet:
    """The rows of one sheet, before anybody knows which key is a list."""

    name: str
    """What stands in the column ``sheet``; empty where there is none."""
    line: int
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def one_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of JSON; a key that stands twice is refused, and not the last one believed."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise BadInput("{key} stands twice in one table", key=key)
        found[key] = value
    return found


def letters(index: int) -> str:
    """Name a column as spreadsheets do.

    >>> letters(0), letters(27)
    ('A', 'AB')
    """
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def read_table(text: str, file: str) -> tuple[RawSheet, ...]:
    """Cut a file into the rows of its sheets; a BadInput names file, line and column."""
    begin, separator = _head(text)
    lines = _records(text, file, begin, separator)
    found = next(lines, None)
    if found is None:
        raise BadInput("this file is empty", place=file)
    line, cells = found
    columns = _columns(cells, f"{file}:{line}")
    rows: list[tuple[int, Row]] = []
    for line, cells in lines:
        if any(cell.strip() for cell in cells[len(columns) :]):
            raise BadInput(
                "this row has {count} cells and there are {known} headings: is a decimal comma "
                "among the numbers? Write the decimal point",
                place=f"{file}:{line}",
                count=len(cells),
                known=len(columns),
            )
        row: Row = {}
        for column, cell in zip(columns, cells, strict=False):
            if cell.strip() and not column.path:
                where = f"{file}:{line}: {letters(column.index)}{line}"
                raise BadInput("this column has no heading", place=where)
            if cell.strip():
                row[column.path] = Cell(cell.strip(), line, column)
        if row:
            rows.append((line, row))
    if not rows:
        raise BadInput("there is no row below the headings", place=file)
    if separator == ";":
        _points_for_commas([row for _, row in rows], file)
    return tuple(_sheets(tuple(c for c in columns if c.path), rows, file))


def _head(text: str) -> tuple[int, str]:
    """Find the line of the headings, counted from 0, and the separator."""
    separator = ""
    lines = text.splitlines()
    for begin, raw in enumerate(lines):
        bare = raw.strip().strip('"').lower()
        if bare.startswith("sep=") and len(bare) == 5:  # how Excel is told the separator
            separator = bare[-1]
        elif bare and not bare.startswith("#"):
            return begin, separator or max(SEPARATORS, key=raw.count)
    return len(lines), ","


def _records(text: str, file: str, begin: int, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Give every row that says something, with the line on which it begins."""
    lines = text.splitlines(keepends=True)
    reader = csv.reader(io.StringIO("".join(lines[begin:]), ""), delimiter=separator, strict=True)
    last = begin
    try:
        for cells in reader:
            line, last = last + 1, begin + reader.line_num
            if any(cell.strip() for cell in cells):
                yield line, cells
    except csv.Error:
        raise BadInput(
            "this is not CSV: a cell that begins with a quotation mark ends with one",
            place=f"{file}:{last + 1}",
        ) from None


def _points_for_commas(rows: Sequence[Row], file: str) -> None:
    """Read decimal commas where the separator shows that the spreadsheet writes them.

    A number that such a spreadsheet means as 1500 and others as 1.500 is refused, and 1,500 stays
    (to be refused) where nothing shows that its comma is the decimal one. A bare number in a column
    without a unit may be a name: it stays.
    """
    cells = [
        (row, path, cell)
        for row in rows
        for path, cell in row.items()
        if cell.column.unit or not _BARE_COMMA.fullmatch(cell.text)
    ]
    commas = [(row, path, cell) for row, path, cell in cells if _DECIMAL_COMMA.fullmatch(cell.text)]
    if all(_GROUPED.fullmatch(cell.text) for _, _, cell in commas):
        return
    for _, _, cell in cells:
        if _THOUSANDS.fullmatch(cell.text):
            raise BadInput(
                "{text} has a point and other numbers of this file have a decimal comma: write it "
                "with a comma, or without a mark between thousands",
                place=f"{file}:{cell.line}: {letters(cell.column.index)}{cell.line}",
                text=cell.text,
            )
    for row, path, cell in commas:
        row[path] = replace(cell, text=_DECIMAL_COMMA.sub(r"\1.\2\3", cell.text))


def _columns(cells: Sequence[str], place: str) -> tuple[Column, ...]:
    columns: list[Column] = []
    for index, cell in enumerate(cells):
        where = f"{place}: {letters(index)}"
        heading = cell.strip()
        match = _HEADING.fullmatch(heading)
        if heading and match is None:
            raise BadInput(
                "{heading!r} is no heading: write a key as in test.load or test.load (kg)",
                place=where,
                heading=heading,
            )
        path = () if match is None else tuple(match["path"].split("."))
        if path and any(path == other.path for other in columns):
            raise BadInput("the heading {heading} stands twice", place=where, heading=match["path"])  # type: ignore[index]
        columns.append(Column(index, path, (match["unit"] or "") if match else ""))
    return tuple(columns)


def _sheets(
    columns: tuple[Column, ...], rows: list[tuple[int, Row]], file: str
) -> Iterator[RawSheet]:
    """Put the rows of each sheet together: its name stands in every row, or in the first."""
    named: list[tuple[str, int, Row]] = []
    name = ""
    for line, row in rows:
        if (cell := row.pop((SHEET,), None)) is not None:
            name = cell.text
        named.append((name, line, row))
    own = tuple(column for column in columns if column.path != (SHEET,))
    begun: dict[str, int] = {}
    for name, group in groupby(named, key=lambda entry: entry[0]):
        entries = list(group)
        line = entries[0][1]
        if name in begun:
            raise BadInput(
                "sheet {sheet} began in line {begun} and goes on here after another: put its rows "
                "together",
                place=f"{file}:{line}",
                sheet=name,
                begun=begun[name],
            )
        begun[name] = line
        yield RawSheet(name, line, own, tuple(row for _, _, row in entries))
