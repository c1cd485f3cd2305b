"""Print one page per register map from the map itself.

python -m drivers.map_pages [FOLDER]        writes docs/maps/*.md
"""

import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

from drivers.map_file import MEASURES
from drivers.printed_pages import page_text, section, table, write_pages
from drivers.register_map import RegisterMap, load_map, map_ids
from drivers.registers import COUNT, DATA_TYPES, Register

_FOLDER: Final = Path("docs/maps")
_PRINTER: Final = "drivers.map_pages"
_FUNCTIONS: Final = {"holding": "03", "input": "04"}
_CABLE: Final = (
    "RS-485, two wires and common: A/B (also called D-/D+ or -/+) straight to the adapter, shield "
    "earthed at one end, 120 Ω at both ends of a long line. Swapped wires are silence, not noise. "
    "Through a serial server the same line is `rtu+tcp://host:4001`."
)
_UNCHECKED: Final = (
    'Until `map_checked = "name, date"` says who compared it, no verdict with this instrument is '
    "legal."
)
_GRAMMAR: Final = """\
## A map of your own

A map is a TOML file; name it in `config.toml` with its path from there, `map = "my-meter.toml"`, or
on the command line with `--set map=my-meter.toml`. A wrong key is named with file and place.

| key | means |
| --- | --- |
| `id`, `title`, `measures` | name, what it is, and its kind: {measures} |
| `address_base` | 1 when addresses are written as a manual counts them from 1, 0 when as on the wire |
| `function` | `holding` (03) or `input` (04); a register can have its own |
| `word_order` | order of the bytes A (most significant) B C D on the wire: `ABCD`, `CDAB`, `BADC`, `DCBA` |
| `max_registers`, `max_gap` | most registers in one telegram; unused ones it may read across |
| `second_base` | added to every address, this is where it answers a second time |
| `provisional`, `note` | something is not confirmed, and what to compare |
| `setup`, `cabling` | for its page |
| `[line]` | `baudrate`, `framing`, `unit` as delivered; `timeout` and `turnaround` [s, in quotes] |
| `[line.sleep]` | `after`, `wait`, `within` [s]: asleep after, awake it answers within `wait`, the second request follows within |
| `[ranges]` | code = ["low", "high"]: what 0 and full scale of a range-coded number stand for |
| `[sources]` | name = "document" |

Each `[[register]]` has `quantity`, `address`, `type` ({types}), `unit`, `document`, `page`, and where needed

| key | means |
| --- | --- |
| `scale`, `offset` | value = raw × scale + offset, decimals in quotes |
| `unit_from_meter` | the instrument's menu decides the unit: `units = {{ quantity = "L" }}` |
| `plus` | further registers that are added: `[{{ address, type, scale, step }}]`, read with one telegram |
| `range` | code under `[ranges]`; `ranges = {{ quantity = "0x20" }}` |
| `factor_from_meter` | whole steps whose worth is set elsewhere: `factors = {{ quantity = "0.01 L" }}` or `"1000 per L"` |
| `modulus`, `max_rate` | a counter that begins at 0 again after so many; the most counts per second |
| `faults` | bit pattern = what it means: a fault and never a number |
| `valid` | ["low", "high"]: anything beyond is a fault |
| `ok`, `bits`, `governs` | a status: values in order, or bits that mean a fault; the quantities it vouches for |
| `printed`, `note` | for its page |

Nothing is ever written to an instrument.
"""


def pages() -> Mapping[str, str]:
    """Return file name -> text of every page, the index among them."""
    maps = [load_map(name) for name in map_ids()]
    return {"README.md": _index(maps)} | {f"{known.id}.md": _page(known) for known in maps}


