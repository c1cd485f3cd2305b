"""What a probe found, in words: what it is, how sure that is, and what to do when it is nothing.

Every dialect and every map that fits is named with what tells it from the others; none is chosen
in silence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from acquisition.language import t
from acquisition.probing_lines import (
    Block,
    alike,
    pattern_block,
    scale_block,
    unit_block,
)
from drivers.codecs import CODECS
from drivers.codecs.codec import Decoded
from drivers.modbus import EXCEPTIONS
from drivers.probe_bus import UnitFound
from drivers.probe_heard import Certainty
from drivers.probe_maps import LITTLE, MapFit
from drivers.probe_pattern import Proposal, printable, propose
from drivers.probe_scale import Fit, Noise
from drivers.probe_search import Search
from drivers.probe_wire import PLAIN, heard_as

_SURE = {
    Certainty.CHECK: "certain: the checksum of its frames is right",
    Certainty.STRUCTURE: "sure: frames of a strict form, read more than once",
    Certainty.GUESS: "a guess: little was heard, or it reads nearly anything",
}
_SHOWN = 3
"""Values of a map that are shown."""
_BLOCKS = 3
"""Maps whose lines are written out; all are named."""
_BYTES = 24
"""Bytes that are shown of what makes no frame."""
_TEXT = 0.9
"""So much of it must be text to be called text [share]."""


@dataclass(frozen=True, slots=True)
class Found:
    """One way of reading what is on the line."""

    what: str
    """Kind: ``scale``, ``pattern``, ``modbus``."""
    said: tuple[str, ...]
    """Sentences for people."""
    block: Block | None
    facts: dict[str, Any]

    def lines(self) -> list[str]:
        """Return everything for people."""
        return [*self.said, *(["", self.block.text] if self.block else [])]

    def as_json(self) -> dict[str, Any]:
        """Return everything for programs."""
        config = {"settings": self.block.about, "config": self.block.text} if self.block else {}
        return {"found": self.what, **self.facts, **config}


def findings(search: Search, port: str) -> list[Found]:
    """Return what was found, each reading once; nothing when nothing was."""
    found: list[Found] = []
    if search.scales is not None:
        groups = alike(search.scales.best)
        found += [_scale(group, len(groups), port) for group in groups]
        if not groups and not search.bus.found:
            found += _pattern(search.scales.noise, port)
    for unit in search.bus.found:
        found += _unit(unit, port, everybody=search.bus.everybody)
    return found


def _scale(group: Sequence[Fit], ways: int, port: str) -> Found:
    first = group[0]
    request = ascii((first.dialect.codec.requests.poll or b"").decode("latin-1"))
    listened = first.mode == "listen"
    how = t("it sends unasked") if listened else t("it answers to {request}", request=request)
    line = "" if "://" in port else f"{first.baudrate} {first.framing}, "
    said = [
        f"{CODECS[first.dialect.name].what} ({first.dialect.name}), {line}{how}",
        t("it shows {values}: compare with the display", values=_shown(first.shown)),
        t(_SURE[first.certainty]),
    ]
    if len(group) > 1:
        names = ", ".join(fit.dialect.name for fit in group)
        said.append(t("{names} read these frames alike: choose by the type plate", names=names))
    if ways > 1:
        said.append(
            t(
                "{number} readings fit: keep the lines of the one whose digits, sign and unit are those of the display",
                number=ways,
            )
        )
    if "://" in port and first.framing != PLAIN:
        said.append(
            t(
                "set the serial server to {framing}: bytes come with their parity bit",
                framing=first.framing,
            )
        )
    if any(fit.others for fit in group):
        others = next(fit.others for fit in group if fit.others)
        said.append(
            t(
                "a second instrument answers too ({values}): let only one be on the line",
                values=_shown(others),
            )
        )
    facts = {
        "port": port,
        "certainty": first.certainty.name.lower(),
        "alike": [fit.dialect.name for fit in group],
        "second_instrument": any(fit.others for fit in group),
        "indications": [
            {"text": s.text, "unit": s.unit, "condition": s.condition.value}
            for s in first.shown[-_SHOWN:]
        ],
    }
    return Found("scale", tuple(said), scale_block(group, port), facts)


def _pattern(noise: Sequence[Noise], port: str) -> list[Found]:
    for one in noise:
        for framing, data in heard_as(one.data):
            proposal = None if one.asked else propose(data)
            if proposal is not None:
                told = framing if one.framing == PLAIN else one.framing
                return [_proposed(proposal, one, told, port)]
    return []


def _proposed(proposal: Proposal, noise: Noise, framing: str, port: str) -> Found:
    said = (
        t(
            "lines of text at {line}, of no protocol that has a name",
            line=f"{noise.baudrate} {framing}",
        ),
        t("a proposal reads {values}: compare with the display", values=_shown(proposal.shown)),
        t("no indication is stable until you say which marker means so: docs/protocols/pattern.md"),
    )
    facts = {"port": port, "certainty": "guess"}
    return Found("pattern", said, pattern_block(proposal, noise, framing, port), facts)


def _shown(shown: Sequence[Decoded]) -> str:
    texts = [
        f"{s.text} {s.unit or ''} ({t(s.condition.value)})"
        if s.text
        else t(s.detail or s.condition.value)
        for s in shown
    ]
    return "; ".join(dict.fromkeys(" ".join(text.split()) for text in texts[-_SHOWN:]))


def _unit(unit: UnitFound, port: str, *, everybody: bool) -> list[Found]:
    line = f" ({unit.baudrate} {unit.framing})" if _is_serial(port) else ""
    head = t("a Modbus instrument answers as unit {unit}{line}", unit=unit.unit, line=line)
    said = [head]
    if unit.code:
        said.append(
            t(
                "it refused the first register ({reason}): that is an answer",
                reason=EXCEPTIONS.get(unit.code, str(unit.code)),
            )
        )
    if everybody:
        said.append(t("it answers to every unit number: any will do"))
    facts: dict[str, Any] = {"port": port, "unit": unit.unit, "exception": unit.code or None}
    if not unit.maps:
        said.append(
            t("there was no time to read its registers: probe it once more, alone")
            if unit.maps is None
            else t(
                "no register map fits its registers: take the one of its type plate (docs/maps), or write one"
            )
        )
        return [Found("modbus", tuple(said), None, facts | {"maps": []})]
    names = [fit.known.id for fit in unit.maps]
    if len(names) > 1:
        said.append(
            t(
                "{number} register maps fit ({names}): keep the lines of the type plate's",
                number=len(names),
                names=", ".join(names),
            )
        )
    if unit.maps[0].weight < LITTLE:
        said.append(
            t("little speaks for it: nearly everything is 0; let something flow and repeat")
        )
    return [
        Found(
            "modbus",
            (*(said if number == 0 else ()), _map(fit)),
            unit_block(unit, fit, port),
            facts | {"map": fit.known.id, "maps": names, "weight": fit.weight},
        )
        for number, fit in enumerate(unit.maps[:_BLOCKS])
    ]


def _is_serial(port: str) -> bool:
    return "://" not in port or port.startswith("rtu://")


def _map(fit: MapFit) -> str:
    values = [
        f"{v.quantity} {v.text} {v.unit or ''}".strip() for v in fit.values if v.value is not None
    ]
    return t(
        "{map} ({title}) would show {values}: compare with the display",
        map=fit.known.id,
        title=fit.known.title,
        values=", ".join(values[:_SHOWN]) or "–",
    )


def hints(search: Search, port: str, found: Sequence[Found]) -> list[str]:
    """Return what to look at: faults that were seen, and what to do when nothing was found."""
    said: list[str] = []
    serial = _is_serial(port)
    bus, scales = search.bus, search.scales
    said += [
        t(
            "an answer of unit {unit} at {line} was damaged: two units of one number, noise, or the wrong framing",
            unit=unit,
            line=f"{baudrate} {framing}",
        )
        for baudrate, framing, unit in bus.garbled[:3]
    ]
    if found:
        if search.out_of_time:
            said.append(t("time was up: {asked} of 247 units were asked", asked=len(bus.asked)))
        return said
    if bus.gateway:
        said.append(
            t(
                "a gateway answers, and none of the units behind it that were asked: look at its serial side"
            )
        )
    noise = scales.noise if scales is not None else []
    if scales is not None and scales.echo:
        said.append(
            t("the line gives back what is sent: RX and TX are joined, or an adapter hears itself")
        )
    if noise:
        said += _of_noise(noise)
    elif not bus.garbled and not bus.gateway:
        said += _of_silence(search, serial=serial)
    if scales is not None and not scales.streams:
        bus_port = f"rtu+tcp{port[6:]}" if port.startswith("socket:") else f"rtu://{port}"
        said.append(
            t("for a Modbus instrument: tera doctor --probe {port} asks all units", port=bus_port)
        )
    return said


def _of_silence(search: Search, *, serial: bool) -> list[str]:
    said = [t("nothing came: not one byte")]
    if search.scales is not None:
        said.append(
            t("is the instrument on, and its interface set to send, or to answer, in its own menu?")
        )
    if serial and search.scales is not None:
        said.append(
            t(
                "is it the right port? swap RX and TX (a null-modem cable crosses them); RS-232 and RS-485 are not the same plug"
            )
        )
    if search.scales is None:
        said.append(
            t(
                "is the meter on, and Modbus switched on in its menu? RS-485: swap A and B; check the address and the port number"
            )
        )
    return said


def _of_noise(noise: Sequence[Noise]) -> list[str]:
    best = max(noise, key=lambda n: max(printable(data) for _, data in heard_as(n.data)))
    framing, data = max(heard_as(best.data), key=lambda way: printable(way[1]))
    told = framing if best.framing == PLAIN else best.framing
    line = f"{best.baudrate} {told}"
    said = [
        t(
            "bytes came that make no frame of any protocol at any speed; at {line} they began with",
            line=line,
        ),
        f"  {data[:_BYTES].hex(' ')}   {data[:_BYTES].decode('latin-1')!a}",
    ]
    if printable(data) >= _TEXT:
        said.append(t("that is text: write a pattern for it (docs/protocols/pattern.md)"))
    else:
        said.append(
            t(
                "no speed makes text of them: look at the interface (RS-232, RS-485, A and B), and at speed and parity in the instrument's menu"
            )
        )
    return said
