"""``tera standards``: the office's measurement standards, and which verdicts rest on them."""

import argparse
import difflib
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from rich.text import Text

from acquisition.commands.law import day
from acquisition.config import Station, load_station
from acquisition.faults import CONFORMING, NO_ANSWER, BadInput
from acquisition.language import choose, t
from acquisition.output import console, number, print_json, table, word
from acquisition.standards_used import Use, verdicts_using
from calibration.standard import CalibrationPoint, Standard

_QUANTITIES = (
    *("expanded_uncertainty", "mpe", "correction", "drift", "nominal", "density"),
    *("density_uncertainty", "reference_temperature", "expansion", "interval", "drip_time"),
)
"""What a standard may state, each one quantity."""
SOON = 30
"""So many days before the due date a standard is pointed out [d]."""


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    station = load_station(arguments.config)
    choose(station.console.language)
    words = arguments.words
    since, until = (
        None if text is None else day(text) for text in (arguments.since, arguments.until)
    )
    if words[:1] == ["used"] and len(words) == 2:
        return _used(station, words[1], since, until, as_json=arguments.json)
    for option, value in (("--from", since), ("--to", until)):
        if value is not None:
            raise BadInput("this belongs to: tera standards used ID", place=option)
    today = date.today()  # noqa: DTZ011 - a due date is a day at the office
    if words[:1] == ["show"] and len(words) == 2:
        return _show(station, _named(station, words[1]), today, as_json=arguments.json)
    if words:
        raise BadInput("write: tera standards, or show ID, or used ID", place="tera standards")
    if arguments.json:
        print_json(_listed(station, standard, today) for standard in station.standards)
    else:
        _list(station, today)
    return CONFORMING


def _named(station: Station, name: str) -> Standard:
    for standard in station.standards:
        if standard.id == name:
            return standard
    raise _unknown(station, name)


def _unknown(station: Station, name: str) -> BadInput:
    known = [standard.id for standard in station.standards]
    folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    if near:
        return BadInput(
            "there is no standard {name}: is it {near}?", name=name, near=folded[near[0]]
        )
    return BadInput(
        "there is no standard {name}: choose from {known}.",
        name=name,
        known=", ".join(known) or "-",
    )


def _state(standard: Standard, today: date) -> tuple[str, str]:
    """Give the state of a standard, and its colour."""
    if standard.due is None or standard.due < today:
        return "expired", "bold red"
    return ("due soon", "yellow") if (standard.due - today).days < SOON else ("valid", "green")


def _benches(station: Station, name: str) -> list[str]:
    return [bench.name for bench in station.bench if name in bench.standards]


def _listed(station: Station, standard: Standard, today: date) -> dict[str, Any]:
    due = standard.due
    return {
        "id": standard.id,
        "kind": standard.kind,
        "class": standard.accuracy_class,
        "certificate": standard.certificate,
        "due": due,
        "days_left": None if due is None else (due - today).days,
        "state": _state(standard, today)[0],
        "expanded_uncertainty": _text(standard.expanded_uncertainty),
        "mpe": _text(standard.mpe),
        "points": len(standard.points),
        "benches": _benches(station, standard.id),
    }


def _list(station: Station, today: date) -> None:
    out = console()
    if not station.standards:
        out.print(t("no standard is in the register: write [[standards]] into the configuration"))
        return
    drawn = table(
        t("Measurement standards"),
        [
            (t("standard"), "left"),
            (t("certificate, due"), "left"),
            (t("values"), "left"),
            (t("benches"), "left"),
        ],
    )
    for standard in station.standards:
        drawn.add_row(
            Text(f"{standard.id}\n{_what(standard)}"),
            Text(f"{standard.certificate}\n").append_text(_due(standard, today)),
            "\n".join(_values(standard)),
            "\n".join(_benches(station, standard.id)) or "–",
        )
    out.print(drawn)
    out.print("tera standards show ID · tera standards used ID --from 2026-01-01")


def _what(standard: Standard) -> str:
    accuracy = standard.accuracy_class
    return " ".join([standard.kind, *([] if accuracy is None else [accuracy])])


def _due(standard: Standard, today: date) -> Text:
    """Say until when the certificate holds and how many days are left."""
    state, style = _state(standard, today)
    if standard.due is None:
        return Text(t(state), style)
    left = (standard.due - today).days
    count = t("{count} days left", count=left) if left >= 0 else t("{count} days ago", count=-left)
    return Text(f"{standard.due} · {count} · ").append(t(state), style)


