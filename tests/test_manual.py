"""A scale without an interface: what a technician reads by eye and types is the raw evidence."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from acquisition.bundle import read_bundle
from acquisition.config import load_station
from acquisition.differences import differences
from acquisition.faults import Abandoned, BadInput
from acquisition.replaying import derive
from acquisition.routine import Action, Asks, Instruction, NawiCharacteristics, nawi_plan
from acquisition.session import NotTaken, Recorded, run
from acquisition.station import running, software
from broker.outbox import Outbox
from broker.record import validate
from drivers.capture import MAGIC, chunks_in
from drivers.errors import Garbled
from drivers.manual import understood
from tests.stations import (
    ENVIRONMENT,
    job_of,
    line_with,
    order,
    settings_of,
    tera,
    tera_at_work,
    under_test,
    write_station,
)
from tests.test_commands import APPROVED, last_reason, sentence

pytestmark = pytest.mark.timeout(60)

CAPTURES = '[store]\ncaptures = "captures"\n'
SPRING = """
class = "IIII"
max = "25 kg"
e = "100 g"
indicating = "analogue"
reading = "20 g"
"""
DACIN = """
class = "III"
max = "50 kg"
e = "50 g"
indicating = "non-self-indicating"
"""
NO_INTERFACE = """
class = "III"
max = "3 kg"
e = "1 g"
"""


def bench(characteristics: str = SPRING, **keys: str) -> str:
    """Return a bench with one scale that is read by eye."""
    more = "\n".join(f"{key} = {value}" for key, value in keys.items())
    return f"""
[[bench]]
name = "meja-pasar"
routine = "nawi"
standards = ["W-07"]
[[bench.instrument]]
name = "pasar"
driver = "manual"
{more}
[bench.instrument.characteristics]
kind = "timbangan pasar"
serial = "P-1"
{characteristics}"""


# ---- what a line means


@pytest.mark.parametrize(
    ("typed", "text", "unit", "quantity"),
    [
        (b"5", "5", "kg", "weight"),
        (b" 5.020\r", "5.020", "kg", "weight"),
        (b"5,02", "5.02", "kg", "weight"),
        (b"12,5000 kg", "12.5000", "kg", "weight"),
        (b"0,500", "0.500", "kg", "weight"),
        (b"1.500", "1.500", "kg", "weight"),
        (b"500 g", "500", "g", "weight"),
        (b"-20G", "-20", "g", "weight"),
        (b"-0", "0", "kg", "weight"),
        (b"6 mm", "6", "mm", "displacement"),
        (b"Ya", "yes", None, "visible"),
        (b"t", "no", None, "visible"),
    ],
)
def test_a_line_that_says_one_thing_is_understood(
    typed: bytes, text: str, unit: str | None, quantity: str
) -> None:
    said = understood(typed, "kg")
    assert (said.text, said.unit, said.quantity) == (text, unit, quantity)
    assert said.value == (Decimal(text) if unit else Decimal(text == "yes"))


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (b"1,500", "can be two numbers"),
        (b"-12,000 g", "can be two numbers"),
        (b"1.500,5", "is no indication"),
        (b"5 000", "is no indication"),
        (b"lima kilo {x}", "is no indication"),
        (b"\xff\x00", "is no indication"),
        (b"5.", "is no indication"),
        ("\u0665".encode(), "is no indication"),
        (b"9" * 41, "is no indication"),
        (b"5 ons", "ons is no unit here: mg, g, kg, t, ct, mm"),
        (b"5 Mg", "Mg is no unit here"),
    ],
)
def test_a_line_that_says_nothing_or_two_things_is_refused(typed: bytes, why: str) -> None:
    with pytest.raises(Garbled, match=re.escape(why)) as refused:
        understood(typed, "kg")
    assert str(refused.value).isprintable()


# ---- at a terminal

Answers = Callable[[str, Decimal], list[str]]
_LOAD = re.compile(r"(\d+(?:\.\d+)?) (k?g)\b")


class Terminal:
    """A pseudo-terminal at which somebody reads what is asked and types."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._load = Decimal(0)
        self.said = ""

    def verify(self, *arguments: str | Path) -> int:
        """Run ``tera verify`` to its end; return its exit code."""
        ours, theirs = os.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "acquisition", "verify", *map(str, arguments)],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=os.environ | ENVIRONMENT,
        ) as process:
            os.close(theirs)
            asked, waiting = "", iter(())  # type: tuple[str, Iterator[str]]
            while piece := _read(ours):
                self.said += piece
                asked += piece
                if asked.endswith("> "):
                    typed = next(waiting, None)
                    if typed is None:
                        waiting = iter(self._answers(asked, self._loaded(asked)))
                        typed = next(waiting)
                    asked = ""
                    os.write(ours, typed.encode())
            os.close(ours)
            assert process.stdout is not None
            self.shown = process.stdout.read().decode()
            return process.wait(30)

    def _loaded(self, asked: str) -> Decimal:
        """Return what is on the receptor [g]."""
        step = asked.rpartition("pasar: ")[2].splitlines()[0]
        found = _LOAD.search(step)
        load = Decimal(found[1]) * (1000 if found[2] == "kg" else 1) if found else Decimal(0)
        if "added load" in step and "take the added load off" not in step:
            return self._load + load
        self._load = load
        return load


