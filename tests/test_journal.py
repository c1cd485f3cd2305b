"""What the service says of itself: sentences for people, objects for programs, files that are turned."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.stations import ENVIRONMENT

WRITE = """
import logging, sys
from acquisition.config import Log
from acquisition.faults import BadInput
from acquisition.journal import Journal, open_journal
from drivers.errors import LinkLost
settings, lines = eval(sys.argv[1]), int(sys.argv[2])
open_journal(Log.model_validate(settings))
log = Journal("acquisition.pump")
for number in range(lines):
    log.info("order {order}: {instrument} is {what}", event="verdict_committed", order=f"P-{number}",
        instrument="timbangan-1", what="conforming", number=number)
gone = LinkLost("There is no port {port}: check the cable and the name.", port="/dev/x")
log.warning("instrument {instrument}: {detail}", event="instrument_fault", bench="meja-1",
    instrument="{braces} and %s", detail=gone)
logging.getLogger("broker.bench_line").warning("bench %s: %s; verdicts wait on disk", "meja-2", gone)
logging.getLogger("somewhere").info("of no interest")
logging.getLogger("somewhere").warning("100 % strange")
try:
    1 / 0
except ZeroDivisionError as error:
    log.error("the station stops: {why}", event="failed", why=error, traceback=error)
print("done")
"""


def write(
    settings: dict[str, Any], lines: int = 1, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Have a process of its own say something."""
    return subprocess.run(
        [sys.executable, "-c", WRITE, repr(settings), str(lines)],
        capture_output=True,
        text=True,
        env=os.environ | ENVIRONMENT | environment,
        check=True,
    )


def test_programs_get_event_values_and_what_orders_the_lines() -> None:
    lines = [json.loads(line) for line in write({"format": "json"}).stderr.splitlines()]
    first = lines[0]
    assert list(first)[:7] == ["time", "boot", "uptime", "level", "event", "message", "logger"]
    assert first["message"] == "order P-0: timbangan-1 is conforming"
    assert (first["order"], first["instrument"], first["number"]) == ("P-0", "timbangan-1", 0)
    assert first["time"].endswith("Z")
    assert len(first["boot"]) == 32
    events = [line["event"] for line in lines]
    assert events == [
        "verdict_committed",
        "instrument_fault",
        "bench_line",
        "somewhere",
        "somewhere",
        "failed",
    ]
    assert lines[1]["instrument"] == "{braces} and %s"
    assert lines[1]["detail"] == "There is no port /dev/x: check the cable and the name."
    assert (lines[2]["bench"], lines[2]["level"]) == ("meja-2", "warning")
    assert "ZeroDivisionError" in lines[5]["exception"]
    assert "Traceback" not in lines[5]["message"]
    assert [line["uptime"] for line in lines] == sorted(line["uptime"] for line in lines)


def test_programs_are_spoken_to_in_english_and_people_in_their_language() -> None:
    machine = write({"format": "json"}, TERA_LANG="id").stderr
    assert json.loads(machine.splitlines()[0])["message"] == "order P-0: timbangan-1 is conforming"
    people = write({}, TERA_LANG="id").stderr.splitlines()
    assert people[0].endswith("INFO order P-0: timbangan-1 memenuhi")
    assert people[1].endswith("Port /dev/x tidak ada: periksa kabel dan nama port.")
    assert "meja meja-2: Port /dev/x tidak ada" in people[2]
    assert people[4].endswith("100 % strange")
    assert any("ZeroDivisionError" in line for line in people[5:])


def test_a_level_leaves_out_what_is_below_it() -> None:
    assert "P-0" not in write({"level": "warning"}).stderr
    assert "timbangan-1" not in write({"level": "error"}).stderr


def test_journald_gets_its_own_severities_and_notes_the_time_itself() -> None:
    lines = write({}, JOURNAL_STREAM="8:1").stderr.splitlines()
    assert lines[0] == "<6>order P-0: timbangan-1 is conforming"
    assert lines[1].startswith("<4>instrument ")
    assert all(line.startswith("<3>") for line in lines[5:])  # each line of a trace too


def test_a_file_is_turned_before_it_grows_too_large_and_only_some_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "log" / "tera.log"
    settings = {"format": "json", "file": str(file), "max_bytes": 20_000, "keep": 2}
    done = write(settings, 500)
    assert done.stderr == ""
    kept = sorted(p.name for p in file.parent.iterdir())
    assert kept == ["tera.log", "tera.log.1", "tera.log.2"]
    for part in file.parent.iterdir():
        assert part.stat().st_size <= 20_000
        for line in part.read_text(encoding="utf-8").splitlines():
            json.loads(line)  # none was cut


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system is mounted only by root")
def test_lines_that_find_no_room_on_a_full_disk_are_lost_and_nothing_else_is(
    tmp_path: Path,
) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a file system")
    try:
        done = write({"file": str(tmp_path / "tera.log"), "max_bytes": 10_000_000}, 5000)
        assert done.stdout == "done\n"
        assert done.stderr == ""
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
