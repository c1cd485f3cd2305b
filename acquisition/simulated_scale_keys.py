"""``[bench.instrument.scale]``: what a simulated scale is like, with where each figure comes from.

The same keys are those of ``tera simulate NAME --set KEY=VALUE``; docs/simulation.md is printed from
here. A remark *simulation only* means that no source was used: the figure is there to practise with.
"""

from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from acquisition.day_script import OF_A_SCALE, checked_day
from acquisition.setting_types import (
    Exact,
    Listed,
    Mass,
    MassFromZero,
    PositiveMass,
    Settings,
    Temperature,
)
from calibration.refusal import Refused
from calibration.units import parse_quantity
from drivers.physics import ScalePhysics

Seconds = Annotated[float, Field(ge=0, le=86400)]
PositiveSeconds = Annotated[float, Field(gt=0, le=86400)]
Percent = Annotated[Exact, Field(ge=0, le=100)]
Share = Annotated[Exact, Field(ge=0, lt=100)]
Day = Annotated[str, AfterValidator(checked_day(OF_A_SCALE))]


def _ranges_of(text: str) -> list[tuple[str, str]]:
    """Split ``2kg:1g, 5kg:2g`` into texts of Max and d."""
    pairs = [part.partition(":") for part in text.split(",")] if text.strip() else []
    return [(top, interval) for top, _, interval in pairs]


def _are_ranges(text: str) -> str:
    """Check ranges: each larger and coarser than the one before."""
    last = (Decimal(0), Decimal(0))
    for top, interval in _ranges_of(text):
        ends = tuple(parse_quantity(end).to("mg").magnitude for end in (top, interval))
        if not (ends[0] > last[0] and ends[1] > last[1]):
            raise Refused("ranges grow: write 2kg:1g,5kg:2g.")
        last = (ends[0], ends[1])
    return text


