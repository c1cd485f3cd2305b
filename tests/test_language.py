"""Everything a technician sees has an Indonesian sentence with the same places to fill."""

import argparse
import ast
import asyncio
import ctypes
import errno
import functools
import inspect
import json
import os
import re
import string
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import aiomqtt
import paho.mqtt.client
import paho.mqtt.reasoncodes
import pytest
from pydantic_core._pydantic_core import list_all_errors

from acquisition import language
from acquisition.cli import main
from acquisition.faults import BadInput, sentence
from acquisition.language import catalogue, choose, t
from broker.committer import Committer
from broker.failure import OutboxFailed
from broker.record import schema_names
from broker.sqlite_file import SqliteFile
from calibration.sheet import STAGES
from calibration.verification import Verdict
from drivers.codecs import codec_named
from drivers.errors import LinkLost
from drivers.indication import Condition, Origin
from drivers.modbus import EXCEPTIONS
from drivers.register_map import load_map, map_ids

ROOT = Path(__file__).parent.parent
ROOMS = ("drivers", "calibration", "broker", "acquisition")
SAYS = {"t"}
"""Calls whose first argument is a sentence for people."""
CARRIES = {
    "ReplayEnded",
    "_Broken",
    "BadInput",
    "Abandoned",
    "Refused",
    "Reason",
    "LinkLost",
    "NoAnswer",
    "Garbled",
    "InstrumentRefused",
    "BadDriverSettings",
    "BrokerAway",
    "Cloned",
    "OutboxFailed",
    "ConflictingRecord",
    "BadRecord",
    "StoreFailed",
    "Untrusted",
    "BadSecret",
    "NotPermitted",
    "TakenOver",
    "_failure",
    "failure",
}
"""Values that carry a sentence to be said later."""
WORDS = {*Condition, *Origin, *Verdict, *STAGES, *schema_names()}
"""Words of the records that a technician sees one by one."""
ENGLISH = re.compile(
    r"\b(a|an|and|are|argument|arguments|be|cannot|class|command|date|default|each|error|example|"
    r"exit|expected|file|for|from|has|help|in|instrument|is|key|message|must|name|no|not|of|one|"
    r"options|or|positional|required|set|sheet|show|stage|table|than|the|this|to|unit|until|"
    r"usage|value|with|without)\b",
    re.IGNORECASE,
)
TYPED = re.compile(
    r"'[^']*'|\"[^\"]*\"|--[a-z]+|\S*/\S*|\S*_\S*|initial|subsequent|config\.toml|office\.\w+"
    r"|tera sheet|\n +sheet (?= +)|tera (?:records|keys) show|\n +show (?= +)|(?:show|used) ID|\b\w+=\w+"
)
"""What stays English because somebody types it: quoted, options, paths, addresses, commands."""


def english_in(text: str) -> list[str]:
    return [word[0] for word in ENGLISH.finditer(TYPED.sub("", text))]


