"""Quantities with units, and conversions that never lose a digit.

Knows unit symbols and exact factors. Refuses to round: a conversion whose result has no finite
decimal form is refused, and so is a text that is not one plain number and one unit. The scale
intervals ``e`` and ``d`` and ``%`` are ours (to pint they are a charge, a day and 1/100): they
belong to an instrument or to a value and convert to nothing.
"""

import re
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, localcontext
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

import pint

from calibration.refusal import Refused

INTERVAL = "e"
"""Unit symbol: verification scale interval."""
SCALE_INTERVAL = "d"
"""Unit symbol: actual scale interval."""
PERCENT = "%"
"""Unit symbol: per cent of the value."""
OWN_UNITS = frozenset({INTERVAL, SCALE_INTERVAL, PERCENT})

_EXACT = Context(prec=80, traps=[Inexact])
_LARGEST_POWER = 30
"""Magnitudes beyond 10^±30 are refused: exact arithmetic on them has no end."""
_QUANTITY = re.compile(
    r"\s*(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)"
    r"\s*(?P<unit>\S.*?)?\s*"
)
_COMMA = re.compile(r"\s*[+-]?[0-9][0-9.]*,[0-9].*")
"""A decimal comma, or commas between thousands."""
_FACTOR = r"(?:[^\W\d_]+|Δ?°[CF])\^?(?:-?[1-9]|⁻?[¹²³⁴])?"
_UNIT = re.compile(rf"(?:1/)?{_FACTOR}(?:[·*/ ]{_FACTOR}){{0,4}}")
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Quantity:
    """One value with its unit (VIM 1.19)."""

    magnitude: Decimal
    """The digits as given, trailing zeros kept [unit]."""
    unit: str
    """Unit symbol (``g``, ``m³/h``, ``°C``), or ``e``, ``d``, ``%``."""

    def to(self, unit: str) -> "Quantity":
        """Express it in another unit of the same dimension, exactly or not at all."""
        target = unit_symbol(unit)
        if target == self.unit:
            return self
        magnitude = finite(self.exactly(target))
        if magnitude is None:
            raise Refused(
                "{value} has no exact value in {unit}: state it in {unit}.", value=self, unit=target
            )
        return Quantity(magnitude, target)

    def exactly(self, unit: str) -> Fraction:
        """Give its value in another unit where the digits may have no end: 1 m³/h in L/min."""
        scale, offset = _conversion(self.unit, unit_symbol(unit))
        return Fraction(self.magnitude) * scale + offset

    def __str__(self) -> str:
        """Print digits and unit with a space between."""
        return f"{self.magnitude:f} {self.unit}"


def parse_quantity(text: str, *, key: str | None = None) -> Quantity:
    """Read one number and one unit, for example ``2.5 kg``, ``10005g`` or ``500.5 e``.

    >>> parse_quantity("15005 g").to("kg")
    Quantity(magnitude=Decimal('15.005'), unit='kg')
    """
    match = _QUANTITY.fullmatch(text) if len(text) <= 120 else None
    text = text if len(text) <= 120 else f"{text[:120]}…"
    if _COMMA.fullmatch(text):
        raise Refused(
            "{text!r} has a comma in the number: write a decimal point and nothing between "
            "thousands, for example 2.5 kg.",
            key=key,
            text=text,
        )
    if match is None:
        raise Refused(
            "{text!r} is no quantity: write one number with a decimal point and one unit, "
            "for example 2.5 kg.",
            key=key,
            text=text,
        )
    if match["unit"] is None:
        raise Refused("{text!r} has no unit: write it as in 2.5 kg.", key=key, text=text)
    magnitude = Decimal(match["number"])
    if not magnitude:
        magnitude = magnitude.quantize(Decimal(1)) if magnitude.adjusted() > 0 else magnitude
    if abs(magnitude.adjusted()) > _LARGEST_POWER or len(magnitude.as_tuple().digits) > 40:
        raise Refused("{text!r} is out of every instrument's range.", key=key, text=text)
    try:
        return Quantity(magnitude, unit_symbol(match["unit"]))
    except Refused as refused:
        raise Refused(refused.template, key=key, **refused.evidence) from None