class ScaleSimulation(Settings):
    """A simulated scale; masses with their unit, ppm of the load unless said otherwise."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    max: PositiveMass
    """Maximum capacity."""
    d: PositiveMass
    """Interval of the display; with `ranges` the finest."""
    e: PositiveMass | None = None
    """Verification scale interval where it is not *d*. The display goes out above Max + 9 e and below -20 e: R 76-1:2006, 4.2.3; the lower end is simulation only."""
    seed: int = 1
    """What is by chance is the same for the same seed."""
    pace: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Seconds of the scale's life in one second of ours. Simulation only: half an hour of creep in three seconds is `pace = 600`."""
    day: Day = ""
    """What happens while it runs: lines of time and command, as in a file of `tera simulate --script`."""

    settling_time: Seconds = 0.02
    """Time constant of settling [s]. Simulation only, so that exercises are quick: 0.2 to 1 is usual."""
    overshoot_percent: Share = Decimal(0)
    """By how much of a step the signal first goes too far [%]; 0 settles without a swing (first order). Law of a damped spring: drivers/settling.py."""
    motion_window: Seconds | None = None
    """How far motion detection looks back [s]; stable is a movement below d/4 in it. None: twice the longer of settling time and display cycle. Simulation only."""
    display_cycle: PositiveSeconds = 0.005
    """Interval between display updates and streamed indications [s]. Simulation only: 0.05 to 0.2 is usual."""

    zero_error: Mass = "0 g"
    """What zero-setting leaves. R 76-1:2006, 4.5.2 allows 0.25 e."""
    span_error_ppm: Exact = Decimal(0)
    """Error of adjustment. The limits of R 76-1:2006, Table 6 are for it."""
    eccentricity: Annotated[tuple[Exact, ...], Listed] = ()
    """Error by position [ppm], 0 being the centre: `0, 60, -40, 80, -60`. R 76-1:2006, 3.6.2 limits it."""
    nonlinearity_ppm: Exact = Decimal(0)
    """Error at half of Max [ppm of Max]; none at zero and at Max. A parabola: simulation only."""
    hysteresis_ppm: Annotated[Exact, Field(ge=0, le=100000)] = Decimal(0)
    """More on the way down than up, at half of the top load [ppm of the top load]; loops close (Madelung's rules). R 76-1:2006, A.4.4.1 weighs up and down for it. A few 100 for a load cell: simulation only."""
    slack: MassFromZero = "0 g"
    """Load that a worn spring or lever loses before it pulls. Simulation only."""
    friction: MassFromZero = "0 g"
    """Half of the dead band in which a pointer or lever sticks. R 76-1:2006, 3.8 (discrimination) limits it."""

    creep_ppm: Exact = Decimal(0)
    """Growth of the indication in 30 minutes. R 76-1:2006, 3.9.4.1 allows 0.5 e, and 0.2 e of it from 15 to 30 minutes."""
    creep_time: PositiveSeconds = 600.0
    """Time constant of creep and zero return [s]. One exponential: simulation only."""
    zero_return_ppm: Exact = Decimal(0)
    """What stays at zero after 30 minutes of load, beside the creep. R 76-1:2006, 3.9.4.2 allows 0.5 e."""

    temperature: Temperature = "20 °C"
    """Of the room. The scale was adjusted at 20 °C: simulation only."""
    temperature_drift: Annotated[float, Field(ge=-100, le=100)] = 0.0
    """Of the room [K/h]. Simulation only."""
    warm_up: Annotated[float, Field(ge=0, le=100)] = 0.0
    """By how much the electronics become warmer than the room after power on [K]. R 76-1:2006, 5.3.5 and A.5.2 test it; 5 to 10 K: simulation only."""
    warm_up_time: PositiveSeconds = 600.0
    """Time constant of it, and of following the room [s]. Simulation only."""
    zero_per_kelvin: Mass = "0 g"
    """Shift of zero per K. R 76-1:2006, 3.9.2.3 allows 1 e in 5 K (class I: in 1 K)."""
    span_per_kelvin_ppm: Annotated[Exact, Field(ge=-10000, le=10000)] = Decimal(0)
    """Shift of span per K; 10 to 20 for a load cell: simulation only."""
    drift_per_hour: Mass = "0 g"
    """Shift of zero in an hour, whatever the temperature. Simulation only."""

    noise: MassFromZero = "0 g"
    """Standard deviation of the signal; motion detection does not see it. Simulation only: 0.1 to 0.3 d is usual."""
    vibration: MassFromZero = "0 g"
    """Amplitude of bursts that come by chance: a truck that passes. Simulation only, as are the next three."""
    vibration_every: PositiveSeconds = 60.0
    """One burst in so many seconds [s]."""
    vibration_lasts: PositiveSeconds = 3.0
    """How long one lasts [s]."""
    vibration_frequency: Annotated[float, Field(gt=0, le=1000)] = 7.0
    """How fast it shakes [Hz]."""

    zero_tracking: Annotated[Exact, Field(ge=0, le=100)] = Decimal(0)
    """Largest correction of zero while empty and still [d/s]. R 76-1:2006, 4.5.7 allows 0.5."""
    zero_range_percent: Percent = Decimal(4)
    """Overall effect of zero-setting and zero-tracking [% of Max]. R 76-1:2006, 4.5.1: not more than 4 %."""
    initial_zero_range_percent: Percent = Decimal(20)
    """Overall effect of zero-setting at power on [% of Max]. R 76-1:2006, 4.5.1: not more than 20 % without further tests."""
    boot_time: Seconds = 1.0
    """From power on to the first answer [s]. Simulation only."""

    ranges: Annotated[str, AfterValidator(_are_ranges)] = ""
    """Max and d of each range, `"2kg:1g, 5kg:2g"`. R 76-1:2006, 3.3."""
    multiple_range: bool = False
    """Whether a coarser range stays until the receptor is empty (R 76-1:2006, T.3.2.7) rather than following the load."""
    pointer_step: Annotated[Exact, Field(ge=0, le=1)] = Decimal(0)
    """Smallest part of d that a reader interpolates on a dial; 0 for digits. 0.2: simulation only."""
    reading_error: Annotated[Exact, Field(ge=0, le=1)] = Decimal(0)
    """Standard deviation of that reading [d], drawn once for each load. 0.1: simulation only."""

    @model_validator(mode="after")
    def _agrees(self) -> "ScaleSimulation":
        if self.ranges:
            pairs = _ranges_of(self.ranges)
            for key, own, said in (("d", self.d, pairs[0][1]), ("max", self.max, pairs[-1][0])):
                if parse_quantity(own).exactly("g") != parse_quantity(said).exactly("g"):
                    raise Refused(
                        "{name} is {own} and the ranges say {said}: one of them is wrong.",
                        key="ranges",
                        name=key,
                        own=own,
                        said=said,
                    )
        return self

    @property
    def unit(self) -> str:
        """The unit of the display: that of *d*."""
        return parse_quantity(self.d).unit

    def physics(self) -> ScalePhysics:
        """Make the scale; it is switched on at its first look."""
        unit = self.unit

        def mass(text: str) -> Decimal:
            return parse_quantity(text).to(unit).magnitude

        masses: dict[str, Any] = {key: mass(getattr(self, key)) for key in _MASSES}
        window = self.motion_window
        return ScalePhysics(
            **masses,
            **{key: getattr(self, key) for key in _AS_THEY_ARE},
            e=mass(self.e or self.d),
            overshoot=self.overshoot_percent / 100,
            motion_window=2 * max(self.settling_time, self.display_cycle)
            if window is None
            else window,
            eccentricity_ppm=self.eccentricity,
            temperature=float(parse_quantity(self.temperature).exactly("°C")),
            ranges=[(mass(top), mass(interval)) for top, interval in _ranges_of(self.ranges)],
        )


_MASSES: Final = (
    *("max", "d", "zero_error", "slack", "friction", "zero_per_kelvin", "drift_per_hour"),
    *("noise", "vibration"),
)
_AS_THEY_ARE: Final = (
    *("seed", "settling_time", "span_error_ppm", "nonlinearity_ppm", "hysteresis_ppm"),
    *("creep_ppm", "creep_time", "zero_return_ppm", "temperature_drift", "warm_up"),
    *("warm_up_time", "span_per_kelvin_ppm", "vibration_every", "vibration_lasts"),
    *("vibration_frequency", "zero_tracking", "zero_range_percent", "multiple_range"),
    *("initial_zero_range_percent", "pointer_step", "reading_error"),
)
"""Keys that are parameters of the physics as they stand."""
