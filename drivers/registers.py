"""Registers in, exact values out: what the registers of a Modbus instrument mean.

Knows register map files, data types, word orders and sensor-fault values. Refuses to know lines,
units on a bus, clocks and polling: every function here works on numbers it is given.
"""

import math
import struct
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Literal

from drivers.errors import BadDriverSettings
from drivers.map_table import MapTable


class WordOrder(StrEnum):
    """Order on the wire of the bytes A (most significant), B, C, D of a 32-bit value.

    With 64 bits the rule goes on: CDAB reverses the words, BADC swaps the bytes in each word,
    DCBA does both.
    """

    ABCD = "ABCD"
    CDAB = "CDAB"
    BADC = "BADC"
    DCBA = "DCBA"


_FORMATS = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "float32": ">f",
    "int64": ">q",
    "uint64": ">Q",
    "float64": ">d",
}
DATA_TYPES = tuple(_FORMATS)
MAX_REGISTERS = 125
"""Most registers one read telegram may carry (Modbus Application Protocol V1.1b3, 6.3)."""
_FLOAT32_NORMAL = 2.0**-126


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

    @property
    def count(self) -> int:
        """Number of 16-bit registers."""
        return struct.calcsize(_FORMATS[self.type]) // 2


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


@dataclass(frozen=True, slots=True)
class Telegram:
    """One read request and the quantities it brings."""

    kind: Literal["holding", "input"]
    address: int
    """Wire address of the first register (0-based)."""
    count: int
    """Number of registers."""
    members: tuple[Register, ...]


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """The registers of one maker's model."""

    id: str
    title: str
    provisional: bool
    """Something about the map is not verified; ``note`` says what."""
    note: str
    max_registers: int
    """Most registers asked for in one telegram."""
    max_gap: int
    """Unused registers a telegram may read across; 0 unless the manual allows it."""
    registers: tuple[Register, ...]

    @property
    def measurands(self) -> tuple[str, ...]:
        """Names of all quantities that are measured values."""
        return tuple(r.quantity for r in self.registers if r.ok is None)

    def register(self, quantity: str) -> Register:
        """Find a quantity by name."""
        for register in self.registers:
            if register.quantity == quantity:
                return register
        raise BadDriverSettings(
            "The register map {map} has no quantity {quantity}: choose from {known}.",
            map=self.id,
            quantity=quantity,
            known=", ".join(r.quantity for r in self.registers),
        )

    def with_units(self, units: Mapping[str, str]) -> "RegisterMap":
        """Set the units that the instrument is configured to."""
        for quantity in units:
            if not self.register(quantity).unit_from_meter:
                raise BadDriverSettings(
                    "The unit of {quantity} is fixed in the register map {map}: leave out "
                    "{quantity}.unit.",
                    map=self.id,
                    quantity=quantity,
                )
        return replace(
            self,
            registers=tuple(
                replace(r, unit=units[r.quantity]) if r.quantity in units else r
                for r in self.registers
            ),
        )

    def plan(self, quantities: Collection[str] | None = None) -> tuple[Telegram, ...]:
        """Plan the fewest telegrams for some quantities and every status register."""
        if quantities is None:
            wanted = list(self.registers)
        else:
            names = {self.register(name).quantity for name in quantities}
            wanted = [r for r in self.registers if r.quantity in names or r.ok is not None]
        # Measurands before statuses: the status then speaks for the values just read.
        groups: list[list[Register]] = []
        for register in sorted(wanted, key=lambda r: (r.ok is not None, r.kind, r.address)):
            if groups and self._joins(groups[-1], register):
                groups[-1].append(register)
            else:
                groups.append([register])
        return tuple(
            Telegram(g[0].kind, g[0].address, g[-1].address + g[-1].count - g[0].address, tuple(g))
            for g in groups
        )

    def _joins(self, group: Sequence[Register], register: Register) -> bool:
        end = group[-1].address + group[-1].count
        return (
            register.kind == group[0].kind
            and 0 <= register.address - end <= self.max_gap
            and register.address + register.count - group[0].address <= self.max_registers
        )


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


def decode(register: Register, words: Sequence[int]) -> Decoded:
    """Decode the registers of one quantity."""
    data = to_bytes(words, register.word_order)
    if register.faults and (pattern := int.from_bytes(data, "big")) in register.faults:
        return _fault(register, register.faults[pattern])
    number = struct.unpack(_FORMATS[register.type], data)[0]
    if register.ok is not None:
        if number in register.ok:
            return Decoded(register.quantity, str(number), Decimal(number), register.unit, None)
        return _fault(register, f"{register.quantity} = {number}")
    if isinstance(number, float):
        if not math.isfinite(number):
            return _fault(register, "not a number" if math.isnan(number) else "infinite")
        exact = Decimal(shortest_float32(number) if register.type == "float32" else repr(number))
    else:
        exact = Decimal(number)
    value = exact * register.scale + register.offset
    if not value:
        value = abs(value)
    text = format(value, "f")
    if isinstance(number, float) and "." in text:
        text = text.rstrip("0").rstrip(".")
    return Decoded(register.quantity, text, Decimal(text), register.unit, None)