def _index(maps: list[RegisterMap]) -> str:
    lines = [
        "# Register maps",
        "",
        "What `map =` and `--set map=` take. Each page says where every number comes from, how to "
        "set the instrument, and how to check it. *Provisional* maps have something that no source "
        "confirms: the page says what to compare, `tera read` says so before the first number, and "
        "no verdict with such an instrument is legal until `map_checked` names who compared it. "
        "`tera doctor --commission` finds word order and address base from a value on the display; "
        "[`tera doctor --probe`](../probing.md) finds units, and the maps that fit them.",
        "",
    ]
    for kind in MEASURES:
        rows = [
            (f"[`{known.id}`]({known.id}.md)", known.title, "provisional" * known.provisional)
            for known in maps
            if known.measures == kind
        ]
        if rows:
            lines += [f"## {_plural(kind)}", "", *table(("map", "instrument", ""), rows), ""]
    types = ", ".join(f"`{name}`" for name in DATA_TYPES)
    return page_text(_PRINTER, [*lines, _GRAMMAR.format(measures=", ".join(MEASURES), types=types)])


def _plural(kind: str) -> str:
    """Name instruments of a kind: what measures temperature is a transmitter."""
    named = kind if kind.endswith(("meter", "counter", "indicator")) else f"{kind} transmitter"
    return f"{named.capitalize()}s"


def _page(known: RegisterMap) -> str:
    lines = [
        f"# {known.title}",
        "",
        f'`map = "{known.id}"`, one of the {_plural(known.measures).lower()}.',
        "",
    ]
    if known.provisional:
        lines += [f"**Provisional.** {known.note} {_UNCHECKED}", ""]
    elif known.note:
        lines += [known.note, ""]
    return page_text(
        _PRINTER,
        [
            *lines,
            *section("Registers", _registers(known)),
            *section("Telegrams", _telegrams(known)),
            *section("Cable", [known.cabling or _CABLE]),
            *section("Settings on the instrument", [known.setup] if known.setup else []),
            *section("As delivered", _delivered(known)),
            *section("Settings here", _settings(known)),
            *section("Faults", _faults(known)),
            *section("How to check", _check(known)),
            *section("Sources", [f"* {source}" for source in known.sources]),
        ],
    )


def _registers(known: RegisterMap) -> list[str]:
    return table(
        ("quantity", "printed", "wire", "function", "type", "order", "unit", "value", "source"),
        [
            (
                f"`{r.quantity}`",
                r.printed,
                _wire(r),
                _FUNCTIONS[r.kind],
                " + ".join([r.type, *(part.type for part in r.plus)]),
                r.word_order.value if r.count > 1 else "",
                _unit(r),
                _value(r),
                r.source,
            )
            for r in known.registers
        ],
    )


def _wire(register: Register) -> str:
    last = register.address + register.count - 1
    return str(register.address) if last == register.address else f"{register.address}–{last}"


def _unit(register: Register) -> str:
    if register.unit is None:
        return "–"
    return f"{register.unit} (or as set)" if register.unit_from_meter else register.unit


def _value(register: Register) -> str:
    parts = []
    if register.range is not None:
        low, high = register.ranges[register.range]
        parts.append(f"{low} + raw / {register.full_scale} × ({high} − {low})")
    if register.scale != 1:
        parts.append(f"raw × {register.scale:f}")
    if register.offset:
        parts.append(f"{'+' if register.offset > 0 else '−'} {abs(register.offset):f}")
    if register.modulus is not None:
        parts.append(f"counter, begins at 0 again after {register.modulus}")
    if register.note:
        parts.append(register.note)
    return "; ".join(parts)


def _telegrams(known: RegisterMap) -> list[str]:
    rows = [
        (
            _FUNCTIONS[telegram.kind],
            str(telegram.address),
            str(telegram.count),
            ", ".join(f"`{member.quantity}`" for member in telegram.members),
        )
        for telegram in known.plan()
    ]
    return table(("function", "from wire address", "registers", "brings"), rows)


def _delivered(known: RegisterMap) -> list[str]:
    manners = known.manners
    facts = [
        ("unit", manners.unit),
        ("baudrate", manners.baudrate),
        ("framing", manners.framing),
        ("timeout [s]", None if manners.timeout is None else f"{manners.timeout:g}"),
        ("pause between telegrams [s]", f"{manners.turnaround:g}" if manners.turnaround else None),
    ]
    lines = [f"* {name}: {value}" for name, value in facts if value is not None]
    if manners.sleep is not None:
        lines.append(
            f"* sleeps after {manners.sleep.after:g} s and loses the request that wakes it: the "
            f"first request is given {manners.sleep.wait:g} s, the second follows within "
            f"{manners.sleep.within:g} s, and only its silence is a fault"
        )
    return lines


