"""Exact values in, registers out: the inverse of decoding, for instruments that are simulated.

Knows the same types and orders as `drivers.registers`. Refuses to write to an instrument: nothing
in the project does.
"""

import math
import struct
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction

from drivers.errors import BadDriverSettings
from drivers.registers import FORMATS, Register, from_bytes


def encode(register: Register, value: Decimal | float) -> tuple[int, ...]:
    """Encode a value as the instrument would: the inverse of decode."""
    words = [0] * register.count
    if isinstance(value, float) and not math.isfinite(value):
        _put(register, words, register.at, register.type, value)
        return tuple(words)
    left = Decimal(value) - register.offset
    coarse_first = sorted(register.plus, key=lambda part: -part.step)
    for part in coarse_first:
        if not part.step:
            continue
        held = (left / part.step).to_integral_value(ROUND_FLOOR) * part.step
        _put(register, words, part.at, part.type, held / part.scale)
        left -= held
    for part in coarse_first:
        if part.step:
            continue
        whole = (left / register.scale).to_integral_value(ROUND_FLOOR) * register.scale
        _put(register, words, part.at, part.type, (left - whole) / part.scale)
        left = whole
    _put(register, words, register.at, register.type, _raw(register, left))
    return tuple(words)


def encode_pattern(register: Register, pattern: int) -> tuple[int, ...]:
    """Encode a bit pattern of the quantity's own registers, as a sensor fault has it."""
    words = [0] * register.count
    data = pattern.to_bytes(2 * register.own, "big")
    words[register.at : register.at + register.own] = from_bytes(data, register.word_order)
    return tuple(words)


def _raw(register: Register, left: Decimal) -> Decimal:
    if register.range is not None:
        low, high = map(Fraction, register.ranges[register.range])
        share = (Fraction(left + register.offset) - low) / (high - low)
        return Decimal(round(share * register.full_scale))
    if register.per_unit is not None:
        return Decimal(round(Fraction(left) * Fraction(register.per_unit)))
    return left / register.scale


def _put(
    register: Register, words: list[int], at: int, data_type: str, raw: Decimal | float
) -> None:
    number = float(raw) if data_type.startswith("float") else round(raw)
    try:
        data = struct.pack(FORMATS[data_type], number)
    except (struct.error, OverflowError) as exc:
        raise BadDriverSettings(
            "{value} does not fit {quantity} of type {type}: choose a smaller value.",
            value=raw,
            quantity=register.quantity,
            type=data_type,
        ) from exc
    words[at : at + len(data) // 2] = from_bytes(data, register.word_order)
