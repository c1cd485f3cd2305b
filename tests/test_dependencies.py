"""The audit of what is installed finds what is not as it was locked; the bill of materials is valid."""

import base64
import hashlib
import json
import subprocess
import sys
from importlib import resources
from importlib.metadata import version
from pathlib import Path

import jsonschema_rs
import pytest

ROOT = Path(__file__).parent.parent
PROGRAM = ROOT / ".ci" / "dependencies.py"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def install(
    folder: Path,
    name: str = "scales",
    number: str = "1.0",
    said: str = "License-Expression: MIT",
    body: bytes = b"x = 1\n",
) -> None:
    """Install a package of one file, as pip does."""
    module = folder / f"{name}.py"
    module.write_bytes(body)
    about = folder / f"{name}-{number}.dist-info"
    about.mkdir()
    metadata = f"Metadata-Version: 2.4\nName: {name}\nVersion: {number}\n{said}\n"
    (about / "METADATA").write_text(metadata, encoding="utf-8")
    digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
    record = f"{name}.py,sha256={digest},{len(body)}\n{about.name}/RECORD,,\n"
    (about / "RECORD").write_text(record, encoding="utf-8")


LOCK = "scales==1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n    # via x\n"
ELSEWHERE = "windows-only==9 ; sys_platform == 'win32' \\\n    --hash=sha256:22\n"


@pytest.mark.parametrize(
    ("installed", "change", "found"),
    [
        ({}, "", ""),
        ({}, "x = 2\n", "scales: scales.py is not the file that was installed"),
        ({}, None, "scales: scales.py cannot be read: No such file or directory"),
        ({"number": "1.1"}, "", "scales: 1.0 is locked and 1.1 is installed"),
        ({"name": "other"}, "", "scales: 1.0 is locked and not installed"),
        ({"name": "other"}, "", "other: 1.0 is installed and not locked"),
        ({"said": "License-Expression: GPL-3.0-only"}, "", "GPL-3.0-only, which is not accepted"),
        ({"said": "License-Expression: GPL-3.0-only OR MIT"}, "", ""),
        ({"said": "License-Expression: MIT AND GPL-3.0-only"}, "", "is not accepted"),
        ({"said": "License: see the file\nX: y"}, "", "its licence is not said clearly"),
        ({"said": "Classifier: License :: OSI Approved :: BSD License"}, "", ""),
    ],
)
def test_what_is_not_as_it_was_locked_is_named(
    tmp_path: Path, installed: dict[str, str], change: str | None, found: str
) -> None:
    folder, lock = tmp_path / "site", tmp_path / "a.lock"
    folder.mkdir()
    lock.write_text(LOCK + ELSEWHERE, encoding="utf-8")
    install(folder, **installed)  # type: ignore[arg-type]
    if change is None:
        (folder / "scales.py").unlink()
    elif change:
        (folder / "scales.py").write_text(change, encoding="utf-8")
    done = run("--path", folder, "audit", lock)
    assert done.returncode == (1 if found else 0), done.stderr
    assert found in done.stderr


def test_the_bill_of_materials_is_valid_and_names_what_is_installed(tmp_path: Path) -> None:
    file = tmp_path / "sbom.cdx.json"
    done = run("sbom", ROOT / "requirements.lock", file)
    assert done.returncode == 0, done.stderr
    made = json.loads(file.read_text(encoding="utf-8"))
    kept = resources.files("cyclonedx.schema").joinpath("_res")
    read = {
        name: json.loads(kept.joinpath(f"{name}.SNAPSHOT.schema.json").read_text("utf-8"))
        for name in ("bom-1.6", "spdx", "jsf-0.82")
    }
    registry = jsonschema_rs.Registry(
        [
            (f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", s)
            for name, s in read.items()
        ],
        draft=jsonschema_rs.Draft7,
    )
    validator = jsonschema_rs.validator_for(read["bom-1.6"], registry=registry)
    errors = [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(made)]
    assert not errors, errors[:3]
    assert not validator.is_valid({**made, "specVersion": 1.6})  # it does look
    parts = {part["name"]: part for part in made["components"]}
    for name in ("pymodbus", "aiomqtt", "numpy", "cryptography"):
        assert parts[name]["version"] == version(name)
        assert parts[name]["licenses"]
        assert any(p["name"] == "tera:locked:sha256" for p in parts[name]["properties"])
    assert "pytest" not in parts
    refs = {part["bom-ref"] for part in made["components"]} | {
        made["metadata"]["component"]["bom-ref"]
    }
    for node in made["dependencies"]:
        assert node["ref"] in refs
        assert set(node["dependsOn"]) <= refs
    graph = {
        node["ref"].split("/")[1].split("@")[0]: node["dependsOn"] for node in made["dependencies"]
    }
    assert any("/paho-mqtt@" in ref for ref in graph["aiomqtt"])
