"""What one simulated scale is like: the parameters of its physics, all perfect unless given.

Masses are in the scale's own unit, times in s. Sources and remarks stand with the keys of
config.toml: acquisition/simulated_scale_keys.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

Number = Decimal | float


@dataclass(kw_only=True, eq=False)
class ScaleTraits:
    """A scale as its maker and its years have made it."""

    max: Decimal
    """Maximum capacity."""
    d: Decimal
    """Interval of the display: the finest where there are ``ranges``."""
    e: Decimal = Decimal(0)
    """Verification scale interval; *d* unless given."""
    seed: int = 1

    settling_time: float = 0.3
    """Time constant of the settling [s]."""
    overshoot: Number = 0
    """Share of a step by which the signal first goes too far; 0 settles without a swing."""
    motion_window: float = 0.1
    """How far motion detection looks back [s]."""

    zero_error: Number = 0
    """What zero-setting leaves."""
    span_error_ppm: Number = 0
    eccentricity_ppm: Sequence[Number] = ()
    """Relative error by position, 0 being the centre."""
    nonlinearity_ppm: Number = 0
    """Error at half of Max, relative to Max; none at zero and Max."""
    hysteresis_ppm: Number = 0
    """More on the way down than up at half of the top load, relative to the top load."""
    slack: Number = 0
    """Load that is lost before a worn spring pulls."""
    friction: Number = 0
    """Half of the dead band in which a pointer sticks."""

    creep_ppm: Number = 0
    """Growth of the indication in 30 minutes, relative to the load."""
    creep_time: float = 600.0
    """Time constant of creep and of zero return [s]."""
    zero_return_ppm: Number = 0
    """What stays at zero right after 30 minutes of load, relative to the load."""

    temperature: float = 20.0
    """Of the room [°C]."""
    temperature_drift: float = 0.0
    """[K/h]"""
    warm_up: float = 0.0
    """Own heat of the electronics [K]."""
    warm_up_time: float = 600.0
    """Time constant of own heat and of following the room [s]."""
    zero_per_kelvin: Number = 0
    span_per_kelvin_ppm: Number = 0
    drift_per_hour: Number = 0
    """Of zero, whatever the temperature; from the last zero-setting on."""

    noise: Number = 0
    """Standard deviation, drawn anew at each look; motion detection does not see it."""
    vibration: Number = 0
    """Amplitude of bursts that come by chance."""
    vibration_every: float = 60.0
    """One burst in so many seconds."""
    vibration_lasts: float = 3.0
    """[s]"""
    vibration_frequency: float = 7.0
    """[Hz]"""

    zero_tracking: Number = 0
    """Largest correction [d/s]; 0 tracks no zero."""
    zero_range_percent: Number = 4
    """Overall effect of zero-setting and zero-tracking [% of Max]."""
    initial_zero_range_percent: Number = 20
    """Overall effect of the zero-setting at power on [% of Max]."""

    ranges: Sequence[tuple[Decimal, Decimal]] = ()
    """Max and d of each range, from the finest on."""
    multiple_range: bool = False
    """Whether a coarser range stays until the receptor is empty."""
    pointer_step: Number = 0
    """Smallest part of d to which a reader interpolates; 0 for a display of digits."""
    reading_error: Number = 0
    """Standard deviation of the reader's interpolation, relative to d."""

    def __post_init__(self) -> None:
        """Take *d* for *e* where none is given."""
        self.e = self.e or self.d
