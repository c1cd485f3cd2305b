"""``[bench.instrument.meter]``: what a simulated flow meter and its pipe are like.

The same keys are those of ``tera simulate NAME --set KEY=VALUE``; docs/simulation.md is printed from
here. A remark *simulation only* means that no source was used: the figure is there to practise with.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from acquisition.day_script import OF_A_METER, checked_day
from acquisition.setting_types import (
    Density,
    Exact,
    FlowRate,
    FlowRateFromZero,
    Name,
    Settings,
    Temperature,
    Volume,
    VolumeFromZero,
)
from calibration.units import Quantity, parse_quantity
from drivers.flow_physics import Counter, Wear

Percent = Annotated[Exact, Field(ge=0, le=100)]
Day = Annotated[str, AfterValidator(checked_day(OF_A_METER))]


def _table(given: Any) -> Any:
    """Take a table as it is typed in one text: ``10 L/min = -0.1, 50 L/min = 0.2``."""
    if not isinstance(given, str):
        return given
    pairs = [part.partition("=") for part in given.split(",")] if given.strip() else []
    return {flow.strip(): error.strip() for flow, _, error in pairs}


class MeterSimulation(Settings):
    """A simulated flow meter; what belongs to the pipe holds for every meter that names it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    errors: Annotated[dict[FlowRate, Exact], BeforeValidator(_table)] = Field(default_factory=dict)
    """Error of the meter [%] at flow rates, for example `"30 L/min" = 0.1`; linear between, level beyond. As on a certificate of calibration."""
    repeatability_percent: Percent = Decimal(0)
    """Standard deviation of the error from run to run [%]. R 117-1:2007 limits its range to 2/5 of the limit of the system."""
    noise_percent: Percent = Decimal(0)
    """Standard deviation of the indicated flow rate [%]. Simulation only."""
    temperature_coefficient_percent: Annotated[Exact, Field(ge=-10, le=10)] = Decimal(0)
    """Shift of the error per K away from 20 °C [%]. Simulation only."""
    slip: FlowRateFromZero = "0 L/min"
    """Flow that passes a worn meter uncounted: the error goes as -slip/flow. Simulation only."""
    start_flow: FlowRateFromZero = "0 L/min"
    """Flow below which the meter stands: starting flow of a turbine, low-flow cut-off of an electronic one."""
    max_flow: FlowRate | None = None
    """Flow above which the indicated flow rate stays where it is and the status says so; none unless given."""
    air_percent: Annotated[Exact, Field(ge=0, lt=60)] = Decimal(0)
    """Air in what passes this meter, by volume [%]; it is counted as liquid. Each run gets half to one and a half of it. R 117-1 wants it eliminated (2.10, from memory); figures for practice: simulation only."""
    resolution: Volume = "0.001 L"
    """Step of the totalizer."""
    totalizer_start: VolumeFromZero = "0 L"
    """What stands on the totalizer at the start."""
    totalizer_rollover: Volume | None = None
    """Where the totalizer begins at 0 again; never unless given."""
    boot_time: Annotated[float, Field(ge=0, le=3600)] = 1.0
    """From power on to the first answer [s]; what passes meanwhile is not counted. Simulation only."""
    seed: int = 1
    """What is by chance is the same for the same seed."""
    day: Day = ""
    """What happens while it runs: lines of time and command, as in a file of `tera simulate --script`."""

    pipe: Name = "pipe"
    """Meters that name the same pipe measure the same liquid."""
    pace: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Pipe: seconds of its life in one second of ours. Simulation only."""
    flow_settling_time: Annotated[float, Field(ge=0, le=600)] = 0.5
    """Pipe: time constant of the flow after the valve moved [s]. Simulation only."""
    temperature: Temperature = "20 °C"
    """Pipe: of the liquid."""
    temperature_drift: Annotated[float, Field(ge=-100, le=100)] = 0.0
    """Pipe: of the liquid [K/h]. Simulation only."""
    density: Density = "998.2 kg/m³"
    """Pipe: of the liquid. Water at 20 °C (CIPM: Tanaka et al., Metrologia 38, 2001)."""
    leak: FlowRateFromZero = "0 L/min"
    """Pipe: what creeps through the closed valve. Simulation only."""
    pulsation_percent: Percent = Decimal(0)
    """Pipe: amplitude of pulsation about the mean flow [%]. The totalizer feels it through the bend of the error curve; ISO/TR 3313 describes such effects, figures for practice: simulation only."""
    pulsation_frequency: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Pipe: of the pulsation [Hz]."""

    def curve(self) -> list[tuple[float, float]]:
        """Return the error curve: flow [m³/h], error [%]."""
        found = [(_flow(flow), float(error)) for flow, error in self.errors.items()]
        return found or [(0.0, 0.0)]

    def wear(self) -> Wear:
        """Return what years and installation did to the meter."""
        return Wear(
            slip=_flow(self.slip),
            start_flow=_flow(self.start_flow),
            air=float(self.air_percent) / 100,
            **({} if self.max_flow is None else {"max_flow": _flow(self.max_flow)}),
        )

    def counter(self) -> Counter:
        """Return how it counts."""
        rollover = self.totalizer_rollover
        return Counter(
            start=_litres(self.totalizer_start),
            **({} if rollover is None else {"rollover": _litres(rollover)}),
        )

    def given_of_pipe(self) -> Mapping[str, Any]:
        """Return the keys of the pipe that were given, as they stand."""
        return {key: getattr(self, key) for key in PIPE if key in self.model_fields_set}

    def pipe_traits(self) -> Mapping[str, Any]:
        """Return the given traits of the pipe, as the physics takes them."""
        traits: dict[str, Any] = {
            "settling_time": self.flow_settling_time,
            "temperature": float(parse_quantity(self.temperature).exactly("°C")),
            "temperature_drift": self.temperature_drift,
            "density": parse_quantity(self.density).to("kg/m³").magnitude / 1000,
            "leak": _flow(self.leak),
            "pulsation": float(self.pulsation_percent) / 100,
            "pulsation_frequency": self.pulsation_frequency,
        }
        given = self.given_of_pipe()
        return {trait: traits[trait] for key, trait in PIPE.items() if key in given and trait}


PIPE: Final = {
    "pace": "",
    "flow_settling_time": "settling_time",
    "temperature": "temperature",
    "temperature_drift": "temperature_drift",
    "density": "density",
    "leak": "leak",
    "pulsation_percent": "pulsation",
    "pulsation_frequency": "pulsation_frequency",
}
"""Keys that belong to the pipe, and the traits that they are."""


def cubic_metres_per_hour(flow: Quantity) -> float:
    """Return a flow rate [m³/h] for the physics of a simulation, which may round."""
    return float(flow.exactly("m³/h"))


def _flow(text: str) -> float:
    return cubic_metres_per_hour(parse_quantity(text))


def _litres(text: str) -> float:
    return float(parse_quantity(text).exactly("L"))
