"""One verification with all that it was derived from, in one file: a zip that anybody can open.

    manifest.json   which verification, whose lines, and the SHA-256 of every other file
    config.toml     the configuration; maps of the technician's own lie beside it in maps/
    lines/N.capture every byte of a line from a little before the start (drivers/capture.py)
    steps.json      what hands were asked to do, and the moments from which indications counted
    cerapan.json    the observation sheet
    record.json     the verdict as it was committed

Knows the format. Refuses a bundle that is cut, damaged, or of which anything was changed.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import simplejson

from acquisition.faults import BadInput

SCHEMA: Final = "tera/bundle/1"
_MANIFEST: Final = "manifest.json"
_LARGEST: Final = 2_000_000_000
"""No verification has so many bytes [byte]."""
_UNSOUND = (
    *(zipfile.BadZipFile, ValueError, KeyError, TypeError, NotImplementedError, EOFError),
    RecursionError,
)
"""What reading a file raises that is no bundle."""


@dataclass(frozen=True, slots=True)
class BundledLine:
    """What was written down of one line."""

    port: str
    instruments: tuple[str, ...]
    capture: bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a verification was derived from, and what came of it."""

    verification: str
    number: int
    bench: str
    subject: str
    config: str
    maps: Mapping[str, bytes]
    """Path as the configuration names it -> a register map of the technician's own."""
    lines: tuple[BundledLine, ...]
    steps: tuple[tuple[str, Any], ...]
    cerapan: Mapping[str, Any]
    record: Mapping[str, Any]
    utc_offset: float
    """Time of the place against UTC [s]: a sheet is dated where the station stands."""


def write_bundle(file: Path, bundle: Bundle) -> None:
    """Write a bundle whole or not at all."""
    files = {
        "config.toml": bundle.config.encode(),
        "steps.json": _json(bundle.steps),
        "cerapan.json": _json(bundle.cerapan),
        "record.json": _json(bundle.record),
        **bundle.maps,
    }
    lines = []
    for number, line in enumerate(bundle.lines, 1):
        name = f"lines/{number}.capture"
        files[name] = line.capture
        lines.append({"file": name, "port": line.port, "instruments": line.instruments})
    manifest = {
        "schema": SCHEMA,
        "verification": bundle.verification,
        "number": bundle.number,
        "bench": bundle.bench,
        "subject": bundle.subject,
        "utc_offset": bundle.utc_offset,
        "lines": lines,
        "files": {name: _digest(data) for name, data in files.items()},
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_suffix(".half")
    with half.open("wb") as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, data in {_MANIFEST: _json(manifest), **files}.items():
                packed.writestr(name, data)
        out.flush()
        os.fsync(out.fileno())
    half.rename(file)


def read_bundle(file: Path) -> Bundle:
    """Read a bundle; BadInput says what is wrong with it."""
    try:
        files = _unpacked(file)
        manifest = _parsed(files, _MANIFEST)
        if manifest["schema"] != SCHEMA:
            raise _Broken("its schema is {schema}", schema=manifest["schema"])
        names = dict(manifest["files"])
        for name, digest in names.items():
            if name not in files:
                raise _Broken("{name} is missing", name=name)
            if _digest(files[name]) != digest:
                raise _Broken("{name} was changed", name=name)
        return _read(files, manifest)
    except OSError as error:
        raise BadInput("cannot read {file}: {why}", file=file, why=error.strerror) from None
    except _Broken as broken:
        raise BadInput(broken.template, place=str(file), **broken.evidence) from None
    except _UNSOUND:
        raise BadInput(
            "this is no bundle of tera, or it is cut or damaged", place=str(file)
        ) from None


class _Broken(BadInput):
    """A whole zip that is no sound bundle."""


def _read(files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Bundle:
    return Bundle(
        verification=str(manifest["verification"]),
        number=int(manifest["number"]),
        bench=str(manifest["bench"]),
        subject=str(manifest["subject"]),
        config=files["config.toml"].decode(),
        maps={name: data for name, data in files.items() if name.startswith("maps/")},
        lines=tuple(
            BundledLine(
                str(line["port"]), tuple(map(str, line["instruments"])), files[line["file"]]
            )
            for line in manifest["lines"]
        ),
        steps=tuple((str(what), data) for what, data in _parsed(files, "steps.json")),
        cerapan=_parsed(files, "cerapan.json"),
        record=_parsed(files, "record.json"),
        utc_offset=float(manifest["utc_offset"]),
    )


def _unpacked(file: Path) -> dict[str, bytes]:
    import zlib

    with zipfile.ZipFile(file) as packed:
        if sum(entry.file_size for entry in packed.infolist()) > _LARGEST:
            raise _Broken("it is larger than any verification")
        try:
            return {entry.filename: packed.read(entry) for entry in packed.infolist()}
        except zlib.error as error:
            raise zipfile.BadZipFile from error


def _parsed(files: Mapping[str, bytes], name: str) -> Any:
    if name not in files:
        raise _Broken("{name} is missing", name=name)
    return json.loads(files[name], parse_float=Decimal)


def _json(value: object) -> bytes:
    return simplejson.dumps(value, use_decimal=True, ensure_ascii=False, default=str).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
