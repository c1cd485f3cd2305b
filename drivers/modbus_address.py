"""Where a Modbus line ends: its URL, its framing, and whether that is in this machine.

Knows addresses. Refuses to open anything.
"""

import contextlib
import ipaddress
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from drivers.errors import BadDriverSettings


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Where a Modbus line ends and how it is framed."""

    mode: Literal["tcp", "rtu", "rtu+tcp"]
    host: str
    """Host name, or the device path of a serial line."""
    port: int
    """TCP port; 0 for a serial line."""
    baudrate: int
    """Speed of the serial line [Bd]."""
    framing: str
    """Data bits, parity and stop bits: ``8E1``."""

    @property
    def rtu(self) -> bool:
        """Say whether frames are RTU frames, which carry no transaction number."""
        return self.mode != "tcp"

    @property
    def character(self) -> float:
        """Duration of one character on the serial line [s]."""
        bits = 1 + int(self.framing[0]) + (self.framing[1] != "N") + int(self.framing[2])
        return bits / self.baudrate

    @property
    def pty(self) -> bool:
        """Say whether the serial line is a pseudo-terminal."""
        return self.mode == "rtu" and str(Path(self.host).resolve()).startswith("/dev/pts/")

    @property
    def local(self) -> bool:
        """Say whether the name alone shows that the line ends in software on this machine."""
        if self.mode == "rtu":
            return self.pty
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_url(url: str, *, baudrate: int = 19200, framing: str = "8E1") -> LineSettings:
    """Parse ``tcp://host:502``, ``rtu:///dev/ttyUSB0`` or ``rtu+tcp://host:4001``."""
    if not re.fullmatch(r"[78][NEO][12]", framing):
        raise BadDriverSettings(
            "{framing} is no framing: write data bits, parity and stop bits as in 8E1.",
            framing=framing,
        )
    if baudrate <= 0:
        raise BadDriverSettings(
            "{baudrate} is no speed: write the baud rate as in 19200.", baudrate=baudrate
        )
    scheme, _, rest = url.partition("://")
    if scheme == "rtu" and rest.startswith("/"):
        settings = LineSettings("rtu", rest, 0, baudrate, framing)
        # A pty has neither parity nor speed, and some C libraries refuse to set them.
        return replace(settings, framing="8N1") if settings.pty else settings
    mode: Literal["tcp", "rtu+tcp"] = "tcp" if scheme == "tcp" else "rtu+tcp"
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        port = parts.port or (502 if scheme == "tcp" else 0)
        if scheme == mode and parts.hostname and port and parts.path in ("", "/"):
            return LineSettings(mode, parts.hostname, port, baudrate, framing)
    raise BadDriverSettings(
        "{url} is no Modbus port: write tcp://host:502, rtu:///dev/ttyUSB0 or rtu+tcp://host:4001.",
        url=url,
    )