def tables() -> dict[str, dict[str, str]]:
    text = (ROOT / "acquisition" / "bahasa.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def ours() -> dict[str, str]:
    """Return what our own code says, without what other programs do."""
    return {english: said for room in ROOMS for english, said in tables()[room].items()}


@functools.cache
def trees() -> dict[Path, ast.Module]:
    return {
        file.relative_to(ROOT): ast.parse(file.read_text(encoding="utf-8"))
        for room in ROOMS
        for file in sorted((ROOT / room).rglob("*.py"))
    }


def texts(node: ast.expr, function: ast.AST) -> list[str]:
    """Return what an expression can be, as far as its function shows it."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=body, orelse=other):
            return texts(body, function) + texts(other, function)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [a + b for a in texts(left, function) for b in texts(right, function)]
        case ast.Name(id=name):
            assigned = [
                n.value
                for n in ast.walk(function)
                if isinstance(n, ast.Assign)
                and any(isinstance(target, ast.Name) and target.id == name for target in n.targets)
            ]
            return [text for value in assigned for text in texts(value, function)]
    return []


@functools.cache
def sentences() -> dict[str, set[str]]:
    """Return every sentence in the code with the places where it stands."""
    found: dict[str, set[str]] = {}
    for file, tree in trees().items():
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
                continue
            for node in ast.walk(function):
                if not isinstance(node, ast.Call):
                    continue
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name not in SAYS | CARRIES:
                    continue
                sentence_at = 1 if name == "Reason" else 0
                for argument in node.args[sentence_at : sentence_at + 1]:
                    for text in texts(argument, function):
                        found.setdefault(text, set()).add(f"{file}:{node.lineno}")
    return found


@functools.cache
def logged() -> dict[str, str]:
    """Return the shape of every line that the service logs, from INFO up, and where it is said."""
    found: dict[str, str] = {}
    for file, tree in trees().items():
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(
                        value=ast.Name(id="log"),
                        attr="info" | "warning" | "error" | "exception" | "critical" | "log",
                    ),
                    args=[*given],
                ):
                    for argument in given[:2]:
                        for text in texts(argument, tree):
                            found.setdefault(
                                re.sub("%[sdr]", "{}", shape(text)), f"{file}:{node.lineno}"
                            )
    return found


def shape(template: str) -> str:
    """Return a template with its places unnamed."""
    return "{}".join(literal for literal, *_ in string.Formatter().parse(template + " "))[:-1]


@functools.cache
def said_by_maps() -> frozenset[str]:
    """Return what register maps say of their instruments."""
    registers = [register for name in map_ids() for register in load_map(name).registers]
    return frozenset(text for r in registers for text in (*r.faults.values(), *r.bits.values()))


@functools.cache
def constants() -> frozenset[str]:
    """Return every text in the code, those with values in them as the shape they have."""
    found = set()
    for tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [p.value if isinstance(p, ast.Constant) else "{}" for p in node.values]
                found.add("".join(map(str, parts)))
            elif isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant):
                found.add(f"{node.left.value}{{}}")
    return frozenset(found)


def fields(template: str) -> set[tuple[str, str, str]]:
    """Return the places with format spec and conversion."""
    return {
        (name, spec or "", conversion or "")
        for _, name, spec, conversion in string.Formatter().parse(template)
        if name is not None
    }


def test_every_sentence_has_an_indonesian_one() -> None:
    words = catalogue()
    missing = {s: places for s, places in sentences().items() if s not in words and " " in s}
    assert not missing, "\n".join(f"{min(places)}: {s!r}" for s, places in missing.items())
    assert not WORDS - words.keys()


def test_every_line_of_the_log_has_an_indonesian_sentence() -> None:
    known = {shape(english) for english in catalogue()}
    missing = {line: place for line, place in logged().items() if line not in known}
    assert len(logged()) > 20
    assert not missing, "\n".join(f"{place}: {line!r}" for line, place in missing.items())


def test_every_word_that_is_said_has_an_indonesian_one() -> None:
    said = {s for s in sentences() if s.isalpha() and len(s) > 1}
    assert not said - catalogue().keys()


def test_every_fault_of_a_register_map_has_an_indonesian_word() -> None:
    assert said_by_maps() <= catalogue().keys()


def test_both_sentences_fill_the_same_places() -> None:
    for name, table in tables().items():
        for english, said in table.items():
            places, wanted = fields(said), fields(english)
            if name in ("words", *ROOMS):
                assert places == wanted, english
            else:  # what another program says may hold a place that tells a technician nothing
                assert places <= wanted, english


def test_no_sentence_stands_in_two_tables() -> None:
    counted = [english for table in tables().values() for english in table]
    assert sorted(counted) == sorted(set(counted))


def test_a_sentence_stands_in_the_table_of_a_package_that_says_it() -> None:
    places = sentences()
    for room in ROOMS:
        for english in tables()[room]:
            said_in = {place.partition("/")[0] for place in places.get(english, ())}
            assert not said_in or room in said_in, english


def test_no_translation_is_left_over_from_a_sentence_that_is_gone() -> None:
    known = sentences().keys() | constants() | said_by_maps() | logged().keys()
    left = [s for s in ours() if s not in known and shape(s) not in known]
    assert not left
    assert not tables()["words"].keys() - WORDS - constants()


@functools.cache
def said_by_others() -> frozenset[str]:
    """Return every word that Python, the system and the libraries can say."""
    modules = [argparse, json.decoder, tomllib._parser, asyncio.base_events]  # type: ignore[attr-defined]
    modules += [aiomqtt.client, aiomqtt.exceptions, paho.mqtt.client, paho.mqtt.reasoncodes]
    said = [inspect.getsource(module) for module in modules]
    said += [os.strerror(number) for number in errno.errorcode]
    system = ctypes.CDLL(None)
    system.gai_strerror.restype = ctypes.c_char_p
    said += [system.gai_strerror(-number).decode() for number in range(1, 12)]
    said += [f"{e['message_template_python']} tuple" for e in list_all_errors()]
    said += [str(OSError(2, "no", "file")), "file is not a database"]
    for damaged in (b"\xff", b"\xc3(", b"\xc3"):
        with pytest.raises(UnicodeDecodeError) as caught:
            damaged.decode()
        said.append(str(caught.value))
    with pytest.raises(ValueError, match="digits") as endless:
        int("9" * 5000)
    said.append(str(endless.value))
    return frozenset(re.findall(r"[^\W\d_]+", " ".join(said).lower()))


def test_no_translation_is_left_over_from_what_other_programs_said() -> None:
    others = tables().keys() - {"words", *ROOMS}
    for name in others:
        for english in tables()[name]:
            literals = " ".join(literal for literal, *_ in string.Formatter().parse(english))
            words = set(re.findall(r"[^\W\d_]{2,}", literals.lower()))
            assert words <= said_by_others(), english


@pytest.fixture
def indonesian(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TERA_LANG", "id")
    return


def test_indonesian_is_the_default_and_english_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TERA_LANG", raising=False)
    choose("id")
    assert t("conforming") == catalogue()["conforming"] != "conforming"
    monkeypatch.setenv("TERA_LANG", "en")
    assert t("conforming") == "conforming"
    monkeypatch.delenv("TERA_LANG")
    choose("en")
    assert t("conforming") == "conforming"
    choose("id")


@pytest.mark.usefixtures("indonesian")
def test_words_are_translated_and_names_are_not() -> None:
    assert t("test {test} is missing ({clause}).", test="weighing", clause="8.3.3") == (
        "pengujian kebenaran penunjukan belum ada (8.3.3)."
    )
    assert t("instrument {name}", name="zero") == "alat zero"
    assert t("this key is not known; known are {known}.", known="reference").endswith(" reference.")


@pytest.mark.usefixtures("indonesian")
def test_a_sentence_that_was_filled_in_before_is_recognised() -> None:
    fault = LinkLost("The line to {port} is gone ({reason}): check.", port="/dev/x", reason="no")
    assert t(str(fault)) == str(fault)  # not one of ours
    fault = LinkLost(
        "The line to {port} is gone ({reason}): check the cable and the device.",
        port="/dev/x",
        reason="hung up",
    )
    assert t(str(fault)) == sentence(fault)
    assert sentence(fault) == (
        "Sambungan ke /dev/x terputus (diputus dari seberang): periksa kabel dan alat."
    )
    said = t("'abc' has no unit: write it as in 2.5 kg.")
    assert said == t("{text!r} has no unit: write it as in 2.5 kg.", text="abc")


@pytest.mark.usefixtures("indonesian")
def test_every_shape_is_recognised_as_itself() -> None:
    """A sentence of ours that is filled in plainly comes out as its own translation."""
    for english, said in ours().items():
        places = {name for name, *_ in fields(english)}
        if not places or shape(english).replace("{}", "").strip(": ,") == "":
            continue
        values = {name: f"{index}x" for index, name in enumerate(sorted(places))}
        plain = [re.sub(r"![rs]|:[^{}]*(?=\})", "", text) for text in (english, said)]
        assert language._said(plain[0].format(**values)) == plain[1].format(**values), english


@pytest.mark.usefixtures("indonesian")
@pytest.mark.parametrize(
    "command",
    [
        "",
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
        "standards",
        "sheet",
        "verify",
        "records",
        *(f"records {action}" for action in ("serve", "list", "show", "archive", "certificate")),
        "keys",
        *(f"keys {action}" for action in ("make", "rotate", "show", "revoke")),
    ],
)
def test_help_has_no_english_word(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*command.split(), "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out.partition("\nContoh:")[0]
    assert not english_in(shown), shown
    assert not {"FILE", "NAME", "VALUE", "KEY", "CLASS", "SHEET"} & set(re.findall("[A-Z]+", shown))


@pytest.mark.usefixtures("indonesian")
@pytest.mark.parametrize(
    "arguments",
    [
        "read",
        "weigh",
        "read --driver",
        "read --driver mt-sics --port /dev/null --count a",
        "read --driver mt-sics --port /dev/null --seconds a",
        "read --se 5",
        "mpe r76 --klass III 5e",
        "mpe r76 --class III",
        "demo --json=1",
    ],
)
def test_errors_of_the_command_line_have_no_english_word(
    arguments: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments.split())
    assert end.value.code == 2
    shown = capsys.readouterr().err
    assert not english_in(shown), shown


@pytest.mark.usefixtures("indonesian")
@pytest.mark.parametrize(
    ("text", "english"),
    [
        (b"\xff", "utf-8"),
        (b"x", "Expected"),
        (b"x = ", "Invalid"),
        (b"x = [1", "Unclosed"),
        (b"x = {a = 1", "Unclosed"),
        (b"[a", "Expected"),
        (b"x = 'a", "Expected"),
        (b'x = "a', "Unterminated"),
        (b"x = 1\nx = 2", "Cannot"),
        (b"[a]\n[a]", "Cannot"),
        (b"x = 1 2", "newline"),
        (b"x = 2026-02-30", "date"),
        (b'x = "\\p"', "Unescaped"),
        (b"= 1", "Invalid"),
        (b"x = " + b"9" * 5000, "5000 digits"),
        (b"x = " + b"[" * 5000, "nested"),
        (b"[office]\ncod = '1'", "known"),
        (b"[office]\ncode = 1", "string"),
        (b"[office]\ncode = '1'\n[[bench]]\nname = 'a'", "missing"),
        (b"[office]\ncode = 'a/b'", "pattern"),
        (b"office = 1", "dictionary"),
        (b"bench = []\n[office]\ncode = '1'", "at least"),
        (b"bench = 1\n[office]\ncode = '1'", "tuple"),
        (b"[office]\ncode = '1'\n[broker]\nport = 'a'", "integer"),
        (b"[office]\ncode = '1'\n[broker]\nport = 1.5", "fractional"),
        (b"[office]\ncode = '1'\n[console]\nlanguage = 'de'", "'id' or 'en'"),
        (b"[office]\ncode = '1'\n[broker]\nport = 0", "greater"),
        (b"[office]\ncode = '1'\n[broker]\nport = 70000", "less"),
        (b"[office]\ncode = '1'\n[broker]\npassword_file = 1", "path"),
        (b"[office]\ncode = '1'\n[[approval]]\ntable='a'\ndigest='b'\nby='c'\non='d'", "pattern"),
    ],
)
def test_what_other_programs_say_of_a_configuration_is_translated(
    text: bytes, english: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from acquisition.config import load_station

    file = tmp_path / "x.toml"
    file.write_bytes(text)
    with pytest.raises(BadInput) as caught:
        load_station(file)
    assert not english_in(sentence(caught.value)), sentence(caught.value)
    monkeypatch.setenv("TERA_LANG", "en")
    assert english in sentence(caught.value)


@pytest.mark.usefixtures("indonesian")
@pytest.mark.parametrize("code", paho.mqtt.client.MQTTErrorCode)
def test_what_the_mqtt_library_says_is_translated(code: paho.mqtt.client.MQTTErrorCode) -> None:
    english = paho.mqtt.client.error_string(code)
    assert t(english) != english
    assert not english_in(t("{why}", why=f"[code:{code.value}] {english}"))


@pytest.mark.usefixtures("indonesian")
@pytest.mark.parametrize(
    "text", ['{"a', "{a", '{"a" 1}', '{"a": }', "{} {}", '{"a": 1 "b"}', '{"a": "b']
)
def test_what_is_said_of_a_json_sheet_is_translated(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "x.json"
    sheet.write_text(text)
    assert main(["evaluate", str(sheet)]) == 2
    assert not english_in(capsys.readouterr().err)


@pytest.mark.usefixtures("indonesian")
async def test_what_is_said_of_a_damaged_outbox_is_translated(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    file.write_bytes(b"no database " * 500)
    with pytest.raises(OutboxFailed) as caught:
        await Committer.open(SqliteFile(file, "outbox"), OutboxFailed)
    assert sentence(caught.value).endswith("(bukan berkas basis data)")


@pytest.mark.usefixtures("indonesian")
def test_details_of_indications_and_refusals_are_translated() -> None:
    codec = codec_named("mt-sics")
    for frame in (b"S I", b"S L", b"S +", b"S -"):
        detail = codec.decode(frame).detail  # type: ignore[union-attr]
        assert detail
        assert t(detail) != detail
    for frame in (b"ES", b"ET", b"EL"):
        text = codec.decode(frame).text
        assert t(text) != text
    for name in EXCEPTIONS.values():
        assert t(name) != name


def test_programs_get_english_words_and_people_indonesian_ones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("TERA_LANG", "id")
    assert main(["evaluate", "examples/nawi.toml", "--json"]) == 0
    said = json.loads(capsys.readouterr().out, parse_float=Decimal)
    assert (said["verdict"], said["stage"]) == ("conforming", "initial")
    assert {test["name"] for test in said["tests"]} <= tables()["words"].keys()
    assert said["reasons"] == ["the office has not approved table r76@2006."]
    assert main(["evaluate", "examples/nawi.toml"]) == 0
    shown = capsys.readouterr().out
    assert "unit belum menyetujui tabel r76@2006." in shown
    assert "kebenaran penunjukan" in shown
    assert not {"conforming", "weighing", "approved", "legal"} & set(shown.split())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[console]\nlanguage = "en"\n', "class III"),
        ('[console]\nlanguage = "id"\n', "kelas III"),
        ('[console]\nlanguage = "jv"\n', "kelas III"),
        ("console = 1\n", "kelas III"),
        ("[console\n", "kelas III"),
        (None, "kelas III"),
    ],
)
def test_a_command_without_a_station_speaks_as_the_configuration_beside_it_says(
    text: str | None,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TERA_LANG", raising=False)
    monkeypatch.setattr(language, "_chosen", [])
    if text is not None:
        (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    assert main(["mpe", "r76", "--class", "III", "--with", "e=5g", "5 kg"]) == 0
    assert says in capsys.readouterr().out


def test_what_programs_read_is_english_whatever_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERA_LANG", "id")
    with language.english_for_programs():
        assert language.t("valid") == "valid"
    assert language.t("valid") != "valid"
