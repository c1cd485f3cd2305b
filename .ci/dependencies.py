"""What is installed, compared with what was locked; and a list of it for others (CycloneDX).

``audit LOCK...``: every locked package is there in its locked version, nothing else is, every file
is the one that its wheel brought (RECORD, SHA-256), and every licence is one that we accept.
``sbom LOCK FILE``: the packages of a lock as they are installed here, as CycloneDX 1.6 JSON.

Works offline. That the wheels are those that were locked, pip has checked by their hashes while it
installed them. Not checked: whether somebody changed a file and RECORD with it, and whether a
package has a known vulnerability, for which a service on the internet must be asked: pip-audit.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = "tante-sari"
TOOLS = {"pip", "uv", "wheel"}
"""What installs the others; in no lock."""
WORDS = {
    "MIT License": "MIT",
    "BSD": "LicenseRef-BSD",
    "BSD License": "LicenseRef-BSD",
    "BSD 2-Clause License": "BSD-2-Clause",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "PSFL": "PSF-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""What older packages say instead of an SPDX expression; a BSD licence without its number stays so."""
ACCEPTED = {
    *("MIT", "MIT-0", "MIT-CMU", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "LicenseRef-BSD", "ISC"),
    *("Apache-2.0", "PSF-2.0", "Zlib", "CC0-1.0", "AFL-2.1", "EPL-2.0", "MPL-2.0"),
    "LGPL-3.0-only",  # psycopg, used unchanged and replaceable
}
_PLAIN = re.compile(r"[A-Za-z0-9.+-]+( (OR|AND) [A-Za-z0-9.+-]+)*")


@dataclass(frozen=True)
class Locked:
    """One line of a lock file."""

    name: str
    version: str
    hashes: tuple[str, ...]


def read_locks(files: Iterable[Path]) -> dict[str, Locked]:
    """Return what the locks want on this machine, by name."""
    found: dict[str, Locked] = {}
    for file in files:
        text = re.sub(r"\\\n\s*", " ", file.read_text("utf-8"))
        for line in text.splitlines():
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            wanted, *hashes = line.split(" --hash=sha256:")
            requirement = Requirement(wanted.strip())
            if requirement.marker is not None and not requirement.marker.evaluate():
                continue
            [version] = [spec.version for spec in requirement.specifier]
            name = canonicalize_name(requirement.name)
            found[name] = Locked(name, version, tuple(h.strip() for h in hashes))
    return found


def installed(paths: list[str] | None) -> dict[str, Distribution]:
    """Return what is installed, by name."""
    found = distributions(path=paths) if paths else distributions()
    return {canonicalize_name(d.name): d for d in found if d.files is not None or d.name}


