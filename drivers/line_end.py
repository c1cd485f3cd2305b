"""Whether a line ends in this machine: by the name of its port, and once open for certain.

Knows device numbers and addresses. Refuses to believe names where the system can be asked.
"""

import ipaddress
import os
import socket
import stat
from typing import Final

_PTY_MAJORS: Final = frozenset({3, *range(136, 144)})
"""Device numbers of pseudo-terminals (Linux, Documentation/admin-guide/devices.txt)."""


def is_pty(port: str) -> bool:
    return "://" not in port and os.path.realpath(port).startswith("/dev/pts/")


def is_loopback(port: str) -> bool:
    if "://" not in port:
        return False
    host = port.partition("://")[2].rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def ends_here(descriptor: int) -> bool:
    """Say whether a program on this machine holds the other end of an open line."""
    state = os.fstat(descriptor)
    if not stat.S_ISSOCK(state.st_mode):
        return os.major(state.st_rdev) in _PTY_MAJORS
    with socket.socket(fileno=os.dup(descriptor)) as line:
        return is_an_address_of_ours(line.family, line.getpeername())


def is_an_address_of_ours(family: int, peer: tuple[str, int]) -> bool:
    """Try to bind it, as only a machine's own addresses can be."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((peer[0], 0, *peer[2:]))
        except OSError:
            return False
        return True
