"""All registers of one maker's model, and the fewest telegrams that read them.

Knows map files by their id, the settings that an instrument leaves open, and planning. Refuses to
know lines, units on a bus and what a decoded value is good for.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Literal

from drivers.errors import BadDriverSettings
from drivers.map_file import MAX_REGISTERS, parse_file
from drivers.modbus_manners import UnitManners
from drivers.registers import COUNT, Register, WordOrder

__all__ = ["MAX_REGISTERS", "RegisterMap", "Telegram", "load_map", "map_ids", "parse_map"]


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
    measures: str = "flow meter"
    """What kind of instrument it is, for the index of the docs."""
    manners: UnitManners = field(default_factory=UnitManners)
    address_base: int = 0
    """1 when the manual counts registers from 1."""
    second_base: int | None = None
    """Added to every wire address, this is where the instrument answers a second time."""
    setup: str = ""
    """Settings to make on the instrument, for its page in the docs."""
    cabling: str = ""
    sources: tuple[str, ...] = ()

    @property
    def measurands(self) -> tuple[str, ...]:
        """Names of all quantities that are measured values."""
        return tuple(r.quantity for r in self.registers if not r.status)

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
        return self._changed(
            replace(r, unit=units[r.quantity]) if r.quantity in units else r for r in self.registers
        )

    def with_ranges(self, ranges: Mapping[str, str]) -> "RegisterMap":
        """Set the range codes that the channels of the instrument are configured to."""
        for quantity, code in ranges.items():
            known = self.register(quantity).ranges
            if not known:
                raise BadDriverSettings(
                    "{quantity} has no ranges in the register map {map}: leave out "
                    "{quantity}.range.",
                    map=self.id,
                    quantity=quantity,
                )
            if code not in known:
                raise BadDriverSettings(
                    "{quantity} has no range {range} in the register map {map}: choose from {known}.",
                    map=self.id,
                    quantity=quantity,
                    range=code,
                    known=", ".join(known),
                )
        return self._changed(
            replace(r, range=ranges[r.quantity]) if r.quantity in ranges else r
            for r in self.registers
        )

    def with_factors(self, factors: Mapping[str, tuple[Decimal, bool, str]]) -> "RegisterMap":
        """Set what one count is worth: (number, whether it is counts per unit, unit)."""
        for quantity, (number, _, _) in factors.items():
            if not self.register(quantity).factor_from_meter:
                raise BadDriverSettings(
                    "What one count of {quantity} is worth is fixed in the register map {map}: "
                    "leave out {quantity}.factor.",
                    map=self.id,
                    quantity=quantity,
                )
            if number <= 0:
                raise BadDriverSettings(
                    "The factor of {quantity} is {number}: it must be above 0.",
                    quantity=quantity,
                    number=number,
                )
        return self._changed(
            _counted(r, *factors[r.quantity]) if r.quantity in factors else r
            for r in self.registers
        )

    def with_word_order(self, order: WordOrder) -> "RegisterMap":
        """Read everything in another word order, as the instrument was found to send it."""
        return self._changed(replace(r, word_order=order) for r in self.registers)

    def with_address_base(self, base: int) -> "RegisterMap":
        """Take the printed numbers as counted from 0 or from 1, as the instrument was found."""
        if base not in (0, 1):
            raise BadDriverSettings("{base} is no address base: write 0 or 1.", base=base)
        moved = self.address_base - base
        low = min(r.address for r in self.registers) + moved
        high = max(r.address + r.count for r in self.registers) + moved
        if low < 0 or high > 1 << 16:
            raise BadDriverSettings(
                "The register map {map} cannot be read with address base {base}: its registers "
                "would lie outside 0 to 65535.",
                map=self.id,
                base=base,
            )
        return replace(self._moved(moved), address_base=base)

    def at_second_base(self) -> "RegisterMap":
        """Read the registers where the instrument answers a second time."""
        if self.second_base is None:
            raise BadDriverSettings(
                "The register map {map} knows no second address base: leave out second_base.",
                map=self.id,
            )
        return replace(self._moved(self.second_base), second_base=None)

    def plan(self, quantities: Collection[str] | None = None) -> tuple[Telegram, ...]:
        """Plan the fewest telegrams for some quantities and the status registers they need."""
        if quantities is None:
            wanted = list(self.registers)
        else:
            names = {self.register(name).quantity for name in quantities}
            wanted = [r for r in self.registers if r.quantity in names or _vouches(r, names)]
        # Measurands before statuses: the status then speaks for the values just read.
        groups: list[list[Register]] = []
        for register in sorted(wanted, key=lambda r: (r.status, r.kind, r.address)):
            if groups and self._joins(groups[-1], register):
                groups[-1].append(register)
            else:
                groups.append([register])
        return tuple(_telegram(group) for group in groups)

    def _joins(self, group: Sequence[Register], register: Register) -> bool:
        end = max(r.address + r.count for r in group)
        return (
            register.kind == group[0].kind
            and group[0].address <= register.address <= end + self.max_gap
            and register.address + register.count - group[0].address <= self.max_registers
        )

    def _moved(self, by: int) -> "RegisterMap":
        return self._changed(replace(r, address=r.address + by) for r in self.registers)

    def _changed(self, registers: Iterator[Register]) -> "RegisterMap":
        return replace(self, registers=tuple(registers))


def _vouches(register: Register, names: Collection[str]) -> bool:
    return register.status and (not register.governs or bool(register.governs & set(names)))


def _telegram(group: Sequence[Register]) -> Telegram:
    end = max(r.address + r.count for r in group)
    return Telegram(group[0].kind, group[0].address, end - group[0].address, tuple(group))


def _counted(register: Register, number: Decimal, per_unit: bool, unit: str) -> Register:
    if per_unit:
        return replace(register, per_unit=number, unit=unit)
    return replace(register, per_unit=None, scale=number, unit=unit)


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
        except UnicodeDecodeError as exc:
            raise BadDriverSettings(
                "The register map file {file} cannot be read ({reason}): check the path.",
                file=name,
                reason=exc,
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
    return RegisterMap(**parse_file(text, file))


def counts_only(register: Register) -> bool:
    """Say whether nobody has said yet what one count of a register is worth."""
    return register.unit == COUNT