def licence_of(package: Distribution) -> str:
    """Return the licence as an SPDX expression; empty when the package does not say it clearly."""
    said = package.metadata
    candidates = [said.get("License-Expression") or "", said.get("License") or ""]
    classifiers = said.get_all("Classifier") or []
    candidates += [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License :: ")]
    for candidate in candidates:
        if candidate in WORDS:
            return WORDS[candidate]
        if _PLAIN.fullmatch(candidate):
            return candidate
    return ""


def is_accepted(expression: str) -> bool:
    """Say whether one of the alternatives consists of accepted licences."""
    return any(
        all(part in ACCEPTED for part in alternative.split(" AND "))
        for alternative in expression.split(" OR ")
    )


def audit(locks: dict[str, Locked], here: dict[str, Distribution]) -> Iterator[str]:
    """Yield what is not as it was locked."""
    for name, locked in sorted(locks.items()):
        package = here.get(name)
        if package is None:
            yield f"{name}: {locked.version} is locked and not installed"
        elif package.version != locked.version:
            yield f"{name}: {locked.version} is locked and {package.version} is installed"
    for name, package in sorted(here.items()):
        if name in TOOLS or name == OURS:
            continue
        if name not in locks:
            yield f"{name}: {package.version} is installed and not locked"
        licence = licence_of(package)
        if not licence or not is_accepted(licence):
            yield f"{name}: its licence is {licence or 'not said clearly'}, which is not accepted"
        yield from (f"{name}: {what}" for what in _altered(package))


def _altered(package: Distribution) -> Iterator[str]:
    if package.files is None:
        yield "it has no list of its files (RECORD)"
        return
    for file in package.files:
        if file.hash is None:
            continue
        place = Path(str(file.locate()))
        try:
            digest = hashlib.new(file.hash.mode, place.read_bytes()).digest()
        except OSError as error:
            yield f"{file} cannot be read: {error.strerror}"
            continue
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
            yield f"{file} is not the file that was installed"


def sbom(locks: dict[str, Locked], here: dict[str, Distribution], now: datetime) -> dict[str, Any]:
    """Return the packages of a lock as they are installed here."""
    names = [name for name in sorted(locks) if name in here]
    components = [_component(here[name], locks[name]) for name in names]
    own = here[OURS]
    subject = {
        "type": "application",
        "bom-ref": _ref(OURS, own.version),
        "name": OURS,
        "version": own.version,
        "description": own.metadata["Summary"],
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }
    graph = [
        {
            "ref": _ref(name, here[name].version),
            "dependsOn": sorted(
                _ref(other, here[other].version) for other in _needs(here[name], here)
            ),
        }
        for name in (OURS, *names)
    ]
    content = json.dumps([components, graph], sort_keys=True)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {
            "timestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": subject,
            "properties": [
                {"name": "tera:python", "value": default_environment()["python_full_version"]},
                {"name": "tera:platform", "value": default_environment()["platform_machine"]},
            ],
        },
        "components": components,
        "dependencies": graph,
    }


def _ref(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


def _component(package: Distribution, locked: Locked) -> dict[str, Any]:
    licence = licence_of(package)
    record = package.read_text("RECORD") or ""
    made: dict[str, Any] = {
        "type": "library",
        "bom-ref": _ref(locked.name, package.version),
        "name": locked.name,
        "version": package.version,
        "purl": _ref(locked.name, package.version),
        "properties": [
            {"name": "tera:record:sha256", "value": hashlib.sha256(record.encode()).hexdigest()},
            *({"name": "tera:locked:sha256", "value": value} for value in locked.hashes),
        ],
    }
    if summary := package.metadata.get("Summary"):
        made["description"] = summary
    if licence:
        made["licenses"] = [{"expression": licence}]
    return made


def _needs(package: Distribution, here: dict[str, Distribution]) -> set[str]:
    """Return what a package needs here, without extras that nobody asked for."""
    found = set()
    for line in package.requires or []:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        found.add(canonicalize_name(requirement.name))
        for extra in requirement.extras:
            found |= _of_extra(here.get(canonicalize_name(requirement.name)), extra)
    return found & here.keys()


def _of_extra(package: Distribution | None, extra: str) -> set[str]:
    wanted = [Requirement(line) for line in (package.requires or [])] if package else []
    return {
        canonicalize_name(r.name)
        for r in wanted
        if r.marker is not None and r.marker.evaluate({"extra": extra})
    }


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--path", action="append", help="look here instead of where we run")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("audit").add_argument("lock", type=Path, nargs="+")
    listing = commands.add_parser("sbom")
    listing.add_argument("lock", type=Path)
    listing.add_argument("file", type=Path)
    asked = parser.parse_args()
    here = installed(asked.path)
    if asked.command == "sbom":
        made = sbom(read_locks([asked.lock]), here, datetime.now(UTC))
        asked.file.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", "utf-8")
        print(f"{asked.file}: {len(made['components'])} packages")
        return 0
    locks = read_locks(asked.lock)
    findings = list(audit(locks, here))
    for finding in findings:
        print(finding, file=sys.stderr)
    if not findings:
        print(f"{len(here)} packages: versions, files and licences are as they were locked")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