def _read(descriptor: int) -> str:
    try:
        return os.read(descriptor, 4096).decode("utf-8", "replace")
    except OSError:  # the other end is closed
        return ""


def dial(load: Decimal) -> str:
    """Return what a spring scale shows that is 0.2 % worn, read to 20 g, as written here."""
    shown = round(load * Decimal("1.002") / 20) * Decimal("0.02")
    return f"{shown:.2f}\n".replace(".", ",")


def test_a_spring_scale_is_verified_as_it_is_read_and_the_verdict_is_legal(tmp_path: Path) -> None:
    slips = iter(
        [
            ["lima\n", "1,000\n", "0,03\n", "yes\n", "0\n"],
            ["\n", "0\n"],
            ["10\n", "1\n"],  # ten times too much: asked again
            ["b\n", "1,02\n"],
        ]
    )

    def answers(asked: str, load: Decimal) -> list[str]:
        if "name > " in asked:
            return [" \n", " Siti  Aminah\n"]
        return next(slips, [dial(load)])

    config = write_station(tmp_path, bench(), more=APPROVED + CAPTURES)
    terminal = Terminal(answers)
    assert terminal.verify("pasar", "--config", config, "--json") == 0, terminal.said
    said = terminal.said
    assert "this is no name of a person" in said
    assert "lima is no indication: type a number as it shows, and its unit if it is not kg" in said
    assert "1,000 can be two numbers" in said
    assert "0.03 kg cannot be read where 20 g is the smallest part that is read" in said
    assert "type the indication itself" in said
    assert "10 kg is 9 kg away from 1 kg: if the instrument shows that, type it again" in said
    assert "21/21 discrimination 25000 g: 25.20 kg" in said
    record = json.loads(terminal.shown, parse_float=Decimal)
    assert validate(record) == "verdict"
    assert (record["verdict"], record["origin"]) == ("conforming", "manual")
    assert (record["trial"], record["legal"]) == (False, True)
    assert record["technician"] == "Siti Aminah"
    assert "indications were read by eye and typed by Siti Aminah" in record["reasons"]
    assert {entry["by"] for entry in record["raw"]} == {"Siti Aminah"}
    typed = [(entry["point"], bytes.fromhex(entry["hex"])) for entry in record["raw"]]
    assert typed[:5] == [
        ("zero[0] not taken", b"lima"),
        ("zero[0] not taken", b"1,000"),
        ("zero[0] not taken", b"0,03"),
        ("zero[0] not taken", b"yes"),
        ("zero[0]", b"0"),
    ]
    assert ("taken back: weighing[2] not taken", b"10") in typed
    assert ("discrimination[20] + 150 g", b"25,20") in typed
    assert "points taken back and observed again: 3" in record["reasons"]
    weighing = next(test for test in record["cerapan"]["test"] if test["name"] == "weighing")
    assert weighing["indication"][:3] == ["0 kg", "1.02 kg", "5.00 kg"]
    [bundle] = (tmp_path / "data" / "bundles").glob("*.zip")
    done = tera("replay", bundle)
    assert done.returncode == 0, done.stdout.decode()
    assert "the same, byte by byte" in done.stdout.decode()


