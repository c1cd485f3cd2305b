"""How a simulated scale puts an indication into the frames of its protocol.

Knows a codec and a unit. What the protocol cannot carry is left out, net before unit; what it cannot
carry at all is not said. Refuses to know lines and loads.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Final

from drivers.codecs.codec import Codec, Decoded
from drivers.codecs.mt_sics import PRINTED, MtSics
from drivers.errors import BadDriverSettings, Garbled
from drivers.indication import Condition

_REMEMBERED: Final = 64
"""Frames of which a scale that stands still need not think again."""


class Speech:
    """One scale's way of showing weights on a line."""

    def __init__(self, codec: Codec, unit: str, d: Decimal) -> None:
        """Refuse a unit that the protocol cannot carry; one that carries none takes any."""
        self._codec, self._unit = codec, unit
        self._sics = isinstance(codec, MtSics)
        self._remembered: dict[Decoded, bytes | None] = {}
        zero = self.weight(Decimal(0).quantize(d), Condition.DYNAMIC)
        if unit not in PRINTED if self._sics else self.frame(zero) is None:
            raise BadDriverSettings(
                "A simulated scale cannot show {unit}: choose from {known}.",
                unit=unit,
                known=", ".join(dict.fromkeys(codec.units.values())),
            )

    def weight(self, value: Decimal, condition: Condition) -> Decoded:
        """Return an indication with a value."""
        return Decoded(f"{value:f}", value, self._unit, condition)

    def frame(self, shown: Decoded, *, tared: bool = False) -> bytes | None:
        """Write an indication as nearly as the protocol can carry it; None when not at all."""
        tared = tared and shown.value is not None
        key = replace(shown, detail="net") if tared else shown
        if key not in self._remembered:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = self._written(shown, tared=tared)
        return self._remembered[key]

    def _written(self, shown: Decoded, *, tared: bool) -> bytes | None:
        for nearly in self._as_carried(shown, tared=tared):
            try:
                return self._codec.encode(nearly)
            except BadDriverSettings:
                continue
        return None

    def _as_carried(self, shown: Decoded, *, tared: bool) -> Iterator[Decoded]:
        if self._sics:
            yield shown
            return
        if shown.value is not None and not self._codec.tells_stability:
            shown = replace(shown, condition=Condition.DYNAMIC)
        if tared:
            yield replace(shown, detail="net")
            yield replace(shown, detail="net", unit=None)
        yield shown
        yield replace(shown, unit=None)

    def checks(self, frame: bytes) -> bool:
        """Say whether the protocol notices it when any one digit of a frame is another."""
        changed = [_changed(frame, i) for i, byte in enumerate(frame) if chr(byte).isdigit()]
        return bool(changed) and not any(self._passes(one) for one in changed)

    def _passes(self, sent: bytes) -> bool:
        for frame in self._codec.framer().feed(sent):
            try:
                self._codec.decode(frame)
            except Garbled:
                continue
            return True
        return False


def spoiled(frame: bytes) -> bytes:
    """Change the first digit of a frame, so that its checksum is wrong."""
    return _changed(frame, next((i for i, b in enumerate(frame) if chr(b).isdigit()), 0))


def _changed(frame: bytes, place: int) -> bytes:
    digit = ord("0") + (frame[place] - ord("0") + 1) % 10
    return frame[:place] + bytes([digit]) + frame[place + 1 :]
