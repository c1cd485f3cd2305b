"""A real Mosquitto on a free loopback port: started, killed and restarted by tests."""

import asyncio
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from broker.address import BrokerAddress, Protocol

_FOLDERS = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path=_FOLDERS)
SUBSCRIBE = shutil.which("mosquitto_sub")
PUBLISH = shutil.which("mosquitto_pub")
MISSING = "Mosquitto is not installed (Debian: mosquitto and mosquitto-clients)"


def free_port() -> int:
    """Return a TCP port of the loopback that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """One broker; it keeps port and persistence from one life to the next."""

    def __init__(self, folder: Path, *, careful: bool = True) -> None:
        """Take its folder; ``careful`` writes its whole state after each message, which is slow."""
        self.port = free_port()
        self.log = folder / "mosquitto.log"
        self._settings = folder / "mosquitto.conf"
        self._settings.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n"
            f"persistence true\npersistence_location {folder}/\n"
            f"log_dest stderr\nlog_type {'all' if careful else 'error'}\nmax_queued_messages 0\n"
            "set_tcp_nodelay true\n" + "autosave_on_changes true\nautosave_interval 1\n" * careful,
            encoding="utf-8",
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return its process id while it runs."""
        assert self._process is not None
        return self._process.pid

    def address(self, protocol: Protocol = "auto") -> BrokerAddress:
        """Return where it listens."""
        return BrokerAddress("127.0.0.1", self.port, protocol=protocol)

    async def start(self) -> None:
        """Start it and wait until it accepts a connection."""
        assert PROGRAM is not None
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-c", str(self._settings)], stdout=log, stderr=log
            )
        async with asyncio.timeout(10):
            while True:
                assert self._process.poll() is None, self.log.read_text(encoding="utf-8")
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.01)  # there is no event for a port that opens
                else:
                    writer.close()
                    await writer.wait_closed()
                    return

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as the service manager does."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(10)
            self._process = None
