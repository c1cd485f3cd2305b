"""The grammar of register map files: every error names the key and the file.

Knows TOML tables and their keys; docs/maps/README.md describes them. Refuses to know what is done
with a map.
"""

import struct
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from drivers.errors import BadDriverSettings
from drivers.map_table import MapTable
from drivers.modbus_manners import Sleep, UnitManners
from drivers.registers import COUNT, DATA_TYPES, FORMATS, Part, Register, WordOrder

MAX_REGISTERS: Final = 125
"""Most registers one read telegram may carry (Modbus Application Protocol V1.1b3, 6.3)."""
MEASURES: Final = (
    *("flow meter", "temperature", "humidity", "pressure"),
    *("pulse counter", "electricity meter", "weighing indicator"),
)
"""Kinds of instruments that maps are listed under."""
_FRAMINGS: Final = tuple(
    f"{bits}{parity}{stop}" for bits in "78" for parity in "NEO" for stop in "12"
)


def parse_file(text: str, file: str) -> dict[str, Any]:
    """Give the fields of the register map that a file describes."""
    try:
        raw = tomllib.loads(text)
    except RecursionError:
        raise BadDriverSettings("{file}: it is nested too deeply.", file=file) from None
    except ValueError as exc:  # also a number of thousands of digits
        raise BadDriverSettings(
            "{file}: this is no TOML ({reason}).", file=file, reason=exc
        ) from exc
    top = MapTable(raw, "", file)
    entries = top.pop("register", list, "a list of [[register]] tables")
    sources = top.table("sources", wanted="a table of documents")
    documents = {name: sources.text(name) for name in list(sources.raw)}
    base = top.integer("address_base", 0, 1)
    reader = _Registers(
        base,
        (top.choice("function", ("holding", "input")), top.choice("word_order", tuple(WordOrder))),
        documents,
        _ranges(top),
        top.integer("max_registers", 1, MAX_REGISTERS, MAX_REGISTERS),
        top.integer("max_gap", 0, MAX_REGISTERS, 0),
    )
    registers: list[Register] = []
    if not isinstance(entries, list) or not entries:
        raise top.wrong("register", "a list of [[register]] tables")
    for index, entry in enumerate(entries):
        table = MapTable(entry, f"register[{index}]", file)
        register = reader.read(table)
        if any(register.quantity == other.quantity for other in registers):
            raise table.wrong("quantity", "a name used once")
        registers.append(register)
    for index, register in enumerate(registers):
        if unknown := register.governs - {r.quantity for r in registers if not r.status}:
            place = MapTable({}, f"register[{index}]", file)
            raise place.wrong("governs", f"a list of measured quantities, not {min(unknown)}")
    second = top.optional_integer("second_base", -65535, 65535)
    given: dict[str, Any] = {
        "id": top.text("id"),
        "title": top.text("title"),
        "measures": top.choice("measures", MEASURES, "flow meter"),
        "provisional": top.flag("provisional", False),
        "note": top.text("note", ""),
        "setup": top.text("setup", ""),
        "cabling": top.text("cabling", ""),
        "max_registers": reader.max_registers,
        "max_gap": reader.max_gap,
        "address_base": base,
        "second_base": second,
        "manners": _manners(top.table("line", wanted="a table", default={})),
        "registers": tuple(registers),
        "sources": tuple(documents.values()),
    }
    if second is not None and any(
        not 0 <= r.address + second <= (1 << 16) - r.count for r in registers
    ):
        raise top.wrong("second_base", "a number that keeps every register within 0 to 65535")
    top.done()
    return given


def _ranges(top: MapTable) -> Mapping[str, tuple[Decimal, Decimal]]:
    table = top.table("ranges", wanted="a table of ranges", default={})
    found = {}
    for code in list(table.raw):
        found[code] = table.pair(code)
    return found


def _manners(line: MapTable) -> UnitManners:
    asleep = "sleep" in line.raw
    table = line.table("sleep", wanted="a table", default={})
    sleep = None
    if asleep:
        sleep = Sleep(table.seconds("after"), table.seconds("wait"), table.seconds("within"))
        if not 0 < sleep.wait < sleep.within:
            raise table.wrong("wait", "above 0 and less than within")
    table.done()
    manners = UnitManners(
        baudrate=line.optional_integer("baudrate", 110, 1_000_000),
        framing=line.choice("framing", _FRAMINGS) if "framing" in line.raw else None,
        unit=line.optional_integer("unit", 0, 255),
        timeout=line.seconds("timeout") if "timeout" in line.raw else None,
        turnaround=line.seconds("turnaround") if "turnaround" in line.raw else 0.0,
        sleep=sleep,
    )
    line.done()
    return manners


