"""``tera doctor --commission``: which word order and address base fit a value on the display."""

import argparse
import asyncio
from decimal import Decimal
from typing import Any

from acquisition.config import Instrument, instrument_settings
from acquisition.faults import BadInput
from acquisition.instruments import Lines
from acquisition.language import t
from acquisition.output import console, print_json, table
from acquisition.typed_settings import typed_settings
from calibration.units import Quantity, finite, parse_quantity, same_kind
from drivers.errors import BadDriverSettings, InstrumentRefused
from drivers.modbus import RegisterBus
from drivers.register_map import RegisterMap
from drivers.word_order_fit import Candidate, candidates, check_known, places

_QUESTION = "give the quantity and what the display shows, as in --value 'totalizer_1=12345.67 m³'"


def main(arguments: argparse.Namespace) -> int:
    """Run the command: 0 when exactly one way of reading fits, 1 when none or several do."""
    settings = _settings(arguments)
    quantity, equals, text = (arguments.value or "").partition("=")
    if not equals:
        raise BadInput(_QUESTION, place="--value")
    shown = parse_quantity(text, key="--value")
    known, value = _in_its_unit(settings.register_map(), quantity, shown)
    try:
        check_known(known, quantity, value)
    except BadDriverSettings as error:
        raise BadInput(error.template, place="--value", **error.evidence) from None
    found = asyncio.run(_read(settings, known, quantity, value))
    fitting = [candidate for candidate in found if candidate.fits]
    if arguments.json:
        print_json(_row(candidate) for candidate in found)
    else:
        _show(settings, quantity, shown, found, fitting)
    return 0 if len(fitting) == 1 and _told_apart(known, quantity, fitting[0]) else 1


def _settings(arguments: argparse.Namespace) -> Instrument:
    given: dict[str, Any] = typed_settings(arguments.settings)
    for key in ("driver", "port", "word_order", "address_base"):
        if key in given:
            raise BadInput("this key is not known", place=f"--set {key}")
    given.setdefault("name", "commission")
    return instrument_settings(driver="modbus", port=arguments.commission, **given)


def _in_its_unit(known: RegisterMap, quantity: str, shown: Quantity) -> tuple[RegisterMap, Decimal]:
    """Give the value in the unit of the register; where the menu decides it, in the display's."""
    register = known.register(quantity)
    if register.unit is None or shown.unit == register.unit:
        return known, shown.magnitude
    if register.unit_from_meter:
        return known.with_units({quantity: shown.unit}), shown.magnitude
    if not same_kind(shown.unit, register.unit):
        raise BadInput(
            "{quantity} is in {unit} and cannot be {value}",
            place="--value",
            quantity=quantity,
            unit=register.unit,
            value=shown,
        )
    exact = shown.exactly(register.unit)
    return known, finite(exact) or Decimal(exact.numerator) / Decimal(exact.denominator)


async def _read(
    settings: Instrument, known: RegisterMap, quantity: str, value: Decimal
) -> tuple[Candidate, ...]:
    lines = Lines()
    try:
        bus = lines.bus(settings, settings.port)
        unit = settings.unit_of(known)
        bus.introduce(unit, known.manners)
        registers = places(known, quantity)
        read: dict[int, tuple[int, ...] | str] = {}
        for base, register in registers.items():
            read[base] = await _words(bus, unit, register.kind, register.address, register.count)
    finally:
        await lines.aclose()
    return candidates(registers, read, value)


async def _words(
    bus: RegisterBus, unit: int, kind: Any, address: int, count: int
) -> tuple[int, ...] | str:
    try:
        return await bus.read(unit, kind, address, count)
    except InstrumentRefused as error:  # there is nothing at this address: that tells, too
        return str(error.evidence.get("name", error))


def _told_apart(known: RegisterMap, quantity: str, fitting: Candidate) -> bool:
    """Say whether the registers of this value tell one order from another, where it matters."""
    return len(fitting.orders) == 1 or known.register(quantity).count == 1


def _row(candidate: Candidate) -> dict[str, Any]:
    return {
        "address_base": candidate.base,
        "address": candidate.address,
        "word_order": list(candidate.orders),
        "registers": candidate.raw.hex(),
        "value": candidate.decoded.value,
        "unit": candidate.decoded.unit,
        "fault": candidate.decoded.fault,
        "fits": candidate.fits,
    }


def _show(
    settings: Instrument,
    quantity: str,
    shown: Quantity,
    found: tuple[Candidate, ...],
    fitting: list[Candidate],
) -> None:
    drawn: Any = table(
        t("{quantity} of {value}, read in every way", quantity=quantity, value=shown),
        [
            ("", "left"),
            (t("address base"), "right"),
            (t("wire address"), "right"),
            (t("word order"), "left"),
            (t("registers"), "left"),
            (t("value"), "right"),
        ],
    )
    for candidate in found:
        decoded = candidate.decoded
        value = t(decoded.fault) if decoded.fault else f"{decoded.text} {decoded.unit or ''}"
        drawn.add_row(
            "✓" if candidate.fits else "",
            str(candidate.base),
            str(candidate.address),
            ", ".join(candidate.orders),
            candidate.raw.hex(" ", 2),
            value.strip(),
        )
    out = console()
    out.print(drawn)
    for line in _said(settings, quantity, shown, fitting):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def _said(
    settings: Instrument, quantity: str, shown: Quantity, fitting: list[Candidate]
) -> list[str]:
    known = settings.register_map()
    if not fitting:
        return [
            t("no word order and no address base gives {value}:", value=shown),
            t("check unit number, register map and the value on the display, and try once more"),
        ]
    if len(fitting) > 1 or not _told_apart(known, quantity, fitting[0]):
        return [
            t("more than one way of reading gives {value}:", value=shown),
            t("take a total at rest with all its digits, and try once more"),
        ]
    one = fitting[0]
    lines = [t("one way of reading fits; lines for config.toml:"), ""]
    lines += ["[[bench.instrument]]", 'driver = "modbus"', f'port = "{settings.port}"']
    lines += [f'map = "{settings.map}"', f"unit = {settings.unit_of(known)}"]
    if known.register(quantity).count > 1:
        lines.append(f'word_order = "{one.orders[0]}"')
    lines.append(f"address_base = {one.base}")
    if known.register(quantity).unit_from_meter:
        lines.append(f'units = {{ {quantity} = "{shown.unit}" }}')
    return lines
