"""Real ``tera`` processes without the second that Python takes to import: forked from one that has.

``python -m tests.forks`` reads one JSON object a line: arguments, the file for what the process says,
and optionally where it notes what it is doing (tests/phases.py). It answers with the process id, and
later with how the process ended.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.stations import ENVIRONMENT, ROOT


class Fork:
    """One process."""

    def __init__(self, pid: int, ended: "asyncio.Future[int]", says: Path) -> None:
        self.pid = pid
        self.says = says
        self._ended = ended

    @property
    def alive(self) -> bool:
        return not self._ended.done()

    async def wait(self, within: float = 60) -> int:
        """Return its exit code, negative when a signal ended it."""
        async with asyncio.timeout(within):
            return await asyncio.shield(self._ended)

    def signal(self, number: signal.Signals) -> None:
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def text(self) -> str:
        return self.says.read_text("utf-8", "replace")

    async def says_or_ends(self, text: str, within: float = 60) -> bool:
        """Wait until it has said something; False when it ended without."""
        async with asyncio.timeout(within):
            while True:
                ended = not self.alive
                if text in self.text():
                    return True
                if ended:
                    return False
                await asyncio.sleep(0.005)  # there is no event for a line in a file


class Forks:
    """The process that forks."""

    def __init__(self, process: asyncio.subprocess.Process, environment: Mapping[str, str]) -> None:
        self._process = process
        self._environment = environment
        self._begun: asyncio.Queue[int] = asyncio.Queue()
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._turn = asyncio.Lock()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, environment: Mapping[str, str] | None = None) -> "Forks":
        given = os.environ | ENVIRONMENT | {"OPENBLAS_NUM_THREADS": "1"} | dict(environment or {})
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.forks"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env=given,
        )
        return cls(process, given)

    async def start(
        self, *arguments: str | Path, says: Path, fresh: bool = False, **more: Any
    ) -> Fork:
        """Run the command line; what it says is added to a file. ``fresh``: with all its imports."""
        says.touch()
        asked = {"arguments": [str(a) for a in arguments], "says": str(says), **more}
        if fresh:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.forks", json.dumps(asked)),
                cwd=ROOT,
                env=self._environment,
            )
            return Fork(process.pid, asyncio.ensure_future(process.wait()), says)
        assert self._process.stdin is not None
        async with self._turn:
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            await self._process.stdin.drain()
            pid = await self._begun.get()
        return Fork(pid, self._future(pid), says)

    async def close(self) -> None:
        """End it and all that it has forked."""
        for pid, ended in self._ended.items():
            if not ended.done():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await asyncio.gather(self._reader, return_exceptions=True)

    def _future(self, pid: int) -> "asyncio.Future[int]":
        return self._ended.setdefault(pid, asyncio.get_running_loop().create_future())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "status" in told:
                self._future(told["pid"]).set_result(told["status"])
            else:
                self._begun.put_nowait(told["pid"])


def _serve() -> None:
    import acquisition.cli
    import acquisition.commands.records
    import acquisition.commands.serve  # noqa: F401 - what is loaded here is not loaded again
    import broker.postgresql  # noqa: F401

    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    signal.signal(signal.SIGCHLD, lambda *_: _reap())
    while line := sys.stdin.buffer.readline():
        asked = json.loads(line)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            _be(**asked)
        os.write(1, json.dumps({"pid": pid}).encode() + b"\n")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = ended
            told = {"pid": pid, "status": os.waitstatus_to_exitcode(status)}
            os.write(1, json.dumps(told).encode() + b"\n")


def _be(arguments: list[str], says: str, **more: Any) -> None:
    """Become the process that is asked for."""
    import acquisition.cli

    code = 70
    try:
        file = os.open(says, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(file, 1)
        os.dup2(file, 2)
        if more:
            from tests import phases

            phases.watch(**more)
        code = acquisition.cli.main(arguments)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - it is what the process would print
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _be(**json.loads(sys.argv[1]))
    _serve()
