"""What a service tells its manager, systemd, over the socket that sd_notify(3) describes.

Our own twenty lines: the protocol is a datagram and promised to stay. Of the libraries,
python-systemd must be compiled, sdnotify had its last release in 2017.
"""

import os
import socket


def notify(*lines: str) -> None:
    """Tell the manager; nobody listens where no manager started us, and that is no fault."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    where = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as wire:
            wire.setblocking(False)
            wire.sendto("\n".join(lines).encode(), where)
    except OSError:
        return  # a manager that does not hear us will act by itself


def watchdog_period() -> float | None:
    """Return within which time [s] the manager wants to hear from us; None when it does not."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    wanted = os.environ.get("WATCHDOG_USEC", "")
    return int(wanted) / 1e6 if wanted.isdigit() and int(wanted) else None
