"""``tera records order``: what the office wants verified, placed at the broker or withdrawn."""

import argparse
import asyncio
import sys

from acquisition.config import Premises, Station
from acquisition.faults import CONFORMING, BadInput
from acquisition.language import t
from acquisition.output import print_json
from acquisition.station import broker_address
from broker.access import RECORDS
from broker.address import level, topics
from broker.failure import BadRecord
from broker.placing import place_order, withdraw_order
from broker.record import timestamp

_COMMAND = "tera records order"


def order(settings: Premises, arguments: argparse.Namespace) -> int:
    """Run the command."""
    name, names = arguments.order, list(dict.fromkeys(arguments.instruments))
    if arguments.withdraw and (names or arguments.owner):
        raise BadInput("an order is withdrawn as a whole: only its name is given", place=_COMMAND)
    if not arguments.withdraw and not all(names or [""]):
        raise BadInput("name the instruments, or write --withdraw", place=_COMMAND)
    try:
        level(name)
    except BadRecord as error:
        raise BadInput(error.template, place=_COMMAND, **error.evidence) from None
    address = broker_address(settings, RECORDS)
    where = topics(settings.office.code, arguments.trial)
    message = {
        "schema": "tera/order/1",
        "order": name,
        "instruments": names,
        "owner": arguments.owner,
        "received": timestamp(),
    }
    if arguments.withdraw:
        asyncio.run(withdraw_order(address, where, name))
    else:
        asyncio.run(place_order(address, where, message))
    if arguments.json:
        print_json([{"order": name, "withdrawn": True} if arguments.withdraw else message])
        return CONFORMING
    if arguments.withdraw:
        print(t("order {order} is withdrawn", order=name))
        return CONFORMING
    print(t("order {order} is placed: {names}", order=name, names=", ".join(names)))
    _say_unknown(settings, names)
    return CONFORMING


def _say_unknown(settings: Premises, names: list[str]) -> None:
    """Say which instruments this configuration does not know, where it is a station's."""
    if isinstance(settings, Station):
        known = {i.name for bench in settings.bench for i in bench.instrument}
        if strange := [name for name in names if name not in known]:
            text = t("no bench here has {names}", names=", ".join(strange))
            print(text, file=sys.stderr)
