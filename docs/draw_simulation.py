"""Draw docs/simulation.svg and print the tables of docs/simulation.md from the code's own data.

python docs/draw_simulation.py
"""

import os
import re
import sys
from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import matplotlib

matplotlib.use("agg")
matplotlib.rcParams["svg.hashsalt"] = "simulation"

from matplotlib import pyplot

from acquisition.day_script import OF_A_METER, OF_A_SCALE, Word, help_on
from acquisition.simulated_meter_keys import MeterSimulation
from acquisition.simulated_scale_keys import ScaleSimulation
from drivers.physics import ScalePhysics

HERE = Path(__file__).parent
BLUE, RED, GREY = "#0969da", "#cf222e", "#8c959f"


def scale(**traits: Any) -> ScalePhysics:
    """Return a scale of 15 kg, in grams."""
    return ScalePhysics(**({"max": Decimal(15000), "d": Decimal("0.1")} | traits))


def picture(file: Path) -> None:
    """Draw one load cycle from four sides."""
    figure, axes = pyplot.subplots(2, 2, figsize=(9.5, 6.6), layout="constrained")
    _settling(axes[0][0])
    _half_an_hour(axes[0][1])
    _up_and_down(axes[1][0])
    _warming(axes[1][1])
    figure.savefig(file, dpi=150, metadata={"Date": None} if file.suffix == ".svg" else None)
    pyplot.close(figure)


def _settling(axis: Any) -> None:
    times = [n / 200 for n in range(2000)]
    for row, (name, colour, overshoot) in enumerate(
        (("first order", BLUE, 0), ("overshoot 25 %", RED, 0.25))
    ):
        physics = scale(settling_time=0.35, overshoot=overshoot, motion_window=0.3, d=Decimal(5))
        physics.net(0.0)
        seen, stable = [], []
        for before, now in pairwise([-0.01, *times]):
            for at, load in ((0.5, 10000), (5.0, 0)):
                if before < at <= now:
                    physics.place(Decimal(load), 0, at)
            seen.append(float(physics.net(now)) / 1000)
            stable.append(physics.stable(now))
        axis.plot(times, seen, color=colour, label=name, linewidth=1.3)
        low = -4.2 - 0.7 * row
        axis.fill_between(times, low, low + 0.5, where=stable, color=colour, alpha=0.5, linewidth=0)
    axis.step([0, 0.5, 5, 10], [0, 10, 0, 0], where="post", color=GREY, label="load", linewidth=1)
    axis.text(2.2, -4.3, "bars: said to be stable", fontsize=7, ha="center", va="center")
    axis.set(xlabel="time [s]", ylabel="indication [kg]", ylim=(-5.4, 13.8))
    axis.set_title("10 kg on and off again", loc="left", fontsize=10)
    axis.legend(fontsize=8, loc="upper right")


def _half_an_hour(axis: Any) -> None:
    minutes = [n / 4 for n in range(300)]
    for name, colour, traits in (
        ("creep 300 ppm", BLUE, {"creep_ppm": 300}),
        ("creep 300 ppm, zero return 200 ppm", RED, {"creep_ppm": 300, "zero_return_ppm": 200}),
    ):
        physics = scale(settling_time=0.1, **traits)
        physics.net(0.0)
        placed, seen = {5.0: 10000, 35.0: 0}, []
        load = 0
        for minute in minutes:
            if minute in placed:
                load = placed[minute]
                physics.place(Decimal(load), 0, minute * 60)
            seen.append(float(physics.from_first_zero(minute * 60 + 3)) - load)
        axis.plot(minutes, seen, color=colour, label=name, linewidth=1.3)
    axis.axvspan(5, 35, color=GREY, alpha=0.15, linewidth=0)
    axis.text(20, 0.15, "10 kg on it", ha="center", fontsize=8)
    axis.set(xlabel="time [min]", ylabel="error [g]", ylim=(-0.4, 6.6))
    axis.set_title("Half an hour of load, and after it", loc="left", fontsize=10)
    axis.legend(fontsize=8, loc="upper right")


