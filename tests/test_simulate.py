"""``tera simulate`` as somebody uses it who types, pipes, writes a day down, or does nothing at all."""

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers.codecs import codec_named
from drivers.indication import Indication
from drivers.link import open_link
from drivers.scale import Scale
from tests.stations import ENVIRONMENT, line_with, tera, tera_at_work

pytestmark = pytest.mark.timeout(60)
SCALE = ("simulate", "mt-sics", "--port", "tcp://127.0.0.1:0", "--json", "--set", "d=1 g")
METER = ("simulate", "endress-hauser-promass", "--port", "tcp://127.0.0.1:0", "--json")


async def port_of(process: asyncio.subprocess.Process) -> str:
    said: dict[str, Any] = json.loads(await line_with(process.stdout, "simulated"))
    return str(said["port"])


@asynccontextmanager
async def reading(port: str) -> AsyncIterator[AsyncIterator[Indication]]:
    scale = Scale("it", open_link(port), codec_named("mt-sics"), interval=0.01, timeout=0.2)
    async with aclosing(scale.indications()) as stream:
        yield stream


async def until(stream: AsyncIterator[Indication], wanted: Any) -> Indication:
    async with asyncio.timeout(20):
        async for one in stream:
            if wanted(one):
                return one
    raise AssertionError("the stream ended")


def tell(process: asyncio.subprocess.Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line.encode() + b"\n")


async def test_what_is_typed_happens_and_what_is_wrong_is_said_and_changes_nothing() -> None:
    async with tera_at_work(*SCALE) as process:
        async with reading(await port_of(process)) as stream:
            tell(process, "load 5 kg")
            await until(stream, lambda one: one.value == 5000)
            tell(process, "lode 7 kg\nload 7 L\nfault checksum\n\nload 7 kg")
            for said in ("lode is no command here", "another kind", "has no checksum"):
                await line_with(process.stderr, said)
            await until(stream, lambda one: one.value == 7000)
            tell(process, "fault silence for 1 s")
            await until(stream, lambda one: "did not answer" in (one.detail or ""))
            await until(stream, lambda one: one.value == 7000)
        tell(process, "stop")
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_help_lists_the_commands_of_the_instrument() -> None:
    async with tera_at_work(*METER) as process:
        await port_of(process)
        tell(process, "help")
        line = await line_with(process.stderr, "deliver 20 L at 30 L/min")
        assert "let a volume pass" in line
        tell(process, "load 5 kg")
        assert "flow, deliver" in await line_with(process.stderr, "load is no command here")


async def test_a_day_that_is_written_down_happens_and_can_end_the_program(tmp_path: Path) -> None:
    script = tmp_path / "day.txt"
    script.write_text("0 load 3 kg   # first\n0:10 load 4 kg\n+5 stop\n")
    done = await asyncio.to_thread(tera, *SCALE, "--set", "pace=100", "--script", script)
    assert (done.returncode, done.stderr) == (0, b"stopped\n")
    script.write_text("0 load 3 kg\n0:10 load 4 kg\n")
    async with (
        tera_at_work(*SCALE, "--set", "pace=10", "--script", script) as process,
        reading(await port_of(process)) as stream,
    ):
        await until(stream, lambda one: one.value == 3000)
        await until(stream, lambda one: one.value == 4000)
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 20) == 130


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 load 3 kg\n5 lode 4 kg", "line 2: lode is no command here"),
        (None, "cannot read"),
    ],
)
def test_a_day_that_cannot_be_read_is_refused_before_anything_answers(
    tmp_path: Path, text: str | None, said: str
) -> None:
    script = tmp_path / "day.txt"
    if text is not None:
        script.write_text(text)
    done = tera(*SCALE, "--script", script)
    assert done.returncode == 2
    assert said in done.stderr.decode()
    assert str(script) in done.stderr.decode()
    assert not done.stdout


async def test_without_anybody_who_types_it_runs_until_it_is_stopped(tmp_path: Path) -> None:
    commands = tmp_path / "commands"
    commands.write_text("load 2 kg\n")
    for given in (os.devnull, str(commands)):
        stdin = os.open(given, os.O_RDONLY)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "acquisition", *SCALE),
                stdin=stdin,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=os.environ | ENVIRONMENT,
            )
        finally:
            os.close(stdin)
        wanted = Decimal(0) if given == os.devnull else Decimal(2000)
        async with reading(await port_of(process)) as stream:
            await until(stream, lambda one, wanted=wanted: one.value == wanted)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
        await process.communicate()


async def test_the_end_of_what_is_piped_is_not_the_end() -> None:
    async with tera_at_work(*SCALE) as process:
        port = await port_of(process)
        tell(process, "load 6 kg")
        assert process.stdin is not None
        process.stdin.close()
        async with reading(port) as stream:
            await until(stream, lambda one: one.value == 6000)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_at_a_terminal_one_line_shows_load_indication_and_fault() -> None:
    master, slave = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "acquisition", *SCALE[:4]),
            *("--set", "d=1 g"),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env=os.environ | ENVIRONMENT,
        )
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        shown, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(master), "rb", 0)
        )

        async def see(text: str) -> None:
            async with asyncio.timeout(20):
                await reader.readuntil(text.encode())

        await see("Ctrl-C stops it")
        await see("type help to see")
        await see("= 0 g · 0 g")
        os.write(master, b"load 1 kg at 2\n")
        await see("= 1000 g · 1000 g @2")
        os.write(master, b"fault silence\n")
        await see("@2 · silence")
        os.write(master, b"stop\n")
        await see("stopped")
        assert await asyncio.wait_for(process.wait(), 20) == 0
        shown.close()
    finally:
        os.close(slave)
        os.close(master)
