"""Lines for ``config.toml`` of what a probe found, ready to paste.

Where several dialects read the same bytes alike, the block names them all; where they read something
else, each has a block of its own under the same name, which the station refuses to load twice.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acquisition.language import t
from drivers.codecs import CODECS
from drivers.codecs.codec import Codec
from drivers.probe_bus import UnitFound
from drivers.probe_heard import UNTOLD
from drivers.probe_maps import MapFit
from drivers.probe_pattern import Proposal
from drivers.probe_scale import Fit, Noise

_BY_ID = Path("/dev/serial/by-id")
_UNIT = "kg"
"""What stands where the display must be looked at."""


@dataclass(frozen=True, slots=True)
class Block:
    """One table of the configuration."""

    text: str
    about: dict[str, Any]
    """The same as values, for programs."""


def stable_name(port: str, folder: Path = _BY_ID) -> str:
    """Return the name under which a device always comes back; the port itself when it has none."""
    scheme, separator, place = port.partition("://")
    device = Path(place if scheme == "rtu" and separator else port).absolute()
    if separator and scheme != "rtu":
        return port
    port = f"rtu://{device}" if separator else str(device)
    if not folder.is_dir() or device.parent == folder:
        return port
    for link in sorted(folder.iterdir()):
        if link.resolve() == device.resolve():
            return f"rtu://{link}" if separator else str(link)
    return port


def alike(fits: Sequence[Fit]) -> list[list[Fit]]:
    """Return the dialects in groups that read the same, in the order they came."""
    groups: list[list[Fit]] = []
    for fit in fits:
        group = next((g for g in groups if g[0].alike(fit)), None)
        if group is None:
            groups.append([fit])
        else:
            group.append(fit)
    return groups


def scale_block(group: Sequence[Fit], port: str) -> Block:
    """Write the lines of dialects that read alike; the others are named beside the first."""
    first = group[0]
    others = [
        (fit.dialect.name, _difference(first, fit) + _its_settings(first, fit)) for fit in group[1:]
    ]
    return _scale(
        first.dialect.name,
        port,
        None if "://" in port else (first.baudrate, first.framing),
        first.mode,
        dict(first.dialect.settings),
        _untold(first),
        others,
    )


def pattern_block(proposal: Proposal, noise: Noise, framing: str, port: str) -> Block:
    """Write the lines of a proposed pattern."""
    untold = [] if proposal.shown[0].unit else [_unit_line()]
    untold.append('# stable = "S"   # ' + t("which marker says stable: docs/protocols/pattern.md"))
    line = None if "://" in port else (noise.baudrate, framing)
    return _scale("pattern", port, line, "listen", proposal.settings, untold, [])


def unit_block(found: UnitFound, fit: MapFit, port: str) -> Block:
    """Write the lines of a Modbus unit under one map."""
    about: dict[str, Any] = {"name": f"meter-{found.unit}", "driver": "modbus"}
    about["port"] = port if "://" in port else f"rtu://{port}"
    if port.startswith("socket://"):
        about["port"] = "rtu+tcp" + port.removeprefix("socket")
    if about["port"].startswith("rtu://"):
        about |= {"baudrate": found.baudrate, "framing": found.framing}
    about |= {"map": fit.known.id, "unit": found.unit}
    lines = ["[[bench.instrument]]", *_pairs(about)]
    if fit.known.provisional:
        advice = t("compare every value with its display, then enter map_checked")
        lines.append(f'# map_checked = ""   # {advice}')
    return Block("\n".join(lines), about)


def _scale(
    driver: str,
    port: str,
    line: tuple[int, str] | None,
    mode: str,
    settings: dict[str, str],
    untold: Sequence[str],
    others: Sequence[tuple[str, str]],
) -> Block:
    about: dict[str, Any] = {"name": "timbangan", "driver": driver}
    lines = ["[[bench.instrument]]", *_pairs(about)]
    lines += [f"# driver = {json.dumps(name)}   # {why}" for name, why in others]
    rest: dict[str, Any] = {"port": port}
    if line is not None:
        rest |= {"baudrate": line[0], "framing": line[1]}
    rest["mode"] = mode
    lines += _pairs(rest)
    about |= rest
    if settings or untold:
        lines += ["[bench.instrument.settings]", *_pairs(settings), *untold]
        about["settings"] = settings
    return Block("\n".join(lines), about)


def _pairs(values: dict[str, Any]) -> list[str]:
    """Write keys and values; a JSON string is a TOML string."""
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]


def _untold(fit: Fit) -> list[str]:
    """Write what the frames leave open, for the technician to fill in."""
    lines = []
    for option in CODECS[fit.dialect.name].options:
        if option.key == "unit" and all(said.unit is None for said in fit.shown):
            lines.append(_unit_line())
        elif option.key in UNTOLD - {"unit", "tons", "read"}:
            lines.append(f'# {option.key} = "{option.default}"   # {t(option.help)}')
    return lines


def _unit_line() -> str:
    return f'# unit = "{_UNIT}"   # ' + t("no frame says the unit: enter what the display shows")


def _its_settings(first: Fit, other: Fit) -> str:
    """Say what stands under the settings instead, if another dialect is taken."""
    if other.dialect.settings == first.dialect.settings:
        return ""
    if not other.dialect.settings:
        return "; " + t("without the settings below")
    return "; " + t("settings: {list}", list=", ".join(_pairs(dict(other.dialect.settings))))


def _difference(first: Fit, other: Fit) -> str:
    """Say what tells two dialects apart that read the same."""
    what = CODECS[other.dialect.name].what
    ours, theirs = first.dialect.codec, other.dialect.codec
    named = [
        word
        for word, one, two in (
            (t("request"), ours.requests.poll, theirs.requests.poll),
            (t("zero"), ours.requests.zero, theirs.requests.zero),
            (t("tare"), ours.requests.tare, theirs.requests.tare),
        )
        if one != two
    ]
    if named:
        return t(
            "{name}: reads the same, asks otherwise ({list})", name=what, list=", ".join(named)
        )
    if _same_protocol(ours, theirs):
        return t("{name}: the same protocol, as another maker calls it", name=what)
    page = CODECS[other.dialect.name].page.file
    return t(
        "{name}: reads these frames alike, others not: docs/protocols/{page}.md",
        name=what,
        page=page,
    )


def _same_protocol(one: Codec, other: Codec) -> bool:
    return (
        type(one) is type(other)
        and CODECS[one.name].page is CODECS[other.name].page
        and (repr(one).replace(one.name, "") == repr(other).replace(other.name, ""))
    )
