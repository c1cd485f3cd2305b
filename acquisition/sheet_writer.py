"""Write observation sheets: TOML, JSON, and CSV that a spreadsheet opens.

Knows the three forms. Refuses to know any key: tables, lists and values are written as they are.
"""

import csv
import datetime
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import simplejson

from acquisition.faults import BadInput
from acquisition.sheet_csv import FLAGS, SHEET

Path = tuple[str, ...]
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_WIDTH = 100
_EMPTY = '""'
"""An empty text in a cell, as JSON."""


def to_json(mapping: Mapping[str, Any]) -> str:
    """Write one JSON object on one line."""
    return simplejson.dumps(mapping, use_decimal=True, ensure_ascii=False, default=str) + "\n"


def to_toml(mapping: Mapping[str, Any]) -> str:
    """Write a TOML document: values first, then tables, then lists of tables."""
    return "\n".join(_toml_table(mapping, ())).lstrip("\n") + "\n"


def _toml_table(table: Mapping[str, Any], path: Path) -> Iterator[str]:
    later: list[tuple[str, Any]] = []
    for name, value in table.items():
        if value is None:
            continue
        if isinstance(value, Mapping) or is_tables(value):
            later.append((name, value))
        else:
            yield f"{_key(name)} = {toml_value(value)}"
    for name, value in later:
        head = ".".join(_key(part) for part in (*path, name))
        if isinstance(value, Mapping):
            yield from ("", f"[{head}]")
            yield from _toml_table(value, (*path, name))
            continue
        for entry in value:
            yield from ("", f"[[{head}]]")
            yield from _toml_table(entry, (*path, name))


def is_tables(value: object) -> bool:
    """Tell whether a value is a list of tables."""
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(entry, Mapping) for entry in value)
    )


def toml_value(value: Any) -> str:
    """Write one value, a long list over several lines."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, list | tuple):
        parts = [toml_value(entry) for entry in value]
        line = f"[{', '.join(parts)}]"
        return line if len(line) < _WIDTH else "[\n" + "".join(f"    {p},\n" for p in parts) + "]"
    if isinstance(value, Mapping):
        pairs = (f"{_key(name)} = {toml_value(entry)}" for name, entry in value.items())
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}" if value != value.to_integral_value() else f"{value:.1f}"
    return str(value)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def to_csv(
    sheets: Sequence[tuple[str, Mapping[str, Any]]], separator: str = ",", *, blank: bool = False
) -> str:
    """Write sheets into one table: a row a point, tests numbered; several get a column ``sheet``.

    ``blank``: an empty text is a cell to fill in.
    """
    written = [_Rows(blank) for _ in sheets]
    columns: list[Path] = []
    for rows, (_, mapping) in zip(written, sheets, strict=True):
        rows.table((), mapping, 0)
        columns = _merged(columns, rows.columns)
    many = len(sheets) > 1
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerow([*([SHEET] if many else []), *(".".join(path) for path in columns)])
    for rows, (name, _) in zip(written, sheets, strict=True):
        for number in range(rows.height):
            cells = (rows.cells.get((number, path), "") for path in columns)
            writer.writerow([*([name] if many else []), *cells])
    return out.getvalue()


@dataclass(slots=True)
class _Rows:
    """One sheet on its way to rows."""

    blank: bool = False
    cells: dict[tuple[int, Path], str] = field(default_factory=dict)
    columns: list[Path] = field(default_factory=list)
    height: int = 0

    def table(self, path: Path, table: Mapping[str, Any], row: int, *, listed: bool = False) -> int:
        """Write a table from a row on; return the row after it."""
        after = row + 1
        for name, value in table.items():
            child = (*path, name)
            if value is None:
                continue
            if not re.fullmatch(r"[A-Za-z_][\w-]*", name):
                raise BadInput("{heading!r} is no heading of a CSV file", heading=name)
            if isinstance(value, Mapping) and value:
                after = max(after, self.table(child, value, row, listed=listed))
            elif is_tables(value):
                after = max(after, self._tables(child, value, row))
            elif listed and _is_column(value):
                for number, entry in enumerate(value):
                    self._put(row + number, child, _cell(entry))
                after = max(after, row + len(value))
            else:
                self._put(row, child, _cell(value))
        return after

    def _tables(self, path: Path, entries: Sequence[Mapping[str, Any]], row: int) -> int:
        """Write a list of tables, each numbered on its first row."""
        for number, entry in enumerate(entries, 1):
            self._put(row, path, str(number))
            row = self.table(path, entry, row, listed=True)
        return row

    def _put(self, row: int, path: Path, text: str) -> None:
        if path not in self.columns:
            self.columns.append(path)
        if self.blank and text == _EMPTY:
            text = ""
        self.cells[row, path] = text
        self.height = max(self.height, row + 1)


def _is_column(value: object) -> bool:
    """Tell whether a list becomes one cell a row: more than one value, none of them a list."""
    return (
        isinstance(value, list | tuple)
        and len(value) > 1
        and not any(isinstance(entry, list | tuple | Mapping) or entry is None for entry in value)
    )


def _cell(value: Any) -> str:
    """Write a value so that it is read as itself; JSON where a plain text would be another."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        plain = value and value == value.strip() and value[0] not in '[{"#'
        return value if plain and value.lower() not in FLAGS else to_json_cell(value)
    if isinstance(value, list | tuple | Mapping):
        return to_json_cell(value)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def to_json_cell(value: Any) -> str:
    """Write a value as JSON in one cell."""
    return simplejson.dumps(value, use_decimal=True, ensure_ascii=False, default=str)


def _merged(columns: list[Path], more: Sequence[Path]) -> list[Path]:
    """Add columns, each beside those of its table."""
    merged = list(columns)
    for path in more:
        if path in merged:
            continue
        near = [n for n, other in enumerate(merged) if other[: len(path) - 1] == path[:-1]]
        merged.insert(near[-1] + 1 if near and len(path) > 1 else len(merged), path)
    return merged