def encode(register: Register, value: Decimal | float) -> tuple[int, ...]:
    """Encode a value as the instrument would: the inverse of decode."""
    if isinstance(value, float) and not math.isfinite(value):
        number: float | int = value
    else:
        raw = (Decimal(value) - register.offset) / register.scale
        number = float(raw) if register.type.startswith("float") else round(raw)
    try:
        data = struct.pack(_FORMATS[register.type], number)
    except (struct.error, OverflowError) as exc:
        raise BadDriverSettings(
            "{value} does not fit {quantity} of type {type}: choose a smaller value.",
            value=value,
            quantity=register.quantity,
            type=register.type,
        ) from exc
    return from_bytes(data, register.word_order)


def _fault(register: Register, detail: str) -> Decoded:
    return Decoded(register.quantity, "", None, None, detail)


def map_ids() -> tuple[str, ...]:
    """List the register maps that come with the drivers."""
    files = resources.files("drivers.maps").iterdir()
    return tuple(sorted(f.name[:-5] for f in files if f.name.endswith(".toml")))


def load_map(id_or_path: str | Path) -> RegisterMap:
    """Load a register map by its id, or from a file whose name ends in ``.toml``."""
    name = str(id_or_path)
    if name.endswith(".toml"):
        try:
            return parse_map(Path(name).read_text(encoding="utf-8"), name)
        except OSError as exc:
            raise BadDriverSettings(
                "The register map file {file} cannot be read ({reason}): check the path.",
                file=name,
                reason=exc.strerror,
            ) from exc
    if name not in map_ids():
        raise BadDriverSettings(
            "There is no register map {map}: choose from {known} or give a .toml file.",
            map=name,
            known=", ".join(map_ids()),
        )
    text = resources.files("drivers.maps").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return parse_map(text, f"{name}.toml")


def parse_map(text: str, file: str) -> RegisterMap:
    """Parse the text of a register map file; ``file`` is its name in error sentences."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise BadDriverSettings(
            "{file}: this is no TOML ({reason}).", file=file, reason=exc
        ) from exc
    top = MapTable(raw, "", file)
    entries = top.pop("register", list, "a list of [[register]] tables")
    sources = MapTable(top.pop("sources", dict, "a table of documents"), "sources", file)
    documents = {name: sources.text(name) for name in list(sources.raw)}
    base = top.integer("address_base", 0, 1)
    defaults = (
        top.choice("function", ("holding", "input")),
        top.choice("word_order", tuple(WordOrder)),
    )
    registers: list[Register] = []
    if not isinstance(entries, list) or not entries:
        raise top.wrong("register", "a list of [[register]] tables")
    for index, entry in enumerate(entries):
        table = MapTable(entry, f"register[{index}]", file)
        register = _parse_register(table, base, defaults, documents)
        if any(register.quantity == other.quantity for other in registers):
            raise table.wrong("quantity", "a name used once")
        registers.append(register)
    parsed = RegisterMap(
        id=top.text("id"),
        title=top.text("title"),
        provisional=top.flag("provisional", False),
        note=top.text("note", ""),
        max_registers=top.integer("max_registers", 4, MAX_REGISTERS, MAX_REGISTERS),
        max_gap=top.integer("max_gap", 0, MAX_REGISTERS, 0),
        registers=tuple(registers),
    )
    top.done()
    return parsed


def _parse_register(
    table: MapTable, base: int, defaults: tuple[str, str], documents: Mapping[str, str]
) -> Register:
    quantity = table.text("quantity")
    data_type = table.choice("type", DATA_TYPES)
    kind = table.choice("function", ("holding", "input"), defaults[0])
    ok = table.pop("ok", list, "a list of whole numbers", None)
    if ok is not None and (
        not isinstance(ok, list) or not ok or any(type(v) is not int for v in ok)
    ):
        raise table.wrong("ok", "a list of whole numbers")
    if ok is not None and data_type.startswith("float"):
        raise table.wrong("type", "a whole-number type for a status register")
    width = struct.calcsize(_FORMATS[data_type])
    scale = table.decimal("scale", "1")
    if not scale:
        raise table.wrong("scale", "a number other than 0")
    faults: dict[int, str] = {}
    fault_table = MapTable(
        table.pop("faults", dict, "a table", {}), table.key("faults"), table.file
    )
    for pattern in list(fault_table.raw):
        try:
            bits = int(pattern, 0)
        except ValueError:
            bits = -1
        if not 0 <= bits < 1 << (8 * width):
            raise fault_table.wrong(pattern, f"a bit pattern of {8 * width} bits, as 0x8000")
        faults[bits] = fault_table.text(pattern)
    document = table.choice("document", tuple(documents))
    register = Register(
        quantity=quantity,
        address=table.integer("address", base, 65536 - width // 2 + base) - base,
        kind="input" if kind == "input" else "holding",
        type=data_type,
        word_order=WordOrder(table.choice("word_order", tuple(WordOrder), defaults[1])),
        unit=None if ok is not None else table.text("unit"),
        unit_from_meter=table.flag("unit_from_meter", False),
        scale=scale,
        offset=table.decimal("offset", "0"),
        faults=faults,
        ok=None if ok is None else frozenset(ok),
        source=f"{documents[document]}, {table.text('page')}",
    )
    table.done()
    return register
