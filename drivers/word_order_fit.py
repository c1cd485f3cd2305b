"""Which word order and address base fit a value that is known from the display.

Knows registers that were read at both addresses a manual can mean. Refuses to choose: what fits is
listed, and one, several or none is for a technician to hear.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from drivers.errors import BadDriverSettings
from drivers.register_map import RegisterMap
from drivers.registers import Decoded, Register, WordOrder, decode, to_bytes

_SHARE: Final = Decimal("0.01")
"""A value that is this much off is still the same: it was read a moment after the display."""
_COARSE: Final = Decimal("0.05")
"""One step of the last digit may be this share of a value, or anything near 0 would fit."""
_DIGITS: Final = 6
"""A value of so many digits stands still, and is compared to its last one.

Read one register too far, the high word of a float meets a foreign low word: that is less than 1 %
off. Only a total at rest with all its digits tells such a reading from the right one.
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """The same registers read in one way."""

    base: int
    """Address base of the map: 1 when the manual counts registers from 1."""
    address: int
    """Wire address of the first register."""
    orders: tuple[WordOrder, ...]
    """The word orders that give this value: several where the registers cannot tell them apart."""
    raw: bytes
    """The registers as they came, high byte first; empty when the instrument refused."""
    decoded: Decoded
    fits: bool


def places(known: RegisterMap, quantity: str) -> Mapping[int, Register]:
    """Return address base -> register, for the bases at which the quantity can be read."""
    found = {}
    for base in (0, 1):
        register = known.register(quantity)
        address = register.address + known.address_base - base
        if 0 <= address <= 65536 - register.count:
            found[base] = replace(register, address=address)
    return found


def check_known(known: RegisterMap, quantity: str, value: Decimal) -> None:
    """Refuse a value that cannot tell one order from another."""
    if known.register(quantity).status:
        raise BadDriverSettings(
            "{quantity} is a status and not a measured value: choose from {known}.",
            quantity=quantity,
            known=", ".join(known.measurands),
        )
    if not value:
        raise BadDriverSettings(
            "The value 0 fits every word order: take one at which {quantity} is not 0.",
            quantity=quantity,
        )
    if Decimal(1).scaleb(int(value.as_tuple().exponent)) > abs(value) * _COARSE:
        raise BadDriverSettings(
            "{value} has too few digits to tell word orders apart: give all that the display shows.",
            value=f"{value:f}",
        )


def candidates(
    registers: Mapping[int, Register], read: Mapping[int, tuple[int, ...] | str], value: Decimal
) -> tuple[Candidate, ...]:
    """Decode what was read in all four orders, at each base; a text is why it was refused."""
    found = []
    for base, register in registers.items():
        words = read[base]
        if isinstance(words, str):
            refused = Decoded(register.quantity, "", None, None, words)
            orders = tuple(WordOrder)
            found.append(Candidate(base, register.address, orders, b"", refused, fits=False))
            continue
        raw = to_bytes(words, WordOrder.ABCD)
        for orders, decoded in _distinct(register, words):
            fits = decoded.value is not None and _same(decoded.value, value)
            found.append(Candidate(base, register.address, orders, raw, decoded, fits))
    return tuple(found)


def _distinct(
    register: Register, words: tuple[int, ...]
) -> Iterable[tuple[tuple[WordOrder, ...], Decoded]]:
    """Give each value once, with the orders that these registers cannot tell apart."""
    by_value: dict[tuple[str, str | None], list[WordOrder]] = {}
    decodeds: dict[tuple[str, str | None], Decoded] = {}
    for order in WordOrder:
        decoded = decode(replace(register, word_order=order), words)
        key = (decoded.text, decoded.fault)
        by_value.setdefault(key, []).append(order)
        decodeds[key] = decoded
    return [(tuple(orders), decodeds[key]) for key, orders in by_value.items()]


def _same(decoded: Decimal, value: Decimal) -> bool:
    """Say whether a register can hold the value that the display shows."""
    digit = Decimal(1).scaleb(int(value.as_tuple().exponent))
    still = len(value.as_tuple().digits) >= _DIGITS
    return abs(decoded - value) <= (digit if still else max(digit, abs(value) * _SHARE))
