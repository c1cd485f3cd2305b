"""From the rows of a table to the mapping of a sheet, with the place that every value came from.

Knows how tables begin: by a number in the column of the list's own name, or where its first
column is filled anew. Asks the reader of the sheet what a key wants (one value, a whole number, a
list of tables) and never guesses it. Refuses to know any routine.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from acquisition.faults import BadInput
from acquisition.sheet_csv import FLAGS, Cell, Column, RawSheet, Row, letters
from calibration.refusal import Refused
from calibration.sheet_keys import FLAG, TABLES, TEXT, WHOLE

T = TypeVar("T")
Path = tuple[str, ...]

LISTS: frozenset[Path] = frozenset({("standards",), ("standards", "point"), ("test",), ("meter",)})
"""Lists of tables of every sheet; further ones are learnt from what a reader refuses."""
_LEARNT: dict[str, set[Path]] = {}
"""Lists of tables that readers asked for, by routine: learnt once in a program."""
_WANTED: dict[tuple[object, ...], str] = {}
"""What a reader wanted of a key, by routine, kind of test and its columns: learnt once."""


@dataclass(slots=True)
class Built:
    """The mapping of one sheet and where its values stand."""

    mapping: dict[str, Any] = field(default_factory=dict)
    cells: dict[str, tuple[Cell, ...]] = field(default_factory=dict)
    """By key path: the cells that gave it."""
    signature: dict[str, tuple[object, ...]] = field(default_factory=dict)
    """By key path: routine, table, its name and its columns, for which a reader reads alike."""


def understood(raw: RawSheet, file: str, read: Callable[[dict[str, Any]], T]) -> tuple[Built, T]:
    """Build the mapping that ``read`` understands, and what it read.

    The reader's Refused passes through where the cells cannot be what it wants.
    """
    routine = next((row[("routine",)].text for row in raw.rows if ("routine",) in row), "")
    lists = _LEARNT.setdefault(routine, set(LISTS))
    wanted: dict[str, str] = {}
    while True:
        built = _Builder(raw, file, routine, lists, wanted).build()
        try:
            return built, read(built.mapping)
        except Refused as refused:
            kind, key = refused.evidence.get("wanted"), refused.key or ""
            if kind == TABLES and (path := _pattern(key)) not in lists:
                lists.add(path)
                continue
            if kind not in (TEXT, WHOLE, FLAG) or wanted.get(key) == kind or key not in built.cells:
                raise
            wanted[key] = str(kind)
            if key in built.signature:
                _WANTED[built.signature[key]] = str(kind)


def cell_of(built: Built, key: str | None) -> Cell | None:
    """Find the first cell of a key path, or of the nearest table around it."""
    while key:
        if key in built.cells:
            return built.cells[key][0]
        inside = [path for path in built.cells if path.startswith((f"{key}.", f"{key}["))]
        if inside:
            return built.cells[inside[0]][0]
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    return None


def place_of(cell: Cell, file: str) -> str:
    """Name a cell as people find it: file and line, then column letter and heading."""
    return f"{file}:{cell.line}: {letters(cell.column.index)}{cell.line} {cell.column.heading}"


@dataclass(slots=True)
class _Builder:
    raw: RawSheet
    file: str
    routine: str
    lists: set[Path]
    wanted: dict[str, str]
    built: Built = field(default_factory=Built)

    def build(self) -> Built:
        self.built.mapping = self._table((), "", self.raw.rows, within_list=False)
        return self.built

    def _table(
        self, path: Path, key: str, rows: Sequence[Row], *, within_list: bool
    ) -> dict[str, Any]:
        depth = len(path)
        below = [c for c in self.raw.columns if c.path[:depth] == path and len(c.path) > depth]
        signature = self._signature(path, rows, below) if within_list else ()
        table: dict[str, Any] = {}
        for name in dict.fromkeys(column.path[depth] for column in below):
            child = (*path, name)
            place = f"{key}.{name}" if key else name
            if any(len(c.path) > len(child) for c in below if c.path[: len(child)] == child):
                self._further(table, child, place, rows, within_list=within_list)
                continue
            cells = [(n, row[child]) for n, row in enumerate(rows) if child in row]
            if not cells:
                continue
            self.built.cells[place] = tuple(cell for _, cell in cells)
            if within_list:
                self._check_no_hole(cells)
                self.built.signature[place] = (*signature, child)
            table[name] = self._value(place, [cell for _, cell in cells], within_list)
        return table

    def _further(
        self, table: dict[str, Any], path: Path, key: str, rows: Sequence[Row], *, within_list: bool
    ) -> None:
        """Add the table, or the list of tables, at a path; nothing where no cell is filled."""
        own = [row for row in rows if any(p[: len(path)] == path for p in row)]
        if not own:
            return
        name = path[-1]
        if path in self.lists or any(path in row for row in own):
            entries = list(self._entries(path, own))
            table[name] = [
                self._table(path, f"{key}[{number}]", entry, within_list=True)
                for number, entry in enumerate(entries)
            ]
            return
        table[name] = self._table(path, key, own, within_list=within_list)

    def _entries(self, path: Path, rows: Sequence[Row]) -> Iterator[list[Row]]:
        """Cut rows into the tables of a list."""
        numbered = any(path in row for row in rows)
        lead = path if numbered else self._first_column(path)
        entry: list[Row] = []
        current, before, seen = "", "", set[str]()
        for row in rows:
            filled = row[lead].text if lead in row else ""
            anew = filled and (filled != current or (not numbered and not before))
            if anew and numbered and filled in seen:
                raise BadInput(
                    "number {number} was used before: put its rows together",
                    place=place_of(row[lead], self.file),
                    number=filled,
                )
            if anew and entry:
                yield entry
                entry = []
            if filled:
                current = filled
                seen.add(filled)
            before = filled
            entry.append(row)
        yield entry

    def _first_column(self, path: Path) -> Path:
        depth = len(path) + 1
        ours = (c.path for c in self.raw.columns if c.path[:-1] == path and len(c.path) == depth)
        return next(ours, path)

    def _signature(
        self, path: Path, rows: Sequence[Row], below: Sequence[Column]
    ) -> tuple[object, ...]:
        """Describe a table of a list so that another one like it is read alike."""
        words = (
            next((row[(*path, word)].text for row in rows if (*path, word) in row), "")
            for word in ("name", "method", "cycle")
        )
        filled = tuple(c.path for c in below if any(c.path in row for row in rows))
        return (self.routine, path, *words, filled)

    def _check_no_hole(self, cells: Sequence[tuple[int, Cell]]) -> None:
        """Refuse a column of a table that begins late or leaves out a row."""
        for wanted, (number, cell) in enumerate(cells):
            if number != wanted:
                raise BadInput(
                    "{heading} is empty above this row: fill the first row alone, or every row from "
                    "the first (- where nothing was observed)",
                    place=place_of(cell, self.file),
                    heading=cell.column.heading,
                )

    def _value(self, key: str, cells: Sequence[Cell], within_list: bool) -> Any:
        """Take one cell as a value and more as a list, unless the reader wants one."""
        same = len({cell.text for cell in cells}) == 1
        kind = self.wanted.get(key) or _WANTED.get(self.built.signature.get(key, ()))
        if kind is not None:
            if not same:
                other = next(cell for cell in cells if cell.text != cells[0].text)
                raise BadInput(
                    "{heading} is one value, and line {line} says {first}: number the tests in a "
                    "column test, or the sheets in a column sheet",
                    place=place_of(other, self.file),
                    heading=other.column.heading,
                    line=cells[0].line,
                    first=cells[0].text,
                )
            return _typed(cells[0], kind)
        if len(cells) == 1 or (same and not within_list):
            return cells[0].value()
        for number, cell in enumerate(cells):
            self.built.cells[f"{key}[{number}]"] = (cell,)
        return [cell.value() for cell in cells]


def _typed(cell: Cell, kind: str) -> Any:
    """Give a cell as the type that is wanted, where it can be that."""
    if kind == WHOLE and cell.text.isdecimal():
        return int(cell.text)
    if kind == FLAG:
        return FLAGS.get(cell.text.lower(), cell.text)
    value = cell.value()
    return value if isinstance(value, str) else cell.text


def _pattern(key: str) -> Path:
    """Take the numbers out of a key path."""
    return tuple(part.partition("[")[0] for part in key.split("."))
