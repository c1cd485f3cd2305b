"""The command line: answers at once, and each bad input gets one sentence and its exit code."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
CONTRACT_SHEET = ROOT / "examples" / "nawi-cerapan-kontrak.toml"


def tera(
    *arguments: str, stdin: bytes = b"", language: str = "en", timeout: float = 60, **more: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run the installed command as its user does."""
    return subprocess.run(
        [sys.executable, "-m", "acquisition", *arguments],
        input=stdin,
        capture_output=True,
        env=os.environ | {"TERA_LANG": language},
        timeout=timeout,
        check=False,
        **more,
    )


def rows(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line, parse_float=Decimal) for line in done.stdout.splitlines()]


def one_sentence(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return the message, which must be one line and no traceback."""
    lines = done.stderr.decode().strip().splitlines()
    assert len(lines) == 1, done.stderr.decode()
    assert lines[0].startswith("tera: ")
    return lines[0]


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom acquisition.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'pymodbus', 'pint', 'numpy', 'rich', 'pydantic', 'asyncio', 'serial', 'aiomqtt',"
        " 'acquisition.output', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize(
    "command",
    [
        *(
            "demo",
            "run",
            "backup",
            "restore",
            "doctor",
            "read",
            "decode",
            "simulate",
            "mpe",
            "tables",
            "evaluate",
        ),
        *("standards", "sheet", "verify", "records", "keys", "replay"),
    ],
)
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = tera(command, "--help")
    assert done.returncode == 0
    assert f"tera {command}" in done.stdout.decode().partition("Example")[2]


def test_help_is_indonesian_by_default() -> None:
    assert "Contoh" in tera("mpe", "--help", language="").stdout.decode()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["mpe", "r76", "--class", "III", "--with", "e=5g", "50.005kg"], "50.005"),
        (["mpe", "r76", "--class", "V", "500e"], "V"),
        (["mpe", "r99", "--class", "III", "500e"], "r99"),
        (["mpe", "r76", "--class", "III", "2500g"], "e=5g"),
        (["mpe", "r76", "--class", "III", "--with", "e", "2500g"], "--with"),
        (["mpe", "r76", "--class", "III", "--with", "f=5g", "2500g"], "f"),
        (["mpe", "r76", "--class", "III", "--stage", "tera", "500e"], "tera"),
        (["mpe", "r76", "--class", "III", "--on", "yesterday", "500e"], "yesterday"),
        (["mpe", "r76", "--class", "III", "--with", "e=5g", "2500 furlong"], "fur"),
        (["evaluate", "no-such-sheet.toml"], "no-such-sheet.toml"),
        (["read", "--driver", "mt-sisc", "--port", "/dev/null"], "mt-sisc"),
        (
            ["read", "--driver", "mt-sics", "--port", "/dev/null", "--set", "baudrate=fast"],
            "baudrate",
        ),
        (["read", "--driver", "mt-sics", "--port", "/dev/null", "--set", "speed=9600"], "speed"),
        (["read", "--driver", "mt-sics", "--port", "/dev/null", "--set", "framing"], "framing"),
        (["read", "--driver", "modbus", "--port", "tcp://127.0.0.1:1"], "map"),
        (
            [
                "read",
                "--driver",
                "modbus",
                "--port",
                "nowhere",
                "--set",
                "map=endress-hauser-promass",
            ],
            "nowhere",
        ),
        (["doctor", "--config", "nothing.toml"], "nothing.toml"),
        (["simulate", "mt-sics", "--port", "/dev/ttyUSB0"], "/dev/ttyUSB0"),
        (["verify", "timbangan-99"], "timbangan-99"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_code_2(arguments: list[str], named: str) -> None:
    done = tera(*arguments, cwd=ROOT)
    assert done.returncode == 2, done.stderr.decode()
    assert named in one_sentence(done)
    assert not done.stdout


def test_unknown_options_and_commands_exit_with_2() -> None:
    assert tera("mpe", "r76", "--klass", "III", "5e").returncode == 2
    assert tera("weigh").returncode == 2
    assert tera().returncode == 2


def test_mpe_prints_the_limit_of_each_value_in_its_unit() -> None:
    done = tera(
        "mpe", "r76", "--class", "III", "--with", "e=5g", "--json", "2500g", "10005 g", "12.5kg"
    )
    assert done.returncode == 0, done.stderr.decode()
    assert [(r["value"], r["unit"], r["upper"], r["limit_unit"]) for r in rows(done)] == [
        (2500, "g", Decimal("2.5"), "g"),
        (10005, "g", Decimal("7.5"), "g"),
        (Decimal("12.5"), "kg", Decimal("7.5"), "g"),
    ] or [r["limit_unit"] for r in rows(done)] == ["g", "g", "g"]
    assert set(rows(done)[0]) == {
        "table",
        "edition",
        "clause",
        "class",
        "stage",
        "value",
        "unit",
        "lower",
        "upper",
        "limit_unit",
        "provisional",
    }


def test_tables_are_listed_with_their_digest() -> None:
    listed = rows(tera("tables", "--json"))
    assert {"r76", "r117"} <= {r["table"] for r in listed}
    assert all(r["digest"].startswith("sha256:") and r["approved"] is False for r in listed)


def test_the_sheet_of_the_contract_conforms_in_weighing_and_stays_open_overall() -> None:
    done = tera("evaluate", str(CONTRACT_SHEET), "--json")
    (body,) = rows(done)
    assert [(t["name"], t["verdict"]) for t in body["tests"] if t["points"]] == [
        ("weighing", "conforming")
    ]
    assert body["verdict"] == "indeterminate"
    assert body["legal"] is False
    assert done.returncode == 1
    errors = [p["error"] for t in body["tests"] for p in t["points"]]
    assert errors == [0, 0, Decimal("0.5"), 4, Decimal("5.5")]


def test_one_digit_past_the_limit_turns_the_verdict(tmp_path: Path) -> None:
    text = CONTRACT_SHEET.read_text()
    assert '"2.5 g", "2.5 g", "2.0 g", "3.5 g", "2.0 g"' in text
    for last, verdict in (("0 g", "conforming"), ("0.0 g", "conforming")):
        sheet = tmp_path / "at.toml"  # E = 15005 + 2.5 - 0 - 15000 = 7.5 g: exactly the limit
        sheet.write_text(text.replace('"3.5 g", "2.0 g"', f'"3.5 g", "{last}"'))
        (body,) = rows(tera("evaluate", str(sheet), "--json"))
        assert body["tests"][0]["verdict"] == verdict
    sheet = tmp_path / "past.toml"
    sheet.write_text(text.replace('"15005 g"', '"15010 g"'))
    done = tera("evaluate", str(sheet), "--json")
    assert rows(done)[0]["verdict"] == "nonconforming"
    assert done.returncode == 1


def test_a_sheet_is_evaluated_the_same_from_json(tmp_path: Path) -> None:
    import tomllib

    sheet = tmp_path / "sheet.json"
    sheet.write_text(json.dumps(tomllib.loads(CONTRACT_SHEET.read_text()), default=str))
    assert rows(tera("evaluate", str(sheet), "--json")) == rows(
        tera("evaluate", str(CONTRACT_SHEET), "--json")
    )


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_a_plot_is_drawn(tmp_path: Path, ending: str) -> None:
    plot = tmp_path / f"plot.{ending}"
    done = tera("evaluate", str(CONTRACT_SHEET), "--plot", str(plot))
    assert done.returncode == 1
    head = plot.read_bytes()[:200]
    assert (b"<svg" in plot.read_bytes()) if ending == "svg" else head.startswith(b"\x89PNG")


def test_decode_prints_indications_and_drops_what_is_no_frame() -> None:
    stream = b"noise\r\nS S     100.00 g\r\nS D       99.8 g\r\nS +\r\nZ A\r\nS S   1"
    done = tera("decode", "--driver", "mt-sics", "--json", stdin=stream)
    assert done.returncode == 0
    got = [(r["text"], r["value"], r["unit"], r["condition"], r["origin"]) for r in rows(done)]
    assert got == [
        ("100.00", Decimal("100.00"), "g", "stable", "replay"),
        ("99.8", Decimal("99.8"), "g", "dynamic", "replay"),
        ("", None, None, "overload", "replay"),
    ]
    assert b'"value": 100.00,' in done.stdout
    assert "1" in done.stderr.decode()


@pytest.mark.parametrize(
    "arguments",
    [("tables",), ("tables", "--json"), ("evaluate", str(ROOT / "examples" / "nawi.toml"))],
    ids=["table", "JSON", "a verdict that conforms"],
)
def test_output_that_nobody_reads_is_neither_a_fault_nor_a_verdict(
    arguments: tuple[str, ...],
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "acquisition", *arguments],
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (130, b"")
