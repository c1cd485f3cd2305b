"""``tera replay``: a verdict derived again from the bytes of its lines, and compared to the last digit."""

import argparse
import sys
from pathlib import Path

from acquisition.bundle import Bundle, read_bundle
from acquisition.config import station_if_there
from acquisition.differences import MADE_ANEW, Difference, differences
from acquisition.faults import CONFORMING, NONCONFORMING, Abandoned, sentence
from acquisition.language import choose, t
from acquisition.output import console, print_json, table
from acquisition.replaying import Derived, derive
from acquisition.station import software
from drivers.captured_time import ReplayEnded

_SAME, _DIFFERENT = CONFORMING, NONCONFORMING


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    station = station_if_there(Path("config.toml"))
    if station is not None:
        choose(station.console.language)
    bundle = read_bundle(arguments.bundle)
    derived: Derived | None = None
    reason = ""
    found: list[Difference] = []
    try:
        derived = derive(bundle, software())
        found = differences(bundle.record, derived.record, legal=derived.legal)
    except ReplayEnded as ended:
        reason = t(ended.template, **ended.evidence)
    except Abandoned as abandoned:
        reason = sentence(abandoned)
    same = derived is not None and not found
    if arguments.json:
        print_json([_as_json(bundle, derived, found, reason)])
    else:
        _show(bundle, derived, found, reason)
    return _SAME if same else _DIFFERENT


def _as_json(
    bundle: Bundle, derived: Derived | None, found: list[Difference], reason: str
) -> dict[str, object]:
    return {
        "same": derived is not None and not found,
        "verification": bundle.verification,
        "number": bundle.number,
        "bench": bundle.bench,
        "instrument": bundle.subject,
        "verdict": bundle.record["verdict"],
        "derived": None if derived is None else derived.record["verdict"],
        "origin": "replay",
        "bytes": None if derived is None else derived.received,
        "differences": [{"place": d.place, "then": d.then, "now": d.now} for d in found],
        "not_compared": list(MADE_ANEW),
        "reason": reason or None,
    }


def _show(bundle: Bundle, derived: Derived | None, found: list[Difference], reason: str) -> None:
    print(
        t(
            "verification {number} of bench {bench}, {instrument}: {verdict}",
            number=bundle.number,
            bench=bundle.bench,
            instrument=bundle.subject,
            verdict=t(bundle.record["verdict"]),
        )
    )
    if derived is None:
        print(t("derived again it comes to no verdict: {reason}", reason=reason))
        return
    if derived.record["software"] != bundle.record["software"]:
        print(
            t(
                "the verdict was made by version {then}, and derived again by version {now}",
                then=bundle.record["software"]["version"],
                now=derived.record["software"]["version"],
            ),
            file=sys.stderr,
        )
    if not found:
        print(
            t(
                "derived again from the {bytes} bytes that its lines gave: the same, byte by byte",
                bytes=f"{derived.received:,}".replace(",", " "),
            )
        )
        print(t("not compared: {fields}", fields=", ".join(MADE_ANEW)))
        return
    drawn = table(
        t("derived again it differs"),
        [(t("field"), "left"), (t("then"), "left"), (t("now"), "left")],
    )
    for one in found:
        drawn.add_row(one.place, one.then, one.now)
    console().print(drawn)
