"""Registers in, exact values out: what the registers of one quantity mean.

Knows data types, word orders, ranges, sums of several registers and sensor-fault values. Refuses
to know map files (`drivers.register_map`), lines, units on a bus, clocks and polling: every
function here works on numbers it is given.
"""

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, localcontext
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import Final, Literal


class WordOrder(StrEnum):
    """Order on the wire of the bytes A (most significant), B, C, D of a 32-bit value.

    With 64 bits the rule goes on: CDAB reverses the words, BADC swaps the bytes in each word,
    DCBA does both.
    """

    ABCD = "ABCD"
    CDAB = "CDAB"
    BADC = "BADC"
    DCBA = "DCBA"


FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "int16": ">h",
        "uint16": ">H",
        "int32": ">i",
        "uint32": ">I",
        "float32": ">f",
        "int64": ">q",
        "uint64": ">Q",
        "float64": ">d",
    }
)
DATA_TYPES = tuple(FORMATS)
COUNT: Final = "count"
"""Unit symbol of a number of pulses or steps."""
_FLOAT32_NORMAL = 2.0**-126
_LARGEST_POWER: Final = 30
"""No instrument shows a value of 10^30 or more; such registers hold no measured value."""
_EXACT: Final = Context(prec=400)
"""Enough digits for any sum below 10^30 of binary64 numbers, so that nothing here rounds."""
_PULSE_PARTS: Final = 1000
"""A quotient without end is rounded to less than this part of one pulse."""


@dataclass(frozen=True, slots=True)
class Part:
    """Registers whose value is added to a quantity's own: a fraction, an overflow count."""

    at: int
    """Its first register, counted from the first register of the quantity."""
    type: str
    """One of DATA_TYPES."""
    scale: Decimal
    """Its share of the value = raw number * scale."""
    step: Decimal
    """Smallest amount it holds [unit]; 0 for the part that holds whatever is left."""

    @property
    def count(self) -> int:
        """Number of 16-bit registers."""
        return struct.calcsize(FORMATS[self.type]) // 2


@dataclass(frozen=True, slots=True)
class Register:
    """One quantity of an instrument and where it lies."""

    quantity: str
    """Name of the measurand: ``volume_flow``, ``totalizer_1``."""
    address: int
    """Wire address of its first register (0-based)."""
    kind: Literal["holding", "input"]
    """Which table: holding is function 03, input is function 04."""
    type: str
    """One of DATA_TYPES."""
    word_order: WordOrder
    unit: str | None
    """Unit symbol as pint prints it; None for a status."""
    unit_from_meter: bool
    """The instrument's own unit setting decides the unit; ``unit`` is only the usual one."""
    scale: Decimal
    """Value = raw number * scale + offset."""
    offset: Decimal
    """Added after scaling [unit]."""
    faults: Mapping[int, str]
    """Raw bit patterns (unsigned) that mean a sensor fault, with what they mean."""
    ok: frozenset[int] | None
    """For a status register: the values that mean ``in order``; None for a measurand."""
    source: str
    """Document and page."""
    printed: str = ""
    """The address as the manual prints it."""
    at: int = 0
    """First register of the quantity's own number, where ``plus`` begins before it."""
    plus: tuple[Part, ...] = ()
    """Further registers whose values are added: read with one telegram or not at all."""
    bits: Mapping[int, str] = field(default_factory=dict)
    """For a status register: bits that mean a fault when set, with what they mean."""
    governs: frozenset[str] = frozenset()
    """For a status register: the quantities that it vouches for; empty for all."""
    ranges: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    """Ranges that a raw number 0..full scale can stand for, by the code the instrument is set to."""
    range: str | None = None
    """The range in force; None where raw numbers are not range-coded."""
    valid: tuple[Decimal, Decimal] | None = None
    """What the instrument can measure [unit]; anything beyond is a fault."""
    modulus: int | None = None
    """For a counter: the number of counts after which it begins at 0 again."""
    max_rate: Decimal | None = None
    """For a counter: most counts per second that its input can follow [1/s]."""
    factor_from_meter: bool = False
    """What one count is worth is set on the instrument or at its input: raw counts until told."""
    per_unit: Decimal | None = None
    """Counts that make one unit; value = raw number / per_unit."""
    note: str = ""
    """What a technician should know of it."""

    @property
    def own(self) -> int:
        """Number of 16-bit registers of its own number."""
        return struct.calcsize(FORMATS[self.type]) // 2

    @property
    def count(self) -> int:
        """Number of 16-bit registers from its first to its last."""
        return max(self.at + self.own, *(part.at + part.count for part in self.plus), 0)

    @property
    def status(self) -> bool:
        """Say whether it tells how the instrument is, and not what it measures."""
        return self.ok is not None or bool(self.bits)

    @property
    def full_scale(self) -> int:
        """Give the largest raw number of its unsigned type."""
        return int((1 << (16 * self.own)) - 1)


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded quantity: either text and value, or a fault."""

    quantity: str
    text: str
    """Shortest digits that give the register's value back; empty on a fault."""
    value: Decimal | None
    unit: str | None
    fault: str | None
    """Which sensor fault or status; None when the value is valid."""


def to_bytes(registers: Iterable[int], order: WordOrder) -> bytes:
    """Bring wire registers into big-endian byte order."""
    words = tuple(registers)
    if order in (WordOrder.CDAB, WordOrder.DCBA):
        words = words[::-1]
    ends = "<" if order in (WordOrder.BADC, WordOrder.DCBA) else ">"
    return struct.pack(f"{ends}{len(words)}H", *words)