def test_what_is_far_off_is_taken_when_it_is_typed_twice_and_does_not_conform(
    tmp_path: Path,
) -> None:
    """A spring that shows a tenth too little: nobody mistypes it each time."""

    def answers(_: str, load: Decimal) -> list[str]:
        shown = f"{round(load * Decimal('0.9') / 20) * 20} g\n"
        return [shown]

    config = write_station(tmp_path, bench())
    terminal = Terminal(answers)
    assert terminal.verify("pasar", "--by", "Budi", "--config", config) == 1, terminal.said
    assert "who reads the indications" not in terminal.said
    assert "18000 g is 2000 g away from 20000 g" in terminal.said
    assert "away from 5000 g" not in terminal.said  # exactly ten times the limit
    assert "Verdict: nonconforming" in terminal.shown
    assert "indications were read by eye and typed by Budi" in terminal.shown


@pytest.mark.parametrize("leaves", ["q\n", "\x04"], ids=["q", "end of input"])
async def test_whoever_leaves_abandons_the_run(tmp_path: Path, leaves: str) -> None:
    typed = iter(["0\n", leaves])
    text = bench().replace('routine = "nawi"', 'routine = "nawi"\ntechnician = "Siti"')
    terminal = Terminal(lambda *_: [next(typed)])
    config = write_station(tmp_path, text)
    assert await asyncio.to_thread(terminal.verify, "pasar", "--config", config) == 3
    assert "tera: the technician ended the run" in terminal.said
    assert await last_reason(tmp_path) == "the technician ended the run"


# ---- other kinds of scales, without a terminal


class Reader:
    """A technician who reads at once: says what is typed at each step."""

    def __init__(self, says: Callable[[Instruction, Decimal], str]) -> None:
        self._says = says
        self._load = Decimal(0)
        self.steps: list[Instruction] = []
        self.line: Any = None

    async def do(self, instruction: Instruction) -> None:
        self.steps.append(instruction)
        load = instruction.quantity.to("g").magnitude
        if instruction.action in (Action.ZERO, Action.PLACE):
            self._load = load
        more = load if instruction.action is Action.ADD else Decimal(0)
        if instruction.asks is not Asks.NOTHING:
            typed = self._says(instruction, self._load + more)
            self.line.typed(typed.encode(), time.monotonic_ns())


async def read_by(folder: Path, text: str, reader: Reader) -> tuple[dict[str, Any], int]:
    """Verify the scale of a bench; return the record and how many lines were not taken."""
    not_taken = 0
    async with running(settings_of(folder, text, more=CAPTURES)) as station:
        _, subject = under_test(station.settings, "pasar")
        reader.line = station.lines.typed(subject, station.ports["pasar"])
        job = job_of(station, "pasar", reader, technician="Siti")
        async with aclosing(run(job)) as events:
            async for event in events:
                not_taken += isinstance(event, NotTaken)
                if isinstance(event, Recorded):
                    return dict(event.record), not_taken
    raise AssertionError("no record")


