"""Observation sheets on disk: TOML, JSON or CSV, one file or folders of thousands.

Knows file endings, encodings and where in a file a key stands. What a sheet means is the core's
affair; what it refuses is told with file, line and key.
"""

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from acquisition.config import line_of
from acquisition.faults import BadInput
from acquisition.sheet_csv import COMMA, RawSheet, one_of_each, read_table
from acquisition.sheet_rows import Built, cell_of, place_of, understood
from calibration.refusal import Refused
from calibration.routines.water_bench import bench_key, is_bench
from calibration.sheet import Sheet, sheets_of

ENDINGS = (".toml", ".json", ".csv")
"""Endings of files that are sheets."""


@dataclass(slots=True)
class Source:
    """One sheet of a file, or the sheets of one bench, not yet read as such."""

    file: Path
    part: str = ""
    """Name of the sheet in a file of several."""
    mapping: Mapping[str, Any] = field(default_factory=dict)
    """What the file says; of a CSV file once `sheets` has understood it."""
    text: str = ""
    """The text of a TOML file, for line numbers."""
    raw: RawSheet | None = None
    """The rows of a CSV file."""
    built: Built | None = None

    @property
    def name(self) -> str:
        """Name it as the user does."""
        return f"{self.file}#{self.part}" if self.part else str(self.file)

    def sheets(self) -> tuple[Sheet, ...]:
        """Read every sheet; a BadInput names file, line and key."""
        try:
            if self.raw is None:
                return sheets_of(self.mapping)
            self.built, sheets = understood(self.raw, str(self.file), sheets_of)
        except Refused as refused:
            raise self.bad(refused) from None
        self.mapping = self.built.mapping
        return sheets

    def bad(self, refused: Refused, meter: int = 0) -> BadInput:
        """Say where in the file something is wrong; ``meter`` counts the sheets of a bench."""
        key = refused.key
        if is_bench(self.mapping) and not str(key).startswith("meter"):
            key = bench_key(meter, key, self.mapping)
        if self.raw is not None:
            return self._bad_cell(refused, key)
        place = self.name
        if self.text and key:
            place = f"{place}:{line_of(self.text, _steps(key))}"
        place = f"{place}: {key}" if key else place
        return BadInput(refused.template, place=place, **refused.evidence)

    def _bad_cell(self, refused: Refused, key: str | None) -> BadInput:
        raw = self.raw
        built = self.built or _unread(raw, str(self.file))
        cell = cell_of(built, key)
        if cell is None:
            line = self.file if raw is None else f"{self.file}:{raw.line}"
            place = f"{line}: {key}" if key else str(line)
            return BadInput(refused.template, place=place, **refused.evidence)
        place = place_of(cell, str(self.file))
        if "known" not in refused.evidence and COMMA.fullmatch(cell.text):
            return BadInput(
                "{text} has a comma in the number: write a decimal point, as in 10.5 g, and nothing "
                "between thousands",
                place=place,
                text=cell.text,
            )
        return BadInput(refused.template, place=place, **refused.evidence)


def _unread(raw: RawSheet | None, file: str) -> Built:
    """Build the mapping once more as far as it goes, to find a place in it."""
    if raw is None:
        return Built()

    def nothing(_: Mapping[str, Any]) -> None:
        return None

    return understood(raw, file, nothing)[0]


def sources_of(file: Path) -> tuple[Source, ...]:
    """Read one file; a CSV file may hold many sheets."""
    text = _text(file)
    if file.suffix.lower() == ".csv":
        found = read_table(text, str(file))
        many = len(found) > 1
        return tuple(Source(file, raw.name if many else "", raw=raw) for raw in found)
    kind, read = ("JSON", _json) if file.suffix.lower() == ".json" else ("TOML", _toml)
    try:
        data = read(text)
    except BadInput as bad:
        raise BadInput(bad.template, place=str(file), **bad.evidence) from None
    except RecursionError:
        raise BadInput("it is nested too deeply", place=str(file)) from None
    except ValueError as error:
        raise BadInput("this is not {kind}: {why}", place=str(file), kind=kind, why=error) from None
    if not isinstance(data, dict):
        raise BadInput("an observation sheet is one table", place=str(file))
    return (Source(file, mapping=data, text=text if kind == "TOML" else ""),)


def files_of(paths: Iterable[Path]) -> list[Path]:
    """List every sheet file of some files and folders, folders in the order of their names."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            within = _within(path)
            if not within:
                raise BadInput("no observation sheet is in the folder {folder}", folder=path)
            found += within
        elif not path.exists():
            raise BadInput("no such observation sheet: {file}", file=path)
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def _within(folder: Path) -> list[Path]:
    """List the sheets of a folder and those below it; a link that leads nowhere is one, and bad."""
    found: list[Path] = []
    for root, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(root, name) for name in names if not name.startswith(".")]
    return sorted(
        path
        for path in found
        if path.suffix.lower() in ENDINGS and (path.is_file() or not path.exists())
    )


def _unreadable(error: OSError) -> NoReturn:
    raise BadInput("cannot read {file}: {why}", file=error.filename, why=error.strerror) from None


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise BadInput("no such observation sheet: {file}", file=file) from None
    except OSError as error:
        raise BadInput("cannot read {file}: {why}", file=file, why=error.strerror) from None
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        place = f"{file}:{line}"
        if file.suffix.lower() == ".csv":
            raise BadInput(
                "this file is not in UTF-8: save it from the spreadsheet as CSV UTF-8", place=place
            ) from None
        raise BadInput("this file is not in UTF-8: save it in UTF-8", place=place) from None


def _json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, object_pairs_hook=one_of_each)


def _toml(text: str) -> Any:
    return tomllib.loads(text, parse_float=Decimal)


def _steps(key: str) -> tuple[int | str, ...]:
    """Cut ``test[0].load[2]`` into its steps."""
    parts = key.replace("[", ".").replace("]", "").split(".")
    return tuple(int(part) if part.isdecimal() else part for part in parts)
