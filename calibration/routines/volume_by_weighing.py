"""The reference volume by weighing what was delivered.

Knows the correction of the scale, the density of the liquid (of water from its temperature), the
buoyancy of air and the way from the temperature on the scale to that at the meter. Refuses a scale
without a correction, and a liquid whose density is not known with its uncertainty.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.air import air_density_budget, unmeasured_air_density
from calibration.calibration_curve import calibrated_at
from calibration.component import Component, certified, limited
from calibration.distributions import Floats
from calibration.expansion import at_temperature, weighed_volume
from calibration.mass import REFERENCE_DENSITY
from calibration.refusal import Refused
from calibration.rounding import rounded_correction
from calibration.routines.liquid_expansion import LiquidExpansion
from calibration.routines.reference_sheet import Liquid, Weighings
from calibration.routines.reference_volume import (
    REFERENCE_SENSITIVITY,
    ReferenceVolumes,
    degrees,
    interval_of,
    named_standard,
    thermometry,
)
from calibration.routines.volume_sheet import MeterTest
from calibration.standard import Standard
from calibration.uncertainty import Model, propagate
from calibration.units import PERCENT, Quantity
from calibration.verification import Reason
from calibration.water import (
    FORMULA_UNCERTAINTY,
    NORMAL_PRESSURE,
    water_density,
    water_density_model,
)

MASS = "kg"
_SIGNS = (-1, -1, 1, 1, 1)
"""How the components of the scale enter the mass: empty and its digit, full and its digit, drift."""
_ENVIRONMENT = (("temperature", "°C"), ("pressure", "hPa"), ("humidity", PERCENT))


def volumes_by_weighing(
    test: MeterTest,
    weighings: Weighings,
    standards: Sequence[Standard],
    liquid: Liquid | None,
    environment: Mapping[str, Quantity],
    unit: str,
    exponent: int,
) -> ReferenceVolumes:
    """Weigh every run: V = m (1 - ρa/ρb)/(ρ(tw) - ρa) (1 + β (tm - tw)), m = full - empty, corrected.

    ρa of air, ρb = 8000 kg/m³ of the weights that the scale was adjusted with (conventional mass),
    ρ of the liquid at tw on the scale, tm the temperature at the meter, β of the liquid. V is
    rounded to 10^``exponent`` [unit]. OIML R 117-1:2007; ISO 4787:2021; EURAMET cg-19.
    """
    scale = named_standard(standards, test.standard, MASS, test.key)
    known = _known_density(liquid, test.key)
    empty = scale_corrected(scale, weighings.empty, f"{test.key}.empty")
    full = scale_corrected(scale, weighings.full, f"{test.key}.full")
    for run, (before, after) in enumerate(zip(empty, full, strict=True)):
        if before < 0 or after <= before:
            raise Refused(
                "{full} after the delivery is not more than {empty} before it.",
                key=f"{test.key}.full[{run}]",
                full=weighings.full[run],
                empty=weighings.empty[run],
            )
    masses = _floats([after - before for before, after in zip(empty, full, strict=True)])
    t_w, t_m = degrees(weighings.liquid_temperature), degrees(weighings.meter_temperature)
    growth = LiquidExpansion.of(known, t_w, t_m, test.key)
    density = _density(known, t_w)
    air, notes = air_of(environment)
    in_unit = float(Quantity(Decimal(1), "m³").exactly(unit))
    on_scale = weighed_volume(masses, density, air.value, REFERENCE_DENSITY)
    volume = in_unit * at_temperature(on_scale, growth.coefficient, t_m, reference_temperature=t_w)
    rounded = rounded_correction(
        "rounding of the volume", unit, volume, exponent, sensitivity=REFERENCE_SENSITIVITY
    )
    warmth = thermometry(standards)
    own = of_scale(scale, weighings, (_floats(empty), _floats(full)))
    components: tuple[Component, ...] = ()
    if own:
        inputs = (
            *own,
            warmth.component("temperature on the scale", weighings.liquid_temperature, t_w),
            warmth.component("temperature at the meter", weighings.meter_temperature, t_m),
            *_of_density(known),
            air,
            Component(
                "expansion of the liquid", growth.coefficient, "1/K", growth.standard_uncertainty
            ),
        )
        error = _error(known, _SIGNS[: len(own)], in_unit, t_w, density)
        components = (*propagate("error", unit, error, inputs).components, rounded.component)
    return ReferenceVolumes(
        rounded.digits(),
        components,
        whole=bool(components),
        notes=notes,
        illegal=warmth.illegal,
        conditions={"method": "gravimetric", "standard": scale.id, "liquid": known.name},
    )


def _floats(column: Sequence[Fraction]) -> Floats:
    return np.array([float(value) for value in column])


def _known_density(liquid: Liquid | None, key: str) -> Liquid:
    """Refuse a liquid whose density is not known with its uncertainty."""
    if liquid is None or not (liquid.water or liquid.density is not None):
        raise Refused(
            "a weighed volume needs the density of the liquid: state it with its uncertainty and "
            "source, or water = true.",
            key="liquid" if liquid is None else "liquid.density",
        )
    if liquid.density_uncertainty is None:
        raise Refused(
            "how far the water may be from pure is not stated: give its density_uncertainty.",
            key="liquid.density_uncertainty",
        )
    return liquid


def scale_corrected(scale: Standard, column: Sequence[Quantity], key: str) -> list[Fraction]:
    """Correct indications of the scale by its certificate [kg], exactly."""
    found = []
    for run, indication in enumerate(column):
        value = indication.exactly(MASS)
        if scale.points:
            try:
                value += calibrated_at(scale, indication.to(MASS), relative=False).correction
            except Refused as refused:
                place = f"{key}[{run}]"
                raise Refused(refused.template, key=place, **refused.evidence) from None
        elif scale.correction is not None:
            value += _share(scale.correction, indication)
        elif scale.mpe is None:
            raise Refused(
                "scale {standard} states neither a correction nor its maximum permissible error.",
                key="standards.point",
                standard=scale.id,
            )
        found.append(value)
    return found


def of_scale(
    scale: Standard, weighings: Weighings, ends: tuple[Floats, Floats]
) -> tuple[Component, ...]:
    """Make the components of both weighings [kg]; empty when the scale states no uncertainty."""
    found: list[Component] = []
    k = float(scale.coverage_factor)
    columns = (("empty", weighings.empty), ("full", weighings.full))
    for (words, column), value in zip(columns, ends, strict=True):
        u = _scale_uncertainty(scale, column)
        if u is None:
            return ()
        sure, mpe = u
        if mpe:
            name = f"maximum permissible error of {scale.id}, {words}"
            found.append(limited(name, MASS, sure, value=value))
        else:
            name = f"calibration of {scale.id}, {words}"
            found.append(certified(name, MASS, value, sure, coverage_factor=k))
        step = interval_of(weighings.resolution, scale, column, MASS)
        found.append(limited(f"indication, {words}", MASS, step / 2))
    if scale.drift is not None:
        loads = ends[1] - ends[0]
        stated = scale.drift
        share = stated.unit == PERCENT
        width = float(stated.magnitude) / 100 * loads if share else float(stated.exactly(MASS))
        found.append(limited(f"drift of {scale.id}", MASS, width))
    return tuple(found)


def _scale_uncertainty(scale: Standard, column: Sequence[Quantity]) -> tuple[Floats, bool] | None:
    """Give U at every indication [kg], or the MPE where no U or no correction is stated."""
    of_points = [
        calibrated_at(scale, indication.to(MASS), relative=False).expanded_uncertainty
        for indication in column
        if scale.points
    ]
    if scale.points and None not in of_points:
        return _floats([u for u in of_points if u is not None]), False
    whole = scale.expanded_uncertainty
    if scale.correction is None or whole is None:
        if scale.mpe is None:
            return None
        return _floats([_share(scale.mpe, indication) for indication in column]), True
    return _floats([_share(whole, indication) for indication in column]), False


def _share(quantity: Quantity, indication: Quantity) -> Fraction:
    """Give a quantity that is absolute or in % of an indication [kg]."""
    if quantity.unit == PERCENT:
        return abs(indication.exactly(MASS)) * Fraction(quantity.magnitude) / 100
    return quantity.exactly(MASS)


def _density(liquid: Liquid, t: Floats) -> Floats:
    """Give the density of the liquid at t [kg/m³]."""
    if liquid.density is None or liquid.density_temperature is None:
        return water_density(t)
    at = np.full(t.shape, float(liquid.density_temperature.exactly("°C")))
    growth = LiquidExpansion.of(liquid, at, t, "liquid.density_temperature")
    stated = float(liquid.density.exactly("kg/m³"))
    return np.asarray(stated / (1 + growth.coefficient * (t - at)))


def _of_density(liquid: Liquid) -> tuple[Component, Component]:
    """Make the components of the density: how well it is known, and the table of Tanaka."""
    u = 0.0
    if liquid.density_uncertainty is not None:
        u = float(liquid.density_uncertainty.exactly("kg/m³"))
    table = FORMULA_UNCERTAINTY if liquid.water else 0.0
    return (
        certified("density of the liquid", "kg/m³", 0.0, u),
        Component("table of Tanaka 2001", 0.0, "kg/m³", table),
    )


def air_of(environment: Mapping[str, Quantity]) -> tuple[Component, tuple[Reason, ...]]:
    """Find the density of air, by CIPM-2007 where it was measured with its uncertainties."""
    inputs = []
    for name, unit in _ENVIRONMENT:
        value, u = environment.get(name), environment.get(f"{name}_uncertainty")
        if value is None or u is None:
            note = Reason(
                "air-density-unmeasured",
                "temperature, pressure and humidity of the air are not all stated with their "
                "uncertainties: its density is taken as 1.2 kg/m³ within 10 %.",
            )
            return unmeasured_air_density(), (note,)
        degree = name == "temperature"
        spread = float(u.magnitude) if degree else float(u.exactly(unit))
        inputs.append(Component(f"{name} of the air", float(value.exactly(unit)), unit, spread / 2))
    budget = air_density_budget(*inputs)
    u_air = float(budget.expanded_uncertainty().combined[0])
    density = float(np.atleast_1d(np.asarray(budget.value))[0])
    return Component("air density", density, "kg/m³", u_air), ()


def _error(
    liquid: Liquid, signs: Sequence[int], in_unit: float, t_w: Floats, density: Floats
) -> Model:
    """Give -V as a function of the inputs of the budget, in their order."""
    tanaka = water_density_model(air_saturated=False)
    pressure = np.array(NORMAL_PRESSURE)

    def error(*x: NDArray[Any]) -> NDArray[Any]:
        t, t_m, impurity, table, rho_a, beta = x[len(signs) :]
        mass = sum((sign * value for sign, value in zip(signs, x, strict=False)), np.zeros(1))
        if liquid.water:
            rho = tanaka(t, pressure)
            carried = rho / tanaka(t_m, pressure)
        else:
            rho = density / (1 + beta * (t - t_w))
            carried = 1 + beta * (t_m - t)
        rho = rho + impurity + table
        return np.asarray(
            -in_unit * mass * (1 - rho_a / REFERENCE_DENSITY) / (rho - rho_a) * carried
        )

    return error