@pytest.mark.parametrize(
    ("moves", "far", "verdict", "failed"),
    [
        ("ya", "5 mm", "conforming", []),
        ("tidak", "5 mm", "nonconforming", ["discrimination"]),
        ("ya", "4,9 mm", "nonconforming", ["sensitivity"]),
    ],
)
async def test_a_dacin_is_also_asked_whether_and_how_far_it_moves(
    tmp_path: Path, moves: str, far: str, verdict: str, failed: list[str]
) -> None:
    said = {Asks.MOVED: moves, Asks.HOW_FAR: far}
    reader = Reader(lambda step, load: said.get(step.asks, f"{load} g"))
    record, not_taken = await read_by(tmp_path, bench(DACIN), reader)
    assert (record["verdict"], not_taken) == (verdict, 0)
    bad = {test["name"] for test in record["tests"] if test["verdict"] == "nonconforming"}
    assert sorted(bad) == failed
    assert validate(record) == "verdict"
    [file] = (tmp_path / "data" / "bundles").glob("*.zip")
    derived = await asyncio.to_thread(derive, read_bundle(file), software())
    assert differences(record, derived.record, legal=derived.legal) == []


async def test_another_answer_than_what_was_asked_is_asked_again(tmp_path: Path) -> None:
    wrong = {Asks.MOVED: iter(["5"]), Asks.HOW_FAR: iter(["ya"]), Asks.INDICATION: iter(["2 mm"])}
    right = {Asks.MOVED: "y", Asks.HOW_FAR: "9 mm"}

    def says(step: Instruction, load: Decimal) -> str:
        return next(wrong[step.asks], right.get(step.asks, f"{load} g"))

    record, not_taken = await read_by(tmp_path, bench(DACIN), Reader(says))
    assert (record["verdict"], not_taken) == ("conforming", 3)


async def test_a_digital_scale_without_an_interface_takes_added_loads(tmp_path: Path) -> None:
    """It rounds half of e up: one more gram shows as half of it is added."""

    def says(_: Instruction, load: Decimal) -> str:
        return f"{int(load + Decimal('0.5'))} g"

    reader = Reader(says)
    record, not_taken = await read_by(tmp_path, bench(NO_INTERFACE), reader)
    assert (record["verdict"], not_taken) == ("conforming", 0)
    weighing = next(test for test in record["cerapan"]["test"] if test["name"] == "weighing")
    assert set(weighing["added_load"]) == {"0.5 g"}
    steps = [entry["point"] for entry in record["raw"] if entry["point"].startswith("weighing[1]")]
    assert steps == ["weighing[1]", *(f"weighing[1] + 0.{n} g" for n in range(1, 6))]
    fine = Reader(lambda step, load: says(step, load) if len(fine.steps) > 1 else "0.5 g")
    assert (await read_by(tmp_path, bench(NO_INTERFACE), fine))[1] == 1  # d is 1 g


def test_the_extra_load_is_that_of_the_limit_of_the_stage() -> None:
    given = {"class": "IIII", "max": "25 kg", "e": "100 g", "indicating": "analogue"}
    scale = NawiCharacteristics.of(given)
    extra = {
        stage: [
            p.more.quantity.magnitude for p in nawi_plan(scale, stage=stage, by_eye=True) if p.more
        ]
        for stage in ("initial", "in_service")
    }
    assert extra == {"initial": [50, 100, 150], "in_service": [100, 200, 300]}
    assert not any(point.more for point in nawi_plan(scale))


async def test_a_replay_whose_typed_texts_end_early_says_so(tmp_path: Path) -> None:
    reader = Reader(lambda _, load: f"{load} g")
    await read_by(tmp_path, bench(), reader)
    [file] = (tmp_path / "data" / "bundles").glob("*.zip")
    whole = read_bundle(file)
    (line,) = whole.lines
    ends = [end for chunk, end in chunks_in(line.capture) if chunk.direction == "received"]
    assert line.capture.startswith(MAGIC)
    cut = replace(whole, lines=(replace(line, capture=line.capture[: ends[-2]]),))
    with pytest.raises(Abandoned, match="nothing was typed of pasar"):
        await asyncio.to_thread(derive, cut, software())


