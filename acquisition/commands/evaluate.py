"""``tera evaluate``: a verdict from an observation sheet, without instruments."""

import argparse

from acquisition.config import station_if_there
from acquisition.faults import CONFORMING, NONCONFORMING
from acquisition.language import t
from acquisition.output import print_json
from acquisition.register import approved_digests, standards_register
from acquisition.sheet_file import sources_of
from acquisition.verdict_page import show_verification
from calibration.evaluation import evaluate
from calibration.verification import Verdict


def main(arguments: argparse.Namespace) -> int:
    """Run the command."""
    station = station_if_there(arguments.config)
    (source,) = sources_of(arguments.sheet)
    (sheet,) = source.sheets()
    result = evaluate(
        sheet,
        standards={} if station is None else standards_register(station),
        approved=frozenset() if station is None else approved_digests(station),
        settings=() if station is None else station.law.in_force(),
    )
    body = result.to_dict()
    if arguments.plot is not None:
        from acquisition.plot import draw

        draw(body, arguments.plot)
    if arguments.json:
        print_json([body])
    else:
        show_verification(
            body, arguments.sheet.stem, [t(r.template, **r.values) for r in result.reasons]
        )
    return CONFORMING if result.verdict is Verdict.CONFORMING else NONCONFORMING