@lru_cache(maxsize=1024)
def unit_symbol(unit: str) -> str:
    """Give the one symbol a unit is printed with: ``kilogram`` is ``kg``, ``m3/h`` is ``m³/h``."""
    if unit in OWN_UNITS:
        return unit
    above: list[str] = []
    below: list[str] = []
    for name, power in sorted(_registry().Quantity(1, _parsed(unit)).unit_items()):
        term = str(_registry().get_symbol(name))
        times = abs(int(power))
        (above if power > 0 else below).append(
            term if times == 1 else term + str(times).translate(_SUPERSCRIPTS)
        )
    if not above and not below:
        raise Refused("{unit!r} is not a unit of measurement.", unit=unit)
    return "/".join(["·".join(above) or "1", *below])


def same_kind(unit: str, other: str) -> bool:
    """Tell whether a value in one unit can be expressed in the other."""
    if unit in OWN_UNITS or other in OWN_UNITS:
        return unit == other
    return bool(_parsed(unit).dimensionality == _parsed(other).dimensionality)


def same_digits(unit: str, other: str) -> bool:
    """Tell whether units differ by a power of ten: 250 g is 0.25 kg, but 1 L/min 0.06 m³/h."""
    if not same_kind(unit, other):
        return False
    scale, offset = _conversion(unit_symbol(unit), unit_symbol(other))
    whole = max(scale.numerator, scale.denominator)
    return (
        offset == 0
        and min(scale.numerator, scale.denominator) == 1
        and (str(whole).strip("0") == "1")
    )


@cache
def _registry() -> Any:
    # Fraction, not Decimal: 6 m³/h is exactly 100 L/min, but a Decimal 1/3600 is already rounded.
    registry: Any = pint.UnitRegistry(non_int_type=Fraction)
    # pint prints the litre as l; OIML and SI practice in Indonesia write L, so mL and L/min.
    registry.define("liter = decimeter ** 3 = L = l = ℓ = litre")
    return registry


@lru_cache(maxsize=1024)
def _parsed(unit: str) -> Any:
    if _UNIT.fullmatch(unit) is None:
        raise Refused("{unit!r} is not a unit of measurement.", unit=unit)
    try:
        return _registry().parse_units(re.sub(r"(?<=[^\W\d_])(-?[1-9])", r"^\1", unit))
    except (pint.UndefinedUnitError, pint.errors.DefinitionSyntaxError, ValueError, TypeError):
        raise Refused("{unit!r} is not a unit of measurement.", unit=unit) from None


@lru_cache(maxsize=1024)
def _conversion(unit: str, target: str) -> tuple[Fraction, Fraction]:
    """Give the exact scale and offset from one unit to another."""
    if unit == target:
        return Fraction(1), Fraction(0)
    if not same_kind(unit, target):
        raise Refused("{unit} cannot be expressed in {target}.", unit=unit, target=target)
    source, wanted = _parsed(unit), _parsed(target)
    offset = Fraction(_registry().convert(Fraction(0), source, wanted))
    return Fraction(_registry().convert(Fraction(1), source, wanted)) - offset, offset


def finite(exact: Fraction) -> Decimal | None:
    """Write a fraction as a Decimal; None when its digits have no end.

    >>> finite(Fraction(1, 8)), finite(Fraction(1, 3))
    (Decimal('0.125'), None)
    """
    places = 0
    rest = exact.denominator
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest //= prime
            count += 1
        places = max(places, count)
    if rest != 1 or places > 2 * _LARGEST_POWER:
        return None
    with localcontext(_EXACT):
        return Decimal(exact.numerator * 10**places // exact.denominator).scaleb(-places)
