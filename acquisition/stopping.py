"""How a program that runs until it is stopped is asked to stop, and with which exit code it ends."""

import asyncio
import signal

from acquisition.faults import INTERRUPTED


def stop_signal() -> asyncio.Future[int]:
    """Return what becomes the exit code: 0 at SIGTERM, 130 at SIGINT (Ctrl-C)."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)

    loop.add_signal_handler(signal.SIGTERM, stop, 0)
    loop.add_signal_handler(signal.SIGINT, stop, INTERRUPTED)
    return stopped
