"""One port setting that hears and speaks four framings: characters of ten bits are alike on the wire.

A character of 7E1 is one of 8N1 whose highest bit is the parity; 7N2 has a second stop bit there.
So framings of seven bits need no other setting of the port, and what was heard tells them apart.
Knows bits. Refuses to know what bytes mean.
"""

from typing import Final

PLAIN: Final = "8N1"
"""How the port is set for all of them."""
SEVEN_BITS: Final = ("7E1", "7O1", "7N2")
_SOUND: Final = 0.9
"""Noise may have changed so much of what was heard [share], not more."""
_HIGH: Final = 0x80


def sent_as(data: bytes, framing: str) -> bytes:
    """Return the bytes that a port set to 8N1 sends for ``data`` in this framing.

    >>> sent_as(b"SI", "7E1").hex(), sent_as(b"SI", "8N1").hex()
    ('53c9', '5349')
    """
    if framing not in SEVEN_BITS:
        return data
    return bytes(_with_parity(byte, framing) for byte in data)


def set_for(framing: str) -> str:
    """Return how the port is set to speak this framing."""
    return PLAIN if framing in SEVEN_BITS or framing == "8N2" else framing


def heard_as(data: bytes) -> tuple[tuple[str, bytes], ...]:
    """Return what a port set to 8N1 may have heard: framing and bytes, the likeliest first.

    >>> heard_as(sent_as(b"S S", "7O1"))[0]
    ('7O1', b'S S')
    """
    found = [(PLAIN, data)]
    if any(byte & _HIGH for byte in data):
        for framing in SEVEN_BITS:
            right = sum(byte == _with_parity(byte, framing) for byte in data)
            if right >= _SOUND * len(data):
                found.insert(0, (framing, bytes(byte & ~_HIGH for byte in data)))
    return tuple(found)


def _with_parity(byte: int, framing: str) -> int:
    seven = byte & ~_HIGH
    odd = seven.bit_count() % 2 == 1
    high = {"7E1": odd, "7O1": not odd, "7N2": True}[framing]
    return seven | _HIGH if high else seven
