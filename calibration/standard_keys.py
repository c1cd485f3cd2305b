"""A measurement standard as a sheet or the register writes it, read strictly.

Knows the keys of ``[[standards]]``. Refuses to know whether a standard is good enough.
"""

from decimal import Decimal

from calibration.refusal import Refused
from calibration.sheet_keys import Keys, kind_of, require_kind
from calibration.standard import CalibrationPoint, NamedStandard, Standard
from calibration.units import PERCENT, Quantity

_DETAILS = frozenset(
    [
        "kind",
        "class",
        "certificate",
        "due",
        "expanded_uncertainty",
        "coverage_factor",
        "mpe",
        "correction",
        "point",
        "drift",
        "nominal",
        "weights",
        "density",
        "density_uncertainty",
        "reference_temperature",
        "expansion",
        "interval",
        "drip_time",
        "wetted",
    ]
)
_POINT = ("nominal", "value", "correction", "expanded_uncertainty", "drift")


def read_standard(keys: Keys) -> NamedStandard:
    """Read a ``[[standards]]`` table of a sheet or of the register; unknown keys are refused."""
    keys.only("id", *sorted(_DETAILS))
    coverage = keys.optional_decimal("coverage_factor")
    if coverage is not None and coverage <= 0:
        raise Refused(
            "{value} is not more than 0.", key=keys.path("coverage_factor"), value=coverage
        )
    standard = Standard(
        id=keys.text("id"),
        kind=keys.optional_text("kind") or "",
        accuracy_class=keys.optional_text("class"),
        certificate=keys.optional_text("certificate") or "",
        due=keys.date("due") if "due" in keys else None,
        expanded_uncertainty=_above_zero(keys, "expanded_uncertainty"),
        coverage_factor=Decimal(2) if coverage is None else coverage,
        mpe=_above_zero(keys, "mpe"),
        correction=keys.optional_quantity("correction"),
        points=_points(keys),
        drift=_above_zero(keys, "drift"),
        nominal=_above_zero(keys, "nominal"),
        weights=keys.column("weights", kind_of("g")) if "weights" in keys else (),
        density=keys.positive("density", "kg/m³", None),
        density_uncertainty=keys.positive("density_uncertainty", "kg/m³", None),
        reference_temperature=_temperature(keys),
        expansion=keys.positive("expansion", "1/K", None),
        interval=_above_zero(keys, "interval"),
        drip_time=keys.positive("drip_time", "s", None),
        wetted=keys.flag("wetted") if "wetted" in keys else None,
    )
    return NamedStandard(standard, in_full=any(name in keys for name in _DETAILS))


def _above_zero(keys: Keys, name: str) -> Quantity | None:
    value = keys.optional_quantity(name)
    if value is not None and value.magnitude <= 0:
        raise Refused("{value} is not more than 0.", key=keys.path(name), value=value)
    return value


def _temperature(keys: Keys) -> Quantity | None:
    value = keys.optional_quantity("reference_temperature")
    if value is not None:
        require_kind(value, "°C", keys.path("reference_temperature"))
    return value


def _points(keys: Keys) -> tuple[CalibrationPoint, ...]:
    points: list[CalibrationPoint] = []
    for key, entry in keys.tables("point"):
        row = Keys(entry, key, _POINT)
        nominal = row.optional_quantity("nominal")
        if nominal is None:
            raise Refused("this key is missing.", key=row.path("nominal"))
        correction, value = row.optional_quantity("correction"), row.optional_quantity("value")
        if (correction is None) == (value is None):
            raise Refused("a point states either its value or its correction.", key=key)
        if value is not None:
            require_kind(value, nominal.unit, row.path("value"))
            difference = value.to(nominal.unit).magnitude - nominal.magnitude
            correction = Quantity(difference, nominal.unit)
        if correction is None:
            continue
        if correction.unit != PERCENT:
            require_kind(correction, nominal.unit, row.path("correction"))
        if points and nominal.to(points[-1].nominal.unit).magnitude <= points[-1].nominal.magnitude:
            raise Refused("the points of a certificate ascend.", key=row.path("nominal"))
        points.append(
            CalibrationPoint(
                nominal,
                correction,
                _above_zero(row, "expanded_uncertainty"),
                _above_zero(row, "drift"),
            )
        )
    return tuple(points)