def _settings(known: RegisterMap) -> list[str]:
    lines = []
    if names := [r.quantity for r in known.registers if r.unit_from_meter]:
        lines.append(
            f"* units, as set in its menu: `units = {{ {names[-1]} = ... }}` ({_all(names)})"
        )
    if ranges := next((r.ranges for r in known.registers if r.ranges), None):
        quantity = next(r.quantity for r in known.registers if r.ranges)
        codes = ", ".join(f"`{code}` {_span(span)}" for code, span in ranges.items())
        lines.append(f'* ranges, as set on it: `ranges = {{ {quantity} = "..." }}` from {codes}')
    if counted := [r.quantity for r in known.registers if r.factor_from_meter]:
        lines.append(
            f'* what one count is worth: `factors = {{ {counted[0]} = "0.01 L" }}` or '
            f'`"1000 per L"` ({_all(counted)})'
        )
    if known.second_base is not None:
        lines.append(
            f"* `second_base = true` reads at the second address base, {known.second_base:+d} from "
            "the addresses above"
        )
    lines.append('* as found at commissioning: `word_order = "..."`, `address_base = 0` or `1`')
    return lines


def _span(span: tuple[Decimal, Decimal]) -> str:
    return f"({span[0]} to {span[1]})"


def _all(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _faults(known: RegisterMap) -> list[str]:
    rows: list[tuple[str, str, str]] = []
    for register in known.registers:
        name = f"`{register.quantity}`"
        digits = 4 * register.own
        rows += [(name, f"0x{p:0{digits}X}", text) for p, text in register.faults.items()]
        rows += [(name, f"bit 0x{m:0{digits}X}", text) for m, text in register.bits.items()]
        if register.ok is not None:
            good = ", ".join(map(str, sorted(register.ok)))
            rows.append((name, f"anything but {good}", "fault of all values"))
        if register.valid is not None:
            low, high = register.valid
            rows.append((name, f"beyond {low} to {high} {register.unit}", "outside the range"))
        if register.modulus is not None:
            rows.append((name, "falls without being near its end", "restarted: no volume"))
    floats = [r for r in known.registers if r.type.startswith("float")]
    if floats:
        rows.append(("every float", "NaN, infinity", "not a number, infinite"))
    if not rows:
        return ["None is established: see what a broken sensor shows before relying on it."]
    return table(("quantity", "registers hold", "shown as"), rows)


def _check(known: RegisterMap) -> list[str]:
    measured = [r for r in known.registers if not r.status and r.unit != COUNT]
    totals = [r for r in measured if r.quantity.startswith(("totalizer", "energy"))]
    first = next(iter(totals or measured or known.registers))
    ethernet = "Ethernet" in known.cabling
    port = "tcp://192.168.1.60:502" if ethernet else "rtu:///dev/ttyUSB0"
    unit = 1 if known.manners.unit is None else known.manners.unit
    speed = "" if ethernet or known.manners.baudrate else " --set baudrate=19200"
    speed += "" if ethernet or known.manners.framing else " --set framing=8E1"
    lines = [
        "Compare each value with the instrument's own display, at two values far apart.",
        "",
        "```console",
        f"$ tera read --driver modbus --port {port} --set map={known.id} --set unit={unit}{speed} "
        f"--count {len(known.measurands)}",
        f"$ tera doctor --commission {port} --set map={known.id} --set unit={unit}{speed} "
        f'--value "{first.quantity}={"12345.67" if totals else "12.34"} {first.unit}"',
        f"$ tera simulate {known.id} --port tcp://127.0.0.1:1502",
        "```",
    ]
    if "temperature" in known.measures or known.measures in ("humidity", "pressure"):
        lines += [
            "",
            'As the thermometer of a bench: `role = "environment"` in `[[bench.instrument]]`.',
        ]
    return lines


def main(folder: Path = _FOLDER) -> None:
    """Write every page, and remove those that no map has any more."""
    write_pages(pages(), folder)


if __name__ == "__main__":
    main(*(Path(folder) for folder in sys.argv[1:2]))
