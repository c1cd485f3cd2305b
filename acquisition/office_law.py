"""The law at this office: which tables and settings it approved, and how it approves one.

Knows that an approval is of a digest, so an edited file loses it. Refuses to approve what is not
there or is approved already, and never writes a configuration that would not load again.
"""

import json
from datetime import date
from pathlib import Path

from acquisition.config import Approval, Station, load_station, read_station
from acquisition.faults import BadInput
from calibration.legal_table import LegalTable, legal_table, tables
from calibration.national import NationalSettings, all_settings, national_settings
from calibration.refusal import Refused

LawFile = LegalTable | NationalSettings


def law_files() -> tuple[LawFile, ...]:
    """List every legal table and every settings file."""
    return (*tables(), *all_settings())


def law_file(name: str) -> LawFile:
    """Find a legal table or national settings by name."""
    identity = name.strip().lower().partition("@")[0]
    if identity in {settings.id for settings in all_settings()}:
        return national_settings(name)
    if identity in {table.id for table in tables()}:
        return legal_table(name)
    raise Refused(
        "there is no legal table and no setting {name!r}: there are {known}.",
        name=name,
        known=", ".join(entry.name for entry in law_files()),
    )


def approval_of(station: Station | None, entry: LawFile) -> Approval | None:
    """Find the office's approval of exactly this file."""
    approvals = () if station is None else station.approval
    return next((a for a in approvals if a.digest == entry.digest), None)


def earlier_approval_of(station: Station | None, entry: LawFile) -> Approval | None:
    """Find an approval of this name with another digest: the file was changed since."""
    approvals = () if station is None else station.approval
    return next(
        (a for a in reversed(approvals) if a.table == entry.name and a.digest != entry.digest), None
    )


def approve(path: Path, name: str, *, by: str, on: date) -> Approval:
    """Append the approval of a table or setting to the configuration; the rest of it stays."""
    entry = law_file(name)
    if not by.strip():
        raise BadInput("who approves is missing", place="--by")
    station = load_station(path)
    if (made := approval_of(station, entry)) is not None:
        raise BadInput(
            "{name} was approved already, by {by} on {on}", name=entry.name, by=made.by, on=made.on
        )
    approval = Approval(table=entry.name, digest=entry.digest, by=by.strip(), on=on)
    old = path.read_bytes()
    newline = "\r\n" if b"\r\n" in old else "\n"
    lines = [
        *([""] if old.endswith(b"\n") else ["", ""]),
        "[[approval]]",
        f"table = {_quoted(approval.table)}",
        f"digest = {_quoted(approval.digest)}",
        f"by = {_quoted(approval.by)}",
        f"on = {approval.on.isoformat()}",
        "",
    ]
    block = newline.join(lines).encode()
    again = read_station((old + block).decode("utf-8"), path)  # must load before it is written
    if approval not in again.approval:
        raise BadInput("cannot write {file}: {why}", file=path, why="[[approval]]")
    _append(path, block, len(old))
    return approval


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _append(path: Path, block: bytes, size: int) -> None:
    """Write at the end of the file, all of it or nothing; owner, mode and links stay."""
    try:
        with path.open("r+b") as file:
            try:
                file.seek(size)
                file.write(block)
                file.flush()
            except OSError:
                file.truncate(size)
                raise
    except OSError as error:
        raise BadInput("cannot write {file}: {why}", file=path, why=error) from None
