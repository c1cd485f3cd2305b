"""How a liquid changes its volume between two temperatures.

Knows a stated coefficient with its uncertainty, and pure water by its density. Refuses to assume a
coefficient: where temperatures differ and the sheet states none, there is no volume at the meter.
"""

from dataclasses import dataclass

import numpy as np

from calibration.distributions import Floats
from calibration.refusal import Refused
from calibration.routines.reference_sheet import Liquid
from calibration.water import water_density


@dataclass(frozen=True, slots=True, eq=False)
class LiquidExpansion:
    """The coefficient β with V(t2) = V(t1) (1 + β (t2 - t1))."""

    coefficient: Floats
    """β [1/K], one or one per pair of temperatures."""
    standard_uncertainty: float
    """u(β) [1/K]; 0 for water, whose density is known far better than temperatures."""

    @classmethod
    def of(cls, liquid: Liquid | None, start: Floats, end: Floats, key: str) -> "LiquidExpansion":
        """Find β between two columns of temperatures [°C] of one shape."""
        if bool((start == end).all()) and (liquid is None or not liquid.water):
            return cls.stated(liquid) if liquid is not None else cls(np.zeros(1), 0.0)
        if liquid is None:
            raise Refused(
                "the temperatures in {test} differ: state the expansion of the liquid and its source.",
                key="liquid",
                test=key,
            )
        if not liquid.water:
            if liquid.expansion is None:
                raise Refused(
                    "the temperatures in {test} differ: state the expansion of the liquid and its "
                    "source.",
                    key="liquid.expansion",
                    test=key,
                )
            return cls.stated(liquid)
        change = end - start
        # Where nothing changes the coefficient is that of 1 mK: an unnoticed change still counts.
        step = np.where(change == 0, np.where(start > 20, -1e-3, 1e-3), change)
        ratio = water_density(start) / water_density(start + step)
        return cls(np.asarray((ratio - 1) / step), 0.0)

    @classmethod
    def stated(cls, liquid: Liquid) -> "LiquidExpansion":
        """Take β as the sheet states it; 0 where it states none."""
        if liquid.expansion is None:
            return cls(np.zeros(1), 0.0)
        u = 0.0
        if liquid.expansion_uncertainty is not None:
            u = float(liquid.expansion_uncertainty.exactly("1/K")) / 2
        return cls(np.array([float(liquid.expansion.exactly("1/K"))]), u)