class _Registers:
    """Reads [[register]] tables with what the file says for all of them."""

    def __init__(
        self,
        base: int,
        defaults: tuple[str, str],
        documents: Mapping[str, str],
        ranges: Mapping[str, tuple[Decimal, Decimal]],
        max_registers: int,
        max_gap: int,
    ) -> None:
        self._base, self._defaults, self._documents = base, defaults, documents
        self._ranges = ranges
        self.max_registers, self.max_gap = max_registers, max_gap

    def read(self, table: MapTable) -> Register:
        quantity = table.text("quantity")
        data_type = table.choice("type", DATA_TYPES)
        kind = table.choice("function", ("holding", "input"), self._defaults[0])
        own = _width(data_type)
        address = self._address(table, data_type)
        plus = self._parts(table)
        first = min([address, *(at for at, _ in plus)])
        self._one_telegram(table, [(address, own), *((at, part.count) for at, part in plus)])
        ok, bits = self._status(table, data_type, bool(plus))
        status = ok is not None or bool(bits)
        counted = self._counted(table, data_type, status or bool(plus))
        printed = table.text("printed", str(address + self._base))
        register = Register(
            quantity=quantity,
            address=first,
            kind="input" if kind == "input" else "holding",
            type=data_type,
            word_order=WordOrder(table.choice("word_order", tuple(WordOrder), self._defaults[1])),
            unit=None if status else COUNT if counted else table.text("unit"),
            unit_from_meter=table.flag("unit_from_meter", False),
            scale=table.factor("scale", "1"),
            offset=table.decimal("offset", "0"),
            faults=_faults(table, own),
            ok=ok,
            source=f"{self._documents[table.choice('document', tuple(self._documents))]}, "
            f"{table.text('page')}",
            printed=printed,
            at=address - first,
            plus=tuple(Part(at - first, part.type, part.scale, part.step) for at, part in plus),
            bits=bits,
            governs=frozenset(table.texts("governs")) if status else frozenset(),
            valid=table.pair("valid") if "valid" in table.raw else None,
            note=table.text("note", ""),
            factor_from_meter=counted,
            **self._range(table, data_type, status or counted or bool(plus)),
            **_counter(table, data_type, own, status or bool(plus)),
        )
        table.done()
        if register.modulus is not None and (register.faults or register.offset):
            raise table.wrong("modulus", "left out where there are faults or an offset")
        return register

    def _address(self, table: MapTable, data_type: str) -> int:
        last = 65536 - _width(data_type) + self._base
        return table.integer("address", self._base, last) - self._base

    def _parts(self, table: MapTable) -> list[tuple[int, Part]]:
        given = table.pop("plus", list, "a list of tables", [])
        found = []
        for index, entry in enumerate(given if isinstance(given, list) else []):
            part = MapTable(entry, table.key(f"plus[{index}]"), table.file)
            data_type = part.choice("type", DATA_TYPES)
            address = self._address(part, data_type)
            scale = part.factor("scale", "1")
            step = part.decimal("step", "0")
            if step < 0:
                raise part.wrong("step", "a number not below 0")
            part.done()
            found.append((address, Part(0, data_type, scale, step)))
        return found

    def _one_telegram(self, table: MapTable, places: list[tuple[int, int]]) -> None:
        """A sum of registers that were read one after the other would be wrong at a carry."""
        places.sort()
        if places[0][1] > self.max_registers:
            raise table.wrong("type", "a type that fits into max_registers")
        for (at, count), (following, _) in pairwise(places):
            if not 0 <= following - at - count <= self.max_gap:
                raise table.wrong("plus", "registers that follow one another without overlap")
        if places[-1][0] + places[-1][1] - places[0][0] > self.max_registers:
            raise table.wrong("plus", "registers that one telegram can read")

    def _status(
        self, table: MapTable, data_type: str, summed: bool
    ) -> tuple[frozenset[int] | None, Mapping[int, str]]:
        ok = table.pop("ok", list, "a list of whole numbers", None)
        if ok is not None and (
            not isinstance(ok, list) or not ok or any(type(v) is not int for v in ok)
        ):
            raise table.wrong("ok", "a list of whole numbers")
        bits = _patterns(table, "bits", _width(data_type))
        if (ok is not None or bits) and (data_type.startswith("float") or summed):
            raise table.wrong("type", "a whole-number type for a status register")
        return (None if ok is None else frozenset(ok)), bits

    def _range(self, table: MapTable, data_type: str, otherwise: bool) -> dict[str, Any]:
        if "range" not in table.raw:
            return {}
        code = table.choice("range", tuple(self._ranges))
        if not data_type.startswith("uint") or otherwise:
            raise table.wrong("range", "left out unless the type is an unsigned whole number alone")
        return {"range": code, "ranges": self._ranges}

    def _counted(self, table: MapTable, data_type: str, otherwise: bool) -> bool:
        if not table.flag("factor_from_meter", False):
            return False
        if data_type.startswith("float") or otherwise:
            raise table.wrong("factor_from_meter", "false unless the type is a whole number alone")
        return True


def _width(data_type: str) -> int:
    return struct.calcsize(FORMATS[data_type]) // 2


def _faults(table: MapTable, width: int) -> Mapping[int, str]:
    return _patterns(table, "faults", width)


def _patterns(table: MapTable, name: str, width: int) -> Mapping[int, str]:
    found: dict[int, str] = {}
    patterns = table.table(name, wanted="a table", default={})
    for pattern in list(patterns.raw):
        try:
            bits = int(pattern, 0)
        except ValueError:
            bits = -1
        if not 0 <= bits < 1 << (16 * width):
            raise patterns.wrong(pattern, f"a bit pattern of {16 * width} bits, as 0x8000")
        found[bits] = patterns.text(pattern)
    if name == "bits" and 0 in found:
        raise patterns.wrong("0", "a bit pattern with a bit in it")
    return found


def _counter(table: MapTable, data_type: str, width: int, otherwise: bool) -> dict[str, Any]:
    if "modulus" not in table.raw:
        return {}
    modulus = table.integer("modulus", 2, 1 << 62)
    if not data_type.startswith("uint") or otherwise or modulus > 1 << (16 * width):
        raise table.wrong("modulus", "left out, or the number of counts of an unsigned type")
    rate = table.decimal("max_rate", "0")
    if rate < 0:
        raise table.wrong("max_rate", "a number above 0 in quotes")
    return {"modulus": modulus, "max_rate": rate or None}