def from_bytes(data: bytes, order: WordOrder) -> tuple[int, ...]:
    """Bring big-endian bytes into wire registers."""
    ends = "<" if order in (WordOrder.BADC, WordOrder.DCBA) else ">"
    words = struct.unpack(f"{ends}{len(data) // 2}H", data)
    return words[::-1] if order in (WordOrder.CDAB, WordOrder.DCBA) else words


def shortest_float32(value: float) -> str:
    """Give the shortest decimal that reads back as the same binary32 number.

    ``value`` must be a binary32 number. Nine digits always suffice (IEEE 754-2019, 5.12.2).

    >>> shortest_float32(struct.unpack(">f", bytes.fromhex("42c7fffe"))[0])
    '99.999985'
    >>> shortest_float32(struct.unpack(">f", bytes.fromhex("3dcccccd"))[0])
    '0.1'
    """
    bits = struct.pack(">f", value)
    text = ""
    for digits in range(6 if abs(value) >= _FLOAT32_NORMAL else 1, 10):
        text = f"{value:.{digits}g}"
        try:
            if struct.pack(">f", float(text)) == bits:
                break
        except OverflowError:  # rounded up past the largest binary32 number
            continue
    return text


def raw_number(register: Register, words: Sequence[int]) -> int | float:
    """Give the number in the quantity's own registers, neither scaled nor judged."""
    own = words[register.at : register.at + register.own]
    return _number(register.type, own, register.word_order)


def decode(register: Register, words: Sequence[int]) -> Decoded:
    """Decode the registers of one quantity."""
    number = raw_number(register, words)
    if register.faults:
        own = words[register.at : register.at + register.own]
        pattern = int.from_bytes(to_bytes(own, register.word_order), "big")
        if pattern in register.faults:
            return _fault(register, register.faults[pattern])
    if register.status:
        return _status(register, int(number))
    numbers = [number]
    for part in register.plus:
        there = words[part.at : part.at + part.count]
        numbers.append(_number(part.type, there, register.word_order))
    if any(isinstance(n, float) and not math.isfinite(n) for n in numbers):
        lost = any(isinstance(n, float) and math.isnan(n) for n in numbers)
        return _fault(register, "not a number" if lost else "infinite")
    return measured(register, _total(register, numbers))


def measured(register: Register, exact: Decimal | Fraction) -> Decoded:
    """Write a value with the digits its register carries, or say why it is none."""
    value = _digits(register, exact)
    if value.adjusted() >= _LARGEST_POWER:
        return _fault(register, "larger than any instrument shows")
    if register.valid is not None and not register.valid[0] <= value <= register.valid[1]:
        return _fault(register, "outside the measuring range")
    if not value:
        value = abs(value)
    text = format(value, "f")
    floats = [register.type, *(part.type for part in register.plus)]
    if "." in text and any(name.startswith("float") for name in floats):
        text = text.rstrip("0").rstrip(".")
    return Decoded(register.quantity, text, Decimal(text), register.unit, None)


def worth(register: Register, counts: int) -> Decimal | Fraction:
    """Give what a number of counts stands for in the unit of the register."""
    if register.per_unit is not None:
        return Fraction(counts) / Fraction(register.per_unit)
    with localcontext(_EXACT):
        return Decimal(counts) * register.scale + register.offset


def _number(data_type: str, words: Sequence[int], order: WordOrder) -> int | float:
    number: int | float = struct.unpack(FORMATS[data_type], to_bytes(words, order))[0]
    return number


def _total(register: Register, numbers: Sequence[int | float]) -> Decimal | Fraction:
    """Add up the numbers of a quantity without losing a digit."""
    first, *rest = numbers
    if register.range is not None:
        low, high = map(Fraction, register.ranges[register.range])
        return low + int(first) * (high - low) / register.full_scale
    if isinstance(first, int) and not rest:
        return worth(register, first)
    with localcontext(_EXACT):
        total = _decimal(register.type, first) * register.scale + register.offset
        for part, number in zip(register.plus, rest, strict=True):
            total += _decimal(part.type, number) * part.scale
    return total


def _decimal(data_type: str, number: int | float) -> Decimal:
    if isinstance(number, int):
        return Decimal(number)
    return Decimal(shortest_float32(number) if data_type == "float32" else repr(number))


def _digits(register: Register, exact: Decimal | Fraction) -> Decimal:
    """Give a value as digits: exact, or rounded so finely that the raw number comes back."""
    if isinstance(exact, Decimal):
        return exact
    if register.range is not None:
        low, high = map(Fraction, register.ranges[register.range])
        step = abs(high - low) / register.full_scale
    else:
        step = 1 / abs(Fraction(register.per_unit or 1))
        if (ends := _finite(exact)) is not None:
            return ends
        step /= _PULSE_PARTS
    places = 0
    while Fraction(1, 10**places) >= step:
        places += 1
    with localcontext(_EXACT):
        return Decimal(round(exact * 10**places)).scaleb(-places)


def _finite(exact: Fraction) -> Decimal | None:
    """Write a fraction as a Decimal; None when its digits have no end."""
    places, rest = 0, exact.denominator
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        places = max(places, power)
    if rest != 1 or places > _LARGEST_POWER:
        return None
    with localcontext(_EXACT):
        return Decimal(exact.numerator * 10**places // exact.denominator).scaleb(-places)


def _status(register: Register, number: int) -> Decoded:
    said = [text for mask, text in register.bits.items() if number & mask]
    if not said and register.ok is not None and number not in register.ok:
        said = [f"{register.quantity} = {number}"]
    if said:
        return _fault(register, "; ".join(said))
    return Decoded(register.quantity, str(number), Decimal(number), register.unit, None)


def _fault(register: Register, detail: str) -> Decoded:
    return Decoded(register.quantity, "", None, None, detail)
