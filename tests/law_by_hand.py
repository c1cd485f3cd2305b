"""The legal tables read a second time, with fractions and nothing of the numeric core.

An oracle for tests: slow, one value at a time, and its own reading of the files.
"""

import tomllib
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent / "calibration"
_SIZES = {
    "mg": "1/1000",
    "g": "1",
    "kg": "1000",
    "t": "1000000",
    "mm": "1/1000",
    "cm": "1/100",
    "m": "1",
    "km": "1000",
    "mL": "1/1000",
}
UNITS = {
    **{unit: Fraction(size) for unit, size in _SIZES.items()},
    **dict.fromkeys(("L", "s", "A", "m³/h", "kWh", "e"), Fraction(1)),
}
"""Size of each unit in the first of its kind."""


def raw_tables() -> dict[str, dict[str, Any]]:
    """Read every legal table: ``r76@2006`` -> its file."""
    found = {}
    for file in sorted([*ROOT.glob("legal/*.toml"), *ROOT.glob("national/*.toml")]):
        data = tomllib.loads(file.read_text("utf-8"), parse_float=Decimal)
        if data["schema"] == "tera/legal-table/1":
            found[f"{data['id']}@{data['edition']}"] = data
    return found


@dataclass(frozen=True)
class Case:
    """One class at one stage, with what was chosen and the places on its axis."""

    data: dict[str, Any]
    accuracy_class: str
    stage: str
    keys: tuple[str, ...] = ()
    """Choices and cases in force."""
    places: dict[str, Fraction] = field(default_factory=dict)
    """Characteristics on the axis of values [unit of the file]."""
    x: Fraction = Fraction(1)

    @property
    def entry(self) -> dict[str, Any]:
        entry = {**self.data["rule"], **self.data["class"][self.accuracy_class]}
        for key in self.keys:
            if isinstance(entry.get(key), dict):
                entry = {**entry, **entry[key]}
        return entry

    @property
    def unit(self) -> str:
        entry = self.entry
        if entry["kind"] == "bands in e":
            return "e"
        return str(entry.get("value", entry.get("unit")))

    @property
    def factor(self) -> Fraction:
        stage = self.data["stage"][self.stage]
        return Fraction(stage["factor"]) * Fraction(self.entry.get("factor", 1)) * self.x

    def number(self, stated: Any) -> Any:
        """Pick a number; None where the file has none for this stage or case."""
        column = self.entry.get("numbers", self.data["stage"][self.stage].get("numbers", "initial"))
        seen = False
        while isinstance(stated, dict):
            if column in stated:
                stated, seen = stated[column], True
            else:
                chosen = [stated[key] for key in self.keys if key in stated]
                if not chosen:
                    return None
                stated = chosen[0]
        return stated if seen or column == "initial" else None

    def place(self, text: str) -> Fraction:
        derived = self.data.get("bound", {}).get(text)
        if derived:
            place = self.place(derived["of"]) * Fraction(derived.get("times", 1))
            return place / self.places[derived["per"]] if "per" in derived else place
        return self.places[text] if text in self.places else self.of(text)

    def of(self, text: str) -> Fraction:
        number, _, unit = text.partition(" ")
        return Fraction(number) * UNITS[unit] / UNITS[self.unit]

    def bounds(self) -> list[Fraction]:
        """List every place where something changes, and both ends [unit of the file]."""
        entry = self.entry
        match entry["kind"]:
            case "bands in e":
                return [Fraction(0), *map(Fraction, entry["upto"])]
            case "nominal values":
                return [self.of(row[0]) for row in entry["rows"]]
            case "percent with minimum quantity":
                return [Fraction(0), *(self.of(b["below"]) for b in entry["band"] if "below" in b)]
        start = entry.get("from", entry.get("above"))
        ends = [b[k] for b in entry.get("band", []) for k in ("upto", "below") if k in b]
        found = [self.place(text) for text in (start, *ends)]
        if "at_least" in entry and self.of(entry["at_least"]):
            share = self.number(entry["percent"])
            found.append(self.of(entry["at_least"]) * 100 / Fraction(share))
        return found

    def limit(self, value: Fraction) -> Fraction | None:
        """Give the limit at a value [same unit, or % where it is of something else]."""
        entry = self.entry
        if self.stage not in entry.get("stages", (self.stage,)):
            return None
        if any(
            self.places[name] < self.of(least) for name, least in entry.get("needs", {}).items()
        ):
            return None
        match entry["kind"]:
            case "bands in e":
                return self._in_e(entry, value)
            case "nominal values":
                return self._nominal(entry, value)
            case "percent with minimum quantity":
                return self._percent(entry, value)
        return self._band(entry, value)

    def _in_e(self, entry: dict[str, Any], value: Fraction) -> Fraction | None:
        if value < 0 or (value == 0 and entry.get("above_zero")):
            return None
        below = sum(value > upto for upto in entry["upto"])
        limits = self.number(entry["limit"])
        return Fraction(limits[below]) * self.factor if below < len(limits) else None

    def _nominal(self, entry: dict[str, Any], value: Fraction) -> Fraction | None:
        column = 1 + entry["columns"].index(self.accuracy_class)
        cells = [row[column] for row in entry["rows"] if self.of(row[0]) == value]
        if not cells or cells[0] == "":
            return None
        return Fraction(cells[0]) * self.factor * UNITS[entry["limit_in"]] / UNITS[self.unit]

    def _percent(self, entry: dict[str, Any], value: Fraction) -> Fraction | None:
        if value < 0:
            return None
        band = next(b for b in entry["band"] if "below" not in b or value < self.of(b["below"]))
        line = next(key for key in self.keys if key in ("A", "B"))
        to = self.of(band["applied_to"]) if "applied_to" in band else value
        return band["factor"] * Fraction(entry[line]) / 100 * to * self.factor

    def _band(self, entry: dict[str, Any], value: Fraction) -> Fraction | None:
        if "from" in entry:
            if value < self.place(entry["from"]):
                return None
        elif value <= self.place(entry["above"]):
            return None
        for band in entry.get("band", [{}]):
            if "upto" in band and value > self.place(band["upto"]):
                continue
            if "below" in band and value >= self.place(band["below"]):
                continue
            return self._in_band(entry, band, value)
        return None

    def _in_band(
        self, entry: dict[str, Any], band: dict[str, Any], value: Fraction
    ) -> Fraction | None:
        total = Fraction(0)
        for key in ("limit", "percent", "slope", "plus"):
            stated = band.get(key, entry.get(key))
            if stated is None:
                continue
            number = self.number(stated)
            if number is None:
                return None
            if key == "percent" and "percent_of" in entry:
                over = self.place(band["times"]) / value if "times" in band else 1
                total += Fraction(number) * over
            elif key == "percent":
                total += Fraction(number) / 100 * value
            elif key == "slope":
                steps = value / self.of(entry["per"])
                if "step" in entry:
                    steps = Fraction(-(-value // self.of(entry["step"])))
                total += self.of(number) * steps
            else:
                total += self.of(number)
        least = self.of(entry["at_least"]) if "at_least" in entry else Fraction(0)
        return max(total, least) * self.factor