def _up_and_down(axis: Any) -> None:
    loads = [n * 500 for n in range(31)]
    path = [*loads, *loads[-2::-1]]
    for name, colour, traits in (
        ("load cell: bent by 150 ppm, hysteresis 300 ppm", BLUE, {"nonlinearity_ppm": 150, "hysteresis_ppm": 300}),
        ("spring: slack 3 g, friction 2 g", RED, {"slack": 3, "friction": 2}),
    ):  # fmt: skip
        physics = scale(settling_time=0.0, **traits)
        physics.net(0.0)
        seen = []
        for step, load in enumerate(path):
            physics.place(Decimal(load), 0, float(step))
            seen.append(float(physics.net(float(step))) - load)
        axis.plot([x / 1000 for x in path], seen, color=colour, label=name, linewidth=1.3)
        for at in (10, 45):
            axis.annotate(
                "",
                (path[at + 2] / 1000, seen[at + 2]),
                (path[at] / 1000, seen[at]),
                arrowprops={"arrowstyle": "->", "color": colour},
            )
    axis.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    axis.set(xlabel="load [kg]", ylabel="error [g]", ylim=(-6.5, 10.5))
    axis.set_title("Up to Max and down again", loc="left", fontsize=10)
    axis.legend(fontsize=8, loc="upper right")


def _warming(axis: Any) -> None:
    traits = {"warm_up": 8, "warm_up_time": 420, "zero_per_kelvin": 0.5}
    trucks = {"vibration": 1.2, "vibration_every": 600, "vibration_lasts": 40, "vibration_frequency": 0.4}  # fmt: skip
    seconds = [float(n) for n in range(2401)]
    for name, colour, more in (
        ("left alone, trucks pass", BLUE, trucks),
        ("with zero tracking", RED, {"zero_tracking": 0.5}),
    ):
        physics = scale(settling_time=0.3, seed=4, **traits, **more)
        seen = [float(physics.net(second)) for second in seconds]
        axis.plot([s / 60 for s in seconds], seen, color=colour, label=name, linewidth=1.0)
    axis.set(xlabel="time after power on [min]", ylabel="indication [g]", ylim=(-1.2, 5.6))
    axis.set_title("An empty scale that warms up by 8 K", loc="left", fontsize=10)
    axis.legend(fontsize=8, loc=(0.5, 0.25))


def tables() -> Mapping[str, str]:
    """Return the tables of the page by their name."""
    return {
        "keys of scales": _keys(ScaleSimulation),
        "keys of meters": _keys(MeterSimulation),
        "commands of scales": _commands(OF_A_SCALE),
        "commands of meters": _commands(OF_A_METER),
    }


def _keys(model: type[ScaleSimulation] | type[MeterSimulation]) -> str:
    rows = ["| key | default | what |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        default = "" if field.is_required() else _written(field.default)
        rows.append(f"| `{name}` | {default} | {field.description} |")
    return "\n".join(rows)


def _written(default: object) -> str:
    if default is None or default == "" or default == ():
        return "none"
    if repr(default) == "PydanticUndefined":
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _commands(words: Mapping[str, Word]) -> str:
    rows = ["| typed | does |", "|---|---|"]
    return "\n".join([*rows, *(f"| `{usage}` | {does} |" for usage, does in help_on(words))])


def page(text: str) -> str:
    """Return the text of the page with its tables as they should be."""

    def renewed(match: "re.Match[str]") -> str:
        return f"<!-- {match[1]} -->\n\n{tables()[match[1]]}\n\n<!-- end -->"

    return re.sub(r"<!-- ([a-z ]+) -->\n.*?<!-- end -->", renewed, text, flags=re.DOTALL)


if __name__ == "__main__":
    os.environ["TERA_LANG"] = "en"
    picture(HERE / "simulation.svg")
    markdown = HERE / "simulation.md"
    markdown.write_text(page(markdown.read_text(encoding="utf-8")), encoding="utf-8")