# ---- what is no way to read by eye


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--unattended",), "--unattended: pasar is read by eye, and simulated hands have none"),
        ((), "pasar is read by eye and typed at a terminal, and this is none"),
    ],
)
def test_no_script_and_no_simulated_hand_reads_by_eye(
    tmp_path: Path, arguments: tuple[str, ...], why: str
) -> None:
    config = write_station(tmp_path, bench())
    assert why in sentence(tera("verify", "pasar", *arguments, "--config", config, stdin=b"5\n"), 2)


def test_an_instrument_on_a_line_is_read_by_nobody(tmp_path: Path) -> None:
    config = write_station(tmp_path, bench())
    text = config.read_text().replace('driver = "manual"', 'driver = "mt-sics"\nport = "/dev/x"')
    config.write_text(text)
    done = tera("verify", "pasar", "--by", "Siti", "--config", config)
    assert "--by: pasar has an interface: nobody reads it by eye" in sentence(done, 2)
    done = tera("read", "--driver", "manual", "--port", "x")
    assert "an instrument that is read by eye has no bytes" in sentence(done, 2)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (bench(port='"/dev/ttyUSB0"'), r"instrument\[0\]\.port: an instrument that is read by eye"),
        (bench(interval="1"), r"instrument\[0\]\.interval: an instrument that is read by eye has"),
        (bench(role='"reference"'), r"instrument\[0\]\.role: only an instrument under test"),
        (bench(settings='{ unit = "lb" }'), r"settings\.unit: its only setting is the unit"),
        (bench(settings='{ parity = "x" }'), r"settings\.parity: its only setting is the unit"),
        (
            bench().replace('routine = "nawi"', 'routine = "nawi"\ntechnician = "\\u0007"'),
            r"bench\[0\]\.technician: this is no name of a person",
        ),
        (
            bench().replace('routine = "nawi"', 'routine = "volume-meter"')
            + '[[bench.instrument]]\nname = "acuan"\ndriver = "modbus"\nport = "tcp://127.0.0.1:1"\n'
            + 'role = "reference"\nmap = "endress-hauser-promass"\n'
            + '[[bench.flow]]\nrate = "50 L/min"\nvolume = "100 L"\n',
            r'bench\[0\]\.routine: driver = "manual" is for routine = "nawi"',
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        load_station(write_station(tmp_path, text))


@pytest.mark.parametrize(
    ("characteristics", "settings", "unit"),
    [
        (SPRING, "{}", "kg"),
        (SPRING, '{ unit = "g" }', "g"),
        (SPRING.replace("25 kg", "25000g"), "{}", "g"),
        (SPRING.replace('max = "25 kg"', ""), "{}", "kg"),
    ],
)
def test_the_unit_is_that_of_the_plate_unless_it_is_set(
    tmp_path: Path, characteristics: str, settings: str, unit: str
) -> None:
    station = load_station(write_station(tmp_path, bench(characteristics, settings=settings)))
    assert under_test(station, "pasar")[1].shown_unit() == unit


# ---- at the station


async def test_the_service_reads_nothing_and_an_order_waits_for_a_technician(
    tmp_path: Path,
) -> None:
    config = write_station(tmp_path, bench())
    (tmp_path / "data").mkdir()
    outbox = await Outbox.open(tmp_path / "data" / "outbox.sqlite")
    try:
        await outbox.put_order(order("P-7", "pasar"))
    finally:
        await outbox.close()
    async with tera_at_work("run", "--config", config) as service:
        said = await line_with(service.stderr, "order P-7")
        assert "a technician loads them in `tera verify pasar`" in said
        done = await asyncio.to_thread(tera, "doctor", "--json", "--config", config)
    found = {one["check"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert found["instrument pasar"]["state"] == "ok"
    assert "nothing to connect; `tera verify pasar` asks" in found["instrument pasar"]["text"]
    done = await asyncio.to_thread(tera, "doctor", "--json", "--config", config)
    found = {one["check"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert found["instrument pasar"]["state"] == "ok"
