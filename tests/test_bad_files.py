"""Whatever file a command is given: one clear sentence and exit code 2, never a traceback."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from acquisition.cli import main

ROOT = Path(__file__).parent.parent
STATION = str(ROOT / "config.toml")


def written(content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        file = folder / "given.toml"
        file.write_bytes(content)
        return file

    return write


def a_folder(folder: Path) -> Path:
    (folder / "given.toml").mkdir()
    return folder / "given.toml"


def a_link_to_itself(folder: Path) -> Path:
    (folder / "given.toml").symlink_to("given.toml")
    return folder / "given.toml"


FILES = {
    "missing": lambda folder: folder / "given.toml",
    "a folder": a_folder,
    "a link to itself": a_link_to_itself,
    "a name that is too long": lambda folder: folder / ("a" * 300 + ".toml"),
    "below a file": lambda folder: written(b"")(folder) / "given.toml",
    "empty": written(b""),
    "noise": written(random.Random(4).randbytes(5000)),
    "zeros": written(bytes(600)),
    "Latin-1": written('kode = "é"\n'.encode("latin-1")),
    "nested without end": written(b"a = " + b"[" * 50_000),
    "a number without end": written(b"a = " + b"9" * 5000),
    "keys nobody knows": written('"😀" = "\\u202e"\n'.encode()),
    "an empty zip": written(b"PK\x05\x06" + bytes(18)),
}
COMMANDS = {
    "demo": ("demo", "--config", "FILE"),
    "run": ("run", "--config", "FILE"),
    "doctor": ("doctor", "--config", "FILE"),
    "verify": ("verify", "timbangan-1", "--config", "FILE"),
    "standards": ("standards", "--config", "FILE"),
    "tables": ("tables", "--config", "FILE"),
    "keys": ("keys", "--config", "FILE", "show"),
    "records": ("records", "--config", "FILE", "list"),
    "records list --from": ("records", "--config", STATION, "list", "--from", "FILE"),
    "evaluate": ("evaluate", "FILE"),
    "replay": ("replay", "FILE"),
    "restore": ("restore", "FILE", "--to", "NEW"),
    "backup": ("backup", "NEW", "--config", "FILE"),
    "a register map": (
        "read",
        "--driver",
        "modbus",
        "--port",
        "tcp://127.0.0.1:1",
        "--set",
        "map=FILE",
    ),
    "a script": ("simulate", "mt-sics", "--port", "pty", "--script", "FILE"),
}
HARMLESS = {("a script", "empty"), ("a script", "an empty zip")}
"""A day on which nothing happens."""


@pytest.mark.parametrize(
    ("command", "kind"),
    [(c, k) for c in COMMANDS for k in FILES if (c, k) not in HARMLESS],
)
def test_a_file_that_is_no_good_gets_one_sentence(
    command: str,
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TERA_LANG", "en")
    given = FILES[kind](tmp_path)
    words = [word.replace("FILE", str(given)) for word in COMMANDS[command]]
    words = [str(tmp_path / "new") if word == "NEW" else word for word in words]
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert not out
    (line,) = err.splitlines()
    assert line.startswith("tera: ")
    assert not (tmp_path / "new").exists()
