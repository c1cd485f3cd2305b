"""What went wrong at the bench is observed again, and that it went wrong stays on record."""

import asyncio
import io
import os
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from acquisition.bundle import read_bundle
from acquisition.differences import differences
from acquisition.hands import Hand, TakenBack, TechnicianHand
from acquisition.replaying import derive
from acquisition.routine import Action, Instruction
from acquisition.session import PointObserved, Recorded, run
from acquisition.station import running, software
from broker.record import validate
from calibration.units import parse_quantity
from tests.stations import (
    METER_BENCH,
    job_of,
    scale_bench,
    settings_of,
    tera,
    under_test,
    write_station,
)

CAPTURES = '[store]\ncaptures = "captures"\n'
pytestmark = pytest.mark.timeout(60)


class Hesitant:
    """Hands that take a step back at some of the times they are asked."""

    def __init__(self, hand: Hand, back: tuple[int, ...]) -> None:
        self._hand, self._back = hand, back
        self.asked: list[str] = []

    async def do(self, instruction: Instruction) -> None:
        self.asked.append(f"{instruction.action.value} {instruction.quantity}")
        if len(self.asked) in self._back:
            raise TakenBack
        await self._hand.do(instruction)


@pytest.mark.parametrize(
    ("name", "bench", "back", "asked", "marked"),
    [
        ("timbangan-1", scale_bench(), (1,), ["zero 0 g", "zero 0 g", "place 0 g"], ""),
        (
            *("timbangan-1", scale_bench(), (3, 5)),
            ["zero 0 g", "place 0 g", "place 100 g", "place 0 g", "place 100 g", "place 0 g"],
            "2, 2",
        ),
        (
            *("timbangan-1", scale_bench(), (3, 4, 6)),
            [
                "zero 0 g",
                "place 0 g",
                "place 100 g",
                "place 0 g",
                "zero 0 g",
                "place 0 g",
                "zero 0 g",
            ],
            "2, 1, 1",
        ),
        (
            *("timbangan-1", scale_bench(d="5 g"), (3,)),
            ["zero 0 g", "add 0.5 g", "add 1 g", "zero 0 g", "add 0.5 g", "add 1 g", "add 1.5 g"],
            "1",
        ),
        ("meter-uji", METER_BENCH, (2,), ["deliver 100 L"] * 3, "1"),
    ],
    ids=["before the first point", "the point before", "and before that", "added loads", "meter"],
)
async def test_a_point_that_is_taken_back_is_observed_again_on_record(
    tmp_path: Path, name: str, bench: str, back: tuple[int, ...], asked: list[str], marked: str
) -> None:
    observed: list[int] = []
    async with running(settings_of(tmp_path, bench, more=CAPTURES)) as station:
        hand = Hesitant(station.simulated_hand(*under_test(station.settings, name)), back)
        async with aclosing(run(job_of(station, name, hand))) as events:
            async for event in events:
                if isinstance(event, PointObserved):
                    observed.append(event.index)
                elif isinstance(event, Recorded):
                    record = event.record
    assert hand.asked[: len(asked)] == asked
    points = sum(len(test["indication"]) for test in record["cerapan"]["test"])
    assert points == len(set(observed)) == max(observed) + 1  # every point once
    said = [reason for reason in record["reasons"] if "taken back" in reason]
    assert said == ([f"points taken back and observed again: {marked}"] if marked else [])
    kept = [entry for entry in record["raw"] if entry["point"].startswith("taken back: ")]
    assert len(kept) >= len(marked.split(", ")) * bool(marked)
    assert validate(dict(record)) == "verdict"
    [file] = (tmp_path / "data" / "bundles").glob("*.bundle.zip")
    derived = await asyncio.to_thread(derive, read_bundle(file), software())
    assert differences(record, derived.record, legal=derived.legal) == []


def test_a_technician_goes_back_and_what_is_not_understood_does_no_step(tmp_path: Path) -> None:
    config = write_station(tmp_path, scale_bench())
    typed = b"\nwhat\n\xff\xfe\nb\n" + b"\n" * 18
    done = tera("verify", "timbangan-1", "--config", config, stdin=typed)
    assert done.returncode == 0, done.stderr.decode()
    said = done.stderr.decode()
    assert said.count("this is not understood") == 2
    assert said.count("empty the load receptor and set it to zero") == 2
    assert said.count(" 1/18 zero 0 g: ") == 2
    assert "points taken back and observed again: 1" in done.stdout.decode()


class AnswersAt(io.StringIO):
    """A terminal at which somebody types once a question is there."""

    def __init__(self, terminal: int, answer: bytes) -> None:
        super().__init__()
        self._terminal, self._answer = terminal, answer

    def write(self, text: str) -> int:
        if text.endswith("> "):
            os.write(self._terminal, self._answer)
        return super().write(text)


async def test_an_enter_too_many_does_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was typed before the question would let a load count that nobody has put on."""
    terminal, line = os.openpty()
    with os.fdopen(line) as keyboard, os.fdopen(terminal, "rb", 0):
        os.write(terminal, b"b\nq\n")
        monkeypatch.setattr(sys, "stdin", keyboard)
        monkeypatch.setattr(sys, "stderr", AnswersAt(terminal, b"\n"))
        step = Instruction(Action.PLACE, parse_quantity("5 kg"))
        await TechnicianHand("timbangan-1").do(step)
