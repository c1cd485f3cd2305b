"""Numbers in Prometheus's text format, written and read.

Our own forty lines rather than prometheus_client: that keeps a registry of counters which must be
fed everywhere, and serves them from threads; our numbers lie in the station already and are
gathered in its event loop when somebody asks. prometheus_client reads them in the tests.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class Family:
    """One number, for each of what it is counted for."""

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    samples: list[tuple[Mapping[str, str], float]] = field(default_factory=list)

    def add(self, value: float, **labels: str) -> None:
        """Add a value."""
        self.samples.append((labels, value))


def to_text(families: Iterable[Family]) -> str:
    """Write families that have a value."""
    lines = []
    for family in families:
        if not family.samples:
            continue
        lines.append(f"# HELP {family.name} {_escaped(family.help)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for labels, value in family.samples:
            inside = ",".join(f'{k}="{_escaped(v, quoted=True)}"' for k, v in labels.items())
            lines.append(f"{family.name}{{{inside}}} {value!r}".replace("{}", ""))
    return "\n".join([*lines, ""])


def _escaped(text: str, *, quoted: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quoted else text


_SAMPLE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
_UNESCAPED = {"\\\\": "\\", "\\n": "\n", '\\"': '"'}


def from_text(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Read what ``to_text`` wrote: name to labels and values."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for line in text.splitlines():
        if (sample := _SAMPLE.fullmatch(line)) is None:
            continue
        labels = {
            name: re.sub(r"\\.", lambda m: _UNESCAPED.get(m[0], m[0]), value)
            for name, value in _LABEL.findall(sample[2] or "")
        }
        found.setdefault(sample[1], []).append((labels, float(sample[3])))
    return found