def _values(standard: Standard) -> Iterator[str]:
    """Say what its certificate states of its errors."""
    if standard.expanded_uncertainty is not None:
        yield f"U {standard.expanded_uncertainty} (k = {standard.coverage_factor:f})"
    if standard.mpe is not None:
        yield f"{t('limit')} {standard.mpe}"
    if standard.points:
        first, last = standard.points[0].nominal, standard.points[-1].nominal
        yield t("{count} points", count=len(standard.points)) + f" {first} … {last}"
    if standard.weights:
        yield t("{count} weights", count=len(standard.weights))


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _show(station: Station, standard: Standard, today: date, *, as_json: bool) -> int:
    details = dict(_details(standard))
    if as_json:
        points = [
            {
                "nominal": str(point.nominal),
                "correction": str(point.correction),
                "expanded_uncertainty": _text(point.expanded_uncertainty),
                "drift": _text(point.drift),
            }
            for point in standard.points
        ]
        print_json([{**_listed(station, standard, today), **details, "point": points}])
        return CONFORMING
    out = console()
    out.print(Text(standard.id, "bold").append(f" · {_what(standard)}", "none"))
    out.print(
        Text(f"{t('certificate')} {standard.certificate} · ").append_text(_due(standard, today))
    )
    benches = ", ".join(_benches(station, standard.id)) or t("no bench uses it")
    out.print(f"{t('benches')}: {benches}")
    for name, text in details.items():
        out.print(Text(f"  {name} = {text}"))
    if standard.points:
        out.print(_points_table(standard.points))
    return CONFORMING


def _details(standard: Standard) -> Iterator[tuple[str, str]]:
    """Give what the register states, by the keys of ``[[standards]]``."""
    for name in _QUANTITIES:
        value = getattr(standard, name)
        if value is not None:
            yield name, str(value)
    if standard.coverage_factor != 2:
        yield "coverage_factor", f"{standard.coverage_factor:f}"
    if standard.weights:
        yield "weights", ", ".join(map(str, standard.weights))
    if standard.wetted is not None:
        yield "wetted", "true" if standard.wetted else "false"


def _points_table(points: Sequence[CalibrationPoint]) -> Any:
    drawn = table(
        "",
        [
            (t("nominal"), "right"),
            (t("correction"), "right"),
            ("U", "right"),
            (t("drift"), "right"),
        ],
    )
    for point in points:
        u, drift = point.expanded_uncertainty, point.drift
        drawn.add_row(
            str(point.nominal),
            f"{number(point.correction.magnitude or Decimal(0), signed=True)} {point.correction.unit}",
            "–" if u is None else str(u),
            "–" if drift is None else str(drift),
        )
    return drawn


def _used(
    station: Station, name: str, since: date | None, until: date | None, *, as_json: bool
) -> int:
    """List the verdicts that rest on a standard, also one that has left the register."""
    if since is not None and until is not None and until < since:
        raise BadInput("{until} lies before {since}", place="--to", until=until, since=since)
    registered = any(standard.id == name for standard in station.standards)
    uses = verdicts_using(station.store, name, since, until)
    if not uses.verdicts and not registered and not verdicts_using(station.store, name).verdicts:
        raise _unknown(station, name)
    if as_json:
        print_json(use.to_dict() for use in uses.verdicts)
    else:
        _show_uses(name, uses.verdicts, since, until)
        if not registered:
            console().print(t("{name} is no longer in the register", name=name))
    for file in uses.unread:
        said = t("the archive {file} is missing or damaged: its verdicts are not listed", file=file)
        print(f"tera: {said}", file=sys.stderr)
    return NO_ANSWER if uses.unread else CONFORMING


def _show_uses(name: str, uses: Sequence[Use], since: date | None, until: date | None) -> None:
    out = console()
    span = "" if since is until is None else f" · {since or '…'} – {until or '…'}"
    if not uses:
        out.print(t("no verdict used {name}{span}", name=name, span=span))
        return
    drawn = table(
        t("Verdicts that used {name}{span}", name=name, span=span),
        [
            (t("begun"), "right"),
            (t("instrument, bench, number"), "left"),
            (t("verdict, status"), "left"),
        ],
    )
    for use in uses:
        record = use.record
        instrument = record["instrument"]
        what = f"{instrument.get('kind', '')} {instrument.get('serial', '')}".strip()
        status = (
            "TRIAL, not legal" if record["trial"] else "legal" if record["legal"] else "not legal"
        )
        drawn.add_row(
            f"{use.started.astimezone():%Y-%m-%d %H:%M}",
            f"{what}\n{record['bench']} · {record['number']}",
            word(record["verdict"]).append(f"\n{t(status)}", "none"),
        )
    out.print(drawn)
    out.print(t("{count} verdicts", count=len(uses)))
