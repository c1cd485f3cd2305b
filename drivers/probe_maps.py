"""Which register maps fit the registers of an unknown unit, and how much speaks for each.

No map has a register that names the instrument, so a map fits when all its registers are there and
hold what its instrument could show. Knows values that are likely. Refuses to choose where two maps
fit, and to call likely what is 0: many instruments answer 0 where they have nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from drivers.register_map import RegisterMap, Telegram
from drivers.registers import Decoded, Register, decode

_LIKELY: Final = (Decimal("1e-6"), Decimal("1e9"))
"""Between these a float speaks for its map."""
_POSSIBLE: Final = Decimal("1e-12")
"""What a total may hold just after its start; whole numbers that are read as floats mostly are smaller."""
_IMPOSSIBLE: Final = frozenset(
    {"infinite", "larger than any instrument shows", "outside the measuring range"}
)
_ENOUGH: Final = 3.0
"""What speaks for a map that is named alone: two likely floats, or three values in their ranges."""
LITTLE: Final = 1.0
"""What speaks for a map of which nearly everything is 0."""
_CLEARER: Final = 1.5
"""So many times as much must speak for it as for the next."""


@dataclass(frozen=True, slots=True)
class MapFit:
    """A map whose registers are all there."""

    known: RegisterMap
    values: tuple[Decoded, ...]
    """What its quantities would be, in the order of the map."""
    weight: float
    """How much speaks for it; 0 when everything is 0."""


def fit(known: RegisterMap, read: Callable[[Telegram], tuple[int, ...]]) -> MapFit | None:
    """Judge a map by registers that all came; None when they hold what its instrument never shows."""
    values, weight = [], 0.0
    for telegram in known.plan():
        words = read(telegram)
        for register in telegram.members:
            at = register.address - telegram.address
            own = words[at : at + register.count]
            decoded = decode(register, own)
            speaks = _speaks(register, decoded, zero=not any(own))
            if speaks is None:
                return None
            weight += speaks
            if not register.status:
                values.append(decoded)
    order = {register.quantity: at for at, register in enumerate(known.registers)}
    values.sort(key=lambda value: order[value.quantity])
    return MapFit(known, tuple(values), round(weight, 2))


def _speaks(register: Register, decoded: Decoded, *, zero: bool) -> float | None:
    """Say how much a value speaks for its map; None when it speaks against it."""
    if register.status:
        return 0.0 if zero or decoded.fault is not None else 0.5
    if decoded.fault is not None or decoded.value is None:
        return None if decoded.fault in _IMPOSSIBLE else 0.0
    if zero or not decoded.value:
        return 0.0
    if register.type.startswith("float"):
        size = abs(decoded.value / register.scale)
        if size > _LIKELY[1] or size < _POSSIBLE:
            return None
        return 2.0 if size >= _LIKELY[0] else 0.0
    return 1.0 if register.valid is not None else 0.3


def likeliest(fits: Iterable[MapFit]) -> tuple[MapFit, ...]:
    """Return the maps to name, the likeliest first: one alone when it is clearly likelier."""
    ranked = sorted(fits, key=lambda one: (-one.weight, -len(one.known.registers)))
    if not ranked:
        return ()
    second = ranked[1].weight if len(ranked) > 1 else 0.0
    alone = ranked[0].weight >= _ENOUGH and ranked[0].weight >= _CLEARER * second
    return tuple(ranked[:1] if alone else ranked)
