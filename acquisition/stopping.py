"""How a program that runs until it is stopped is asked to stop, and with which exit code it ends."""

import asyncio
import signal

from acquisition.faults import INTERRUPTED


def stop_signal(hurry: asyncio.Event | None = None) -> asyncio.Future[int]:
    """Return what becomes the exit code: 0 at SIGTERM, 130 at SIGINT (Ctrl-C).

    ``hurry`` is set at the second signal of either kind.
    """
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)
        elif hurry is not None:
            hurry.set()

    loop.add_signal_handler(signal.SIGTERM, stop, 0)
    loop.add_signal_handler(signal.SIGINT, stop, INTERRUPTED)
    return stopped
