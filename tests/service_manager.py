"""What systemd does with a service, as far as the service can tell: the socket of sd_notify(3)."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self


class Manager:
    """Listens to what a service tells its manager."""

    def __init__(self, address: str, wire: socket.socket) -> None:
        self.environment = {"NOTIFY_SOCKET": address}
        self._wire = wire

    @classmethod
    @contextmanager
    def listening(cls, folder: Path, *, watchdog: float | None = None) -> Iterator[Self]:
        """Listen until the block ends; ``watchdog`` is the period that is asked for [s]."""
        address = str(folder / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
            wire.bind(address)
            wire.setblocking(False)
            manager = cls(address, wire)
            if watchdog is not None:
                manager.environment["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
            yield manager

    async def told(self, within: float = 20.0) -> str:
        """Return the next thing that the service says; TimeoutError when it is silent."""
        async with asyncio.timeout(within):
            return (await asyncio.get_running_loop().sock_recv(self._wire, 4096)).decode()

    async def until(self, said: str, within: float = 20.0) -> str:
        """Wait until the service says something."""
        async with asyncio.timeout(within):
            while said not in (told := await self.told(within)):
                pass
        return told

    def forget(self) -> None:
        """Throw away what was said by now."""
        try:
            while True:
                self._wire.recv(4096)
        except BlockingIOError:
            return
